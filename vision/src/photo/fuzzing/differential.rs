//! Compares this project's JPEG decoder with the fallback decoder, zune-jpeg.

use std::time::Duration;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::super::clock::CpuLimit;
use super::super::decode::catch_panic;
use super::super::jpeg::{self, Plane, Scale};
use super::super::sniff::Format;

/// Grey levels by which the decoders' pixels may differ: each rounds its own transform.
const ROUNDING: u8 = 2;
const MAX_PIXELS: u32 = 1 << 14;

/// If both decoders succeed, the pictures have the same size; if both find the file complete, and its
/// scans in a valid order, they have the same pixels. zune-jpeg omits rows of sequential files with several scans.
pub fn jpeg_differential(data: &[u8]) {
    let Ok(decoder) = jpeg::Decoder::new(data) else { return };
    let (width, height) = decoder.size();
    let is_comparable = decoder.has_valid_scan_order() && decoder.is_progressive_or_interleaved();
    if width * height > MAX_PIXELS || !decoder.is_supported() || !is_comparable {
        return;
    }
    // zune-jpeg reads a length after this marker, which has none (ITU-T T.81, B.1.1.3).
    if memchr::memmem::find(data, b"\xff\x01").is_some() {
        return;
    }
    let clock = CpuLimit::start(Duration::from_secs(2));
    let (Ok(own), Some((size, pixels))) = (decoder.decode_luma(Scale::Full, &clock), decode_with_zune(data)) else {
        return;
    };
    assert_eq!((own.width, own.height), size, "the decoders read different sizes");
    if own.complete && decoder.is_complete(u64::MAX, &clock) == Some(true) {
        assert_eq!(own.pixels.len(), pixels.len());
        check_blocks(&own, &pixels);
    }
}

/// Compares the blocks without black or white pixels: those with a pixel that was clamped can have coefficients that
/// no encoder writes, on which integer transforms overflow.
fn check_blocks(own: &Plane, other: &[u8]) {
    let block = |pixels: &[u8], x: usize, y: usize| -> Vec<u8> {
        let rows = (y..own.height.min(y + 8)).map(|y| y * own.width);
        rows.flat_map(|row| pixels[row + x..row + own.width.min(x + 8)].to_vec()).collect()
    };
    for y in (0..own.height).step_by(8) {
        for x in (0..own.width).step_by(8) {
            let (own, other) = (block(&own.pixels, x, y), block(other, x, y));
            if own.iter().any(|level| matches!(level, 0 | 255)) {
                continue;
            }
            let worst = own.iter().zip(&other).map(|(own, other)| own.abs_diff(*other)).max();
            assert!(worst <= Some(ROUNDING), "the block at {x}, {y} differs by {worst:?}");
        }
    }
}

/// Size and luma of a file that zune-jpeg finds valid.
fn decode_with_zune(data: &[u8]) -> Option<((usize, usize), Vec<u8>)> {
    let options = DecoderOptions::default().set_strict_mode(true).jpeg_set_out_colorspace(ColorSpace::Luma);
    let decode = || {
        let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(data), options);
        decoder.decode_headers().ok()?;
        let size = decoder.dimensions().filter(|(width, height)| width * height <= MAX_PIXELS as usize)?;
        Some((size, decoder.decode().ok()?))
    };
    // In test builds its assertions are enabled.
    catch_panic(Format::Jpeg, || Ok(decode())).ok().flatten()
}
