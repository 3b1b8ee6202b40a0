//! Tells faces from what only resembles one: a perceptron with one hidden layer over the estimator's pooled features
//! of the crop and what the detector said about it. `models/train_face_head.py` trains it for given estimator weights.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::ModelError;
use super::estimator::Estimator;
use super::feature_maps::FeatureMaps;
use super::fused::MICRO_BATCH;
use super::network::SIDE;

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

/// The weights of the perceptron.
#[derive(Debug, Clone)]
pub(super) struct FaceHead {
    hidden: Layer,
    output: Layer,
}

#[derive(Debug, Clone)]
struct Layer {
    /// (inputs, outputs), row-major.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Names of the layers' tensors in a file, without `.weight` and `.bias`.
const LAYERS: [&str; 2] = ["face.hidden", "face.output"];

impl FaceHead {
    /// The head for an estimator with `features` features, if `tensors` has one.
    pub(super) fn from_tensors(tensors: &HashMap<String, Tensor>, features: usize) -> Result<Option<Self>, ModelError> {
        let [hidden, output] = LAYERS;
        let Some(bias) = tensors.get(&format!("{hidden}.bias")) else { return Ok(None) };
        let width = bias.elem_count();
        let hidden = Layer::from_tensors(tensors, hidden, [features + DetectorEvidence::LEN, width])?;
        Ok(Some(Self { hidden, output: Layer::from_tensors(tensors, output, [width, 1])? }))
    }

    /// The tensors from which [`FaceHead::from_tensors`] makes this head again.
    pub(super) fn tensors(&self) -> Result<impl Iterator<Item = (String, Tensor)>, ModelError> {
        let mut tensors = Vec::new();
        for (name, Layer { weight, bias }) in LAYERS.into_iter().zip([&self.hidden, &self.output]) {
            let shape = (weight.len() / bias.len().max(1), bias.len());
            tensors.push((format!("{name}.weight"), Tensor::from_slice(weight, shape, &Device::Cpu)?));
            tensors.push((format!("{name}.bias"), Tensor::new(&**bias, &Device::Cpu)?));
        }
        Ok(tensors.into_iter())
    }

    fn probability(&self, features: &[f32], evidence: &DetectorEvidence) -> f32 {
        let inputs = [features, &evidence.inputs()].concat();
        let hidden: Vec<f32> = self.hidden.apply(&inputs).into_iter().map(|value| value.max(0.0)).collect();
        let logit: f32 = self.output.apply(&hidden).into_iter().sum();
        1.0 / (1.0 + (-logit).exp())
    }
}

impl Layer {
    fn from_tensors(tensors: &HashMap<String, Tensor>, name: &str, shape: [usize; 2]) -> Result<Self, ModelError> {
        let values = |part: &str, shape: &[usize]| -> Result<Vec<f32>, ModelError> {
            let tensor = tensors.get(&format!("{name}.{part}")).filter(|tensor| tensor.dims() == shape);
            let tensor =
                tensor.ok_or_else(|| ModelError::Weights(format!("{name}.{part} is not of shape {shape:?}")))?;
            Ok(tensor.flatten_all()?.to_vec1()?)
        };
        Ok(Self { weight: values("weight", &shape)?, bias: values("bias", &shape[1..])? })
    }

    fn apply(&self, inputs: &[f32]) -> Vec<f32> {
        let mut outputs = self.bias.clone();
        for (input, row) in inputs.iter().zip(self.weight.chunks_exact(self.bias.len().max(1))) {
            outputs.iter_mut().zip(row).for_each(|(output, weight)| *output += input * weight);
        }
        outputs
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
    fn a_face_is_told_from_stripes_and_by_the_detectors_scores() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let stripes: Vec<u8> = (0..SIDE * SIDE).map(|at| if at / 6 % 2 == 0 { 40 } else { 200 }).collect();
        let probability = |picture: &[f32], evidence| estimator.face_probabilities(picture, &[evidence]).unwrap()[0];
        let face = probability(&mean_face(), EVIDENCE);
        let stripes = probability(&standardise(&[&stripes]), EVIDENCE);
        assert!(stripes < face, "{stripes} {face}");
        let with_scores = |scores| probability(&mean_face(), DetectorEvidence { scores, ..EVIDENCE });
        assert!(with_scores([0.3, 0.3]) < face && face < with_scores([0.8, 0.9]));
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
