//! Varies a crop as photos vary: framing, mirror, exposure, blur, something in the way.

use image::GrayImage;
use image::imageops::{FilterType, resize};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::dataset::Example;
use super::recipe::Augmentation;
use crate::face::{CropFrame, FaceCrop};
use crate::model::network::SIDE;

/// A picture to learn from.
#[derive(Debug, Clone)]
pub struct Sample<'a> {
    /// A varied crop, square.
    pub pixels: Vec<u8>,
    pub example: &'a Example,
    /// What shines through.
    pub mixed: Option<Mixed<'a>>,
}

/// The other of two pictures laid over each other (Zhang et al. 2018, "mixup").
#[derive(Debug, Clone, Copy)]
pub struct Mixed<'a> {
    pub example: &'a Example,
    /// Up to a half.
    pub share: f32,
}

/// Varied crops of `examples`, with a chance of `ranges.mixup` the next one's laid over each; the
/// k-th draws from the stream `first` + k of `seed`, whatever the number of threads.
pub fn samples<'a>(
    examples: &[&'a Example],
    ranges: &Augmentation,
    side: usize,
    (seed, first): (u64, u64),
) -> Vec<Sample<'a>> {
    let varied = examples.par_iter().enumerate().map(|(at, example)| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(first + at as u64);
        let pixels = augmented(example, ranges, side, &mut random);
        let mixed = ranges.mixup > 0.0 && random.random_bool(f64::from(ranges.mixup));
        (pixels, mixed.then(|| random.random_range(0.0..0.5f32)))
    });
    let varied: Vec<(Vec<u8>, Option<f32>)> = varied.collect();
    let laid_over = |(at, (pixels, share)): (usize, &(Vec<u8>, Option<f32>))| {
        let next = (at + 1) % examples.len();
        let example = examples[at];
        let Some(share) = *share else { return Sample { pixels: pixels.clone(), example, mixed: None } };
        let blend = |(a, b): (&u8, &u8)| (f32::from(*a) * (1.0 - share) + f32::from(*b) * share + 0.5) as u8;
        let pixels = pixels.iter().zip(&varied[next].0).map(blend).collect();
        Sample { pixels, example, mixed: Some(Mixed { example: examples[next], share }) }
    };
    varied.iter().enumerate().map(laid_over).collect()
}

/// One varied crop: `side`×`side` grey pixels, at most 128 each.
///
/// The same draws give the same variation at every side.
fn augmented(example: &Example, ranges: &Augmentation, side: usize, random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut spread = |range: f32| random.random_range(-1.0f32..=1.0) * range;
    let frame = example.frame;
    let frame = CropFrame {
        center_x: frame.center_x + spread(ranges.shift) * frame.side,
        center_y: frame.center_y + spread(ranges.shift) * frame.side,
        side: frame.side * (1.0 + spread(ranges.scale)),
        roll: frame.roll + spread(ranges.roll).to_radians(),
    };
    let exponent = (1.0 + ranges.gamma).powf(spread(1.0));
    let mut crop = FaceCrop::cut(&example.luma, &frame);
    // No draw where it is off: recipes from before it give the same crops as then.
    if ranges.border > 0.0 && random.random_bool(f64::from(ranges.border)) {
        crop.fill_outside(&example.luma, &frame, random.random());
    }
    let mut pixels = crop.pixels().to_vec();
    if random.random_bool(0.5) {
        pixels.chunks_mut(SIDE).for_each(<[u8]>::reverse);
    }
    let curve: [u8; 256] = std::array::from_fn(|value| (255.0 * (value as f32 / 255.0).powf(exponent) + 0.5) as u8);
    pixels.iter_mut().for_each(|value| *value = curve[usize::from(*value)]);
    if random.random_bool(f64::from(ranges.blur)) {
        for _ in 0..random.random_range(1..=3) {
            pixels = blurred(&pixels);
        }
    }
    if random.random_bool(f64::from(ranges.cutout)) {
        cut_out(&mut pixels, random);
    }
    if side < SIDE { shrunk(pixels, side) } else { pixels }
}

fn shrunk(pixels: Vec<u8>, side: usize) -> Vec<u8> {
    let Some(full) = GrayImage::from_raw(SIDE as u32, SIDE as u32, pixels) else { return vec![0; side * side] };
    resize(&full, side as u32, side as u32, FilterType::Triangle).into_raw()
}

/// The mean of each pixel's 3×3 neighbourhood, edges continued.
fn blurred(pixels: &[u8]) -> Vec<u8> {
    let last = SIDE - 1;
    let three = |at: usize| [at.saturating_sub(1), at, (at + 1).min(last)];
    let across: Vec<u16> = pixels
        .chunks(SIDE)
        .flat_map(|row| (0..SIDE).map(|x| three(x).map(|x| u16::from(row[x])).iter().sum()))
        .collect();
    let rows: Vec<&[u16]> = across.chunks(SIDE).collect();
    let mut out = Vec::with_capacity(pixels.len());
    for y in 0..SIDE {
        let [above, here, below] = three(y).map(|y| rows[y]);
        out.extend(above.iter().zip(here).zip(below).map(|((above, here), below)| ((above + here + below) / 9) as u8));
    }
    out
}

/// A grey square of up to 3/8 of the side (DeVries & Taylor 2017).
fn cut_out(pixels: &mut [u8], random: &mut ChaCha8Rng) {
    let side = random.random_range(SIDE / 8..=SIDE * 3 / 8);
    let (x, y) = (random.random_range(0..=SIDE - side), random.random_range(0..=SIDE - side));
    for row in pixels.chunks_mut(SIDE).skip(y).take(side) {
        row[x..x + side].fill(128);
    }
}
