//! Labelled crops on disk: UTKFace by file name, FairFace by `labels.csv`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{GrayImage, RgbImage};
use rayon::prelude::*;
use serde::Deserialize;
use tracing::warn;

use super::TrainingError;
use crate::evaluation::Label;
use crate::evaluation::utkface::{LabelledFile, labelled_folder};
use crate::face::CropFrame;
use crate::photo::{DecodeLimits, PhotoError, decode, decode_colour};

/// The age of a face, as well as it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Age {
    /// Years.
    Exact(f32),
    /// From the first year up to, not including, the last.
    Bin(usize, usize),
}

/// One labelled picture, decoded.
#[derive(Debug, Clone)]
pub struct Example {
    pub luma: Arc<GrayImage>,
    /// The same picture in colour, where it was asked for.
    pub colour: Option<Arc<RgbImage>>,
    /// Where in the picture the crop lies.
    pub frame: CropFrame,
    pub age: Age,
    pub female: bool,
    /// What teachers see in the crop.
    pub advice: Option<Arc<Advice>>,
}

/// The mean answer of one or more trained networks to a crop.
#[derive(Debug)]
pub struct Advice {
    /// Mass of each of 101 ages.
    pub ages: Vec<f32>,
    /// Probability.
    pub female: f32,
}

impl Example {
    /// The label of an example whose age is known exactly.
    pub fn label(&self) -> Option<Label> {
        match self.age {
            Age::Exact(age) => Some(Label { age, female: self.female }),
            Age::Bin(..) => None,
        }
    }
}

/// A folder's examples, in the order of their file names.
#[derive(Debug)]
pub struct Dataset {
    pub examples: Vec<Example>,
}

/// A picture's luma, and where `in_colour` its colours.
fn read(path: &Path, in_colour: bool) -> Result<(Arc<GrayImage>, Option<Arc<RgbImage>>), TrainingError> {
    let unusable = |reason: String| TrainingError::Data { path: path.to_owned(), reason };
    let undecodable = |error: PhotoError| unusable(format!("{error}; replace or remove it"));
    let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let limits = DecodeLimits::default();
    let luma = decode(&bytes, &limits).map_err(undecodable)?.luma;
    let colour = in_colour
        .then(|| decode_colour(&bytes, &limits, u32::MAX).map(|photo| photo.picture).map_err(undecodable))
        .transpose()?;
    Ok((Arc::new(luma), colour.map(Arc::new)))
}

#[derive(Deserialize)]
struct FairFaceRow {
    file: PathBuf,
    age: String,
    gender: String,
}

/// FairFace's faces sit a little lower and smaller in their pictures than UTKFace's: the eyes at
/// about 38 % of the height against 33 %. This frame, measured on a sample, brings both together.
const FAIRFACE_SIDE: f32 = 0.92;
const FAIRFACE_DOWN: f32 = 0.04;

impl Dataset {
    /// Several folders as one, each read by `one`.
    ///
    /// # Errors
    /// As `one`.
    pub fn joined(
        folders: &[PathBuf],
        one: impl Fn(&Path) -> Result<Self, TrainingError>,
    ) -> Result<Self, TrainingError> {
        let sets = folders.iter().map(|folder| one(folder)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { examples: sets.into_iter().flat_map(|set| set.examples).collect() })
    }

    /// A folder of UTKFace crops; entries with other names are left out with a warning. Colours are
    /// kept where `in_colour`: three bytes a pixel beside the one of the luma.
    ///
    /// # Errors
    /// [`TrainingError::Folder`] or [`TrainingError::Data`] names what cannot be used.
    pub fn utkface(folder: &Path, in_colour: bool) -> Result<Self, TrainingError> {
        let labelled = labelled_folder(folder)?;
        if labelled.others > 0 {
            warn!(folder = %folder.display(), left_out = labelled.others, "entries not named as UTKFace names pictures");
        }
        let examples = labelled
            .files
            .par_iter()
            .map(|LabelledFile { path, label, .. }| {
                let (luma, colour) = read(path, in_colour)?;
                let frame = CropFrame::whole(&luma);
                // The last age class means "100 and above".
                let age = Age::Exact(label.age.min(100.0));
                Ok(Example { luma, colour, frame, age, female: label.female, advice: None })
            })
            .collect::<Result<_, TrainingError>>()?;
        Ok(Self { examples })
    }

    /// A folder with `labels.csv` (file, age bin such as `20-29` or `70+`, gender).
    ///
    /// # Errors
    /// As [`Dataset::utkface`].
    pub fn fairface(folder: &Path) -> Result<Self, TrainingError> {
        let labels = folder.join("labels.csv");
        let unusable = |reason: String| TrainingError::Data { path: labels.clone(), reason };
        let mut reader = csv::Reader::from_path(&labels).map_err(|error| unusable(error.to_string()))?;
        let rows: Vec<FairFaceRow> =
            reader.deserialize().collect::<Result<_, _>>().map_err(|error| unusable(error.to_string()))?;
        let examples = rows
            .par_iter()
            .map(|row| {
                let age = age_bin(&row.age).ok_or_else(|| unusable(format!("{:?} is no age bin", row.age)))?;
                let female = match row.gender.to_ascii_lowercase().as_str() {
                    "female" => true,
                    "male" => false,
                    other => return Err(unusable(format!("{other:?} is neither female nor male"))),
                };
                // FairFace as it is here is grey.
                let (luma, colour) = read(&folder.join(&row.file), false)?;
                let whole = CropFrame::whole(&luma);
                let frame = CropFrame {
                    center_y: whole.center_y + FAIRFACE_DOWN * whole.side,
                    side: FAIRFACE_SIDE * whole.side,
                    ..whole
                };
                Ok(Example { luma, colour, frame, age, female, advice: None })
            })
            .collect::<Result<_, TrainingError>>()?;
        Ok(Self { examples })
    }
}

fn age_bin(text: &str) -> Option<Age> {
    if let Some(first) = text.strip_suffix('+') {
        return Some(Age::Bin(first.parse().ok().filter(|first| *first <= 100)?, 101));
    }
    let (first, last) = text.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last <= 100).then_some(Age::Bin(first, last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_bins_are_read_with_their_last_year() {
        assert_eq!(age_bin("0-2"), Some(Age::Bin(0, 3)));
        assert_eq!(age_bin("70+"), Some(Age::Bin(70, 101)));
        assert_eq!((age_bin("9-3"), age_bin("x"), age_bin("3-")), (None, None, None));
    }
}
