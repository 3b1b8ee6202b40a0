//! Decodes one small picture from four files: the bundled mean face on grey, 250×190 pixels, with a red square in its
//! upper left corner. Made with pillow-heif (`one`; `turned` and `mirrored` from Exif orientations 6 and 5, for which
//! it stores a rotated or mirrored picture and transforms it again by properties) and with `heif-enc --cut-tiles 128`
//! (`grid`). The corners are those that libheif 1.15 shows.

use std::time::Duration;

use super::super::{DecodeLimits, MemoryBudget, PhotoError, decode, decode_colour, decode_reduced, sampled_frames};

const ONE: &[u8] = include_bytes!("one.heic");
const GRID: &[u8] = include_bytes!("grid.heic");
const TURNED: &[u8] = include_bytes!("turned.heic");
const MIRRORED: &[u8] = include_bytes!("mirrored.heic");

/// The corner of the red square.
fn corner(bytes: &[u8]) -> (&'static str, &'static str) {
    let picture = decode_colour(bytes, &DecodeLimits::default(), u32::MAX).unwrap().picture;
    let (width, height) = picture.dimensions();
    let red = |x: u32, y: u32| picture.get_pixel(x, y).0[0] > 120 && picture.get_pixel(x, y).0[1] < 90;
    let corners = [
        (8, 8, ("top", "left")),
        (width - 9, 8, ("top", "right")),
        (8, height - 9, ("bottom", "left")),
        (width - 9, height - 9, ("bottom", "right")),
    ];
    let found: Vec<_> = corners.into_iter().filter(|(x, y, _)| red(*x, *y)).map(|(.., name)| name).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

#[test]
fn single_pictures_and_grids_are_decoded_upright_in_luma_and_in_colour() {
    let limits = DecodeLimits::default();
    let files = [
        (ONE, (250, 190), ("top", "left")),
        (GRID, (250, 190), ("top", "left")),
        (TURNED, (250, 190), ("bottom", "right")),
        (MIRRORED, (250, 190), ("top", "left")),
    ];
    for (file, size, square) in files {
        let photo = decode(file, &limits).unwrap();
        assert_eq!((photo.luma.dimensions(), photo.size, photo.reduction), (size, size, 1));
        assert!(photo.whole && corner(file) == square, "{:?}", corner(file));
        // The grey around the face.
        assert!(photo.luma.get_pixel(size.0 / 2, 4).0[0].abs_diff(150) < 8);
        assert_eq!(decode_reduced(file, &limits, 100).unwrap().luma.dimensions(), (size.0 / 2, size.1 / 2));
        assert_eq!(sampled_frames(file, &limits).count(), 0);
    }
    let (one, grid) = (decode(ONE, &limits).unwrap().luma, decode(GRID, &limits).unwrap().luma);
    let difference = one.iter().zip(grid.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
    assert!(difference / (250 * 190) < 6, "{difference}");
}

#[test]
fn truncated_files_and_those_without_hevc_are_named() {
    let limits = DecodeLimits::default();
    for length in 40..ONE.len() {
        let refused = decode(&ONE[..length], &limits).unwrap_err();
        assert!(matches!(refused, PhotoError::Truncated | PhotoError::Unsupported { .. }), "{length} bytes: {refused}");
    }
    let only_brands = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    assert!(matches!(decode(only_brands, &limits), Err(PhotoError::Unsupported { .. })));
}

#[test]
fn a_picture_is_complete_whatever_follows_it() {
    let limits = DecodeLimits::default();
    for trailer in [&[0; 1000][..], &[0xff; 1000], b"a vendor's own trailer", b"\0\0\0\x08"] {
        for file in [ONE, GRID] {
            assert!(decode(&[file, trailer].concat(), &limits).unwrap().whole, "{trailer:?}");
        }
    }
}

#[test]
fn the_tiles_that_a_cut_grid_still_has_are_decoded() {
    // Its second and last row of tiles is at the end of the file, and covers a third of the picture.
    let limits = DecodeLimits::default();
    let refused = decode(&GRID[..GRID.len() - 10], &limits).unwrap_err();
    assert_eq!(refused, PhotoError::Truncated);
    // A picture that is taller than its tiles by a few rows is answered without those.
    let mut tall = GRID.to_vec();
    let height = 128_u32 + 20;
    let grid = tall.windows(8).position(|bytes| bytes == [0, 0, 1, 1, 0, 250, 0, 190]).unwrap();
    tall[grid + 6..grid + 8].copy_from_slice(&(height as u16).to_be_bytes());
    let size = tall.windows(8).position(|bytes| bytes == [0, 0, 0, 250, 0, 0, 0, 190]).unwrap();
    tall[size + 4..size + 8].copy_from_slice(&height.to_be_bytes());
    assert!(decode(&tall, &limits).unwrap().whole);
    let photo = decode(&tall[..tall.len() - 10], &limits).unwrap();
    assert!(!photo.whole && photo.size == (250, height));
}

#[test]
fn files_with_flipped_bits_are_decoded_or_refused() {
    let limits = DecodeLimits { max_pixels: 1_000_000, ..DecodeLimits::default() };
    for file in [ONE, GRID] {
        for at in 0..file.len() {
            let mut bytes = file.to_vec();
            bytes[at] ^= 1 << (at % 8);
            if let Ok(photo) = decode(&bytes, &limits) {
                assert!(u64::from(photo.size.0) * u64::from(photo.size.1) <= limits.max_pixels);
            }
        }
    }
}

#[test]
fn limits_of_memory_and_time_hold() {
    let no_memory = DecodeLimits { memory: MemoryBudget::new(1000), ..DecodeLimits::default() };
    let no_time = DecodeLimits { cpu_time: Duration::from_micros(500), ..DecodeLimits::default() };
    let few_pixels = DecodeLimits { max_pixels: 1000, ..DecodeLimits::default() };
    for file in [ONE, GRID] {
        assert!(matches!(decode(file, &no_memory), Err(PhotoError::TooManyPixels { .. })));
        assert_eq!(decode(file, &no_time).unwrap_err(), PhotoError::TimeLimit);
        assert!(matches!(decode(file, &few_pixels), Err(PhotoError::TooManyPixels { .. })));
    }
}
