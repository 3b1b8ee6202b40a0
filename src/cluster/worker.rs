//! Takes jobs from the queue. Each is leased: while a worker holds it, it tells the server that it still
//! works on it; when it is killed, the server gives the job to another worker.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::Message;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::jobs::{Batch, Held, StoredJob, batch_key, key};
use super::{ACK_WAIT, ClusterStore, failed};
use crate::bot::jobs::{Job, MAX_TRIES, TakenJobs};
use crate::bot::people::{ChatId, Platform};
use crate::bot::store::StoreError;
use crate::download::cause;

/// How long one request for a job waits at the server. It is short, so that a request that got lost is soon
/// followed by another.
const REQUEST_EXPIRES: Duration = Duration::from_secs(5);
/// After this time without an answer, a job or that there is none, the server does not know the consumer.
const WATCHDOG: Duration = Duration::from_secs(9);
/// The pause after a failed request.
const RETRY: Duration = Duration::from_secs(1);
/// The pause before a job that was given back is delivered again.
const REDELIVERY: Duration = Duration::from_secs(5);
/// An album counts as complete when no part has arrived for this long.
const QUIET_PERIOD: Duration = Duration::from_millis(700);
/// After this many tries not even an apology is possible.
const MAX_DELIVERIES: u32 = 2 * MAX_TRIES;

impl ClusterStore {
    /// The jobs of a platform, `slots` at a time, until `shutdown`.
    pub fn take_jobs(
        self: &Arc<Self>,
        platform: Platform,
        slots: usize,
        shutdown: CancellationToken,
    ) -> mpsc::Receiver<TakenJobs> {
        let (sender, receiver) = mpsc::channel(1);
        let store = self.clone();
        let slots = Arc::new(Semaphore::new(slots));
        tokio::spawn(async move {
            loop {
                let ended = tokio::select! {
                    () = shutdown.cancelled() => return,
                    ended = store.pull(platform, &slots, &sender) => ended,
                };
                if let Err(error) = ended {
                    warn!(error = cause(&error), "jobs cannot be fetched, retrying");
                    sleep(RETRY).await;
                }
            }
        });
        receiver
    }

    /// Gives all jobs back that this process holds and has not finished; it must not answer them any more.
    pub async fn give_back(&self) {
        let held: Vec<_> = self.held().values().cloned().collect();
        for job in held {
            if !job.done.load(Ordering::Relaxed) && !job.lost.swap(true, Ordering::Relaxed) {
                let _ = job.acker.ack_with(AckKind::Nak(None)).await;
            }
        }
        // At worst the queue waits for this worker.
        let _ = timeout(RETRY, self.context.client().flush()).await;
    }

    /// Pulls jobs until the watchdog or an error ends it.
    async fn pull(
        self: &Arc<Self>,
        platform: Platform,
        slots: &Arc<Semaphore>,
        sender: &mpsc::Sender<TakenJobs>,
    ) -> Result<(), StoreError> {
        let consumer = self.consumer(platform).await?;
        info!(platform = platform.name(), "waiting for jobs");
        loop {
            let Ok(permit) = slots.clone().acquire_owned().await else { return Ok(()) };
            // Asked for only when there is room: a job that waits here could be answered elsewhere.
            let request = consumer.batch().max_messages(1).expires(REQUEST_EXPIRES);
            let mut messages = request.messages().await.map_err(failed("read"))?;
            match timeout(WATCHDOG, messages.next()).await {
                Ok(Some(Ok(message))) => {
                    let (store, sender) = (self.clone(), sender.clone());
                    tokio::spawn(async move { store.accept(message, permit, &sender).await });
                }
                Ok(Some(Err(source))) => return Err(StoreError { operation: "read", source }),
                Ok(None) => {}
                Err(_) => return Ok(()),
            }
        }
    }

    /// Leases a job and hands it to the platform.
    async fn accept(self: Arc<Self>, message: Message, permit: OwnedSemaphorePermit, sender: &mpsc::Sender<TakenJobs>) {
        let stored = serde_json::from_slice::<StoredJob>(&message.payload).ok();
        let Some(job) = stored.and_then(|stored| stored.job(1)) else {
            warn!("a job was stored by another version of this program, dropping it");
            let _ = message.ack().await;
            return;
        };
        let key = key(&job);
        if self.held().values().any(|held| held.key == key) {
            return debug!("a job was delivered again while it is being worked on");
        }
        let tries = match self.start_attempt(&key).await {
            Ok(Some(tries)) => tries,
            Ok(None) => {
                debug!("a job was answered before");
                // If this fails, the job comes again.
                let _ = message.ack().await;
                return;
            }
            Err(error) => {
                warn!(error = cause(&error), "a job could not be started");
                let _ = message.ack_with(AckKind::Nak(Some(REDELIVERY))).await;
                return;
            }
        };
        let job = Job { tries, ..job };
        let (_, acker) = message.split();
        let held = Held { acker, key, tries, done: AtomicBool::new(false), lost: AtomicBool::new(false) };
        let mut lease = Lease::new(self.clone(), Arc::new(held), permit);
        match self.prepare_jobs(job, &mut lease).await {
            Ok(jobs) if jobs.is_empty() => {}
            Ok(jobs) => {
                let _ = sender.send(TakenJobs { jobs, lease: Box::new(lease) }).await;
            }
            Err(error) => warn!(error = cause(&error), "a job could not be prepared"),
        }
    }

