//! What a message asks for.
//!
//! In a private chat every photo and picture file is asked about; in groups and channels those with
//! `/guess`, `/game` or a mention of the bot in their caption or in a reply to them, and every photo
//! where the chat wants it.

use serde::{Deserialize, Serialize};
use teloxide::types::MessageId;

use super::Me;
use super::delivery::Place;
use super::incoming::{ChatKind, Cover, Message, Photos, Topic};
use crate::bot::commands::Command;
use crate::bot::jobs::Job;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, ChatId, PersonId, Platform};

const PLATFORM: Platform = Platform::Telegram;
/// The oldest anybody is said to be in a game.
const OLDEST: u8 = 120;
/// The most items of an album (Bot API, sendMediaGroup).
const ALBUM: usize = 10;

/// What somebody wants of photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asks {
    Guess,
    Game { truth: Option<u8> },
}

/// A message that asks about photos or holds some: all that is needed to answer it, and what a
/// [`Job`] keeps. No picture, no name, no text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Request {
    #[serde(skip, default = "nobody")]
    pub(super) asker: Asker,
    pub(super) message: MessageId,
    /// Unix seconds of Telegram's clock.
    pub(super) date: i64,
    pub(super) kind: ChatKind,
    topic: Option<Topic>,
    language: Option<String>,
    cover: Cover,
    /// `None`: nobody asked, which is for `/auto` or for another part of the album to decide.
    pub(super) asks: Option<Asks>,
    /// The message's own photos, and those of the message that it replies to.
    own: Option<Photos>,
    other: Option<Photos>,
    pub(super) album: Option<String>,
    /// Whether an earlier run has begun with it.
    #[serde(skip)]
    pub(super) resumed: bool,
}

fn nobody() -> Asker {
    Asker { person: person(0), chat: chat(teloxide::types::ChatId(0)), language: None }
}

impl Request {
    fn new(message: &Message, asks: Option<Asks>, other: Option<Photos>) -> Self {
        Self {
            asker: asker(message),
            message: message.id,
            date: message.date,
            kind: message.kind,
            topic: message.topic,
            language: message.from.as_ref().and_then(|sender| sender.language.clone()),
            cover: message.cover,
            asks,
            own: message.photos.clone(),
            other,
            album: message.album.clone(),
            resumed: false,
        }
    }

    /// The job that answers it.
    pub(super) fn job(&self) -> Job {
        // A struct of numbers, words and lists of them, which is always JSON.
        let reference = serde_json::to_string(self).unwrap_or_default();
        Job::new(self.asker.chat, self.message.0.into(), self.asker.person, reference)
    }

    /// The request that a job keeps; `None` when another version of the program wrote it.
    pub(super) fn of(job: &Job) -> Option<Self> {
        let mut request: Self = serde_json::from_str(&job.reference).ok()?;
        let language = request.language.as_deref().and_then(Language::of);
        request.asker = Asker { person: job.person, chat: job.chat, language };
        request.resumed = true;
        Some(request)
    }

    /// The place of a reply to the message itself.
    pub(super) fn place(&self) -> Place {
        let chat = teloxide::types::ChatId(self.asker.chat.id);
        let asked = self.asks.is_some();
        Place { chat, topic: self.topic, about: Some(self.message), cover: self.cover, asker: self.asker, asked }
    }
}

/// What the parts of an album, or a message alone, come to together.
pub(super) struct Gathered<'a> {
    /// The part that asks, else the first one.
    pub(super) first: &'a Request,
    pub(super) asks: Option<Asks>,
    pub(super) photos: Option<Photos>,
}

impl<'a> Gathered<'a> {
    /// `None` for no parts at all.
    pub(super) fn of(parts: &'a [Request]) -> Option<Self> {
        let first = parts.iter().find(|part| part.asks.is_some()).or(parts.first())?;
        let asks = first.asks;
        let own = parts.iter().filter_map(|part| part.own.as_ref()).filter(|own| asks.is_some() || own.evident);
        let together = own.cloned().reduce(|mut all, more| {
            all.files.extend(more.files);
            all.files.truncate(ALBUM);
            all.cover = all.cover.and(more.cover);
            all
        });
        let photos = together.or_else(|| parts.iter().find_map(|part| part.other.clone()).filter(|_| asks.is_some()));
        Some(Self { first, asks, photos })
    }
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wish {
    /// A guess or a game; perhaps there is no picture.
    Photos(Request),
    Command(Command),
}

/// What a message asks the bot `me` for, if anything.
pub(super) fn wish(message: &Message, me: &Me) -> Option<Wish> {
    // An admin who writes as the group is shown as a bot of Telegram's own, with a sender chat.
    if message.sender_chat.is_none() && message.from.as_ref().is_some_and(|sender| sender.is_bot) {
        return None;
    }
    let replied = message.replied.as_deref();
    let other =
        replied.and_then(|replied| replied.photos.clone().or(replied.quoted.clone())).or(message.quoted.clone());
    let pictures = message.photos.is_some() || other.is_some();
    let request = |asks| Some(Wish::Photos(Request::new(message, asks, other.clone())));
    let text = message.text.as_deref().unwrap_or_default();
    let mut said = commands(text, &me.username);
    if let Some(Said { name, rest, .. }) = said.clone().find(|said| said.at == 0)
        && let Some(command) = named(&name.to_lowercase(), rest)
    {
        return Some(Wish::Command(command));
    }
    // In the middle of a sentence somebody may well speak of a command without meaning it, unless
    // there is a picture.
    let asks = said.find_map(|said| asks(&said).filter(|_| pictures || said.at == 0 || said.by_name));
    if asks.is_some() {
        return request(asks);
    }
    if mentions(text, &me.username) || message.mentioned.contains(&me.id) {
        return request(Some(Asks::Guess));
    }
    if message.kind != ChatKind::Private {
        // Others of its album may ask about it, even where it alone would not do for a photo.
        return message
            .photos
            .as_ref()
            .filter(|own| own.evident || message.album.is_some())
            .and_then(|_| request(None));
    }
    if message.photos.is_none() && message.quoted.is_none() && !message.is_caption && !text.is_empty() {
        return Some(Wish::Command(Command::Help));
    }
    // Stickers, voice and the like get told that there is no picture; nobody needs an answer to "a
    // member joined".
    message.has_content.then(|| request(Some(Asks::Guess))).flatten()
}

/// A command in a text.
#[derive(Clone)]
struct Said<'a> {
    /// Where it stands, in bytes.
    at: usize,
    name: &'a str,
    /// Whether it names this bot.
    by_name: bool,
    /// What follows it.
    rest: &'a str,
}

