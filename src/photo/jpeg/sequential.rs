//! Sequential scans (T.81 F.2): each block is decoded, transformed and written in one go.

use pulp::Simd;

use super::bits::{Bits, Intervals};
use super::headers::{Coded, Layout};
use super::huffman::{Step, Table};
use super::tables::Coder;
use super::{Fault, Job, Picture, dct};

/// Decodes the scan that holds a plane, as far as its data goes; gives how many of the plane's rows
/// that is.
#[inline(always)]
pub fn scan<S: Simd, const N: usize>(simd: S, job: &Job, picture: &mut Picture<N>) -> Result<usize, Fault> {
    let Job { frame, plane, scan, coded, tables, data, clock, .. } = job;
    let own = tables.coder(*coded)?;
    // Other components are passed over. Those of colour mostly share their tables, which then stay
    // cached.
    let coders = |passed: Vec<(Coded, usize)>| {
        let coders = passed.into_iter().map(|(coded, blocks)| Ok((tables.coder(coded)?, blocks)));
        coders.collect::<Result<Vec<_>, Fault>>()
    };
    let [before, behind] = scan.passed(frame, plane.component).map(coders);
    let (before, behind) = (before?, behind?);
    let factors = tables.factors(frame, plane.component)?;
    let Layout { units_x, units_y, across, down } = scan.layout(frame, *plane);
    let mut intervals = Intervals::new(data);
    let mut block = [0.0; 64];
    let (mut x, mut y) = (0, 0);
    for units in tables.intervals(units_x * units_y) {
        let Some(mut bits) = intervals.next_interval()? else { return Ok(y * down * 8) };
        let mut dc = 0;
        for _ in units {
            let mut unit = || {
                pass(&mut bits, &before)?;
                for row in 0..down {
                    for column in 0..across {
                        let last = own_block::<N>(&mut bits, &own, &factors, &mut dc, &mut block)?;
                        picture.paint(simd, x * across + column, y * down + row, &block, last);
                    }
                }
                pass(&mut bits, &behind)
            };
            let read = unit();
            if read.is_err() && !bits.overran() {
                return read.map(|()| 0);
            }
            x += 1;
            // Asked once a row: what was read past the end is painted over.
            if read.is_err() || (x == units_x && bits.overran()) {
                return Ok(y * down * 8);
            }
            if x == units_x {
                (x, y) = (0, y + 1);
                clock.check()?;
            }
        }
        if bits.overran() {
            return Ok(y * down * 8);
        }
    }
    Ok(units_y * down * 8)
}

/// Passes over a unit's blocks of other components.
#[inline(always)]
fn pass(bits: &mut Bits, others: &[(Coder, usize)]) -> Result<(), Fault> {
    for (coder, blocks) in others {
        for _ in 0..*blocks {
            bits.refill();
            coder.dc.pass(bits)?;
            coder.passing.pass(bits, &coder.ac, 1)?;
        }
    }
    Ok(())
}

/// Decodes a block of the plane to coefficients, row by row, dequantised and levelled, as far as N×N
/// pixels need them; gives the zigzag index beyond which all are 0.
#[inline(always)]
fn own_block<const N: usize>(
    bits: &mut Bits,
    coder: &Coder,
    factors: &[f32; 64],
    dc: &mut i32,
    block: &mut [f32; 64],
) -> Result<usize, Fault> {
    // A smaller transform looks at the first N rows only.
    block[..8 * N].fill(0.0);
    bits.refill();
    *dc = dc.wrapping_add(coder.dc.step(bits)?.value);
    block[0] = dct::levelled(*dc as f32 * factors[0]);
    let (mut k, mut last) = (1, 0);
    'block: while k <= dct::last_wanted(N) {
        bits.refill();
        for _ in 0..Table::SHORT_STEPS {
            let Some(step) = coder.ac.short_step(bits) else { break };
            last = placed(block, factors, k, step)?;
            k = last + 1;
            if k > dct::last_wanted(N) {
                break 'block;
            }
        }
        bits.refill();
        match coder.ac.step(bits)? {
            Step { run: 0, value: 0 } => return Ok(last),
            Step { run: 15, value: 0 } => k += 16,
            Step { value: 0, .. } => return Err(Fault::Damaged),
            step => {
                last = placed(block, factors, k, step)?;
                k = last + 1;
            }
        }
    }
    coder.passing.pass(bits, &coder.ac, k)?;
    Ok(last)
}

/// Writes the value that follows a run from zigzag index `k` on; gives its own index.
#[inline(always)]
fn placed(block: &mut [f32; 64], factors: &[f32; 64], k: usize, step: Step) -> Result<usize, Fault> {
    let k = k + step.run;
    if k > 63 {
        return Err(Fault::Damaged);
    }
    block[usize::from(dct::NATURAL[k]) & 63] = step.value as f32 * factors[k];
    Ok(k)
}
