//! Age, gender and smile of the faces in a photo: everything from the bytes of a file to a calibrated guess.
//!
//! Independent of chat platforms, settings and words; the crate `faceguesser` re-exports it and builds the program on
//! top. It is a crate of its own because its kernels must be optimised fully, in one codegen unit, which takes long: a
//! change to a reply or a platform does not rebuild it.
//!
//! ```
//! let guesser = faceguesser_vision::Guesser::builtin()?;
//! let analysis = guesser.guess(&std::fs::read("../models/mean-face.jpg")?)?;
//! assert_eq!(analysis.faces.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//!
//! - the root: [`Guesser`], the whole computation for one photo.
//! - [`face`]: finds faces, cuts each to 128×128 grey pixels, judges how well it can be seen.
//! - [`photo`]: decoding under limits.
//! - [`model`]: both networks, the face detector and the estimator of age, gender and smile.

mod analysis;
pub mod face;
mod guesser;
pub mod model;
pub mod photo;

pub use analysis::{Analysis, FaceAnalysis, Framing, Gender, StageTimes};
pub use guesser::{FORWARD_BATCH, GuessError, Guesser, GuesserBuilder, SEARCH_SIDE};
