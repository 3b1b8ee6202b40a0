//! JPEG to luma alone, at full size or reduced to 1/2, 1/4 or 1/8 (ITU-T T.81).
//!
//! A photo of 12 megapixels is mostly thrown away: colour is not looked at, and faces are found
//! in a picture a quarter as wide. This decoder only passes over the colour and over the
//! frequencies that a smaller picture has no room for, which general decoders do not offer.
//!
//! It reads what cameras and programs write: baseline and progressive Huffman files of 8 bits
//! with a luma channel that is no coarser than the others. The rest it leaves to a general
//! decoder (`Ok(None)`), and it leaves damage alone: a file that is not whole is an error, so
//! that only one decoder need decide what may be saved.
//!
//! | file | owns |
//! |---|---|
//! | `segments`, `headers`, `tables` | markers, and what the segments behind them say |
//! | `bits`, `huffman` | entropy-coded bytes to symbols |
//! | `sequential`, `progressive` | scans to coefficients |
//! | `dct` | coefficients to pixels |

mod bits;
mod dct;
mod headers;
mod huffman;
mod progressive;
mod segments;
mod sequential;
mod tables;
#[cfg(test)]
mod tests;

use pulp::{Simd, WithSimd};

use headers::{Frame, Scan};
use progressive::Progressive;
use segments::{Segment, Segments};
use tables::Tables;

/// How wide the picture comes out, as a part of the width in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Full,
    Half,
    Quarter,
    Eighth,
}

/// A grey picture, row by row from the top left, as it lies in the file: not turned upright.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

/// Why a JPEG that this decoder understands gives no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// The file ends before its end marker.
    #[error("the JPEG is cut short")]
    Truncated,
    #[error("the JPEG is damaged")]
    Damaged,
}

/// Why decoding stopped, unsupported kinds included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Truncated,
    Damaged,
    Unsupported,
}

/// Scans a file may have. Real ones have about ten; each may pass over every block for a few
/// bytes, so that a file of a hundred thousand would take minutes.
const MAX_SCANS: usize = 256;

/// Decodes the luma of a JPEG to ceil(width × scale) by ceil(height × scale) pixels; `None` for
/// a kind of JPEG that it leaves to a general decoder.
///
/// The header's size is taken as it is, up to 65535×65535: the caller checks it beforehand. A
/// sequential file takes memory for the pixels that come out and a copy of its scan; a progressive
/// one besides, for each pixel in the file, 2.1 bytes at full size, 0.9 at 1/2 and 0.3 at 1/4.
///
/// # Errors
/// [`JpegError`] when the file is not whole. Other decoders may still make a picture of it.
pub fn luma(bytes: &[u8], scale: Scale) -> Result<Option<Luma>, JpegError> {
    let read = match scale {
        Scale::Full => decode::<8>(bytes),
        Scale::Half => decode::<4>(bytes),
        Scale::Quarter => decode::<2>(bytes),
        Scale::Eighth => decode::<1>(bytes),
    };
    match read {
        Ok(luma) => Ok(Some(luma)),
        Err(Fault::Unsupported) => Ok(None),
        Err(Fault::Truncated) => Err(JpegError::Truncated),
        Err(Fault::Damaged) => Err(JpegError::Damaged),
    }
}

/// Decodes to N×N pixels a block.
fn decode<const N: usize>(bytes: &[u8]) -> Result<Luma, Fault> {
    let outline = Outline::read(bytes)?;
    let frame = &outline.frame;
    let mut picture = Picture::<N>::new(frame);
    let mut progressive = frame.progressive.then(|| Progressive::<N>::new(frame));
    let wanted = progressive::wanted(&outline.scans, dct::last_wanted(N));
    let mut tables = Tables::default();
    let mut scans = outline.scans.iter().zip(wanted);
    for segment in Segments::new(bytes)? {
        let segment = segment?;
        tables.read(&segment)?;
        if segment.marker != Segment::SOS {
            continue;
        }
        let Some((scan, wanted)) = scans.next() else { break };
        if !scan.has_luma() || !wanted {
            continue;
        }
        let job = Job { frame, scan, tables: &tables, data: segment.data };
        match &mut progressive {
            Some(progressive) => in_vectors(Gather { job, progressive })?,
            None => {
                in_vectors(Sequential { job, picture: &mut picture })?;
                // A sequential file says all about a component in one scan.
                return Ok(picture.luma);
            }
        }
    }
    let progressive = progressive.ok_or(Fault::Damaged)?;
    in_vectors(Paint { progressive, picture: &mut picture })?;
    Ok(picture.luma)
}

