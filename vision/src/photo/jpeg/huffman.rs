//! Huffman tables (T.81 annexes C and F.2.2), laid out for decoding in one look-up.

use super::JpegError;
use super::bits::BitReader;

/// Bits of one look-up. A table of 2^10 entries takes 4 KiB, so that a scan's tables share the
/// L1 cache with the coefficients, and it is built in about a microsecond.
const LOOKUP_BITS: u32 = 10;

/// Maximum code length (T.81 C.1).
const MAX_LENGTH: usize = 16;

/// A table as the file defines it (T.81 B.2.4.2): the number of codes of each length, and
/// their symbols. Look-ups are built from it only when a scan needs them.
#[derive(Clone)]
pub struct TableDefinition {
    counts: [u8; MAX_LENGTH],
    symbols: [u8; 256],
}

impl TableDefinition {
    /// Parses a definition at the start of `bytes`; returns it and its size in bytes.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), JpegError> {
        let counts = *bytes.first_chunk::<MAX_LENGTH>().ok_or(JpegError::Damaged)?;
        let total = counts.iter().map(|count| usize::from(*count)).sum::<usize>();
        let mut symbols = [0; 256];
        let stored = bytes.get(MAX_LENGTH..MAX_LENGTH + total).ok_or(JpegError::Damaged)?;
        symbols.get_mut(..total).ok_or(JpegError::Damaged)?.copy_from_slice(stored);
        Ok((Self { counts, symbols }, MAX_LENGTH + total))
    }

    /// Its symbols, those with the shortest codes first.
    pub fn symbols(&self) -> &[u8] {
        &self.symbols[..self.counts.iter().map(|count| usize::from(*count)).sum()]
    }
}

/// One look-up entry: the bits that a symbol takes in all, and its meaning.
///
/// Bits 0 to 7: length of the code and of the magnitude that follows. 8 to 11: the symbol's upper
/// half, the run of zeros. 12 to 15: its lower half, the magnitude's size. 16 to 31: the value,
/// if all its bits are within the look-up, else 0. The whole is 0 where no code is known.
#[derive(Clone, Copy)]
struct Entry(u32);

impl Entry {
    fn new(code_length: u32, symbol: u8, value: i32) -> Self {
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        Self((value as u32) << 16 | size << 12 | run << 8 | (code_length + size))
    }

    #[inline(always)]
    fn length(self) -> u32 {
        self.0 & 0xff
    }

    #[inline(always)]
    fn run(self) -> usize {
        (self.0 >> 8 & 15) as usize
    }

    #[inline(always)]
    fn size(self) -> u32 {
        self.0 >> 12 & 15
    }

    #[inline(always)]
    fn value(self) -> i32 {
        self.0 as i32 >> 16
    }
}

/// A run of zeros and the value after it. Value 0 means that the symbol has no magnitude: it ends a
/// block or a band (run 0 to 14), or stands for sixteen zeros (run 15).
#[derive(Clone, Copy)]
pub struct RunValue {
    pub run: usize,
    pub value: i32,
}

/// Decodes the symbols of one table.
pub struct HuffmanTable {
    lookup: [Entry; 1 << LOOKUP_BITS],
    /// For each length, the first left-aligned code that is longer.
    limits: [u32; MAX_LENGTH + 1],
    /// For each length, what to add to a code to get the index of its symbol.
    offsets: [i32; MAX_LENGTH + 1],
    symbols: [u8; 256],
}

impl HuffmanTable {
    pub fn new(definition: &TableDefinition) -> Result<Self, JpegError> {
        let mut table = Self {
            lookup: [Entry(0); 1 << LOOKUP_BITS],
            limits: [0; MAX_LENGTH + 1],
            offsets: [0; MAX_LENGTH + 1],
            symbols: definition.symbols,
        };
        let (mut code, mut index) = (0_u32, 0);
        for (length, count) in (1..).zip(definition.counts) {
            table.offsets[length as usize] = index as i32 - code as i32;
            for _ in 0..count {
                if code >> length != 0 {
                    return Err(JpegError::Damaged);
                }
                if length <= LOOKUP_BITS {
                    table.insert(code, length, definition.symbols[index]);
                }
                (code, index) = (code + 1, index + 1);
            }
            table.limits[length as usize] = code << (MAX_LENGTH as u32 - length);
            code <<= 1;
        }
        Ok(table)
    }

    /// Writes every entry that begins with this code.
    fn insert(&mut self, code: u32, length: u32, symbol: u8) {
        let spare = LOOKUP_BITS - length;
        let size = u32::from(symbol & 15);
        let first = (code << spare) as usize;
        let entries = &mut self.lookup[first..first + (1 << spare)];
        if size == 0 || size > spare {
            entries.fill(Entry::new(length, symbol, 0));
            return;
        }
        for (magnitude, same) in entries.chunks_exact_mut(1 << (spare - size)).enumerate() {
            same.fill(Entry::new(length, symbol, extend(magnitude as i32, size)));
        }
    }

