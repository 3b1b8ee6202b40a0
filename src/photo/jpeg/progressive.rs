//! Progressive scans (T.81 annex G): coefficients gather over several scans.

use pulp::Simd;

use super::bits::{Bits, Intervals};
use super::headers::{Coded, Frame, Layout, Plane, Scan};
use super::huffman::Table;
use super::{Fault, Job, Picture, WorkClock, dct};

/// Which scans must be decoded for a component's coefficients up to zigzag index `last`.
///
/// A scan that refines a band can only be read by one who knows which coefficients of the band
/// are set by then, so the earlier scans of all of it are needed too; hence from last to first.
pub fn wanted(scans: &[Scan], component: usize, last: usize) -> Vec<bool> {
    let mut needed = band(0, last);
    let mut wanted: Vec<bool> = scans
        .iter()
        .rev()
        .map(|scan| {
            let covered = band(scan.start, scan.end);
            let wanted = scan.coded(component).is_some() && covered & needed != 0;
            if wanted && scan.refines {
                needed |= covered;
            }
            wanted
        })
        .collect();
    wanted.reverse();
    wanted
}

/// Whether every coefficient of a component is given to its last bit: what a whole file does.
pub fn reaches_last_bit(scans: &[Scan], component: usize) -> bool {
    let given = scans.iter().filter(|scan| scan.coded(component).is_some() && scan.low == 0);
    given.fold(0, |all, scan| all | band(scan.start, scan.end)) == u64::MAX
}

/// A bit for each coefficient of a band.
fn band(start: usize, end: usize) -> u64 {
    (u64::MAX >> (63 - end)) & (u64::MAX << start)
}

/// A plane's coefficients in the making, as far as N×N pixels a block need them.
pub struct Progressive<const N: usize> {
    /// Blocks in a row, those that fill up the last unit included.
    across: usize,
    /// By zigzag index, [`Self::KEPT`] a block.
    values: Vec<i16>,
    /// For each block, which coefficients are not 0, those that are not kept included: all that
    /// a refining scan asks about them.
    set: Vec<u64>,
    factors: Option<[f32; 64]>,
    /// Rows of the file whose blocks have their means: [`None`] before the scan of them.
    rows: Option<usize>,
    /// Whether no scan's data ended early.
    exact: bool,
}

impl<const N: usize> Progressive<N> {
    const KEPT: usize = dct::last_wanted(N) + 1;

    pub fn new(frame: &Frame, plane: Plane) -> Self {
        let (units_x, units_y) = frame.units();
        let across = units_x * plane.across;
        let blocks = across * units_y * plane.down;
        let (values, set) = (vec![0; blocks * Self::KEPT], vec![0; blocks]);
        Self { across, values, set, factors: None, rows: None, exact: true }
    }

    /// Rows of the file that are there, if some only coarsely.
    pub fn rows(&self) -> usize {
        self.rows.unwrap_or(0)
    }

    /// Whether the data of every scan was there.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Takes in a scan, as far as its data goes.
    #[inline(always)]
    pub fn scan(&mut self, job: &Job) -> Result<(), Fault> {
        // Tables may change between scans; a component keeps those of its first (T.81 B.2.4.1).
        if self.factors.is_none() {
            self.factors = Some(job.tables.factors(job.frame, job.plane.component)?);
        }
        if job.scan.start > 0 {
            self.exact &= self.ac_scan(job)?;
            return Ok(());
        }
        let rows = self.dc_scan(job)?;
        self.exact &= rows >= job.plane.height;
        if !job.scan.refines {
            self.rows = Some(rows);
        }
        Ok(())
    }

    /// DC coefficients of all components in turn (T.81 G.1.2.1), or one more bit of them; gives how
    /// many rows of the file there are.
    #[inline(always)]
    fn dc_scan(&mut self, job: &Job) -> Result<usize, Fault> {
        let Job { frame, plane, scan, coded, tables, data, clock, .. } = job;
        // A refining scan is bare bits.
        let table = |coded| if scan.refines { Ok(None) } else { tables.dc_table(coded).map(Some) };
        let own = table(*coded)?;
        let others = |passed: Vec<(Coded, usize)>| {
            let others = passed.into_iter().map(|(coded, blocks)| Ok((table(coded)?, blocks)));
            others.collect::<Result<Vec<_>, Fault>>()
        };
        let [before, behind] = scan.passed(frame, plane.component).map(others);
        let (before, behind) = (before?, behind?);
        let Layout { units_x, units_y, across, down } = scan.layout(frame, *plane);
        let mut intervals = Intervals::new(data);
        for units in tables.intervals(units_x * units_y) {
            let begun = units.start / units_x * down * 8;
            let Some(mut bits) = intervals.next_interval()? else { return Ok(begun) };
            let mut dc = 0_i32;
            for unit in units {
                let (x, y) = (unit % units_x, unit / units_x);
                let mut unit = || {
                    pass(&mut bits, &before)?;
                    for row in 0..down {
                        for column in 0..across {
                            let block = (y * down + row) * self.across + x * across + column;
                            let value = &mut self.values[block * Self::KEPT];
                            bits.refill();
                            if let Some(table) = &own {
                                dc = dc.wrapping_add(table.step(&mut bits)?.value);
                                *value = (dc << scan.low) as i16;
                            } else {
                                *value |= i16::from(bits.bit()) << scan.low;
                            }
                        }
                    }
                    pass(&mut bits, &behind)
                };
                let read = unit();
                if read.is_err() && !bits.overran() {
                    return read.map(|()| 0);
                }
                // Asked once a row, as in a sequential scan.
                if read.is_err() || (x + 1 == units_x && bits.overran()) {
                    return Ok(y * down * 8);
                }
                if x + 1 == units_x {
                    clock.check()?;
                }
            }
            if bits.overran() {
                return Ok(begun);
            }
        }
        Ok(units_y * down * 8)
    }

