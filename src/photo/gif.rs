//! The first frame of a GIF (GIF89a), row by row.

use std::io::Cursor;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::PhotoError;
use super::clock::WorkClock;
use super::decode::{DecodeLimits, Decoded, check_pixels};
use super::orientation::orientation;
use super::rows::{Rows, Wanted};
use super::sniff::Format;

/// The decompressor's tables and buffers.
const TABLES: u64 = 1 << 20;
const WHITE: [u8; 3] = [255; 3];

pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    wanted: Wanted,
    clock: &WorkClock,
) -> Result<Decoded, PhotoError> {
    let damaged = || PhotoError::Damaged { format: Format::Gif.name() };
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(NonZeroU64::MIN.saturating_add(limits.max_pixels)));
    options.allow_unknown_blocks(true);
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(fault)?;
    let screen = (u32::from(decoder.width()), u32::from(decoder.height()));
    let frame = decoder.next_frame_info().map_err(fault)?.ok_or(PhotoError::Truncated)?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    check_pixels((width as u32, height as u32), Format::Gif, limits)?;
    // Some writers leave the screen's size out.
    let size = if screen.0 == 0 || screen.1 == 0 { (width as u32, height as u32) } else { screen };
    check_pixels(size, Format::Gif, limits)?;
    // All of an interlaced frame is held, and which of its rows came.
    let passes = if frame.interlaced { (width as u64 + 1) * height as u64 } else { 0 };
    let memory = limits.reserve(2 * Rows::memory(size, wanted) + passes + TABLES + wanted.drawing(), size)?;
    let (transparent, interlaced) = (frame.transparent, frame.interlaced);
    let palette = decoder.palette().map_err(fault)?.to_vec();
    let colour = |index: u8| {
        let at = 3 * usize::from(index);
        match palette.get(at..at + 3) {
            Some(&[r, g, b]) if transparent != Some(index) => [r, g, b],
            _ => WHITE,
        }
    };
    let mut line = vec![0; width];
    let mut next = |line: &mut [u8]| decoder.fill_buffer(line).is_ok_and(|filled| filled);
    let mut rows = Rows::new(size, wanted);
    let blank = || std::iter::repeat_n(WHITE, size.0 as usize);
    (0..top.min(size.1 as usize)).for_each(|_| rows.push(blank()));
    let mut there = 0;
    if interlaced {
        let (mut frame, mut came) = (vec![0; width * height], vec![false; height]);
        for row in interlaced_rows(height) {
            if !next(&mut frame[row * width..][..width]) {
                break;
            }
            came[row] = true;
            there += 1;
            clock.check()?;
        }
        // A row that did not come looks like the one above it.
        let mut above: &[u8] = &[];
        for (row, came) in frame.chunks_exact(width).zip(came) {
            above = if came { row } else { above };
            rows.push(placed(left, above, colour));
        }
    } else {
        while there < height && next(&mut line) {
            rows.push(placed(left, &line, colour));
            there += 1;
            clock.check()?;
        }
    }
    let whole = there == height;
    if whole {
        (0..(size.1 as usize).saturating_sub(top + height)).for_each(|_| rows.push(blank()));
    }
    let (picture, rows) = rows.finish().ok_or_else(damaged)?;
    let rows = if interlaced { (picture.height() as usize * there / height.max(1)) as u32 } else { rows };
    let orientation = orientation([], decoder.xmp_metadata());
    Ok(Decoded { picture, orientation, reduction: wanted.reduction(size), size, rows, whole, memory })
}

/// A row of the screen: the frame's, with white on both sides of it.
fn placed<'a>(
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

fn fault(error: gif::DecodingError) -> PhotoError {
    match error {
        gif::DecodingError::Io(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => PhotoError::Truncated,
        gif::DecodingError::UnexpectedEof => PhotoError::Truncated,
        _ => PhotoError::Damaged { format: Format::Gif.name() },
    }
}
