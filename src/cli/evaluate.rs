//! `faceguesser evaluate`: how good the weights are on labelled pictures.

use std::path::PathBuf;
use std::process::ExitCode;

use image::GrayImage;

use super::output::{note, tell};
use super::wire;
use crate::config::Config;
use crate::evaluation::page::{
    self, DetectorCost, Summary, TRAINED_ON_VALIDATION, figure_rows, percent, steadiness_rows,
};
use crate::evaluation::utkface::{LabelledFolder, labelled_folder};
use crate::evaluation::{EvaluationError, Measurement, measure, steadiness};
use crate::face::{CropFrame, FaceCrop, FaceError, FaceFinder};
use crate::model::ModelError;
use crate::model::estimator::Estimator;
use crate::photo::{DecodeLimits, WorkClock};

/// Tight crops of a report that also go through the detector, spread over the folder.
const FOUND_IN_REPORT: usize = 1000;

/// Options of `evaluate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of pictures named as UTKFace names them (AGE_GENDER_RACE_TIME.jpg).
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The pictures are tight crops already: do not look for faces.
    #[arg(long)]
    aligned: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Also write each picture's guess to this CSV file.
    #[arg(long, value_name = "FILE.csv")]
    predictions: Option<PathBuf>,
    /// Also write a page with every figure and its pictures (index.html) into this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Measure these weights, such as those `train` left in --out, instead of the configured ones.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

/// Measures and prints; the exit code is 1 when a picture could not be read.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let estimator = wire::face_estimator_or(arguments.weights.as_deref(), config)?;
    let folder = labelled_folder(&arguments.data)?;
    let finder = wire::face_finder(config)?;
    let measurement = if arguments.aligned {
        measure(&folder, &estimator, |luma| Ok(Some(FaceCrop::cut(luma, &CropFrame::whole(luma)))))?
    } else {
        measure_found(&folder, &estimator, &finder)?
    };
    let measurement = measurement.some(&folder)?;
    if let Some(path) = &arguments.predictions {
        measurement.write_csv(path)?;
    }
    let mut summary = Summary {
        trained_on_validation: estimator.trained_on_validation(),
        scores: measurement.scores(),
        surest_70: measurement.surest(0.7),
        steadiness: arguments.aligned.then(|| steadiness(&folder.files, &estimator)).transpose()?,
        detector: None,
        groups: measurement.groups(config.guess.confident),
        decades: measurement.decades(),
    };
    if let Some(report) = &arguments.report {
        if arguments.aligned {
            let step = folder.files.len().div_ceil(FOUND_IN_REPORT).max(1);
            let files = folder.files.iter().step_by(step).cloned().collect();
            let found = measure_found(&LabelledFolder { files, ..folder.clone() }, &estimator, &finder)?;
            summary.detector = Some(DetectorCost::new(&found, &measurement));
        }
        page::write(report, &measurement, &summary, &command())?;
    }
    if arguments.json {
        tell(serde_json::to_string(&summary)?)?;
    } else {
        print_table(&summary)?;
    }
    if summary.trained_on_validation {
        note(TRAINED_ON_VALIDATION);
    }
    if let Some(report) = &arguments.report {
        note(format_args!("the report is {}", report.join("index.html").display()));
    }
    tell_left_out(&measurement);
    Ok(if measurement.unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The largest face of each picture.
fn measure_found(
    folder: &LabelledFolder,
    estimator: &Estimator,
    finder: &FaceFinder,
) -> Result<Measurement, EvaluationError> {
    let largest = |luma: &GrayImage| match finder.find(luma, &WorkClock::start(DecodeLimits::default().cpu_time)) {
        Ok(found) => Ok(found.faces.first().map(|face| FaceCrop::cut(luma, &face.frame))),
        Err(FaceError::Model(error)) => Err(error),
        // A picture that cannot be resized shows no face.
        Err(FaceError::Resize(_)) => Ok::<_, ModelError>(None),
    };
    measure(folder, estimator, largest)
}

/// What was typed, to be typed again.
fn command() -> String {
    let quoted = |word: String| if word.contains(' ') { format!("'{word}'") } else { word };
    let words = std::env::args().skip(1).map(quoted);
    std::iter::once("faceguesser".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn print_table(summary: &Summary) -> anyhow::Result<()> {
    for (name, value) in figure_rows(&summary.scores).into_iter().chain(steadiness_rows(summary)) {
        tell(format_args!("{name:<36} {value:>12}"))?;
    }
    tell(format_args!("\n{:<24} {:>8} {:>12} {:>12} {:>12}", "group", "photos", "age MAE", "gender", "in 80 %"))?;
    for group in summary.groups.iter().chain(&summary.decades) {
        let scores = &group.scores;
        let (mae, accuracy, inside) =
            (scores.age_mae, percent(scores.gender_accuracy), percent(scores.interval_80_coverage));
        tell(format_args!("{:<24} {:>8} {mae:>12.2} {accuracy:>12} {inside:>12}", group.name, scores.photos))?;
    }
    let surest = &summary.surest_70;
    tell(format_args!(
        "\nthe surest 70 % (confidence {:.3} and more): age MAE {:.2} years, gender {}, where told {}",
        surest.confidence,
        surest.scores.age_mae,
        percent(surest.scores.gender_accuracy),
        percent(surest.scores.gender_told_accuracy)
    ))?;
    Ok(())
}

fn tell_left_out(measurement: &Measurement) {
    if measurement.others > 0 {
        note(format_args!("left out: {} entries whose names are not UTKFace's", measurement.others));
    }
    if !measurement.faceless.is_empty() {
        note(format_args!("left out: {} pictures in which no face was found", measurement.faceless.len()));
    }
    if let Some((path, reason)) = measurement.unreadable.first() {
        let count = measurement.unreadable.len();
        note(format_args!("left out: {count} pictures that cannot be read, the first {}: {reason}", path.display()));
    }
}