/// The commands in a text, unless they name another bot than `me`: `/name` or `/name@bot`, not inside
/// a word or a path. Telegram marks the same with entities, which not every message brings.
fn commands<'a>(text: &'a str, me: &'a str) -> impl Iterator<Item = Said<'a>> + Clone {
    text.match_indices('/').filter_map(move |(at, _)| {
        if text[..at].ends_with(|before: char| before.is_alphanumeric() || "/_.:<>-@".contains(before)) {
            return None;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let after = &text[at + 1..];
        let (name, after) = after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len()));
        if name.is_empty() || after.starts_with('/') {
            return None;
        }
        let (by_name, rest) = match after.strip_prefix('@') {
            Some(bot) => {
                let (bot, rest) = bot.split_at(bot.find(|c| !is_name(c)).unwrap_or(bot.len()));
                (Some(bot.eq_ignore_ascii_case(me)).filter(|mine| *mine)?, rest)
            }
            None => (false, after),
        };
        Some(Said { at, name, by_name, rest: rest.trim() })
    })
}

fn asks(said: &Said<'_>) -> Option<Asks> {
    match said.name.to_lowercase().as_str() {
        "guess" => Some(Asks::Guess),
        "game" => {
            let first = said.rest.split_whitespace().next();
            Some(Asks::Game { truth: first.and_then(|age| age.parse().ok()).filter(|age| *age <= OLDEST) })
        }
        _ => None,
    }
}

/// Whether a text mentions a name with `@`.
fn mentions(text: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices('@').any(|(at, _)| {
        let after = &text[at + 1..];
        let named = after.split(|c| !is_name(c)).next().unwrap_or_default();
        // "/guess@another_bot" and "somebody@example.org" mention nobody.
        named.eq_ignore_ascii_case(name) && !text[..at].ends_with(is_name)
    })
}

fn named(name: &str, rest: &str) -> Option<Command> {
    Some(match name {
        "start" | "help" => Command::Help,
        "privacy" => Command::Privacy,
        "settings" => Command::Settings,
        "auto" => Command::Auto(match rest.to_lowercase().as_str() {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }),
        "language" => Command::Language(rest.to_owned()),
        "gender" => Command::Gender(rest.to_owned()),
        "optout" => Command::OptOut,
        "optin" => Command::OptIn,
        "forget" => Command::Forget,
        "scores" => Command::Scores,
        _ => return None,
    })
}

/// Whoever asks with a message: the chat as which somebody writes, before the person.
pub(super) fn asker(message: &Message) -> Asker {
    let sender = message.from.as_ref().map(|sender| sender.id);
    let id = message.sender_chat.or(sender).unwrap_or(message.chat.0);
    let language = message.from.as_ref().and_then(|sender| Language::of(sender.language.as_deref()?));
    Asker { person: person(id), chat: chat(message.chat), language }
}

pub(super) fn person(id: i64) -> PersonId {
    PersonId { platform: PLATFORM, id }
}

pub(super) fn chat(id: teloxide::types::ChatId) -> ChatId {
    ChatId { platform: PLATFORM, id: id.0 }
}

/// Whether the sender of a message is an admin as far as the message itself tells: in a private
/// chat everybody is, in a channel only admins write, and an anonymous admin writes as the group.
pub(super) fn is_admin_by_itself(message: &Message) -> bool {
    message.kind != ChatKind::Group || message.sender_chat == Some(message.chat.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_counts_wherever_it_stands_but_not_inside_words_or_for_others() {
        let names = |text| commands(text, "my_bot").map(|said| said.name).collect::<Vec<_>>();
        assert_eq!(names("how old? /guess, please"), ["guess"]);
        assert_eq!(names("/game@My_Bot 30"), ["game"]);
        assert_eq!(names("(/guess)"), ["guess"]);
        for none in ["https://a.b/guess", "and/guess", "/guess@other_bot", "/guess/now", "/", "//guess", "1/2"] {
            assert_eq!(names(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn a_mention_is_a_whole_name() {
        assert!(mentions("Hey @My_bot, who?", "my_bot") && mentions("@my_bot", "my_bot"));
        for none in ["@my_bots", "me@my_bot", "my_bot", "@", "@my"] {
            assert!(!mentions(none, "my_bot"), "{none}");
        }
    }
}
