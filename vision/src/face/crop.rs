//! The 128×128 grey crop that is the estimator's input, and how it is cut from a photo.
//!
//! Training, evaluation and serving all use [`FaceCrop::cut`]: a training crop, its augmented version and
//! a face detected in a user's photo differ only in their [`CropFrame`].

use image::GrayImage;

use crate::model::network::standardise;

/// Side of a [`FaceCrop`] in pixels.
pub const SIDE: usize = 128;

/// A square in a photo, possibly rolled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CropFrame {
    /// Centre, in pixels from the photo's left edge (the first pixel's centre is at 0.5).
    pub center_x: f32,
    /// Centre, in pixels from the photo's top edge.
    pub center_y: f32,
    /// Side in pixels of the photo.
    pub side: f32,
    /// Clockwise rotation of the face in the photo, in radians; the crop undoes it.
    pub roll: f32,
}

impl CropFrame {
    /// The largest centred frame, for a picture that is already a tight crop.
    pub fn whole(luma: &GrayImage) -> Self {
        let (width, height) = (luma.width() as f32, luma.height() as f32);
        Self { center_x: width / 2.0, center_y: height / 2.0, side: width.min(height), roll: 0.0 }
    }

    /// Maps a point of the crop, in units of its side from its centre, to the photo.
    pub fn to_photo(&self, u: f32, v: f32) -> (f32, f32) {
        self.mapping()(u, v)
    }

    /// [`Self::to_photo`] as a closure, for many points.
    pub fn mapping(&self) -> impl Fn(f32, f32) -> (f32, f32) {
        let Self { center_x, center_y, side, roll } = *self;
        let (sin, cos) = roll.sin_cos();
        move |u, v| (center_x + side * (u * cos - v * sin), center_y + side * (u * sin + v * cos))
    }
}

/// 128×128 grey pixels of one face, level, framed like the training crops.
#[derive(Clone, PartialEq, Eq)]
pub struct FaceCrop {
    pixels: Box<[u8]>,
}

impl std::fmt::Debug for FaceCrop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaceCrop(128×128)")
    }
}

impl FaceCrop {
    /// Cuts `frame` out of `luma`, level and downsampled with area averaging; outside the photo its edge
    /// pixels are replicated.
    ///
    /// The photo is halved until an output pixel spans at most two of its pixels in either direction,
    /// as in the training crops; each output pixel is then the mean of one bilinear sample per pixel
    /// that it spans. A face that fills a 50-megapixel photo costs reading it once.
    pub fn cut(luma: &GrayImage, frame: &CropFrame) -> Self {
        Self { pixels: cut_square(luma, frame, SIDE).into() }
    }

    /// The pixels as the estimator's input: with mean 0 and standard deviation 1.
    pub fn standardise(&self) -> Vec<f32> {
        standardise(&[&self.pixels])
    }

    /// Replaces the replicated edge, the part of `frame` outside `luma`, with one grey level.
    pub fn fill_outside(&mut self, luma: &GrayImage, frame: &CropFrame, value: u8) {
        fill_outside(&mut self.pixels, SIDE, (luma, frame), value);
    }

    /// The pixels, row-major: `SIDE * SIDE` bytes.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The crop as a picture.
    pub fn to_image(&self) -> GrayImage {
        GrayImage::from_fn(SIDE as u32, SIDE as u32, |x, y| image::Luma([self.pixels[y as usize * SIDE + x as usize]]))
    }
}

/// Maximum number of bilinear samples along a side of an output pixel.
const MAX_SAMPLES: usize = 2;

/// `frame` as `side` × `side` pixels, row-major, cut as by [`FaceCrop::cut`].
fn cut_square(luma: &GrayImage, frame: &CropFrame, side: usize) -> Vec<u8> {
    let finite = [frame.center_x, frame.center_y, frame.side, frame.roll].iter().all(|value| value.is_finite());
    if luma.width() == 0 || luma.height() == 0 || !finite {
        return vec![128; side * side];
    }
    let mut frame = *frame;
    let mut small: Option<GrayImage> = None;
    while frame.side > (side * MAX_SAMPLES) as f32 {
        let source = small.as_ref().unwrap_or(luma);
        if source.width().min(source.height()) < 2 {
            break;
        }
        let (half, left, top) = halved_region(source, &frame);
        frame.center_x = (frame.center_x - left) / 2.0;
        frame.center_y = (frame.center_y - top) / 2.0;
        frame.side /= 2.0;
        small = Some(half);
    }
    sample(small.as_ref().unwrap_or(luma), &frame, side)
}

