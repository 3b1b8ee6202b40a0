//! Retries without a time limit, for requests that the bot cannot run without.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use tracing::warn;

use super::api::{Api, ApiRequest};
use super::error::TelegramError;
use super::refusals::{ErrorKind, refusal};
use crate::platform::refusal::Refusal;

/// Pauses after a failure: the first, doubled each time up to the last.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Sends a request, with growing pauses between attempts, until Telegram answers it or refuses the
/// token.
pub(super) async fn send_until_answered(api: &Api, request: &ApiRequest) -> Result<Value, TelegramError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match api.send(request).await {
            Ok(result) => return Ok(result),
            Err(error) if error.kind() == ErrorKind::InvalidToken => return Err(TelegramError::InvalidToken),
            Err(error) => error,
        };
        let wait = match refusal(&error) {
            Refusal::Retry { after: Some(after) } => after,
            _ => pause,
        };
        let (method, pause_s) = (request.method(), wait.as_secs());
        warn!(method, %error, pause_s, "request to Telegram failed, retrying");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
