//! The age, gender and smile network: loads its weights and runs it on crops.
//!
//! Batch normalisation is folded: each unit is a convolution with bias, residual and ReLU fused. On
//! the CPU the network is the single operation of [`super::fused`]; a CUDA or Metal device runs
//! candle's own operations.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{D, Device, Tensor};
use candle_nn::ops::softmax;
use safetensors::SafeTensors;

use super::calibration::{Calibration, RawAnswer};
pub use super::estimate::Estimate;
use super::face_head::FaceHead;
use super::flaw_head::{self, FlawHead};
use super::fused::{self, FoldedUnit, FusedNetwork};
use super::network::{AGES, Architecture, SIDE, Unit, input};
use super::weights::{self, Precision};
use super::{DeviceKind, ModelError};

/// Logits of a batch before calibration.
#[derive(Debug)]
pub struct Logits {
    /// (batch, 101)
    pub age: Tensor,
    /// (batch, 1), positive for female.
    pub gender: Tensor,
    /// (batch, 1), positive for smiling; absent if the weights have no such head.
    pub smile: Option<Tensor>,
    /// (batch, 3), as the fields of [`FlawLogits`](super::flaw_head::FlawLogits); absent if the weights have no such
    /// head, and on other devices than the CPU.
    pub flaws: Option<Tensor>,
}

/// A linear layer over the pooled features.
#[derive(Debug)]
pub struct Head {
    /// `age`, `gender` or `smile`.
    pub name: &'static str,
    /// (features, outputs)
    pub weight: Tensor,
    /// (outputs)
    pub bias: Tensor,
}

/// The age, gender and smile network, ready to run from any thread.
pub struct Estimator {
    architecture: Architecture,
    device: Device,
    /// By unit name, on the device.
    units: HashMap<String, FoldedUnit>,
    /// The same weights, packed for the CPU kernels.
    pub(super) fused: FusedNetwork,
    /// Weight (features, 102 or 103) and bias of the age head and, in the columns after it, of the gender
    /// head and the smile head, if there is one.
    heads: (Tensor, Tensor),
    pub(super) face_head: Option<FaceHead>,
    calibration: Calibration,
    trained_on_validation: bool,
}

/// Metadata key, present if these weights, those they started from or those of their teachers were
/// trained on the validation faces.
const TRAINED_ON_VALIDATION: &str = "trained_on_validation";

impl Estimator {
    /// Loads folded weights (f32, f16 or 8-bit) as [`Estimator::save`] writes them.
    ///
    /// # Errors
    /// [`ModelError::Weights`] if `bytes` are not such a file.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelError> {
        let invalid = |error: safetensors::SafeTensorError| ModelError::Weights(error.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let architecture = metadata.get("architecture");
        let architecture =
            architecture.ok_or_else(|| ModelError::Weights("the metadata has no architecture".into()))?;
        // A file without a calibration is valid.
        let calibration =
            metadata.get("calibration").map_or(Ok(Calibration::default()), |text| serde_json::from_str(text));
        let calibration = calibration.ok().filter(Calibration::is_sound);
        let calibration = calibration.ok_or_else(|| ModelError::Weights("the calibration is invalid".into()))?;
        let tensors = weights::load(bytes)?;
        let estimator = Self::from_tensors(architecture.parse()?, &tensors, calibration)?;
        Ok(Self { trained_on_validation: metadata.contains_key(TRAINED_ON_VALIDATION), ..estimator })
    }

