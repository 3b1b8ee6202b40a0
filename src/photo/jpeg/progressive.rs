//! Progressive scans (T.81 annex G): coefficients gather over several scans.

use pulp::Simd;

use super::bits::{Bits, Intervals};
use super::headers::{Frame, Layout, Scan};
use super::huffman::Table;
use super::{Fault, Job, Picture, dct};

/// Which scans must be decoded for the luma's coefficients up to zigzag index `last`.
///
/// A scan that refines a band can only be read by one who knows which coefficients of the band
/// are set by then, so the earlier scans of all of it are needed too; hence from last to first.
pub fn wanted(scans: &[Scan], last: usize) -> Vec<bool> {
    let mut needed = band(0, last);
    let mut wanted: Vec<bool> = scans
        .iter()
        .rev()
        .map(|scan| {
            let covered = band(scan.start, scan.end);
            let wanted = scan.has_luma() && covered & needed != 0;
            if wanted && scan.refines {
                needed |= covered;
            }
            wanted
        })
        .collect();
    wanted.reverse();
    wanted
}

/// A bit for each coefficient of a band.
fn band(start: usize, end: usize) -> u64 {
    (u64::MAX >> (63 - end)) & (u64::MAX << start)
}

/// The luma's coefficients in the making, as far as N×N pixels a block need them.
pub struct Progressive<const N: usize> {
    /// Blocks in a row, those that fill up the last unit included.
    across: usize,
    /// By zigzag index, [`Self::KEPT`] a block.
    values: Vec<i16>,
    /// For each block, which coefficients are not 0, those that are not kept included: all that
    /// a refining scan asks about them.
    set: Vec<u64>,
    factors: Option<[f32; 64]>,
}

impl<const N: usize> Progressive<N> {
    const KEPT: usize = dct::last_wanted(N) + 1;

    pub fn new(frame: &Frame) -> Self {
        let (units_x, units_y) = frame.units();
        let across = units_x * frame.components[0].across;
        let blocks = across * units_y * frame.components[0].down;
        Self { across, values: vec![0; blocks * Self::KEPT], set: vec![0; blocks], factors: None }
    }

    /// Takes in a scan.
    #[inline(always)]
    pub fn scan(&mut self, job: &Job) -> Result<(), Fault> {
        // Tables may change between scans; a component keeps those of its first (T.81 B.2.4.1).
        if self.factors.is_none() {
            self.factors = Some(job.tables.luma_factors(job.frame)?);
        }
        match job.scan.start {
            0 => self.dc_scan(job),
            _ => self.ac_scan(job),
        }
    }

    /// DC coefficients of all components in turn (T.81 G.1.2.1), or one more bit of them.
    #[inline(always)]
    fn dc_scan(&mut self, job: &Job) -> Result<(), Fault> {
        let Job { frame, scan, tables, data } = job;
        // A refining scan is bare bits.
        let table = |coded| if scan.refines { Ok(None) } else { tables.dc_table(coded).map(Some) };
        let luma = table(scan.coded[0])?;
        let passed = scan.passed(frame).into_iter().map(|(coded, blocks)| Ok((table(coded)?, blocks)));
        let passed = passed.collect::<Result<Vec<_>, _>>()?;
        let Layout { units_x, units_y, across, down } = scan.layout(frame);
        let mut intervals = Intervals::new(data);
        for units in tables.intervals(units_x * units_y) {
            let mut bits = intervals.next_interval()?;
            let mut dc = 0_i32;
            for unit in units {
                let (x, y) = (unit % units_x, unit / units_x);
                for row in 0..down {
                    for column in 0..across {
                        let block = (y * down + row) * self.across + x * across + column;
                        let value = &mut self.values[block * Self::KEPT];
                        bits.refill();
                        if let Some(table) = &luma {
                            dc = dc.wrapping_add(table.step(&mut bits)?.value);
                            *value = (dc << scan.low) as i16;
                        } else {
                            *value |= i16::from(bits.bit()) << scan.low;
                        }
                    }
                }
                for (table, blocks) in &passed {
                    for _ in 0..*blocks {
                        bits.refill();
                        match table {
                            Some(table) => table.pass(&mut bits)?,
                            None => bits.consume(1),
                        }
                    }
                }
            }
            if bits.overran() {
                return Err(Fault::Damaged);
            }
        }
        Ok(())
    }

    /// A band of AC coefficients, which is always a scan of its own.
    #[inline(always)]
    fn ac_scan(&mut self, job: &Job) -> Result<(), Fault> {
        let (blocks_x, blocks_y) = job.frame.blocks();
        let table = job.tables.ac_table(job.scan.coded[0])?;
        let mut intervals = Intervals::new(job.data);
        for interval in job.tables.intervals(blocks_x * blocks_y) {
            let mut bits = intervals.next_interval()?;
            // How many blocks, from here on, an end of band covers.
            let mut ended = 0;
            let mut next = interval.start;
            while next < interval.end {
                let (x, y) = (next % blocks_x, next / blocks_x);
                let row = y * self.across;
                let blocks = row + x..row + blocks_x.min(x + interval.end - next);
                next += blocks.len();
                let values = &mut self.values[blocks.start * Self::KEPT..blocks.end * Self::KEPT];
                let set = &mut self.set[blocks];
                ended = match job.scan.refines {
                    true => Self::refined_row(&mut bits, &table, job.scan, (values, set), ended)?,
                    false => Self::first_row(&mut bits, &table, job.scan, (values, set), ended)?,
                };
                if bits.overran() {
                    return Err(Fault::Damaged);
                }
            }
        }
        Ok(())
    }

