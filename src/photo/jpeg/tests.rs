//! The decoder against zune-jpeg, against itself at other scales, and against damage.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::super::rows::GREY;
use super::*;

/// What libjpeg makes of a part of the bundled mean face, 75×53 pixels: progressive with refining scans, which the
/// encoder here does not write, 4:2:0 and a restart every seven units. Made with Pillow:
/// `save("refined.jpg", quality=85, subsampling="4:2:0", progressive=True, restart_marker_blocks=7)`.
const REFINED: &[u8] = include_bytes!("refined.jpg");

/// More time than anything here takes.
fn clock() -> WorkClock {
    WorkClock::start(std::time::Duration::from_secs(60))
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

/// What there is of the luma of a file of a plain kind.
fn luma(bytes: &[u8], scale: Scale) -> Result<Plane, JpegError> {
    let outline = Outline::read(bytes)?;
    assert!(outline.has_plain_luma());
    let luma = outline.luma(scale, &clock())?;
    Ok(Plane { whole: luma.whole && outline.is_complete(u64::MAX, &clock()) == Some(true), ..luma })
}

fn whole(bytes: &[u8], scale: Scale) -> Plane {
    let luma = luma(bytes, scale).unwrap();
    assert!(luma.whole && luma.rows == luma.height);
    luma
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
            let Ok(outline) = Outline::read(&bytes) else { continue };
            if !outline.has_plain_luma() {
                continue;
            }
            for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
                let _ = outline.colour(scale, &clock());
            }
            let (Ok(ours), Some(theirs)) = (outline.luma(Scale::Full, &clock()), zune(&bytes)) else { continue };
            if ours.whole && ours.pixels.len() == theirs.len() {
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
fn a_file_cut_short_gives_the_rows_that_are_there_at_every_length() {
    for file in [PLAIN.written(), Writing { restart_interval: 3, ..PLAIN }.written()] {
        let whole_picture = whole(&file, Scale::Full);
        let mut before = 0;
        for length in 0..=file.len() - 2 {
            let Ok(cut) = luma(&file[..length], Scale::Full) else {
                assert_eq!(before, 0, "{length}");
                continue;
            };
            assert!(cut.rows >= before, "{length}: {} rows after {before}", cut.rows);
            before = cut.rows;
            let there = cut.rows * cut.width;
            assert!(cut.pixels[..there] == whole_picture.pixels[..there], "{length}");
            assert!(cut.pixels[there..].iter().all(|level| *level == GREY));
            assert_eq!(cut.whole, cut.rows == cut.height);
            for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
                let reduced = luma(&file[..length], scale).unwrap();
                assert_eq!(reduced.rows, (before * reduced.height).div_ceil(cut.height).min(reduced.rows));
            }
        }
        assert_eq!(before, whole_picture.height, "only the end marker is missing");
    }
}

#[test]
fn a_progressive_file_cut_short_is_coarse_and_says_so() {
    for file in [Writing { progressive: true, ..PLAIN }.written(), REFINED.to_vec()] {
        let whole_picture = whole(&file, Scale::Full);
        let (mut rows, mut apart) = (0, u64::MAX);
        for length in 0..=file.len() - 2 {
            let Ok(cut) = luma(&file[..length], Scale::Full) else { continue };
            assert!(cut.rows >= rows, "{length}");
            rows = cut.rows;
            if cut.whole {
                assert!(cut == whole_picture, "{length} of {} bytes", file.len());
            }
            if rows == cut.height {
                let pairs = cut.pixels.iter().zip(&whole_picture.pixels);
                let now = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
                // A scan that is cut helps less than one that is there, but never does much harm.
                assert!(now <= apart.saturating_add(apart / 4 + 500), "{length}: {now} after {apart}");
                apart = now.min(apart);
            }
        }
        assert_eq!(rows, whole_picture.height);
    }
}

#[test]
fn what_follows_the_picture_does_not_matter() {
    for file in [PLAIN.written(), Writing { progressive: true, ..PLAIN }.written()] {
        let expected = whole(&file, Scale::Half);
        for after in [&b"\xff\xda\0\x08"[..], b"ftypmp42\xff\xd8\xff\xda", &file[..file.len() / 2], &[0xff; 9]] {
            assert!(whole(&[&file, after].concat(), Scale::Half) == expected);
        }
        // Without the end marker, too.
        assert!(whole(&file[..file.len() - 2], Scale::Half) == expected);
    }
}

#[test]
fn data_cut_out_of_a_scan_leaves_the_rows_before_it() {
    for restart_interval in [0, 4] {
        let bytes = Writing { restart_interval, ..PLAIN }.written();
        let expected = whole(&bytes, Scale::Full);
        let mut cut = bytes.clone();
        cut.drain(bytes.len() - 200..bytes.len() - 2);
        let read = luma(&cut, Scale::Full).unwrap();
        assert!(!read.whole && read.rows > 0 && read.rows < read.height);
        let there = read.rows * read.width;
        assert!(read.pixels[..there] == expected.pixels[..there]);
    }
}

#[test]
fn colour_reads_as_in_zune_at_every_sampling() {
    for (sampling, progressive) in SAMPLINGS.into_iter().flat_map(|one| [(one, false), (one, true)]) {
        let bytes = Writing { sampling, progressive, ..PLAIN }.written();
        let outline = Outline::read(&bytes).unwrap();
        let Colour { luma, chroma } = outline.colour(Scale::Full, &clock()).unwrap();
        assert_eq!(chroma.len(), 2);
        // zune-jpeg fails at some samplings, and smooths colour at others: without any it is exact.
        if sampling == SamplingFactor::F_1_1 {
            let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::YCbCr);
            let theirs = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(&bytes), options).decode().unwrap();
            for (channel, plane) in [&luma, &chroma[0], &chroma[1]].into_iter().enumerate() {
                let theirs: Vec<u8> = theirs.iter().skip(channel).step_by(3).copied().collect();
                assert!(worst(&plane.pixels, &theirs) <= 2, "channel {channel}, progressive {progressive}");
            }
        }
        for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
            let reduced = outline.colour(scale, &clock()).unwrap();
            assert!(reduced.chroma.iter().all(|plane| plane.width <= reduced.luma.width && plane.whole));
        }
    }
}

