//! Decodes HEIC, the format of iPhone photos (ISO/IEC 23008-12): one HEVC picture, or a grid of them, tile row by tile
//! row, so that the picture is never held at full size.

mod metadata;

use std::borrow::Cow;
use std::time::Duration;

use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer_hevc_dec::nal::{NalUnit, NalUnitType, split_annex_b};
use heifer_hevc_dec::params::Sps;
use heifer_hevc_dec::recon::Frame;
use heifer_isobmff::boxes::Property;
use heifer_isobmff::{HeifFile, ItemId};
use image::metadata::Orientation;

use super::PhotoError;
use super::clock::CpuLimit;
use super::colour::ycbcr_to_rgb;
use super::decode::{DecodeLimits, Decoded, check_pixels};
use super::downscale::{Downscaler, OutputSpec};
use super::sniff::Format;

/// Memory of the decoder for its tables and for a file's metadata and parameter sets, in bytes.
pub(super) const DECODER: u64 = 4 << 20;
/// Nanoseconds per pixel that the decoder takes at most; it cannot be stopped within a coded picture.
const TIME_PER_PIXEL: u64 = 90;

const DAMAGED: PhotoError = PhotoError::Damaged { format: "HEIC" };
/// A file of this family without a still HEVC picture.
const UNSUPPORTED: PhotoError = PhotoError::Unsupported { format: "unusual HEIC" };

/// Types of boxes at the top level of a file (ISO/IEC 14496-12, 4.2, and what phones add).
const TOP_LEVEL: [&[u8; 4]; 14] = [
    b"ftyp", b"meta", b"mdat", b"idat", b"moov", b"moof", b"mfra", b"free", b"skip", b"wide", b"uuid", b"mpvd",
    b"pdin", b"styp",
];

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
    clock: &CpuLimit,
) -> Result<Decoded, PhotoError> {
    let Boxes { end, cut_box, has_data } = walk_boxes(bytes);
    let truncated = cut_box.is_some() || !has_data;
    let file = match cut_box {
        Some(start) => Cow::Owned(with_open_box(bytes, start)),
        None => Cow::Borrowed(&bytes[..end]),
    };
    if !metadata::is_bounded(&file) {
        return Err(UNSUPPORTED);
    }
    let file =
        HeifFile::parse(&file).map_err(|_| if cut_box.is_some() { PhotoError::Truncated } else { UNSUPPORTED })?;
    // Data that is missing from a truncated file is not damage.
    let cut = |error| match error {
        PhotoError::Damaged { .. } if truncated => PhotoError::Truncated,
        error => error,
    };
    let (size, tiles) = layout(&file).map_err(cut)?;
    check_pixels(size, Format::Heic, limits)?;
    let tile_pixels = coded_pixels(tiles.size);
    let chroma = ChromaFormat::of(&file, *tiles.items.first().ok_or(DAMAGED)?).map_err(cut)?;
    let finished_tiles = (tiles.across as u64 - 1) * tile_pixels * chroma.frame_bytes();
    let output = 2 * Downscaler::memory(size, spec) + spec.drawing_memory();
    let decoding = chroma.decoding_memory(tile_pixels) + finished_tiles + DECODER;
    // The file, its copy, and the stream of a tile.
    let memory = limits.reserve(decoding + 2 * bytes.len() as u64 + output, size)?;
    let mut downscaler = Downscaler::new(size, spec);
    for (row, items) in tiles.items.chunks(tiles.across).enumerate() {
        let decode = |item: &ItemId| {
            clock.check_left(Duration::from_nanos(tile_pixels * TIME_PER_PIXEL))?;
            if ChromaFormat::of(&file, *item)? > chroma {
                return Err(DAMAGED);
            }
            decode_tile(&file, *item, tiles.size)
        };
        let frames = match items.iter().map(decode).collect::<Result<Vec<_>, _>>() {
            // The tiles of the rows from here on are missing.
            Err(PhotoError::Damaged { .. }) if truncated => break,
            frames => frames?,
        };
        let height = tiles.size.1.min(size.1 as usize - row * tiles.size.1);
        for y in 0..height {
            let line = frames.iter().flat_map(|frame| frame_line(frame, tiles.size.0, y, spec.colour));
            downscaler.push(line.take(size.0 as usize));
        }
    }
    let orientation = orientation(&file).map_err(cut)?;
    let (picture, decoded_rows) = downscaler.finish().ok_or(DAMAGED).map_err(cut)?;
    let complete = decoded_rows == picture.height();
    Ok(Decoded { picture, orientation, reduction: spec.reduction(size), size, decoded_rows, complete, memory })
}

/// How many chroma samples a picture has (ITU-T H.265, 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ChromaFormat {
    Half,
    HalfWidth,
    Full,
}