    /// The job with the other parts of its album; none if nothing is to be done.
    async fn prepare_jobs(&self, job: Job, lease: &mut Lease) -> Result<Vec<Job>, StoreError> {
        let Job { tries, .. } = job;
        if tries > MAX_TRIES {
            self.park(&job).await?;
        }
        if tries > MAX_DELIVERIES {
            warn!("a photo could not even be apologised for");
            lease.acknowledge().await;
            return Ok(Vec::new());
        }
        let jobs = match job.album.clone() {
            None => vec![job],
            Some(album) => self.take_batch(job, &album).await?,
        };
        Ok(if lease.hold(&jobs) { jobs } else { Vec::new() })
    }

    /// Takes the parts of an album, once no more have arrived for a while.
    async fn take_batch(&self, job: Job, album: &str) -> Result<Vec<Job>, StoreError> {
        let (key, tries) = (batch_key(&job, album), job.tries);
        let mut known = None;
        loop {
            let Some((batch, revision)) = self.recent.entry::<Batch>(&key).await? else { return Ok(vec![job]) };
            // A part that arrives between these two requests is among those that are taken.
            if batch.taken || known == Some(revision) {
                let take = |batch: Option<Batch>| {
                    let batch = Batch { taken: true, ..batch.unwrap_or_default() };
                    let jobs: Vec<Job> = batch.parts.iter().cloned().filter_map(|part| part.job(tries)).collect();
                    (Some(batch), jobs)
                };
                let mut jobs = self.recent.change(&key, take).await?;
                jobs.sort_by_key(|job| job.message);
                return Ok(jobs);
            }
            known = Some(revision);
            sleep(QUIET_PERIOD).await;
        }
    }
}

/// A job that this worker holds. Dropping it gives the job back, unless it was finished.
struct Lease {
    store: Arc<ClusterStore>,
    held: Arc<Held>,
    messages: Vec<(ChatId, i64)>,
    progress: AbortHandle,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    fn new(store: Arc<ClusterStore>, held: Arc<Held>, permit: OwnedSemaphorePermit) -> Self {
        let working = held.clone();
        let progress = tokio::spawn(async move { show_progress(&working).await });
        Self { store, held, messages: Vec::new(), progress: progress.abort_handle(), _permit: permit }
    }

    /// From now on these jobs are held with this lease; `false` if this process holds them already.
    fn hold(&mut self, jobs: &[Job]) -> bool {
        let messages: Vec<_> = jobs.iter().map(|job| (job.chat, job.message)).collect();
        let mut held = self.store.held();
        if messages.iter().any(|message| held.contains_key(message)) {
            self.held.lost.store(true, Ordering::Relaxed);
            return false;
        }
        held.extend(messages.iter().map(|message| (*message, self.held.clone())));
        drop(held);
        self.messages = messages;
        true
    }

    async fn acknowledge(&self) {
        // If this fails, the job comes again.
        let acknowledged = self.held.acker.ack().await;
        self.held.done.store(acknowledged.is_ok(), Ordering::Relaxed);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.progress.abort();
        {
            let mut held = self.store.held();
            for message in &self.messages {
                held.remove(message);
            }
        }
        let Held { done, lost, .. } = &*self.held;
        if !done.load(Ordering::Relaxed) && !lost.load(Ordering::Relaxed) {
            let held = self.held.clone();
            self.store.runtime.spawn(async move {
                let _ = held.acker.ack_with(AckKind::Nak(Some(REDELIVERY))).await;
            });
        }
    }
}

/// Tells the server at regular intervals that a job is being worked on.
async fn show_progress(held: &Held) -> Infallible {
    let mut ticks = interval(ACK_WAIT / 3);
    // The first tick is immediate.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if let Err(error) = held.acker.ack_with(AckKind::Progress).await {
            debug!(%error, "the server could not be told that a job is being worked on");
        }
    }
}
