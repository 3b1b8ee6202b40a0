//! Small changes of framing, light and sharpness, and what each does to the guess.

use image::GrayImage;

use super::SIDE;
use super::picture::blurred;
use crate::FaceAnalysis;
use crate::face::{CropFrame, FaceCrop};
use crate::model::ModelError;
use crate::model::estimator::{Estimate, Estimator};
use crate::photo::Photo;

/// Faces per call of the estimator, each with its mirror image.
const BATCH: usize = 8;

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A smaller square; in percent of its side.
    Closer,
    /// A larger square; in percent of its side.
    Wider,
    /// The square moved; in percent of its side.
    Shifted,
    /// The square turned; in degrees.
    Tilted,
    /// The picture darker; in percent of its light.
    Darker,
    /// The picture brighter, with clipped highlights; in percent of its light.
    Brighter,
    /// The crop blurred by a Gaussian; its standard deviation in pixels.
    Blurred,
}

impl ChangeKind {
    /// Its name in JSON and in the variants of messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closer => "closer",
            Self::Wider => "wider",
            Self::Shifted => "shifted",
            Self::Tilted => "tilted",
            Self::Darker => "darker",
            Self::Brighter => "brighter",
            Self::Blurred => "blurred",
        }
    }
}

/// A changed face and its guess.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What is changed.
    pub kind: ChangeKind,
    /// How much, in the unit of the kind.
    pub amount: f32,
    /// How different the network's input is: root mean square of the differences of the standardised crops.
    pub distance: f32,
    /// The changed crop.
    pub crop: FaceCrop,
    /// Its guess.
    pub estimate: Estimate,
}

impl Change {
    /// Whether it is of the size that the framings are shown at.
    pub(super) fn is_shown(&self) -> bool {
        let shown = if self.kind == ChangeKind::Shifted || self.kind == ChangeKind::Tilted { 8.0 } else { 10.0 };
        self.amount == shown
    }
}

/// A changed crop that is not estimated yet.
pub(super) struct Variant {
    kind: ChangeKind,
    amount: f32,
    crop: FaceCrop,
}

/// Every change that is tried, cut from the photo that the face was found in.
pub(super) fn variants(face: &FaceAnalysis, photo: &Photo) -> Vec<Variant> {
    let reduction = photo.reduction as f32;
    let CropFrame { center_x, center_y, side, roll } = face.frame;
    let frame =
        CropFrame { center_x: center_x / reduction, center_y: center_y / reduction, side: side / reduction, roll };
    let mut variants = Vec::new();
    let mut framed = |kind, amount: f32, frame: CropFrame| {
        variants.push(Variant { kind, amount, crop: FaceCrop::cut(&photo.luma, &frame) });
    };
    for percent in [5.0, 10.0, 15.0, 20.0] {
        let share = percent / 100.0;
        framed(ChangeKind::Closer, percent, CropFrame { side: frame.side * (1.0 - share), ..frame });
        framed(ChangeKind::Wider, percent, CropFrame { side: frame.side * (1.0 + share), ..frame });
    }
    for percent in [4.0, 8.0, 12.0] {
        for (right, down) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
            let share = percent / 100.0;
            let (center_x, center_y) = frame.to_photo(right * share, down * share);
            framed(ChangeKind::Shifted, percent, CropFrame { center_x, center_y, ..frame });
        }
    }
    for degrees in [4.0_f32, 8.0, 12.0] {
        for sign in [1.0, -1.0] {
            let roll = frame.roll + sign * degrees.to_radians();
            framed(ChangeKind::Tilted, degrees, CropFrame { roll, ..frame });
        }
    }
    let pixels = face.crop.pixels();
    let mut edited = |kind, amount, pixels: Vec<u8>| {
        let side = SIDE as u32;
        let picture = GrayImage::from_raw(side, side, pixels).unwrap_or_else(|| GrayImage::new(side, side));
        variants.push(Variant { kind, amount, crop: FaceCrop::cut(&picture, &CropFrame::whole(&picture)) });
    };
    let lit = |factor: f32| pixels.iter().map(|value| (f32::from(*value) * factor).round() as u8).collect();
    for percent in [50.0, 75.0, 90.0] {
        edited(ChangeKind::Darker, percent, lit(1.0 - percent / 100.0));
    }
    for percent in [25.0, 50.0, 100.0] {
        edited(ChangeKind::Brighter, percent, lit(1.0 + percent / 100.0));
    }
    let values: Vec<f32> = pixels.iter().map(|value| f32::from(*value)).collect();
    for sigma in [1.0, 1.5, 2.0, 3.0] {
        let pixels = blurred(&values, sigma).into_iter().map(|value| value.round() as u8).collect();
        edited(ChangeKind::Blurred, sigma, pixels);
    }
    variants
}

/// The changes with their guesses, the smallest first.
pub(super) fn estimated(
    estimator: &Estimator,
    crop: &FaceCrop,
    variants: Vec<Variant>,
) -> Result<Vec<Change>, ModelError> {
    let mut estimates = Vec::with_capacity(variants.len());
    for batch in variants.chunks(BATCH) {
        let crops: Vec<&[u8]> = batch.iter().map(|variant| variant.crop.pixels()).collect();
        estimates.extend(estimator.estimate(&crops)?);
    }
    let picture = crop.standardise();
    let change = |(Variant { kind, amount, crop }, estimate): (Variant, Estimate)| {
        let squares = picture.iter().zip(crop.standardise()).map(|(one, other)| (one - other) * (one - other));
        let distance = (squares.sum::<f32>() / picture.len() as f32).sqrt();
        Change { kind, amount, distance, crop, estimate }
    };
    let mut changes: Vec<Change> = variants.into_iter().zip(estimates).map(change).collect();
    changes.sort_by(|one, other| one.distance.total_cmp(&other.distance));
    Ok(changes)
}
