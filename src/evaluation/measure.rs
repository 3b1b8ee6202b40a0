//! Runs the estimator over a folder of labelled pictures and computes metrics, overall and by group.

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

/// Crops per forward pass.
const BATCH: usize = 16;

/// One picture's label and prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The picture with its labels.
    pub file: LabelledFile,
    /// Before calibration.
    pub answer: RawAnswer,
    /// After calibration.
    pub estimate: Estimate,
}

/// The predictions for a folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measurement {
    /// In the order of the file names.
    pub predictions: Vec<Prediction>,
    /// Pictures in which no face was found.
    pub faceless: Vec<PathBuf>,
    /// Pictures that could not be read, each with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
    /// The number of entries without a UTKFace file name.
    pub other_entries: usize,
}

/// Metrics of one group of faces.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The heading in tables, such as "age 0 to 3".
    pub name: String,
    /// Metrics over its faces.
    #[serde(flatten)]
    pub scores: Scores,
}

/// Predicts all pictures of `folder`. `crop` turns an upright picture into the network's input: the
/// whole picture for tight crops, otherwise the detected face, or `None` if there is none.
///
/// # Errors
/// [`EvaluationError::Model`] when the network fails. A picture that is unreadable or without a face is
/// counted, not an error; [`Measurement::non_empty`] rejects a folder without any other.
pub fn measure(
    folder: &LabelledFolder,
    estimator: &Estimator,
    crop: impl Fn(&GrayImage) -> Result<Option<FaceCrop>, ModelError> + Sync,
) -> Result<Measurement, EvaluationError> {
    let Answers { answered, faceless, unreadable } = answers(&folder.files, |file| &file.path, estimator, crop)?;
    let predictions = answered.into_iter().map(|(file, answer)| {
        let estimate = estimator.calibration().apply(&answer);
        Prediction { file, answer, estimate }
    });
    let (predictions, other_entries) = (predictions.collect(), folder.other_entries);
    Ok(Measurement { predictions, faceless, unreadable, other_entries })
}

/// The network's answers to pictures with labels of any kind.
pub(super) struct Answers<T> {
    /// In the order of the pictures.
    pub(super) answered: Vec<(T, RawAnswer)>,
    /// Pictures without a face.
    pub(super) faceless: Vec<PathBuf>,
    /// Pictures that could not be read, each with the reason.
    pub(super) unreadable: Vec<(PathBuf, String)>,
}

/// Reads the pictures of `items`, crops them and runs the network, on all cores.
///
/// # Errors
/// As [`measure`].
pub(super) fn answers<T: Clone + Send + Sync>(
    items: &[T],
    path: impl Fn(&T) -> &Path + Sync,
    estimator: &Estimator,
    crop: impl Fn(&GrayImage) -> Result<Option<FaceCrop>, ModelError> + Sync,
) -> Result<Answers<T>, EvaluationError> {
    let load_crop = |path: &Path| -> Result<Result<Option<FaceCrop>, String>, ModelError> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string());
        let photo = bytes.and_then(|bytes| decode(&bytes, &DecodeLimits::default()).map_err(|error| error.to_string()));
        match photo {
            Ok(photo) => Ok(Ok(crop(&photo.luma)?)),
            Err(reason) => Ok(Err(reason)),
        }
    };
    let batches = items.par_chunks(BATCH).map(|items| -> Result<Answers<T>, ModelError> {
        let (mut crops, mut faceless, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            match load_crop(path(item))? {
                Ok(Some(crop)) => crops.push((item, crop)),
                Ok(None) => faceless.push(path(item).to_owned()),
                Err(reason) => unreadable.push((path(item).to_owned(), reason)),
            }
        }
        let answers = estimator.raw_answers(&crops.iter().map(|(_, crop)| crop.pixels()).collect::<Vec<_>>())?;
        let answered = crops.into_iter().zip(answers).map(|((item, _), answer)| (item.clone(), answer)).collect();
        Ok(Answers { answered, faceless, unreadable })
    });
    let mut whole = Answers { answered: Vec::new(), faceless: Vec::new(), unreadable: Vec::new() };
    for part in batches.collect::<Result<Vec<_>, _>>()? {
        whole.answered.extend(part.answered);
        whole.faceless.extend(part.faceless);
        whole.unreadable.extend(part.unreadable);
    }
    Ok(whole)
}

impl Measurement {
    /// Returns itself unless there are no predictions.
    ///
    /// # Errors
    /// [`EvaluationError::Folder`] says why nothing in `folder` could be measured.
    pub fn non_empty(self, folder: &LabelledFolder) -> Result<Self, EvaluationError> {
        if !self.predictions.is_empty() {
            return Ok(self);
        }
        let reason = match self.unreadable.first() {
            Some((path, reason)) => format!("none of its pictures can be read; {}: {reason}", path.display()),
            None => "no face was found in any of its pictures; if they are tight crops, add --aligned".to_owned(),
        };
        Err(EvaluationError::Folder { path: folder.path.clone(), reason })
    }

