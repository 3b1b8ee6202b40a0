//! Answers photos: a guess, a game, or why there is none.

use std::sync::{Mutex, PoisonError};

use teloxide::payloads::{CopyMessage, SendChatAction};
use teloxide::types::ChatAction;
use tracing::debug;

use super::album::Reply;
use super::api::Request as ApiRequest;
use super::chat::Chat;
use super::delivery::{CAPTION, Place, Posted, TEXT, message_number};
use super::edits::{Edited, ReplyAt};
use super::incoming::{ChatKind, Photos};
use super::refusals::refusal;
use super::request::{self, Asks, Gathered, Request};
use crate::bot::steps::Delivery;
use crate::bot::{Answer, CardWhen, Problem, ReplyOptions};
use crate::platform::refusal::Refusal;

/// How one photo is answered: the words fit under the picture.
pub(super) const OF_ONE: ReplyOptions =
    ReplyOptions { max_characters: CAPTION, card: CardWhen::SeveralFaces, max_cards: 1 };
/// How an album is: each photo's words need room, which only a message without a picture has.
const OF_ALBUM: ReplyOptions = ReplyOptions { max_characters: TEXT, ..OF_ONE };

/// So many photos that no further one makes a difference to the reply.
const ALL: usize = usize::MAX;

/// What came of the answer to a message or an album.
pub(super) struct Outcome {
    /// Whether nothing more is owed.
    pub(super) is_settled: bool,
    pub(super) reply: Option<Reply>,
}

impl Outcome {
    const NOTHING_OWED: Self = Self { is_settled: true, reply: None };

    fn of(posted: Posted, place: Place, photos: usize) -> Self {
        let reply = match posted {
            Posted::Sent(sent) => Some(Reply { sent, place, photos }),
            _ => None,
        };
        Self { is_settled: posted != Posted::NotYet, reply }
    }
}

impl Chat {
    /// Answers the parts of an album, or a message alone. Parts that come after the `earlier` reply
    /// are told in it.
    pub(super) async fn answer(&self, parts: &[Request], earlier: Option<Reply>) -> Outcome {
        let Some(Gathered { first, asks, photos }) = Gathered::of(parts) else { return Outcome::NOTHING_OWED };
        if asks.is_none() && (photos.is_none() || !self.bot.chat_settings(first.asker.chat).await.auto) {
            return Outcome::NOTHING_OWED;
        }
        for part in parts {
            self.answered.insert((part.place().chat, part.message), part.date);
        }
        let Some(photos) = photos else { return self.no_photo(first).await };
        if let Some(earlier) = earlier {
            return self.complete(first, photos, earlier).await;
        }
        let place = match self.admitted(&photos, first, photos.files.len()).await {
            Ok(place) => place,
            Err(outcome) => return outcome,
        };
        match asks {
            Some(Asks::Game { truth }) => self.game(photos, truth, first, place).await,
            _ => self.guess(photos, first, place).await,
        }
    }

    async fn no_photo(&self, request: &Request) -> Outcome {
        let language = self.bot.reply_style(&request.asker).await.language;
        let text = format!("{} {}", Problem::NoPhoto.message(language), language.say("how-telegram"));
        let place = request.place();
        // Photos of its album that come later are told in this reply.
        Outcome::of(self.outbox.post(place, &text.into()).await, place, 0)
    }

    async fn guess(&self, photos: Photos, request: &Request, place: Place) -> Outcome {
        let asker = &request.asker;
        let style = self.bot.reply_style(asker).await;
        let private = self.bot.chat_settings(asker.chat).await.private;
        let place = match private && request.kind == ChatKind::Group && asker.person.id > 0 {
            true => match self.private_place(&photos, place).await {
                Some(place) => place,
                None if request.asks.is_none() => return Outcome::NOTHING_OWED,
                None => {
                    let answer = style.language.say("private-start").into();
                    let place = request.place();
                    return Outcome::of(self.outbox.post(place, &answer).await, place, ALL);
                }
            },
            false => place,
        };
        let count = photos.files.len();
        let options = if count > 1 { OF_ALBUM } else { OF_ONE };
        let work = async {
            let sources = self.files.sources(photos.files).await;
            let reply = ReplyAt::new(&self.outbox, place);
            self.bot.deliver(sources, asker.person, &style, options, &reply).await;
            reply.finish().await
        };
        Outcome::of(self.typing_while(place, work).await, place, count)
    }

