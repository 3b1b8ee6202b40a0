//! The decoder against zune-jpeg, against itself at other scales, and against damage.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::*;

/// What libjpeg makes of a part of the bundled mean face, 75×53 pixels: progressive with refining scans, which the
/// encoder here does not write, 4:2:0 and a restart every seven units. Made with Pillow:
/// `save("refined.jpg", quality=85, subsampling="4:2:0", progressive=True, restart_marker_blocks=7)`.
const REFINED: &[u8] = include_bytes!("refined.jpg");

const SAMPLINGS: [SamplingFactor; 7] = [
    SamplingFactor::F_1_1,
    SamplingFactor::F_2_1,
    SamplingFactor::F_1_2,
    SamplingFactor::F_2_2,
    SamplingFactor::F_4_1,
    SamplingFactor::F_4_2,
    SamplingFactor::F_2_4,
];

/// How a test's file is written.
#[derive(Debug, Clone, Copy)]
struct Writing {
    width: u16,
    height: u16,
    quality: u8,
    sampling: SamplingFactor,
    grey: bool,
    progressive: bool,
    restart_interval: u16,
}

const PLAIN: Writing = Writing {
    width: 67,
    height: 45,
    quality: 85,
    sampling: SamplingFactor::F_2_2,
    grey: false,
    progressive: false,
    restart_interval: 0,
};

impl Writing {
    /// A soft picture with hard edges and some noise, so that blocks of every fullness occur.
    fn written(self) -> Vec<u8> {
        let channels = if self.grey { 1 } else { 3 };
        let mut noise = 1_u32;
        let mut pixels = Vec::new();
        for y in 0..u32::from(self.height) {
            for x in 0..u32::from(self.width) {
                for channel in 0..channels {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let soft = 120.0 + 90.0 * f64::sin(f64::from(x * (channel + 1) + y) / 23.0);
                    let edge = if (x / 19 + y / 13) % 3 == 0 { 60 } else { 0 };
                    let grain = if x > y { (noise >> 24) / 12 } else { 0 };
                    pixels.push((soft as u32 + edge + grain).min(255) as u8);
                }
            }
        }
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, self.quality);
        encoder.set_sampling_factor(self.sampling);
        encoder.set_progressive(self.progressive);
        encoder.set_restart_interval(self.restart_interval);
        let colour = if self.grey { ColorType::Luma } else { ColorType::Rgb };
        encoder.encode(&pixels, self.width, self.height, colour).unwrap();
        bytes
    }
}

fn whole(bytes: &[u8], scale: Scale) -> Luma {
    luma(bytes, scale).unwrap().unwrap()
}

fn zune(bytes: &[u8]) -> Option<Vec<u8>> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
    zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options).decode().ok()
}

fn worst(one: &[u8], other: &[u8]) -> u8 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[track_caller]
fn assert_like_zune(writing: Writing) {
    let bytes = writing.written();
    let luma = whole(&bytes, Scale::Full);
    assert_eq!((luma.width, luma.height), (writing.width.into(), writing.height.into()));
    let difference = worst(&luma.pixels, &zune(&bytes).unwrap());
    assert!(difference <= 2, "{writing:?} differs by {difference}");
}

#[test]
fn every_size_reads_as_in_zune() {
    for size in 1..40 {
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2] {
            for progressive in [false, true] {
                assert_like_zune(Writing { width: size, height: 41 - size, sampling, progressive, ..PLAIN });
            }
        }
    }
}

#[test]
fn the_sampling_of_colour_makes_no_difference() {
    // zune-jpeg 0.5.15 itself fails here: 1×2 progressive, and 4×2 and 2×4 sequential, come out
    // damaged. libjpeg agrees with this decoder on all of them.
    let alone = whole(&Writing { sampling: SamplingFactor::F_1_1, ..PLAIN }.written(), Scale::Full);
    for sampling in SAMPLINGS {
        for progressive in [false, true] {
            let other = whole(&Writing { sampling, progressive, ..PLAIN }.written(), Scale::Full);
            assert!(other == alone, "{sampling:?}, progressive {progressive}");
        }
    }
}

