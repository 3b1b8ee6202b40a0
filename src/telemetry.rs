//! Logs: one line an event, to standard error, with fields and units. Never a photo, a token, a
//! name or a message's text.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
#[error("log.level: {0:?} is no level (error, warn, info, debug, trace) and no filter")]
pub struct FilterError(String);

/// Starts logging for the whole program; later calls change nothing.
///
/// # Errors
/// [`FilterError`] when the level cannot be read.
pub fn start(log: &Log) -> Result<(), FilterError> {
    // The clients' own lines at info say little to who runs the bot, and at debug they print
    // addresses that hold tokens.
    let quiet = "serenity=warn,teloxide=warn,hyper=warn,reqwest=warn,tungstenite=warn";
    let filter = EnvFilter::try_new(format!("{quiet},{}", log.level)).map_err(|_| FilterError(log.level.clone()))?;
    let in_colour = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(in_colour);
    // A second start happens in tests alone, where the first one's lines go on.
    let _ = match log.format {
        LogFormat::Text => lines.finish().try_init(),
        LogFormat::Json => lines.json().finish().try_init(),
    };
    Ok(())
}
