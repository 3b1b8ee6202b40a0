//! Answers interactions about photos: a deferred response within Discord's three seconds, the answer later.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serenity::all::{ChannelId, MessageId};
use tracing::debug;

use super::delivery::{Destination, log_unsent};
use super::handler::Handler;
use super::jobs::{InteractionRequest, Task};
use super::payload::{Content, Payload, REPLY};
use super::photos::Photos;
use super::refusals::RestError;
use super::requester::person_id;
use super::rest::{CallbackType, PostedMessage};
use crate::bot::actions::Action;
use crate::bot::album::Delivery;
use crate::bot::jobs::Claim;
use crate::bot::people::Platform;
use crate::bot::{Answer, Problem};
use crate::inference::FlowId;
use crate::platform::refusal::Refusal;

/// Discord accepts the initial response to an interaction for three seconds.
const INITIAL_RESPONSE: Duration = Duration::from_secs(3);

impl Handler {
    /// Answers an interaction; `resumed` if an earlier run of the program accepted it.
    pub(super) async fn answer_interaction(&self, request: &InteractionRequest, resumed: bool) {
        let reply = InteractionReply::new(self, request);
        if !resumed || request.handle.age() < INITIAL_RESPONSE {
            reply.defer().await;
        }
        match &request.task {
            Task::Guess => self.answer_guess(request, &reply).await,
            Task::Game { truth } => self.start_game(request, *truth, &reply).await,
            Task::Button { custom_id, reply: message } => {
                self.answer_button(request, custom_id, *message, &reply).await;
            }
        }
        if reply.is_finished() {
            self.finish_job(request.requester.asker().chat, request.handle.id.get()).await;
        }
    }

    async fn answer_guess(&self, request: &InteractionRequest, reply: &InteractionReply<'_>) {
        let InteractionRequest { requester, photos, .. } = request;
        let style = self.requester_style(requester).await;
        let sources = photos.sources(&self.hosts, &self.rest);
        let sent = self.bot.deliver(sources, requester.asker().person, &style, REPLY, reply).await;
        // The reply to a single photo has buttons that process it again.
        if let Some(SentReply { message, .. }) = sent.filter(|_| photos.links.len() == 1) {
            self.command_photos.insert(message, photos.clone());
        }
    }

    async fn start_game(&self, request: &InteractionRequest, truth: Option<u8>, reply: &InteractionReply<'_>) {
        let InteractionRequest { requester, photos, .. } = request;
        let Some(source) = photos.sources(&self.hosts, &self.rest).pop() else { return };
        let game = self.bot.game(source, truth, &requester.asker()).await;
        // Only the requester sees the file of a command: others are shown it if a game begins.
        let picture = photos.links.last().filter(|_| !game.buttons.is_empty()).map(|link| link.url.to_string());
        reply.send(&Content { answer: game, picture, spoiler: photos.has_spoiler() }).await;
    }

    async fn answer_button(
        &self,
        request: &InteractionRequest,
        custom_id: &str,
        message: MessageId,
        reply: &InteractionReply<'_>,
    ) {
        let asker = request.requester.asker();
        let style = self.requester_style(&request.requester).await;
        let prepared = async {
            let action = Action::from_code(custom_id, Platform::Discord).ok_or(Problem::PhotoGone)?;
            let photos = self.photos_of_reply(request, message).await?;
            let source = photos.sources(&self.hosts, &self.rest).into_iter().next().ok_or(Problem::PhotoGone)?;
            self.admit(&asker, person_id(photos.author), 1).await?;
            Ok::<_, Problem>((action, source, photos.has_spoiler()))
        };
        let (content, ephemeral) = match prepared.await {
            Ok((action, source, spoiler)) => {
                let flow = FlowId::from_key(&asker.person);
                let answer = self.bot.handle_photo_button(flow, action, source, &style, REPLY).await;
                (Content { answer, picture: None, spoiler }, request.ephemeral)
            }
            Err(problem) => (problem.message(style.language).into(), true),
        };
        reply.ephemeral.store(ephemeral, Ordering::Relaxed);
        reply.send(&content).await;
    }

    /// The photo that a reply is about: that of the message it replies to, with fresh links, or that of
    /// the command it answers.
    async fn photos_of_reply(&self, request: &InteractionRequest, reply: MessageId) -> Result<Photos, Problem> {
        if !request.photos.links.is_empty() {
            return Ok(request.photos.clone());
        }
        let Some((channel, message)) = request.photos.message else {
            // A button can be pressed before Discord has returned the reply's id.
            return self.command_photos.get(reply).ok_or(Problem::PhotoGone);
        };
        match self.rest.fetch_message(channel, message).await {
            Ok(message) => Ok(Photos::from_addressed(&message, self.bot_user())),
            Err(error) => {
                log_unsent(&error, "the request for a message");
                Err(Problem::PhotoGone)
            }
        }
    }
}

