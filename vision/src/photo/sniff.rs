//! Detects the type of a file from its first bytes, to choose a decoder or to name what else the file is.
//!
//! File names and media types are often wrong; the bytes rarely are.

use super::PhotoError;

/// A format that this program decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    #[cfg(feature = "heic")]
    Heic,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            #[cfg(feature = "heic")]
            Format::Heic => "HEIC",
        }
    }
}

/// Signatures of files that are not decoded here: offset, bytes, type.
const OTHER_SIGNATURES: &[(usize, &[u8], Kind)] = &[
    (0, b"BM", Kind::Picture("BMP")),
    (8, b"CR\x02", Kind::Picture("Canon raw (CR2)")),
    (0, b"FUJIFILMCCD-RAW", Kind::Picture("Fujifilm raw (RAF)")),
    (0, b"IIRO", Kind::Picture("Olympus raw (ORF)")),
    (0, b"IIRS", Kind::Picture("Olympus raw (ORF)")),
    (0, b"MMOR", Kind::Picture("Olympus raw (ORF)")),
    (0, b"IIU\0", Kind::Picture("Panasonic raw (RW2)")),
    (0, b"\0MRM", Kind::Picture("Minolta raw (MRW)")),
    (0, b"FOVb", Kind::Picture("Sigma raw (X3F)")),
    (6, b"HEAPCCDR", Kind::Picture("Canon raw (CRW)")),
    (0, b"II*\0", Kind::Tiff),
    (0, b"MM\0*", Kind::Tiff),
    (0, b"II+\0", Kind::Picture("TIFF")),
    (0, b"MM\0+", Kind::Picture("TIFF")),
    (0, b"\xff\x0a", Kind::Picture("JPEG XL")),
    (0, b"\0\0\0\x0cJXL ", Kind::Picture("JPEG XL")),
    (0, b"\0\0\0\x0cjP  ", Kind::Picture("JPEG 2000")),
    (0, b"\xff\x4f\xff\x51", Kind::Picture("JPEG 2000")),
    (0, b"8BPS", Kind::Picture("Photoshop")),
    (0, b"\0\0\x01\0", Kind::Picture("ICO")),
    (0, b"\0\0\x02\0", Kind::Picture("cursor (CUR)")),
    (8, b"ACON", Kind::Picture("cursor (ANI)")),
    (0, b"qoif", Kind::Picture("QOI")),
    (0, b"\x76\x2f\x31\x01", Kind::Picture("OpenEXR")),
    (0, b"DDS ", Kind::Picture("DDS")),
    (0, b"icns", Kind::Picture("ICNS")),
    (0, b"II\xbc\x01", Kind::Picture("JPEG XR")),
    (0, b"\x01\xda\0", Kind::Picture("SGI")),
    (0, b"\x01\xda\x01", Kind::Picture("SGI")),
    (0, b"\x0a\x05\x01", Kind::Picture("PCX")),
    (0, b"\xc5\xd0\xd3\xc6", Kind::Picture("EPS")),
    (0, b"\xd7\xcd\xc6\x9a", Kind::Picture("WMF")),
    (40, b" EMF", Kind::Picture("EMF")),
    (0, b"gimp xcf ", Kind::Picture("GIMP (XCF)")),
    (0, b"AT&TFORM", Kind::Picture("DjVu")),
    (0, b"BPG\xfb", Kind::Picture("BPG")),
    (0, b"FLIF", Kind::Picture("FLIF")),
    (0, b"\x8aMNG\r\n\x1a\n", Kind::Picture("MNG")),
    (0, b"\x8bJNG\r\n\x1a\n", Kind::Picture("JNG")),
    (4, b"ftyp", Kind::Brands),
    (0, b"\x1a\x45\xdf\xa3", Kind::Other("a video")),
    (8, b"AVI ", Kind::Other("a video")),
    (8, b"WAVE", Kind::Other("a sound recording")),
    (0, b"OggS", Kind::Ogg),
    (0, b"ID3", Kind::Other("a sound recording")),
    (0, b"%PDF", Kind::Other("a PDF document")),
    (0, b"PK\x03\x04", Kind::Other("a ZIP archive or an office document")),
    (0, b"\x1f\x8b", Kind::Other("a compressed archive")),
    (0, b"Rar!", Kind::Other("a compressed archive")),
    (0, b"7z\xbc\xaf", Kind::Other("a compressed archive")),
    (0, b"\x7fELF", Kind::Other("a program")),
    (0, b"MZ", Kind::Other("a program")),
];

const VIDEO: PhotoError = PhotoError::NotAPicture { what: "a video" };
const SOUND: PhotoError = PhotoError::NotAPicture { what: "a sound recording" };

