//! Photos that were received and not answered yet, so that the program answers them after it was
//! killed and restarted.
//!
//! A job is a reference to a photo on its platform, never the photo itself. It is stored before work
//! starts and deleted after the reply. The reference's format is up to the platform.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::warn;

use super::Bot;
use super::people::{ChatId, PersonId, Platform};
use super::store::StoreError;

/// How long after its arrival a photo is still answered; later it gets an apology. Also the lifetime
/// of a Discord interaction's token.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(15 * 60);
/// How often a job is tried, so that a photo that crashes the program cannot do so for ever.
pub const MAX_TRIES: u32 = 3;

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
    /// How often work on it has started.
    pub tries: u32,
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
        Self { chat, message, person, received: unix_now(), tries: 1, reference }
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
    /// Records an update and stores its job in one transaction. `false` when the update, or a job of the
    /// same message, was already stored.
    fn receive(&self, update: Option<UpdateId>, job: Option<&Job>) -> Result<bool, StoreError>;
    /// Deletes a job whose reply was sent, or that needs none.
    fn finish(&self, chat: ChatId, message: i64) -> Result<(), StoreError>;
    /// The unfinished jobs of a platform, oldest first, each counted as tried once more.
    fn resume(&self, platform: Platform) -> Result<Vec<Job>, StoreError>;
    /// Whether a chat's admin may be notified now, at most once a day. `true` counts as a notification.
    fn claim_admin_notice(&self, chat: ChatId) -> Result<bool, StoreError>;
    /// Stores what a platform's connection of that number needs to resume after a restart; `None` deletes
    /// it. Never a token.
    fn save_connection(&self, platform: Platform, number: u32, state: Option<&str>) -> Result<(), StoreError>;
    /// The stored state of a connection.
    fn load_connection(&self, platform: Platform, number: u32) -> Result<Option<String>, StoreError>;
}

impl Bot {
    /// Records an update and stores its job. `false` when that was done before, by this run or an earlier
    /// one. When the store fails, the photo is answered nevertheless.
    pub async fn receive(&self, update: Option<UpdateId>, job: Option<Job>) -> bool {
        self.with_store(move |store| store.receive(update, job.as_ref())).await.unwrap_or(true)
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
pub(super) fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}
