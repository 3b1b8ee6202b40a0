//! Decodes HEIC, the format of iPhone photos (ISO/IEC 23008-12): one HEVC picture, or a grid of them, tile row by tile
//! row, so that the picture is never held at full size.

use std::time::Duration;

use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer_isobmff::boxes::Property;
use heifer_isobmff::{HeifFile, ItemId};
use image::metadata::Orientation;

use super::PhotoError;
use super::clock::WorkClock;
use super::colour::ycbcr_to_rgb;
use super::decode::{DecodeLimits, Decoded, check_pixels};
use super::downscale::{Downscaler, OutputSpec};
use super::sniff::Format;

/// Bytes per pixel of one coded picture, for the decoder and the conversion here: 16 bits per sample of three planes,
/// and the decoder's state of each block.
const BYTES_PER_PIXEL: u64 = 7;
/// Nanoseconds per pixel that the decoder takes at most; it cannot be stopped within a coded picture.
const TIME_PER_PIXEL: u64 = 90;

const DAMAGED: PhotoError = PhotoError::Damaged { format: "HEIC" };
/// A file of this family without HEVC pictures.
const UNSUPPORTED: PhotoError = PhotoError::Unsupported { format: "HEIC" };

/// The coded pictures that the picture consists of: all of one size, row by row.
struct Tiles {
    size: (usize, usize),
    across: usize,
    items: Vec<ItemId>,
}

pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    spec: OutputSpec,
    clock: &WorkClock,
) -> Result<Decoded, PhotoError> {
    if is_truncated(bytes) {
        return Err(PhotoError::Truncated);
    }
    let file = HeifFile::parse(bytes).map_err(|_| UNSUPPORTED)?;
    let (size, tiles) = layout(&file)?;
    check_pixels(size, Format::Heic, limits)?;
    let (width, height) = (size.0 as usize, size.1 as usize);
    let tile_pixels = coded_pixels(tiles.size);
    let strip = tiles.size.1 as u64 * u64::from(size.0) * 3;
    let output = 2 * Downscaler::memory(size, spec) + spec.drawing_memory();
    let memory = limits.reserve(tile_pixels * BYTES_PER_PIXEL + strip + bytes.len() as u64 + output, size)?;
    let mut downscaler = Downscaler::new(size, spec);
    let mut pixels = vec![[0; 3]; width * tiles.size.1];
    for (row, items) in tiles.items.chunks(tiles.across).enumerate() {
        for (column, item) in items.iter().enumerate() {
            clock.check_left(Duration::from_nanos(tile_pixels * TIME_PER_PIXEL))?;
            let left = column * tiles.size.0;
            decode_tile(&file, *item, tiles.size, &mut pixels, (left, width), spec.colour)?;
        }
        let strip_rows = tiles.size.1.min(height - row * tiles.size.1);
        pixels.chunks_exact(width).take(strip_rows).for_each(|line| downscaler.push(line.iter().copied()));
    }
    let orientation = orientation(&file)?;
    let (picture, decoded_rows) = downscaler.finish().ok_or(DAMAGED)?;
    let reduction = spec.reduction(size);
    Ok(Decoded { picture, orientation, reduction, size, decoded_rows, complete: true, memory })
}

/// Whether a box extends beyond the end of the file (ISO/IEC 14496-12, 4.2).
fn is_truncated(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((header, _)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, ..] = *header;
        let length = match u32::from_be_bytes([a, b, c, d]) {
            0 => return false,
            1 => match rest.get(8..).and_then(<[u8]>::first_chunk) {
                Some(length) => u64::from_be_bytes(*length),
                None => return true,
            },
            length => u64::from(length),
        };
        let Some(after) = usize::try_from(length).ok().and_then(|length| rest.get(length.max(8)..)) else {
            return true;
        };
        rest = after;
    }
    false
}

