//! Answers photos.

use std::sync::{Arc, Mutex, PoisonError};

use ruma::OwnedMxcUri;
use ruma::api::client::room::get_room_event;
use tracing::debug;
use url::Url;

use super::dispatch::DIRECT;
use super::handler::Handler;
use super::ids::{EventKey, event_key, event_number, person_id};
use super::incoming::{Message, Photo};
use super::refusals::{ApiError, refusal};
use super::request::{PhotoRequest, PhotoTask};
use super::rooms::LOOKUP_LIMIT;
use super::sender::{Destination, PostOutcome};
use crate::bot::actions::Action;
use crate::bot::album::Delivery;
use crate::bot::people::Platform;
use crate::bot::{Answer, CardPolicy, PhotoSource, Problem, RenewLink, ReplyOptions};
use crate::download::{AllowedOrigins, DownloadError};
use crate::inference::FlowId;
use crate::platform::refusal::Refusal;

/// An event may have 64 KiB (client-server API, size limits); a character takes 4 bytes at most.
const MAX_TEXT: usize = 8000;

/// The reply to a photo.
const REPLY: ReplyOptions = ReplyOptions {
    platform: Platform::Matrix.name(),
    max_characters: MAX_TEXT,
    card: CardPolicy::SeveralFaces,
    max_cards: 1,
};

impl Handler {
    /// Answers a request. `false`: the homeserver was unavailable for too long, and the reply is still owed.
    pub(super) async fn answer_photo(&self, request: &PhotoRequest) -> bool {
        if self.removed.contains(event_key(&request.room, &request.event)) {
            return true;
        }
        match self.is_wanted(request).await {
            Ok(true) => {}
            Ok(false) => return true,
            Err(error) => return !matches!(refusal(&error), Refusal::Retry { .. }),
        }
        let photo = match self.photo(request).await {
            Ok(photo) => photo,
            Err(error) if matches!(refusal(&error), Refusal::Retry { .. }) => return false,
            Err(error) => {
                debug!(%error, "the message that a request refers to is not accessible");
                None
            }
        };
        let Some((photo, outcome)) = self.answer(request, photo).await else { return true };
        let PostOutcome::Sent(events) = outcome else { return outcome != PostOutcome::Deferred };
        let asking = event_key(&request.room, &request.event);
        let about = [Some(asking), photo.filter(|photo| *photo != asking)];
        // Who removes a message at this moment either finds the answer here or is found below.
        for key in about.into_iter().flatten() {
            self.answers.change(key, |answers| answers.extend_from_slice(&events));
        }
        if about.iter().flatten().any(|key| self.removed.contains(*key)) {
            self.sender.remove(&request.room, events).await;
        }
        true
    }

    /// Whether a request is to be answered: it asks, or it is in a room where every photo is answered.
    async fn is_wanted(&self, request: &PhotoRequest) -> Result<bool, ApiError> {
        Ok(request.task.is_some()
            || self.bot.chat_settings(request.asker().chat).await.auto
            || self.rooms.members(&request.room).await? <= DIRECT)
    }

    /// The photo of a request: its own, that of the message it refers to, or the one which that message answers.
    async fn photo(&self, request: &PhotoRequest) -> Result<Option<Photo>, ApiError> {
        if request.photo.is_some() {
            return Ok(request.photo.clone());
        }
        let mut about = request.about.clone();
        // From an answer of the bot to the photo.
        for _ in 0..2 {
            let Some(event) = about else { break };
            let fetch = get_room_event::v3::Request::new(request.room.clone(), event);
            let event = self.api.send_within(fetch, LOOKUP_LIMIT).await?.event;
            let event: serde_json::Value = serde_json::from_str(event.json().get()).unwrap_or_default();
            if event["sender"] != self.me.user.as_str() {
                return Ok(Message::from_json(&event).and_then(|message| message.photo));
            }
            let reply_to = event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"].as_str();
            about = reply_to.and_then(|id| id.try_into().ok());
        }
        Ok(None)
    }

