//! What the headers of the frame and of its scans say (T.81 B.2.2 and B.2.3).

use super::Fault;
use super::segments::Segment;

/// One of a frame's components.
pub struct Component {
    id: u8,
    /// Blocks of one unit of an interleaved scan, across and down.
    pub across: usize,
    pub down: usize,
    pub quantisation: usize,
}

/// The frame header (T.81 B.2.2).
pub struct Frame {
    pub width: usize,
    pub height: usize,
    pub progressive: bool,
    pub components: Vec<Component>,
    /// Whether the first component is the luma and has the finest sampling: other kinds of picture
    /// are left to a general decoder.
    pub has_plain_luma: bool,
}

impl Frame {
    pub fn read(segment: &Segment) -> Result<Self, Fault> {
        // Baseline, extended sequential and progressive, all with Huffman codes (T.81 table B.1).
        match segment.marker {
            0xc0..=0xc2 => {}
            0xc3 | 0xcb => return Err(Fault::Unsupported("lossless JPEG")),
            0xc5..=0xc7 | 0xcd..=0xcf => return Err(Fault::Unsupported("hierarchical JPEG")),
            0xc9 | 0xca | 0xcc => return Err(Fault::Unsupported("arithmetic-coded JPEG")),
            0xf7 => return Err(Fault::Unsupported("JPEG-LS")),
            _ => return Err(Fault::Damaged),
        }
        let [precision, y1, y0, x1, x0, count] = *segment.body.first_chunk().ok_or(Fault::Damaged)?;
        let [width, height] = [[x1, x0], [y1, y0]].map(|side| usize::from(u16::from_be_bytes(side)));
        let listed = &segment.body[6..];
        if listed.len() != usize::from(count) * 3 || width == 0 {
            return Err(Fault::Damaged);
        }
        if precision != 8 {
            return Err(Fault::Unsupported("12-bit JPEG"));
        }
        if height == 0 {
            return Err(Fault::Unsupported("JPEG that tells its height at its end"));
        }
        if listed.is_empty() {
            return Err(Fault::Damaged);
        }
        let mut components = Vec::with_capacity(listed.len() / 3);
        for entry in listed.chunks_exact(3) {
            let (across, down) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) || entry[2] > 3 {
                return Err(Fault::Damaged);
            }
            components.push(Component { id: entry[0], across, down, quantisation: usize::from(entry[2]) });
        }
        let ids: Vec<u8> = components.iter().map(|component| component.id).collect();
        let luma = &components[0];
        let coarse = components.iter().any(|other| other.across > luma.across || other.down > luma.down);
        // Two or four components are no YCbCr.
        let has_plain_luma = matches!(count, 1 | 3) && !coarse && ids != *b"RGB";
        if count == 1 {
            // Alone, a component goes block by block whatever its sampling says (T.81 A.2.2).
            (components[0].across, components[0].down) = (1, 1);
        }
        Ok(Self { width, height, progressive: segment.marker == 0xc2, components, has_plain_luma })
    }

    /// Interleaved units across and down.
    pub fn units(&self) -> (usize, usize) {
        let luma = &self.components[0];
        (self.width.div_ceil(8 * luma.across), self.height.div_ceil(8 * luma.down))
    }

    /// A component as a picture of its own (T.81 A.1.1); the first one is the finest.
    pub fn plane(&self, component: usize) -> Plane {
        let (finest, own) = (&self.components[0], &self.components[component]);
        Plane {
            component,
            width: (self.width * own.across).div_ceil(finest.across),
            height: (self.height * own.down).div_ceil(finest.down),
            across: own.across,
            down: own.down,
        }
    }
}

/// A component as a picture of its own.
#[derive(Clone, Copy)]
pub struct Plane {
    /// Its place in the frame.
    pub component: usize,
    pub width: usize,
    pub height: usize,
    /// Blocks of one unit of an interleaved scan, across and down.
    pub across: usize,
    pub down: usize,
}

impl Plane {
    /// Blocks across and down, without those that only fill up a unit.
    pub fn blocks(&self) -> (usize, usize) {
        (self.width.div_ceil(8), self.height.div_ceil(8))
    }
}

