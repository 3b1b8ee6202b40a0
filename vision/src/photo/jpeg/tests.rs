//! Compares the decoder with zune-jpeg and with itself at other scales, and decodes damaged files.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::super::downscale::GREY;
use super::*;

/// A part of the bundled mean face as libjpeg encodes it, 75×53 pixels: progressive with refinement scans, which the
/// encoder here does not write, 4:2:0 and a restart every seven MCUs. Made with Pillow:
/// `save("refined.jpg", quality=85, subsampling="4:2:0", progressive=True, restart_marker_blocks=7)`.
const REFINED: &[u8] = include_bytes!("refined.jpg");

/// A limit that no test here reaches.
fn clock() -> CpuLimit {
    CpuLimit::start(std::time::Duration::from_secs(60))
}

const SAMPLINGS: [SamplingFactor; 7] = [
    SamplingFactor::F_1_1,
    SamplingFactor::F_2_1,
    SamplingFactor::F_1_2,
    SamplingFactor::F_2_2,
    SamplingFactor::F_4_1,
    SamplingFactor::F_4_2,
    SamplingFactor::F_2_4,
];

/// How a test's file is encoded.
#[derive(Debug, Clone, Copy)]
struct TestImage {
    width: u16,
    height: u16,
    quality: u8,
    sampling: SamplingFactor,
    grey: bool,
    progressive: bool,
    restart_interval: u16,
}

const PLAIN: TestImage = TestImage {
    width: 67,
    height: 45,
    quality: 85,
    sampling: SamplingFactor::F_2_2,
    grey: false,
    progressive: false,
    restart_interval: 0,
};

impl TestImage {
    /// A smooth picture with hard edges and some noise, so that blocks with few and with many coefficients occur.
    fn encoded(self) -> Vec<u8> {
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

/// The luma of a supported file, as far as it can be decoded.
fn decode(bytes: &[u8], scale: Scale) -> Result<Plane, JpegError> {
    let decoder = Decoder::new(bytes)?;
    assert!(decoder.is_supported());
    let luma = decoder.decode_luma(scale, &clock())?;
    Ok(Plane { complete: luma.complete && decoder.is_complete(u64::MAX, &clock()) == Some(true), ..luma })
}

fn decode_complete(bytes: &[u8], scale: Scale) -> Plane {
    let luma = decode(bytes, scale).unwrap();
    assert!(luma.complete && luma.decoded_rows == luma.height);
    luma
}

fn decode_with_zune(bytes: &[u8]) -> Option<Vec<u8>> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
    zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options).decode().ok()
}

fn max_difference(one: &[u8], other: &[u8]) -> u8 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[track_caller]
fn assert_matches_zune(image: TestImage) {
    let bytes = image.encoded();
    let luma = decode_complete(&bytes, Scale::Full);
    assert_eq!((luma.width, luma.height), (image.width.into(), image.height.into()));
    let difference = max_difference(&luma.pixels, &decode_with_zune(&bytes).unwrap());
    assert!(difference <= 2, "{image:?} differs by {difference}");
}

#[test]
fn every_size_decodes_as_in_zune() {
    for size in 1..40 {
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2] {
            for progressive in [false, true] {
                assert_matches_zune(TestImage { width: size, height: 41 - size, sampling, progressive, ..PLAIN });
            }
        }
    }
}

#[test]
fn chroma_subsampling_does_not_change_the_luma() {
    // Not compared with zune-jpeg 0.5.15, which decodes 1×2 progressive, and 4×2 and 2×4 sequential, to
    // corrupt pictures. libjpeg agrees with this decoder on all of them.
    let alone = decode_complete(&TestImage { sampling: SamplingFactor::F_1_1, ..PLAIN }.encoded(), Scale::Full);
    for sampling in SAMPLINGS {
        for progressive in [false, true] {
            let other = decode_complete(&TestImage { sampling, progressive, ..PLAIN }.encoded(), Scale::Full);
            assert!(other == alone, "{sampling:?}, progressive {progressive}");
        }
    }
}

#[test]
fn grey_files_decode_as_in_zune() {
    for progressive in [false, true] {
        for restart_interval in [0, 5] {
            assert_matches_zune(TestImage { grey: true, progressive, restart_interval, ..PLAIN });
        }
    }
}

#[test]
fn every_quality_decodes_as_in_zune() {
    for quality in [1, 5, 20, 50, 75, 90, 95, 99, 100] {
        for progressive in [false, true] {
            assert_matches_zune(TestImage { quality, progressive, width: 200, height: 133, ..PLAIN });
        }
    }
}

