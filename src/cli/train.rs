//! `faceguesser train`: trains the estimator on folders of crops.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::print_line;
use crate::training::recipe::Recipe;
use crate::training::{TrainingOptions, train};

/// Options of `train`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of training crops with UTKFace file names; may be repeated.
    #[arg(long, value_name = "DIR", required = true)]
    train: Vec<PathBuf>,
    /// Folder of validation crops with UTKFace file names. They are not trained on, unless --train names
    /// the folder as well: then the validation figures are too good.
    #[arg(long, value_name = "DIR")]
    val: PathBuf,
    /// More training pictures: a folder whose labels.csv lists file, age bin and gender (FairFace), or file and
    /// smile of photographs whose faces are detected; may be repeated.
    #[arg(long, value_name = "DIR")]
    extra: Vec<PathBuf>,
    /// Output folder for checkpoint, weights and training curve.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Epochs, instead of the recipe's.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Resume after the last finished epoch in --out.
    #[arg(long)]
    resume: bool,
    /// Start from the weights of another run (its checkpoint.safetensors or estimator.safetensors)
    /// instead of random ones; several estimator.safetensors of one architecture are averaged.
    #[arg(long, value_name = "FILE")]
    start_from: Vec<PathBuf>,
    /// Weights of a teacher whose predictions are blended into the labels (distillation_weight in the
    /// recipe); several are averaged.
    #[arg(long, value_name = "FILE")]
    teacher: Vec<PathBuf>,
    /// Validate and export weights every N epochs, and after the last.
    #[arg(long, value_name = "N", default_value_t = 1)]
    validate_every: usize,
    /// Stop after this epoch of the schedule and export weights; --resume continues from there.
    #[arg(long, value_name = "N")]
    stop_after: Option<usize>,
    /// Random seed. The same seed, data and recipe give bit-identical weights.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Recipe file [default: config/training/estimator-7.toml, compiled in].
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
}

/// Trains with progress on the terminal.
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
        validate_every: arguments.validate_every,
        stop_after: arguments.stop_after,
        seed: arguments.seed,
    })?;
    if let Some((last, scores)) = history.last().and_then(|last| Some((last, last.scores?))) {
        print_line(format_args!(
            "{} epochs done: validation age MAE {:.2} years, gender accuracy {:.2} %. Weights, checkpoint and curve are in {}",
            last.epoch,
            scores.val_age_mae,
            scores.val_gender_accuracy * 100.0,
            out_folder
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
