//! Bytes to upright pixels, under limits that are checked before anything large is allocated.

use std::io::Cursor;

use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageError, Limits, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::jpeg::{Luma, Scale, luma};
use super::sniff::{Format, sniff};
use super::{Photo, PhotoError};

/// What a decoder may be asked to swallow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Size of the file in bytes.
    pub max_bytes: u64,
    /// Width times height. 50 megapixels hold every phone's usual photo (12 to 50) and keep one
    /// decode under about 300 MB even for a progressive JPEG, which buffers its coefficients.
    pub max_pixels: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_bytes: 20 << 20, max_pixels: 50_000_000 }
    }
}

/// Decodes a JPEG, PNG, WebP or GIF (first frame) to upright luma.
///
/// # Errors
/// [`PhotoError`] names what the file is, or which limit it exceeds; the pixel limit is held
/// against the header, before the pixels are decoded.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Photo, PhotoError> {
    decode_reduced(bytes, limits, u32::MAX)
}

/// The same at a half, a quarter or an eighth of its size, where its longer side then still has
/// `enough` pixels and the format can do so for less work, which JPEG can.
///
/// # Errors
/// As [`decode`].
pub fn decode_reduced(bytes: &[u8], limits: &DecodeLimits, enough: u32) -> Result<Photo, PhotoError> {
    let Pixels { picture, orientation, reduction, size } = pixels(bytes, limits, Colour::Luma { enough })?;
    let mut luma = DynamicImage::ImageLuma8(into_luma(picture));
    luma.apply_orientation(orientation);
    let turned = matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    let size = if turned { (size.1, size.0) } else { size };
    Ok(Photo { luma: luma.into_luma8(), reduction, size })
}

/// Decodes the same photo in colour, upright, for the picture that is sent back.
///
/// # Errors
/// As [`decode`].
pub fn decode_colour(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, PhotoError> {
    let Pixels { mut picture, orientation, .. } = pixels(bytes, limits, Colour::Rgb)?;
    picture.apply_orientation(orientation);
    Ok(on_white(&picture).unwrap_or_else(|| picture.into_rgb8()))
}

#[derive(Clone, Copy, PartialEq)]
enum Colour {
    /// At the least size whose longer side has so many pixels.
    Luma {
        enough: u32,
    },
    Rgb,
}

/// A picture as its file stores it.
struct Pixels {
    picture: DynamicImage,
    /// Turns it upright.
    orientation: Orientation,
    /// As [`Photo::reduction`].
    reduction: u32,
    /// Width and height in the file.
    size: (u32, u32),
}

fn pixels(bytes: &[u8], limits: &DecodeLimits, colour: Colour) -> Result<Pixels, PhotoError> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PhotoError::TooManyBytes { bytes: bytes.len() as u64, limit: limits.max_bytes });
    }
    let format = sniff(bytes)?;
    let fault = |error| image_fault(error, format);
    let cursor = Cursor::new(bytes);
    match format {
        Format::Jpeg => jpeg(bytes, limits, colour),
        Format::Png => {
            with_decoder(PngDecoder::with_limits(cursor, allocation(limits)).map_err(fault)?, limits, format)
        }
        Format::WebP if riff_is_truncated(bytes) => Err(PhotoError::Truncated),
        Format::WebP => with_decoder(WebPDecoder::new(cursor).map_err(fault)?, limits, format),
        Format::Gif => with_decoder(GifDecoder::new(cursor).map_err(fault)?, limits, format),
    }
}

fn allocation(limits: &DecodeLimits) -> Limits {
    let mut allocation = Limits::default();
    // 16-bit RGBA is the widest pixel there is; codecs need about as much again for their own.
    allocation.max_alloc = Some(limits.max_pixels.saturating_mul(16));
    allocation
}

fn check_pixels(width: u32, height: u32, limits: &DecodeLimits) -> Result<(), PhotoError> {
    let limit = limits.max_pixels;
    if u64::from(width) * u64::from(height) > limit {
        return Err(PhotoError::TooManyPixels { width, height, limit });
    }
    Ok(())
}

fn with_decoder(mut decoder: impl ImageDecoder, limits: &DecodeLimits, format: Format) -> Result<Pixels, PhotoError> {
    let size = decoder.dimensions();
    check_pixels(size.0, size.1, limits)?;
    let fault = |error| image_fault(error, format);
    decoder.set_limits(allocation(limits)).map_err(fault)?;
    // An unreadable orientation is no reason to refuse a readable photo.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(fault)?;
    Ok(Pixels { picture, orientation, reduction: 1, size })
}