#[derive(Clone, Copy)]
enum Kind {
    Picture(&'static str),
    Other(&'static str),
    /// A container of sound or video.
    Ogg,
    /// A TIFF, or one of the raw formats based on it.
    Tiff,
    /// A container of pictures or videos, depending on its brands (ISO/IEC 14496-12, 4.3).
    Brands,
}

/// The brands of still pictures and bursts in such containers (ISO/IEC 23008-12 and 23000-22, the
/// registry of MP4 brands), in order of precedence: a file lists several.
const BRANDS: &[(&str, &[&[u8; 4]])] = &[
    ("Canon raw (CR3)", &[b"crx "]),
    ("AVIF", &[b"avif", b"avis", b"avio", b"MA1A", b"MA1B"]),
    ("JPEG XL", &[b"jxl "]),
    ("JPEG 2000", &[b"jp2 ", b"jpx ", b"jpm ", b"j2is"]),
    ("HEIF", &[b"vvic", b"vvis", b"evbi", b"evbs", b"jpeg", b"jpgs", b"unif"]),
    (
        "HEIC",
        &[
            b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"heif", b"heii", b"avci", b"avcs",
            b"MiHE", b"MiHA", b"MiHB", b"MiAC", b"mif1", b"mif2", b"mif3", b"msf1", b"miaf", b"pred",
        ],
    ),
];

/// The makers' names, which tell their raw formats from a plain TIFF.
const MAKERS: &[(&[u8], &str)] = &[
    (b"NIKON", "Nikon raw (NEF)"),
    (b"SONY", "Sony raw (ARW)"),
    (b"PENTAX", "Pentax raw (PEF)"),
    (b"SAMSUNG", "Samsung raw (SRW)"),
];

/// The format of `bytes`.
///
/// # Errors
/// [`PhotoError`] names the type of a file that is not decoded.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, PhotoError> {
    if bytes.is_empty() {
        return Err(PhotoError::Empty);
    }
    if bytes.starts_with(b"\xff\xd8\xff") || bytes == b"\xff\xd8" {
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
    #[cfg(feature = "heic")]
    if bytes.get(4..8) == Some(b"ftyp") && from_brands(bytes) == Some("HEIC") {
        return Ok(Format::Heic);
    }
    // Text may begin with the letters of a signature; that of a PDF may be followed by nothing but text.
    let text = text(bytes).filter(|text| !text.starts_with("%PDF"));
    if let Some(text) = text {
        return Err(describe_text(bytes, text));
    }
    for (offset, signature, kind) in OTHER_SIGNATURES {
        if bytes.get(*offset..).is_some_and(|rest| rest.starts_with(signature)) {
            return Err(match kind {
                Kind::Picture(format) => PhotoError::Unsupported { format },
                Kind::Other(what) => PhotoError::NotAPicture { what },
                Kind::Tiff => PhotoError::Unsupported { format: tiff_kind(bytes) },
                Kind::Brands => match from_brands(bytes) {
                    Some(format) => PhotoError::Unsupported { format },
                    None if bytes.get(8..11) == Some(b"M4A") || bytes.get(8..11) == Some(b"M4B") => SOUND,
                    None => VIDEO,
                },
                Kind::Ogg if memchr::memmem::find(head(bytes), b"theora").is_some() => VIDEO,
                Kind::Ogg => SOUND,
            });
        }
    }
    if let Some(format) = netpbm(bytes) {
        return Err(PhotoError::Unsupported { format });
    }
    // The only mark of this format is at its end.
    if bytes.ends_with(b"TRUEVISION-XFILE.\0") {
        return Err(PhotoError::Unsupported { format: "TGA" });
    }
    Err(PhotoError::NotAPicture { what: "an unknown kind of file" })
}

/// Netpbm's formats: a `P`, a digit, white space and, unless a comment follows, the width.
fn netpbm(bytes: &[u8]) -> Option<&'static str> {
    let [b'P', b'1'..=b'7', separator, next] = bytes.first_chunk()? else { return None };
    let is_header = separator.is_ascii_whitespace() && (next.is_ascii_digit() || matches!(next, b'#' | b'W'));
    is_header.then_some("PBM, PGM or PPM")
}

/// The format that a container's brands name, the major one or a compatible one.
fn from_brands(bytes: &[u8]) -> Option<&'static str> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let listed = bytes.get(8..length.min(bytes.len()).min(512)).or(bytes.get(8..12))?;
    let brands = listed.as_chunks::<4>().0;
    BRANDS.iter().find(|(_, known)| brands.iter().any(|brand| known.contains(&brand))).map(|(format, _)| *format)
}

