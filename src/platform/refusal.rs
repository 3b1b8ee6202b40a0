//! What a refused request means for a reply: the same four kinds on every platform.
//!
//! Each platform maps its errors to [`Refusal`] in one place (`discord/refusals.rs`, `matrix/refusals.rs`,
//! `telegram/refusals.rs`); the consequences of a kind are the same on all platforms.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a reply is retried while a platform cannot accept it.
pub(super) const REPLY_DEADLINE: Duration = Duration::from_secs(300);
/// Pauses between attempts: the first, doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// What to do about a refused request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Retry: the same request may succeed later (429, 5xx, resets, time-outs). `after` is the wait that
    /// the platform asked for.
    Retry { after: Option<Duration> },
    /// The format was refused: send a simpler one, down to plain text.
    Simplify,
    /// The bot may not write there: notify the asker in private where the platform allows it, and an
    /// admin once a day.
    Forbidden,
    /// There is no recipient: the bot was blocked or kicked, or the chat deleted.
    Gone,
}

/// The kind of a failed request, as a metric's label: by its status, or `None` if there was no response.
pub(super) fn error_kind(status: Option<u16>) -> &'static str {
    match status {
        None => "unreachable",
        Some(401) => "unauthorized",
        Some(429) => "rate_limited",
        Some(400..500) => "refused",
        Some(500..) => "server_error",
        Some(_) => "unreadable",
    }
}

/// Exponential back-off with a deadline.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    deadline: Instant,
}

impl Backoff {
    /// A back-off that gives up `limit` from now.
    pub(super) fn with_limit(limit: Duration) -> Self {
        Self { next: FIRST_PAUSE, deadline: Instant::now() + limit }
    }

    /// Waits before the next attempt, at least for `retry_after`, which the platform asked for. Returns
    /// `false` immediately if that attempt would come after the deadline.
    pub(super) async fn pause(&mut self, retry_after: Option<Duration>) -> bool {
        let pause = retry_after.unwrap_or_default().max(self.next);
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        if Instant::now() + pause >= self.deadline {
            return false;
        }
        sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_respect_retry_after_and_end_at_the_deadline() {
        let begun = Instant::now();
        let mut backoff = Backoff::with_limit(Duration::from_secs(20));
        assert!(backoff.pause(None).await && backoff.pause(None).await);
        assert_eq!(begun.elapsed(), Duration::from_millis(1500));
        assert!(backoff.pause(Some(Duration::from_secs(7))).await);
        assert_eq!(begun.elapsed(), Duration::from_millis(8500));
        assert!(!backoff.pause(Some(Duration::from_secs(60))).await);
        assert_eq!(begun.elapsed(), Duration::from_millis(8500));
    }
}
