//! The network while it learns: weights, optimiser, averaged weights.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Result, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::TrainingError;
use super::augmentation::{Mixed, Sample};
use super::objective::Targets;
use super::pass::{Body, Pass, Plan, summed};
use super::recipe::Recipe;
use crate::model::calibration::Calibration;
use crate::model::convolution::{Convolution, Epilogue};
use crate::model::estimator::{Estimator, Head, Logits};
use crate::model::network::{AGES, Architecture, SIDE, Unit, input, standardised};
use crate::model::normalisation::{EPSILON, Statistics, folded, statistics};

/// AdamW's decay of the first and second moment, and the number that keeps its quotient finite.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const ADAM_EPSILON: f64 = 1e-8;
/// Gradients longer than this are shortened to it (Pascanu et al. 2013): one odd batch at the
/// peak learning rate must not undo an epoch.
const LONGEST_GRADIENT: f64 = 5.0;

/// A trained tensor with its moments and running average.
pub(super) struct Parameter {
    shape: Vec<usize>,
    pub(super) values: Vec<f32>,
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
    pub(super) average: Vec<f32>,
}

/// All that changes from step to step.
pub struct Learner {
    recipe: Recipe,
    architecture: Architecture,
    seed: u64,
    pub(super) parameters: BTreeMap<String, Parameter>,
    pub(super) step: usize,
    /// Memory of the ways through the network, kept from step to step.
    passes: Vec<Pass>,
}

