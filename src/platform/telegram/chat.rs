//! What a message asks for, and the answer to it.
//!
//! In a private chat every photo and picture file is answered; in groups only `/guess`, as a
//! photo's caption or in reply to one.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use teloxide::payloads::SendChatActionSetters;
use teloxide::requests::Requester;
use teloxide::types::{ChatAction, FileId, FileMeta, Me, Message};
use teloxide::{ApiError, RequestError};
use tokio::time::interval;
use tracing::warn;
use url::Url;

use super::TelegramOptions;
use super::delivery::{Place, send, told};
use crate::bot::commands::{Command, Standing};
use crate::bot::languages::Language;
use crate::bot::people::{Asker, ChatId, PersonId, Platform};
use crate::bot::{Answer, Bot, CardWhen, PhotoSource, Problem, ReplyOptions};
use crate::photo::{DownloadError, Hosts};

/// What people are offered in Telegram's menu.
pub(super) const COMMANDS: [(&str, &str); 3] = [
    ("guess", "Guess the photo that this is the caption of, or a reply to"),
    ("help", "What I can do, and how to take a good photo"),
    ("privacy", "What happens to your photo"),
];

/// `getFile` hands bots nothing larger (Bot API, getFile).
const MAX_FILE: u32 = 20 << 20;
/// A caption holds no more; so does every reply, since it may become one.
const MAX_CHARACTERS: usize = 1024;
/// A chat action lasts five seconds at most.
const ACTION_EVERY: Duration = Duration::from_secs(4);

const REPLY: ReplyOptions = ReplyOptions { max_characters: MAX_CHARACTERS, card: CardWhen::SeveralFaces, max_cards: 1 };

/// A file on Telegram's side.
#[derive(Debug, Clone, PartialEq)]
struct RemoteFile {
    id: FileId,
    /// Absent when Telegram does not say.
    bytes: Option<u32>,
}

impl RemoteFile {
    fn new(file: &FileMeta) -> Self {
        // teloxide's own word for a size that was not given.
        let bytes = Some(file.size).filter(|bytes| *bytes != u32::MAX);
        Self { id: file.id.clone(), bytes }
    }
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
enum Wish {
    Guess(RemoteFile),
    /// A guess, but there is no picture.
    NoPhoto,
    Help,
    Privacy,
}

pub(super) struct Chat {
    api: teloxide::Bot,
    me: Me,
    bot: Arc<Bot>,
    token: SecretString,
    file_base: Url,
}

impl Chat {
    pub(super) fn new(api: teloxide::Bot, me: Me, bot: Arc<Bot>, options: &TelegramOptions) -> Self {
        Self { api, me, bot, token: options.token.clone(), file_base: options.file_base.clone() }
    }

    pub(super) fn api(&self) -> &teloxide::Bot {
        &self.api
    }

    /// Answers a message, if it asks for anything.
    pub(super) async fn answer(&self, message: Message) {
        let Some(wish) = wish(&message, self.me.username()) else { return };
        let place = Place::of(&message);
        let asker = asker(&message);
        let standing = Standing { name: String::new(), admin: false, direct: message.chat.is_private() };
        let answer = match wish {
            Wish::Guess(file) => self.guess(file, place, &asker).await,
            Wish::NoPhoto => {
                let language = self.bot.manners(&asker).await.language;
                format!("{} {}", Problem::NoPhoto.told(language), language.say("how-telegram")).into()
            }
            Wish::Help => self.bot.command(Command::Help, &asker, &standing).await,
            Wish::Privacy => self.bot.command(Command::Privacy, &asker, &standing).await,
        };
        send(&self.api, place, &answer).await;
    }

    /// Guesses while the chat shows that something is being done.
    async fn guess(&self, file: RemoteFile, place: Place, asker: &Asker) -> Answer {
        let manners = self.bot.manners(asker).await;
        let work = async {
            match self.source(file).await {
                Ok(source) => self.bot.answer(vec![source], asker.person, &manners, REPLY).await,
                Err(problem) => problem.told(manners.language).into(),
            }
        };
        tokio::select! {
            answer = work => answer,
            never = self.show_action(place) => match never {},
        }
    }

    async fn source(&self, file: RemoteFile) -> Result<PhotoSource, Problem> {
        let limit = Problem::PlatformLimit { limit: MAX_FILE.into() };
        if file.bytes.is_some_and(|bytes| bytes > MAX_FILE) {
            return Err(limit);
        }
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
        Ok(PhotoSource::Link { url: self.file_url(&path), hosts: Hosts::of([&self.file_base]) })
    }

    /// `<base>/file/bot<token>/<path>`, as the Bot API has it.
    fn file_url(&self, path: &str) -> Url {
        let mut url = self.file_base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/file/bot{}/{path}", self.token.expose_secret()));
        url
    }

    async fn show_action(&self, place: Place) -> std::convert::Infallible {
        let mut every = interval(ACTION_EVERY);
        loop {
            every.tick().await;
            let mut request = self.api.send_chat_action(place.chat, ChatAction::Typing);
            if let Some(topic) = place.topic {
                request = request.message_thread_id(topic);
            }
            if let Err(error) = request.await {
                tracing::debug!(error = told(&error), "a chat action was not taken");
            }
        }
    }
}

/// What `message` asks the bot `me` for, if anything.
fn wish(message: &Message, me: &str) -> Option<Wish> {
    // An admin who writes as the group is shown as a bot of Telegram's own, with a sender chat.
    if message.sender_chat.is_none() && message.from.as_ref().is_some_and(|sender| sender.is_bot) {
        return None;
    }
    let private = message.chat.is_private();
    match command(message.text().or(message.caption()).unwrap_or_default(), me) {
        Some("guess") => {
            let file = file(message).or_else(|| message.reply_to_message().and_then(file));
            return Some(file.map_or(Wish::NoPhoto, Wish::Guess));
        }
        Some("start" | "help") => return Some(Wish::Help),
        Some("privacy") => return Some(Wish::Privacy),
        _ if !private => return None,
        _ => {}
    }
    match file(message) {
        Some(file) => Some(Wish::Guess(file)),
        None if message.text().is_some() => Some(Wish::Help),
        // Stickers, voice and the like; nobody needs an answer to "a member joined".
        None if matches!(message.kind, teloxide::types::MessageKind::Common(_)) => Some(Wish::NoPhoto),
        None => None,
    }
}

/// The command at the start of `text`, unless it names another bot than `me`.
fn command<'a>(text: &'a str, me: &str) -> Option<&'a str> {
    let word = text.strip_prefix('/')?.split_whitespace().next()?;
    match word.split_once('@') {
        Some((command, bot)) => bot.eq_ignore_ascii_case(me).then_some(command),
        None => Some(word),
    }
}

/// The largest size of a photo, or a document of whatever kind: its bytes decide later.
fn file(message: &Message) -> Option<RemoteFile> {
    if let Some(sizes) = message.photo() {
        let largest = sizes.iter().max_by_key(|size| u64::from(size.width) * u64::from(size.height))?;
        return Some(RemoteFile::new(&largest.file));
    }
    message.document().map(|document| RemoteFile::new(&document.file))
}

fn asker(message: &Message) -> Asker {
    let platform = Platform::Telegram;
    let sender = message.from.as_ref();
    Asker {
        person: PersonId { platform, id: sender.map_or(message.chat.id.0, |sender| sender.id.0.cast_signed()) },
        chat: ChatId { platform, id: message.chat.id.0 },
        language: sender.and_then(|sender| Language::of(sender.language_code.as_deref()?)),
    }
}
