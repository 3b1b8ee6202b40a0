//! From the bytes of a file to upright grey pixels.
//!
//! Owns the decoding with its limits ([`decode`](mod@decode), with a module per format) and the detection of file
//! types, which names what a file is when it is not a picture ([`sniff`]). Independent of faces, networks and chat
//! platforms.

mod animation;
mod clock;
mod colour;
pub mod decode;
mod downscale;
#[cfg(any(test, fuzzing, feature = "fuzzing"))]
pub mod fuzzing;
mod gif;
#[cfg(feature = "heic")]
mod heic;
mod jpeg;
mod memory;
mod orientation;
mod png;
mod sniff;
mod webp;

pub use animation::{frame_colour, sampled_frames};
pub use clock::CpuLimit;
pub use decode::{ColourPhoto, DecodeLimits, decode, decode_colour, decode_reduced};
pub use memory::{MemoryBudget, Reservation};

use image::GrayImage;

/// A decoded photo, upright (EXIF orientation applied).
#[derive(Debug)]
pub struct Photo {
    /// ITU-R BT.601 luma, 8 bits, rows from the top, columns from the left: the Y of a JPEG as
    /// stored, so that no RGB is ever computed for the networks.
    pub luma: GrayImage,
    /// Factor by which `luma` is scaled down in each direction: 1, 2, 4 or 8.
    pub reduction: u32,
    /// Width and height of the upright photo at full size, in pixels.
    pub size: (u32, u32),
    /// Whether the file is complete; otherwise it was cut short, and what is missing is grey or coarse.
    pub whole: bool,
    /// The reserved memory of its pixels, released when the photo is dropped.
    pub memory: Option<Reservation>,
}

/// Why a file was not decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file is not a picture; `what` names its type with an article ("a web page").
    #[error("not a picture but {what}")]
    NotAPicture {
        /// The type with an article, such as "a web page".
        what: &'static str,
    },
    /// A picture in a format that is not supported.
    #[error("{format} pictures are not supported; send JPEG, PNG, WebP or GIF")]
    Unsupported {
        /// The name of the format, such as "BMP".
        format: &'static str,
    },
    /// The file ends before the picture does.
    #[error("the picture is cut short: the file ends before the picture does")]
    Truncated,
    /// A supported format with invalid contents.
    #[error("the {format} picture is damaged")]
    Damaged {
        /// The name of the format, such as "PNG".
        format: &'static str,
    },
    /// The file is larger than the limit.
    #[error("the file has {bytes} bytes, the limit is {limit}")]
    TooManyBytes {
        /// The size of the file.
        bytes: u64,
        /// The largest size allowed.
        limit: u64,
    },
    /// According to its header, the picture has more pixels than the limit; nothing was allocated.
    #[error("the picture has {width}×{height} pixels, the limit is {limit} pixels")]
    TooManyPixels {
        /// Width in pixels, from the header.
        width: u32,
        /// Height in pixels, from the header.
        height: u32,
        /// The most pixels allowed, by the configured limit or the memory budget.
        limit: u64,
    },
    /// Decoding takes more processor time than the limit. A file that is within the other limits takes that long only
    /// if it was crafted to.
    #[error("the picture takes longer to decode than the limit allows; save it again as a plain JPEG")]
    TimeLimit,
}
