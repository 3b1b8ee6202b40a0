//! How good the guesses are: errors, calibration, intervals.
//!
//! [`utkface`] reads the labels, [`mod@measure`] runs the network over a folder, [`temperature`]
//! fits what [`Scores`] then judges.

pub mod measure;
pub mod temperature;
pub mod utkface;

use std::path::PathBuf;

use serde::Serialize;

use crate::model::ModelError;
use crate::model::estimator::Estimate;

pub use measure::{Measurement, measure};

/// Why a folder cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The folder holds nothing to measure.
    #[error("the folder {path} {reason}")]
    Folder { path: PathBuf, reason: String },
    /// The predictions cannot be kept.
    #[error("{path} cannot be written: {reason}")]
    Write { path: PathBuf, reason: String },
    /// The network failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What is known of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Label {
    /// Years.
    pub age: f32,
    pub female: bool,
}

/// Figures over a set of faces. Shares are of 1; a share of an empty subset is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    pub photos: usize,
    /// Mean absolute error of the guessed age, years.
    pub age_mae: f64,
    /// The same over true ages 21 to 60.
    pub age_mae_21_60: f64,
    pub gender_accuracy: f64,
    /// Over true ages of 13 and more.
    pub gender_accuracy_13_plus: f64,
    /// Expected calibration error of the gender probability (Guo et al. 2017), 15 equal bins of
    /// the probability of the likelier gender.
    pub gender_ece: f64,
    /// Share of true ages inside the central 80 % interval, each age being a whole year wide.
    pub interval_80_coverage: f64,
    /// Mean width of that interval in years.
    pub interval_80_width_mean: f64,
}

/// One face's guess beside its label.
pub type Pair<'a> = (&'a Estimate, &'a Label);

/// Judges estimates by their labels; the two go in step.
pub fn scores(estimates: &[Estimate], labels: &[Label]) -> Scores {
    let pairs: Vec<Pair<'_>> = estimates.iter().zip(labels).collect();
    let middle: Vec<_> = pairs.iter().copied().filter(|pair| (21.0..=60.0).contains(&pair.1.age)).collect();
    let grown: Vec<_> = pairs.iter().copied().filter(|pair| pair.1.age >= 13.0).collect();
    let intervals: Vec<_> = pairs.iter().map(|(estimate, label)| (estimate.age_interval(0.8), label.age)).collect();
    Scores {
        photos: pairs.len(),
        age_mae: age_mae(&pairs),
        age_mae_21_60: age_mae(&middle),
        gender_accuracy: gender_accuracy(&pairs),
        gender_accuracy_13_plus: gender_accuracy(&grown),
        gender_ece: gender_ece(&pairs),
        interval_80_coverage: mean(intervals.iter().map(|((low, high), age)| covered(*low, *high, *age))),
        interval_80_width_mean: mean(intervals.iter().map(|((low, high), _)| f64::from(high - low))),
    }
}

/// Mean absolute error of the guessed age, years.
pub fn age_mae(pairs: &[Pair<'_>]) -> f64 {
    mean(pairs.iter().map(|(estimate, label)| f64::from((estimate.age() - label.age).abs())))
}

/// Share of faces whose likelier gender is the labelled one.
pub fn gender_accuracy(pairs: &[Pair<'_>]) -> f64 {
    mean(pairs.iter().map(|pair| f64::from(u8::from(is_right(pair)))))
}

fn is_right((estimate, label): &Pair<'_>) -> bool {
    (estimate.female_probability >= 0.5) == label.female
}

/// The share of the labelled year (half a year to both sides of a whole age) inside the interval:
/// ages are known in whole years, so that an interval's end inside a year covers a part of it.
fn covered(low: f32, high: f32, age: f32) -> f64 {
    f64::from((high.min(age + 0.5) - low.max(age - 0.5)).clamp(0.0, 1.0))
}

fn gender_ece(pairs: &[Pair<'_>]) -> f64 {
    const BINS: usize = 15;
    let mut bins = [(0usize, 0.0f64, 0.0f64); BINS];
    for pair in pairs {
        let female = f64::from(pair.0.female_probability);
        let sure = female.max(1.0 - female);
        let bin = (((sure - 0.5) * 2.0 * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += 1;
        bins[bin].1 += sure;
        bins[bin].2 += f64::from(u8::from(is_right(pair)));
    }
    let gaps: f64 = bins.iter().map(|(_, sure, right)| (sure - right).abs()).sum();
    gaps / pairs.len() as f64
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    values.sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An estimate sure of `age`, with this probability of female.
    fn estimate(age: usize, female_probability: f32) -> Estimate {
        let mut age_probabilities = [0.0; 101];
        age_probabilities[age] = 1.0;
        Estimate { age_probabilities, female_probability }
    }

    fn label(age: f32, female: bool) -> Label {
        Label { age, female }
    }

    #[test]
    fn errors_and_shares_are_those_of_a_hand_made_table() {
        let estimates = [estimate(30, 0.9), estimate(10, 0.2), estimate(70, 0.6)];
        let labels = [label(32.0, true), label(10.0, false), label(60.0, false)];
        let scores = scores(&estimates, &labels);
        assert_eq!(scores.photos, 3);
        assert!((scores.age_mae - 4.0).abs() < 1e-4);
        assert!((scores.age_mae_21_60 - 6.0).abs() < 1e-4);
        assert!((scores.gender_accuracy - 2.0 / 3.0).abs() < 1e-9);
        assert!((scores.gender_accuracy_13_plus - 0.5).abs() < 1e-9);
        // Each in a bin of its own: gaps of 0.1, 0.2 and 0.6.
        assert!((scores.gender_ece - 0.9 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn an_interval_that_holds_half_of_the_labelled_year_covers_half() {
        assert_eq!(covered(20.0, 30.0, 25.0), 1.0);
        assert_eq!(covered(20.0, 30.0, 30.0), 0.5);
        assert_eq!(covered(20.0, 30.0, 31.0), 0.0);
    }

    #[test]
    fn intervals_of_a_uniform_distribution_hold_their_mass() {
        let uniform = Estimate { age_probabilities: [1.0 / 101.0; 101], female_probability: 0.5 };
        let (low, high) = uniform.age_interval(0.8);
        assert!((high - low - 0.8 * 101.0).abs() < 0.01, "{low} to {high}");
        assert!(((low + high) / 2.0 - 50.0).abs() < 0.01);
    }
}
