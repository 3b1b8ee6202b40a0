//! From the bytes of a scan to bits: restart intervals, byte stuffing and the bit reader.

use super::JpegError;

/// Zeros appended to an interval, so that the reader's eight-byte loads stay inside it up to its last bit.
const PADDING: usize = 8;

/// Entropy-coded data split at its restart markers, with byte stuffing removed (T.81 B.1.1.5).
///
/// Removing the stuffing beforehand costs a few per cent of the decoding time and spares the bit
/// reader every check for `FF`.
pub struct RestartIntervals<'a> {
    rest: &'a [u8],
    unstuffed: Vec<u8>,
    /// Number of the restart marker that ends the current interval, cycling through 0 to 7.
    restart_number: u8,
    ended: bool,
}

impl<'a> RestartIntervals<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data, unstuffed: Vec::with_capacity(data.len() + PADDING), restart_number: 0, ended: false }
    }

    /// The next interval's bits; `None` when the data ended before it.
    pub fn next_interval(&mut self) -> Result<Option<BitReader<'_>>, JpegError> {
        if self.ended {
            return Ok(None);
        }
        self.unstuffed.clear();
        loop {
            let Some(at) = memchr::memchr(0xff, self.rest) else {
                self.unstuffed.extend_from_slice(self.rest);
                self.ended = true;
                break;
            };
            self.unstuffed.extend_from_slice(&self.rest[..at]);
            match self.rest.get(at + 1) {
                Some(0) => self.unstuffed.push(0xff),
                Some(0xff) => {
                    // A fill byte; the second may be the first byte of a marker.
                    self.rest = &self.rest[at + 1..];
                    continue;
                }
                Some(marker) if *marker == 0xd0 + self.restart_number => {
                    self.restart_number = (self.restart_number + 1) % 8;
                    self.rest = &self.rest[at + 2..];
                    break;
                }
                None => {
                    // A fill byte of the marker after the data.
                    self.ended = true;
                    break;
                }
                Some(_) => return Err(JpegError::Damaged),
            }
            self.rest = &self.rest[at + 2..];
        }
        self.unstuffed.extend_from_slice(&[0; PADDING]);
        Ok(Some(BitReader { data: &self.unstuffed, at: 0, buffer: 0, count: 0 }))
    }
}

/// Reads an interval's bits, most significant first, through a 64-bit buffer.
///
/// It is a small `Copy` value whose methods are all inlined, so that a decoding loop keeps it in
/// registers. Past the end it reads zeros; check with [`BitReader::is_past_end`].
#[derive(Clone, Copy)]
pub struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, left-aligned. Below the `count` valid ones there can be further bits of the
    /// data, which the next refill writes again.
    buffer: u64,
    count: u32,
}

impl BitReader<'_> {
    /// Bits that are available after [`BitReader::refill`], at least.
    pub const REFILLED: u32 = 56;

    /// Tops the buffer up to at least [`BitReader::REFILLED`] bits, without branching on its fill level
    /// (variant 4 of <https://fgiesen.wordpress.com/2018/02/20/reading-bits-in-far-too-many-ways-part-2/>).
    #[inline(always)]
    pub fn refill(&mut self) {
        let next =
            self.data.get(self.at..).and_then(|rest| rest.first_chunk()).map_or(0, |next| u64::from_be_bytes(*next));
        self.buffer |= next >> self.count;
        self.at += (63 - self.count as usize) / 8;
        self.count |= Self::REFILLED;
    }

    /// The next bits, left-aligned: at least as many as are left of the last refill.
    #[inline(always)]
    pub fn peek(&self) -> u64 {
        self.buffer
    }

    #[inline(always)]
    pub fn consume(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// The next `bits` (0 to 31) as a number; no bits read as 0.
    #[inline(always)]
    pub fn read(&mut self, bits: u32) -> u32 {
        let value = (self.buffer >> 32 >> (32 - bits)) as u32;
        self.consume(bits);
        value
    }

    #[inline(always)]
    pub fn read_bit(&mut self) -> bool {
        self.read(1) == 1
    }

    /// Whether more bits were consumed than the interval has.
    #[inline(always)]
    pub fn is_past_end(&self) -> bool {
        self.at * 8 - self.count as usize > (self.data.len() - PADDING) * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_and_fill_bytes_are_removed_and_restart_markers_split_the_data() {
        let mut intervals = RestartIntervals::new(b"\x12\xff\0\x34\xff\xff\xd0\x56\xff");
        let mut bits = intervals.next_interval().unwrap().unwrap();
        bits.refill();
        assert_eq!(bits.read(24), 0x12_ff_34);
        assert!(!bits.is_past_end());
        assert_eq!(bits.read(1), 0);
        assert!(bits.is_past_end());
        let mut bits = intervals.next_interval().unwrap().unwrap();
        bits.refill();
        assert_eq!(bits.read(8), 0x56);
        assert!(intervals.next_interval().unwrap().is_none());
    }

    #[test]
    fn a_restart_marker_out_of_sequence_is_an_error() {
        assert!(RestartIntervals::new(b"\x12\xff\xd1\x34").next_interval().is_err());
    }

    #[test]
    fn bits_far_past_the_end_are_zeros() {
        let mut intervals = RestartIntervals::new(&[0xaa; 3]);
        let mut bits = intervals.next_interval().unwrap().unwrap();
        for _ in 0..100 {
            bits.refill();
            bits.consume(31);
        }
        bits.refill();
        assert_eq!(bits.read(31), 0);
        assert!(bits.is_past_end());
    }
}
