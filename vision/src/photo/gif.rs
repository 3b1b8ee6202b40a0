//! Decodes the first frame of a GIF (GIF89a), row by row.

use std::io::Cursor;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::PhotoError;
use super::clock::CpuLimit;
use super::decode::{DecodeLimits, Decoded, check_pixels};
use super::downscale::{Downscaler, OutputSpec};
use super::orientation::orientation;
use super::sniff::Format;

/// Bytes of the decompressor's tables and buffers.
const TABLES: u64 = 1 << 20;
const WHITE: [u8; 3] = [255; 3];

pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    spec: OutputSpec,
    clock: &CpuLimit,
) -> Result<Decoded, PhotoError> {
    let damaged = || PhotoError::Damaged { format: Format::Gif.name() };
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(NonZeroU64::MIN.saturating_add(limits.max_pixels)));
    options.allow_unknown_blocks(true);
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(to_photo_error)?;
    let screen = (u32::from(decoder.width()), u32::from(decoder.height()));
    let frame = decoder.next_frame_info().map_err(to_photo_error)?.ok_or(PhotoError::Truncated)?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    check_pixels((width as u32, height as u32), Format::Gif, limits)?;
    // Some encoders omit the size of the logical screen.
    let size = if screen.0 == 0 || screen.1 == 0 { (width as u32, height as u32) } else { screen };
    check_pixels(size, Format::Gif, limits)?;
    // An interlaced frame is held as a whole, together with which of its rows were decoded.
    let interlaced_memory = if frame.interlaced { (width as u64 + 1) * height as u64 } else { 0 };
    let memory = limits
        .reserve(2 * Downscaler::memory(size, spec) + interlaced_memory + TABLES + spec.drawing_memory(), size)?;
    let (transparent, interlaced) = (frame.transparent, frame.interlaced);
    let palette = decoder.palette().map_err(to_photo_error)?.to_vec();
    let colour = |index: u8| {
        let at = 3 * usize::from(index);
        match palette.get(at..at + 3) {
            Some(&[r, g, b]) if transparent != Some(index) => [r, g, b],
            _ => WHITE,
        }
    };
    let mut line = vec![0; width];
    let mut read_row = |line: &mut [u8]| decoder.fill_buffer(line).is_ok_and(|filled| filled);
    let mut downscaler = Downscaler::new(size, spec);
    let blank = || std::iter::repeat_n(WHITE, size.0 as usize);
    (0..top.min(size.1 as usize)).for_each(|_| downscaler.push(blank()));
    let mut frame_rows = 0;
    if interlaced {
        let (mut frame, mut is_decoded) = (vec![0; width * height], vec![false; height]);
        for row in interlaced_rows(height) {
            if !read_row(&mut frame[row * width..][..width]) {
                break;
            }
            is_decoded[row] = true;
            frame_rows += 1;
            clock.check()?;
        }
        // A missing row repeats the one above it.
        let mut above: &[u8] = &[];
        for (row, is_decoded) in frame.chunks_exact(width).zip(is_decoded) {
            above = if is_decoded { row } else { above };
            downscaler.push(screen_row(left, above, colour));
        }
    } else {
        while frame_rows < height && read_row(&mut line) {
            downscaler.push(screen_row(left, &line, colour));
            frame_rows += 1;
            clock.check()?;
        }
    }
    let complete = frame_rows == height;
    if complete {
        (0..(size.1 as usize).saturating_sub(top + height)).for_each(|_| downscaler.push(blank()));
    }
    let (picture, rows) = downscaler.finish().ok_or_else(damaged)?;
    let decoded_rows = if interlaced { (picture.height() as usize * frame_rows / height.max(1)) as u32 } else { rows };
    let orientation = orientation([], decoder.xmp_metadata());
    Ok(Decoded { picture, orientation, reduction: spec.reduction(size), size, decoded_rows, complete, memory })
}

/// A row of the logical screen: that of the frame, with white on both sides.
fn screen_row<'a>(
    left: usize,
    line: &'a [u8],
    colour: impl Fn(u8) -> [u8; 3] + Copy + 'a,
) -> impl Iterator<Item = [u8; 3]> + 'a {
    let before = std::iter::repeat_n(WHITE, left);
    before.chain(line.iter().map(move |index| colour(*index))).chain(std::iter::repeat(WHITE))
}

/// The rows of an interlaced frame in the order in which they are stored (GIF89a, appendix E).
fn interlaced_rows(height: usize) -> impl Iterator<Item = usize> {
    [(0, 8), (4, 8), (2, 4), (1, 2)].into_iter().flat_map(move |(first, step)| (first..height).step_by(step))
}

fn to_photo_error(error: gif::DecodingError) -> PhotoError {
    match error {
        gif::DecodingError::Io(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => PhotoError::Truncated,
        gif::DecodingError::UnexpectedEof => PhotoError::Truncated,
        _ => PhotoError::Damaged { format: Format::Gif.name() },
    }
}
