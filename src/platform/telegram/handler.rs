//! The state that all updates share, and the requests that several kinds of them need.
//!
//! [`dispatch`](super::dispatch) accepts updates and starts the tasks that answer them;
//! [`photos`](super::photos), [`commands`](super::commands) and [`buttons`](super::buttons) are these
//! tasks.

use std::sync::Arc;
use std::time::Duration;

use teloxide::payloads::{GetChatMember, SendChatAction, SendChatActionSetters};
use teloxide::types::{ChatAction, ChatId, UserId};
use tokio::sync::Semaphore;
use tokio::time::interval;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::album::Albums;
use super::answered::AnsweredMessages;
use super::api::Api;
use super::destination::Destination;
use super::files::Files;
use super::identity::BotAccount;
use super::incoming::Topic;
use super::options::TelegramOptions;
use super::sender::Sender;
use crate::bot::Bot;
use crate::bot::people::ChatId as BotChatId;

/// Telegram shows a chat action for five seconds at most.
const TYPING_INTERVAL: Duration = Duration::from_secs(4);
/// In how many chats "typing" is shown concurrently. Beyond that, the request rate is left to replies.
const MAX_TYPING: usize = 8;
/// How long requests about chat members and answers to callback queries are retried.
pub(super) const LOOKUP_LIMIT: Duration = Duration::from_secs(15);

pub(super) struct Handler {
    pub(super) me: BotAccount,
    pub(super) bot: Arc<Bot>,
    pub(super) sender: Sender,
    pub(super) files: Files,
    /// Held while a callback query changes a game.
    pub(super) callback_lock: tokio::sync::Mutex<()>,
    pub(super) albums: Albums,
    pub(super) answered: AnsweredMessages,
    pub(super) tasks: TaskTracker,
    typing_slots: Semaphore,
}

impl Handler {
    /// Each answer becomes a task in `tasks`.
    pub(super) fn new(api: Api, me: BotAccount, bot: Arc<Bot>, options: &TelegramOptions, tasks: &TaskTracker) -> Self {
        Self {
            answered: AnsweredMessages::new(api.server_time()),
            files: Files::new(api.clone(), options),
            sender: Sender::new(api, bot.clone()),
            me,
            bot,
            callback_lock: tokio::sync::Mutex::new(()),
            albums: Albums::default(),
            tasks: tasks.clone(),
            typing_slots: Semaphore::new(MAX_TYPING),
        }
    }

    pub(super) fn api(&self) -> &Api {
        &self.sender.api
    }

    /// Whether a chat has automatic replies on.
    pub(super) async fn is_auto(&self, chat: BotChatId) -> bool {
        self.bot.chat_settings(chat).await.auto
    }

    /// Whether a user is an admin of a group or channel; `false` if that cannot be determined.
    pub(super) async fn is_admin(&self, chat: ChatId, user: i64) -> bool {
        let user = UserId(user.unsigned_abs());
        match self.api().call_within(&GetChatMember::new(chat, user), LOOKUP_LIMIT).await {
            Ok(member) => matches!(member["status"].as_str(), Some("creator" | "administrator")),
            Err(error) => {
                warn!(%error, "whether a user is an admin could not be determined");
                false
            }
        }
    }

    /// Shows "typing" in the chat while `work` runs.
    pub(super) async fn typing_while<T>(&self, destination: Destination, work: impl Future<Output = T>) -> T {
        let typing = async {
            if let Ok(_permit) = self.typing_slots.try_acquire() {
                self.show_typing(destination).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            done = work => done,
            never = typing => never,
        }
    }

    async fn show_typing(&self, destination: Destination) {
        let mut request = SendChatAction::new(destination.chat, ChatAction::Typing);
        if let Some(Topic::Thread(thread)) = destination.topic {
            request = request.message_thread_id(thread);
        }
        let mut ticks = interval(TYPING_INTERVAL);
        loop {
            ticks.tick().await;
            if let Err(error) = self.api().call(&request).await {
                // Channels do not support chat actions.
                return debug!(%error, "a chat action was refused");
            }
        }
    }
}
