//! Long polling: fetches updates, and confirms them once what they ask for is stored.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use teloxide::payloads::{DeleteWebhook, GetUpdates};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::api::{Api, ApiRequest};
use super::error::TelegramError;
use super::handler::Handler;
use super::refusals::{ApiError, ErrorKind, refusal};
use super::retry::{FIRST_PAUSE, LONGEST_PAUSE};
use super::updates::ALLOWED_UPDATES;
use crate::platform::refusal::Refusal;

/// How long Telegram may hold a poll while there are no updates.
const POLL_TIMEOUT: Duration = Duration::from_secs(25);
/// How much longer the HTTP request may take before it counts as failed.
const POLL_MARGIN: Duration = Duration::from_secs(10);
/// The most updates of one poll (Bot API, getUpdates).
const BATCH: usize = 100;
/// After a failure, an answer soon shows that Telegram is back, even where no update is waiting.
const POLL_TIMEOUT_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The time limit of the last poll, which only confirms updates.
const LAST_POLL_TIMEOUT: Duration = Duration::from_secs(5);

/// Polls for updates and handles them until `shutdown`.
pub(super) async fn poll(handler: &Arc<Handler>, shutdown: &CancellationToken) -> Result<(), TelegramError> {
    // While a webhook is set, Telegram refuses polls. If the deletion fails, that refusal triggers the
    // next attempt.
    let delete_webhook = DeleteWebhook::new();
    tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        deleted = handler.api().call(&delete_webhook) => if let Err(error) = deleted {
            warn!(%error, "the webhook, if one is set, could not be deleted yet");
        }
    }
    let mut offset: i64 = 0;
    // Updates queued at Telegram before the start come first, in full batches.
    let mut is_fresh = false;
    loop {
        let updates = tokio::select! {
            () = shutdown.cancelled() => break,
            updates = fetch_until_answered(handler.api(), offset) => updates?,
        };
        for update in &updates {
            if let Some(id) = update["update_id"].as_i64() {
                // Polling from the next id confirms all updates below it.
                offset = offset.max(id.saturating_add(1));
            }
            handler.handle_update(update, is_fresh).await;
        }
        is_fresh |= updates.len() < BATCH;
    }
    if offset > 0 {
        // Confirms updates that are stored or being answered, so that the next start does not receive
        // them again.
        let confirmed = timeout(LAST_POLL_TIMEOUT, fetch_updates(handler.api(), offset, Duration::ZERO)).await;
        if !matches!(confirmed, Ok(Ok(_))) {
            warn!("the last updates could not be confirmed: Telegram may send them again");
        }
    }
    Ok(())
}

/// Fetches the next updates, with growing pauses between attempts, until Telegram answers or refuses
/// the token.
async fn fetch_until_answered(api: &Api, offset: i64) -> Result<Vec<Value>, TelegramError> {
    let mut pause = FIRST_PAUSE;
    let mut poll_timeout = POLL_TIMEOUT;
    loop {
        let error = match fetch_updates(api, offset, poll_timeout).await {
            Ok(updates) => return Ok(updates),
            Err(error) => error,
        };
        let mut wait = pause;
        match error.kind() {
            ErrorKind::InvalidToken => return Err(TelegramError::InvalidToken),
            ErrorKind::WebhookActive => match api.call(&DeleteWebhook::new()).await {
                Ok(_) => {
                    info!("a webhook was set, which prevents polling; it is deleted now");
                    // If it is set again immediately, another program does that: back off.
                    wait = if pause == FIRST_PAUSE { Duration::ZERO } else { pause };
                }
                Err(error) => warn!(%error, pause_s = wait.as_secs(), "a webhook is set and could not be deleted"),
            },
            ErrorKind::ConcurrentPolling => warn!(
                pause_s = wait.as_secs(),
                "another program uses the same Telegram token: stop one of them, or each gets only some of the messages"
            ),
            _ => {
                if let Refusal::Retry { after: Some(after) } = refusal(&error) {
                    wait = after;
                }
                warn!(method = "getUpdates", %error, pause_s = wait.as_secs(), "request to Telegram failed, retrying");
            }
        }
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        poll_timeout = POLL_TIMEOUT_AFTER_FAILURE;
    }
}

async fn fetch_updates(api: &Api, offset: i64, poll_timeout: Duration) -> Result<Vec<Value>, ApiError> {
    let mut request = GetUpdates::new();
    // The last poll is meant to confirm updates, not to fetch any; one is the smallest limit.
    request.limit = Some(if poll_timeout.is_zero() { 1 } else { BATCH as u8 });
    request.timeout = Some(poll_timeout.as_secs() as u32);
    // Set as fields, because teloxide's release has only 32 bits for an offset and does not know all kinds.
    let request = ApiRequest::new(&request).with_field("allowed_updates", ALLOWED_UPDATES.as_slice());
    let request = request.with_field("offset", offset).with_poll(poll_timeout, POLL_MARGIN);
    match api.send(&request).await? {
        Value::Array(updates) => Ok(updates),
        // Retried after a pause.
        _ => Err(ApiError::InvalidResponse { status: 200, retry_after: None }),
    }
}
