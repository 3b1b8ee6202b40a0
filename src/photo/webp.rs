//! WebP (RFC 9649): what the picture needs is taken out of its container, so that a broken or missing
//! chunk beside it does not matter, and a lossy picture that was cut short gives the rows that came.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::PhotoError;
use super::decode::{DecodeLimits, Decoded, check_pixels};
use super::orientation::orientation;
use super::rows::{Rows, Wanted, on_white};
use super::sniff::Format;

/// Flags of a `VP8X` chunk that say something of the pixels: alpha and animation.
const PIXEL_FLAGS: u8 = 0x12;
/// What the decoder holds: RGB and RGBA, or RGB, Y, U and V.
const BYTES_A_PIXEL: u64 = 8;
/// The same of a lossy picture with transparency: RGBA and, together, Y, U, V and transparency as RGBA
/// and alone.
const CLEAR_BYTES_A_PIXEL: u64 = 12;
/// The same of one that moves: its canvas and what is shown of it, too.
const MOVING_BYTES_A_PIXEL: u64 = 20;
/// Of a lossy picture at least this share of the data must be there: three quarters of the rows.
const ENOUGH: (usize, usize) = (3, 4);

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits, wanted: Wanted) -> Result<Decoded, PhotoError> {
    let Container { picture, exif, xmp, there } = Container::read(bytes)?;
    let mut decoder = WebPDecoder::new(Cursor::new(&picture)).map_err(fault)?;
    let size = decoder.dimensions();
    check_pixels(size, Format::WebP, limits)?;
    let pixels = u64::from(size.0) * u64::from(size.1);
    let a_pixel = match (decoder.is_animated(), decoder.is_lossy() && decoder.has_alpha()) {
        (true, _) => MOVING_BYTES_A_PIXEL,
        (false, true) => CLEAR_BYTES_A_PIXEL,
        (false, false) => BYTES_A_PIXEL,
    };
    let made = 2 * Rows::memory(size, wanted) + wanted.drawing();
    let memory = limits.reserve(pixels * a_pixel + picture.len() as u64 + made, size)?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or(DAMAGED)?];
    decoder.read_image(&mut pixels).map_err(fault)?;
    let mut rows = Rows::new(size, wanted);
    // The data goes from top to bottom, so that as much of the picture is there as of the data.
    let there = (u64::from(size.1) * there.0 as u64 / there.1.max(1) as u64) as usize;
    for row in pixels.chunks_exact(size.0 as usize * channels).take(there) {
        match channels {
            4 => rows.push(row.as_chunks().0.iter().copied().map(on_white)),
            _ => rows.push(row.as_chunks().0.iter().copied()),
        }
    }
    let (picture, rows) = rows.finish().ok_or(DAMAGED)?;
    let whole = rows == picture.height();
    let orientation = orientation(exif, xmp);
    Ok(Decoded { picture, orientation, reduction: wanted.reduction(size), size, rows, whole, memory })
}

const DAMAGED: PhotoError = PhotoError::Damaged { format: "WebP" };

/// What a file holds, as far as it matters here.
struct Container<'a> {
    /// A WebP file with nothing but the pixels.
    picture: Vec<u8>,
    exif: Option<&'a [u8]>,
    xmp: Option<&'a [u8]>,
    /// How many bytes of the picture's data there are, and should be.
    there: (usize, usize),
}

impl<'a> Container<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, PhotoError> {
        let (mut chunks, mut exif, mut xmp) = (Vec::new(), None, None);
        let (mut there, mut canvas) = (None, None);
        for Chunk { name, length, data } in Chunk::all(bytes.get(12..).unwrap_or_default()) {
            match &name {
                b"VP8X" if data.len() >= 10 => {
                    canvas = canvas.or(Some((side(data, 4), side(data, 7))));
                    let mut data = data.to_vec();
                    data[0] &= PIXEL_FLAGS;
                    put(&mut chunks, name, &data);
                }
                // The decoder would make a picture of any size before it looks at that of the frame.
                b"ANMF" if !frame_fits(data) => {}
                b"VP8 " if canvas.is_some_and(|canvas| lossy_size(data) != Some(canvas)) => {}
                // A frame or a plane of transparency that is cut is as good as none.
                b"ANIM" | b"ANMF" | b"ALPH" | b"VP8L" if data.len() == length => {
                    put(&mut chunks, name, data);
                    if !matches!(&name, b"ANIM" | b"ALPH") {
                        there = there.or(Some((length, length)));
                    }
                }
                b"VP8 " if data.len() * ENOUGH.1 >= length * ENOUGH.0 && there.is_none() => {
                    let mut whole = data.to_vec();
                    // Zeros in place of what is missing: the decoder wants as much as was announced.
                    whole.resize(length.min(data.len() * 2), 0);
                    put(&mut chunks, name, &whole);
                    there = Some((data.len(), length));
                }
                b"EXIF" => exif = exif.or(Some(data)),
                b"XMP " => xmp = xmp.or(Some(data)),
                _ => {}
            }
        }
        let there = there.ok_or(PhotoError::Truncated)?;
        let mut picture = b"RIFF".to_vec();
        picture.extend((chunks.len() as u32 + 4).to_le_bytes());
        picture.extend(b"WEBP");
        picture.extend(chunks);
        Ok(Self { picture, exif, xmp, there })
    }
}

/// A chunk of the container, of whose data there may be less than its length.
struct Chunk<'a> {
    name: [u8; 4],
    length: usize,
    data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// All that lie one behind the other.
    fn all(mut rest: &'a [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let (header, after) = rest.split_first_chunk::<8>()?;
            let [name @ .., a, b, c, d] = *header;
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            rest = after.get(length + length % 2..).unwrap_or_default();
            Some(Self { name, length, data: &after[..length.min(after.len())] })
        })
    }
}

/// The picture of an animated file, of whose frames those that are whole are there.
///
/// # Errors
/// [`PhotoError`] when it has none.
pub(super) fn moving(bytes: &[u8]) -> Result<Vec<u8>, PhotoError> {
    Container::read(bytes).map(|container| container.picture)
}

/// A side that is stored less one in three bytes, which must be there.
fn side(data: &[u8], at: usize) -> u32 {
    1 + u32::from_le_bytes([data[at], data[at + 1], data[at + 2], 0])
}

/// The size that a lossy picture's own header tells (RFC 6386, 9.1).
fn lossy_size(data: &[u8]) -> Option<(u32, u32)> {
    let [_, _, _, 0x9d, 0x01, 0x2a, width @ .., c, d] = *data.first_chunk::<10>()? else { return None };
    let [width, height] = [width, [c, d]].map(|side| u32::from(u16::from_le_bytes(side) & 0x3fff));
    Some((width, height))
}

/// Whether a frame holds a picture of its own size; a lossless one is held against it by the decoder.
fn frame_fits(frame: &[u8]) -> bool {
    let Some((header, data)) = frame.split_first_chunk::<16>() else { return false };
    let size = (side(header, 6), side(header, 9));
    let mut chunks = Chunk::all(data);
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

fn put(chunks: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    chunks.extend(name);
    chunks.extend((data.len() as u32).to_le_bytes());
    chunks.extend(data);
    chunks.resize(chunks.len() + data.len() % 2, 0);
}

fn fault(error: DecodingError) -> PhotoError {
    match error {
        DecodingError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => PhotoError::Truncated,
        _ => PhotoError::Damaged { format: Format::WebP.name() },
    }
}
