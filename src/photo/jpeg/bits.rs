//! From the bytes of a scan to bits: restart intervals, byte stuffing and the bit reader.

use super::Fault;

/// Zeros behind an interval, so that the reader's eight-byte loads stay inside it to its last bit.
const PADDING: usize = 8;

/// Entropy-coded data cut into its restart intervals, each freed of byte stuffing (T.81 B.1.1.5).
///
/// Taking the stuffing out beforehand costs a few hundredths of the decoding time and spares the
/// bit reader every question about `FF`.
pub struct Intervals<'a> {
    rest: &'a [u8],
    clean: Vec<u8>,
    /// Number of the restart marker that ends the current interval, 0 to 7 in turn.
    number: u8,
    ended: bool,
}

impl<'a> Intervals<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data, clean: Vec::with_capacity(data.len() + PADDING), number: 0, ended: false }
    }

    /// The next interval's bits; `None` when the data ended before it.
    pub fn next_interval(&mut self) -> Result<Option<Bits<'_>>, Fault> {
        if self.ended {
            return Ok(None);
        }
        self.clean.clear();
        loop {
            let Some(at) = memchr::memchr(0xff, self.rest) else {
                self.clean.extend_from_slice(self.rest);
                self.ended = true;
                break;
            };
            self.clean.extend_from_slice(&self.rest[..at]);
            match self.rest.get(at + 1) {
                Some(0) => self.clean.push(0xff),
                Some(0xff) => {
                    // A fill byte; the second may be a marker's own first.
                    self.rest = &self.rest[at + 1..];
                    continue;
                }
                Some(marker) if *marker == 0xd0 + self.number => {
                    self.number = (self.number + 1) % 8;
                    self.rest = &self.rest[at + 2..];
                    break;
                }
                None => {
                    // A fill byte of the marker behind the data.
                    self.ended = true;
                    break;
                }
                Some(_) => return Err(Fault::Damaged),
            }
            self.rest = &self.rest[at + 2..];
        }
        self.clean.extend_from_slice(&[0; PADDING]);
        Ok(Some(Bits { data: &self.clean, at: 0, buffer: 0, count: 0 }))
    }
}

/// Reads an interval's bits, most significant first, through a 64-bit buffer.
///
/// It is a small `Copy` value whose methods all inline, so that a decoding loop keeps it in
/// registers. Past the end it reads zeros; [`Bits::overran`] tells.
#[derive(Clone, Copy)]
pub struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, the first of them topmost. Below the `count` that are accounted for lie
    /// true bits too, which the next refill writes again.
    buffer: u64,
    count: u32,
}

impl Bits<'_> {
    /// Bits that are certain to be there after [`Bits::refill`].
    pub const REFILLED: u32 = 56;

    /// Tops the buffer up to at least [`Bits::REFILLED`] bits, without asking how many it has
    /// (variant 4 of <https://fgiesen.wordpress.com/2018/02/20/reading-bits-in-far-too-many-ways-part-2/>).
    #[inline(always)]
    pub fn refill(&mut self) {
        let next =
            self.data.get(self.at..).and_then(|rest| rest.first_chunk()).map_or(0, |next| u64::from_be_bytes(*next));
        self.buffer |= next >> self.count;
        self.at += (63 - self.count as usize) / 8;
        self.count |= Self::REFILLED;
    }

    /// The bits to come, left-aligned: at least as many as the last refill left.
    #[inline(always)]
    pub fn ahead(&self) -> u64 {
        self.buffer
    }

    #[inline(always)]
    pub fn consume(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// The next `bits` (at most 31, none is 0) as a number.
    #[inline(always)]
    pub fn take(&mut self, bits: u32) -> u32 {
        let value = (self.buffer >> 32 >> (32 - bits)) as u32;
        self.consume(bits);
        value
    }

    #[inline(always)]
    pub fn bit(&mut self) -> bool {
        self.take(1) == 1
    }

    /// Whether more bits were consumed than the interval has.
    #[inline(always)]
    pub fn overran(&self) -> bool {
        self.at * 8 - self.count as usize > (self.data.len() - PADDING) * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_and_fill_bytes_are_taken_out_and_restarts_divide() {
        let mut intervals = Intervals::new(b"\x12\xff\0\x34\xff\xff\xd0\x56\xff");
        let mut bits = intervals.next_interval().unwrap().unwrap();
        bits.refill();
        assert_eq!(bits.take(24), 0x12_ff_34);
        assert!(!bits.overran());
        assert_eq!(bits.take(1), 0);
        assert!(bits.overran());
        let mut bits = intervals.next_interval().unwrap().unwrap();
        bits.refill();
        assert_eq!(bits.take(8), 0x56);
        assert!(intervals.next_interval().unwrap().is_none());
    }

    #[test]
    fn a_restart_out_of_turn_is_damage() {
        assert!(Intervals::new(b"\x12\xff\xd1\x34").next_interval().is_err());
    }

    #[test]
    fn bits_far_past_the_end_are_zeros() {
        let mut intervals = Intervals::new(&[0xaa; 3]);
        let mut bits = intervals.next_interval().unwrap().unwrap();
        for _ in 0..100 {
            bits.refill();
            bits.consume(31);
        }
        bits.refill();
        assert_eq!(bits.take(31), 0);
        assert!(bits.overran());
    }
}
