//! Progressive scans (T.81 annex G): coefficients accumulate over several scans.

use pulp::Simd;

use super::bits::{BitReader, RestartIntervals};
use super::headers::{Frame, PlaneLayout, Scan, ScanComponent, ScanLayout};
use super::huffman::HuffmanTable;
use super::{CpuLimit, JpegError, PlaneWriter, ScanContext, dct};

/// Which scans must be decoded for a component's coefficients up to zigzag index `last`.
///
/// A refinement scan of a band can only be decoded when it is known which of the band's coefficients
/// are nonzero by then, so the earlier scans of the whole band are needed too; hence from last to first.
pub fn required_scans(scans: &[Scan], component: usize, last: usize) -> Vec<bool> {
    let mut needed = band(0, last);
    let mut required: Vec<bool> = scans
        .iter()
        .rev()
        .map(|scan| {
            let covered = band(scan.spectral_start, scan.spectral_end);
            let required = scan.component(component).is_some() && covered & needed != 0;
            if required && scan.is_refinement {
                needed |= covered;
            }
            required
        })
        .collect();
    required.reverse();
    required
}

/// Whether the scans code every coefficient of a component down to its last bit, as those of a complete file do.
pub fn is_fully_coded(scans: &[Scan], component: usize) -> bool {
    let final_scans = scans.iter().filter(|scan| scan.component(component).is_some() && scan.low_bit == 0);
    final_scans.fold(0, |all, scan| all | band(scan.spectral_start, scan.spectral_end)) == u64::MAX
}

/// A bit for each coefficient of a band.
fn band(start: usize, end: usize) -> u64 {
    (u64::MAX >> (63 - end)) & (u64::MAX << start)
}

/// A plane's coefficients while its scans are decoded, as far as N×N pixels a block need them.
pub struct Progressive<const N: usize> {
    /// Blocks in a row, those that pad the last MCU included.
    blocks_per_row: usize,
    /// By zigzag index, [`Self::STORED`] a block.
    coefficients: Vec<i16>,
    /// For each block, which coefficients are nonzero, those that are not stored included: all that
    /// a refinement scan depends on.
    nonzero: Vec<u64>,
    quantisation: Option<[f32; 64]>,
    /// Rows at full size whose blocks have their DC coefficients: [`None`] before the first DC scan.
    dc_rows: Option<usize>,
    /// Whether no scan's data ended early.
    complete: bool,
}

impl<const N: usize> Progressive<N> {
    const STORED: usize = dct::last_coefficient(N) + 1;

    pub fn new(frame: &Frame, plane: PlaneLayout) -> Self {
        let (mcus_x, mcus_y) = frame.mcus();
        let blocks_per_row = mcus_x * plane.h_sampling;
        let blocks = blocks_per_row * mcus_y * plane.v_sampling;
        let (coefficients, nonzero) = (vec![0; blocks * Self::STORED], vec![0; blocks]);
        Self { blocks_per_row, coefficients, nonzero, quantisation: None, dc_rows: None, complete: true }
    }

    /// Rows at full size that were decoded, some of them perhaps only coarsely.
    pub fn decoded_rows(&self) -> usize {
        self.dc_rows.unwrap_or(0)
    }

    /// Whether the data of every scan was complete.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Decodes a scan up to the end of its data.
    #[inline(always)]
    pub fn decode_scan(&mut self, context: &ScanContext) -> Result<(), JpegError> {
        // Tables may change between scans; a component uses those of its first (T.81 B.2.4.1).
        if self.quantisation.is_none() {
            self.quantisation = Some(context.tables.quantisation(context.frame, context.plane.component)?);
        }
        if context.scan.spectral_start > 0 {
            self.complete &= self.decode_ac_scan(context)?;
            return Ok(());
        }
        let rows = self.decode_dc_scan(context)?;
        self.complete &= rows >= context.plane.height;
        if !context.scan.is_refinement {
            self.dc_rows = Some(rows);
        }
        Ok(())
    }

