//! The loss of a batch: soft age targets, L1 of the expected age, age bins, gender.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::{log_softmax, softmax};

use super::dataset::{Age, Example};
use super::recipe::Recipe;
use crate::model::estimator::Logits;
use crate::model::network::AGES;

/// Targets of a batch as tensors, built once per step.
pub(super) struct Targets {
    /// (batch, 101): a Gaussian around an exact age, blended with the teachers' prediction; for a bin,
    /// the teachers' prediction inside it, or zero.
    soft: Tensor,
    /// (batch, 101): one inside a bin, one everywhere for an exact age.
    bin: Tensor,
    /// (batch): the exact age.
    age: Tensor,
    /// (batch): one for an exact age, zero for a bin.
    is_exact: Tensor,
    /// (batch): one for female.
    female: Tensor,
    /// (batch): weight of each face in the loss.
    weight: Tensor,
}

impl Targets {
    /// Targets of examples, each with its weight in the loss.
    pub(super) fn new<'a>(
        examples: impl ExactSizeIterator<Item = (&'a Example, f32)>,
        recipe: &Recipe,
    ) -> Result<Self> {
        let batch = examples.len();
        let mut weights = Vec::with_capacity(batch);
        let (mut soft, mut bin) = (vec![0.0f32; batch * AGES], vec![1.0f32; batch * AGES]);
        let (mut ages, mut is_exact) = (vec![0.0f32; batch], vec![0.0f32; batch]);
        let mut female = Vec::with_capacity(batch);
        for (index, (example, weight)) in examples.enumerate() {
            weights.push(weight);
            let teacher = example.teacher.as_deref().filter(|_| recipe.distillation_weight > 0.0);
            let blend = |label: f32, predicted: f32| label + recipe.distillation_weight * (predicted - label);
            let label = f32::from(u8::from(example.female));
            female.push(teacher.map_or(label, |teacher| blend(label, teacher.female)));
            let row = index * AGES..(index + 1) * AGES;
            match example.age {
                Age::Exact(age) => {
                    let soft = &mut soft[row];
                    gaussian(soft, age, recipe.age_sigma + recipe.age_sigma_per_year * age);
                    (ages[index], is_exact[index]) = (age, 1.0);
                    if let Some(teacher) = teacher {
                        soft.iter_mut().zip(&teacher.ages).for_each(|(value, mass)| *value = blend(*value, *mass));
                        let expected = teacher.ages.iter().enumerate().map(|(year, mass)| year as f32 * mass).sum();
                        ages[index] = blend(age, expected);
                    }
                }
                Age::Bin(first, end) => {
                    let (soft, bin) = (&mut soft[row.clone()], &mut bin[row]);
                    bin[..first].fill(0.0);
                    bin[end..].fill(0.0);
                    let Some(teacher) = teacher else { continue };
                    let inside = &teacher.ages[first..end];
                    let mass: f32 = inside.iter().sum();
                    // A prediction with hardly any mass in the bin is not informative about ages inside it.
                    if mass > 0.02 {
                        let scale = recipe.distillation_weight / mass;
                        soft[first..end].iter_mut().zip(inside).for_each(|(value, mass)| *value = scale * mass);
                    }
                }
            }
        }
        let device = &Device::Cpu;
        Ok(Self {
            soft: Tensor::from_vec(soft, (batch, AGES), device)?,
            bin: Tensor::from_vec(bin, (batch, AGES), device)?,
            age: Tensor::from_vec(ages, batch, device)?,
            is_exact: Tensor::from_vec(is_exact, batch, device)?,
            female: Tensor::from_vec(female, batch, device)?,
            weight: Tensor::from_vec(weights, batch, device)?,
        })
    }

    /// The weighted sum of the faces' losses, divided by the batch size: a scalar.
    pub(super) fn loss(&self, logits: &Logits, recipe: &Recipe) -> Result<Tensor> {
        let log_ages = log_softmax(&logits.age, D::Minus1)?;
        let ages = softmax(&logits.age, D::Minus1)?;
        let cross_entropy = (&self.soft * log_ages)?.sum(D::Minus1)?.neg()?;
        let years = Tensor::arange(0f32, AGES as f32, &Device::Cpu)?;
        let expected = ages.broadcast_mul(&years)?.sum(D::Minus1)?;
        let age_l1 = ((expected - &self.age)?.abs()? * &self.is_exact)?;
        // The offset keeps the gradient finite when the bin's mass underflows.
        let bin_loss = ((&ages * &self.bin)?.sum(D::Minus1)? + 1e-6)?.log()?.neg()?;
        let bin_loss = (bin_loss * (1.0 - &self.is_exact)?)?;
        let gender = logits.gender.squeeze(1)?;
        // Binary cross entropy without overflow: max(z, 0) − z·y + ln(1 + exp(−|z|)).
        let gender_loss =
            ((gender.relu()? - (&gender * &self.female)?)? + (gender.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
        let per_face = (cross_entropy + (age_l1 * recipe.age_l1_weight)?)?;
        let per_face = ((per_face + (bin_loss * recipe.age_bin_weight)?)? + (gender_loss * recipe.gender_weight)?)?;
        (per_face * &self.weight)?.mean_all()
    }
}

/// Fills `ages` with a normalised Gaussian around `mean`, `sigma` in years.
fn gaussian(ages: &mut [f32], mean: f32, sigma: f32) {
    let density = |year: usize| (-0.5 * ((year as f32 - mean) / sigma).powi(2)).exp();
    ages.iter_mut().enumerate().for_each(|(year, value)| *value = density(year));
    let sum: f32 = ages.iter().sum();
    ages.iter_mut().for_each(|value| *value /= sum);
}
