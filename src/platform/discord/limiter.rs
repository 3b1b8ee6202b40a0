//! Discord's rate limits, kept to before Discord has to remind of them.
//!
//! Every answer of Discord tells how many more requests its bucket takes, and when that begins
//! anew. A bucket is a kind of request to one channel; its requests go one after the other, so that
//! each knows what the one before was told. All buckets share one limit of requests a second.
//! serenity has such a limiter too, but switches it off wherever its API is a stand-in's or proxy's.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::sync::{Mutex as Queue, OwnedMutexGuard};
use tokio::time::{Instant, sleep_until};

/// Requests a second over all buckets.
const A_SECOND: usize = 50;
/// Discord's second, and how much requests may bunch up on their way.
const SECOND: Duration = Duration::from_millis(1100);
/// Buckets at rest are forgotten whenever this many are held.
const SWEEP_AT: usize = 4096;
/// The wait after a refusal that does not name one.
const UNTOLD: Duration = Duration::from_secs(1);
/// The least wait after one: "at once", answered again and again, would become thousands of requests.
const LEAST: Duration = Duration::from_millis(250);

/// Which limits a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// The kind of request.
    pub kind: &'static str,
    /// The channel, application or interaction that it is about.
    pub about: u64,
    /// Whether it counts against the limit of all requests; answers to interactions do not.
    pub counted: bool,
}

/// The limits as they stand.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    buckets: Mutex<Buckets>,
    /// When the latest requests were sent; whoever waits for a place holds the queue's head.
    sent: Queue<VecDeque<Instant>>,
    /// Nothing is sent before.
    held_until: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Buckets {
    /// Discord's name of the bucket in which a kind of request counts; kinds may share one.
    names: HashMap<&'static str, String>,
    by_name: HashMap<(String, u64), Arc<Queue<Bucket>>>,
}

/// One bucket; whose turn it is holds it.
#[derive(Debug, Default)]
struct Bucket {
    /// It is empty, until then.
    empty_until: Option<Instant>,
}

/// A request's turn; the next one's begins when it is dropped.
pub(super) struct Turn<'a> {
    limiter: &'a Limiter,
    bucket: OwnedMutexGuard<Bucket>,
    route: Route,
}

impl Limiter {
    /// Waits until the requests before it in its bucket have been answered.
    pub(super) async fn turn(&self, route: Route) -> Turn<'_> {
        let bucket = self.bucket(&route).lock_owned().await;
        Turn { limiter: self, bucket, route }
    }

    /// A turn for what is not worth waiting: `None` when its bucket or the bot at large is busy.
    pub(super) fn idle_turn(&self, route: Route) -> Option<Turn<'_>> {
        let now = Instant::now();
        let lately = self.sent.try_lock().ok()?.iter().filter(|sent| **sent + SECOND > now).count();
        let bucket = self.bucket(&route).try_lock_owned().ok()?;
        let free = lately < A_SECOND / 2 && bucket.empty_until.is_none_or(|until| until <= now);
        free.then_some(Turn { limiter: self, bucket, route })
    }

    fn bucket(&self, route: &Route) -> Arc<Queue<Bucket>> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.by_name.len() >= SWEEP_AT {
            let now = Instant::now();
            buckets.by_name.retain(|_, bucket| {
                let at_rest = |bucket: &Bucket| bucket.empty_until.is_none_or(|until| until <= now);
                Arc::strong_count(bucket) > 1 || !bucket.try_lock().is_ok_and(|bucket| at_rest(&bucket))
            });
        }
        let name = buckets.names.get(route.kind).map_or(route.kind, String::as_str).to_owned();
        buckets.by_name.entry((name, route.about)).or_default().clone()
    }

    /// Learns the bucket of a kind of request. The first name counts: whoever waits goes on in the
    /// queue where they are.
    fn learn(&self, kind: &'static str, name: &str) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.names.contains_key(kind) {
            return;
        }
        buckets.names.insert(kind, name.to_owned());
        let unnamed: Vec<(String, u64)> = buckets.by_name.keys().filter(|(name, _)| name == kind).cloned().collect();
        for key in unnamed {
            if let Some(bucket) = buckets.by_name.remove(&key) {
                buckets.by_name.entry((name.to_owned(), key.1)).or_insert(bucket);
            }
        }
    }

    /// Waits for a place among the requests of this second.
    async fn place(&self) {
        let mut sent = self.sent.lock().await;
        loop {
            let held = *self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
            let full = sent.front().filter(|_| sent.len() >= A_SECOND).map(|first| *first + SECOND);
            match held.max(full).filter(|until| *until > Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => break,
            }
        }
        sent.push_back(Instant::now());
        if sent.len() > A_SECOND {
            sent.pop_front();
        }
    }
}