    /// Decodes interleaved DC coefficients (T.81 G.1.2.1), or one more bit of them; returns how
    /// many rows at full size were decoded.
    #[inline(always)]
    fn decode_dc_scan(&mut self, context: &ScanContext) -> Result<usize, JpegError> {
        let ScanContext { frame, plane, scan, component, tables, data, clock, .. } = context;
        // A refinement scan of DC coefficients is uncoded bits.
        let table = |coded| if scan.is_refinement { Ok(None) } else { tables.dc_table(coded).map(Some) };
        let own = table(*component)?;
        let with_tables = |skipped: Vec<(ScanComponent, usize)>| {
            let skipped = skipped.into_iter().map(|(coded, blocks)| Ok((table(coded)?, blocks)));
            skipped.collect::<Result<Vec<_>, JpegError>>()
        };
        let [before, after] = scan.skipped_blocks(frame, plane.component).map(with_tables);
        let (before, after) = (before?, after?);
        let ScanLayout { mcus_x, mcus_y, across, down } = scan.layout(frame, *plane);
        let mut intervals = RestartIntervals::new(data);
        for interval in tables.restart_intervals(mcus_x * mcus_y) {
            let rows_before = interval.start / mcus_x * down * 8;
            let Some(mut bits) = intervals.next_interval()? else { return Ok(rows_before) };
            let mut dc = 0_i32;
            for mcu in interval {
                let (x, y) = (mcu % mcus_x, mcu / mcus_x);
                let mut decode_mcu = || {
                    skip_dc(&mut bits, &before)?;
                    for row in 0..down {
                        for column in 0..across {
                            let block = (y * down + row) * self.blocks_per_row + x * across + column;
                            let value = &mut self.coefficients[block * Self::STORED];
                            bits.refill();
                            if let Some(table) = &own {
                                dc = dc.wrapping_add(table.decode(&mut bits)?.value);
                                *value = (dc << scan.low_bit) as i16;
                            } else {
                                *value |= i16::from(bits.read_bit()) << scan.low_bit;
                            }
                        }
                    }
                    skip_dc(&mut bits, &after)
                };
                let decoded = decode_mcu();
                if decoded.is_err() && !bits.is_past_end() {
                    return decoded.map(|()| 0);
                }
                // Checked once a row, as in a sequential scan.
                if decoded.is_err() || (x + 1 == mcus_x && bits.is_past_end()) {
                    return Ok(y * down * 8);
                }
                if x + 1 == mcus_x {
                    clock.check()?;
                }
            }
            if bits.is_past_end() {
                return Ok(rows_before);
            }
        }
        Ok(mcus_y * down * 8)
    }

    /// Decodes a band of AC coefficients, whose scan is never interleaved; returns whether its data was complete.
    #[inline(always)]
    fn decode_ac_scan(&mut self, context: &ScanContext) -> Result<bool, JpegError> {
        let (blocks_x, blocks_y) = context.plane.blocks();
        let table = context.tables.ac_table(context.component)?;
        let mut intervals = RestartIntervals::new(context.data);
        for interval in context.tables.restart_intervals(blocks_x * blocks_y) {
            let Some(mut bits) = intervals.next_interval()? else { return Ok(false) };
            // How many blocks, from here on, an end-of-band run covers.
            let mut eob_run = 0;
            let mut next = interval.start;
            while next < interval.end {
                let (x, y) = (next % blocks_x, next / blocks_x);
                let row = y * self.blocks_per_row;
                let blocks = row + x..row + blocks_x.min(x + interval.end - next);
                next += blocks.len();
                let coefficients = &mut self.coefficients[blocks.start * Self::STORED..blocks.end * Self::STORED];
                let nonzero = &mut self.nonzero[blocks];
                let before = context.may_be_truncated.then(|| (coefficients.to_vec(), nonzero.to_vec()));
                let row = (&mut *coefficients, &mut *nonzero);
                let decoded = match context.scan.is_refinement {
                    true => Self::refine_ac_row(&mut bits, &table, context.scan, row, eob_run),
                    false => Self::decode_ac_row(&mut bits, &table, context.scan, row, eob_run),
                };
                if bits.is_past_end() {
                    // What was decoded from missing bits is worse than nothing.
                    if let Some((coefficients_before, nonzero_before)) = before {
                        coefficients.copy_from_slice(&coefficients_before);
                        nonzero.copy_from_slice(&nonzero_before);
                    }
                    return Ok(false);
                }
                eob_run = decoded?;
                context.clock.check()?;
            }
        }
        Ok(true)
    }