impl ChromaFormat {
    /// The one with the most samples that the parameter sets of a coded picture name.
    fn of(file: &HeifFile, item: ItemId) -> Result<Self, PhotoError> {
        let stream = file.hevc_bitstream(item).map_err(|_| DAMAGED)?;
        let units = split_annex_b(&stream).filter_map(|unit| NalUnit::parse(unit).ok());
        let sets = units.filter(|unit| unit.header.unit_type == NalUnitType::Sps);
        let formats = sets.filter_map(|unit| Sps::parse(&unit.rbsp).ok()).map(|set| match set.chroma_format_idc {
            0 | 1 => Self::Half,
            2 => Self::HalfWidth,
            _ => Self::Full,
        });
        formats.max().ok_or(DAMAGED)
    }

    /// Bytes per pixel of a decoded picture: 16 bits per sample.
    fn frame_bytes(self) -> u64 {
        match self {
            Self::Half => 3,
            Self::HalfWidth => 4,
            Self::Full => 6,
        }
    }

    /// Bytes needed to decode a picture of this many pixels: itself, a copy of it that is cropped, and the state of
    /// each block, one and a half bytes a pixel.
    fn decoding_memory(self, pixels: u64) -> u64 {
        pixels * (4 * self.frame_bytes() + 3) / 2
    }
}

/// The boxes at the top level of a file.
struct Boxes {
    /// Where they end; what follows does not count.
    end: usize,
    /// Where a box begins that extends beyond the end of the file.
    cut_box: Option<usize>,
    /// Whether the box that holds the pictures has begun.
    has_data: bool,
}

/// Walks through the boxes (ISO/IEC 14496-12, 4.2).
fn walk_boxes(bytes: &[u8]) -> Boxes {
    let (mut start, mut has_data) = (0, false);
    while let Some([a, b, c, d, kind @ ..]) = bytes[start..].first_chunk::<8>() {
        if !TOP_LEVEL.contains(&kind) {
            break;
        }
        has_data |= kind == b"mdat";
        let length = match u32::from_be_bytes([*a, *b, *c, *d]) {
            0 => return Boxes { end: bytes.len(), cut_box: None, has_data },
            1 => bytes[start + 8..].first_chunk().map_or(u64::MAX, |length| u64::from_be_bytes(*length)),
            length => u64::from(length),
        };
        let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length.max(8)));
        match end.filter(|end| *end <= bytes.len()) {
            Some(end) => start = end,
            None => return Boxes { end: bytes.len(), cut_box: Some(start), has_data },
        }
    }
    Boxes { end: start, cut_box: None, has_data }
}

/// A copy in which the box at `start` extends to the end of the file, which a length of 0 means.
fn with_open_box(bytes: &[u8], start: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[start..start + 4].fill(0);
    bytes
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

/// Decodes a tile that covers at least this width and height.
fn decode_tile(file: &HeifFile, item: ItemId, (width, height): (usize, usize)) -> Result<Frame, PhotoError> {
    if file.image_size(item).ok().flatten() != Some((width as u32, height as u32)) {
        return Err(DAMAGED);
    }
    let stream = file.hevc_bitstream(item).map_err(|_| DAMAGED)?;
    // The limits were checked against this size.
    let options = DecodeOptions { max_pixels: coded_pixels((width, height)), ..Default::default() };
    let frame = decode_picture(&stream, options).map_err(|_| DAMAGED)?;
    let (widths, heights) = (frame.widths, frame.heights);
    let is_full =
        |plane: usize| frame.planes[plane].len() as u64 >= u64::from(widths[plane]) * u64::from(heights[plane]);
    let covers = widths[0] as usize >= width && heights[0] as usize >= height;
    if covers && (0..3).all(is_full) { Ok(frame) } else { Err(DAMAGED) }
}

/// The first `width` pixels of row `y`, which the frame covers, as RGB; grey where no colour is wanted.
fn frame_line(frame: &Frame, width: usize, y: usize, colour: bool) -> impl Iterator<Item = [u8; 3]> {
    let size = |plane: usize| (frame.widths[plane] as usize, frame.heights[plane] as usize);
    // Chroma planes may be half as large, and a grey picture has none.
    let (luma_size, chroma_size) = (size(0), size(1));
    let has_chroma = colour && chroma_size.0 > 0 && chroma_size.1 > 0 && chroma_size == size(2);
    let line = move |plane: usize| {
        let (width, height) = size(plane);
        let start = y * height / luma_size.1 * width;
        let shift = frame.bit_depth[plane.min(1)].saturating_sub(8);
        let samples = &frame.planes[plane][start..start + width];
        move |x: usize| (samples[x * width / luma_size.0] >> shift).min(255) as u8
    };
    let luma = line(0);
    let chroma = has_chroma.then(|| (line(1), line(2)));
    (0..width).map(move |x| match &chroma {
        // Phones write full-range YCbCr, as in a JPEG.
        Some((blue, red)) => ycbcr_to_rgb([luma(x), blue(x), red(x)]),
        None => [luma(x); 3],
    })
}

/// The orientation from the picture's properties, applied in the order in which they are stored. Exif repeats it and
/// is ignored here, as is a clean aperture: the edges that it would crop do no harm.
fn orientation(file: &HeifFile) -> Result<Orientation, PhotoError> {
    // Mirrored from left to right first, then rotated clockwise by this many quarter turns.
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
