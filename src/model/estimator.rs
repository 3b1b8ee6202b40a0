//! Crops to age distributions and gender probabilities.
//!
//! Runs the folded network: each unit is one convolution with bias, residual and ReLU inside. On
//! the CPU that is [`super::body`]'s one operation; a CUDA or Metal device runs candle's own.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{D, Device, Tensor};
use candle_nn::ops::softmax;
use safetensors::SafeTensors;

use super::body::{self, Body, Folded};
use super::calibration::{Calibration, RawAnswer, quantile};
use super::network::{AGES, Architecture, SIDE, Unit, input};
use super::weights::{self, Precision};
use super::{DeviceKind, ModelError};

/// Guessed age, years, below which a gender is close to a coin toss (60 to 70 % right on the
/// validation faces).
const SMALL_CHILD: f32 = 4.0;
/// Guessed age below which people are girls and boys.
const GROWN_UP: f32 = 17.0;
/// Probability of a girl's or boy's gender below which it is left open: what is likelier there is
/// wrong in about one of three cases.
const CHILDS_GENDER: f32 = 0.7;

/// What the network thinks of one crop.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Probability of each year of age, 0 to 100; they add up to 1.
    pub age_probabilities: [f32; AGES],
    /// Probability that the face is labelled female.
    pub female_probability: f32,
    /// Years between which the true age lies in 80 % of the faces of every age, the guess among them.
    pub age_interval: (f32, f32),
}

impl Estimate {
    /// The median of the age distribution in years, which is off by least on average (a mean would
    /// make a grown-up of a child that might also be somebody old).
    pub fn age(&self) -> f32 {
        quantile(&self.age_probabilities, 0.5)
    }

    /// Probability of the likelier gender, 0.5 to 1.
    pub fn gender_probability(&self) -> f32 {
        self.female_probability.max(1.0 - self.female_probability)
    }

    /// Whether the gender is worth telling: no small child's, and no girl's or boy's that is a toss-up.
    pub fn tells_gender(&self) -> bool {
        !self.is_small_child() && (self.is_grown_up() || self.gender_probability() >= CHILDS_GENDER)
    }

    /// Whether the guessed age is below four years.
    pub fn is_small_child(&self) -> bool {
        self.age() < SMALL_CHILD
    }

    /// Whether the guessed age is that of a woman or a man, not of a girl or a boy.
    pub fn is_grown_up(&self) -> bool {
        self.age() >= GROWN_UP
    }

    /// How far to trust what is told, 0 to 1: the probability that the age lies within five years of
    /// the guess, times that of the gender to the third power where it is told: a wrong gender is
    /// rarer than a wrong age, and worse.
    pub fn confidence(&self) -> f32 {
        self.confidence_telling(self.tells_gender())
    }

    /// The same where somebody else decides whether the gender is told.
    pub fn confidence_telling(&self, gender: bool) -> f32 {
        let age = self.age();
        let near = |year: usize| (1.0 - ((year as f32 - age).abs() - 5.0)).clamp(0.0, 1.0);
        let close: f32 = self.age_probabilities.iter().enumerate().map(|(year, p)| p * near(year)).sum();
        if gender { self.gender_probability().powi(3) * close } else { close }
    }
}

/// Logits of a batch before calibration.
#[derive(Debug)]
pub struct Logits {
    /// (batch, 101)
    pub age: Tensor,
    /// (batch, 1), positive for female.
    pub gender: Tensor,
}

/// A linear layer over the pooled features.
#[derive(Debug)]
pub struct Head {
    pub name: &'static str,
    /// (features, outputs)
    pub weight: Tensor,
    /// (outputs)
    pub bias: Tensor,
}

/// The age and gender network, ready to run from any thread.
pub struct Estimator {
    architecture: Architecture,
    device: Device,
    /// By unit name, on the device.
    units: HashMap<String, Folded>,
    /// The same for the CPU's kernels.
    body: Body,
    /// Weight (features, 102) and bias of the age head and, in the last column, of the gender head.
    heads: (Tensor, Tensor),
    calibration: Calibration,
    met_validation: bool,
}

/// Set in weights whose training, or that of what they began or were taught with, had the validation
/// faces among the training ones.
const MET_VALIDATION: &str = "met_validation";

