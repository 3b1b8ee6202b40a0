//! Trains the estimator on folders of labelled crops.
//!
//! [`dataset`] reads labels and pictures, [`augmentation`] varies them, [`learner`] holds weights
//! and optimiser, [`checkpoint`] keeps them, [`curve`] draws what happened; [`recipe`] says how.

pub mod augmentation;
pub mod checkpoint;
pub mod curve;
pub mod dataset;
pub mod learner;
mod objective;
pub mod recipe;

use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tracing::info;

use crate::evaluation::temperature::{fit, tempered};
use crate::evaluation::{EvaluationError, Label, Scores, scores};
use crate::face::FaceCrop;
use crate::model::ModelError;
use crate::model::estimator::{Calibration, Estimate, Estimator};

use augmentation::augmented;
use checkpoint::Checkpoint;
use curve::Epoch;
use dataset::{Dataset, Example};
use learner::Learner;
use recipe::Recipe;

/// Why training cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    #[error(transparent)]
    Folder(#[from] EvaluationError),
    #[error("{path}: {reason}")]
    Data { path: PathBuf, reason: String },
    #[error("the recipe does not fit: {0}")]
    Recipe(String),
    #[error("the checkpoint {path} cannot be used: {reason}")]
    Checkpoint { path: PathBuf, reason: String },
    #[error("{path} already holds a checkpoint: go on with --resume, or choose another --out")]
    OutInUse { path: PathBuf },
    #[error("{path} cannot be written: {reason}")]
    Write { path: PathBuf, reason: String },
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("the loss is no longer a number after {steps} steps: lower learning_rate in the recipe")]
    Diverged { steps: usize },
}

impl From<candle_core::Error> for TrainingError {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(error.into())
    }
}

/// What to train on, and where to.
#[derive(Debug, Clone)]
pub struct TrainingOptions {
    pub train: PathBuf,
    pub val: PathBuf,
    /// FairFace-like folders: `labels.csv` with age bins beside the pictures.
    pub extra: Vec<PathBuf>,
    pub out: PathBuf,
    pub recipe: Recipe,
    pub resume: bool,
    /// A finished run's checkpoint, whose averaged weights this run begins with.
    pub start_from: Option<PathBuf>,
    /// Ends after this epoch of the schedule; a later run may resume from there.
    pub stop_after: Option<usize>,
    pub seed: u64,
}

/// The most training pictures that are scored, unvaried, beside the validation pictures.
const SCORED_TRAINING_PICTURES: usize = 1000;

/// Batches over which the averaged weights' statistics are taken: 2,048 crops at the usual 64,
/// some seconds a pass; fewer left visible noise in the validation figures.
const STATISTICS_BATCHES: usize = 32;

