//! Edits and deletes messages that were sent.

use std::io::Cursor;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use image::{GrayImage, ImageFormat, Luma};
use teloxide::payloads::DeleteMessage;
use teloxide::types::{ChatId, MessageId};
use tracing::{debug, warn};

use super::form::{EditForm, SentMessage};
use super::incoming::MediaFlags;
use super::refusals::{ErrorKind, refusal};
use super::sender::{RetryState, Sender};
use crate::bot::languages::Language;
use crate::bot::{Answer, Card};
use crate::platform::refusal::Refusal;

/// How long a deletion is retried.
const DELETION_LIMIT: Duration = Duration::from_secs(60);
/// The side of the picture that replaces one that cannot be deleted, in pixels.
const BLANK_SIDE: u32 = 64;

/// The result of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EditOutcome {
    /// The message has the new content, or a later edit will replace it.
    Done(SentMessage),
    /// The message cannot be edited: it is gone, it is a picture whose caption is too short for the
    /// text, or every form of the edit was refused.
    NotEditable,
    Failed,
}

impl Sender {
    /// Replaces a message's content. Of several edits that wait, only the one started last is sent:
    /// an edit starts when this is called, not when it is first polled.
    pub(super) fn edit<'a>(
        &'a self,
        sent: SentMessage,
        flags: MediaFlags,
        answer: &'a Answer,
    ) -> impl Future<Output = EditOutcome> + Send + 'a {
        let number = self.next_edit.fetch_add(1, Ordering::Relaxed);
        let key = (sent.chat, sent.id);
        self.latest_edits.lock().unwrap_or_else(PoisonError::into_inner).insert(key, number);
        async move {
            let outcome = self.send_edit(sent, number, flags, answer).await;
            let mut latest = self.latest_edits.lock().unwrap_or_else(PoisonError::into_inner);
            if latest.get(&key) == Some(&number) {
                latest.remove(&key);
            }
            outcome
        }
    }

    async fn send_edit(&self, mut sent: SentMessage, number: u64, flags: MediaFlags, answer: &Answer) -> EditOutcome {
        let key = (sent.chat, sent.id);
        let mut form = EditForm::new(answer);
        let mut retries = RetryState::default();
        loop {
            let permit = self.limiter.acquire(sent.chat).await;
            if !self.is_latest(key, number) {
                permit.release_unused();
                return EditOutcome::Done(sent);
            }
            let Some(request) = form.request(sent, flags, answer) else {
                permit.release_unused();
                return EditOutcome::NotEditable;
            };
            let error = match self.api.send(&request).await {
                Ok(_) => {
                    return EditOutcome::Done(SentMessage { is_picture: sent.is_picture || form.picture, ..sent });
                }
                Err(error) => error,
            };
            if let Some(new_id) = retries.migrated_to(&error) {
                sent.chat = self.migrate(sent.chat, new_id).await;
                continue;
            }
            match (error.kind(), refusal(&error)) {
                (ErrorKind::NotModified, _) => return EditOutcome::Done(sent),
                (ErrorKind::NotEditable, _) => return EditOutcome::NotEditable,
                (ErrorKind::IsPicture, _) if !sent.is_picture => {
                    permit.release_unused();
                    sent.is_picture = true;
                }
                (_, Refusal::Retry { after }) if retries.wait(permit, after).await => {}
                (_, Refusal::Simplify) if form.simplify(&error) => {
                    debug!(%error, "part of an edit was refused, sending it without");
                }
                (_, Refusal::Forbidden | Refusal::Gone) => {
                    debug!(%error, "a reply on Telegram can no longer be edited");
                    return EditOutcome::Failed;
                }
                (_, Refusal::Simplify) => {
                    // For an unknown reason. The caller sends the content as a new message.
                    warn!(%error, "Telegram refused even the simplest form of an edit");
                    return EditOutcome::NotEditable;
                }
                _ => {
                    warn!(%error, "a reply on Telegram could not be edited");
                    return EditOutcome::Failed;
                }
            }
        }
    }

    fn is_latest(&self, key: (ChatId, MessageId), number: u64) -> bool {
        self.latest_edits.lock().unwrap_or_else(PoisonError::into_inner).get(&key) == Some(&number)
    }

    /// Deletes a message. If it is too old for that, its text, picture and buttons are removed instead.
    pub(super) async fn delete(&self, sent: SentMessage, flags: MediaFlags, language: Language) {
        let request = DeleteMessage::new(sent.chat, sent.id);
        let Err(error) = self.api.call_within(&request, DELETION_LIMIT).await else { return };
        if matches!(error.kind(), ErrorKind::NotEditable) || refusal(&error) == Refusal::Gone {
            return debug!(%error, "a message on Telegram is already gone");
        }
        debug!(%error, "a message on Telegram cannot be deleted, removing its content");
        let cards = blank_card().into_iter().filter(|_| sent.is_picture).collect();
        let empty = Answer { text: language.message("reply-deleted"), cards, ..Answer::default() };
        self.edit(sent, flags, &empty).await;
    }

    /// Deletes a reply that a new message replaces.
    pub(super) async fn delete_replaced(&self, sent: SentMessage) {
        let request = DeleteMessage::new(sent.chat, sent.id);
        if let Err(error) = self.api.call_within(&request, DELETION_LIMIT).await {
            debug!(%error, "a replaced reply could not be deleted");
        }
    }
}

/// A plain grey picture: Telegram does not let a picture be removed from a message.
fn blank_card() -> Option<Card> {
    let mut jpeg = Cursor::new(Vec::new());
    let blank = GrayImage::from_pixel(BLANK_SIDE, BLANK_SIDE, Luma([128]));
    blank.write_to(&mut jpeg, ImageFormat::Jpeg).ok()?;
    Some(Card { jpeg: jpeg.into_inner().into(), alternative_text: String::new() })
}
