//! The steps of a training run: start or resume, train an epoch, validate, checkpoint, finish.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tracing::{info, warn};

use super::augmentation::{Sample, augment_batch};
use super::checkpoint::Checkpoint;
use super::curve::{self, Epoch, EpochScores};
use super::data::{StatisticsBatches, TrainingData};
use super::dataset::Example;
use super::learner::Learner;
use super::progress::{EpochProgress, log_epoch};
use super::{TrainingError, TrainingOptions, load_estimator, validation, write_error};
use crate::model::estimator::Estimator;
use crate::model::weights::Precision;

/// Crops over which a pretrained network's activation statistics are measured, in batches.
const INITIAL_STATISTICS_BATCHES: usize = 4;

/// A run between its epochs.
pub(super) struct Run<'a> {
    options: &'a TrainingOptions,
    data: TrainingData,
    /// A fixed sample of training crops that is scored in the same way as the validation crops.
    monitored: Vec<Example>,
    statistics_batches: StatisticsBatches,
    total_steps: usize,
    learner: Learner,
    history: Vec<Epoch>,
    trained_on_validation: bool,
}

impl<'a> Run<'a> {
    /// Loads the data, then the checkpoint in `out`, the initial weights or random ones.
    pub(super) fn start(options: &'a TrainingOptions) -> Result<Self, TrainingError> {
        let TrainingOptions { recipe, out, seed, .. } = options;
        std::fs::create_dir_all(out).map_err(|error| write_error(out, error))?;
        if checkpoint_path(options).exists() && !options.resume {
            return Err(TrainingError::OutInUse { path: out.clone() });
        }
        let data = TrainingData::load(options)?;
        let steps_per_epoch = data.epoch_order(recipe, *seed, 0).len().div_ceil(recipe.batch_size);
        let mut run = Self {
            monitored: data.monitored_sample(*seed),
            statistics_batches: data.statistics_batches(recipe, *seed),
            total_steps: steps_per_epoch * recipe.epochs,
            learner: Learner::new(recipe, *seed)?,
            history: Vec::new(),
            trained_on_validation: trained_on_validation(options),
            options,
            data,
        };
        run.initialise()?;
        Ok(run)
    }

    fn initialise(&mut self) -> Result<(), TrainingError> {
        let options = self.options;
        let path = checkpoint_path(options);
        if path.exists() {
            let checkpoint = Checkpoint::load(&path)?;
            checkpoint.check_matches(options, self.total_steps)?;
            self.history = checkpoint.restore(&mut self.learner)?;
            info!(epochs = self.history.len(), "resumed");
        } else if !options.start_from.is_empty() {
            load_initial_weights(&mut self.learner, &options.start_from, &self.statistics_batches)?;
            info!(weights = ?options.start_from, "initial weights loaded");
        } else if options.resume {
            info!(folder = %options.out.display(), "no checkpoint to resume: starting from scratch");
        }
        Ok(())
    }

    pub(super) fn remaining_epochs(&self) -> Range<usize> {
        self.history.len()..self.end()
    }

    /// The number of epochs after which this run stops.
    fn end(&self) -> usize {
        let epochs = self.options.recipe.epochs;
        self.options.stop_after.unwrap_or(epochs).min(epochs)
    }

    /// Trains one epoch (counted from zero), validates if due, and writes checkpoint and curve.
    pub(super) fn train_epoch(&mut self, epoch: usize) -> Result<(), TrainingError> {
        let started = Instant::now();
        let loss = self.fit_epoch(epoch)?;
        let is_due = (epoch + 1).is_multiple_of(self.options.validate_every.max(1)) || epoch + 1 == self.end();
        let estimator = is_due.then(|| self.ema_estimator()).transpose()?;
        let scores = estimator.as_ref().map(|estimator| self.validate(estimator)).transpose()?;
        let finished = Epoch { epoch: epoch + 1, loss, scores, seconds: started.elapsed().as_secs_f64() };
        self.history.push(finished);
        self.save_checkpoint(estimator.as_ref())?;
        log_epoch(&finished, self.options.recipe.epochs);
        Ok(())
    }

