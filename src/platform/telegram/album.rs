//! Collects the photos of an album: Telegram sends each as an update of its own, with nothing to
//! tell which is the last. What comes when the album was answered already joins it all the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::delivery::{Place, Sent};
use super::request::Request;

/// An album counts as whole when nothing has come for this long; its updates come at once, or in
/// two polls that follow each other.
const QUIET: Duration = Duration::from_millis(700);
/// How long after its last part an album is remembered.
const REMEMBERED: Duration = Duration::from_secs(90);

/// Names an album: its chat and Telegram's own name for it.
pub(super) type Key = (i64, String);

/// The albums of the last minute.
#[derive(Default)]
pub(super) struct Albums(Mutex<HashMap<Key, Album>>);

struct Album {
    parts: Vec<Request>,
    last: Instant,
    /// Whether somebody waits for the end of it or answers it.
    is_busy: bool,
    reply: Option<Reply>,
}

/// The reply that an album has already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply {
    pub(super) sent: Sent,
    pub(super) place: Place,
    /// How many photos it is about.
    pub(super) photos: usize,
}

impl Albums {
    /// Adds a message, in place of an earlier version of it; the album's key when nobody is busy with
    /// it: then somebody has to wait for the [`Albums::whole`] of it. `None` for a message of no album.
    pub(super) fn add(&self, request: Request) -> Option<Key> {
        let key = (request.asker.chat.id, request.album.clone()?);
        let now = Instant::now();
        let mut albums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        albums.retain(|_, album| album.is_busy || now < album.last + REMEMBERED);
        let album =
            albums.entry(key.clone()).or_insert(Album { parts: vec![], last: now, is_busy: false, reply: None });
        album.last = now;
        album.parts.retain(|part| part.message != request.message);
        album.parts.push(request);
        album.parts.sort_by_key(|part| part.message.0);
        (!std::mem::replace(&mut album.is_busy, true)).then_some(key)
    }

    /// Waits for the end of an album: its parts, in the order in which they were sent, and the reply
    /// that they have already.
    pub(super) async fn whole(&self, key: &Key) -> (Vec<Request>, Option<Reply>) {
        loop {
            let last = self.look(key, |album| album.last).unwrap_or_else(Instant::now);
            sleep_until(last + QUIET).await;
            let whole = self.look(key, |album| (album.last <= last).then(|| (album.parts.clone(), album.reply)));
            match whole {
                Some(Some(whole)) => return whole,
                Some(None) => {}
                None => return (Vec::new(), None),
            }
        }
    }

    /// Notes the reply to these parts; `false` when more came meanwhile and wants an answer, too.
    pub(super) fn is_done(&self, key: &Key, answered: &[Request], reply: Option<Reply>) -> bool {
        let done = self.look(key, |album| {
            album.reply = reply.or(album.reply);
            album.is_busy = album.parts != answered;
            !album.is_busy
        });
        done.unwrap_or(true)
    }

    fn look<T>(&self, key: &Key, at: impl FnOnce(&mut Album) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key).map(at)
    }
}
