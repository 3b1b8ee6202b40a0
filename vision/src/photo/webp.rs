//! Decodes WebP (RFC 9649). The chunks of the picture are repackaged first, so that a broken or missing
//! chunk next to them does not matter, and a still picture that was cut short yields its available rows.

use std::io::Cursor;
use std::ops::Range;

use image_webp::{DecodingError, WebPDecoder};

use super::PhotoError;
use super::clock::CpuLimit;
use super::colour::on_white;
use super::decode::{DecodeLimits, Decoded, check_pixels};
use super::downscale::{Downscaler, OutputSpec};
use super::orientation::orientation;
use super::sniff::Format;

/// Bytes in front of the first chunk.
const RIFF_HEADER: usize = 12;
/// Flags of a `VP8X` chunk that concern the pixels: alpha and animation.
const PIXEL_FLAGS: u8 = 0x12;
/// Bytes per pixel that the decoder holds: RGB and RGBA, or RGB, Y, U and V.
const BYTES_PER_PIXEL: u64 = 8;
/// As above, for a lossy picture with transparency: RGBA and, at the same time, Y, U, V and the alpha
/// plane both as RGBA and alone.
const ALPHA_BYTES_PER_PIXEL: u64 = 12;
/// As above, for an animation: the canvas and the current frame, too.
const ANIMATED_BYTES_PER_PIXEL: u64 = 20;
/// What takes the place of missing data, in the order in which it is tried: four of these bytes, then zeros, which
/// nearly always are valid.
const FILLERS: [u8; 4] = [0x00, 0x55, 0xaa, 0xff];
/// How many bytes of the missing data differ between fillers.
const DIFFERENT: usize = 4;
/// Bytes in addition to twice the announced length that a picture is given that was cut short.
const SPARE: usize = 1024;

pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    spec: OutputSpec,
    clock: &CpuLimit,
) -> Result<Decoded, PhotoError> {
    let Container { mut picture, exif, xmp, missing } = Container::parse(bytes)?;
    let mut decoder = WebPDecoder::new(Cursor::new(&picture)).map_err(to_photo_error)?;
    let size = decoder.dimensions();
    check_pixels(size, Format::WebP, limits)?;
    let pixels = u64::from(size.0) * u64::from(size.1);
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let per_pixel = match (decoder.is_animated(), decoder.is_lossy() && decoder.has_alpha()) {
        (true, _) => ANIMATED_BYTES_PER_PIXEL,
        (false, true) => ALPHA_BYTES_PER_PIXEL,
        (false, false) => BYTES_PER_PIXEL,
    };
    // A picture that was cut short is decoded twice.
    let copies = if missing.is_empty() { 0 } else { channels as u64 };
    let output = 2 * Downscaler::memory(size, spec) + spec.drawing_memory();
    let memory = limits.reserve(pixels * (per_pixel + copies) + picture.len() as u64 + output, size)?;
    let row_length = size.0 as usize * channels;
    let (pixels, available_rows) = if missing.is_empty() {
        (read_pixels(&picture)?, size.1 as usize)
    } else {
        read_pixels_of_part(&mut picture, missing, row_length, clock)?
    };
    let mut downscaler = Downscaler::new(size, spec);
    for row in pixels.chunks_exact(row_length).take(available_rows) {
        match channels {
            4 => downscaler.push(row.as_chunks().0.iter().copied().map(on_white)),
            _ => downscaler.push(row.as_chunks().0.iter().copied()),
        }
    }
    let (picture, decoded_rows) = downscaler.finish().ok_or(DAMAGED)?;
    let complete = decoded_rows == picture.height();
    let orientation = orientation(exif, xmp);
    Ok(Decoded { picture, orientation, reduction: spec.reduction(size), size, decoded_rows, complete, memory })
}

const DAMAGED: PhotoError = PhotoError::Damaged { format: "WebP" };

/// RGB or RGBA, row by row.
fn read_pixels(picture: &[u8]) -> Result<Vec<u8>, PhotoError> {
    let mut decoder = WebPDecoder::new(Cursor::new(picture)).map_err(to_photo_error)?;
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or(DAMAGED)?];
    decoder.read_image(&mut pixels).map_err(to_photo_error)?;
    Ok(pixels)
}

/// The pixels of a picture of which the bytes in `missing` are unknown, and how many of its rows do not depend on
/// them: those that stay the same when other bytes take their place, as the data is stored from top to bottom.
fn read_pixels_of_part(
    picture: &mut [u8],
    missing: Range<usize>,
    row_length: usize,
    clock: &CpuLimit,
) -> Result<(Vec<u8>, usize), PhotoError> {
    let mut first: Option<Vec<u8>> = None;
    for filler in FILLERS {
        let different = missing.start..missing.end.min(missing.start + DIFFERENT);
        picture.get_mut(different).ok_or(PhotoError::Truncated)?.fill(filler);
        let left = clock.left();
        // Not every filler makes a valid picture.
        let pixels = read_pixels(picture);
        clock.check_left(left.saturating_sub(clock.left()))?;
        match (first.take(), pixels) {
            (Some(first), Ok(other)) => {
                let rows = first.chunks_exact(row_length).zip(other.chunks_exact(row_length));
                let same = rows.take_while(|(row, other)| row == other).count();
                return Ok((first, same));
            }
            (earlier, pixels) => first = earlier.or(pixels.ok()),
        }
    }
    Err(PhotoError::Truncated)
}

