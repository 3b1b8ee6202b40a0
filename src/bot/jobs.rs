//! Photos that were received and not answered yet, so that the program answers them after it was
//! killed and restarted.
//!
//! A job is a reference to a photo on its platform, never the photo itself. It is stored before work
//! starts and deleted after the reply. The reference's format is up to the platform.
//!
//! By default one process does everything. With a [`Role`], a gateway stores jobs in a queue and workers
//! take them from there.

use std::any::Any;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::warn;

use super::Bot;
use super::people::{ChatId, PersonId, Platform};
use super::store::StoreError;

/// How long after its arrival a photo is still answered; later it gets an apology. Also the lifetime
/// of a Discord interaction's token.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(15 * 60);
/// How many times a job is tried, so that a photo that crashes the program does not do so for ever.
pub const MAX_TRIES: u32 = 3;
/// The pause before a gateway tries again to store a job.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Which part of the work this process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// All of it.
    #[default]
    All,
    /// Receives updates, answers commands, and stores jobs for workers.
    Gateway,
    /// Takes jobs, and answers them.
    Worker,
}

/// Where a platform's work comes from.
pub enum Work {
    /// From the platform itself.
    Updates,
    /// From the queue that gateways fill.
    Jobs(mpsc::Receiver<TakenJobs>),
}

/// Jobs to be answered together, taken from the queue. Dropping it gives those back that were not
/// [finished](Bot::finish).
pub struct TakenJobs {
    /// One job, or the parts of an album.
    pub jobs: Vec<Job>,
    /// Held until the jobs are answered.
    pub lease: Box<dyn Any + Send>,
}

/// The result of storing an update and its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// They are stored.
    Stored,
    /// The update, or a job of the same message, was stored before.
    Duplicate,
    /// There is no room for another job.
    Full,
}

/// Whether a reply may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Yes.
    Granted,
    /// It was sent before.
    Answered,
    /// Another worker has the job, or may get it.
    Elsewhere,
}

/// A photo, or several of one message, waiting for a reply.
#[derive(Clone, PartialEq, Eq)]
pub struct Job {
    /// The chat of the message or interaction.
    pub chat: ChatId,
    /// The platform's id of the message or interaction, unique in the chat.
    pub message: i64,
    /// The asker.
    pub person: PersonId,
    /// When it arrived, in Unix seconds of this machine's clock.
    pub received: i64,
    /// How many times work on it has started.
    pub tries: u32,
    /// The album of the message, where the platform delivers its photos one by one. It tells a queue
    /// which jobs belong together; a job that is resumed has it in its reference alone.
    pub album: Option<String>,
    /// What the platform needs to answer it, as JSON.
    pub reference: String,
}

impl std::fmt::Debug for Job {
    /// Without its reference, which can contain a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { chat, person, received, tries, .. } = self;
        write!(f, "Job {{ {chat:?}, {person:?}, received: {received}, tries: {tries} }}")
    }
}

impl Job {
    /// A job that has just arrived.
    pub fn new(chat: ChatId, message: i64, person: PersonId, reference: String) -> Self {
        Self { chat, message, person, received: unix_now(), tries: 1, album: None, reference }
    }

    /// Whether it is too old or has been tried too often: then its asker gets an apology.
    pub fn is_expired(&self) -> bool {
        self.tries > MAX_TRIES || unix_now() - self.received > EXPIRES_AFTER.as_secs().cast_signed()
    }
}

/// The id of an update, to recognise one that a platform delivers twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateId {
    /// The bot's own id: each bot numbers its updates separately.
    pub bot: i64,
    /// The platform's number of the update, unique for this bot.
    pub update: i64,
}