/// Trains to the recipe's end, or goes on from the checkpoint in `out`; leaves there
/// `checkpoint.safetensors`, `estimator.safetensors`, `curve.csv` and `curve.png`.
///
/// The same data, recipe and seed give the same weights to the bit, also across a stop between
/// or within epochs and a resume: an epoch's order and variations depend on its number alone.
///
/// # Errors
/// [`TrainingError`] by cause; what finished epochs earned stays in `out`.
pub fn train(options: &TrainingOptions) -> Result<Vec<Epoch>, TrainingError> {
    let recipe = &options.recipe;
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
    let checkpoint_path = out.join("checkpoint.safetensors");
    if checkpoint_path.exists() && !options.resume {
        return Err(TrainingError::OutInUse { path: out.clone() });
    }
    let train = Dataset::utkface(&options.train)?;
    let val = Dataset::utkface(&options.val)?;
    let extra = options.extra.iter().map(|folder| Dataset::fairface(folder)).collect::<Result<Vec<_>, _>>()?;
    let extra: Vec<Example> = extra.into_iter().flat_map(|set| set.examples).collect();
    info!(train = train.examples.len(), val = val.examples.len(), extra = extra.len(), "data read");
    let watched = watched(&train, options.seed);
    let steps_per_epoch = epoch_order(&train, &extra, recipe, options.seed, 0).len().div_ceil(recipe.batch);
    let total_steps = steps_per_epoch * recipe.epochs;
    let mut learner = Learner::new(recipe, options.seed)?;
    let mut history = Vec::new();
    if checkpoint_path.exists() {
        let checkpoint = Checkpoint::load(&checkpoint_path)?;
        checkpoint.check(recipe, options.seed, total_steps)?;
        history = checkpoint.restore(&mut learner)?;
        info!(epochs = history.len(), "resumed");
    } else if let Some(earlier) = &options.start_from {
        Checkpoint::load(earlier)?.hand_weights_to(&mut learner)?;
        info!(checkpoint = %earlier.display(), "begun with the weights of an earlier run");
    } else if options.resume {
        info!(folder = %out.display(), "nothing to resume: starting afresh");
    }
    let calm = statistics_batches(&train, &extra, recipe, options.seed);
    let end = options.stop_after.unwrap_or(recipe.epochs).min(recipe.epochs);
    for epoch in history.len()..end {
        let started = Instant::now();
        let order = epoch_order(&train, &extra, recipe, options.seed, epoch);
        let bar = progress_bar(order.len(), epoch, recipe.epochs);
        let mut loss_sum = 0.0;
        for (step, batch) in order.chunks(recipe.batch).enumerate() {
            let first = epoch * order.len() + step * recipe.batch + 1;
            let pixels = varied(batch, recipe, options.seed, first as u64);
            let varied: Vec<(Vec<u8>, &Example)> = pixels.into_iter().zip(batch.iter().copied()).collect();
            let loss = learner.step(&varied, total_steps)?;
            if !loss.is_finite() {
                return Err(TrainingError::Diverged { steps: learner.steps() });
            }
            loss_sum += f64::from(loss) * batch.len() as f64;
            bar.inc(batch.len() as u64);
            let last = history.last().map_or(String::new(), |epoch: &Epoch| {
                format!(", val MAE {:.2}, accuracy {:.1} %", epoch.val_age_mae, epoch.val_gender_accuracy * 100.0)
            });
            bar.set_message(format!("loss {:.3}{last}", loss_sum / ((step + 1) * recipe.batch) as f64));
        }
        bar.finish_and_clear();
        let estimator = learner.averaged(&calm)?;
        let (on_val, on_train) = (score(&estimator, &val.examples)?, score(&estimator, &watched)?);
        history.push(Epoch {
            epoch: epoch + 1,
            loss: loss_sum / order.len() as f64,
            train_age_mae: on_train.age_mae,
            train_gender_accuracy: on_train.gender_accuracy,
            val_age_mae: on_val.age_mae,
            val_gender_accuracy: on_val.gender_accuracy,
            seconds: started.elapsed().as_secs_f64(),
        });
        Checkpoint::save(&checkpoint_path, &learner, &history, recipe, options.seed, total_steps)?;
        keep(&estimator, out)?;
        curve::write_csv(&out.join("curve.csv"), &history)?;
        curve::draw(&out.join("curve.png"), &history)?;
        report(history.last(), recipe.epochs);
    }
    keep(&calibrated(learner.averaged(&calm)?, &val)?, out)?;
    Ok(history)
}

/// Writes the weights beside their place, then renames: a kill leaves no half of them.
fn keep(estimator: &Estimator, out: &Path) -> Result<(), TrainingError> {
    let path = out.join("estimator.safetensors");
    let partial = path.with_extension("partial");
    estimator.save(&partial)?;
    std::fs::rename(&partial, &path).map_err(|error| unwritable(&path, error))
}

fn unwritable(path: &Path, error: impl std::fmt::Display) -> TrainingError {
    TrainingError::Write { path: path.to_owned(), reason: error.to_string() }
}

fn report(epoch: Option<&Epoch>, epochs: usize) {
    let Some(epoch) = epoch else { return };
    info!(
        "epoch {}/{epochs}: loss {:.4}; age MAE {:.2} on training, {:.2} on validation pictures; gender {:.2} % and {:.2} %; {:.0} s",
        epoch.epoch,
        epoch.loss,
        epoch.train_age_mae,
        epoch.val_age_mae,
        epoch.train_gender_accuracy * 100.0,
        epoch.val_gender_accuracy * 100.0,
        epoch.seconds
    );
}

fn progress_bar(length: usize, epoch: usize, epochs: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    let template = "epoch {prefix} [{bar:30}] {pos}/{len} {msg}, {eta} left";
    // A template that indicatif cannot read costs the looks of the bar and nothing else.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(format!("{}/{epochs}", epoch + 1));
    bar
}

