//! Frames of animated pictures after the first, for those whose first frame shows no face.

use std::io::Cursor;

use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, Frame, Frames, ImageDecoder, Limits, RgbImage, RgbaImage};

use super::clock::CpuLimit;
use super::colour::{luma, on_white};
use super::decode::{ColourPhoto, DecodeLimits, catch_panic, check_pixels};
use super::downscale::DRAWING;
use super::memory::Reservation;
use super::png::{self as still_png, METADATA, check_palette};
use super::sniff::{Format, sniff};
use super::{Photo, PhotoError, webp};

/// Number of frames that are examined, the first one included.
const SAMPLES: usize = 8;
/// Maximum number of pixels of all frames that are composed on the way: a second's work.
const MAX_TOTAL_PIXELS: u64 = 100_000_000;
/// Maximum number of pixels of one frame.
const MAX_FRAME_PIXELS: u64 = 3_500_000;
/// Memory per pixel of a frame: up to five copies in RGBA and the converted picture.
const BYTES_PER_PIXEL: u64 = 24;

/// Frames of an animated picture at even intervals, without the first: each with its
/// index among all frames, in luma. None for a still picture.
pub fn sampled_frames(bytes: &[u8], limits: &DecodeLimits) -> impl Iterator<Item = (usize, Photo)> {
    let clock = CpuLimit::start(limits.cpu_time);
    let animation = Animation::open(bytes, limits).ok();
    animation.into_iter().flat_map(move |mut animation| {
        let count = animation.count;
        let last = count.max(1) - 1;
        let is_sample = move |index: usize| (1..SAMPLES).any(|sample| sample * last / (SAMPLES - 1) == index);
        let frames = std::iter::from_fn(move || clock.check().ok().and_then(|()| animation.next_frame()));
        let later = frames.enumerate().take(count).skip(1);
        later.filter(move |(index, _)| is_sample(*index)).map(move |(index, frame)| {
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
    let mut animation = Animation::open(bytes, limits)?;
    let frame = std::iter::from_fn(|| animation.next_frame()).nth(index).ok_or(PhotoError::Truncated)?;
    let (width, height) = frame.dimensions();
    let pixels = frame.pixels().flat_map(|pixel| on_white(pixel.0)).collect();
    Ok(ColourPhoto { picture: RgbImage::from_raw(width, height, pixels).unwrap_or_default(), memory: animation.memory })
}

/// The composed frames of an animated picture.
struct Animation<'a> {
    format: Format,
    frames: Frames<'a>,
    /// How many of them may be decoded within the limits.
    count: usize,
    memory: Reservation,
}

impl<'a> Animation<'a> {
    fn open(bytes: &'a [u8], limits: &DecodeLimits) -> Result<Self, PhotoError> {
        let format = sniff(bytes)?;
        catch_panic(format, || open(bytes, format, limits))
    }

    /// The next frame; `None` at the end or when it is damaged.
    fn next_frame(&mut self) -> Option<RgbaImage> {
        let frame = catch_panic(self.format, || Ok(self.frames.next())).ok()??;
        frame.ok().map(Frame::into_buffer)
    }
}

fn open<'a>(bytes: &'a [u8], format: Format, limits: &DecodeLimits) -> Result<Animation<'a>, PhotoError> {
    let still = PhotoError::Unsupported { format: "still" };
    let damaged = |_| PhotoError::Damaged { format: format.name() };
    let cursor = Cursor::new(bytes);
    // The maximum number of frames, and the memory of one.
    let reserve = |size: (u32, u32)| {
        let pixels = u64::from(size.0) * u64::from(size.1);
        let limits = DecodeLimits { max_pixels: limits.max_pixels.min(MAX_FRAME_PIXELS), ..limits.clone() };
        check_pixels(size, format, &limits)?;
        // A PNG's metadata needs no share: it is dropped before anything is drawn.
        let memory = limits.reserve(pixels * BYTES_PER_PIXEL + bytes.len() as u64 + DRAWING, size)?;
        Ok::<_, PhotoError>(((MAX_TOTAL_PIXELS / pixels.max(1)) as usize, memory))
    };
    match format {
        Format::Gif => {
            let (max_frames, memory) = reserve(gif_size(bytes).ok_or(PhotoError::Truncated)?)?;
            let mut decoder = GifDecoder::new(cursor).map_err(damaged)?;
            // A frame may be larger than the screen.
            let pixels = u64::from(decoder.dimensions().0) * u64::from(decoder.dimensions().1);
            decoder.set_limits(memory_limit(pixels * BYTES_PER_PIXEL)).map_err(damaged)?;
            Ok(Animation { format, frames: decoder.into_frames(), count: count_gif_frames(bytes, max_frames), memory })
        }
        Format::Png => {
            let count = count_png_frames(bytes)?;
            let mut decoder = PngDecoder::with_limits(cursor, memory_limit(METADATA as u64)).map_err(damaged)?;
            if !decoder.is_apng().map_err(damaged)? {
                return Err(still);
            }
            let (max_frames, memory) = reserve(decoder.dimensions())?;
            // Frames are within the picture; the limit above is for the metadata.
            decoder.set_limits(Limits::no_limits()).map_err(damaged)?;
            let frames = decoder.apng().map_err(damaged)?.into_frames();
            Ok(Animation { format, frames, count: max_frames.min(count), memory })
        }
        Format::WebP => {
            let picture = webp::repackage(bytes)?;
            let count = image_webp::WebPDecoder::new(Cursor::new(&picture)).map_or(0, |decoder| decoder.num_frames());
            let decoder = WebPDecoder::new(Cursor::new(picture)).map_err(damaged)?;
            if !decoder.has_animation() {
                return Err(still);
            }
            let (max_frames, memory) = reserve(decoder.dimensions())?;
            Ok(Animation { format, frames: decoder.into_frames(), count: max_frames.min(count as usize), memory })
        }
        _ => Err(still),
    }
}

fn memory_limit(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// The size of a GIF's logical screen (GIF89a, 18).
fn gif_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let [width @ .., c, d] = *bytes.get(6..10)?.first_chunk::<4>()?;
    Some((u16::from_le_bytes(width).into(), u16::from_le_bytes([c, d]).into()))
}

/// Counts frames without decoding them, up to `max`.
fn count_gif_frames(bytes: &[u8], max: usize) -> usize {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    options.allow_unknown_blocks(true);
    let Ok(mut decoder) = options.read_info(Cursor::new(bytes)) else { return 0 };
    let frames = std::iter::from_fn(|| decoder.next_frame_info().ok().flatten().map(|_| ()));
    frames.take(max).count()
}

fn count_png_frames(bytes: &[u8]) -> Result<usize, PhotoError> {
    let decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: METADATA });
    let reader = decoder.read_info().map_err(still_png::to_photo_error)?;
    check_palette(reader.info())?;
    Ok(reader.info().animation_control().map_or(0, |control| control.num_frames as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Delay;

    /// Twenty frames, each a little lighter than the previous one.
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
    fn later_frames_are_sampled_at_even_intervals() {
        let bytes = gif();
        let limits = DecodeLimits::default();
        let frames: Vec<(usize, Photo)> = sampled_frames(&bytes, &limits).collect();
        let indices: Vec<usize> = frames.iter().map(|(index, _)| *index).collect();
        assert_eq!(indices, [2, 5, 8, 10, 13, 16, 19]);
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
        assert_eq!(sampled_frames(&bytes[..20], &limits).count(), 0);
        assert_eq!(sampled_frames(b"\xff\xd8\xff\xe0", &limits).count(), 0);
        let mut png = Cursor::new(Vec::new());
        RgbaImage::new(3, 3).write_to(&mut png, image::ImageFormat::Png).unwrap();
        assert_eq!(sampled_frames(png.get_ref(), &limits).count(), 0);
        for length in 0..bytes.len() {
            sampled_frames(&bytes[..length], &limits).count();
        }
    }
}