/// A component of a scan: its place in the frame and which tables decode it.
#[derive(Clone, Copy)]
pub struct Coded {
    pub component: usize,
    pub tables: CodedWith,
}

/// Numbers of the tables that decode a component.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CodedWith {
    pub dc: usize,
    pub ac: usize,
}

/// The scan header (T.81 B.2.3).
pub struct Scan {
    pub coded: Vec<Coded>,
    /// First and last coefficient, by zigzag index.
    pub start: usize,
    pub end: usize,
    /// Whether it adds a bit to what earlier scans gave.
    pub refines: bool,
    /// The bit it ends at.
    pub low: u32,
}

impl Scan {
    pub fn read(segment: &Segment, frame: &Frame) -> Result<Self, Fault> {
        let (count, listed) = segment.body.split_first().ok_or(Fault::Damaged)?;
        let (listed, parameters) = listed.split_at_checked(usize::from(*count) * 2).ok_or(Fault::Damaged)?;
        let [start, end, approximation] = *parameters.first_chunk().ok_or(Fault::Damaged)?;
        let (high, low) = (approximation >> 4, approximation & 15);
        let mut coded: Vec<Coded> = Vec::with_capacity(frame.components.len());
        for entry in listed.chunks_exact(2) {
            let component = frame.components.iter().position(|component| component.id == entry[0]);
            let component = component.ok_or(Fault::Damaged)?;
            let (dc, ac) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            // In the frame's order, so that none is there twice.
            if dc > 3 || ac > 3 || coded.last().is_some_and(|last| last.component >= component) {
                return Err(Fault::Damaged);
            }
            coded.push(Coded { component, tables: CodedWith { dc, ac } });
        }
        if coded.is_empty() {
            return Err(Fault::Damaged);
        }
        if !frame.progressive {
            return Ok(Self { coded, start: 0, end: 63, refines: false, low: 0 });
        }
        let band = if start == 0 { end == 0 } else { (start..64).contains(&end) && coded.len() == 1 };
        if !band || low > 13 || (high != 0 && high != low + 1) {
            return Err(Fault::Damaged);
        }
        Ok(Self { coded, start: start.into(), end: end.into(), refines: high != 0, low: low.into() })
    }

    /// The component in this scan, if it is there.
    pub fn coded(&self, component: usize) -> Option<Coded> {
        self.coded.iter().find(|coded| coded.component == component).copied()
    }

    /// How many blocks of other components go by in each unit before those of `component` and
    /// behind them, for each set of tables in turn.
    pub fn passed(&self, frame: &Frame, component: usize) -> [Vec<(Coded, usize)>; 2] {
        // The components of a scan are in the frame's order.
        let at = self.coded.partition_point(|coded| coded.component < component);
        let behind = (at + 1).min(self.coded.len());
        [&self.coded[..at], &self.coded[behind..]].map(|others| {
            let mut passed: Vec<(Coded, usize)> = Vec::with_capacity(others.len());
            for coded in others {
                let component = &frame.components[coded.component];
                let blocks = component.across * component.down;
                match passed.last_mut() {
                    Some((last, sum)) if last.tables == coded.tables => *sum += blocks,
                    _ => passed.push((*coded, blocks)),
                }
            }
            passed
        })
    }

    /// The units of the scan, which has the plane: a single component goes block by block, several
    /// take turns (T.81 A.2).
    pub fn layout(&self, frame: &Frame, plane: Plane) -> Layout {
        let (units_x, units_y) = frame.units();
        let (blocks_x, blocks_y) = plane.blocks();
        match self.coded.len() {
            1 => Layout { units_x: blocks_x, units_y: blocks_y, across: 1, down: 1 },
            _ => Layout { units_x, units_y, across: plane.across, down: plane.down },
        }
    }
}

/// How many units a scan has across and down, and how many blocks of a plane each of them.
pub struct Layout {
    pub units_x: usize,
    pub units_y: usize,
    pub across: usize,
    pub down: usize,
}
