//! Answers messages with replies.
//!
//! A message is answered if it is a direct message, if it mentions the bot, or if it has a photo in a
//! channel with automatic replies. Replies ping nobody.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serenity::all::{ChannelId, MessageId};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::delivery::{Destination, log_unsent};
use super::handler::Handler;
use super::incoming::IncomingMessage;
use super::jobs::MessageRequest;
use super::payload::{Content, Format, Payload, REPLY, displayed_text};
use super::photos::Photos;
use super::refusals::RestError;
use super::requester::{author, chat_id, person_id};
use crate::bot::album::Delivery;
use crate::bot::commands::{AskerRole, Command};
use crate::bot::jobs::{Claim, Receipt};
use crate::bot::people::ChatId;
use crate::bot::settings::ChatSettings;
use crate::bot::{Answer, Problem};
use crate::platform::refusal::Refusal;

/// How long an answer waits for information that it can do without.
pub(super) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the typing indicator is renewed; Discord shows it for ten seconds.
const TYPING_INTERVAL: Duration = Duration::from_secs(8);

impl Handler {
    /// Accepts a message and stores its job if it has photos. `None` when it needs no answer.
    pub(super) async fn accept_message(self: &Arc<Self>, message: IncomingMessage) -> Option<MessageRequest> {
        let request = self.classify(message)?;
        let MessageRequest { message, photos, addressed, .. } = &request;
        if photos.links.is_empty() {
            let needs_answer = *addressed && (message.guild.is_none() || self.is_named(message));
            let answered_here = needs_answer && self.claim(message.id.get(), None).await == Receipt::Stored;
            return answered_here.then_some(request);
        }
        if !self.bot.answers_photos() {
            self.forward_message(request).await;
            return None;
        }
        // No job is stored if it is clear, without asking Discord, that no answer is wanted.
        if !*addressed
            && message.guild.is_some()
            && let Some(parent) = self.thread_parents.get(message.channel)
        {
            let (_, settings) = self.settings(message.channel, parent).await;
            if !self.replies_automatically(message.channel, parent, settings) {
                return None;
            }
        }
        (self.claim(message.id.get(), Some(request.job())).await == Receipt::Stored).then_some(request)
    }

    /// What a message asks for; `None` when the bot ignores it.
    pub(super) fn classify(&self, message: IncomingMessage) -> Option<MessageRequest> {
        if message.automated || message.system {
            return None;
        }
        let bot_user = self.bot_user();
        let addressed = message.guild.is_none() || bot_user.is_some_and(|user| message.mentions.contains(&user));
        let photos = if addressed {
            Photos::from_addressed(&message, bot_user)
        } else if self.sees_messages {
            Photos::from_uploads(&message)
        } else {
            return None;
        };
        let relevant = addressed || !photos.links.is_empty();
        relevant.then_some(MessageRequest { message, photos, addressed, resumed: false })
    }

    /// Answers a message that was accepted.
    pub(super) async fn answer_message(&self, request: MessageRequest) {
        if request.photos.links.is_empty() {
            return self.answer_text(&request.message).await;
        }
        if self.answer_photos(&request).await {
            self.finish_job(chat_id(request.message.channel), request.message.id.get()).await;
        }
    }

    /// Answers photos; returns whether the job is finished.
    pub(super) async fn answer_photos(&self, request: &MessageRequest) -> bool {
        let MessageRequest { message, photos, addressed, resumed } = request;
        let asker = author(message);
        let parent = match message.guild {
            None => None,
            // Only the settings depend on the parent, so the answer does not wait long for it.
            Some(_) if *addressed => {
                timeout(LOOKUP_TIMEOUT, self.thread_parent(message.channel)).await.unwrap_or_default()
            }
            Some(_) => self.thread_parent(message.channel).await,
        };
        let (settings_chat, settings) = self.settings(message.channel, parent).await;
        if !addressed && !self.replies_automatically(message.channel, parent, settings) {
            return true;
        }
        let reply = MessageReply::new(self, request);
        if self.bot.has_opted_out(person_id(photos.author)).await {
            // An automatic reply would only annoy somebody who opted out.
            if *addressed {
                self.reply_with_problem(&reply, settings_chat, Problem::OptedOut).await;
            }
            return reply.is_finished();
        }
        // An earlier run has counted a resumed request.
        if !resumed && let Err(problem) = self.bot.admit(&asker, photos.links.len()) {
            if let Some(problem) = problem {
                self.reply_with_problem(&reply, settings_chat, problem).await;
            }
            return reply.is_finished();
        }
        let style = self.reply_style(&asker, settings_chat).await;
        let sources = photos.sources(&self.hosts, &self.rest);
        tokio::select! {
            _ = self.bot.deliver(sources, asker.person, &style, REPLY, &reply) => {}
            never = self.show_typing(message.channel) => match never {},
        }
        reply.is_finished()
    }

    /// Whether every photo in that channel is answered.
    pub(super) fn replies_automatically(
        &self,
        channel: ChannelId,
        parent: Option<ChannelId>,
        settings: ChatSettings,
    ) -> bool {
        settings.auto || self.channels.contains(&channel) || parent.is_some_and(|one| self.channels.contains(&one))
    }

