//! Answers what messages ask for.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use teloxide::payloads::SendChatActionSetters;
use teloxide::requests::Requester;
use teloxide::types::{ChatAction, Me, Message, Update, UpdateKind, UserId};
use teloxide::{ApiError, RequestError};
use tokio::sync::Semaphore;
use tokio::time::interval;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use url::Url;

use super::TelegramOptions;
use super::album::Albums;
use super::answered::Answered;
use super::delivery::{At, CAPTION, Outbox, Place, Sent, TEXT, is_forbidden, told};
use super::request::{self, Photos, RemoteFile, Wish, wish};
use crate::bot::commands::{Command, Standing};
use crate::bot::people::Asker;
use crate::bot::{Bot, CardWhen, PhotoSource, Problem, ReplyOptions};
use crate::photo::{DownloadError, Hosts};

/// `getFile` hands bots nothing larger (Bot API, getFile).
const MAX_FILE: u32 = 20 << 20;
/// Files asked for at once: more gain nothing, and each is a connection.
const FILES_AT_ONCE: usize = 16;
/// A chat action lasts five seconds at most.
const ACTION_EVERY: Duration = Duration::from_secs(4);
/// Chats that are shown "typing" at once. When more wait, replies need the requests more.
const TYPING_AT_ONCE: usize = 8;

/// How one photo is answered: the words fit under the picture.
pub(super) const OF_ONE: ReplyOptions =
    ReplyOptions { max_characters: CAPTION, card: CardWhen::SeveralFaces, max_cards: 1 };
/// How an album is: each photo's words need room, which only a message without a picture has.
const OF_ALBUM: ReplyOptions = ReplyOptions { max_characters: TEXT, ..OF_ONE };

pub(super) struct Chat {
    api: teloxide::Bot,
    me: Me,
    pub(super) bot: Arc<Bot>,
    pub(super) outbox: Outbox,
    /// Held while a press is acted on.
    pub(super) presses: tokio::sync::Mutex<()>,
    albums: Albums,
    answered: Answered,
    typing: Semaphore,
    files: Semaphore,
    token: SecretString,
    file_base: Url,
}

impl Chat {
    pub(super) fn new(api: teloxide::Bot, me: Me, bot: Arc<Bot>, options: &TelegramOptions) -> Self {
        Self {
            outbox: Outbox::new(api.clone(), bot.clone()),
            api,
            me,
            bot,
            presses: tokio::sync::Mutex::new(()),
            albums: Albums::default(),
            answered: Answered::new(),
            typing: Semaphore::new(TYPING_AT_ONCE),
            files: Semaphore::new(FILES_AT_ONCE),
            token: options.token.clone(),
            file_base: options.file_base.clone(),
        }
    }

    pub(super) fn api(&self) -> &teloxide::Bot {
        &self.api
    }

    /// Takes an update and answers it in a task of `replies`.
    pub(super) fn take(self: &Arc<Self>, update: Update, replies: &TaskTracker) {
        let chat = self.clone();
        match update.kind {
            UpdateKind::Message(message) | UpdateKind::ChannelPost(message) => match self.albums.add(message) {
                Err(message) => drop(replies.spawn(async move { chat.answer(vec![*message]).await })),
                Ok(Some(first)) => {
                    replies.spawn(async move { chat.answer(chat.albums.whole(&first).await).await });
                }
                Ok(None) => {}
            },
            UpdateKind::EditedMessage(message) | UpdateKind::EditedChannelPost(message) => {
                replies.spawn(async move { chat.answer_edited(message).await });
            }
            UpdateKind::CallbackQuery(query) => drop(replies.spawn(async move { chat.pressed(query).await })),
            _ => {}
        }
    }

