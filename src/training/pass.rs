//! Forward and backward pass of the residual body for one part of a batch, on one thread.
//!
//! A pass stores the activations that backward needs and reuses its buffers from step to step.
//! Batch normalisation takes its statistics over the images of the pass alone, so that the passes of
//! one batch run in parallel without synchronisation (Goyal et al. 2017 likewise normalise per
//! worker).

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use crate::model::convolution::{self, Weights};
use crate::model::im2col::ConvGeometry;
use crate::model::network::{Architecture, Unit};
use crate::model::normalisation::{self, Statistics};

/// Where a layer's input or residual comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Images,
    /// The output of the layer at this index.
    Layer(usize),
}

/// The network's units in execution order, each with its shape and sources.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    steps: Vec<Step>,
    features: usize,
    /// Pixels of one image.
    pixels: usize,
}

#[derive(Debug, Clone)]
struct Step {
    unit: Unit,
    /// For one image.
    geometry: ConvGeometry,
    input: Source,
    residual: Option<usize>,
}

impl Plan {
    /// For square images of `side` pixels.
    pub(super) fn new(architecture: &Architecture, side: usize) -> Self {
        let mut plan = Self { steps: Vec::new(), features: architecture.features(), pixels: side * side };
        let mut x = plan.add(architecture.stem(), Source::Images, side, None);
        for block in architecture.blocks() {
            let side = plan.side(x);
            let inner = plan.add(block.first, Source::Layer(x), side, None);
            let skip = block.shortcut.map_or(x, |shortcut| plan.add(shortcut, Source::Layer(x), side, None));
            x = plan.add(block.second, Source::Layer(inner), plan.side(inner), Some(skip));
        }
        plan
    }

    fn add(&mut self, unit: Unit, input: Source, side: usize, residual: Option<usize>) -> usize {
        let Unit { kernel, stride, channels, out_channels, .. } = unit;
        let geometry = ConvGeometry { batch: 1, height: side, width: side, channels, out_channels, kernel, stride };
        self.steps.push(Step { unit, geometry, input, residual });
        self.steps.len() - 1
    }

    /// Side of a layer's output, pixels.
    fn side(&self, layer: usize) -> usize {
        self.steps[layer].geometry.out_height()
    }
}

/// All units' parameters, with weights laid out for the convolution kernels.
pub(super) struct Body<'a> {
    plan: &'a Plan,
    /// Forward weights, transposed weights and affine parameters of each unit.
    layers: Vec<(Weights, Weights, &'a [f32])>,
}

impl<'a> Body<'a> {
    /// `parameter` returns a unit's `weight` or `affine` by name.
    pub(super) fn new(plan: &'a Plan, parameter: impl Fn(&str) -> &'a [f32] + Sync) -> Self {
        let layer = |Step { unit, geometry, .. }: &Step| {
            let weight = parameter(&format!("{}.weight", unit.name));
            let (forward, transposed) = (Weights::new(geometry, weight), Weights::transposed(geometry, weight));
            (forward, transposed, parameter(&format!("{}.affine", unit.name)))
        };
        Self { plan, layers: plan.steps.par_iter().map(layer).collect() }
    }
}

/// One layer's activations and gradients.
#[derive(Debug, Default)]
struct Layer {
    /// The convolution's output; in backward, its gradient.
    raw: Vec<f32>,
    out: Vec<f32>,
    /// Of the loss with respect to `out`.
    gradient: Vec<f32>,
    statistics: Statistics,
}

/// Buffers of one pass.
#[derive(Debug, Default)]
pub(super) struct Pass {
    images: Vec<f32>,
    layers: Vec<Layer>,
}

