//! Rate limits: a token bucket for each person and each chat, so that nobody takes the others' share.
//!
//! Not from a crate, because the bucket also remembers whether its owner has been told to wait, and
//! because tests control tokio's clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use super::people::{Asker, ChatId, PersonId};

/// A rate limit on photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Photos that may arrive at once; 0 means no limit.
    pub burst: u32,
    /// The time after which one more may arrive.
    pub every: Duration,
}

/// Why a photo is refused: come back after `wait`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimited {
    /// The first refusal since a photo was admitted: worth a reply.
    FirstTime {
        /// The time until the photos would be admitted.
        wait: Duration,
    },
    /// A further one: already reported, so only worth a reply where one is owed.
    Repeated {
        /// The time until the photos would be admitted.
        wait: Duration,
    },
}

/// The buckets of recent people and chats.
#[derive(Debug)]
pub struct RateLimiter {
    rates: RwLock<Rates>,
    buckets: Mutex<HashMap<Owner, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Rates {
    person: Rate,
    chat: Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Owner {
    Person(PersonId),
    Chat(ChatId),
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When it is full again: the bucket's whole state (generic cell rate algorithm, ITU-T I.371).
    full_at: Instant,
    /// Whether a refusal has been reported since a photo was admitted.
    reported: bool,
}

/// Full buckets are dropped whenever there are this many buckets.
const SWEEP_AT: usize = 4096;

impl RateLimiter {
    /// Limits each person to the rate `person` and each chat to the rate `chat`.
    pub fn new(person: Rate, chat: Rate) -> Self {
        Self { rates: RwLock::new(Rates { person, chat }), buckets: Mutex::default() }
    }

    /// Changes the rates, from the next photo on.
    pub fn set_rates(&self, person: Rate, chat: Rate) {
        *self.rates.write().unwrap_or_else(PoisonError::into_inner) = Rates { person, chat };
    }

    /// Takes `photos` tokens from both the asker's and the chat's bucket, or from neither. More photos
    /// than a bucket's capacity empty it.
    ///
    /// # Errors
    /// [`RateLimited`] when one of them has too few tokens.
    pub fn take(&self, asker: &Asker, photos: u32) -> Result<(), RateLimited> {
        let now = Instant::now();
        let Rates { person, chat } = *self.rates.read().unwrap_or_else(PoisonError::into_inner);
        let owners = [(Owner::Person(asker.person), person), (Owner::Chat(asker.chat), chat)];
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= SWEEP_AT {
            buckets.retain(|_, bucket| bucket.full_at > now);
        }
        for (owner, rate) in owners {
            let Some(bucket) = buckets.get_mut(&owner).filter(|_| rate.burst > 0) else { continue };
            let wanted = rate.every * photos.min(rate.burst);
            let capacity = rate.every * rate.burst;
            let wait = (bucket.full_at + wanted).saturating_duration_since(now + capacity);
            if wait > Duration::ZERO {
                let reported = std::mem::replace(&mut bucket.reported, true);
                return Err(if reported { RateLimited::Repeated { wait } } else { RateLimited::FirstTime { wait } });
            }
        }
        for (owner, rate) in owners.into_iter().filter(|(_, rate)| rate.burst > 0) {
            let bucket = buckets.entry(owner).or_insert(Bucket { full_at: now, reported: false });
            let full_at = bucket.full_at.max(now) + rate.every * photos.min(rate.burst);
            *bucket = Bucket { full_at, reported: false };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bot::people::Platform;

    fn asker(person: i64, chat: i64) -> Asker {
        let platform = Platform::Discord;
        Asker { person: PersonId { platform, id: person }, chat: ChatId { platform, id: chat }, language: None }
    }

    fn rate(burst: u32, seconds: u64) -> Rate {
        Rate { burst, every: Duration::from_secs(seconds) }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_refusal_is_reported_and_later_ones_are_not() {
        let limiter = RateLimiter::new(rate(2, 10), rate(100, 1));
        assert_eq!((limiter.take(&asker(1, 1), 1), limiter.take(&asker(1, 1), 1)), (Ok(()), Ok(())));
        assert_eq!(limiter.take(&asker(1, 1), 1), Err(RateLimited::FirstTime { wait: Duration::from_secs(10) }));
        assert_eq!(limiter.take(&asker(1, 2), 1), Err(RateLimited::Repeated { wait: Duration::from_secs(10) }));
        assert_eq!(limiter.take(&asker(2, 1), 1), Ok(()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(limiter.take(&asker(1, 1), 1), Ok(()));
        assert_eq!(limiter.take(&asker(1, 1), 1), Err(RateLimited::FirstTime { wait: Duration::from_secs(10) }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_by_the_chats_limit_costs_the_person_nothing_and_a_large_album_passes_once() {
        let limiter = RateLimiter::new(rate(3, 10), rate(4, 60));
        assert_eq!(limiter.take(&asker(1, 7), 10), Ok(()));
        assert!(matches!(limiter.take(&asker(2, 7), 2), Err(RateLimited::FirstTime { .. })));
        assert_eq!(limiter.take(&asker(2, 8), 3), Ok(()));
        let unlimited = RateLimiter::new(rate(0, 10), rate(0, 10));
        assert!((0..1000).all(|_| unlimited.take(&asker(1, 1), 10).is_ok()));
    }
}