    /// Answers a message, or the messages of an album, if they ask for anything.
    async fn answer(&self, messages: Vec<Message>) {
        let Some(first) = messages.first() else { return };
        if let Some(moved) = first.migrate_to_chat_id() {
            return self.bot.chat_moved(request::chat(first.chat.id), request::chat(*moved)).await;
        }
        let Some(wish) = wish(&messages, self.me.username()) else { return };
        let asker = request::asker(first);
        let unasked = matches!(wish, Wish::Unasked(_));
        if unasked && !self.bot.chat_settings(asker.chat).await.auto {
            return;
        }
        // Every part of an album is remembered, also where an earlier one was known.
        let known = messages.iter().filter(|message| !self.answered.first_time(message)).count();
        if known > 0 {
            return;
        }
        match wish {
            Wish::Guess(photos) | Wish::Unasked(photos) => self.guess(photos, first, &asker, unasked).await,
            Wish::Game { photos, truth } => self.game(photos, truth, first, &asker).await,
            Wish::NoPhoto => {
                let language = self.bot.manners(&asker).await.language;
                let text = format!("{} {}", Problem::NoPhoto.told(language), language.say("how-telegram"));
                self.outbox.post(Place::of(first), &text.into()).await;
            }
            Wish::Command(command) => self.command(command, first, &asker).await,
        }
    }

    /// An edit counts when the message asks for something now and has no answer yet.
    async fn answer_edited(&self, message: Message) {
        let messages = vec![message];
        let asks = wish(&messages, self.me.username()).is_some_and(|wish| !matches!(wish, Wish::Unasked(_)));
        if asks && self.answered.reaches_back_to(&messages[0]) {
            self.answer(messages).await;
        }
    }

    async fn guess(&self, photos: Photos, message: &Message, asker: &Asker, unasked: bool) {
        let Some(place) = self.admitted(&photos, message, asker, unasked).await else { return };
        let manners = self.bot.manners(asker).await;
        let place = match self.bot.chat_settings(asker.chat).await.private {
            true if request::is_group(message) && asker.person.id > 0 => {
                let Some(place) = self.private_place(&photos, message, asker).await else {
                    if !unasked {
                        self.outbox.post(Place::of(message), &manners.language.say("private-start").into()).await;
                    }
                    return;
                };
                place
            }
            _ => place,
        };
        let options = if photos.files.len() > 1 { OF_ALBUM } else { OF_ONE };
        let work = async {
            let sources = self.sources(photos.files).await;
            let delivery = At { outbox: &self.outbox, place };
            self.bot.deliver(sources, asker.person, &manners, options, &delivery).await;
        };
        self.typing_while(place, work).await;
    }

    async fn game(&self, photos: Photos, truth: Option<u8>, message: &Message, asker: &Asker) {
        let Some(place) = self.admitted(&photos, message, asker, false).await else { return };
        let work = async {
            // A game is about one face, so an album's first photo will do.
            let sources = self.sources(photos.files.into_iter().take(1).collect()).await;
            if let Some(source) = sources.into_iter().next() {
                let answer = self.bot.game(source, truth, asker).await;
                self.outbox.post(place, &answer).await;
            }
        };
        self.typing_while(place, work).await;
    }

    /// The place of the answer, unless the photos are not to be looked at; says why not.
    async fn admitted(&self, photos: &Photos, message: &Message, asker: &Asker, unasked: bool) -> Option<Place> {
        let place = Place::beside(message, photos.message);
        let problem = if self.bot.ignores(photos.author).await {
            Some(Problem::OptedOut).filter(|_| !unasked)
        } else {
            match self.bot.admit(asker, photos.files.len()) {
                Ok(()) => return Some(place),
                Err(problem) => problem,
            }
        };
        if let Some(problem) = problem {
            let language = self.bot.manners(asker).await.language;
            self.outbox.post(Place::of(message), &problem.told(language).into()).await;
        }
        None
    }

    /// A place in the asker's private chat, beside a copy of the photo; `None` if the bot may not
    /// write there.
    async fn private_place(&self, photos: &Photos, message: &Message, asker: &Asker) -> Option<Place> {
        let private = teloxide::types::ChatId(asker.person.id);
        let photo = Sent { chat: message.chat.id, message: photos.message };
        match self.outbox.copy(photo, private).await {
            Ok(copy) => Some(Place { chat: private, topic: None, about: Some(copy) }),
            Err(error) if is_forbidden(&error) => None,
            Err(error) => {
                // Some groups forbid copies.
                debug!(error = told(&error), "a photo could not be copied");
                Some(Place { chat: private, topic: None, about: None })
            }
        }
    }

