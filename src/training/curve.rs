//! The history of a run as CSV and as a plot of training against validation scores.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{TrainingError, write_error};
use crate::evaluation::plot::{self, BLUE, Chart, ORANGE, Series};

/// One finished epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, counted from one.
    pub epoch: usize,
    /// Mean loss per crop that was trained on.
    pub loss: f64,
    /// Duration, validation included.
    pub seconds: f64,
    /// Absent if the epoch was not validated.
    pub scores: Option<EpochScores>,
}

/// Scores of the EMA weights on the validation crops and on a fixed sample of training crops, both
/// without augmentation. MAE in years, accuracies from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochScores {
    /// Mean absolute age error on the training crops.
    pub train_age_mae: f64,
    /// Gender accuracy on the training crops.
    pub train_gender_accuracy: f64,
    /// Mean absolute age error on the validation crops.
    pub val_age_mae: f64,
    /// Gender accuracy on the validation crops.
    pub val_gender_accuracy: f64,
}

const COLUMNS: [&str; 7] =
    ["epoch", "loss", "seconds", "train_age_mae", "train_gender_accuracy", "val_age_mae", "val_gender_accuracy"];

/// Writes one row per epoch.
///
/// # Errors
/// [`TrainingError::Write`].
pub fn write_csv(path: &Path, history: &[Epoch]) -> Result<(), TrainingError> {
    // csv cannot derive a header from nested rows.
    let mut writer =
        csv::WriterBuilder::new().has_headers(false).from_path(path).map_err(|error| write_error(path, error))?;
    writer.write_record(COLUMNS).map_err(|error| write_error(path, error))?;
    for Epoch { epoch, loss, seconds, scores } in history {
        let written = match scores {
            Some(scores) => writer.serialize((epoch, loss, seconds, scores)),
            None => writer.serialize((epoch, loss, seconds, [""; 4])),
        };
        written.map_err(|error| write_error(path, error))?;
    }
    writer.flush().map_err(|error| write_error(path, error))
}

/// Plots gender accuracy and age error of training and validation crops.
///
/// # Errors
/// [`TrainingError::Write`].
pub fn draw(path: &Path, history: &[Epoch]) -> Result<(), TrainingError> {
    type Value = fn(&EpochScores) -> f64;
    let scored = || history.iter().filter_map(|epoch| Some((epoch.epoch as f64, epoch.scores.as_ref()?)));
    let panel = |title: &str, training: Value, validation: Value| {
        let points = |value: Value| scored().map(|(epoch, scores)| (epoch, value(scores))).collect();
        let training = Series::line("training", ORANGE, points(training));
        let validation = Series::line("validation", BLUE, points(validation));
        Chart {
            title: title.to_owned(),
            x_label: "epoch".to_owned(),
            x_decimals: 0,
            series: vec![training, validation],
        }
    };
    let charts = [
        panel("gender accuracy, %", |e| e.train_gender_accuracy * 100.0, |e| e.val_gender_accuracy * 100.0),
        panel("age error (MAE), years", |e| e.train_age_mae, |e| e.val_age_mae),
    ];
    plot::draw(path, &charts).map_err(|error| write_error(path, error))
}
