//! Names what a file is from its first bytes, for the sentence that says why it is no photo.
//!
//! File names and media types lie; bytes rarely do.

use super::PhotoError;

/// A container that this program decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
        }
    }
}

/// Signatures of files that are not decoded here: offset, bytes, what it is.
const OTHERS: &[(usize, &[u8], Kind)] = &[
    (4, b"ftypheic", Kind::Picture("HEIC")),
    (4, b"ftypheix", Kind::Picture("HEIC")),
    (4, b"ftypmif1", Kind::Picture("HEIC")),
    (4, b"ftyphevc", Kind::Picture("HEIC")),
    (4, b"ftypavif", Kind::Picture("AVIF")),
    (0, b"BM", Kind::Picture("BMP")),
    (0, b"II*\0", Kind::Picture("TIFF")),
    (0, b"MM\0*", Kind::Picture("TIFF")),
    (0, b"\xff\x0a", Kind::Picture("JPEG XL")),
    (0, b"\0\0\0\x0cJXL ", Kind::Picture("JPEG XL")),
    (0, b"\0\0\0\x0cjP  ", Kind::Picture("JPEG 2000")),
    (0, b"8BPS", Kind::Picture("Photoshop")),
    (4, b"ftyp", Kind::Thing("a video")),
    (0, b"\x1a\x45\xdf\xa3", Kind::Thing("a video")),
    (8, b"AVI ", Kind::Thing("a video")),
    (8, b"WAVE", Kind::Thing("a sound recording")),
    (0, b"OggS", Kind::Thing("a sound recording")),
    (0, b"ID3", Kind::Thing("a sound recording")),
    (0, b"%PDF", Kind::Thing("a PDF document")),
    (0, b"PK\x03\x04", Kind::Thing("a ZIP archive or an office document")),
    (0, b"\x1f\x8b", Kind::Thing("a compressed archive")),
    (0, b"Rar!", Kind::Thing("a compressed archive")),
    (0, b"7z\xbc\xaf", Kind::Thing("a compressed archive")),
    (0, b"\x7fELF", Kind::Thing("a program")),
    (0, b"MZ", Kind::Thing("a program")),
];

#[derive(Clone, Copy)]
enum Kind {
    Picture(&'static str),
    Thing(&'static str),
}

/// Which decoder reads `bytes`, or what they are instead.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, PhotoError> {
    if bytes.is_empty() {
        return Err(PhotoError::Empty);
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Ok(Format::Jpeg);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(Format::Png);
    }
    if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        return Ok(Format::Gif);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Ok(Format::WebP);
    }
    for (offset, signature, kind) in OTHERS {
        if bytes.get(*offset..).is_some_and(|rest| rest.starts_with(signature)) {
            return Err(match kind {
                Kind::Picture(format) => PhotoError::Unsupported { format },
                Kind::Thing(what) => PhotoError::NotAPicture { what },
            });
        }
    }
    Err(text(bytes))
}

fn text(bytes: &[u8]) -> PhotoError {
    let head = &bytes[..bytes.len().min(512)];
    let Ok(start) = std::str::from_utf8(head).or_else(|error| {
        // A character cut by the 512-byte window is still text.
        std::str::from_utf8(&head[..error.valid_up_to()])
            .map(|valid| if valid.len() + 4 > head.len() { valid } else { "\0" })
    }) else {
        return PhotoError::NotAPicture { what: "an unknown kind of file" };
    };
    if start.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return PhotoError::NotAPicture { what: "an unknown kind of file" };
    }
    let lower = start.trim_start().to_ascii_lowercase();
    if lower.starts_with("<svg") || (lower.starts_with("<?xml") && lower.contains("<svg")) {
        PhotoError::Unsupported { format: "SVG" }
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") || lower.contains("<body") {
        PhotoError::NotAPicture { what: "a web page" }
    } else {
        PhotoError::NotAPicture { what: "a text file" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_for_what_their_bytes_are() {
        let named = |bytes: &[u8]| sniff(bytes).unwrap_err().to_string();
        assert_eq!(named(b""), "the file is empty");
        assert_eq!(named(b"<html>404</html>"), "not a picture but a web page");
        assert_eq!(named("žluťoučký kůň".as_bytes()), "not a picture but a text file");
        assert_eq!(named(b"%PDF-1.7"), "not a picture but a PDF document");
        assert_eq!(named(b"\0\0\0\x18ftypheic\0\0\0\0"), PhotoError::Unsupported { format: "HEIC" }.to_string());
        assert_eq!(named(b"\0\0\0\x18ftypisom\0\0\0\0"), "not a picture but a video");
        assert_eq!(named(b"\x01\x02\xfe\x80\x90"), "not a picture but an unknown kind of file");
        assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Ok(Format::Jpeg));
    }

    #[test]
    fn text_cut_inside_a_character_is_still_text() {
        let long = "é".repeat(400);
        for start in 0..2 {
            let bytes = &[b"x".repeat(start).as_slice(), long.as_bytes()].concat();
            assert_eq!(sniff(bytes), Err(PhotoError::NotAPicture { what: "a text file" }));
        }
    }
}
