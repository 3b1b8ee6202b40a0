//! Hostile files, generated: decompression bombs, the costliest that the limits permit, damaged and disguised
//! ones.

use std::time::Duration;

use cpu_time::ThreadTime;
use faceguesser::photo::{
    DecodeLimits, MemoryBudget, PhotoError, decode, decode_colour, decode_reduced, sampled_frames,
};
use faceguesser::{Framing, GuessError, Guesser};
use rand::{RngExt, SeedableRng};

use super::support;
use super::support::bombs::{self, Scan};

fn guesser(limits: DecodeLimits) -> Guesser {
    Guesser::builder().limits(limits).build().unwrap()
}

/// A small file of every format and variant.
fn small_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("baseline.jpg", bombs::jpeg(75, 53, false)),
        ("progressive.jpg", bombs::jpeg(75, 53, true)),
        ("deep.png", bombs::deep_png(40, 30)),
        ("animated.png", bombs::apng(24, 5)),
        ("lossless.webp", bombs::webp(60, 40)),
        ("still.gif", bombs::gif(60, 40)),
        ("animated.gif", bombs::long_gif(30, 6)),
    ]
}

#[test]
fn bombs_are_refused_by_their_header_and_reserve_nothing() {
    let mut large_jpeg = bombs::jpeg(64, 64, false);
    let frame = large_jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    // 280 megapixels.
    large_jpeg[frame + 5..frame + 9].copy_from_slice(&[0x40, 0x00, 0x42, 0xc0]);
    let mut large_gif = bombs::gif(20, 20);
    large_gif[6..10].fill(0xff);
    let bombs = [
        ("a PNG of 65,536²", bombs::png_header(65_536, 65_536)),
        ("a PNG of one very long row", bombs::png_header(2_000_000_000, 1)),
        ("a JPEG of 280 megapixels", large_jpeg),
        ("a GIF of 65,535²", large_gif),
        ("a JPEG of 3,000 scans", bombs::many_scans(64, 64, 1, 3000, Scan::Empty)),
    ];
    // With an empty memory budget, any reservation would be refused as too large for it.
    let limits = DecodeLimits { memory: MemoryBudget::new(0), ..DecodeLimits::default() };
    for (name, bytes) in bombs {
        let begun = ThreadTime::now();
        let refused = decode(&bytes, &limits).unwrap_err();
        assert!(begun.elapsed() < Duration::from_millis(200), "{name}: {:?}", begun.elapsed());
        match refused {
            PhotoError::TooManyPixels { width, height, limit } => {
                assert!(u64::from(width) * u64::from(height) > limit && limit == limits.max_pixels, "{name}");
            }
            PhotoError::Damaged { format: "JPEG" } if name.contains("scans") => {}
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn the_costliest_permitted_files_take_no_longer_than_one_photo_may() {
    let limits = DecodeLimits::default();
    let most = limits.cpu_time;
    let guesser = guesser(limits.clone());
    let files = [
        ("JPEG, 48 megapixels", bombs::jpeg(8000, 6000, false)),
        ("progressive JPEG, 48 megapixels", bombs::jpeg(8000, 6000, true)),
        ("JPEG, 250 empty scans of 50 megapixels", bombs::many_scans(7000, 7000, 1, 250, Scan::Empty)),
        ("JPEG, 250 refining scans of 50 megapixels", bombs::many_scans(7000, 7000, 1, 250, Scan::RefinesNothing)),
        ("JPEG, 200 refined means of 50 megapixels", bombs::many_scans(7000, 7000, 1, 200, Scan::RefinesMeans)),
        ("CMYK JPEG, 250 scans of 8 megapixels", bombs::many_scans(2900, 2900, 4, 250, Scan::RefinesNothing)),
        ("PNG of 16 bits, 49 megapixels", bombs::deep_png(7000, 7000)),
        ("WebP, 11 megapixels", bombs::webp(3900, 2900)),
        ("GIF, 50 megapixels", bombs::gif(8000, 6200)),
        ("GIF of 60 frames", bombs::long_gif(1800, 60)),
        ("APNG of 60 frames", bombs::apng(1800, 60)),
        ("twenty people", support::photo_with_faces(20)),
    ];
    for (name, bytes) in files {
        assert!(bytes.len() as u64 <= limits.max_bytes, "{name} has {} bytes", bytes.len());
        let begun = ThreadTime::now();
        let answer = guesser.timed(&bytes, Framing::Find);
        let took = begun.elapsed();
        println!(
            "{name}, {} kB: {took:.2?}, {}",
            bytes.len() >> 10,
            match &answer {
                Ok((analysis, _)) => format!("{} faces", analysis.faces.len()),
                Err(error) => error.to_string(),
            }
        );
        // The general decoder, which cannot be interrupted, refuses scans out of order as damage.
        let damaged = PhotoError::Damaged { format: "JPEG" };
        let refused = |error: &PhotoError| *error == PhotoError::TimeLimit || *error == damaged;
        assert!(answer.is_ok() || matches!(&answer, Err(GuessError::Photo(error)) if refused(error)), "{name}");
        // One frame and one pass of the face detector cannot be interrupted.
        assert!(took < most + Duration::from_millis(500), "{name} took {took:?}");
        let begun = ThreadTime::now();
        let drawn = decode_colour(&bytes, &limits, 1280);
        let took = begun.elapsed();
        assert!(
            drawn
                .as_ref()
                .map_or_else(|error| refused(error) || matches!(error, PhotoError::TooManyPixels { .. }), |_| true)
        );
        assert!(took < most + Duration::from_millis(500), "drawing {name} took {took:?}");
    }
}

#[test]
fn a_tight_time_limit_stops_every_decoder_inside_its_loops() {
    let limits = DecodeLimits { cpu_time: Duration::from_millis(5), ..DecodeLimits::default() };
    for (name, bytes) in [
        ("JPEG", bombs::jpeg(8000, 6000, false)),
        ("progressive JPEG", bombs::jpeg(8000, 6000, true)),
        ("PNG", bombs::deep_png(5000, 5000)),
        ("GIF", bombs::gif(6000, 6000)),
    ] {
        let begun = ThreadTime::now();
        assert_eq!(decode(&bytes, &limits).err(), Some(PhotoError::TimeLimit), "{name}");
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(105), "{name} went on for {took:?}");
    }
}

/// Runs every decoding step that precedes the networks: each gives a picture within the limits or an error,
/// and none panics.
pub fn assert_answered_or_refused(name: &str, bytes: &[u8]) {
    let limits = DecodeLimits { max_pixels: 1_000_000, ..DecodeLimits::default() };
    for enough in [u32::MAX, 16] {
        if let Ok(photo) = decode_reduced(bytes, &limits, enough) {
            let (width, height) = photo.luma.dimensions();
            assert!(width > 0 && height > 0 && u64::from(width) * u64::from(height) <= limits.max_pixels, "{name}");
        }
    }
    drop(decode_colour(bytes, &limits, 64));
    for (index, frame) in sampled_frames(bytes, &limits) {
        assert!(index > 0 && frame.luma.width() > 0, "{name}");
    }
}

#[test]
fn files_cut_at_every_byte_are_answered_or_refused() {
    for (name, file) in small_files() {
        for length in 0..=file.len() {
            assert_answered_or_refused(name, &file[..length]);
        }
    }
}

#[test]
fn files_with_flipped_bits_and_moved_pieces_are_answered_or_refused() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    for (name, file) in small_files() {
        for _ in 0..400 {
            let mut bytes = file.clone();
            for _ in 0..random.random_range(1..6) {
                let at = random.random_range(0..bytes.len());
                match random.random_range(0..4) {
                    0 => bytes[at] ^= 1 << random.random_range(0..8),
                    1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random.random_range(0..6)],
                    2 => drop(bytes.splice(at..(at + 3).min(bytes.len()), [])),
                    _ => {
                        let piece = bytes[at..(at + 16).min(bytes.len())].to_vec();
                        let to = random.random_range(0..=bytes.len());
                        drop(bytes.splice(to..to, piece));
                    }
                }
            }
            assert_answered_or_refused(name, &bytes);
        }
    }
}