/// Persists jobs and what platforms need after a restart; part of [`Store`](super::store::Store).
pub trait Jobs {
    /// Stores a job, and the update it came with. A message has one job: storing it again changes nothing.
    fn receive(&self, update: Option<UpdateId>, job: Option<&Job>) -> Result<Receipt, StoreError>;
    /// Asks, directly before the reply to a job is sent, whether this process may send it.
    fn claim_reply(&self, chat: ChatId, message: i64) -> Result<Claim, StoreError>;
    /// Deletes a job whose reply was sent, or that needs none.
    fn finish(&self, chat: ChatId, message: i64) -> Result<(), StoreError>;
    /// The jobs of a platform that only this process can finish, as an earlier run of it left them; oldest
    /// first, each counted as tried once more. None where a queue gives them to other workers.
    fn resume(&self, platform: Platform) -> Result<Vec<Job>, StoreError>;
    /// Whether a chat's admin may be notified now, at most once a day. `true` counts as a notification.
    fn claim_admin_notice(&self, chat: ChatId) -> Result<bool, StoreError>;
    /// Asks whether a session of a platform may be started, if no other process has started one within
    /// `interval`: the time to wait before asking again, or zero, which counts as a start.
    fn claim_session_start(&self, platform: Platform, interval: Duration) -> Result<Duration, StoreError>;
    /// Stores what a platform's connection of that number needs to resume after a restart; `None` deletes
    /// it. Never a token.
    fn save_connection(&self, platform: Platform, number: u32, state: Option<&str>) -> Result<(), StoreError>;
    /// The stored state of a connection.
    fn load_connection(&self, platform: Platform, number: u32) -> Result<Option<String>, StoreError>;
}

impl Bot {
    /// Stores an update and its job. When the store fails, a gateway tries until it succeeds, because
    /// nobody else would answer the photo; otherwise it is answered nevertheless.
    pub async fn receive(&self, update: Option<UpdateId>, job: Option<Job>) -> Receipt {
        loop {
            let job = job.clone();
            match self.with_store(move |store| store.receive(update, job.as_ref())).await {
                Ok(receipt) => return receipt,
                Err(_) if self.role == Role::Gateway => sleep(STORE_RETRY).await,
                Err(_) => return Receipt::Stored,
            }
        }
    }

    /// Whether this process answers photos, rather than storing their jobs for workers.
    pub fn answers_photos(&self) -> bool {
        self.role != Role::Gateway
    }

    /// Asks, directly before the reply to a job is sent, whether this process may send it.
    pub async fn claim_reply(&self, chat: ChatId, message: i64) -> Claim {
        if self.role != Role::Worker {
            return Claim::Granted;
        }
        // While the store cannot be reached, the job is given to another worker.
        self.with_store(move |store| store.claim_reply(chat, message)).await.unwrap_or(Claim::Elsewhere)
    }

    /// Deletes a job whose reply was sent, or that needs none.
    pub async fn finish(&self, chat: ChatId, message: i64) {
        // A failure is logged; at worst the reply is sent twice.
        let _ = self.with_store(move |store| store.finish(chat, message)).await;
    }

    /// The jobs that an earlier run left unfinished on a platform, oldest first.
    /// [Expired](Job::is_expired) ones get an apology instead of an answer.
    pub async fn resume(&self, platform: Platform) -> Vec<Job> {
        let jobs = self.with_store(move |store| store.resume(platform)).await.unwrap_or_default();
        if !jobs.is_empty() {
            warn!(jobs = jobs.len(), platform = platform.name(), "photos were left unanswered by the last run");
        }
        jobs
    }

    /// Whether a chat's admin may be notified now that the bot cannot work there, at most once a day.
    pub async fn claim_admin_notice(&self, chat: ChatId) -> bool {
        self.with_store(move |store| store.claim_admin_notice(chat)).await.unwrap_or(false)
    }

    /// Asks whether a session of a platform may be started: the time to wait before asking again, or zero.
    pub async fn claim_session_start(&self, platform: Platform, interval: Duration) -> Duration {
        // A failure is logged. The platform has its own limits.
        self.with_store(move |store| store.claim_session_start(platform, interval)).await.unwrap_or_default()
    }

    /// Stores what a platform's connection needs to resume after a restart; `None` deletes it.
    pub async fn save_connection(&self, platform: Platform, number: u32, state: Option<String>) {
        // A failure is logged; the next run opens a new connection.
        let _ = self.with_store(move |store| store.save_connection(platform, number, state.as_deref())).await;
    }

    /// The state of a connection that an earlier run stored.
    pub async fn load_connection(&self, platform: Platform, number: u32) -> Option<String> {
        self.with_store(move |store| store.load_connection(platform, number)).await.unwrap_or_default()
    }
}

/// This machine's clock, in Unix seconds.
pub(crate) fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}
