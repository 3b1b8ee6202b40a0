//! FaceGuesser: a photo in, an honest guess out, on Discord, Telegram, a chat page of its own or
//! the command line.
//!
//! # Layout
//!
//! One photo goes through these rooms, from the top to the bottom and back:
//!
//! - [`platform`]: Discord, Telegram and the chat page; each turns messages into a photo's source
//!   and a reply back.
//! - [`bot`]: a photo in, words, numbers and an annotated picture out; knows no platform.
//! - [`inference`]: the bounded queue and the pool of workers.
//! - [`face`]: finds faces, cuts each level to 128×128 grey pixels, judges how well it can be seen.
//! - [`photo`]: download and decoding under limits.
//! - [`model`]: both networks, the face detector and the estimator of age and gender.
//!
//! Beside them stand [`training`] and [`evaluation`], which cut their crops with the same code,
//! [`config`], [`telemetry`], and [`cli`], which wires everything. `ARCHITECTURE.md` has the map.

pub mod bot;
pub mod cli;
pub mod config;
pub mod evaluation;
pub mod face;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod inference;
pub mod model;
pub mod photo;
pub mod platform;
pub mod telemetry;
pub mod training;
