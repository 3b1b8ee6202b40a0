//! `faceguesser evaluate`: measures the weights on labelled pictures.

use std::path::PathBuf;
use std::process::ExitCode;

use image::GrayImage;

use super::evaluate_degraded;
use super::evaluate_scenes;
use super::evaluate_sets;
use super::output::{print_error, print_line};
use crate::config::Config;
use crate::evaluation::page::{self, DetectorCost, Summary, TRAINED_ON_VALIDATION, framing_rows, metric_rows, percent};
use crate::evaluation::sets::has_labels_file;
use crate::evaluation::utkface::{LabelledFolder, labelled_folder};
use crate::evaluation::{EvaluationError, Measurement, framing_robustness, measure};
use crate::face::{CropFrame, FaceCrop, FaceError, FaceFinder};
use crate::model::ModelError;
use crate::model::estimator::Estimator;
use crate::photo::{CpuLimit, DecodeLimits};
use crate::setup;

/// For a report, this many tight crops, evenly spaced over the folder, also go through the detector.
const DETECTOR_SAMPLE: usize = 1000;

/// Options of `evaluate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of pictures with UTKFace file names (AGE_GENDER_RACE_TIME.jpg), or with a labels.csv whose
    /// columns are file and any of age (31, 20-29 or 70+), gender, race and smile (yes or no). Repeat it to
    /// measure several folders in one table.
    #[arg(long, value_name = "DIR", required_unless_present = "scenes")]
    pub(super) data: Vec<PathBuf>,
    /// Measure face detection instead, in the pictures below this folder; its boxes.csv (file,x,y,w,h) says where
    /// faces are, and pictures that it does not name have none. With --report, a picture of the mistakes is written.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "aligned", "predictions", "weights"])]
    scenes: Option<PathBuf>,
    /// Of --scenes, only the pictures that the detector was not trained on: every third of each folder, up to 400.
    #[arg(long, requires = "scenes")]
    pub(super) held_out: bool,
    /// The pictures are tight face crops: skip face detection.
    #[arg(long)]
    pub(super) aligned: bool,
    /// Instead of the metrics: degrade up to 300 pictures of one folder with UTKFace file names in known ways, and
    /// print how many guesses stay sure and how many tips name what was done.
    #[arg(long, conflicts_with_all = ["aligned", "predictions"])]
    degraded: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(super) json: bool,
    /// Also write each picture's prediction to this CSV file.
    #[arg(long, value_name = "FILE.csv")]
    pub(super) predictions: Option<PathBuf>,
    /// Also write an HTML report with all metrics and charts (index.html) into this folder.
    #[arg(long, value_name = "DIR")]
    pub(super) report: Option<PathBuf>,
    /// Measure these weights, such as those `train` wrote to --out, instead of the configured ones.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

