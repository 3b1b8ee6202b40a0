//! `faceguesser evaluate`: how good the weights are on labelled pictures.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::wire;
use crate::config::Config;
use crate::evaluation::{Measurement, Scores, measure};
use crate::face::{CropFrame, FaceCrop};
use crate::model::estimator::Estimator;

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
    /// Measure these weights, such as those `train` left in --out, instead of the configured ones.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

/// Measures and prints; the exit code is 1 when a picture could not be read.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        arguments.aligned,
        "evaluating whole photos is not available yet: give tight crops and add --aligned"
    );
    let estimator = match &arguments.weights {
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read the weights {}", path.display()))?;
            Estimator::from_safetensors(&bytes).with_context(|| path.display().to_string())?
        }
        None => wire::face_estimator(config)?,
    };
    let whole = |luma: &_| Ok(Some(FaceCrop::cut(luma, &CropFrame::whole(luma))));
    let measurement = measure(&arguments.data, &estimator, whole)?;
    if let Some(path) = &arguments.predictions {
        measurement.write_csv(path)?;
    }
    let scores = measurement.scores();
    if arguments.json {
        println!("{}", serde_json::to_string(&scores)?);
    } else {
        print_table(&measurement, &scores, config.guess.confident);
    }
    tell_left_out(&measurement);
    Ok(if measurement.unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_table(measurement: &Measurement, scores: &Scores, confident: f32) {
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let rows = [
        ("photos", scores.photos.to_string()),
        ("age error (MAE)", format!("{:.2} years", scores.age_mae)),
        ("age error, true ages 21 to 60", format!("{:.2} years", scores.age_mae_21_60)),
        ("gender accuracy", percent(scores.gender_accuracy)),
        ("gender accuracy, true ages 13 up", percent(scores.gender_accuracy_13_plus)),
        ("gender calibration error (ECE)", format!("{:.4}", scores.gender_ece)),
        ("true age inside the 80 % interval", percent(scores.interval_80_coverage)),
        ("mean width of that interval", format!("{:.1} years", scores.interval_80_width_mean)),
    ];
    for (name, value) in rows {
        println!("{name:<36} {value:>12}");
    }
    println!("\n{:<24} {:>8} {:>12} {:>12}", "group", "photos", "age MAE", "gender");
    for group in measurement.groups(confident) {
        let (mae, accuracy) = (group.age_mae, percent(group.gender_accuracy));
        println!("{:<24} {:>8} {mae:>12.2} {accuracy:>12}", group.name, group.photos);
    }
    println!("\nthe surest 70 % have a confidence of {:.3} and more", measurement.confidence_of_surest(0.7));
}

fn tell_left_out(measurement: &Measurement) {
    if measurement.others > 0 {
        eprintln!("left out: {} entries whose names are not UTKFace's", measurement.others);
    }
    if !measurement.faceless.is_empty() {
        eprintln!("left out: {} pictures in which no face was found", measurement.faceless.len());
    }
    if let Some((path, reason)) = measurement.unreadable.first() {
        let count = measurement.unreadable.len();
        eprintln!("left out: {count} pictures that cannot be read, the first {}: {reason}", path.display());
    }
}
