//! What makes a face hard to judge, measured on the photo and on the crop.

use image::GrayImage;

use super::crop::SIDE;
use super::{Face, FaceCrop};

/// Measurements of one face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Side of the face's frame in pixels of the photo.
    pub side: f32,
    /// Share of the frame that lies outside the photo.
    pub outside: f32,
    /// How far the nose lies from the middle between the eyes, along the line through them, in
    /// distances between the eyes: 0 for a face turned to the camera, about 0.5 in profile.
    pub turn: f32,
    /// Mean grey value of the crop, 0 to 255.
    pub brightness: f32,
    /// Variance of the crop's Laplacian over the variance of its grey values: what share of its
    /// contrast is fine detail.
    pub sharpness: f32,
}

/// Something that a better photo would not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    TooSmall,
    CutOff,
    Turned,
    Dark,
    Bright,
    Blurred,
}

/// Below half of the crop's own side, more than half of each crop pixel is invented.
const LEAST_SIDE: f32 = 64.0;
/// The training crops lie inside their photos but for a margin of hair and background.
const MOST_OUTSIDE: f32 = 0.12;
/// Four standard deviations of the training crops (0.06).
const MOST_TURN: f32 = 0.24;
/// Of 600 validation crops, half a percent are darker than 56 and half a percent brighter than 196.
const LEAST_BRIGHTNESS: f32 = 55.0;
const MOST_BRIGHTNESS: f32 = 200.0;
/// Of the same crops 1 % lie below 0.0046; blurred by a Gaussian of three crop pixels, 95 % lie
/// below 0.0037.
const LEAST_SHARPNESS: f32 = 0.004;

impl Quality {
    /// The flaws, in the order in which mending them helps most.
    pub fn flaws(&self) -> Vec<Flaw> {
        let found = [
            (self.side < LEAST_SIDE, Flaw::TooSmall),
            (self.outside > MOST_OUTSIDE, Flaw::CutOff),
            (self.turn > MOST_TURN, Flaw::Turned),
            (self.brightness < LEAST_BRIGHTNESS, Flaw::Dark),
            (self.brightness > MOST_BRIGHTNESS, Flaw::Bright),
            // A face that is too small is blurred by enlarging it: one tip is enough.
            (self.sharpness < LEAST_SHARPNESS && self.side >= LEAST_SIDE, Flaw::Blurred),
        ];
        found.into_iter().filter_map(|(holds, flaw)| holds.then_some(flaw)).collect()
    }
}

/// Measures a face and its crop.
pub fn judge(luma: &GrayImage, face: &Face, crop: &FaceCrop) -> Quality {
    let pixels = crop.pixels();
    let count = pixels.len().max(1) as f32;
    let brightness = pixels.iter().map(|&value| u32::from(value)).sum::<u32>() as f32 / count;
    let variance = pixels.iter().map(|&value| (f32::from(value) - brightness).powi(2)).sum::<f32>() / count;
    Quality {
        side: face.frame.side,
        outside: outside(luma, face),
        turn: turn(&face.landmarks),
        brightness,
        sharpness: laplacian_variance(pixels) / variance.max(1.0),
    }
}

/// Looks at a grid of points of the frame: exact to a few percent, whatever the roll.
fn outside(luma: &GrayImage, face: &Face) -> f32 {
    const GRID: usize = 16;
    let (width, height) = (luma.width() as f32, luma.height() as f32);
    let at = |index: usize| (index as f32 + 0.5) / GRID as f32 - 0.5;
    let to_photo = face.frame.mapping();
    let points = (0..GRID * GRID).map(|index| to_photo(at(index % GRID), at(index / GRID)));
    let outside = points.filter(|&(x, y)| x < 0.0 || y < 0.0 || x >= width || y >= height).count();
    outside as f32 / (GRID * GRID) as f32
}

fn turn([right_eye, left_eye, nose, ..]: &[[f32; 2]; 5]) -> f32 {
    let (dx, dy) = (left_eye[0] - right_eye[0], left_eye[1] - right_eye[1]);
    let square = (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
    let from_middle = [nose[0] - (right_eye[0] + left_eye[0]) / 2.0, nose[1] - (right_eye[1] + left_eye[1]) / 2.0];
    ((from_middle[0] * dx + from_middle[1] * dy) / square).abs()
}

/// Mean square of the four-neighbour Laplacian, whose mean is nearly zero.
fn laplacian_variance(pixels: &[u8]) -> f32 {
    let at = |x: usize, y: usize| f32::from(pixels[y * SIDE + x]);
    let mut sum = 0.0;
    for y in 1..SIDE - 1 {
        for x in 1..SIDE - 1 {
            let laplacian = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4.0 * at(x, y);
            sum += laplacian * laplacian;
        }
    }
    sum / ((SIDE - 2) * (SIDE - 2)) as f32
}
