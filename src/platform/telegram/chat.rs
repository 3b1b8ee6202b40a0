//! Takes updates and answers what they ask for, each in a task of its own.
//!
//! Whoever asks about a photo gets their [job](crate::bot::jobs) stored before [`Chat::take`]
//! returns, so that the update can be confirmed to Telegram.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use teloxide::payloads::{GetChatMember, GetMe, SendChatAction, SendChatActionSetters};
use teloxide::types::{ChatAction, ChatId, MessageId, UserId};
use tokio::sync::Semaphore;
use tokio::time::interval;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::album::{Albums, Key};
use super::answered::Answered;
use super::api::Api;
use super::delivery::{Outbox, Place, Posted};
use super::files::Files;
use super::incoming::{ChatKind, Content, Cover, Message, Topic, Update};
use super::photos::Outcome;
use super::request::{self, Request, Wish, wish};
use super::{Me, TelegramOptions};
use crate::bot::commands::{AskerRole, Command};
use crate::bot::jobs::{Job, UpdateId};
use crate::bot::people::{Asker, Platform};
use crate::bot::{Bot, Problem};

/// A chat action lasts five seconds at most.
const ACTION_EVERY: Duration = Duration::from_secs(4);
/// Chats that are shown "typing" at once. When more wait, replies need the requests more.
const TYPING_AT_ONCE: usize = 8;
/// How long Telegram is asked about people and presses.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

pub(super) struct Chat {
    me: Me,
    pub(super) bot: Arc<Bot>,
    pub(super) outbox: Outbox,
    pub(super) files: Files,
    /// Held while a press is acted on.
    pub(super) presses: tokio::sync::Mutex<()>,
    albums: Albums,
    pub(super) answered: Answered,
    typing: Semaphore,
    replies: TaskTracker,
}

impl Chat {
    /// Answers become tasks of `replies`.
    pub(super) fn new(api: Api, me: Me, bot: Arc<Bot>, options: &TelegramOptions, replies: &TaskTracker) -> Self {
        Self {
            answered: Answered::new(api.clock()),
            files: Files::new(api.clone(), options),
            outbox: Outbox::new(api, bot.clone()),
            me,
            bot,
            presses: tokio::sync::Mutex::new(()),
            albums: Albums::default(),
            typing: Semaphore::new(TYPING_AT_ONCE),
            replies: replies.clone(),
        }
    }

    pub(super) fn api(&self) -> &Api {
        &self.outbox.api
    }

    /// Answers the photos that an earlier run left unanswered. To be called before any update is
    /// taken: what comes after that is no earlier run's.
    pub(super) async fn resume(self: &Arc<Self>) {
        let mut late = Vec::new();
        for job in self.bot.resume(Platform::Telegram).await {
            match Request::of(&job) {
                Some(request) if job.is_expired() => late.push(request),
                Some(request) => self.start(request),
                None => {
                    warn!("a photo that was left unanswered cannot be found again");
                    let chat = self.clone();
                    self.replies.spawn(async move { chat.drop_unreadable(job).await });
                }
            }
        }
        if !late.is_empty() {
            let chat = self.clone();
            self.replies.spawn(async move { chat.drop_late(late).await });
        }
    }

    /// Forgets a job that another version wrote. Whoever sent its photo in private is told.
    async fn drop_unreadable(&self, job: Job) {
        let asker = Asker { person: job.person, chat: job.chat, language: None };
        if job.chat.id > 0 {
            let about = i32::try_from(job.message).ok().map(MessageId);
            let place =
                Place { chat: ChatId(job.chat.id), topic: None, about, cover: Cover::default(), asker, asked: true };
            let language = self.bot.reply_style(&asker).await.language;
            self.outbox.post(place, &Problem::Interrupted.message(language).into()).await;
        }
        self.bot.finish(job.chat, job.message).await;
    }

    /// Apologises for photos that are too old to be answered, once for each album.
    async fn drop_late(&self, late: Vec<Request>) {
        let mut albums = std::collections::HashSet::new();
        for request in &late {
            // Of an album's parts the one that asks speaks for all.
            let asking = late.iter().find(|other| other.album == request.album && other.asks.is_some());
            let speaks = if request.album.is_some() { asking.unwrap_or(request) } else { request };
            let first = request.album.is_none() || albums.insert((request.asker.chat, request.album.clone()));
            let owed = speaks.asks.is_some() || self.bot.chat_settings(request.asker.chat).await.auto;
            if first && owed && self.apologise(speaks).await == Posted::NotYet {
                continue;
            }
            self.bot.finish(request.asker.chat, request.message.0.into()).await;
        }
    }

    /// Takes an update. `is_fresh`: it was not waiting at Telegram when the program started.
    pub(super) async fn take(self: &Arc<Self>, update: &Value, is_fresh: bool) {
        let Some(Update { id, content }) = Update::of(update) else {
            return warn!("something that is no update came from Telegram");
        };
        match content {
            Content::Message(message) => {
                self.answered.see((message.chat, message.id), message.date);
                self.take_message(id, *message, false).await;
            }
            Content::Edited(message) => {
                if let Some(now) = message.edit_date.filter(|_| is_fresh) {
                    self.answered.clock(now);
                }
                if self.answered.would_know((message.chat, message.id), message.date) {
                    self.take_message(id, *message, true).await;
                }
            }
            Content::Press(press) => {
                if self.receive(id, None).await {
                    let chat = self.clone();
                    self.replies.spawn(async move { chat.pressed(*press).await });
                }
            }
            Content::Other(kind) => info!(kind, "an update that is not understood was passed over"),
        }
    }

