//! Runs the estimator over a folder of labelled pictures and sums up, also group by group.

use std::path::{Path, PathBuf};

use image::GrayImage;
use rayon::prelude::*;

use serde::Serialize;

use super::utkface::{LabelledFile, LabelledFolder, RACES};
use super::{EvaluationError, Pair, Scores, scores};
use crate::face::FaceCrop;
use crate::model::ModelError;
use crate::model::calibration::RawAnswer;
use crate::model::estimator::{Estimate, Estimator};
use crate::photo::{DecodeLimits, decode};

/// Crops in one forward pass.
const BATCH: usize = 16;

/// One picture's guess beside its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    pub file: LabelledFile,
    /// Before calibration.
    pub answer: RawAnswer,
    pub estimate: Estimate,
}

/// What came of a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// In the order of the file names.
    pub predictions: Vec<Prediction>,
    /// Pictures in which no face was found.
    pub faceless: Vec<PathBuf>,
    /// Pictures that could not be read, each with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Entries whose names are not UTKFace's.
    pub others: usize,
}

/// One row of a report by groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    pub name: String,
    #[serde(flatten)]
    pub scores: Scores,
}

/// Measures the pictures of `folder`. `crop` turns an upright picture into what the network sees:
/// the whole picture for tight crops, a detector's find otherwise, or nothing where there is no
/// face.
///
/// # Errors
/// [`EvaluationError::Model`] when the network fails. A picture that cannot be read or shows no
/// face is counted, not an error; [`Measurement::some`] refuses a folder without any other.
pub fn measure(
    folder: &LabelledFolder,
    estimator: &Estimator,
    crop: impl Fn(&GrayImage) -> Result<Option<FaceCrop>, ModelError> + Sync,
) -> Result<Measurement, EvaluationError> {
    let crops_of = |file: &LabelledFile| -> Result<Result<Option<FaceCrop>, String>, ModelError> {
        let read = std::fs::read(&file.path).map_err(|error| error.to_string());
        let luma = read.and_then(|bytes| decode(&bytes, &DecodeLimits::default()).map_err(|error| error.to_string()));
        match luma {
            Ok(photo) => Ok(Ok(crop(&photo.luma)?)),
            Err(reason) => Ok(Err(reason)),
        }
    };
    let batches = folder.files.par_chunks(BATCH).map(|files| -> Result<Measurement, ModelError> {
        let mut part = Measurement { predictions: Vec::new(), faceless: Vec::new(), unreadable: Vec::new(), others: 0 };
        let mut found = Vec::new();
        for file in files {
            match crops_of(file)? {
                Ok(Some(crop)) => found.push((file, crop)),
                Ok(None) => part.faceless.push(file.path.clone()),
                Err(reason) => part.unreadable.push((file.path.clone(), reason)),
            }
        }
        let answers = estimator.answers(&found.iter().map(|(_, crop)| crop.pixels()).collect::<Vec<_>>())?;
        let predictions = found.into_iter().zip(answers).map(|((file, _), answer)| {
            let estimate = estimator.calibration().apply(&answer);
            Prediction { file: file.clone(), answer, estimate }
        });
        part.predictions = predictions.collect();
        Ok(part)
    });
    let mut batches = batches.collect::<Result<Vec<_>, _>>()?.into_iter();
    let empty = Measurement { predictions: Vec::new(), faceless: Vec::new(), unreadable: Vec::new(), others: 0 };
    let mut whole = batches.next().unwrap_or(empty);
    for part in batches {
        whole.predictions.extend(part.predictions);
        whole.faceless.extend(part.faceless);
        whole.unreadable.extend(part.unreadable);
    }
    whole.others = folder.others;
    Ok(whole)
}

impl Measurement {
    /// This, if there is anything in it.
    ///
    /// # Errors
    /// [`EvaluationError::Folder`] says why nothing in `folder` could be measured.
    pub fn some(self, folder: &LabelledFolder) -> Result<Self, EvaluationError> {
        if !self.predictions.is_empty() {
            return Ok(self);
        }
        let reason = match self.unreadable.first() {
            Some((path, reason)) => format!("none of its pictures can be read; {}: {reason}", path.display()),
            None => "no face was found in any of its pictures; if they are tight crops, add --aligned".to_owned(),
        };
        Err(EvaluationError::Folder { path: folder.path.clone(), reason })
    }

