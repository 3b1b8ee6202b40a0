//! Logs: one line per event, to standard error, with fields and units. They never contain a photo, token,
//! name or message text.

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Log, LogFormat};

/// The most verbose level logged for each library, whatever `log.level` says: below these levels they log
/// what they send and receive, including tokens, names and messages.
const LIBRARIES: [(&str, LevelFilter); 10] = [
    ("teloxide", LevelFilter::OFF),
    ("teloxide_core", LevelFilter::OFF),
    ("hyper", LevelFilter::WARN),
    ("hyper_util", LevelFilter::WARN),
    ("h2", LevelFilter::WARN),
    ("reqwest", LevelFilter::WARN),
    ("rustls", LevelFilter::WARN),
    ("rusqlite_migration", LevelFilter::WARN),
    ("tungstenite", LevelFilter::WARN),
    ("tokio_tungstenite", LevelFilter::WARN),
];

/// The level of the log that was started.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
#[error("log.level: {0:?} is no level (error, warn, info, debug, trace) and no filter")]
pub struct FilterError(String);

/// Starts logging for the whole program; further calls have no effect.
///
/// # Errors
/// [`FilterError`] when the level cannot be read.
pub fn start(log: &Log) -> Result<(), FilterError> {
    let (wanted, level) = reload::Layer::new(filter(log)?);
    let bounded = Targets::new().with_default(LevelFilter::TRACE).with_targets(LIBRARIES);
    let in_colour = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(BoxMakeWriter::new(std::io::stderr)).with_ansi(in_colour);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // Only tests call it twice; the first subscriber stays.
    if tracing_subscriber::registry().with(lines.with_filter(bounded).with_filter(wanted)).try_init().is_ok() {
        let _ = LEVEL.set(level);
    }
    Ok(())
}

/// Changes the level, or filter, of the log that [`start`] started.
///
/// # Errors
/// As [`start`].
pub fn set_level(log: &Log) -> Result<(), FilterError> {
    let wanted = filter(log)?;
    if let Some(level) = LEVEL.get() {
        // It fails only after the log has ended.
        let _ = level.reload(wanted);
    }
    Ok(())
}

fn filter(log: &Log) -> Result<EnvFilter, FilterError> {
    EnvFilter::try_new(&log.level).map_err(|_| FilterError(log.level.clone()))
}
