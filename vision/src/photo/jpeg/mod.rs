//! JPEG to luma, or luma and chroma, at full size or scaled to 1/2, 1/4 or 1/8 (ITU-T T.81).
//!
//! Most of a photo of 12 megapixels is not needed: the networks use no colour, and faces are found
//! in a picture a quarter as wide. This decoder only skips over the chroma and over the
//! frequencies that a smaller picture cannot hold, which general-purpose decoders do not offer.
//!
//! It supports what cameras and programs write: baseline and progressive Huffman files of 8 bits
//! with a luma component that is no coarser than the others. All other files are left to a fallback
//! decoder (zune-jpeg). Of a file that was cut short it returns the available rows and reports that it
//! is incomplete.
//!
//! | file | owns |
//! |---|---|
//! | `segments`, `headers`, `tables` | markers and the contents of their segments |
//! | `bits`, `huffman` | entropy-coded bytes to symbols |
//! | `sequential`, `progressive` | scans to coefficients |
//! | `scan_order` | whether the scans come in a valid order |
//! | `dct`, `plane` | coefficients to blocks of pixels, and these to a plane |
//! | `simd` | the above, compiled for the processor that runs it |

mod bits;
mod dct;
mod headers;
mod huffman;
mod plane;
mod progressive;
mod scan_order;
mod segments;
mod sequential;
mod simd;
mod tables;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::clock::{CpuLimit, OutOfTime};
use headers::{Frame, PlaneLayout, Scan, ScanComponent};
use plane::PlaneWriter;
use progressive::Progressive;
use segments::{Segment, Segments};
use simd::{ProgressiveScan, ProgressiveTransform, SequentialScan, dispatch};
use tables::Tables;

/// Size of the decoded picture relative to the size in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Full,
    Half,
    Quarter,
    Eighth,
}

impl Scale {
    /// Pixels along the side of a decoded block, of the eight in the file.
    fn block_side(self) -> usize {
        match self {
            Self::Full => 8,
            Self::Half => 4,
            Self::Quarter => 2,
            Self::Eighth => 1,
        }
    }

    fn from_block_side(pixels: usize) -> Self {
        match pixels {
            0..=1 => Self::Eighth,
            2..=3 => Self::Quarter,
            4..=7 => Self::Half,
            _ => Self::Full,
        }
    }
}

/// Luma and chroma, the latter as fine as the luma or coarser; no chroma for a grey file.
pub struct Colour {
    pub luma: Plane,
    pub chroma: Vec<Plane>,
}

/// The pixels of one component, row by row from the top left, as stored in the file: not turned
/// upright.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
    /// Rows that were decoded; those below them are grey.
    pub decoded_rows: usize,
    /// Whether everything was decoded, the finest detail included.
    pub complete: bool,
}

/// Why a JPEG was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// The file ends before its picture begins.
    #[error("the JPEG is cut short")]
    Truncated,
    #[error("the JPEG is damaged")]
    Damaged,
    /// A kind of JPEG that neither decoder supports.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// The limit of processor time was reached.
    #[error("the JPEG takes too long to decode")]
    OutOfTime,
}

impl From<OutOfTime> for JpegError {
    fn from(OutOfTime: OutOfTime) -> Self {
        Self::OutOfTime
    }
}

/// Maximum number of scans. Real files have about ten; each can cover every block in a few
/// bytes, so that a file of a hundred thousand would take minutes.
const MAX_SCANS: usize = 256;

/// Nanoseconds that the fallback decoder takes per pixel, and per pixel and progressive scan.
const FALLBACK_PIXEL: u64 = 25;
const FALLBACK_SCAN: u64 = 4;

/// Maximum number of Exif and of XMP blocks that are read; real files have one or two of each.
const MAX_METADATA: usize = 16;

/// Decoder of a file's first picture, created from its headers. These alone decide the picture's
/// size, for the fallback decoder too.
pub struct Decoder<'a> {
    /// The file up to the end of the picture.
    bytes: &'a [u8],
    frame: Frame,
    scans: Vec<Scan>,
    /// Whether Adobe's segment declares components other than luma and chroma.
    adobe_without_luma: bool,
    has_end: bool,
    /// The Exif blocks, as TIFF structures, and the XMP packets, in the file's order.
    pub exif: Vec<&'a [u8]>,
    pub xmp: Vec<&'a [u8]>,
}