#[test]
fn every_restart_interval_decodes_as_in_zune() {
    for restart_interval in [1, 2, 3, 7, 15, 1000] {
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2] {
            assert_matches_zune(TestImage { restart_interval, sampling, ..PLAIN });
        }
    }
}

#[test]
fn refinement_scans_decode_as_in_zune() {
    let luma = decode_complete(REFINED, Scale::Full);
    assert!(max_difference(&luma.pixels, &decode_with_zune(REFINED).unwrap()) <= 2);
}

#[test]
fn a_reduced_picture_is_the_average_of_the_full_one() {
    let files = [
        PLAIN.encoded(),
        TestImage { progressive: true, ..PLAIN }.encoded(),
        TestImage { grey: true, ..PLAIN }.encoded(),
        REFINED.to_vec(),
    ];
    for bytes in files {
        let full = decode_complete(&bytes, Scale::Full);
        for (scale, side) in [(Scale::Half, 2), (Scale::Quarter, 4), (Scale::Eighth, 8)] {
            let reduced = decode_complete(&bytes, scale);
            assert_eq!(reduced.width, full.width.div_ceil(side));
            assert_eq!(reduced.height, full.height.div_ceil(side));
            let (mut error, mut bias, mut count) = (0.0, 0.0, 0.0);
            // Without the blocks at the edge, which extend beyond the full picture.
            for y in 0..full.height / 8 * 8 / side {
                for x in 0..full.width / 8 * 8 / side {
                    let rows = (y * side..).take(side);
                    let area = rows.flat_map(|row| &full.pixels[row * full.width + x * side..][..side]);
                    let mean = area.map(|level| f64::from(*level)).sum::<f64>() / (side * side) as f64;
                    let difference = f64::from(reduced.pixels[y * reduced.width + x]) - mean;
                    (error, bias, count) = (error + difference.abs(), bias + difference, count + 1.0);
                }
            }
            assert!(error / count < 5.0 && (bias / count).abs() < 0.5, "{scale:?}: {error} {bias} {count}");
        }
    }
}

#[test]
fn progressive_and_sequential_files_are_equal_at_every_scale() {
    // The same coefficients, encoded either way.
    for scale in [Scale::Full, Scale::Half, Scale::Quarter, Scale::Eighth] {
        let sequential = decode_complete(&PLAIN.encoded(), scale);
        assert_eq!(decode_complete(&TestImage { progressive: true, ..PLAIN }.encoded(), scale), sequential);
    }
}

#[test]
fn skipping_refinement_scans_does_not_change_a_reduced_picture() {
    // What is skipped must not change what is decoded: the 1/8 picture consists of the DC coefficients,
    // which are the means of the full picture's blocks.
    let full = decode_complete(REFINED, Scale::Full);
    let eighth = decode_complete(REFINED, Scale::Eighth);
    for y in 0..full.height / 8 {
        for x in 0..full.width / 8 {
            let area = (8 * y..8 * y + 8).flat_map(|row| &full.pixels[row * full.width + 8 * x..][..8]);
            let levels: Vec<u8> = area.copied().collect();
            // Levels that were clamped to black or white have shifted the mean.
            if levels.iter().all(|level| (1..255).contains(level)) {
                let mean = levels.iter().map(|level| f64::from(*level)).sum::<f64>() / 64.0;
                assert!((mean - f64::from(eighth.pixels[y * eighth.width + x])).abs() < 1.0);
            }
        }
    }
}

#[test]
fn a_flipped_byte_never_panics_and_mostly_decodes_as_in_zune() {
    let small = TestImage { width: 40, height: 30, ..PLAIN };
    let files = [
        small.encoded(),
        TestImage { progressive: true, ..small }.encoded(),
        TestImage { restart_interval: 2, ..small }.encoded(),
        TestImage { grey: true, quality: 95, ..small }.encoded(),
        REFINED.to_vec(),
    ];
    let (mut compared, mut differing) = (0, 0);
    for whole in files {
        for (at, flip) in (0..whole.len()).flat_map(|at| [0xff, 0xa5, 0x01, 0x10].map(|flip| (at, flip))) {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            // A width or height in the header may have become thousands of times as large.
            if size_in_zune(&bytes).is_none_or(|(width, height)| width * height > 1 << 16) {
                continue;
            }
            let Ok(decoder) = Decoder::new(&bytes) else { continue };
            if !decoder.is_supported() {
                continue;
            }
            for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
                let _ = decoder.decode_colour(scale, &clock());
            }
            let (Ok(ours), Some(theirs)) = (decoder.decode_luma(Scale::Full, &clock()), decode_with_zune(&bytes))
            else {
                continue;
            };
            if ours.complete && ours.pixels.len() == theirs.len() {
                compared += 1;
                differing += u32::from(max_difference(&ours.pixels, &theirs) > 2);
            }
        }
    }
    // Nine in a thousand do; on most of them libjpeg agrees with this decoder, not with zune-jpeg.
    assert!(compared > 10_000 && differing * 50 < compared, "{differing} of {compared} differ");
}

