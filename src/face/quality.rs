//! What makes a face hard to estimate, measured on the photo and on the crop.

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
    /// Yaw, as the distance of the nose from the midpoint of the eyes along the line through them, in
    /// units of the distance between the eyes: 0 for a frontal face, about 0.5 in profile.
    pub yaw: f32,
    /// Mean grey value of the crop, 0 to 255.
    pub brightness: f32,
    /// Variance of the crop's Laplacian over the variance of its grey values: the share of fine
    /// detail in its contrast.
    pub sharpness: f32,
}

/// A defect that a better photo would avoid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// The face has so few pixels that its crop is enlarged more than twofold.
    TooSmall,
    /// Too much of the frame lies outside the photo.
    CutOff,
    /// The face is turned too far to the side.
    Turned,
    /// The crop is too dark on average.
    Dark,
    /// The crop is too bright on average.
    Bright,
    /// The crop has too little fine detail, although the face is large enough.
    Blurred,
}

/// Half of the crop's side: below it the crop is enlarged more than twofold.
const MIN_SIDE: f32 = 64.0;
/// The training crops are inside their photos except for a margin of hair and background.
const MAX_OUTSIDE: f32 = 0.12;
/// Four standard deviations of the training crops (0.06).
const MAX_YAW: f32 = 0.24;
/// Of 600 validation crops, half a percent are darker than 56 and half a percent brighter than 196.
const MIN_BRIGHTNESS: f32 = 55.0;
const MAX_BRIGHTNESS: f32 = 200.0;
/// Of the same crops 1 % are below 0.0046; blurred by a Gaussian of three crop pixels, 95 % are
/// below 0.0037.
const MIN_SHARPNESS: f32 = 0.004;

impl Quality {
    /// The flaws, in decreasing order of how much correcting them helps.
    pub fn flaws(&self) -> Vec<Flaw> {
        let flaws = [
            (self.side < MIN_SIDE, Flaw::TooSmall),
            (self.outside > MAX_OUTSIDE, Flaw::CutOff),
            (self.yaw > MAX_YAW, Flaw::Turned),
            (self.brightness < MIN_BRIGHTNESS, Flaw::Dark),
            (self.brightness > MAX_BRIGHTNESS, Flaw::Bright),
            // Enlarging a small face blurs it: report only that it is too small.
            (self.sharpness < MIN_SHARPNESS && self.side >= MIN_SIDE, Flaw::Blurred),
        ];
        flaws.into_iter().filter_map(|(present, flaw)| present.then_some(flaw)).collect()
    }
}

/// Measures the quality of a face and its crop.
pub fn measure_quality(luma: &GrayImage, face: &Face, crop: &FaceCrop) -> Quality {
    let pixels = crop.pixels();
    let count = pixels.len().max(1) as f32;
    let brightness = pixels.iter().map(|&value| u32::from(value)).sum::<u32>() as f32 / count;
    let variance = pixels.iter().map(|&value| (f32::from(value) - brightness).powi(2)).sum::<f32>() / count;
    Quality {
        side: face.frame.side,
        outside: outside(luma, face),
        yaw: yaw(&face.landmarks),
        brightness,
        sharpness: laplacian_variance(pixels) / variance.max(1.0),
    }
}

/// Share of the frame outside the photo, sampled on a grid: exact to a few percent at any roll.
fn outside(luma: &GrayImage, face: &Face) -> f32 {
    const GRID: usize = 16;
    let (width, height) = (luma.width() as f32, luma.height() as f32);
    let at = |index: usize| (index as f32 + 0.5) / GRID as f32 - 0.5;
    let to_photo = face.frame.mapping();
    let points = (0..GRID * GRID).map(|index| to_photo(at(index % GRID), at(index / GRID)));
    let outside = points.filter(|&(x, y)| x < 0.0 || y < 0.0 || x >= width || y >= height).count();
    outside as f32 / (GRID * GRID) as f32
}

fn yaw([right_eye, left_eye, nose, ..]: &[[f32; 2]; 5]) -> f32 {
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