    /// Decodes the first bits of a band for a row of blocks (T.81 G.1.2.2); takes and returns how many
    /// blocks an end-of-band run still covers.
    #[inline(always)]
    fn decode_ac_row(
        reader: &mut BitReader<'_>,
        table: &HuffmanTable,
        scan: &Scan,
        (coefficients, nonzero): (&mut [i16], &mut [u64]),
        mut eob_run: usize,
    ) -> Result<usize, JpegError> {
        // A copy that no call borrows stays in registers.
        let mut bits = *reader;
        let mut block = eob_run.min(nonzero.len());
        eob_run -= block;
        while block < nonzero.len() {
            let values = &mut coefficients[block * Self::STORED..][..Self::STORED];
            let (mut k, mut found) = (scan.spectral_start, 0);
            while k <= scan.spectral_end {
                bits.refill();
                let symbol = match table.decode(&mut bits) {
                    Ok(symbol) => symbol,
                    Err(error) => return Self::fail(reader, bits, error),
                };
                if symbol.value == 0 && symbol.run < 15 {
                    // Without this block, which is counted below.
                    eob_run = (1 << symbol.run) + bits.read(symbol.run as u32) as usize - 1;
                    break;
                }
                k += symbol.run;
                if symbol.value != 0 {
                    if k > scan.spectral_end {
                        return Self::fail(reader, bits, JpegError::Damaged);
                    }
                    found |= 1 << k;
                    if let Some(value) = values.get_mut(k) {
                        *value = (symbol.value << scan.low_bit) as i16;
                    }
                }
                k += 1;
            }
            nonzero[block] |= found;
            block += 1;
            let covered = eob_run.min(nonzero.len() - block);
            block += covered;
            eob_run -= covered;
        }
        *reader = bits;
        Ok(eob_run)
    }

    /// Decodes one more bit of a band for a row of blocks (T.81 G.1.2.3), as [`Self::decode_ac_row`].
    #[inline(always)]
    fn refine_ac_row(
        reader: &mut BitReader<'_>,
        table: &HuffmanTable,
        scan: &Scan,
        (coefficients, nonzero): (&mut [i16], &mut [u64]),
        mut eob_run: usize,
    ) -> Result<usize, JpegError> {
        let mut bits = *reader;
        for (values, nonzero) in coefficients.chunks_exact_mut(Self::STORED).zip(nonzero) {
            let mut k = scan.spectral_start;
            while eob_run == 0 && k <= scan.spectral_end {
                bits.refill();
                let symbol = match table.decode(&mut bits) {
                    Ok(symbol) => symbol,
                    Err(error) => return Self::fail(reader, bits, error),
                };
                if symbol.value == 0 && symbol.run < 15 {
                    eob_run = (1 << symbol.run) + bits.read(symbol.run as u32) as usize;
                    break;
                }
                if symbol.value.abs() > 1 {
                    // A coefficient that becomes nonzero here is a single bit.
                    return Self::fail(reader, bits, JpegError::Damaged);
                }
                // The run counts coefficients that are still 0; the nonzero ones in between
                // get their next bit.
                let zeros = clear_lowest(!*nonzero & band(k, scan.spectral_end), symbol.run as u32);
                let at = zeros.trailing_zeros() as usize;
                if at > scan.spectral_end {
                    return Self::fail(reader, bits, JpegError::Damaged);
                }
                refine(&mut bits, *nonzero & band(k, at), values, scan.low_bit);
                if symbol.value != 0 {
                    *nonzero |= 1 << at;
                    if let Some(value) = values.get_mut(at) {
                        *value = (symbol.value << scan.low_bit) as i16;
                    }
                }
                k = at + 1;
            }
            if eob_run > 0 {
                if k <= scan.spectral_end {
                    refine(&mut bits, *nonzero & band(k, scan.spectral_end), values, scan.low_bit);
                }
                eob_run -= 1;
            }
        }
        *reader = bits;
        Ok(eob_run)
    }