/// What a look at the markers alone tells.
struct Outline {
    frame: Frame,
    scans: Vec<Scan>,
}

impl Outline {
    fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let mut frame = None;
        let mut scans = Vec::new();
        let mut adobe_rgb = false;
        for segment in Segments::new(bytes)? {
            let segment = segment?;
            if segment.is_frame() {
                if frame.replace(Frame::read(&segment)?).is_some() {
                    return Err(Fault::Damaged);
                }
            } else if segment.marker == Segment::SOS {
                if scans.len() == MAX_SCANS {
                    return Err(Fault::Damaged);
                }
                scans.push(Scan::read(&segment, frame.as_ref().ok_or(Fault::Damaged)?)?);
            } else {
                adobe_rgb |= segment.is_adobe_without_luma();
            }
        }
        let frame = frame.ok_or(Fault::Damaged)?;
        if adobe_rgb && frame.components.len() > 1 {
            return Err(Fault::Unsupported);
        }
        Ok(Self { frame, scans })
    }
}

/// One scan with what it needs.
struct Job<'a> {
    frame: &'a Frame,
    scan: &'a Scan,
    tables: &'a Tables,
    data: &'a [u8],
}

/// The picture in the making, N×N pixels a block.
struct Picture<const N: usize> {
    waves: [f32; 64],
    luma: Luma,
}

impl<const N: usize> Picture<N> {
    fn new(frame: &Frame) -> Self {
        let [width, height] = [frame.width, frame.height].map(|side| (side * N).div_ceil(8));
        Self { waves: dct::waves::<N>(), luma: Luma { width, height, pixels: vec![0; width * height] } }
    }

    /// Writes the part of a block that lies inside the picture.
    #[inline(always)]
    fn put(&mut self, block_x: usize, block_y: usize, block: &[u8; 64]) {
        let Luma { width, height, pixels } = &mut self.luma;
        let (x, y) = (block_x * N, block_y * N);
        if x + N <= *width && y + N <= *height {
            let mut start = y * *width + x;
            for row in block.chunks_exact(8).take(N) {
                pixels[start..start + N].copy_from_slice(&row[..N]);
                start += *width;
            }
        } else if x < *width {
            let inside = N.min(*width - x);
            for (row, y) in block.chunks_exact(8).take(N).zip(y..*height) {
                pixels[y * *width + x..][..inside].copy_from_slice(&row[..inside]);
            }
        }
    }

    /// Transforms and writes a block, row by row and dequantised, of which no coefficient beyond
    /// zigzag index `last` is set. Most blocks of a photo hold a few low frequencies.
    #[inline(always)]
    fn paint<S: Simd>(&mut self, simd: S, block_x: usize, block_y: usize, block: &[f32; 64], last: usize) {
        let pixels = match (N, last) {
            (_, 0) | (1, _) => [dct::flat(block[0]); 64],
            // The first ten of the zigzag order lie within the lowest 4×4.
            (8, 0..10) => dct::inverse::<S, N, 4>(simd, block, &self.waves),
            _ => dct::inverse::<S, N, N>(simd, block, &self.waves),
        };
        self.put(block_x, block_y, &pixels);
    }
}

/// Runs `work` compiled for this processor, with vectors no longer than a row of a block: those of
/// AVX-512 are twice that.
fn in_vectors<W: WithSimd>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    match pulp::x86::V3::try_new() {
        Some(simd) => Simd::vectorize(simd, work),
        None => work.with_simd(pulp::Scalar::new()),
    }
    #[cfg(not(target_arch = "x86_64"))]
    pulp::Arch::new().dispatch(work)
}

/// A sequential scan, compiled anew for the processor's vectors and bit instructions.
struct Sequential<'a, const N: usize> {
    job: Job<'a>,
    picture: &'a mut Picture<N>,
}

impl<const N: usize> WithSimd for Sequential<'_, N> {
    type Output = Result<(), Fault>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        sequential::scan(simd, &self.job, self.picture)
    }
}

/// A progressive scan, compiled likewise.
struct Gather<'a, const N: usize> {
    job: Job<'a>,
    progressive: &'a mut Progressive<N>,
}

impl<const N: usize> WithSimd for Gather<'_, N> {
    type Output = Result<(), Fault>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        self.progressive.scan(&self.job)
    }
}

/// The transform of a progressive file's coefficients, compiled likewise.
struct Paint<'a, const N: usize> {
    progressive: Progressive<N>,
    picture: &'a mut Picture<N>,
}

impl<const N: usize> WithSimd for Paint<'_, N> {
    type Output = Result<(), Fault>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        self.progressive.paint(simd, self.picture)
    }
}