    /// Builds the network from folded weights by name: `<unit>.weight`, `<unit>.bias`, `age.*`, `gender.*` and,
    /// optionally, `smile.*` and those of a [face head](super::face_head) and a [flaw head](super::flaw_head).
    ///
    /// # Errors
    /// [`ModelError::Weights`] if a tensor is missing or has the wrong shape.
    pub fn from_tensors(
        architecture: Architecture,
        tensors: &HashMap<String, Tensor>,
        calibration: Calibration,
    ) -> Result<Self, ModelError> {
        let tensor = |name: String, shape: &[usize]| -> Result<Tensor, ModelError> {
            let tensor = tensors.get(&name).ok_or_else(|| ModelError::Weights(format!("{name} is missing")))?;
            if tensor.dims() != shape {
                return Err(ModelError::Weights(format!("{name} has shape {:?}, not {shape:?}", tensor.dims())));
            }
            Ok(tensor.contiguous()?)
        };
        let mut units = HashMap::new();
        for unit in architecture.units() {
            let Unit { name, kernel, channels, out_channels, .. } = unit;
            let weight = tensor(format!("{name}.weight"), &[kernel, kernel, channels, out_channels])?;
            let bias: Vec<f32> = tensor(format!("{name}.bias"), &[out_channels])?.to_vec1()?;
            units.insert(name, (weight, Arc::from(bias)));
        }
        let features = architecture.features();
        let head = |name: &str, outputs: usize| -> Result<_, ModelError> {
            Ok((tensor(format!("{name}.weight"), &[features, outputs])?, tensor(format!("{name}.bias"), &[outputs])?))
        };
        let smile = tensors.contains_key("smile.weight").then(|| head("smile", 1)).transpose()?;
        let (weights, biases): (Vec<_>, Vec<_>) =
            [head("age", AGES)?, head("gender", 1)?].into_iter().chain(smile).unzip();
        let heads = (Tensor::cat(&weights, 1)?, Tensor::cat(&biases, 0)?);
        let mut fused = FusedNetwork::new(&architecture, &units, &heads)?;
        fused.flaws = FlawHead::from_tensors(tensors, features)?;
        let face_head = FaceHead::from_tensors(tensors, features)?;
        let device = Device::Cpu;
        Ok(Self { architecture, device, units, fused, heads, face_head, calibration, trained_on_validation: false })
    }

    /// Moves the network to another device, where it runs through candle's own operations.
    ///
    /// # Errors
    /// [`ModelError::Device`] if this build does not support the device, [`ModelError::Tensor`] if
    /// there is none.
    pub fn to_device(mut self, device: DeviceKind) -> Result<Self, ModelError> {
        let device = device.open()?;
        for (weight, _) in self.units.values_mut() {
            *weight = weight.to_device(&device)?;
        }
        let heads = (self.heads.0.to_device(&device)?, self.heads.1.to_device(&device)?);
        Ok(Self { device, heads, ..self })
    }

    /// Its widths and depths.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// A unit's folded weight (kernel, kernel, in, out) and its bias.
    pub fn unit(&self, name: &str) -> Option<(&Tensor, &[f32])> {
        self.units.get(name).map(|(weight, bias)| (weight, &**bias))
    }

    /// Whether the weights have a smile head.
    pub fn has_smile(&self) -> bool {
        self.heads.1.elem_count() > AGES + 1
    }

