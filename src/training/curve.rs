//! What each epoch brought, as CSV and as the picture that shows overfitting.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{TrainingError, unwritable};
use crate::evaluation::plot::{self, BLUE, Chart, ORANGE, Series};

/// One finished epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    pub epoch: usize,
    pub loss: f64,
    pub seconds: f64,
    /// Absent where the epoch was not scored.
    pub scores: Option<EpochScores>,
}

/// Accuracies are shares of 1; the training figures are of a fixed sample of training pictures,
/// not varied, under the averaged weights, as the validation figures are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochScores {
    pub train_age_mae: f64,
    pub train_gender_accuracy: f64,
    pub val_age_mae: f64,
    pub val_gender_accuracy: f64,
}

const COLUMNS: [&str; 7] =
    ["epoch", "loss", "seconds", "train_age_mae", "train_gender_accuracy", "val_age_mae", "val_gender_accuracy"];

/// Writes one line an epoch.
///
/// # Errors
/// [`TrainingError::Write`].
pub fn write_csv(path: &Path, history: &[Epoch]) -> Result<(), TrainingError> {
    // Headers of nested rows are not csv's to find.
    let mut writer =
        csv::WriterBuilder::new().has_headers(false).from_path(path).map_err(|error| unwritable(path, error))?;
    writer.write_record(COLUMNS).map_err(|error| unwritable(path, error))?;
    for Epoch { epoch, loss, seconds, scores } in history {
        let row = (epoch, loss, seconds, scores.as_ref());
        let empty = [""; 4];
        let written =
            if scores.is_some() { writer.serialize(row) } else { writer.serialize((epoch, loss, seconds, empty)) };
        written.map_err(|error| unwritable(path, error))?;
    }
    writer.flush().map_err(|error| unwritable(path, error))
}

/// Draws gender accuracy and age error of training against validation pictures.
///
/// # Errors
/// [`TrainingError::Write`].
pub fn draw(path: &Path, history: &[Epoch]) -> Result<(), TrainingError> {
    type Value = fn(&EpochScores) -> f64;
    let scored = || history.iter().filter_map(|one| Some((one.epoch as f64, one.scores.as_ref()?)));
    let panel = |title: &str, training: Value, validation: Value| {
        let points = |value: Value| scored().map(|(epoch, scores)| (epoch, value(scores))).collect();
        let training = Series::line("training", ORANGE, points(training));
        let validation = Series::line("validation", BLUE, points(validation));
        Chart { title: title.to_owned(), across: "epoch".to_owned(), decimals: 0, series: vec![training, validation] }
    };
    let charts = [
        panel("gender accuracy, %", |e| e.train_gender_accuracy * 100.0, |e| e.val_gender_accuracy * 100.0),
        panel("age error (MAE), years", |e| e.train_age_mae, |e| e.val_age_mae),
    ];
    plot::draw(path, &charts).map_err(|error| unwritable(path, error))
}
