//! The loss of a batch: soft age targets, L1 of the expected age, age bins, gender, smile.

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
    /// Female or not.
    female: Answers,
    /// Smiling or not.
    smile: Answers,
    /// (batch): weight of each face in the loss.
    weight: Tensor,
}

/// The labels of a yes-or-no question.
struct Answers {
    /// (batch): one for yes, or the teachers' probability of it.
    yes: Tensor,
    /// (batch): one where the answer is known, zero elsewhere.
    is_known: Tensor,
}

impl Answers {
    fn new(answers: &[Option<f32>]) -> Result<Self> {
        let yes = answers.iter().map(|answer| answer.unwrap_or(0.0)).collect();
        let is_known = answers.iter().map(|answer| f32::from(u8::from(answer.is_some()))).collect();
        let tensor = |values: Vec<f32>| Tensor::from_vec(values, answers.len(), &Device::Cpu);
        Ok(Self { yes: tensor(yes)?, is_known: tensor(is_known)? })
    }

    /// The binary cross entropy of each face: (batch, 1) logits → (batch), zero where nothing is known.
    fn loss(&self, logits: &Tensor) -> Result<Tensor> {
        let logits = logits.squeeze(1)?;
        // Without overflow: max(z, 0) − z·y + ln(1 + exp(−|z|)).
        let loss = ((logits.relu()? - (&logits * &self.yes)?)? + (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
        loss * &self.is_known
    }
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
        let (mut female, mut smile) = (Vec::with_capacity(batch), Vec::with_capacity(batch));
        for (index, (example, weight)) in examples.enumerate() {
            weights.push(weight);
            let teacher = example.teacher.as_deref().filter(|_| recipe.distillation_weight > 0.0);
            let blend = |label: f32, predicted: f32| label + recipe.distillation_weight * (predicted - label);
            let label = example.female.map(|female| f32::from(u8::from(female)));
            female.push(match teacher {
                Some(teacher) => Some(label.map_or(teacher.female, |label| blend(label, teacher.female))),
                None => label,
            });
            smile.push(example.smile.map(|smile| f32::from(u8::from(smile))));
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
            female: Answers::new(&female)?,
            smile: Answers::new(&smile)?,
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
        let gender_loss = self.female.loss(&logits.gender)?;
        let per_face = (cross_entropy + (age_l1 * recipe.age_l1_weight)?)?;
        let per_face = ((per_face + (bin_loss * recipe.age_bin_weight)?)? + (gender_loss * recipe.gender_weight)?)?;
        let per_face = match &logits.smile {
            Some(smile) => (per_face + (self.smile.loss(smile)? * recipe.smile_weight)?)?,
            None => per_face,
        };
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::face::CropFrame;

    #[test]
    fn what_is_not_labelled_does_not_count() {
        let luma = Arc::new(image::GrayImage::new(128, 128));
        let frame = CropFrame::whole(&luma);
        let example =
            |age, female, smile| Example { luma: luma.clone(), colour: None, frame, age, female, smile, teacher: None };
        let recipe = Recipe { smile_weight: 1.0, ..Recipe::load(None).unwrap() };
        let loss = |example: &Example, years: f32, gender: f32, smile: f32| {
            let one = |value: f32| Tensor::new(&[[value]], &Device::Cpu).unwrap();
            let ages = (0..AGES).map(|year| -0.1 * (year as f32 - years).abs()).collect::<Vec<f32>>();
            let age = Tensor::from_vec(ages, (1, AGES), &Device::Cpu).unwrap();
            let logits = Logits { age, gender: one(gender), smile: Some(one(smile)), flaws: None };
            let targets = Targets::new([(example, 1.0)].into_iter(), &recipe).unwrap();
            targets.loss(&logits, &recipe).unwrap().to_scalar::<f32>().unwrap()
        };
        let smiling = example(Age::UNKNOWN, None, Some(true));
        assert!((loss(&smiling, 10.0, -3.0, 1.0) - loss(&smiling, 60.0, 3.0, 1.0)).abs() < 1e-5);
        assert!(loss(&smiling, 10.0, 0.0, 1.0) < loss(&smiling, 10.0, 0.0, -1.0));
        let woman = example(Age::Exact(30.0), Some(true), None);
        assert_eq!(loss(&woman, 30.0, 1.0, -5.0), loss(&woman, 30.0, 1.0, 5.0));
        assert!(loss(&woman, 30.0, 1.0, 0.0) < loss(&woman, 30.0, -1.0, 0.0));
        assert!(loss(&woman, 30.0, 1.0, 0.0) < loss(&woman, 50.0, 1.0, 0.0));
    }
}