    /// Returns an error, with the reader where it occurred: past the end of its data, or not.
    #[cold]
    fn fail<'b>(reader: &mut BitReader<'b>, bits: BitReader<'b>, error: JpegError) -> Result<usize, JpegError> {
        *reader = bits;
        Err(error)
    }

    /// Transforms the coefficients to pixels.
    #[inline(always)]
    pub fn transform<S: Simd>(&self, simd: S, output: &mut PlaneWriter<N>, clock: &CpuLimit) -> Result<(), JpegError> {
        let quantisation = self.quantisation.ok_or(JpegError::Damaged)?;
        let blocks_x = output.plane.width.div_ceil(N);
        let mut block = [0.0; 64];
        let blocks = self.coefficients.chunks_exact(Self::STORED).zip(&self.nonzero);
        for (index, (values, nonzero)) in blocks.enumerate() {
            let (x, y) = (index % self.blocks_per_row, index / self.blocks_per_row);
            if x >= blocks_x {
                continue;
            }
            if x == 0 {
                clock.check()?;
            }
            block[..8 * N].fill(0.0);
            block[0] = dct::level_shifted(f32::from(values[0]) * quantisation[0]);
            let mut left = nonzero & band(0, Self::STORED - 1);
            let last = 63 - (left | 1).leading_zeros() as usize;
            while left != 0 {
                let k = left.trailing_zeros() as usize;
                left &= left - 1;
                block[usize::from(dct::ZIGZAG_TO_BLOCK[k]) & 63] = f32::from(values[k]) * quantisation[k];
            }
            output.transform_block(simd, x, y, &block, last);
        }
        Ok(())
    }
}

/// Skips an MCU's DC coefficients of other components, or one more bit of each.
#[inline(always)]
fn skip_dc(bits: &mut BitReader, others: &[(Option<HuffmanTable>, usize)]) -> Result<(), JpegError> {
    for (table, blocks) in others {
        for _ in 0..*blocks {
            bits.refill();
            match table {
                Some(table) => table.skip(bits)?,
                None => bits.consume(1),
            }
        }
    }
    Ok(())
}

/// Gives each of the nonzero coefficients of a block, in order, its next bit, away from 0.
#[inline(always)]
fn refine(bits: &mut BitReader, mut nonzero: u64, values: &mut [i16], low_bit: u32) {
    while nonzero != 0 {
        bits.refill();
        let mut left = BitReader::REFILLED;
        while nonzero != 0 && left != 0 {
            let k = nonzero.trailing_zeros() as usize;
            let Some(value) = values.get_mut(k) else {
                // This one and all after it are not stored: their bits are skipped, as many as are available.
                let skipped = nonzero.count_ones().min(left);
                bits.consume(skipped);
                nonzero = if skipped == left { clear_lowest(nonzero, skipped) } else { 0 };
                break;
            };
            // Either bit is as likely, so that a branch on it would be mispredicted half the time.
            // A bit that is coded twice counts once, as in libjpeg.
            let more = (i16::from(bits.read_bit()) << low_bit) & !*value;
            *value = value.wrapping_add(if *value < 0 { -more } else { more });
            nonzero &= nonzero - 1;
            left -= 1;
        }
    }
}

/// `set` with its lowest `count` bits that are 1 cleared.
fn clear_lowest(mut set: u64, count: u32) -> u64 {
    for _ in 0..count {
        set &= set.wrapping_sub(1);
    }
    set
}
