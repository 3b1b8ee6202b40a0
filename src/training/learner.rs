//! The network in training: weights, AdamW, and the exponential moving average (EMA) of the weights.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Result, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::TrainingError;
use super::augmentation::{Mixup, Sample};
use super::objective::Targets;
use super::pass::{Body, Pass, Plan, sum_gradients};
use super::recipe::Recipe;
use crate::model::calibration::Calibration;
use crate::model::convolution::{Convolution, Epilogue};
use crate::model::estimator::{Estimator, Head, Logits};
use crate::model::network::{AGES, Architecture, SIDE, Unit, input, standardise};
use crate::model::normalisation::{EPSILON, Statistics, fold, statistics};

/// AdamW's decay of the first and second moment, and the constant that keeps its quotient finite.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const ADAM_EPSILON: f64 = 1e-8;
/// Gradients are clipped to this norm (Pascanu et al. 2013): a single outlier batch at the peak
/// learning rate must not undo an epoch.
const MAX_GRADIENT_NORM: f64 = 5.0;
/// Parameters outside the residual body; without a smile head, all but the last two.
const HEAD_PARAMETERS: [&str; 6] =
    ["age.weight", "age.bias", "gender.weight", "gender.bias", "smile.weight", "smile.bias"];

/// A trained tensor with AdamW's moments and its moving average.
pub(super) struct Parameter {
    shape: Vec<usize>,
    pub(super) values: Vec<f32>,
    pub(super) first_moment: Vec<f32>,
    pub(super) second_moment: Vec<f32>,
    pub(super) ema: Vec<f32>,
}

/// Loss of a batch and its gradients with respect to the pooled features and the heads' parameters.
struct HeadGradients {
    loss: f32,
    /// (batch, features), flattened.
    features: Vec<f32>,
    parameters: BTreeMap<String, Vec<f32>>,
}

/// The state that changes from step to step.
pub struct Learner {
    recipe: Recipe,
    architecture: Architecture,
    seed: u64,
    pub(super) parameters: BTreeMap<String, Parameter>,
    pub(super) step: usize,
    /// Buffers, reused from step to step.
    passes: Vec<Pass>,
}