impl Turn<'_> {
    /// Waits until the request may be sent.
    pub(super) async fn clear(&mut self) {
        if let Some(until) = self.bucket.empty_until.take() {
            sleep_until(until).await;
        }
        if self.route.counted {
            self.limiter.place().await;
        }
    }

    /// Takes note of what Discord answered; `asked` is the wait in seconds that a refusal's body names.
    /// Returns the wait that follows from a refusal.
    pub(super) fn note(&mut self, status: StatusCode, headers: &HeaderMap, asked: Option<f64>) -> Option<Duration> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
        let seconds = |name: &str| duration(text(name)?.trim().parse().ok()?);
        if let Some(name) = text("x-ratelimit-bucket") {
            self.limiter.learn(self.route.kind, name);
        }
        let now = Instant::now();
        let named = seconds("retry-after").max(asked.and_then(duration));
        if status == StatusCode::TOO_MANY_REQUESTS {
            let wait = named.max(seconds("x-ratelimit-reset-after")).unwrap_or(UNTOLD).max(LEAST);
            if text("x-ratelimit-global").is_some() || text("x-ratelimit-scope") == Some("global") {
                *self.limiter.held_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + wait);
            } else {
                self.bucket.empty_until = Some(now + wait);
            }
            return Some(wait);
        }
        if text("x-ratelimit-remaining") == Some("0") {
            self.bucket.empty_until = seconds("x-ratelimit-reset-after").map(|after| now + after);
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(kind: &'static str, about: u64) -> Route {
        Route { kind, about, counted: true }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_bucket_waits_and_others_go_on() {
        let limiter = Limiter::default();
        let begun = Instant::now();
        let mut turn = limiter.turn(route("post", 1)).await;
        turn.clear().await;
        turn.note(
            StatusCode::OK,
            &headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "2.5")]),
            None,
        );
        drop(turn);
        limiter.turn(route("post", 2)).await.clear().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(limiter.idle_turn(route("post", 1)).is_none() && limiter.idle_turn(route("post", 3)).is_some());
        limiter.turn(route("post", 1)).await.clear().await;
        assert!(begun.elapsed() >= Duration::from_millis(2500));
    }

    #[tokio::test(start_paused = true)]
    async fn kinds_that_discord_counts_together_wait_for_each_other() {
        let limiter = Limiter::default();
        for kind in ["post", "patch"] {
            limiter.turn(route(kind, 1)).await.note(StatusCode::OK, &headers(&[("x-ratelimit-bucket", "one")]), None);
        }
        let post = limiter.turn(route("post", 1)).await;
        assert!(limiter.idle_turn(route("patch", 1)).is_none() && limiter.idle_turn(route("patch", 2)).is_some());
        drop(post);
        assert!(limiter.idle_turn(route("patch", 1)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_holds_more_than_discord_takes_and_a_refusal_of_all_holds_all() {
        let limiter = Limiter::default();
        let begun = Instant::now();
        for channel in 0..120 {
            limiter.turn(route("post", channel)).await.clear().await;
        }
        assert!(begun.elapsed() >= 2 * SECOND && begun.elapsed() < 3 * SECOND);
        let refused = headers(&[("retry-after", "7"), ("x-ratelimit-global", "true")]);
        limiter.turn(route("post", 1)).await.note(StatusCode::TOO_MANY_REQUESTS, &refused, None);
        limiter.turn(route("post", 500)).await.clear().await;
        assert!(begun.elapsed() >= Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn buckets_at_rest_are_forgotten() {
        let limiter = Limiter::default();
        for channel in 0..3 * SWEEP_AT as u64 {
            drop(limiter.turn(route("post", channel)).await);
        }
        assert!(limiter.buckets.lock().unwrap().by_name.len() <= SWEEP_AT);
    }
}
