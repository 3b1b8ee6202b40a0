//! Bytes to upright pixels, under limits that are checked before anything large is allocated.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::clock::WorkClock;
#[cfg(feature = "heic")]
use super::heic;
use super::jpeg::{Colour, JpegError, Outline, Plane, Scale};
use super::memory::{MemoryBudget, Reservation};
use super::orientation::orientation;
use super::rows::{DRAWING, Rows, Wanted};
use super::sniff::{Format, sniff};
use super::{Photo, PhotoError, gif, png, webp};

/// What a decoder may be asked to swallow.
#[derive(Debug, Clone)]
pub struct DecodeLimits {
    /// Size of the file in bytes.
    pub max_bytes: u64,
    /// Width times height. 50 megapixels hold every phone's usual photo (12 to 50).
    pub max_pixels: u64,
    /// What all that share these limits may hold at once.
    pub memory: Arc<MemoryBudget>,
    /// Processor time that one photo may take.
    pub cpu_time: Duration,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_bytes: 20 << 20,
            max_pixels: 50_000_000,
            memory: MemoryBudget::new(96 << 20),
            cpu_time: Duration::from_secs(2),
        }
    }
}

impl DecodeLimits {
    /// Reserves the bytes that decoding a picture of this size takes, waiting until they are free.
    ///
    /// # Errors
    /// [`PhotoError::TooManyPixels`] when there are not as many at all.
    pub(super) fn reserve(&self, bytes: u64, (width, height): (u32, u32)) -> Result<Reservation, PhotoError> {
        let fits =
            || u128::from(width) * u128::from(height) * u128::from(self.memory.total()) / u128::from(bytes.max(1));
        let too_many = || PhotoError::TooManyPixels { width, height, limit: fits() as u64 };
        self.memory.reserve(bytes).ok_or_else(too_many)
    }
}

/// Decodes a JPEG, PNG, WebP, GIF (first frame) or, with the feature, HEIC to upright luma.
///
/// Of a file that was cut short, at least three quarters of the rows must be there.
///
/// # Errors
/// [`PhotoError`] names what the file is, or which limit it exceeds; the pixel limit is held
/// against the header, before the pixels are decoded.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Photo, PhotoError> {
    decode_reduced(bytes, limits, u32::MAX)
}

/// The same at a half, a quarter or an eighth of its size, where its longer side then still has
/// `enough` pixels, and the whole half of their square: less work for a JPEG, and less memory for
/// every format.
///
/// # Errors
/// As [`decode`].
pub fn decode_reduced(bytes: &[u8], limits: &DecodeLimits, enough: u32) -> Result<Photo, PhotoError> {
    let decoded = decoded(bytes, limits, Wanted { colour: false, enough })?;
    let Decoded { mut picture, orientation, reduction, size, whole, mut memory, .. } = decoded;
    picture.apply_orientation(orientation);
    let turned = matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    let size = if turned { (size.1, size.0) } else { size };
    memory.shrink(picture.as_bytes().len() as u64);
    Ok(Photo { luma: picture.into_luma8(), reduction, size, whole, memory: Some(memory) })
}

/// Decodes the same photo in colour, upright, for a picture that is sent back: reduced as
/// [`decode_reduced`] does.
///
/// # Errors
/// As [`decode`].
pub fn decode_colour(bytes: &[u8], limits: &DecodeLimits, enough: u32) -> Result<ColourPhoto, PhotoError> {
    let decoded = decoded(bytes, limits, Wanted { colour: true, enough })?;
    let Decoded { mut picture, orientation, mut memory, .. } = decoded;
    picture.apply_orientation(orientation);
    memory.shrink(picture.as_bytes().len() as u64 + DRAWING);
    Ok(ColourPhoto { picture: picture.into_rgb8(), memory })
}

/// A photo in colour, upright, and the memory for it and for what is drawn from it.
#[derive(Debug)]
pub struct ColourPhoto {
    pub picture: RgbImage,
    /// Given back with it.
    pub memory: Reservation,
}

