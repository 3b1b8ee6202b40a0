//! Retries without a time limit, for requests that the bot cannot run without.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use teloxide::requests::Payload;
use tokio::time::sleep;
use tracing::warn;

use super::api::Api;
use super::error::TelegramError;
use super::refusals::{ErrorKind, refusal};
use crate::platform::refusal::Refusal;

/// Pauses after a failure: the first, doubled each time up to the last.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Sends a payload, with growing pauses between attempts, until Telegram answers it or refuses the
/// token.
pub(super) async fn call_until_answered<P: Payload + Serialize>(
    api: &Api,
    payload: &P,
) -> Result<Value, TelegramError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match api.call(payload).await {
            Ok(result) => return Ok(result),
            Err(error) if error.kind() == ErrorKind::InvalidToken => return Err(TelegramError::InvalidToken),
            Err(error) => error,
        };
        let wait = match refusal(&error) {
            Refusal::Retry { after: Some(after) } => after,
            _ => pause,
        };
        let (method, pause_s) = (P::NAME, wait.as_secs());
        warn!(method, %error, pause_s, "request to Telegram failed, retrying");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
