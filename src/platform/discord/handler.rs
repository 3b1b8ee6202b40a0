//! Events in; who of its neighbours answers them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::Value;
use serenity::all::{ApplicationId, ChannelId, MessageId, UserId};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::DiscordOptions;
use super::commands;
use super::incoming::{IncomingMessage, id};
use super::photos::Photos;
use super::rest::{Rest, RestError};
use crate::bot::Bot;
use crate::bot::jobs::{Job, UpdateId};
use crate::bot::people::{ChatId, Platform};
use crate::photo::Hosts;
use crate::platform::fifo_cache::FifoCache;

/// Replies that are remembered, a few dozen bytes each; the photos of answered commands, with their
/// links of some 300 bytes; and channels.
const REPLIES: usize = 10_000;
const PHOTOS: usize = 5_000;
const CHANNELS: usize = 10_000;

/// Who the bot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub user: UserId,
    pub application: ApplicationId,
}

/// What all events share.
pub(super) struct Handler {
    pub bot: Arc<Bot>,
    pub rest: Arc<Rest>,
    pub hosts: Hosts,
    /// Channels in which every picture is answered, as the host wishes.
    pub channels: Vec<ChannelId>,
    /// Whether messages that do not speak to the bot arrive with their pictures.
    pub sees_messages: bool,
    replies: TaskTracker,
    /// Once Discord has told.
    identity: RwLock<Option<Identity>>,
    /// Whether what the last run left unanswered was taken up.
    resumed: AtomicBool,
    /// The jobs that this run works on.
    working: Mutex<HashSet<(ChatId, i64)>>,
    /// The reply to a message.
    pub replied: FifoCache<MessageId, (ChannelId, MessageId)>,
    /// Messages that were deleted lately, perhaps while their photos were looked at.
    pub deleted: FifoCache<MessageId, ()>,
    /// The photo that an answer to a command is about: no message holds it.
    pub photos: FifoCache<MessageId, Photos>,
    /// The channels of threads, and that other channels are none.
    pub parents: FifoCache<ChannelId, Option<ChannelId>>,
}

impl Handler {
    pub(super) fn new(bot: Arc<Bot>, rest: Arc<Rest>, options: &DiscordOptions, replies: TaskTracker) -> Self {
        Self {
            bot,
            rest,
            hosts: options.hosts(),
            channels: options.channels.clone(),
            sees_messages: options.sees_messages(),
            replies,
            identity: RwLock::default(),
            resumed: AtomicBool::new(false),
            working: Mutex::default(),
            replied: FifoCache::new(REPLIES),
            deleted: FifoCache::new(REPLIES),
            photos: FifoCache::new(PHOTOS),
            parents: FifoCache::new(CHANNELS),
        }
    }

    /// Discord has told who the bot is.
    pub(super) fn is(&self, identity: Identity) {
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(identity);
    }

    fn identity(&self) -> Option<Identity> {
        *self.identity.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bot's own user.
    pub(super) fn me(&self) -> Option<UserId> {
        self.identity().map(|identity| identity.user)
    }

    /// Takes an event. When this returns, what it brings is stored; it is answered beside.
    pub(super) async fn take(self: &Arc<Self>, kind: &str, data: Value) {
        match kind {
            "MESSAGE_CREATE" => match IncomingMessage::of(&data) {
                Some(message) => {
                    if let Some(work) = self.received(message).await {
                        self.beside(|handler| async move { handler.answer(work).await });
                    }
                }
                None => warn!(kind, "an event of Discord's cannot be read"),
            },
            "INTERACTION_CREATE" => self.interaction(&data).await,
            "MESSAGE_DELETE" => self.follow(id(&data["id"])),
            "MESSAGE_DELETE_BULK" => {
                data["ids"].as_array().into_iter().flatten().for_each(|message| self.follow(id(message)));
            }
            _ => {}
        }
    }

    /// A shard is connected, or connected again: the first time, what the last run left is taken up.
    pub(super) async fn connected(self: &Arc<Self>) {
        if self.resumed.swap(true, Ordering::Relaxed) {
            return;
        }
        for job in self.bot.resume(Platform::Discord).await {
            if self.begins((job.chat, job.message)) {
                self.beside(|handler| async move { handler.take_up(job).await });
            }
        }
        if let Some(Identity { application, .. }) = self.identity() {
            self.beside(|handler| async move {
                if let Err(error) = handler.register(application).await {
                    warn!(%error, "the commands could not be registered with Discord");
                }
            });
        }
    }

    /// Does something beside the events, which is finished at shutdown.
    pub(super) fn beside<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> F) {
        self.replies.spawn(work(self.clone()));
    }

    /// Takes a message or interaction of that number, and the job that it brought. `false` when it was
    /// taken before, by this run or an earlier one.
    pub(super) async fn takes(&self, number: u64, job: Option<Job>) -> bool {
        let bot = self.me().map_or(0, |me| me.get().cast_signed());
        let key = job.as_ref().map(|job| (job.chat, job.message));
        let update = UpdateId { bot, update: number.cast_signed() };
        self.bot.receive(Some(update), job).await && key.is_none_or(|key| self.begins(key))
    }

    /// Whether nobody works on that job already.
    fn begins(&self, key: (ChatId, i64)) -> bool {
        self.working.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }

    /// Forgets a job: its reply was sent, or none is owed.
    pub(super) async fn finished(&self, chat: ChatId, message: u64) {
        self.bot.finish(chat, message.cast_signed()).await;
        self.working.lock().unwrap_or_else(PoisonError::into_inner).remove(&(chat, message.cast_signed()));
    }

    /// Tells Discord the commands, if what it knows of them is something else: whoever registers
    /// them needlessly at every start is refused on some days.
    async fn register(&self, application: ApplicationId) -> Result<(), RestError> {
        let wanted = commands::all();
        if commands::same(&self.rest.commands(application).await?, &wanted) {
            return Ok(());
        }
        self.rest.set_commands(application, &wanted).await?;
        info!("Discord was told the commands");
        Ok(())
    }

    /// Deletes the reply to a message that is gone.
    fn follow(self: &Arc<Self>, message: Option<u64>) {
        let Some(message) = message.map(MessageId::new) else { return };
        self.deleted.insert(message, ());
        if let Some((channel, reply)) = self.replied.get(message) {
            self.beside(|handler| async move { handler.take_back(channel, reply).await });
        }
    }

    /// Deletes a reply; it may be gone already.
    pub(super) async fn take_back(&self, channel: ChannelId, reply: MessageId) {
        match self.rest.delete(channel, reply).await {
            Err(error) if !error.is_gone() => warn!(%error, "a reply could not be deleted on Discord"),
            _ => {}
        }
    }
}
