//! The loss of a batch: soft ages, age bins, gender.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::{log_softmax, softmax};

use super::dataset::{Age, Example};
use super::recipe::Recipe;
use crate::model::estimator::Logits;
use crate::model::network::AGES;

/// Targets of a batch as tensors, built once a step.
pub(super) struct Targets {
    /// (batch, 101): a Gaussian around an exact age, blended with advice; for a bin, what advice says
    /// of the ages inside it, or zero.
    soft: Tensor,
    /// (batch, 101): one inside a bin, one everywhere for an exact age.
    bin: Tensor,
    /// (batch): the exact age, and its weight, zero for a bin.
    age: Tensor,
    exact: Tensor,
    /// (batch): one for female.
    female: Tensor,
    /// (batch): how much each face counts.
    weight: Tensor,
}

impl Targets {
    /// Of examples, and how much each counts.
    pub(super) fn new<'a>(
        examples: impl ExactSizeIterator<Item = (&'a Example, f32)>,
        recipe: &Recipe,
    ) -> Result<Self> {
        let batch = examples.len();
        let mut weights = Vec::with_capacity(batch);
        let (mut soft, mut bin) = (vec![0.0f32; batch * AGES], vec![1.0f32; batch * AGES]);
        let (mut ages, mut exact, mut female) = (vec![0.0f32; batch], vec![0.0f32; batch], Vec::with_capacity(batch));
        for (at, (example, weight)) in examples.enumerate() {
            weights.push(weight);
            let advice = example.advice.as_deref().filter(|_| recipe.advice_weight > 0.0);
            let blend = |label: f32, advised: f32| label + recipe.advice_weight * (advised - label);
            let label = f32::from(u8::from(example.female));
            female.push(advice.map_or(label, |advice| blend(label, advice.female)));
            match example.age {
                Age::Exact(age) => {
                    let deviation = recipe.age_spread + recipe.age_spread_per_year * age;
                    let row = &mut soft[at * AGES..(at + 1) * AGES];
                    let weight = |year: usize| (-0.5 * ((year as f32 - age) / deviation).powi(2)).exp();
                    row.iter_mut().enumerate().for_each(|(year, value)| *value = weight(year));
                    let sum: f32 = row.iter().sum();
                    row.iter_mut().for_each(|value| *value /= sum);
                    (ages[at], exact[at]) = (age, 1.0);
                    if let Some(advice) = advice {
                        row.iter_mut().zip(&advice.ages).for_each(|(value, advised)| *value = blend(*value, *advised));
                        let expected = advice.ages.iter().enumerate().map(|(year, mass)| year as f32 * mass).sum();
                        ages[at] = blend(age, expected);
                    }
                }
                Age::Bin(first, end) => {
                    let row = &mut bin[at * AGES..(at + 1) * AGES];
                    row[..first].fill(0.0);
                    row[end..].fill(0.0);
                    // Advice that all but rules the bin out says nothing about ages inside it.
                    let advised = advice.map(|advice| &advice.ages[first..end]);
                    if let Some((inside, mass)) = advised.map(|a| (a, a.iter().sum::<f32>())).filter(|a| a.1 > 0.02) {
                        let row = &mut soft[at * AGES + first..at * AGES + end];
                        let share = recipe.advice_weight / mass;
                        row.iter_mut().zip(inside).for_each(|(value, advised)| *value = share * advised);
                    }
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
            weight: Tensor::from_vec(weights, batch, device)?,
        })
    }

    /// The weighted losses of the faces, summed and divided by the size of the batch: a scalar.
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
        let per_face = ((per_face + (bins * recipe.bin_weight)?)? + (gender_loss * recipe.gender_weight)?)?;
        (per_face * &self.weight)?.mean_all()
    }
}