/// An answer that was sent.
pub(super) struct SentReply {
    message: MessageId,
    /// The channel, if it must be edited there rather than with the interaction's token.
    channel: Option<ChannelId>,
}

/// The answer to an interaction.
pub(super) struct InteractionReply<'a> {
    handler: &'a Handler,
    request: &'a InteractionRequest,
    /// Whether this run deferred it successfully.
    deferred: AtomicBool,
    ephemeral: AtomicBool,
    /// Whether its latest version could not be sent and is left to the next run.
    pending: AtomicBool,
}

impl<'a> InteractionReply<'a> {
    pub(super) fn new(handler: &'a Handler, request: &'a InteractionRequest) -> Self {
        let ephemeral = AtomicBool::new(request.ephemeral);
        Self { handler, request, deferred: AtomicBool::new(false), ephemeral, pending: AtomicBool::new(false) }
    }

    /// Whether the job is done: the answer was sent, or cannot be.
    pub(super) fn is_finished(&self) -> bool {
        !self.pending.load(Ordering::Relaxed)
    }

    fn is_ephemeral(&self) -> bool {
        self.ephemeral.load(Ordering::Relaxed)
    }

    fn content(&self, answer: &Answer) -> Content {
        Content { answer: answer.clone(), picture: None, spoiler: self.request.photos.has_spoiler() }
    }

    pub(super) async fn defer(&self) {
        let InteractionRequest { handle, task, ephemeral, .. } = self.request;
        let rest = &self.handler.rest;
        let deferred = match task {
            // Whether everybody sees the answer is known only later.
            Task::Button { .. } => rest.respond(handle, CallbackType::DeferredUpdate, None).await,
            _ => rest.respond(handle, CallbackType::DeferredMessage, Some(&Payload::deferred(*ephemeral))).await,
        };
        self.deferred.store(deferred.is_ok(), Ordering::Relaxed);
        if let Err(error) = deferred {
            // Then the answer is posted in the channel or sent directly.
            debug!(%error, "Discord refused an interaction's initial response");
        }
    }

    /// Sends the answer or its new version.
    pub(super) async fn send(&self, content: &Content) -> Option<SentReply> {
        let InteractionRequest { handle, requester, .. } = self.request;
        let claim = self.handler.bot.claim_reply(requester.asker().chat, handle.id.get().cast_signed()).await;
        if claim != Claim::Granted {
            self.pending.store(claim == Claim::Elsewhere, Ordering::Relaxed);
            return None;
        }
        let destination = match self.request.task {
            Task::Button { .. } => Destination::FollowUp { to: handle, ephemeral: self.is_ephemeral() },
            _ => Destination::OriginalResponse(handle),
        };
        let sent = match self.handler.send(content, destination).await {
            Ok(PostedMessage { id, .. }) => Ok(SentReply { message: id, channel: None }),
            // The deferred response was deleted: no answer is wanted.
            Err(error) if self.deferred.load(Ordering::Relaxed) && !error.is_interaction_expired() => Err(error),
            Err(error) if error.is_gone() || error.is_unauthorized() => self.send_elsewhere(content).await,
            Err(error) => Err(error),
        };
        self.record(sent)
    }

    /// Sends the answer to an expired interaction: to its channel, or directly to the requester.
    async fn send_elsewhere(&self, content: &Content) -> Result<SentReply, RestError> {
        let InteractionRequest { handle, requester, .. } = self.request;
        let nonce = handle.id.get();
        if !self.is_ephemeral() && !requester.external {
            let channel = requester.channel;
            match self.handler.send(content, Destination::Channel { channel, nonce }).await {
                Ok(PostedMessage { id, .. }) => return Ok(SentReply { message: id, channel: Some(channel) }),
                Err(error) if matches!(error.refusal(), Refusal::Retry { .. }) => return Err(error),
                Err(error) => debug!(%error, "an interaction's answer was refused in its channel"),
            }
        }
        let channel = self.handler.rest.open_direct_channel(requester.user).await?;
        let PostedMessage { id, .. } = self.handler.send(content, Destination::Channel { channel, nonce }).await?;
        Ok(SentReply { message: id, channel: Some(channel) })
    }

    fn record<T>(&self, sent: Result<T, RestError>) -> Option<T> {
        let pending = sent.as_ref().is_err_and(|error| matches!(error.refusal(), Refusal::Retry { .. }));
        self.pending.store(pending, Ordering::Relaxed);
        sent.inspect_err(|error| log_unsent(error, "an interaction's answer")).ok()
    }
}

impl Delivery for InteractionReply<'_> {
    type Sent = SentReply;

    async fn post(&self, answer: &Answer) -> Option<SentReply> {
        self.send(&self.content(answer)).await
    }

    async fn edit(&self, sent: &SentReply, answer: &Answer) {
        let Some(channel) = sent.channel else {
            self.post(answer).await;
            return;
        };
        let edited = self.handler.send(&self.content(answer), Destination::Edit(channel, sent.message)).await;
        self.record(edited);
    }
}
