//! Makes good photos of faces worse in known ways, to measure how many guesses stay sure and whether tips name the
//! right flaw.

use image::imageops::{FilterType, crop_imm, resize};
use image::{GrayImage, Luma};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::face::{CropFrame, Flaw};

/// One way of making a photo of a face worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Degradation {
    /// Underexposed: down to an eighth of the light.
    Dark,
    /// Lit from one side: the other half of the face gets down to a tenth of the light.
    OneSided,
    /// Overexposed, and clipped: up to three times the light.
    Bright,
    /// Out of focus: a Gaussian of up to 5 % of the frame's side.
    Blurred,
    /// Reduced to a frame of down to 18 pixels.
    Small,
    /// Turned to the side by up to 65°.
    Turned,
    /// Up to half of the face behind something grey: from below, above, left or right.
    Covered,
    /// The edge of the photo runs through the face and leaves out up to half of its frame.
    CutOff,
    /// Noise with a standard deviation of up to 0.8 of that of the face's own grey values.
    Noisy,
}

impl Degradation {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Dark,
        Self::OneSided,
        Self::Bright,
        Self::Blurred,
        Self::Small,
        Self::Turned,
        Self::Covered,
        Self::CutOff,
        Self::Noisy,
    ];

    /// The flaw that a photo degraded in this way has.
    pub fn flaw(self) -> Flaw {
        match self {
            Self::Dark => Flaw::Dark,
            Self::OneSided => Flaw::OneSided,
            Self::Bright => Flaw::Bright,
            Self::Blurred => Flaw::Blurred,
            Self::Small => Flaw::TooSmall,
            Self::Turned => Flaw::Turned,
            Self::Covered => Flaw::Covered,
            Self::CutOff => Flaw::CutOff,
            Self::Noisy => Flaw::Noisy,
        }
    }

    /// Degrades the face in `frame` of `luma`, with a `strength` from 0 (not at all) to 1. `seed` chooses
    /// sides, grey levels and noise.
    pub fn apply(self, luma: &GrayImage, frame: &CropFrame, strength: f32, seed: u64) -> GrayImage {
        if strength <= 0.0 {
            return luma.clone();
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        match self {
            Self::Dark => scaled_light(luma, 0.125f32.powf(strength)),
            Self::Bright => scaled_light(luma, 3f32.powf(strength)),
            Self::OneSided => lit_from_one_side(luma, frame, 0.1f32.powf(strength), random.random_bool(0.5)),
            Self::Blurred => image::imageops::blur(luma, (0.05 * strength * frame.side).max(0.01)),
            Self::Small => {
                let factor = (18.0 / frame.side).min(1.0).powf(strength);
                let sized = |pixels: u32| ((pixels as f32 * factor).round() as u32).max(1);
                resize(luma, sized(luma.width()), sized(luma.height()), FilterType::Triangle)
            }
            Self::Turned => turned(luma, frame, (65.0 * strength).to_radians(), random.random_bool(0.5)),
            Self::Covered => covered(luma, frame, 0.5 * strength, &mut random),
            Self::CutOff => cut_off(luma, frame, 0.5 * strength, random.random_range(0..4)),
            Self::Noisy => noisy(luma, frame, 0.8 * strength, &mut random),
        }
    }
}

fn scaled_light(luma: &GrayImage, factor: f32) -> GrayImage {
    map(luma, |_, _, value| value * factor)
}

/// Applies `change` to x, y and value of each pixel.
fn map(luma: &GrayImage, mut change: impl FnMut(f32, f32, f32) -> f32) -> GrayImage {
    GrayImage::from_fn(luma.width(), luma.height(), |x, y| {
        let value = change(x as f32 + 0.5, y as f32 + 0.5, f32::from(luma.get_pixel(x, y).0[0]));
        Luma([value.round().clamp(0.0, 255.0) as u8])
    })
}

/// Maps a point of the photo to the frame, in units of its side from its centre.
fn to_frame(frame: &CropFrame, x: f32, y: f32) -> (f32, f32) {
    let (sin, cos) = frame.roll.sin_cos();
    let (dx, dy) = ((x - frame.center_x) / frame.side, (y - frame.center_y) / frame.side);
    (dx * cos + dy * sin, dy * cos - dx * sin)
}

fn lit_from_one_side(luma: &GrayImage, frame: &CropFrame, darkest: f32, right: bool) -> GrayImage {
    map(luma, |x, y, value| {
        let (u, _) = to_frame(frame, x, y);
        let side = if right { u } else { -u };
        // The terminator is soft: a tenth of the frame.
        let lit = 1.0 / (1.0 + (side / 0.04).exp());
        value * (darkest + (1.0 - darkest) * lit)
    })
}

fn covered(luma: &GrayImage, frame: &CropFrame, share: f32, random: &mut ChaCha8Rng) -> GrayImage {
    let (side, grey) = (random.random_range(0..4), random.random_range(20.0..230.0f32));
    let limit = share - 0.5;
    map(luma, |x, y, value| {
        let (u, v) = to_frame(frame, x, y);
        let from_edge = [-v, v, u, -u][side];
        if u.abs().max(v.abs()) < 0.6 && from_edge < limit { grey } else { value }
    })
}

