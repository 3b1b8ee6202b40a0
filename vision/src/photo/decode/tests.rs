//! Decodes every format at different sizes and orientations, complete and damaged.

use std::io::Cursor;

use super::*;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder, ImageFormat};

fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90]))
}

fn encode(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture.clone()).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG whose Exif block contains this orientation only.
fn with_orientation(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    let exif = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]];
    encoder.set_exif_metadata(exif.concat()).unwrap();
    encoder.encode_image(picture).unwrap();
    bytes
}

#[test]
fn every_orientation_of_one_photo_decodes_to_the_same_pixels() {
    let upright = gradient(64, 48);
    let reference = decode(&with_orientation(&upright, 1), &DecodeLimits::default()).unwrap().luma;
    for value in 2..=8 {
        let mut stored = DynamicImage::ImageRgb8(upright.clone());
        // Each orientation is its own inverse, except for the two quarter turns.
        let inverse = match value {
            6 => 8,
            8 => 6,
            other => other,
        };
        stored.apply_orientation(Orientation::from_exif(inverse).unwrap());
        let luma = decode(&with_orientation(&stored.into_rgb8(), value), &DecodeLimits::default()).unwrap().luma;
        assert_eq!(luma.dimensions(), reference.dimensions());
        let worst = luma.iter().zip(reference.iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(6), "orientation {value} differs by {worst:?}");
    }
}

#[test]
fn a_reduced_photo_is_upright_and_has_its_full_size() {
    let bytes = with_orientation(&gradient(640, 480), 6);
    let whole = decode(&bytes, &DecodeLimits::default()).unwrap();
    assert_eq!((whole.luma.dimensions(), whole.reduction, whole.size), ((480, 640), 1, (480, 640)));
    for (min_side, reduction) in [(321, 1), (320, 2), (161, 2), (160, 4), (80, 8), (1, 8)] {
        let small = decode_reduced(&bytes, &DecodeLimits::default(), min_side).unwrap();
        assert_eq!((small.reduction, small.size), (reduction, (480, 640)));
        assert_eq!(small.luma.dimensions(), (480 / reduction, 640 / reduction));
        let pairs = small.luma.enumerate_pixels().map(|(x, y, value)| {
            let (x, y) = (x * reduction + reduction / 2, y * reduction + reduction / 2);
            whole.luma.get_pixel(x, y).0[0].abs_diff(value.0[0])
        });
        assert!(pairs.max() <= Some(6), "at 1/{reduction}");
    }
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let small = decode_reduced(&encode(&gradient(640, 480), format), &DecodeLimits::default(), 160).unwrap();
        assert_eq!((small.reduction, small.size, small.luma.dimensions()), (4, (640, 480), (160, 120)), "{format:?}");
    }
}

#[test]
fn a_photo_decodes_alike_in_every_format() {
    let picture = gradient(80, 60);
    let png = decode(&encode(&picture, ImageFormat::Png), &DecodeLimits::default()).unwrap().luma;
    for format in [ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
        let other = decode(&encode(&picture, format), &DecodeLimits::default()).unwrap().luma;
        let mean: f64 = png.iter().zip(other.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / 4800.0;
        assert!(mean < 4.0, "{format:?} differs by {mean} on average");
    }
}

#[test]
fn an_oversized_photo_is_refused_before_decoding() {
    let limits = DecodeLimits { max_bytes: 1 << 20, max_pixels: 100, ..DecodeLimits::default() };
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
        // Truncated after the header: a decoder that continued to the pixels would return `Truncated`.
        let bytes = encode(&gradient(64, 48), format);
        let head = if format == ImageFormat::Jpeg { bytes.len() - 20 } else { bytes.len() };
        let refused = decode(&bytes[..head], &limits);
        assert_eq!(refused.unwrap_err(), PhotoError::TooManyPixels { width: 64, height: 48, limit: 100 });
    }
}

#[test]
fn too_many_bytes_are_refused() {
    let limits = DecodeLimits { max_bytes: 10, max_pixels: 100, ..DecodeLimits::default() };
    assert_eq!(decode(&[0; 11], &limits).unwrap_err(), PhotoError::TooManyBytes { bytes: 11, limit: 10 });
}

