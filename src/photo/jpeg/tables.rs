//! The tables a file defines on its way, for the scans that follow (T.81 B.2.4).

use std::num::NonZeroUsize;
use std::ops::Range;

use super::Fault;
use super::headers::{Coded, Frame};
use super::huffman::{Definition, Passing, Table};
use super::segments::Segment;

/// The tables in force at some point of the file.
#[derive(Default)]
pub struct Tables {
    quantisation: [Option<[u16; 64]>; 4],
    dc: [Option<Box<Definition>>; 4],
    ac: [Option<Box<Definition>>; 4],
    /// Units between restart markers.
    restart_interval: Option<NonZeroUsize>,
}

impl Tables {
    /// Takes in a segment, if it defines anything.
    pub fn read(&mut self, segment: &Segment) -> Result<(), Fault> {
        match segment.marker {
            Segment::DHT => self.read_huffman(segment.body),
            Segment::DQT => self.read_quantisation(segment.body),
            Segment::DRI => {
                let units = u16::from_be_bytes(*segment.body.first_chunk().ok_or(Fault::Damaged)?);
                self.restart_interval = NonZeroUsize::new(units.into());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn read_huffman(&mut self, mut body: &[u8]) -> Result<(), Fault> {
        while let Some((target, rest)) = body.split_first() {
            let (definition, size) = Definition::read(rest)?;
            body = &rest[size..];
            let class = match target >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(Fault::Damaged),
            };
            *class.get_mut(usize::from(target & 15)).ok_or(Fault::Damaged)? = Some(Box::new(definition));
        }
        Ok(())
    }

    fn read_quantisation(&mut self, mut body: &[u8]) -> Result<(), Fault> {
        while let Some((target, rest)) = body.split_first() {
            let bytes = match target >> 4 {
                0 => 1,
                1 => 2,
                _ => return Err(Fault::Damaged),
            };
            let (values, after) = rest.split_at_checked(64 * bytes).ok_or(Fault::Damaged)?;
            let mut table = [0; 64];
            for (factor, value) in table.iter_mut().zip(values.chunks_exact(bytes)) {
                *factor = value.iter().fold(0, |high, low| high << 8 | u16::from(*low));
            }
            *self.quantisation.get_mut(usize::from(target & 15)).ok_or(Fault::Damaged)? = Some(table);
            body = after;
        }
        Ok(())
    }

    /// The units of each restart interval of a scan of `units`.
    pub fn intervals(&self, units: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let interval = self.restart_interval.map_or(units, NonZeroUsize::get);
        (0..units).step_by(interval).map(move |first| first..units.min(first + interval))
    }

    /// A component's quantisation by zigzag index.
    pub fn factors(&self, frame: &Frame, component: usize) -> Result<[f32; 64], Fault> {
        Ok(self.quantisation[frame.components[component].quantisation].ok_or(Fault::Damaged)?.map(f32::from))
    }

    pub fn dc_table(&self, coded: Coded) -> Result<Table, Fault> {
        let definition = self.dc[coded.tables.dc].as_ref().ok_or(Fault::Damaged)?;
        // There are no runs of DC coefficients (T.81 F.1.2.1).
        if definition.symbols().iter().any(|symbol| *symbol > 15) {
            return Err(Fault::Damaged);
        }
        Table::new(definition)
    }

    pub fn ac_table(&self, coded: Coded) -> Result<Table, Fault> {
        Table::new(self.ac[coded.tables.ac].as_ref().ok_or(Fault::Damaged)?)
    }

    /// What decodes a component of a sequential scan.
    pub fn coder(&self, coded: Coded) -> Result<Coder, Fault> {
        let ac = self.ac_table(coded)?;
        Ok(Coder { dc: self.dc_table(coded)?, passing: Passing::new(&ac), ac })
    }
}

/// The tables of one component of a sequential scan.
pub struct Coder {
    pub dc: Table,
    pub ac: Table,
    pub passing: Passing,
}