impl Pass {
    /// Standardised images (images, side, side) → pooled features (images, features).
    pub(super) fn forward(&mut self, body: &Body<'_>, images: Vec<f32>) -> Vec<f32> {
        let batch = images.len() / body.plan.pixels;
        self.images = images;
        self.layers.resize_with(body.plan.steps.len(), Layer::default);
        for (index, (step, (weights, _, affine))) in body.plan.steps.iter().zip(&body.layers).enumerate() {
            let g = ConvGeometry { batch, ..step.geometry };
            let (before, rest) = self.layers.split_at_mut(index);
            let Some(layer) = rest.first_mut() else { continue };
            let input = match step.input {
                Source::Images => &self.images,
                Source::Layer(source) => &before[source].out,
            };
            for values in [&mut layer.raw, &mut layer.out, &mut layer.gradient] {
                values.resize(g.output_size(), 0.0);
            }
            convolution::forward(&g, weights, input, (None, None), &mut layer.raw);
            layer.statistics = normalisation::statistics(&layer.raw, g.out_channels);
            let residual = step.residual.map(|source| &before[source].out[..]);
            let (raw, statistics) = (&layer.raw, &layer.statistics);
            normalisation::normalise(raw, statistics, affine, residual, step.unit.relu, &mut layer.out);
        }
        let Some(last) = self.layers.last() else { return Vec::new() };
        let pixels = last.out.len() / (batch * body.plan.features);
        let mut features = vec![0.0; batch * body.plan.features];
        for (image, features) in
            last.out.chunks_exact(pixels * body.plan.features).zip(features.chunks_exact_mut(body.plan.features))
        {
            for pixel in image.chunks_exact(features.len()) {
                features.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value / pixels as f32);
            }
        }
        features
    }

    /// Parameter gradients by name, from the gradient of the features; requires a preceding `forward`.
    pub(super) fn backward(&mut self, body: &Body<'_>, features: &[f32]) -> HashMap<String, Vec<f32>> {
        let mut gradients = HashMap::new();
        let batch = self.images.len() / body.plan.pixels;
        let count = body.plan.features;
        if let Some(last) = self.layers.last_mut() {
            let pixels = last.out.len() / (batch * count);
            for (image, features) in last.gradient.chunks_exact_mut(pixels * count).zip(features.chunks_exact(count)) {
                for pixel in image.chunks_exact_mut(count) {
                    pixel.iter_mut().zip(features).for_each(|(value, gradient)| *value = gradient / pixels as f32);
                }
            }
        }
        // A residual's gradient can be swapped in, since it is always its source's first one: the layer
        // that adds it is the last of its block. Further gradients are accumulated.
        let mut has_gradient = vec![false; self.layers.len()];
        for (index, (step, (_, transposed, affine))) in body.plan.steps.iter().zip(&body.layers).enumerate().rev() {
            let g = ConvGeometry { batch, ..step.geometry };
            let (before, rest) = self.layers.split_at_mut(index);
            let Some(layer) = rest.first_mut() else { continue };
            let Layer { raw, out, gradient, statistics } = layer;
            let affine = normalisation::backward(raw, out, step.unit.relu, gradient, statistics, affine);
            if let Some(source) = step.residual {
                std::mem::swap(&mut before[source].gradient, gradient);
                has_gradient[source] = true;
            }
            let mut weight = vec![0.0; g.columns() * g.out_channels];
            match step.input {
                Source::Images => convolution::backward(&g, transposed, &self.images, raw, None, &mut weight),
                Source::Layer(index) => {
                    let source = &mut before[index];
                    if !std::mem::replace(&mut has_gradient[index], true) {
                        source.gradient.fill(0.0);
                    }
                    convolution::backward(&g, transposed, &source.out, raw, Some(&mut source.gradient), &mut weight);
                }
            }
            gradients.insert(format!("{}.weight", step.unit.name), weight);
            gradients.insert(format!("{}.affine", step.unit.name), affine);
        }
        gradients
    }

    /// Unit names and their statistics in the last `forward`.
    pub(super) fn statistics<'a, 'b>(&'a self, body: &Body<'b>) -> impl Iterator<Item = (&'b str, &'a Statistics)> {
        let names = body.plan.steps.iter().map(|step| step.unit.name.as_str());
        names.zip(self.layers.iter().map(|layer| &layer.statistics))
    }
}

