//! Runs the estimator over a folder of labelled pictures and sums up, also group by group.

use std::path::{Path, PathBuf};

use image::GrayImage;
use rayon::prelude::*;

use super::utkface::{LabelledFile, RACES, labelled_folder};
use super::{EvaluationError, Label, Scores, age_mae, gender_accuracy, scores};
use crate::face::FaceCrop;
use crate::model::ModelError;
use crate::model::estimator::{Estimate, Estimator};
use crate::photo::{DecodeLimits, decode};

/// Crops in one forward pass.
const BATCH: usize = 16;

/// One picture's guess beside its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    pub file: LabelledFile,
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
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub name: String,
    pub photos: usize,
    /// Years.
    pub age_mae: f64,
    /// Share of 1.
    pub gender_accuracy: f64,
}

/// Measures every UTKFace-named picture of `folder`. `crop` turns an upright picture into what
/// the network sees: the whole picture for tight crops, a detector's find otherwise, or nothing
/// where there is no face.
///
/// # Errors
/// [`EvaluationError::Folder`] when nothing can be measured, [`EvaluationError::Model`] when the
/// network fails. A picture that cannot be read is counted, not an error.
pub fn measure(
    folder: &Path,
    estimator: &Estimator,
    crop: impl Fn(&GrayImage) -> Result<Option<FaceCrop>, ModelError> + Sync,
) -> Result<Measurement, EvaluationError> {
    let labelled = labelled_folder(folder)?;
    let crops_of = |file: &LabelledFile| -> Result<Result<Option<FaceCrop>, String>, ModelError> {
        let read = std::fs::read(&file.path).map_err(|error| error.to_string());
        let luma = read.and_then(|bytes| decode(&bytes, &DecodeLimits::default()).map_err(|error| error.to_string()));
        match luma {
            Ok(photo) => Ok(Ok(crop(&photo.luma)?)),
            Err(reason) => Ok(Err(reason)),
        }
    };
    let batches = labelled.files.par_chunks(BATCH).map(|files| -> Result<Measurement, ModelError> {
        let mut part = Measurement { predictions: Vec::new(), faceless: Vec::new(), unreadable: Vec::new(), others: 0 };
        let mut found = Vec::new();
        for file in files {
            match crops_of(file)? {
                Ok(Some(crop)) => found.push((file, crop)),
                Ok(None) => part.faceless.push(file.path.clone()),
                Err(reason) => part.unreadable.push((file.path.clone(), reason)),
            }
        }
        let estimates = estimator.estimate(&found.iter().map(|(_, crop)| crop.pixels()).collect::<Vec<_>>())?;
        let predictions = found.into_iter().zip(estimates);
        part.predictions =
            predictions.map(|((file, _), estimate)| Prediction { file: file.clone(), estimate }).collect();
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
    whole.others = labelled.others;
    if whole.predictions.is_empty() {
        let reason = match whole.unreadable.first() {
            Some((path, reason)) => format!("none of its pictures can be read; {}: {reason}", path.display()),
            None => "no face was found in any of its pictures; if they are tight crops, add --aligned".to_owned(),
        };
        return Err(EvaluationError::Folder { path: folder.to_owned(), reason });
    }
    Ok(whole)
}

impl Measurement {
    /// The figures over all predictions.
    pub fn scores(&self) -> Scores {
        let (estimates, labels): (Vec<Estimate>, Vec<Label>) =
            self.predictions.iter().map(|one| (one.estimate.clone(), one.file.label)).unzip();
        scores(&estimates, &labels)
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
        groups.retain(|group| group.photos > 0);
        groups
    }

    /// The confidence score that `share` (0 to 1) of the guesses reach.
    pub fn confidence_of_surest(&self, share: f64) -> f32 {
        let mut scores: Vec<f32> = self.predictions.iter().map(|one| one.estimate.confidence()).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        let last = ((scores.len() as f64 * share.clamp(0.0, 1.0)) as usize).clamp(1, scores.len().max(1)) - 1;
        scores.get(last).copied().unwrap_or(0.0)
    }

    fn group(&self, name: &str, belongs: impl Fn(&Prediction) -> bool) -> Group {
        let members = self.predictions.iter().filter(|one| belongs(one));
        let pairs: Vec<_> = members.map(|one| (&one.estimate, &one.file.label)).collect();
        Group {
            name: name.to_owned(),
            photos: pairs.len(),
            age_mae: age_mae(&pairs),
            gender_accuracy: gender_accuracy(&pairs),
        }
    }

    /// Writes `file,age,age_low,age_high,female_probability`; the ages are the expected one and
    /// the ends of the central 80 %.
    ///
    /// # Errors
    /// [`EvaluationError::Write`].
    pub fn write_csv(&self, path: &Path) -> Result<(), EvaluationError> {
        let unwritable =
            |error: csv::Error| EvaluationError::Write { path: path.to_owned(), reason: error.to_string() };
        let mut writer = csv::Writer::from_path(path).map_err(unwritable)?;
        writer.write_record(["file", "age", "age_low", "age_high", "female_probability"]).map_err(unwritable)?;
        for Prediction { file, estimate } in &self.predictions {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            let (low, high) = estimate.age_interval(0.8);
            let row = (name, estimate.age(), low, high, estimate.female_probability);
            writer.serialize(row).map_err(unwritable)?;
        }
        writer.flush().map_err(|error| unwritable(error.into()))
    }
}
