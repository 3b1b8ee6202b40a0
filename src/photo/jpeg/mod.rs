//! JPEG to luma alone, at full size or reduced to 1/2, 1/4 or 1/8 (ITU-T T.81).
//!
//! A photo of 12 megapixels is mostly thrown away: colour is not looked at, and faces are found
//! in a picture a quarter as wide. This decoder only passes over the colour and over the
//! frequencies that a smaller picture has no room for, which general decoders do not offer.
//!
//! It reads what cameras and programs write: baseline and progressive Huffman files of 8 bits
//! with a luma channel that is no coarser than the others. The rest it leaves to a general
//! decoder. Of a file that was cut short it gives the rows that are there, and says so.
//!
//! | file | owns |
//! |---|---|
//! | `segments`, `headers`, `tables` | markers, and what the segments behind them say |
//! | `bits`, `huffman` | entropy-coded bytes to symbols |
//! | `sequential`, `progressive` | scans to coefficients |
//! | `order` | whether the scans come as they should |
//! | `dct`, `picture` | coefficients to pixels, and these to a picture |
//! | `vectors` | all that, compiled for the processor that runs it |

mod bits;
mod dct;
mod headers;
mod huffman;
mod order;
mod picture;
mod progressive;
mod segments;
mod sequential;
mod tables;
#[cfg(test)]
mod tests;
mod vectors;

use std::time::Duration;

use super::clock::{OutOfTime, WorkClock};
use headers::{Frame, Scan};
use picture::Picture;
use progressive::Progressive;
use segments::{Segment, Segments};
use tables::Tables;
use vectors::{Gather, Paint, Sequential, in_vectors};

/// How wide the picture comes out, as a part of the width in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Full,
    Half,
    Quarter,
    Eighth,
}

impl Scale {
    /// Pixels that come of the eight of a block's side.
    fn pixels(self) -> usize {
        match self {
            Self::Full => 8,
            Self::Half => 4,
            Self::Quarter => 2,
            Self::Eighth => 1,
        }
    }

    fn of_pixels(pixels: usize) -> Self {
        match pixels {
            0..=1 => Self::Eighth,
            2..=3 => Self::Quarter,
            4..=7 => Self::Half,
            _ => Self::Full,
        }
    }
}

/// Luma and colour differences, these as fine as the luma or coarser; none for a grey file.
pub struct Colour {
    pub luma: Plane,
    pub chroma: Vec<Plane>,
}

/// One component as a picture, row by row from the top left, as it lies in the file: not turned
/// upright.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
    /// Rows that are there; those below them are grey.
    pub rows: usize,
    /// Whether all of the picture is there, its finest detail included.
    pub whole: bool,
}

/// Why a JPEG gives no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// The file ends before its picture begins.
    #[error("the JPEG is cut short")]
    Truncated,
    #[error("the JPEG is damaged")]
    Damaged,
    /// A kind of JPEG that nothing here reads.
    #[error("this is a {0}")]
    Unsupported(&'static str),
    /// Decoding took as long as it may.
    #[error("the JPEG takes too long to decode")]
    OutOfTime,
}

/// Why decoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Truncated,
    Damaged,
    Unsupported(&'static str),
    OutOfTime,
}

impl From<OutOfTime> for Fault {
    fn from(OutOfTime: OutOfTime) -> Self {
        Self::OutOfTime
    }
}

impl From<Fault> for JpegError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Truncated => Self::Truncated,
            Fault::Damaged => Self::Damaged,
            Fault::Unsupported(kind) => Self::Unsupported(kind),
            Fault::OutOfTime => Self::OutOfTime,
        }
    }
}

/// Scans a file may have. Real ones have about ten; each may pass over every block for a few
/// bytes, so that a file of a hundred thousand would take minutes.
const MAX_SCANS: usize = 256;

/// Nanoseconds that a general decoder takes for a pixel, and for a pixel in each progressive scan.
const GENERAL_PIXEL: u64 = 25;
const GENERAL_SCAN: u64 = 4;

/// Exif and XMP blocks that are looked at; real files have one or two of each.
const MAX_METADATA: usize = 16;

/// What a walk over the markers of a file's first picture tells. It alone decides the picture's
/// size, for every decoder.
pub struct Outline<'a> {
    bytes: &'a [u8],
    frame: Frame,
    scans: Vec<Scan>,
    /// Whether Adobe's marker says that the components are no luma and colour.
    adobe_rgb: bool,
    /// Whether the picture has its end marker.
    ended: bool,
    /// The Exif blocks, as TIFF structures, and the XMP packets, in the file's order.
    pub exif: Vec<&'a [u8]>,
    pub xmp: Vec<&'a [u8]>,
}