/// A picture as its file stores it, in luma or RGB.
pub(super) struct Decoded {
    pub picture: DynamicImage,
    /// Turns it upright.
    pub orientation: Orientation,
    /// As [`Photo::reduction`].
    pub reduction: u32,
    /// Width and height in the file.
    pub size: (u32, u32),
    /// How many of the picture's rows are there; the rest is grey.
    pub rows: u32,
    /// Whether nothing is missing, fine detail included.
    pub whole: bool,
    /// Holds the picture, and the copy that turning it upright makes.
    pub memory: Reservation,
}

fn decoded(bytes: &[u8], limits: &DecodeLimits, wanted: Wanted) -> Result<Decoded, PhotoError> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PhotoError::TooManyBytes { bytes: bytes.len() as u64, limit: limits.max_bytes });
    }
    let clock = WorkClock::start(limits.cpu_time);
    let format = sniff(bytes)?;
    let decode = || match format {
        Format::Jpeg => jpeg(bytes, limits, wanted, &clock),
        Format::Png => png::decode(bytes, limits, wanted, &clock),
        Format::WebP => webp::decode(bytes, limits, wanted),
        Format::Gif => gif::decode(bytes, limits, wanted, &clock),
        #[cfg(feature = "heic")]
        Format::Heic => heic::decode(bytes, limits, wanted, &clock),
    };
    let decoded = guarded(format, decode)?;
    // Three quarters of a picture mostly show whom it is about.
    if decoded.rows * 4 < decoded.picture.height() * 3 {
        return Err(PhotoError::Truncated);
    }
    Ok(decoded)
}

/// Runs a decoder; a file at which it panics counts as damaged. What the decoder was making is dropped.
pub(super) fn guarded<T>(format: Format, decode: impl FnOnce() -> Result<T, PhotoError>) -> Result<T, PhotoError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(PhotoError::Damaged { format: format.name() }))
}

/// Holds a size against the limit; a picture without pixels is as good as damaged.
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

fn jpeg(bytes: &[u8], limits: &DecodeLimits, wanted: Wanted, clock: &WorkClock) -> Result<Decoded, PhotoError> {
    let outline = Outline::read(bytes).map_err(jpeg_fault)?;
    let size = outline.size();
    check_pixels(size, Format::Jpeg, limits)?;
    let orientation = orientation(outline.exif.iter().copied(), outline.xmp.iter().copied());
    if outline.has_plain_luma() {
        let needs = |(reduction, scale): (u32, Scale)| {
            let side = |side: u32| u64::from(side.div_ceil(reduction));
            let made = side(size.0) * side(size.1) * wanted.channels() as u64;
            outline.memory(scale, wanted.colour) + 2 * made + wanted.drawing()
        };
        // Coarser than wanted rather than not at all.
        let coarse_enough = SCALES.into_iter().filter(|(reduction, _)| *reduction >= wanted.reduction(size));
        let fits = |scale: &(u32, Scale)| needs(*scale) <= limits.memory.total();
        let (reduction, scale) = coarse_enough.clone().find(fits).unwrap_or(SCALES[3]);
        let needs = needs((reduction, scale));
        let memory = limits.reserve(needs, size)?;
        let complete = outline.is_complete(needs, clock).unwrap_or(false);
        let own = if wanted.colour {
            outline.colour(scale, clock).map(|Colour { luma, chroma }| (luma.rows, luma.whole, rgb(&luma, &chroma)))
        } else {
            outline.luma(scale, clock).map(|luma| (luma.rows, luma.whole, grey(luma)))
        };
        match own {
            Ok((rows, whole, Some(picture))) => {
                let (rows, whole) = (rows as u32, whole && complete);
                return Ok(Decoded { picture, orientation, reduction, size, rows, whole, memory });
            }
            Err(JpegError::OutOfTime) => return Err(PhotoError::TooMuchWork),
            // Damage is left to the general decoder, which may still save something.
            Ok(_) | Err(_) => {}
        }
    }
    if !outline.is_orderly() {
        return Err(PhotoError::Damaged { format: Format::Jpeg.name() });
    }
    let made = 2 * Rows::memory(size, wanted) + wanted.drawing();
    let memory = limits.reserve(outline.general_memory() + made, size)?;
    clock.afford(outline.general_time())?;
    let picture = general_jpeg(bytes, &outline, wanted)?;
    let (rows, reduction) = (picture.height(), wanted.reduction(size));
    Ok(Decoded { picture, orientation, reduction, size, rows, whole: true, memory })
}

