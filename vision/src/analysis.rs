//! What a [`Guesser`](crate::Guesser) finds in a photo.

use std::time::Duration;

use serde::Serialize;

use crate::face::{Bounds, CropFrame, FaceCrop, FaceOrder, Flaw, Rotation};
use crate::model::estimator::Estimate;

/// Whether to detect faces, or to treat the picture as a tight crop of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Find every face.
    Find,
    /// The picture is one face, framed as the training crops are; of a picture that is not square,
    /// the square in its middle.
    Aligned,
}

/// The result for one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Width of the upright photo in pixels.
    pub width: u32,
    /// Height of the upright photo in pixels.
    pub height: u32,
    /// The faces, in the order of [`Analysis::order`].
    pub faces: Vec<FaceAnalysis>,
    /// The rotation that makes the largest face upright, if it is not.
    pub rotation: Option<Rotation>,
    /// Index of the frame that was analysed; 0 unless the picture is animated.
    pub frame: usize,
    /// Whether the file was truncated and the result is that of the readable part.
    pub cut_short: bool,
}

impl Analysis {
    /// A complete photo of this size without faces.
    pub fn empty(width: u32, height: u32) -> Self {
        Self { width, height, faces: Vec::new(), rotation: None, frame: 0, cut_short: false }
    }

    /// The order of the faces: from left to right, or from top to bottom if they are in a column.
    pub fn order(&self) -> FaceOrder {
        FaceOrder::of(self.faces.iter().map(|face| face.bounds))
    }
}

/// One face and its estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceAnalysis {
    /// The face's box in pixels of the upright photo.
    pub bounds: Bounds,
    /// The square that was cropped for the estimator.
    pub frame: CropFrame,
    /// Age distribution, gender and smile probability.
    pub estimate: Estimate,
    /// What makes this face hard to estimate, worst first.
    pub flaws: Vec<Flaw>,
    /// Whether no measure even comes close to a flaw and the age can be told: another photo would hardly help.
    pub good_photo: bool,
    /// The estimator's input.
    pub crop: FaceCrop,
}

impl FaceAnalysis {
    /// The guessed age in years: the median of the age distribution.
    pub fn age(&self) -> f32 {
        self.estimate.age()
    }

    /// The ages, in years, between which the true one lies for 80 % of the faces of any age.
    pub fn age_range(&self) -> (f32, f32) {
        self.estimate.age_interval
    }

    /// The likelier gender.
    pub fn gender(&self) -> Gender {
        if self.estimate.female_probability >= 0.5 { Gender::Female } else { Gender::Male }
    }

    /// The probability of [`FaceAnalysis::gender`], 0.5 to 1.
    pub fn gender_probability(&self) -> f32 {
        self.estimate.gender_probability()
    }

    /// The probability that the person smiles, 0 to 1. `None` only with weights of your own that do not
    /// judge it.
    pub fn smile_probability(&self) -> Option<f32> {
        self.estimate.smile_probability
    }

    /// Confidence in the age, 0 to 1, compared with other faces of that age: from 0.5 on, the range is no wider than
    /// is usual. [`Estimate::confidence`], halved where the photo has a flaw.
    pub fn confidence(&self) -> f32 {
        self.estimate.confidence() * if self.flaws.is_empty() { 1.0 } else { 0.5 }
    }
}

/// The two genders that the data sets label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gender {
    /// A woman or a girl.
    Female,
    /// A man or a boy.
    Male,
}

/// Wall time per stage for one photo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// From bytes to upright luma.
    pub decode: Duration,
    /// Both stages of face detection.
    pub find: Duration,
    /// Decoding again at a larger size and refining faces there (if needed), cutting crops, measuring quality.
    pub cut: Duration,
    /// The estimator's forward passes.
    pub estimate: Duration,
}
