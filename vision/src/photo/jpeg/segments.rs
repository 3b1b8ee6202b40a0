//! Splits a JPEG into its marker segments (T.81 B.1.1), without interpreting them.

use super::JpegError;

/// A marker, its parameters and, after a scan header, the entropy-coded data.
pub(super) struct Segment<'a> {
    /// The marker's second byte; the first is always `FF`.
    pub marker: u8,
    pub parameters: &'a [u8],
    pub entropy_coded: &'a [u8],
}

impl<'a> Segment<'a> {
    pub const SOS: u8 = 0xda;
    const SOI: u8 = 0xd8;
    const EOI: u8 = 0xd9;
    pub const DHT: u8 = 0xc4;
    pub const DQT: u8 = 0xdb;
    const DNL: u8 = 0xdc;
    pub const DRI: u8 = 0xdd;
    const COM: u8 = 0xfe;
    const APP1: u8 = 0xe1;
    const APP14: u8 = 0xee;

    /// Whether it starts a frame of any kind (JPEG-LS included) or defines arithmetic conditioning (DAC).
    pub fn is_frame_header(&self) -> bool {
        matches!(self.marker, 0xc0..=0xcf | 0xf7) && self.marker != Self::DHT
    }

    /// The TIFF structure of an Exif block (CIPA DC-008, 4.7.2).
    pub fn exif(&self) -> Option<&'a [u8]> {
        self.parameters.strip_prefix(b"Exif\0").filter(|_| self.marker == Self::APP1)?.get(1..)
    }

    /// An XMP packet (XMP specification part 3, 1.1.3).
    pub fn xmp(&self) -> Option<&'a [u8]> {
        self.parameters.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0").filter(|_| self.marker == Self::APP1)
    }

    /// Whether it is Adobe's segment for RGB or CMYK (0) or YCCK (2). 1 is YCbCr, which decoders assume for all others.
    pub fn is_adobe_without_luma(&self) -> bool {
        self.marker == Self::APP14
            && self.parameters.starts_with(b"Adobe")
            && self.parameters.get(11).is_some_and(|transform| matches!(transform, 0 | 2))
    }
}

/// Iterates over the segments up to the end-of-image marker and no further: what follows it is another
/// picture, a video or vendor data. Where that follows without an end marker, the picture ends at the first
/// marker that cannot come after a scan. A file without an end marker is truncated; the data of its
/// last scan extends to such a marker or to the end of the file.
pub(super) struct Segments<'a> {
    rest: &'a [u8],
    has_scan: bool,
    done: bool,
}

impl<'a> Segments<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, JpegError> {
        let rest = bytes.strip_prefix(&[0xff, Segment::SOI]).ok_or(JpegError::Damaged)?;
        Ok(Self { rest, has_scan: false, done: false })
    }

    /// What follows the segments so far: nothing of the picture, once they have all been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn parse_next(&mut self) -> Result<Option<Segment<'a>>, JpegError> {
        // Stray bytes before a marker are skipped, as in other decoders.
        let start = find_marker(self.rest).ok_or(JpegError::Truncated)?;
        let marker = self.rest[start + 1];
        if self.has_scan && !may_follow_scan(marker) {
            self.rest = &self.rest[start..];
            return Err(JpegError::Truncated);
        }
        self.rest = &self.rest[start + 2..];
        if marker == Segment::EOI {
            return Ok(None);
        }
        // Restart markers left over after a scan have no parameters.
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            return Ok(Some(Segment { marker, parameters: &[], entropy_coded: &[] }));
        }
        let length = usize::from(u16::from_be_bytes(*self.rest.first_chunk().ok_or(JpegError::Truncated)?));
        if length < 2 {
            return Err(JpegError::Damaged);
        }
        let parameters = self.rest.get(2..length).ok_or(JpegError::Truncated)?;
        self.rest = &self.rest[length..];
        let mut entropy_coded: &[u8] = &[];
        if marker == Segment::SOS {
            self.has_scan = true;
            (entropy_coded, self.rest) = self.rest.split_at(scan_length(self.rest).unwrap_or(self.rest.len()));
        }
        Ok(Some(Segment { marker, parameters, entropy_coded }))
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, JpegError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let segment = self.parse_next().transpose();
        self.done = !matches!(segment, Some(Ok(_)));
        segment
    }
}

/// Whether a picture can go on with this marker after its first scan (T.81 B.2.1 and B.2.4): with another scan,
/// tables, a number of lines or metadata, or with restart markers left over from the scan.
fn may_follow_scan(marker: u8) -> bool {
    use Segment as S;
    matches!(marker, 0xd0..=0xd7 | 0xe0..=0xef | S::EOI | S::SOS | S::DHT | S::DQT | S::DRI | S::DNL | S::COM)
}

/// Where the next marker begins: an `FF` before a byte that is neither 0 nor a fill byte `FF`.
fn find_marker(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(0xff, bytes).find(|at| bytes.get(at + 1).is_some_and(|code| !matches!(code, 0 | 0xff)))
}

/// Length of entropy-coded data: up to the first marker other than a restart.
fn scan_length(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(0xff, bytes)
        .find(|at| bytes.get(at + 1).is_some_and(|code| !matches!(code, 0 | 0xff | 0xd0..=0xd7)))
}
