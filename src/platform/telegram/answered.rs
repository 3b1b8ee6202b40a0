//! Remembers which messages were answered, so that an edit gets no second answer.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use teloxide::types::{ChatId, MessageId};

/// Messages remembered: hours of a busy bot.
const REMEMBERED: usize = 16_384;

type Key = (ChatId, MessageId);

/// The messages answered lately.
pub(super) struct Answered {
    started: Instant,
    messages: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// When the program started, in Unix time of Telegram's clock.
    since: i64,
    /// The date of the newest answered message that is no longer remembered.
    forgotten: Option<i64>,
    answered: Memory,
    /// Messages that came as new ones since the start, answered or not.
    seen: Memory,
}

/// Messages with their Unix times, the oldest forgotten first.
#[derive(Default)]
struct Memory {
    known: HashSet<Key>,
    order: VecDeque<(Key, i64)>,
}

impl Memory {
    /// Remembers a message; the date of the one that was forgotten for it.
    fn insert(&mut self, key: Key, date: i64) -> Option<i64> {
        if self.known.insert(key) {
            self.order.push_back((key, date));
        }
        if self.order.len() <= REMEMBERED {
            return None;
        }
        let (oldest, date) = self.order.pop_front()?;
        self.known.remove(&oldest);
        Some(date)
    }
}

impl Answered {
    /// Nothing answered yet, at this time of Telegram's clock; without one this machine's has to do.
    pub(super) fn new(clock: Option<i64>) -> Self {
        let own = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        let remembered = Remembered { since: clock.unwrap_or_else(own), ..Remembered::default() };
        Self { started: Instant::now(), messages: Mutex::new(remembered) }
    }

    fn messages(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns what Telegram's clock shows now: this machine's may be wrong.
    pub(super) fn clock(&self, now: i64) {
        let mut messages = self.messages();
        messages.since = messages.since.min(now - self.started.elapsed().as_secs().cast_signed());
    }

    /// Notes that a message came as a new one.
    pub(super) fn see(&self, key: Key, date: i64) {
        self.messages().seen.insert(key, date);
    }

    /// Remembers a message as answered.
    pub(super) fn insert(&self, key: Key, date: i64) {
        let mut messages = self.messages();
        if let Some(forgotten) = messages.answered.insert(key, date) {
            messages.forgotten = messages.forgotten.max(Some(forgotten));
        }
    }

    /// Whether a message was answered, as far as is known.
    pub(super) fn contains(&self, key: Key) -> bool {
        self.messages().answered.known.contains(&key)
    }

    /// Whether an answer to a message would still be known: one from before the program started may
    /// have been answered then.
    pub(super) fn would_know(&self, key: Key, date: i64) -> bool {
        let messages = self.messages();
        messages.seen.known.contains(&key) || date >= messages.since && Some(date) > messages.forgotten
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
