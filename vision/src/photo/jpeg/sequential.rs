//! Sequential scans (T.81 F.2): each block is decoded, transformed and written in one go.

use pulp::Simd;

use super::bits::{BitReader, RestartIntervals};
use super::headers::{ScanComponent, ScanLayout};
use super::huffman::{HuffmanTable, RunValue};
use super::tables::BlockTables;
use super::{JpegError, PlaneWriter, ScanContext, dct};

/// Decodes the scan that contains a plane, up to the end of its data; returns how many rows of the plane, at full
/// size, were decoded.
#[inline(always)]
pub fn decode_scan<S: Simd, const N: usize>(
    simd: S,
    context: &ScanContext,
    output: &mut PlaneWriter<N>,
) -> Result<usize, JpegError> {
    let ScanContext { frame, plane, scan, component, tables, data, clock, .. } = context;
    let own = tables.block_tables(*component)?;
    // Other components are skipped. The chroma components mostly share their tables, which then stay
    // cached.
    let with_tables = |skipped: Vec<(ScanComponent, usize)>| {
        let skipped = skipped.into_iter().map(|(coded, blocks)| Ok((tables.block_tables(coded)?, blocks)));
        skipped.collect::<Result<Vec<_>, JpegError>>()
    };
    let [before, after] = scan.skipped_blocks(frame, plane.component).map(with_tables);
    let (before, after) = (before?, after?);
    let quantisation = tables.quantisation(frame, plane.component)?;
    let ScanLayout { mcus_x, mcus_y, across, down } = scan.layout(frame, *plane);
    let mut intervals = RestartIntervals::new(data);
    let mut block = [0.0; 64];
    let (mut x, mut y) = (0, 0);
    for interval in tables.restart_intervals(mcus_x * mcus_y) {
        let Some(mut bits) = intervals.next_interval()? else { return Ok(y * down * 8) };
        let mut dc = 0;
        for _ in interval {
            let mut decode_mcu = || {
                skip_blocks(&mut bits, &before)?;
                for row in 0..down {
                    for column in 0..across {
                        let last = decode_block::<N>(&mut bits, &own, &quantisation, &mut dc, &mut block)?;
                        output.transform_block(simd, x * across + column, y * down + row, &block, last);
                    }
                }
                skip_blocks(&mut bits, &after)
            };
            let decoded = decode_mcu();
            if decoded.is_err() && !bits.is_past_end() {
                return decoded.map(|()| 0);
            }
            x += 1;
            // Checked once a row: what was read past the end is overwritten with grey.
            if decoded.is_err() || (x == mcus_x && bits.is_past_end()) {
                return Ok(y * down * 8);
            }
            if x == mcus_x {
                (x, y) = (0, y + 1);
                clock.check()?;
            }
        }
        if bits.is_past_end() {
            return Ok(y * down * 8);
        }
    }
    Ok(mcus_y * down * 8)
}

/// Skips an MCU's blocks of other components.
#[inline(always)]
fn skip_blocks(bits: &mut BitReader, others: &[(BlockTables, usize)]) -> Result<(), JpegError> {
    for (tables, blocks) in others {
        for _ in 0..*blocks {
            bits.refill();
            tables.dc.skip(bits)?;
            tables.skip.skip_block(bits, &tables.ac, 1)?;
        }
    }
    Ok(())
}

/// Decodes a block of the plane to coefficients, row by row, dequantised and level-shifted, as far as N×N
/// pixels need them; returns the zigzag index beyond which all are 0.
#[inline(always)]
fn decode_block<const N: usize>(
    bits: &mut BitReader,
    tables: &BlockTables,
    quantisation: &[f32; 64],
    dc: &mut i32,
    block: &mut [f32; 64],
) -> Result<usize, JpegError> {
    // A smaller transform reads the first N rows only.
    block[..8 * N].fill(0.0);
    bits.refill();
    *dc = dc.wrapping_add(tables.dc.decode(bits)?.value);
    block[0] = dct::level_shifted(*dc as f32 * quantisation[0]);
    let (mut k, mut last) = (1, 0);
    'block: while k <= dct::last_coefficient(N) {
        bits.refill();
        for _ in 0..HuffmanTable::SHORT_PER_REFILL {
            let Some(symbol) = tables.ac.decode_short(bits) else { break };
            last = write_value(block, quantisation, k, symbol)?;
            k = last + 1;
            if k > dct::last_coefficient(N) {
                break 'block;
            }
        }
        bits.refill();
        match tables.ac.decode(bits)? {
            RunValue { run: 0, value: 0 } => return Ok(last),
            RunValue { run: 15, value: 0 } => k += 16,
            RunValue { value: 0, .. } => return Err(JpegError::Damaged),
            symbol => {
                last = write_value(block, quantisation, k, symbol)?;
                k = last + 1;
            }
        }
    }
    tables.skip.skip_block(bits, &tables.ac, k)?;
    Ok(last)
}

/// Writes the value that follows a run starting at zigzag index `k`; returns the value's own index.
#[inline(always)]
fn write_value(
    block: &mut [f32; 64],
    quantisation: &[f32; 64],
    k: usize,
    symbol: RunValue,
) -> Result<usize, JpegError> {
    let k = k + symbol.run;
    if k > 63 {
        return Err(JpegError::Damaged);
    }
    block[usize::from(dct::ZIGZAG_TO_BLOCK[k]) & 63] = symbol.value as f32 * quantisation[k];
    Ok(k)
}