#[test]
fn a_truncated_photo_is_reported_as_cut_short() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let bytes = encode(&gradient(64, 48), format);
        let cut = &bytes[..bytes.len() * 2 / 3];
        assert_eq!(decode(cut, &DecodeLimits::default()).unwrap_err(), PhotoError::Truncated, "{format:?}");
    }
}

#[test]
fn transparency_is_composited_on_white() {
    let clear = DynamicImage::ImageRgba8(image::RgbaImage::from_pixel(4, 4, image::Rgba([0, 0, 0, 0])));
    let mut bytes = Cursor::new(Vec::new());
    clear.write_to(&mut bytes, ImageFormat::Png).unwrap();
    let luma = decode(bytes.get_ref(), &DecodeLimits::default()).unwrap().luma;
    assert!(luma.iter().all(|&value| value == 255));
}

#[test]
fn damaged_bytes_never_panic() {
    let limits = DecodeLimits { max_bytes: 1 << 20, max_pixels: 1_000_000, ..DecodeLimits::default() };
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let whole = encode(&gradient(40, 30), format);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xa5;
            // Any result will do.
            let _ = decode(&bytes, &limits);
            let _ = decode_colour(&bytes[..at], &limits, 20);
        }
    }
}

/// A picture of this size whose rows differ in brightness.
fn rows(width: u32, height: u32) -> RgbImage {
    // Noise, so that no format compresses the rows to a few bytes.
    let grain = |x: u32, y: u32| ((x * 7919 + y * 104_729) >> 4) as u8 % 8;
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(y * 240 / height) as u8 + grain(x, y); 3]))
}

#[test]
fn three_quarters_of_a_picture_are_decoded_and_reported_as_cut_short_in_every_format() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let whole = encode(&rows(320, 240), format);
        let (mut cut_short, mut refused) = (0, 0);
        for length in (whole.len() / 2..whole.len() - 30).step_by(13) {
            match decode(&whole[..length], &DecodeLimits::default()) {
                Ok(photo) => {
                    assert_eq!(photo.luma.dimensions(), (320, 240));
                    // The upper three quarters are unchanged.
                    let difference = |y: u32| photo.luma.get_pixel(100, y).0[0].abs_diff((y * 240 / 240) as u8 + 4);
                    assert!((0..176).all(|y| difference(y) < 16), "{format:?} at {length}");
                    cut_short += usize::from(!photo.whole);
                }
                Err(error) => {
                    assert_eq!(error, PhotoError::Truncated, "{format:?} at {length}");
                    refused += 1;
                }
            }
        }
        assert!(cut_short > 0 && refused > 0, "{format:?}: {cut_short} cut short, {refused} refused");
    }
}

#[test]
fn a_png_is_decoded_with_wrong_checksums_and_without_its_end() {
    let valid = encode(&gradient(64, 48), ImageFormat::Png);
    let expected = decode(&valid, &DecodeLimits::default()).unwrap().luma;
    let end = memchr::memmem::find(&valid, b"IEND").unwrap();
    let mut wrong = valid.clone();
    // The checksums of the header and of the last data chunk.
    for at in [29, end - 5] {
        wrong[at] ^= 0xff;
    }
    for bytes in [&valid[..end - 4], &valid[..end - 8], &wrong] {
        let photo = decode(bytes, &DecodeLimits::default()).unwrap();
        assert!(photo.luma == expected && photo.whole);
    }
}

/// An interlaced PNG of 70×50 RGB pixels in seven passes (PNG, 8.2), which no encoder here writes: its data is
/// stored without compression (RFC 1951, 3.2.4).
fn interlaced(picture: &RgbImage) -> Vec<u8> {
    let passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
    let mut rows = Vec::new();
    for (left, top, across, down) in passes {
        for y in (top..picture.height()).step_by(down) {
            rows.push(0);
            (left..picture.width()).step_by(across).for_each(|x| rows.extend(picture.get_pixel(x, y).0));
        }
    }
    let length = rows.len() as u16;
    let data = [&[0x78, 1, 1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), &rows, &[0; 4]].concat();
    let (width, height) = (picture.width().to_be_bytes(), picture.height().to_be_bytes());
    let header = [&width[..], &height, &[8, 2, 0, 0, 1]].concat();
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, body) in [(b"IHDR", &header), (b"IDAT", &data), (b"IEND", &Vec::new())] {
        // Without checksums, which are not verified.
        bytes.extend([&(body.len() as u32).to_be_bytes()[..], name, body, &[0; 4]].concat());
    }
    bytes
}