impl Learner {
    /// Random weights from `seed`: He et al. 2015 for convolutions, small ones for the heads.
    ///
    /// # Errors
    /// When the recipe's architecture cannot be parsed.
    pub fn new(recipe: &Recipe, seed: u64) -> std::result::Result<Self, TrainingError> {
        let architecture: Architecture = recipe.architecture.parse()?;
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x7765_6967_6874_7300);
        let mut parameters = BTreeMap::new();
        let mut add = |name: String, values: Vec<f32>, shape: &[usize]| {
            let zeros = vec![0.0; values.len()];
            let (shape, ema) = (shape.to_vec(), values.clone());
            let (first_moment, second_moment) = (zeros.clone(), zeros);
            parameters.insert(name, Parameter { shape, values, first_moment, second_moment, ema });
        };
        for Unit { name, kernel, channels, out_channels, .. } in architecture.units() {
            let fan_in = kernel * kernel * channels;
            let weight = normal(&mut random, fan_in * out_channels, (2.0 / fan_in as f32).sqrt());
            add(format!("{name}.weight"), weight, &[kernel, kernel, channels, out_channels]);
            // Blocks start close to their shortcut (Goyal et al. 2017), which stabilises training.
            let scale = if name.ends_with("second") { 0.2 } else { 1.0 };
            let affine = [vec![scale; out_channels], vec![0.0; out_channels]].concat();
            add(format!("{name}.affine"), affine, &[2, out_channels]);
        }
        let features = architecture.features();
        let smile = (recipe.smile_weight > 0.0).then_some(("smile", 1));
        for (name, outputs) in [("age", AGES), ("gender", 1)].into_iter().chain(smile) {
            let weight = normal(&mut random, features * outputs, 0.01);
            add(format!("{name}.weight"), weight, &[features, outputs]);
            add(format!("{name}.bias"), vec![0.0; outputs], &[outputs]);
        }
        Ok(Self { recipe: recipe.clone(), architecture, seed, parameters, step: 0, passes: Vec::new() })
    }

    /// Initialises a new schedule from the folded weights of a trained network. Batch normalisation is
    /// restored from the activations for `batches` of crops.
    ///
    /// A unit's scale and shift become the standard deviation and mean of its output, and its weights
    /// are rescaled to the magnitude of freshly initialised ones: after normalisation the output is the
    /// same, and AdamW's steps have the same relative size.
    ///
    /// Blocks that the recipe adds to the network start as identity, so that they do not change the
    /// output at first (Chen et al. 2016, "Net2Net"; Goyal et al. 2017).
    ///
    /// # Errors
    /// [`TrainingError::Recipe`] when the architecture differs from the recipe's other than by missing
    /// blocks.
    pub fn load_folded(
        &mut self,
        trained: &Estimator,
        batches: &[Vec<Vec<u8>>],
    ) -> std::result::Result<(), TrainingError> {
        if !self.architecture.is_deeper_version_of(trained.architecture()) {
            return Err(TrainingError::Recipe(format!(
                "the initial weights have the architecture {}, the recipe {}",
                trained.architecture(),
                self.architecture
            )));
        }
        let crops: Vec<&[u8]> = batches.iter().flatten().map(Vec::as_slice).collect();
        let mut initial: Vec<(String, Vec<f32>)> = Vec::new();
        self.architecture.walk(&input(&crops)?, |unit, x, residual| {
            let Some((weight, bias)) = trained.unit(&unit.name) else {
                if residual.is_some() {
                    initial.push((format!("{}.affine", unit.name), vec![0.0; 2 * unit.out_channels]));
                }
                return Ok(residual.unwrap_or(x).clone());
            };
            let operation = Convolution::new(weight, unit.stride, Epilogue { bias: bias.into(), relu: false })?;
            let y = x.apply_op1_no_bwd(&operation)?;
            let Statistics { mean, variance } = statistics(&y.flatten_all()?.to_vec1::<f32>()?, unit.out_channels);
            let deviation = variance.iter().map(|variance| (variance + EPSILON).sqrt());
            initial.push((format!("{}.affine", unit.name), deviation.chain(mean.iter().copied()).collect()));
            let mut values = weight.flatten_all()?.to_vec1::<f32>()?;
            let fan_in = values.len() / unit.out_channels;
            for channel in 0..unit.out_channels {
                let squares = |sum: f32, row: &[f32]| sum + row[channel].powi(2);
                let rms = (values.chunks_exact(unit.out_channels).fold(0.0, squares) / fan_in as f32).sqrt();
                let factor = (2.0 / fan_in as f32).sqrt() / rms.max(1e-12);
                values.chunks_exact_mut(unit.out_channels).for_each(|row| row[channel] *= factor);
            }
            initial.push((format!("{}.weight", unit.name), values));
            let y = if let Some(residual) = residual { (y + residual)? } else { y };
            if unit.relu { y.relu() } else { Ok(y) }
        })?;
        for Head { name, weight, bias } in trained.heads()? {
            initial.push((format!("{name}.weight"), weight.flatten_all()?.to_vec1()?));
            initial.push((format!("{name}.bias"), bias.flatten_all()?.to_vec1()?));
        }
        for (name, values) in initial {
            if let Some(parameter) = self.parameters.get_mut(&name) {
                parameter.ema.clone_from(&values);
                parameter.values = values;
            }
        }
        Ok(())
    }

    /// Optimiser steps taken so far.
    pub fn steps(&self) -> usize {
        self.step
    }

    /// Trains on one batch of augmented crops (square, grey, all of the same size) and returns its loss.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn step(&mut self, batch: &[Sample<'_>], total_steps: usize) -> std::result::Result<f32, TrainingError> {
        let targets = self.targets(batch)?;
        let crops: Vec<&[u8]> = batch.iter().map(|sample| sample.pixels.as_slice()).collect();
        let groups = norm_groups(&crops, self.recipe.norm_batch);
        let side = crops.first().map_or(SIDE, |crop| crop.len().isqrt());
        let plan = Plan::new(&self.architecture, side);
        let body = Body::new(&plan, |name| &self.parameters[name].values);
        self.passes.resize_with(groups.len().max(self.passes.len()), Pass::default);
        let passes = self.passes.par_iter_mut().zip(&groups);
        let features = passes.map(|(pass, crops)| pass.forward(&body, standardise(crops))).collect::<Vec<_>>().concat();
        let heads = self.head_gradients(features, &targets)?;
        let mut parts = Vec::new();
        let mut rest = &heads.features[..];
        for group in &groups {
            let (part, remaining) = rest.split_at(group.len() * self.architecture.features());
            parts.push(part);
            rest = remaining;
        }
        let passes = self.passes.par_iter_mut().zip(&parts);
        let mut gradients = sum_gradients(passes.map(|(pass, part)| pass.backward(&body, part)).collect::<Vec<_>>());
        gradients.extend(heads.parameters);
        self.update(&gradients, self.recipe.learning_rate_at(self.step, total_steps));
        Ok(heads.loss)
    }

    /// Loss and gradients of dropout and heads. They are small: candle's autograd differentiates them.
    fn head_gradients(&self, features: Vec<f32>, targets: &[Targets]) -> Result<HeadGradients> {
        let channels = self.architecture.features();
        let batch = features.len() / channels;
        let features = Var::from_vec(features, (batch, channels), &Device::Cpu)?;
        let var = |name: &'static str| {
            let Parameter { values, shape, .. } = &self.parameters[name];
            Ok((name, Var::from_slice(values, shape.as_slice(), &Device::Cpu)?))
        };
        let vars: BTreeMap<&str, Var> = self.head_parameters().map(var).collect::<Result<_>>()?;
        let dropped = (features.as_tensor() * self.dropout_mask(batch)?)?;
        let head = |weight: &str, bias: &str| dropped.matmul(&vars[weight])?.broadcast_add(&vars[bias]);
        let (age, gender) = (head("age.weight", "age.bias")?, head("gender.weight", "gender.bias")?);
        let smile = vars.contains_key("smile.weight").then(|| head("smile.weight", "smile.bias")).transpose()?;
        let logits = Logits { age, gender, smile, flaws: None };
        let losses = targets.iter().map(|targets| targets.loss(&logits, &self.recipe)).collect::<Result<Vec<_>>>()?;
        let loss = Tensor::stack(&losses, 0)?.sum_all()?;
        let mut store = loss.backward()?;
        let mut gradient = |var: &Var| match store.remove(var) {
            Some(gradient) => gradient.flatten_all()?.to_vec1::<f32>(),
            None => candle_core::bail!("the loss does not depend on this variable"),
        };
        let features = gradient(&features)?;
        let named = vars.iter().map(|(name, var)| Ok(((*name).to_owned(), gradient(var)?)));
        Ok(HeadGradients { features, parameters: named.collect::<Result<_>>()?, loss: loss.to_scalar()? })
    }

    fn head_parameters(&self) -> impl Iterator<Item = &'static str> {
        HEAD_PARAMETERS.into_iter().filter(|name| self.parameters.contains_key(*name))
    }

    /// Targets of the crops themselves and, if any is mixed, of the crops blended into them.
    fn targets(&self, batch: &[Sample<'_>]) -> Result<Vec<Targets>> {
        let own = batch.iter().map(|sample| (sample.example, 1.0 - sample.mixup.map_or(0.0, |mixup| mixup.weight)));
        let mut targets = vec![Targets::new(own, &self.recipe)?];
        if batch.iter().any(|sample| sample.mixup.is_some()) {
            let blended = batch.iter().map(|sample| match sample.mixup {
                Some(Mixup { example, weight }) => (example, weight),
                None => (sample.example, 0.0),
            });
            targets.push(Targets::new(blended, &self.recipe)?);
        }
        Ok(targets)
    }

    /// One step of AdamW (Loshchilov & Hutter 2019) with gradient clipping, and the EMA's update.
    fn update(&mut self, gradients: &BTreeMap<String, Vec<f32>>, rate: f64) {
        let square = |values: &Vec<f32>| values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
        // Collected before the sum, so that it always has the same order.
        let squares: Vec<f64> = gradients.par_iter().map(|(_, values)| square(values)).collect();
        let squares: f64 = squares.iter().sum();
        let clip = (MAX_GRADIENT_NORM / squares.sqrt()).min(1.0) as f32;
        self.step += 1;
        let steps = self.step as i32;
        let correction = (1.0 - BETA2.powi(steps)).sqrt() / (1.0 - BETA1.powi(steps));
        // The decay is lower at first, so that the random initial weights do not linger.
        let ema_decay = self.recipe.ema_decay.min((steps as f64 + 1.0) / (steps as f64 + 10.0)) as f32;
        let (beta1, beta2) = (BETA1 as f32, BETA2 as f32);
        let weight_decay = self.recipe.weight_decay;
        self.parameters.par_iter_mut().for_each(|(name, parameter)| {
            let Some(gradient) = gradients.get(name) else { return };
            let decay = if name.ends_with(".weight") { (rate * weight_decay) as f32 } else { 0.0 };
            for (index, value) in parameter.values.iter_mut().enumerate() {
                let gradient = gradient[index] * clip;
                let first = &mut parameter.first_moment[index];
                let second = &mut parameter.second_moment[index];
                *first = beta1 * *first + (1.0 - beta1) * gradient;
                *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
                *value -= decay * *value + (rate * correction) as f32 * *first / (second.sqrt() + ADAM_EPSILON as f32);
                let ema = &mut parameter.ema[index];
                *ema = ema_decay * *ema + (1.0 - ema_decay) * *value;
            }
        });
    }

    /// (batch, features): zero where a feature is dropped, 1 / (1 − dropout) elsewhere.
    fn dropout_mask(&self, batch: usize) -> Result<Tensor> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0x6472_6f70_6f75_7400);
        random.set_stream(self.step as u64);
        let features = self.architecture.features();
        let scale = (1.0 / (1.0 - self.recipe.dropout)) as f32;
        let draw = || if random.random_bool(self.recipe.dropout) { 0.0 } else { scale };
        Tensor::from_vec(std::iter::repeat_with(draw).take(batch * features).collect(), (batch, features), &Device::Cpu)
    }

    fn ema_tensor(&self, name: &str) -> Result<Tensor> {
        let Some(parameter) = self.parameters.get(name) else { candle_core::bail!("{name} is missing") };
        Tensor::from_slice(&parameter.ema, parameter.shape.as_slice(), &Device::Cpu)
    }

    /// Batch-norm statistics of the EMA weights over `batches` of crops (precise batch norm, Wu &
    /// Johnson 2021): statistics collected during training belong to the current weights, which differ
    /// from the EMA while the learning rate is high.
    fn ema_statistics(&mut self, batches: &[Vec<Vec<u8>>]) -> BTreeMap<String, Statistics> {
        let plan = Plan::new(&self.architecture, SIDE);
        let body = Body::new(&plan, |name| &self.parameters[name].ema);
        // Unit name → sums over crops of means and of means of squares, per channel.
        let mut sums: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        let mut crop_count = 0.0;
        for batch in batches {
            let crops: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
            let groups = norm_groups(&crops, self.recipe.norm_batch);
            self.passes.resize_with(groups.len().max(self.passes.len()), Pass::default);
            let passes = self.passes.par_iter_mut().zip(&groups);
            passes.for_each(|(pass, crops)| drop(pass.forward(&body, standardise(crops))));
            for (pass, group) in self.passes.iter().zip(&groups) {
                let weight = group.len() as f64;
                crop_count += weight;
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
            let mean = |first: f64| first / crop_count;
            let variance = |(first, second): &(f64, f64)| (second / crop_count - mean(*first).powi(2)).max(0.0) as f32;
            let means = sums.iter().map(|(first, _)| mean(*first) as f32).collect();
            (name.to_owned(), Statistics { mean: means, variance: sums.iter().map(variance).collect() })
        });
        statistics.collect()
    }

    /// The network for inference: the EMA weights with their batch-norm statistics, measured over
    /// `batches` of augmented crops, folded in.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn ema_estimator(&mut self, batches: &[Vec<Vec<u8>>]) -> std::result::Result<Estimator, TrainingError> {
        let statistics = self.ema_statistics(batches);
        self.fold_ema(&statistics)
    }

    fn fold_ema(&self, statistics: &BTreeMap<String, Statistics>) -> std::result::Result<Estimator, TrainingError> {
        let mut tensors = HashMap::new();
        for Unit { name, .. } in self.architecture.units() {
            let affine: Vec<f32> = self.ema_tensor(&format!("{name}.affine"))?.flatten_all()?.to_vec1()?;
            let Some(statistics) = statistics.get(&name) else { continue };
            let (scale, shift) = fold(statistics, &affine);
            let weight = self.ema_tensor(&format!("{name}.weight"))?;
            tensors.insert(format!("{name}.weight"), weight.broadcast_mul(&Tensor::new(scale, &Device::Cpu)?)?);
            tensors.insert(format!("{name}.bias"), Tensor::new(shift, &Device::Cpu)?);
        }
        for name in self.head_parameters() {
            tensors.insert(name.to_owned(), self.ema_tensor(name)?);
        }
        Ok(Estimator::from_tensors(self.architecture.clone(), &tensors, Calibration::default())?)
    }
}