#[test]
fn a_polyglot_file_is_the_picture_it_begins_with() {
    let picture = support::tiny_photo();
    let alone = decode(&picture, &DecodeLimits::default()).unwrap().luma;
    let others: [&[u8]; 5] = [
        b"PK\x03\x04\x14\0\0\0\0\0archive",
        b"<html><script>alert(1)</script></html>",
        b"%PDF-1.7\n1 0 obj",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        &picture,
    ];
    for other in others {
        let both = [&picture[..], other].concat();
        let photo = decode(&both, &DecodeLimits::default()).unwrap();
        assert!(photo.whole && photo.luma == alone);
        // The other way round it is the other format, or the same picture twice.
        let turned = [other, &picture[..]].concat();
        match decode(&turned, &DecodeLimits::default()) {
            Ok(photo) => assert!(other == picture && photo.luma == alone),
            Err(PhotoError::NotAPicture { .. } | PhotoError::Unsupported { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_recognised_by_its_content_and_not_by_its_name_or_type() {
    let program = support::program::Program::start(&[("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0")]);
    let page = program.page().await;
    let client = reqwest::Client::new();
    for (name, kind) in
        [("x.mp4", "video/mp4"), ("x.txt", "text/plain"), ("x", "application/x-msdownload"), ("x.gif", "image/gif")]
    {
        let part =
            reqwest::multipart::Part::bytes(support::photo_with_a_face()).file_name(name).mime_str(kind).unwrap();
        let form = reqwest::multipart::Form::new().part("photo", part);
        let answer = client.post(format!("{page}api/guess")).multipart(form).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        let answer: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(answer["faces"].as_array().unwrap().len(), 1, "{name}");
    }
}