    /// Metrics over all predictions.
    pub fn scores(&self) -> Scores {
        scores(&pairs(&self.predictions))
    }

    /// By true age, labelled gender, labelled race, and confidence at or above and below `threshold`;
    /// empty groups are omitted.
    pub fn groups(&self, threshold: f32) -> Vec<Group> {
        let ages = [("age 0 to 3", 0.0, 3.0), ("age 4 to 12", 4.0, 12.0), ("age 13 to 17", 13.0, 17.0)];
        let adults = [("age 18 to 59", 18.0, 59.0), ("age 60 and more", 60.0, f32::INFINITY)];
        let mut groups = Vec::new();
        for (name, low, high) in ages.into_iter().chain(adults) {
            groups.push(self.group(name, |face| (low..=high).contains(&face.file.label.age)));
        }
        groups.push(self.group("labelled female", |face| face.file.label.female));
        groups.push(self.group("labelled male", |face| !face.file.label.female));
        for (index, race) in RACES.into_iter().enumerate() {
            groups.push(self.group(race, |face| face.file.race == Some(index)));
        }
        groups.push(self.group(&format!("confidence ≥ {threshold}"), |face| face.estimate.confidence() >= threshold));
        groups.push(self.group(&format!("confidence < {threshold}"), |face| face.estimate.confidence() < threshold));
        groups.retain(|group| group.scores.photos > 0);
        groups
    }

    /// By decade of the true age, up to 89; empty ones are omitted.
    pub fn decades(&self) -> Vec<Group> {
        let decade = |tens: usize| {
            let (low, high) = (tens as f32 * 10.0, tens as f32 * 10.0 + 9.0);
            self.group(&format!("{low} to {high}"), |face| (low..=high).contains(&face.file.label.age))
        };
        (0..9).map(decade).filter(|group| group.scores.photos > 0).collect()
    }

    /// The predictions in descending order of confidence.
    pub fn by_confidence(&self) -> Vec<&Prediction> {
        let mut sorted: Vec<(f32, &Prediction)> =
            self.predictions.iter().map(|prediction| (prediction.estimate.confidence(), prediction)).collect();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        sorted.into_iter().map(|(_, prediction)| prediction).collect()
    }

    /// The most confident `share` (0 to 1) of the predictions.
    pub fn most_confident(&self, share: f64) -> MostConfident {
        let mut sorted = self.by_confidence();
        sorted.truncate(((sorted.len() as f64 * share.clamp(0.0, 1.0)) as usize).max(1));
        let confidence = sorted.last().map_or(0.0, |last| last.estimate.confidence());
        MostConfident { confidence, scores: scores(&pairs(sorted)) }
    }

    fn group(&self, name: &str, is_member: impl Fn(&Prediction) -> bool) -> Group {
        let members = self.predictions.iter().filter(|prediction| is_member(prediction));
        Group { name: name.to_owned(), scores: scores(&pairs(members)) }
    }

    /// Writes `file,age,age_low,age_high,female_probability`: the predicted age, the ends of the 80 %
    /// interval, and the probability of female.
    ///
    /// # Errors
    /// [`EvaluationError::Write`].
    pub fn write_csv(&self, path: &Path) -> Result<(), EvaluationError> {
        let write_error =
            |error: csv::Error| EvaluationError::Write { path: path.to_owned(), reason: error.to_string() };
        let mut writer = csv::Writer::from_path(path).map_err(write_error)?;
        writer.write_record(["file", "age", "age_low", "age_high", "female_probability"]).map_err(write_error)?;
        for Prediction { file, estimate, .. } in &self.predictions {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            let (low, high) = estimate.age_interval;
            let row = (name, estimate.age(), low, high, estimate.female_probability);
            writer.serialize(row).map_err(write_error)?;
        }
        writer.flush().map_err(|error| write_error(error.into()))
    }
}

/// Metrics of the most confident predictions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MostConfident {
    /// The lowest confidence among them.
    pub confidence: f32,
    /// Metrics over these predictions.
    #[serde(flatten)]
    pub scores: Scores,
}

/// Pairs of prediction and label for [`scores`].
pub fn pairs<'a>(predictions: impl IntoIterator<Item = &'a Prediction>) -> Vec<Pair<'a>> {
    predictions.into_iter().map(|prediction| (&prediction.estimate, &prediction.file.label)).collect()
}
