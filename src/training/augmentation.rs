//! Random augmentation of crops: framing, mirroring, channel weights, stretching, exposure, uneven
//! light, blur, cutout and mixup.

use std::borrow::Cow;

use image::imageops::{FilterType, resize};
use image::{GrayImage, Luma, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::dataset::Example;
use super::recipe::Augmentation;
use crate::face::{CropFrame, FaceCrop};
use crate::model::network::SIDE;

/// An augmented crop of an example.
#[derive(Debug, Clone)]
pub struct Sample<'a> {
    /// Square, grey.
    pub pixels: Vec<u8>,
    /// The example that was cropped.
    pub example: &'a Example,
    /// What is blended in, if anything.
    pub mixup: Option<Mixup<'a>>,
}

/// The second example that is blended into a crop (mixup, Zhang et al. 2018).
#[derive(Debug, Clone, Copy)]
pub struct Mixup<'a> {
    /// The example whose crop is blended in.
    pub example: &'a Example,
    /// Weight of the blended crop and its label, 0 to 0.5.
    pub weight: f32,
}

/// Augments `examples`, with a probability of `ranges.mixup` blending the next crop into each. The
/// k-th uses the random stream `first` + k of `seed`, independently of the number of threads.
pub fn augment_batch<'a>(
    examples: &[&'a Example],
    ranges: &Augmentation,
    side: usize,
    (seed, first): (u64, u64),
) -> Vec<Sample<'a>> {
    let crops = examples.par_iter().enumerate().map(|(index, example)| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(first + index as u64);
        let pixels = augment(example, ranges, side, &mut random);
        let is_mixed = ranges.mixup > 0.0 && random.random_bool(f64::from(ranges.mixup));
        (pixels, is_mixed.then(|| random.random_range(0.0..0.5f32)))
    });
    let crops: Vec<(Vec<u8>, Option<f32>)> = crops.collect();
    let mix = |(index, (pixels, weight)): (usize, &(Vec<u8>, Option<f32>))| {
        let next = (index + 1) % examples.len();
        let example = examples[index];
        let Some(weight) = *weight else { return Sample { pixels: pixels.clone(), example, mixup: None } };
        let blend = |(a, b): (&u8, &u8)| (f32::from(*a) * (1.0 - weight) + f32::from(*b) * weight + 0.5) as u8;
        let pixels = pixels.iter().zip(&crops[next].0).map(blend).collect();
        Sample { pixels, example, mixup: Some(Mixup { example: examples[next], weight }) }
    };
    crops.iter().enumerate().map(mix).collect()
}

/// One augmented crop of `side`×`side` grey pixels, `side` being at most 128.
///
/// The same random numbers give the same augmentation at every side.
fn augment(example: &Example, ranges: &Augmentation, side: usize, random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut uniform = |range: f32| random.random_range(-1.0f32..=1.0) * range;
    let frame = example.frame;
    let mut frame = CropFrame {
        center_x: frame.center_x + uniform(ranges.shift) * frame.side,
        center_y: frame.center_y + uniform(ranges.shift) * frame.side,
        side: frame.side * (1.0 + uniform(ranges.scale)),
        roll: frame.roll + uniform(ranges.roll).to_radians(),
    };
    let exponent = (1.0 + ranges.gamma).powf(uniform(1.0));
    // An augmentation that is off draws no random numbers, so that older recipes still give the same crops.
    let mut luma = Cow::Borrowed(&*example.luma);
    if ranges.channel_mix > 0.0 && random.random_bool(f64::from(ranges.channel_mix)) {
        luma = example.colour.as_deref().map_or(luma, |colour| Cow::Owned(with_random_channel_weights(colour, random)));
    }
    if ranges.stretch > 0.0 {
        let factor = 1.0 + random.random_range(-1.0f32..=1.0) * ranges.stretch;
        let width = (luma.width() as f32 * factor).round().max(1.0);
        frame.center_x *= width / luma.width() as f32;
        luma = Cow::Owned(resize(&*luma, width as u32, luma.height(), FilterType::Triangle));
    }
    let mut crop = FaceCrop::cut(&luma, &frame);
    if ranges.constant_border > 0.0 && random.random_bool(f64::from(ranges.constant_border)) {
        crop.fill_outside(&luma, &frame, random.random());
    }
    let mut pixels = crop.pixels().to_vec();
    if random.random_bool(0.5) {
        pixels.chunks_mut(SIDE).for_each(<[u8]>::reverse);
    }
    let curve: [u8; 256] = std::array::from_fn(|value| (255.0 * (value as f32 / 255.0).powf(exponent) + 0.5) as u8);
    pixels.iter_mut().for_each(|value| *value = curve[usize::from(*value)]);
    if ranges.light_gradient > 0.0 {
        let mut slope = || random.random_range(-1.0f32..=1.0) * ranges.light_gradient;
        apply_light_gradient(&mut pixels, (slope(), slope()));
    }
    if random.random_bool(f64::from(ranges.blur)) {
        for _ in 0..random.random_range(1..=3) {
            pixels = box_blur(&pixels);
        }
    }
    if random.random_bool(f64::from(ranges.cutout)) {
        cutout(&mut pixels, random);
    }
    if side < SIDE { downscale(pixels, side) } else { pixels }
}

