//! Sends messages within Telegram's rate limits: first in full, then, where Telegram refuses a part
//! of a message, without it.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use teloxide::types::{ChatId, MessageId};
use tracing::debug;

use super::api::{Api, ApiRequest};
use super::destination::Destination;
use super::form::{MessageForm, SentMessage};
use super::identity::chat_id;
use super::incoming::parse_message_id;
use super::rate_limiter::{RateLimiter, SendPermit};
use super::refusals::{ApiError, refusal};
use crate::bot::{Answer, Bot};
use crate::platform::refusal::{Backoff, REPLY_DEADLINE, Refusal};

/// How many times one message follows a chat to a new id.
const MAX_MIGRATIONS: u32 = 2;

pub(super) struct Sender {
    pub(super) api: Api,
    pub(super) bot: Arc<Bot>,
    pub(super) limiter: RateLimiter,
    /// The number of the latest edit of each message that has edits waiting.
    pub(super) latest_edits: Mutex<HashMap<(ChatId, MessageId), u64>>,
    pub(super) next_edit: AtomicU64,
}

impl Sender {
    pub(super) fn new(api: Api, bot: Arc<Bot>) -> Self {
        let limiter = RateLimiter::new(bot.peers());
        Self { api, bot, limiter, latest_edits: Mutex::default(), next_edit: AtomicU64::new(0) }
    }

    /// Sends an answer: as a picture or an album with a caption when it has one, else as text.
    pub(super) async fn send(&self, mut destination: Destination, answer: &Answer) -> Result<SentMessage, ApiError> {
        let mut form = MessageForm::new(destination, answer);
        let mut retries = RetryState::default();
        loop {
            let permit = self.limiter.acquire(destination.chat).await;
            let error = match self.api.send(&form.request(destination, answer)).await {
                Ok(message) => {
                    // Of an album, the message with the caption.
                    let id = parse_message_id(message.get(0).unwrap_or(&message)).unwrap_or(MessageId(0));
                    return Ok(SentMessage { chat: destination.chat, id, is_picture: form.picture });
                }
                Err(error) => error,
            };
            if let Some(new_id) = retries.migrated_to(&error) {
                destination.chat = self.migrate(destination.chat, new_id).await;
                // Messages have other ids there.
                form.reply_reference = false;
                continue;
            }
            match refusal(&error) {
                Refusal::Retry { after } => {
                    if !retries.wait(permit, after).await {
                        return Err(error);
                    }
                }
                Refusal::Simplify if form.simplify(&error) => {
                    debug!(%error, "part of a reply was refused, sending it without");
                    permit.release_unused();
                }
                _ => return Err(error),
            }
        }
    }

    /// Sends any other request that counts as a message to `chat`.
    pub(super) async fn send_request(&self, chat: ChatId, request: &ApiRequest) -> Result<Value, ApiError> {
        let mut retries = RetryState::default();
        loop {
            let permit = self.limiter.acquire(chat).await;
            let error = match self.api.send(request).await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            match refusal(&error) {
                Refusal::Retry { after } if retries.wait(permit, after).await => {}
                _ => return Err(error),
            }
        }
    }

    /// Stores a chat's new id and returns it.
    pub(super) async fn migrate(&self, chat: ChatId, new_id: i64) -> ChatId {
        self.bot.move_chat(chat_id(chat), chat_id(ChatId(new_id))).await;
        ChatId(new_id)
    }
}

/// The retries of one request.
#[derive(Default)]
pub(super) struct RetryState {
    /// Starts at the first refusal: waiting for a permit does not count.
    backoff: Option<Backoff>,
    migrations: u32,
}

impl RetryState {
    /// The chat's new id, if the request was refused because the chat has one.
    pub(super) fn migrated_to(&mut self, error: &ApiError) -> Option<i64> {
        let new_id = error.migrated_to().filter(|_| self.migrations < MAX_MIGRATIONS)?;
        self.migrations += 1;
        Some(new_id)
    }

    /// Waits for the next attempt; `false` when it would come after the deadline.
    pub(super) async fn wait(&mut self, permit: SendPermit<'_>, retry_after: Option<Duration>) -> bool {
        match retry_after {
            Some(pause) => {
                debug!(pause_s = pause.as_secs(), "rate-limited by Telegram");
                permit.retry_after(pause);
            }
            None => drop(permit),
        }
        self.backoff.get_or_insert_with(|| Backoff::with_limit(REPLY_DEADLINE)).pause(retry_after).await
    }
}
