//! Photos that were received and are not answered yet, so that a killed program answers them at its
//! next start.
//!
//! A job is a reference to a photo on its platform, never the photo. It is stored before work
//! starts and deleted after the reply. What the reference says is the platform's own affair.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::warn;

use super::Bot;
use super::people::{ChatId, PersonId, Platform};
use super::settings::StoreError;

/// How long after its arrival a photo is still answered; later it gets an apology. Also the life of
/// a Discord interaction's token.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(15 * 60);
/// How often a job is tried: a photo that kills the program must not do so for ever.
pub const TRIES: u32 = 3;

/// A photo, or several of one message, waiting for the reply.
#[derive(Clone, PartialEq, Eq)]
pub struct Job {
    pub chat: ChatId,
    /// The platform's number of the message or interaction, unique in the chat.
    pub message: i64,
    /// Who asked.
    pub person: PersonId,
    /// When it arrived, in Unix seconds of this machine's clock.
    pub received: i64,
    /// How often work on it has begun.
    pub tries: u32,
    /// What the platform needs to answer it, as JSON.
    pub reference: String,
}

impl std::fmt::Debug for Job {
    /// Without its reference, which can hold a token.
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

    /// Whether it is too late for an answer, or it was tried too often: then its asker gets an apology.
    pub fn is_expired(&self) -> bool {
        self.tries > TRIES || unix_now() - self.received > EXPIRES_AFTER.as_secs().cast_signed()
    }
}

/// The number of an update, by which one that a platform delivers twice is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateId {
    /// The bot's own number: other bots count for themselves.
    pub bot: i64,
    pub update: i64,
}

/// Where jobs are kept. Calls may block for a moment.
///
/// Each fails with [`StoreError`] when what lies behind it does.
pub trait Jobs {
    /// Notes that an update arrived and stores the job that it brought, both or neither. `false` when
    /// the update, or a job of the same message, was there before.
    fn receive(&self, update: Option<UpdateId>, job: Option<&Job>) -> Result<bool, StoreError>;
    /// Deletes a job: its reply was sent, or none is owed.
    fn finish(&self, chat: ChatId, message: i64) -> Result<(), StoreError>;
    /// The jobs of a platform that an earlier run left, oldest first, each counted as tried once more.
    fn resume(&self, platform: Platform) -> Result<Vec<Job>, StoreError>;
    /// Whether a chat's admin may be told something now: once a day. Asking counts as telling.
    fn claim_admin_notice(&self, chat: ChatId) -> Result<bool, StoreError>;
    /// Keeps what a platform's connection of that number needs to go on after a restart; `None` forgets
    /// it. Never a token.
    fn keep_connection(&self, platform: Platform, number: u32, state: Option<&str>) -> Result<(), StoreError>;
    /// What was kept of a connection.
    fn kept_connection(&self, platform: Platform, number: u32) -> Result<Option<String>, StoreError>;
}

impl Bot {
    /// Takes an update and the job that it brought. `false` when it was taken before, by this run or
    /// an earlier one. When the store fails, the photo is answered all the same.
    pub async fn receive(&self, update: Option<UpdateId>, job: Option<Job>) -> bool {
        self.kept(move |store| store.receive(update, job.as_ref())).await.unwrap_or(true)
    }

    /// Forgets a job: its reply was sent, or none is owed.
    pub async fn finish(&self, chat: ChatId, message: i64) {
        // A failure is logged; at worst the reply comes twice.
        let _ = self.kept(move |store| store.finish(chat, message)).await;
    }

    /// The jobs that an earlier run left on a platform, oldest first. Those that
    /// [are expired](Job::is_expired) get an apology in place of an answer.
    pub async fn resume(&self, platform: Platform) -> Vec<Job> {
        let jobs = self.kept(move |store| store.resume(platform)).await.unwrap_or_default();
        if !jobs.is_empty() {
            warn!(jobs = jobs.len(), platform = platform.name(), "photos were left unanswered by the last run");
        }
        jobs
    }

    /// Whether a chat's admin may be told now that the bot cannot do its work there: once a day.
    pub async fn claim_admin_notice(&self, chat: ChatId) -> bool {
        self.kept(move |store| store.claim_admin_notice(chat)).await.unwrap_or(false)
    }

    /// Keeps what a platform's connection needs to go on after a restart, or forgets it.
    pub async fn keep_connection(&self, platform: Platform, number: u32, state: Option<String>) {
        // A failure is logged; the next run connects anew.
        let _ = self.kept(move |store| store.keep_connection(platform, number, state.as_deref())).await;
    }

    /// What an earlier run kept of a connection.
    pub async fn kept_connection(&self, platform: Platform, number: u32) -> Option<String> {
        self.kept(move |store| store.kept_connection(platform, number)).await.unwrap_or_default()
    }
}

/// This machine's clock, in Unix seconds.
pub(super) fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}