#[test]
fn an_interlaced_png_decodes_as_a_plain_one_at_every_reduction() {
    let picture = gradient(70, 50);
    let (plain, passes) = (encode(&picture, ImageFormat::Png), interlaced(&picture));
    for min_side in [u32::MAX, 35, 17] {
        let read = |bytes: &[u8]| decode_reduced(bytes, &DecodeLimits::default(), min_side).unwrap();
        assert!(read(&passes).whole && read(&passes).luma == read(&plain).luma, "{min_side}");
    }
    // Half of the pixels, all but those of the last pass, make a coarse picture, which does not suffice.
    let cut = decode(&passes[..passes.len() / 2], &DecodeLimits::default());
    assert_eq!(cut.unwrap_err(), PhotoError::Truncated);
    assert!(!decode(&passes[..passes.len() * 4 / 5], &DecodeLimits::default()).unwrap().whole);
}

#[test]
fn a_webp_is_decoded_if_chunks_other_than_its_picture_are_missing() {
    let mut plain = encode(&gradient(64, 48), ImageFormat::WebP);
    let expected = decode(&plain, &DecodeLimits::default()).unwrap().luma;
    // An extended file that announces Exif and XMP, but contains only part of the former.
    let chunk = plain.split_off(12);
    let extended =
        [&b"RIFF\xff\xff\0\0WEBPVP8X\x0a\0\0\0\x0c\0\0\0\x3f\0\0\x2f\0\0"[..], &chunk, b"EXIF\x40\0\0\0II*"].concat();
    let photo = decode(&extended, &DecodeLimits::default()).unwrap();
    assert!(photo.whole && photo.luma == expected);
    let in_picture = decode(&extended[..extended.len() * 2 / 3], &DecodeLimits::default());
    assert_eq!(in_picture.unwrap_err(), PhotoError::Truncated);
}

#[test]
fn a_webp_whose_picture_is_not_of_its_canvas_size_is_damaged_and_not_cut_short() {
    let picture = b"VP8 \x10\0\0\0\x10\0\0\x9d\x01\x2a\x28\0\x1e\0\0\0\0\0\0\0";
    let bytes = [&b"RIFF\x34\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\0\0\x2f\0\0"[..], picture].concat();
    assert_eq!(decode(&bytes, &DecodeLimits::default()).unwrap_err(), PhotoError::Damaged { format: "WebP" });
    let cut = decode(&bytes[..bytes.len() - 10], &DecodeLimits::default());
    assert_eq!(cut.unwrap_err(), PhotoError::Truncated);
}

#[test]
fn an_iphone_app_png_is_named_as_such() {
    let bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI\x50\0\x20\x06\x2b\xd5\xb3\x7f\0\0\0\x0dIHDR";
    let refused = decode(bytes, &DecodeLimits::default()).unwrap_err();
    assert_eq!(refused, PhotoError::Unsupported { format: "iPhone app PNG" });
}

#[test]
fn a_photo_that_exceeds_the_memory_budget_is_reduced_or_refused_by_its_size() {
    let limits = DecodeLimits { memory: MemoryBudget::new(3 << 20), ..DecodeLimits::default() };
    let picture = gradient(2000, 1000);
    let jpeg = decode(&encode(&picture, ImageFormat::Jpeg), &limits).unwrap();
    assert_eq!((jpeg.reduction, jpeg.size, jpeg.whole), (2, (2000, 1000), true));
    let refused = decode(&encode(&picture, ImageFormat::WebP), &limits).unwrap_err();
    assert!(matches!(refused, PhotoError::TooManyPixels { width: 2000, height: 1000, limit: 100_000..500_000 }));
    drop(jpeg);
    assert!(limits.memory.reserve(3 << 20).is_some(), "not all memory was released");
}
