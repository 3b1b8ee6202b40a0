//! From somebody's bytes to upright grey pixels.
//!
//! Owns the download with its limits ([`download`]), the decoding with its limits
//! ([`decode`](mod@decode), with a module a format) and the words for what a file is when it is no
//! picture ([`sniff`]).
//! Knows nothing of faces, networks or chat platforms.

mod animation;
mod clock;
pub mod decode;
#[cfg(feature = "cli")]
pub mod download;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gif;
#[cfg(feature = "heic")]
mod heic;
mod jpeg;
mod memory;
mod orientation;
mod png;
mod rows;
mod sniff;
mod webp;

pub use animation::{frame_colour, later_frames};
pub use clock::WorkClock;
pub use decode::{ColourPhoto, DecodeLimits, decode, decode_colour, decode_reduced};
#[cfg(feature = "cli")]
pub use download::{DownloadError, DownloadLimits, Downloader, Hosts, cause};
pub use memory::{MemoryBudget, Reservation};

use image::GrayImage;

/// A decoded photo, upright (EXIF orientation applied).
#[derive(Debug)]
pub struct Photo {
    /// ITU-R BT.601 luma, 8 bits, rows from the top, columns from the left: the Y of a JPEG as
    /// stored, so that no colour is ever computed for the network.
    pub luma: GrayImage,
    /// Pixels of the file, in either direction, that one of `luma` stands for: 1, 2, 4 or 8.
    pub reduction: u32,
    /// Width and height of the upright photo at full size.
    pub size: (u32, u32),
    /// Whether the file is whole; otherwise it was cut short, and what is missing is grey or coarse.
    pub whole: bool,
    /// What of the budget its pixels take; given back with it.
    pub memory: Option<Reservation>,
}

/// Why bytes did not become a [`Photo`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The bytes are something else; `what` names it with its article ("a web page").
    #[error("not a picture but {what}")]
    NotAPicture { what: &'static str },
    /// A picture, in a format that is not read here.
    #[error("{format} pictures are not supported; send JPEG, PNG, WebP or GIF")]
    Unsupported { format: &'static str },
    /// The file ends before the picture does.
    #[error("the picture is cut short: the file ends before the picture does")]
    Truncated,
    /// The right format, but its contents do not add up.
    #[error("the {format} picture is damaged")]
    Damaged { format: &'static str },
    /// More bytes than the limit.
    #[error("the file has {bytes} bytes, the limit is {limit}")]
    TooManyBytes { bytes: u64, limit: u64 },
    /// More pixels than the limit, as its header says; nothing was allocated.
    #[error("the picture has {width}×{height} pixels, the limit is {limit} pixels")]
    TooManyPixels { width: u32, height: u32, limit: u64 },
    /// More processor time than the limit: what is as small as this and takes as long was made to.
    #[error("the picture takes longer to decode than the limit allows; save it again as a plain JPEG")]
    TooMuchWork,
}