    async fn command(&self, command: Command, message: &Message, asker: &Asker) {
        let group = request::is_group(message);
        let matters = command.needs_admin() || command == Command::Forget;
        let admin = request::is_admin_by_itself(message)
            || match &message.from {
                Some(sender) if matters => self.is_admin(message.chat.id, sender.id).await,
                _ => false,
            };
        let name = message.from.as_ref().map(|sender| sender.full_name()).unwrap_or_default();
        let standing = Standing { name, admin, direct: message.chat.is_private() };
        let switched_on = command == Command::Auto(Some(true)) && admin && group;
        let mut answer = self.bot.command(command, asker, &standing).await;
        if switched_on && !self.sees_all(message.chat.id).await {
            let language = self.bot.manners(asker).await.language;
            answer.text = format!("{}\n\n{}", answer.text, language.say("privacy-mode"));
        }
        self.outbox.post(Place::of(message), &answer).await;
    }

    /// Whether somebody is an admin of a group or channel; not if Telegram does not say.
    pub(super) async fn is_admin(&self, chat: teloxide::types::ChatId, person: UserId) -> bool {
        match self.api.get_chat_member(chat, person).await {
            Ok(member) => member.is_privileged(),
            Err(error) => {
                warn!(error = told(&error), "Telegram did not say who is an admin");
                false
            }
        }
    }

    /// Whether photos in a group reach the bot that nobody asks about.
    async fn sees_all(&self, chat: teloxide::types::ChatId) -> bool {
        // Asked anew: the host may have switched the privacy mode off since the start.
        let open =
            self.api.get_me().await.map_or(self.me.can_read_all_group_messages, |me| me.can_read_all_group_messages);
        open || self.is_admin(chat, self.me.id).await
    }

    pub(super) async fn sources(&self, files: Vec<RemoteFile>) -> Vec<PhotoSource> {
        let source = |file| async { self.source(file).await.unwrap_or_else(PhotoSource::Refused) };
        join_all(files.into_iter().map(source)).await
    }

    async fn source(&self, file: RemoteFile) -> Result<PhotoSource, Problem> {
        let limit = Problem::PlatformLimit { limit: MAX_FILE.into() };
        if file.bytes.is_some_and(|bytes| bytes > MAX_FILE) {
            return Err(limit);
        }
        let _permit = self.files.acquire().await;
        let path = match self.api.get_file(file.id).await {
            Ok(file) => file.path,
            Err(RequestError::Api(ApiError::Unknown(reason))) if reason.contains("file is too big") => {
                return Err(limit);
            }
            Err(error) => {
                warn!(error = told(&error), "Telegram did not say where a file is");
                return Err(Problem::Download(DownloadError::Failed { reason: "getFile failed".into() }));
            }
        };
        Ok(PhotoSource::Link { url: self.file_url(&path), hosts: Hosts::of([&self.file_base]), renew: None })
    }

    /// `<base>/file/bot<token>/<path>`, as the Bot API has it.
    fn file_url(&self, path: &str) -> Url {
        let mut url = self.file_base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/file/bot{}/{path}", self.token.expose_secret()));
        url
    }

    /// Shows in the chat that something is being done.
    pub(super) async fn typing_while(&self, place: Place, work: impl Future<Output = ()>) {
        let shown = async {
            if let Ok(_permit) = self.typing.try_acquire() {
                self.show_typing(place).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            () = work => {}
            () = shown => {}
        }
    }

    async fn show_typing(&self, place: Place) {
        let mut every = interval(ACTION_EVERY);
        loop {
            every.tick().await;
            let mut request = self.api.send_chat_action(place.chat, ChatAction::Typing);
            if let Some(topic) = place.topic {
                request = request.message_thread_id(topic);
            }
            if let Err(error) = request.await {
                // Channels take none.
                debug!(error = told(&error), "a chat action was not taken");
                return;
            }
        }
    }
}
