//! Decodes PNG row by row (W3C PNG, third edition), so that the picture is never held at full size. Checksums are
//! ignored, and of a file that was cut short the available rows are decoded.

mod metadata;

use std::borrow::Cow;
use std::io::Cursor;

use png::{Decoder, Reader, Transformations};

use super::PhotoError;
use super::clock::CpuLimit;
use super::colour::{luma, on_white};
use super::decode::{DecodeLimits, Decoded, check_pixels, is_enough};
use super::downscale::{Downscaler, GREY, OutputSpec};
use super::orientation::orientation;
use super::sniff::Format;
use metadata::Metadata;

/// Memory limit for text, profiles and other metadata chunks, in bytes.
pub(super) const METADATA: usize = 4 << 20;

type PngReader<'a> = Reader<Cursor<&'a [u8]>>;

pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    spec: OutputSpec,
    clock: &CpuLimit,
) -> Result<Decoded, PhotoError> {
    // Xcode's tools put this chunk before the header; the rest is in Apple's own compression.
    if bytes.get(12..16) == Some(b"CgBI") {
        return Err(PhotoError::Unsupported { format: "iPhone app PNG" });
    }
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: METADATA });
    decoder.ignore_checksums(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_ignore_text_chunk(true);
    let metadata = Metadata::read(bytes);
    let header = decoder.read_header_info().map_err(to_photo_error)?;
    let size = (header.width, header.height);
    check_pixels(size, Format::Png, limits)?;
    // Two rows of 8 bytes a pixel: the previous one is needed to undo the filter.
    let row = 16 * size.0 as usize;
    let interlaced = header.interlaced;
    // The decoder holds an Exif block twice.
    let held = METADATA + row + 2 * metadata.exif_bytes;
    decoder.set_limits(png::Limits { bytes: held });
    let pixels = u64::from(size.0) * u64::from(size.1);
    let interlaced_memory = if interlaced { pixels * spec.channels() as u64 } else { 0 };
    let output = 2 * Downscaler::memory(size, spec) + spec.drawing_memory();
    let memory = limits.reserve(output + interlaced_memory + held as u64, size)?;
    let mut reader = decoder.read_info().map_err(to_photo_error)?;
    check_palette(reader.info())?;
    let decoded = match interlaced {
        true => decode_interlaced(&mut reader, spec, clock),
        false => decode_rows(&mut reader, spec, clock),
    };
    let (picture, decoded_rows) = decoded?.ok_or(PhotoError::Damaged { format: Format::Png.name() })?;
    // Nothing is missing from a file that goes on to its end: the pixels are invalid.
    if metadata.has_end && !is_enough(decoded_rows, picture.height()) {
        return Err(PhotoError::Damaged { format: Format::Png.name() });
    }
    let orientation = orientation(metadata.exif.iter().copied(), metadata.xmp.iter().map(Cow::as_ref));
    let complete = decoded_rows == picture.height();
    Ok(Decoded { picture, orientation, reduction: spec.reduction(size), size, decoded_rows, complete, memory })
}

/// Checks that a palette consists of whole entries, which the decoder takes for granted.
///
/// # Errors
/// [`PhotoError::Damaged`] otherwise.
pub(super) fn check_palette(info: &png::Info) -> Result<(), PhotoError> {
    let bytes = info.palette.as_ref().map_or(0, |palette| palette.len());
    if bytes.is_multiple_of(3) { Ok(()) } else { Err(PhotoError::Damaged { format: Format::Png.name() }) }
}

/// The picture and how many of its rows were decoded.
type Picture = Option<(image::DynamicImage, u32)>;

fn decode_rows(reader: &mut PngReader, spec: OutputSpec, clock: &CpuLimit) -> Result<Picture, PhotoError> {
    let channels = reader.output_color_type().0.samples();
    let mut downscaler = Downscaler::new(reader.info().size(), spec);
    while let Ok(Some(row)) = reader.next_row() {
        downscaler.push(row.data().chunks_exact(channels).map(to_rgb));
        clock.check()?;
    }
    Ok(downscaler.finish())
}

/// An interlaced picture comes in seven passes, so that it is held as a whole, at a byte per output
/// channel; each pass also fills the pixels of later ones.
fn decode_interlaced(reader: &mut PngReader, spec: OutputSpec, clock: &CpuLimit) -> Result<Picture, PhotoError> {
    let channels = reader.output_color_type().0.samples();
    let (width, height) = reader.info().size();
    let stride = width as usize * spec.channels();
    let mut full = vec![GREY; stride * height as usize];
    let (mut decoded_pixels, mut values) = (0_u64, Vec::with_capacity(stride));
    while let Ok(Some(row)) = reader.next_interlaced_row() {
        let png::InterlaceInfo::Adam7(pass) = row.interlace() else { break };
        clock.check()?;
        values.clear();
        for value in row.data().chunks_exact(channels).map(to_rgb) {
            match spec.colour {
                true => values.extend(value),
                false => values.push(luma(value)),
            }
        }
        decoded_pixels += (values.len() / spec.channels()) as u64;
        png::splat_interlaced_row(&mut full, stride, &values, pass, 8 * spec.channels() as u8);
    }
    let mut downscaler = Downscaler::new((width, height), spec);
    for row in full.chunks_exact(stride.max(1)) {
        match spec.colour {
            true => downscaler.push(row.as_chunks().0.iter().copied()),
            false => downscaler.push(row.iter().map(|value| [*value; 3])),
        }
    }
    // As many rows as the decoded pixels would fill.
    let all = u64::from(width) * u64::from(height);
    Ok(downscaler.finish().map(|(picture, rows)| (picture, (u64::from(rows) * decoded_pixels / all.max(1)) as u32)))
}

fn to_rgb(values: &[u8]) -> [u8; 3] {
    match *values {
        [grey] => [grey; 3],
        [grey, alpha] => on_white([grey, grey, grey, alpha]),
        [r, g, b] => [r, g, b],
        [r, g, b, a] => on_white([r, g, b, a]),
        _ => [0; 3],
    }
}

pub(super) fn to_photo_error(error: png::DecodingError) -> PhotoError {
    match error {
        png::DecodingError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            PhotoError::Truncated
        }
        _ => PhotoError::Damaged { format: Format::Png.name() },
    }
}
