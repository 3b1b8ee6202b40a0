//! Frames of animated pictures beyond the first, for those whose first one shows nothing.

use std::io::Cursor;

use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, Frame, Frames, ImageDecoder, Limits, RgbImage, RgbaImage};

use super::clock::WorkClock;
use super::decode::{ColourPhoto, DecodeLimits, check_pixels, guarded};
use super::memory::Reservation;
use super::png::{self as still_png, METADATA, check_palette};
use super::rows::{DRAWING, luma, on_white};
use super::sniff::{Format, sniff};
use super::{Photo, PhotoError, webp};

/// Frames that are looked at, the first one included.
const LOOKED_AT: usize = 8;
/// Pixels of all frames that are put together on the way: a second's work.
const PIXELS: u64 = 100_000_000;
/// Pixels of one frame, and what is held for each: up to five copies in RGBA and what is made of them.
const FRAME_PIXELS: u64 = 3_500_000;
const BYTES_A_PIXEL: u64 = 24;

/// The frames of an animated picture, spread over its length, without the first: each with its
/// place among all frames, in luma. Nothing where the picture does not move.
pub fn later_frames(bytes: &[u8], limits: &DecodeLimits) -> impl Iterator<Item = (usize, Photo)> {
    let spread =
        |count: usize| move |index: &usize| (1..LOOKED_AT).any(|part| part * (count - 1) / (LOOKED_AT - 1) == *index);
    let clock = WorkClock::start(limits.cpu_time);
    let found = Moving::open(bytes, limits).ok();
    found.into_iter().flat_map(move |mut moving| {
        let count = moving.count;
        let wanted = spread(count.max(1));
        let frames = std::iter::from_fn(move || clock.check().ok().and_then(|()| moving.next_frame()));
        let looked_at = frames.enumerate().take(count).skip(1);
        looked_at.filter(move |(index, _)| wanted(index)).map(move |(index, frame)| {
            let (width, height) = frame.dimensions();
            let luma = frame.pixels().map(|pixel| luma(on_white(pixel.0))).collect();
            let luma = image::GrayImage::from_raw(width, height, luma).unwrap_or_default();
            (index, Photo { luma, reduction: 1, size: (width, height), whole: true, memory: None })
        })
    })
}

/// One frame in colour.
///
/// # Errors
/// [`PhotoError`] when there is no such frame.
pub fn frame_colour(bytes: &[u8], limits: &DecodeLimits, index: usize) -> Result<ColourPhoto, PhotoError> {
    let mut moving = Moving::open(bytes, limits)?;
    let frame = std::iter::from_fn(|| moving.next_frame()).nth(index).ok_or(PhotoError::Truncated)?;
    let (width, height) = frame.dimensions();
    let pixels = frame.pixels().flat_map(|pixel| on_white(pixel.0)).collect();
    Ok(ColourPhoto { picture: RgbImage::from_raw(width, height, pixels).unwrap_or_default(), memory: moving.memory })
}

/// All frames as they are shown.
struct Moving<'a> {
    format: Format,
    frames: Frames<'a>,
    /// How many of them may be looked at.
    count: usize,
    memory: Reservation,
}

impl<'a> Moving<'a> {
    fn open(bytes: &'a [u8], limits: &DecodeLimits) -> Result<Self, PhotoError> {
        let format = sniff(bytes)?;
        guarded(format, || open(bytes, format, limits))
    }

    /// The next frame, as long as nothing is amiss with it.
    fn next_frame(&mut self) -> Option<RgbaImage> {
        let frame = guarded(self.format, || Ok(self.frames.next())).ok()??;
        frame.ok().map(Frame::into_buffer)
    }
}

