//! Jobs in the work queue, the claims on their replies, and what platforms need after a restart.
//!
//! A job's message has the id of its chat and message, so that the server drops one that a gateway stores
//! twice. It is deleted by the worker's acknowledgement. A worker that is killed after it has sent a reply
//! and before that acknowledgement would leave a job that looks unanswered. Therefore each attempt asks
//! directly before it sends the reply whether a later one has begun, and records it afterwards: only a kill
//! between these two, while the request to the platform is under way, makes the next attempt send it again.
//! An attempt whose connection to the server is broken cannot ask and sends nothing.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::{Acker, PublishMessage};
use async_nats::jetstream::{self, ErrorCode};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{ClusterStore, failed, since_1970};
use crate::bot::jobs::{Claim, Job, Jobs, Receipt, UpdateId, unix_now};
use crate::bot::people::{ChatId, PersonId, Platform};
use crate::bot::store::StoreError;

/// The version of [`StoredJob`].
const VERSION: u32 = 1;
/// The most parts of an album.
const MAX_PARTS: usize = 20;
/// How many batches the parts of an album may form, each after the previous one was taken.
const MAX_BATCHES: u32 = 4;
/// The shortest time between two notices to a chat's admin, in seconds.
const NOTICE_INTERVAL: i64 = 24 * 3600;
/// How long a worker tries to record that it has replied, and the pause between two attempts. The server
/// may be restarting.
const FINISH_LIMIT: Duration = Duration::from_secs(120);
const FINISH_PAUSE: Duration = Duration::from_millis(250);

/// A job as it is stored in the queue.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredJob {
    version: u32,
    platform: String,
    chat: i64,
    message: i64,
    person: i64,
    received: i64,
    album: Option<String>,
    reference: String,
}

impl StoredJob {
    fn new(job: &Job) -> Self {
        let Job { chat, message, person, received, album, reference, .. } = job;
        Self {
            version: VERSION,
            platform: chat.platform.name().to_owned(),
            chat: chat.id,
            message: *message,
            person: person.id,
            received: *received,
            album: album.clone(),
            reference: reference.clone(),
        }
    }

    /// `None` when another version of the program wrote it.
    pub(super) fn job(self, tries: u32) -> Option<Job> {
        let platform = Platform::from_name(&self.platform).filter(|_| self.version == VERSION)?;
        Some(Job {
            chat: ChatId { platform, id: self.chat },
            message: self.message,
            person: PersonId { platform, id: self.person },
            received: self.received,
            tries,
            album: self.album,
            reference: self.reference,
        })
    }
}

/// The parts of an album that share a reply. Those that come after a worker has taken them are the next
/// batch, with a reply of its own.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Batch {
    pub taken: bool,
    pub parts: Vec<StoredJob>,
}

impl Batch {
    /// Adds a part, or replaces an earlier version of it.
    fn add(mut self, part: &StoredJob) -> (Option<Self>, Addition) {
        let is_known = self.parts.iter().any(|known| known.message == part.message);
        if self.taken {
            return (None, if is_known { Addition::Known } else { Addition::TooLate });
        }
        self.parts.retain(|known| known.message != part.message);
        self.parts.push(part.clone());
        ((self.parts.len() <= MAX_PARTS).then_some(self), Addition::Added)
    }
}

/// What became of a part of an album.
enum Addition {
    Added,
    /// It was taken before.
    Known,
    TooLate,
}

/// The key of everything about a job: that of its message or, where several share a reply, of their batch.
pub(super) fn key(job: &Job) -> String {
    let (platform, chat) = (job.chat.platform.name(), job.chat.id);
    match &job.album {
        Some(album) => format!("{platform}.{chat}.album-{album}"),
        None => format!("{platform}.{chat}.{}", job.message),
    }
}