    /// The first bits of a band for blocks side by side (T.81 G.1.2.2); takes and gives how many
    /// blocks an end of band still covers.
    #[inline(always)]
    fn first_row(
        reader: &mut Bits,
        table: &Table,
        scan: &Scan,
        (values, set): (&mut [i16], &mut [u64]),
        mut ended: usize,
    ) -> Result<usize, Fault> {
        // A copy that no call borrows stays in registers.
        let mut bits = *reader;
        let mut block = ended.min(set.len());
        ended -= block;
        while block < set.len() {
            let values = &mut values[block * Self::KEPT..][..Self::KEPT];
            let (mut k, mut found) = (scan.start, 0);
            while k <= scan.end {
                bits.refill();
                let step = table.step(&mut bits)?;
                if step.value == 0 && step.run < 15 {
                    // Counts this block too, which is stepped over below.
                    ended = (1 << step.run) + bits.take(step.run as u32) as usize - 1;
                    break;
                }
                k += step.run;
                if step.value != 0 {
                    if k > scan.end {
                        return Err(Fault::Damaged);
                    }
                    found |= 1 << k;
                    if let Some(value) = values.get_mut(k) {
                        *value = (step.value << scan.low) as i16;
                    }
                }
                k += 1;
            }
            set[block] |= found;
            block += 1;
            let passed = ended.min(set.len() - block);
            block += passed;
            ended -= passed;
        }
        *reader = bits;
        Ok(ended)
    }

    /// One more bit of a band for blocks side by side (T.81 G.1.2.3), as [`Self::first_row`].
    #[inline(always)]
    fn refined_row(
        reader: &mut Bits,
        table: &Table,
        scan: &Scan,
        (values, set): (&mut [i16], &mut [u64]),
        mut ended: usize,
    ) -> Result<usize, Fault> {
        let mut bits = *reader;
        for (values, set) in values.chunks_exact_mut(Self::KEPT).zip(set) {
            let mut k = scan.start;
            while ended == 0 && k <= scan.end {
                bits.refill();
                let step = table.step(&mut bits)?;
                if step.value == 0 && step.run < 15 {
                    ended = (1 << step.run) + bits.take(step.run as u32) as usize;
                    break;
                }
                if step.value.abs() > 1 {
                    // What is new now is a single bit.
                    return Err(Fault::Damaged);
                }
                // The run counts coefficients that are 0 so far; those on the way that are not
                // get their next bit.
                let zeros = without_lowest(!*set & band(k, scan.end), step.run as u32);
                let at = zeros.trailing_zeros() as usize;
                if at > scan.end {
                    return Err(Fault::Damaged);
                }
                correct(&mut bits, *set & band(k, at), values, scan.low);
                if step.value != 0 {
                    *set |= 1 << at;
                    if let Some(value) = values.get_mut(at) {
                        *value = (step.value << scan.low) as i16;
                    }
                }
                k = at + 1;
            }
            if ended > 0 {
                if k <= scan.end {
                    correct(&mut bits, *set & band(k, scan.end), values, scan.low);
                }
                ended -= 1;
            }
        }
        *reader = bits;
        Ok(ended)
    }

    /// Transforms what has gathered.
    #[inline(always)]
    pub fn paint<S: Simd>(&self, simd: S, picture: &mut Picture<N>) -> Result<(), Fault> {
        let factors = self.factors.ok_or(Fault::Damaged)?;
        let blocks_x = picture.luma.width.div_ceil(N);
        let mut block = [0.0; 64];
        for (index, (values, set)) in self.values.chunks_exact(Self::KEPT).zip(&self.set).enumerate() {
            let (x, y) = (index % self.across, index / self.across);
            if x >= blocks_x {
                continue;
            }
            block[..8 * N].fill(0.0);
            block[0] = dct::levelled(f32::from(values[0]) * factors[0]);
            let mut left = set & band(0, Self::KEPT - 1);
            let last = 63 - (left | 1).leading_zeros() as usize;
            while left != 0 {
                let k = left.trailing_zeros() as usize;
                left &= left - 1;
                block[usize::from(dct::NATURAL[k]) & 63] = f32::from(values[k]) * factors[k];
            }
            picture.paint(simd, x, y, &block, last);
        }
        Ok(())
    }
}

/// Gives each of the set coefficients of a block, in order, its next bit, away from 0.
#[inline(always)]
fn correct(bits: &mut Bits, mut set: u64, values: &mut [i16], low: u32) {
    while set != 0 {
        bits.refill();
        let mut left = Bits::REFILLED;
        while set != 0 && left != 0 {
            let k = set.trailing_zeros() as usize;
            let Some(value) = values.get_mut(k) else {
                // Only passed over, as are all behind it: so many bits as there are.
                let passed = set.count_ones().min(left);
                bits.consume(passed);
                set = if passed == left { without_lowest(set, passed) } else { 0 };
                break;
            };
            // Either bit is as likely, so that a branch on it would be mispredicted half the time.
            let more = i16::from(bits.bit()) << low;
            *value = value.wrapping_add(if *value < 0 { -more } else { more });
            set &= set - 1;
            left -= 1;
        }
    }
}

/// A set without its lowest `count` members.
fn without_lowest(mut set: u64, count: u32) -> u64 {
    for _ in 0..count {
        set &= set.wrapping_sub(1);
    }
    set
}
