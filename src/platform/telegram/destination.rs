//! Where a reply goes.

use teloxide::types::{ChatId, MessageId};

use super::identity;
use super::incoming::{MediaFlags, Message, Topic};
use crate::bot::people::Asker;

/// Where a reply goes, which message it replies to, and who asked for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Destination {
    pub(super) chat: ChatId,
    pub(super) topic: Option<Topic>,
    pub(super) reply_to: Option<MessageId>,
    /// The flags of the photo that the reply is about.
    pub(super) flags: MediaFlags,
    pub(super) asker: Asker,
    /// Whether the asker requested the reply and waits for it.
    pub(super) is_requested: bool,
}

impl Destination {
    /// The destination of a reply to `message`.
    pub(super) fn reply_to(message: &Message) -> Self {
        let Message { chat, topic, id, flags, .. } = *message;
        Self { chat, topic, reply_to: Some(id), flags, asker: identity::asker(message), is_requested: true }
    }

    /// The private chat with a user instead.
    pub(super) fn in_private(self, person: i64) -> Self {
        Self { chat: ChatId(person), topic: None, reply_to: None, ..self }
    }
}