/// The name of a format based on TIFF.
fn tiff_kind(bytes: &[u8]) -> &'static str {
    let head = &bytes[..bytes.len().min(1024)];
    let has = |words: &[u8]| memchr::memmem::find(head, words).is_some();
    // Adobe's DNG has its version in tag 0xC612, in either byte order, as four BYTEs.
    if has(b"\x12\xc6\x01\0\x04\0") || has(b"\xc6\x12\0\x01\0\0\0\x04") {
        return "camera raw (DNG)";
    }
    MAKERS.iter().find(|(maker, _)| has(maker)).map_or("TIFF", |(_, format)| format)
}

/// How much of a file shows what kind it is.
fn head(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(512)]
}

/// The beginning of a text file.
fn text(bytes: &[u8]) -> Option<&str> {
    let head = head(bytes);
    let text = std::str::from_utf8(head).or_else(|error| {
        // Only the last character may be cut, by the window.
        let cut = head.len() < bytes.len() && error.error_len().is_none();
        std::str::from_utf8(if cut { &head[..error.valid_up_to()] } else { head })
    });
    text.ok().filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()))
}

/// How far into a text file of markup its first element is looked for: comments and declarations come before it.
const PROLOGUE: usize = 1 << 16;

/// Names the kind of a text file that begins with `text`.
fn describe_text(bytes: &[u8], text: &str) -> PhotoError {
    let lower = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") || lower.contains("<body") {
        PhotoError::NotAPicture { what: "a web page" }
    } else if lower.starts_with('<') && has_svg(&bytes[..bytes.len().min(PROLOGUE)]) {
        PhotoError::Unsupported { format: "SVG" }
    } else if text.starts_with("%!PS") {
        PhotoError::Unsupported { format: "EPS" }
    } else if text.starts_with("#?RADIANCE") || text.starts_with("#?RGBE") {
        PhotoError::Unsupported { format: "Radiance (HDR)" }
    } else if text.starts_with("/* XPM */") || (text.starts_with("#define ") && text.contains("_width ")) {
        PhotoError::Unsupported { format: "XPM or XBM" }
    } else if let Some(format) = netpbm(text.as_bytes()) {
        PhotoError::Unsupported { format }
    } else {
        PhotoError::NotAPicture { what: "a text file" }
    }
}