#[test]
fn grey_files_read_as_in_zune() {
    for progressive in [false, true] {
        for restart_interval in [0, 5] {
            assert_like_zune(Writing { grey: true, progressive, restart_interval, ..PLAIN });
        }
    }
}

#[test]
fn every_quality_reads_as_in_zune() {
    for quality in [1, 5, 20, 50, 75, 90, 95, 99, 100] {
        for progressive in [false, true] {
            assert_like_zune(Writing { quality, progressive, width: 200, height: 133, ..PLAIN });
        }
    }
}

#[test]
fn every_restart_interval_reads_as_in_zune() {
    for restart_interval in [1, 2, 3, 7, 15, 1000] {
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2] {
            assert_like_zune(Writing { restart_interval, sampling, ..PLAIN });
        }
    }
}

#[test]
fn refining_scans_read_as_in_zune() {
    let luma = whole(REFINED, Scale::Full);
    assert!(worst(&luma.pixels, &zune(REFINED).unwrap()) <= 2);
}

#[test]
fn a_reduced_picture_is_the_full_one_averaged() {
    let files = [
        PLAIN.written(),
        Writing { progressive: true, ..PLAIN }.written(),
        Writing { grey: true, ..PLAIN }.written(),
        REFINED.to_vec(),
    ];
    for bytes in files {
        let full = whole(&bytes, Scale::Full);
        for (scale, side) in [(Scale::Half, 2), (Scale::Quarter, 4), (Scale::Eighth, 8)] {
            let reduced = whole(&bytes, scale);
            assert_eq!(reduced.width, full.width.div_ceil(side));
            assert_eq!(reduced.height, full.height.div_ceil(side));
            let (mut apart, mut bias, mut count) = (0.0, 0.0, 0.0);
            // Without blocks at the edge, which go on outside the full picture.
            for y in 0..full.height / 8 * 8 / side {
                for x in 0..full.width / 8 * 8 / side {
                    let rows = (y * side..).take(side);
                    let area = rows.flat_map(|row| &full.pixels[row * full.width + x * side..][..side]);
                    let mean = area.map(|level| f64::from(*level)).sum::<f64>() / (side * side) as f64;
                    let difference = f64::from(reduced.pixels[y * reduced.width + x]) - mean;
                    (apart, bias, count) = (apart + difference.abs(), bias + difference, count + 1.0);
                }
            }
            assert!(apart / count < 5.0 && (bias / count).abs() < 0.5, "{scale:?}: {apart} {bias} {count}");
        }
    }
}

#[test]
fn scales_of_a_progressive_file_equal_those_of_a_sequential_one() {
    // The same coefficients, written either way.
    for scale in [Scale::Full, Scale::Half, Scale::Quarter, Scale::Eighth] {
        let sequential = whole(&PLAIN.written(), scale);
        assert_eq!(whole(&Writing { progressive: true, ..PLAIN }.written(), scale), sequential);
    }
}

#[test]
fn reduced_scales_of_a_refined_file_equal_those_of_all_its_coefficients() {
    // What is skipped must not change what is kept: the 1/8 picture is the DC terms alone, which
    // the full picture's blocks have as their means.
    let full = whole(REFINED, Scale::Full);
    let eighth = whole(REFINED, Scale::Eighth);
    for y in 0..full.height / 8 {
        for x in 0..full.width / 8 {
            let area = (8 * y..8 * y + 8).flat_map(|row| &full.pixels[row * full.width + 8 * x..][..8]);
            let levels: Vec<u8> = area.copied().collect();
            // Levels that were cut off at black or white have moved the mean.
            if levels.iter().all(|level| (1..255).contains(level)) {
                let mean = levels.iter().map(|level| f64::from(*level)).sum::<f64>() / 64.0;
                assert!((mean - f64::from(eighth.pixels[y * eighth.width + x])).abs() < 1.0);
            }
        }
    }
}

