//! Decodes files to upright pixels, under limits that are checked before anything large is allocated.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::clock::CpuLimit;
use super::colour::ycbcr_to_rgb;
use super::downscale::{DRAWING, Downscaler, OutputSpec};
#[cfg(feature = "heic")]
use super::heic;
use super::jpeg::{self, Colour, JpegError, Plane, Scale};
use super::memory::{MemoryBudget, Reservation};
use super::orientation::orientation;
use super::sniff::{Format, sniff};
use super::{Photo, PhotoError, gif, png, webp};

/// Limits of one photo, and the memory that all photos share.
#[derive(Debug, Clone)]
pub struct DecodeLimits {
    /// Size of the file in bytes.
    pub max_bytes: u64,
    /// Width times height. 50 megapixels allow the usual photos of all phones (12 to 50).
    pub max_pixels: u64,
    /// The memory budget of all decoding under these limits.
    pub memory: Arc<MemoryBudget>,
    /// Processor time of one photo.
    pub cpu_time: Duration,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_bytes: 20 << 20,
            max_pixels: 50_000_000,
            memory: MemoryBudget::new(112 << 20),
            cpu_time: Duration::from_secs(2),
        }
    }
}

impl DecodeLimits {
    /// Reserves `bytes` for decoding a picture of this size, blocking until they are free.
    ///
    /// # Errors
    /// [`PhotoError::TooManyPixels`] when the budget is smaller than that.
    pub(super) fn reserve(&self, bytes: u64, (width, height): (u32, u32)) -> Result<Reservation, PhotoError> {
        let fits =
            || u128::from(width) * u128::from(height) * u128::from(self.memory.total()) / u128::from(bytes.max(1));
        let too_many = || PhotoError::TooManyPixels { width, height, limit: fits() as u64 };
        self.memory.reserve(bytes).ok_or_else(too_many)
    }
}

/// Decodes a JPEG, PNG, WebP, GIF (first frame) or, with the feature `heic`, HEIC to upright luma.
///
/// Of a file that was cut short, at least three quarters of the rows must be available.
///
/// # Errors
/// [`PhotoError`] names what the file is, or which limit it exceeds; the pixel limit is checked
/// on the header, before the pixels are decoded.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Photo, PhotoError> {
    decode_reduced(bytes, limits, u32::MAX)
}

/// As [`decode`], at a half, a quarter or an eighth of the size, if the longer side then still has
/// `min_side` pixels and the area half of the square of that: less work for a JPEG, and less memory for
/// every format.
///
/// # Errors
/// As [`decode`].
pub fn decode_reduced(bytes: &[u8], limits: &DecodeLimits, min_side: u32) -> Result<Photo, PhotoError> {
    let decoded = decode_file(bytes, limits, OutputSpec { colour: false, min_side })?;
    let Decoded { mut picture, orientation, reduction, size, complete, mut memory, .. } = decoded;
    picture.apply_orientation(orientation);
    let swaps_sides = matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    let size = if swaps_sides { (size.1, size.0) } else { size };
    memory.shrink(picture.as_bytes().len() as u64);
    Ok(Photo { luma: picture.into_luma8(), reduction, size, whole: complete, memory: Some(memory) })
}

/// Decodes a photo in colour, upright, for the picture in a reply; reduced as in
/// [`decode_reduced`].
///
/// # Errors
/// As [`decode`].
pub fn decode_colour(bytes: &[u8], limits: &DecodeLimits, min_side: u32) -> Result<ColourPhoto, PhotoError> {
    let decoded = decode_file(bytes, limits, OutputSpec { colour: true, min_side })?;
    let Decoded { mut picture, orientation, mut memory, .. } = decoded;
    picture.apply_orientation(orientation);
    memory.shrink(picture.as_bytes().len() as u64 + DRAWING);
    Ok(ColourPhoto { picture: picture.into_rgb8(), memory })
}

/// A photo in colour, upright, and the reserved memory for it and for what is drawn from it.
#[derive(Debug)]
pub struct ColourPhoto {
    /// 8-bit RGB, possibly reduced in size.
    pub picture: RgbImage,
    /// Released when the photo is dropped.
    pub memory: Reservation,
}

