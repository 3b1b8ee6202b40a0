//! Delivers replies and handles those that cannot be sent or edited.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::{debug, warn};

use super::destination::Destination;
use super::edits::EditOutcome;
use super::form::SentMessage;
use super::identity::JobKey;
use super::refusals::refusal;
use super::sender::Sender;
use crate::bot::Answer;
use crate::bot::album::Delivery;
use crate::bot::jobs::Claim;
use crate::platform::refusal::Refusal;

/// The result of sending a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostOutcome {
    Sent(SentMessage),
    /// Nothing was sent, and a retry would not help.
    Undeliverable,
    /// Telegram was unavailable for too long. The reply is still owed.
    Deferred,
}

impl Sender {
    /// Asks whether this process may send the answer to a job.
    pub(super) async fn claim(&self, (chat, message): JobKey) -> Claim {
        self.bot.claim_reply(chat, message).await
    }

    /// Sends the answer to a job, unless another worker does.
    pub(super) async fn answer(&self, job: JobKey, destination: Destination, answer: &Answer) -> PostOutcome {
        match self.claim(job).await {
            Claim::Granted => self.post(destination, answer).await,
            Claim::Answered => PostOutcome::Undeliverable,
            Claim::Elsewhere => PostOutcome::Deferred,
        }
    }

    /// Sends an answer. Failures are logged; where the bot may not write, the asker and an admin are
    /// notified.
    pub(super) async fn post(&self, destination: Destination, answer: &Answer) -> PostOutcome {
        let error = match self.send(destination, answer).await {
            Ok(sent) => return PostOutcome::Sent(sent),
            Err(error) => error,
        };
        match refusal(&error) {
            Refusal::Gone => debug!(%error, "the recipient of a reply on Telegram no longer exists"),
            Refusal::Forbidden => {
                debug!(%error, "a reply could not be sent to Telegram");
                self.notify_cannot_write(destination).await;
            }
            Refusal::Simplify => warn!(%error, "Telegram refused even the simplest form of a reply"),
            Refusal::Retry { .. } => {
                warn!(%error, "a reply could not be sent to Telegram in time");
                return PostOutcome::Deferred;
            }
        }
        PostOutcome::Undeliverable
    }

    /// Posts an answer in place of a reply that could not be edited.
    pub(super) async fn replace(&self, old: PostOutcome, destination: Destination, answer: &Answer) -> PostOutcome {
        let outcome = self.post(destination, answer).await;
        if let (PostOutcome::Sent(old), PostOutcome::Sent(_)) = (old, outcome) {
            self.delete_replaced(old).await;
        }
        outcome
    }
}

/// The single reply to one message's photos, which is posted once and then edited.
pub(super) struct PhotoReply<'a> {
    sender: &'a Sender,
    job: JobKey,
    destination: Destination,
    state: Mutex<State>,
}

struct State {
    outcome: PostOutcome,
    /// The latest answer, if the message could not be edited to show it.
    unsent: Option<Answer>,
}

impl<'a> PhotoReply<'a> {
    pub(super) fn new(sender: &'a Sender, job: JobKey, destination: Destination) -> Self {
        let state = State { outcome: PostOutcome::Deferred, unsent: None };
        Self { sender, job, destination, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts an answer that no edit could show as a new message; returns the final outcome.
    pub(super) async fn finish(self) -> PostOutcome {
        let State { outcome, unsent } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match unsent {
            Some(answer) => self.sender.replace(outcome, self.destination, &answer).await,
            None => outcome,
        }
    }
}

impl Delivery for PhotoReply<'_> {
    type Sent = SentMessage;

    async fn post(&self, answer: &Answer) -> Option<SentMessage> {
        if self.state().outcome == PostOutcome::Undeliverable {
            // Tried before; whoever should be notified has been.
            return None;
        }
        let outcome = self.sender.answer(self.job, self.destination, answer).await;
        self.state().outcome = outcome;
        match outcome {
            PostOutcome::Sent(sent) => Some(sent),
            _ => None,
        }
    }

    async fn edit(&self, sent: &SentMessage, answer: &Answer) {
        let current = match self.state().outcome {
            PostOutcome::Sent(current) => current,
            _ => *sent,
        };
        let edited = self.sender.edit(current, self.destination.flags, answer).await;
        let mut state = self.state();
        state.unsent = None;
        match edited {
            EditOutcome::Done(sent) => state.outcome = PostOutcome::Sent(sent),
            EditOutcome::NotEditable => state.unsent = Some(answer.clone()),
            EditOutcome::Failed => {}
        }
    }
}
