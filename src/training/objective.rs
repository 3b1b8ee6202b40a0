//! The loss of a batch: soft ages, age bins, gender.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::{log_softmax, softmax};

use super::dataset::{Age, Example};
use super::recipe::Recipe;
use crate::model::estimator::Logits;
use crate::model::network::AGES;

/// Targets of a batch as tensors, built once a step.
pub(super) struct Targets {
    /// (batch, 101): a Gaussian around an exact age, zero for a bin.
    soft: Tensor,
    /// (batch, 101): one inside a bin, one everywhere for an exact age.
    bin: Tensor,
    /// (batch): the exact age, and its weight, zero for a bin.
    age: Tensor,
    exact: Tensor,
    /// (batch): one for female.
    female: Tensor,
}

impl Targets {
    pub(super) fn new<'a>(examples: impl ExactSizeIterator<Item = &'a Example>, recipe: &Recipe) -> Result<Self> {
        let batch = examples.len();
        let (mut soft, mut bin) = (vec![0.0f32; batch * AGES], vec![1.0f32; batch * AGES]);
        let (mut ages, mut exact, mut female) = (vec![0.0f32; batch], vec![0.0f32; batch], Vec::with_capacity(batch));
        for (at, example) in examples.enumerate() {
            female.push(f32::from(u8::from(example.female)));
            match example.age {
                Age::Exact(age) => {
                    let deviation = recipe.age_spread + recipe.age_spread_per_year * age;
                    let row = &mut soft[at * AGES..(at + 1) * AGES];
                    let weight = |year: usize| (-0.5 * ((year as f32 - age) / deviation).powi(2)).exp();
                    row.iter_mut().enumerate().for_each(|(year, value)| *value = weight(year));
                    let sum: f32 = row.iter().sum();
                    row.iter_mut().for_each(|value| *value /= sum);
                    (ages[at], exact[at]) = (age, 1.0);
                }
                Age::Bin(first, end) => {
                    let row = &mut bin[at * AGES..(at + 1) * AGES];
                    row[..first].fill(0.0);
                    row[end..].fill(0.0);
                }
            }
        }
        let device = &Device::Cpu;
        Ok(Self {
            soft: Tensor::from_vec(soft, (batch, AGES), device)?,
            bin: Tensor::from_vec(bin, (batch, AGES), device)?,
            age: Tensor::from_vec(ages, batch, device)?,
            exact: Tensor::from_vec(exact, batch, device)?,
            female: Tensor::from_vec(female, batch, device)?,
        })
    }

    /// The mean loss of the batch, a scalar.
    pub(super) fn loss(&self, logits: &Logits, recipe: &Recipe) -> Result<Tensor> {
        let log_ages = log_softmax(&logits.age, D::Minus1)?;
        let ages = softmax(&logits.age, D::Minus1)?;
        let cross_entropy = (&self.soft * log_ages)?.sum(D::Minus1)?.neg()?;
        let years = Tensor::arange(0f32, AGES as f32, &Device::Cpu)?;
        let expected = ages.broadcast_mul(&years)?.sum(D::Minus1)?;
        let age_error = ((expected - &self.age)?.abs()? * &self.exact)?;
        // The floor keeps the gradient finite when the bin's mass underflows.
        let inside = ((&ages * &self.bin)?.sum(D::Minus1)? + 1e-6)?.log()?.neg()?;
        let bins = (inside * (1.0 - &self.exact)?)?;
        let gender = logits.gender.squeeze(1)?;
        // max(z, 0) − z·y + ln(1 + exp(−|z|)), the binary cross entropy that never overflows.
        let gender_loss =
            ((gender.relu()? - (&gender * &self.female)?)? + (gender.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
        let per_face = (cross_entropy + (age_error * recipe.age_error_weight)?)?;
        let per_face = ((per_face + (bins * recipe.bin_weight)?)? + gender_loss)?;
        per_face.mean_all()
    }
}