    /// A band of AC coefficients, which is always a scan of its own; whether its data was all there.
    #[inline(always)]
    fn ac_scan(&mut self, job: &Job) -> Result<bool, Fault> {
        let (blocks_x, blocks_y) = job.plane.blocks();
        let table = job.tables.ac_table(job.coded)?;
        let mut intervals = Intervals::new(job.data);
        for interval in job.tables.intervals(blocks_x * blocks_y) {
            let Some(mut bits) = intervals.next_interval()? else { return Ok(false) };
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
                let before = job.may_end.then(|| (values.to_vec(), set.to_vec()));
                let read = match job.scan.refines {
                    true => Self::refined_row(&mut bits, &table, job.scan, (&mut *values, &mut *set), ended),
                    false => Self::first_row(&mut bits, &table, job.scan, (&mut *values, &mut *set), ended),
                };
                if bits.overran() {
                    // What was made of bits that are not there is worse than nothing.
                    if let Some((values_before, set_before)) = before {
                        values.copy_from_slice(&values_before);
                        set.copy_from_slice(&set_before);
                    }
                    return Ok(false);
                }
                ended = read?;
                job.clock.check()?;
            }
        }
        Ok(true)
    }

    /// The first bits of a band for blocks side by side (T.81 G.1.2.2); takes and gives how many
    /// blocks an end of band still covers.
    #[inline(always)]
    fn first_row(
        reader: &mut Bits<'_>,
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
                let step = match table.step(&mut bits) {
                    Ok(step) => step,
                    Err(fault) => return Self::given_up(reader, bits, fault),
                };
                if step.value == 0 && step.run < 15 {
                    // Counts this block too, which is stepped over below.
                    ended = (1 << step.run) + bits.take(step.run as u32) as usize - 1;
                    break;
                }
                k += step.run;
                if step.value != 0 {
                    if k > scan.end {
                        return Self::given_up(reader, bits, Fault::Damaged);
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
        reader: &mut Bits<'_>,
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
                let step = match table.step(&mut bits) {
                    Ok(step) => step,
                    Err(fault) => return Self::given_up(reader, bits, fault),
                };
                if step.value == 0 && step.run < 15 {
                    ended = (1 << step.run) + bits.take(step.run as u32) as usize;
                    break;
                }
                if step.value.abs() > 1 {
                    // What is new now is a single bit.
                    return Self::given_up(reader, bits, Fault::Damaged);
                }
                // The run counts coefficients that are 0 so far; those on the way that are not
                // get their next bit.
                let zeros = without_lowest(!*set & band(k, scan.end), step.run as u32);
                let at = zeros.trailing_zeros() as usize;
                if at > scan.end {
                    return Self::given_up(reader, bits, Fault::Damaged);
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

    /// A fault, with the reader where it was met: past the end of its data, or not.
    #[cold]
    fn given_up<'b>(reader: &mut Bits<'b>, bits: Bits<'b>, fault: Fault) -> Result<usize, Fault> {
        *reader = bits;
        Err(fault)
    }

    /// Transforms what has gathered.
    #[inline(always)]
    pub fn paint<S: Simd>(&self, simd: S, picture: &mut Picture<N>, clock: &WorkClock) -> Result<(), Fault> {
        let factors = self.factors.ok_or(Fault::Damaged)?;
        let blocks_x = picture.plane.width.div_ceil(N);
        let mut block = [0.0; 64];
        for (index, (values, set)) in self.values.chunks_exact(Self::KEPT).zip(&self.set).enumerate() {
            let (x, y) = (index % self.across, index / self.across);
            if x >= blocks_x {
                continue;
            }
            if x == 0 {
                clock.check()?;
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

/// Passes over a unit's DC coefficients, or further bits of them, of other components.
#[inline(always)]
fn pass(bits: &mut Bits, others: &[(Option<Table>, usize)]) -> Result<(), Fault> {
    for (table, blocks) in others {
        for _ in 0..*blocks {
            bits.refill();
            match table {
                Some(table) => table.pass(bits)?,
                None => bits.consume(1),
            }
        }
    }
    Ok(())
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
            // A bit that is given twice is taken once, as by libjpeg.
            let more = (i16::from(bits.bit()) << low) & !*value;
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
