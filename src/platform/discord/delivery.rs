//! Sends answers to their destination. An answer that is refused there is sent in simpler formats, then
//! privately to the asker. No payload is sent twice.

use serenity::all::{ChannelId, GuildId, MessageId, UserId};
use tracing::{debug, info, warn};

use super::handler::Handler;
use super::incoming::IncomingMessage;
use super::jobs::MessageRequest;
use super::payload::{Content, Format, Payload};
use super::refusals::RestError;
use super::requester::{author, chat_id, person_id};
use super::rest::{CallbackType, InteractionHandle, PostedMessage};
use crate::bot::Problem;
use crate::bot::people::Asker;
use crate::platform::refusal::Refusal;

/// Where an answer is sent.
#[derive(Clone, Copy)]
pub(super) enum Destination<'a> {
    /// A reply to a message.
    Reply { channel: ChannelId, to: MessageId },
    /// A message of its own in a channel. `nonce` distinguishes answers.
    Channel { channel: ChannelId, nonce: u64 },
    /// An edit of a message that was posted.
    Edit(ChannelId, MessageId),
    /// The initial response to an interaction.
    InitialResponse { to: &'a InteractionHandle, kind: CallbackType, ephemeral: bool },
    /// An edit of an interaction's original response, usually a deferred one.
    OriginalResponse(&'a InteractionHandle),
    /// A follow-up to an interaction.
    FollowUp { to: &'a InteractionHandle, ephemeral: bool },
}

impl Handler {
    /// Sends an answer in the fullest format that is accepted.
    ///
    /// # Errors
    /// Why even plain text was refused, or why nothing can be sent now.
    pub(super) async fn send(
        &self,
        content: &Content,
        destination: Destination<'_>,
    ) -> Result<PostedMessage, RestError> {
        let mut format = Format::FULL;
        let mut payload = destination.payload(content, format);
        loop {
            let error = match self.send_once(&payload, destination).await {
                Err(error) if matches!(error.refusal(), Refusal::Simplify | Refusal::Forbidden) => error,
                result => return result,
            };
            debug!(%error, ?format, "Discord refuses a message's format");
            payload = loop {
                let Some(simplified) = format.simplified(&error) else { return Err(error) };
                format = simplified;
                let simplified = destination.payload(content, format);
                if simplified != payload {
                    break simplified;
                }
            };
        }
    }

    async fn send_once(&self, payload: &Payload, destination: Destination<'_>) -> Result<PostedMessage, RestError> {
        match destination {
            Destination::Reply { channel, to } => self.rest.create_message(channel, payload, to.get()).await,
            Destination::Channel { channel, nonce } => self.rest.create_message(channel, payload, nonce).await,
            Destination::Edit(channel, message) => self.rest.edit_message(channel, message, payload).await,
            Destination::InitialResponse { to, kind, .. } => {
                self.rest.respond(to, kind, Some(payload)).await?;
                // Discord does not return the message, and no caller needs its id.
                Ok(PostedMessage { id: MessageId::new(to.id.get()), text: String::new() })
            }
            Destination::OriginalResponse(to) => self.rest.edit_original_response(to, payload).await,
            Destination::FollowUp { to, .. } => self.rest.create_follow_up(to, payload).await,
        }
    }

    /// Sends an initial response.
    ///
    /// # Errors
    /// As [`Handler::send`].
    pub(super) async fn send_initial_response(
        &self,
        to: &InteractionHandle,
        kind: CallbackType,
        content: &Content,
        ephemeral: bool,
    ) -> Result<(), RestError> {
        self.send(content, Destination::InitialResponse { to, kind, ephemeral }).await.map(drop)
    }

    async fn send_directly(&self, user: UserId, content: &Content, nonce: u64) -> Result<(), RestError> {
        let channel = self.rest.open_direct_channel(user).await?;
        self.send(content, Destination::Channel { channel, nonce }).await.map(drop)
    }

    /// Notifies the author of a message that the bot may not write in its channel, and once a day the
    /// server's owner. The author is notified only if the message was addressed to the bot.
    pub(super) async fn notify_forbidden(&self, request: &MessageRequest, guild: GuildId) {
        let IncomingMessage { id, channel, author: user, .. } = request.message;
        let (asker, nonce) = (author(&request.message), id.get());
        info!(chat = ?asker.chat, "the bot may not write in a channel");
        if request.addressed {
            let language = self.bot.reply_style(&asker).await.language;
            let content = Content::from(Problem::CannotWrite.message(language));
            if let Err(error) = self.send_directly(user, &content, nonce).await {
                log_unsent(&error, "a direct message");
            }
        }
        if self.bot.claim_admin_notice(asker.chat).await
            && let Err(error) = self.notify_owner(channel, guild, nonce).await
        {
            log_unsent(&error, "a notice to a server's owner");
        }
    }

    async fn notify_owner(&self, channel: ChannelId, guild: GuildId, nonce: u64) -> Result<(), RestError> {
        let owner = self.rest.fetch_owner(guild).await?;
        let name = self.rest.fetch_channel(channel).await.map_or_else(|_| String::new(), |channel| channel.name);
        let name = if name.is_empty() { format!("<#{channel}>") } else { format!("#{name}") };
        let asker = Asker { person: person_id(owner), chat: chat_id(channel), language: None };
        let language = self.bot.reply_style(&asker).await.language;
        let text = language.message_with("admin-cannot-write", &[("chat", (&name).into())]);
        // Another nonce: the owner may be the message's author, who gets both messages.
        self.send_directly(owner, &Content::from(text), nonce.wrapping_add(1)).await
    }
}

/// Logs that something could not be sent; only for debugging when there is no recipient.
pub(super) fn log_unsent(error: &RestError, what: &str) {
    match error.refusal() {
        Refusal::Gone => debug!(%error, what, "not sent on Discord: there is no recipient"),
        _ => warn!(%error, what, "could not be sent on Discord"),
    }
}

impl Destination<'_> {
    /// The content in that format, with what the destination adds.
    fn payload(self, content: &Content, format: Format) -> Payload {
        let payload = Payload::new(content, format);
        match self {
            Self::Reply { to, .. } if format.reference => payload.reply_to(to),
            Self::InitialResponse { kind: CallbackType::Message, ephemeral: true, .. }
            | Self::FollowUp { ephemeral: true, .. } => payload.ephemeral(),
            _ => payload,
        }
    }
}
