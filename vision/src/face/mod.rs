//! From a photo to its faces: detection, alignment, cropping and quality.
//!
//! [`finder`] detects faces, [`align`] turns landmarks into the [`CropFrame`] that the training crops
//! have, [`crop`] cuts it out, [`quality`] measures what makes a face hard to estimate.

pub mod align;
pub mod crop;
pub mod finder;
pub mod quality;

pub use crop::{CropFrame, FaceCrop};
pub use finder::{Candidate, FaceFinder, FinderOptions, Found};
pub use quality::{Flaw, Quality, measure_quality};

use crate::model::ModelError;

/// Why face detection failed.
#[derive(Debug, thiserror::Error)]
pub enum FaceError {
    /// The detection network failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The photo could not be resized to the detector's input; contains the reason.
    #[error("the photo could not be resized: {0}")]
    Resize(String),
}

/// A box in pixels of the upright photo; parts of it may lie outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Bounds {
    /// Square root of its area.
    pub fn side(&self) -> f32 {
        (self.w * self.h).max(0.0).sqrt()
    }

    /// Intersection over union, 0 to 1.
    pub fn iou(&self, other: &Self) -> f32 {
        let overlap = |a: f32, a_size: f32, b: f32, b_size: f32| ((a + a_size).min(b + b_size) - a.max(b)).max(0.0);
        let intersection = overlap(self.x, self.w, other.x, other.w) * overlap(self.y, self.h, other.y, other.h);
        intersection / (self.w * self.h + other.w * other.h - intersection).max(f32::MIN_POSITIVE)
    }
}

/// The rotation of a photo that makes its faces upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// 90° anticlockwise.
    Left,
    /// 90° clockwise.
    Right,
    /// 180°.
    UpsideDown,
}

/// A face in a photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// The box around the face.
    pub bounds: Bounds,
    /// x and y in pixels: the person's right eye (on the left of an upright picture), left eye,
    /// tip of the nose, right and left corner of the mouth.
    pub landmarks: [[f32; 2]; 5],
    /// The detector's score, 0 to 1.
    pub score: f32,
    /// The square to crop for the estimator.
    pub frame: CropFrame,
}

impl Face {
    /// The same face in a photo scaled by `factor`.
    pub fn scaled(&self, factor: f32) -> Self {
        let Bounds { x, y, w, h } = self.bounds;
        let CropFrame { center_x, center_y, side, roll } = self.frame;
        Self {
            bounds: Bounds { x: x * factor, y: y * factor, w: w * factor, h: h * factor },
            landmarks: self.landmarks.map(|[x, y]| [x * factor, y * factor]),
            score: self.score,
            frame: CropFrame { center_x: center_x * factor, center_y: center_y * factor, side: side * factor, roll },
        }
    }
}
