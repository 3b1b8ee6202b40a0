//! Changes and deletes messages that were sent, and keeps the reply to photos up to date.

use std::io::Cursor;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use image::{GrayImage, ImageFormat, Luma};
use teloxide::payloads::{DeleteMessage, EditMessageCaption, EditMessageMedia, EditMessageText};
use teloxide::types::{ChatId, InputMedia, InputMediaPhoto, MessageId};
use tracing::{debug, warn};

use super::api::{Fault, Request};
use super::delivery::{
    Attempts, CAPTION, Outbox, Place, Posted, Sent, TEXT, card, fits_a_caption, keyboard, no_preview, picture,
    shortened, shorter,
};
use super::incoming::Cover;
use super::refusals::{Meaning, Part, refusal};
use crate::bot::languages::Language;
use crate::bot::steps::Delivery;
use crate::bot::{Answer, Card};
use crate::platform::refusal::Refusal;

/// How long a deletion is tried.
const DELETION: Duration = Duration::from_secs(60);
/// The sides of the picture that stands for one that cannot be deleted, in pixels.
const BLANK: u32 = 64;

/// What came of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edited {
    /// The message is as it should be, or a later edit will make it so.
    Done(Sent),
    /// The message cannot be edited: it is gone, a picture whose caption has no room for the text, or
    /// every form of the edit was refused.
    Impossible,
    /// Nothing more can be done.
    Failed,
}

impl Outbox {
    /// Replaces a message. Of several edits that wait for their turn, the one begun last is made:
    /// an edit begins when this is called, not when it is first polled.
    pub(super) fn edit<'a>(
        &'a self,
        sent: Sent,
        cover: Cover,
        answer: &'a Answer,
    ) -> impl Future<Output = Edited> + Send + 'a {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let key = (sent.chat, sent.message);
        self.edits.lock().unwrap_or_else(PoisonError::into_inner).insert(key, number);
        async move {
            let edited = self.edit_in_turn(sent, number, cover, answer).await;
            let mut edits = self.edits.lock().unwrap_or_else(PoisonError::into_inner);
            if edits.get(&key) == Some(&number) {
                edits.remove(&key);
            }
            edited
        }
    }

    async fn edit_in_turn(&self, mut sent: Sent, number: u64, cover: Cover, answer: &Answer) -> Edited {
        let key = (sent.chat, sent.message);
        let mut form = Form::new(answer);
        let mut attempts = Attempts::default();
        loop {
            let turn = self.pace.turn(sent.chat).await;
            if !self.is_latest(key, number) {
                // A later edit says more than this one.
                turn.unused();
                return Edited::Done(sent);
            }
            let Some(request) = form.request(sent, cover, answer) else {
                turn.unused();
                return Edited::Impossible;
            };
            let error = match self.api.send(&request).await {
                Ok(_) => return Edited::Done(Sent { is_picture: sent.is_picture || form.picture, ..sent }),
                Err(error) => error,
            };
            if let Some(moved) = attempts.moved(&error) {
                sent.chat = self.follow(sent.chat, moved).await;
                continue;
            }
            match (error.meaning(), refusal(&error)) {
                (Meaning::Unchanged, _) => return Edited::Done(sent),
                (Meaning::Lost, _) => return Edited::Impossible,
                (Meaning::NotText, _) if !sent.is_picture => {
                    turn.unused();
                    sent.is_picture = true;
                }
                (_, Refusal::Wait { after }) if attempts.wait(turn, after).await => {}
                (_, Refusal::Simplify) if form.simplify(&error) => debug!(%error, "a reply is edited more plainly"),
                (_, Refusal::Forbidden | Refusal::Gone) => {
                    debug!(%error, "a reply on Telegram can no longer be edited");
                    return Edited::Failed;
                }
                (_, Refusal::Simplify) => {
                    // For a reason that is not known here. What it should say is not lost.
                    warn!(%error, "Telegram refused even the plainest form of an edit");
                    return Edited::Impossible;
                }
                _ => {
                    warn!(%error, "a reply on Telegram could not be edited");
                    return Edited::Failed;
                }
            }
        }
    }

    fn is_latest(&self, key: (ChatId, MessageId), number: u64) -> bool {
        self.edits.lock().unwrap_or_else(PoisonError::into_inner).get(&key) == Some(&number)
    }

    /// Deletes a message. One that is too old for that loses its words, faces and buttons instead.
    pub(super) async fn delete(&self, sent: Sent, cover: Cover, language: Language) {
        let request = DeleteMessage::new(sent.chat, sent.message);
        let Err(error) = self.api.call_within(&request, DELETION).await else { return };
        if matches!(error.meaning(), Meaning::Lost) || refusal(&error) == Refusal::Gone {
            return debug!(%error, "a message on Telegram is gone already");
        }
        debug!(%error, "a message on Telegram cannot be deleted and is emptied");
        let cards = blank().into_iter().filter(|_| sent.is_picture).collect();
        let empty = Answer { text: language.say("reply-deleted"), cards, ..Answer::default() };
        self.edit(sent, cover, &empty).await;
    }
}