fn image_fault(error: ImageError, format: Format) -> PhotoError {
    if let ImageError::IoError(cause) = &error
        && cause.kind() == std::io::ErrorKind::UnexpectedEof
    {
        return PhotoError::Truncated;
    }
    // The PNG, WebP and GIF decoders hide the end of the data inside their own error types.
    let words = error.to_string().to_ascii_lowercase();
    if ["end of file", "eof", "fill whole buffer", "truncated"].iter().any(|end| words.contains(end)) {
        return PhotoError::Truncated;
    }
    PhotoError::Damaged { format: format.name() }
}

fn jpeg(bytes: &[u8], limits: &DecodeLimits, colour: Colour) -> Result<Pixels, PhotoError> {
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(jpeg_fault)?;
    let damaged = PhotoError::Damaged { format: Format::Jpeg.name() };
    let info = decoder.info().ok_or(damaged.clone())?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    check_pixels(width, height, limits)?;
    if is_truncated(bytes) {
        return Err(PhotoError::Truncated);
    }
    let orientation =
        decoder.exif().and_then(|chunk| Orientation::from_exif_chunk(chunk)).unwrap_or(Orientation::NoTransforms);
    let size = (width, height);
    if let Colour::Luma { enough } = colour {
        let (scale, reduction) = match width.max(height) / enough.max(1) {
            0..2 => (Scale::Full, 1),
            2..4 => (Scale::Half, 2),
            4..8 => (Scale::Quarter, 4),
            _ => (Scale::Eighth, 8),
        };
        // Rare kinds and broken files are left to the general decoder, which may still save them.
        if let Ok(Some(Luma { width, height, pixels })) = luma(bytes, scale) {
            let picture = GrayImage::from_raw(width as u32, height as u32, pixels).ok_or(damaged)?;
            return Ok(Pixels { picture: DynamicImage::ImageLuma8(picture), orientation, reduction, size });
        }
    }
    let has_luma = matches!(decoder.input_colorspace(), Some(ColorSpace::YCbCr | ColorSpace::Luma));
    let luma_alone = colour != Colour::Rgb && has_luma;
    if luma_alone {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
    }
    let decoded = decoder.decode().map_err(jpeg_fault)?;
    let picture = if luma_alone {
        GrayImage::from_raw(width, height, decoded).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, decoded).map(DynamicImage::ImageRgb8)
    };
    Ok(Pixels { picture: picture.ok_or(damaged)?, orientation, reduction: 1, size })
}

fn jpeg_fault(error: DecodeErrors) -> PhotoError {
    match error {
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => PhotoError::Truncated,
        _ => PhotoError::Damaged { format: Format::Jpeg.name() },
    }
}

/// Whether the last scan of a JPEG has no end-of-image marker behind it.
///
/// Decoders paint what is missing grey and call it a success. Inside a scan `FF` is always
/// followed by `00` or a restart marker, so the last `FF DA` is the last scan's own header, and
/// the end marker of an embedded thumbnail lies before it.
fn is_truncated(bytes: &[u8]) -> bool {
    let last_scan = memchr::memmem::rfind(bytes, b"\xff\xda");
    let end = memchr::memmem::rfind(bytes, b"\xff\xd9");
    last_scan.is_none_or(|scan| end.is_none_or(|end| end < scan))
}

/// Whether a RIFF file, which a WebP is, ends before the length in its header (little-endian,
/// without the first eight bytes) says: its decoder calls that damage.
fn riff_is_truncated(bytes: &[u8]) -> bool {
    let length = bytes.get(4..8).and_then(|field| field.try_into().ok()).map_or(0, u32::from_le_bytes);
    (bytes.len() as u64) < u64::from(length) + 8
}

