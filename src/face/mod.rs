//! From a photo to the faces in it.

pub mod crop;

pub use crop::{CropFrame, FaceCrop};
