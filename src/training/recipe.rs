//! Hyperparameters of a run, as in `config/training/*.toml`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TrainingError;
use crate::model::network::SIDE;

const DEFAULT: &str = include_str!("../../config/training/estimator-7.toml");

/// Former keys, as their path in the file, and their successors.
const RENAMED_KEYS: [(&str, &str); 15] = [
    ("batch", "batch_size"),
    ("normalised_together", "norm_batch"),
    ("warm_up", "warmup"),
    ("average", "ema_decay"),
    ("age_error_weight", "age_l1_weight"),
    ("age_spread", "age_sigma"),
    ("age_spread_per_year", "age_sigma_per_year"),
    ("bin_weight", "age_bin_weight"),
    ("extra_share", "extra_ratio"),
    ("rare_weight", "rare_age_weight"),
    ("advice_weight", "distillation_weight"),
    ("smaller", "progressive_resizing"),
    ("augmentation.border", "augmentation.constant_border"),
    ("augmentation.channels", "augmentation.channel_mix"),
    ("augmentation.shade", "augmentation.light_gradient"),
];

/// All hyperparameters. `config/training/estimator-7.toml` explains each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// As text: see [`Architecture`](crate::model::network::Architecture).
    pub architecture: String,
    /// Number of epochs, at least 1.
    pub epochs: usize,
    /// Crops per optimiser step, at least 2.
    pub batch_size: usize,
    /// The most crops that are normalised together.
    #[serde(default = "default_norm_batch")]
    pub norm_batch: usize,
    /// Peak of the one-cycle schedule.
    pub learning_rate: f64,
    /// Share of all steps in which the learning rate rises to its peak.
    pub warmup: f64,
    /// AdamW's decay per step, as a multiple of the learning rate; not of biases and normalisation.
    pub weight_decay: f64,
    /// Decay per step of the moving average of the weights, at least 0 and below 1.
    pub ema_decay: f64,
    /// Probability of dropping each pooled feature, at least 0 and below 1.
    pub dropout: f64,
    /// Weight of the expected age's absolute error in the loss.
    pub age_l1_weight: f64,
    /// Standard deviation of the soft age target at age 0, years.
    pub age_sigma: f32,
    /// Increase of `age_sigma` per year of age, years.
    pub age_sigma_per_year: f32,
    /// Weight of age bins in the loss, at least 0.
    pub age_bin_weight: f64,
    /// Weight of the gender's cross entropy in the loss, at least 0.
    #[serde(default = "one")]
    pub gender_weight: f64,
    /// Weight of the smile's cross entropy in the loss, at least 0; with 0 the network has no smile head.
    #[serde(default)]
    pub smile_weight: f64,
    /// Extra crops per epoch for each training crop, at least 0.
    pub extra_ratio: f64,
    /// How many times as likely an extra crop below 20 or from 60 years on is drawn, above 0.
    #[serde(default = "one")]
    pub rare_age_weight: f64,
    /// Share of the teachers' prediction in the targets, 0 to 1; the label has the rest.
    #[serde(default)]
    pub distillation_weight: f32,
    /// Stages with smaller crops at the start of the run, in order.
    #[serde(default)]
    pub progressive_resizing: Vec<ResizingStage>,
    /// Random augmentation of the training crops.
    pub augmentation: Augmentation,
}

/// Epochs at the start of a run with smaller crops: they cost less, and what is learnt from them
/// carries over to the full size (progressive learning, Tan & Le 2021).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizingStage {
    /// How many epochs the stage lasts.
    pub epochs: usize,
    /// Side of the crops in pixels.
    pub side: usize,
}

/// Ranges and probabilities of the random augmentation of crops.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Largest rotation in either direction, degrees.
    pub roll: f32,
    /// Largest change of the crop's side, as a share of it.
    pub scale: f32,
    /// Largest shift in x and in y, as a share of the side.
    pub shift: f32,
    /// Range of the exponent of a gamma curve: 1 / (1 + gamma) to 1 + gamma.
    pub gamma: f32,
    /// Probability of a box blur.
    pub blur: f32,
    /// Probability of a grey square over a part of the face.
    pub cutout: f32,
    /// Probability that the area outside the picture is filled with one grey level instead of replicated edge pixels.
    #[serde(default)]
    pub constant_border: f32,
    /// Probability that another crop is blended in.
    #[serde(default)]
    pub mixup: f32,
    /// Probability of random channel weights in the conversion to grey.
    #[serde(default)]
    pub channel_mix: f32,
    /// Largest change of the width, as a share of it.
    #[serde(default)]
    pub stretch: f32,
    /// Largest change of the brightness at the edges, as a share of it.
    #[serde(default)]
    pub light_gradient: f32,
}

fn default_norm_batch() -> usize {
    64
}

fn one() -> f64 {
    1.0
}