fn has_svg(markup: &[u8]) -> bool {
    markup.windows(4).any(|tag| tag.eq_ignore_ascii_case(b"<svg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_are_not_decoded_are_never_called_no_picture() {
        let long_prologue = format!("<?xml version='1.0'?><!--{}--><SVG/>", "x".repeat(5000));
        let files: [(&[u8], &str); 22] = [
            (b"\0\0\x02\0\x01\0\x20\x20", "cursor (CUR)"),
            (b"RIFF\x24\0\0\0ACONanih", "cursor (ANI)"),
            (b"\x76\x2f\x31\x01\x02\0\0\0", "OpenEXR"),
            (b"DDS \x7c\0\0\0", "DDS"),
            (b"icns\0\0\x01\0", "ICNS"),
            (b"II\xbc\x01\x08\0\0\0", "JPEG XR"),
            (b"\x01\xda\x01\x01\0\x03", "SGI"),
            (b"\x0a\x05\x01\x08\0\0\0\0", "PCX"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n", "EPS"),
            (b"\xc5\xd0\xd3\xc6\x20\0\0\0", "EPS"),
            (b"\xd7\xcd\xc6\x9a\0\0", "WMF"),
            (b"gimp xcf v011\0", "GIMP (XCF)"),
            (b"AT&TFORM\0\0\x01\0DJVU", "DjVu"),
            (b"BPG\xfb\x20\0", "BPG"),
            (b"\x8aMNG\r\n\x1a\n\0", "MNG"),
            (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "Radiance (HDR)"),
            (b"/* XPM */\nstatic char *x[] = {", "XPM or XBM"),
            (b"#define im_width 600\n", "XPM or XBM"),
            (b"P6\n600 900\n255\n\0\x80\xff", "PBM, PGM or PPM"),
            (b"P3 2 2 255 0 0 0", "PBM, PGM or PPM"),
            (b"\0\0\x02\x01\xff\x80TRUEVISION-XFILE.\0", "TGA"),
            (long_prologue.as_bytes(), "SVG"),
        ];
        for (bytes, format) in files {
            assert_eq!(sniff(bytes), Err(PhotoError::Unsupported { format }), "{:?}", bytes.get(..12));
        }
        for text in ["P6 is a processor", "P4", "#define WIDTH 3", "DDS attack"] {
            assert_eq!(sniff(text.as_bytes()), Err(PhotoError::NotAPicture { what: "a text file" }), "{text}");
        }
    }

    #[test]
    fn the_type_of_a_file_is_named_from_its_bytes() {
        let named = |bytes: &[u8]| sniff(bytes).unwrap_err().to_string();
        assert_eq!(named(b""), "the file is empty");
        assert_eq!(named(b"<html>404</html>"), "not a picture but a web page");
        assert_eq!(named("žluťoučký kůň".as_bytes()), "not a picture but a text file");
        assert_eq!(named(b"%PDF-1.7"), "not a picture but a PDF document");
        assert_eq!(named(b"\0\0\0\x18ftypavif\0\0\0\0"), PhotoError::Unsupported { format: "AVIF" }.to_string());
        assert_eq!(named(b"\0\0\0\x18ftypisom\0\0\0\0"), "not a picture but a video");
        assert_eq!(named(b"\x01\x02\xfe\x80\x90"), "not a picture but an unknown kind of file");
        assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Ok(Format::Jpeg));
        assert_eq!(sniff(b"\xff\xd8"), Ok(Format::Jpeg));
        assert_eq!(named(b"\xff"), "not a picture but an unknown kind of file");
        for text in ["BMW is a car", "MZ is not a program", "ID3 tags", "IIRO", "8BPS"] {
            assert_eq!(named(text.as_bytes()), "not a picture but a text file");
        }
        assert_eq!(named(b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0"), PhotoError::Unsupported { format: "BMP" }.to_string());
        assert_eq!(named(b"\0\0\0\x18ftypM4A \0\0\0\0"), "not a picture but a sound recording");
        assert_eq!(named(b"OggS\0\x02\x80theora"), "not a picture but a video");
        assert_eq!(named(b"OggS\0\x02\x01vorbis"), "not a picture but a sound recording");
        for svg in ["\u{feff}<svg/>", "<!-- drawn by hand -->\n<svg/>", "<?xml version=\"1.0\"?><svg/>"] {
            assert_eq!(named(svg.as_bytes()), PhotoError::Unsupported { format: "SVG" }.to_string());
        }
    }

    #[test]
    fn every_brand_of_heif_is_a_picture_and_none_a_video() {
        let file = |brands: &[&[u8; 4]]| {
            let length = 8 + 4 * (brands.len() as u32 + 1);
            let [major, compatible @ ..] = brands else { panic!("no brand") };
            let mut bytes = [&length.to_be_bytes()[..], b"ftyp", *major, &[0; 4]].concat();
            compatible.iter().for_each(|brand| bytes.extend(*brand));
            sniff(&bytes)
        };
        let picture = |format| match format {
            #[cfg(feature = "heic")]
            "HEIC" => Ok(Format::Heic),
            format => Err(PhotoError::Unsupported { format }),
        };
        for (format, brands) in BRANDS {
            for brand in *brands {
                assert_eq!(file(&[brand]), picture(*format));
                assert_eq!(file(&[b"zzzz", b"isom", brand]), picture(*format), "{brand:?} is compatible");
            }
        }
        assert_eq!(file(&[b"avis", b"msf1"]), picture("AVIF"));
        assert_eq!(file(&[b"mif1", b"avif"]), picture("AVIF"));
        assert_eq!(file(&[b"isom", b"iso2", b"mp41"]), Err(PhotoError::NotAPicture { what: "a video" }));
        assert_eq!(sniff(b"\0\0\0\x08ftyp"), Err(PhotoError::NotAPicture { what: "a video" }));
    }

    #[test]
    fn camera_raw_is_named_by_its_maker() {
        let named = |bytes: &[u8]| sniff(bytes).unwrap_err();
        assert_eq!(named(b"II*\0\x10\0\0\0CR\x02\0"), PhotoError::Unsupported { format: "Canon raw (CR2)" });
        assert_eq!(named(b"MM\0*\0\0\0\x08NIKON CORPORATION"), PhotoError::Unsupported { format: "Nikon raw (NEF)" });
        assert_eq!(
            named(b"II*\0\x08\0\0\0\x12\xc6\x01\0\x04\0"),
            PhotoError::Unsupported { format: "camera raw (DNG)" }
        );
        assert_eq!(named(b"II*\0\x08\0\0\0"), PhotoError::Unsupported { format: "TIFF" });
        assert_eq!(named(b"FUJIFILMCCD-RAW 0201\0"), PhotoError::Unsupported { format: "Fujifilm raw (RAF)" });
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