/// The size of the primary picture, and its tiles.
fn layout(file: &HeifFile) -> Result<((u32, u32), Tiles), PhotoError> {
    let id = file.primary_id;
    let size = |id| file.image_size(id).ok().flatten().ok_or(DAMAGED);
    match &file.item(id).map_err(|_| DAMAGED)?.item_type.0 {
        b"hvc1" => {
            let (width, height) = size(id)?;
            let tiles = Tiles { size: (width as usize, height as usize), across: 1, items: vec![id] };
            if width == 0 || height == 0 { Err(DAMAGED) } else { Ok(((width, height), tiles)) }
        }
        b"grid" => {
            let grid = file.grid(id).map_err(|_| DAMAGED)?;
            let items = file.referenced_items(id, b"dimg").to_vec();
            let (across, down) = (u64::from(grid.columns), u64::from(grid.rows));
            let first = *items.first().filter(|_| items.len() as u64 == across * down).ok_or(DAMAGED)?;
            let (width, height) = size(first)?;
            // The tiles cover the whole picture and none is outside of it: together they exceed it by less than
            // a row and a column of tiles.
            let covers = |tile: u32, count: u64, whole: u32| {
                let (tile, whole) = (u64::from(tile), u64::from(whole));
                tile * count >= whole && tile * (count - 1) < whole
            };
            let whole = (grid.output_width, grid.output_height);
            if !covers(width, across, whole.0) || !covers(height, down, whole.1) {
                return Err(DAMAGED);
            }
            Ok((whole, Tiles { size: (width as usize, height as usize), across: across as usize, items }))
        }
        _ => Err(UNSUPPORTED),
    }
}

/// Maximum number of pixels of the stream of a picture of this size: it may only be larger by the padding of its
/// last blocks.
fn coded_pixels((width, height): (usize, usize)) -> u64 {
    (width as u64 + 64) * (height as u64 + 64)
}

/// Decodes a tile into a strip of rows, each `width` pixels long, from column `left` on.
fn decode_tile(
    file: &HeifFile,
    item: ItemId,
    (tile_width, tile_height): (usize, usize),
    strip: &mut [[u8; 3]],
    (left, width): (usize, usize),
    colour: bool,
) -> Result<(), PhotoError> {
    if file.image_size(item).ok().flatten() != Some((tile_width as u32, tile_height as u32)) {
        return Err(DAMAGED);
    }
    let stream = file.hevc_bitstream(item).map_err(|_| UNSUPPORTED)?;
    // The limits were checked against this size.
    let options = DecodeOptions { max_pixels: coded_pixels((tile_width, tile_height)), ..Default::default() };
    let frame = decode_picture(&stream, options).map_err(|_| DAMAGED)?;
    let side = |plane: usize| (frame.widths[plane] as usize, frame.heights[plane] as usize);
    let fits = |plane: usize| frame.planes[plane].len() >= side(plane).0 * side(plane).1;
    if side(0).0 < tile_width || side(0).1 < tile_height || !(0..3).all(fits) {
        return Err(DAMAGED);
    }
    let level = |plane: usize, x: usize, y: usize| {
        let value = frame.planes[plane][y * side(plane).0 + x] >> frame.bit_depth[plane.min(1)].saturating_sub(8);
        value.min(255) as u8
    };
    let chroma = colour && side(1).0 > 0 && side(1).1 > 0 && side(1) == side(2);
    for (y, line) in strip.chunks_exact_mut(width).take(tile_height).enumerate() {
        for (x, pixel) in line[left.min(width)..].iter_mut().take(tile_width).enumerate() {
            let luma = level(0, x, y);
            *pixel = if chroma {
                let (x, y) = (x * side(1).0 / side(0).0, y * side(1).1 / side(0).1);
                // Phones write full-range YCbCr, as in a JPEG.
                ycbcr_to_rgb([luma, level(1, x, y), level(2, x, y)])
            } else {
                [luma; 3]
            };
        }
    }
    Ok(())
}

/// The orientation from the picture's properties, applied in the order in which they are stored. Exif repeats it and
/// is ignored here, as is a clean aperture: the edges that it would crop do no harm.
fn orientation(file: &HeifFile) -> Result<Orientation, PhotoError> {
    // Mirrored from left to right first, then rotated by so many quarter turns clockwise.
    let (mut mirrored, mut quarters) = (false, 0_u8);
    for property in file.item_properties(file.primary_id).map_err(|_| DAMAGED)? {
        match *property {
            Property::Rotation(anticlockwise) => quarters += 4 - anticlockwise % 4,
            Property::Mirror(upside_down) => {
                (mirrored, quarters) = (!mirrored, 4 - quarters % 4 + if upside_down { 2 } else { 0 });
            }
            _ => {}
        }
        quarters %= 4;
    }
    Ok(match (mirrored, quarters) {
        (false, 0) => Orientation::NoTransforms,
        (false, 1) => Orientation::Rotate90,
        (false, 2) => Orientation::Rotate180,
        (false, _) => Orientation::Rotate270,
        (true, 0) => Orientation::FlipHorizontal,
        (true, 1) => Orientation::Rotate270FlipH,
        (true, 2) => Orientation::FlipVertical,
        (true, _) => Orientation::Rotate90FlipH,
    })
}

#[cfg(test)]
mod tests;
