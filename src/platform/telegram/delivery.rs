//! Sends replies and edits them, under Telegram's rules for failures.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use teloxide::payloads::{EditMessageTextSetters, SendMessageSetters, SendPhotoSetters};
use teloxide::requests::Requester;
use teloxide::types::{
    ChatId, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, InputMedia, InputMediaPhoto, LinkPreviewOptions,
    Message, MessageId, ReplyParameters, ThreadId,
};
use teloxide::{ApiError, RequestError};
use tokio::time::sleep;
use tracing::{debug, warn};

use super::pace::{Pace, Turn};
use super::request;
use crate::bot::steps::Delivery;
use crate::bot::words::clipped;
use crate::bot::{Answer, Bot, Card};

/// How often a reply is tried when Telegram asks for a pause or cannot be reached.
const ATTEMPTS: u32 = 5;
/// The pause after Telegram could not be reached.
const UNREACHABLE: Duration = Duration::from_secs(1);
/// The most characters of a picture's caption (Bot API, sendPhoto).
pub(super) const CAPTION: usize = 1024;
/// The most characters of a message (Bot API, sendMessage).
pub(super) const TEXT: usize = 4096;

/// Where a reply goes.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) chat: ChatId,
    pub(super) topic: Option<ThreadId>,
    /// The message that it refers to.
    pub(super) about: Option<MessageId>,
}

impl Place {
    /// The place of a reply to `about`, in the chat and topic of `message`.
    pub(super) fn beside(message: &Message, about: MessageId) -> Self {
        let topic = message.thread_id.filter(|_| message.is_topic_message);
        Self { chat: message.chat.id, topic, about: Some(about) }
    }

    /// The place of a reply to `message`.
    pub(super) fn of(message: &Message) -> Self {
        Self::beside(message, message.id)
    }
}

/// A message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    pub(super) chat: ChatId,
    pub(super) message: MessageId,
}

/// The way out to Telegram.
pub(super) struct Outbox {
    api: teloxide::Bot,
    bot: Arc<Bot>,
    pace: Pace,
    /// The latest edit of each message that waits for its turn.
    edits: Mutex<HashMap<Sent, u64>>,
    numbers: AtomicU64,
}

impl Outbox {
    pub(super) fn new(api: teloxide::Bot, bot: Arc<Bot>) -> Self {
        Self { api, bot, pace: Pace::default(), edits: Mutex::default(), numbers: AtomicU64::new(0) }
    }

    /// Sends an answer: as a picture with a caption when there is one, else as text. Failures are
    /// logged; there is nobody left to tell.
    pub(super) async fn post(&self, place: Place, answer: &Answer) -> Option<Sent> {
        self.try_post(place, answer).await.map_err(|error| failed("a reply could not be sent to Telegram", &error)).ok()
    }

    /// As [`Outbox::post`], for those who can do something about a failure.
    pub(super) async fn try_post(&self, place: Place, answer: &Answer) -> Result<Sent, RequestError> {
        let message = self.persistently(place.chat, |chat| self.send(Place { chat, ..place }, answer)).await?;
        Ok(Sent { chat: message.chat.id, message: message.id })
    }

    /// Copies a message into another chat.
    pub(super) async fn copy(&self, from: Sent, to: ChatId) -> Result<MessageId, RequestError> {
        self.persistently(to, |to| async move { self.api.copy_message(to, from.chat, from.message).await }).await
    }

    /// Replaces a message. Of several edits that wait for their turn, the one begun last is made:
    /// an edit begins when this is called, not when it is first polled.
    pub(super) fn edit<'a>(&'a self, sent: Sent, answer: &'a Answer) -> impl Future<Output = ()> + Send + 'a {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        self.edits.lock().unwrap_or_else(PoisonError::into_inner).insert(sent, number);
        async move {
            match self.edit_in_turn(sent, number, answer).await {
                // Unchanged, or somebody deleted it: nothing is left to do.
                Ok(()) | Err(RequestError::Api(ApiError::MessageNotModified | ApiError::MessageToEditNotFound)) => {}
                Err(error) => failed("a reply on Telegram could not be edited", &error),
            }
        }
    }

    async fn edit_in_turn(&self, mut sent: Sent, number: u64, answer: &Answer) -> Result<(), RequestError> {
        let message = sent;
        for attempt in 1.. {
            let turn = self.pace.turn(sent.chat).await;
            if !self.is_latest(message, number) {
                // A later edit says more than this one.
                turn.unused();
                break;
            }
            let change = |chat| self.change(Sent { chat, ..message }, answer);
            if let Some(outcome) = self.once(&mut sent.chat, turn, attempt, change).await {
                self.forget(message, number);
                return outcome;
            }
        }
        Ok(())
    }

    fn is_latest(&self, sent: Sent, number: u64) -> bool {
        self.edits.lock().unwrap_or_else(PoisonError::into_inner).get(&sent) == Some(&number)
    }

    fn forget(&self, sent: Sent, number: u64) {
        let mut edits = self.edits.lock().unwrap_or_else(PoisonError::into_inner);
        if edits.get(&sent) == Some(&number) {
            edits.remove(&sent);
        }
    }

    /// Deletes a message.
    pub(super) async fn delete(&self, sent: Sent) {
        if let Err(error) = self.api.delete_message(sent.chat, sent.message).await {
            failed("a message on Telegram could not be deleted", &error);
        }
    }

