//! Handles gateway events: the state that they share, and which part of the bot answers them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::Value;
use serenity::all::{ApplicationId, ChannelId, MessageId, UserId};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use url::Url;

use super::DiscordOptions;
use super::commands;
use super::incoming::{IncomingMessage, snowflake};
use super::photos::Photos;
use super::refusals::RestError;
use super::transport::RestClient;
use crate::bot::Bot;
use crate::bot::jobs::{Job, Receipt, UpdateId};
use crate::bot::people::{ChatId, Platform};
use crate::download::AllowedOrigins;
use crate::platform::fifo_cache::FifoCache;
use crate::platform::refusal::Refusal;

/// How many replies are cached, at a few dozen bytes each; the photos of how many answered commands, at
/// some 300 bytes a link; and how many channels.
const REPLIES: usize = 10_000;
const PHOTOS: usize = 5_000;
const CHANNELS: usize = 10_000;

/// The bot's own ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub user: UserId,
    pub application: ApplicationId,
}

/// The state that all events share.
pub(super) struct Handler {
    pub bot: Arc<Bot>,
    pub rest: Arc<RestClient>,
    /// The hosts from which attachments may be fetched.
    pub hosts: AllowedOrigins,
    /// The host of profile pictures.
    pub cdn: Option<Url>,
    /// The channels that the operator configured for automatic replies.
    pub channels: Vec<ChannelId>,
    /// Whether messages that are not addressed to the bot arrive with their pictures.
    pub sees_messages: bool,
    tasks: TaskTracker,
    /// `None` until READY, or a stored session, provides it.
    identity: RwLock<Option<Identity>>,
    /// Whether the last run's pending jobs were resumed.
    jobs_resumed: AtomicBool,
    /// The jobs that this run works on.
    active_jobs: Mutex<HashSet<(ChatId, i64)>>,
    /// The channel and reply of each message.
    pub replies: FifoCache<MessageId, (ChannelId, MessageId)>,
    /// Messages that were deleted recently, perhaps while their photos were processed.
    pub deleted: FifoCache<MessageId, ()>,
    /// The photos of commands by the answer's message, which does not refer to them.
    pub command_photos: FifoCache<MessageId, Photos>,
    /// The parent channels of threads; `None` for other channels.
    pub thread_parents: FifoCache<ChannelId, Option<ChannelId>>,
}

impl Handler {
    /// `tasks` tracks the answers that are being worked on.
    pub(super) fn new(bot: Arc<Bot>, rest: Arc<RestClient>, options: &DiscordOptions, tasks: TaskTracker) -> Self {
        Self {
            bot,
            rest,
            hosts: options.hosts(),
            cdn: options.file_hosts.first().cloned(),
            channels: options.channels.clone(),
            sees_messages: options.sees_messages(),
            tasks,
            identity: RwLock::default(),
            jobs_resumed: AtomicBool::new(false),
            active_jobs: Mutex::default(),
            replies: FifoCache::new(REPLIES),
            deleted: FifoCache::new(REPLIES),
            command_photos: FifoCache::new(PHOTOS),
            thread_parents: FifoCache::new(CHANNELS),
        }
    }

    pub(super) fn set_identity(&self, identity: Identity) {
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(identity);
    }

