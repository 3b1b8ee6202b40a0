//! What a refused request means for a reply: the same four kinds on every platform.
//!
//! Each platform maps its own errors onto [`Refusal`] in one table (`discord/refusals.rs`,
//! `telegram/refusals.rs`); what follows from a kind is the same everywhere.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The longest a reply is repeated while a platform cannot take it.
pub(super) const REPLY_DEADLINE: Duration = Duration::from_secs(300);
/// Pauses between attempts: the first, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// What to do about a refused request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The same request may succeed later: 429, 5xx, resets, time-outs. `after` is the wait that the
    /// platform asked for.
    Wait { after: Option<Duration> },
    /// The request's form was refused: send a plainer one, down to words alone.
    Simplify,
    /// The bot may not write there: the asker is told in private where the platform allows it, an
    /// admin once a day.
    Forbidden,
    /// Nobody is left to tell: blocked, kicked, deleted.
    Gone,
}

/// Exponential back-off that ends at a deadline.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    deadline: Instant,
}

impl Backoff {
    /// A back-off that gives up `limit` from now.
    pub(super) fn within(limit: Duration) -> Self {
        Self { next: FIRST_PAUSE, deadline: Instant::now() + limit }
    }

    /// Waits for the next attempt: at least as long as the platform `asked` for. `false`, at once,
    /// when that attempt would come after the deadline.
    pub(super) async fn pause(&mut self, asked: Option<Duration>) -> bool {
        let pause = asked.unwrap_or_default().max(self.next);
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
    async fn pauses_grow_obey_the_platform_and_end_at_the_deadline() {
        let begun = Instant::now();
        let mut backoff = Backoff::within(Duration::from_secs(20));
        assert!(backoff.pause(None).await && backoff.pause(None).await);
        assert_eq!(begun.elapsed(), Duration::from_millis(1500));
        assert!(backoff.pause(Some(Duration::from_secs(7))).await);
        assert_eq!(begun.elapsed(), Duration::from_millis(8500));
        assert!(!backoff.pause(Some(Duration::from_secs(60))).await);
        assert_eq!(begun.elapsed(), Duration::from_millis(8500));
    }
}
