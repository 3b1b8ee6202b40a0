//! What a platform can be asked before the bot runs: whether a token works, and whether the clocks agree.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap};

/// How long a platform may take to answer, with its retries.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Why a platform gave no useful answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It does not know the token.
    #[error("the token is refused")]
    InvalidToken,
    /// Anything else, such as no connection.
    #[error("{0}")]
    Failed(String),
}

/// The time of the server that sent a response, to the second.
pub(super) fn server_time(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// How far this machine's clock is from a server's that answers now: positive if it is fast.
pub(super) fn clock_error(server: SystemTime) -> i64 {
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(server) {
        Ok(fast) => seconds(fast),
        Err(slow) => -seconds(slow.duration()),
    }
}