impl<'a> Decoder<'a> {
    /// Parses the headers of the first picture in `bytes`; whatever follows it is ignored.
    ///
    /// # Errors
    /// [`JpegError`] when there is no picture to decode.
    pub fn new(bytes: &'a [u8]) -> Result<Self, JpegError> {
        let mut frame: Option<Frame> = None;
        let (mut scans, mut exif, mut xmp) = (Vec::new(), Vec::new(), Vec::new());
        let mut adobe_without_luma = false;
        let mut has_end = true;
        let mut segments = Segments::new(bytes)?;
        for segment in segments.by_ref() {
            let segment = match segment {
                Ok(segment) => segment,
                // After a scan there is a picture, whatever follows.
                Err(_) if !scans.is_empty() => {
                    has_end = false;
                    break;
                }
                Err(error) => return Err(error),
            };
            if segment.is_frame_header() {
                let parsed = Frame::parse(&segment)?;
                if frame.replace(parsed).is_some() {
                    return Err(JpegError::Damaged);
                }
            } else if segment.marker == Segment::SOS {
                if scans.len() == MAX_SCANS {
                    return Err(JpegError::Damaged);
                }
                match Scan::parse(&segment, frame.as_ref().ok_or(JpegError::Damaged)?) {
                    Ok(scan) => scans.push(scan),
                    // Not one of this picture's.
                    Err(_) if !scans.is_empty() => {
                        has_end = false;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            } else {
                adobe_without_luma |= segment.is_adobe_without_luma();
                exif.extend(segment.exif().filter(|_| exif.len() < MAX_METADATA));
                xmp.extend(segment.xmp().filter(|_| xmp.len() < MAX_METADATA));
            }
        }
        let frame = frame.ok_or(JpegError::Damaged)?;
        if scans.is_empty() {
            return Err(JpegError::Truncated);
        }
        let bytes = &bytes[..bytes.len() - segments.rest().len()];
        Ok(Self { bytes, frame, scans, adobe_without_luma, has_end, exif, xmp })
    }

    /// The file up to the end of the picture: what follows is not for the fallback decoder either.
    pub fn picture_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Width and height as stored in the file, in pixels.
    pub fn size(&self) -> (u32, u32) {
        // Both come from 16 bits.
        (self.frame.width as u32, self.frame.height as u32)
    }

    /// Whether the picture's end-of-image marker is there.
    pub fn has_end(&self) -> bool {
        self.has_end
    }

    /// Whether this decoder supports the file; otherwise the fallback decoder may.
    pub fn is_supported(&self) -> bool {
        self.frame.has_finest_luma && !(self.adobe_without_luma && self.frame.components.len() > 1)
    }

    /// Decodes the luma to ceil(width × scale) by ceil(height × scale) pixels, if
    /// [`Decoder::is_supported`].
    ///
    /// # Errors
    /// [`JpegError`] when its data is damaged. Other decoders may still decode it.
    pub fn decode_luma(&self, scale: Scale, clock: &CpuLimit) -> Result<Plane, JpegError> {
        self.decode_plane(0, scale, clock)
    }

    /// Decodes luma and chroma, each component in a separate pass, if [`Decoder::is_supported`].
    ///
    /// # Errors
    /// As [`Decoder::decode_luma`].
    pub fn decode_colour(&self, scale: Scale, clock: &CpuLimit) -> Result<Colour, JpegError> {
        let luma = self.decode_luma(scale, clock)?;
        let chroma = (1..self.frame.components.len()).map(|component| {
            // Subsampled chroma is scaled down no further than the luma needs.
            let scale = self.chroma_scale(component, scale);
            self.decode_plane(component, scale, clock)
        });
        Ok(Colour { chroma: chroma.collect::<Result<_, _>>()?, luma })
    }

    fn chroma_scale(&self, component: usize, luma: Scale) -> Scale {
        let (finest, own) = (&self.frame.components[0], &self.frame.components[component]);
        let subsampling = (finest.h_sampling / own.h_sampling).min(finest.v_sampling / own.v_sampling);
        Scale::from_block_side(luma.block_side() * subsampling)
    }

    /// Bytes that [`Decoder::decode_luma`] or [`Decoder::decode_colour`] allocates at its peak: the decoded
    /// pixels, a copy of the data of one scan and, for a progressive file, the coefficients of one
    /// component.
    pub fn memory(&self, scale: Scale, colour: bool) -> u64 {
        let planes = if colour { self.frame.components.len() } else { 1 };
        let blocks_and_side = |component: usize| {
            let scale = if component == 0 { scale } else { self.chroma_scale(component, scale) };
            let mcus = self.frame.mcus();
            let own = &self.frame.components[component];
            let blocks = (mcus.0 * own.h_sampling * mcus.1 * own.v_sampling) as u64;
            (blocks, scale.block_side())
        };
        let pixels: u64 = (0..planes).map(blocks_and_side).map(|(blocks, side)| blocks * (side * side) as u64).sum();
        let coefficients = |(blocks, side): (u64, usize)| blocks * (8 + 2 * (dct::last_coefficient(side) as u64 + 1));
        let coefficients = (0..planes).map(blocks_and_side).map(coefficients).max().filter(|_| self.frame.progressive);
        pixels + coefficients.unwrap_or(0) + self.bytes.len() as u64
    }

    /// Whether the file contains all of its picture: it has its end marker, or the data of its last scan
    /// is complete and no further scan is missing. `None` when checking would take more than
    /// `memory` bytes.
    pub fn is_complete(&self, memory: u64, clock: &CpuLimit) -> Option<bool> {
        if self.has_end {
            return Some(true);
        }
        let components = 0..self.frame.components.len();
        let is_coded = |component: usize| match self.frame.progressive {
            true => progressive::is_fully_coded(&self.scans, component),
            false => self.scans.iter().any(|scan| scan.component(component).is_some()),
        };
        if !components.clone().all(is_coded) {
            return Some(false);
        }
        // A progressive scan is only decoded together with those before it, at full size.
        let scale = if self.frame.progressive { Scale::Full } else { Scale::Eighth };
        if self.memory(scale, false) > memory {
            return None;
        }
        let last = self.scans.last()?;
        let mut coded = components.filter(|component| last.component(*component).is_some());
        Some(coded.all(|component| self.decode_plane(component, scale, clock).is_ok_and(|plane| plane.complete)))
    }

    /// Whether its scans come in a valid order, which all decoders read alike.
    pub fn has_valid_scan_order(&self) -> bool {
        scan_order::is_valid_order(&self.scans)
    }

    /// Whether it is progressive, or each scan contains all components.
    #[cfg(any(test, fuzzing, feature = "fuzzing"))]
    pub fn is_progressive_or_interleaved(&self) -> bool {
        self.frame.progressive || self.scans.iter().all(|scan| scan.components.len() == self.frame.components.len())
    }

    /// Bytes that the fallback decoder allocates: RGB, every coefficient of a progressive file, and some rows of
    /// MCUs with their coefficients, both as coded and upsampled to the size of the picture.
    pub fn fallback_memory(&self) -> u64 {
        let Frame { width, height, components, progressive, .. } = &self.frame;
        let (columns, rows, planes) = (width.next_multiple_of(32) as u64, *height as u64, components.len() as u64);
        let v_sampling = components.iter().map(|component| component.v_sampling).max().unwrap_or(1) as u64;
        let coefficients = if *progressive { 2 * planes * columns * height.next_multiple_of(32) as u64 } else { 0 };
        3 * columns * rows + coefficients + columns * (64 + 32 * planes * v_sampling)
    }

    /// Maximum processor time that the fallback decoder takes: it cannot be stopped once it has begun.
    pub fn fallback_time(&self) -> Duration {
        let scans = self.scans.len() as u64;
        let per_pixel = FALLBACK_PIXEL + if self.frame.progressive { scans * FALLBACK_SCAN } else { 0 };
        Duration::from_nanos((self.frame.width * self.frame.height) as u64 * per_pixel)
    }

    fn decode_plane(&self, component: usize, scale: Scale, clock: &CpuLimit) -> Result<Plane, JpegError> {
        match scale {
            Scale::Full => self.decode_blocks::<8>(component, clock),
            Scale::Half => self.decode_blocks::<4>(component, clock),
            Scale::Quarter => self.decode_blocks::<2>(component, clock),
            Scale::Eighth => self.decode_blocks::<1>(component, clock),
        }
    }

    /// Decodes a component to N×N pixels a block.
    fn decode_blocks<const N: usize>(&self, component: usize, clock: &CpuLimit) -> Result<Plane, JpegError> {
        let frame = &self.frame;
        let plane = frame.plane_layout(component);
        let mut output = PlaneWriter::<N>::new(plane);
        let mut progressive = frame.progressive.then(|| Progressive::<N>::new(frame, plane));
        let required = progressive::required_scans(&self.scans, component, dct::last_coefficient(N));
        let mut tables = Tables::default();
        let mut scans = self.scans.iter().zip(required);
        for segment in Segments::new(self.bytes)? {
            // Parsing the headers stopped here too.
            let Ok(segment) = segment else { break };
            // A file can hold so many tables that they take long as well.
            clock.check()?;
            // The tables after the last scan are not the picture's.
            if scans.len() == 0 {
                break;
            }
            tables.update(&segment)?;
            if segment.marker != Segment::SOS {
                continue;
            }
            let Some((scan, required)) = scans.next() else { break };
            let Some(component) = scan.component(component).filter(|_| required) else { continue };
            let may_be_truncated = !self.has_end && scans.len() == 0;
            let data = segment.entropy_coded;
            let context = ScanContext { frame, plane, scan, component, tables: &tables, data, may_be_truncated, clock };
            match &mut progressive {
                Some(progressive) => dispatch(ProgressiveScan { context, progressive })?,
                None => {
                    // A sequential file codes each component in a single scan.
                    let rows = dispatch(SequentialScan { context, output: &mut output })?;
                    return Ok(output.finish(rows));
                }
            }
        }
        let progressive = progressive.ok_or(JpegError::Damaged)?;
        let complete = progressive.is_complete();
        let rows = progressive.decoded_rows();
        dispatch(ProgressiveTransform { progressive, output: &mut output, clock })?;
        let plane = output.finish(rows);
        Ok(Plane { complete: complete && plane.complete, ..plane })
    }
}

/// One scan and what decoding a plane from it takes.
struct ScanContext<'a> {
    frame: &'a Frame,
    plane: PlaneLayout,
    scan: &'a Scan,
    /// The plane's component in the scan.
    component: ScanComponent,
    tables: &'a Tables,
    data: &'a [u8],
    /// Whether its data may end early: that of the last scan of a file without an end marker.
    may_be_truncated: bool,
    /// Checked once a row of MCUs.
    clock: &'a CpuLimit,
}
