//! Properties of the decoders, which hold for every file that somebody may send. Compiled for fuzzing and
//! tests only.
//!
//! Each property decodes its input or gets an error, allocates no more than it may (its caller measures
//! that), and checks what was decoded. The limits are small, so that one execution is quick; one
//! input in sixteen runs with those of the program, except for memory.

mod differential;

pub use differential::jpeg_differential;

use super::clock::CpuLimit;
use super::decode::{Decoded, decode, decode_colour, decode_reduced};
use super::downscale::OutputSpec;
#[cfg(feature = "heic")]
use super::heic;
use super::jpeg::{self, Plane, Scale};
use super::{DecodeLimits, MemoryBudget, Photo, PhotoError, animation, gif, orientation, png, webp};

/// Limit of pixels for most inputs.
const PIXELS: u64 = 1 << 16;
/// Memory that decoders may reserve in addition to fixed amounts, in bytes.
const BUDGET: u64 = 1 << 20;
/// For the metadata of a PNG.
const PNG: u64 = 5 << 20;
/// For the tables of a GIF.
const GIF: u64 = 1 << 20;
/// For drawing and, before that, a PNG's metadata.
const DRAWING: u64 = super::downscale::DRAWING;

/// Memory limits of the targets: what the decoders reserve, and tables that no reservation counts.
pub const MEMORY: usize = BUDGET as usize + (1 << 19);
/// As [`MEMORY`], for a PNG.
pub const PNG_MEMORY: usize = PNG as usize + MEMORY;
/// As [`MEMORY`], for a GIF.
pub const GIF_MEMORY: usize = GIF as usize + MEMORY;
/// As [`MEMORY`], for a HEIC.
#[cfg(feature = "heic")]
pub const HEIC_MEMORY: usize = HEIC_DECODER + MEMORY;
/// For the metadata and the decoder's tables of a HEIC.
#[cfg(feature = "heic")]
pub const HEIC_DECODER: usize = heic::DECODER as usize;
/// For a lossy WebP, the length in its header is allocated, up to 16 MiB of untouched zeros.
pub const WEBP_MEMORY: usize = MEMORY + (17 << 20);

const LUMA: OutputSpec = OutputSpec { colour: false, min_side: u32::MAX };

/// A hash of the input, to select a variant.
fn hash(data: &[u8]) -> usize {
    data.iter().rev().step_by(7).fold(data.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)))
}

fn limits(data: &[u8], fixed: u64, spec: OutputSpec) -> DecodeLimits {
    let default = DecodeLimits::default();
    let max_pixels = if hash(data).is_multiple_of(16) { default.max_pixels } else { PIXELS };
    DecodeLimits { max_pixels, memory: MemoryBudget::new(BUDGET + fixed + spec.drawing_memory()), ..default }
}

fn clock(limits: &DecodeLimits) -> CpuLimit {
    CpuLimit::start(limits.cpu_time)
}

fn output_spec(data: &[u8]) -> OutputSpec {
    let hash = hash(data) / 16;
    OutputSpec { colour: hash.is_multiple_of(2), min_side: [u32::MAX, 16, 8, 5][hash / 2 % 4] }
}

