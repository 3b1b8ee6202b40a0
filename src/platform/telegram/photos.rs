//! Answers photo requests: with a guess, a game, or the reason why there is none.

use std::sync::{Mutex, PoisonError};

use teloxide::payloads::{CopyMessage, SendChatAction};
use teloxide::types::ChatAction;
use tracing::debug;

use super::album::AlbumReply;
use super::api::ApiRequest;
use super::delivery::{PhotoReply, PostOutcome};
use super::destination::Destination;
use super::edits::EditOutcome;
use super::form::{MAX_CAPTION, MAX_TEXT};
use super::handler::Handler;
use super::identity::person_id;
use super::incoming::{ChatKind, Photos, parse_message_id};
use super::refusals::refusal;
use super::request::{MergedRequest, PhotoRequest, PhotoTask};
use crate::bot::album::Delivery;
use crate::bot::people::Platform;
use crate::bot::{Answer, CardPolicy, Problem, ReplyOptions};
use crate::platform::refusal::Refusal;

/// The reply to one photo: the text fits into the picture's caption.
pub(super) const SINGLE_PHOTO: ReplyOptions = ReplyOptions {
    platform: Platform::Telegram.name(),
    max_characters: MAX_CAPTION,
    card: CardPolicy::SeveralFaces,
    max_cards: 1,
};
/// The reply to an album: its text may need a message without a picture.
const ALBUM: ReplyOptions = ReplyOptions { max_characters: MAX_TEXT, ..SINGLE_PHOTO };

/// The photo count of a reply that further photos do not change.
const ALL_PHOTOS: usize = usize::MAX;

/// The result of answering a message or an album.
pub(super) struct AnswerOutcome {
    /// Whether no reply is owed any more.
    pub(super) is_final: bool,
    pub(super) reply: Option<AlbumReply>,
}

impl AnswerOutcome {
    pub(super) const NO_REPLY_OWED: Self = Self { is_final: true, reply: None };

    fn new(outcome: PostOutcome, destination: Destination, photos: usize) -> Self {
        let reply = match outcome {
            PostOutcome::Sent(sent) => Some(AlbumReply { sent, destination, photos }),
            _ => None,
        };
        Self { is_final: outcome != PostOutcome::Deferred, reply }
    }
}

impl Handler {
    /// Answers the parts of an album or a single message. Parts that arrive after the `earlier` reply
    /// are added to it.
    pub(super) async fn answer_photos(&self, parts: &[PhotoRequest], earlier: Option<AlbumReply>) -> AnswerOutcome {
        let Some(MergedRequest { lead, task, photos }) = MergedRequest::new(parts) else {
            return AnswerOutcome::NO_REPLY_OWED;
        };
        if task.is_none() && (photos.is_none() || !self.is_auto(lead.asker.chat).await) {
            return AnswerOutcome::NO_REPLY_OWED;
        }
        for part in parts {
            self.answered.insert((part.destination().chat, part.message), part.date);
        }
        if let Some(query) = &lead.guest {
            return self.answer_guest(query, lead, photos).await;
        }
        if let Some(action) = lead.action() {
            return self.answer_button(action, lead).await;
        }
        let Some(photos) = photos else { return self.reply_no_photo(lead).await };
        if let Some(earlier) = earlier {
            return self.extend_reply(lead, photos, earlier).await;
        }
        let destination = match self.admit(&photos, lead, photos.files.len()).await {
            Ok(destination) => destination,
            Err(outcome) => return outcome,
        };
        match task {
            Some(PhotoTask::Game { truth }) => self.start_game(photos, truth, lead, destination).await,
            _ => self.guess(photos, lead, destination).await,
        }
    }

    async fn reply_no_photo(&self, request: &PhotoRequest) -> AnswerOutcome {
        let language = self.bot.reply_style(&request.asker).await.language;
        let text = format!("{} {}", Problem::NoPhoto.message(language), language.message("how-telegram"));
        let destination = request.destination();
        // Photos of the same album that arrive later are added to this reply.
        AnswerOutcome::new(self.sender.answer(request.job_key(), destination, &text.into()).await, destination, 0)
    }

    async fn guess(&self, photos: Photos, request: &PhotoRequest, destination: Destination) -> AnswerOutcome {
        let asker = &request.asker;
        let style = self.bot.reply_style(asker).await;
        let private = self.bot.chat_settings(asker.chat).await.private;
        let destination = if private && request.chat_kind == ChatKind::Group && asker.person.id > 0 {
            match self.private_destination(&photos, destination).await {
                Some(destination) => destination,
                None if request.task.is_none() => return AnswerOutcome::NO_REPLY_OWED,
                None => {
                    let answer = style.language.message("private-start").into();
                    let destination = request.destination();
                    let outcome = self.sender.answer(request.job_key(), destination, &answer).await;
                    return AnswerOutcome::new(outcome, destination, ALL_PHOTOS);
                }
            }
        } else {
            destination
        };
        let count = photos.files.len();
        let options = if count > 1 { ALBUM } else { SINGLE_PHOTO };
        let work = async {
            let sources = self.files.sources(photos.files).await;
            let reply = PhotoReply::new(&self.sender, request.job_key(), destination);
            self.bot.deliver(sources, asker.person, &style, options, &reply).await;
            reply.finish().await
        };
        AnswerOutcome::new(self.typing_while(destination, work).await, destination, count)
    }

