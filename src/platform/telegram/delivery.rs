//! Sends replies, under Telegram's rules for failures.

use std::future::IntoFuture;

use teloxide::RequestError;
use teloxide::payloads::{SendMessageSetters, SendPhotoSetters};
use teloxide::requests::Requester;
use teloxide::types::{ChatId, InputFile, Message, ReplyParameters, ThreadId};
use tokio::time::sleep;
use tracing::warn;

use crate::bot::Answer;

/// How often a reply is tried when Telegram asks for a pause or the network fails.
const ATTEMPTS: u32 = 5;

/// Where a reply goes.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) chat: ChatId,
    pub(super) topic: Option<ThreadId>,
    reply: teloxide::types::MessageId,
}

impl Place {
    /// The place of a reply to `message`.
    pub(super) fn of(message: &Message) -> Self {
        let topic = message.thread_id.filter(|_| message.is_topic_message);
        Self { chat: message.chat.id, topic, reply: message.id }
    }
}

/// Sends an answer: as a picture with a caption when there is one, else as text. Failures are
/// logged; there is nobody left to tell.
pub(super) async fn send(api: &teloxide::Bot, mut place: Place, answer: &Answer) {
    for attempt in 1..=ATTEMPTS {
        let error = match try_once(api, place, answer).await {
            Ok(_) => return,
            Err(error) => error,
        };
        match &error {
            RequestError::RetryAfter(seconds) if attempt < ATTEMPTS => sleep(seconds.duration()).await,
            RequestError::MigrateToChatId(chat) if attempt < ATTEMPTS => place.chat = *chat,
            error => {
                warn!(error = told(error), "a reply could not be sent to Telegram");
                return;
            }
        }
    }
}

async fn try_once(api: &teloxide::Bot, place: Place, answer: &Answer) -> Result<Message, RequestError> {
    // The message may be gone by now: the answer comes all the same.
    let reply = ReplyParameters::new(place.reply).allow_sending_without_reply();
    match answer.cards.first() {
        Some(card) => {
            let picture = InputFile::memory(card.jpeg.clone()).file_name("faces.jpg");
            let mut request = api.send_photo(place.chat, picture).caption(&answer.text).reply_parameters(reply);
            if let Some(topic) = place.topic {
                request = request.message_thread_id(topic);
            }
            request.into_future().await
        }
        None => {
            let mut request = api.send_message(place.chat, &answer.text).reply_parameters(reply);
            if let Some(topic) = place.topic {
                request = request.message_thread_id(topic);
            }
            request.into_future().await
        }
    }
}

/// An error as it may be logged: without the raw answer, which can hold people's messages.
pub(super) fn told(error: &RequestError) -> String {
    match error {
        RequestError::InvalidJson { source, .. } => format!("the answer is not understood: {source}"),
        error => error.to_string(),
    }
}
