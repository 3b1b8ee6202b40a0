//! When a message may be sent, so that Telegram never has to refuse one.
//!
//! Telegram allows about 30 messages a second over all, one a second in a chat and 20 a minute in a
//! group (its FAQ, "My bot is hitting limits"). Each message waits for its turn in its chat first
//! and in the whole second, so that a busy group holds up nobody but itself: teloxide's own
//! `Throttle` keeps one short queue for all chats, which a busy group fills, stops all of them
//! when one is told to wait, and passes edits through unpaced.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use teloxide::types::ChatId;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep_until};

/// Between two messages to whomever: 25 a second. The rest of the 30 is for what the way to
/// Telegram pushes together.
const OVERALL: Duration = Duration::from_millis(40);
/// Between the arrival of a message and the next one in its chat.
const CHAT: Duration = Duration::from_secs(1);
/// In groups and channels, so many messages in [`MINUTE`] at most.
const GROUP: usize = 20;
const MINUTE: Duration = Duration::from_secs(60);
/// Chats at rest are forgotten whenever this many are held.
const SWEEP_AT: usize = 4096;

/// Whose turn it is. Turns are given in the order in which they are asked for: tokio's locks queue.
#[derive(Default)]
pub(super) struct Pace {
    /// When the next message may leave, to whomever.
    next: tokio::sync::Mutex<Option<Instant>>,
    /// Until when all wait.
    paused: Mutex<Option<Instant>>,
    chats: Mutex<HashMap<i64, Arc<tokio::sync::Mutex<Lately>>>>,
}

/// What was sent to a chat lately.
#[derive(Default)]
struct Lately {
    not_before: Option<Instant>,
    /// In groups and channels: the last [`GROUP`] messages.
    sent: VecDeque<Instant>,
}

/// A chat's turn: nothing else is sent there until it is dropped, which counts one message.
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    group: bool,
    used: bool,
    lately: OwnedMutexGuard<Lately>,
}

impl Pace {
    /// Waits until a message may be sent to `chat`.
    pub(super) async fn turn(&self, chat: ChatId) -> Turn<'_> {
        let lately = self.lately(chat).lock_owned().await;
        let full = lately.sent.front().filter(|_| lately.sent.len() >= GROUP).map(|first| *first + MINUTE);
        if let Some(time) = lately.not_before.max(full) {
            sleep_until(time).await;
        }
        // Held while waiting, so that the next one counts from when this one really left: a pause
        // of this machine must not bunch up those behind it.
        let mut next = self.next.lock().await;
        while let Some(time) = next.max(self.paused()).filter(|time| *time > Instant::now()) {
            sleep_until(time).await;
        }
        *next = Some(Instant::now() + OVERALL);
        drop(next);
        Turn { pace: self, group: chat.0 < 0, used: true, lately }
    }

    fn paused(&self) -> Option<Instant> {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lately(&self, chat: ChatId) -> Arc<tokio::sync::Mutex<Lately>> {
        let mut chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        if chats.len() >= SWEEP_AT {
            let now = Instant::now();
            chats.retain(|_, lately| Arc::strong_count(lately) > 1 || lately.try_lock().is_ok_and(|l| !l.rests(now)));
        }
        chats.entry(chat.0).or_default().clone()
    }
}

impl Lately {
    /// Whether nothing of it matters any more.
    fn rests(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|time| time <= now) && self.sent.back().is_none_or(|last| *last + MINUTE <= now)
    }
}

impl Turn<'_> {
    /// Nothing was sent, so nothing counts.
    pub(super) fn unused(mut self) {
        self.used = false;
    }

    /// Telegram refused: the chat waits as long as it asks. It does not say which limit was hit, so
    /// everybody waits a moment, too; not longer, for the sake of those in other chats.
    pub(super) fn refused(mut self, wait: Duration) {
        let now = Instant::now();
        self.lately.not_before = Some(now + wait);
        let mut paused = self.pace.paused.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = (*paused).max(Some(now + wait.min(CHAT)));
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.used {
            return;
        }
        let now = Instant::now();
        let group = self.group;
        let lately = &mut *self.lately;
        lately.not_before = lately.not_before.max(Some(now + CHAT));
        if group {
            lately.sent.push_back(now);
            if lately.sent.len() > GROUP {
                lately.sent.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_chats_share_the_second_and_each_waits_for_its_own() {
        let pace = Pace::default();
        let start = Instant::now();
        for chat in 1..=26 {
            pace.turn(ChatId(chat)).await;
        }
        let waited = start.elapsed();
        assert!((Duration::from_millis(1000)..Duration::from_millis(1100)).contains(&waited), "{waited:?}");
        pace.turn(ChatId(26)).await;
        assert!(start.elapsed() >= waited + CHAT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_group_keeps_to_its_minute_and_holds_up_nobody_else() {
        let pace = Pace::default();
        let start = Instant::now();
        let group = async {
            for _ in 0..21 {
                pace.turn(ChatId(-1)).await;
            }
            start.elapsed()
        };
        let other = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            pace.turn(ChatId(5)).await;
            start.elapsed()
        };
        let (group, other) = tokio::join!(group, other);
        assert!(group >= MINUTE && group < MINUTE + CHAT, "{group:?}");
        assert!(other < Duration::from_secs(31), "{other:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_chat_waits_and_the_others_only_a_moment() {
        let pace = Pace::default();
        let start = Instant::now();
        pace.turn(ChatId(1)).await.refused(Duration::from_secs(30));
        pace.turn(ChatId(2)).await;
        assert!(start.elapsed() >= CHAT && start.elapsed() < 2 * CHAT);
        pace.turn(ChatId(1)).await;
        assert!(start.elapsed() >= Duration::from_secs(30));
    }
}
