//! The own JPEG decoder against a general one.

use std::time::Duration;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::super::clock::WorkClock;
use super::super::decode::guarded;
use super::super::jpeg::{Outline, Plane, Scale};
use super::super::sniff::Format;

/// Grey levels by which two decoders' pixels may differ: each rounds its own transform.
const ROUNDING: u8 = 2;
const PIXELS: u32 = 1 << 14;

/// Where both decoders answer, the pictures have the same size; where both find the file whole, and its
/// scans in order, they have the same pixels. zune-jpeg leaves out rows of sequential files with several scans.
pub fn jpeg_differential(data: &[u8]) {
    let Ok(outline) = Outline::read(data) else { return };
    let (width, height) = outline.size();
    if width * height > PIXELS || !outline.has_plain_luma() || !outline.is_orderly() || !outline.is_usual() {
        return;
    }
    let clock = WorkClock::start(Duration::from_secs(2));
    let (Ok(own), Some((size, pixels))) = (outline.luma(Scale::Full, &clock), general(data)) else { return };
    assert_eq!((own.width, own.height), size, "two sizes of one picture");
    if own.whole && outline.is_complete(u64::MAX, &clock) == Some(true) {
        assert_eq!(own.pixels.len(), pixels.len());
        check_blocks(&own, &pixels);
    }
}

/// Compares what lies between black and white: a block with a pixel beyond them has coefficients that
/// no encoder writes, on which transforms in whole numbers run over.
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

/// Size and luma of a file in which the general decoder finds nothing amiss.
fn general(data: &[u8]) -> Option<((usize, usize), Vec<u8>)> {
    let options = DecoderOptions::default().set_strict_mode(true).jpeg_set_out_colorspace(ColorSpace::Luma);
    let decode = || {
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
        decoder.decode_headers().ok()?;
        let size = decoder.dimensions().filter(|(width, height)| width * height <= PIXELS as usize)?;
        Some((size, decoder.decode().ok()?))
    };
    // In builds for tests its assertions are on.
    guarded(Format::Jpeg, || Ok(decode())).ok().flatten()
}
