//! HEIC files whose metadata claims more than it has.

use std::time::{Duration, Instant};

use super::peak_memory;
use crate::photo::fuzzing::HEIC_DECODER;
use crate::photo::{DecodeLimits, PhotoError, decode};

/// A box (ISO/IEC 14496-12, 4.2) with the parts of its content.
fn boxed(kind: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&(content.len() as u32 + 8).to_be_bytes()[..], kind, &content].concat()
}

/// `count` items numbered by `number`.
fn items(count: u32, number: impl Fn(u32) -> u32) -> Vec<u8> {
    let item = |index| boxed(b"infe", &[&[3, 0, 0, 0], &number(index).to_be_bytes(), b"\0\0hvc1\0"]);
    boxed(b"iinf", &[&[1, 0, 0, 0], &count.to_be_bytes(), &(0..count).flat_map(item).collect::<Vec<_>>()])
}

#[test]
fn metadata_that_claims_more_than_it_has_neither_exhausts_memory_nor_takes_seconds() {
    let extents_without_bytes = {
        let location = [0, 1, 0, 0, 0xff, 0xff].repeat(10_000);
        [items(1, |_| 1), boxed(b"iloc", &[&[0, 0, 0, 0, 0x00, 0x00], &10_000_u16.to_be_bytes(), &location])].concat()
    };
    let one_number_many_times = {
        let location = [&[0, 1, 0, 0, 0x3f, 0xff][..], &[0; 4 * 0x3fff]].concat();
        [items(2500, |_| 1), boxed(b"iloc", &[&[0, 0, 0, 0, 0x40, 0x00, 0, 1], &location])].concat()
    };
    let many_items = {
        let properties = [0, 0, 0, 0, 0].repeat(400_000);
        let properties = boxed(b"ipma", &[&[1, 0, 0, 0], &400_000_u32.to_be_bytes(), &properties]);
        [items(100_000, |index| index + 1), boxed(b"iprp", &[&properties])].concat()
    };
    for metadata in [extents_without_bytes, one_number_many_times, many_items] {
        let handler = boxed(b"hdlr", &[&[0; 8], b"pict", &[0; 13]]);
        let primary = boxed(b"pitm", &[&[0, 0, 0, 0, 0, 1]]);
        let metadata = boxed(b"meta", &[&[0; 4], &handler, &primary, &metadata]);
        let file = [boxed(b"ftyp", &[b"heic\0\0\0\0mif1heic"]), metadata, boxed(b"mdat", &[&[0; 100]])].concat();
        let start = Instant::now();
        let memory = peak_memory(usize::MAX / 2, || {
            let refused = decode(&file, &DecodeLimits::default()).unwrap_err();
            assert_eq!(refused, PhotoError::Unsupported { format: "unusual HEIC" });
        });
        assert!(memory <= HEIC_DECODER + 2 * file.len(), "{memory} bytes");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}