    async fn game(&self, photos: Photos, truth: Option<u8>, request: &Request, place: Place) -> Outcome {
        let work = async {
            // A game is about one face, so an album's first photo will do.
            let sources = self.files.sources(photos.files.into_iter().take(1).collect()).await;
            let Some(source) = sources.into_iter().next() else { return Posted::Never };
            let answer = self.bot.game(source, truth, &request.asker).await;
            self.outbox.post(place, &answer).await
        };
        // A late part of the album is not part of the game.
        Outcome::of(self.typing_while(place, work).await, place, ALL)
    }

    /// Tells the parts of an album that came late in the reply that the others got.
    async fn complete(&self, first: &Request, photos: Photos, earlier: Reply) -> Outcome {
        let Reply { sent, mut place, photos: told } = earlier;
        let count = photos.files.len();
        let asker = &first.asker;
        let same = Outcome { is_settled: true, reply: Some(earlier) };
        // Of people who are asked to wait the reply stays as it is.
        if count <= told
            || self.bot.ignores(request::person(photos.author)).await
            || self.bot.admit(asker, count - told).is_err()
        {
            return same;
        }
        place.cover = place.cover.and(photos.cover);
        let style = self.bot.reply_style(asker).await;
        let sources = self.files.sources(photos.files).await;
        let draft = Draft::default();
        self.bot.deliver(sources, asker.person, &style, OF_ALBUM, &draft).await;
        let Some(answer) = draft.0.into_inner().unwrap_or_else(PoisonError::into_inner) else { return same };
        let posted = match self.outbox.edit(sent, place.cover, &answer).await {
            Edited::Done(sent) => Posted::Sent(sent),
            Edited::Impossible => self.outbox.replace(Posted::Sent(sent), place, &answer).await,
            Edited::Failed => return same,
        };
        Outcome::of(posted, place, count)
    }

    /// The place of the answer, unless the photos are not to be looked at; says why not.
    async fn admitted(&self, photos: &Photos, request: &Request, count: usize) -> Result<Place, Outcome> {
        let place = request.place();
        let problem = if self.bot.ignores(request::person(photos.author)).await {
            Some(Problem::OptedOut).filter(|_| request.asks.is_some())
        } else {
            // What an earlier run has begun with counted there.
            let admitted = if request.resumed { Ok(()) } else { self.bot.admit(&request.asker, count) };
            match admitted {
                Ok(()) => {
                    let cover = place.cover.and(photos.cover);
                    return Ok(Place { about: Some(photos.message), cover, ..place });
                }
                Err(problem) => problem,
            }
        };
        let Some(problem) = problem else { return Err(Outcome::NOTHING_OWED) };
        let language = self.bot.reply_style(&request.asker).await.language;
        Err(Outcome::of(self.outbox.post(place, &problem.message(language).into()).await, place, 0))
    }

    /// A place in the asker's private chat, beside a copy of the photo; `None` if the bot may not
    /// write there.
    async fn private_place(&self, photos: &Photos, place: Place) -> Option<Place> {
        let private = place.private(place.asker.person.id);
        let request = match photos.cover.protected {
            // Telegram copies none of these. This says as well whether the bot may write there.
            true => ApiRequest::of(&SendChatAction::new(private.chat, ChatAction::Typing)),
            false => ApiRequest::of(&CopyMessage::new(private.chat, place.chat, photos.message)),
        };
        match self.outbox.request(private.chat, &request).await {
            Ok(copy) => Some(Place { about: message_number(&copy), ..private }),
            Err(error) if matches!(refusal(&error), Refusal::Gone | Refusal::Forbidden) => None,
            Err(error) => {
                // Some groups forbid copies.
                debug!(%error, "a photo could not be copied");
                Some(private)
            }
        }
    }

    /// Says that a photo is too old to be answered now.
    pub(super) async fn apologise(&self, request: &Request) -> Posted {
        let language = self.bot.reply_style(&request.asker).await.language;
        self.outbox.post(request.place(), &Problem::Interrupted.message(language).into()).await
    }
}

/// Keeps the latest version of a reply instead of sending each.
#[derive(Default)]
struct Draft(Mutex<Option<Answer>>);

impl Draft {
    fn keep(&self, answer: &Answer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
    }
}

impl Delivery for Draft {
    type Sent = ();

    async fn post(&self, answer: &Answer) -> Option<()> {
        self.keep(answer);
        Some(())
    }

    async fn edit(&self, (): &(), answer: &Answer) {
        self.keep(answer);
    }
}
