//! What a message asks for.
//!
//! In a private chat every photo and picture file is; in groups and channels `/guess` and `/game`,
//! as a photo's caption or in reply to one, and every photo where the chat wants it.

use teloxide::types::{ChatKind, FileId, FileMeta, Message, MessageId, MessageKind};

use crate::bot::commands::Command;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, ChatId, PersonId, Platform};

const PLATFORM: Platform = Platform::Telegram;
/// The oldest anybody is said to be in a game.
const OLDEST: u8 = 120;

/// A file on Telegram's side.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RemoteFile {
    pub(super) id: FileId,
    /// Absent when Telegram does not say.
    pub(super) bytes: Option<u32>,
}

impl RemoteFile {
    fn new(file: &FileMeta) -> Self {
        // teloxide's own word for a size that was not given.
        let bytes = Some(file.size).filter(|bytes| *bytes != u32::MAX);
        Self { id: file.id.clone(), bytes }
    }
}

/// The photos that are asked about, of one message or album.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Photos {
    pub(super) files: Vec<RemoteFile>,
    /// The message that a reply refers to: the buttons under the reply find the photo there.
    pub(super) message: MessageId,
    /// Whoever posted or forwarded them.
    pub(super) author: PersonId,
}

impl Photos {
    /// The photos of a message or of the messages of an album; `None` if there are none.
    pub(super) fn of(messages: &[&Message]) -> Option<Self> {
        let files: Vec<RemoteFile> = messages.iter().filter_map(|message| file(message)).collect();
        let first = messages.iter().find(|message| file(message).is_some())?;
        Some(Self { files, message: first.id, author: author(first) })
    }
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wish {
    Guess(Photos),
    /// A photo in a group about which nobody asked: for `/auto`.
    Unasked(Photos),
    Game {
        photos: Photos,
        truth: Option<u8>,
    },
    /// A guess or a game, but there is no picture.
    NoPhoto,
    Command(Command),
}

/// What a message, or the messages of an album, asks the bot `me` for, if anything.
pub(super) fn wish(messages: &[Message], me: &str) -> Option<Wish> {
    let first = messages.first()?;
    // An admin who writes as the group is shown as a bot of Telegram's own, with a sender chat.
    if first.sender_chat.is_none() && first.from.as_ref().is_some_and(|sender| sender.is_bot) {
        return None;
    }
    let own = Photos::of(&messages.iter().collect::<Vec<_>>());
    let text = |message: &Message| message.text().or(message.caption()).map(str::to_owned);
    let said = messages.iter().filter_map(text).find_map(|text| {
        let (name, rest) = command(&text, me)?;
        Some((name.to_lowercase(), rest.to_owned()))
    });
    if let Some((name, rest)) = &said {
        let photos = || own.clone().or_else(|| Photos::of(&[first.reply_to_message()?]));
        match name.as_str() {
            "guess" => return Some(photos().map_or(Wish::NoPhoto, Wish::Guess)),
            "game" => {
                let truth =
                    rest.split_whitespace().next().and_then(|age| age.parse().ok()).filter(|age| *age <= OLDEST);
                return Some(photos().map_or(Wish::NoPhoto, |photos| Wish::Game { photos, truth }));
            }
            name => {
                if let Some(command) = named(name, rest) {
                    return Some(Wish::Command(command));
                }
            }
        }
    }
    if !first.chat.is_private() {
        return own.filter(|_| messages.iter().all(looks_like_a_picture)).map(Wish::Unasked);
    }
    match own {
        Some(photos) => Some(Wish::Guess(photos)),
        None if first.text().is_some() => Some(Wish::Command(Command::Help)),
        // Stickers, voice and the like; nobody needs an answer to "a member joined".
        None if matches!(first.kind, MessageKind::Common(_)) => Some(Wish::NoPhoto),
        None => None,
    }
}

/// The command at the start of `text` and what follows it, unless it names another bot than `me`.
fn command<'a>(text: &'a str, me: &str) -> Option<(&'a str, &'a str)> {
    let text = text.strip_prefix('/')?;
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match word.split_once('@') {
        Some((command, bot)) => bot.eq_ignore_ascii_case(me).then_some((command, rest.trim())),
        None => Some((word, rest.trim())),
    }
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

/// The largest size of a photo, or a document of whatever kind: its bytes decide later.
fn file(message: &Message) -> Option<RemoteFile> {
    if let Some(sizes) = message.photo() {
        let largest = sizes.iter().max_by_key(|size| u64::from(size.width) * u64::from(size.height))?;
        return Some(RemoteFile::new(&largest.file));
    }
    message.document().map(|document| RemoteFile::new(&document.file))
}

/// Whether a message can be taken for a photo when nobody says that it is one.
fn looks_like_a_picture(message: &Message) -> bool {
    let mime = message.document().and_then(|document| document.mime_type.as_ref());
    message.photo().is_some() || mime.is_some_and(|mime| mime.type_() == "image")
}

/// Whoever sent a message: the chat as which somebody writes, before the person.
fn author(message: &Message) -> PersonId {
    let chat = message.sender_chat.as_ref().map(|chat| chat.id.0);
    let person = message.from.as_ref().map(|sender| sender.id.0.cast_signed());
    PersonId { platform: PLATFORM, id: chat.or(person).unwrap_or(message.chat.id.0) }
}

/// Whoever asks with a message.
pub(super) fn asker(message: &Message) -> Asker {
    let language = message.from.as_ref().and_then(|sender| Language::of(sender.language_code.as_deref()?));
    Asker { person: author(message), chat: chat(message.chat.id), language }
}

pub(super) fn chat(id: teloxide::types::ChatId) -> ChatId {
    ChatId { platform: PLATFORM, id: id.0 }
}

/// Whether the sender of a message is an admin as far as the message itself tells: in a private
/// chat everybody is, in a channel only admins write, and an anonymous admin writes as the group.
pub(super) fn is_admin_by_itself(message: &Message) -> bool {
    let as_the_chat = message.sender_chat.as_ref().is_some_and(|sender| sender.id == message.chat.id);
    message.chat.is_private() || message.chat.is_channel() || as_the_chat
}

/// Whether it is a group, of either kind.
pub(super) fn is_group(message: &Message) -> bool {
    matches!(message.chat.kind, ChatKind::Public(_)) && !message.chat.is_channel()
}