/// Which parts an edit is made with.
struct Form {
    buttons: bool,
    picture: bool,
    characters: usize,
}

impl Form {
    fn new(answer: &Answer) -> Self {
        Self { buttons: true, picture: card(answer).is_some(), characters: TEXT }
    }

    /// Leaves out what was refused, else the next part; `false` when there is none left.
    fn simplify(&mut self, error: &Fault) -> bool {
        let left_out = match error.meaning() {
            Meaning::Part(Part::Buttons) => std::mem::take(&mut self.buttons),
            Meaning::Part(Part::Picture) => std::mem::take(&mut self.picture),
            Meaning::Part(Part::Length) => std::mem::take(&mut self.picture) || shorter(&mut self.characters),
            _ => false,
        };
        left_out || std::mem::take(&mut self.buttons) || std::mem::take(&mut self.picture)
    }

    /// `None` for words that have no room below the picture that the message is.
    fn request(&self, sent: Sent, cover: Cover, answer: &Answer) -> Option<Request> {
        let Sent { chat, message, is_picture } = sent;
        let keyboard = keyboard(answer, true).filter(|_| self.buttons);
        if let Some(card) = card(answer).filter(|_| self.picture) {
            let mut photo = InputMediaPhoto::new(picture()).caption(&answer.text);
            photo.has_spoiler = cover.spoiler;
            let mut edit = EditMessageMedia::new(chat, message, InputMedia::Photo(photo));
            edit.reply_markup = keyboard;
            return Some(Request::of(&edit).picture(card.jpeg.clone()));
        }
        if is_picture {
            let mut edit = EditMessageCaption::new(chat, message);
            let characters = self.characters.min(CAPTION);
            edit.caption = Some(fits_a_caption(&answer.text).then(|| shortened(&answer.text, characters))?);
            edit.reply_markup = keyboard;
            return Some(Request::of(&edit));
        }
        let mut edit = EditMessageText::new(chat, message, shortened(&answer.text, self.characters));
        edit.link_preview_options = Some(no_preview());
        edit.reply_markup = keyboard;
        Some(Request::of(&edit))
    }
}

/// A plain grey picture: Telegram lets nobody take a picture out of a message.
fn blank() -> Option<Card> {
    let mut jpeg = Cursor::new(Vec::new());
    GrayImage::from_pixel(BLANK, BLANK, Luma([128])).write_to(&mut jpeg, ImageFormat::Jpeg).ok()?;
    Some(Card { jpeg: jpeg.into_inner().into(), alternative_text: String::new() })
}

/// The one reply to photos: posts it, edits it, and knows what became of it.
pub(super) struct ReplyAt<'a> {
    outbox: &'a Outbox,
    place: Place,
    state: Mutex<State>,
}

struct State {
    posted: Posted,
    /// What the reply should say and could not be made to.
    unsaid: Option<Answer>,
}

impl<'a> ReplyAt<'a> {
    pub(super) fn new(outbox: &'a Outbox, place: Place) -> Self {
        Self { outbox, place, state: Mutex::new(State { posted: Posted::NotYet, unsaid: None }) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of the reply in the end. What an edit could not say any more is posted anew.
    pub(super) async fn finish(self) -> Posted {
        let State { posted, unsaid } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match unsaid {
            Some(answer) => self.outbox.replace(posted, self.place, &answer).await,
            None => posted,
        }
    }
}

impl Outbox {
    /// Posts an answer in place of a reply that could not be edited into it.
    pub(super) async fn replace(&self, old: Posted, place: Place, answer: &Answer) -> Posted {
        let posted = self.post(place, answer).await;
        if let (Posted::Sent(old), Posted::Sent(_)) = (old, posted) {
            // It says less than the new one, where it is still there.
            let request = DeleteMessage::new(old.chat, old.message);
            if let Err(error) = self.api.call_within(&request, DELETION).await {
                debug!(%error, "a reply that was replaced could not be deleted");
            }
        }
        posted
    }
}

impl Delivery for ReplyAt<'_> {
    type Sent = Sent;

    async fn post(&self, answer: &Answer) -> Option<Sent> {
        if self.state().posted == Posted::Never {
            // It was tried before and is not possible; whom that concerns was told.
            return None;
        }
        let posted = self.outbox.post(self.place, answer).await;
        self.state().posted = posted;
        match posted {
            Posted::Sent(sent) => Some(sent),
            _ => None,
        }
    }

    async fn edit(&self, sent: &Sent, answer: &Answer) {
        let current = match self.state().posted {
            Posted::Sent(current) => current,
            _ => *sent,
        };
        let edited = self.outbox.edit(current, self.place.cover, answer).await;
        let mut state = self.state();
        state.unsaid = None;
        match edited {
            Edited::Done(sent) => state.posted = Posted::Sent(sent),
            Edited::Impossible => state.unsaid = Some(answer.clone()),
            Edited::Failed => {}
        }
    }
}