    async fn receive(&self, update: i64, job: Option<Job>) -> bool {
        self.bot.receive(Some(UpdateId { bot: self.me.id, update }), job).await
    }

    /// An edit counts when the message asks for something now and has no answer yet.
    async fn take_message(self: &Arc<Self>, update: i64, message: Message, is_edit: bool) {
        if let Some(moved) = message.moved_to {
            return self.bot.chat_moved(request::chat(message.chat), request::chat(ChatId(moved))).await;
        }
        let key = (message.chat, message.id);
        if self.answered.contains(key) {
            return;
        }
        match wish(&message, &self.me) {
            None => {}
            Some(Wish::Command(command)) => {
                self.answered.insert(key, message.date);
                let chat = self.clone();
                self.replies.spawn(async move { chat.command(command, &message).await });
            }
            Some(Wish::Photos(request)) => {
                let is_alone = request.album.is_none();
                if request.asks.is_none() && (is_edit || is_alone && !self.is_auto(&request).await) {
                    return;
                }
                if is_edit {
                    // What was stored of the message asked for nothing.
                    self.bot.finish(request.asker.chat, request.message.0.into()).await;
                }
                if self.receive(update, Some(request.job())).await {
                    if is_alone {
                        self.answered.insert(key, message.date);
                    }
                    self.start(request);
                }
            }
        }
    }

    async fn is_auto(&self, request: &Request) -> bool {
        self.bot.chat_settings(request.asker.chat).await.auto
    }

    /// Answers a request in a task of its own, together with the other parts of its album.
    fn start(self: &Arc<Self>, request: Request) {
        let chat = self.clone();
        if request.album.is_none() {
            self.replies.spawn(async move {
                let parts = [request];
                let outcome = chat.answer(&parts, None).await;
                chat.settle(&parts, &outcome).await;
            });
        } else if let Some(key) = self.albums.add(request) {
            self.replies.spawn(async move { chat.answer_album(&key).await });
        }
    }

    async fn answer_album(&self, key: &Key) {
        loop {
            let (parts, earlier) = self.albums.whole(key).await;
            let outcome = self.answer(&parts, earlier).await;
            self.settle(&parts, &outcome).await;
            if self.albums.is_done(key, &parts, outcome.reply) {
                return;
            }
        }
    }

    /// Forgets the jobs of what was answered.
    async fn settle(&self, parts: &[Request], outcome: &Outcome) {
        if !outcome.is_settled {
            return;
        }
        for part in parts {
            self.bot.finish(part.asker.chat, part.message.0.into()).await;
            if let Some(reply) = &outcome.reply
                && reply.place.chat.0 < 0
                && reply.sent.chat.0 != part.asker.chat.id
            {
                // The chat got another number meanwhile, and the job with it.
                self.bot.finish(request::chat(reply.sent.chat), part.message.0.into()).await;
            }
        }
    }

    async fn command(&self, command: Command, message: &Message) {
        let asker: &Asker = &request::asker(message);
        let group = message.kind == ChatKind::Group;
        let matters = command.needs_admin() || command == Command::Forget;
        let admin = request::is_admin_by_itself(message)
            || match &message.from {
                Some(sender) if matters => self.is_admin(message.chat, sender.id).await,
                _ => false,
            };
        let name = message.from.as_ref().map(|sender| sender.name.clone()).unwrap_or_default();
        let role = AskerRole { name, admin, direct: message.kind == ChatKind::Private };
        let switched_on = command == Command::Auto(Some(true)) && admin && group;
        let mut answer = self.bot.command(command, asker, &role).await;
        if switched_on && !self.sees_all(message.chat).await {
            let language = self.bot.reply_style(asker).await.language;
            answer.text = format!("{}\n\n{}", answer.text, language.say("privacy-mode"));
        }
        self.outbox.post(Place::of(message), &answer).await;
    }

    /// Whether somebody is an admin of a group or channel; not if Telegram does not say.
    pub(super) async fn is_admin(&self, chat: ChatId, person: i64) -> bool {
        let person = UserId(person.unsigned_abs());
        match self.api().call_within(&GetChatMember::new(chat, person), PATIENCE).await {
            Ok(member) => matches!(member["status"].as_str(), Some("creator" | "administrator")),
            Err(error) => {
                warn!(%error, "Telegram did not say who is an admin");
                false
            }
        }
    }

    /// Whether photos in a group reach the bot that nobody asks about.
    async fn sees_all(&self, chat: ChatId) -> bool {
        // Asked anew: the host may have switched the privacy mode off since the start.
        let me = self.api().call_within(&GetMe::new(), PATIENCE).await;
        let open = me.ok().and_then(|me| me["can_read_all_group_messages"].as_bool());
        open.unwrap_or(self.me.can_read_all) || self.is_admin(chat, self.me.id).await
    }

    /// Shows in the chat that something is being done.
    pub(super) async fn typing_while<T>(&self, place: Place, work: impl Future<Output = T>) -> T {
        let shown = async {
            if let Ok(_permit) = self.typing.try_acquire() {
                self.show_typing(place).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            done = work => done,
            // It goes on until the work is done.
            never = shown => never,
        }
    }

    async fn show_typing(&self, place: Place) {
        let mut request = SendChatAction::new(place.chat, ChatAction::Typing);
        if let Some(Topic::Thread(thread)) = place.topic {
            request = request.message_thread_id(thread);
        }
        let mut every = interval(ACTION_EVERY);
        loop {
            every.tick().await;
            if let Err(error) = self.api().call(&request).await {
                // Channels take none.
                return debug!(%error, "a chat action was not taken");
            }
        }
    }
}