impl Learner {
    /// Fresh weights: He et al. 2015 for convolutions, small for heads, from `seed`.
    ///
    /// # Errors
    /// When the recipe's architecture cannot be read.
    pub fn new(recipe: &Recipe, seed: u64) -> std::result::Result<Self, TrainingError> {
        let architecture: Architecture = recipe.architecture.parse()?;
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x7765_6967_6874_7300);
        let mut parameters = BTreeMap::new();
        let mut add = |name: String, values: Vec<f32>, shape: &[usize]| {
            let zeros = vec![0.0; values.len()];
            let (shape, average) = (shape.to_vec(), values.clone());
            parameters.insert(name, Parameter { shape, values, first: zeros.clone(), second: zeros, average });
        };
        for Unit { name, kernel, channels, out_channels, .. } in architecture.units() {
            let fan_in = kernel * kernel * channels;
            let weight = normal(&mut random, fan_in * out_channels, (2.0 / fan_in as f32).sqrt());
            add(format!("{name}.weight"), weight, &[kernel, kernel, channels, out_channels]);
            // A block starts as its shortcut alone (Goyal et al. 2017), which trains more evenly.
            let scale = if name.ends_with("second") { 0.2 } else { 1.0 };
            let affine = [vec![scale; out_channels], vec![0.0; out_channels]].concat();
            add(format!("{name}.affine"), affine, &[2, out_channels]);
        }
        let features = architecture.features();
        for (name, outputs) in [("age", AGES), ("gender", 1)] {
            let weight = normal(&mut random, features * outputs, 0.01);
            add(format!("{name}.weight"), weight, &[features, outputs]);
            add(format!("{name}.bias"), vec![0.0; outputs], &[outputs]);
        }
        Ok(Self { recipe: recipe.clone(), architecture, seed, parameters, step: 0, passes: Vec::new() })
    }

    /// Takes the folded weights of a trained network as the start of another schedule, its
    /// normalisation restored from what it makes of `batches` of crops.
    ///
    /// A unit's scale and shift become the deviation and mean of its output, and its weights are
    /// brought back to the size of fresh ones: normalised, they give the same, and AdamW's steps
    /// are to mean as much to them.
    ///
    /// Blocks that the recipe adds to the network start as their shortcut alone: they change nothing
    /// until they have learnt something (Chen et al. 2016, "Net2Net"; Goyal et al. 2017).
    ///
    /// # Errors
    /// [`TrainingError::Recipe`] when the network has another architecture than the recipe, but for
    /// blocks that are missing.
    pub fn begin_with(
        &mut self,
        trained: &Estimator,
        batches: &[Vec<Vec<u8>>],
    ) -> std::result::Result<(), TrainingError> {
        if !self.architecture.deepens(trained.architecture()) {
            let (theirs, ours) = (trained.architecture(), &self.architecture);
            return Err(TrainingError::Recipe(format!(
                "the weights to start from are {theirs}, the recipe says {ours}"
            )));
        }
        let crops: Vec<&[u8]> = batches.iter().flatten().map(Vec::as_slice).collect();
        let mut begun: Vec<(String, Vec<f32>)> = Vec::new();
        self.architecture.walk(&input(&crops)?, |unit, x, residual| {
            let Some((weight, bias)) = trained.unit(&unit.name) else {
                if residual.is_some() {
                    begun.push((format!("{}.affine", unit.name), vec![0.0; 2 * unit.out_channels]));
                }
                return Ok(residual.unwrap_or(x).clone());
            };
            let operation = Convolution::new(weight, unit.stride, Epilogue { bias: bias.into(), relu: false })?;
            let y = x.apply_op1_no_bwd(&operation)?;
            let Statistics { mean, variance } = statistics(&y.flatten_all()?.to_vec1::<f32>()?, unit.out_channels);
            let deviation = variance.iter().map(|variance| (variance + EPSILON).sqrt());
            begun.push((format!("{}.affine", unit.name), deviation.chain(mean.iter().copied()).collect()));
            let mut values = weight.flatten_all()?.to_vec1::<f32>()?;
            let fan_in = values.len() / unit.out_channels;
            for channel in 0..unit.out_channels {
                let squares = |sum: f32, row: &[f32]| sum + row[channel].powi(2);
                let size = (values.chunks_exact(unit.out_channels).fold(0.0, squares) / fan_in as f32).sqrt();
                let factor = (2.0 / fan_in as f32).sqrt() / size.max(1e-12);
                values.chunks_exact_mut(unit.out_channels).for_each(|row| row[channel] *= factor);
            }
            begun.push((format!("{}.weight", unit.name), values));
            let y = if let Some(residual) = residual { (y + residual)? } else { y };
            if unit.relu { y.relu() } else { Ok(y) }
        })?;
        for Head { name, weight, bias } in trained.heads()? {
            begun.push((format!("{name}.weight"), weight.flatten_all()?.to_vec1()?));
            begun.push((format!("{name}.bias"), bias.flatten_all()?.to_vec1()?));
        }
        for (name, values) in begun {
            if let Some(parameter) = self.parameters.get_mut(&name) {
                parameter.average.clone_from(&values);
                parameter.values = values;
            }
        }
        Ok(())
    }

    /// Steps taken so far.
    pub fn steps(&self) -> usize {
        self.step
    }

    /// Learns from one batch of varied crops (square, grey, all of one size) and returns its loss.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn step(&mut self, batch: &[Sample<'_>], total_steps: usize) -> std::result::Result<f32, TrainingError> {
        let own = batch.iter().map(|sample| (sample.example, 1.0 - sample.mixed.map_or(0.0, |mixed| mixed.share)));
        let mut targets = vec![Targets::new(own, &self.recipe)?];
        if batch.iter().any(|sample| sample.mixed.is_some()) {
            let others = batch.iter().map(|sample| match sample.mixed {
                Some(Mixed { example, share }) => (example, share),
                None => (sample.example, 0.0),
            });
            targets.push(Targets::new(others, &self.recipe)?);
        }
        let mask = self.dropout_mask(batch.len())?;
        let crops: Vec<&[u8]> = batch.iter().map(|sample| sample.pixels.as_slice()).collect();
        let shares = shares(&crops, self.recipe.normalised_together);
        let side = crops.first().map_or(SIDE, |crop| crop.len().isqrt());
        let plan = Plan::new(&self.architecture, side);
        let body = Body::new(&plan, |name| &self.parameters[name].values);
        self.passes.resize_with(shares.len().max(self.passes.len()), Pass::default);
        let passes = self.passes.par_iter_mut().zip(&shares);
        let features =
            passes.map(|(pass, crops)| pass.forward(&body, standardised(crops))).collect::<Vec<_>>().concat();
        // The heads and the loss are small: candle differentiates them.
        let features = Var::from_vec(features, (batch.len(), self.architecture.features()), &Device::Cpu)?;
        let heads = ["age.weight", "age.bias", "gender.weight", "gender.bias"];
        let heads = heads.map(|name| (name, &self.parameters[name]));
        let vars: BTreeMap<&str, Var> = heads
            .into_iter()
            .map(|(name, one)| Ok((name, Var::from_slice(&one.values, one.shape.as_slice(), &Device::Cpu)?)))
            .collect::<Result<_>>()?;
        let dropped = (features.as_tensor() * mask)?;
        let head = |weight: &str, bias: &str| dropped.matmul(&vars[weight])?.broadcast_add(&vars[bias]);
        let logits = Logits { age: head("age.weight", "age.bias")?, gender: head("gender.weight", "gender.bias")? };
        let losses = targets.iter().map(|targets| targets.loss(&logits, &self.recipe)).collect::<Result<Vec<_>>>()?;
        let loss = Tensor::stack(&losses, 0)?.sum_all()?;
        let mut store = loss.backward()?;
        let loss = loss.to_scalar::<f32>()?;
        let mut gradient_of = |var: &Var| match store.remove(var) {
            Some(gradient) => gradient.flatten_all()?.to_vec1::<f32>(),
            None => candle_core::bail!("the loss depends on no such variable"),
        };
        let features = gradient_of(&features)?;
        let mut parts = Vec::new();
        let mut rest = &features[..];
        for share in &shares {
            let (part, others) = rest.split_at(share.len() * self.architecture.features());
            parts.push(part);
            rest = others;
        }
        let passes = self.passes.par_iter_mut().zip(&parts);
        let mut gradients = summed(passes.map(|(pass, part)| pass.backward(&body, part)).collect::<Vec<_>>());
        for (name, var) in &vars {
            gradients.insert((*name).to_owned(), gradient_of(var)?);
        }
        self.update(&gradients, self.recipe.learning_rate_at(self.step, total_steps));
        Ok(loss)
    }

    /// AdamW (Loshchilov & Hutter 2019) and the average of weights.
    fn update(&mut self, gradients: &BTreeMap<String, Vec<f32>>, rate: f64) {
        let square = |values: &Vec<f32>| values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
        // Collected before they are summed: always in the same order.
        let squares: Vec<f64> = gradients.par_iter().map(|(_, values)| square(values)).collect();
        let squares: f64 = squares.iter().sum();
        let shrink = (LONGEST_GRADIENT / squares.sqrt()).min(1.0) as f32;
        self.step += 1;
        let steps = self.step as i32;
        let correction = (1.0 - BETA2.powi(steps)).sqrt() / (1.0 - BETA1.powi(steps));
        // The average follows closely at first: its memory never reaches before the first step.
        let keep = self.recipe.average.min((steps as f64 + 1.0) / (steps as f64 + 10.0)) as f32;
        let (beta1, beta2) = (BETA1 as f32, BETA2 as f32);
        let weight_decay = self.recipe.weight_decay;
        self.parameters.par_iter_mut().for_each(|(name, parameter)| {
            let Some(gradient) = gradients.get(name) else { return };
            let decay = if name.ends_with(".weight") { (rate * weight_decay) as f32 } else { 0.0 };
            for (at, value) in parameter.values.iter_mut().enumerate() {
                let slope = gradient[at] * shrink;
                let first = &mut parameter.first[at];
                let second = &mut parameter.second[at];
                *first = beta1 * *first + (1.0 - beta1) * slope;
                *second = beta2 * *second + (1.0 - beta2) * slope * slope;
                *value -= decay * *value + (rate * correction) as f32 * *first / (second.sqrt() + ADAM_EPSILON as f32);
                let average = &mut parameter.average[at];
                *average = keep * *average + (1.0 - keep) * *value;
            }
        });
    }

    /// (batch, features): zero where a feature is dropped, 1 / (1 − dropout) elsewhere.
    fn dropout_mask(&self, batch: usize) -> Result<Tensor> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0x6472_6f70_6f75_7400);
        random.set_stream(self.step as u64);
        let features = self.architecture.features();
        let kept = (1.0 / (1.0 - self.recipe.dropout)) as f32;
        let draw = || if random.random_bool(self.recipe.dropout) { 0.0 } else { kept };
        Tensor::from_vec(std::iter::repeat_with(draw).take(batch * features).collect(), (batch, features), &Device::Cpu)
    }

    fn average_of(&self, name: &str) -> Result<Tensor> {
        let Some(parameter) = self.parameters.get(name) else { candle_core::bail!("{name} is missing") };
        Tensor::from_slice(&parameter.average, parameter.shape.as_slice(), &Device::Cpu)
    }

    /// Batch statistics of the averaged weights over `batches` of crops (Wu & Johnson 2021,
    /// "precise" statistics): those met while learning belong to the last weights, and while the
    /// learning rate is high these differ from their average.
    fn statistics_of_average(&mut self, batches: &[Vec<Vec<u8>>]) -> BTreeMap<String, Statistics> {
        let plan = Plan::new(&self.architecture, SIDE);
        let body = Body::new(&plan, |name| &self.parameters[name].average);
        // Unit name → sums over pictures of means and of means of squares.
        let mut sums: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        let mut pictures = 0.0;
        for batch in batches {
            let crops: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
            let shares = shares(&crops, self.recipe.normalised_together);
            self.passes.resize_with(shares.len().max(self.passes.len()), Pass::default);
            let passes = self.passes.par_iter_mut().zip(&shares);
            passes.for_each(|(pass, crops)| drop(pass.forward(&body, standardised(crops))));
            for (pass, share) in self.passes.iter().zip(&shares) {
                let weight = share.len() as f64;
                pictures += weight;
                for (name, Statistics { mean, variance }) in pass.statistics(&body) {
                    let sums = sums.entry(name).or_insert_with(|| vec![(0.0, 0.0); mean.len()]);
                    for ((first, second), (mean, variance)) in sums.iter_mut().zip(mean.iter().zip(variance)) {
                        *first += weight * f64::from(*mean);
                        *second += weight * (f64::from(*variance) + f64::from(*mean).powi(2));
                    }
                }
            }
        }
        let statistics = sums.into_iter().map(|(name, sums)| {
            let mean = |first: f64| first / pictures;
            let variance = |(first, second): &(f64, f64)| (second / pictures - mean(*first).powi(2)).max(0.0) as f32;
            let means = sums.iter().map(|(first, _)| mean(*first) as f32).collect();
            (name.to_owned(), Statistics { mean: means, variance: sums.iter().map(variance).collect() })
        });
        statistics.collect()
    }

    /// The averaged weights with their batch statistics, taken over `batches` of varied crops,
    /// folded in: ready to run.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn averaged(&mut self, batches: &[Vec<Vec<u8>>]) -> std::result::Result<Estimator, TrainingError> {
        let statistics = self.statistics_of_average(batches);
        self.folded_with(&statistics)
    }

    fn folded_with(&self, statistics: &BTreeMap<String, Statistics>) -> std::result::Result<Estimator, TrainingError> {
        let mut tensors = HashMap::new();
        for Unit { name, .. } in self.architecture.units() {
            let affine: Vec<f32> = self.average_of(&format!("{name}.affine"))?.flatten_all()?.to_vec1()?;
            let Some(statistics) = statistics.get(&name) else { continue };
            let (scale, shift) = folded(statistics, &affine);
            let weight = self.average_of(&format!("{name}.weight"))?;
            tensors.insert(format!("{name}.weight"), weight.broadcast_mul(&Tensor::new(scale, &Device::Cpu)?)?);
            tensors.insert(format!("{name}.bias"), Tensor::new(shift, &Device::Cpu)?);
        }
        for name in ["age.weight", "age.bias", "gender.weight", "gender.bias"] {
            tensors.insert(name.to_owned(), self.average_of(name)?);
        }
        Ok(Estimator::from_tensors(self.architecture.clone(), &tensors, Calibration::default())?)
    }
}

