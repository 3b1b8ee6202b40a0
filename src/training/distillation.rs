//! Knowledge distillation (Hinton et al. 2015): teachers' predictions as soft labels.

use std::sync::Arc;

use rayon::prelude::*;

use super::TrainingError;
use super::dataset::{Example, TeacherPrediction};
use crate::face::FaceCrop;
use crate::model::estimator::Estimator;
use crate::model::network::AGES;

/// Crops per forward pass.
const BATCH: usize = 16;

/// Adds to each example the mean prediction of `teachers` for its crop without augmentation.
pub(super) fn add_teacher_predictions(teachers: &[Estimator], examples: &mut [Example]) -> Result<(), TrainingError> {
    examples.par_chunks_mut(BATCH).try_for_each(|chunk| {
        let crops: Vec<FaceCrop> = chunk.iter().map(|example| FaceCrop::cut(&example.luma, &example.frame)).collect();
        let crops: Vec<&[u8]> = crops.iter().map(FaceCrop::pixels).collect();
        let estimates = teachers.iter().map(|teacher| teacher.estimate(&crops)).collect::<Result<Vec<_>, _>>()?;
        for (index, example) in chunk.iter_mut().enumerate() {
            let mut mean = TeacherPrediction { ages: vec![0.0; AGES], female: 0.0 };
            for estimates in &estimates {
                let estimate = &estimates[index];
                let share = 1.0 / teachers.len() as f32;
                mean.ages.iter_mut().zip(&estimate.age_probabilities).for_each(|(sum, mass)| *sum += share * mass);
                mean.female += share * estimate.female_probability;
            }
            example.teacher = Some(Arc::new(mean));
        }
        Ok(())
    })
}