/// Converts to grey with random channel weights in place of luma's: skin, lips and beards as another
/// light or another film would show them.
fn with_random_channel_weights(colour: &RgbImage, random: &mut ChaCha8Rng) -> GrayImage {
    // Two uniform cuts of the unit interval: uniform over all weights that sum to 1.
    let (a, b): (f32, f32) = (random.random(), random.random());
    let (low, high) = (a.min(b), a.max(b));
    let weights = [low, high - low, 1.0 - high];
    let grey = |[red, green, blue]: [u8; 3]| {
        let sum = weights[0] * f32::from(red) + weights[1] * f32::from(green) + weights[2] * f32::from(blue);
        Luma([(sum + 0.5) as u8])
    };
    GrayImage::from_fn(colour.width(), colour.height(), |x, y| grey(colour.get_pixel(x, y).0))
}

/// Scales brightness linearly: by 1 + `across` at the right edge, by 1 + `down` at the lower edge.
fn apply_light_gradient(pixels: &mut [u8], (across, down): (f32, f32)) {
    // From -1 to 1.
    let normalised = |position: usize| (position as f32 + 0.5) / (SIDE as f32 / 2.0) - 1.0;
    for (index, value) in pixels.iter_mut().enumerate() {
        let light = 1.0 + across * normalised(index % SIDE) + down * normalised(index / SIDE);
        *value = (f32::from(*value) * light + 0.5) as u8;
    }
}

fn downscale(pixels: Vec<u8>, side: usize) -> Vec<u8> {
    let Some(full) = GrayImage::from_raw(SIDE as u32, SIDE as u32, pixels) else { return vec![0; side * side] };
    resize(&full, side as u32, side as u32, FilterType::Triangle).into_raw()
}

/// 3×3 box blur; edge pixels are replicated.
fn box_blur(pixels: &[u8]) -> Vec<u8> {
    let last = SIDE - 1;
    let three = |at: usize| [at.saturating_sub(1), at, (at + 1).min(last)];
    let horizontal: Vec<u16> = pixels
        .chunks(SIDE)
        .flat_map(|row| (0..SIDE).map(|x| three(x).map(|x| u16::from(row[x])).iter().sum()))
        .collect();
    let rows: Vec<&[u16]> = horizontal.chunks(SIDE).collect();
    let mut out = Vec::with_capacity(pixels.len());
    for y in 0..SIDE {
        let [above, here, below] = three(y).map(|y| rows[y]);
        out.extend(above.iter().zip(here).zip(below).map(|((above, here), below)| ((above + here + below) / 9) as u8));
    }
    out
}

