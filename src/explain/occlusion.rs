//! How the guessed age changes, in years, where the face is covered.
//!
//! A soft-edged patch of the blurred face slides over it (occlusion, Zeiler & Fergus 2014). The face is standardised
//! once, uncovered, so that the map measures the face and not its brightness. The map is that of the face alone, while
//! the guess is the mean over the face and its mirror image.

use super::picture::{blurred, shifted};
use super::{SHAKY, SIDE, rank_correlation};
use crate::model::ModelError;
use crate::model::estimator::Estimator;

/// Side of the patch in pixels of the crop.
pub const PATCH: usize = 24;
/// Distance of neighbouring places of the patch in pixels.
pub const STRIDE: usize = 8;
/// Places of the patch along each side.
pub const GRID: usize = (SIDE - PATCH) / STRIDE + 1;
/// Width of a patch's soft edge in pixels.
const EDGE: usize = 6;
/// Standard deviation, in pixels, of the Gaussian that blurs the face beyond recognition, to cover it with itself.
const BLUR: f32 = 10.0;
/// Pictures per forward pass.
const BATCH: usize = 16;
/// A shift is judged at every second place in both directions.
const COARSE: usize = 2;

/// A rectangle of the crop, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub left: usize,
    /// Top edge.
    pub top: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

/// A part of the face by name. The crops are aligned by their landmarks, so that its place is the same in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// Between hair and eyebrows.
    Forehead,
    /// Both eyes with their brows.
    Eyes,
    /// From the bridge to the tip.
    Nose,
    /// Both lips.
    Mouth,
    /// Below the lips.
    Chin,
}

impl Region {
    /// All of them, from the top.
    pub const ALL: [Self; 5] = [Self::Forehead, Self::Eyes, Self::Nose, Self::Mouth, Self::Chin];

    /// Its name in JSON and in the variants of messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forehead => "forehead",
            Self::Eyes => "eyes",
            Self::Nose => "nose",
            Self::Mouth => "mouth",
            Self::Chin => "chin",
        }
    }

    /// Its place in the crop.
    pub fn area(self) -> Area {
        let (left, top, width, height) = match self {
            Self::Forehead => (18, 0, 92, 26),
            Self::Eyes => (18, 24, 92, 28),
            Self::Nose => (44, 44, 40, 30),
            Self::Mouth => (32, 74, 64, 26),
            Self::Chin => (32, 100, 64, 28),
        };
        Area { left, top, width, height }
    }
}

/// Changes of the guessed age, in years: negative where the covered face looks younger.
#[derive(Debug, Clone, PartialEq)]
pub struct Occlusion {
    /// The age of the uncovered face, without its mirror image, in years.
    pub age: f32,
    /// The change at each place of the patch, row-major: [`GRID`] × [`GRID`].
    pub years: Vec<f32>,
    /// The change with each region covered, the largest first.
    pub regions: Vec<(Region, f32)>,
    /// Rank correlation with the map after a shift of one pixel, at every second place.
    pub rank_correlation: f32,
}

impl Occlusion {
    /// Covers the standardised picture (128, 128) at each place of the grid and each region.
    ///
    /// # Errors
    /// If a pass of the network fails.
    pub fn measure(estimator: &Estimator, picture: &[f32]) -> Result<Self, ModelError> {
        let places: Vec<usize> = (0..GRID * GRID).collect();
        let (age, years) = changes(estimator, picture, places.iter().map(|place| vec![patch(*place)]).collect())?;
        let coarse = |place: &usize| (place / GRID).is_multiple_of(COARSE) && (place % GRID).is_multiple_of(COARSE);
        let sample: Vec<usize> = places.into_iter().filter(coarse).collect();
        let moved = sample.iter().map(|place| vec![patch(*place)]).collect();
        let (_, moved) = changes(estimator, &shifted(picture), moved)?;
        let before: Vec<f32> = sample.iter().map(|place| years[*place]).collect();
        let (_, regions) = changes(estimator, picture, Region::ALL.map(|region| vec![region.area()]).to_vec())?;
        let mut regions: Vec<(Region, f32)> = Region::ALL.into_iter().zip(regions).collect();
        regions.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
        Ok(Self { age, years, regions, rank_correlation: rank_correlation(&before, &moved) })
    }