/// Splits a batch into groups of at most `limit` crops and of nearly equal size; each is normalised
/// separately.
fn norm_groups<'a, 'b>(crops: &'a [&'b [u8]], limit: usize) -> Vec<&'a [&'b [u8]]> {
    let groups = crops.len().div_ceil(limit.max(1)).max(1);
    crops.chunks(crops.len().div_ceil(groups).max(1)).collect()
}

/// Normally distributed values with mean zero (Box & Muller 1958).
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

    /// The network without folding: convolution, normalisation, scale, shift, residual, ReLU.
    fn unfolded(learner: &Learner, statistics: &BTreeMap<String, Statistics>, images: &Tensor) -> Result<Tensor> {
        learner.architecture.walk(images, |unit, x, residual| {
            let weight = learner.ema_tensor(&format!("{}.weight", unit.name))?.permute((3, 2, 0, 1))?.contiguous()?;
            let x = x.permute((0, 3, 1, 2))?.contiguous()?.conv2d(&weight, unit.kernel / 2, unit.stride, 1, 1)?;
            let x = x.permute((0, 2, 3, 1))?.contiguous()?;
            let Statistics { mean, variance } = &statistics[&unit.name];
            let device = &Device::Cpu;
            let deviation = (Tensor::new(variance.as_slice(), device)? + f64::from(EPSILON))?.sqrt()?;
            let normal = x.broadcast_sub(&Tensor::new(mean.as_slice(), device)?)?.broadcast_div(&deviation)?;
            let affine = learner.ema_tensor(&format!("{}.affine", unit.name))?;
            let y = normal.broadcast_mul(&affine.get(0)?)?.broadcast_add(&affine.get(1)?)?;
            let y = if let Some(residual) = residual { (y + residual)? } else { y };
            if unit.relu { y.relu() } else { Ok(y) }
        })
    }

    #[test]
    fn a_learner_initialised_from_folded_weights_gives_the_same_output() {
        let text = include_str!("../../config/training/estimator-7.toml");
        let recipe = Recipe { architecture: "8:8x2,12x1".into(), norm_batch: 64, ..toml::from_str(text).unwrap() };
        let mut earlier = Learner::new(&recipe, 3).unwrap();
        for (name, parameter) in &mut earlier.parameters {
            if name.ends_with("affine") || name.ends_with("bias") {
                parameter.ema.iter_mut().enumerate().for_each(|(i, v)| *v += (i as f32 * 1.7).sin() * 0.2);
            }
        }
        let crops: Vec<Vec<u8>> =
            (1..9usize).map(|k| (0..SIDE * SIDE).map(|i| (i * k * 31 % 251) as u8).collect()).collect();
        let batches = [crops.clone()];
        let trained = earlier.ema_estimator(&batches).unwrap();
        let images = input(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let theirs = trained.forward(&images).unwrap();
        for architecture in ["8:8x2,12x1", "8x1:8x3,12x2"] {
            let deeper = Recipe { architecture: architecture.into(), ..recipe.clone() };
            let mut later = Learner::new(&deeper, 4).unwrap();
            later.load_folded(&trained, &batches).unwrap();
            let ours = later.ema_estimator(&batches).unwrap().forward(&images).unwrap();
            for (ours, theirs) in [(ours.age, &theirs.age), (ours.gender, &theirs.gender)] {
                let worst = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(worst < 1e-3, "{architecture}: logits differ by {worst}");
            }
        }
        let mut other = Learner::new(&Recipe { architecture: "8:8x1".into(), ..recipe }, 4).unwrap();
        assert!(other.load_folded(&trained, &batches).unwrap_err().to_string().contains("8:8x2,12x1"));
    }

    #[test]
    fn folding_does_not_change_the_output() {
        let text = include_str!("../../config/training/estimator-7.toml");
        let recipe = Recipe { architecture: "8:8x2,12x1".into(), ..toml::from_str(text).unwrap() };
        let mut learner = Learner::new(&recipe, 3).unwrap();
        // Statistics and scales that are neither zero nor one, as after training.
        let statistics = learner.architecture.units().into_iter().enumerate().map(|(at, unit)| {
            let mean = (0..unit.out_channels).map(|c| ((at * 7 + c) as f32).sin() * 0.3).collect();
            let variance = (0..unit.out_channels).map(|c| 0.5 + ((at + c) % 5) as f32 * 0.4).collect();
            (unit.name, Statistics { mean, variance })
        });
        let statistics: BTreeMap<_, _> = statistics.collect();
        for (name, parameter) in &mut learner.parameters {
            if name.ends_with("affine") || name.ends_with("bias") {
                parameter.ema.iter_mut().enumerate().for_each(|(i, v)| *v += (i as f32 * 1.7).sin() * 0.2);
            }
        }
        let crops: Vec<Vec<u8>> =
            (1..4usize).map(|k| (0..SIDE * SIDE).map(|i| (i * k * 31 % 251) as u8).collect()).collect();
        let images = input(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let folded = learner.fold_ema(&statistics).unwrap().forward(&images).unwrap();
        let features = unfolded(&learner, &statistics, &images).unwrap();
        for (name, ours) in [("age", folded.age), ("gender", folded.gender)] {
            let weight = learner.ema_tensor(&format!("{name}.weight")).unwrap();
            let bias = learner.ema_tensor(&format!("{name}.bias")).unwrap();
            let theirs = features.matmul(&weight).unwrap().broadcast_add(&bias).unwrap();
            let worst = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(worst < 1e-4, "{name} logits differ by {worst}");
        }
    }
}