    /// The `age`, the `gender` and, if there is one, the `smile` head.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn heads(&self) -> Result<Vec<Head>, ModelError> {
        let (weight, bias) = &self.heads;
        let head = |name, first: usize, count: usize| -> Result<_, ModelError> {
            let (weight, bias) = (weight.narrow(1, first, count)?, bias.narrow(0, first, count)?);
            Ok(Head { name, weight: weight.contiguous()?, bias: bias.contiguous()? })
        };
        let smile = self.has_smile().then(|| head("smile", AGES + 1, 1));
        [head("age", 0, AGES), head("gender", AGES, 1)].into_iter().chain(smile).collect()
    }

    /// The calibration of its answers.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The same weights with another calibration.
    pub fn with_calibration(self, calibration: Calibration) -> Self {
        Self { calibration, ..self }
    }

    /// Whether the weights were trained on the validation faces as well: figures measured on those
    /// are too good.
    pub fn trained_on_validation(&self) -> bool {
        self.trained_on_validation
    }

    /// The same weights, marked as [trained on validation faces](Self::trained_on_validation).
    pub fn with_trained_on_validation(self) -> Self {
        Self { trained_on_validation: true, ..self }
    }

    /// The mean of the weights of networks of one architecture, uncalibrated. If all were fine-tuned
    /// from one network, and not far, it is about as good as the mean of their answers (Wortsman et
    /// al. 2022, "model soups"). Without a face head and a flaw head, which fit the features of one network.
    ///
    /// # Errors
    /// [`ModelError::Weights`] if `networks` is empty or their architectures differ.
    pub fn mean(networks: &[Self]) -> Result<Self, ModelError> {
        let Some((first, others)) = networks.split_first() else {
            return Err(ModelError::Weights("no networks to average".into()));
        };
        let mut sums = first.tensors()?;
        for network in others {
            if network.architecture != first.architecture {
                let (one, other) = (&first.architecture, &network.architecture);
                return Err(ModelError::Weights(format!("{one} and {other} cannot be averaged")));
            }
            if network.has_smile() != first.has_smile() {
                return Err(ModelError::Weights("only some of the networks to average have a smile head".into()));
            }
            for (name, tensor) in network.tensors()? {
                if let Some(sum) = sums.get_mut(&name) {
                    *sum = (&*sum + tensor)?;
                }
            }
        }
        for sum in sums.values_mut() {
            *sum = (&*sum / networks.len() as f64)?;
        }
        let mean = Self::from_tensors(first.architecture.clone(), &sums, Calibration::default())?;
        Ok(Self { trained_on_validation: networks.iter().any(Self::trained_on_validation), ..mean })
    }

    /// The folded weights in f32, by the names that [`Estimator::from_tensors`] expects.
    fn tensors(&self) -> Result<HashMap<String, Tensor>, ModelError> {
        let mut tensors = HashMap::new();
        for (name, (weight, bias)) in &self.units {
            tensors.insert(format!("{name}.weight"), weight.clone());
            tensors.insert(format!("{name}.bias"), Tensor::new(&**bias, &Device::Cpu)?);
        }
        for Head { name, weight, bias } in self.heads()? {
            tensors.insert(format!("{name}.weight"), weight);
            tensors.insert(format!("{name}.bias"), bias);
        }
        Ok(tensors)
    }

    /// The network with its weights rounded as saving and loading at `precision` would.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn quantised(self, precision: Precision) -> Result<Self, ModelError> {
        let tensors = weights::dequantise(weights::quantise(self.tensors()?, precision)?)?;
        self.with_tensors(&tensors)
    }

    /// The network with the probability of the ages 13 to 17 multiplied by `factor`, and that of the ages next to
    /// them by less, before all are divided by their sum. Calling a teenager an adult is worse than the
    /// reverse, and a network that was trained for a low mean error does not know that.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn with_likelier_teenagers(self, factor: f32) -> Result<Self, ModelError> {
        let mut tensors = self.tensors()?;
        if let Some(bias) = tensors.get_mut("age.bias") {
            let share = |age: usize| ((age as f32 - 10.0) / 3.0).min((19.0 - age as f32) / 2.0).clamp(0.0, 1.0);
            let added: Vec<f32> = (0..AGES).map(|age| share(age) * factor.ln()).collect();
            *bias = (&*bias + Tensor::new(added, &Device::Cpu)?)?;
        }
        self.with_tensors(&tensors)
    }

    /// The network with other weights, but the same calibration and the heads that were trained after it.
    fn with_tensors(self, tensors: &HashMap<String, Tensor>) -> Result<Self, ModelError> {
        let mut changed = Self::from_tensors(self.architecture, tensors, self.calibration)?;
        changed.fused.flaws = self.fused.flaws;
        Ok(Self { trained_on_validation: self.trained_on_validation, face_head: self.face_head, ..changed })
    }

    /// Writes the folded weights, architecture and calibration.
    ///
    /// # Errors
    /// [`ModelError::Weights`] if the file cannot be written.
    pub fn save(&self, path: &std::path::Path, precision: Precision) -> Result<(), ModelError> {
        let mut tensors = weights::quantise(self.tensors()?, precision)?;
        // These are small, and their inputs differ in scale: not rounded.
        if let Some(head) = &self.face_head {
            tensors.extend(head.tensors()?);
        }
        if let Some(head) = &self.fused.flaws {
            tensors.extend(head.tensors()?);
        }
        let calibration =
            serde_json::to_string(&self.calibration).map_err(|error| ModelError::Weights(error.to_string()))?;
        let mut metadata = HashMap::from([
            ("architecture".to_owned(), self.architecture.to_string()),
            ("calibration".to_owned(), calibration),
        ]);
        if self.trained_on_validation {
            metadata.insert(TRAINED_ON_VALIDATION.to_owned(), "yes".to_owned());
        }
        safetensors::serialize_to_file(&tensors, Some(metadata), path)
            .map_err(|error| ModelError::Weights(error.to_string()))
    }

    /// Pictures (batch, 128, 128, 1), standardised as by [`input`] → uncalibrated [`Logits`].
    ///
    /// # Errors
    /// If the tensor has another shape.
    pub fn forward(&self, pictures: &Tensor) -> Result<Logits, ModelError> {
        let logits = match self.device {
            Device::Cpu => pictures.apply_op1_no_bwd(&self.fused)?,
            _ => self.candle_logits(pictures)?,
        };
        let smile = self.has_smile().then(|| logits.narrow(1, AGES + 1, 1)).transpose()?;
        let heads = self.heads.1.elem_count();
        let flaws = (logits.dim(1)? > heads).then(|| logits.narrow(1, heads, flaw_head::OUTPUTS)).transpose()?;
        Ok(Logits { age: logits.narrow(1, 0, AGES)?, gender: logits.narrow(1, AGES, 1)?, smile, flaws })
    }

    /// Pictures (batch, 128, 128, 1) → logits (batch, 102 or 103) by candle's own operations.
    fn candle_logits(&self, pictures: &Tensor) -> Result<Tensor, ModelError> {
        Ok(fused::candle_forward(&self.architecture, &self.units, &self.heads, &pictures.to_device(&self.device)?)?)
    }

    /// One forward pass over crops, without their mirror images, uncalibrated.
    ///
    /// # Errors
    /// [`ModelError::CropSize`] if a crop is not 128×128 pixels.
    pub fn logits(&self, crops: &[&[u8]]) -> Result<Logits, ModelError> {
        self.forward(&input(crops)?)
    }

    /// Uncalibrated answers, each the mean over the crop and its mirror image (test-time augmentation, in one forward
    /// pass): less noise at twice the cost.
    ///
    /// # Errors
    /// [`ModelError::CropSize`] if a crop is not 128×128 pixels.
    pub fn raw_answers(&self, crops: &[&[u8]]) -> Result<Vec<RawAnswer>, ModelError> {
        if crops.is_empty() {
            return Ok(Vec::new());
        }
        let mirrored: Vec<Vec<u8>> = crops.iter().map(|crop| mirrored(crop)).collect();
        let both: Vec<&[u8]> = crops.iter().copied().chain(mirrored.iter().map(Vec::as_slice)).collect();
        let logits = self.logits(&both)?;
        let mean = |logits: &Tensor| -> candle_core::Result<Tensor> {
            let (first, second) = (logits.narrow(0, 0, crops.len())?, logits.narrow(0, crops.len(), crops.len())?);
            (first + second)? * 0.5
        };
        let ages = softmax(&mean(&logits.age)?, D::Minus1)?.to_vec2::<f32>()?;
        let means = |logits: &Tensor| mean(logits)?.flatten_all()?.to_vec1::<f32>();
        let genders = means(&logits.gender)?;
        let smiles = logits.smile.as_ref().map(means).transpose()?;
        let flaws = logits.flaws.as_ref().map(|flaws| mean(flaws)?.to_vec2::<f32>()).transpose()?;
        let answers = ages.into_iter().zip(genders).enumerate().map(|(index, (age, gender_logit))| {
            let age_probabilities = age.try_into().map_err(|_| ModelError::Weights("not 101 ages".into()))?;
            let smile_logit = smiles.as_ref().map(|smiles| smiles[index]);
            let flaws = flaws.as_ref().and_then(|flaws| <[f32; flaw_head::OUTPUTS]>::try_from(&*flaws[index]).ok());
            Ok(RawAnswer { age_probabilities, gender_logit, smile_logit, flaws: flaws.map(Into::into) })
        });
        answers.collect()
    }

    /// The calibrated [`Estimator::raw_answers`].
    ///
    /// # Errors
    /// As [`Estimator::raw_answers`].
    pub fn estimate(&self, crops: &[&[u8]]) -> Result<Vec<Estimate>, ModelError> {
        Ok(self.raw_answers(crops)?.iter().map(|answer| self.calibration.apply(answer)).collect())
    }
}

