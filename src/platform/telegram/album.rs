//! Collects the parts of albums (media groups): Telegram sends each photo as a separate update and
//! does not mark the last one. Parts that arrive after the album was answered still join it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::destination::Destination;
use super::form::SentMessage;
use super::request::PhotoRequest;

/// An album counts as complete when no part has arrived for this long; its updates come together or
/// in two consecutive polls.
const QUIET_PERIOD: Duration = Duration::from_millis(700);
/// How long an album is remembered after its last part.
const RETENTION: Duration = Duration::from_secs(90);

/// A chat's id and Telegram's id of the album.
pub(super) type AlbumKey = (i64, String);

/// The recent albums.
#[derive(Default)]
pub(super) struct Albums(Mutex<HashMap<AlbumKey, Album>>);

struct Album {
    parts: Vec<PhotoRequest>,
    updated: Instant,
    /// Whether a task waits for its end or answers it.
    in_progress: bool,
    reply: Option<AlbumReply>,
}

/// The reply to an album.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlbumReply {
    pub(super) sent: SentMessage,
    pub(super) destination: Destination,
    /// How many photos it covers.
    pub(super) photos: usize,
}

impl Albums {
    /// Adds a part or replaces an earlier version of it. Returns the album's key if no task works on
    /// the album: then the caller has to wait for [`Albums::complete`]. `None` for a message that is
    /// not part of an album.
    pub(super) fn add(&self, request: PhotoRequest) -> Option<AlbumKey> {
        let key = (request.asker.chat.id, request.album.clone()?);
        let now = Instant::now();
        let mut albums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        albums.retain(|_, album| album.in_progress || now < album.updated + RETENTION);
        let new = Album { parts: vec![], updated: now, in_progress: false, reply: None };
        let album = albums.entry(key.clone()).or_insert(new);
        album.updated = now;
        album.parts.retain(|part| part.message != request.message);
        album.parts.push(request);
        album.parts.sort_by_key(|part| part.message.0);
        (!std::mem::replace(&mut album.in_progress, true)).then_some(key)
    }

    /// Waits until an album is complete; returns its parts in the order in which they were sent and
    /// the reply that it already has.
    pub(super) async fn complete(&self, key: &AlbumKey) -> (Vec<PhotoRequest>, Option<AlbumReply>) {
        loop {
            let updated = self.with_album(key, |album| album.updated).unwrap_or_else(Instant::now);
            sleep_until(updated + QUIET_PERIOD).await;
            let complete =
                self.with_album(key, |album| (album.updated <= updated).then(|| (album.parts.clone(), album.reply)));
            match complete {
                Some(Some(complete)) => return complete,
                Some(None) => {}
                None => return (Vec::new(), None),
            }
        }
    }

    /// Stores the reply to these parts; `false` when more have arrived since and need an answer.
    pub(super) fn finish(&self, key: &AlbumKey, answered: &[PhotoRequest], reply: Option<AlbumReply>) -> bool {
        let finished = self.with_album(key, |album| {
            album.reply = reply.or(album.reply);
            album.in_progress = album.parts != answered;
            !album.in_progress
        });
        finished.unwrap_or(true)
    }

    fn with_album<T>(&self, key: &AlbumKey, run: impl FnOnce(&mut Album) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key).map(run)
    }
}