    /// The figures over all predictions.
    pub fn scores(&self) -> Scores {
        scores(&pairs(&self.predictions))
    }

    /// By true age, by labelled gender, by labelled race, and the guesses told as sure at the
    /// confidence `threshold`; empty groups are left out.
    pub fn groups(&self, threshold: f32) -> Vec<Group> {
        let ages = [("age 0 to 3", 0.0, 3.0), ("age 4 to 12", 4.0, 12.0), ("age 13 to 17", 13.0, 17.0)];
        let grown = [("age 18 to 59", 18.0, 59.0), ("age 60 and more", 60.0, f32::INFINITY)];
        let mut groups = Vec::new();
        for (name, low, high) in ages.into_iter().chain(grown) {
            groups.push(self.group(name, |one| (low..=high).contains(&one.file.label.age)));
        }
        groups.push(self.group("labelled female", |one| one.file.label.female));
        groups.push(self.group("labelled male", |one| !one.file.label.female));
        for (index, race) in RACES.into_iter().enumerate() {
            groups.push(self.group(race, |one| one.file.race == Some(index)));
        }
        groups.push(self.group(&format!("confidence {threshold} up"), |one| one.estimate.confidence() >= threshold));
        groups.push(self.group(&format!("confidence below {threshold}"), |one| one.estimate.confidence() < threshold));
        groups.retain(|group| group.scores.photos > 0);
        groups
    }

    /// By decade of the true age, up to the eighties; empty ones are left out.
    pub fn decades(&self) -> Vec<Group> {
        let decade = |tens: usize| {
            let (low, high) = (tens as f32 * 10.0, tens as f32 * 10.0 + 9.0);
            self.group(&format!("{low} to {high}"), |one| (low..=high).contains(&one.file.label.age))
        };
        (0..9).map(decade).filter(|group| group.scores.photos > 0).collect()
    }

    /// The predictions from the surest to the least sure.
    pub fn surest_first(&self) -> Vec<&Prediction> {
        let mut sorted: Vec<(f32, &Prediction)> =
            self.predictions.iter().map(|one| (one.estimate.confidence(), one)).collect();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        sorted.into_iter().map(|(_, one)| one).collect()
    }

    /// The surest `share` (0 to 1) of the guesses, and the confidence that they reach.
    pub fn surest(&self, share: f64) -> Surest {
        let mut sorted = self.surest_first();
        sorted.truncate(((sorted.len() as f64 * share.clamp(0.0, 1.0)) as usize).max(1));
        let confidence = sorted.last().map_or(0.0, |last| last.estimate.confidence());
        Surest { confidence, scores: scores(&pairs(sorted)) }
    }

    fn group(&self, name: &str, belongs: impl Fn(&Prediction) -> bool) -> Group {
        let members = self.predictions.iter().filter(|one| belongs(one));
        Group { name: name.to_owned(), scores: scores(&pairs(members)) }
    }

    /// Writes `file,age,age_low,age_high,female_probability`; the ages are the expected one and
    /// the ends of the 80 % interval.
    ///
    /// # Errors
    /// [`EvaluationError::Write`].
    pub fn write_csv(&self, path: &Path) -> Result<(), EvaluationError> {
        let unwritable =
            |error: csv::Error| EvaluationError::Write { path: path.to_owned(), reason: error.to_string() };
        let mut writer = csv::Writer::from_path(path).map_err(unwritable)?;
        writer.write_record(["file", "age", "age_low", "age_high", "female_probability"]).map_err(unwritable)?;
        for Prediction { file, estimate, .. } in &self.predictions {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            let (low, high) = estimate.age_interval;
            let row = (name, estimate.age(), low, high, estimate.female_probability);
            writer.serialize(row).map_err(unwritable)?;
        }
        writer.flush().map_err(|error| unwritable(error.into()))
    }
}

/// The surest guesses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Surest {
    /// The lowest score among them.
    pub confidence: f32,
    #[serde(flatten)]
    pub scores: Scores,
}

/// Guesses beside their labels, as [`scores`] takes them.
pub fn pairs<'a>(predictions: impl IntoIterator<Item = &'a Prediction>) -> Vec<Pair<'a>> {
    predictions.into_iter().map(|one| (&one.estimate, &one.file.label)).collect()
}
