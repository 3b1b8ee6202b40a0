//! The tables that a file defines between its scans, for those that follow (T.81 B.2.4).

use std::num::NonZeroUsize;
use std::ops::Range;

use super::JpegError;
use super::headers::{Frame, ScanComponent};
use super::huffman::{HuffmanTable, SkipTable, TableDefinition};
use super::segments::Segment;

/// The tables that are valid at some point of the file.
#[derive(Default)]
pub struct Tables {
    quantisation: [Option<[u16; 64]>; 4],
    dc: [Option<Box<TableDefinition>>; 4],
    ac: [Option<Box<TableDefinition>>; 4],
    /// MCUs between restart markers.
    restart_interval: Option<NonZeroUsize>,
}

impl Tables {
    /// Applies a segment, if it defines any table.
    pub fn update(&mut self, segment: &Segment) -> Result<(), JpegError> {
        match segment.marker {
            Segment::DHT => self.parse_huffman(segment.parameters),
            Segment::DQT => self.parse_quantisation(segment.parameters),
            Segment::DRI => {
                let mcus = u16::from_be_bytes(*segment.parameters.first_chunk().ok_or(JpegError::Damaged)?);
                self.restart_interval = NonZeroUsize::new(mcus.into());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn parse_huffman(&mut self, mut parameters: &[u8]) -> Result<(), JpegError> {
        while let Some((target, rest)) = parameters.split_first() {
            let (definition, size) = TableDefinition::parse(rest)?;
            parameters = &rest[size..];
            let class = match target >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(JpegError::Damaged),
            };
            *class.get_mut(usize::from(target & 15)).ok_or(JpegError::Damaged)? = Some(Box::new(definition));
        }
        Ok(())
    }

    fn parse_quantisation(&mut self, mut parameters: &[u8]) -> Result<(), JpegError> {
        while let Some((target, rest)) = parameters.split_first() {
            let bytes = match target >> 4 {
                0 => 1,
                1 => 2,
                _ => return Err(JpegError::Damaged),
            };
            let (values, after) = rest.split_at_checked(64 * bytes).ok_or(JpegError::Damaged)?;
            let mut table = [0; 64];
            for (element, value) in table.iter_mut().zip(values.chunks_exact(bytes)) {
                *element = value.iter().fold(0, |high, low| high << 8 | u16::from(*low));
            }
            *self.quantisation.get_mut(usize::from(target & 15)).ok_or(JpegError::Damaged)? = Some(table);
            parameters = after;
        }
        Ok(())
    }

    /// The MCUs of each restart interval of a scan that has `mcus` in all.
    pub fn restart_intervals(&self, mcus: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let interval = self.restart_interval.map_or(mcus, NonZeroUsize::get);
        (0..mcus).step_by(interval).map(move |first| first..mcus.min(first + interval))
    }

    /// A component's quantisation table, by zigzag index.
    pub fn quantisation(&self, frame: &Frame, component: usize) -> Result<[f32; 64], JpegError> {
        Ok(self.quantisation[frame.components[component].quantisation].ok_or(JpegError::Damaged)?.map(f32::from))
    }

    pub fn dc_table(&self, coded: ScanComponent) -> Result<HuffmanTable, JpegError> {
        let definition = self.dc[coded.tables.dc].as_ref().ok_or(JpegError::Damaged)?;
        // There are no runs of DC coefficients (T.81 F.1.2.1).
        if definition.symbols().iter().any(|symbol| *symbol > 15) {
            return Err(JpegError::Damaged);
        }
        HuffmanTable::new(definition)
    }

    pub fn ac_table(&self, coded: ScanComponent) -> Result<HuffmanTable, JpegError> {
        HuffmanTable::new(self.ac[coded.tables.ac].as_ref().ok_or(JpegError::Damaged)?)
    }

    /// The tables that decode a component of a sequential scan.
    pub fn block_tables(&self, coded: ScanComponent) -> Result<BlockTables, JpegError> {
        let ac = self.ac_table(coded)?;
        Ok(BlockTables { dc: self.dc_table(coded)?, skip: SkipTable::new(&ac), ac })
    }
}

/// The tables of one component of a sequential scan.
pub struct BlockTables {
    pub dc: HuffmanTable,
    pub ac: HuffmanTable,
    pub skip: SkipTable,
}
