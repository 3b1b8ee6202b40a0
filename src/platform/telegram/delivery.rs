//! Sends replies: first in full, then, where Telegram refuses a part of the form, more plainly.
//!
//! [`edits`](super::edits) changes and deletes what was sent, [`notices`](super::notices) tells who
//! can do something about it where the bot may not write.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use teloxide::payloads::{SendMessage, SendPhoto};
use teloxide::types::{
    ChatId, FileId, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, LinkPreviewOptions, MessageId,
    ReplyParameters,
};
use tracing::{debug, warn};

use super::api::{Api, Fault, PICTURE, Request};
use super::incoming::{Cover, Message, Topic};
use super::pace::{Pace, Turn};
use super::refusals::{Meaning, Part, refusal};
use super::request;
use crate::bot::people::Asker;
use crate::bot::words::clipped;
use crate::bot::{Answer, Bot, Card};
use crate::platform::refusal::{Backoff, REPLY_DEADLINE, Refusal};

/// The most characters of a picture's caption (Bot API, sendPhoto).
pub(super) const CAPTION: usize = 1024;
/// The most characters of a message (Bot API, sendMessage).
pub(super) const TEXT: usize = 4096;
/// A text is shortened no further than to this.
const SHORTEST: usize = 256;
/// How often one message follows a chat that gets a new number.
const MOVES: u32 = 2;

/// Where a reply goes, and about what and for whom it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) chat: ChatId,
    pub(super) topic: Option<Topic>,
    /// The message that it refers to.
    pub(super) about: Option<MessageId>,
    /// How the photo is covered that it is about.
    pub(super) cover: Cover,
    pub(super) asker: Asker,
    /// Whether they asked, so that they wait for it.
    pub(super) asked: bool,
}

impl Place {
    /// The place of a reply to `message`.
    pub(super) fn of(message: &Message) -> Self {
        let Message { chat, topic, id, cover, .. } = *message;
        Self { chat, topic, about: Some(id), cover, asker: request::asker(message), asked: true }
    }

    /// Somebody's private chat.
    pub(super) fn private(self, person: i64) -> Self {
        Self { chat: ChatId(person), topic: None, about: None, ..self }
    }
}

/// A message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) chat: ChatId,
    pub(super) message: MessageId,
    /// Whether it is a picture with a caption, rather than text.
    pub(super) is_picture: bool,
}

/// What came of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Posted {
    Sent(Sent),
    /// Nothing was sent, and nothing will be.
    Never,
    /// Telegram could not be reached for so long that it was given up for now.
    NotYet,
}

/// The way out to Telegram.
pub(super) struct Outbox {
    pub(super) api: Api,
    pub(super) bot: Arc<Bot>,
    pub(super) pace: Pace,
    /// The latest edit of each message that waits for its turn.
    pub(super) edits: Mutex<HashMap<(ChatId, MessageId), u64>>,
    pub(super) numbers: AtomicU64,
}

impl Outbox {
    pub(super) fn new(api: Api, bot: Arc<Bot>) -> Self {
        Self { api, bot, pace: Pace::default(), edits: Mutex::default(), numbers: AtomicU64::new(0) }
    }

    /// Sends an answer: as a picture with a caption when there is one, else as text.
    pub(super) async fn post(&self, place: Place, answer: &Answer) -> Posted {
        let error = match self.send(place, answer).await {
            Ok(sent) => return Posted::Sent(sent),
            Err(error) => error,
        };
        match refusal(&error) {
            Refusal::Gone => debug!(%error, "nobody is left to reply to on Telegram"),
            Refusal::Forbidden => {
                debug!(%error, "a reply could not be sent to Telegram");
                self.cannot_write(place).await;
            }
            Refusal::Simplify => warn!(%error, "Telegram refused even the plainest form of a reply"),
            Refusal::Wait { .. } => {
                warn!(%error, "a reply could not be sent to Telegram in time");
                return Posted::NotYet;
            }
        }
        Posted::Never
    }

    /// As [`Outbox::post`], for those who do something about a failure themselves.
    pub(super) async fn send(&self, mut place: Place, answer: &Answer) -> Result<Sent, Fault> {
        let mut form = Form::new(place, answer);
        let mut attempts = Attempts::default();
        loop {
            let turn = self.pace.turn(place.chat).await;
            let error = match self.api.send(&form.request(place, answer)).await {
                Ok(message) => return Ok(sent(&message, place.chat, form.picture)),
                Err(error) => error,
            };
            if let Some(moved) = attempts.moved(&error) {
                place.chat = self.follow(place.chat, moved).await;
                // Messages have other numbers there.
                form.reference = false;
                continue;
            }
            match refusal(&error) {
                Refusal::Wait { after } => {
                    if !attempts.wait(turn, after).await {
                        return Err(error);
                    }
                }
                Refusal::Simplify if form.simplify(&error) => {
                    debug!(%error, "a reply is sent more plainly");
                    turn.unused();
                }
                _ => return Err(error),
            }
        }
    }

    /// Sends some other request that counts as a message to `chat`.
    pub(super) async fn request(&self, chat: ChatId, request: &Request) -> Result<Value, Fault> {
        let mut attempts = Attempts::default();
        loop {
            let turn = self.pace.turn(chat).await;
            let error = match self.api.send(request).await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            match refusal(&error) {
                Refusal::Wait { after } if attempts.wait(turn, after).await => {}
                _ => return Err(error),
            }
        }
    }

    /// Notes that a chat has another number now, and returns that.
    pub(super) async fn follow(&self, chat: ChatId, moved: i64) -> ChatId {
        self.bot.chat_moved(request::chat(chat), request::chat(ChatId(moved))).await;
        ChatId(moved)
    }
}