/// `frame` at the photo's own resolution, as far as the crop has it: at most as many pixels as a [`FaceCrop`],
/// and at least 16×16.
pub(super) fn natural_crop(luma: &GrayImage, frame: &CropFrame) -> Vec<u8> {
    // Also of a frame that is not finite.
    cut_square(luma, frame, (frame.side.round() as usize).clamp(16, SIDE))
}

/// [`cut_square`] with the grey level `padding` outside `luma` instead of the replicated edge.
pub(super) fn window(luma: &GrayImage, frame: &CropFrame, side: usize, padding: u8) -> Vec<u8> {
    let mut pixels = cut_square(luma, frame, side);
    fill_outside(&mut pixels, side, (luma, frame), padding);
    pixels
}

fn fill_outside(pixels: &mut [u8], side: usize, (luma, frame): (&GrayImage, &CropFrame), value: u8) {
    let (width, height) = (luma.width() as f32, luma.height() as f32);
    let outside = |(x, y): (f32, f32)| x < 0.0 || y < 0.0 || x >= width || y >= height;
    let corners = [(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)];
    let to_photo = frame.mapping();
    if !corners.iter().any(|&(u, v)| outside(to_photo(u, v))) {
        return;
    }
    let units = |at: usize| (at as f32 + 0.5) / side as f32 - 0.5;
    for (at, pixel) in pixels.iter_mut().enumerate() {
        if outside(to_photo(units(at % side), units(at / side))) {
            *pixel = value;
        }
    }
}

fn sample(luma: &GrayImage, frame: &CropFrame, side: usize) -> Vec<u8> {
    let source = Source::new(luma);
    // Most frames are inside the photo, where no sample needs clamping.
    let corners = [(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)];
    if corners.iter().all(|&(u, v)| source.contains(frame.to_photo(u, v))) {
        sample_with(frame, side, |x, y| source.sample(x, y))
    } else {
        sample_with(frame, side, |x, y| source.sample_clamped(x, y))
    }
}

/// Fractional bits of a fixed-point coordinate.
const FRACTION_BITS: u32 = 16;

fn sample_with(frame: &CropFrame, side: usize, value: impl Fn(i64, i64) -> u32) -> Vec<u8> {
    let scale = frame.side.max(1.0) / side as f32;
    let n = (scale.ceil() as usize).clamp(1, MAX_SAMPLES);
    let (sin, cos) = frame.roll.sin_cos();
    let step = 1.0 / (side * n) as f32;
    // Fixed point, with pixel centres at integers.
    let fixed = |value: f32| (f64::from(value) * f64::from(1 << FRACTION_BITS)) as i64;
    let (step_x, step_y) = (fixed(frame.side * step * cos), fixed(frame.side * step * sin));
    let mut sums = vec![0u32; side];
    let mut pixels = Vec::with_capacity(side * side);
    for row in 0..side {
        sums.fill(0);
        for sub in 0..n {
            let v = ((row * n + sub) as f32 + 0.5) * step - 0.5;
            let (x, y) = frame.to_photo(0.5 * step - 0.5, v);
            let (mut x, mut y) = (fixed(x - 0.5), fixed(y - 0.5));
            for sum in &mut sums {
                for _ in 0..n {
                    *sum += value(x, y);
                    (x, y) = (x.saturating_add(step_x), y.saturating_add(step_y));
                }
            }
        }
        let samples = (n * n) as u32 * SAMPLE_SCALE;
        pixels.extend(sums.iter().map(|sum| ((sum + samples / 2) / samples) as u8));
    }
    pixels
}

