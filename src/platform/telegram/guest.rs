//! Answers people who mention the bot in a chat that it is not a member of (guest mode).
//!
//! Each such message can be answered once, through its query, with a text that the bot may edit later. Nothing
//! else is sent: the id of the chat may be that of another one.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use teloxide::types::ChatId;
use tracing::{debug, warn};

use super::form::{GuestForm, GuestTarget, MAX_TEXT};
use super::handler::Handler;
use super::identity::{chat_id, person_id};
use super::incoming::Photos;
use super::photos::{AnswerOutcome, SINGLE_PHOTO};
use super::refusals::{ApiError, ErrorKind, refusal};
use super::request::PhotoRequest;
use super::sender::Sender;
use super::updates::CallbackQuery;
use crate::bot::actions::Action;
use crate::bot::album::Delivery;
use crate::bot::commands::AskerRole;
use crate::bot::jobs::Claim;
use crate::bot::languages::Language;
use crate::bot::people::Asker;
use crate::bot::{Answer, CardPolicy, Problem, ReplyOptions};
use crate::platform::refusal::Refusal;

/// A guest cannot upload pictures.
const GUEST_REPLY: ReplyOptions = ReplyOptions { max_characters: MAX_TEXT, card: CardPolicy::Never, ..SINGLE_PHOTO };

impl Handler {
    /// Answers a guest's query.
    pub(super) async fn answer_guest(
        &self,
        query: &str,
        request: &PhotoRequest,
        photos: Option<Photos>,
    ) -> AnswerOutcome {
        let asker = &request.asker;
        let style = self.bot.reply_style(asker).await;
        let reply = GuestReply::new(&self.sender, query, request);
        match self.admit_guest(request, photos, style.language).await {
            Ok(photos) => {
                let sources = self.files.sources(photos.files).await;
                self.bot.deliver(sources, asker.person, &style, GUEST_REPLY, &reply).await;
            }
            Err(Some(refused)) => {
                reply.post(&refused.into()).await;
            }
            Err(None) => return AnswerOutcome::NO_REPLY_OWED,
        }
        AnswerOutcome { is_final: !reply.is_deferred.into_inner(), reply: None }
    }

    /// The photos to answer, or what to say instead.
    async fn admit_guest(
        &self,
        request: &PhotoRequest,
        photos: Option<Photos>,
        language: Language,
    ) -> Result<Photos, Option<String>> {
        let Some(photos) = photos else {
            return Err(Some(format!("{} {}", Problem::NoPhoto.message(language), language.message("how-guest"))));
        };
        if self.bot.has_opted_out(person_id(photos.author)).await {
            return Err(Some(Problem::OptedOut.message(language)));
        }
        // An earlier run has already counted the photos of a resumed request.
        let admitted = if request.resumed { Ok(()) } else { self.bot.admit(&request.asker, photos.files.len()) };
        admitted.map(|()| photos).map_err(|problem| problem.map(|problem| problem.message(language)))
    }

    /// Handles a button under an answer of a guest's. Such an answer has only the one that deletes it.
    pub(super) async fn press_guest(&self, query: &CallbackQuery, action: Action, message: &str) {
        let asker = Asker {
            person: person_id(query.from.id),
            chat: chat_id(ChatId(query.from.id)),
            language: query.from.language.as_deref().and_then(Language::from_tag),
        };
        let role = AskerRole { name: query.from.name.clone(), admin: false, direct: false };
        let pressed = self.bot.handle_button(action, &asker, &role).await;
        self.answer_callback_query(query, pressed.note).await;
        if pressed.delete {
            // A guest cannot delete its messages.
            let language = self.bot.reply_style(&asker).await.language;
            let empty = Answer::from(language.message("reply-deleted"));
            if let Err(error) = self.sender.send_as_guest(&asker, GuestTarget::Message(message), &empty).await {
                debug!(%error, "an answer in a chat that the bot is not a member of could not be emptied");
            }
        }
    }
}

impl Sender {
    /// Sends an answer in its fullest form that is accepted.
    async fn send_as_guest(&self, asker: &Asker, target: GuestTarget<'_>, answer: &Answer) -> Result<Value, ApiError> {
        let mut form = GuestForm::new();
        loop {
            match self.send_request(ChatId(asker.person.id), &form.request(target, answer)).await {
                Err(error) if error.kind() == ErrorKind::NotModified => return Ok(Value::Bool(true)),
                Err(error) if refusal(&error) == Refusal::Simplify && form.simplify(&error) => {}
                result => return result,
            }
        }
    }
}

/// The answer to a guest's query.
struct GuestReply<'a> {
    sender: &'a Sender,
    query: &'a str,
    request: &'a PhotoRequest,
    /// Whether the query can no longer be answered.
    is_closed: AtomicBool,
    /// Whether Telegram was unavailable for too long, so that the answer is still owed.
    is_deferred: AtomicBool,
}

impl<'a> GuestReply<'a> {
    fn new(sender: &'a Sender, query: &'a str, request: &'a PhotoRequest) -> Self {
        Self { sender, query, request, is_closed: AtomicBool::new(false), is_deferred: AtomicBool::new(false) }
    }

    fn record(&self, error: &ApiError) {
        let is_deferred = matches!(refusal(error), Refusal::Retry { .. });
        self.is_deferred.store(is_deferred, Ordering::Relaxed);
        self.is_closed.fetch_or(!is_deferred, Ordering::Relaxed);
        match refusal(error) {
            Refusal::Gone => debug!(%error, "the query of a guest can no longer be answered"),
            _ => warn!(%error, "an answer in a chat that the bot is not a member of could not be sent"),
        }
    }
}

impl Delivery for GuestReply<'_> {
    /// The id of the answer.
    type Sent = String;

    const HAS_PHOTO_BUTTONS: bool = false;

    async fn post(&self, answer: &Answer) -> Option<String> {
        if self.is_closed.load(Ordering::Relaxed) {
            return None;
        }
        let claim = self.sender.claim(self.request.job_key()).await;
        if claim != Claim::Granted {
            self.is_deferred.store(claim == Claim::Elsewhere, Ordering::Relaxed);
            self.is_closed.store(true, Ordering::Relaxed);
            return None;
        }
        match self.sender.send_as_guest(&self.request.asker, GuestTarget::Query(self.query), answer).await {
            Ok(sent) => {
                self.is_deferred.store(false, Ordering::Relaxed);
                Some(sent["inline_message_id"].as_str().unwrap_or_default().to_owned())
            }
            Err(error) => {
                self.record(&error);
                None
            }
        }
    }

    async fn edit(&self, sent: &String, answer: &Answer) {
        if let Err(error) = self.sender.send_as_guest(&self.request.asker, GuestTarget::Message(sent), answer).await {
            debug!(%error, "an answer in a chat that the bot is not a member of could not be edited");
        }
    }
}
