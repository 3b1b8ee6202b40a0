//! Who is who: the bot's own account, and Telegram's users and chats as [`Asker`]s.

use serde_json::Value;

use super::incoming::{ChatKind, Message};
use crate::bot::languages::Language;
use crate::bot::people::{Asker, ChatId, PersonId, Platform};

/// The bot's own account.
#[derive(Debug, Clone, Default)]
pub(super) struct BotAccount {
    pub(super) id: i64,
    pub(super) username: String,
    /// Whether it receives all messages of groups (privacy mode is off).
    pub(super) can_read_all: bool,
    /// Whether people can mention it in chats that it is not a member of (guest mode is on).
    pub(super) supports_guests: bool,
}

impl BotAccount {
    /// Parses the result of `getMe`.
    pub(super) fn from_json(user: &Value) -> Self {
        Self {
            id: user["id"].as_i64().unwrap_or_default(),
            username: user["username"].as_str().unwrap_or_default().to_owned(),
            can_read_all: user["can_read_all_group_messages"].as_bool().unwrap_or(false),
            supports_guests: user["supports_guest_queries"].as_bool().unwrap_or(false),
        }
    }
}

/// The chat and message of a job.
pub(super) type JobKey = (ChatId, i64);

pub(super) fn person_id(id: i64) -> PersonId {
    PersonId { platform: Platform::Telegram, id }
}

pub(super) fn chat_id(id: teloxide::types::ChatId) -> ChatId {
    ChatId { platform: Platform::Telegram, id: id.0 }
}

/// The asker of a message: the chat on whose behalf it was sent, if any, else the user.
pub(super) fn asker(message: &Message) -> Asker {
    let user = message.from.as_ref().map(|user| user.id);
    let id = message.sender_chat.or(user).unwrap_or(message.chat.0);
    let language = message.from.as_ref().and_then(|user| Language::from_tag(user.language.as_deref()?));
    Asker { person: person_id(id), chat: chat_id(message.chat), language }
}

/// Whether the message alone shows that an admin sent it: in a private chat everybody is one, in a
/// channel only admins write, and an anonymous admin writes on behalf of the group.
pub(super) fn is_sent_by_admin(message: &Message) -> bool {
    message.chat_kind != ChatKind::Group || message.sender_chat == Some(message.chat.0)
}
