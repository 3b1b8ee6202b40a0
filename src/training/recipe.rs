//! How to train: the numbers of a `config/training/*.toml`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TrainingError;
use crate::model::network::SIDE;

const DEFAULT: &str = include_str!("../../config/training/estimator.toml");

/// All numbers of a training run. The file's comments say what each means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub architecture: String,
    pub epochs: usize,
    pub batch: usize,
    /// Not in checkpoints of earlier recipes.
    #[serde(default = "earlier_normalised_together")]
    pub normalised_together: usize,
    pub learning_rate: f64,
    pub warm_up: f64,
    pub weight_decay: f64,
    pub average: f64,
    pub dropout: f64,
    pub age_error_weight: f64,
    pub age_spread: f32,
    pub age_spread_per_year: f32,
    pub bin_weight: f64,
    /// Not in checkpoints of earlier recipes.
    #[serde(default = "one")]
    pub gender_weight: f64,
    pub extra_share: f64,
    /// Not in checkpoints of earlier recipes.
    #[serde(default = "one")]
    pub rare_weight: f64,
    /// Not in checkpoints of earlier recipes, as the next.
    #[serde(default)]
    pub advice_weight: f32,
    #[serde(default)]
    pub smaller: Vec<Smaller>,
    pub augmentation: Augmentation,
}

/// Epochs at the beginning of a run that see smaller crops: they cost less, and what is learnt
/// from them holds at the full size (Tan & Le 2021 call it progressive learning).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smaller {
    pub epochs: usize,
    /// Pixels.
    pub side: usize,
}

/// How far crops are varied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Degrees.
    pub roll: f32,
    /// Share of the side.
    pub scale: f32,
    /// Share of the side.
    pub shift: f32,
    pub gamma: f32,
    pub blur: f32,
    pub cutout: f32,
    /// Not in checkpoints of earlier recipes, as the next.
    #[serde(default)]
    pub border: f32,
    #[serde(default)]
    pub mixup: f32,
    #[serde(default)]
    pub channels: f32,
    /// Share of the width.
    #[serde(default)]
    pub stretch: f32,
    #[serde(default)]
    pub shade: f32,
}

/// The batch of the recipes that did not say.
fn earlier_normalised_together() -> usize {
    64
}

/// The weight of the recipes that did not say.
fn one() -> f64 {
    1.0
}

impl Recipe {
    /// The recipe in `file`, or the compiled-in one of the shipped weights.
    ///
    /// # Errors
    /// [`TrainingError::Recipe`] names the key that does not fit.
    pub fn load(file: Option<&Path>) -> Result<Self, TrainingError> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| TrainingError::Recipe(format!("{}: {error}", path.display())))?,
            None => DEFAULT.to_owned(),
        };
        let recipe: Self = toml::from_str(&text).map_err(|error| TrainingError::Recipe(error.to_string()))?;
        recipe.checked()
    }

    fn checked(self) -> Result<Self, TrainingError> {
        let unfit = |what: &str| Err(TrainingError::Recipe(what.to_owned()));
        if self.batch < 2 {
            return unfit("batch must be at least 2: batch norm needs company");
        }
        if self.normalised_together < 2 {
            return unfit("normalised_together must be at least 2");
        }
        if self.epochs == 0 {
            return unfit("epochs must be at least 1");
        }
        if !(0.0..1.0).contains(&self.dropout)
            || !(0.0..1.0).contains(&self.average)
            || !(0.0..1.0).contains(&self.warm_up)
        {
            return unfit("dropout, average and warm_up must lie in 0..1");
        }
        if self.smaller.iter().any(|part| !(32..=SIDE).contains(&part.side)) {
            return unfit("the sides in smaller must lie in 32..=128");
        }
        if !(0.0..=1.0).contains(&self.advice_weight) {
            return unfit("advice_weight must lie in 0..=1");
        }
        let Augmentation { blur, cutout, border, mixup, channels, stretch, shade, .. } = self.augmentation;
        if ![blur, cutout, border, mixup, channels].iter().all(|chance| (0.0..=1.0).contains(chance)) {
            return unfit("blur, cutout, border, mixup and channels are chances: they must lie in 0..=1");
        }
        if ![stretch, shade].iter().all(|range| (0.0..=0.5).contains(range)) {
            return unfit("stretch and shade must lie in 0..=0.5");
        }
        if !(self.rare_weight > 0.0 && self.gender_weight >= 0.0 && self.bin_weight >= 0.0) {
            return unfit("rare_weight must be positive, gender_weight and bin_weight not negative");
        }
        if !(self.learning_rate > 0.0 && self.weight_decay >= 0.0 && self.extra_share >= 0.0 && self.age_spread > 0.0) {
            return unfit("learning_rate and age_spread must be positive, weight_decay and extra_share not negative");
        }
        Ok(self)
    }

    /// Side of the crops in an epoch, counted from zero.
    pub fn side_at(&self, epoch: usize) -> usize {
        let mut end = 0;
        let part = self.smaller.iter().find(|part| {
            end += part.epochs;
            epoch < end
        });
        part.map_or(SIDE, |part| part.side)
    }

    /// The learning rate of a step: a linear rise, then a cosine fall to zero (Smith 2018).
    pub fn learning_rate_at(&self, step: usize, total_steps: usize) -> f64 {
        let done = (step as f64 + 0.5) / total_steps.max(1) as f64;
        if done < self.warm_up {
            return self.learning_rate * done / self.warm_up;
        }
        let fallen = ((done - self.warm_up) / (1.0 - self.warm_up)).min(1.0);
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * fallen).cos())
    }
}
