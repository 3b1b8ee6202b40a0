//! Collects the photos of an album: Telegram sends each as an update of its own, with nothing to
//! tell which is the last.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use teloxide::types::{ChatId, MediaGroupId, Message};
use tokio::time::{Instant, sleep_until};

/// An album counts as whole when nothing has come for this long; its updates come at once, or in
/// two polls that follow each other.
const QUIET: Duration = Duration::from_millis(700);
/// The most items of an album (Bot API, sendMediaGroup).
const ALBUM: usize = 10;

/// Names an album.
pub(super) type Key = (ChatId, MediaGroupId);

/// The albums that are still coming.
#[derive(Default)]
pub(super) struct Albums(Mutex<HashMap<Key, Coming>>);

struct Coming {
    messages: Vec<Message>,
    last: Instant,
}

impl Albums {
    /// Adds a message; its key if it is the first of its album: then somebody has to wait for the
    /// [`Albums::whole`] of it. `Err` gives back a message that is of no album.
    pub(super) fn add(&self, message: Message) -> Result<Option<Key>, Box<Message>> {
        let Some(group) = message.media_group_id().cloned() else { return Err(Box::new(message)) };
        let key = (message.chat.id, group);
        let mut coming = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let album = coming.entry(key.clone()).or_insert(Coming { messages: Vec::new(), last: Instant::now() });
        let first = album.messages.is_empty();
        album.last = Instant::now();
        if album.messages.len() < ALBUM {
            album.messages.push(message);
        }
        Ok(first.then_some(key))
    }

    /// Waits for the end of an album; its messages, in the order in which they were sent.
    pub(super) async fn whole(&self, key: &Key) -> Vec<Message> {
        loop {
            let last = self.last(key);
            sleep_until(last + QUIET).await;
            if self.last(key) > last {
                continue;
            }
            let album = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            let mut messages = album.map(|album| album.messages).unwrap_or_default();
            messages.sort_by_key(|message| message.id.0);
            return messages;
        }
    }

    fn last(&self, key: &Key) -> Instant {
        let coming = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        coming.get(key).map_or_else(Instant::now, |album| album.last)
    }
}