impl Recipe {
    /// Loads the recipe in `file`, or the compiled-in one of the shipped weights' last stage.
    ///
    /// # Errors
    /// [`TrainingError::Recipe`] names the invalid key.
    pub fn load(file: Option<&Path>) -> Result<Self, TrainingError> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| TrainingError::Recipe(format!("{}: {error}", path.display())))?,
            None => DEFAULT.to_owned(),
        };
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, TrainingError> {
        reject_renamed_keys(text)?;
        let recipe: Self = toml::from_str(text).map_err(|error| TrainingError::Recipe(error.to_string()))?;
        recipe.validated()
    }

    fn validated(self) -> Result<Self, TrainingError> {
        let invalid = |reason: &str| Err(TrainingError::Recipe(reason.to_owned()));
        if self.batch_size < 2 {
            return invalid("batch_size must be at least 2, for batch normalisation");
        }
        if self.norm_batch < 2 {
            return invalid("norm_batch must be at least 2");
        }
        if self.epochs == 0 {
            return invalid("epochs must be at least 1");
        }
        if ![self.dropout, self.ema_decay, self.warmup].iter().all(|share| (0.0..1.0).contains(share)) {
            return invalid("dropout, ema_decay and warmup must be at least 0 and below 1");
        }
        if self.progressive_resizing.iter().any(|stage| !(32..=SIDE).contains(&stage.side)) {
            return invalid("the sides in progressive_resizing must be from 32 to 128");
        }
        if !(0.0..=1.0).contains(&self.distillation_weight) {
            return invalid("distillation_weight must be from 0 to 1");
        }
        let Augmentation { blur, cutout, constant_border, mixup, channel_mix, stretch, light_gradient, .. } =
            self.augmentation;
        if ![blur, cutout, constant_border, mixup, channel_mix].iter().all(|chance| (0.0..=1.0).contains(chance)) {
            return invalid(
                "blur, cutout, constant_border, mixup and channel_mix are probabilities: they must be from 0 to 1",
            );
        }
        if ![stretch, light_gradient].iter().all(|range| (0.0..=0.5).contains(range)) {
            return invalid("stretch and light_gradient must be from 0 to 0.5");
        }
        let weights = [self.gender_weight, self.age_bin_weight, self.smile_weight];
        if !(self.rare_age_weight > 0.0 && weights.iter().all(|weight| *weight >= 0.0)) {
            return invalid(
                "rare_age_weight must be positive, gender_weight, age_bin_weight and smile_weight not negative",
            );
        }
        if !(self.learning_rate > 0.0 && self.weight_decay >= 0.0 && self.extra_ratio >= 0.0 && self.age_sigma > 0.0) {
            return invalid("learning_rate and age_sigma must be positive, weight_decay and extra_ratio not negative");
        }
        Ok(self)
    }

    /// Side of the crops in an epoch (counted from zero), pixels.
    pub fn crop_side(&self, epoch: usize) -> usize {
        let mut end = 0;
        let stage = self.progressive_resizing.iter().find(|stage| {
            end += stage.epochs;
            epoch < end
        });
        stage.map_or(SIDE, |stage| stage.side)
    }

    /// The learning rate of a step: one cycle of a linear rise and a cosine fall to zero (Smith 2018).
    pub fn learning_rate_at(&self, step: usize, total_steps: usize) -> f64 {
        let progress = (step as f64 + 0.5) / total_steps.max(1) as f64;
        if progress < self.warmup {
            return self.learning_rate * progress / self.warmup;
        }
        let annealed = ((progress - self.warmup) / (1.0 - self.warmup)).min(1.0);
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * annealed).cos())
    }
}

/// Fails with the successor of a former key. Invalid TOML is left to the parser of the recipe.
fn reject_renamed_keys(text: &str) -> Result<(), TrainingError> {
    let Ok(table) = text.parse::<toml::Table>() else { return Ok(()) };
    for (old, new) in RENAMED_KEYS {
        let is_present = match old.split_once('.') {
            Some((section, key)) => table.get(section).is_some_and(|section| section.get(key).is_some()),
            None => table.contains_key(old),
        };
        if is_present {
            return Err(TrainingError::Recipe(format!("the key {old} is now called {new}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_key_is_refused_with_the_name_of_its_successor() {
        for (old, new) in RENAMED_KEYS {
            let name = |path: &'static str| path.rsplit('.').next().unwrap();
            let (old_name, new_name) = (name(old), name(new));
            let line = format!("\n{new_name} = ");
            assert!(DEFAULT.contains(&line), "{new} is not in the default recipe");
            let text = DEFAULT.replacen(&line, &format!("\n{old_name} = "), 1);
            let error = Recipe::parse(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("the key {old} is now called {new}")), "{error}");
        }
    }

    #[test]
    fn every_recipe_in_the_repository_is_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/training");
        let recipes: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!recipes.is_empty());
        for path in recipes {
            Recipe::load(Some(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}
