//! Delays messages so that they stay within Telegram's rate limits.
//!
//! Telegram allows about 30 messages a second in total, one a second in a chat and 20 a minute in a
//! group (its FAQ, "My bot is hitting limits"). Each message first waits for its chat's limit and
//! then for the global one, so that a busy group delays only itself: teloxide's own `Throttle` has
//! one short queue for all chats, which a busy group fills, stops all chats when one of them must
//! wait, and does not limit edits.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use teloxide::types::ChatId;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep_until};

/// Between two messages to any chats: 25 a second. The rest of the 30 allows for network jitter,
/// which can bunch messages up.
const GLOBAL_INTERVAL: Duration = Duration::from_millis(40);
/// Between the arrival of a message and the next one in its chat.
const CHAT_INTERVAL: Duration = Duration::from_secs(1);
/// The most messages in a group or channel within [`MINUTE`].
const GROUP_MESSAGES: usize = 20;
const MINUTE: Duration = Duration::from_secs(60);
/// Idle chats are removed when this many are tracked.
const SWEEP_AT: usize = 4096;

/// The rate limiter. Permits are granted in the order in which they are requested: tokio's locks are
/// fair.
pub(super) struct RateLimiter {
    /// How many processes share the global limit; each uses an equal part of it.
    peers: Arc<AtomicU32>,
    /// When the next message to any chat may be sent.
    next: tokio::sync::Mutex<Option<Instant>>,
    /// Until when all chats wait.
    paused_until: Mutex<Option<Instant>>,
    chats: Mutex<HashMap<i64, Arc<tokio::sync::Mutex<ChatHistory>>>>,
}

/// What was sent to a chat recently.
#[derive(Default)]
struct ChatHistory {
    not_before: Option<Instant>,
    /// In groups and channels: the last [`GROUP_MESSAGES`] messages.
    sent: VecDeque<Instant>,
}

/// Permission to send one message to a chat. No other message is sent there until it is dropped,
/// which counts one message.
pub(super) struct SendPermit<'a> {
    limiter: &'a RateLimiter,
    is_group: bool,
    is_used: bool,
    history: OwnedMutexGuard<ChatHistory>,
}

impl RateLimiter {
    pub(super) fn new(peers: Arc<AtomicU32>) -> Self {
        Self { peers, next: Default::default(), paused_until: Mutex::default(), chats: Mutex::default() }
    }

    /// Waits until a message may be sent to `chat`.
    pub(super) async fn acquire(&self, chat: ChatId) -> SendPermit<'_> {
        let history = self.history(chat).lock_owned().await;
        let first = history.sent.front().filter(|_| history.sent.len() >= GROUP_MESSAGES);
        let group_limit = first.map(|first| *first + MINUTE);
        if let Some(time) = history.not_before.max(group_limit) {
            sleep_until(time).await;
        }
        // Locked while waiting, so that the next message's interval starts when this one is really
        // sent: a stall of this machine must not bunch up the messages behind it.
        let mut next = self.next.lock().await;
        while let Some(time) = next.max(self.paused_until()).filter(|time| *time > Instant::now()) {
            sleep_until(time).await;
        }
        *next = Some(Instant::now() + GLOBAL_INTERVAL * self.peers.load(Ordering::Relaxed).max(1));
        drop(next);
        SendPermit { limiter: self, is_group: chat.0 < 0, is_used: true, history }
    }

    fn paused_until(&self) -> Option<Instant> {
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn history(&self, chat: ChatId) -> Arc<tokio::sync::Mutex<ChatHistory>> {
        let mut chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        if chats.len() >= SWEEP_AT {
            let now = Instant::now();
            let is_idle = |history: &tokio::sync::Mutex<ChatHistory>| history.try_lock().is_ok_and(|h| h.is_idle(now));
            chats.retain(|_, history| Arc::strong_count(history) > 1 || !is_idle(history));
        }
        chats.entry(chat.0).or_default().clone()
    }
}

impl ChatHistory {
    /// Whether nothing in it limits a message any more.
    fn is_idle(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|time| time <= now) && self.sent.back().is_none_or(|last| *last + MINUTE <= now)
    }
}

impl SendPermit<'_> {
    /// Returns the permit unused: no message is counted.
    pub(super) fn release_unused(mut self) {
        self.is_used = false;
    }

    /// Records Telegram's `retry_after` for the chat. Telegram does not say which limit was exceeded,
    /// so all other chats pause as well, but for a second at most.
    pub(super) fn retry_after(mut self, wait: Duration) {
        let now = Instant::now();
        self.history.not_before = Some(now + wait);
        let mut paused_until = self.limiter.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused_until = (*paused_until).max(Some(now + wait.min(CHAT_INTERVAL)));
    }
}

impl Drop for SendPermit<'_> {
    fn drop(&mut self) {
        if !self.is_used {
            return;
        }
        let now = Instant::now();
        let is_group = self.is_group;
        let history = &mut *self.history;
        history.not_before = history.not_before.max(Some(now + CHAT_INTERVAL));
        if is_group {
            history.sent.push_back(now);
            if history.sent.len() > GROUP_MESSAGES {
                history.sent.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone() -> RateLimiter {
        RateLimiter::new(Arc::new(AtomicU32::new(1)))
    }

    #[tokio::test(start_paused = true)]
    async fn several_processes_divide_the_global_limit() {
        let limiter = RateLimiter::new(Arc::new(AtomicU32::new(5)));
        let begun = Instant::now();
        for chat in 1..=6 {
            limiter.acquire(ChatId(chat)).await;
        }
        assert_eq!(begun.elapsed(), 25 * GLOBAL_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn many_chats_share_the_global_limit_and_each_has_its_own() {
        let limiter = alone();
        let start = Instant::now();
        for chat in 1..=26 {
            limiter.acquire(ChatId(chat)).await;
        }
        let waited = start.elapsed();
        assert!((Duration::from_millis(1000)..Duration::from_millis(1100)).contains(&waited), "{waited:?}");
        limiter.acquire(ChatId(26)).await;
        assert!(start.elapsed() >= waited + CHAT_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_group_keeps_to_its_limit_and_delays_no_other_chat() {
        let limiter = alone();
        let start = Instant::now();
        let group = async {
            for _ in 0..21 {
                limiter.acquire(ChatId(-1)).await;
            }
            start.elapsed()
        };
        let other = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            limiter.acquire(ChatId(5)).await;
            start.elapsed()
        };
        let (group, other) = tokio::join!(group, other);
        assert!(group >= MINUTE && group < MINUTE + CHAT_INTERVAL, "{group:?}");
        assert!(other < Duration::from_secs(31), "{other:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_chat_with_retry_after_waits_that_long_and_the_others_a_second() {
        let limiter = alone();
        let start = Instant::now();
        limiter.acquire(ChatId(1)).await.retry_after(Duration::from_secs(30));
        limiter.acquire(ChatId(2)).await;
        assert!(start.elapsed() >= CHAT_INTERVAL && start.elapsed() < 2 * CHAT_INTERVAL);
        limiter.acquire(ChatId(1)).await;
        assert!(start.elapsed() >= Duration::from_secs(30));
    }
}
