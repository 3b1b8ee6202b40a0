//! The request and the result of analysing one photo.

use crate::face::{Bounds, CropFrame, FaceCrop, Flaw, Rotation};
use crate::model::estimator::Estimate;

/// Whether to detect faces, or to treat the picture as a tight crop of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Find every face.
    Find,
    /// The picture is one face, framed like the training crops; of a picture that is not square, its
    /// centre square.
    Aligned,
}

/// The result for one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Width of the upright photo in pixels.
    pub width: u32,
    /// Height of the upright photo in pixels.
    pub height: u32,
    /// The faces, from left to right.
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
}

/// One face and its estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceAnalysis {
    /// The face's box in pixels of the upright photo.
    pub bounds: Bounds,
    /// The square that was cropped for the estimator.
    pub frame: CropFrame,
    /// Age distribution and gender probability.
    pub estimate: Estimate,
    /// What makes this face hard to estimate, worst first.
    pub flaws: Vec<Flaw>,
    /// The estimator's input.
    pub crop: FaceCrop,
}