/// The parts of a file that are needed here.
struct Container<'a> {
    /// A WebP file with the pixels only.
    picture: Vec<u8>,
    exif: Option<&'a [u8]>,
    xmp: Option<&'a [u8]>,
    /// Bytes of `picture` that stand in for missing ones.
    missing: Range<usize>,
}

impl<'a> Container<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, PhotoError> {
        let (mut chunks, mut exif, mut xmp) = (Vec::new(), None, None);
        let (mut missing, mut canvas, mut is_contradictory) = (None, None, false);
        for Chunk { name, length, data } in Chunk::iter(bytes.get(RIFF_HEADER..).unwrap_or_default()) {
            match &name {
                b"VP8X" if data.len() >= 10 => {
                    canvas = canvas.or(Some((dimension(data, 4), dimension(data, 7))));
                    let mut data = data.to_vec();
                    data[0] &= PIXEL_FLAGS;
                    push_chunk(&mut chunks, name, &data);
                }
                // The decoder would allocate a picture of any size before it checks that of the frame.
                b"ANMF" if !frame_fits(data) => {}
                b"VP8 " if canvas.is_some_and(|canvas| lossy_size(data) != Some(canvas)) => {
                    is_contradictory |= lossy_size(data).is_some();
                }
                // A frame or an alpha plane that is cut short is left out.
                b"ANIM" | b"ANMF" | b"ALPH" if data.len() == length => {
                    push_chunk(&mut chunks, name, data);
                    if name == *b"ANMF" {
                        missing = missing.or(Some(0..0));
                    }
                }
                // Less than half of the data is too little in any case.
                b"VP8 " | b"VP8L" if missing.is_none() && data.len() >= length.div_ceil(2) => {
                    let mut padded = data.to_vec();
                    if data.len() < length {
                        // What stands in for the missing data may need more bits than that did.
                        padded.resize(2 * length + SPARE, 0);
                    }
                    push_chunk(&mut chunks, name, &padded);
                    let end = RIFF_HEADER + chunks.len() - padded.len() % 2;
                    missing = Some(end - (padded.len() - data.len())..end);
                }
                b"EXIF" => exif = exif.or(Some(data)),
                b"XMP " => xmp = xmp.or(Some(data)),
                _ => {}
            }
        }
        let missing = missing.ok_or(if is_contradictory { DAMAGED } else { PhotoError::Truncated })?;
        let mut picture = b"RIFF".to_vec();
        picture.extend((chunks.len() as u32 + 4).to_le_bytes());
        picture.extend(b"WEBP");
        picture.extend(chunks);
        Ok(Self { picture, exif, xmp, missing })
    }
}

/// A chunk of the container, whose data can be shorter than its length.
struct Chunk<'a> {
    name: [u8; 4],
    length: usize,
    data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Iterates over consecutive chunks.
    fn iter(mut rest: &'a [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let (header, after) = rest.split_first_chunk::<8>()?;
            let [name @ .., a, b, c, d] = *header;
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            rest = after.get(length + length % 2..).unwrap_or_default();
            Some(Self { name, length, data: &after[..length.min(after.len())] })
        })
    }
}

/// Repackages an animated file, with those of its frames that are complete.
///
/// # Errors
/// [`PhotoError`] when no frame is.
pub(super) fn repackage(bytes: &[u8]) -> Result<Vec<u8>, PhotoError> {
    Container::parse(bytes).map(|container| container.picture)
}

/// A width or height, stored minus one in three bytes, which must be available.
fn dimension(data: &[u8], at: usize) -> u32 {
    1 + u32::from_le_bytes([data[at], data[at + 1], data[at + 2], 0])
}

/// The size in the frame header of a lossy picture (RFC 6386, 9.1).
fn lossy_size(data: &[u8]) -> Option<(u32, u32)> {
    let [_, _, _, 0x9d, 0x01, 0x2a, width @ .., c, d] = *data.first_chunk::<10>()? else { return None };
    let [width, height] = [width, [c, d]].map(|side| u32::from(u16::from_le_bytes(side) & 0x3fff));
    Some((width, height))
}

/// Whether a frame's picture has the size of the frame; for a lossless one the decoder checks that.
fn frame_fits(frame: &[u8]) -> bool {
    let Some((header, data)) = frame.split_first_chunk::<16>() else { return false };
    let size = (dimension(header, 6), dimension(header, 9));
    let mut chunks = Chunk::iter(data);
    let mut first = chunks.next();
    if first.as_ref().is_some_and(|chunk| chunk.name == *b"ALPH") {
        first = chunks.next().filter(|chunk| chunk.name == *b"VP8 ");
    }
    first.is_some_and(|chunk| match &chunk.name {
        b"VP8 " => lossy_size(chunk.data) == Some(size),
        b"VP8L" => true,
        _ => false,
    })
}

fn push_chunk(chunks: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    chunks.extend(name);
    chunks.extend((data.len() as u32).to_le_bytes());
    chunks.extend(data);
    chunks.resize(chunks.len() + data.len() % 2, 0);
}

fn to_photo_error(error: DecodingError) -> PhotoError {
    match error {
        DecodingError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => PhotoError::Truncated,
        _ => PhotoError::Damaged { format: Format::WebP.name() },
    }
}