/// BT.601 luma, the same weights as a JPEG's own Y, so that a PNG of a photo reads as its JPEG.
fn into_luma(pixels: DynamicImage) -> GrayImage {
    match pixels {
        DynamicImage::ImageLuma8(luma) => luma,
        DynamicImage::ImageLuma16(_) => pixels.into_luma8(),
        _ => {
            let rgb = on_white(&pixels).unwrap_or_else(|| pixels.into_rgb8());
            GrayImage::from_fn(rgb.width(), rgb.height(), |x, y| {
                let [r, g, b] = rgb.get_pixel(x, y).0.map(u32::from);
                // Weights in 1/65536, as JFIF's 0.299, 0.587 and 0.114; they add up to 65536.
                image::Luma([((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as u8])
            })
        }
    }
}

/// A picture with transparency laid on white, as chat programs show it; `None` without any.
fn on_white(pixels: &DynamicImage) -> Option<RgbImage> {
    if !pixels.color().has_alpha() {
        return None;
    }
    let rgba = pixels.to_rgba8();
    Some(RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba.get_pixel(x, y).0.map(u32::from);
        image::Rgb([r, g, b].map(|c| ((c * a + 255 * (255 - a) + 127) / 255) as u8))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::{ImageEncoder, ImageFormat};

    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90]))
    }

    fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::ImageRgb8(picture.clone()).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// A JPEG whose EXIF block holds this orientation and nothing else.
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
            // The inverse of each orientation: its own inverse, but for the two quarter turns.
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
    fn a_reduced_photo_is_upright_and_knows_its_full_size() {
        let bytes = with_orientation(&gradient(640, 480), 6);
        let whole = decode(&bytes, &DecodeLimits::default()).unwrap();
        assert_eq!((whole.luma.dimensions(), whole.reduction, whole.size), ((480, 640), 1, (480, 640)));
        for (enough, reduction) in [(321, 1), (320, 2), (161, 2), (160, 4), (80, 8), (1, 8)] {
            let small = decode_reduced(&bytes, &DecodeLimits::default(), enough).unwrap();
            assert_eq!((small.reduction, small.size), (reduction, (480, 640)));
            assert_eq!(small.luma.dimensions(), (480 / reduction, 640 / reduction));
            let pairs = small.luma.enumerate_pixels().map(|(x, y, value)| {
                let (x, y) = (x * reduction + reduction / 2, y * reduction + reduction / 2);
                whole.luma.get_pixel(x, y).0[0].abs_diff(value.0[0])
            });
            assert!(pairs.max() <= Some(6), "at 1/{reduction}");
        }
        let png = encoded(&gradient(64, 48), ImageFormat::Png);
        assert_eq!(decode_reduced(&png, &DecodeLimits::default(), 10).unwrap().reduction, 1);
    }

    #[test]
    fn a_photo_reads_alike_in_every_format() {
        let picture = gradient(80, 60);
        let png = decode(&encoded(&picture, ImageFormat::Png), &DecodeLimits::default()).unwrap().luma;
        for format in [ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
            let other = decode(&encoded(&picture, format), &DecodeLimits::default()).unwrap().luma;
            let mean: f64 = png.iter().zip(other.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / 4800.0;
            assert!(mean < 4.0, "{format:?} differs by {mean} on average");
        }
    }

    #[test]
    fn oversized_photo_is_refused_before_decoding() {
        let limits = DecodeLimits { max_bytes: 1 << 20, max_pixels: 100 };
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
            // The header alone: a decoder that went on to the pixels would say `Truncated`.
            let bytes = encoded(&gradient(64, 48), format);
            let head = if format == ImageFormat::Jpeg { bytes.len() - 20 } else { bytes.len() };
            let refused = decode(&bytes[..head], &limits);
            assert_eq!(refused.unwrap_err(), PhotoError::TooManyPixels { width: 64, height: 48, limit: 100 });
        }
    }

    #[test]
    fn too_many_bytes_are_refused() {
        let limits = DecodeLimits { max_bytes: 10, max_pixels: 100 };
        assert_eq!(decode(&[0; 11], &limits).unwrap_err(), PhotoError::TooManyBytes { bytes: 11, limit: 10 });
    }

    #[test]
    fn a_truncated_photo_is_said_to_be_cut_short() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
            let bytes = encoded(&gradient(64, 48), format);
            let cut = &bytes[..bytes.len() * 2 / 3];
            assert_eq!(decode(cut, &DecodeLimits::default()).unwrap_err(), PhotoError::Truncated, "{format:?}");
        }
    }

    #[test]
    fn transparency_is_laid_on_white() {
        let clear = DynamicImage::ImageRgba8(image::RgbaImage::from_pixel(4, 4, image::Rgba([0, 0, 0, 0])));
        let mut bytes = Cursor::new(Vec::new());
        clear.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let luma = decode(bytes.get_ref(), &DecodeLimits::default()).unwrap().luma;
        assert!(luma.iter().all(|&value| value == 255));
    }

    #[test]
    fn damaged_bytes_never_panic() {
        let limits = DecodeLimits { max_bytes: 1 << 20, max_pixels: 1_000_000 };
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
            let whole = encoded(&gradient(40, 30), format);
            for at in 0..whole.len() {
                let mut bytes = whole.clone();
                bytes[at] ^= 0xa5;
                // Any answer will do, so long as it is one.
                let _ = decode(&bytes, &limits);
                let _ = decode_colour(&bytes[..at], &limits);
            }
        }
    }
}
