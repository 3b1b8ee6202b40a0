//! Discord's rate limits, observed before Discord has to enforce them.
//!
//! Every response reports how many more requests its bucket takes and when the bucket resets. A bucket is
//! an endpoint together with a major parameter such as the channel. Its requests are sent one after the
//! other, so that each knows what the previous response reported. A global limit of requests per second
//! spans all buckets. serenity has such a limiter too, but disables it when the API is a proxy or stand-in.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep_until};

/// Requests per [`GLOBAL_WINDOW`] over all buckets.
const GLOBAL_LIMIT: usize = 50;
/// Discord's second, with a margin for requests that bunch up on the network.
const GLOBAL_WINDOW: Duration = Duration::from_millis(1100);
/// Idle buckets are dropped whenever this many are held.
const SWEEP_AT: usize = 4096;
/// The wait after a 429 that does not name one.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);
/// The shortest wait after a 429: `retry_after: 0`, sent again and again, would cause thousands of requests.
const MIN_RETRY_AFTER: Duration = Duration::from_millis(250);

/// Which limits a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub endpoint: &'static str,
    /// The major parameter: the channel, guild, application or interaction; 0 without one.
    pub major: u64,
    /// Whether the bot's token authorises it. Only such requests count against the global limit;
    /// responses to interactions do not.
    pub bot_token: bool,
}

/// The state of all limits.
#[derive(Debug)]
pub(super) struct Limiter {
    /// How many processes share the global limit; each uses an equal part of it.
    peers: Arc<AtomicU32>,
    buckets: Mutex<Buckets>,
    /// When the latest requests were sent. Locked while a request waits for the global limit.
    sent: AsyncMutex<VecDeque<Instant>>,
    /// Nothing is sent before this time, which a global 429 sets.
    blocked_until: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Buckets {
    /// Discord's bucket hash of each endpoint; endpoints may share one.
    hashes: HashMap<&'static str, String>,
    by_key: HashMap<(String, u64), Arc<AsyncMutex<Bucket>>>,
}

/// One bucket, locked while one of its requests is in flight.
#[derive(Debug, Default)]
struct Bucket {
    /// When it takes requests again, if none remain.
    exhausted_until: Option<Instant>,
}

/// Permission to send one request; its bucket's next request waits until this is dropped.
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    bucket: OwnedMutexGuard<Bucket>,
    route: Route,
}

impl Limiter {
    pub(super) fn new(peers: Arc<AtomicU32>) -> Self {
        Self { peers, buckets: Mutex::default(), sent: AsyncMutex::default(), blocked_until: Mutex::default() }
    }

    /// The requests per [`GLOBAL_WINDOW`] that this process may send.
    fn global_limit(&self) -> usize {
        (GLOBAL_LIMIT / self.peers.load(Ordering::Relaxed).max(1) as usize).max(1)
    }

    /// Waits until the bucket's earlier requests have been answered and its limits allow another.
    pub(super) async fn acquire(&self, route: Route) -> Permit<'_> {
        let bucket = self.bucket(&route).lock_owned().await;
        self.wait(route, bucket).await
    }

    /// A permit for a request of low priority: `None` when its bucket or the global limit is busy.
    pub(super) async fn acquire_if_idle(&self, route: Route) -> Option<Permit<'_>> {
        let now = Instant::now();
        let recent = self.sent.try_lock().ok()?.iter().filter(|sent| **sent + GLOBAL_WINDOW > now).count();
        let bucket = self.bucket(&route).try_lock_owned().ok()?;
        if recent >= self.global_limit().div_ceil(2) || bucket.exhausted_until.is_some_and(|until| until > now) {
            return None;
        }
        Some(self.wait(route, bucket).await)
    }

    async fn wait(&self, route: Route, mut bucket: OwnedMutexGuard<Bucket>) -> Permit<'_> {
        if let Some(until) = bucket.exhausted_until.take() {
            sleep_until(until).await;
        }
        if route.bot_token {
            self.wait_globally().await;
        }
        Permit { limiter: self, bucket, route }
    }

    /// Waits until the global limit allows a request, and counts it.
    async fn wait_globally(&self) {
        let mut sent = self.sent.lock().await;
        loop {
            let blocked = *self.blocked_until.lock().unwrap_or_else(PoisonError::into_inner);
            let last = sent.len().checked_sub(self.global_limit()).and_then(|last| sent.get(last));
            let full = last.map(|sent| *sent + GLOBAL_WINDOW);
            match blocked.max(full).filter(|until| *until > Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => break,
            }
        }
        sent.push_back(Instant::now());
        if sent.len() > GLOBAL_LIMIT {
            sent.pop_front();
        }
    }

    fn bucket(&self, route: &Route) -> Arc<AsyncMutex<Bucket>> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.by_key.len() >= SWEEP_AT {
            let now = Instant::now();
            buckets.by_key.retain(|_, bucket| {
                let is_idle = |bucket: &Bucket| bucket.exhausted_until.is_none_or(|until| until <= now);
                Arc::strong_count(bucket) > 1 || !bucket.try_lock().is_ok_and(|bucket| is_idle(&bucket))
            });
        }
        let hash = buckets.hashes.get(route.endpoint).map_or(route.endpoint, String::as_str).to_owned();
        buckets.by_key.entry((hash, route.major)).or_default().clone()
    }

    /// Records an endpoint's bucket hash. Only the first one counts: waiting requests keep their place in
    /// the queue.
    fn set_hash(&self, endpoint: &'static str, hash: &str) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.hashes.contains_key(endpoint) {
            return;
        }
        buckets.hashes.insert(endpoint, hash.to_owned());
        let provisional: Vec<(String, u64)> =
            buckets.by_key.keys().filter(|(key, _)| key == endpoint).cloned().collect();
        for key in provisional {
            if let Some(bucket) = buckets.by_key.remove(&key) {
                buckets.by_key.entry((hash.to_owned(), key.1)).or_insert(bucket);
            }
        }
    }
}

