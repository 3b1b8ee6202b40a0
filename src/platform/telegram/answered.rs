//! Remembers which messages were answered, so that an edit gets no second answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use teloxide::types::{ChatId, MessageId};

use crate::platform::fifo_cache::FifoCache;

/// Messages remembered: hours of a busy bot.
const REMEMBERED: usize = 16_384;

type Key = (ChatId, MessageId);

/// The messages answered lately, with their Unix times.
pub(super) struct Answered {
    started: Instant,
    horizon: Mutex<Horizon>,
    answered: FifoCache<Key, i64>,
    /// Messages that came as new ones since the start, answered or not.
    seen: FifoCache<Key, i64>,
}

/// Which messages are too old for anything to be known about them.
struct Horizon {
    /// When the program started, in Unix time of Telegram's clock.
    since: i64,
    /// The date of the newest answered message that is no longer remembered.
    evicted: Option<i64>,
}

impl Answered {
    /// Nothing answered yet, at this time of Telegram's clock; without one, this machine's is used.
    pub(super) fn new(clock: Option<i64>) -> Self {
        let own = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        Self {
            started: Instant::now(),
            horizon: Mutex::new(Horizon { since: clock.unwrap_or_else(own), evicted: None }),
            answered: FifoCache::new(REMEMBERED),
            seen: FifoCache::new(REMEMBERED),
        }
    }

    fn horizon(&self) -> MutexGuard<'_, Horizon> {
        self.horizon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns what Telegram's clock shows now: this machine's may be wrong.
    pub(super) fn clock(&self, now: i64) {
        let mut horizon = self.horizon();
        horizon.since = horizon.since.min(now - self.started.elapsed().as_secs().cast_signed());
    }

    /// Notes that a message came as a new one.
    pub(super) fn see(&self, key: Key, date: i64) {
        self.seen.insert(key, date);
    }

    /// Remembers a message as answered.
    pub(super) fn insert(&self, key: Key, date: i64) {
        let mut horizon = self.horizon();
        horizon.evicted = horizon.evicted.max(self.answered.insert(key, date));
    }

    /// Whether a message was answered, as far as is known.
    pub(super) fn contains(&self, key: Key) -> bool {
        self.answered.contains(key)
    }

    /// Whether an answer to a message would still be known: one from before the program started may
    /// have been answered then.
    pub(super) fn would_know(&self, key: Key, date: i64) -> bool {
        let horizon = self.horizon();
        self.seen.contains(key) || date >= horizon.since && Some(date) > horizon.evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = (ChatId(1), MessageId(2));

    #[test]
    fn telegrams_clock_decides_which_messages_are_older_than_the_program() {
        let answered = Answered::new(Some(1000));
        assert!(answered.would_know(KEY, 1000) && !answered.would_know(KEY, 999));
        answered.see(KEY, 5);
        assert!(answered.would_know(KEY, 5) && !answered.contains(KEY));
        answered.clock(900);
        assert!(answered.would_know((ChatId(1), MessageId(3)), 900));
        answered.clock(5000);
        assert!(!answered.would_know((ChatId(1), MessageId(3)), 899));
    }

    #[test]
    fn what_is_forgotten_counts_as_answered() {
        let answered = Answered::new(Some(0));
        for id in 0..=REMEMBERED as i32 {
            answered.insert((ChatId(1), MessageId(id)), id.into());
        }
        let first = (ChatId(1), MessageId(0));
        assert!(!answered.contains(first) && answered.contains((ChatId(1), MessageId(1))));
        assert!(!answered.would_know(first, 0) && answered.would_know(first, 1));
    }
}
