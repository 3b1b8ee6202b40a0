//! Resumes the jobs that an earlier run of the program left unanswered.

use serenity::all::{ChannelId, GuildId, MessageId};
use tokio::time::timeout;
use tracing::warn;

use super::deferred::InteractionReply;
use super::delivery::log_unsent;
use super::handler::Handler;
use super::jobs::{JobReference, MessageRequest, MessageSnapshot};
use super::messages::LOOKUP_TIMEOUT;
use super::refusals::RestError;
use crate::bot::Problem;
use crate::bot::jobs::Job;
use crate::platform::refusal::Refusal;

impl Handler {
    /// Answers a pending job, or apologises if it has expired.
    pub(super) async fn resume_job(&self, job: Job) {
        let finished = match serde_json::from_str(&job.reference) {
            Ok(JobReference::Message { channel, message, guild, snapshot }) => {
                self.resume_message(&job, (channel, message, guild), snapshot).await
            }
            Ok(JobReference::Interaction(request)) if job.is_expired() => {
                let reply = InteractionReply::new(self, &request);
                let language = self.bot.reply_style(&request.requester.asker()).await.language;
                reply.send(&Problem::Interrupted.message(language).into()).await;
                reply.is_finished()
            }
            Ok(JobReference::Interaction(request)) => return self.answer_interaction(&request, true).await,
            Err(_) => {
                warn!("a pending job was stored by another version of this program, dropping it");
                true
            }
        };
        if finished {
            self.finish_job(job.chat, job.message.cast_unsigned()).await;
        }
    }

    /// Answers a message as if it had just arrived; returns whether its job is finished.
    async fn resume_message(
        &self,
        job: &Job,
        (channel, id, guild): (ChannelId, MessageId, Option<GuildId>),
        snapshot: Option<MessageSnapshot>,
    ) -> bool {
        let fetch = self.rest.fetch_message(channel, id);
        let fetched = match snapshot {
            // The snapshot suffices if Discord takes too long.
            Some(_) => timeout(LOOKUP_TIMEOUT, fetch).await.unwrap_or(Err(RestError::Unreadable)),
            None => fetch.await,
        };
        let request = match fetched {
            Ok(mut message) => {
                message.guild = guild;
                self.classify(message).map(|request| MessageRequest { resumed: true, ..request })
            }
            Err(error) => {
                log_unsent(&error, "the request for a message");
                match (error.refusal(), snapshot) {
                    // A message that was deleted needs no answer.
                    (_, Some(snapshot)) if !error.is_confirmed_gone() => {
                        Some(snapshot.into_request(channel, id, guild))
                    }
                    (Refusal::Retry { .. }, _) => return false,
                    _ => None,
                }
            }
        };
        let Some(request) = request.filter(|request| !request.photos.links.is_empty()) else { return true };
        if job.is_expired() {
            return self.refuse(&request, Problem::Interrupted).await;
        }
        self.answer_photos(&request).await
    }
}