fn cut_off(luma: &GrayImage, frame: &CropFrame, share: f32, side: usize) -> GrayImage {
    let (width, height) = (luma.width(), luma.height());
    let inset = frame.side * (share - 0.5);
    let pixels = |value: f32, most: u32| (value.round().max(0.0) as u32).min(most - 1);
    let (mut left, mut top, mut right, mut bottom) = (0, 0, width, height);
    match side {
        0 => left = pixels(frame.center_x + inset, width),
        1 => top = pixels(frame.center_y + inset, height),
        2 => right = pixels(frame.center_x - inset, width).max(1),
        _ => bottom = pixels(frame.center_y - inset, height).max(1),
    }
    crop_imm(luma, left, top, right - left, bottom - top).to_image()
}

fn noisy(luma: &GrayImage, frame: &CropFrame, relative: f32, random: &mut ChaCha8Rng) -> GrayImage {
    let deviation = relative * deviation_in(luma, frame);
    map(luma, |_, _, value| {
        // The sum of four uniform numbers is nearly normal, with a variance of a third.
        let sum: f32 = (0..4).map(|_| random.random_range(-0.5..0.5f32)).sum();
        value + deviation * sum * 3f32.sqrt()
    })
}

fn deviation_in(luma: &GrayImage, frame: &CropFrame) -> f32 {
    let crop = crate::face::FaceCrop::cut(luma, frame);
    let values = crop.pixels();
    let mean = values.iter().map(|&value| f32::from(value)).sum::<f32>() / values.len() as f32;
    (values.iter().map(|&value| (f32::from(value) - mean).powi(2)).sum::<f32>() / values.len() as f32).sqrt()
}

/// Columns and rows of the table that turns a face.
const TURN_GRID: usize = 256;

/// The face turned about its vertical axis: its surface is an ellipsoid with a nose, whose hidden part is hidden.
fn turned(luma: &GrayImage, frame: &CropFrame, angle: f32, right: bool) -> GrayImage {
    let (sin, cos) = if right { angle.sin_cos() } else { (-angle).sin_cos() };
    let depth = |u: f32, v: f32| {
        let round = (1.0 - (u / 0.5).powi(2) - (v / 0.72).powi(2)).max(0.0).sqrt();
        let nose = (-(u / 0.07).powi(2) - (v / 0.12).powi(2)).exp();
        0.42 * round + 0.1 * nose
    };
    let unit = |index: usize, count: usize| (index as f32 + 0.5) / count as f32 - 0.5;
    // By row and column of the turned face: where its surface point was before.
    let table: Vec<Vec<Option<f32>>> = (0..TURN_GRID)
        .map(|row| {
            let v = 1.44 * unit(row, TURN_GRID);
            let mut nearest: Vec<Option<(f32, f32)>> = vec![None; TURN_GRID];
            let half = 0.5 * (1.0 - (v / 0.72).powi(2)).max(0.0).sqrt();
            for step in 0..8 * TURN_GRID {
                let u = 2.0 * half * unit(step, 8 * TURN_GRID);
                let z = depth(u, v);
                let (across, towards) = (u * cos + z * sin, z * cos - u * sin);
                let column = ((across + 0.7) / 1.4 * TURN_GRID as f32) as usize;
                if let Some(cell) = nearest.get_mut(column)
                    && cell.is_none_or(|(_, best)| towards > best)
                {
                    *cell = Some((u, towards));
                }
            }
            nearest.into_iter().map(|cell| cell.map(|(u, _)| u)).collect()
        })
        .collect();
    // The head's centre stays where it was.
    let shift = 0.21 * sin;
    map(luma, |x, y, value| {
        let (u, v) = to_frame(frame, x, y);
        let (column, row) = ((u + shift + 0.7) / 1.4 * TURN_GRID as f32, (v / 1.44 + 0.5) * TURN_GRID as f32);
        if column < 0.0 || row < 0.0 {
            return value;
        }
        let Some(from) = table.get(row as usize).and_then(|row| *row.get(column as usize)?) else { return value };
        let (x, y) = frame.to_photo(from, v);
        bilinear(luma, x, y)
    })
}

fn bilinear(luma: &GrayImage, x: f32, y: f32) -> f32 {
    let (x, y) = (x - 0.5, y - 0.5);
    let at = |x: f32, y: f32| {
        let (x, y) = (x.clamp(0.0, luma.width() as f32 - 1.0), y.clamp(0.0, luma.height() as f32 - 1.0));
        f32::from(luma.get_pixel(x as u32, y as u32).0[0])
    };
    let (fx, fy) = (x - x.floor(), y - y.floor());
    let (left, top) = (x.floor(), y.floor());
    let upper = at(left, top) * (1.0 - fx) + at(left + 1.0, top) * fx;
    let lower = at(left, top + 1.0) * (1.0 - fx) + at(left + 1.0, top + 1.0) * fx;
    upper * (1.0 - fy) + lower * fy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_changes_only_if_the_strength_is_above_zero_and_stays_the_same_for_a_seed() {
        let photo = GrayImage::from_fn(120, 100, |x, y| Luma([(x * 3 + y * 5 + x * y % 17) as u8]));
        let frame = CropFrame { center_x: 60.0, center_y: 50.0, side: 80.0, roll: 0.1 };
        for way in Degradation::ALL {
            assert_eq!(way.apply(&photo, &frame, 0.0, 3), photo, "{way:?}");
            let degraded = way.apply(&photo, &frame, 1.0, 3);
            assert!(degraded != photo && degraded == way.apply(&photo, &frame, 1.0, 3), "{way:?}");
        }
    }
}
