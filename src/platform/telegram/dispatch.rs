//! Accepts updates and starts a task for each answer.
//!
//! The [job](crate::bot::jobs) of a photo request is stored before [`Handler::handle_update`]
//! returns, so that the update can then be confirmed to Telegram.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use teloxide::types::{ChatId, MessageId};
use tracing::{info, warn};

use super::album::AlbumKey;
use super::delivery::PostOutcome;
use super::destination::Destination;
use super::handler::Handler;
use super::identity::chat_id;
use super::incoming::{MediaFlags, Message};
use super::photos::AnswerOutcome;
use super::request::{Intent, PhotoRequest, parse_guest, parse_intent};
use super::updates::{Update, UpdateContent};
use crate::bot::Problem;
use crate::bot::jobs::{Job, Receipt, UpdateId};
use crate::bot::people::{Asker, Platform};

impl Handler {
    /// Answers the photos that an earlier run left unanswered. Must be called before the first update
    /// is handled, so that only jobs of earlier runs are resumed.
    pub(super) async fn resume(self: &Arc<Self>) {
        let mut expired = Vec::new();
        for job in self.bot.resume(Platform::Telegram).await {
            match PhotoRequest::from_job(&job) {
                Some(request) if job.is_expired() => expired.push(request),
                Some(request) => self.start(request),
                None => {
                    warn!("the stored request of an unanswered photo could not be parsed");
                    let handler = self.clone();
                    self.tasks.spawn(async move { handler.drop_unreadable(job).await });
                }
            }
        }
        if !expired.is_empty() {
            let handler = self.clone();
            self.tasks.spawn(async move { handler.drop_expired(expired).await });
        }
    }

    /// Finishes a job that another version wrote, with an apology if it came from a private chat.
    pub(super) async fn drop_unreadable(&self, job: Job) {
        let asker = Asker { person: job.person, chat: job.chat, language: None };
        if job.chat.id > 0 {
            let destination = Destination {
                chat: ChatId(job.chat.id),
                topic: None,
                reply_to: i32::try_from(job.message).ok().map(MessageId),
                flags: MediaFlags::default(),
                asker,
                is_requested: true,
            };
            let language = self.bot.reply_style(&asker).await.language;
            let answer = Problem::Interrupted.message(language).into();
            self.sender.answer((job.chat, job.message), destination, &answer).await;
        }
        self.bot.finish(job.chat, job.message).await;
    }

    /// Apologises for photos that are too old to be answered, once for each album.
    pub(super) async fn drop_expired(&self, expired: Vec<PhotoRequest>) {
        let mut albums = HashSet::new();
        for request in &expired {
            // The part of an album that asks stands for all of them.
            let asking = expired.iter().find(|other| other.album == request.album && other.task.is_some());
            let lead = if request.album.is_some() { asking.unwrap_or(request) } else { request };
            let is_first = request.album.is_none() || albums.insert((request.asker.chat, request.album.clone()));
            let is_owed = lead.task.is_some() || self.is_auto(request.asker.chat).await;
            if is_first && is_owed && self.apologise(lead).await == PostOutcome::Deferred {
                continue;
            }
            self.bot.finish(request.asker.chat, request.message.0.into()).await;
        }
    }