/// Fills a random square of 1/8 to 3/8 of the side with grey (DeVries & Taylor 2017).
fn cutout(pixels: &mut [u8], random: &mut ChaCha8Rng) {
    let side = random.random_range(SIDE / 8..=SIDE * 3 / 8);
    let (x, y) = (random.random_range(0..=SIDE - side), random.random_range(0..=SIDE - side));
    for row in pixels.chunks_mut(SIDE).skip(y).take(side) {
        row[x..x + side].fill(128);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::Rgb;

    use super::*;
    use crate::training::dataset::Age;

    const NONE: Augmentation = Augmentation {
        roll: 0.0,
        scale: 0.0,
        shift: 0.0,
        gamma: 0.0,
        blur: 0.0,
        cutout: 0.0,
        constant_border: 0.0,
        mixup: 0.0,
        channel_mix: 0.0,
        stretch: 0.0,
        light_gradient: 0.0,
    };

    /// A disc of `inside` on `outside`, 128 pixels wide.
    fn disc(inside: [u8; 3], outside: [u8; 3]) -> Example {
        let middle = SIDE as f32 / 2.0;
        let colour = RgbImage::from_fn(SIDE as u32, SIDE as u32, |x, y| {
            let distance = (x as f32 + 0.5 - middle).hypot(y as f32 + 0.5 - middle);
            Rgb(if distance < 40.0 { inside } else { outside })
        });
        let luma = image::DynamicImage::ImageRgb8(colour.clone()).into_luma8();
        let frame = CropFrame::whole(&luma);
        let (luma, colour) = (Arc::new(luma), Some(Arc::new(colour)));
        Example { luma, colour, frame, age: Age::Exact(30.0), female: Some(true), smile: None, teacher: None }
    }

    fn crops(example: &Example, ranges: &Augmentation) -> Vec<Vec<u8>> {
        augment_batch(&[example; 40], ranges, SIDE, (7, 1)).into_iter().map(|sample| sample.pixels).collect()
    }

    #[test]
    fn random_channel_weights_invert_contrast_in_colours_and_leave_grey_unchanged() {
        let ranges = Augmentation { channel_mix: 1.0, ..NONE };
        let middle = SIDE * SIDE / 2 + SIDE / 2;
        let coloured = crops(&disc([200, 60, 60], [60, 60, 200]), &ranges);
        assert!(coloured.iter().any(|pixels| pixels[middle] > pixels[0] + 50));
        assert!(coloured.iter().any(|pixels| pixels[middle] + 50 < pixels[0]));
        let grey = disc([200; 3], [60; 3]);
        assert!(crops(&grey, &ranges).iter().all(|pixels| *pixels == crops(&grey, &NONE)[0]));
    }

    #[test]
    fn stretching_changes_the_width_but_neither_height_nor_position() {
        let ranges = Augmentation { stretch: 0.2, ..NONE };
        let lit = |along: fn(usize) -> usize, pixels: &[u8]| {
            let lit: Vec<usize> = (0..SIDE).filter(|at| pixels[along(*at)] > 128).collect();
            (lit[0], lit[lit.len() - 1])
        };
        let mut widths = Vec::new();
        for pixels in crops(&disc([255; 3], [0; 3]), &ranges) {
            let (left, right) = lit(|at| SIDE / 2 * SIDE + at, &pixels);
            let (top, bottom) = lit(|at| at * SIDE + SIDE / 2, &pixels);
            assert!((left + right).abs_diff(SIDE - 1) <= 1, "from {left} to {right}");
            assert!((bottom - top).abs_diff(79) <= 1, "from {top} to {bottom}");
            widths.push(right - left + 1);
        }
        assert!(widths.iter().any(|width| *width > 90) && widths.iter().any(|width| *width < 70), "{widths:?}");
    }

    #[test]
    fn a_light_gradient_darkens_one_side_as_much_as_it_brightens_the_other() {
        let ranges = Augmentation { light_gradient: 0.4, ..NONE };
        let mut steepest = 0;
        for pixels in crops(&disc([100; 3], [100; 3]), &ranges) {
            let (first, last) = (i32::from(pixels[0]), i32::from(pixels[SIDE * SIDE - 1]));
            assert!((first + last - 200).abs() <= 2, "{first} and {last}");
            steepest = steepest.max(first.abs_diff(last));
        }
        assert!((60..=160).contains(&steepest), "{steepest}");
    }
}
