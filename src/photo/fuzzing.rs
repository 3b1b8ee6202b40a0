//! What must hold for every file that somebody may send, one property a decoder. Only fuzzing and
//! the tests have this module.
//!
//! Each property answers or names an error, holds what it was allowed to (whoever calls it measures
//! that) and checks what it was given. The limits are small, so that one execution is quick; one
//! input in sixteen meets those of the running program, but for the memory.

mod differential;

pub use differential::jpeg_differential;

use super::clock::WorkClock;
use super::decode::{Decoded, decode, decode_colour, decode_reduced};
use super::jpeg::{Outline, Plane, Scale};
use super::rows::Wanted;
use super::{DecodeLimits, MemoryBudget, Photo, PhotoError, animation, gif, orientation, png, webp};

/// Pixels that most inputs may have.
const PIXELS: u64 = 1 << 16;
/// Memory that decoders may reserve beside fixed amounts: the metadata of a PNG, the tables of a GIF.
const BUDGET: u64 = 1 << 20;
const PNG: u64 = 5 << 20;
const GIF: u64 = 1 << 20;
/// Room to draw on, and for a PNG's metadata before.
const DRAWING: u64 = super::rows::DRAWING;

/// What these properties may hold: what they reserved, and tables that no reservation counts.
pub const MEMORY: usize = BUDGET as usize + (1 << 19);
pub const PNG_MEMORY: usize = PNG as usize + MEMORY;
pub const GIF_MEMORY: usize = GIF as usize + MEMORY;
/// A lossy WebP's data is made room for as its header has it, up to 16 MiB of zeros that nothing has
/// touched yet.
pub const WEBP_MEMORY: usize = MEMORY + (17 << 20);

const LUMA: Wanted = Wanted { colour: false, enough: u32::MAX };

/// A number that an input always has, to choose a variant by.
fn choice(data: &[u8]) -> usize {
    data.iter().rev().step_by(7).fold(data.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)))
}

fn limits(data: &[u8], fixed: u64, wanted: Wanted) -> DecodeLimits {
    let usual = DecodeLimits::default();
    let max_pixels = if choice(data).is_multiple_of(16) { usual.max_pixels } else { PIXELS };
    DecodeLimits { max_pixels, memory: MemoryBudget::new(BUDGET + fixed + wanted.drawing()), ..usual }
}

fn clock(limits: &DecodeLimits) -> WorkClock {
    WorkClock::start(limits.cpu_time)
}

fn wanted(data: &[u8]) -> Wanted {
    let choice = choice(data) / 16;
    Wanted { colour: choice.is_multiple_of(2), enough: [u32::MAX, 16, 8, 5][choice / 2 % 4] }
}

/// Any file at all, through the doors that the rest of the program uses.
pub fn photo_bytes(data: &[u8]) {
    let wanted = wanted(data);
    let limits = limits(data, PNG, wanted);
    if wanted.colour {
        if let Ok(colour) = decode_colour(data, &limits, wanted.enough) {
            assert!(colour.picture.width() > 0 && colour.picture.height() > 0);
        }
        return;
    }
    let luma = decode_reduced(data, &limits, wanted.enough);
    check_photo(&luma, &limits);
    let size = luma.as_ref().map(|photo| photo.size).ok();
    drop(luma);
    match (choice(data) % 4, size) {
        (0, Some(size)) => {
            let full = decode(data, &limits);
            check_photo(&full, &limits);
            // At full size it may be too large for the memory.
            if let Ok(full) = full {
                assert_eq!(full.size, size, "a reduced photo has another size");
            }
        }
        (1, Some(_)) => animation(data),
        _ => {}
    }
}

