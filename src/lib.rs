//! FaceGuesser.
pub mod bot;
pub mod cli;
pub mod config;
pub mod evaluation;
pub mod face;
pub mod inference;
pub mod model;
pub mod photo;
pub mod platform;
pub mod telemetry;
pub mod training;
