//! Huffman tables (T.81 annexes C and F.2.2), laid out for decoding in one look-up.

use super::Fault;
use super::bits::Bits;

/// Bits of one look-up. A table of 2^10 entries takes 4 KiB, so that a scan's tables share the
/// first-level cache with the coefficients, and it is built in about a microsecond.
const FAST: u32 = 10;

/// Longest code (T.81 C.1).
const LONGEST: usize = 16;

/// A table as the file defines it (T.81 B.2.4.2): how many codes there are of each length, and
/// their symbols. Look-ups are built from it only when a scan needs them.
#[derive(Clone)]
pub struct Definition {
    counts: [u8; LONGEST],
    symbols: [u8; 256],
}

impl Definition {
    /// Reads a definition from the front of `bytes`; gives it and its size.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), Fault> {
        let counts = *bytes.first_chunk::<LONGEST>().ok_or(Fault::Damaged)?;
        let total = counts.iter().map(|count| usize::from(*count)).sum::<usize>();
        let mut symbols = [0; 256];
        let given = bytes.get(LONGEST..LONGEST + total).ok_or(Fault::Damaged)?;
        symbols.get_mut(..total).ok_or(Fault::Damaged)?.copy_from_slice(given);
        Ok((Self { counts, symbols }, LONGEST + total))
    }

    /// Its symbols, those with the shortest codes first.
    pub fn symbols(&self) -> &[u8] {
        &self.symbols[..self.counts.iter().map(|count| usize::from(*count)).sum()]
    }
}

/// One step of decoding: how many bits it takes in all, and what they say.
///
/// Bits 0 to 7: length of the code and of the magnitude behind it. 8 to 11: the symbol's upper
/// half, the run of zeros. 12 to 15: its lower half, the magnitude's size. 16 to 31: the value,
/// where all its bits lay within the look-up, else 0. The whole is 0 where no code is known.
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

/// A run of zeros and the value behind it. Value 0 means the symbol has no magnitude: it ends a
/// block or a band (run 0 to 14), or stands for sixteen zeros (run 15).
#[derive(Clone, Copy)]
pub struct Step {
    pub run: usize,
    pub value: i32,
}

/// Decodes the symbols of one table.
pub struct Table {
    fast: [Entry; 1 << FAST],
    /// For each length, the first left-aligned code that is longer.
    limits: [u32; LONGEST + 1],
    /// For each length, what to add to a code to find its symbol.
    offsets: [i32; LONGEST + 1],
    symbols: [u8; 256],
}

impl Table {
    pub fn new(definition: &Definition) -> Result<Self, Fault> {
        let mut table = Self {
            fast: [Entry(0); 1 << FAST],
            limits: [0; LONGEST + 1],
            offsets: [0; LONGEST + 1],
            symbols: definition.symbols,
        };
        let (mut code, mut index) = (0_u32, 0);
        for (length, count) in (1..).zip(definition.counts) {
            table.offsets[length as usize] = index as i32 - code as i32;
            for _ in 0..count {
                if code >> length != 0 {
                    return Err(Fault::Damaged);
                }
                if length <= FAST {
                    table.fill(code, length, definition.symbols[index]);
                }
                (code, index) = (code + 1, index + 1);
            }
            table.limits[length as usize] = code << (LONGEST as u32 - length);
            code <<= 1;
        }
        Ok(table)
    }

    /// Writes every entry that begins with this code.
    fn fill(&mut self, code: u32, length: u32, symbol: u8) {
        let spare = FAST - length;
        let size = u32::from(symbol & 15);
        let first = (code << spare) as usize;
        let entries = &mut self.fast[first..first + (1 << spare)];
        if size == 0 || size > spare {
            entries.fill(Entry::new(length, symbol, 0));
            return;
        }
        for (magnitude, same) in entries.chunks_exact_mut(1 << (spare - size)).enumerate() {
            same.fill(Entry::new(length, symbol, extended(magnitude as i32, size)));
        }
    }

    /// Decodes a symbol and the magnitude behind it: at most 31 bits of the refilled `bits`.
    #[inline(always)]
    pub fn step(&self, bits: &mut Bits) -> Result<Step, Fault> {
        let ahead = bits.ahead();
        let mut entry = self.fast[(ahead >> (64 - FAST)) as usize];
        let mut value = entry.value();
        if value == 0 {
            if entry.0 == 0 {
                entry = self.long(ahead)?;
            }
            let size = entry.size();
            if size != 0 {
                let magnitude = (ahead << (entry.length() - size)) >> (64 - size);
                value = extended(magnitude as i32, size);
            }
        }
        bits.consume(entry.length());
        Ok(Step { run: entry.run(), value })
    }