    /// Whether the map changes when the face moves by one pixel.
    pub fn is_shaky(&self) -> bool {
        self.rank_correlation <= SHAKY
    }
}

/// The patch at a place of the grid.
pub fn patch(place: usize) -> Area {
    let (left, top) = (place % GRID * STRIDE, place / GRID * STRIDE);
    Area { left, top, width: PATCH, height: PATCH }
}

/// The age of the uncovered picture, and by how many years it changes with each of the `covers`, which consist of
/// one area or several.
///
/// # Errors
/// If a pass of the network fails.
pub fn changes(estimator: &Estimator, picture: &[f32], covers: Vec<Vec<Area>>) -> Result<(f32, Vec<f32>), ModelError> {
    let blurred = blurred(picture, BLUR);
    let uncovered = std::iter::once(Vec::new());
    let covers: Vec<Vec<Area>> = uncovered.chain(covers).collect();
    let mut ages = Vec::with_capacity(covers.len());
    for batch in covers.chunks(BATCH) {
        let pictures: Vec<f32> = batch.iter().flat_map(|areas| covered(picture, &blurred, areas)).collect();
        ages.extend(estimator.ages(pictures)?);
    }
    let age = ages.remove(0);
    Ok((age, ages.into_iter().map(|changed| changed - age).collect()))
}

/// The picture with areas of the blurred one over it. Where areas overlap, the stronger cover counts.
fn covered(picture: &[f32], blurred: &[f32], areas: &[Area]) -> Vec<f32> {
    let mut cover = vec![0.0f32; SIDE * SIDE];
    for Area { left, top, width, height } in areas.iter().copied() {
        for y in 0..height {
            let row = &mut cover[(top + y) * SIDE + left..][..width];
            let across = opacity(y, height);
            row.iter_mut().enumerate().for_each(|(x, value)| *value = value.max(across * opacity(x, width)));
        }
    }
    let mix = |((sharp, blurred), cover): ((&f32, &f32), f32)| sharp + cover * (blurred - sharp);
    picture.iter().zip(blurred).zip(cover).map(mix).collect()
}

/// How much an area of `length` pixels covers at the pixel `at`, 0 to 1: a raised cosine at both ends.
fn opacity(at: usize, length: usize) -> f32 {
    let inside = (at.min(length - 1 - at) as f32 + 0.5) / EDGE as f32;
    if inside >= 1.0 { 1.0 } else { 0.5 - 0.5 * (std::f32::consts::PI * inside).cos() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_covers_its_place_softly_and_nothing_else() {
        assert_eq!((GRID, patch(GRID * GRID - 1)), (14, Area { left: 104, top: 104, width: 24, height: 24 }));
        let covered = covered(&[1.0; SIDE * SIDE], &[0.0; SIDE * SIDE], &[patch(GRID + 2)]);
        let at = |x: usize, y: usize| covered[y * SIDE + x];
        assert_eq!((at(15, 20), at(28, 20), at(40, 20), at(28, 7), at(28, 32)), (1.0, 0.0, 1.0, 1.0, 1.0));
        let edge: Vec<f32> = (16..22).map(|x| at(x, 20)).collect();
        assert!(edge.windows(2).all(|pair| pair[0] > pair[1]) && edge[0] > 0.97 && edge[5] < 0.03, "{edge:?}");
        for region in Region::ALL {
            let Area { left, top, width, height } = region.area();
            assert!(left + width <= SIDE && top + height <= SIDE, "{region:?}");
        }
    }
}