    /// Handles one update. `is_fresh`: it was not already queued at Telegram when the program started.
    pub(super) async fn handle_update(self: &Arc<Self>, update: &Value, is_fresh: bool) {
        let Some(Update { id, content }) = Update::from_json(update) else {
            return warn!("invalid update from Telegram");
        };
        match content {
            UpdateContent::Message(message) => {
                self.answered.insert_received((message.chat, message.id), message.date);
                self.handle_message(id, *message, false).await;
            }
            UpdateContent::EditedMessage(message) => {
                if let Some(now) = message.edit_date.filter(|_| is_fresh) {
                    self.answered.sync_clock(now);
                }
                if self.answered.would_contain((message.chat, message.id), message.date) {
                    self.handle_message(id, *message, true).await;
                }
            }
            UpdateContent::CallbackQuery(query) => {
                if self.receive(id, None).await == Receipt::Stored {
                    let handler = self.clone();
                    self.tasks.spawn(async move { handler.handle_callback_query(id, *query).await });
                }
            }
            UpdateContent::GuestMessage(guest) => {
                let Some(request) = parse_guest(&guest, &self.me, id) else { return };
                // Counted here, because workers do not know of each other.
                let here = self.bot.answers_photos();
                if !here && self.bot.admit(&request.asker, request.photo_count()).is_err() {
                    return;
                }
                if self.receive(id, Some(request.to_job())).await == Receipt::Stored && here {
                    self.start(request);
                }
            }
            UpdateContent::BusinessConnection(connection) => {
                if connection.is_enabled && self.receive(id, None).await == Receipt::Stored {
                    let handler = self.clone();
                    self.tasks.spawn(async move { handler.sender.decline_business(&connection).await });
                }
            }
            UpdateContent::Unknown(kind) => info!(kind, "ignored an update of unknown kind"),
        }
    }

    /// Stores an update's id and job.
    pub(super) async fn receive(&self, update: i64, job: Option<Job>) -> Receipt {
        self.bot.receive(Some(UpdateId { bot: self.me.id, update }), job).await
    }

    /// An edit counts when the message now asks for something and has no answer yet.
    async fn handle_message(self: &Arc<Self>, update: i64, message: Message, is_edit: bool) {
        if let Some(new_id) = message.migrated_to {
            return self.bot.move_chat(chat_id(message.chat), chat_id(ChatId(new_id))).await;
        }
        let key = (message.chat, message.id);
        if self.answered.contains(key) {
            return;
        }
        match parse_intent(&message, &self.me) {
            None => {}
            Some(Intent::Command(command)) => {
                self.answered.insert(key, message.date);
                let handler = self.clone();
                self.tasks.spawn(async move { handler.handle_command(command, &message).await });
            }
            Some(Intent::Photos(request)) => {
                let is_single = request.album.is_none();
                let chat = request.asker.chat;
                if request.task.is_none() && (is_edit || is_single && !self.is_auto(chat).await) {
                    return;
                }
                if is_edit {
                    // A job stored before the edit did not ask for anything.
                    self.bot.finish(chat, request.message.0.into()).await;
                }
                if !self.bot.answers_photos() {
                    return self.forward(update, request).await;
                }
                if self.receive(update, Some(request.to_job())).await == Receipt::Stored {
                    if is_single {
                        self.answered.insert(key, message.date);
                    }
                    self.start(request);
                }
            }
        }
    }

    /// Answers a request in its own task, together with the other parts of its album.
    fn start(self: &Arc<Self>, request: PhotoRequest) {
        let handler = self.clone();
        if request.album.is_none() {
            self.tasks.spawn(async move {
                let parts = [request];
                let outcome = handler.answer_photos(&parts, None).await;
                handler.finish_jobs(&parts, &outcome).await;
            });
        } else if let Some(key) = self.albums.add(request) {
            self.tasks.spawn(async move { handler.answer_album(&key).await });
        }
    }

    async fn answer_album(&self, key: &AlbumKey) {
        loop {
            let (parts, earlier) = self.albums.complete(key).await;
            let outcome = self.answer_photos(&parts, earlier).await;
            self.finish_jobs(&parts, &outcome).await;
            if self.albums.finish(key, &parts, outcome.reply) {
                return;
            }
        }
    }

    /// Removes the jobs of requests that were answered.
    pub(super) async fn finish_jobs(&self, parts: &[PhotoRequest], outcome: &AnswerOutcome) {
        if !outcome.is_final {
            return;
        }
        for part in parts {
            self.bot.finish(part.asker.chat, part.message.0.into()).await;
            if let Some(reply) = &outcome.reply
                && reply.destination.chat.0 < 0
                && reply.sent.chat.0 != part.asker.chat.id
            {
                // The chat, and with it the job, got a new id meanwhile.
                self.bot.finish(chat_id(reply.sent.chat), part.message.0.into()).await;
            }
        }
    }
}
