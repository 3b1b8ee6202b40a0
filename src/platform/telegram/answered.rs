//! Remembers which messages were answered, so that an edit, or an update that Telegram sends again,
//! gets no second answer.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use teloxide::types::{ChatId, Message, MessageId};

/// Messages remembered: hours of a busy bot.
const REMEMBERED: usize = 16_384;

type Key = (ChatId, MessageId);

/// The messages answered lately.
pub(super) struct Answered {
    /// Unix time from which on all answered messages were remembered.
    since: Mutex<i64>,
    messages: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    known: HashSet<Key>,
    /// The same, oldest first, each with its Unix time.
    order: VecDeque<(Key, i64)>,
}

impl Answered {
    pub(super) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        Self { since: Mutex::new(now), messages: Mutex::default() }
    }

    /// Remembers a message; whether it was not there yet.
    pub(super) fn first_time(&self, message: &Message) -> bool {
        let key = (message.chat.id, message.id);
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let Remembered { known, order } = &mut *messages;
        if !known.insert(key) {
            return false;
        }
        order.push_back((key, message.date.timestamp()));
        if order.len() > REMEMBERED
            && let Some((oldest, date)) = order.pop_front()
        {
            known.remove(&oldest);
            let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
            *since = (*since).max(date);
        }
        true
    }

    /// Whether an answer to this message would still be known: older ones may have been answered
    /// before the program started.
    pub(super) fn reaches_back_to(&self, message: &Message) -> bool {
        message.date.timestamp() >= *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
