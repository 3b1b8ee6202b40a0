//! Checks on a HEIC's metadata before it is parsed: the parser allocates what the metadata claims, and searches it for
//! every item.

use std::collections::HashSet;

use heifer_isobmff::{BoxIter, RawBox};

/// Maximum size of the metadata, in bytes; a picture of 48 megapixels has 12 KiB.
const MAX_SIZE: usize = 128 << 10;

/// Whether memory and time of parsing the file are proportional to it, as far as it can be parsed at all.
pub(super) fn is_bounded(file: &[u8]) -> bool {
    children(file).filter(|top| is(top, b"meta")).all(|meta| {
        let metadata = || children(meta.content.get(4..).unwrap_or_default()).filter(|child| !is(child, b"idat"));
        let size: usize = metadata().map(|child| child.content.len()).sum();
        size <= MAX_SIZE
            && metadata().filter(|child| is(child, b"iloc")).all(|child| extents_have_bytes(child.content))
            && metadata().filter(|child| is(child, b"iinf")).all(|child| items_are_unique(child.content))
    })
}

fn children(content: &[u8]) -> impl Iterator<Item = RawBox<'_>> {
    BoxIter::new(content).map_while(Result::ok)
}

fn is(part: &RawBox, kind: &[u8; 4]) -> bool {
    part.header.box_type.0 == *kind
}

/// Whether every extent of an item's location takes bytes of the file (ISO/IEC 14496-12, 8.11.3): of those whose
/// fields all have a length of 0, six bytes could claim 65,535.
fn extents_have_bytes(locations: &[u8]) -> bool {
    let Some([version, _, _, _, offset_and_length, base_and_index]) = locations.first_chunk() else { return true };
    *offset_and_length != 0 || (*version > 0 && base_and_index & 0x0f != 0)
}

/// Whether no two items have the same number (8.11.6): each would get its own copy of the number's locations and
/// properties.
fn items_are_unique(items: &[u8]) -> bool {
    let header = if items.first() == Some(&0) { 6 } else { 8 };
    let mut seen = HashSet::new();
    children(items.get(header..).unwrap_or_default()).filter(|child| is(child, b"infe")).all(|item| {
        let number = match item.content {
            [2, _, _, _, a, b, ..] => u32::from_be_bytes([0, 0, *a, *b]),
            [3, _, _, _, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
            _ => return true,
        };
        seen.insert(number)
    })
}
