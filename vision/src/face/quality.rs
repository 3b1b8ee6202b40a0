//! What makes a face hard to estimate, measured on the photo and on the crop.
//!
//! Every measure compares the face with itself or with its surroundings, never with a grey level that only
//! some skin has. [`Quality::difficulty`] puts all of them on one scale: 0 is what good photos have, and from
//! 1 on it is a [`Flaw`].

use image::GrayImage;

use super::crop::{SIDE, natural_crop};
use super::{Face, FaceCrop};
use crate::model::flaw_head::FlawLogits;

/// Measurements of one face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Side of the face's frame in pixels of the photo.
    pub side: f32,
    /// Share of the frame that lies outside the photo.
    pub outside: f32,
    /// How little there is to see along one side of the face: the median relative contrast of the crop's blocks over
    /// the highest of any block in the strip along that side, for the emptiest of the four sides. Along every side of
    /// a face in view there is an eye, a corner of the mouth or an outline.
    pub emptiness: f32,
    /// Yaw, as the distance of the nose from the midpoint of the eyes along the line through them, in
    /// units of the distance between the eyes: 0 for a frontal face, about 0.5 in profile. The landmarks of a face
    /// in profile are often placed as if it were nearly frontal.
    pub yaw: f32,
    /// What the estimator sees. Where it is known, it takes the place of `yaw`, and is used beside `emptiness` and
    /// `blur`, which notice other kinds of covers and blur.
    pub seen: Option<FlawLogits>,
    /// The grey value, 0 to 255, that 2 % of the crop's pixels exceed: highlights, eyes and what surrounds
    /// the face, which are bright beside any skin unless the light is missing.
    pub highlights: f32,
    /// The same of the face without its surroundings: a face in front of a bright window is dark as well.
    pub face_highlights: f32,
    /// How much lighter one half of the face is: the logarithm of the ratio of mirrored points, by the median
    /// of each row.
    pub asymmetry: f32,
    /// Share of the face's pixels that are white (at least 250 of 255); 0 for a dark face, beside which the background
    /// is white.
    pub white: f32,
    /// How little detail blurring takes away, 0 to 1, at the photo's own resolution (Crété-Roffet et al. 2007,
    /// "The blur effect").
    pub blur: f32,
    /// Standard deviation of the noise over that of the grey values, from the quieter parts of the face
    /// (the operator is that of Immerkær 1996, "Fast noise variance estimation").
    pub noise: f32,
}

/// A defect that a better photo would avoid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// The face has so few pixels that its crop is enlarged several times.
    TooSmall,
    /// Too much of the frame lies outside the photo.
    CutOff,
    /// Along one side there is nothing of a face to see.
    Covered,
    /// The face is turned too far to the side.
    Turned,
    /// Face and surroundings, or the face alone, get too little light.
    Dark,
    /// One half of the face is much darker than the other.
    OneSided,
    /// Parts of the face are white.
    Bright,
    /// There is too little fine detail for the pixels that the face has.
    Blurred,
    /// There is noise instead of fine detail.
    Noisy,
}

/// All flaws, in decreasing order of how much correcting them helps, as [`Quality::difficulty`] orders them.
pub const FLAWS: [Flaw; 9] = [
    Flaw::TooSmall,
    Flaw::CutOff,
    Flaw::Covered,
    Flaw::Turned,
    Flaw::Dark,
    Flaw::OneSided,
    Flaw::Bright,
    Flaw::Blurred,
    Flaw::Noisy,
];

/// The values of a measure at which its difficulty is 0 (that of ordinary good photos) and 1 (a flaw).
struct Scale(f32, f32);