#[test]
fn kinds_that_nothing_here_reads_are_named_and_others_are_left_to_a_general_decoder() {
    let bytes = PLAIN.written();
    let frame = memchr::memmem::find(&bytes, b"\xff\xc0").unwrap();
    // The frame header: marker, length, precision, height, width, count, then three bytes each.
    let kinds: [(usize, &[u8], Option<&str>); 9] = [
        (1, &[0xc3], Some("lossless JPEG")),
        (1, &[0xc6], Some("hierarchical JPEG")),
        (1, &[0xc9], Some("arithmetic-coded JPEG")),
        (1, &[0xca], Some("arithmetic-coded JPEG")),
        (1, &[0xf7], Some("JPEG-LS")),
        (4, &[12], Some("12-bit JPEG")),
        (5, &[0, 0], Some("JPEG that tells its height at its end")),
        (14, &[0x42], None),              // colour finer than luma
        (10, b"R\x22\0G\x11\x01B", None), // red, green, blue
    ];
    for (at, kind, named) in kinds {
        let mut other = bytes.clone();
        other[frame + at..][..kind.len()].copy_from_slice(kind);
        let scan = memchr::memmem::find(&other, b"\xff\xda").unwrap();
        for (place, id) in [(5, 10), (7, 13), (9, 16)] {
            other[scan + place] = other[frame + id];
        }
        let read = Outline::read(&other);
        match named {
            Some(named) => assert_eq!(read.err(), Some(JpegError::Unsupported(named))),
            None => assert!(!read.unwrap().has_plain_luma(), "{kind:?}"),
        }
    }
}

#[test]
fn a_swarm_of_scans_is_refused() {
    let mut bytes = Writing { progressive: true, ..PLAIN }.written();
    let first = memchr::memmem::find(&bytes, b"\xff\xda").unwrap();
    // A scan of luma's last coefficient, with one byte of data.
    let scan = [0xff, 0xda, 0, 8, 1, bytes[first + 5], 0, 63, 63, 0, 0];
    bytes.splice(first..first, std::iter::repeat_n(scan, MAX_SCANS).flatten());
    assert_eq!(Outline::read(&bytes).err(), Some(JpegError::Damaged));
}
