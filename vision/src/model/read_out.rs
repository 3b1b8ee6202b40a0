//! What the network computes on the way to its answer: maps, weights and logits of one picture, for
//! explanations.
//!
//! The maps are those of the same forward pass that guesses use, so they show what the network actually computes; a
//! pass that nobody reads costs nothing more.

use candle_core::{D, Tensor};
use candle_nn::ops::softmax;

use super::ModelError;
use super::estimate::quantile;
use super::estimator::Estimator;
use super::network::{AGES, SIDE};

/// Sides of the maps from which a deeper map is coarse: its channels respond to larger parts of a face than
/// the stem's, and still have a place.
const DEEP_SIDE: usize = 16;

/// Activations of one layer: (side, side, channels), after ReLU.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map {
    /// Height and width.
    pub side: usize,
    /// Number of channels.
    pub channels: usize,
    /// Row-major, channels last.
    pub values: Vec<f32>,
}

impl Map {
    /// The activations of one channel, row-major: `side * side`.
    pub fn channel(&self, channel: usize) -> Vec<f32> {
        self.values.iter().skip(channel).step_by(self.channels.max(1)).copied().collect()
    }
}

/// The maps of one forward pass over one picture, and its logits.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOut {
    /// The stem's map, the first layer's.
    pub first: Map,
    /// The last map of at least 16×16 cells after the stem's.
    pub deep: Map,
    /// The map whose mean the heads read.
    pub last: Map,
    /// The logits of the years 0 to 100.
    pub age_logits: Vec<f32>,
    /// Positive for female.
    pub gender_logit: f32,
}

/// One output of a head: the logit is the sum over the features of weight times feature, plus the bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// One weight per channel of the last map.
    pub weights: Vec<f32>,
    /// Added to the sum.
    pub bias: f32,
}

/// A convolution over one channel, as the stem applies it to the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// (3, 3), row-major.
    pub weights: [f32; 9],
    /// Added to the sum of the products, before the ReLU.
    pub bias: f32,
}

impl Estimator {
    /// One forward pass over a picture (128, 128), standardised as by [`super::network::standardise`], on the CPU.
    ///
    /// # Errors
    /// [`ModelError::CropSize`] if the picture has another size.
    pub fn read_out(&self, picture: &[f32]) -> Result<ReadOut, ModelError> {
        if picture.len() != SIDE * SIDE {
            return Err(ModelError::CropSize(picture.len()));
        }
        let mut logits = vec![0.0; self.fused.outputs()];
        let mut maps: Vec<Map> = Vec::new();
        self.fused.logits(picture, [SIDE, SIDE], &mut logits, |map| {
            maps.push(Map { side: map.height, channels: map.channels, values: map.values().to_vec() });
        });
        let deep = maps.iter().skip(1).rposition(|map| map.side >= DEEP_SIDE).map_or(0, |index| index + 1);
        let (first, deep, last) = (maps.first().cloned(), maps.get(deep).cloned(), maps.pop());
        Ok(ReadOut {
            first: first.unwrap_or_default(),
            deep: deep.unwrap_or_default(),
            last: last.unwrap_or_default(),
            gender_logit: logits.get(AGES).copied().unwrap_or_default(),
            age_logits: logits.into_iter().take(AGES).collect(),
        })
    }

    /// Median ages in years of standardised pictures (batch, 128, 128), each as it is, without its mirror image.
    ///
    /// # Errors
    /// If the number of values is not a multiple of a picture's.
    pub fn ages(&self, pictures: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        let batch = pictures.len() / (SIDE * SIDE);
        let pictures = Tensor::from_vec(pictures, (batch, SIDE, SIDE, 1), &candle_core::Device::Cpu)?;
        let ages = softmax(&self.forward(&pictures)?.age, D::Minus1)?.to_vec2::<f32>()?;
        let median = |age: Vec<f32>| {
            let probabilities: [f32; AGES] = age.try_into().map_err(|_| ModelError::Weights("not 101 ages".into()))?;
            Ok(quantile(&probabilities, 0.5))
        };
        ages.into_iter().map(median).collect()
    }

    /// The filters of the first layer.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn first_filters(&self) -> Result<Vec<Filter>, ModelError> {
        let stem = self.architecture().stem();
        let missing = || ModelError::Weights(format!("{} is missing", stem.name));
        let (weight, bias) = self.unit(&stem.name).ok_or_else(missing)?;
        // (3, 3, 1, out) → (out, 9)
        let weight = weight.reshape((9, stem.out_channels))?.t()?.to_vec2::<f32>()?;
        let filter = |(weights, bias): (Vec<f32>, &f32)| {
            let weights = weights.try_into().map_err(|_| ModelError::Weights("not 3×3 weights".into()))?;
            Ok(Filter { weights, bias: *bias })
        };
        weight.into_iter().zip(bias).map(filter).collect()
    }

    /// Output `index` of the head `name`, `age` or `gender`; one of several ages relative to their mean, because the
    /// softmax depends on nothing else.
    ///
    /// # Errors
    /// [`ModelError::Weights`] if there is no such output.
    pub fn output(&self, name: &str, index: usize) -> Result<Output, ModelError> {
        let missing = || ModelError::Weights(format!("the head {name} has no output {index}"));
        let head = self.heads()?.into_iter().find(|head| head.name == name).ok_or_else(missing)?;
        let (weight, bias) = match head.bias.elem_count() {
            0 | 1 => (head.weight, head.bias),
            _ => (
                head.weight.broadcast_sub(&head.weight.mean_keepdim(1)?)?,
                head.bias.broadcast_sub(&head.bias.mean_keepdim(0)?)?,
            ),
        };
        let bias = bias.to_vec1::<f32>()?.get(index).copied().ok_or_else(missing)?;
        Ok(Output { weights: weight.narrow(1, index, 1)?.flatten_all()?.to_vec1()?, bias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::estimator::embedded;
    use crate::model::network::{input, standardise};

    #[test]
    fn the_maps_are_those_of_the_guess() {
        let estimator = Estimator::from_safetensors(embedded()).unwrap();
        let crop: Vec<u8> = (0..SIDE * SIDE).map(|at| ((at * 37 + at / SIDE * 91) % 256) as u8).collect();
        let read_out = estimator.read_out(&standardise(&[&crop])).unwrap();
        let logits = estimator.forward(&input(&[&crop]).unwrap()).unwrap();
        assert_eq!(logits.age.flatten_all().unwrap().to_vec1::<f32>().unwrap(), read_out.age_logits);
        assert_eq!(logits.gender.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [read_out.gender_logit]);
        assert_eq!((read_out.first.side, read_out.deep.side, read_out.last.side), (64, 16, 4));
        // The first filter by hand, away from the border.
        let filter = &estimator.first_filters().unwrap()[0];
        let picture = standardise(&[&crop]);
        let (x, y) = (20, 30);
        let taps = (0..9).map(|tap| picture[(2 * y + tap / 3 - 1) * SIDE + 2 * x + tap % 3 - 1]);
        let sum: f32 = taps.zip(filter.weights).map(|(value, weight)| value * weight).sum();
        let output = read_out.first.channel(0)[y * 64 + x];
        assert!(((sum + filter.bias).max(0.0) - output).abs() < 1e-4, "{sum} {output}");
    }
}