    /// Tries a request in its turn, again after a pause, and where the chat is now.
    async fn persistently<T, F>(&self, mut chat: ChatId, request: impl Fn(ChatId) -> F) -> Result<T, RequestError>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let mut attempt = 1;
        loop {
            let turn = self.pace.turn(chat).await;
            if let Some(outcome) = self.once(&mut chat, turn, attempt, &request).await {
                return outcome;
            }
            attempt += 1;
        }
    }

    /// Tries a request; `None` when it is to be tried again in another turn.
    async fn once<T, F>(
        &self,
        chat: &mut ChatId,
        turn: Turn<'_>,
        attempt: u32,
        request: impl Fn(ChatId) -> F,
    ) -> Option<Result<T, RequestError>>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        match request(*chat).await {
            outcome if attempt >= ATTEMPTS => return Some(outcome),
            Err(RequestError::RetryAfter(pause)) => {
                debug!(pause_s = pause.seconds(), "Telegram asks for a pause");
                turn.refused(pause.duration());
            }
            Err(RequestError::MigrateToChatId(moved)) => {
                self.bot.chat_moved(request::chat(*chat), request::chat(moved)).await;
                *chat = moved;
            }
            // Nothing has left this machine, so that it cannot come twice.
            Err(RequestError::Network(error)) if error.is_connect() => {
                drop(turn);
                sleep(UNREACHABLE).await;
            }
            outcome => return Some(outcome),
        }
        None
    }

    async fn send(&self, place: Place, answer: &Answer) -> Result<Message, RequestError> {
        // The message may be gone by now: the answer comes all the same.
        let reply = place.about.map(|about| ReplyParameters::new(about).allow_sending_without_reply());
        let keyboard = keyboard(answer, place.about.is_some());
        // One picture at most was asked for.
        if let Some(card) = card(answer) {
            let mut request = self.api.send_photo(place.chat, picture(card)).caption(&answer.text);
            request.reply_parameters = reply;
            request.message_thread_id = place.topic;
            request.reply_markup = keyboard.map(Into::into);
            return request.await;
        }
        let mut request =
            self.api.send_message(place.chat, clipped(&answer.text, TEXT)).link_preview_options(no_preview());
        request.reply_parameters = reply;
        request.message_thread_id = place.topic;
        request.reply_markup = keyboard.map(Into::into);
        request.await
    }

    async fn change(&self, sent: Sent, answer: &Answer) -> Result<(), RequestError> {
        let keyboard = keyboard(answer, true);
        if let Some(card) = card(answer) {
            let media = InputMedia::Photo(InputMediaPhoto::new(picture(card)).caption(&answer.text));
            let mut request = self.api.edit_message_media(sent.chat, sent.message, media);
            request.reply_markup = keyboard;
            return request.await.map(drop);
        }
        let request = self.api.edit_message_text(sent.chat, sent.message, clipped(&answer.text, TEXT));
        let mut request = request.link_preview_options(no_preview());
        request.reply_markup = keyboard;
        request.await.map(drop)
    }
}

/// Posts and edits the reply at a place.
pub(super) struct At<'a> {
    pub(super) outbox: &'a Outbox,
    pub(super) place: Place,
}

impl Delivery for At<'_> {
    type Sent = Sent;

    async fn post(&self, answer: &Answer) -> Option<Sent> {
        self.outbox.post(self.place, answer).await
    }

    async fn edit(&self, sent: &Sent, answer: &Answer) {
        self.outbox.edit(*sent, answer).await;
    }
}

/// The picture of an answer. Words that are too long for a caption go without it: they tell the
/// faces from left to right.
fn card(answer: &Answer) -> Option<&Card> {
    answer.cards.first().filter(|_| answer.text.encode_utf16().count() <= CAPTION)
}

fn picture(card: &Card) -> InputFile {
    InputFile::memory(card.jpeg.clone()).file_name("faces.jpg")
}

/// The buttons of an answer; those that need the photo only where the answer refers to it.
fn keyboard(answer: &Answer, about_photo: bool) -> Option<InlineKeyboardMarkup> {
    let rows = answer.buttons.iter().map(|row| {
        let kept = row.iter().filter(|button| about_photo || !button.action.needs_photo());
        kept.map(|button| InlineKeyboardButton::callback(&button.label, button.action.code())).collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows.filter(|row| !row.is_empty()).collect();
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

/// A name on the scoreboard may look like a link.
fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}

/// Whether Telegram lets the bot write to somebody: not before they have started a chat with it,
/// nor once they blocked it.
pub(super) fn is_forbidden(error: &RequestError) -> bool {
    match error {
        RequestError::Api(ApiError::BotBlocked | ApiError::CantInitiateConversation | ApiError::UserDeactivated) => {
            true
        }
        // What teloxide knows no name for it passes on as Telegram says it: "Forbidden: bot can't
        // initiate conversation with a user".
        RequestError::Api(ApiError::Unknown(reason)) => reason.starts_with("Forbidden"),
        _ => false,
    }
}

/// Logs a failure: a chat that the bot may not write to is none of the host's trouble.
fn failed(what: &'static str, error: &RequestError) {
    if is_forbidden(error) {
        debug!(error = told(error), "{what}");
    } else {
        warn!(error = told(error), "{what}");
    }
}

/// An error as it may be logged: without the raw answer, which can hold people's messages.
pub(super) fn told(error: &RequestError) -> String {
    match error {
        RequestError::InvalidJson { source, .. } => format!("the answer is not understood: {source}"),
        RequestError::MigrateToChatId(_) => "the group has become a supergroup".into(),
        error => error.to_string(),
    }
}