    fn identity(&self) -> Option<Identity> {
        *self.identity.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bot's own user.
    pub(super) fn bot_user(&self) -> Option<UserId> {
        self.identity().map(|identity| identity.user)
    }

    /// Handles an event. When this returns, its job is stored; it is answered in a separate task.
    pub(super) async fn handle_event(self: &Arc<Self>, kind: &str, data: Value) {
        match kind {
            "MESSAGE_CREATE" => match IncomingMessage::from_json(&data) {
                Some(message) => {
                    if let Some(request) = self.accept_message(message).await {
                        self.spawn(|handler| async move { handler.answer_message(request).await });
                    }
                }
                None => warn!(kind, "an event of Discord's cannot be parsed"),
            },
            "INTERACTION_CREATE" => self.handle_interaction(&data).await,
            "MESSAGE_DELETE" => self.handle_deletion(snowflake(&data["id"])),
            "MESSAGE_DELETE_BULK" => {
                data["ids"].as_array().into_iter().flatten().for_each(|id| self.handle_deletion(snowflake(id)));
            }
            _ => {}
        }
    }

    /// Called when a shard is connected or reconnected. The first time, resumes the last run's pending
    /// jobs and registers the commands.
    pub(super) async fn handle_connected(self: &Arc<Self>) {
        if self.jobs_resumed.swap(true, Ordering::Relaxed) {
            return;
        }
        for job in self.bot.resume(Platform::Discord).await {
            if self.start_job((job.chat, job.message)) {
                self.spawn(|handler| async move { handler.resume_job(job).await });
            }
        }
        if let Some(Identity { application, .. }) = self.identity() {
            self.spawn(|handler| async move {
                if let Err(error) = handler.register_commands(application).await {
                    warn!(%error, "the commands could not be registered with Discord");
                }
            });
        }
    }

    /// Spawns a task that is finished at shutdown.
    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, task: impl FnOnce(Arc<Self>) -> F) {
        self.tasks.spawn(task(self.clone()));
    }

    /// Claims the message or interaction with that id, and stores its job. A duplicate was claimed before,
    /// by this run or an earlier one.
    pub(super) async fn claim(&self, id: u64, job: Option<Job>) -> Receipt {
        let bot = self.bot_user().map_or(0, |user| user.get().cast_signed());
        let key = job.as_ref().map(|job| (job.chat, job.message));
        let update = UpdateId { bot, update: id.cast_signed() };
        match self.bot.receive(Some(update), job).await {
            Receipt::Stored if self.bot.answers_photos() && key.is_some_and(|key| !self.start_job(key)) => {
                Receipt::Duplicate
            }
            receipt => receipt,
        }
    }

    /// Marks a job as active; `false` when it was already.
    fn start_job(&self, key: (ChatId, i64)) -> bool {
        self.active_jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }

    /// Deletes a job whose answer was sent or is not wanted.
    pub(super) async fn finish_job(&self, chat: ChatId, message: u64) {
        self.bot.finish(chat, message.cast_signed()).await;
        self.active_jobs.lock().unwrap_or_else(PoisonError::into_inner).remove(&(chat, message.cast_signed()));
    }

    /// Registers the commands if they have changed: Discord limits how many it registers a day.
    async fn register_commands(&self, application: ApplicationId) -> Result<(), RestError> {
        let wanted = commands::all();
        if commands::is_registered(&self.rest.fetch_commands(application).await?, &wanted) {
            return Ok(());
        }
        match self.rest.overwrite_commands(application, &wanted).await {
            Err(error) if error.refusal() == Refusal::Simplify => {
                self.rest.overwrite_commands(application, &commands::for_servers(&wanted)).await?;
                warn!(
                    %error,
                    "the commands are registered for servers only: to let people install the bot for themselves, tick \
                     User Install in the developer portal (Installation) and start it again"
                );
            }
            registered => {
                registered?;
                info!("registered the commands with Discord");
            }
        }
        Ok(())
    }

    /// Deletes the reply to a message that was deleted.
    fn handle_deletion(self: &Arc<Self>, message: Option<u64>) {
        let Some(message) = message.map(MessageId::new) else { return };
        self.deleted.insert(message, ());
        if let Some((channel, reply)) = self.replies.get(message) {
            self.spawn(|handler| async move { handler.delete_reply(channel, reply).await });
        }
    }

    /// Deletes a reply, which may have been deleted already.
    pub(super) async fn delete_reply(&self, channel: ChannelId, reply: MessageId) {
        match self.rest.delete_message(channel, reply).await {
            Err(error) if !error.is_gone() => warn!(%error, "a reply could not be deleted on Discord"),
            _ => {}
        }
    }
}
