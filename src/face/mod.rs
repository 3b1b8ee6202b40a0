//! From a photo to the faces in it: where they are, how they are cut, how well they can be judged.
//!
//! [`finder`] searches, [`align`] turns landmarks into the [`CropFrame`] that the training crops
//! have, [`crop`] cuts it, [`quality`] measures what makes a face hard to judge.

pub mod align;
pub mod crop;
pub mod finder;
pub mod quality;

pub use crop::{CropFrame, FaceCrop};
pub use finder::{FaceFinder, FinderOptions, Found};
pub use quality::{Flaw, Quality, judge};

use crate::model::ModelError;

/// Why faces could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum FaceError {
    #[error(transparent)]
    Model(#[from] ModelError),
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
    pub w: f32,
    pub h: f32,
}

impl Bounds {
    /// The root of its area.
    pub fn side(&self) -> f32 {
        (self.w * self.h).max(0.0).sqrt()
    }

    /// The share that two boxes have in common of what they cover together.
    pub fn overlap(&self, other: &Self) -> f32 {
        let common = |a: f32, a_size: f32, b: f32, b_size: f32| ((a + a_size).min(b + b_size) - a.max(b)).max(0.0);
        let both = common(self.x, self.w, other.x, other.w) * common(self.y, self.h, other.y, other.h);
        both / (self.w * self.h + other.w * other.h - both).max(f32::MIN_POSITIVE)
    }
}

/// How a photo has to be turned for its faces to stand upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// A turn by a quarter against the clock.
    Left,
    /// A turn by a quarter with the clock.
    Right,
    /// A turn by a half.
    UpsideDown,
}

/// A face in a photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    pub bounds: Bounds,
    /// x and y in pixels: the person's right eye (on the left of an upright picture), left eye,
    /// tip of the nose, right and left corner of the mouth.
    pub landmarks: [[f32; 2]; 5],
    /// The detector's, 0 to 1.
    pub score: f32,
    /// The square that the network is to see.
    pub frame: CropFrame,
}

impl Face {
    /// The same face in a photo of `factor` times the size.
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
