//! The network's answer for a crop, and what is left of it when some of the pooled features are switched off, as
//! dropout does in training. A set of features that are switched off together is called a lot.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index::sample;
use serde::Serialize;

use crate::GuessError;
use crate::model::dropout::drop_features;
use crate::model::estimator::{Estimate, Estimator};

/// Which features are switched off, and how many options of them are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DropoutOptions {
    /// How many features are off; all of them if the network has fewer.
    pub off: usize,
    /// How many options are drawn, at most [`MAX_DRAWS`]; the strongest features are switched off once.
    pub draws: usize,
    /// The same seed draws the same options.
    pub seed: u64,
    /// Whether the features with the strongest votes are off, instead of random ones.
    pub strongest: bool,
}

/// The most options per crop.
pub const MAX_DRAWS: usize = 32;

/// A guess with its age distribution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guess {
    /// The guessed age in years.
    pub age: f32,
    /// The lower end of the 80 % interval, in years.
    pub low: f32,
    /// The upper end, in years.
    pub high: f32,
    /// The probability of each year of age, 0 to 100.
    pub probabilities: Vec<f32>,
}

impl From<&Estimate> for Guess {
    fn from(estimate: &Estimate) -> Self {
        let (low, high) = estimate.age_interval;
        // Five digits: a chart shows no more.
        let probabilities = estimate.age_probabilities.iter().map(|p| (p * 1e5).round() / 1e5).collect();
        Self { age: estimate.age(), low, high, probabilities }
    }
}

/// The guess without one lot of features.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lot {
    /// Those that are switched off.
    pub off: Vec<usize>,
    /// The guess that is left.
    #[serde(flatten)]
    pub guess: Guess,
}

/// The network's answer for one crop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// The guess with all features.
    #[serde(flatten)]
    pub guess: Guess,
    /// What each feature adds to the logit of the guessed age, compared with all ages.
    pub votes: Vec<f32>,
    /// The filters of the first layer: nine weights each, row-major.
    pub filters: Vec<[f32; 9]>,
    /// The first lot, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot: Option<Lot>,
    /// The guessed ages of all options.
    pub ages: Vec<f32>,
}

/// Guesses a crop (128×128 grey pixels) with all features and with those of each lot missing.
///
/// # Errors
/// [`GuessError::Computation`] if the crop has another size.
pub fn probe(estimator: &Estimator, crop: &[u8], options: DropoutOptions) -> Result<Probe, GuessError> {
    let features = estimator.features(crop)?;
    let estimate = estimator.estimates_of_features(std::slice::from_ref(&features))?.remove(0);
    let votes = estimator.feature_votes(&features, estimate.age().round() as usize)?;
    let off = options.off.min(features.len());
    let mut random = StdRng::seed_from_u64(options.seed);
    let draw = |_| {
        if !options.strongest {
            return sample(&mut random, features.len(), off).into_vec();
        }
        let mut order: Vec<usize> = (0..votes.len()).collect();
        order.sort_by(|&one, &other| votes[other].abs().total_cmp(&votes[one].abs()));
        order.truncate(off);
        order
    };
    let draws = if options.strongest { options.draws.min(1) } else { options.draws.min(MAX_DRAWS) };
    let switched: Vec<Vec<usize>> = (0..draws).map(draw).collect();
    let left: Vec<Vec<f32>> = switched.iter().map(|off| drop_features(&features, off)).collect();
    let estimates = if left.is_empty() { Vec::new() } else { estimator.estimates_of_features(&left)? };
    let filters = estimator.first_filters()?.into_iter().map(|filter| filter.weights).collect();
    let lot = switched.into_iter().zip(&estimates).next().map(|(off, estimate)| Lot { off, guess: estimate.into() });
    let ages = estimates.iter().map(Estimate::age).collect();
    Ok(Probe { guess: (&estimate).into(), votes, filters, lot, ages })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::estimator::embedded;
    use crate::model::network::SIDE;

    #[test]
    fn lots_are_drawn_anew_for_each_guess_and_again_the_same_for_the_same_seed() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let crop: Vec<u8> = (0..SIDE * SIDE).map(|at| (at / SIDE) as u8).collect();
        let options = DropoutOptions { off: 96, draws: 4, seed: 7, strongest: false };
        let first = probe(&estimator, &crop, options).unwrap();
        assert_eq!(first, probe(&estimator, &crop, options).unwrap());
        assert_ne!(first.ages, probe(&estimator, &crop, DropoutOptions { seed: 8, ..options }).unwrap().ages);
        assert_eq!((first.ages.len(), first.votes.len(), first.filters.len()), (4, 192, 16));
        assert_eq!(first.lot.unwrap().off.len(), 96);
        assert_ne!(first.ages[0], first.ages[1]);

        let strongest =
            probe(&estimator, &crop, DropoutOptions { off: 1, draws: 9, strongest: true, ..options }).unwrap();
        let most = strongest.votes.iter().map(|vote| vote.abs()).fold(0.0, f32::max);
        assert_eq!(strongest.ages.len(), 1);
        assert_eq!(strongest.votes[strongest.lot.unwrap().off[0]].abs(), most);
    }

    #[test]
    fn all_features_and_more_may_be_switched_off_and_a_wrong_crop_is_an_error() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let options = DropoutOptions { off: usize::MAX, draws: usize::MAX, ..DropoutOptions::default() };
        let probed = probe(&estimator, &[0; SIDE * SIDE], options).unwrap();
        assert_eq!((probed.ages.len(), probed.lot.unwrap().off.len()), (MAX_DRAWS, 192));
        assert!(probed.ages.iter().all(|age| age.is_finite()));
        assert!(probe(&estimator, &[0; 100], DropoutOptions::default()).is_err());
    }
}
