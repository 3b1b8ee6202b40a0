//! A key-value bucket whose entries are changed by compare-and-set and erased without a trace.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::kv::{self, CreateErrorKind, UpdateErrorKind};
use async_nats::jetstream::stream::{DeleteMessageErrorKind, LastRawMessageErrorKind};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failed;
use crate::bot::store::StoreError;

/// How many times a change is tried while others change the same entry.
const MAX_CONFLICTS: u32 = 100;

/// The server's answers to the deletion of a message that is gone.
const GONE: [ErrorCode; 3] =
    [ErrorCode::NO_MESSAGE_FOUND, ErrorCode::SEQUENCE_NOT_FOUND, ErrorCode::STREAM_MESSAGE_DELETE_FAILED];

/// Entries of JSON.
pub(super) struct Bucket(kv::Store);

/// Others changed an entry again and again.
#[derive(Debug, thiserror::Error)]
#[error("others changed the entry {MAX_CONFLICTS} times meanwhile")]
struct Contended;

impl Bucket {
    pub(super) fn new(store: kv::Store) -> Self {
        Self(store)
    }

    /// The entry's value, and its revision for [`Bucket::remove`]; one that cannot be parsed counts as
    /// missing.
    pub(super) async fn entry<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(T, u64)>, StoreError> {
        let entry = self.0.entry(key).await.map_err(failed("read"))?;
        Ok(entry.and_then(|entry| Some((serde_json::from_slice(&entry.value).ok()?, entry.revision))))
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        Ok(self.entry(key).await?.map(|(value, _)| value))
    }

    /// Creates an entry; `false` when it exists.
    pub(super) async fn create(&self, key: &str, value: &impl Serialize) -> Result<bool, StoreError> {
        match self.0.create(key, bytes(value)?).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed("written")(error)),
        }
    }

    /// Replaces an entry, whatever it contains.
    pub(super) async fn put(&self, key: &str, value: &impl Serialize) -> Result<(), StoreError> {
        self.0.put(key, bytes(value)?).await.map(drop).map_err(failed("written"))
    }

    /// Changes an entry, of which `change` returns the new value, or `None` to leave it as it is. It is
    /// called again when somebody else changed the entry meanwhile. Returns what `change` did.
    pub(super) async fn change<T: DeserializeOwned + Serialize, R>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> (Option<T>, R),
    ) -> Result<R, StoreError> {
        for _ in 0..MAX_CONFLICTS {
            let entry = self.0.entry(key).await.map_err(failed("read"))?;
            let revision = entry.as_ref().map_or(0, |entry| entry.revision);
            let (changed, result) = change(entry.and_then(|entry| serde_json::from_slice(&entry.value).ok()));
            let Some(changed) = changed else { return Ok(result) };
            match self.0.update(key, bytes(&changed)?, revision).await {
                Ok(_) => return Ok(result),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {}
                Err(error) => return Err(failed("written")(error)),
            }
        }
        Err(failed("written")(Contended))
    }

    /// The keys that match a pattern, in which `*` stands for one part and a final `>` for one or more.
    pub(super) async fn keys(&self, pattern: &str) -> Result<Vec<String>, StoreError> {
        let filter = format!("{}{pattern}", self.0.prefix);
        let subjects = self.0.stream.info_with_subjects(filter).await.map_err(failed("read"))?;
        let subjects: Vec<(String, usize)> = subjects.try_collect().await.map_err(failed("read"))?;
        let key = |(subject, _): (String, usize)| subject.strip_prefix(&self.0.prefix).map(str::to_owned);
        Ok(subjects.into_iter().filter_map(key).collect())
    }

    /// Deletes this revision of an entry and overwrites it on disk; `false` when there is a newer one, or
    /// it was deleted before.
    pub(super) async fn remove(&self, revision: u64) -> Result<bool, StoreError> {
        match self.0.stream.delete_message(revision).await {
            Ok(deleted) => Ok(deleted),
            Err(error) => match error.kind() {
                DeleteMessageErrorKind::JetStream(inner) if GONE.contains(&inner.error_code()) => Ok(false),
                _ => Err(failed("written")(error)),
            },
        }
    }

    /// Deletes the entries whose keys match a pattern as in [`Bucket::keys`].
    pub(super) async fn erase(&self, pattern: &str) -> Result<(), StoreError> {
        for key in self.keys(pattern).await? {
            for _ in 0..MAX_CONFLICTS {
                let subject = format!("{}{key}", self.0.prefix);
                match self.0.stream.get_last_raw_message_by_subject(&subject).await {
                    Ok(message) => {
                        if self.remove(message.sequence).await? {
                            break;
                        }
                    }
                    Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => break,
                    Err(error) => return Err(failed("written")(error)),
                }
            }
        }
        Ok(())
    }
}

fn bytes(value: &impl Serialize) -> Result<bytes::Bytes, StoreError> {
    serde_json::to_vec(value).map(Into::into).map_err(failed("written"))
}