/// Reductions of a JPEG.
const SCALES: [(u32, Scale); 4] = [(1, Scale::Full), (2, Scale::Half), (4, Scale::Quarter), (8, Scale::Eighth)];

fn grey(luma: Plane) -> Option<DynamicImage> {
    GrayImage::from_raw(luma.width as u32, luma.height as u32, luma.pixels).map(DynamicImage::ImageLuma8)
}

/// Luma and colour differences to RGB (JFIF 1.02). Colour that is coarser than the luma is taken
/// from the nearest of its pixels.
fn rgb(luma: &Plane, chroma: &[Plane]) -> Option<DynamicImage> {
    let mut pixels = Vec::with_capacity(3 * luma.pixels.len());
    let [blue, red] = chroma else {
        pixels.extend(luma.pixels.iter().flat_map(|level| [*level; 3]));
        return RgbImage::from_raw(luma.width as u32, luma.height as u32, pixels).map(DynamicImage::ImageRgb8);
    };
    let nearest = |plane: &Plane, x: usize, y: usize| {
        let (x, y) = (x * plane.width / luma.width, y * plane.height / luma.height);
        f32::from(plane.pixels[y * plane.width + x]) - 128.0
    };
    for (y, row) in luma.pixels.chunks_exact(luma.width).enumerate() {
        for (x, level) in row.iter().enumerate() {
            let (level, cb, cr) = (f32::from(*level), nearest(blue, x, y), nearest(red, x, y));
            // A float that is cast to a byte is clamped.
            pixels.extend(
                [level + 1.402 * cr, level - 0.344_136 * cb - 0.714_136 * cr, level + 1.772 * cb]
                    .map(|channel| (channel + 0.5) as u8),
            );
        }
    }
    RgbImage::from_raw(luma.width as u32, luma.height as u32, pixels).map(DynamicImage::ImageRgb8)
}

/// Reads a kind of JPEG that the own decoder leaves alone, or a damaged one.
fn general_jpeg(bytes: &[u8], outline: &Outline, wanted: Wanted) -> Result<DynamicImage, PhotoError> {
    let damaged = PhotoError::Damaged { format: Format::Jpeg.name() };
    let (width, height) = outline.size();
    let options = DecoderOptions::default()
        .set_max_width(width as usize)
        .set_max_height(height as usize)
        // Without its end marker, a file must prove that its data is all there.
        .set_strict_mode(!outline.has_end())
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| damaged.clone())?;
    // One reading of the size holds for all: what another decoder makes of a file that is none of
    // the two is of no use.
    if decoder.dimensions() != Some((width as usize, height as usize)) {
        return Err(damaged);
    }
    let pixels =
        decoder.decode().map_err(|_| if outline.has_end() { damaged.clone() } else { PhotoError::Truncated })?;
    let mut rows = Rows::new((width, height), wanted);
    for row in pixels.chunks_exact(3 * width as usize) {
        rows.push(row.as_chunks().0.iter().copied());
    }
    Ok(rows.finish().ok_or(damaged)?.0)
}

fn jpeg_fault(error: JpegError) -> PhotoError {
    match error {
        JpegError::Truncated => PhotoError::Truncated,
        JpegError::Damaged => PhotoError::Damaged { format: Format::Jpeg.name() },
        JpegError::Unsupported(format) => PhotoError::Unsupported { format },
        JpegError::OutOfTime => PhotoError::TooMuchWork,
    }
}

#[cfg(test)]
mod tests;
