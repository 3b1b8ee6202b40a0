//! Finds the metadata of a PNG that says how it is oriented, without decoding the picture. The size of everything that
//! is read is bounded: a compressed text of a few kilobytes may inflate to gigabytes.

use std::borrow::Cow;

use fdeflate::BoundedDecompressionError;

/// Maximum number of blocks of either kind that are read; editors write one.
const MAX_BLOCKS: usize = 4;
/// Maximum size of an inflated XMP packet, in bytes.
const MAX_XMP: usize = 1 << 18;

/// Metadata blocks, wherever they are in the file.
#[derive(Default)]
pub(super) struct Metadata<'a> {
    /// Contents of `eXIf` chunks.
    pub exif: Vec<&'a [u8]>,
    /// XMP packets of `iTXt` chunks.
    pub xmp: Vec<Cow<'a, [u8]>>,
    /// Total size of all `eXIf` chunks, in bytes; the decoder holds one.
    pub exif_bytes: usize,
    /// Whether the file goes on to its end chunk.
    pub has_end: bool,
}

impl<'a> Metadata<'a> {
    /// Walks through the chunks (PNG, third edition, 5.3).
    pub fn read(bytes: &'a [u8]) -> Self {
        let mut metadata = Self::default();
        let mut rest = bytes.get(8..).unwrap_or_default();
        while let Some((header, after)) = rest.split_first_chunk::<8>() {
            let [a, b, c, d, kind @ ..] = *header;
            let Some((data, after)) = after.split_at_checked(u32::from_be_bytes([a, b, c, d]) as usize) else { break };
            match &kind {
                b"eXIf" => {
                    metadata.exif_bytes += data.len();
                    if metadata.exif.len() < MAX_BLOCKS {
                        metadata.exif.push(data);
                    }
                }
                b"iTXt" if metadata.xmp.len() < MAX_BLOCKS => metadata.xmp.extend(xmp(data)),
                b"IEND" => {
                    metadata.has_end = true;
                    break;
                }
                _ => {}
            }
            // The checksum.
            rest = after.get(4..).unwrap_or_default();
        }
        metadata
    }
}

/// The XMP packet of an `iTXt` chunk (11.3.3.4), or its beginning.
fn xmp(data: &[u8]) -> Option<Cow<'_, [u8]>> {
    let rest = data.strip_prefix(b"XML:com.adobe.xmp\0")?;
    let ([compressed, _method], rest) = rest.split_first_chunk::<2>()?;
    // The language and the translated keyword.
    let text = rest.splitn(3, |byte| *byte == 0).nth(2)?;
    if *compressed == 0 {
        return Some(text.into());
    }
    match fdeflate::decompress_to_vec_bounded(text, MAX_XMP) {
        Ok(text) | Err(BoundedDecompressionError::OutputTooLarge { partial_output: text }) => Some(text.into()),
        Err(BoundedDecompressionError::DecompressionError { .. }) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG without a picture, with these chunks.
    fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in chunks {
            bytes.extend((data.len() as u32).to_be_bytes());
            bytes.extend([&kind[..], data, &[0; 4]].concat());
        }
        bytes
    }

    fn text(compressed: bool, packet: &[u8]) -> Vec<u8> {
        [b"XML:com.adobe.xmp\0", &[u8::from(compressed), 0][..], b"\0\0", packet].concat()
    }

    #[test]
    fn compressed_packets_are_inflated_up_to_a_limit_each_and_only_the_first_few() {
        let bomb = text(true, &fdeflate::compress_to_vec(&vec![b' '; 8 << 20]));
        let bytes = png(&vec![(b"iTXt", &bomb[..]); 100]);
        let metadata = Metadata::read(&bytes);
        assert!(metadata.xmp.len() <= MAX_BLOCKS && metadata.xmp.iter().all(|packet| packet.len() <= MAX_XMP));
        assert!(!metadata.has_end);
    }

    #[test]
    fn blocks_are_found_before_and_after_the_picture() {
        let (plain, inflated) = (text(false, b"<x:xmpmeta/>"), text(true, &fdeflate::compress_to_vec(b"<rdf/>")));
        let bytes =
            png(&[(b"iTXt", &plain), (b"IDAT", b"..."), (b"iTXt", &inflated), (b"eXIf", b"II"), (b"IEND", b"")]);
        let metadata = Metadata::read(&bytes);
        assert_eq!(metadata.xmp, [&b"<x:xmpmeta/>"[..], b"<rdf/>"]);
        assert_eq!((metadata.exif, metadata.exif_bytes, metadata.has_end), (vec![&b"II"[..]], 2, true));
        assert!(!Metadata::read(&bytes[..bytes.len() - 5]).has_end);
        (0..bytes.len()).for_each(|length| drop(Metadata::read(&bytes[..length])));
    }
}