impl<'a> Outline<'a> {
    /// Reads the markers of the first picture in `bytes`; whatever follows it is not looked at.
    ///
    /// # Errors
    /// [`JpegError`] when there is no picture to decode.
    pub fn read(bytes: &'a [u8]) -> Result<Self, JpegError> {
        let mut frame: Option<Frame> = None;
        let (mut scans, mut exif, mut xmp) = (Vec::new(), Vec::new(), Vec::new());
        let mut adobe_rgb = false;
        let mut ended = true;
        for segment in Segments::new(bytes)? {
            let segment = match segment {
                Ok(segment) => segment,
                // Behind a scan there is a picture, whatever comes then.
                Err(_) if !scans.is_empty() => {
                    ended = false;
                    break;
                }
                Err(fault) => return Err(fault.into()),
            };
            if segment.is_frame() {
                let read = Frame::read(&segment)?;
                if frame.replace(read).is_some() {
                    return Err(JpegError::Damaged);
                }
            } else if segment.marker == Segment::SOS {
                if scans.len() == MAX_SCANS {
                    return Err(JpegError::Damaged);
                }
                scans.push(Scan::read(&segment, frame.as_ref().ok_or(Fault::Damaged)?)?);
            } else {
                adobe_rgb |= segment.is_adobe_without_luma();
                exif.extend(segment.exif().filter(|_| exif.len() < MAX_METADATA));
                xmp.extend(segment.xmp().filter(|_| xmp.len() < MAX_METADATA));
            }
        }
        let frame = frame.ok_or(Fault::Damaged)?;
        if scans.is_empty() {
            return Err(JpegError::Truncated);
        }
        Ok(Self { bytes, frame, scans, adobe_rgb, ended, exif, xmp })
    }

    /// Width and height, as they lie in the file.
    pub fn size(&self) -> (u32, u32) {
        // Both come from 16 bits.
        (self.frame.width as u32, self.frame.height as u32)
    }

    /// Whether the picture's end marker is there.
    pub fn has_end(&self) -> bool {
        self.ended
    }

    /// Whether [`Outline::luma`] reads it; otherwise a general decoder may.
    pub fn has_plain_luma(&self) -> bool {
        self.frame.has_plain_luma && !(self.adobe_rgb && self.frame.components.len() > 1)
    }

    /// Decodes the luma to ceil(width × scale) by ceil(height × scale) pixels, if
    /// [`Outline::has_plain_luma`].
    ///
    /// # Errors
    /// [`JpegError`] when its data is damaged. Other decoders may still make a picture of it.
    pub fn luma(&self, scale: Scale, clock: &WorkClock) -> Result<Plane, JpegError> {
        self.plane(0, scale, clock)
    }

    /// Decodes luma and colour, each component in a pass of its own, if [`Outline::has_plain_luma`].
    ///
    /// # Errors
    /// As [`Outline::luma`].
    pub fn colour(&self, scale: Scale, clock: &WorkClock) -> Result<Colour, JpegError> {
        let luma = self.luma(scale, clock)?;
        let chroma = (1..self.frame.components.len()).map(|component| {
            // Coarser colour is made no coarser than the luma needs.
            let scale = self.chroma_scale(component, scale);
            self.plane(component, scale, clock)
        });
        Ok(Colour { chroma: chroma.collect::<Result<_, _>>()?, luma })
    }

    fn chroma_scale(&self, component: usize, luma: Scale) -> Scale {
        let (finest, own) = (&self.frame.components[0], &self.frame.components[component]);
        let coarser = (finest.across / own.across).min(finest.down / own.down);
        Scale::of_pixels(luma.pixels() * coarser)
    }

    /// Bytes that [`Outline::luma`] or [`Outline::colour`] holds at its peak: the pixels that come
    /// out, a copy of the data of one scan and, for a progressive file, the coefficients of one
    /// component.
    pub fn memory(&self, scale: Scale, colour: bool) -> u64 {
        let planes = if colour { self.frame.components.len() } else { 1 };
        let sides = |component: usize| {
            let scale = if component == 0 { scale } else { self.chroma_scale(component, scale) };
            let blocks = self.frame.units();
            let own = &self.frame.components[component];
            let blocks = (blocks.0 * own.across * blocks.1 * own.down) as u64;
            (blocks, scale.pixels())
        };
        let pixels: u64 = (0..planes).map(sides).map(|(blocks, side)| blocks * (side * side) as u64).sum();
        let coefficients = |(blocks, side): (u64, usize)| blocks * (8 + 2 * (dct::last_wanted(side) as u64 + 1));
        let coefficients = (0..planes).map(sides).map(coefficients).max().filter(|_| self.frame.progressive);
        pixels + coefficients.unwrap_or(0) + self.bytes.len() as u64
    }

