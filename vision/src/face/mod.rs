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
    /// x and y of its centre.
    pub fn centre(&self) -> [f32; 2] {
        [self.x + self.w / 2.0, self.y + self.h / 2.0]
    }

    /// Square root of its area.
    pub fn side(&self) -> f32 {
        (self.w * self.h).max(0.0).sqrt()
    }

    /// Intersection over union, 0 to 1.
    pub fn iou(&self, other: &Self) -> f32 {
        let intersection = self.intersection(other);
        intersection / (self.w * self.h + other.w * other.h - intersection).max(f32::MIN_POSITIVE)
    }

    /// The share of the smaller box's area that lies in the larger one, 0 to 1.
    pub fn containment(&self, other: &Self) -> f32 {
        self.intersection(other) / (self.w * self.h).min(other.w * other.h).max(f32::MIN_POSITIVE)
    }

    fn intersection(&self, other: &Self) -> f32 {
        let overlap = |a: f32, a_size: f32, b: f32, b_size: f32| ((a + a_size).min(b + b_size) - a.max(b)).max(0.0);
        overlap(self.x, self.w, other.x, other.w) * overlap(self.y, self.h, other.y, other.h)
    }
}

/// The order in which the faces of a photo are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaceOrder {
    /// By the horizontal positions of their centres, as people name who is in a photo.
    LeftToRight,
    /// By the vertical positions: in a column of faces, as in a strip from a photo booth.
    TopToBottom,
}

impl FaceOrder {
    /// The order for faces with these boxes: from top to bottom if their centres are at least twice as far apart
    /// vertically as they are horizontally.
    pub fn of(faces: impl IntoIterator<Item = Bounds>) -> Self {
        let (mut least, mut most) = ([f32::MAX; 2], [f32::MIN; 2]);
        for centre in faces.into_iter().map(|bounds| bounds.centre()) {
            for axis in 0..2 {
                (least[axis], most[axis]) = (least[axis].min(centre[axis]), most[axis].max(centre[axis]));
            }
        }
        let [across, down] = [0, 1].map(|axis| most[axis] - least[axis]);
        if down > 0.0 && down >= 2.0 * across { Self::TopToBottom } else { Self::LeftToRight }
    }

    /// Sorts faces. Those beside each other in a column, as in two strips side by side, are read from left to right.
    pub fn sort(self, faces: &mut [Face]) {
        let from_left =
            |faces: &mut [Face]| faces.sort_by(|a, b| a.bounds.centre()[0].total_cmp(&b.bounds.centre()[0]));
        if self == Self::LeftToRight {
            return from_left(faces);
        }
        faces.sort_by(|a, b| a.bounds.centre()[1].total_cmp(&b.bounds.centre()[1]));
        let is_same_row = |first: &Face, next: &Face| {
            next.bounds.centre()[1] - first.bounds.centre()[1] < first.bounds.h.min(next.bounds.h) / 2.0
        };
        let mut rest = faces;
        while let [first, ..] = *rest {
            // A box without a height is a row of its own.
            let length = rest.iter().take_while(|next| is_same_row(&first, next)).count().max(1);
            let (row, below) = rest.split_at_mut(length);
            from_left(row);
            rest = below;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn order(centres: &[(f32, f32)]) -> FaceOrder {
        FaceOrder::of(centres.iter().map(|&(x, y)| Bounds { x: x - 5.0, y: y - 5.0, w: 10.0, h: 10.0 }))
    }

    #[test]
    fn a_column_of_faces_is_read_from_top_to_bottom_and_others_from_left_to_right() {
        assert_eq!(order(&[(139.0, 580.0), (151.0, 1015.0), (169.0, 126.0), (235.0, 3067.0)]), FaceOrder::TopToBottom);
        assert_eq!(order(&[(30.0, 40.0), (50.0, 90.0)]), FaceOrder::TopToBottom, "a child on somebody's shoulders");
        for beside in
            [&[(10.0, 10.0), (90.0, 40.0), (50.0, 160.0)][..], &[(10.0, 10.0), (60.0, 80.0)], &[(5.0, 5.0)], &[]]
        {
            assert_eq!(order(beside), FaceOrder::LeftToRight, "{beside:?}");
        }
    }

    #[test]
    fn faces_beside_each_other_in_a_column_are_read_as_a_row() {
        let face = |x: f32, y: f32| Face {
            bounds: Bounds { x, y, w: 40.0, h: 40.0 },
            landmarks: [[0.0; 2]; 5],
            score: 1.0,
            frame: CropFrame { center_x: x, center_y: y, side: 40.0, roll: 0.0 },
        };
        let sorted = |order: FaceOrder| {
            let mut faces = [face(60.0, 98.0), face(0.0, 300.0), face(60.0, 0.0), face(0.0, 102.0), face(0.0, 3.0)];
            order.sort(&mut faces);
            faces.map(|face| (face.bounds.x, face.bounds.y))
        };
        assert_eq!(sorted(FaceOrder::TopToBottom), [(0.0, 3.0), (60.0, 0.0), (0.0, 102.0), (60.0, 98.0), (0.0, 300.0)]);
        assert_eq!(sorted(FaceOrder::LeftToRight).map(|(x, _)| x), [0.0, 0.0, 0.0, 60.0, 60.0]);
        let flat = |y| Face { bounds: Bounds { x: 0.0, y, w: 40.0, h: 0.0 }, ..face(0.0, 0.0) };
        let mut flat = [flat(20.0), flat(f32::NAN), flat(10.0)];
        FaceOrder::TopToBottom.sort(&mut flat);
        assert_eq!([flat[0].bounds.y, flat[1].bounds.y], [10.0, 20.0]);
    }
}
