//! Accepts events and starts a task for each answer.
//!
//! The [job](crate::bot::jobs) of a photo request is stored before [`Handler::handle_event`] returns, so that the
//! batch that it came with can then be counted as received.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use tracing::warn;

use super::handler::Handler;
use super::ids::{event_key, event_number, number};
use super::incoming::{Message, RoomEvent};
use super::request::{Intent, PhotoRequest, parse_intent};
use super::sender::Destination;
use crate::bot::jobs::{Job, Receipt, UpdateId};
use crate::bot::people::Platform;

/// Messages older than this are not answered.
pub(super) const OLDEST: Duration = Duration::from_secs(24 * 3600);
/// The most members of a room in which everything is meant for the bot: itself and one more.
pub(super) const DIRECT: usize = 2;

impl Handler {
    /// Continues what an earlier run left unfinished. Must be called before the first event is handled, so that only
    /// jobs of earlier runs are resumed.
    pub(super) async fn resume(self: &Arc<Self>) {
        let invites = self.progress().invites();
        invites.into_iter().for_each(|room| self.start_joining(room));
        for job in self.bot.resume(Platform::Matrix).await {
            match PhotoRequest::from_job(&job) {
                Some(request) if job.is_expired() => {
                    let handler = self.clone();
                    self.tasks.spawn(async move { handler.drop_expired(&request).await });
                }
                Some(request) => self.start(request),
                None => {
                    warn!("the stored request of an unanswered photo could not be parsed");
                    self.bot.finish(job.chat, job.message).await;
                }
            }
        }
    }

    /// Handles an event of a room that the bot is in.
    pub(super) async fn handle_event(self: &Arc<Self>, room: &OwnedRoomId, event: RoomEvent) {
        match event {
            RoomEvent::Message(message) if message.sender != self.me.user && is_recent(message.sent) => {
                self.handle_message(room, message).await;
            }
            RoomEvent::Encrypted { event, sender, sent } if sender != self.me.user && is_recent(sent) => {
                self.handle_encrypted(room, event, sender);
            }
            RoomEvent::Redaction { redacted } => {
                let redacted = event_key(room, &redacted);
                self.removed.insert(redacted, ());
                if let Some(events) = self.answers.get(redacted) {
                    let (handler, room) = (self.clone(), room.clone());
                    self.tasks.spawn(async move { handler.sender.remove(&room, events).await });
                }
            }
            RoomEvent::Member { user, membership, .. } if user != self.me.user.as_str() => {
                self.rooms.members_changed(room);
                if membership == "leave" || membership == "ban" {
                    let (handler, room) = (self.clone(), room.clone());
                    self.tasks.spawn(async move { handler.leave_if_alone(room).await });
                }
            }
            _ => {}
        }
    }

    /// Tells an encrypted room, once, that the bot cannot read it.
    fn handle_encrypted(self: &Arc<Self>, room: &OwnedRoomId, event: OwnedEventId, sender: OwnedUserId) {
        if self.progress().claim_notice(room) {
            let (handler, room) = (self.clone(), room.clone());
            let (request, reply_to) = (event.clone(), event);
            let destination = Destination { room, request, reply_to, thread: None, asker: sender };
            self.tasks.spawn(async move { handler.decline_encryption(destination).await });
        }
    }

    async fn handle_message(self: &Arc<Self>, room: &OwnedRoomId, message: Message) {
        let is_direct = self.rooms.known_members(room).map(|members| members <= DIRECT);
        match parse_intent(room, &message, &self.me, is_direct.unwrap_or(false)) {
            Intent::Command(command) => {
                let (handler, room) = (self.clone(), room.clone());
                self.tasks.spawn(async move { handler.handle_command(command, &room, &message).await });
            }
            Intent::Setting(setting) => {
                let (handler, room) = (self.clone(), room.clone());
                self.tasks.spawn(async move { handler.change_setting(setting, &room, &message).await });
            }
            Intent::Photo(request) => {
                let is_asked = request.task.is_some() || is_direct.is_none();
                if is_asked || self.bot.chat_settings(request.asker().chat).await.auto {
                    self.accept(request).await;
                }
            }
            Intent::Talk if is_direct.is_none() => {
                let (handler, room) = (self.clone(), room.clone());
                self.tasks.spawn(async move { handler.handle_talk(&room, &message).await });
            }
            Intent::Talk => {}
        }
    }

    /// Answers a message that asks for nothing if the bot is alone with its author.
    async fn handle_talk(self: &Arc<Self>, room: &OwnedRoomId, message: &Message) {
        if !matches!(self.rooms.members(room).await, Ok(..=DIRECT)) {
            return;
        }
        match parse_intent(room, message, &self.me, true) {
            Intent::Command(command) => self.handle_command(command, room, message).await,
            Intent::Setting(setting) => self.change_setting(setting, room, message).await,
            Intent::Photo(request) => self.accept(request).await,
            Intent::Talk => {}
        }
    }

    /// Stores a request's job and answers it, unless it was received before.
    async fn accept(self: &Arc<Self>, request: PhotoRequest) {
        if self.receive(&request.event, Some(request.to_job())).await {
            self.start(request);
        }
    }

    /// Stores a message's job, if it has one. `false` if the message was received before.
    pub(super) async fn receive(&self, event: &OwnedEventId, job: Option<Job>) -> bool {
        let update = UpdateId { bot: number(self.me.user.as_str()), update: event_number(event) };
        self.bot.receive(Some(update), job).await == Receipt::Stored
    }

    /// Answers a request in its own task.
    fn start(self: &Arc<Self>, request: PhotoRequest) {
        let handler = self.clone();
        self.tasks.spawn(async move {
            if handler.answer_photo(&request).await {
                handler.bot.finish(request.asker().chat, event_number(&request.event)).await;
            }
        });
    }
}

/// Whether a message is young enough to be answered. `sent` is in milliseconds.
pub(super) fn is_recent(sent: i64) -> bool {
    let oldest = SystemTime::now() - OLDEST;
    let oldest = oldest.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    i128::from(sent) >= oldest.cast_signed()
}
