//! The network while it learns: weights, batch statistics, optimiser, averaged weights.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Result, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::TrainingError;
use super::dataset::Example;
use super::objective::Targets;
use super::recipe::Recipe;
use crate::model::convolution::Convolution;
use crate::model::estimator::{Calibration, Estimator, Logits};
use crate::model::network::{AGES, Architecture, Unit, input};
use crate::model::normalisation::{NormRelu, Statistics, folded};

/// Weight of a batch in the running statistics.
const STATISTICS_MOMENTUM: f32 = 0.02;
/// AdamW's decay of the first and second moment, and the number that keeps its quotient finite.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const ADAM_EPSILON: f64 = 1e-8;
/// Gradients longer than this are shortened to it (Pascanu et al. 2013): one odd batch at the
/// peak learning rate must not undo an epoch.
const LONGEST_GRADIENT: f64 = 5.0;

/// A trained tensor with its moments and running average.
pub(super) struct Parameter {
    pub(super) var: Var,
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
    /// Unit name → running mean and variance.
    pub(super) running: BTreeMap<String, Statistics>,
    pub(super) step: usize,
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
        let mut running = BTreeMap::new();
        let mut add = |name: String, values: Vec<f32>, shape: &[usize]| -> Result<()> {
            let var = Var::from_vec(values.clone(), shape, &Device::Cpu)?;
            let zeros = vec![0.0; values.len()];
            parameters.insert(name, Parameter { var, first: zeros.clone(), second: zeros, average: values });
            Ok(())
        };
        for Unit { name, kernel, channels, out_channels, .. } in architecture.units() {
            let fan_in = kernel * kernel * channels;
            let weight = normal(&mut random, fan_in * out_channels, (2.0 / fan_in as f32).sqrt());
            add(format!("{name}.weight"), weight, &[kernel, kernel, channels, out_channels])?;
            // A block starts as its shortcut alone (Goyal et al. 2017), which trains more evenly.
            let scale = if name.ends_with("second") { 0.2 } else { 1.0 };
            let affine = [vec![scale; out_channels], vec![0.0; out_channels]].concat();
            add(format!("{name}.affine"), affine, &[2, out_channels])?;
            running.insert(name, Statistics { mean: vec![0.0; out_channels], variance: vec![1.0; out_channels] });
        }
        let features = architecture.features();
        for (name, outputs) in [("age", AGES), ("gender", 1)] {
            let weight = normal(&mut random, features * outputs, 0.01);
            add(format!("{name}.weight"), weight, &[features, outputs])?;
            add(format!("{name}.bias"), vec![0.0; outputs], &[outputs])?;
        }
        Ok(Self { recipe: recipe.clone(), architecture, seed, parameters, running, step: 0 })
    }

    /// Steps taken so far.
    pub fn steps(&self) -> usize {
        self.step
    }

    fn tensor(&self, name: &str) -> Result<&Tensor> {
        match self.parameters.get(name) {
            Some(parameter) => Ok(parameter.var.as_tensor()),
            None => candle_core::bail!("{name} is missing"),
        }
    }

    /// Learns from one batch of varied crops (128×128 grey pixels each) and returns its loss.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn step(
        &mut self,
        batch: &[(Vec<u8>, &Example)],
        total_steps: usize,
    ) -> std::result::Result<f32, TrainingError> {
        let pictures = input(&batch.iter().map(|(pixels, _)| pixels.as_slice()).collect::<Vec<_>>())?;
        let targets = Targets::new(batch.iter().map(|(_, example)| *example), &self.recipe)?;
        let mut seen = Vec::new();
        let features = self.architecture.walk(&pictures, |unit, x, residual| {
            let weight = self.tensor(&format!("{}.weight", unit.name))?;
            let affine = self.tensor(&format!("{}.affine", unit.name))?;
            let x = x.apply_op2(weight, Convolution::new(unit.kernel, unit.stride))?;
            let (norm, statistics) = NormRelu::new(unit.relu);
            seen.push((unit.name.clone(), statistics));
            match residual {
                Some(residual) => x.apply_op3(affine, residual, norm),
                None => x.apply_op2(affine, norm),
            }
        })?;
        let features = (features * self.dropout_mask(batch.len())?)?;
        let head = |name: &str| -> Result<Tensor> {
            features
                .matmul(self.tensor(&format!("{name}.weight"))?)?
                .broadcast_add(self.tensor(&format!("{name}.bias"))?)
        };
        let loss = targets.loss(&Logits { age: head("age")?, gender: head("gender")? }, &self.recipe)?;
        let gradients = loss.backward()?;
        let loss = loss.to_scalar::<f32>()?;
        for (name, statistics) in seen {
            if let (Some(running), Some(batch)) = (self.running.get_mut(&name), statistics.get()) {
                blend(&mut running.mean, &batch.mean, STATISTICS_MOMENTUM);
                blend(&mut running.variance, &batch.variance, STATISTICS_MOMENTUM);
            }
        }
        let mut flat = HashMap::new();
        for (name, parameter) in &self.parameters {
            if let Some(gradient) = gradients.get(&parameter.var) {
                flat.insert(name.clone(), gradient.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        self.update(&flat, self.recipe.learning_rate_at(self.step, total_steps))?;
        Ok(loss)
    }

    /// AdamW (Loshchilov & Hutter 2019) and the average of weights.
    fn update(&mut self, gradients: &HashMap<String, Vec<f32>>, rate: f64) -> Result<()> {
        let squares =
            |name: &String| gradients.get(name).map_or(0.0, |g| g.iter().map(|g| f64::from(*g).powi(2)).sum());
        let length: f64 = self.parameters.keys().map(squares).sum::<f64>().sqrt();
        let shrink = (LONGEST_GRADIENT / length).min(1.0) as f32;
        self.step += 1;
        let steps = self.step as i32;
        let correction = (1.0 - BETA2.powi(steps)).sqrt() / (1.0 - BETA1.powi(steps));
        // The average follows closely at first: its memory never reaches before the first step.
        let keep = self.recipe.average.min((steps as f64 + 1.0) / (steps as f64 + 10.0)) as f32;
        let (beta1, beta2) = (BETA1 as f32, BETA2 as f32);
        for (name, parameter) in &mut self.parameters {
            let Some(gradient) = gradients.get(name) else { continue };
            let decay = if name.ends_with(".weight") { (rate * self.recipe.weight_decay) as f32 } else { 0.0 };
            let mut values = parameter.var.flatten_all()?.to_vec1::<f32>()?;
            for (at, value) in values.iter_mut().enumerate() {
                let slope = gradient[at] * shrink;
                let first = &mut parameter.first[at];
                let second = &mut parameter.second[at];
                *first = beta1 * *first + (1.0 - beta1) * slope;
                *second = beta2 * *second + (1.0 - beta2) * slope * slope;
                *value -= decay * *value + (rate * correction) as f32 * *first / (second.sqrt() + ADAM_EPSILON as f32);
                let average = &mut parameter.average[at];
                *average = keep * *average + (1.0 - keep) * *value;
            }
            let shape = parameter.var.shape().clone();
            parameter.var.set(&Tensor::from_vec(values, shape, &Device::Cpu)?)?;
        }
        Ok(())
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
        Tensor::from_slice(&parameter.average, parameter.var.shape(), &Device::Cpu)
    }

    /// Batch statistics of the averaged weights, as the mean over `batches` of crops (Wu & Johnson
    /// 2021, "precise" statistics): the running ones belong to the last weights, and while the
    /// learning rate is high those differ from their average.
    fn statistics_of_average(
        &self,
        batches: &[Vec<Vec<u8>>],
    ) -> std::result::Result<BTreeMap<String, Statistics>, TrainingError> {
        let mut sums: BTreeMap<String, Statistics> = BTreeMap::new();
        for batch in batches {
            let pictures = input(&batch.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
            let mut seen = Vec::new();
            self.architecture.walk(&pictures, |unit, x, residual| {
                let weight = self.average_of(&format!("{}.weight", unit.name))?;
                let affine = self.average_of(&format!("{}.affine", unit.name))?;
                let x = x.apply_op2_no_bwd(&weight, &Convolution::new(unit.kernel, unit.stride))?;
                let (norm, statistics) = NormRelu::new(unit.relu);
                seen.push((unit.name.clone(), statistics));
                match residual {
                    Some(residual) => x.apply_op3_no_bwd(&affine, residual, &norm),
                    None => x.apply_op2_no_bwd(&affine, &norm),
                }
            })?;
            for (name, statistics) in seen {
                let Some(batch) = statistics.get() else { continue };
                let zeros = || vec![0.0; batch.mean.len()];
                let sum = sums.entry(name).or_insert_with(|| Statistics { mean: zeros(), variance: zeros() });
                let share = 1.0 / batches.len() as f32;
                sum.mean.iter_mut().zip(&batch.mean).for_each(|(sum, value)| *sum += share * value);
                sum.variance.iter_mut().zip(&batch.variance).for_each(|(sum, value)| *sum += share * value);
            }
        }
        Ok(sums)
    }

    /// The averaged weights with their batch statistics folded in, ready to run; the statistics
    /// are taken over `batches` of varied crops, or are the running ones when there are none.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn averaged(&self, batches: &[Vec<Vec<u8>>]) -> std::result::Result<Estimator, TrainingError> {
        let measured = self.statistics_of_average(batches)?;
        let mut tensors = HashMap::new();
        for Unit { name, .. } in self.architecture.units() {
            let affine: Vec<f32> = self.average_of(&format!("{name}.affine"))?.flatten_all()?.to_vec1()?;
            let Some(statistics) = measured.get(&name).or_else(|| self.running.get(&name)) else { continue };
            let (scale, shift) = folded(statistics, &affine);
            let weight = self.average_of(&format!("{name}.weight"))?;
            tensors.insert(format!("{name}.weight"), weight.broadcast_mul(&Tensor::new(scale, &Device::Cpu)?)?);
            tensors.insert(format!("{name}.bias"), Tensor::new(shift, &Device::Cpu)?);
        }
        for name in ["age.weight", "age.bias", "gender.weight", "gender.bias"] {
            tensors.insert(name.to_owned(), self.average_of(name)?.to_dtype(DType::F32)?);
        }
        Ok(Estimator::from_tensors(self.architecture.clone(), &tensors, Calibration::default())?)
    }
}

fn blend(old: &mut [f32], new: &[f32], weight: f32) {
    old.iter_mut().zip(new).for_each(|(old, new)| *old += weight * (new - *old));
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
    use crate::model::network::SIDE;
    use crate::model::normalisation::EPSILON;

    /// Convolution, normalisation by the running statistics, scale, shift, residual, ReLU: one
    /// after the other, as the network is defined.
    fn unfolded(learner: &Learner, pictures: &Tensor) -> Result<Tensor> {
        learner.architecture.walk(pictures, |unit, x, residual| {
            let weight = learner.average_of(&format!("{}.weight", unit.name))?.permute((3, 2, 0, 1))?.contiguous()?;
            let x = x.permute((0, 3, 1, 2))?.contiguous()?.conv2d(&weight, unit.kernel / 2, unit.stride, 1, 1)?;
            let x = x.permute((0, 2, 3, 1))?.contiguous()?;
            let running = &learner.running[&unit.name];
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
    fn the_folded_network_answers_as_the_unfolded_one() {
        let text = include_str!("../../config/training/estimator.toml");
        let recipe = Recipe { architecture: "8:8x2,12x1".into(), ..toml::from_str(text).unwrap() };
        let mut learner = Learner::new(&recipe, 3).unwrap();
        // Statistics and scales as after training: none of them zero or one.
        for (at, statistics) in learner.running.values_mut().enumerate() {
            statistics.mean.iter_mut().enumerate().for_each(|(c, v)| *v = ((at * 7 + c) as f32).sin() * 0.3);
            statistics.variance.iter_mut().enumerate().for_each(|(c, v)| *v = 0.5 + ((at + c) % 5) as f32 * 0.4);
        }
        for (name, parameter) in &mut learner.parameters {
            if name.ends_with("affine") || name.ends_with("bias") {
                parameter.average.iter_mut().enumerate().for_each(|(i, v)| *v += (i as f32 * 1.7).sin() * 0.2);
            }
        }
        let crops: Vec<Vec<u8>> =
            (1..4usize).map(|k| (0..SIDE * SIDE).map(|i| (i * k * 31 % 251) as u8).collect()).collect();
        let pictures = input(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let folded = learner.averaged(&[]).unwrap().forward(&pictures).unwrap();
        let features = unfolded(&learner, &pictures).unwrap();
        for (name, ours) in [("age", folded.age), ("gender", folded.gender)] {
            let weight = learner.average_of(&format!("{name}.weight")).unwrap();
            let bias = learner.average_of(&format!("{name}.bias")).unwrap();
            let theirs = features.matmul(&weight).unwrap().broadcast_add(&bias).unwrap();
            let worst = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(worst < 1e-4, "{name} logits differ by {worst}");
        }
    }
}