#[test]
fn a_flipped_byte_never_panics_and_mostly_reads_as_in_zune() {
    let small = Writing { width: 40, height: 30, ..PLAIN };
    let files = [
        small.written(),
        Writing { progressive: true, ..small }.written(),
        Writing { restart_interval: 2, ..small }.written(),
        Writing { grey: true, quality: 95, ..small }.written(),
        REFINED.to_vec(),
    ];
    let (mut compared, mut differing) = (0, 0);
    for whole in files {
        for (at, flip) in (0..whole.len()).flat_map(|at| [0xff, 0xa5, 0x01, 0x10].map(|flip| (at, flip))) {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            // A side of the header may have become thousands of times as long.
            if zune_size(&bytes).is_none_or(|(width, height)| width * height > 1 << 16) {
                continue;
            }
            for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
                let _ = luma(&bytes, scale);
            }
            let (Ok(Some(ours)), Some(theirs)) = (luma(&bytes, Scale::Full), zune(&bytes)) else { continue };
            if ours.pixels.len() == theirs.len() {
                compared += 1;
                differing += u32::from(worst(&ours.pixels, &theirs) > 2);
            }
        }
    }
    // Nine in a thousand; in most of them libjpeg has this decoder's picture, not zune's.
    assert!(compared > 10_000 && differing * 50 < compared, "{differing} of {compared} differ");
}

fn zune_size(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut decoder = zune_jpeg::JpegDecoder::new(ZCursor::new(bytes));
    decoder.decode_headers().ok()?;
    decoder.dimensions()
}

#[test]
fn a_file_cut_short_is_an_error_at_every_length() {
    for whole in [PLAIN.written(), Writing { progressive: true, ..PLAIN }.written(), REFINED.to_vec()] {
        for length in 0..whole.len() {
            for scale in [Scale::Full, Scale::Half, Scale::Quarter, Scale::Eighth] {
                let cut = luma(&whole[..length], scale);
                assert!(cut.is_err(), "{length} of {} bytes give a picture", whole.len());
                assert!(length < 2 || cut == Err(JpegError::Truncated), "{length} of {}: {cut:?}", whole.len());
            }
        }
    }
}

#[test]
fn data_cut_out_of_a_scan_is_damage() {
    for restart_interval in [0, 4] {
        let mut bytes = Writing { restart_interval, ..PLAIN }.written();
        let end = bytes.len();
        bytes.drain(end - 200..end - 2);
        assert_eq!(luma(&bytes, Scale::Full), Err(JpegError::Damaged));
        assert_eq!(luma(&bytes, Scale::Eighth), Err(JpegError::Damaged));
    }
}

#[test]
fn other_kinds_are_left_to_a_general_decoder() {
    let bytes = PLAIN.written();
    let frame = memchr::memmem::find(&bytes, b"\xff\xc0").unwrap();
    // The frame header: marker, length, precision, height, width, count, then three bytes each.
    let kinds: [(usize, &[u8]); 7] = [
        (1, &[0xc3]),               // lossless
        (1, &[0xc9]),               // arithmetic coding
        (1, &[0xcf]),               // hierarchical, lossless and arithmetic
        (4, &[12]),                 // 12 bits
        (5, &[0, 0]),               // height told later
        (14, &[0x42]),              // colour finer than luma
        (10, b"R\x22\0G\x11\x01B"), // red, green, blue
    ];
    for (at, kind) in kinds {
        let mut other = bytes.clone();
        other[frame + at..][..kind.len()].copy_from_slice(kind);
        let scan = memchr::memmem::find(&other, b"\xff\xda").unwrap();
        for (place, id) in [(5, 10), (7, 13), (9, 16)] {
            other[scan + place] = other[frame + id];
        }
        assert_eq!(luma(&other, Scale::Full), Ok(None), "{kind:?}");
    }
}

#[test]
fn a_swarm_of_scans_is_refused() {
    let mut bytes = Writing { progressive: true, ..PLAIN }.written();
    let first = memchr::memmem::find(&bytes, b"\xff\xda").unwrap();
    // A scan of luma's last coefficient, with one byte of data.
    let scan = [0xff, 0xda, 0, 8, 1, bytes[first + 5], 0, 63, 63, 0, 0];
    bytes.splice(first..first, std::iter::repeat_n(scan, MAX_SCANS).flatten());
    assert_eq!(luma(&bytes, Scale::Full), Err(JpegError::Damaged));
}