    /// Sends the answer; returns the photo's message and what became of the answer. `None` if no answer is owed.
    async fn answer(&self, request: &PhotoRequest, photo: Option<Photo>) -> Option<(Option<EventKey>, PostOutcome)> {
        let (asker, mut destination) = (request.asker(), request.destination());
        let style = self.bot.reply_style(&asker).await;
        let Some(photo) = photo else {
            let text = format!("{} {}", Problem::NoPhoto.message(style.language), style.language.message("how-matrix"));
            return Some((None, self.sender.post(&destination, &text.into()).await));
        };
        let message = Some(event_key(&request.room, &photo.event));
        let problem = if self.bot.has_opted_out(person_id(&photo.author)).await {
            Some(Some(Problem::OptedOut).filter(|_| request.task.is_some())?)
        } else if request.resumed {
            // An earlier run has already counted it.
            None
        } else {
            match self.bot.admit(&asker, 1) {
                Ok(()) => None,
                Err(problem) => Some(problem?),
            }
        };
        if let Some(problem) = problem {
            return Some((message, self.sender.post(&destination, &problem.message(style.language).into()).await));
        }
        destination.reply_to = photo.event.clone();
        let source = self.source(&photo);
        let work = async {
            if let Some(PhotoTask::Explain { face }) = request.task {
                let (flow, action) = (FlowId::from_key(&asker.person), Action::Explain { face });
                let answer = self.bot.handle_photo_button(flow, action, source, &style, REPLY).await;
                return self.sender.post(&destination, &answer).await;
            }
            let outcome = Mutex::new(PostOutcome::Deferred);
            let reply = PhotoReply { handler: self, destination: &destination, outcome: &outcome };
            self.bot.deliver(vec![source], asker.person, &style, REPLY, &reply).await;
            outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
        };
        Some((message, self.typing_while(&request.room, work).await))
    }

    /// The photo on the homeserver, which asks for the token. Those before version 1.11 of the specification have it at
    /// another address.
    fn source(&self, photo: &Photo) -> PhotoSource {
        let limit = self.max_bytes;
        if photo.size.is_some_and(|size| size > limit) {
            return PhotoSource::Refused(Problem::Download(DownloadError::TooLarge { limit }));
        }
        let base = self.api.base().clone();
        let link = |path: &str| media_link(&base, path, &photo.uri);
        let Some(url) = link("_matrix/client/v1/media/download") else {
            return PhotoSource::Refused(Problem::PhotoGone);
        };
        let former = link("_matrix/media/v3/download");
        let renew = RenewLink(Arc::new(move || {
            let former = former.clone();
            Box::pin(async move { former })
        }));
        let hosts = AllowedOrigins::from_urls([&base]);
        PhotoSource::Link { url, hosts, renew: Some(renew), token: Some(self.api.token()) }
    }

    /// Apologises for a photo that is too old to be answered.
    pub(super) async fn drop_expired(&self, request: &PhotoRequest) {
        let asker = request.asker();
        if matches!(self.is_wanted(request).await, Ok(true)) {
            let language = self.bot.reply_style(&asker).await.language;
            let apology = Problem::Interrupted.message(language).into();
            if self.sender.post(&request.destination(), &apology).await == PostOutcome::Deferred {
                return;
            }
        }
        self.bot.finish(asker.chat, event_number(&request.event)).await;
    }
}

/// The address of a file on the homeserver `base`, which fetches those of others itself.
fn media_link(base: &Url, path: &str, uri: &OwnedMxcUri) -> Option<Url> {
    let (server, media) = uri.parts().ok()?;
    let mut url = base.clone();
    let mut segments = url.path_segments_mut().ok()?;
    segments.pop_if_empty().extend(path.split('/')).extend([server.as_str(), media]);
    drop(segments);
    Some(url)
}

/// The only reply to a photo.
struct PhotoReply<'a> {
    handler: &'a Handler,
    destination: &'a Destination,
    outcome: &'a Mutex<PostOutcome>,
}

impl Delivery for PhotoReply<'_> {
    type Sent = ();
    const HAS_PHOTO_BUTTONS: bool = false;

    async fn post(&self, answer: &Answer) -> Option<()> {
        let outcome = self.handler.sender.post(self.destination, answer).await;
        let is_sent = matches!(outcome, PostOutcome::Sent(_));
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
        is_sent.then_some(())
    }

    /// Never called: only replies to several photos are edited, and a message on Matrix has one.
    async fn edit(&self, (): &(), _: &Answer) {}
}