    /// As many [`Self::short_step`]s may follow one refill.
    pub const SHORT_STEPS: u32 = Bits::REFILLED / FAST;

    /// Decodes a symbol that is whole within a look-up and has a value.
    #[inline(always)]
    pub fn short_step(&self, bits: &mut Bits) -> Option<Step> {
        let entry = self.fast[(bits.ahead() >> (64 - FAST)) as usize];
        let value = entry.value();
        if value == 0 {
            return None;
        }
        bits.consume(entry.length());
        Some(Step { run: entry.run(), value })
    }

    /// Passes over a symbol and its magnitude.
    #[inline(always)]
    pub fn pass(&self, bits: &mut Bits) -> Result<(), Fault> {
        let mut entry = self.fast[(bits.ahead() >> (64 - FAST)) as usize];
        if entry.0 == 0 {
            entry = self.long(bits.ahead())?;
        }
        bits.consume(entry.length());
        Ok(())
    }

    /// Finds a code that is longer than a look-up (T.81 F.2.2.3).
    #[cold]
    #[inline(never)]
    fn long(&self, ahead: u64) -> Result<Entry, Fault> {
        let code = (ahead >> (64 - LONGEST)) as u32;
        let length = (1..=LONGEST).find(|length| code < self.limits[*length]).ok_or(Fault::Damaged)?;
        let index = (code >> (LONGEST - length)) as i32 + self.offsets[length];
        let symbol = usize::try_from(index).ok().and_then(|index| self.symbols.get(index)).ok_or(Fault::Damaged)?;
        Ok(Entry::new(length as u32, *symbol, 0))
    }
}

/// A magnitude's bits as a signed value (T.81 F.2.2.1, figure F.12).
#[inline(always)]
fn extended(magnitude: i32, size: u32) -> i32 {
    if magnitude >> (size - 1) == 0 { magnitude - (1 << size) + 1 } else { magnitude }
}

/// Bits of a look-up in [`Passing`].
const PASS: u32 = 11;

/// Set in an entry of [`Passing`] where its last symbol ends the block.
const ENDS: u16 = 1 << 15;

/// Passes over AC coefficients of which nothing is wanted, several symbols a look-up.
pub struct Passing {
    /// Bits 0 to 5: length of all the symbols whose codes lie within the look-up, with their
    /// magnitudes. 6 to 13: how many coefficients they stand for, an end of block counting as
    /// one. 15: [`ENDS`]. The whole is 0 where the first code is longer than the look-up.
    fast: [u16; 1 << PASS],
}

impl Passing {
    pub fn new(table: &Table) -> Self {
        let mut fast = [0; 1 << PASS];
        for (start, entry) in fast.iter_mut().enumerate() {
            let (mut length, mut passed, mut ends) = (0, 0, 0);
            // Behind its own bits, a look-up's are zeros here, so an entry must prove that its
            // code ends before them.
            while length < PASS && ends == 0 && passed < 64 {
                let ahead = ((start as u64) << (64 - PASS)) << length;
                let next = table.fast[(ahead >> (64 - FAST)) as usize];
                if next.0 == 0 || length + next.length() - next.size() > PASS {
                    break;
                }
                match (next.size(), next.run()) {
                    (0, 15) => passed += 16,
                    (0, 0) => (passed, ends) = (passed + 1, ENDS),
                    (0, _) => break,
                    (_, run) => passed += run as u16 + 1,
                }
                length += next.length();
            }
            *entry = ends | passed << 6 | length as u16;
        }
        Self { fast }
    }

    /// Passes over a block's coefficients from `k` on.
    #[inline(always)]
    pub fn pass(&self, bits: &mut Bits, table: &Table, mut k: usize) -> Result<(), Fault> {
        while k < 64 {
            bits.refill();
            let entry = self.fast[(bits.ahead() >> (64 - PASS)) as usize];
            let passed = usize::from(entry >> 6 & 0xff);
            if passed == 0 || k + passed > 64 {
                // A long code, or a look-up that reaches into the next block: one at a time.
                let step = table.step(bits)?;
                match (step.value, step.run) {
                    (0, 0) => return Ok(()),
                    (0, 15) => k += 16,
                    (0, _) => return Err(Fault::Damaged),
                    (_, run) => k += run + 1,
                }
                continue;
            }
            bits.consume(u32::from(entry & 63));
            if entry & ENDS != 0 {
                return Ok(());
            }
            k += passed;
        }
        if k > 64 { Err(Fault::Damaged) } else { Ok(()) }
    }
}