// Of 290 untouched UTKFace validation faces 3.8 % exceed any limit, of every race label at most 4.9 %; of faces
// degraded to three quarters of the strength in `evaluation::degradation` and more at least 90 % do as they should, of
// those turned by 49° 84 %. On real photos the tips about covers and light from one side are the least exact (MODEL_CARD.md).
const SIZE: Scale = Scale(96.0, 44.0);
const OUTSIDE: Scale = Scale(0.08, 0.24);
const EMPTINESS: Scale = Scale(0.75, 1.0);
const YAW: Scale = Scale(0.1, 0.24);
// Of the estimator's logits.
const SEEN_TURNED: Scale = Scale(-6.0, 0.0);
const SEEN_COVERED: Scale = Scale(-3.0, 0.6);
const SEEN_BLURRED: Scale = Scale(-6.0, 0.0);
/// Below this logit nothing covers the face, however little contrast it has along one side.
const BARE: f32 = -3.2;
/// The difficulty of a face that is turned so far that nothing is to be seen of one half.
const PROFILE: f32 = 1.35;
/// The same by what the estimator sees.
const SEEN_PROFILE: f32 = 1.12;
const HIGHLIGHTS: Scale = Scale(150.0, 95.0);
const FACE_HIGHLIGHTS: Scale = Scale(125.0, 70.0);
const ASYMMETRY: Scale = Scale(0.35, 0.9);
const WHITE: Scale = Scale(0.01, 0.08);
const BLUR: Scale = Scale(0.62, 0.74);
const NOISE: Scale = Scale(0.02, 0.08);
/// Beyond this a difficulty says nothing more.
const MAX_DIFFICULTY: f32 = 3.0;

impl Scale {
    /// The difficulty of a value.
    fn of(&self, value: f32) -> f32 {
        ((value - self.0) / (self.1 - self.0)).clamp(0.0, MAX_DIFFICULTY)
    }
}

impl Quality {
    /// How hard each property makes the estimate, one number for each of [`FLAWS`]: 0 in a good photo, a flaw from
    /// 1 on, at most 3.
    pub fn difficulty(&self) -> [f32; FLAWS.len()] {
        let outside = OUTSIDE.of(self.outside);
        // The sides are compared on a logarithmic scale: half the pixels are as much worse at any size.
        let small = Scale(SIZE.0.ln(), SIZE.1.ln()).of(self.side.max(1.0).ln());
        let white = WHITE.of(self.white);
        let seen = self.seen.as_ref();
        let turned = seen.map_or_else(|| YAW.of(self.yaw), |seen| SEEN_TURNED.of(seen.turned));
        let seen_blurred = seen.map_or(0.0, |seen| SEEN_BLURRED.of(seen.blurred));
        // A flaw that explains another hides it: the part outside the photo is empty, and so may be what is
        // behind a profile, white or blurred, but they are not covered; a cover makes a face look turned a little, and a
        // cover and a profile make the sides unlike; an enlarged face has no fine detail.
        let is_flaw = |difficulty: f32| difficulty >= 1.0;
        // The landmarks alone do not tell a profile well, and the estimator knows better what is no cover at all.
        let (profile, is_bare) = seen.map_or((PROFILE, false), |seen| (SEEN_PROFILE, seen.covered < BARE));
        let is_empty = turned >= profile || is_flaw(white) || is_flaw(seen_blurred) || is_bare;
        let emptiness = if is_empty { 0.0 } else { EMPTINESS.of(self.emptiness) };
        let seen_covered = seen.map_or(0.0, |seen| SEEN_COVERED.of(seen.covered));
        let covered = if is_flaw(outside) { 0.0 } else { seen_covered.max(emptiness) };
        let turned = if is_flaw(covered) { 0.0 } else { turned };
        let unlike = is_flaw(covered) || is_flaw(turned);
        let one_sided = if unlike { 0.0 } else { ASYMMETRY.of(self.asymmetry) };
        let blurred = if is_flaw(small) { 0.0 } else { seen_blurred }.max(BLUR.of(self.blur));
        let dark = HIGHLIGHTS.of(self.highlights).max(FACE_HIGHLIGHTS.of(self.face_highlights));
        [small, outside, covered, turned, dark, one_sided, white, blurred, NOISE.of(self.noise)]
    }

    /// Whether the photo is not even close to a flaw.
    pub fn is_good(&self) -> bool {
        self.difficulty().iter().all(|difficulty| *difficulty < 0.6)
    }