/// The key of a job's batch, with chat and person, so that it can be deleted for either.
pub(super) fn batch_key(job: &Job, album: &str) -> String {
    format!("album.{}.{}.{}.{album}", job.chat.platform.name(), job.chat.id, job.person.id)
}

/// The subject of a job in the stream `kind`: with chat and person, so that it can be deleted for either.
pub(super) fn subject(name: &str, kind: &str, job: &Job) -> String {
    let Job { chat, person, message, .. } = job;
    format!("{name}.{kind}.{}.{}.{}.{message}", chat.platform.name(), chat.id, person.id)
}

/// A job that this process works on.
pub(super) struct Held {
    pub acker: Acker,
    pub key: String,
    pub tries: u32,
    /// Whether it was finished.
    pub done: AtomicBool,
    /// Whether another worker has it, or may have.
    pub lost: AtomicBool,
}

/// The last attempt to answer a job.
#[derive(Serialize, Deserialize)]
struct Attempt {
    tries: u32,
    answered: bool,
}

impl ClusterStore {
    pub(super) fn held(&self) -> MutexGuard<'_, std::collections::HashMap<(ChatId, i64), Arc<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn publish(&self, job: &Job) -> Result<Receipt, StoreError> {
        let Some(album) = &job.album else { return self.put_in("jobs", job, &StoredJob::new(job)).await };
        let album: String = album.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        for batch in 0..MAX_BATCHES {
            let album = format!("{album}-{batch}");
            let (key, job) = (batch_key(job, &album), Job { album: Some(album), ..job.clone() });
            let stored = StoredJob::new(&job);
            let add = |batch: Option<Batch>| batch.unwrap_or_default().add(&stored);
            match self.recent.change(&key, add).await? {
                Addition::Added => return self.put_in("jobs", &job, &stored).await,
                Addition::Known => break,
                Addition::TooLate => {}
            }
        }
        Ok(Receipt::Duplicate)
    }

    /// Keeps a job for the operator that could not be answered.
    pub(super) async fn park(&self, job: &Job) -> Result<(), StoreError> {
        self.put_in("parked", job, &StoredJob::new(job)).await.map(drop)
    }

    async fn put_in(&self, kind: &str, job: &Job, stored: &StoredJob) -> Result<Receipt, StoreError> {
        let payload = serde_json::to_vec(stored).map_err(failed("written"))?;
        let message = PublishMessage::build().payload(payload.into()).message_id(key(job));
        let subject = subject(&self.options.name, kind, job);
        let acknowledged = self.context.send_publish(subject, message).await.map_err(failed("written"))?;
        match acknowledged.await {
            Ok(stored) if stored.duplicate => Ok(Receipt::Duplicate),
            Ok(_) => Ok(Receipt::Stored),
            Err(error) if is_full(&error) => Ok(Receipt::Full),
            Err(error) => Err(failed("written")(error)),
        }
    }

    /// Counts another attempt to answer a job; `None` when it was answered. The server counts deliveries as
    /// well, but nats-server 2.9 forgets those to a killed worker if no other was waiting for jobs.
    pub(super) async fn start_attempt(&self, key: &str) -> Result<Option<u32>, StoreError> {
        let key = format!("reply.{key}");
        if self.recent.create(&key, &Attempt { tries: 1, answered: false }).await? {
            return Ok(Some(1));
        }
        let start = |last: Option<Attempt>| match last {
            Some(last) if last.answered => (None, None),
            last => {
                let tries = last.map_or(0, |last| last.tries).saturating_add(1);
                (Some(Attempt { tries, answered: false }), Some(tries))
            }
        };
        self.recent.change(&key, start).await
    }

    async fn record_answer(&self, held: &Held) -> Result<(), StoreError> {
        let attempt = Attempt { tries: held.tries, answered: true };
        self.recent.put(&format!("reply.{}", held.key), &attempt).await?;
        let acknowledged = held.acker.double_ack().await;
        acknowledged.map_err(|source| StoreError { operation: "written", source })?;
        held.done.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether a stream has no room for another message.
fn is_full(error: &PublishError) -> bool {
    let refusal = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    refusal.is_some_and(|refusal| {
        refusal.error_code() == ErrorCode::STREAM_STORE_FAILED && refusal.to_string().contains("maximum messages")
    })
}

impl Jobs for ClusterStore {
    fn receive(&self, update: Option<UpdateId>, job: Option<&Job>) -> Result<Receipt, StoreError> {
        self.wait(async {
            let Some(job) = job else {
                let Some(UpdateId { bot, update }) = update else { return Ok(Receipt::Stored) };
                let is_new = self.recent.create(&format!("update.{bot}.{update}"), &()).await?;
                return Ok(if is_new { Receipt::Stored } else { Receipt::Duplicate });
            };
            self.publish(job).await
        })
    }

    fn claim_reply(&self, chat: ChatId, message: i64) -> Result<Claim, StoreError> {
        let Some(held) = self.held().get(&(chat, message)).cloned() else { return Ok(Claim::Granted) };
        if held.lost.load(Ordering::Relaxed) {
            return Ok(Claim::Elsewhere);
        }
        let claimed = self.wait(self.recent.get(&format!("reply.{}", held.key))).map(|last| match last {
            Some(Attempt { answered: true, .. }) => Claim::Answered,
            Some(Attempt { tries, .. }) if tries > held.tries => Claim::Elsewhere,
            _ => Claim::Granted,
        });
        held.lost.store(!matches!(claimed, Ok(Claim::Granted | Claim::Answered)), Ordering::Relaxed);
        claimed
    }

    fn finish(&self, chat: ChatId, message: i64) -> Result<(), StoreError> {
        let Some(held) = self.held().get(&(chat, message)).cloned() else { return Ok(()) };
        if held.done.load(Ordering::Relaxed) {
            return Ok(());
        }
        let until = Instant::now() + FINISH_LIMIT;
        self.wait(async {
            loop {
                match self.record_answer(&held).await {
                    Err(_) if Instant::now() < until && !held.lost.load(Ordering::Relaxed) => {
                        sleep(FINISH_PAUSE).await;
                    }
                    finished => {
                        held.lost.fetch_or(finished.is_err(), Ordering::Relaxed);
                        return finished;
                    }
                }
            }
        })
    }

    /// None: the queue gives unfinished jobs to other workers.
    fn resume(&self, _: Platform) -> Result<Vec<Job>, StoreError> {
        Ok(Vec::new())
    }

    fn claim_admin_notice(&self, chat: ChatId) -> Result<bool, StoreError> {
        let now = unix_now();
        let claim = |told: Option<i64>| match told {
            Some(told) if told > now - NOTICE_INTERVAL => (None, false),
            _ => (Some(now), true),
        };
        self.wait(self.state.change(&format!("notice.{}.{}", chat.platform.name(), chat.id), claim))
    }

    fn claim_session_start(&self, platform: Platform, interval: Duration) -> Result<Duration, StoreError> {
        let now = since_1970();
        let claim = |started: Option<Duration>| match started {
            // A clock that is ahead makes others wait for an interval, not longer.
            Some(started) if now < started + interval && started < now + interval => (None, started + interval - now),
            _ => (Some(now), Duration::ZERO),
        };
        self.wait(self.state.change(&format!("session.{}", platform.name()), claim))
    }

    fn save_connection(&self, platform: Platform, number: u32, state: Option<&str>) -> Result<(), StoreError> {
        let key = format!("connection.{}.{number}", platform.name());
        self.wait(async {
            match state {
                Some(state) => self.state.put(&key, &state).await,
                None => self.state.erase(&key).await,
            }
        })
    }

    fn load_connection(&self, platform: Platform, number: u32) -> Result<Option<String>, StoreError> {
        self.wait(self.state.get(&format!("connection.{}.{number}", platform.name())))
    }
}
