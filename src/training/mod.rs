//! Trains the estimator on folders of labelled crops.
//!
//! [`dataset`] reads labels and pictures, [`augmentation`] varies them, [`learner`] holds weights
//! and optimiser and sends batches through the network (`pass`), [`checkpoint`] keeps them, [`curve`] draws what happened; [`recipe`] says how.

pub mod augmentation;
pub mod checkpoint;
pub mod curve;
pub mod dataset;
pub mod learner;
mod objective;
mod pass;
pub mod recipe;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tracing::{info, warn};

use crate::evaluation::{EvaluationError, Label, Scores, calibration, scores};
use crate::face::FaceCrop;
use crate::model::ModelError;
use crate::model::estimator::Estimator;
use crate::model::network::{AGES, SIDE};
use crate::model::weights::Precision;

use augmentation::samples;
use checkpoint::Checkpoint;
use curve::{Epoch, EpochScores};
use dataset::{Advice, Age, Dataset, Example};
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
    /// Folders of crops named as UTKFace names them.
    pub train: Vec<PathBuf>,
    /// Not calibrated on where it is among the training folders.
    pub val: PathBuf,
    /// FairFace-like folders: `labels.csv` with age bins beside the pictures.
    pub extra: Vec<PathBuf>,
    pub out: PathBuf,
    pub recipe: Recipe,
    pub resume: bool,
    /// A finished run's checkpoint, whose averaged weights this run begins with, or weights that are
    /// ready to run, of which several give their mean; none: random ones.
    pub start_from: Vec<PathBuf>,
    /// Weights of trained networks, whose mean answer is blended into the labels.
    pub teachers: Vec<PathBuf>,
    /// Validation and weights ready to run after every so many epochs, and after the last.
    pub score_every: usize,
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
    let in_colour = recipe.augmentation.channels > 0.0;
    let mut train = Dataset::joined(&options.train, |folder| Dataset::utkface(folder, in_colour))?;
    let val = Dataset::utkface(&options.val, false)?;
    let mut extra = Dataset::joined(&options.extra, Dataset::fairface)?.examples;
    info!(train = train.examples.len(), val = val.examples.len(), extra = extra.len(), "data read");
    if !options.teachers.is_empty() {
        let teachers = options.teachers.iter().map(|path| trained(path)).collect::<Result<Vec<_>, _>>()?;
        advise(&teachers, &mut train.examples)?;
        advise(&teachers, &mut extra)?;
        info!(teachers = teachers.len(), "advice gathered");
    }
    let watched = watched(&train, options.seed);
    let steps_per_epoch = epoch_order(&train, &extra, recipe, options.seed, 0).len().div_ceil(recipe.batch);
    let total_steps = steps_per_epoch * recipe.epochs;
    let mut learner = Learner::new(recipe, options.seed)?;
    let calm = statistics_batches(&train, &extra, recipe, options.seed);
    let trained_on_validation = trained_on_validation(options);
    let averaged = |learner: &mut Learner| -> Result<Estimator, TrainingError> {
        let estimator = learner.averaged(&calm)?;
        Ok(if trained_on_validation { estimator.with_trained_on_validation() } else { estimator })
    };
    let mut history = Vec::new();
    if checkpoint_path.exists() {
        let checkpoint = Checkpoint::load(&checkpoint_path)?;
        checkpoint.check(options, total_steps)?;
        history = checkpoint.restore(&mut learner)?;
        info!(epochs = history.len(), "resumed");
    } else if !options.start_from.is_empty() {
        begin(&mut learner, &options.start_from, &calm)?;
        info!(weights = ?options.start_from, "begun with earlier weights");
    } else if options.resume {
        info!(folder = %out.display(), "nothing to resume: starting afresh");
    }
    let end = options.stop_after.unwrap_or(recipe.epochs).min(recipe.epochs);
    for epoch in history.len()..end {
        let started = Instant::now();
        let order = epoch_order(&train, &extra, recipe, options.seed, epoch);
        let bar = progress_bar(order.len(), epoch, recipe.epochs);
        let mut loss_sum = 0.0;
        let batches: Vec<&[&Example]> = order.chunks(recipe.batch).collect();
        let prepare = |step: usize| {
            let first = epoch * order.len() + step * recipe.batch + 1;
            let batch = batches.get(step).copied().unwrap_or_default();
            samples(batch, &recipe.augmentation, recipe.side_at(epoch), (options.seed, first as u64))
        };
        let mut next = prepare(0);
        for (step, batch) in batches.iter().enumerate() {
            let prepared = std::mem::take(&mut next);
            // The next batch's crops fill the gaps in which a step cannot use every thread.
            let (loss, following) = rayon::join(|| learner.step(&prepared, total_steps), || prepare(step + 1));
            next = following;
            let loss = loss?;
            if !loss.is_finite() {
                return Err(TrainingError::Diverged { steps: learner.steps() });
            }
            loss_sum += f64::from(loss) * batch.len() as f64;
            bar.inc(batch.len() as u64);
            let scored = history.iter().rev().find_map(|epoch: &Epoch| epoch.scores);
            let last = scored.map_or(String::new(), |EpochScores { val_age_mae, val_gender_accuracy, .. }| {
                format!(", val MAE {val_age_mae:.2}, accuracy {:.1} %", val_gender_accuracy * 100.0)
            });
            bar.set_message(format!("loss {:.3}{last}", loss_sum / ((step + 1) * recipe.batch) as f64));
        }
        bar.finish_and_clear();
        let due = (epoch + 1).is_multiple_of(options.score_every.max(1)) || epoch + 1 == end;
        let estimator = due.then(|| averaged(&mut learner)).transpose()?;
        let scores = estimator.as_ref().map(|estimator| -> Result<_, TrainingError> {
            let (on_val, on_train) = (score(estimator, &val.examples)?, score(estimator, &watched)?);
            Ok(EpochScores {
                train_age_mae: on_train.age_mae,
                train_gender_accuracy: on_train.gender_accuracy,
                val_age_mae: on_val.age_mae,
                val_gender_accuracy: on_val.gender_accuracy,
            })
        });
        history.push(Epoch {
            epoch: epoch + 1,
            loss: loss_sum / order.len() as f64,
            scores: scores.transpose()?,
            seconds: started.elapsed().as_secs_f64(),
        });
        Checkpoint::save(&checkpoint_path, &learner, &history, options, total_steps)?;
        if let Some(estimator) = &estimator {
            keep(estimator, out)?;
        }
        curve::write_csv(&out.join("curve.csv"), &history)?;
        curve::draw(&out.join("curve.png"), &history)?;
        report(history.last(), recipe.epochs);
    }
    let mut estimator = averaged(&mut learner)?;
    if trained_on_validation {
        warn!("not calibrated: the validation faces were learnt from; take over a calibration with `calibrate --like`");
    } else {
        estimator = calibrated(estimator, &val)?;
    }
    keep(&estimator, out)?;
    Ok(history)
}

