//! Parses the frame header and the scan headers (T.81 B.2.2 and B.2.3).

use super::JpegError;
use super::segments::Segment;

/// One component of a frame.
pub struct Component {
    id: u8,
    /// Sampling factors: blocks of one MCU (minimum coded unit) of an interleaved scan, across and down.
    pub h_sampling: usize,
    pub v_sampling: usize,
    /// Number of its quantisation table.
    pub quantisation: usize,
}

/// The frame header (T.81 B.2.2).
pub struct Frame {
    pub width: usize,
    pub height: usize,
    pub progressive: bool,
    pub components: Vec<Component>,
    /// Whether the first component is the luma and has the finest sampling: other pictures
    /// are left to the fallback decoder.
    pub has_finest_luma: bool,
}

impl Frame {
    pub fn parse(segment: &Segment) -> Result<Self, JpegError> {
        // Baseline, extended sequential and progressive, all with Huffman codes (T.81 table B.1).
        match segment.marker {
            0xc0..=0xc2 => {}
            0xc3 | 0xcb => return Err(JpegError::Unsupported("lossless JPEG")),
            0xc5..=0xc7 | 0xcd..=0xcf => return Err(JpegError::Unsupported("hierarchical JPEG")),
            0xc9 | 0xca | 0xcc => return Err(JpegError::Unsupported("arithmetic-coded JPEG")),
            0xf7 => return Err(JpegError::Unsupported("JPEG-LS")),
            _ => return Err(JpegError::Damaged),
        }
        let [precision, y1, y0, x1, x0, count] = *segment.parameters.first_chunk().ok_or(JpegError::Damaged)?;
        let [width, height] = [[x1, x0], [y1, y0]].map(|side| usize::from(u16::from_be_bytes(side)));
        let entries = &segment.parameters[6..];
        if entries.len() != usize::from(count) * 3 || width == 0 {
            return Err(JpegError::Damaged);
        }
        match precision {
            8 => {}
            12 => return Err(JpegError::Unsupported("12-bit JPEG")),
            16 => return Err(JpegError::Unsupported("16-bit JPEG")),
            _ => return Err(JpegError::Damaged),
        }
        // The height follows the first scan, in a DNL segment (T.81 B.2.5).
        if height == 0 {
            return Err(JpegError::Unsupported("DNL JPEG"));
        }
        if entries.is_empty() {
            return Err(JpegError::Damaged);
        }
        let mut components = Vec::with_capacity(entries.len() / 3);
        for entry in entries.chunks_exact(3) {
            let (h_sampling, v_sampling) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if !(1..=4).contains(&h_sampling) || !(1..=4).contains(&v_sampling) || entry[2] > 3 {
                return Err(JpegError::Damaged);
            }
            components.push(Component { id: entry[0], h_sampling, v_sampling, quantisation: usize::from(entry[2]) });
        }
        let ids: Vec<u8> = components.iter().map(|component| component.id).collect();
        let luma = &components[0];
        let is_finer = |other: &Component| other.h_sampling > luma.h_sampling || other.v_sampling > luma.v_sampling;
        // Two or four components are not YCbCr.
        let has_finest_luma = matches!(count, 1 | 3) && !components.iter().any(is_finer) && ids != *b"RGB";
        if count == 1 {
            // A single component is coded block by block, whatever its sampling factors (T.81 A.2.2).
            (components[0].h_sampling, components[0].v_sampling) = (1, 1);
        }
        Ok(Self { width, height, progressive: segment.marker == 0xc2, components, has_finest_luma })
    }

    /// MCUs of an interleaved scan, across and down.
    pub fn mcus(&self) -> (usize, usize) {
        let luma = &self.components[0];
        (self.width.div_ceil(8 * luma.h_sampling), self.height.div_ceil(8 * luma.v_sampling))
    }

    /// The layout of a component (T.81 A.1.1); the first one has the finest sampling.
    pub fn plane_layout(&self, component: usize) -> PlaneLayout {
        let (finest, own) = (&self.components[0], &self.components[component]);
        PlaneLayout {
            component,
            width: (self.width * own.h_sampling).div_ceil(finest.h_sampling),
            height: (self.height * own.v_sampling).div_ceil(finest.v_sampling),
            h_sampling: own.h_sampling,
            v_sampling: own.v_sampling,
        }
    }
}

/// Size and sampling of one component.
#[derive(Clone, Copy)]
pub struct PlaneLayout {
    /// Its index in the frame.
    pub component: usize,
    pub width: usize,
    pub height: usize,
    /// Blocks of one MCU of an interleaved scan, across and down.
    pub h_sampling: usize,
    pub v_sampling: usize,
}

