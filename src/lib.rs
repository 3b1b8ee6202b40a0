//! Guesses age and gender of the faces in a photo, and whether they smile.
//!
//! [`Guesser`] is the library: bytes of a photo in, for every face its age with a range, its gender, whether it
//! smiles, how far these can be trusted and what makes the face hard to judge. Networks and weights are compiled in;
//! nothing is downloaded.
//!
//! ```
//! use faceguesser::Guesser;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let guesser = Guesser::builtin()?;
//! let photo = std::fs::read("models/mean-face.jpg")?;
//! let analysis = guesser.guess(&photo)?;
//! let face = &analysis.faces[0];
//! let (from, to) = face.age_range();
//! println!("about {:.0}, most likely {from:.0} to {to:.0}", face.age());
//! println!("{:?} ({:.0} %)", face.gender(), 100.0 * face.gender_probability());
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! One photo passes through these, from the top to the bottom and back:
//!
//! - `platform`: adapters for Discord, Telegram, Matrix and the chat page.
//! - `bot`: turns requests into replies in words, with annotated pictures; knows no platform.
//! - `inference`: the bounded queue and the worker pool.
//! - the root: [`Guesser`], the whole computation for one photo.
//! - [`explain`]: what the network computes from one face, as numbers and pictures.
//! - [`face`]: finds faces, cuts each to 128×128 grey pixels, judges how well it can be seen.
//! - `download`: photos from the platforms' file hosts, under limits.
//! - [`photo`]: decoding under limits.
//! - [`model`]: both networks, the face detector and the estimator of age, gender and smile.
//!
//! `training` and `evaluation` cut their crops with the same code; `config`, `observe`, `telemetry` and `cli` turn the
//! library into a program. `ARCHITECTURE.md` has the map.
//!
//! [`Guesser`], [`face`], [`photo`] and [`model`] come from the crate `faceguesser-vision`.
//!
//! # Features
//!
//! All are on by default unless stated otherwise; without any of them the crate is the library alone.
//!
//! - `discord`, `telegram`, `web`: the platforms, each with the command line.
//! - `cluster`: gateways and workers as separate processes, with NATS between them.
//! - `training`: the commands `train`, `evaluate` and `calibrate`.
//! - `heic`: decoding HEIC, the format of iPhone photos.
//! - `top`: the command `top`.
//! - `matrix` (off by default): the Matrix bot.
//! - `otel` (off by default): spans for an OpenTelemetry collector.
//! - `cuda`, `metal` (off by default): the age and gender network on a GPU.

#[cfg(feature = "cli")]
pub mod bot;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "cli")]
pub mod config;
#[cfg(feature = "cli")]
pub mod download;
#[cfg(feature = "training")]
pub mod evaluation;
pub mod explain;
#[cfg(all(any(test, fuzzing), feature = "discord", feature = "telegram", feature = "web"))]
pub mod fuzzing;
#[cfg(feature = "cli")]
pub mod inference;
#[cfg(feature = "cli")]
pub mod observe;
#[cfg(feature = "cli")]
pub mod platform;
#[cfg(feature = "cli")]
pub mod setup;
#[cfg(feature = "cli")]
pub mod telemetry;
#[cfg(feature = "training")]
pub mod training;

#[doc(inline)]
pub use faceguesser_vision::{
    Analysis, FaceAnalysis, Framing, Gender, GuessError, Guesser, GuesserBuilder, StageTimes, face, model, photo,
};