    async fn start_game(
        &self,
        photos: Photos,
        truth: Option<u8>,
        request: &PhotoRequest,
        destination: Destination,
    ) -> AnswerOutcome {
        let work = async {
            // A game is about one face, so only an album's first photo is used.
            let sources = self.files.sources(photos.files.into_iter().take(1).collect()).await;
            let Some(source) = sources.into_iter().next() else { return PostOutcome::Undeliverable };
            let answer = self.bot.game(source, truth, &request.asker).await;
            self.sender.answer(request.job_key(), destination, &answer).await
        };
        // Late parts of the album are not part of the game.
        AnswerOutcome::new(self.typing_while(destination, work).await, destination, ALL_PHOTOS)
    }

    /// Adds late parts of an album to the reply to the others.
    async fn extend_reply(&self, lead: &PhotoRequest, photos: Photos, earlier: AlbumReply) -> AnswerOutcome {
        let AlbumReply { sent, mut destination, photos: covered } = earlier;
        let count = photos.files.len();
        let asker = &lead.asker;
        let unchanged = AnswerOutcome { is_final: true, reply: Some(earlier) };
        // If the asker has exceeded their limit, the reply stays as it is.
        if count <= covered
            || self.bot.has_opted_out(person_id(photos.author)).await
            || self.bot.admit(asker, count - covered).is_err()
        {
            return unchanged;
        }
        destination.flags = destination.flags.union(photos.flags);
        let style = self.bot.reply_style(asker).await;
        let sources = self.files.sources(photos.files).await;
        let draft = Draft::default();
        self.bot.deliver(sources, asker.person, &style, ALBUM, &draft).await;
        let Some(answer) = draft.0.into_inner().unwrap_or_else(PoisonError::into_inner) else { return unchanged };
        let outcome = match self.sender.edit(sent, destination.flags, &answer).await {
            EditOutcome::Done(sent) => PostOutcome::Sent(sent),
            EditOutcome::NotEditable => self.sender.replace(PostOutcome::Sent(sent), destination, &answer).await,
            EditOutcome::Failed => return unchanged,
        };
        AnswerOutcome::new(outcome, destination, count)
    }

    /// Checks opt-outs and rate limits; returns the reply's destination, or the outcome of a refusal,
    /// which is sent here.
    async fn admit(&self, photos: &Photos, request: &PhotoRequest, count: usize) -> Result<Destination, AnswerOutcome> {
        let destination = request.destination();
        let problem = if self.bot.has_opted_out(person_id(photos.author)).await {
            Some(Problem::OptedOut).filter(|_| request.task.is_some())
        } else {
            // An earlier run has already counted the photos of a resumed request.
            let admitted = if request.resumed { Ok(()) } else { self.bot.admit(&request.asker, count) };
            match admitted {
                Ok(()) => {
                    let flags = destination.flags.union(photos.flags);
                    return Ok(Destination { reply_to: Some(photos.message), flags, ..destination });
                }
                Err(problem) => problem,
            }
        };
        let Some(problem) = problem else { return Err(AnswerOutcome::NO_REPLY_OWED) };
        let language = self.bot.reply_style(&request.asker).await.language;
        let answer = problem.message(language).into();
        let outcome = self.sender.answer(request.job_key(), destination, &answer).await;
        Err(AnswerOutcome::new(outcome, destination, 0))
    }

    /// The asker's private chat, in reply to a copy of the photo; `None` if the bot may not write
    /// there.
    async fn private_destination(&self, photos: &Photos, destination: Destination) -> Option<Destination> {
        let private = destination.in_private(destination.asker.person.id);
        let request = if photos.flags.protected {
            // Protected photos cannot be copied. A chat action shows just as well whether the bot may
            // write there.
            ApiRequest::new(&SendChatAction::new(private.chat, ChatAction::Typing))
        } else {
            ApiRequest::new(&CopyMessage::new(private.chat, destination.chat, photos.message))
        };
        match self.sender.send_request(private.chat, &request).await {
            Ok(copy) => Some(Destination { reply_to: parse_message_id(&copy), ..private }),
            Err(error) if matches!(refusal(&error), Refusal::Gone | Refusal::Forbidden) => None,
            Err(error) => {
                // Some groups do not allow copies.
                debug!(%error, "a photo could not be copied");
                Some(private)
            }
        }
    }

    /// Replies that a photo is too old to be answered now.
    pub(super) async fn apologise(&self, request: &PhotoRequest) -> PostOutcome {
        let language = self.bot.reply_style(&request.asker).await.language;
        let answer = Problem::Interrupted.message(language).into();
        self.sender.answer(request.job_key(), request.destination(), &answer).await
    }
}

/// Stores the latest version of a reply instead of sending it.
#[derive(Default)]
struct Draft(Mutex<Option<Answer>>);

impl Draft {
    fn store(&self, answer: &Answer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
    }
}

impl Delivery for Draft {
    type Sent = ();

    async fn post(&self, answer: &Answer) -> Option<()> {
        self.store(answer);
        Some(())
    }

    async fn edit(&self, (): &(), answer: &Answer) {
        self.store(answer);
    }
}
