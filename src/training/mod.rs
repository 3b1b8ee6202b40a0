//! Trains the estimator on folders of labelled crops.
//!
//! [`train`] runs the loop, whose steps are in `run`. `data` loads the [`dataset`]s and orders each
//! epoch, [`augmentation`] varies the crops, `distillation` adds teachers' predictions, [`learner`]
//! holds weights and optimiser (`pass` is its forward and backward pass, `objective` the loss),
//! `validation` scores and calibrates, [`checkpoint`] persists a run and [`curve`] plots it.
//! [`recipe`] holds the hyperparameters.

pub mod augmentation;
pub mod checkpoint;
pub mod curve;
mod data;
pub mod dataset;
mod distillation;
pub mod learner;
mod objective;
mod pass;
mod progress;
pub mod recipe;
mod run;
mod validation;

use std::path::{Path, PathBuf};

use crate::evaluation::EvaluationError;
use crate::model::ModelError;
use crate::model::estimator::Estimator;

use curve::Epoch;
use recipe::Recipe;
use run::Run;

/// Why training cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// A folder of crops cannot be read or contains none.
    #[error(transparent)]
    Folder(#[from] EvaluationError),
    /// A picture, label or file of weights is not usable.
    #[error("{path}: {reason}")]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The recipe cannot be read, is invalid or does not fit the initial weights; contains the reason.
    #[error("the recipe is invalid: {0}")]
    Recipe(String),
    /// The file is not a checkpoint, or is one of a run with other settings.
    #[error("the checkpoint {path} cannot be used: {reason}")]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong or differs.
        reason: String,
    },
    /// The output folder contains a checkpoint that the run was not asked to resume.
    #[error("{path} already contains a checkpoint: continue it with --resume, or choose another --out")]
    OutInUse {
        /// The output folder.
        path: PathBuf,
    },
    /// An output cannot be written.
    #[error("{path} cannot be written: {reason}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The message of the underlying error.
        reason: String,
    },
    /// The network cannot be built or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The loss became infinite or NaN.
    #[error("the loss is not finite after {steps} steps: lower learning_rate in the recipe")]
    Diverged {
        /// Optimiser steps taken until then.
        steps: usize,
    },
}

impl From<candle_core::Error> for TrainingError {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(error.into())
    }
}

/// Inputs, outputs and settings of a training run.
#[derive(Debug, Clone)]
pub struct TrainingOptions {
    /// Folders of crops with UTKFace file names.
    pub train: Vec<PathBuf>,
    /// Validation crops. The weights are not calibrated on them if they are also training crops.
    pub val: PathBuf,
    /// Folders of pictures with a `labels.csv`: FairFace's with age bins, or photographs with smiles.
    pub extra: Vec<PathBuf>,
    /// Folder for checkpoint, exported weights and curve; created if missing.
    pub out: PathBuf,
    /// The hyperparameters.
    pub recipe: Recipe,
    /// Continue from the checkpoint in `out`, if there is one, instead of failing.
    pub resume: bool,
    /// Initial weights: the EMA weights of one checkpoint, or the mean of one or more exported
    /// networks. Random if empty.
    pub start_from: Vec<PathBuf>,
    /// Exported networks whose mean prediction is blended into the labels.
    pub teachers: Vec<PathBuf>,
    /// Validate and export weights every this many epochs, and after the last.
    pub validate_every: usize,
    /// Stop after this epoch of the schedule; a later run may resume from there.
    pub stop_after: Option<usize>,
    /// Seed of all randomness: initial weights, order, augmentation and dropout.
    pub seed: u64,
}

/// Trains to the recipe's last epoch, or continues from the checkpoint in `out`. Writes
/// `checkpoint.safetensors`, `estimator.safetensors`, `curve.csv` and `curve.png` there.
///
/// The same data, recipe and seed give bit-identical weights, also across a stop between or within
/// epochs and a resume: an epoch's order and augmentation depend only on its number.
///
/// # Errors
/// [`TrainingError`] by cause; the results of finished epochs stay in `out`.
pub fn train(options: &TrainingOptions) -> Result<Vec<Epoch>, TrainingError> {
    let mut run = Run::start(options)?;
    for epoch in run.remaining_epochs() {
        run.train_epoch(epoch)?;
    }
    run.finish()
}

/// Loads exported weights.
fn load_estimator(path: &Path) -> Result<Estimator, TrainingError> {
    let data_error = |reason: String| TrainingError::Data { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|error| data_error(error.to_string()))?;
    Estimator::from_safetensors(&bytes).map_err(|error| data_error(error.to_string()))
}

fn write_error(path: &Path, error: impl std::fmt::Display) -> TrainingError {
    TrainingError::Write { path: path.to_owned(), reason: error.to_string() }
}
