//! Evaluation of the estimator: errors, calibration, intervals.
//!
//! [`utkface`] and [`sets`] parse labels, [`mod@measure`] runs the network over a folder, [`Scores`] are the
//! metrics, [`calibration`] fits the calibration, [`mod@framing_robustness`] varies the framing, and
//! [`page`] writes the HTML report with its [`plot`]s. [`set_figures`] and [`sets_page`] do so for several data
//! sets in one run, [`confidence`] and [`degradation_page`] for photos that were made worse.

pub mod calibration;
pub mod confidence;
pub mod degradation;
pub mod degradation_page;
pub mod framing_robustness;
pub mod measure;
pub mod page;
pub mod plot;
pub mod risk_coverage;
pub mod scene_sheet;
pub mod scenes;
pub mod set_figures;
pub mod sets;
pub mod sets_page;
pub mod utkface;

use std::path::PathBuf;

use serde::Serialize;

use crate::model::ModelError;
use crate::model::estimator::Estimate;

pub use framing_robustness::framing_robustness;
pub use measure::{Measurement, measure};

/// Why a folder cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The folder contains nothing to measure.
    #[error("the folder {path} {reason}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it, as the rest of the sentence that its path begins.
        reason: String,
    },
    /// The predictions or the report cannot be written.
    #[error("{path} cannot be written: {reason}")]
    Write {
        /// The file, or the folder of the report.
        path: PathBuf,
        /// The message of the underlying error.
        reason: String,
    },
    /// The network failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// The labels of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Label {
    /// Years.
    pub age: f32,
    /// Whether the labelled gender is female; otherwise it is male.
    pub female: bool,
}

/// Metrics over a set of faces. Shares are from 0 to 1; a share of an empty subset is NaN.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// The number of faces, one per photo.
    pub photos: usize,
    /// Mean absolute error of the predicted age, years.
    pub age_mae: f64,
    /// The same over true ages 21 to 60.
    pub age_mae_21_60: f64,
    /// Mean of predicted minus true age, years.
    pub age_bias: f64,
    /// Share of faces whose likelier gender is the labelled one.
    pub gender_accuracy: f64,
    /// Over true ages of 13 and over.
    pub gender_accuracy_13_plus: f64,
    /// Share of faces whose gender replies state by default ([`Estimate::reports_gender`]).
    pub gender_told: f64,
    /// Gender accuracy over those.
    pub gender_told_accuracy: f64,
    /// Expected calibration error of the gender probability (Guo et al. 2017) over 15 equal-width bins
    /// of the likelier gender's probability.
    pub gender_ece: f64,
    /// The ECE that perfectly calibrated probabilities would have on average with as many faces; a lower
    /// one is chance.
    pub gender_ece_by_chance: f64,
    /// Share of true ages inside the 80 % interval; a labelled age is one year wide.
    pub interval_80_coverage: f64,
    /// Mean width of that interval, years.
    pub interval_80_width_mean: f64,
}

/// One face's prediction and label.
pub type Pair<'a> = (&'a Estimate, &'a Label);