/// Sums the gradients of several passes, always in the same order.
pub(super) fn sum_gradients(passes: impl IntoIterator<Item = HashMap<String, Vec<f32>>>) -> BTreeMap<String, Vec<f32>> {
    let mut total: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    for pass in passes {
        for (name, values) in pass {
            match total.get_mut(&name) {
                Some(sum) => sum.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value),
                None => drop(total.insert(name, values)),
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device, Result, Tensor, Var};

    use super::*;
    use crate::model::normalisation::EPSILON;

    /// The same network with candle's operations.
    fn reference(architecture: &Architecture, vars: &HashMap<String, Var>, images: &Tensor) -> Result<Tensor> {
        architecture.walk(images, |unit, x, residual| {
            let weight = vars[&format!("{}.weight", unit.name)].permute((3, 2, 0, 1))?.contiguous()?;
            let x = x.permute((0, 3, 1, 2))?.contiguous()?.conv2d(&weight, unit.kernel / 2, unit.stride, 1, 1)?;
            let x = x.permute((0, 2, 3, 1))?.contiguous()?;
            let flat = x.reshape(((), unit.out_channels))?;
            let centred = flat.broadcast_sub(&flat.mean_keepdim(0)?)?;
            let deviation = (centred.sqr()?.mean_keepdim(0)? + f64::from(EPSILON))?.sqrt()?;
            let affine = vars[&format!("{}.affine", unit.name)].as_tensor();
            let y =
                centred.broadcast_div(&deviation)?.broadcast_mul(&affine.get(0)?)?.broadcast_add(&affine.get(1)?)?;
            let y = y.reshape(x.shape())?;
            let y = if let Some(residual) = residual { (y + residual)? } else { y };
            if unit.relu { y.relu() } else { Ok(y) }
        })
    }

    #[test]
    fn features_and_gradients_equal_those_of_candle() {
        // A smaller side after a larger one: the buffers contain values of the first.
        assert_equals_candle("5:8x2,12x1", [128, 72]);
        // Small enough that no activation is so close to zero that rounding changes a ReLU.
        assert_equals_candle("5x1:8x2,12x1", [40, 24]);
    }

    fn assert_equals_candle(architecture: &str, sides: [usize; 2]) {
        let architecture: Architecture = architecture.parse().unwrap();
        let wave = |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        let mut values = HashMap::new();
        let mut vars = HashMap::new();
        for (index, Unit { name, kernel, channels, out_channels, .. }) in architecture.units().into_iter().enumerate() {
            let shape = [kernel, kernel, channels, out_channels];
            for (part, shape) in [("weight", &shape[..]), ("affine", &[2, out_channels])] {
                let name = format!("{name}.{part}");
                let numbers = wave(shape.iter().product(), 0.37 + 0.11 * index as f32);
                vars.insert(name.clone(), Var::from_slice(&numbers, shape, &Device::Cpu).unwrap());
                values.insert(name, numbers);
            }
        }
        let mut pass = Pass::default();
        let assert_close = |ours: &[f32], theirs: &Tensor, what: &str| {
            let ours = Tensor::from_slice(ours, theirs.shape(), &Device::Cpu).unwrap();
            let scale = theirs.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap().max(1e-3);
            let worst = (ours - theirs).unwrap().abs().unwrap().flatten_all().unwrap().max(D::Minus1).unwrap();
            let worst = worst.to_scalar::<f32>().unwrap();
            assert!(worst / scale < 2e-4, "{what} differs by {worst} of {scale}");
        };
        for side in sides {
            let images = wave(3 * side * side, 0.013);
            let weighting = wave(3 * 12, 0.7);
            let tensor = Tensor::from_slice(&images, (3, side, side, 1), &Device::Cpu).unwrap();
            let theirs = reference(&architecture, &vars, &tensor).unwrap();
            let plan = Plan::new(&architecture, side);
            let body = Body::new(&plan, |name| &values[name]);
            let gradients = (&theirs * Tensor::from_slice(&weighting, (3, 12), &Device::Cpu).unwrap()).unwrap();
            let gradients = gradients.sum_all().unwrap().backward().unwrap();
            for _ in 0..2 {
                assert_close(&pass.forward(&body, images.clone()), &theirs, "features");
                let ours = pass.backward(&body, &weighting);
                assert_eq!(ours.len(), vars.len());
                for (name, var) in &vars {
                    assert_close(&ours[name], gradients.get(var).unwrap(), name);
                }
            }
        }
    }
}