pub(super) fn mirrored(crop: &[u8]) -> Vec<u8> {
    crop.chunks(SIDE).flat_map(|row| row.iter().rev().copied()).collect()
}

/// The compiled-in weights, trained by this program's `train` command.
pub fn embedded() -> &'static [u8] {
    include_bytes!("../../../models/estimator.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fused_network_matches_candles_own_operations() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let crops: Vec<Vec<u8>> = (1..=5)
            .map(|step| (0..SIDE * SIDE).map(|at| ((at * step * 37 + at / SIDE * 91) % 256) as u8).collect())
            .collect();
        let pictures = input(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let reference = estimator.candle_logits(&pictures).unwrap();
        let fused = pictures.apply_op1_no_bwd(&estimator.fused).unwrap();
        let fused = fused.narrow(1, 0, reference.dim(1).unwrap()).unwrap();
        let max = |tensor: &Tensor| tensor.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        let worst = max(&(fused - &reference).unwrap()) / max(&reference);
        assert!(worst < 1e-4, "they differ by {worst} of the largest logit");
    }

    /// A network with these heads whose weights are all equal to `value`.
    fn constant_with(heads: &[(&str, usize)], architecture: &str, value: f32) -> Estimator {
        let architecture: Architecture = architecture.parse().unwrap();
        let full = |shape: &[usize]| Tensor::full(value, shape, &Device::Cpu).unwrap();
        let mut tensors = HashMap::new();
        for Unit { name, kernel, channels, out_channels, .. } in architecture.units() {
            tensors.insert(format!("{name}.weight"), full(&[kernel, kernel, channels, out_channels]));
            tensors.insert(format!("{name}.bias"), full(&[out_channels]));
        }
        for (name, outputs) in heads {
            tensors.insert(format!("{name}.weight"), full(&[architecture.features(), *outputs]));
            tensors.insert(format!("{name}.bias"), full(&[*outputs]));
        }
        Estimator::from_tensors(architecture, &tensors, Calibration::default()).unwrap()
    }

    fn constant(architecture: &str, value: f32) -> Estimator {
        constant_with(&[("age", AGES), ("gender", 1), ("smile", 1)], architecture, value)
    }

    #[test]
    fn weights_without_a_smile_head_give_the_same_ages_and_genders_and_no_smile() {
        let (with, without) = (constant("8:8x1", 0.1), constant_with(&[("age", AGES), ("gender", 1)], "8:8x1", 0.1));
        let file = tempfile::NamedTempFile::new().unwrap();
        let crop: Vec<u8> = (0..SIDE * SIDE).map(|at| (at % 251) as u8).collect();
        let answer = |estimator: &Estimator| {
            estimator.save(file.path(), Precision::Int8).unwrap();
            let loaded = Estimator::from_safetensors(&std::fs::read(file.path()).unwrap()).unwrap();
            assert_eq!(loaded.has_smile(), estimator.has_smile());
            loaded.estimate(&[&crop]).unwrap().remove(0)
        };
        let (with, without) = (answer(&with), answer(&without));
        assert_eq!(with.age_probabilities, without.age_probabilities);
        assert_eq!(with.smile_probability, Some(with.female_probability));
        assert_eq!(without.smile_probability, None);
    }

    #[test]
    fn the_mean_of_networks_averages_weights_and_inherits_trained_on_validation() {
        let networks =
            [constant("8:8x1", 1.0), constant("8:8x1", 2.0), constant("8:8x1", 6.0).with_trained_on_validation()];
        let mean = Estimator::mean(&networks).unwrap();
        for (name, tensor) in mean.tensors().unwrap() {
            assert!(
                tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|value| *value == 3.0),
                "{name}"
            );
        }
        assert!(mean.trained_on_validation());
        assert!(!Estimator::mean(&networks[..2]).unwrap().trained_on_validation());
        assert!(Estimator::mean(&[]).is_err());
        let error = Estimator::mean(&[constant("8:8x1", 1.0), constant("8:8x2", 1.0)]).err().unwrap();
        assert!(error.to_string().contains("8:8x2"), "{error}");
        let silent = constant_with(&[("age", AGES), ("gender", 1)], "8:8x1", 1.0);
        assert!(Estimator::mean(&[constant("8:8x1", 1.0), silent]).err().unwrap().to_string().contains("smile"));
    }
}
