//! Labelled pictures on disk: UTKFace by file name, others by `labels.csv`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{GrayImage, RgbImage};
use rayon::prelude::*;
use tracing::warn;

use super::TrainingError;
use crate::evaluation::Label;
use crate::evaluation::sets::{AgeLabel, listed_faces};
use crate::evaluation::utkface::{LabelledFile, labelled_folder};
use crate::face::{CropFrame, FaceFinder, FinderOptions};
use crate::model::detector::{self, Detector};
use crate::model::network::AGES;
use crate::photo::{CpuLimit, DecodeLimits, PhotoError, decode, decode_colour};

/// The age label of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Age {
    /// Years.
    Exact(f32),
    /// From the first year to the last, exclusive.
    Bin(usize, usize),
}

impl Age {
    /// No label at all.
    pub(super) const UNKNOWN: Self = Self::Bin(0, AGES);
}

/// One decoded, labelled picture.
#[derive(Debug, Clone)]
pub struct Example {
    /// The whole picture in grey.
    pub luma: Arc<GrayImage>,
    /// The same picture in colour, if requested.
    pub colour: Option<Arc<RgbImage>>,
    /// The crop's position in the picture.
    pub frame: CropFrame,
    /// The labelled age, exact or a bin.
    pub age: Age,
    /// Whether the labelled gender, if there is one, is female; otherwise it is male.
    pub female: Option<bool>,
    /// Whether the person smiles, if that is labelled.
    pub smile: Option<bool>,
    /// The teachers' prediction, for distillation.
    pub teacher: Option<Arc<TeacherPrediction>>,
}

/// The mean prediction of one or more trained networks for a crop.
#[derive(Debug)]
pub struct TeacherPrediction {
    /// Probability of each of the 101 ages.
    pub ages: Vec<f32>,
    /// Probability of female.
    pub female: f32,
}

impl Example {
    /// The label, if the age is exact and the gender known.
    pub fn label(&self) -> Option<Label> {
        match self.age {
            Age::Exact(age) => Some(Label { age, female: self.female? }),
            Age::Bin(..) => None,
        }
    }
}

/// Labelled examples: UTKFace's in the order of their file names, others in that of `labels.csv`.
#[derive(Debug)]
pub struct Dataset {
    /// All examples, folder by folder.
    pub examples: Vec<Example>,
}

/// Decodes a picture to luma and, if `in_colour`, to RGB.
fn load_picture(path: &Path, in_colour: bool) -> Result<(Arc<GrayImage>, Option<Arc<RgbImage>>), TrainingError> {
    let data_error = |reason: String| TrainingError::Data { path: path.to_owned(), reason };
    let decode_error = |error: PhotoError| data_error(format!("{error}; replace or remove it"));
    let bytes = std::fs::read(path).map_err(|error| data_error(error.to_string()))?;
    let limits = DecodeLimits::default();
    let luma = decode(&bytes, &limits).map_err(decode_error)?.luma;
    let colour = in_colour
        .then(|| decode_colour(&bytes, &limits, u32::MAX).map(|photo| photo.picture).map_err(decode_error))
        .transpose()?;
    Ok((Arc::new(luma), colour.map(Arc::new)))
}

/// Faces are slightly lower and smaller in FairFace's pictures than in UTKFace's: the eyes are at
/// about 38 % of the height rather than 33 %. This crop, measured on a sample, aligns the two.
const FAIRFACE_SIDE: f32 = 0.92;
const FAIRFACE_DOWN: f32 = 0.04;

impl Dataset {
    /// Concatenates several folders, each loaded by `load`.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn from_folders(
        folders: &[PathBuf],
        load: impl Fn(&Path) -> Result<Self, TrainingError>,
    ) -> Result<Self, TrainingError> {
        let sets = folders.iter().map(|folder| load(folder)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { examples: sets.into_iter().flat_map(|set| set.examples).collect() })
    }

    /// Loads a folder of UTKFace crops; entries with other names are skipped with a warning. With
    /// `in_colour`, three bytes per pixel are stored in addition to the luma byte.
    ///
    /// # Errors
    /// [`TrainingError::Folder`] or [`TrainingError::Data`] names the folder or file that cannot be used.
    pub fn utkface(folder: &Path, in_colour: bool) -> Result<Self, TrainingError> {
        let labelled = labelled_folder(folder)?;
        if labelled.other_entries > 0 {
            warn!(folder = %folder.display(), skipped = labelled.other_entries, "entries without a UTKFace file name");
        }
        let examples = labelled
            .files
            .par_iter()
            .map(|LabelledFile { path, label, .. }| {
                let (luma, colour) = load_picture(path, in_colour)?;
                let frame = CropFrame::whole(&luma);
                // The last age class means "100 and above".
                let age = Age::Exact(label.age.min(100.0));
                Ok(Example { luma, colour, frame, age, female: Some(label.female), smile: None, teacher: None })
            })
            .collect::<Result<_, TrainingError>>()?;
        Ok(Self { examples })
    }

    /// Loads a folder with a `labels.csv` (file, and any of age or age bin such as `20-29` or `70+`, gender,
    /// smile). Faces whose smile is labelled are whole photographs: the detector frames them, and those that
    /// it does not find are left out. All others are framed as FairFace's.
    ///
    /// # Errors
    /// Those of [`Dataset::utkface`].
    pub fn listed(folder: &Path) -> Result<Self, TrainingError> {
        let finder = FaceFinder::new(Detector::from_safetensors(detector::embedded())?, FinderOptions::default());
        let examples = listed_faces(folder)?
            .par_iter()
            .map(|face| {
                let age = match face.age {
                    Some(AgeLabel::Years(age)) => Age::Exact(age.min(100.0)),
                    Some(AgeLabel::Bin(first, last)) => Age::Bin(first, last + 1),
                    None => Age::UNKNOWN,
                };
                // These crops are grey.
                let (luma, colour) = load_picture(&face.path, false)?;
                let frame = match face.smile {
                    Some(_) => found_frame(&finder, &luma),
                    None => Some(fairface_frame(&luma)),
                };
                let (female, smile) = (face.female, face.smile);
                Ok(frame.map(|frame| Example { luma, colour, frame, age, female, smile, teacher: None }))
            })
            .collect::<Result<Vec<_>, TrainingError>>()?;
        let without = examples.iter().filter(|example| example.is_none()).count();
        if without > 0 {
            warn!(folder = %folder.display(), skipped = without, "photographs without a detected face");
        }
        Ok(Self { examples: examples.into_iter().flatten().collect() })
    }
}

fn fairface_frame(luma: &GrayImage) -> CropFrame {
    let whole = CropFrame::whole(luma);
    let center_y = whole.center_y + FAIRFACE_DOWN * whole.side;
    CropFrame { center_y, side: FAIRFACE_SIDE * whole.side, ..whole }
}

/// The frame of the largest face.
fn found_frame(finder: &FaceFinder, luma: &GrayImage) -> Option<CropFrame> {
    let found = finder.find(luma, &CpuLimit::start(DecodeLimits::default().cpu_time)).ok()?;
    found.faces.first().map(|face| face.frame)
}
