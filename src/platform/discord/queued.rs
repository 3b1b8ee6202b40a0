//! The two halves of a bot that several processes share: a gateway hands photo requests to workers, and a
//! worker answers them.

use std::sync::Arc;

use serde::Deserialize;
use serenity::all::{ApplicationId, UserId};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::deferred::InteractionReply;
use super::handler::{Handler, Identity};
use super::jobs::{InteractionRequest, JobReference, MessageRequest};
use super::requester::author;
use crate::bot::Problem;
use crate::bot::jobs::{Job, Receipt, TakenJobs};
use crate::bot::people::Platform;
use crate::inference::InferenceError;

/// What a worker needs of the session that a gateway stored.
#[derive(Deserialize)]
struct StoredIdentity {
    user: UserId,
    application: ApplicationId,
}

impl Handler {
    /// Stores a message for a worker. When this returns, the queue has it, or its author is told why not.
    pub(super) async fn forward_message(self: &Arc<Self>, request: MessageRequest) {
        let MessageRequest { message, photos, addressed, .. } = &request;
        if !addressed {
            let parent = self.thread_parent(message.channel).await;
            let (_, settings) = self.settings(message.channel, parent).await;
            if !self.replies_automatically(message.channel, parent, settings) {
                return;
            }
        }
        // Counted here, because workers do not know of each other.
        match self.bot.admit(&author(message), photos.links.len()) {
            Ok(()) => {}
            Err(Some(problem)) => return self.refuse_message(request, problem),
            Err(None) => return,
        }
        // An automatic reply that says "busy" would only annoy.
        if self.claim(message.id.get(), Some(request.job())).await == Receipt::Full && *addressed {
            self.refuse_message(request, InferenceError::Overloaded.into());
        }
    }

    fn refuse_message(self: &Arc<Self>, request: MessageRequest, problem: Problem) {
        self.spawn(|handler| async move {
            handler.refuse(&request, problem).await;
        });
    }

    /// Defers an interaction and stores it for a worker.
    pub(super) async fn forward_interaction(self: &Arc<Self>, request: InteractionRequest) {
        let (stored, receipt) = oneshot::channel();
        let (id, job) = (request.handle.id.get(), request.job());
        self.spawn(|handler| async move {
            // Does not wait for the queue: Discord waits for three seconds only.
            let reply = InteractionReply::new(&handler, &request);
            reply.defer().await;
            if receipt.await == Ok(Receipt::Full) {
                let language = handler.requester_style(&request.requester).await.language;
                reply.send(&Problem::from(InferenceError::Overloaded).message(language).into()).await;
            }
        });
        // The task ends by itself when nobody listens.
        let _ = stored.send(self.claim(id, Some(job)).await);
    }

    /// Answers jobs until `shutdown`.
    pub(super) async fn answer_jobs(
        self: &Arc<Self>,
        mut jobs: mpsc::Receiver<TakenJobs>,
        shutdown: &CancellationToken,
    ) {
        while let Some(TakenJobs { jobs, lease }) = shutdown.run_until_cancelled(jobs.recv()).await.flatten() {
            self.spawn(|handler| async move {
                handler.load_identity().await;
                for job in jobs {
                    handler.answer_job(job).await;
                }
                drop(lease);
            });
        }
    }

    /// The bot's ids, which the gateway of the first shard stored.
    async fn load_identity(&self) {
        if self.bot_user().is_some() {
            return;
        }
        let state = self.bot.load_connection(Platform::Discord, 0).await;
        if let Some(StoredIdentity { user, application }) = state.and_then(|state| serde_json::from_str(&state).ok()) {
            self.set_identity(Identity { user, application });
        }
    }

    async fn answer_job(&self, job: Job) {
        let finished = match serde_json::from_str(&job.reference) {
            Ok(JobReference::Message { channel, message, guild, snapshot: Some(snapshot) }) => {
                let request = snapshot.into_request(channel, message, guild);
                if job.is_expired() {
                    self.refuse(&request, Problem::Interrupted).await
                } else {
                    self.answer_photos(&request).await
                }
            }
            Ok(JobReference::Interaction(_)) => return self.resume_job(job).await,
            _ => {
                warn!("a job was stored by another version of this program, dropping it");
                true
            }
        };
        if finished {
            self.finish_job(job.chat, job.message.cast_unsigned()).await;
        }
    }
}