/// All training pictures and a fresh draw of the extra ones, shuffled.
fn epoch_order<'a>(
    train: &'a Dataset,
    extra: &'a [Example],
    recipe: &Recipe,
    seed: u64,
    epoch: usize,
) -> Vec<&'a Example> {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x6f72_6465_7200_0000);
    random.set_stream(epoch as u64);
    let share = (train.examples.len() as f64 * recipe.extra_share) as usize;
    let mut order: Vec<&Example> = train.examples.iter().collect();
    order.extend(extra.sample(&mut random, share.min(extra.len())));
    order.shuffle(&mut random);
    order
}

/// A fixed sample of the training pictures, to be scored as validation pictures are.
fn watched(train: &Dataset, seed: u64) -> Vec<Example> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    train.examples.sample(&mut random, SCORED_TRAINING_PICTURES.min(train.examples.len())).cloned().collect()
}

/// Varied crops of `examples`; the k-th draws from the stream `first` + k of `seed`.
fn varied(examples: &[&Example], recipe: &Recipe, seed: u64, first: u64) -> Vec<Vec<u8>> {
    let crops = examples.par_iter().enumerate().map(|(at, example)| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(first + at as u64);
        augmented(example, &recipe.augmentation, &mut random)
    });
    crops.collect()
}

/// Varied crops, always the same ones, for the statistics of averaged weights; whole batches
/// alone, unless there is not even one.
fn statistics_batches(train: &Dataset, extra: &[Example], recipe: &Recipe, seed: u64) -> Vec<Vec<Vec<u8>>> {
    // Streams that no training step draws from.
    const FIRST_STREAM: u64 = 1 << 60;
    let order = epoch_order(train, extra, recipe, seed, usize::MAX);
    let whole = (order.len() / recipe.batch).max(1);
    let batches = order.chunks(recipe.batch).take(whole.min(STATISTICS_BATCHES)).enumerate();
    batches.map(|(at, batch)| varied(batch, recipe, seed, FIRST_STREAM + (at * recipe.batch) as u64)).collect()
}

/// Fits the temperatures on every other validation picture and tells what they bring on the rest.
fn calibrated(estimator: Estimator, val: &Dataset) -> Result<Estimator, TrainingError> {
    let labelled = estimates(&estimator, &val.examples)?;
    let half = |rest: usize| -> (Vec<Estimate>, Vec<Label>) {
        labelled.iter().enumerate().filter(|(at, _)| at % 2 == rest).map(|(_, pair)| pair.clone()).unzip()
    };
    let (fitted_on, judged_on) = (half(0), half(1));
    let (age_temperature, gender_temperature) = fit(&fitted_on.0, &fitted_on.1);
    let tempered: Vec<Estimate> =
        judged_on.0.iter().map(|estimate| tempered(estimate, age_temperature, gender_temperature)).collect();
    for (when, scores) in [("before", scores(&judged_on.0, &judged_on.1)), ("after", scores(&tempered, &judged_on.1))] {
        info!(
            "{when} calibration, on the half it was not fitted on: gender ECE {:.4}, 80 % interval holds {:.1} %, {:.1} years wide",
            scores.gender_ece,
            scores.interval_80_coverage * 100.0,
            scores.interval_80_width_mean
        );
    }
    info!("temperatures: age {age_temperature:.3}, gender {gender_temperature:.3}");
    Ok(estimator.with_calibration(Calibration { age_temperature, gender_temperature }))
}

/// Estimates of unvaried crops beside their labels; examples without an exact age are left out.
fn estimates(estimator: &Estimator, examples: &[Example]) -> Result<Vec<(Estimate, Label)>, TrainingError> {
    let labelled: Vec<(&Example, Label)> = examples.iter().filter_map(|one| Some((one, one.label()?))).collect();
    let pairs = labelled
        .par_chunks(16)
        .map(|chunk| {
            let crops: Vec<FaceCrop> = chunk.iter().map(|(one, _)| FaceCrop::cut(&one.luma, &one.frame)).collect();
            let estimates = estimator.estimate(&crops.iter().map(FaceCrop::pixels).collect::<Vec<_>>())?;
            Ok(estimates.into_iter().zip(chunk.iter().map(|(_, label)| *label)).collect::<Vec<_>>())
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    Ok(pairs.concat())
}

/// Scores unvaried crops.
fn score(estimator: &Estimator, examples: &[Example]) -> Result<Scores, TrainingError> {
    let (estimates, labels): (Vec<Estimate>, Vec<Label>) = estimates(estimator, examples)?.into_iter().unzip();
    Ok(scores(&estimates, &labels))
}