fn size_in_zune(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut decoder = zune_jpeg::JpegDecoder::new(ZCursor::new(bytes));
    decoder.decode_headers().ok()?;
    decoder.dimensions()
}

#[test]
fn a_file_cut_short_at_any_length_yields_its_available_rows() {
    for file in [PLAIN.encoded(), TestImage { restart_interval: 3, ..PLAIN }.encoded()] {
        let whole_picture = decode_complete(&file, Scale::Full);
        let mut before = 0;
        for length in 0..=file.len() - 2 {
            let Ok(cut) = decode(&file[..length], Scale::Full) else {
                assert_eq!(before, 0, "{length}");
                continue;
            };
            assert!(cut.decoded_rows >= before, "{length}: {} rows after {before}", cut.decoded_rows);
            before = cut.decoded_rows;
            let available = cut.decoded_rows * cut.width;
            assert!(cut.pixels[..available] == whole_picture.pixels[..available], "{length}");
            assert!(cut.pixels[available..].iter().all(|level| *level == GREY));
            assert_eq!(cut.complete, cut.decoded_rows == cut.height);
            for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
                let reduced = decode(&file[..length], scale).unwrap();
                assert_eq!(
                    reduced.decoded_rows,
                    (before * reduced.height).div_ceil(cut.height).min(reduced.decoded_rows)
                );
            }
        }
        assert_eq!(before, whole_picture.height, "only the end marker is missing");
    }
}

#[test]
fn a_progressive_file_cut_short_is_coarse_and_reported_as_incomplete() {
    for file in [TestImage { progressive: true, ..PLAIN }.encoded(), REFINED.to_vec()] {
        let whole_picture = decode_complete(&file, Scale::Full);
        let (mut rows, mut smallest) = (0, u64::MAX);
        for length in 0..=file.len() - 2 {
            let Ok(cut) = decode(&file[..length], Scale::Full) else { continue };
            assert!(cut.decoded_rows >= rows, "{length}");
            rows = cut.decoded_rows;
            if cut.complete {
                assert!(cut == whole_picture, "{length} of {} bytes", file.len());
            }
            if rows == cut.height {
                let pairs = cut.pixels.iter().zip(&whole_picture.pixels);
                let error = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
                // A scan that is cut short improves less than a complete one, but never does much harm.
                assert!(error <= smallest.saturating_add(smallest / 4 + 500), "{length}: {error} after {smallest}");
                smallest = error.min(smallest);
            }
        }
        assert_eq!(rows, whole_picture.height);
    }
}

#[test]
fn what_follows_the_picture_does_not_matter() {
    for file in [PLAIN.encoded(), TestImage { progressive: true, ..PLAIN }.encoded()] {
        let expected = decode_complete(&file, Scale::Half);
        for after in [&b"\xff\xda\0\x08"[..], b"ftypmp42\xff\xd8\xff\xda", &file[..file.len() / 2], &[0xff; 9]] {
            assert!(decode_complete(&[&file, after].concat(), Scale::Half) == expected);
        }
        // Without the end marker, too.
        assert!(decode_complete(&file[..file.len() - 2], Scale::Half) == expected);
    }
}

#[test]
fn markers_after_a_picture_without_its_end_marker_are_not_part_of_it() {
    for file in [PLAIN.encoded(), TestImage { progressive: true, ..PLAIN }.encoded()] {
        let expected = decode_complete(&file, Scale::Half);
        let after: [&[u8]; 5] = [
            b"\0\0\0\x18ftypmp42\xff\xc5\xff\xda",
            b"\xff\xc5\0\x0b\x08\0\x20\0\x20\x01\x01\x11\0",
            b"\xff\xda\0\x08\x01\x07\0\0\x3f\0",
            b"\0\xff\xc4\0\x05\x09\x09\x09\0\xff\x02\0\x04",
            &file,
        ];
        for after in after {
            let bytes = [&file[..file.len() - 2], after].concat();
            assert!(decode_complete(&bytes, Scale::Half) == expected, "{after:?}");
        }
    }
}