    /// Whether the text names the bot. A reply to the bot mentions it as well, but "thanks" needs no
    /// explanation of how to use it.
    fn is_named(&self, message: &IncomingMessage) -> bool {
        self.bot_user().is_some_and(|user| {
            [format!("<@{user}>"), format!("<@!{user}>")].iter().any(|name| message.content.contains(name))
        })
    }

    /// Answers a message without a photo with help.
    async fn answer_text(&self, message: &IncomingMessage) {
        let asker = author(message);
        let answer = if message.guild.is_none() {
            let role = AskerRole { name: String::new(), admin: true, direct: true };
            self.bot.command(Command::Help, &asker, &role).await
        } else {
            let language = self.bot.reply_style(&asker).await.language;
            format!("{} {}", Problem::NoPhoto.message(language), language.message("how-discord")).into()
        };
        let destination = Destination::Reply { channel: message.channel, to: message.id };
        if let Err(error) = self.send(&answer.into(), destination).await {
            log_unsent(&error, "the reply to a message without a photo");
        }
    }

    /// Replies why there is no guess; returns whether the job is finished.
    pub(super) async fn refuse(&self, request: &MessageRequest, problem: Problem) -> bool {
        let reply = MessageReply::new(self, request);
        self.reply_with_problem(&reply, chat_id(request.message.channel), problem).await;
        reply.is_finished()
    }

    async fn reply_with_problem(&self, reply: &MessageReply<'_>, settings_chat: ChatId, problem: Problem) {
        let language = self.reply_style(&author(&reply.request.message), settings_chat).await.language;
        reply.post(&problem.message(language).into()).await;
    }

    /// Shows the typing indicator until dropped.
    async fn show_typing(&self, channel: ChannelId) -> Infallible {
        loop {
            self.rest.trigger_typing(channel).await;
            sleep(TYPING_INTERVAL).await;
        }
    }
}

/// The reply to a message.
struct MessageReply<'a> {
    handler: &'a Handler,
    request: &'a MessageRequest,
    /// Whether nothing more is sent, because there is no recipient or no permission.
    abandoned: AtomicBool,
    /// Whether its latest version could not be sent and is left to the next run.
    pending: AtomicBool,
}

impl<'a> MessageReply<'a> {
    fn new(handler: &'a Handler, request: &'a MessageRequest) -> Self {
        Self { handler, request, abandoned: AtomicBool::new(false), pending: AtomicBool::new(false) }
    }

    /// Whether the job is done: the reply was sent, or cannot be.
    fn is_finished(&self) -> bool {
        !self.pending.load(Ordering::Relaxed)
    }

    fn content(&self, answer: &Answer) -> Content {
        Content { answer: answer.clone(), picture: None, spoiler: self.request.photos.has_spoiler() }
    }

    /// Records and logs a refusal, and notifies those who can be reached elsewhere.
    async fn handle_refusal(&self, error: RestError) {
        let Self { handler, request, .. } = *self;
        let refusal = error.refusal();
        let pending = matches!(refusal, Refusal::Retry { .. });
        self.pending.store(pending, Ordering::Relaxed);
        self.abandoned.fetch_or(!pending, Ordering::Relaxed);
        match (refusal, request.message.guild) {
            (Refusal::Retry { .. }, _) => {
                warn!(%error, "Discord does not accept a reply, leaving it to the next start")
            }
            (Refusal::Forbidden, Some(guild)) => handler.notify_forbidden(request, guild).await,
            _ => log_unsent(&error, "a reply"),
        }
    }
}

impl Delivery for MessageReply<'_> {
    type Sent = MessageId;

    async fn post(&self, answer: &Answer) -> Option<MessageId> {
        let Self { handler, request, .. } = *self;
        let IncomingMessage { id, channel, .. } = request.message;
        if self.abandoned.load(Ordering::Relaxed) || handler.deleted.contains(id) {
            return None;
        }
        let claim = handler.bot.claim_reply(chat_id(channel), id.get().cast_signed()).await;
        if claim != Claim::Granted {
            self.pending.store(claim == Claim::Elsewhere, Ordering::Relaxed);
            return None;
        }
        let content = self.content(answer);
        match handler.send(&content, Destination::Reply { channel, to: id }).await {
            Ok(posted) => {
                self.pending.store(false, Ordering::Relaxed);
                handler.replies.insert(id, (channel, posted.id));
                // If the last run posted a reply minutes ago, Discord returns that one for the same nonce. It
                // may cover only some of the photos.
                let expected = Payload::new(&content, Format::FULL);
                if request.resumed && posted.text != displayed_text(&expected.json) {
                    self.edit(&posted.id, answer).await;
                }
                // The message may have been deleted while the reply was being sent.
                if handler.deleted.contains(id) {
                    handler.delete_reply(channel, posted.id).await;
                }
                Some(posted.id)
            }
            Err(error) => {
                self.handle_refusal(error).await;
                None
            }
        }
    }

    async fn edit(&self, sent: &MessageId, answer: &Answer) {
        let Self { handler, request, .. } = *self;
        let edited = handler.send(&self.content(answer), Destination::Edit(request.message.channel, *sent)).await;
        let pending = edited.as_ref().is_err_and(|error| matches!(error.refusal(), Refusal::Retry { .. }));
        self.pending.store(pending, Ordering::Relaxed);
        if let Err(error) = edited {
            log_unsent(&error, "a reply's new version");
        }
    }
}
