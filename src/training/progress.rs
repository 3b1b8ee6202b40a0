//! Progress of a run on the terminal: a bar within each epoch, a log line after it.

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

use super::curve::{Epoch, EpochScores};

/// The progress bar of one epoch.
pub(super) struct EpochProgress {
    bar: ProgressBar,
    /// The last validation scores, formatted.
    last_scores: String,
}

impl EpochProgress {
    pub(super) fn new(crops: usize, epoch: usize, epochs: usize, history: &[Epoch]) -> Self {
        let bar = ProgressBar::new(crops as u64);
        let template = "epoch {prefix} [{bar:30}] {pos}/{len} {msg}, {eta} left";
        // If indicatif cannot parse the template, the bar has the default style.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(format!("{}/{epochs}", epoch + 1));
        let last_scores = history.iter().rev().find_map(|epoch| epoch.scores);
        let last_scores =
            last_scores.map_or(String::new(), |EpochScores { val_age_mae, val_gender_accuracy, .. }| {
                format!(", val MAE {val_age_mae:.2}, accuracy {:.1} %", val_gender_accuracy * 100.0)
            });
        Self { bar, last_scores }
    }

    /// `loss` is the epoch's mean so far.
    pub(super) fn advance(&self, crops: usize, loss: f64) {
        self.bar.inc(crops as u64);
        self.bar.set_message(format!("loss {loss:.3}{}", self.last_scores));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

pub(super) fn log_epoch(Epoch { epoch, loss, scores, seconds }: &Epoch, epochs: usize) {
    let scores = scores.map_or(String::new(), |scores| {
        format!(
            "; age MAE {:.2} (train), {:.2} (val); gender accuracy {:.2} % (train), {:.2} % (val)",
            scores.train_age_mae,
            scores.val_age_mae,
            scores.train_gender_accuracy * 100.0,
            scores.val_gender_accuracy * 100.0
        )
    });
    info!("epoch {epoch}/{epochs}: loss {loss:.4}{scores}; {seconds:.0} s");
}
