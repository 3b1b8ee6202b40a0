//! The guess with some of the pooled features switched off, as dropout does in training, and the contribution of each
//! feature to a logit, its vote.

use candle_core::{D, Device, Tensor};
use candle_nn::ops::softmax;

use super::ModelError;
use super::calibration::RawAnswer;
use super::estimate::Estimate;
use super::estimator::{Estimator, mirrored};
use super::network::standardise;

impl Estimator {
    /// The pooled features of a crop, averaged over the crop and its mirror image: the heads are linear, so that their
    /// guess is the one of [`Estimator::estimate`].
    ///
    /// # Errors
    /// [`ModelError::CropSize`] if the crop is not 128×128 pixels.
    pub fn features(&self, crop: &[u8]) -> Result<Vec<f32>, ModelError> {
        let mut features = vec![0.0; self.architecture().features()];
        for view in [crop, &mirrored(crop)] {
            let map = self.read_out(&standardise(&[view]))?.last;
            let values = 2.0 * (map.side * map.side) as f32;
            for cell in map.values.chunks(features.len()) {
                features.iter_mut().zip(cell).for_each(|(feature, value)| *feature += value / values);
            }
        }
        Ok(features)
    }

    /// The calibrated guesses of age and gender that the heads make of pooled features, one for each list.
    ///
    /// # Errors
    /// If a list does not have as many features as the network.
    pub fn estimates_of_features(&self, lists: &[Vec<f32>]) -> Result<Vec<Estimate>, ModelError> {
        let features = Tensor::from_vec(lists.concat(), (lists.len(), self.architecture().features()), &Device::Cpu)?;
        let heads = self.heads()?;
        let logits = |name: &str| -> Result<Tensor, ModelError> {
            let head = heads.iter().find(|head| head.name == name);
            let head = head.ok_or_else(|| ModelError::Weights(format!("no head {name}")))?;
            Ok(features.matmul(&head.weight)?.broadcast_add(&head.bias)?)
        };
        let ages = softmax(&logits("age")?, D::Minus1)?.to_vec2::<f32>()?;
        let genders = logits("gender")?.flatten_all()?.to_vec1::<f32>()?;
        let estimates = ages.into_iter().zip(genders).map(|(age, gender_logit)| {
            let age_probabilities = age.try_into().map_err(|_| ModelError::Weights("not 101 ages".into()))?;
            Ok(self.calibration().apply(&RawAnswer { age_probabilities, gender_logit, smile_logit: None, flaws: None }))
        });
        estimates.collect()
    }

    /// What each feature adds to the logit of the age `year` beyond what it adds to those of all ages on average.
    ///
    /// # Errors
    /// If there is no such year.
    pub fn feature_votes(&self, features: &[f32], year: usize) -> Result<Vec<f32>, ModelError> {
        let output = self.output("age", year)?;
        Ok(features.iter().zip(output.weights).map(|(feature, weight)| feature * weight).collect())
    }
}

/// Features with those in `off` set to zero and the others scaled up, so that their sum keeps its size (inverted
/// dropout, Srivastava et al. 2014).
pub fn drop_features(features: &[f32], off: &[usize]) -> Vec<f32> {
    let left = features.len().saturating_sub(off.len()).max(1);
    let scale = features.len() as f32 / left as f32;
    let mut kept: Vec<f32> = features.iter().map(|feature| feature * scale).collect();
    off.iter().filter(|&&index| index < features.len()).for_each(|&index| kept[index] = 0.0);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::estimator::embedded;
    use crate::model::network::SIDE;

    #[test]
    fn with_all_features_the_guess_is_the_usual_one() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let crop: Vec<u8> = (0..SIDE * SIDE).map(|at| ((at * 37 + at / SIDE * 91) % 256) as u8).collect();
        let features = estimator.features(&crop).unwrap();
        let lists = [drop_features(&features, &[]), drop_features(&features, &[0, 5, 9])];
        let [whole, thinned] = estimator.estimates_of_features(&lists).unwrap().try_into().unwrap();
        let usual = estimator.estimate(&[&crop]).unwrap().remove(0);
        assert!((whole.age() - usual.age()).abs() < 1e-2, "{} {}", whole.age(), usual.age());
        assert!((whole.female_probability - usual.female_probability).abs() < 1e-3);
        assert_ne!(thinned, whole);
    }

    #[test]
    fn the_votes_of_all_features_order_the_ages_as_the_guess_does() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let features = estimator.features(&[90; SIDE * SIDE]).unwrap();
        let logits = estimator.logits(&[&[90; SIDE * SIDE]]).unwrap().age.flatten_all().unwrap();
        let logits = logits.to_vec1::<f32>().unwrap();
        let bias = |year| estimator.output("age", year).unwrap().bias;
        let sum = |year| estimator.feature_votes(&features, year).unwrap().iter().sum::<f32>() + bias(year);
        let (one, other) = (sum(25) - sum(60), logits[25] - logits[60]);
        assert!((one - other).abs() < 1e-2, "{one} {other}");
    }

    #[test]
    fn what_is_left_is_scaled_up_and_nothing_out_of_range_matters() {
        assert_eq!(drop_features(&[1.0, 2.0, 3.0, 4.0], &[1, 3]), [2.0, 0.0, 6.0, 0.0]);
        assert_eq!(drop_features(&[1.0, 2.0], &[0, 1]), [0.0, 0.0]);
        assert!(drop_features(&[1.0, 2.0], &[7]).iter().all(|value| value.is_finite()));
    }
}
