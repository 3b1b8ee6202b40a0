//! What an operator sees of the running program: [`metrics`] counts what it does, [`health`] knows whether the
//! platforms answer. Both are of the whole process, as the logs are; `platform::status` serves them over HTTP.

pub mod health;
pub mod metrics;

use std::time::Duration;

use tracing::Span;

/// A step on a photo's way from its message to its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Downloading it.
    Fetch,
    /// Waiting for a worker.
    Wait,
    /// Decoding it.
    Decode,
    /// Finding its faces.
    Find,
    /// Aligning and cutting them.
    Cut,
    /// Guessing their ages, genders and smiles.
    Estimate,
    /// Explaining one of them.
    Explain,
    /// Drawing the annotated picture.
    Draw,
    /// Sending the reply, until the platform has accepted it.
    Reply,
}

impl Stage {
    /// All, in the order in which a photo passes through them.
    pub const ALL: [Self; 9] = [
        Self::Fetch,
        Self::Wait,
        Self::Decode,
        Self::Find,
        Self::Cut,
        Self::Estimate,
        Self::Explain,
        Self::Draw,
        Self::Reply,
    ];

    /// Its name as a metric's label, and the field of the span `photo` that has its milliseconds.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Fetch => ("fetch", "fetch_ms"),
            Self::Wait => ("wait", "wait_ms"),
            Self::Decode => ("decode", "decode_ms"),
            Self::Find => ("find", "find_ms"),
            Self::Cut => ("cut", "cut_ms"),
            Self::Estimate => ("estimate", "estimate_ms"),
            Self::Explain => ("explain", "explain_ms"),
            Self::Draw => ("draw", "draw_ms"),
            Self::Reply => ("reply", "reply_ms"),
        }
    }
}

/// Records that a stage took this long: in the histogram of the stage, and in the span of the photo if there is one.
pub fn record_stage(stage: Stage, took: Duration) {
    metrics::metrics().observe_stage(stage, took);
    Span::current().record(stage.names().1, milliseconds(took));
}

/// A duration in milliseconds, with two decimals.
pub fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e5).round() / 100.0
}