impl PlaneLayout {
    /// Blocks across and down, without those that only pad the last MCUs.
    pub fn blocks(&self) -> (usize, usize) {
        (self.width.div_ceil(8), self.height.div_ceil(8))
    }
}

/// A component of a scan: its index in the frame and the tables that decode it.
#[derive(Clone, Copy)]
pub struct ScanComponent {
    pub component: usize,
    pub tables: TableSelectors,
}

/// Numbers of the Huffman tables that decode a component.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TableSelectors {
    pub dc: usize,
    pub ac: usize,
}

/// The scan header (T.81 B.2.3).
pub struct Scan {
    pub components: Vec<ScanComponent>,
    /// First and last coefficient, by zigzag index (Ss and Se).
    pub spectral_start: usize,
    pub spectral_end: usize,
    /// Whether it adds one bit to the coefficients of earlier scans (Ah is not 0).
    pub is_refinement: bool,
    /// The lowest bit that it codes (Al).
    pub low_bit: u32,
}

impl Scan {
    pub fn parse(segment: &Segment, frame: &Frame) -> Result<Self, JpegError> {
        let (count, rest) = segment.parameters.split_first().ok_or(JpegError::Damaged)?;
        let (entries, rest) = rest.split_at_checked(usize::from(*count) * 2).ok_or(JpegError::Damaged)?;
        let [start, end, approximation] = *rest.first_chunk().ok_or(JpegError::Damaged)?;
        let (high, low) = (approximation >> 4, approximation & 15);
        let mut components: Vec<ScanComponent> = Vec::with_capacity(frame.components.len());
        for entry in entries.chunks_exact(2) {
            let component = frame.components.iter().position(|component| component.id == entry[0]);
            let component = component.ok_or(JpegError::Damaged)?;
            let (dc, ac) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            // In the frame's order, so that none occurs twice.
            if dc > 3 || ac > 3 || components.last().is_some_and(|last| last.component >= component) {
                return Err(JpegError::Damaged);
            }
            components.push(ScanComponent { component, tables: TableSelectors { dc, ac } });
        }
        if components.is_empty() {
            return Err(JpegError::Damaged);
        }
        if !frame.progressive {
            return Ok(Self { components, spectral_start: 0, spectral_end: 63, is_refinement: false, low_bit: 0 });
        }
        let is_valid_band = if start == 0 { end == 0 } else { (start..64).contains(&end) && components.len() == 1 };
        if !is_valid_band || low > 13 || (high != 0 && high != low + 1) {
            return Err(JpegError::Damaged);
        }
        Ok(Self {
            components,
            spectral_start: start.into(),
            spectral_end: end.into(),
            is_refinement: high != 0,
            low_bit: low.into(),
        })
    }

    /// The entry of a component in this scan, if it has one.
    pub fn component(&self, component: usize) -> Option<ScanComponent> {
        self.components.iter().find(|coded| coded.component == component).copied()
    }

    /// How many blocks of other components each MCU has before those of `component` and
    /// after them, for each set of tables in turn.
    pub fn skipped_blocks(&self, frame: &Frame, component: usize) -> [Vec<(ScanComponent, usize)>; 2] {
        // The components of a scan are in the frame's order.
        let at = self.components.partition_point(|coded| coded.component < component);
        let after = (at + 1).min(self.components.len());
        [&self.components[..at], &self.components[after..]].map(|others| {
            let mut skipped: Vec<(ScanComponent, usize)> = Vec::with_capacity(others.len());
            for coded in others {
                let component = &frame.components[coded.component];
                let blocks = component.h_sampling * component.v_sampling;
                match skipped.last_mut() {
                    Some((last, sum)) if last.tables == coded.tables => *sum += blocks,
                    _ => skipped.push((*coded, blocks)),
                }
            }
            skipped
        })
    }

    /// The MCUs of the scan, which contains the plane: one block each for a single component, interleaved
    /// blocks for several (T.81 A.2).
    pub fn layout(&self, frame: &Frame, plane: PlaneLayout) -> ScanLayout {
        let (mcus_x, mcus_y) = frame.mcus();
        let (blocks_x, blocks_y) = plane.blocks();
        match self.components.len() {
            1 => ScanLayout { mcus_x: blocks_x, mcus_y: blocks_y, across: 1, down: 1 },
            _ => ScanLayout { mcus_x, mcus_y, across: plane.h_sampling, down: plane.v_sampling },
        }
    }
}

/// How many MCUs a scan has across and down, and how many blocks of a plane each of them has.
pub struct ScanLayout {
    pub mcus_x: usize,
    pub mcus_y: usize,
    pub across: usize,
    pub down: usize,
}
