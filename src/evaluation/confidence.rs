//! What is said about photos made worse in known ways: how many guesses stay sure, and which tips are given.
//!
//! The network's own distribution becomes wider on a bad photo, and its interval keeps its coverage there, so
//! the width of the interval, relative to what is usual at the guessed age, is the measure of confidence.

use rayon::prelude::*;
use serde::Serialize;

use super::degradation::Degradation;
use super::utkface::{LabelledFile, RACES};
use super::{EvaluationError, mean};
use crate::face::{FaceCrop, FaceError, FaceFinder, Flaw, Quality, measure_quality};
use crate::model::ModelError;
use crate::model::calibration::{Calibration, RawAnswer};
use crate::model::estimator::{Estimate, Estimator};
use crate::photo::{CpuLimit, DecodeLimits, decode};

/// Strengths at which photos are degraded.
pub const STRENGTHS: [f32; 4] = [0.25, 0.5, 0.75, 1.0];

/// A face as it was found in a photo, untouched or degraded.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The labelled picture.
    pub file: LabelledFile,
    /// How the picture was degraded, and how much; `None` if it is untouched.
    pub degradation: Option<(Degradation, f32)>,
    /// The network's answer.
    pub answer: RawAnswer,
    /// What the photo is said to lack.
    pub flaws: Vec<Flaw>,
}

impl Observation {
    /// The calibrated estimate for this photo.
    pub fn estimate(&self, calibration: &Calibration) -> Estimate {
        calibration.apply(&self.answer)
    }

    /// Whether the age is sure at this threshold of the confidence.
    pub fn is_sure(&self, calibration: &Calibration, threshold: f32) -> bool {
        self.flaws.is_empty() && self.estimate(calibration).confidence() >= threshold
    }
}

/// Finds the largest face of each picture, untouched and degraded in every way and strength. Pictures that
/// cannot be read or show no face are left out, and so are degraded ones in which none is found any more.
///
/// # Errors
/// [`EvaluationError::Model`] when a network fails.
pub fn observe(
    files: &[LabelledFile],
    estimator: &Estimator,
    finder: &FaceFinder,
    strengths: &[f32],
) -> Result<Vec<Observation>, EvaluationError> {
    let each = files.par_iter().enumerate().map(|(index, file)| -> Result<Vec<Observation>, ModelError> {
        let bytes = std::fs::read(&file.path).ok();
        let Some(photo) = bytes.and_then(|bytes| decode(&bytes, &DecodeLimits::default()).ok()) else {
            return Ok(Vec::new());
        };
        let observed = |luma: &image::GrayImage, degradation| -> Result<_, ModelError> {
            let found = match finder.find(luma, &CpuLimit::start(DecodeLimits::default().cpu_time)) {
                Ok(found) => found,
                Err(FaceError::Model(error)) => return Err(error),
                Err(FaceError::Resize(_)) => return Ok(None),
            };
            let Some(face) = found.faces.first() else { return Ok(None) };
            let crop = FaceCrop::cut(luma, &face.frame);
            let answer = estimator.raw_answers(&[crop.pixels()])?.remove(0);
            let quality = measure_quality(luma, face, &crop);
            let flaws = Quality { seen: answer.flaws, ..quality }.flaws();
            Ok(Some((face.frame, Observation { file: file.clone(), degradation, answer, flaws })))
        };
        let Some((frame, untouched)) = observed(&photo.luma, None)? else { return Ok(Vec::new()) };
        let mut observations = vec![untouched];
        for degradation in Degradation::ALL {
            for &strength in strengths {
                let degraded = degradation.apply(&photo.luma, &frame, strength, index as u64);
                let observation = observed(&degraded, Some((degradation, strength)))?;
                observations.extend(observation.map(|(_, observation)| observation));
            }
        }
        Ok(observations)
    });
    Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// What is said about faces that were degraded in one way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DegradationFigures {
    /// The name of the degradation; "untouched" for none.
    pub degradation: String,
    /// From 0 to 1.
    pub strength: f32,
    /// How many were found.
    pub faces: usize,
    /// Mean absolute error of the age, years.
    pub age_mae: f64,
    /// Share of labelled ages inside the interval.
    pub coverage: f64,
    /// Share of guesses that are sure.
    pub sure: f64,
    /// Share that gets the tip for the flaw; of untouched photos, any tip.
    pub tip: f64,
    /// Share that gets a tip for another flaw.
    pub other_tips: f64,
}

/// One row for the untouched photos and one for each degradation and strength.
pub fn degradation_figures(
    observations: &[Observation],
    calibration: &Calibration,
    threshold: f32,
) -> Vec<DegradationFigures> {
    let all = Degradation::ALL.into_iter().flat_map(|way| STRENGTHS.map(|strength| Some((way, strength))));
    let row = |degradation: Option<(Degradation, f32)>| {
        let members: Vec<&Observation> =
            observations.iter().filter(|observation| observation.degradation == degradation).collect();
        figures(degradation, &members, calibration, threshold)
    };
    std::iter::once(None).chain(all).map(row).filter(|row| row.faces > 0).collect()
}

fn figures(
    degradation: Option<(Degradation, f32)>,
    members: &[&Observation],
    calibration: &Calibration,
    threshold: f32,
) -> DegradationFigures {
    let share = |is: &dyn Fn(&Observation) -> bool| mean(members.iter().map(|one| f64::from(u8::from(is(one)))));
    let flaw = degradation.map(|(way, _)| way.flaw());
    DegradationFigures {
        degradation: degradation.map_or("untouched".to_owned(), |(way, _)| format!("{way:?}").to_lowercase()),
        strength: degradation.map_or(0.0, |(_, strength)| strength),
        faces: members.len(),
        age_mae: mean(
            members.iter().map(|one| f64::from((one.estimate(calibration).age() - one.file.label.age).abs())),
        ),
        coverage: mean(members.iter().map(|one| {
            let (low, high) = one.estimate(calibration).age_interval;
            super::coverage(low, high, one.file.label.age)
        })),
        sure: share(&|one| one.is_sure(calibration, threshold)),
        tip: share(&|one| flaw.map_or(!one.flaws.is_empty(), |flaw| one.flaws.contains(&flaw))),
        other_tips: share(&|one| flaw.is_some_and(|flaw| one.flaws.iter().any(|other| *other != flaw))),
    }
}

/// By race label: its name, the share of right tips at half the strength and more, and the share of untouched
/// faces with any tip.
pub fn tips_by_race(observations: &[Observation]) -> Vec<(&'static str, f64, f64)> {
    let share = |members: Vec<bool>| mean(members.iter().map(|member| f64::from(u8::from(*member))));
    let rows = RACES.iter().enumerate().map(|(index, race)| {
        let members = || observations.iter().filter(move |one| one.file.race == Some(index));
        let right = members().filter_map(|one| {
            let (way, strength) = one.degradation?;
            (strength >= 0.5).then(|| one.flaws.contains(&way.flaw()))
        });
        let any = members().filter(|one| one.degradation.is_none()).map(|one| !one.flaws.is_empty());
        (*race, share(right.collect()), share(any.collect()))
    });
    rows.filter(|(_, right, _)| right.is_finite()).collect()
}