/// Computes the metrics of predictions.
pub fn scores(pairs: &[Pair<'_>]) -> Scores {
    let middle: Vec<_> = pairs.iter().copied().filter(|pair| (21.0..=60.0).contains(&pair.1.age)).collect();
    let aged_13_plus: Vec<_> = pairs.iter().copied().filter(|pair| pair.1.age >= 13.0).collect();
    let reported: Vec<_> = pairs.iter().copied().filter(|pair| pair.0.reports_gender()).collect();
    let intervals: Vec<_> = pairs.iter().map(|(estimate, label)| (estimate.age_interval, label.age)).collect();
    Scores {
        photos: pairs.len(),
        age_mae: age_mae(pairs),
        age_mae_21_60: age_mae(&middle),
        age_bias: mean(pairs.iter().map(|(estimate, label)| f64::from(estimate.age() - label.age))),
        gender_accuracy: gender_accuracy(pairs),
        gender_accuracy_13_plus: gender_accuracy(&aged_13_plus),
        gender_told: reported.len() as f64 / pairs.len() as f64,
        gender_told_accuracy: gender_accuracy(&reported),
        gender_ece: gender_ece(pairs),
        gender_ece_by_chance: gender_ece_by_chance(pairs),
        interval_80_coverage: mean(intervals.iter().map(|((low, high), age)| coverage(*low, *high, *age))),
        interval_80_width_mean: mean(intervals.iter().map(|((low, high), _)| f64::from(high - low))),
    }
}

/// Mean absolute error of the predicted age, years.
pub fn age_mae(pairs: &[Pair<'_>]) -> f64 {
    mean(pairs.iter().map(|(estimate, label)| f64::from((estimate.age() - label.age).abs())))
}

/// Share of faces whose likelier gender is the labelled one.
pub fn gender_accuracy(pairs: &[Pair<'_>]) -> f64 {
    mean(pairs.iter().map(|pair| f64::from(u8::from(is_gender_correct(pair)))))
}

fn is_gender_correct((estimate, label): &Pair<'_>) -> bool {
    (estimate.female_probability >= 0.5) == label.female
}

/// The share of the labelled year (half a year on both sides of a whole age, within 0 to 100) inside
/// the interval. Ages are labelled in whole years, so an interval that ends inside a year covers a part
/// of it.
fn coverage(low: f32, high: f32, age: f32) -> f64 {
    let (first, last) = labelled_year(age);
    f64::from(((high.min(last) - low.max(first)) / (last - first)).clamp(0.0, 1.0))
}

/// The range of true ages that are labelled `age`.
fn labelled_year(age: f32) -> (f32, f32) {
    ((age.min(100.0) - 0.5).max(0.0), (age + 0.5).min(100.0))
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// The number of predictions in the bin.
    pub faces: usize,
    /// Sum of the probabilities of the likelier answer.
    pub probability_sum: f64,
    /// The number of correct predictions.
    pub correct: f64,
    /// Variance of `correct` if the probabilities are perfectly calibrated.
    pub variance: f64,
}

impl Bin {
    /// The absolute difference between the expected and the actual number of correct predictions.
    fn gap(&self) -> f64 {
        (self.probability_sum - self.correct).abs()
    }
}

/// Fifteen equal-width bins of the likelier gender's probability, 0.5 to 1.
pub fn gender_bins(pairs: &[Pair<'_>]) -> [Bin; 15] {
    likelier_bins(pairs.iter().map(|(estimate, label)| (estimate.female_probability, label.female)))
}

/// Fifteen equal-width bins of the likelier answer's probability, from the probability of yes and the
/// label of each question.
fn likelier_bins(answers: impl Iterator<Item = (f32, bool)>) -> [Bin; 15] {
    let mut bins = [Bin::default(); 15];
    for (yes, label) in answers {
        let is_correct = (yes >= 0.5) == label;
        let yes = f64::from(yes);
        let probability = yes.max(1.0 - yes);
        let bin = &mut bins[(((probability - 0.5) * 30.0) as usize).min(14)];
        bin.faces += 1;
        bin.probability_sum += probability;
        bin.correct += f64::from(u8::from(is_correct));
        bin.variance += probability * (1.0 - probability);
    }
    bins
}

fn gender_ece(pairs: &[Pair<'_>]) -> f64 {
    gender_bins(pairs).iter().map(Bin::gap).sum::<f64>() / pairs.len() as f64
}

/// The mean absolute deviation of a normal distribution is √(2/π) of its standard deviation.
fn gender_ece_by_chance(pairs: &[Pair<'_>]) -> f64 {
    let ratio = (2.0 / std::f64::consts::PI).sqrt();
    gender_bins(pairs).iter().map(|bin| ratio * bin.variance.sqrt()).sum::<f64>() / pairs.len() as f64
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    values.sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All mass at `age`, with this probability of female.
    fn estimate(age: usize, female_probability: f32) -> Estimate {
        let mut age_probabilities = [0.0; 101];
        age_probabilities[age] = 1.0;
        Estimate {
            age_probabilities,
            female_probability,
            smile_probability: None,
            age_interval: (age as f32, age as f32),
            usual_width: 10.0,
        }
    }

    fn label(age: f32, female: bool) -> Label {
        Label { age, female }
    }

    #[test]
    fn metrics_match_a_hand_computed_example() {
        let estimates = [estimate(30, 0.9), estimate(10, 0.2), estimate(70, 0.6)];
        let labels = [label(32.0, true), label(10.0, false), label(60.0, false)];
        let pairs: Vec<Pair<'_>> = estimates.iter().zip(&labels).collect();
        let scores = scores(&pairs);
        assert_eq!(scores.photos, 3);
        assert!((scores.age_bias - 8.0 / 3.0).abs() < 1e-4);
        assert!((scores.age_mae - 4.0).abs() < 1e-4);
        assert!((scores.age_mae_21_60 - 6.0).abs() < 1e-4);
        assert!((scores.gender_accuracy - 2.0 / 3.0).abs() < 1e-9);
        assert!((scores.gender_accuracy_13_plus - 0.5).abs() < 1e-9);
        // Each in a separate bin: gaps of 0.1, 0.2 and 0.6.
        assert!((scores.gender_ece - 0.9 / 3.0).abs() < 1e-6);
        // Standard deviations of one face each: 0.3, 0.4 and 0.49.
        assert!((scores.gender_ece_by_chance - 0.7979 * (0.3 + 0.4 + 0.4899) / 3.0).abs() < 1e-4);
    }

    #[test]
    fn unreported_genders_count_neither_as_reported_nor_as_wrong() {
        let estimates = [estimate(30, 0.6), estimate(2, 0.9), estimate(9, 0.6), estimate(9, 0.2)];
        let labels = [label(30.0, true), label(2.0, false), label(9.0, false), label(9.0, true)];
        let scores = scores(&estimates.iter().zip(&labels).collect::<Vec<_>>());
        assert_eq!((scores.gender_accuracy, scores.gender_told, scores.gender_told_accuracy), (0.25, 0.5, 0.5));
    }

    #[test]
    fn an_interval_that_contains_half_of_the_labelled_year_covers_half() {
        assert_eq!(coverage(20.0, 30.0, 25.0), 1.0);
        assert_eq!(coverage(20.0, 30.0, 30.0), 0.5);
        assert_eq!(coverage(20.0, 30.0, 31.0), 0.0);
        assert_eq!(coverage(0.0, 3.0, 0.0), 1.0);
        assert_eq!(coverage(80.0, 100.0, 116.0), 1.0);
    }
}