/// Value of one grey level in a sample.
const SAMPLE_SCALE: u32 = 1 << 16;

struct Source<'a> {
    pixels: &'a [u8],
    stride: usize,
    last_x: i64,
    last_y: i64,
}

impl<'a> Source<'a> {
    fn new(luma: &'a GrayImage) -> Self {
        Self {
            pixels: luma.as_raw(),
            stride: luma.width() as usize,
            last_x: i64::from(luma.width()) - 1,
            last_y: i64::from(luma.height()) - 1,
        }
    }

    /// Whether a point is inside, with a margin for the bilinear neighbours.
    fn contains(&self, (x, y): (f32, f32)) -> bool {
        x >= 2.0 && y >= 2.0 && x <= self.last_x as f32 - 2.0 && y <= self.last_y as f32 - 2.0
    }

    /// The bilinear sample at a fixed-point position ([`FRACTION_BITS`]; the first pixel's centre is at
    /// (0, 0)), times [`SAMPLE_SCALE`]. The point and its neighbours must be inside.
    #[inline(always)]
    fn sample(&self, x: i64, y: i64) -> u32 {
        let (left, top) = ((x >> FRACTION_BITS) as usize, (y >> FRACTION_BITS) as usize);
        let around = &self.pixels[top * self.stride + left..][..self.stride + 2];
        bilinear([around[0], around[1], around[self.stride], around[self.stride + 1]], x, y)
    }

    /// The same for any point, clamped to the edges.
    fn sample_clamped(&self, x: i64, y: i64) -> u32 {
        let (x, y) = (x.clamp(0, self.last_x << FRACTION_BITS), y.clamp(0, self.last_y << FRACTION_BITS));
        let (left, top) = (x >> FRACTION_BITS, y >> FRACTION_BITS);
        let (right, bottom) = ((left + 1).min(self.last_x), (top + 1).min(self.last_y));
        let at = |x: i64, y: i64| self.pixels[y as usize * self.stride + x as usize];
        bilinear([at(left, top), at(right, top), at(left, bottom), at(right, bottom)], x, y)
    }
}

/// Bilinear interpolation with eight bits of each fraction.
#[inline(always)]
fn bilinear([a, b, c, d]: [u8; 4], x: i64, y: i64) -> u32 {
    let fraction = |position: i64| ((position >> (FRACTION_BITS - 8)) & 0xff) as u32;
    let (fx, fy) = (fraction(x), fraction(y));
    let upper = u32::from(a) * (256 - fx) + u32::from(b) * fx;
    let lower = u32::from(c) * (256 - fx) + u32::from(d) * fx;
    upper * (256 - fy) + lower * fy
}

