//! Robustness to framing: how much predictions vary when only the framing of the face changes.

use image::GrayImage;
use rayon::prelude::*;
use serde::Serialize;

use super::EvaluationError;
use super::utkface::LabelledFile;
use crate::face::{CropFrame, FaceCrop};
use crate::model::ModelError;
use crate::model::estimator::{Estimate, Estimator};
use crate::photo::{DecodeLimits, decode};

/// Framings per face.
const VIEWS: usize = 16;
/// The most faces that are measured, evenly spaced over the folder.
const FACES: usize = 500;
/// Ranges of the framings, ±: shares of the side, and degrees.
const SHIFT: f32 = 0.08;
const SCALE: f32 = 0.15;
const ROLL: f32 = 10.0;

/// Variation of the predictions for a face over framings shifted by up to 8 % of the side, scaled by
/// 0.85 to 1.15 and rolled by up to 10°.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FramingRobustness {
    /// The number of faces measured.
    pub faces: usize,
    /// Framings per face.
    pub views: usize,
    /// Mean over faces of the standard deviation of the predicted age, years.
    pub age_deviation_mean: f64,
    /// Share of the predictions whose gender differs from the face's majority.
    pub gender_changes: f64,
    /// The same among predictions whose gender is reported ([`Estimate::reports_gender`]).
    pub told_gender_changes: f64,
}

/// Variation for one face.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Variation {
    /// Standard deviation of the age, years.
    age_deviation: f64,
    /// Predictions of the minority gender.
    changes: usize,
    /// Predictions whose gender is reported, and those of them of the minority gender.
    reported: usize,
    reported_changes: usize,
}

/// Measures the tight crops of `files`; unreadable ones are skipped.
///
/// # Errors
/// [`EvaluationError::Model`] when the network fails.
pub fn framing_robustness(files: &[LabelledFile], estimator: &Estimator) -> Result<FramingRobustness, EvaluationError> {
    let step = files.len().div_ceil(FACES).max(1);
    let sampled: Vec<&LabelledFile> = files.iter().step_by(step).collect();
    let variations = sampled.par_iter().map(|file| -> Result<Option<Variation>, ModelError> {
        let bytes = std::fs::read(&file.path).ok();
        let photo = bytes.and_then(|bytes| decode(&bytes, &DecodeLimits::default()).ok());
        photo.map(|photo| variation(&photo.luma, estimator)).transpose()
    });
    let variations: Vec<Variation> = variations.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let faces = variations.len().max(1) as f64;
    let sum = |count: fn(&Variation) -> usize| variations.iter().map(count).sum::<usize>() as f64;
    Ok(FramingRobustness {
        faces: variations.len(),
        views: VIEWS,
        age_deviation_mean: variations.iter().map(|face| face.age_deviation).sum::<f64>() / faces,
        gender_changes: sum(|face| face.changes) / (faces * VIEWS as f64),
        told_gender_changes: sum(|face| face.reported_changes) / sum(|face| face.reported).max(1.0),
    })
}

/// Variation over all framings of a face.
fn variation(luma: &GrayImage, estimator: &Estimator) -> Result<Variation, ModelError> {
    let whole = CropFrame::whole(luma);
    let crops: Vec<FaceCrop> = (0..VIEWS).map(|view| FaceCrop::cut(luma, &framing(&whole, view))).collect();
    let estimates = estimator.estimate(&crops.iter().map(FaceCrop::pixels).collect::<Vec<_>>())?;
    let ages: Vec<f64> = estimates.iter().map(|estimate| f64::from(estimate.age())).collect();
    let mean = ages.iter().sum::<f64>() / VIEWS as f64;
    let squares: f64 = ages.iter().map(|age| (age - mean).powi(2)).sum();
    let is_female = |estimate: &&Estimate| estimate.female_probability >= 0.5;
    let female = estimates.iter().filter(is_female).count();
    let reported: Vec<&Estimate> = estimates.iter().filter(|estimate| estimate.reports_gender()).collect();
    let reported_female = reported.iter().copied().filter(is_female).count();
    Ok(Variation {
        age_deviation: (squares / (VIEWS - 1) as f64).sqrt(),
        changes: female.min(VIEWS - female),
        reported: reported.len(),
        reported_changes: reported_female.min(reported.len() - reported_female),
    })
}

/// The `view`-th framing of a fixed low-discrepancy sequence over the ranges (Halton 1960).
fn framing(whole: &CropFrame, view: usize) -> CropFrame {
    // From -1 to 1.
    let halton = |base: usize| {
        let (mut value, mut weight, mut rest) = (0.0, 1.0 / base as f32, view + 1);
        while rest > 0 {
            value += weight * (rest % base) as f32;
            weight /= base as f32;
            rest /= base;
        }
        2.0 * value - 1.0
    };
    CropFrame {
        center_x: whole.center_x + SHIFT * halton(2) * whole.side,
        center_y: whole.center_y + SHIFT * halton(3) * whole.side,
        side: whole.side * (1.0 + SCALE * halton(5)),
        roll: (ROLL * halton(7)).to_radians(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framings_cover_their_ranges() {
        let whole = CropFrame { center_x: 0.0, center_y: 0.0, side: 100.0, roll: 0.0 };
        let frames: Vec<CropFrame> = (0..VIEWS).map(|view| framing(&whole, view)).collect();
        let range = |value: fn(&CropFrame) -> f32| {
            let values = frames.iter().map(value);
            (values.clone().fold(f32::MAX, f32::min), values.fold(f32::MIN, f32::max))
        };
        for ((low, high), (from, to)) in [
            (range(|frame| frame.center_x), (-8.0, 8.0)),
            (range(|frame| frame.center_y), (-8.0, 8.0)),
            (range(|frame| frame.side), (85.0, 115.0)),
            (range(|frame| frame.roll.to_degrees()), (-10.0, 10.0)),
        ] {
            let margin = (to - from) * 0.15;
            assert!(from <= low && low < from + margin && to - margin < high && high <= to, "{low} to {high}");
        }
    }
}
