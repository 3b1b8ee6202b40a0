//! Varies a crop as photos vary: framing, mirror, exposure, blur, something in the way.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::dataset::Example;
use super::recipe::Augmentation;
use crate::face::{CropFrame, FaceCrop};
use crate::model::network::SIDE;

/// One varied crop: 128×128 grey pixels.
pub fn augmented(example: &Example, ranges: &Augmentation, random: &mut ChaCha8Rng) -> Vec<u8> {
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
    pixels
}

/// The mean of each pixel's 3×3 neighbourhood, edges continued.
fn blurred(pixels: &[u8]) -> Vec<u8> {
    let last = SIDE - 1;
    let three = |at: usize| [at.saturating_sub(1), at, (at + 1).min(last)];
    let sum = |x: usize, y: usize| -> u32 {
        three(y).iter().flat_map(|y| three(x).map(|x| u32::from(pixels[y * SIDE + x]))).sum()
    };
    (0..SIDE * SIDE).map(|at| (sum(at % SIDE, at / SIDE) / 9) as u8).collect()
}

/// A grey square of up to 3/8 of the side (DeVries & Taylor 2017).
fn cut_out(pixels: &mut [u8], random: &mut ChaCha8Rng) {
    let side = random.random_range(SIDE / 8..=SIDE * 3 / 8);
    let (x, y) = (random.random_range(0..=SIDE - side), random.random_range(0..=SIDE - side));
    for row in pixels.chunks_mut(SIDE).skip(y).take(side) {
        row[x..x + side].fill(128);
    }
}
