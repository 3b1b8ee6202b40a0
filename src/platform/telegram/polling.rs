//! Long polling: asks for updates, and confirms them once what they ask for is stored.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use teloxide::payloads::{DeleteWebhook, GetUpdates};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::api::{Api, Fault, Request};
use super::chat::Chat;
use super::refusals::{Meaning, refusal};
use super::{FIRST_PAUSE, LONGEST_PAUSE, TelegramError, UPDATES};
use crate::platform::refusal::Refusal;

/// How long Telegram may hold a poll while there is nothing new.
const POLL: Duration = Duration::from_secs(25);
/// How much longer a poll may take before it is taken to be lost.
const LATENESS: Duration = Duration::from_secs(10);
/// The most updates of one poll (Bot API, getUpdates).
const BATCH: usize = 100;
/// How long the last poll may take, which confirms what was taken.
const LAST_POLL: Duration = Duration::from_secs(5);

/// Takes updates until `shutdown`.
pub(super) async fn poll(chat: &Arc<Chat>, shutdown: &CancellationToken) -> Result<(), TelegramError> {
    // Telegram hands out updates one way only: with a webhook set, polling is refused. When this
    // fails, the refusal leads to the next attempt.
    let release = DeleteWebhook::new();
    tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        released = chat.api().call(&release) => if let Err(error) = released {
            warn!(%error, "a webhook, if one is set, could not be switched off yet");
        }
    }
    let mut offset: i64 = 0;
    // What waits at Telegram at the start comes in whole batches, one after the other.
    let mut is_fresh = false;
    loop {
        let updates = tokio::select! {
            () = shutdown.cancelled() => break,
            updates = persistently_next(chat.api(), offset) => updates?,
        };
        for update in &updates {
            if let Some(id) = update["update_id"].as_i64() {
                // Asking with the next number confirms all updates below it.
                offset = offset.max(id.saturating_add(1));
            }
            chat.take(update, is_fresh).await;
        }
        is_fresh |= updates.len() < BATCH;
    }
    if offset > 0 {
        // Confirms what is stored or being answered, so that the next start need not look at it again.
        let confirmed = timeout(LAST_POLL, next(chat.api(), offset, Duration::ZERO)).await;
        if !matches!(confirmed, Ok(Ok(_))) {
            warn!("the last updates could not be confirmed: Telegram may send them again");
        }
    }
    Ok(())
}

/// The next updates. Tries again, with growing pauses, until Telegram answers or refuses the token.
async fn persistently_next(api: &Api, offset: i64) -> Result<Vec<Value>, TelegramError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match next(api, offset, POLL).await {
            Ok(updates) => return Ok(updates),
            Err(error) => error,
        };
        let mut wait = pause;
        match error.meaning() {
            Meaning::BadToken => return Err(TelegramError::InvalidToken),
            Meaning::WebhookSet => match api.call(&DeleteWebhook::new()).await {
                Ok(_) => {
                    info!("a webhook was set, so that updates could not be polled; it is switched off now");
                    // Should it come back at once, something else sets it: no reason to hurry.
                    wait = if pause == FIRST_PAUSE { Duration::ZERO } else { pause };
                }
                Err(error) => warn!(%error, pause_s = wait.as_secs(), "a webhook is set and could not be switched off"),
            },
            Meaning::OtherProgram => warn!(
                pause_s = wait.as_secs(),
                "another program uses the same Telegram token: stop one of them, or each gets a part of the messages"
            ),
            _ => {
                if let Refusal::Wait { after: Some(after) } = refusal(&error) {
                    wait = after;
                }
                warn!(method = "getUpdates", %error, pause_s = wait.as_secs(), "Telegram did not answer as hoped, trying again");
            }
        }
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn next(api: &Api, offset: i64, poll: Duration) -> Result<Vec<Value>, Fault> {
    let mut request = GetUpdates::new();
    // A last look asks for one update alone: it is there to confirm, not to fetch.
    request.limit = Some(if poll.is_zero() { 1 } else { BATCH as u8 });
    request.timeout = Some(poll.as_secs() as u32);
    request.allowed_updates = Some(UPDATES.to_vec());
    // teloxide's release thinks that these numbers have 32 bits.
    match api.send(&Request::of(&request).with("offset", offset).within(poll + LATENESS)).await? {
        Value::Array(updates) => Ok(updates),
        // To be asked again, but not at once.
        _ => Err(Fault::Garbled { status: 200, retry_after: None }),
    }
}