fn check_photo(photo: &Result<Photo, PhotoError>, limits: &DecodeLimits) {
    match photo {
        Ok(Photo { luma, reduction, size, .. }) => {
            assert!(u64::from(size.0) * u64::from(size.1) <= limits.max_pixels);
            assert!(size.0 > 0 && size.1 > 0, "a photo without pixels");
            assert!(matches!(reduction, 1 | 2 | 4 | 8));
            assert_eq!(luma.dimensions(), (size.0.div_ceil(*reduction), size.1.div_ceil(*reduction)));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn check_decoded(decoded: Result<Decoded, PhotoError>, limits: &DecodeLimits) {
    let Ok(Decoded { picture, reduction, size, rows, whole, .. }) = decoded else { return };
    assert!(u64::from(size.0) * u64::from(size.1) <= limits.max_pixels);
    assert_eq!((picture.width(), picture.height()), (size.0.div_ceil(reduction), size.1.div_ceil(reduction)));
    assert!(rows <= picture.height());
    assert!(!whole || rows == picture.height(), "whole, with {rows} rows of {}", picture.height());
}

/// A PNG.
pub fn png(data: &[u8]) {
    let wanted = wanted(data);
    let limits = limits(data, PNG, wanted);
    check_decoded(png::decode(data, &limits, wanted, &clock(&limits)), &limits);
}

/// A GIF.
pub fn gif(data: &[u8]) {
    let wanted = wanted(data);
    let limits = limits(data, GIF, wanted);
    check_decoded(gif::decode(data, &limits, wanted, &clock(&limits)), &limits);
}

/// A WebP.
pub fn webp(data: &[u8]) {
    let wanted = wanted(data);
    let limits = limits(data, data.len() as u64, wanted);
    check_decoded(webp::decode(data, &limits, wanted), &limits);
}

/// A HEIC.
#[cfg(feature = "heic")]
pub fn heic(data: &[u8]) {
    let wanted = wanted(data);
    let limits = limits(data, data.len() as u64, wanted);
    check_decoded(super::heic::decode(data, &limits, wanted, &clock(&limits)), &limits);
}

/// Frames beyond the first.
pub fn animation(data: &[u8]) {
    let limits = limits(data, DRAWING + data.len() as u64, LUMA);
    let mut before = 0;
    for (index, Photo { luma, size, .. }) in animation::later_frames(data, &limits) {
        assert!(index > before, "frame {index} after {before}");
        assert_eq!(luma.dimensions(), size);
        before = index;
    }
    if before > 0 {
        let colour = animation::frame_colour(data, &limits, before);
        assert!(colour.is_ok(), "frame {before} is there in luma alone");
    }
}

/// A JPEG through its own decoder, at one scale or in colour.
pub fn jpeg(data: &[u8]) {
    let limits = limits(data, 0, LUMA);
    let Some(outline) = small_outline(data, &limits) else { return };
    let (width, height) = outline.size();
    let (scale, pixels) = [(Scale::Full, 8), (Scale::Half, 4), (Scale::Quarter, 2), (Scale::Eighth, 1)]
        [[0, 0, 1, 2, 3, 0, 1, 0][choice(data) / 16 % 8]];
    let colour = (choice(data) / 128).is_multiple_of(4);
    if outline.memory(scale, colour) > limits.memory.total() {
        return;
    }
    let check = |plane: &Plane| {
        assert_eq!(plane.pixels.len(), plane.width * plane.height);
        assert!(plane.rows <= plane.height);
        assert!(!plane.whole || plane.rows == plane.height);
        assert!(plane.pixels[plane.rows * plane.width..].iter().all(|level| *level == super::rows::GREY));
    };
    let clock = clock(&limits);
    let luma = if colour {
        outline.colour(scale, &clock).map(|colour| {
            colour.chroma.iter().for_each(check);
            let fits = |plane: &Plane| plane.width <= colour.luma.width && plane.height <= colour.luma.height;
            assert!(colour.chroma.iter().all(fits));
            colour.luma
        })
    } else {
        outline.luma(scale, &clock)
    };
    let Ok(luma) = luma else { return };
    check(&luma);
    let made = |side: u32| (side as usize * pixels).div_ceil(8);
    assert_eq!((luma.width, luma.height), (made(width), made(height)));
}

/// Its outline, where the picture is of a kind and size that the own decoder reads.
pub(super) fn small_outline<'a>(data: &'a [u8], limits: &DecodeLimits) -> Option<Outline<'a>> {
    let outline = Outline::read(data).ok()?;
    let (width, height) = outline.size();
    let small = u64::from(width) * u64::from(height) <= limits.max_pixels;
    (small && outline.has_plain_luma()).then_some(outline)
}

/// A JPEG as the rest of the program reads it: whatever its own decoder leaves goes to a general one.
pub fn jpeg_general(data: &[u8]) {
    if !data.starts_with(b"\xff\xd8\xff") {
        return;
    }
    let wanted = wanted(data);
    let limits = limits(data, 0, wanted);
    if wanted.colour {
        let _ = decode_colour(data, &limits, wanted.enough);
    } else {
        check_photo(&decode_reduced(data, &limits, wanted.enough), &limits);
    }
}

/// The markers of a JPEG: a size of at least a pixel, and metadata that lies within the file.
pub fn jpeg_outline(data: &[u8]) {
    let Ok(outline) = Outline::read(data) else { return };
    let (width, height) = outline.size();
    assert!((1..=0xffff).contains(&width) && (1..=0xffff).contains(&height));
    assert!(outline.memory(Scale::Eighth, false) <= outline.memory(Scale::Full, true));
    let metadata: usize = outline.exif.iter().chain(&outline.xmp).map(|block| block.len()).sum();
    assert!(metadata <= data.len());
    orientation::orientation(outline.exif.iter().copied(), outline.xmp.iter().copied());
}

/// Blocks of metadata, one Exif and one XMP, cut at a byte that the input names.
pub fn exif(data: &[u8]) {
    let Some((at, data)) = data.split_first() else { return };
    let (exif, xmp) = data.split_at(usize::from(*at).min(data.len()));
    orientation::orientation([exif, data], [xmp, data]);
}
