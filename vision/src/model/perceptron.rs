//! A perceptron with one hidden layer: the small heads that were trained after the network itself.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::ModelError;
use super::feature_maps::FeatureMaps;

/// The weights, in f32: they are few, and the inputs differ in scale.
#[derive(Debug, Clone)]
pub(super) struct Perceptron {
    name: &'static str,
    hidden: Layer,
    output: Layer,
}

#[derive(Debug, Clone)]
struct Layer {
    /// (inputs, outputs), row-major.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Perceptron {
    /// The one called `name` with this many inputs and outputs, if `tensors` has it: `<name>.hidden.weight` and so on.
    pub(super) fn from_tensors(
        tensors: &HashMap<String, Tensor>,
        name: &'static str,
        [inputs, outputs]: [usize; 2],
    ) -> Result<Option<Self>, ModelError> {
        let [hidden, output] = Self::layers(name);
        let Some(bias) = tensors.get(&format!("{hidden}.bias")) else { return Ok(None) };
        let width = bias.elem_count();
        let hidden = Layer::from_tensors(tensors, &hidden, [inputs, width])?;
        Ok(Some(Self { name, hidden, output: Layer::from_tensors(tensors, &output, [width, outputs])? }))
    }

    /// The tensors from which [`Perceptron::from_tensors`] makes it again.
    pub(super) fn tensors(&self) -> Result<impl Iterator<Item = (String, Tensor)> + use<>, ModelError> {
        let mut tensors = Vec::new();
        for (name, Layer { weight, bias }) in Self::layers(self.name).into_iter().zip([&self.hidden, &self.output]) {
            let shape = (weight.len() / bias.len().max(1), bias.len());
            tensors.push((format!("{name}.weight"), Tensor::from_slice(weight, shape, &Device::Cpu)?));
            tensors.push((format!("{name}.bias"), Tensor::new(&**bias, &Device::Cpu)?));
        }
        Ok(tensors.into_iter())
    }

    fn layers(name: &str) -> [String; 2] {
        [format!("{name}.hidden"), format!("{name}.output")]
    }

    /// Fills `logits` with the outputs; `hidden` is scratch space.
    pub(super) fn logits(&self, inputs: &[f32], hidden: &mut FeatureMaps, logits: &mut [f32]) {
        hidden.reshape([1, 1, 1, self.hidden.bias.len()]);
        let hidden = hidden.values_mut();
        self.hidden.apply(inputs, hidden);
        hidden.iter_mut().for_each(|value| *value = value.max(0.0));
        self.output.apply(hidden, logits);
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

    fn apply(&self, inputs: &[f32], outputs: &mut [f32]) {
        outputs.copy_from_slice(&self.bias);
        for (input, row) in inputs.iter().zip(self.weight.chunks_exact(self.bias.len().max(1))) {
            outputs.iter_mut().zip(row).for_each(|(output, weight)| *output += input * weight);
        }
    }
}
