//! Tells faces from what only resembles one: a perceptron with one hidden layer over the estimator's pooled features
//! of the crop and what the detector said about it. `models/train_face_head.py` trains it for given estimator weights.

use std::collections::HashMap;

use candle_core::Tensor;

use super::ModelError;
use super::estimator::Estimator;
use super::feature_maps::FeatureMaps;
use super::fused::MICRO_BATCH;
use super::network::SIDE;
use super::perceptron::Perceptron;

/// What the detector says about a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorEvidence {
    /// The scores of both stages, 0 to 1.
    pub scores: [f32; 2],
    /// Side of the candidate's box in the first stage, in pixels of the picture scaled to its full pass.
    pub side: f32,
}

impl DetectorEvidence {
    const LEN: usize = 3;

    fn inputs(&self) -> [f32; Self::LEN] {
        let logit = |score: f32| {
            let score = score.clamp(0.02, 0.98);
            (score / (1.0 - score)).ln()
        };
        let [first, second] = self.scores.map(logit);
        [first, second, self.side.clamp(8.0, 400.0).ln()]
    }
}

/// Name of the head's tensors in a file, before that of the layer.
const NAME: &str = "face";

/// The head's weights.
#[derive(Debug, Clone)]
pub(super) struct FaceHead(Perceptron);

impl FaceHead {
    /// The head for an estimator with `features` features, if `tensors` has one.
    pub(super) fn from_tensors(tensors: &HashMap<String, Tensor>, features: usize) -> Result<Option<Self>, ModelError> {
        Ok(Perceptron::from_tensors(tensors, NAME, [features + DetectorEvidence::LEN, 1])?.map(Self))
    }

    /// As [`Perceptron::tensors`].
    pub(super) fn tensors(&self) -> Result<impl Iterator<Item = (String, Tensor)> + use<>, ModelError> {
        self.0.tensors()
    }

    fn probability(&self, features: &[f32], evidence: &DetectorEvidence) -> f32 {
        let mut logit = [0.0];
        self.0.logits(&[features, &evidence.inputs()].concat(), &mut FeatureMaps::default(), &mut logit);
        1.0 / (1.0 + (-logit[0]).exp())
    }
}

impl Estimator {
    /// Whether the weights have a head that tells faces from what only resembles one.
    pub fn has_face_head(&self) -> bool {
        self.face_head.is_some()
    }

    /// The probability that each of the pictures (n, 128, 128), standardised as by [`super::network::standardise`],
    /// shows a face, given what the detector says about each; 1 if the weights have no head for it. Runs on the CPU.
    ///
    /// # Errors
    /// As [`Estimator::pooled_features`].
    pub fn face_probabilities(&self, pictures: &[f32], evidence: &[DetectorEvidence]) -> Result<Vec<f32>, ModelError> {
        let Some(head) = &self.face_head else { return Ok(vec![1.0; evidence.len()]) };
        let features = self.pooled_features(pictures)?;
        let faces = features.chunks_exact(self.architecture().features()).zip(evidence);
        Ok(faces.map(|(features, evidence)| head.probability(features, evidence)).collect())
    }

    /// The features that the heads read: the mean of each channel of the last map, of each of the standardised pictures
    /// (n, 128, 128), one after the other, on the CPU.
    ///
    /// # Errors
    /// [`ModelError::CropSize`] if the pictures have another size.
    pub fn pooled_features(&self, pictures: &[f32]) -> Result<Vec<f32>, ModelError> {
        if !pictures.len().is_multiple_of(SIDE * SIDE) {
            return Err(ModelError::CropSize(pictures.len()));
        }
        let width = self.architecture().features();
        let mut features = Vec::with_capacity(pictures.len() / (SIDE * SIDE) * width);
        let mut pooled = FeatureMaps::default();
        for batch in pictures.chunks(MICRO_BATCH * SIDE * SIDE) {
            let mut logits = vec![0.0; batch.len() / (SIDE * SIDE) * self.fused.outputs()];
            self.fused.logits(batch, [SIDE, SIDE], &mut logits, |map| {
                if map.channels == width {
                    map.global_average_pool(&mut pooled);
                }
            });
            features.extend_from_slice(pooled.values());
        }
        Ok(features)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::model::estimator::embedded;
    use crate::model::network::standardise;
    use crate::model::weights::{self, Precision};

    const EVIDENCE: DetectorEvidence = DetectorEvidence { scores: [0.6, 0.7], side: 80.0 };

    fn mean_face() -> Vec<f32> {
        let face = image::load_from_memory(include_bytes!("../../../models/mean-face.jpg")).unwrap();
        let side = SIDE as u32;
        standardise(&[face.resize_exact(side, side, image::imageops::FilterType::Triangle).into_luma8().as_raw()])
    }

    #[test]
    fn a_face_is_the_likelier_the_higher_the_detectors_scores() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let probability = |scores| {
            let evidence = DetectorEvidence { scores, ..EVIDENCE };
            estimator.face_probabilities(&mean_face(), &[evidence]).unwrap()[0]
        };
        let (low, middle, high) = (probability([0.3, 0.3]), probability(EVIDENCE.scores), probability([0.8, 0.9]));
        assert!(low < middle && middle < high, "{low} {middle} {high}");
    }

    #[test]
    fn a_face_head_stays_with_its_weights_and_is_dropped_where_they_are_averaged() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let probability = estimator.face_probabilities(&mean_face(), &[EVIDENCE]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for precision in [Precision::F16, Precision::Int8] {
            let path = folder.path().join("weights.safetensors");
            estimator.save(&path, precision).unwrap();
            let again = Estimator::from_safetensors(&std::fs::read(&path).unwrap()).unwrap();
            let again = again.face_probabilities(&mean_face(), &[EVIDENCE]).unwrap();
            assert!((again[0] - probability[0]).abs() < 0.02);
        }
        let mean = Estimator::mean(&[estimator]).unwrap();
        assert!(!mean.has_face_head() && mean.face_probabilities(&mean_face(), &[EVIDENCE]).unwrap() == [1.0]);
    }

    #[test]
    fn a_face_head_for_other_features_is_refused() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let mut tensors = weights::load(embedded()).unwrap();
        let narrow = Tensor::zeros((7, 32), candle_core::DType::F32, &Device::Cpu).unwrap();
        tensors.insert("face.hidden.weight".into(), narrow);
        let calibration = estimator.calibration().clone();
        let refused = Estimator::from_tensors(estimator.architecture().clone(), &tensors, calibration).err();
        assert_eq!(refused.unwrap().to_string(), "invalid weights: face.hidden.weight is not of shape [195, 32]");
    }
}