impl Permit<'_> {
    /// Records the limits that a response reports. `retry_after` is the wait in seconds from its body.
    /// Returns how long to wait before the request is sent again, where the response names that.
    pub(super) fn record(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        retry_after: Option<f64>,
    ) -> Option<Duration> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
        let seconds = |name: &str| duration(text(name)?.trim().parse().ok()?);
        if let Some(hash) = text("x-ratelimit-bucket") {
            self.limiter.set_hash(self.route.endpoint, hash);
        }
        let now = Instant::now();
        let retry_after = seconds("retry-after").max(retry_after.and_then(duration));
        if status == StatusCode::TOO_MANY_REQUESTS {
            let wait =
                retry_after.max(seconds("x-ratelimit-reset-after")).unwrap_or(DEFAULT_RETRY_AFTER).max(MIN_RETRY_AFTER);
            if text("x-ratelimit-global").is_some() || text("x-ratelimit-scope") == Some("global") {
                *self.limiter.blocked_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + wait);
            } else {
                self.bucket.exhausted_until = Some(now + wait);
            }
            return Some(wait);
        }
        if text("x-ratelimit-remaining") == Some("0") {
            self.bucket.exhausted_until = seconds("x-ratelimit-reset-after").map(|after| now + after);
        }
        retry_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone() -> Arc<AtomicU32> {
        Arc::new(AtomicU32::new(1))
    }

    fn route(endpoint: &'static str, major: u64) -> Route {
        Route { endpoint, major, bot_token: true }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_exhausted_bucket_waits_and_others_do_not() {
        let limiter = Limiter::new(alone());
        let begun = Instant::now();
        let exhausted = headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "2.5")]);
        limiter.acquire(route("post", 1)).await.record(StatusCode::OK, &exhausted, None);
        limiter.acquire(route("post", 2)).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(limiter.acquire_if_idle(route("post", 1)).await.is_none());
        assert!(limiter.acquire_if_idle(route("post", 3)).await.is_some());
        limiter.acquire(route("post", 1)).await;
        assert!(begun.elapsed() >= Duration::from_millis(2500));
    }

    #[tokio::test(start_paused = true)]
    async fn endpoints_that_share_a_bucket_wait_for_each_other() {
        let limiter = Limiter::new(alone());
        for endpoint in ["post", "patch"] {
            let shared = headers(&[("x-ratelimit-bucket", "one")]);
            limiter.acquire(route(endpoint, 1)).await.record(StatusCode::OK, &shared, None);
        }
        let post = limiter.acquire(route("post", 1)).await;
        assert!(limiter.acquire_if_idle(route("patch", 1)).await.is_none());
        assert!(limiter.acquire_if_idle(route("patch", 2)).await.is_some());
        drop(post);
        assert!(limiter.acquire_if_idle(route("patch", 1)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_global_limit_is_never_exceeded_and_a_global_429_blocks_all_requests() {
        let limiter = Limiter::new(alone());
        let begun = Instant::now();
        for channel in 0..120 {
            limiter.acquire(route("post", channel)).await;
        }
        assert!(begun.elapsed() >= 2 * GLOBAL_WINDOW && begun.elapsed() < 3 * GLOBAL_WINDOW);
        let refused = headers(&[("retry-after", "7"), ("x-ratelimit-global", "true")]);
        limiter.acquire(route("post", 1)).await.record(StatusCode::TOO_MANY_REQUESTS, &refused, None);
        limiter.acquire(route("post", 500)).await;
        assert!(begun.elapsed() >= Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn several_processes_divide_the_global_limit() {
        let limiter = Limiter::new(Arc::new(AtomicU32::new(5)));
        let begun = Instant::now();
        for channel in 0..24 {
            limiter.acquire(route("post", channel)).await;
        }
        assert!(begun.elapsed() >= 2 * GLOBAL_WINDOW && begun.elapsed() < 3 * GLOBAL_WINDOW);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_buckets_are_dropped() {
        let limiter = Limiter::new(alone());
        for channel in 0..3 * SWEEP_AT as u64 {
            drop(limiter.acquire(route("post", channel)).await);
        }
        assert!(limiter.buckets.lock().unwrap().by_key.len() <= SWEEP_AT);
    }
}