    /// One optimiser step per batch; returns the mean loss per crop.
    fn fit_epoch(&mut self, epoch: usize) -> Result<f64, TrainingError> {
        let Self { options, data, total_steps, learner, history, .. } = self;
        let TrainingOptions { recipe, seed, .. } = options;
        let order = data.epoch_order(recipe, *seed, epoch);
        let batches: Vec<&[&Example]> = order.chunks(recipe.batch_size).collect();
        let prepare = |step: usize| -> Vec<Sample<'_>> {
            let first = epoch * order.len() + step * recipe.batch_size + 1;
            let batch = batches.get(step).copied().unwrap_or_default();
            augment_batch(batch, &recipe.augmentation, recipe.crop_side(epoch), (*seed, first as u64))
        };
        let progress = EpochProgress::new(order.len(), epoch, recipe.epochs, history);
        let mut loss_sum = 0.0;
        let mut next = prepare(0);
        for (step, batch) in batches.iter().enumerate() {
            let samples = std::mem::take(&mut next);
            // Preparing the next batch uses the threads that a step leaves idle.
            let (loss, following) = rayon::join(|| learner.step(&samples, *total_steps), || prepare(step + 1));
            next = following;
            let loss = loss?;
            if !loss.is_finite() {
                return Err(TrainingError::Diverged { steps: learner.steps() });
            }
            loss_sum += f64::from(loss) * batch.len() as f64;
            progress.advance(batch.len(), loss_sum / ((step + 1) * recipe.batch_size) as f64);
        }
        progress.finish();
        Ok(loss_sum / order.len() as f64)
    }

    fn validate(&self, estimator: &Estimator) -> Result<EpochScores, TrainingError> {
        let train = validation::score(estimator, &self.monitored)?;
        let val = validation::score(estimator, &self.data.val.examples)?;
        Ok(EpochScores {
            train_age_mae: train.age_mae,
            train_gender_accuracy: train.gender_accuracy,
            val_age_mae: val.age_mae,
            val_gender_accuracy: val.gender_accuracy,
        })
    }

    fn save_checkpoint(&self, estimator: Option<&Estimator>) -> Result<(), TrainingError> {
        let out = &self.options.out;
        let path = checkpoint_path(self.options);
        Checkpoint::save(&path, &self.learner, &self.history, self.options, self.total_steps)?;
        if let Some(estimator) = estimator {
            export(estimator, out)?;
        }
        curve::write_csv(&out.join("curve.csv"), &self.history)?;
        curve::draw(&out.join("curve.png"), &self.history)
    }

    /// Calibrates the EMA weights and exports them.
    pub(super) fn finish(mut self) -> Result<Vec<Epoch>, TrainingError> {
        let mut estimator = self.ema_estimator()?;
        if self.trained_on_validation {
            warn!(
                "not calibrated: the network was trained on the validation faces; copy a calibration with \
                 `calibrate --calibration-from`"
            );
        } else {
            estimator = validation::calibrate(estimator, &self.data.val)?;
        }
        export(&estimator, &self.options.out)?;
        Ok(self.history)
    }

    fn ema_estimator(&mut self) -> Result<Estimator, TrainingError> {
        let estimator = self.learner.ema_estimator(&self.statistics_batches)?;
        Ok(if self.trained_on_validation { estimator.with_trained_on_validation() } else { estimator })
    }
}

fn checkpoint_path(options: &TrainingOptions) -> PathBuf {
    options.out.join("checkpoint.safetensors")
}

/// Whether validation faces are trained on: by this run, or by its initial weights or teachers.
fn trained_on_validation(options: &TrainingOptions) -> bool {
    let mut earlier = options.start_from.iter().chain(&options.teachers);
    options.train.contains(&options.val)
        || earlier.any(|path| load_estimator(path).is_ok_and(|estimator| estimator.trained_on_validation()))
}

/// Loads a checkpoint's EMA weights, or the mean of exported networks, into a fresh `learner`.
fn load_initial_weights(
    learner: &mut Learner,
    paths: &[PathBuf],
    batches: &StatisticsBatches,
) -> Result<(), TrainingError> {
    if let [path] = paths
        && load_estimator(path).is_err()
    {
        return Checkpoint::load(path)?.load_ema_into(learner);
    }
    let networks = paths.iter().map(|path| load_estimator(path)).collect::<Result<Vec<_>, _>>()?;
    learner.load_folded(&Estimator::mean(&networks)?, &batches[..batches.len().min(INITIAL_STATISTICS_BATCHES)])
}

/// Writes a temporary file, then renames it, so that a kill never leaves truncated weights.
fn export(estimator: &Estimator, out: &Path) -> Result<(), TrainingError> {
    let path = out.join("estimator.safetensors");
    let partial = path.with_extension("partial");
    estimator.save(&partial, Precision::F16)?;
    std::fs::rename(&partial, &path).map_err(|error| write_error(&path, error))
}
