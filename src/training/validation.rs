//! Scores and calibrates a network on labelled crops without augmentation.

use rayon::prelude::*;
use tracing::info;

use super::TrainingError;
use super::dataset::{Dataset, Example};
use crate::evaluation::{Label, Scores, calibration, scores};
use crate::face::FaceCrop;
use crate::model::ModelError;
use crate::model::estimator::Estimator;

/// Crops per forward pass.
const BATCH: usize = 16;

pub(super) fn score(estimator: &Estimator, examples: &[Example]) -> Result<Scores, TrainingError> {
    let estimates = predict_labelled(examples, |crops| estimator.estimate(crops))?;
    Ok(scores(&estimates.iter().map(|(estimate, label)| (estimate, label)).collect::<Vec<_>>()))
}

/// Fits the calibration on the validation crops, and logs the cross-validated figures (fitted on one
/// half, measured on the other).
pub(super) fn calibrate(estimator: Estimator, val: &Dataset) -> Result<Estimator, TrainingError> {
    let (answers, labels): (Vec<_>, Vec<_>) =
        predict_labelled(&val.examples, |crops| estimator.raw_answers(crops))?.into_iter().unzip();
    let held_out = calibration::held_out(&answers, &labels);
    info!(
        "calibrated; held out (two-fold): gender ECE {:.4}, 80 % interval covers {:.1} %, mean width {:.1} years",
        held_out.gender_ece,
        held_out.interval_80_coverage * 100.0,
        held_out.interval_80_width_mean
    );
    Ok(estimator.with_calibration(calibration::fit(&answers, &labels)))
}

/// Predictions and labels of all examples with an exact age.
fn predict_labelled<T: Send>(
    examples: &[Example],
    predict: impl Fn(&[&[u8]]) -> Result<Vec<T>, ModelError> + Sync,
) -> Result<Vec<(T, Label)>, TrainingError> {
    let labelled: Vec<(&Example, Label)> =
        examples.iter().filter_map(|example| Some((example, example.label()?))).collect();
    let pairs = labelled
        .par_chunks(BATCH)
        .map(|chunk| {
            let crops: Vec<FaceCrop> =
                chunk.iter().map(|(example, _)| FaceCrop::cut(&example.luma, &example.frame)).collect();
            let predictions = predict(&crops.iter().map(FaceCrop::pixels).collect::<Vec<_>>())?;
            Ok(predictions.into_iter().zip(chunk.iter().map(|(_, label)| *label)).collect::<Vec<_>>())
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    Ok(pairs.into_iter().flatten().collect())
}
