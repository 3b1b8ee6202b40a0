//! `faceguesser train`: from folders of crops to weights.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::tell;
use crate::training::recipe::Recipe;
use crate::training::{TrainingOptions, train};

/// Options of `train`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of training crops, named as UTKFace names them; may be given several times.
    #[arg(long, value_name = "DIR", required = true)]
    train: Vec<PathBuf>,
    /// Folder of validation crops, named alike. Not trained on, unless --train names it as well: then
    /// the figures are no longer those of faces never met.
    #[arg(long, value_name = "DIR")]
    val: PathBuf,
    /// More training crops: a folder whose labels.csv gives file, age bin and gender (FairFace).
    #[arg(long, value_name = "DIR")]
    extra: Vec<PathBuf>,
    /// Where checkpoint, weights and curve go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Passes over the training crops, instead of the recipe's.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Go on from the last finished epoch in --out.
    #[arg(long)]
    resume: bool,
    /// Begin with the weights of another run (its checkpoint or estimator.safetensors) instead of
    /// random ones; several estimator.safetensors of one architecture give their mean.
    #[arg(long, value_name = "FILE")]
    start_from: Vec<PathBuf>,
    /// Trained weights whose answers are blended into the labels (advice_weight in the recipe);
    /// several give their mean.
    #[arg(long, value_name = "FILE")]
    teacher: Vec<PathBuf>,
    /// Validate, and leave weights ready to run, after every N-th epoch and the last.
    #[arg(long, value_name = "N", default_value_t = 1)]
    score_every: usize,
    /// End after this epoch of the schedule, with weights ready to run; --resume goes on from there.
    #[arg(long, value_name = "N")]
    stop_after: Option<usize>,
    /// The same seed, data and recipe give the same weights to the bit.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Recipe file; config/training/estimator.toml is the compiled-in one.
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
}

/// Trains, showing progress on the terminal.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut recipe = Recipe::load(arguments.recipe.as_deref())?;
    recipe.epochs = arguments.epochs.unwrap_or(recipe.epochs);
    anyhow::ensure!(recipe.epochs > 0, "--epochs must be at least 1");
    let out_folder = arguments.out.display().to_string();
    let history = train(&TrainingOptions {
        train: arguments.train,
        val: arguments.val,
        extra: arguments.extra,
        out: arguments.out,
        recipe,
        resume: arguments.resume,
        start_from: arguments.start_from,
        teachers: arguments.teacher,
        score_every: arguments.score_every,
        stop_after: arguments.stop_after,
        seed: arguments.seed,
    })?;
    if let Some((last, scores)) = history.last().and_then(|last| Some((last, last.scores?))) {
        tell(format_args!(
            "{} epochs done: validation age MAE {:.2} years, gender accuracy {:.2} %. Weights, curve and log are in {}",
            last.epoch,
            scores.val_age_mae,
            scores.val_gender_accuracy * 100.0,
            out_folder
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