/// A picture as its file stores it, in luma or RGB.
pub(super) struct Decoded {
    pub picture: DynamicImage,
    /// The transformation that turns it upright.
    pub orientation: Orientation,
    /// As [`Photo::reduction`].
    pub reduction: u32,
    /// Width and height in the file.
    pub size: (u32, u32),
    /// How many of the picture's rows were decoded; the rest is grey.
    pub decoded_rows: u32,
    /// Whether nothing is missing, fine detail included.
    pub complete: bool,
    /// For the picture and the copy made when it is turned upright.
    pub memory: Reservation,
}

fn decode_file(bytes: &[u8], limits: &DecodeLimits, spec: OutputSpec) -> Result<Decoded, PhotoError> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PhotoError::TooManyBytes { bytes: bytes.len() as u64, limit: limits.max_bytes });
    }
    let clock = CpuLimit::start(limits.cpu_time);
    let format = sniff(bytes)?;
    let decode = || match format {
        Format::Jpeg => decode_jpeg(bytes, limits, spec, &clock),
        Format::Png => png::decode(bytes, limits, spec, &clock),
        Format::WebP => webp::decode(bytes, limits, spec, &clock),
        Format::Gif => gif::decode(bytes, limits, spec, &clock),
        #[cfg(feature = "heic")]
        Format::Heic => heic::decode(bytes, limits, spec, &clock),
    };
    let decoded = catch_panic(format, decode)?;
    if !is_enough(decoded.decoded_rows, decoded.picture.height()) {
        return Err(PhotoError::Truncated);
    }
    Ok(decoded)
}

/// Whether a picture with this many decoded rows is answered: three quarters of one mostly show its subject.
pub(super) fn is_enough(decoded_rows: u32, height: u32) -> bool {
    u64::from(decoded_rows) * 4 >= u64::from(height) * 3
}

/// Runs a decoder; a file on which it panics counts as damaged, and what was decoded of it is dropped.
pub(super) fn catch_panic<T>(format: Format, decode: impl FnOnce() -> Result<T, PhotoError>) -> Result<T, PhotoError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(PhotoError::Damaged { format: format.name() }))
}

/// Checks a picture's size against the limit; a picture without pixels counts as damaged.
pub(super) fn check_pixels(
    (width, height): (u32, u32),
    format: Format,
    limits: &DecodeLimits,
) -> Result<(), PhotoError> {
    let limit = limits.max_pixels;
    if width == 0 || height == 0 {
        return Err(PhotoError::Damaged { format: format.name() });
    }
    if u64::from(width) * u64::from(height) > limit {
        return Err(PhotoError::TooManyPixels { width, height, limit });
    }
    Ok(())
}

fn decode_jpeg(bytes: &[u8], limits: &DecodeLimits, spec: OutputSpec, clock: &CpuLimit) -> Result<Decoded, PhotoError> {
    let decoder = jpeg::Decoder::new(bytes)?;
    let size = decoder.size();
    check_pixels(size, Format::Jpeg, limits)?;
    let orientation = orientation(decoder.exif.iter().copied(), decoder.xmp.iter().copied());
    if decoder.is_supported() {
        let needed_memory = |(reduction, scale): (u32, Scale)| {
            let side = |side: u32| u64::from(side.div_ceil(reduction));
            let output = side(size.0) * side(size.1) * spec.channels() as u64;
            decoder.memory(scale, spec.colour) + 2 * output + spec.drawing_memory()
        };
        // Where the memory does not suffice, the picture is reduced further than requested.
        let mut candidates = SCALES.into_iter().filter(|(reduction, _)| *reduction >= spec.reduction(size));
        let fits = |scale: &(u32, Scale)| needed_memory(*scale) <= limits.memory.total();
        let (reduction, scale) = candidates.find(fits).unwrap_or(SCALES[3]);
        let needed = needed_memory((reduction, scale));
        let memory = limits.reserve(needed, size)?;
        let file_complete = decoder.is_complete(needed - spec.drawing_memory(), clock).unwrap_or(false);
        let decoded = if spec.colour {
            decoder.decode_colour(scale, clock).map(|Colour { luma, chroma }| {
                let picture = to_rgb(&luma, &chroma);
                (luma.decoded_rows, luma.complete, picture)
            })
        } else {
            decoder.decode_luma(scale, clock).map(|luma| (luma.decoded_rows, luma.complete, to_grey(luma)))
        };
        match decoded {
            Ok((rows, complete, Some(picture))) => {
                let (decoded_rows, complete) = (rows as u32, complete && file_complete);
                return Ok(Decoded { picture, orientation, reduction, size, decoded_rows, complete, memory });
            }
            Err(JpegError::OutOfTime) => return Err(PhotoError::TimeLimit),
            // The fallback decoder may still recover something from a damaged file.
            Ok(_) | Err(_) => {}
        }
    }
    if !decoder.has_valid_scan_order() {
        return Err(PhotoError::Damaged { format: Format::Jpeg.name() });
    }
    let output = 2 * Downscaler::memory(size, spec) + spec.drawing_memory();
    let memory = limits.reserve(decoder.fallback_memory() + output, size)?;
    clock.check_left(decoder.fallback_time())?;
    let picture = decode_jpeg_with_zune(&decoder, spec)?;
    let (decoded_rows, reduction) = (picture.height(), spec.reduction(size));
    Ok(Decoded { picture, orientation, reduction, size, decoded_rows, complete: true, memory })
}