/// Prints the metrics. The exit code is 1 if a picture was unreadable.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &arguments.scenes {
        return evaluate_scenes::run(folder, &arguments, config);
    }
    let estimator = setup::face_estimator_or(arguments.weights.as_deref(), config)?;
    let finder = setup::face_finder(config, config.limits.faces)?;
    let folder = match arguments.data.as_slice() {
        [folder] if !has_labels_file(folder) => labelled_folder(folder)?,
        _ if arguments.degraded => {
            anyhow::bail!(
                "--degraded takes one --data folder of pictures with UTKFace file names, without a labels.csv"
            )
        }
        _ => return evaluate_sets::run(&arguments, &estimator, &finder, config.guess.confident),
    };
    if arguments.degraded {
        evaluate_degraded::run(&folder, &estimator, &finder, config.guess.confident, &arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    let measurement = if arguments.aligned {
        measure(&folder, &estimator, |luma| Ok(Some(whole_crop(luma))))?
    } else {
        measure_detected(&folder, &estimator, &finder)?
    };
    let measurement = measurement.non_empty(&folder)?;
    if let Some(path) = &arguments.predictions {
        measurement.write_csv(path)?;
    }
    let mut summary = Summary {
        trained_on_validation: estimator.trained_on_validation(),
        scores: measurement.scores(),
        surest_70: measurement.most_confident(0.7),
        framing_robustness: arguments.aligned.then(|| framing_robustness(&folder.files, &estimator)).transpose()?,
        detector: None,
        groups: measurement.groups(config.guess.confident),
        decades: measurement.decades(),
    };
    if let Some(report) = &arguments.report {
        if arguments.aligned {
            let step = folder.files.len().div_ceil(DETECTOR_SAMPLE).max(1);
            let files = folder.files.iter().step_by(step).cloned().collect();
            let found = measure_detected(&LabelledFolder { files, ..folder.clone() }, &estimator, &finder)?;
            summary.detector = Some(DetectorCost::new(&found, &measurement));
        }
        page::write(report, &measurement, &summary, &command())?;
    }
    if arguments.json {
        print_line(serde_json::to_string(&summary)?)?;
    } else {
        print_table(&summary)?;
    }
    if summary.trained_on_validation {
        print_error(TRAINED_ON_VALIDATION);
    }
    if let Some(report) = &arguments.report {
        print_error(format_args!("report: {}", report.join("index.html").display()));
    }
    note_skipped(&measurement);
    Ok(if measurement.unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures the largest detected face of each picture.
fn measure_detected(
    folder: &LabelledFolder,
    estimator: &Estimator,
    finder: &FaceFinder,
) -> Result<Measurement, EvaluationError> {
    measure(folder, estimator, |luma| largest_face(luma, finder))
}

/// The crop of the largest face in a picture.
pub(super) fn largest_face(luma: &GrayImage, finder: &FaceFinder) -> Result<Option<FaceCrop>, ModelError> {
    match finder.find(luma, &CpuLimit::start(DecodeLimits::default().cpu_time)) {
        Ok(found) => Ok(found.faces.first().map(|face| FaceCrop::cut(luma, &face.frame))),
        Err(FaceError::Model(error)) => Err(error),
        // A picture that cannot be resized counts as one without a face.
        Err(FaceError::Resize(_)) => Ok(None),
    }
}

/// The crop that is a whole picture, for tight crops of faces.
pub(super) fn whole_crop(luma: &GrayImage) -> FaceCrop {
    FaceCrop::cut(luma, &CropFrame::whole(luma))
}

/// The command line, for the report.
pub(super) fn command() -> String {
    let quoted = |word: String| if word.contains(' ') { format!("'{word}'") } else { word };
    let words = std::env::args().skip(1).map(quoted);
    std::iter::once("faceguesser".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn print_table(summary: &Summary) -> anyhow::Result<()> {
    for (name, value) in metric_rows(&summary.scores).into_iter().chain(framing_rows(summary)) {
        print_line(format_args!("{name:<36} {value:>12}"))?;
    }
    print_line(format_args!(
        "\n{:<24} {:>8} {:>12} {:>12} {:>12}",
        "group", "photos", "age MAE", "gender", "coverage"
    ))?;
    for group in summary.groups.iter().chain(&summary.decades) {
        let scores = &group.scores;
        let (mae, accuracy, coverage) =
            (scores.age_mae, percent(scores.gender_accuracy), percent(scores.interval_80_coverage));
        print_line(format_args!("{:<24} {:>8} {mae:>12.2} {accuracy:>12} {coverage:>12}", group.name, scores.photos))?;
    }
    let surest = &summary.surest_70;
    print_line(format_args!(
        "\nmost confident 70 % (confidence ≥ {:.3}): age MAE {:.2} years, gender accuracy {}, where reported {}",
        surest.confidence,
        surest.scores.age_mae,
        percent(surest.scores.gender_accuracy),
        percent(surest.scores.gender_told_accuracy)
    ))?;
    Ok(())
}

fn note_skipped(measurement: &Measurement) {
    if measurement.other_entries > 0 {
        print_error(format_args!("skipped: {} entries without a UTKFace file name", measurement.other_entries));
    }
    if !measurement.faceless.is_empty() {
        print_error(format_args!("skipped: {} pictures without a detected face", measurement.faceless.len()));
    }
    if let Some((path, reason)) = measurement.unreadable.first() {
        let count = measurement.unreadable.len();
        print_error(format_args!("skipped: {count} unreadable pictures, the first {}: {reason}", path.display()));
    }
}