    /// Decodes a symbol and the magnitude after it: at most 31 bits of the refilled `bits`.
    #[inline(always)]
    pub fn decode(&self, bits: &mut BitReader) -> Result<RunValue, JpegError> {
        let ahead = bits.peek();
        let mut entry = self.lookup[(ahead >> (64 - LOOKUP_BITS)) as usize];
        let mut value = entry.value();
        if value == 0 {
            if entry.0 == 0 {
                entry = self.find_long_code(ahead)?;
            }
            let size = entry.size();
            if size != 0 {
                let magnitude = (ahead << (entry.length() - size)) >> (64 - size);
                value = extend(magnitude as i32, size);
            }
        }
        bits.consume(entry.length());
        Ok(RunValue { run: entry.run(), value })
    }

    /// How many times [`Self::decode_short`] may be called after one refill.
    pub const SHORT_PER_REFILL: u32 = BitReader::REFILLED / LOOKUP_BITS;

    /// Decodes a symbol that has a value and is within one look-up, or consumes nothing.
    #[inline(always)]
    pub fn decode_short(&self, bits: &mut BitReader) -> Option<RunValue> {
        let entry = self.lookup[(bits.peek() >> (64 - LOOKUP_BITS)) as usize];
        let value = entry.value();
        if value == 0 {
            return None;
        }
        bits.consume(entry.length());
        Some(RunValue { run: entry.run(), value })
    }

    /// Skips a symbol and its magnitude.
    #[inline(always)]
    pub fn skip(&self, bits: &mut BitReader) -> Result<(), JpegError> {
        let mut entry = self.lookup[(bits.peek() >> (64 - LOOKUP_BITS)) as usize];
        if entry.0 == 0 {
            entry = self.find_long_code(bits.peek())?;
        }
        bits.consume(entry.length());
        Ok(())
    }

    /// Finds a code that is longer than a look-up (T.81 F.2.2.3).
    #[cold]
    #[inline(never)]
    fn find_long_code(&self, ahead: u64) -> Result<Entry, JpegError> {
        let code = (ahead >> (64 - MAX_LENGTH)) as u32;
        let length = (1..=MAX_LENGTH).find(|length| code < self.limits[*length]).ok_or(JpegError::Damaged)?;
        let index = (code >> (MAX_LENGTH - length)) as i32 + self.offsets[length];
        let symbol = usize::try_from(index).ok().and_then(|index| self.symbols.get(index));
        Ok(Entry::new(length as u32, *symbol.ok_or(JpegError::Damaged)?, 0))
    }
}

/// A magnitude's bits as a signed value (the EXTEND procedure, T.81 F.2.2.1, figure F.12).
#[inline(always)]
fn extend(magnitude: i32, size: u32) -> i32 {
    if magnitude >> (size - 1) == 0 { magnitude - (1 << size) + 1 } else { magnitude }
}

/// Bits of a look-up in [`SkipTable`].
const SKIP_BITS: u32 = 11;

/// Set in an entry of [`SkipTable`] whose last symbol ends the block.
const END_OF_BLOCK: u16 = 1 << 15;

/// Skips AC coefficients that are not needed, several symbols a look-up.
pub struct SkipTable {
    /// Bits 0 to 5: length of all the symbols whose codes are within the look-up, with their
    /// magnitudes. 6 to 13: how many coefficients they stand for, an end of block counting as
    /// one. 15: [`END_OF_BLOCK`]. The whole is 0 where the first code is longer than the look-up.
    lookup: [u16; 1 << SKIP_BITS],
}

impl SkipTable {
    pub fn new(table: &HuffmanTable) -> Self {
        let mut lookup = [0; 1 << SKIP_BITS];
        for (start, entry) in lookup.iter_mut().enumerate() {
            let (mut length, mut skipped, mut end) = (0, 0, 0);
            // The bits after those of the look-up are zeros here, so only codes that
            // end before them count.
            while length < SKIP_BITS && end == 0 && skipped < 64 {
                let ahead = ((start as u64) << (64 - SKIP_BITS)) << length;
                let next = table.lookup[(ahead >> (64 - LOOKUP_BITS)) as usize];
                if next.0 == 0 || length + next.length() - next.size() > SKIP_BITS {
                    break;
                }
                match (next.size(), next.run()) {
                    (0, 15) => skipped += 16,
                    (0, 0) => (skipped, end) = (skipped + 1, END_OF_BLOCK),
                    (0, _) => break,
                    (_, run) => skipped += run as u16 + 1,
                }
                length += next.length();
            }
            *entry = end | skipped << 6 | length as u16;
        }
        Self { lookup }
    }

    /// Skips a block's coefficients from `k` on.
    #[inline(always)]
    pub fn skip_block(&self, bits: &mut BitReader, table: &HuffmanTable, mut k: usize) -> Result<(), JpegError> {
        while k < 64 {
            bits.refill();
            let entry = self.lookup[(bits.peek() >> (64 - SKIP_BITS)) as usize];
            let skipped = usize::from(entry >> 6 & 0xff);
            if skipped == 0 || k + skipped > 64 {
                // A long code, or a look-up that reaches into the next block: one at a time.
                let symbol = table.decode(bits)?;
                match (symbol.value, symbol.run) {
                    (0, 0) => return Ok(()),
                    (0, 15) => k += 16,
                    (0, _) => return Err(JpegError::Damaged),
                    (_, run) => k += run + 1,
                }
                continue;
            }
            bits.consume(u32::from(entry & 63));
            if entry & END_OF_BLOCK != 0 {
                return Ok(());
            }
            k += skipped;
        }
        if k > 64 { Err(JpegError::Damaged) } else { Ok(()) }
    }
}
