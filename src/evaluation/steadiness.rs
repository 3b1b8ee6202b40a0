//! How far guesses move when nothing but the framing of the face changes.

use image::GrayImage;
use rayon::prelude::*;
use serde::Serialize;

use super::EvaluationError;
use super::utkface::LabelledFile;
use crate::face::{CropFrame, FaceCrop};
use crate::model::ModelError;
use crate::model::estimator::{Estimate, Estimator};
use crate::photo::{DecodeLimits, decode};

/// Framings of each face.
const VIEWS: usize = 16;
/// The most faces that are looked at, spread evenly over the folder.
const FACES: usize = 500;
/// Ranges, plus or minus: shares of the side, and degrees.
const SHIFT: f32 = 0.08;
const SCALE: f32 = 0.15;
const ROLL: f32 = 10.0;

/// Spread of the guesses of one face over framings shifted by up to 8 % of the side, scaled by
/// 0.85 to 1.15 and rolled by up to 10°.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Steadiness {
    pub faces: usize,
    /// Framings of each face.
    pub views: usize,
    /// Mean over faces of the standard deviation of the guessed age, years.
    pub age_deviation_mean: f64,
    /// Share of the guesses that name another gender than most guesses of the face do.
    pub gender_changes: f64,
    /// The same among the guesses whose gender the words tell ([`Estimate::tells_gender`]).
    pub told_gender_changes: f64,
}

/// How the guesses of one face differ.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Spread {
    /// Standard deviation of the age, years.
    age_deviation: f64,
    /// Guesses that name the rarer gender.
    changes: usize,
    /// Guesses whose gender is told, and those of them that name the rarer one.
    told: usize,
    told_changes: usize,
}

/// Measures the tight crops of `files`; those that cannot be read are left out.
///
/// # Errors
/// [`EvaluationError::Model`] when the network fails.
pub fn steadiness(files: &[LabelledFile], estimator: &Estimator) -> Result<Steadiness, EvaluationError> {
    let step = files.len().div_ceil(FACES).max(1);
    let chosen: Vec<&LabelledFile> = files.iter().step_by(step).collect();
    let spreads = chosen.par_iter().map(|file| -> Result<Option<Spread>, ModelError> {
        let read = std::fs::read(&file.path).ok();
        let photo = read.and_then(|bytes| decode(&bytes, &DecodeLimits::default()).ok());
        photo.map(|photo| spread(&photo.luma, estimator)).transpose()
    });
    let spreads: Vec<Spread> = spreads.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let faces = spreads.len().max(1) as f64;
    let sum = |count: fn(&Spread) -> usize| spreads.iter().map(count).sum::<usize>() as f64;
    Ok(Steadiness {
        faces: spreads.len(),
        views: VIEWS,
        age_deviation_mean: spreads.iter().map(|spread| spread.age_deviation).sum::<f64>() / faces,
        gender_changes: sum(|spread| spread.changes) / (faces * VIEWS as f64),
        told_gender_changes: sum(|spread| spread.told_changes) / sum(|spread| spread.told).max(1.0),
    })
}

/// Over all framings of a face.
fn spread(luma: &GrayImage, estimator: &Estimator) -> Result<Spread, ModelError> {
    let whole = CropFrame::whole(luma);
    let crops: Vec<FaceCrop> = (0..VIEWS).map(|view| FaceCrop::cut(luma, &framing(&whole, view))).collect();
    let estimates = estimator.estimate(&crops.iter().map(FaceCrop::pixels).collect::<Vec<_>>())?;
    let ages: Vec<f64> = estimates.iter().map(|estimate| f64::from(estimate.age())).collect();
    let mean = ages.iter().sum::<f64>() / VIEWS as f64;
    let squares: f64 = ages.iter().map(|age| (age - mean).powi(2)).sum();
    let female = |one: &&Estimate| one.female_probability >= 0.5;
    let all = estimates.iter().filter(female).count();
    let told: Vec<&Estimate> = estimates.iter().filter(|one| one.tells_gender()).collect();
    let told_female = told.iter().copied().filter(female).count();
    Ok(Spread {
        age_deviation: (squares / (VIEWS - 1) as f64).sqrt(),
        changes: all.min(VIEWS - all),
        told: told.len(),
        told_changes: told_female.min(told.len() - told_female),
    })
}

/// The `view`-th framing: always the same ones, spread evenly over the ranges (Halton 1960).
fn framing(whole: &CropFrame, view: usize) -> CropFrame {
    let spread = |base: usize| {
        let (mut value, mut share, mut rest) = (0.0, 1.0 / base as f32, view + 1);
        while rest > 0 {
            value += share * (rest % base) as f32;
            share /= base as f32;
            rest /= base;
        }
        2.0 * value - 1.0
    };
    CropFrame {
        center_x: whole.center_x + SHIFT * spread(2) * whole.side,
        center_y: whole.center_y + SHIFT * spread(3) * whole.side,
        side: whole.side * (1.0 + SCALE * spread(5)),
        roll: (ROLL * spread(7)).to_radians(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framings_spread_over_their_ranges() {
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
            let room = (to - from) * 0.15;
            assert!(from <= low && low < from + room && to - room < high && high <= to, "{low} to {high}");
        }
    }
}
