//! Reads the orientation of a photo, in all the forms that cameras and editors write.
//!
//! The TIFF structure of an Exif block stores it in tag 0x0112 (CIPA DC-008, 4.6.4), which should be
//! one SHORT; some programs write a BYTE or a LONG, signed or not, either byte order occurs, and a file can contain
//! several blocks, some of them broken. Editors may store it in XMP only (`tiff:Orientation`).

use image::metadata::Orientation;

const TAG: u16 = 0x0112;
/// Maximum number of entries read from an IFD; no camera writes more.
const MAX_ENTRIES: u16 = 1000;

/// The orientation from the first Exif block with a valid one, else from the first XMP packet.
pub(super) fn orientation<'a>(
    exif: impl IntoIterator<Item = &'a [u8]>,
    xmp: impl IntoIterator<Item = &'a [u8]>,
) -> Orientation {
    let from_exif = exif.into_iter().find_map(from_tiff);
    from_exif.or_else(|| xmp.into_iter().find_map(from_xmp)).unwrap_or(Orientation::NoTransforms)
}

/// Reads a TIFF structure, with or without the prefix of an Exif block.
fn from_tiff(block: &[u8]) -> Option<Orientation> {
    let tiff = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    let big_endian = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes: [u8; 4] = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = short(directory)?.min(MAX_ENTRIES);
    for entry in 0..usize::from(entries) {
        let at = directory.checked_add(2 + 12 * entry)?;
        if short(at)? != TAG {
            continue;
        }
        let value = match (short(at + 2)?, long(at + 4)?) {
            (_, 0) => return None,
            (1 | 6 | 7, _) => u32::from(*tiff.get(at + 8)?),
            (3 | 8, _) => short(at + 8)?.into(),
            (4 | 9, _) => long(at + 8)?,
            _ => return None,
        };
        return Orientation::from_exif(u8::try_from(value).ok()?);
    }
    None
}

/// Finds `tiff:Orientation="6"` or `<tiff:Orientation>6<` in an XMP packet.
fn from_xmp(packet: &[u8]) -> Option<Orientation> {
    let name = b"tiff:Orientation";
    let at = memchr::memmem::find(packet, name)?;
    let mut after = packet[at + name.len()..].iter().filter(|byte| !byte.is_ascii_whitespace());
    let value = match after.next()? {
        b'=' => after.nth(1)?,
        b'>' => after.next()?,
        _ => return None,
    };
    Orientation::from_exif(value.checked_sub(b'0')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TIFF structure with another tag and the orientation, in this type and byte order.
    fn tiff(big_endian: bool, kind: u16, value: u32) -> Vec<u8> {
        let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut bytes = if big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        bytes.extend(long(10));
        bytes.extend([0, 0]);
        bytes.extend(short(2));
        bytes.extend([&short(0x010f)[..], &short(2), &long(4), b"cam\0"].concat());
        let field = match kind {
            1 | 6 | 7 => vec![value as u8, 0, 0, 0],
            3 | 8 => [&short(value as u16)[..], &[0, 0]].concat(),
            _ => long(value).to_vec(),
        };
        bytes.extend([&short(TAG)[..], &short(kind), &long(1), &field].concat());
        bytes
    }

    #[test]
    fn every_type_and_byte_order_of_the_tag_is_read() {
        let kinds = [1, 3, 4, 6, 7, 8, 9];
        for (big_endian, kind) in kinds.into_iter().flat_map(|kind| [(false, kind), (true, kind)]) {
            let block = tiff(big_endian, kind, 6);
            assert_eq!(orientation([&block[..]], []), Orientation::Rotate90, "type {kind}, big endian {big_endian}");
            let prefixed = [b"Exif\0\0", &block[..]].concat();
            assert_eq!(orientation([&prefixed[..]], []), Orientation::Rotate90);
        }
    }

    #[test]
    fn a_broken_block_does_not_hide_a_valid_one_or_xmp() {
        let (broken, valid) = (tiff(false, 3, 17), tiff(true, 3, 8));
        assert_eq!(orientation([&b"II*\0\xff"[..], &broken, &valid], []), Orientation::Rotate270);
        for xmp in [&b"<x tiff:Orientation=\"3\"/>"[..], b"<tiff:Orientation> 3</tiff:Orientation>"] {
            assert_eq!(orientation([&broken[..]], [xmp]), Orientation::Rotate180);
        }
        assert_eq!(orientation([], [&b"tiff:Orientation"[..], b"tiff:Orientation=\""]), Orientation::NoTransforms);
    }

    #[test]
    fn a_block_cut_short_anywhere_never_panics() {
        let block = tiff(true, 3, 6);
        for length in 0..block.len() {
            for at in 0..block.len() {
                let mut bytes = block[..length].to_vec();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = 0xff;
                }
                orientation([&bytes[..]], [&bytes[..]]);
            }
        }
    }
}
