//! Requests for a guess, and how pending ones are stored so that the next run of the program can answer
//! them.

use serde::{Deserialize, Serialize};
use serenity::all::{ChannelId, GuildId, MessageId, UserId};

use super::incoming::IncomingMessage;
use super::photos::Photos;
use super::requester::{Requester, chat_id, person_id};
use super::rest::InteractionHandle;
use crate::bot::jobs::Job;

/// What a job refers to.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum JobReference {
    Message {
        channel: ChannelId,
        message: MessageId,
        /// A message that is fetched over REST does not contain its server.
        guild: Option<GuildId>,
        /// Used where the message cannot be fetched: for that, unlike for the reply, a bot needs *Read
        /// Message History*.
        #[serde(default, rename = "shown")]
        snapshot: Option<MessageSnapshot>,
    },
    Interaction(Box<InteractionRequest>),
}

impl JobReference {
    pub(super) fn to_json(&self) -> String {
        // Ids and URLs can always be serialised.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a message contained when it arrived.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct MessageSnapshot {
    pub photos: Photos,
    pub author: UserId,
    pub addressed: bool,
}

impl MessageSnapshot {
    pub(super) fn into_request(self, channel: ChannelId, id: MessageId, guild: Option<GuildId>) -> MessageRequest {
        let Self { photos, author, addressed } = self;
        MessageRequest {
            message: IncomingMessage::from_ids(id, channel, guild, author),
            photos,
            addressed,
            resumed: true,
        }
    }
}

/// A message that may need a reply.
pub(super) struct MessageRequest {
    pub message: IncomingMessage,
    pub photos: Photos,
    /// Whether it is addressed to the bot: a direct message, or one that mentions it.
    pub addressed: bool,
    /// Whether an earlier run of the program accepted it.
    pub resumed: bool,
}

impl MessageRequest {
    /// The job that represents it until it is answered.
    pub(super) fn job(&self) -> Job {
        let Self { message, photos, addressed, .. } = self;
        let IncomingMessage { id, channel, guild, author, .. } = *message;
        let snapshot = Some(MessageSnapshot { photos: photos.clone(), author, addressed: *addressed });
        let reference = JobReference::Message { channel, message: id, guild, snapshot }.to_json();
        Job::new(chat_id(channel), id.get().cast_signed(), person_id(author), reference)
    }
}

/// An interaction that needs an answer about photos.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct InteractionRequest {
    #[serde(rename = "ticket")]
    pub handle: InteractionHandle,
    #[serde(rename = "visitor")]
    pub requester: Requester,
    pub task: Task,
    /// Without links where only the message is known: then it is fetched.
    pub photos: Photos,
    /// Whether only the requester sees the answer.
    #[serde(rename = "alone")]
    pub ephemeral: bool,
}

/// What to do with the photos.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Task {
    Guess,
    Game {
        truth: Option<u8>,
    },
    /// The action of a button.
    #[serde(rename = "again")]
    Button {
        #[serde(rename = "button")]
        custom_id: String,
        /// The reply of the bot's that has the button.
        reply: MessageId,
    },
}

impl InteractionRequest {
    /// The job that represents it until it is answered.
    pub(super) fn job(&self) -> Job {
        let asker = self.requester.asker();
        let reference = JobReference::Interaction(Box::new(self.clone())).to_json();
        Job::new(asker.chat, self.handle.id.get().cast_signed(), asker.person, reference)
    }
}