impl Estimator {
    /// Loads folded weights, f32, f16 or eight bits, as [`Estimator::save`] writes them.
    ///
    /// # Errors
    /// [`ModelError::Weights`] when `bytes` are not such a file.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelError> {
        let unfit = |error: safetensors::SafeTensorError| ModelError::Weights(error.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unfit)?;
        let notes = header.metadata().clone().unwrap_or_default();
        let architecture = notes.get("architecture");
        let architecture = architecture.ok_or_else(|| ModelError::Weights("it names no architecture".into()))?;
        // Weights without one are taken as they are.
        let calibration =
            notes.get("calibration").map_or(Ok(Calibration::default()), |text| serde_json::from_str(text));
        let calibration = calibration.ok().filter(Calibration::is_sound);
        let calibration = calibration.ok_or_else(|| ModelError::Weights("the calibration is unusable".into()))?;
        let tensors = weights::load(bytes)?;
        let estimator = Self::from_tensors(architecture.parse()?, &tensors, calibration)?;
        Ok(Self { met_validation: notes.contains_key(MET_VALIDATION), ..estimator })
    }

    /// Takes folded weights by name: `<unit>.weight`, `<unit>.bias`, `age.*` and `gender.*`.
    ///
    /// # Errors
    /// [`ModelError::Weights`] when a tensor is missing or has another shape.
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
        let (age, gender) = (head("age", AGES)?, head("gender", 1)?);
        let heads = (Tensor::cat(&[age.0, gender.0], 1)?, Tensor::cat(&[age.1, gender.1], 0)?);
        let body = Body::new(&architecture, &units, &heads)?;
        Ok(Self { architecture, device: Device::Cpu, units, body, heads, calibration, met_validation: false })
    }

    /// The same network on another device, where it runs through candle's own operations.
    ///
    /// # Errors
    /// [`ModelError::Device`] when this build cannot use it, and when there is none.
    pub fn on(mut self, device: DeviceKind) -> Result<Self, ModelError> {
        let device = device.open()?;
        for (weight, _) in self.units.values_mut() {
            *weight = weight.to_device(&device)?;
        }
        let heads = (self.heads.0.to_device(&device)?, self.heads.1.to_device(&device)?);
        Ok(Self { device, heads, ..self })
    }

    /// The widths and depths of its body.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// A unit's folded weight (kernel, kernel, in, out) and its bias.
    pub fn unit(&self, name: &str) -> Option<(&Tensor, &[f32])> {
        self.units.get(name).map(|(weight, bias)| (weight, &**bias))
    }

    /// The `age` and the `gender` head.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn heads(&self) -> Result<[Head; 2], ModelError> {
        let (weight, bias) = &self.heads;
        let head = |name, first: usize, count: usize| -> Result<_, ModelError> {
            let (weight, bias) = (weight.narrow(1, first, count)?, bias.narrow(0, first, count)?);
            Ok(Head { name, weight: weight.contiguous()?, bias: bias.contiguous()? })
        };
        Ok([head("age", 0, AGES)?, head("gender", AGES, 1)?])
    }

    /// What makes its answers mean what they say.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The same weights under another calibration.
    pub fn with_calibration(self, calibration: Calibration) -> Self {
        Self { calibration, ..self }
    }

    /// Whether the faces by which training is judged were learnt from as well: figures measured on
    /// them flatter.
    pub fn met_validation(&self) -> bool {
        self.met_validation
    }

    /// The same weights, known to have [met their validation faces](Self::met_validation).
    pub fn having_met_validation(self) -> Self {
        Self { met_validation: true, ..self }
    }

    /// The mean of networks of one architecture, weight by weight, uncalibrated. Where all of them
    /// went on from one network, and not far, it is about as good as the mean of their answers
    /// (Wortsman et al. 2022, "model soups").
    ///
    /// # Errors
    /// [`ModelError::Weights`] when there is none, or they differ in their architecture.
    pub fn mean(networks: &[Self]) -> Result<Self, ModelError> {
        let Some((first, others)) = networks.split_first() else {
            return Err(ModelError::Weights("there are none to average".into()));
        };
        let mut sums = first.tensors()?;
        for network in others {
            if network.architecture != first.architecture {
                let (one, other) = (&first.architecture, &network.architecture);
                return Err(ModelError::Weights(format!("{one} and {other} cannot be averaged")));
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
        Ok(Self { met_validation: networks.iter().any(Self::met_validation), ..mean })
    }

    /// The folded weights by the names that [`Estimator::from_tensors`] takes, f32.
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

    /// The same network as a file of this precision gives it back.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn rounded(self, precision: Precision) -> Result<Self, ModelError> {
        let tensors = weights::read(weights::stored(self.tensors()?, precision)?)?;
        let rounded = Self::from_tensors(self.architecture, &tensors, self.calibration)?;
        Ok(Self { met_validation: self.met_validation, ..rounded })
    }

    /// Writes the folded weights and what is needed to run them.
    ///
    /// # Errors
    /// [`ModelError::Weights`] when the file cannot be written.
    pub fn save(&self, path: &std::path::Path, precision: Precision) -> Result<(), ModelError> {
        let tensors = weights::stored(self.tensors()?, precision)?;
        let calibration =
            serde_json::to_string(&self.calibration).map_err(|error| ModelError::Weights(error.to_string()))?;
        let mut notes = HashMap::from([
            ("architecture".to_owned(), self.architecture.to_string()),
            ("calibration".to_owned(), calibration),
        ]);
        if self.met_validation {
            notes.insert(MET_VALIDATION.to_owned(), "yes".to_owned());
        }
        safetensors::serialize_to_file(&tensors, Some(notes), path)
            .map_err(|error| ModelError::Weights(error.to_string()))
    }

    /// Pictures (batch, 128, 128, 1), normalised as [`input`] does → uncalibrated [`Logits`].
    ///
    /// # Errors
    /// When the tensor has another shape.
    pub fn forward(&self, pictures: &Tensor) -> Result<Logits, ModelError> {
        let logits = match self.device {
            Device::Cpu => pictures.apply_op1_no_bwd(&self.body)?,
            _ => self.plain_logits(pictures)?,
        };
        Ok(Logits { age: logits.narrow(1, 0, AGES)?, gender: logits.narrow(1, AGES, 1)? })
    }

    /// Pictures (batch, 128, 128, 1) → logits (batch, 102) by candle's own operations.
    fn plain_logits(&self, pictures: &Tensor) -> Result<Tensor, ModelError> {
        Ok(body::plain(&self.architecture, &self.units, &self.heads, &pictures.to_device(&self.device)?)?)
    }

    /// One pass over crops as they are, uncalibrated.
    ///
    /// # Errors
    /// [`ModelError::CropSize`] when a crop has not 128×128 pixels.
    pub fn logits(&self, crops: &[&[u8]]) -> Result<Logits, ModelError> {
        self.forward(&input(crops)?)
    }

    /// Answers to each crop and its mirror image in one forward pass, averaged, which halves the
    /// noise of left and right for twice the work.
    ///
    /// # Errors
    /// [`ModelError::CropSize`] when a crop has not 128×128 pixels.
    pub fn answers(&self, crops: &[&[u8]]) -> Result<Vec<RawAnswer>, ModelError> {
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
        let genders = mean(&logits.gender)?.flatten_all()?.to_vec1()?;
        let answers = ages.into_iter().zip(genders).map(|(age, gender_logit)| {
            let age_probabilities = age.try_into().map_err(|_| ModelError::Weights("not 101 ages".into()))?;
            Ok(RawAnswer { age_probabilities, gender_logit })
        });
        answers.collect()
    }

    /// The calibrated [`Estimator::answers`].
    ///
    /// # Errors
    /// As [`Estimator::answers`].
    pub fn estimate(&self, crops: &[&[u8]]) -> Result<Vec<Estimate>, ModelError> {
        Ok(self.answers(crops)?.iter().map(|answer| self.calibration.apply(answer)).collect())
    }
}

