//! The state that all events share, and the tasks that concern whole rooms.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ruma::api::client::membership::{forget_room, join_room_by_id, leave_room};
use ruma::api::client::typing::create_typing_event::v3 as typing;
use ruma::{OwnedEventId, OwnedRoomId};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::api::Api;
use super::ids::EventKey;
use super::options::MatrixOptions;
use super::progress::Progress;
use super::request::{Account, asker};
use super::rooms::{LOOKUP_LIMIT, Rooms};
use super::sender::{Destination, Sender};
use crate::bot::Bot;
use crate::platform::fifo_cache::FifoCache;

/// How long joining a room is tried: other homeservers are asked, which can take minutes.
const JOIN_LIMIT: Duration = Duration::from_secs(300);
/// How many rooms are joined at once.
const MAX_JOINS: usize = 4;
/// For how long clients show that the bot is typing.
const TYPING: Duration = Duration::from_secs(15);
/// How many answered messages are known, so that their answers can be removed with them.
const ANSWERS: usize = 10_000;

pub(super) struct Handler {
    pub(super) me: Account,
    pub(super) bot: Arc<Bot>,
    pub(super) api: Api,
    pub(super) sender: Sender,
    pub(super) rooms: Rooms,
    pub(super) tasks: TaskTracker,
    /// The largest photo, in bytes.
    pub(super) max_bytes: u64,
    progress: Mutex<Progress>,
    /// The answers to messages, of which a photo that many ask about has several.
    pub(super) answers: FifoCache<EventKey, Vec<OwnedEventId>>,
    /// Messages that were removed recently, perhaps while their photos were processed.
    pub(super) removed: FifoCache<EventKey, ()>,
    joins: Semaphore,
}

impl Handler {
    /// Each answer becomes a task in `tasks`.
    pub(super) fn new(
        api: Api,
        me: Account,
        bot: Arc<Bot>,
        progress: Progress,
        options: &MatrixOptions,
        tasks: &TaskTracker,
    ) -> Self {
        Self {
            me,
            bot,
            sender: Sender::new(api.clone()),
            rooms: Rooms::new(api.clone()),
            api,
            tasks: tasks.clone(),
            max_bytes: options.max_bytes,
            progress: Mutex::new(progress),
            answers: FifoCache::new(ANSWERS),
            removed: FifoCache::new(ANSWERS),
            joins: Semaphore::new(MAX_JOINS),
        }
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a room that the bot was invited to, unless that takes too long.
    pub(super) fn start_joining(self: &Arc<Self>, room: OwnedRoomId) {
        let handler = self.clone();
        self.tasks.spawn(async move {
            let _permit = handler.joins.acquire().await;
            // It may have been withdrawn meanwhile, or made room for later ones.
            if !handler.progress().has_invite(&room) {
                return;
            }
            let request = join_room_by_id::v3::Request::new(room.clone());
            match handler.api.send_within(request, JOIN_LIMIT).await {
                Ok(_) => info!(chat = ?asker(&room, &handler.me.user).chat, "joined a room on Matrix"),
                Err(error) => info!(%error, "an invitation to a room on Matrix cannot be accepted"),
            }
            handler.progress().remove_invite(&room);
        });
    }

    /// Leaves a room in which nobody else is left.
    pub(super) async fn leave_if_alone(&self, room: OwnedRoomId) {
        if matches!(self.rooms.members(&room).await, Ok(..=1)) {
            let request = leave_room::v3::Request::new(room.clone());
            if let Err(error) = self.api.send_within(request, LOOKUP_LIMIT).await {
                debug!(%error, "an empty room on Matrix could not be left");
            }
        }
    }

    /// Forgets a room that the bot is no longer a member of.
    pub(super) async fn forget(&self, room: OwnedRoomId) {
        self.bot.forget_chat(asker(&room, &self.me.user).chat).await;
        if let Err(error) = self.api.send_within(forget_room::v3::Request::new(room), LOOKUP_LIMIT).await {
            debug!(%error, "a room on Matrix that was left could not be forgotten");
        }
    }

    /// Tells an encrypted room that the bot cannot read it.
    pub(super) async fn decline_encryption(&self, destination: Destination) {
        let asker = asker(&destination.room, &destination.asker);
        let language = self.bot.reply_style(&asker).await.language;
        self.sender.post(&destination, &language.message("matrix-encrypted").into()).await;
    }

    /// Shows "typing" in the room while `work` runs.
    pub(super) async fn typing_while<T>(&self, room: &OwnedRoomId, work: impl Future<Output = T>) -> T {
        let typing = async {
            self.show_typing(room).await;
            std::future::pending().await
        };
        tokio::select! {
            done = work => done,
            never = typing => never,
        }
    }

    async fn show_typing(&self, room: &OwnedRoomId) {
        let state = typing::Typing::Yes(typing::TypingInfo::new(TYPING));
        if let Err(error) = self.api.send(typing::Request::new(self.me.user.clone(), room.clone(), state)).await {
            debug!(%error, "typing could not be shown");
        }
    }
}
