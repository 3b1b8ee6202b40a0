//! Tells whether a face is turned to the side, partly covered or blurred: a perceptron over the estimator's last map.
//! The left and right halves are alike for a frontal face, and what is covered leaves its part of the map empty.
//! `models/train_flaw_head.py` trains it for given estimator weights.

use std::collections::HashMap;

use candle_core::Tensor;

use super::ModelError;
use super::feature_maps::FeatureMaps;
use super::perceptron::Perceptron;

/// Name of the head's tensors in a file, before that of the layer.
const NAME: &str = "flaws";
/// Logits of a picture: the fields of [`FlawLogits`].
pub(super) const OUTPUTS: usize = 3;

/// What the network sees of a face's flaws. Each logit is above 0 for 1 or 2 % of ordinary photos.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlawLogits {
    /// That the face is turned to the side.
    pub turned: f32,
    /// That something is in front of it, such as dark glasses, a mask or a hand.
    pub covered: f32,
    /// That it is blurred.
    pub blurred: f32,
}

impl From<[f32; OUTPUTS]> for FlawLogits {
    fn from([turned, covered, blurred]: [f32; OUTPUTS]) -> Self {
        Self { turned, covered, blurred }
    }
}

/// The head's weights.
pub(super) struct FlawHead(Perceptron);

impl FlawHead {
    /// The head for an estimator with `features` features, if `tensors` has one.
    pub(super) fn from_tensors(tensors: &HashMap<String, Tensor>, features: usize) -> Result<Option<Self>, ModelError> {
        Ok(Perceptron::from_tensors(tensors, NAME, [3 * features, OUTPUTS])?.map(Self))
    }

    /// As [`Perceptron::tensors`].
    pub(super) fn tensors(&self) -> Result<impl Iterator<Item = (String, Tensor)> + use<>, ModelError> {
        self.0.tensors()
    }

    /// Tells `write` the index and the logits of each picture in the last map; the others are scratch space.
    pub(super) fn logits(
        &self,
        map: &FeatureMaps,
        [inputs, hidden]: [&mut FeatureMaps; 2],
        mut write: impl FnMut(usize, [f32; OUTPUTS]),
    ) {
        halves(map, inputs);
        for (index, inputs) in inputs.values().chunks_exact((3 * map.channels).max(1)).enumerate() {
            let mut logits = [0.0; OUTPUTS];
            self.0.logits(inputs, hidden, &mut logits);
            write(index, logits);
        }
    }
}

/// Fills `out` (batch, 1, 1, 3 · channels) with the mean of each channel, after these with how far its means over the
/// left and the right half are apart, and then with by how much its mean over the upper half exceeds that over the lower.
fn halves(map: &FeatureMaps, out: &mut FeatureMaps) {
    let FeatureMaps { batch, height, width, channels, .. } = *map;
    out.reshape([batch, 1, 1, 3 * channels]);
    out.values_mut().fill(0.0);
    let share = 1.0 / (height * width).max(1) as f32;
    let pictures = map.values().chunks_exact((height * width * channels).max(1));
    for (picture, inputs) in pictures.zip(out.values_mut().chunks_exact_mut((3 * channels).max(1))) {
        let (means, halves) = inputs.split_at_mut(channels);
        let (across, down) = halves.split_at_mut(channels);
        for (index, pixel) in picture.chunks_exact(channels).enumerate() {
            let sign = |is_first: bool| if is_first { 2.0 * share } else { -2.0 * share };
            let (left, upper) = (sign(2 * (index % width) < width), sign(2 * (index / width) < height));
            for (channel, value) in pixel.iter().enumerate() {
                means[channel] += share * value;
                across[channel] += left * value;
                down[channel] += upper * value;
            }
        }
        across.iter_mut().for_each(|difference| *difference = difference.abs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::estimator::{Estimator, embedded};
    use crate::model::network::SIDE;
    use crate::model::weights::Precision;

    fn picture() -> image::DynamicImage {
        image::load_from_memory(include_bytes!("../../../models/mean-face.jpg")).unwrap()
    }

    fn crop(picture: &image::DynamicImage) -> Vec<u8> {
        let side = SIDE as u32;
        picture.resize_exact(side, side, image::imageops::FilterType::Triangle).into_luma8().into_raw()
    }

    fn mean_face() -> Vec<u8> {
        crop(&picture())
    }

    /// The face as the finder frames it, which the head was trained on; the whole picture shows it at 0.6 of that size.
    fn framed_mean_face() -> Vec<u8> {
        crop(&picture().crop_imm(78, 79, 264, 264))
    }

    fn logits(estimator: &Estimator, crop: &[u8]) -> Option<FlawLogits> {
        estimator.raw_answers(&[crop]).unwrap()[0].flaws
    }

    fn largest_difference(one: FlawLogits, other: FlawLogits) -> f32 {
        let FlawLogits { turned, covered, blurred } = one;
        let others = [other.turned, other.covered, other.blurred];
        [turned, covered, blurred].iter().zip(others).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn the_mean_face_is_neither_turned_nor_covered_also_mirrored() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let face = framed_mean_face();
        let mirrored = crate::model::estimator::mirrored(&face);
        let (one, other) = (logits(&estimator, &face).unwrap(), logits(&estimator, &mirrored).unwrap());
        assert!(one.turned < 0.0 && one.covered < 0.0, "{one:?}");
        assert!(largest_difference(one, other) < 1e-3, "{one:?} {other:?}");
    }

    #[test]
    fn a_face_behind_a_dark_bar_is_covered_and_a_smeared_one_is_blurred() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let face = mean_face();
        let eyes = |at: usize| (28..56).contains(&(at / SIDE)) && (16..112).contains(&(at % SIDE));
        let covered: Vec<u8> = (0..face.len()).map(|at| if eyes(at) { 20 } else { face[at] }).collect();
        let picture = image::GrayImage::from_raw(SIDE as u32, SIDE as u32, face).unwrap();
        let blurred = image::imageops::blur(&picture, 6.0).into_raw();
        assert!(logits(&estimator, &covered).unwrap().covered > 0.0, "{:?}", logits(&estimator, &covered));
        assert!(logits(&estimator, &blurred).unwrap().blurred > 0.0, "{:?}", logits(&estimator, &blurred));
    }

    #[test]
    fn a_flaw_head_stays_with_its_weights_and_is_dropped_where_they_are_averaged() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let before = logits(&estimator, &mean_face()).unwrap();
        let changed = |estimator: &Estimator| largest_difference(logits(estimator, &mean_face()).unwrap(), before);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        estimator.save(&path, Precision::Int8).unwrap();
        let again = Estimator::from_safetensors(&std::fs::read(&path).unwrap()).unwrap();
        assert!(changed(&again) < 0.05);
        let rounded = again.quantised(Precision::F16).unwrap();
        assert!(changed(&rounded) < 0.05);
        assert_eq!(logits(&Estimator::mean(&[estimator]).unwrap(), &mean_face()), None);
    }

    #[test]
    fn the_inputs_are_the_means_and_the_differences_of_the_halves() {
        // Two rows of two pixels with two channels.
        let (mut map, mut out) = (FeatureMaps::default(), FeatureMaps::default());
        map.reshape([1, 2, 2, 2]);
        map.values_mut().copy_from_slice(&[1.0, 10.0, 3.0, 10.0, 5.0, 20.0, 7.0, 60.0]);
        halves(&map, &mut out);
        assert_eq!(out.values(), [4.0, 25.0, 2.0, 20.0, -4.0, -30.0]);
    }
}