/// The part of the photo that `frame` needs, downsampled by 2×2 averaging, and its left and top edge in
/// the photo.
fn halved_region(luma: &GrayImage, frame: &CropFrame) -> (GrayImage, f32, f32) {
    // Half the side of the upright square around the rolled one, plus two halved pixels for the bilinear neighbours.
    let (sin, cos) = frame.roll.sin_cos();
    let reach = frame.side * (sin.abs() + cos.abs()) / 2.0 + 4.0;
    // Whole pairs of pixels: at an odd edge the last pixel is dropped.
    let range = |center: f32, end: u32| {
        let end = end & !1;
        let first = ((center - reach).max(0.0) as u32 & !1).min(end - 2);
        let last = (((center + reach).max(0.0) as u32).saturating_add(2) & !1).clamp(first + 2, end);
        (first as usize, last as usize)
    };
    let (left, right) = range(frame.center_x, luma.width());
    let (top, bottom) = range(frame.center_y, luma.height());
    let (width, height) = ((right - left) / 2, (bottom - top) / 2);
    let stride = luma.width() as usize;
    let pixels = luma.as_raw();
    let mut small = vec![0; width * height];
    for (row, line) in small.chunks_exact_mut(width).enumerate() {
        let upper = &pixels[(top + 2 * row) * stride + left..][..2 * width];
        let lower = &pixels[(top + 2 * row + 1) * stride + left..][..2 * width];
        let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
        for (pixel, ([a, b], [c, d])) in line.iter_mut().zip(pairs) {
            *pixel = ((u16::from(*a) + u16::from(*b) + u16::from(*c) + u16::from(*d) + 2) / 4) as u8;
        }
    }
    let small = GrayImage::from_vec(width as u32, height as u32, small).unwrap_or_default();
    (small, left as f32, top as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A smooth pattern with a mark in one corner, so that rotations and flips are detected.
    fn pattern(side: u32) -> GrayImage {
        GrayImage::from_fn(side, side, |x, y| {
            let (u, v) = (x as f32 / side as f32, y as f32 / side as f32);
            let wave = 90.0 + 60.0 * (u * 9.0).sin() + 40.0 * (v * 7.0).cos();
            image::Luma([if u < 0.2 && v < 0.2 { 250 } else { wave.clamp(0.0, 255.0) as u8 }])
        })
    }

    fn mean_difference(a: &FaceCrop, b: &FaceCrop) -> f32 {
        let sum: u32 = a.pixels().iter().zip(b.pixels()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        sum as f32 / (SIDE * SIDE) as f32
    }

    #[test]
    fn a_picture_of_the_crops_size_is_unchanged() {
        let picture = pattern(SIDE as u32);
        assert_eq!(FaceCrop::cut(&picture, &CropFrame::whole(&picture)).pixels(), picture.as_raw());
    }

    #[test]
    fn the_same_face_at_any_size_gives_the_same_crop() {
        let reference = pattern(200);
        let reference = FaceCrop::cut(&reference, &CropFrame::whole(&reference));
        for side in [128, 333, 700, 1500, 4000] {
            let picture = pattern(side);
            let crop = FaceCrop::cut(&picture, &CropFrame::whole(&picture));
            assert!(mean_difference(&crop, &reference) < 1.5, "at {side} pixels");
        }
    }

    #[test]
    fn a_quarter_turn_is_undone() {
        let upright = pattern(400);
        let turned = image::imageops::rotate90(&upright);
        let frame = CropFrame { roll: std::f32::consts::FRAC_PI_2, ..CropFrame::whole(&turned) };
        let difference =
            mean_difference(&FaceCrop::cut(&turned, &frame), &FaceCrop::cut(&upright, &CropFrame::whole(&upright)));
        assert!(difference < 0.5, "differs by {difference}");
    }

    #[test]
    fn a_frame_outside_the_photo_replicates_its_edge() {
        let mut picture = GrayImage::from_pixel(50, 50, image::Luma([10]));
        (0..50).for_each(|y| picture.put_pixel(49, y, image::Luma([200])));
        let frame = CropFrame { center_x: 500.0, center_y: 25.0, side: 100.0, roll: 0.0 };
        assert!(FaceCrop::cut(&picture, &frame).pixels().iter().all(|&value| value == 200));
    }

    #[test]
    fn the_part_outside_the_photo_can_be_filled_with_grey() {
        let picture = GrayImage::from_pixel(50, 50, image::Luma([10]));
        let frame = CropFrame { center_x: 0.0, center_y: 25.0, side: 50.0, roll: 0.0 };
        let mut crop = FaceCrop::cut(&picture, &frame);
        crop.fill_outside(&picture, &frame, 77);
        for row in crop.pixels().chunks(SIDE) {
            assert!(
                row[..SIDE / 2].iter().all(|&value| value == 77) && row[SIDE / 2..].iter().all(|&value| value == 10)
            );
        }
    }

    #[test]
    fn invalid_frames_give_grey_and_no_panic() {
        let picture = pattern(60);
        for side in [0.0, -5.0, 1e-9, 1e9, f32::NAN, f32::INFINITY] {
            for center in [0.0, -1e9, 1e9, f32::NAN] {
                FaceCrop::cut(&picture, &CropFrame { center_x: center, center_y: 3.0, side, roll: 0.3 });
            }
        }
        FaceCrop::cut(&GrayImage::new(0, 0), &CropFrame { center_x: 0.0, center_y: 0.0, side: 9.0, roll: 0.0 });
    }
}