/// Reductions of a JPEG, with the scale of each.
const SCALES: [(u32, Scale); 4] = [(1, Scale::Full), (2, Scale::Half), (4, Scale::Quarter), (8, Scale::Eighth)];

fn to_grey(luma: Plane) -> Option<DynamicImage> {
    GrayImage::from_raw(luma.width as u32, luma.height as u32, luma.pixels).map(DynamicImage::ImageLuma8)
}

/// Converts luma and chroma to RGB. Chroma that is coarser than the luma is upsampled
/// by nearest neighbour.
fn to_rgb(luma: &Plane, chroma: &[Plane]) -> Option<DynamicImage> {
    let mut pixels = Vec::with_capacity(3 * luma.pixels.len());
    let [blue, red] = chroma else {
        pixels.extend(luma.pixels.iter().flat_map(|level| [*level; 3]));
        return RgbImage::from_raw(luma.width as u32, luma.height as u32, pixels).map(DynamicImage::ImageRgb8);
    };
    let nearest = |plane: &Plane, x: usize, y: usize| {
        let (x, y) = (x * plane.width / luma.width, y * plane.height / luma.height);
        plane.pixels[y * plane.width + x]
    };
    for (y, row) in luma.pixels.chunks_exact(luma.width).enumerate() {
        for (x, level) in row.iter().enumerate() {
            pixels.extend(ycbcr_to_rgb([*level, nearest(blue, x, y), nearest(red, x, y)]));
        }
    }
    RgbImage::from_raw(luma.width as u32, luma.height as u32, pixels).map(DynamicImage::ImageRgb8)
}

/// Decodes a JPEG that this project's decoder does not support or found damaged.
fn decode_jpeg_with_zune(headers: &jpeg::Decoder, spec: OutputSpec) -> Result<DynamicImage, PhotoError> {
    let damaged = PhotoError::Damaged { format: Format::Jpeg.name() };
    let (width, height) = headers.size();
    let options = DecoderOptions::default()
        .set_max_width(width as usize)
        .set_max_height(height as usize)
        // Without an end marker, strict mode makes sure that the data is complete.
        .set_strict_mode(!headers.has_end())
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(headers.picture_bytes()), options);
    decoder.decode_headers().map_err(|_| damaged.clone())?;
    // The limits were checked against one size: a file from which another parser reads a different size
    // is of no use.
    if decoder.dimensions() != Some((width as usize, height as usize)) {
        return Err(damaged);
    }
    let pixels =
        decoder.decode().map_err(|_| if headers.has_end() { damaged.clone() } else { PhotoError::Truncated })?;
    let mut downscaler = Downscaler::new((width, height), spec);
    for row in pixels.chunks_exact(3 * width as usize) {
        downscaler.push(row.as_chunks().0.iter().copied());
    }
    Ok(downscaler.finish().ok_or(damaged)?.0)
}

impl From<JpegError> for PhotoError {
    fn from(error: JpegError) -> Self {
        match error {
            JpegError::Truncated => Self::Truncated,
            JpegError::Damaged => Self::Damaged { format: Format::Jpeg.name() },
            JpegError::Unsupported(format) => Self::Unsupported { format },
            JpegError::OutOfTime => Self::TimeLimit,
        }
    }
}

#[cfg(test)]
mod tests;