/// Whether this run, or one whose weights it starts from or is taught by, trains on validation faces.
fn trained_on_validation(options: &TrainingOptions) -> bool {
    let mut earlier = options.start_from.iter().chain(&options.teachers);
    options.train.contains(&options.val)
        || earlier.any(|path| trained(path).is_ok_and(|one| one.trained_on_validation()))
}

/// Batches that show how far a trained network's layers deviate.
const BEGINNING_BATCHES: usize = 4;

/// Gives a fresh `learner` the weights in `earlier`: a checkpoint, or the mean of weights ready to run.
fn begin(learner: &mut Learner, earlier: &[PathBuf], calm: &[Vec<Vec<u8>>]) -> Result<(), TrainingError> {
    if let [one] = earlier
        && trained(one).is_err()
    {
        return Checkpoint::load(one)?.hand_weights_to(learner);
    }
    let networks = earlier.iter().map(|path| trained(path)).collect::<Result<Vec<_>, _>>()?;
    learner.begin_with(&Estimator::mean(&networks)?, &calm[..calm.len().min(BEGINNING_BATCHES)])
}

/// Writes the weights beside their place, then renames: a kill leaves no half of them.
fn keep(estimator: &Estimator, out: &Path) -> Result<(), TrainingError> {
    let path = out.join("estimator.safetensors");
    let partial = path.with_extension("partial");
    estimator.save(&partial, Precision::Half)?;
    std::fs::rename(&partial, &path).map_err(|error| unwritable(&path, error))
}

fn unwritable(path: &Path, error: impl std::fmt::Display) -> TrainingError {
    TrainingError::Write { path: path.to_owned(), reason: error.to_string() }
}

fn report(epoch: Option<&Epoch>, epochs: usize) {
    let Some(Epoch { epoch, loss, scores, seconds }) = epoch else { return };
    let scores = scores.map_or(String::new(), |scores| {
        format!(
            "; age MAE {:.2} on training, {:.2} on validation pictures; gender {:.2} % and {:.2} %",
            scores.train_age_mae,
            scores.val_age_mae,
            scores.train_gender_accuracy * 100.0,
            scores.val_gender_accuracy * 100.0
        )
    });
    info!("epoch {epoch}/{epochs}: loss {loss:.4}{scores}; {seconds:.0} s");
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

/// All training pictures and a fresh draw of the extra ones, shuffled; faces below 20 and from 60
/// on are `rare_weight` times as likely to be drawn.
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
    let weight = |one: &Example| match one.age {
        Age::Bin(first, end) if end <= 20 || first >= 60 => recipe.rare_weight,
        _ => 1.0,
    };
    // The weights are positive and finite: the recipe was checked.
    order.extend(extra.sample_weighted(&mut random, share.min(extra.len()), weight).into_iter().flatten());
    order.shuffle(&mut random);
    order
}

