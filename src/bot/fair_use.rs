//! A token bucket for each person and each chat, so that one cannot take the others' share.
//!
//! Written here rather than taken from a crate, because the bucket also remembers whether its owner
//! was told to wait, and because tests turn tokio's clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::people::{Asker, ChatId, PersonId};

/// How many photos at once, and how fast more may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Photos that may come at once; 0 means as many as they like.
    pub burst: u32,
    /// The time after which one more may come.
    pub every: Duration,
}

/// Why a photo is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimited {
    /// To be told: the first since the last photo that was answered.
    FirstTime { wait: Duration },
    /// Not to be told again, unless they asked so that silence is no answer.
    Repeated { wait: Duration },
}

/// The buckets of everybody who came lately.
#[derive(Debug)]
pub struct FairUse {
    person: Rate,
    chat: Rate,
    buckets: Mutex<HashMap<Owner, Bucket>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Owner {
    Person(PersonId),
    Chat(ChatId),
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When it is full again (a bucket told by one time: the generic cell rate algorithm, ITU-T I.371).
    full_at: Instant,
    told: bool,
}

/// Full buckets are forgotten whenever this many are held.
const SWEEP_AT: usize = 4096;

impl FairUse {
    pub fn new(person: Rate, chat: Rate) -> Self {
        Self { person, chat, buckets: Mutex::default() }
    }

    /// Takes `photos` from the asker's and the chat's bucket, or from neither. More photos than a
    /// bucket ever holds empty it.
    ///
    /// # Errors
    /// [`RateLimited`] when there are not as many left.
    pub fn take(&self, asker: &Asker, photos: u32) -> Result<(), RateLimited> {
        let now = Instant::now();
        let owners = [(Owner::Person(asker.person), self.person), (Owner::Chat(asker.chat), self.chat)];
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= SWEEP_AT {
            buckets.retain(|_, bucket| bucket.full_at > now);
        }
        for (owner, rate) in owners {
            let Some(bucket) = buckets.get_mut(&owner).filter(|_| rate.burst > 0) else { continue };
            let wanted = rate.every * photos.min(rate.burst);
            let room = rate.every * rate.burst;
            let wait = (bucket.full_at + wanted).saturating_duration_since(now + room);
            if wait > Duration::ZERO {
                let told = std::mem::replace(&mut bucket.told, true);
                return Err(if told { RateLimited::Repeated { wait } } else { RateLimited::FirstTime { wait } });
            }
        }
        for (owner, rate) in owners.into_iter().filter(|(_, rate)| rate.burst > 0) {
            let bucket = buckets.entry(owner).or_insert(Bucket { full_at: now, told: false });
            *bucket = Bucket { full_at: bucket.full_at.max(now) + rate.every * photos.min(rate.burst), told: false };
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
    async fn the_first_refusal_says_when_to_come_back_and_later_ones_are_silent() {
        let fair = FairUse::new(rate(2, 10), rate(100, 1));
        assert_eq!((fair.take(&asker(1, 1), 1), fair.take(&asker(1, 1), 1)), (Ok(()), Ok(())));
        assert_eq!(fair.take(&asker(1, 1), 1), Err(RateLimited::FirstTime { wait: Duration::from_secs(10) }));
        assert_eq!(fair.take(&asker(1, 2), 1), Err(RateLimited::Repeated { wait: Duration::from_secs(10) }));
        assert_eq!(fair.take(&asker(2, 1), 1), Ok(()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(fair.take(&asker(1, 1), 1), Ok(()));
        assert_eq!(fair.take(&asker(1, 1), 1), Err(RateLimited::FirstTime { wait: Duration::from_secs(10) }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_chat_costs_its_members_nothing_and_a_large_album_passes_once() {
        let fair = FairUse::new(rate(3, 10), rate(4, 60));
        assert_eq!(fair.take(&asker(1, 7), 10), Ok(()));
        assert!(matches!(fair.take(&asker(2, 7), 2), Err(RateLimited::FirstTime { .. })));
        assert_eq!(fair.take(&asker(2, 8), 3), Ok(()));
        let free = FairUse::new(rate(0, 10), rate(0, 10));
        assert!((0..1000).all(|_| free.take(&asker(1, 1), 10).is_ok()));
    }
}