#[test]
fn data_missing_from_a_scan_leaves_the_rows_before_it() {
    for restart_interval in [0, 4] {
        let bytes = TestImage { restart_interval, ..PLAIN }.encoded();
        let expected = decode_complete(&bytes, Scale::Full);
        let mut cut = bytes.clone();
        cut.drain(bytes.len() - 200..bytes.len() - 2);
        let read = decode(&cut, Scale::Full).unwrap();
        assert!(!read.complete && read.decoded_rows > 0 && read.decoded_rows < read.height);
        let available = read.decoded_rows * read.width;
        assert!(read.pixels[..available] == expected.pixels[..available]);
    }
}

#[test]
fn colour_decodes_as_in_zune_at_every_sampling() {
    for (sampling, progressive) in SAMPLINGS.into_iter().flat_map(|one| [(one, false), (one, true)]) {
        let bytes = TestImage { sampling, progressive, ..PLAIN }.encoded();
        let decoder = Decoder::new(&bytes).unwrap();
        let Colour { luma, chroma } = decoder.decode_colour(Scale::Full, &clock()).unwrap();
        assert_eq!(chroma.len(), 2);
        // zune-jpeg fails at some samplings and smooths chroma at others: without subsampling it is exact.
        if sampling == SamplingFactor::F_1_1 {
            let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::YCbCr);
            let theirs = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(&bytes), options).decode().unwrap();
            for (channel, plane) in [&luma, &chroma[0], &chroma[1]].into_iter().enumerate() {
                let theirs: Vec<u8> = theirs.iter().skip(channel).step_by(3).copied().collect();
                assert!(max_difference(&plane.pixels, &theirs) <= 2, "channel {channel}, progressive {progressive}");
            }
        }
        for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
            let reduced = decoder.decode_colour(scale, &clock()).unwrap();
            assert!(reduced.chroma.iter().all(|plane| plane.width <= reduced.luma.width && plane.complete));
        }
    }
}

#[test]
fn unsupported_kinds_are_named_and_others_are_left_to_the_fallback_decoder() {
    let bytes = PLAIN.encoded();
    let frame = memchr::memmem::find(&bytes, b"\xff\xc0").unwrap();
    // The frame header: marker, length, precision, height, width, count, then three bytes each.
    let kinds: [(usize, &[u8], Option<&str>); 9] = [
        (1, &[0xc3], Some("lossless JPEG")),
        (1, &[0xc6], Some("hierarchical JPEG")),
        (1, &[0xc9], Some("arithmetic-coded JPEG")),
        (1, &[0xca], Some("arithmetic-coded JPEG")),
        (1, &[0xf7], Some("JPEG-LS")),
        (4, &[12], Some("12-bit JPEG")),
        (5, &[0, 0], Some("DNL JPEG")),
        (14, &[0x42], None),              // chroma finer than luma
        (10, b"R\x22\0G\x11\x01B", None), // red, green, blue
    ];
    for (at, kind, named) in kinds {
        let mut other = bytes.clone();
        other[frame + at..][..kind.len()].copy_from_slice(kind);
        let scan = memchr::memmem::find(&other, b"\xff\xda").unwrap();
        for (place, id) in [(5, 10), (7, 13), (9, 16)] {
            other[scan + place] = other[frame + id];
        }
        let read = Decoder::new(&other);
        match named {
            Some(named) => assert_eq!(read.err(), Some(JpegError::Unsupported(named))),
            None => assert!(!read.unwrap().is_supported(), "{kind:?}"),
        }
    }
}

#[test]
fn too_many_scans_are_refused() {
    let mut bytes = TestImage { progressive: true, ..PLAIN }.encoded();
    let first = memchr::memmem::find(&bytes, b"\xff\xda").unwrap();
    // A scan of the luma's last coefficient, with one byte of data.
    let scan = [0xff, 0xda, 0, 8, 1, bytes[first + 5], 0, 63, 63, 0, 0];
    bytes.splice(first..first, std::iter::repeat_n(scan, MAX_SCANS).flatten());
    assert_eq!(Decoder::new(&bytes).err(), Some(JpegError::Damaged));
}
