//! The two halves of a bot that several processes share: a gateway hands photo requests to workers, and a
//! worker answers them.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::handler::Handler;
use super::request::PhotoRequest;
use crate::bot::Problem;
use crate::bot::jobs::{Receipt, TakenJobs};
use crate::inference::InferenceError;

impl Handler {
    /// Stores a request for a worker. When this returns, the queue has it, or the asker is told why not.
    pub(super) async fn forward(self: &Arc<Self>, update: i64, request: PhotoRequest) {
        // Counted here, because workers do not know of each other.
        if request.task.is_some() || self.is_auto(request.asker.chat).await {
            match self.bot.admit(&request.asker, request.photo_count()) {
                Ok(()) => {}
                Err(Some(problem)) => return self.refuse(request, problem),
                Err(None) => return,
            }
        }
        match self.receive(update, Some(request.to_job())).await {
            Receipt::Stored if request.album.is_none() => {
                self.answered.insert((request.destination().chat, request.message), request.date);
            }
            Receipt::Stored | Receipt::Duplicate => {}
            Receipt::Full if request.task.is_some() => self.refuse(request, InferenceError::Overloaded.into()),
            // An automatic reply that says "busy" would only annoy.
            Receipt::Full => {}
        }
    }

    /// Stores what a button asks for, whose press was counted and answered before.
    pub(super) async fn forward_button(&self, update: i64, request: PhotoRequest) {
        if self.receive(update, Some(request.to_job())).await == Receipt::Full {
            self.post_problem(&request, InferenceError::Overloaded.into()).await;
        }
    }

    fn refuse(self: &Arc<Self>, request: PhotoRequest, problem: Problem) {
        let handler = self.clone();
        self.tasks.spawn(async move { handler.post_problem(&request, problem).await });
    }

    async fn post_problem(&self, request: &PhotoRequest, problem: Problem) {
        let language = self.bot.reply_style(&request.asker).await.language;
        self.sender.post(request.destination(), &problem.message(language).into()).await;
    }

    /// Answers jobs until `shutdown`.
    pub(super) async fn answer_jobs(
        self: &Arc<Self>,
        mut jobs: mpsc::Receiver<TakenJobs>,
        shutdown: &CancellationToken,
    ) {
        while let Some(taken) = shutdown.run_until_cancelled(jobs.recv()).await.flatten() {
            let handler = self.clone();
            self.tasks.spawn(async move { handler.answer_taken(taken).await });
        }
    }

    async fn answer_taken(&self, taken: TakenJobs) {
        let TakenJobs { jobs, lease } = taken;
        let is_expired = jobs.iter().any(|job| job.is_expired());
        let mut requests = Vec::new();
        for job in jobs {
            match PhotoRequest::from_job(&job) {
                Some(request) => requests.push(request),
                None => self.drop_unreadable(job).await,
            }
        }
        if is_expired {
            self.drop_expired(requests).await;
        } else {
            let outcome = self.answer_photos(&requests, None).await;
            self.finish_jobs(&requests, &outcome).await;
        }
        drop(lease);
    }
}