fn mirrored(crop: &[u8]) -> Vec<u8> {
    crop.chunks(SIDE).flat_map(|row| row.iter().rev().copied()).collect()
}

/// The compiled-in weights, trained by this program's own `train`.
pub fn embedded() -> &'static [u8] {
    include_bytes!("../../models/estimator.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_give_what_candles_own_operations_give() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let crops: Vec<Vec<u8>> = (1..=5)
            .map(|step| (0..SIDE * SIDE).map(|at| ((at * step * 37 + at / SIDE * 91) % 256) as u8).collect())
            .collect();
        let pictures = input(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let kernels = pictures.apply_op1_no_bwd(&estimator.body).unwrap();
        let plain = estimator.plain_logits(&pictures).unwrap();
        let most = |tensor: &Tensor| tensor.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        let worst = most(&(kernels - &plain).unwrap()) / most(&plain);
        assert!(worst < 1e-4, "they differ by {worst} of the largest logit");
    }

    /// A network whose every weight is `value`.
    fn even(architecture: &str, value: f32) -> Estimator {
        let architecture: Architecture = architecture.parse().unwrap();
        let full = |shape: &[usize]| Tensor::full(value, shape, &Device::Cpu).unwrap();
        let mut tensors = HashMap::new();
        for Unit { name, kernel, channels, out_channels, .. } in architecture.units() {
            tensors.insert(format!("{name}.weight"), full(&[kernel, kernel, channels, out_channels]));
            tensors.insert(format!("{name}.bias"), full(&[out_channels]));
        }
        for (name, outputs) in [("age", AGES), ("gender", 1)] {
            tensors.insert(format!("{name}.weight"), full(&[architecture.features(), outputs]));
            tensors.insert(format!("{name}.bias"), full(&[outputs]));
        }
        Estimator::from_tensors(architecture, &tensors, Calibration::default()).unwrap()
    }

    #[test]
    fn the_mean_of_networks_has_the_mean_of_their_weights_and_remembers_what_any_of_them_met() {
        let networks = [even("8:8x1", 1.0), even("8:8x1", 2.0), even("8:8x1", 6.0).having_met_validation()];
        let mean = Estimator::mean(&networks).unwrap();
        for (name, tensor) in mean.tensors().unwrap() {
            assert!(
                tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|value| *value == 3.0),
                "{name}"
            );
        }
        assert!(mean.met_validation());
        assert!(!Estimator::mean(&networks[..2]).unwrap().met_validation());
        assert!(Estimator::mean(&[]).is_err());
        let fault = Estimator::mean(&[even("8:8x1", 1.0), even("8:8x2", 1.0)]).err().unwrap();
        assert!(fault.to_string().contains("8:8x2"), "{fault}");
    }
}