fn open<'a>(bytes: &'a [u8], format: Format, limits: &DecodeLimits) -> Result<Moving<'a>, PhotoError> {
    let still = PhotoError::Unsupported { format: "still" };
    let fault = |_| PhotoError::Damaged { format: format.name() };
    let cursor = Cursor::new(bytes);
    let bound = |size: (u32, u32)| {
        let pixels = u64::from(size.0) * u64::from(size.1);
        let limits = DecodeLimits { max_pixels: limits.max_pixels.min(FRAME_PIXELS), ..limits.clone() };
        check_pixels(size, format, &limits)?;
        // What a PNG has beside its pixels is gone before anything is drawn.
        let memory = limits.reserve(pixels * BYTES_A_PIXEL + bytes.len() as u64 + DRAWING, size)?;
        Ok::<_, PhotoError>(((PIXELS / pixels.max(1)) as usize, memory))
    };
    match format {
        Format::Gif => {
            let (most, memory) = bound(gif_size(bytes).ok_or(PhotoError::Truncated)?)?;
            let mut decoder = GifDecoder::new(cursor).map_err(fault)?;
            // A frame may be larger than the screen.
            let pixels = u64::from(decoder.dimensions().0) * u64::from(decoder.dimensions().1);
            decoder.set_limits(at_most(pixels * BYTES_A_PIXEL)).map_err(fault)?;
            Ok(Moving { format, frames: decoder.into_frames(), count: gif_frames(bytes, most), memory })
        }
        Format::Png => {
            let count = png_frames(bytes)?;
            let mut decoder = PngDecoder::with_limits(cursor, at_most(METADATA as u64)).map_err(fault)?;
            if !decoder.is_apng().map_err(fault)? {
                return Err(still);
            }
            let (most, memory) = bound(decoder.dimensions())?;
            // Frames lie within the picture; the limit above is for what stands beside them.
            decoder.set_limits(Limits::no_limits()).map_err(fault)?;
            let frames = decoder.apng().map_err(fault)?.into_frames();
            Ok(Moving { format, frames, count: most.min(count), memory })
        }
        Format::WebP => {
            let picture = webp::moving(bytes)?;
            let count = image_webp::WebPDecoder::new(Cursor::new(&picture)).map_or(0, |decoder| decoder.num_frames());
            let decoder = WebPDecoder::new(Cursor::new(picture)).map_err(fault)?;
            if !decoder.has_animation() {
                return Err(still);
            }
            let (most, memory) = bound(decoder.dimensions())?;
            Ok(Moving { format, frames: decoder.into_frames(), count: most.min(count as usize), memory })
        }
        _ => Err(still),
    }
}

fn at_most(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// The screen of a GIF (GIF89a, 18).
fn gif_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let [width @ .., c, d] = *bytes.get(6..10)?.first_chunk::<4>()?;
    Some((u16::from_le_bytes(width).into(), u16::from_le_bytes([c, d]).into()))
}

/// Counts frames without decoding them, `most` at most.
fn gif_frames(bytes: &[u8], most: usize) -> usize {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    options.allow_unknown_blocks(true);
    let Ok(mut decoder) = options.read_info(Cursor::new(bytes)) else { return 0 };
    let counted = std::iter::from_fn(|| decoder.next_frame_info().ok().flatten().map(|_| ()));
    counted.take(most).count()
}

fn png_frames(bytes: &[u8]) -> Result<usize, PhotoError> {
    let decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: METADATA });
    let reader = decoder.read_info().map_err(still_png::fault)?;
    check_palette(reader.info())?;
    Ok(reader.info().animation_control().map_or(0, |control| control.num_frames as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Delay;

    /// Twenty frames, each a little lighter than the one before.
    fn gif() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        let frame = |index: u8| RgbaImage::from_pixel(20, 10, image::Rgba([index * 10, index * 10, index * 10, 255]));
        let delay = Delay::from_numer_denom_ms(100, 1);
        encoder.encode_frames((0..20).map(|index| Frame::from_parts(frame(index), 0, 0, delay))).unwrap();
        drop(encoder);
        bytes
    }

    #[test]
    fn later_frames_are_spread_over_the_length() {
        let bytes = gif();
        let limits = DecodeLimits::default();
        let frames: Vec<(usize, Photo)> = later_frames(&bytes, &limits).collect();
        let places: Vec<usize> = frames.iter().map(|(index, _)| *index).collect();
        assert_eq!(places, [2, 5, 8, 10, 13, 16, 19]);
        for (index, photo) in frames {
            assert!(photo.luma.get_pixel(3, 3).0[0].abs_diff(10 * index as u8) <= 6);
            assert_eq!(frame_colour(&bytes, &limits, index).unwrap().picture.dimensions(), (20, 10));
        }
        assert!(frame_colour(&bytes, &limits, 20).is_err());
    }

    #[test]
    fn still_pictures_and_broken_ones_have_no_later_frames() {
        let bytes = gif();
        let limits = DecodeLimits::default();
        assert_eq!(later_frames(&bytes[..20], &limits).count(), 0);
        assert_eq!(later_frames(b"\xff\xd8\xff\xe0", &limits).count(), 0);
        let mut png = Cursor::new(Vec::new());
        RgbaImage::new(3, 3).write_to(&mut png, image::ImageFormat::Png).unwrap();
        assert_eq!(later_frames(png.get_ref(), &limits).count(), 0);
        for length in 0..bytes.len() {
            later_frames(&bytes[..length], &limits).count();
        }
    }
}