    /// Whether the file holds all of its picture: it has its end marker, or the data of its last scan
    /// is all there and no further scan is missing. `None` when finding out would take more than
    /// `memory` bytes.
    pub fn is_complete(&self, memory: u64, clock: &WorkClock) -> Option<bool> {
        if self.ended {
            return Some(true);
        }
        let components = 0..self.frame.components.len();
        let given = |component: usize| match self.frame.progressive {
            true => progressive::reaches_last_bit(&self.scans, component),
            false => self.scans.iter().any(|scan| scan.coded(component).is_some()),
        };
        if !components.clone().all(given) {
            return Some(false);
        }
        // A progressive scan is only read together with those before it, at full size.
        let scale = if self.frame.progressive { Scale::Full } else { Scale::Eighth };
        if self.memory(scale, false) > memory {
            return None;
        }
        let last = self.scans.last()?;
        let mut coded = components.filter(|component| last.coded(*component).is_some());
        Some(coded.all(|component| self.plane(component, scale, clock).is_ok_and(|plane| plane.whole)))
    }

    /// Whether its scans come in an order that decoders agree on.
    pub fn is_orderly(&self) -> bool {
        order::is_orderly(&self.scans)
    }

    /// Whether a single scan holds all components, or the scans are progressive.
    #[cfg(any(test, fuzzing))]
    pub fn is_usual(&self) -> bool {
        self.frame.progressive || self.scans.iter().all(|scan| scan.coded.len() == self.frame.components.len())
    }

    /// Bytes that a general decoder holds: RGB, every coefficient of a progressive file, and some rows of
    /// units with their coefficients, as they are and as wide and high as the picture.
    pub fn general_memory(&self) -> u64 {
        let Frame { width, height, components, progressive, .. } = &self.frame;
        let (columns, rows, planes) = (width.next_multiple_of(32) as u64, *height as u64, components.len() as u64);
        let down = components.iter().map(|component| component.down).max().unwrap_or(1) as u64;
        let coefficients = if *progressive { 2 * planes * columns * height.next_multiple_of(32) as u64 } else { 0 };
        3 * columns * rows + coefficients + columns * (64 + 32 * planes * down)
    }

    /// Processor time that a general decoder takes at most: it cannot be stopped once it has begun.
    pub fn general_time(&self) -> Duration {
        let scans = self.scans.len() as u64;
        let a_pixel = GENERAL_PIXEL + if self.frame.progressive { scans * GENERAL_SCAN } else { 0 };
        Duration::from_nanos((self.frame.width * self.frame.height) as u64 * a_pixel)
    }

    fn plane(&self, component: usize, scale: Scale, clock: &WorkClock) -> Result<Plane, JpegError> {
        let decoded = match scale {
            Scale::Full => self.decode::<8>(component, clock),
            Scale::Half => self.decode::<4>(component, clock),
            Scale::Quarter => self.decode::<2>(component, clock),
            Scale::Eighth => self.decode::<1>(component, clock),
        };
        Ok(decoded?)
    }

    /// Decodes a component to N×N pixels a block.
    fn decode<const N: usize>(&self, component: usize, clock: &WorkClock) -> Result<Plane, Fault> {
        let frame = &self.frame;
        let plane = frame.plane(component);
        let mut picture = Picture::<N>::new(plane);
        let mut progressive = frame.progressive.then(|| Progressive::<N>::new(frame, plane));
        let wanted = progressive::wanted(&self.scans, component, dct::last_wanted(N));
        let mut tables = Tables::default();
        let mut scans = self.scans.iter().zip(wanted);
        for segment in Segments::new(self.bytes)? {
            // The walk over the markers went as far.
            let Ok(segment) = segment else { break };
            // A swarm of tables takes its time as well.
            clock.check()?;
            tables.read(&segment)?;
            if segment.marker != Segment::SOS {
                continue;
            }
            let Some((scan, wanted)) = scans.next() else { break };
            let Some(coded) = scan.coded(component).filter(|_| wanted) else { continue };
            let may_end = !self.ended && scans.len() == 0;
            let job = Job { frame, plane, scan, coded, tables: &tables, data: segment.data, may_end, clock };
            match &mut progressive {
                Some(progressive) => in_vectors(Gather { job, progressive })?,
                None => {
                    // A sequential file says all about a component in one scan.
                    let units = in_vectors(Sequential { job, picture: &mut picture })?;
                    return Ok(picture.up_to(units));
                }
            }
        }
        let progressive = progressive.ok_or(Fault::Damaged)?;
        let exact = progressive.is_exact();
        let rows = progressive.rows();
        in_vectors(Paint { progressive, picture: &mut picture, clock })?;
        let plane = picture.up_to(rows);
        Ok(Plane { whole: exact && plane.whole, ..plane })
    }
}

/// One scan with what it needs to decode a plane.
struct Job<'a> {
    frame: &'a Frame,
    plane: headers::Plane,
    scan: &'a Scan,
    /// The plane's component in the scan.
    coded: headers::Coded,
    tables: &'a Tables,
    data: &'a [u8],
    /// Whether its data may end early: that of the last scan of a file without an end marker.
    may_end: bool,
    /// Asked about once a row of units.
    clock: &'a WorkClock,
}
