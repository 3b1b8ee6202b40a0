//! What a message asks for.
//!
//! In a private chat every photo and picture file is answered; in groups and channels those with
//! `/guess`, `/game` or a mention of the bot in their caption or in a reply to them, and every photo
//! where the chat has automatic replies on. In chats that the bot is not a member of, a mention with a photo or
//! in reply to one is.

use serde::{Deserialize, Serialize};
use teloxide::types::{ChatId, MessageId};

use super::destination::Destination;
use super::identity::{self, BotAccount, JobKey, chat_id, person_id};
use super::incoming::{ChatKind, MediaFlags, Message, Photos, Topic};
use super::parsing::{CommandCall, commands, mentions};
use super::updates::GuestMessage;
use crate::bot::actions::Action;
use crate::bot::commands::Command;
use crate::bot::jobs::Job;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, Platform};

/// The greatest age that a game's starter can give.
const MAX_AGE: u8 = 120;
/// The most items of an album (Bot API, sendMediaGroup).
const ALBUM: usize = 10;

/// What is to be done with photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PhotoTask {
    Guess,
    Game { truth: Option<u8> },
}

/// A message that has photos or asks about some: all that is needed to answer it, and what a [`Job`]
/// stores. No picture, no name, no text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PhotoRequest {
    #[serde(skip, default = "no_asker")]
    pub(super) asker: Asker,
    pub(super) message: MessageId,
    /// Unix seconds of Telegram's clock.
    pub(super) date: i64,
    #[serde(rename = "kind")]
    pub(super) chat_kind: ChatKind,
    topic: Option<Topic>,
    language: Option<String>,
    #[serde(rename = "cover")]
    flags: MediaFlags,
    /// `None`: the message itself does not ask. `/auto` or another part of the album may.
    #[serde(rename = "asks")]
    pub(super) task: Option<PhotoTask>,
    /// The message's own photos.
    #[serde(rename = "own")]
    pub(super) photos: Option<Photos>,
    /// The photos of the message that it replies to.
    #[serde(rename = "other")]
    reply_photos: Option<Photos>,
    pub(super) album: Option<String>,
    /// The query that the answer goes to instead of a chat, where the bot is a guest. `message` is then a
    /// negative number that identifies the request, and the asker's chat their private one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) guest: Option<String>,
    /// The code of the button that asks for the photos of the message that its own message replies to.
    /// `message` is then a negative number that identifies the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    button: Option<String>,
    /// Whether an earlier run has started on it.
    #[serde(skip)]
    pub(super) resumed: bool,
}

fn no_asker() -> Asker {
    Asker { person: person_id(0), chat: chat_id(ChatId(0)), language: None }
}

impl PhotoRequest {
    fn new(message: &Message, task: Option<PhotoTask>, reply_photos: Option<Photos>) -> Self {
        Self {
            asker: identity::asker(message),
            message: message.id,
            date: message.date,
            chat_kind: message.chat_kind,
            topic: message.topic,
            language: message.from.as_ref().and_then(|user| user.language.clone()),
            flags: message.flags,
            task,
            photos: message.photos.clone(),
            reply_photos,
            album: message.album.clone(),
            guest: None,
            button: None,
            resumed: false,
        }
    }

    /// What a button under `message` asks for; `update` is the number of its update.
    pub(super) fn for_button(
        action: Action,
        message: &Message,
        photos: Photos,
        language: Option<&str>,
        asker: Asker,
        update: i64,
    ) -> Self {
        Self {
            asker,
            message: number_of(update),
            language: language.map(str::to_owned),
            flags: message.flags.union(photos.flags),
            photos: Some(photos),
            album: None,
            button: Some(action.code()),
            ..Self::new(message, Some(PhotoTask::Guess), None)
        }
    }

    /// The action of the button that asks.
    pub(super) fn action(&self) -> Option<Action> {
        Action::from_code(self.button.as_deref()?, Platform::Telegram)
    }

    /// The job that stores the request until it is answered.
    pub(super) fn to_job(&self) -> Job {
        // A struct of numbers, strings and lists of them, which always serialises.
        let reference = serde_json::to_string(self).unwrap_or_default();
        let job = Job::new(self.asker.chat, self.message.0.into(), self.asker.person, reference);
        Job { album: self.album.clone(), ..job }
    }

    /// What identifies its job.
    pub(super) fn job_key(&self) -> JobKey {
        (self.asker.chat, self.message.0.into())
    }

    /// How many photos it is about.
    pub(super) fn photo_count(&self) -> usize {
        self.photos.as_ref().or(self.reply_photos.as_ref()).map_or(0, |photos| photos.files.len())
    }

    /// The request that a job stores; `None` when another version of the program wrote it.
    pub(super) fn from_job(job: &Job) -> Option<Self> {
        let mut request: Self = serde_json::from_str(&job.reference).ok()?;
        let language = request.language.as_deref().and_then(Language::from_tag);
        request.asker = Asker { person: job.person, chat: job.chat, language };
        request.resumed = true;
        Some(request)
    }

    /// The destination of a reply to the message itself or to the photo that a button asks for; where the bot
    /// is a guest, the asker's private chat.
    pub(super) fn destination(&self) -> Destination {
        let reply_to = match &self.button {
            Some(_) => self.photos.as_ref().map(|photos| photos.message),
            None => Some(self.message).filter(|_| self.guest.is_none()),
        };
        Destination {
            chat: ChatId(self.asker.chat.id),
            topic: self.topic,
            reply_to,
            flags: self.flags,
            asker: self.asker,
            is_requested: self.task.is_some(),
        }
    }
}