    /// The flaws, in the order of [`FLAWS`].
    pub fn flaws(&self) -> Vec<Flaw> {
        let difficulty = self.difficulty();
        FLAWS.into_iter().zip(difficulty).filter_map(|(flaw, difficulty)| (difficulty >= 1.0).then_some(flaw)).collect()
    }
}

/// Measures the quality of a face and its crop.
pub fn measure_quality(luma: &GrayImage, face: &Face, crop: &FaceCrop) -> Quality {
    let pixels = crop.pixels();
    let inner: Vec<u8> = (0..pixels.len()).filter(|at| is_inner(at % SIDE, at / SIDE)).map(|at| pixels[at]).collect();
    let natural = natural_crop(luma, &face.frame);
    Quality {
        side: face.frame.side,
        outside: outside(luma, face),
        emptiness: emptiness(pixels),
        yaw: yaw(&face.landmarks),
        seen: None,
        highlights: exceeded_by_a_fiftieth(pixels),
        face_highlights: exceeded_by_a_fiftieth(&inner),
        asymmetry: asymmetry(pixels),
        white: white(inner),
        blur: blur(&natural),
        noise: noise(&natural),
    }
}

/// Whether a pixel of the crop is in the ellipse from brow to chin and from cheek to cheek.
fn is_inner(x: usize, y: usize) -> bool {
    let unit = |at: usize| (at as f32 + 0.5) / SIDE as f32 - 0.5;
    (unit(x) / 0.34).powi(2) + ((unit(y) - 0.02) / 0.44).powi(2) < 1.0
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

/// [`Quality::emptiness`]: the crop without its margin in 7×7 blocks of 16×16 pixels; a strip is two blocks wide.
fn emptiness(pixels: &[u8]) -> f32 {
    const MARGIN: usize = 8;
    const BLOCK: usize = 16;
    const BLOCKS: usize = (SIDE - 2 * MARGIN) / BLOCK;
    const STRIP: usize = 2;
    let start = |block: usize| MARGIN + block * BLOCK;
    let contrast = |column: usize, row: usize| {
        let rows = start(row)..start(row) + BLOCK;
        let block = rows.flat_map(|y| pixels[y * SIDE + start(column)..][..BLOCK].iter().copied());
        let (mean, deviation) = mean_and_deviation(block);
        // Relative to the block's own light, so that a half in the dark is not empty. The constants keep noise
        // and black from being a contrast.
        (deviation + 1.0) / (mean + 5.0)
    };
    let mut all = Vec::with_capacity(BLOCKS * BLOCKS);
    let mut highest = [0.0f32; 4];
    for (column, row) in (0..BLOCKS).flat_map(|row| (0..BLOCKS).map(move |column| (column, row))) {
        let contrast = contrast(column, row);
        all.push(contrast);
        let strips = [row < STRIP, row >= BLOCKS - STRIP, column < STRIP, column >= BLOCKS - STRIP];
        for (highest, _) in highest.iter_mut().zip(strips).filter(|(_, is_inside)| *is_inside) {
            *highest = highest.max(contrast);
        }
    }
    let (_, median, _) = all.select_nth_unstable_by(BLOCKS * BLOCKS / 2, f32::total_cmp);
    *median / highest.into_iter().fold(f32::MAX, f32::min)
}

fn mean_and_deviation(values: impl Iterator<Item = u8>) -> (f32, f32) {
    let (mut count, mut sum, mut squares) = (0.0f32, 0.0f32, 0.0f32);
    for value in values.map(f32::from) {
        (count, sum, squares) = (count + 1.0, sum + value, squares + value * value);
    }
    let mean = sum / count.max(1.0);
    (mean, (squares / count.max(1.0) - mean * mean).max(0.0).sqrt())
}

/// [`Quality::white`] of the face's pixels: 0 if most of them are dark, since what is white is then behind the face.
fn white(mut inner: Vec<u8>) -> f32 {
    const DARK: u8 = 128;
    let middle = inner.len() / 2;
    let (_, median, _) = inner.select_nth_unstable(middle);
    if *median < DARK {
        return 0.0;
    }
    inner.iter().filter(|value| **value >= 250).count() as f32 / inner.len() as f32
}

/// The grey value that a fiftieth of the pixels exceeds.
fn exceeded_by_a_fiftieth(pixels: &[u8]) -> f32 {
    let mut counts = [0usize; 256];
    pixels.iter().for_each(|value| counts[usize::from(*value)] += 1);
    let mut above = 0;
    let value = (0..256).rev().find(|value| {
        above += counts[*value];
        above * 50 > pixels.len()
    });
    value.unwrap_or(0) as f32
}

/// [`Quality::asymmetry`], over means of 8×8 pixels, which ignore eyes and mouth being slightly off the axis.
fn asymmetry(pixels: &[u8]) -> f32 {
    const CELL: usize = 8;
    const CELLS: usize = SIDE / CELL;
    let cell = |column: usize, row: usize| {
        let rows = row * CELL..(row + 1) * CELL;
        let sum: u32 =
            rows.flat_map(|y| &pixels[y * SIDE + column * CELL..][..CELL]).map(|&value| u32::from(value)).sum();
        // Two grey levels more, so that black is not infinitely darker than nearly black.
        sum as f32 / (CELL * CELL) as f32 + 2.0
    };
    let mut sum = 0.0;
    let mut rows = 0.0;
    for row in 0..CELLS {
        let inside = |column: &usize| is_inner(column * CELL + CELL / 2, row * CELL + CELL / 2);
        let mut ratios: Vec<f32> = (0..CELLS / 2)
            .filter(inside)
            .map(|column| (cell(column, row) / cell(CELLS - 1 - column, row)).ln())
            .collect();
        if !ratios.is_empty() {
            ratios.sort_by(f32::total_cmp);
            sum += ratios[ratios.len() / 2];
            rows += 1.0;
        }
    }
    (sum / f32::max(rows, 1.0)).abs()
}

/// [`Quality::blur`] of square pixels.
fn blur(natural: &[u8]) -> f32 {
    let side = natural.len().isqrt().max(1);
    let rows = natural.chunks_exact(side).map(|row| row.iter().map(|&value| f32::from(value)).collect());
    let columns = (0..side).map(|x| natural[x..].iter().step_by(side).map(|&value| f32::from(value)).collect());
    blur_along(rows).max(blur_along(columns))
}

/// The same along the given lines.
fn blur_along(lines: impl Iterator<Item = Vec<f32>>) -> f32 {
    /// How far the mean reaches on both sides.
    const REACH: usize = 4;
    let (mut variation, mut lost) = (0.0f32, 0.0f32);
    for line in lines {
        let last = line.len().saturating_sub(1);
        for at in 1..line.len() {
            let difference = (line[at] - line[at - 1]).abs();
            // From one pixel to the next, the sum over its surroundings gains a value and loses one.
            let (gained, gone) = (line[(at + REACH).min(last)], line[at.saturating_sub(REACH + 1)]);
            variation += difference;
            lost += (difference - (gained - gone).abs() / (2 * REACH + 1) as f32).max(0.0);
        }
    }
    1.0 - lost / variation.max(1.0)
}

/// [`Quality::noise`] of square pixels.
fn noise(natural: &[u8]) -> f32 {
    // A quarter of normally distributed values is below this many standard deviations.
    const LOWER_QUARTILE: f32 = 0.3186;
    let side = natural.len().isqrt();
    let at = |x: usize, y: usize| i32::from(natural[y * side + x]);
    let mut responses: Vec<i32> = Vec::with_capacity(natural.len());
    for y in 1..side.saturating_sub(1) {
        for x in 1..side - 1 {
            let corners = at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
            let edges = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
            responses.push((corners - 2 * edges + 4 * at(x, y)).abs());
        }
    }
    if responses.is_empty() {
        return 0.0;
    }
    let quarter = responses.len() / 4;
    let (_, lower, _) = responses.select_nth_unstable(quarter);
    // The operator multiplies the noise by 6. Below a grey level it is only rounding.
    let deviation_of_noise = (*lower as f32 / (6.0 * LOWER_QUARTILE) - 1.0).max(0.0);
    deviation_of_noise / mean_and_deviation(natural.iter().copied()).1.max(2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waves of several lengths with eyes' contrast everywhere, in two columns mirrored about the middle.
    fn texture(x: usize, y: usize) -> f32 {
        let (u, v) = (x.min(SIDE - 1 - x) as f32, y as f32);
        110.0 + 30.0 * (u * 0.35).sin() * (v * 0.31).cos() + 25.0 * (v * 0.16 + u * 0.1).sin()
    }

    fn crop(value: impl Fn(usize, usize) -> f32) -> Vec<u8> {
        (0..SIDE * SIDE).map(|at| value(at % SIDE, at / SIDE).round() as u8).collect()
    }

    #[test]
    fn what_is_compared_with_the_face_itself_does_not_depend_on_its_brightness() {
        let (light, dark) = (crop(texture), crop(|x, y| texture(x, y) / 2.0));
        for measure in [emptiness, asymmetry, blur, noise] {
            let (light, dark) = (measure(&light), measure(&dark));
            assert!((light - dark).abs() < 0.06, "{light} or {dark}");
        }
    }

    #[test]
    fn a_strip_without_anything_to_see_counts_as_covered_on_every_side() {
        assert!(EMPTINESS.of(emptiness(&crop(texture))) < 1.0);
        let strips: [fn(usize, usize) -> bool; 4] =
            [|x, _| x < 44, |x, _| x >= SIDE - 44, |_, y| y < 44, |_, y| y >= SIDE - 44];
        for covered in strips {
            let hidden = crop(|x, y| if covered(x, y) { 60.0 } else { texture(x, y) });
            assert!(EMPTINESS.of(emptiness(&hidden)) >= 1.0);
        }
    }

    #[test]
    fn a_face_that_is_bare_or_turned_or_at_the_edge_is_not_covered_however_empty_one_side_is() {
        let seen = |turned, covered| Some(FlawLogits { turned, covered, blurred: -9.0 });
        let empty = Quality {
            side: 200.0,
            outside: 0.0,
            emptiness: 1.5,
            yaw: 0.0,
            seen: seen(-9.0, -1.0),
            highlights: 220.0,
            face_highlights: 200.0,
            asymmetry: 0.0,
            white: 0.0,
            blur: 0.3,
            noise: 0.0,
        };
        assert_eq!(empty.flaws(), [Flaw::Covered]);
        assert_eq!(Quality { seen: None, ..empty }.flaws(), [Flaw::Covered]);
        assert_eq!(Quality { seen: seen(-9.0, -5.0), ..empty }.flaws(), []);
        assert_eq!(Quality { seen: seen(1.5, -1.0), ..empty }.flaws(), [Flaw::Turned]);
        assert_eq!(Quality { outside: 0.5, seen: seen(-9.0, 2.0), ..empty }.flaws(), [Flaw::CutOff]);
    }

    #[test]
    fn white_behind_a_dark_face_is_not_a_washed_out_face() {
        let beside = |face: u8| [vec![255; 30], vec![face; 70]].concat();
        assert_eq!(white(beside(60)), 0.0);
        assert_eq!(white(beside(200)), 0.3);
    }

    #[test]
    fn a_darker_half_is_asymmetric() {
        assert!(asymmetry(&crop(texture)) < 0.01);
        let lit = asymmetry(&crop(|x, y| texture(x, y) * if x < SIDE / 2 { 1.0 } else { 0.3 }));
        assert!((lit - (1.0f32 / 0.3).ln()).abs() < 0.1, "{lit}");
    }

    #[test]
    fn noise_and_blur_are_told_apart() {
        let grain = |x: usize, y: usize| ((x * 7919 + y * 104_729 + x * y * 31) % 61) as f32 - 30.0;
        let noisy = crop(|x, y| texture(x, y) + grain(x, y));
        assert!(NOISE.of(noise(&noisy)) >= 1.0 && BLUR.of(blur(&noisy)) < 0.5);
        let smooth = crop(|x, y| 110.0 + 60.0 * ((x + y) as f32 * 0.05).sin());
        assert!(NOISE.of(noise(&smooth)) < 0.5 && BLUR.of(blur(&smooth)) >= 1.0);
    }
}