/// As equal parts of at most `most` as there can be.
fn shares<'a, 'b>(crops: &'a [&'b [u8]], most: usize) -> Vec<&'a [&'b [u8]]> {
    let parts = crops.len().div_ceil(most.max(1)).max(1);
    crops.chunks(crops.len().div_ceil(parts).max(1)).collect()
}

/// Normally distributed values (Box & Muller 1958).
fn normal(random: &mut ChaCha8Rng, count: usize, deviation: f32) -> Vec<f32> {
    let draw = || {
        let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
        deviation * radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
    };
    std::iter::repeat_with(draw).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Convolution, normalisation by the running statistics, scale, shift, residual, ReLU: one
    /// after the other, as the network is defined.
    fn unfolded(learner: &Learner, running: &BTreeMap<String, Statistics>, pictures: &Tensor) -> Result<Tensor> {
        learner.architecture.walk(pictures, |unit, x, residual| {
            let weight = learner.average_of(&format!("{}.weight", unit.name))?.permute((3, 2, 0, 1))?.contiguous()?;
            let x = x.permute((0, 3, 1, 2))?.contiguous()?.conv2d(&weight, unit.kernel / 2, unit.stride, 1, 1)?;
            let x = x.permute((0, 2, 3, 1))?.contiguous()?;
            let running = &running[&unit.name];
            let device = &Device::Cpu;
            let deviation = (Tensor::new(running.variance.as_slice(), device)? + f64::from(EPSILON))?.sqrt()?;
            let normal = x.broadcast_sub(&Tensor::new(running.mean.as_slice(), device)?)?.broadcast_div(&deviation)?;
            let affine = learner.average_of(&format!("{}.affine", unit.name))?;
            let y = normal.broadcast_mul(&affine.get(0)?)?.broadcast_add(&affine.get(1)?)?;
            let y = if let Some(residual) = residual { (y + residual)? } else { y };
            if unit.relu { y.relu() } else { Ok(y) }
        })
    }

    #[test]
    fn learning_goes_on_from_folded_weights_where_they_stand() {
        let text = include_str!("../../config/training/estimator.toml");
        let recipe =
            Recipe { architecture: "8:8x2,12x1".into(), normalised_together: 64, ..toml::from_str(text).unwrap() };
        let mut earlier = Learner::new(&recipe, 3).unwrap();
        for (name, parameter) in &mut earlier.parameters {
            if name.ends_with("affine") || name.ends_with("bias") {
                parameter.average.iter_mut().enumerate().for_each(|(i, v)| *v += (i as f32 * 1.7).sin() * 0.2);
            }
        }
        let crops: Vec<Vec<u8>> =
            (1..9usize).map(|k| (0..SIDE * SIDE).map(|i| (i * k * 31 % 251) as u8).collect()).collect();
        let batches = [crops.clone()];
        let trained = earlier.averaged(&batches).unwrap();
        let pictures = input(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let theirs = trained.forward(&pictures).unwrap();
        for architecture in ["8:8x2,12x1", "8x1:8x3,12x2"] {
            let deeper = Recipe { architecture: architecture.into(), ..recipe.clone() };
            let mut later = Learner::new(&deeper, 4).unwrap();
            later.begin_with(&trained, &batches).unwrap();
            let ours = later.averaged(&batches).unwrap().forward(&pictures).unwrap();
            for (ours, theirs) in [(ours.age, &theirs.age), (ours.gender, &theirs.gender)] {
                let worst = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(worst < 1e-3, "{architecture}: logits differ by {worst}");
            }
        }
        let mut other = Learner::new(&Recipe { architecture: "8:8x1".into(), ..recipe }, 4).unwrap();
        assert!(other.begin_with(&trained, &batches).unwrap_err().to_string().contains("8:8x2,12x1"));
    }

    #[test]
    fn the_folded_network_answers_as_the_unfolded_one() {
        let text = include_str!("../../config/training/estimator.toml");
        let recipe = Recipe { architecture: "8:8x2,12x1".into(), ..toml::from_str(text).unwrap() };
        let mut learner = Learner::new(&recipe, 3).unwrap();
        // Statistics and scales as after training: none of them zero or one.
        let statistics = learner.architecture.units().into_iter().enumerate().map(|(at, unit)| {
            let mean = (0..unit.out_channels).map(|c| ((at * 7 + c) as f32).sin() * 0.3).collect();
            let variance = (0..unit.out_channels).map(|c| 0.5 + ((at + c) % 5) as f32 * 0.4).collect();
            (unit.name, Statistics { mean, variance })
        });
        let statistics: BTreeMap<_, _> = statistics.collect();
        for (name, parameter) in &mut learner.parameters {
            if name.ends_with("affine") || name.ends_with("bias") {
                parameter.average.iter_mut().enumerate().for_each(|(i, v)| *v += (i as f32 * 1.7).sin() * 0.2);
            }
        }
        let crops: Vec<Vec<u8>> =
            (1..4usize).map(|k| (0..SIDE * SIDE).map(|i| (i * k * 31 % 251) as u8).collect()).collect();
        let pictures = input(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let folded = learner.folded_with(&statistics).unwrap().forward(&pictures).unwrap();
        let features = unfolded(&learner, &statistics, &pictures).unwrap();
        for (name, ours) in [("age", folded.age), ("gender", folded.gender)] {
            let weight = learner.average_of(&format!("{name}.weight")).unwrap();
            let bias = learner.average_of(&format!("{name}.bias")).unwrap();
            let theirs = features.matmul(&weight).unwrap().broadcast_add(&bias).unwrap();
            let worst = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(worst < 1e-4, "{name} logits differ by {worst}");
        }
    }
}
