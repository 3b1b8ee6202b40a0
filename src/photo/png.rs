//! PNG, row by row (W3C PNG, third edition): the large picture is never held, checksums do not
//! matter where the pixels are there, and of a file that was cut short the rows that came are kept.

use std::io::Cursor;

use png::{Decoder, Reader, Transformations};

use super::PhotoError;
use super::clock::WorkClock;
use super::decode::{DecodeLimits, Decoded, check_pixels};
use super::orientation::orientation;
use super::rows::{Rows, Wanted, on_white};
use super::sniff::Format;

/// Chunks of text, profiles and the like may take this much.
pub(super) const METADATA: usize = 4 << 20;

type PngReader<'a> = Reader<Cursor<&'a [u8]>>;

pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    wanted: Wanted,
    clock: &WorkClock,
) -> Result<Decoded, PhotoError> {
    // The chunk that Xcode's tools put before the header; the rest is compressed in Apple's own way.
    if bytes.get(12..16) == Some(b"CgBI") {
        return Err(PhotoError::Unsupported { format: "iPhone app PNG" });
    }
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: METADATA });
    decoder.ignore_checksums(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(fault)?;
    let size = (header.width, header.height);
    check_pixels(size, Format::Png, limits)?;
    // Rows of 8 bytes a pixel, twice: the one before is needed to undo the filter.
    let row = 16 * size.0 as usize;
    let interlaced = header.interlaced;
    decoder.set_limits(png::Limits { bytes: METADATA + row });
    let pixels = u64::from(size.0) * u64::from(size.1);
    let passes = if interlaced { pixels * wanted.channels() as u64 } else { 0 };
    let made = 2 * Rows::memory(size, wanted) + wanted.drawing();
    let memory = limits.reserve(made + passes + (METADATA + row) as u64, size)?;
    let mut reader = decoder.read_info().map_err(fault)?;
    check_palette(reader.info())?;
    let (picture, rows) =
        if interlaced { interlaced_rows(&mut reader, wanted, clock) } else { rows(&mut reader, wanted, clock) }?
            .ok_or(PhotoError::Damaged { format: Format::Png.name() })?;
    let info = reader.info();
    let exif = info.exif_metadata.as_deref();
    let xmp = info.utf8_text.iter().filter(|text| text.keyword == "XML:com.adobe.xmp");
    let xmp: Vec<String> = xmp.filter_map(|text| text.get_text().ok()).collect();
    let orientation = orientation(exif, xmp.iter().map(String::as_bytes));
    let whole = rows == picture.height();
    Ok(Decoded { picture, orientation, reduction: wanted.reduction(size), size, rows, whole, memory })
}

/// Whether a palette consists of whole entries, which the decoder takes for granted.
///
/// # Errors
/// [`PhotoError::Damaged`] otherwise.
pub(super) fn check_palette(info: &png::Info) -> Result<(), PhotoError> {
    let bytes = info.palette.as_ref().map_or(0, |palette| palette.len());
    if bytes.is_multiple_of(3) { Ok(()) } else { Err(PhotoError::Damaged { format: Format::Png.name() }) }
}

/// The picture and how many of its rows came.
type Made = Option<(image::DynamicImage, u32)>;

fn rows(reader: &mut PngReader, wanted: Wanted, clock: &WorkClock) -> Result<Made, PhotoError> {
    let channels = reader.output_color_type().0.samples();
    let mut rows = Rows::new(reader.info().size(), wanted);
    while let Ok(Some(row)) = reader.next_row() {
        rows.push(row.data().chunks_exact(channels).map(pixel));
        clock.check()?;
    }
    Ok(rows.finish())
}

/// An interlaced picture comes in seven passes, so that all of it is held, at a byte a channel
/// that is wanted; each pass fills the places of those to come.
fn interlaced_rows(reader: &mut PngReader, wanted: Wanted, clock: &WorkClock) -> Result<Made, PhotoError> {
    let channels = reader.output_color_type().0.samples();
    let (width, height) = reader.info().size();
    let stride = width as usize * wanted.channels();
    let mut whole = vec![super::rows::GREY; stride * height as usize];
    let (mut there, mut values) = (0_u64, Vec::with_capacity(stride));
    while let Ok(Some(row)) = reader.next_interlaced_row() {
        let png::InterlaceInfo::Adam7(pass) = row.interlace() else { break };
        clock.check()?;
        values.clear();
        for value in row.data().chunks_exact(channels).map(pixel) {
            match wanted.colour {
                true => values.extend(value),
                false => values.push(super::rows::luma(value)),
            }
        }
        there += (values.len() / wanted.channels()) as u64;
        png::splat_interlaced_row(&mut whole, stride, &values, pass, 8 * wanted.channels() as u8);
    }
    let mut rows = Rows::new((width, height), wanted);
    for row in whole.chunks_exact(stride.max(1)) {
        match wanted.colour {
            true => rows.push(row.as_chunks().0.iter().copied()),
            false => rows.push(row.iter().map(|value| [*value; 3])),
        }
    }
    // As many rows' worth of pixels as came.
    let all = u64::from(width) * u64::from(height);
    Ok(rows.finish().map(|(picture, rows)| (picture, (u64::from(rows) * there / all.max(1)) as u32)))
}

fn pixel(values: &[u8]) -> [u8; 3] {
    match *values {
        [grey] => [grey; 3],
        [grey, alpha] => on_white([grey, grey, grey, alpha]),
        [r, g, b] => [r, g, b],
        [r, g, b, a] => on_white([r, g, b, a]),
        _ => [0; 3],
    }
}

pub(super) fn fault(error: png::DecodingError) -> PhotoError {
    match error {
        png::DecodingError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            PhotoError::Truncated
        }
        _ => PhotoError::Damaged { format: Format::Png.name() },
    }
}
