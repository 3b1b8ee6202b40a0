//! The marker segments of a JPEG (T.81 B.1.1), found but not read.

use super::Fault;

/// A marker, its parameters and, behind the header of a scan, the entropy-coded data.
pub(super) struct Segment<'a> {
    /// The second byte; the first is always `FF`.
    pub marker: u8,
    pub body: &'a [u8],
    pub data: &'a [u8],
}

impl<'a> Segment<'a> {
    pub const SOS: u8 = 0xda;
    const SOI: u8 = 0xd8;
    const EOI: u8 = 0xd9;
    pub const DHT: u8 = 0xc4;
    pub const DQT: u8 = 0xdb;
    pub const DRI: u8 = 0xdd;
    const APP1: u8 = 0xe1;
    const APP14: u8 = 0xee;

    /// Whether it is a start of frame of any kind (of JPEG-LS, too), or announces arithmetic coding.
    pub fn is_frame(&self) -> bool {
        matches!(self.marker, 0xc0..=0xcf | 0xf7) && self.marker != Self::DHT
    }

    /// The TIFF structure of an Exif block (CIPA DC-008, 4.7.2).
    pub fn exif(&self) -> Option<&'a [u8]> {
        self.body.strip_prefix(b"Exif\0").filter(|_| self.marker == Self::APP1)?.get(1..)
    }

    /// An XMP packet (XMP specification part 3, 1.1.3).
    pub fn xmp(&self) -> Option<&'a [u8]> {
        self.body.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0").filter(|_| self.marker == Self::APP1)
    }

    /// Whether it is Adobe's segment and its last byte says other than YCbCr, which is 1.
    pub fn is_adobe_without_luma(&self) -> bool {
        self.marker == Self::APP14
            && self.body.starts_with(b"Adobe")
            && self.body.get(11).is_some_and(|kind| *kind != 1)
    }
}

/// Walks over the segments up to the end marker, and no further: what follows it is another
/// picture, a video, or a vendor's own. A file without an end marker is truncated; the data of its
/// last scan goes on to the end of the file.
pub(super) struct Segments<'a> {
    rest: &'a [u8],
    done: bool,
}

impl<'a> Segments<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let rest = bytes.strip_prefix(&[0xff, Segment::SOI]).ok_or(Fault::Damaged)?;
        Ok(Self { rest, done: false })
    }

    fn segment(&mut self) -> Result<Option<Segment<'a>>, Fault> {
        // Stray bytes before a marker are passed over, as other decoders do.
        let start = marker(self.rest).ok_or(Fault::Truncated)?;
        let marker_code = self.rest[start + 1];
        self.rest = &self.rest[start + 2..];
        if marker_code == Segment::EOI {
            return Ok(None);
        }
        // Restart markers left over behind a scan have no parameters.
        if matches!(marker_code, 0x01 | 0xd0..=0xd8) {
            return Ok(Some(Segment { marker: marker_code, body: &[], data: &[] }));
        }
        let length = usize::from(u16::from_be_bytes(*self.rest.first_chunk().ok_or(Fault::Truncated)?));
        if length < 2 {
            return Err(Fault::Damaged);
        }
        let body = self.rest.get(2..length).ok_or(Fault::Truncated)?;
        self.rest = &self.rest[length..];
        let mut data: &[u8] = &[];
        if marker_code == Segment::SOS {
            (data, self.rest) = self.rest.split_at(scan_length(self.rest).unwrap_or(self.rest.len()));
        }
        Ok(Some(Segment { marker: marker_code, body, data }))
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let segment = self.segment().transpose();
        self.done = !matches!(segment, Some(Ok(_)));
        segment
    }
}

/// Where the next marker begins: an `FF` before a byte that is neither 0 nor a fill byte `FF`.
fn marker(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(0xff, bytes).find(|at| bytes.get(at + 1).is_some_and(|code| !matches!(code, 0 | 0xff)))
}

/// Length of entropy-coded data: up to the first marker but the restarts within.
fn scan_length(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(0xff, bytes)
        .find(|at| bytes.get(at + 1).is_some_and(|code| !matches!(code, 0 | 0xff | 0xd0..=0xd7)))
}
