//! Tells whether a face is turned to the side: a perceptron over the estimator's last map, whose left and right halves
//! are alike for a frontal face. `models/train_turned_head.py` trains it for given estimator weights.

use std::collections::HashMap;

use candle_core::Tensor;

use super::ModelError;
use super::feature_maps::FeatureMaps;
use super::perceptron::Perceptron;

/// Name of the head's tensors in a file, before that of the layer.
const NAME: &str = "turned";

/// The head's weights.
pub(super) struct TurnedHead(Perceptron);

impl TurnedHead {
    /// The head for an estimator with `features` features, if `tensors` has one.
    pub(super) fn from_tensors(tensors: &HashMap<String, Tensor>, features: usize) -> Result<Option<Self>, ModelError> {
        Ok(Perceptron::from_tensors(tensors, NAME, 2 * features)?.map(Self))
    }

    /// As [`Perceptron::tensors`].
    pub(super) fn tensors(&self) -> Result<impl Iterator<Item = (String, Tensor)> + use<>, ModelError> {
        self.0.tensors()
    }

    /// Tells `write` the index and the logit of each picture in the last map; the others are scratch space.
    pub(super) fn logits(
        &self,
        map: &FeatureMaps,
        [inputs, hidden]: [&mut FeatureMaps; 2],
        mut write: impl FnMut(usize, f32),
    ) {
        halves(map, inputs);
        for (index, inputs) in inputs.values().chunks_exact((2 * map.channels).max(1)).enumerate() {
            write(index, self.0.logit(inputs, hidden));
        }
    }
}

/// Fills `out` (batch, 1, 1, 2 · channels) with the mean of each channel, and after these with how far its means over the
/// left and the right half are apart.
fn halves(map: &FeatureMaps, out: &mut FeatureMaps) {
    let FeatureMaps { batch, height, width, channels, .. } = *map;
    out.reshape([batch, 1, 1, 2 * channels]);
    out.values_mut().fill(0.0);
    let pixels = (height * width).max(1);
    let pictures = map.values().chunks_exact((pixels * channels).max(1));
    for (picture, sums) in pictures.zip(out.values_mut().chunks_exact_mut((2 * channels).max(1))) {
        let (left, right) = sums.split_at_mut(channels);
        for (index, pixel) in picture.chunks_exact(channels).enumerate() {
            let half = if 2 * (index % width) < width { &mut *left } else { &mut *right };
            half.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
        }
        for (left, right) in left.iter_mut().zip(right) {
            (*left, *right) = ((*left + *right) / pixels as f32, (*left - *right).abs() * 2.0 / pixels as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::estimator::{Estimator, embedded};
    use crate::model::network::SIDE;
    use crate::model::weights::Precision;

    fn mean_face() -> Vec<u8> {
        let face = image::load_from_memory(include_bytes!("../../../models/mean-face.jpg")).unwrap();
        let side = SIDE as u32;
        face.resize_exact(side, side, image::imageops::FilterType::Triangle).into_luma8().into_raw()
    }

    fn logit(estimator: &Estimator, crop: &[u8]) -> Option<f32> {
        estimator.raw_answers(&[crop]).unwrap()[0].turned_logit
    }

    #[test]
    fn the_mean_face_is_not_turned_also_mirrored() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let (face, mirrored) = (mean_face(), crate::model::estimator::mirrored(&mean_face()));
        let (one, other) = (logit(&estimator, &face).unwrap(), logit(&estimator, &mirrored).unwrap());
        assert!(one < 0.0 && (one - other).abs() < 1e-3, "{one} {other}");
    }

    #[test]
    fn a_turned_head_stays_with_its_weights_and_is_dropped_where_they_are_averaged() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let before = logit(&estimator, &mean_face()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        estimator.save(&path, Precision::Int8).unwrap();
        let again = Estimator::from_safetensors(&std::fs::read(&path).unwrap()).unwrap();
        assert!((logit(&again, &mean_face()).unwrap() - before).abs() < 0.05);
        let rounded = again.quantised(Precision::F16).unwrap();
        assert!((logit(&rounded, &mean_face()).unwrap() - before).abs() < 0.05);
        assert_eq!(logit(&Estimator::mean(&[estimator]).unwrap(), &mean_face()), None);
    }

    #[test]
    fn the_inputs_are_the_means_and_the_differences_of_the_halves() {
        // Two rows of two pixels with two channels.
        let (mut map, mut out) = (FeatureMaps::default(), FeatureMaps::default());
        map.reshape([1, 2, 2, 2]);
        map.values_mut().copy_from_slice(&[1.0, 10.0, 3.0, 10.0, 5.0, 20.0, 7.0, 60.0]);
        halves(&map, &mut out);
        assert_eq!(out.values(), [4.0, 25.0, 2.0, 20.0]);
    }
}
