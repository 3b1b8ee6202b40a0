//! Varies a crop as photos vary: framing, mirror, colour of the light, exposure, shade, blur, something in the way.

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
    let mut frame = CropFrame {
        center_x: frame.center_x + spread(ranges.shift) * frame.side,
        center_y: frame.center_y + spread(ranges.shift) * frame.side,
        side: frame.side * (1.0 + spread(ranges.scale)),
        roll: frame.roll + spread(ranges.roll).to_radians(),
    };
    let exponent = (1.0 + ranges.gamma).powf(spread(1.0));
    // Nothing is drawn for what is off: recipes from before it give the same crops as then.
    let mut luma = Cow::Borrowed(&*example.luma);
    if ranges.channels > 0.0 && random.random_bool(f64::from(ranges.channels)) {
        luma = example.colour.as_deref().map_or(luma, |colour| Cow::Owned(weighed_anew(colour, random)));
    }
    if ranges.stretch > 0.0 {
        let wider = 1.0 + random.random_range(-1.0f32..=1.0) * ranges.stretch;
        let width = (luma.width() as f32 * wider).round().max(1.0);
        frame.center_x *= width / luma.width() as f32;
        luma = Cow::Owned(resize(&*luma, width as u32, luma.height(), FilterType::Triangle));
    }
    let mut crop = FaceCrop::cut(&luma, &frame);
    if ranges.border > 0.0 && random.random_bool(f64::from(ranges.border)) {
        crop.fill_outside(&luma, &frame, random.random());
    }
    let mut pixels = crop.pixels().to_vec();
    if random.random_bool(0.5) {
        pixels.chunks_mut(SIDE).for_each(<[u8]>::reverse);
    }
    let curve: [u8; 256] = std::array::from_fn(|value| (255.0 * (value as f32 / 255.0).powf(exponent) + 0.5) as u8);
    pixels.iter_mut().for_each(|value| *value = curve[usize::from(*value)]);
    if ranges.shade > 0.0 {
        let mut slope = || random.random_range(-1.0f32..=1.0) * ranges.shade;
        shade(&mut pixels, (slope(), slope()));
    }
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

/// A grey picture in which red, green and blue count for other shares than they do in luma: skin,
/// lips and beards as another light or another film shows them.
fn weighed_anew(colour: &RgbImage, random: &mut ChaCha8Rng) -> GrayImage {
    // Two cuts of a line of length one: every division into three is as likely.
    let (one, other): (f32, f32) = (random.random(), random.random());
    let (first, last) = (one.min(other), one.max(other));
    let shares = [first, last - first, 1.0 - last];
    let luma = |[red, green, blue]: [u8; 3]| {
        let sum = shares[0] * f32::from(red) + shares[1] * f32::from(green) + shares[2] * f32::from(blue);
        Luma([(sum + 0.5) as u8])
    };
    GrayImage::from_fn(colour.width(), colour.height(), |x, y| luma(colour.get_pixel(x, y).0))
}

/// Light that grows by `across` from the middle to the right edge, and by `down` to the lower one.
fn shade(pixels: &mut [u8], (across, down): (f32, f32)) {
    let units = |at: usize| (at as f32 + 0.5) / (SIDE as f32 / 2.0) - 1.0;
    for (at, value) in pixels.iter_mut().enumerate() {
        let light = 1.0 + across * units(at % SIDE) + down * units(at / SIDE);
        *value = (f32::from(*value) * light + 0.5) as u8;
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::Rgb;

    use super::*;
    use crate::training::dataset::Age;

    const STILL: Augmentation = Augmentation {
        roll: 0.0,
        scale: 0.0,
        shift: 0.0,
        gamma: 0.0,
        blur: 0.0,
        cutout: 0.0,
        border: 0.0,
        mixup: 0.0,
        channels: 0.0,
        stretch: 0.0,
        shade: 0.0,
    };

    /// A disc of `inside` on `outside`, 128 pixels wide.
    fn disc(inside: [u8; 3], outside: [u8; 3]) -> Example {
        let middle = SIDE as f32 / 2.0;
        let colour = RgbImage::from_fn(SIDE as u32, SIDE as u32, |x, y| {
            let away = (x as f32 + 0.5 - middle).hypot(y as f32 + 0.5 - middle);
            Rgb(if away < 40.0 { inside } else { outside })
        });
        let luma = image::DynamicImage::ImageRgb8(colour.clone()).into_luma8();
        let frame = CropFrame::whole(&luma);
        let (luma, colour) = (Arc::new(luma), Some(Arc::new(colour)));
        Example { luma, colour, frame, age: Age::Exact(30.0), female: true, advice: None }
    }

    fn crops(example: &Example, ranges: &Augmentation) -> Vec<Vec<u8>> {
        samples(&[example; 40], ranges, SIDE, (7, 1)).into_iter().map(|sample| sample.pixels).collect()
    }

    #[test]
    fn other_weights_of_the_channels_turn_light_to_dark_in_colours_and_leave_grey_alone() {
        let ranges = Augmentation { channels: 1.0, ..STILL };
        let middle = SIDE * SIDE / 2 + SIDE / 2;
        let coloured = crops(&disc([200, 60, 60], [60, 60, 200]), &ranges);
        assert!(coloured.iter().any(|pixels| pixels[middle] > pixels[0] + 50));
        assert!(coloured.iter().any(|pixels| pixels[middle] + 50 < pixels[0]));
        let grey = disc([200; 3], [60; 3]);
        assert!(crops(&grey, &ranges).iter().all(|pixels| *pixels == crops(&grey, &STILL)[0]));
    }

    #[test]
    fn stretching_widens_or_narrows_what_stays_as_high_and_in_its_place() {
        let ranges = Augmentation { stretch: 0.2, ..STILL };
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
    fn shade_darkens_one_side_as_much_as_it_lights_the_other() {
        let ranges = Augmentation { shade: 0.4, ..STILL };
        let mut steepest = 0;
        for pixels in crops(&disc([100; 3], [100; 3]), &ranges) {
            let (first, last) = (i32::from(pixels[0]), i32::from(pixels[SIDE * SIDE - 1]));
            assert!((first + last - 200).abs() <= 2, "{first} and {last}");
            steepest = steepest.max(first.abs_diff(last));
        }
        assert!((60..=160).contains(&steepest), "{steepest}");
    }
}