/// A fixed sample of the training pictures, to be scored as validation pictures are.
fn watched(train: &Dataset, seed: u64) -> Vec<Example> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    train.examples.sample(&mut random, SCORED_TRAINING_PICTURES.min(train.examples.len())).cloned().collect()
}

/// Varied crops, always the same ones, for the statistics of averaged weights; whole batches
/// alone, unless there is not even one.
fn statistics_batches(train: &Dataset, extra: &[Example], recipe: &Recipe, seed: u64) -> Vec<Vec<Vec<u8>>> {
    // Streams that no training step draws from.
    const FIRST_STREAM: u64 = 1 << 60;
    let order = epoch_order(train, extra, recipe, seed, usize::MAX);
    let whole = (order.len() / recipe.batch).max(1);
    let batches = order.chunks(recipe.batch).take(whole.min(STATISTICS_BATCHES)).enumerate();
    let crops = |(at, batch): (usize, &[&Example])| {
        let stream = FIRST_STREAM + (at * recipe.batch) as u64;
        samples(batch, &recipe.augmentation, SIDE, (seed, stream)).into_iter().map(|sample| sample.pixels).collect()
    };
    batches.map(crops).collect()
}

/// Fits the calibration on the validation pictures, and tells what one half's brings on the other.
fn calibrated(estimator: Estimator, val: &Dataset) -> Result<Estimator, TrainingError> {
    let (answers, labels): (Vec<_>, Vec<_>) =
        on_labelled(&val.examples, |crops| estimator.answers(crops))?.into_iter().unzip();
    let held_out = calibration::held_out(&answers, &labels);
    info!(
        "calibrated; fitted on one half and judged on the other: gender ECE {:.4}, 80 % interval holds {:.1} %, {:.1} years wide",
        held_out.gender_ece,
        held_out.interval_80_coverage * 100.0,
        held_out.interval_80_width_mean
    );
    Ok(estimator.with_calibration(calibration::fit(&answers, &labels)))
}

/// Weights that are ready to run.
fn trained(path: &Path) -> Result<Estimator, TrainingError> {
    let unusable = |reason: String| TrainingError::Data { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    Estimator::from_safetensors(&bytes).map_err(|error| unusable(error.to_string()))
}

/// Gives each example the mean of what `teachers` answer to its unvaried crop (Hinton et al. 2015).
fn advise(teachers: &[Estimator], examples: &mut [Example]) -> Result<(), TrainingError> {
    examples.par_chunks_mut(16).try_for_each(|chunk| {
        let crops: Vec<FaceCrop> = chunk.iter().map(|one| FaceCrop::cut(&one.luma, &one.frame)).collect();
        let crops: Vec<&[u8]> = crops.iter().map(FaceCrop::pixels).collect();
        let answers = teachers.iter().map(|teacher| teacher.estimate(&crops)).collect::<Result<Vec<_>, _>>()?;
        for (at, example) in chunk.iter_mut().enumerate() {
            let mut advice = Advice { ages: vec![0.0; AGES], female: 0.0 };
            for answer in &answers {
                let share = 1.0 / teachers.len() as f32;
                advice.ages.iter_mut().zip(&answer[at].age_probabilities).for_each(|(sum, mass)| *sum += share * mass);
                advice.female += share * answer[at].female_probability;
            }
            example.advice = Some(Arc::new(advice));
        }
        Ok(())
    })
}

/// What `answer` says of unvaried crops, beside their labels; examples without an exact age are
/// left out.
fn on_labelled<T: Send>(
    examples: &[Example],
    answer: impl Fn(&[&[u8]]) -> Result<Vec<T>, ModelError> + Sync,
) -> Result<Vec<(T, Label)>, TrainingError> {
    let labelled: Vec<(&Example, Label)> = examples.iter().filter_map(|one| Some((one, one.label()?))).collect();
    let pairs = labelled
        .par_chunks(16)
        .map(|chunk| {
            let crops: Vec<FaceCrop> = chunk.iter().map(|(one, _)| FaceCrop::cut(&one.luma, &one.frame)).collect();
            let answers = answer(&crops.iter().map(FaceCrop::pixels).collect::<Vec<_>>())?;
            Ok(answers.into_iter().zip(chunk.iter().map(|(_, label)| *label)).collect::<Vec<_>>())
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    Ok(pairs.into_iter().flatten().collect())
}

/// Scores unvaried crops.
fn score(estimator: &Estimator, examples: &[Example]) -> Result<Scores, TrainingError> {
    let estimates = on_labelled(examples, |crops| estimator.estimate(crops))?;
    Ok(scores(&estimates.iter().map(|(estimate, label)| (estimate, label)).collect::<Vec<_>>()))
}