/// Any file, through the functions that the rest of the program calls.
pub fn photo_bytes(data: &[u8]) {
    let spec = output_spec(data);
    let limits = limits(data, PNG, spec);
    if spec.colour {
        if let Ok(colour) = decode_colour(data, &limits, spec.min_side) {
            assert!(colour.picture.width() > 0 && colour.picture.height() > 0);
        }
        return;
    }
    let luma = decode_reduced(data, &limits, spec.min_side);
    check_photo(&luma, &limits);
    let size = luma.as_ref().map(|photo| photo.size).ok();
    drop(luma);
    match (hash(data) % 4, size) {
        (0, Some(size)) => {
            let full = decode(data, &limits);
            check_photo(&full, &limits);
            // At full size it may exceed the memory budget.
            if let Ok(full) = full {
                assert_eq!(full.size, size, "the sizes at full and at reduced scale differ");
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
            assert!(size.0 > 0 && size.1 > 0, "the photo has no pixels");
            assert!(matches!(reduction, 1 | 2 | 4 | 8));
            assert_eq!(luma.dimensions(), (size.0.div_ceil(*reduction), size.1.div_ceil(*reduction)));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn check_decoded(decoded: Result<Decoded, PhotoError>, limits: &DecodeLimits) {
    let Ok(Decoded { picture, reduction, size, decoded_rows, complete, .. }) = decoded else { return };
    assert!(u64::from(size.0) * u64::from(size.1) <= limits.max_pixels);
    assert_eq!((picture.width(), picture.height()), (size.0.div_ceil(reduction), size.1.div_ceil(reduction)));
    assert!(decoded_rows <= picture.height());
    assert!(!complete || decoded_rows == picture.height(), "complete with {decoded_rows} of {} rows", picture.height());
}

/// A PNG.
pub fn png(data: &[u8]) {
    let spec = output_spec(data);
    let limits = limits(data, PNG, spec);
    check_decoded(png::decode(data, &limits, spec, &clock(&limits)), &limits);
}

/// A GIF.
pub fn gif(data: &[u8]) {
    let spec = output_spec(data);
    let limits = limits(data, GIF, spec);
    check_decoded(gif::decode(data, &limits, spec, &clock(&limits)), &limits);
}

/// A WebP.
pub fn webp(data: &[u8]) {
    let spec = output_spec(data);
    let limits = limits(data, data.len() as u64, spec);
    check_decoded(webp::decode(data, &limits, spec, &clock(&limits)), &limits);
}

/// A HEIC.
#[cfg(feature = "heic")]
pub fn heic(data: &[u8]) {
    let spec = output_spec(data);
    let limits = limits(data, heic::DECODER + 2 * data.len() as u64, spec);
    check_decoded(heic::decode(data, &limits, spec, &clock(&limits)), &limits);
}

/// Frames of an animation after the first.
pub fn animation(data: &[u8]) {
    let limits = limits(data, DRAWING + data.len() as u64, LUMA);
    let mut before = 0;
    for (index, Photo { luma, size, .. }) in animation::sampled_frames(data, &limits) {
        assert!(index > before, "frame {index} after {before}");
        assert_eq!(luma.dimensions(), size);
        before = index;
    }
    if before > 0 {
        let colour = animation::frame_colour(data, &limits, before);
        assert!(colour.is_ok(), "frame {before} was decoded in luma only");
    }
}

/// A JPEG through this project's decoder, in luma or in colour, at one scale.
pub fn jpeg(data: &[u8]) {
    let limits = limits(data, 0, LUMA);
    let Some(decoder) = small_jpeg(data, &limits) else { return };
    let (width, height) = decoder.size();
    let (scale, pixels) = [(Scale::Full, 8), (Scale::Half, 4), (Scale::Quarter, 2), (Scale::Eighth, 1)]
        [[0, 0, 1, 2, 3, 0, 1, 0][hash(data) / 16 % 8]];
    let colour = (hash(data) / 128).is_multiple_of(4);
    if decoder.memory(scale, colour) > limits.memory.total() {
        return;
    }
    let check = |plane: &Plane| {
        assert_eq!(plane.pixels.len(), plane.width * plane.height);
        assert!(plane.decoded_rows <= plane.height);
        assert!(!plane.complete || plane.decoded_rows == plane.height);
        assert!(plane.pixels[plane.decoded_rows * plane.width..].iter().all(|level| *level == super::downscale::GREY));
    };
    let clock = clock(&limits);
    let luma = if colour {
        decoder.decode_colour(scale, &clock).map(|colour| {
            colour.chroma.iter().for_each(check);
            let fits = |plane: &Plane| plane.width <= colour.luma.width && plane.height <= colour.luma.height;
            assert!(colour.chroma.iter().all(fits));
            colour.luma
        })
    } else {
        decoder.decode_luma(scale, &clock)
    };
    let Ok(luma) = luma else { return };
    check(&luma);
    let scaled = |side: u32| (side as usize * pixels).div_ceil(8);
    assert_eq!((luma.width, luma.height), (scaled(width), scaled(height)));
}

/// A decoder of the JPEG, if it is supported and within the limit of pixels.
fn small_jpeg<'a>(data: &'a [u8], limits: &DecodeLimits) -> Option<jpeg::Decoder<'a>> {
    let decoder = jpeg::Decoder::new(data).ok()?;
    let (width, height) = decoder.size();
    let small = u64::from(width) * u64::from(height) <= limits.max_pixels;
    (small && decoder.is_supported()).then_some(decoder)
}

/// A JPEG as the program decodes it: what this project's decoder does not support goes to the fallback decoder.
pub fn jpeg_general(data: &[u8]) {
    if !data.starts_with(b"\xff\xd8\xff") {
        return;
    }
    let spec = output_spec(data);
    let limits = limits(data, 0, spec);
    if spec.colour {
        let _ = decode_colour(data, &limits, spec.min_side);
    } else {
        check_photo(&decode_reduced(data, &limits, spec.min_side), &limits);
    }
}

/// The headers of a JPEG: a size of at least a pixel, and metadata within the file.
pub fn jpeg_outline(data: &[u8]) {
    let Ok(decoder) = jpeg::Decoder::new(data) else { return };
    let (width, height) = decoder.size();
    assert!((1..=0xffff).contains(&width) && (1..=0xffff).contains(&height));
    assert!(decoder.memory(Scale::Eighth, false) <= decoder.memory(Scale::Full, true));
    let metadata: usize = decoder.exif.iter().chain(&decoder.xmp).map(|block| block.len()).sum();
    assert!(metadata <= data.len());
    orientation::orientation(decoder.exif.iter().copied(), decoder.xmp.iter().copied());
}

/// Metadata, an Exif block and an XMP packet; the first byte of the input is the length of the former.
pub fn exif(data: &[u8]) {
    let Some((at, data)) = data.split_first() else { return };
    let (exif, xmp) = data.split_at(usize::from(*at).min(data.len()));
    orientation::orientation([exif, data], [xmp, data]);
}
