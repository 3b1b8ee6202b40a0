//! Remembers which messages were answered, so that an edited message is not answered twice.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use teloxide::types::{ChatId, MessageId};

use crate::platform::fifo_cache::FifoCache;

/// How many messages are remembered: hours of a busy bot.
const CAPACITY: usize = 16_384;

type MessageKey = (ChatId, MessageId);

/// The recently answered messages, with their dates in Unix seconds.
pub(super) struct AnsweredMessages {
    started: Instant,
    horizon: Mutex<Horizon>,
    answered: FifoCache<MessageKey, i64>,
    /// Messages that arrived as new ones since the start, answered or not.
    received: FifoCache<MessageKey, i64>,
}

/// Which messages are too old to know whether they were answered.
struct Horizon {
    /// When the program started, in Unix seconds of Telegram's clock.
    start_date: i64,
    /// The date of the newest answered message that was evicted.
    evicted_date: Option<i64>,
}

impl AnsweredMessages {
    /// `now` is the current time of Telegram's clock; without it, this machine's clock is used.
    pub(super) fn new(now: Option<i64>) -> Self {
        let local = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        Self {
            started: Instant::now(),
            horizon: Mutex::new(Horizon { start_date: now.unwrap_or_else(local), evicted_date: None }),
            answered: FifoCache::new(CAPACITY),
            received: FifoCache::new(CAPACITY),
        }
    }

    fn horizon(&self) -> MutexGuard<'_, Horizon> {
        self.horizon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Corrects the start date by the current time of Telegram's clock: this machine's may be wrong.
    pub(super) fn sync_clock(&self, now: i64) {
        let mut horizon = self.horizon();
        horizon.start_date = horizon.start_date.min(now - self.started.elapsed().as_secs().cast_signed());
    }

    /// Records that a message arrived as a new one.
    pub(super) fn insert_received(&self, key: MessageKey, date: i64) {
        self.received.insert(key, date);
    }

    /// Records that a message was answered.
    pub(super) fn insert(&self, key: MessageKey, date: i64) {
        let mut horizon = self.horizon();
        horizon.evicted_date = horizon.evicted_date.max(self.answered.insert(key, date));
    }

    /// Whether a message is known to be answered.
    pub(super) fn contains(&self, key: MessageKey) -> bool {
        self.answered.contains(key)
    }

    /// Whether the message would be remembered if it had been answered: one from before the program
    /// started may have been answered by an earlier run.
    pub(super) fn would_contain(&self, key: MessageKey, date: i64) -> bool {
        let horizon = self.horizon();
        self.received.contains(key) || date >= horizon.start_date && Some(date) > horizon.evicted_date
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: MessageKey = (ChatId(1), MessageId(2));

    #[test]
    fn telegrams_clock_decides_which_messages_are_older_than_the_program() {
        let messages = AnsweredMessages::new(Some(1000));
        assert!(messages.would_contain(KEY, 1000) && !messages.would_contain(KEY, 999));
        messages.insert_received(KEY, 5);
        assert!(messages.would_contain(KEY, 5) && !messages.contains(KEY));
        messages.sync_clock(900);
        assert!(messages.would_contain((ChatId(1), MessageId(3)), 900));
        messages.sync_clock(5000);
        assert!(!messages.would_contain((ChatId(1), MessageId(3)), 899));
    }

    #[test]
    fn an_evicted_message_is_not_known_to_be_unanswered() {
        let messages = AnsweredMessages::new(Some(0));
        for id in 0..=CAPACITY as i32 {
            messages.insert((ChatId(1), MessageId(id)), id.into());
        }
        let first = (ChatId(1), MessageId(0));
        assert!(!messages.contains(first) && messages.contains((ChatId(1), MessageId(1))));
        assert!(!messages.would_contain(first, 0) && messages.would_contain(first, 1));
    }
}