/// The attempts at one request.
#[derive(Default)]
pub(super) struct Attempts {
    /// Begins with the first refusal: waiting for a turn does not count.
    backoff: Option<Backoff>,
    moves: u32,
}

impl Attempts {
    /// The number that the chat has now, if that is why the request was refused.
    pub(super) fn moved(&mut self, error: &Fault) -> Option<i64> {
        let moved = error.moved_to().filter(|_| self.moves < MOVES)?;
        self.moves += 1;
        Some(moved)
    }

    /// Waits for the next attempt; `false` when it would come too late.
    pub(super) async fn wait(&mut self, turn: Turn<'_>, after: Option<std::time::Duration>) -> bool {
        match after {
            Some(pause) => {
                debug!(pause_s = pause.as_secs(), "Telegram asks for a pause");
                turn.refused(pause);
            }
            None => drop(turn),
        }
        self.backoff.get_or_insert_with(|| Backoff::within(REPLY_DEADLINE)).pause(after).await
    }
}

/// Which parts a message is sent with.
struct Form {
    reference: bool,
    topic: bool,
    buttons: bool,
    picture: bool,
    characters: usize,
}

impl Form {
    fn new(place: Place, answer: &Answer) -> Self {
        Self {
            reference: place.about.is_some(),
            topic: place.topic.is_some(),
            buttons: !answer.buttons.is_empty(),
            picture: card(answer).is_some(),
            characters: TEXT,
        }
    }

    /// Leaves out what was refused, else the next part that words can do without; `false` when there
    /// is none left.
    fn simplify(&mut self, error: &Fault) -> bool {
        let Meaning::Part(part) = error.meaning() else { return self.next() };
        let Self { reference, topic, buttons, picture, .. } = self;
        let left_out = match part {
            Part::Reference => std::mem::take(reference),
            Part::Topic => std::mem::take(topic),
            Part::ClosedTopic => std::mem::take(topic) | std::mem::take(reference),
            Part::Buttons => std::mem::take(buttons),
            Part::Picture => std::mem::take(picture),
            Part::Length => std::mem::take(picture) || shorter(&mut self.characters),
        };
        left_out || self.next()
    }

    fn next(&mut self) -> bool {
        [&mut self.reference, &mut self.topic, &mut self.buttons, &mut self.picture].into_iter().any(std::mem::take)
    }

    fn request(&self, place: Place, answer: &Answer) -> Request {
        // The message may be gone by now: the answer comes all the same.
        let about = place.about.filter(|_| self.reference);
        let reply = about.map(|about| ReplyParameters::new(about).allow_sending_without_reply());
        let (topic, direct) = match place.topic.filter(|_| self.topic) {
            Some(Topic::Thread(thread)) => (Some(thread), None),
            Some(Topic::Direct(direct)) => (None, Some(direct)),
            None => (None, None),
        };
        let keyboard = keyboard(answer, about.is_some()).filter(|_| self.buttons).map(Into::into);
        let protect = place.cover.protected.then_some(true);
        let request = match card(answer).filter(|_| self.picture) {
            // One picture at most was asked for.
            Some(card) => {
                let mut photo = SendPhoto::new(place.chat, picture());
                photo.caption = Some(answer.text.clone());
                photo.has_spoiler = place.cover.spoiler.then_some(true);
                photo.protect_content = protect;
                photo.reply_parameters = reply;
                photo.message_thread_id = topic;
                photo.reply_markup = keyboard;
                Request::of(&photo).picture(card.jpeg.clone())
            }
            None => {
                let mut message = SendMessage::new(place.chat, shortened(&answer.text, self.characters));
                message.link_preview_options = Some(no_preview());
                message.protect_content = protect;
                message.reply_parameters = reply;
                message.message_thread_id = topic;
                message.reply_markup = keyboard;
                Request::of(&message)
            }
        };
        match direct {
            Some(direct) => request.with("direct_messages_topic_id", direct),
            None => request,
        }
    }
}

/// Halves the room for a text; `false` when it is small already.
pub(super) fn shorter(characters: &mut usize) -> bool {
    *characters /= 2;
    *characters >= SHORTEST
}

/// A text of at most so many characters as Telegram counts them, in UTF-16 units.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    let excess = text.encode_utf16().count().saturating_sub(text.chars().count());
    clipped(text, characters.saturating_sub(excess.min(characters / 2)))
}

/// The message that Telegram says it sent.
fn sent(message: &Value, chat: ChatId, is_picture: bool) -> Sent {
    Sent { chat, message: message_number(message).unwrap_or(MessageId(0)), is_picture }
}

/// The number of a message.
pub(super) fn message_number(message: &Value) -> Option<MessageId> {
    Some(MessageId(i32::try_from(message["message_id"].as_i64()?).ok()?))
}

/// The picture of an answer. Words that are too long for a caption go without it: they tell the
/// faces from left to right.
pub(super) fn card(answer: &Answer) -> Option<&Card> {
    answer.cards.first().filter(|_| fits_a_caption(&answer.text))
}

pub(super) fn fits_a_caption(text: &str) -> bool {
    text.encode_utf16().count() <= CAPTION
}

/// The picture that comes with a request.
pub(super) fn picture() -> InputFile {
    InputFile::file_id(FileId(PICTURE.into()))
}

/// The buttons of an answer; those that need the photo only where the answer refers to it.
pub(super) fn keyboard(answer: &Answer, about_photo: bool) -> Option<InlineKeyboardMarkup> {
    let rows = answer.buttons.iter().map(|row| {
        let kept = row.iter().filter(|button| about_photo || !button.action.needs_photo());
        kept.map(|button| InlineKeyboardButton::callback(&button.label, button.action.code())).collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows.filter(|row| !row.is_empty()).collect();
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

/// A name on the scoreboard may look like a link.
pub(super) fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}
