//! What a store has to offer: [settings](SettingsStore), [games](GameStore) and [jobs](Jobs), and deleting or moving
//! everything of a person or chat. [`sqlite`](super::sqlite) keeps it in a file, `cluster` on a NATS server.

use super::game::GameStore;
use super::jobs::Jobs;
use super::people::{ChatId, PersonId};
use super::settings::SettingsStore;

/// Why the store could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot be {operation}: {source}")]
pub struct StoreError {
    /// What failed, as a participle: "opened", "read", "written".
    pub operation: &'static str,
    /// The underlying storage's error.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Persists settings, games, scores and jobs. Calls may block for a moment.
///
/// Each fails with [`StoreError`] when the underlying storage does.
pub trait Store: SettingsStore + GameStore + Jobs + Send + Sync {
    /// Deletes everything stored about a person, including scores, guesses and jobs, and leaves no
    /// trace of it on disk.
    fn forget_person(&self, person: PersonId) -> Result<(), StoreError>;
    /// Deletes everything stored about a chat, including its games, scores and jobs, and leaves no
    /// trace of it on disk.
    fn forget_chat(&self, chat: ChatId) -> Result<(), StoreError>;
    /// Moves everything stored about a chat whose id has changed.
    fn move_chat(&self, from: ChatId, to: ChatId) -> Result<(), StoreError>;
}