/// The parts of an album, or a single message, as one request.
pub(super) struct MergedRequest<'a> {
    /// The part that asks, else the first one.
    pub(super) lead: &'a PhotoRequest,
    pub(super) task: Option<PhotoTask>,
    pub(super) photos: Option<Photos>,
}

impl<'a> MergedRequest<'a> {
    /// `None` without any parts.
    pub(super) fn new(parts: &'a [PhotoRequest]) -> Option<Self> {
        let lead = parts.iter().find(|part| part.task.is_some()).or(parts.first())?;
        let task = lead.task;
        let own = parts.iter().filter_map(|part| part.photos.as_ref()).filter(|own| task.is_some() || own.is_image);
        let merged = own.cloned().reduce(|mut all, more| {
            all.files.extend(more.files);
            all.files.truncate(ALBUM);
            all.flags = all.flags.union(more.flags);
            all
        });
        let replied = || parts.iter().find_map(|part| part.reply_photos.clone()).filter(|_| task.is_some());
        Some(Self { lead, task, photos: merged.or_else(replied) })
    }
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Intent {
    /// A guess or a game, possibly without a photo.
    Photos(Box<PhotoRequest>),
    Command(Command),
}

/// What a message asks the bot `me` for, if anything.
pub(super) fn parse_intent(message: &Message, me: &BotAccount) -> Option<Intent> {
    if is_from_bot(message) {
        return None;
    }
    let reply_photos = reply_photos(message);
    let has_photos = message.photos.is_some() || reply_photos.is_some();
    let photos = |task| Some(Intent::Photos(PhotoRequest::new(message, task, reply_photos.clone()).into()));
    let text = message.text.as_deref().unwrap_or_default();
    let mut calls = commands(text, &me.username);
    if let Some(CommandCall { name, arguments, .. }) = calls.clone().find(|call| call.position == 0)
        && let Some(command) = Command::parse(&name.to_lowercase(), arguments)
    {
        return Some(Intent::Command(command));
    }
    // In the middle of a sentence a command may merely be mentioned, unless there is a photo.
    let is_meant = |call: &CommandCall<'_>| has_photos || call.position == 0 || call.names_bot;
    let task = calls.find_map(|call| parse_task(&call).filter(|_| is_meant(&call)));
    if task.is_some() {
        return photos(task);
    }
    if mentions(text, &me.username) || message.mentioned_users.contains(&me.id) {
        return photos(Some(PhotoTask::Guess));
    }
    if message.chat_kind != ChatKind::Private {
        // Another part of the album may ask about it, even if it is not marked as a picture.
        let own = message.photos.as_ref().filter(|own| own.is_image || message.album.is_some());
        return own.and_then(|_| photos(None));
    }
    let is_text = !message.is_caption && !text.is_empty();
    if is_text && message.photos.is_none() && message.external_photos.is_none() {
        return Some(Intent::Command(Command::Help));
    }
    // Stickers, voice messages and the like are answered with "no picture"; service messages such as
    // "a member joined" need no answer.
    message.has_content.then(|| photos(Some(PhotoTask::Guess))).flatten()
}

/// What a message asks for in a chat that the bot is not a member of: always a guess. `None` when it needs no
/// answer; `update` is the number of its update.
pub(super) fn parse_guest(guest: &GuestMessage, me: &BotAccount, update: i64) -> Option<PhotoRequest> {
    let message = &guest.message;
    let reply_photos = reply_photos(message);
    let has_photos = message.photos.is_some() || reply_photos.is_some();
    // A reply to the bot's answer comes as well, but "thanks" needs no explanation of how to use it.
    let is_named =
        mentions(message.text.as_deref().unwrap_or_default(), &me.username) || message.mentioned_users.contains(&me.id);
    if is_from_bot(message) || !has_photos && !is_named {
        return None;
    }
    let mut request = PhotoRequest::new(message, Some(PhotoTask::Guess), reply_photos);
    // The ids of the chat and of the message may also be those of others that the bot knows.
    request.asker.chat.id = request.asker.person.id;
    (request.chat_kind, request.topic, request.album) = (ChatKind::Private, None, None);
    request.message = number_of(update);
    request.guest = Some(guest.query.clone());
    Some(request)
}

/// A number for a request that has no message of its own, from that of its update.
fn number_of(update: i64) -> MessageId {
    MessageId(-((update & i64::from(i32::MAX)) as i32).max(1))
}

/// Whether a bot sent the message. An anonymous admin's messages come from a bot account of Telegram's, with a
/// sender chat.
fn is_from_bot(message: &Message) -> bool {
    message.sender_chat.is_none() && message.from.as_ref().is_some_and(|user| user.is_bot)
}

/// The photos that a message refers to.
fn reply_photos(message: &Message) -> Option<Photos> {
    let replied = message.reply_to.as_deref();
    replied
        .and_then(|replied| replied.photos.clone().or(replied.external_photos.clone()))
        .or(message.external_photos.clone())
}

fn parse_task(call: &CommandCall<'_>) -> Option<PhotoTask> {
    match call.name.to_lowercase().as_str() {
        "guess" => Some(PhotoTask::Guess),
        "game" => {
            let first = call.arguments.split_whitespace().next();
            Some(PhotoTask::Game { truth: first.and_then(|age| age.parse().ok()).filter(|age| *age <= MAX_AGE) })
        }
        _ => None,
    }
}
