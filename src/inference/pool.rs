//! A shared pool of worker threads fed by a bounded queue.
//!
//! A worker takes one photo at a time and replies immediately; photos whose requester has gone are
//! dropped before any computation; a panic fails only the photo that caused it.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use faceguesser_vision::FORWARD_BATCH;
use tokio::sync::oneshot;
use tracing::{Span, error};

use super::InferenceError;
use super::queue::{Priority, PushError, Queue};
use crate::explain::probe::{DropoutOptions, Probe, probe};
use crate::explain::{Explanation, explain};
use crate::observe::metrics::metrics;
use crate::observe::{Stage, record_stage};
use crate::{Analysis, Framing, Guesser};

/// The computation that workers run for each photo.
pub trait Analyser: Send + Sync + 'static {
    /// Finds and estimates the faces of a photo.
    ///
    /// # Errors
    /// [`InferenceError`], by cause.
    fn analyse(&self, photo: &[u8], framing: Framing) -> Result<Analysis, InferenceError>;

    /// Explains the face of this index, from 0.
    ///
    /// # Errors
    /// [`InferenceError`], by cause.
    fn explain(&self, photo: &[u8], face: usize) -> Result<Explanation, InferenceError> {
        let _ = (photo, face);
        Err(InferenceError::Failed("this analyser explains nothing".into()))
    }

    /// Guesses a crop, also with some features switched off at random.
    ///
    /// # Errors
    /// [`InferenceError`], by cause.
    fn probe(&self, crop: &[u8], lots: DropoutOptions) -> Result<Probe, InferenceError> {
        let _ = (crop, lots);
        Err(InferenceError::Failed("this analyser probes nothing".into()))
    }
}

impl Analyser for Guesser {
    fn analyse(&self, photo: &[u8], framing: Framing) -> Result<Analysis, InferenceError> {
        let (analysis, times) = self.timed(photo, framing)?;
        record_stage(Stage::Decode, times.decode);
        record_stage(Stage::Find, times.find);
        record_stage(Stage::Cut, times.cut);
        record_stage(Stage::Estimate, times.estimate);
        analysis.faces.chunks(FORWARD_BATCH).for_each(|batch| metrics().observe_batch(batch.len()));
        Ok(analysis)
    }

    fn explain(&self, photo: &[u8], face: usize) -> Result<Explanation, InferenceError> {
        let started = Instant::now();
        let explanation = explain(self, photo, face)?;
        record_stage(Stage::Explain, started.elapsed());
        Ok(explanation)
    }

    fn probe(&self, crop: &[u8], lots: DropoutOptions) -> Result<Probe, InferenceError> {
        Ok(probe(self.estimator(), crop, lots)?)
    }
}

/// A requester, as a flow of the fair queue: photos of one flow are queued in order, flows take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowId(u64);

impl FlowId {
    /// The flow of a requester: a person, an address, a program.
    pub fn from_key(requester: &impl Hash) -> Self {
        Self(BuildHasherDefault::<DefaultHasher>::default().hash_one(requester))
    }
}

/// Size and deadline of a [`Pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// Worker threads; each analyses one photo at a time.
    pub workers: usize,
    /// Maximum number of queued photos.
    pub queue: usize,
    /// Maximum time from the request to its answer.
    pub deadline: Duration,
}

struct Job {
    photo: Bytes,
    task: Task,
    queued: Instant,
    /// The span of the request, in which the worker computes.
    span: Span,
}

/// What to do with a photo, and where to send the answer.
enum Task {
    Analyse(Framing, Reply<Analysis>),
    Explain(usize, Reply<Explanation>),
    Probe(DropoutOptions, Reply<Probe>),
}

type Reply<T> = oneshot::Sender<Result<T, InferenceError>>;

impl Job {
    /// Whether its requester has gone.
    fn is_cancelled(&self) -> bool {
        match &self.task {
            Task::Analyse(_, reply) => reply.is_closed(),
            Task::Explain(_, reply) => reply.is_closed(),
            Task::Probe(_, reply) => reply.is_closed(),
        }
    }

    /// Computes and sends the answer; `charge` is called when the computation has ended.
    fn run(self, analyser: &dyn Analyser, charge: impl FnOnce()) {
        let Self { photo, task, queued, span } = self;
        let _entered = span.enter();
        record_stage(Stage::Wait, queued.elapsed());
        // The requester may have gone.
        match task {
            Task::Analyse(framing, reply) => {
                let answer = isolated(&photo, || analyser.analyse(&photo, framing));
                charge();
                let _ = reply.send(answer);
            }
            Task::Explain(face, reply) => {
                let answer = isolated(&photo, || analyser.explain(&photo, face));
                charge();
                let _ = reply.send(answer);
            }
            Task::Probe(lots, reply) => {
                let answer = isolated(&photo, || analyser.probe(&photo, lots));
                charge();
                let _ = reply.send(answer);
            }
        }
    }

    fn refuse(self, error: InferenceError) {
        // The requester may have gone.
        match self.task {
            Task::Analyse(_, reply) => drop(reply.send(Err(error))),
            Task::Explain(_, reply) => drop(reply.send(Err(error))),
            Task::Probe(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// The running workers.
pub struct Pool {
    queue: Arc<Queue<FlowId, Job>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    deadline: Duration,
}

impl Pool {
    /// Starts the workers.
    ///
    /// # Errors
    /// If a thread cannot be spawned.
    pub fn start(analyser: Arc<dyn Analyser>, options: PoolOptions) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(options.queue));
        let spawn = |index: usize| {
            let (queue, analyser) = (queue.clone(), analyser.clone());
            std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || run_worker(&queue, &*analyser))
        };
        let workers: Vec<_> = (0..options.workers.max(1)).map(spawn).collect::<Result<_, _>>()?;
        metrics().set_workers(workers.len());
        Ok(Self { queue, workers: Mutex::new(workers), deadline: options.deadline })
    }

    /// Queues one photo and waits for its analysis. Dropping the future cancels the request.
    ///
    /// # Errors
    /// [`InferenceError`]; `Overloaded` if the queue is full, or if this photo is evicted from it later
    /// because its flow has the most photos waiting.
    pub async fn analyse(&self, flow: FlowId, photo: Bytes, framing: Framing) -> Result<Analysis, InferenceError> {
        let (reply, answer) = oneshot::channel();
        self.queue(flow, photo, Task::Analyse(framing, reply), Priority::Guess)?;
        self.wait(answer).await
    }

    /// As [`Pool::analyse`] for the explanation of one face, which waits until no photo is waiting for its analysis.
    ///
    /// # Errors
    /// As [`Pool::analyse`]; `NoSuchFace` if the photo has fewer faces.
    pub async fn explain(&self, flow: FlowId, photo: Bytes, face: usize) -> Result<Explanation, InferenceError> {
        let (reply, answer) = oneshot::channel();
        self.queue(flow, photo, Task::Explain(face, reply), Priority::Explanation)?;
        self.wait(answer).await
    }

    /// As [`Pool::analyse`] for what the network says about a crop, 128×128 grey bytes; waits as an explanation does.
    ///
    /// # Errors
    /// As [`Pool::analyse`]; `Failed` if the crop has another size.
    pub async fn probe(&self, flow: FlowId, crop: Bytes, lots: DropoutOptions) -> Result<Probe, InferenceError> {
        let (reply, answer) = oneshot::channel();
        self.queue(flow, crop, Task::Probe(lots, reply), Priority::Explanation)?;
        self.wait(answer).await
    }

    fn queue(&self, flow: FlowId, photo: Bytes, task: Task, priority: Priority) -> Result<(), InferenceError> {
        let job = Job { photo, task, queued: Instant::now(), span: Span::current() };
        // Before a worker can take it.
        metrics().queue_changed(1);
        let evicted = self.queue.push(flow, job, priority).map_err(|error| {
            metrics().queue_changed(-1);
            match error {
                PushError::Full => InferenceError::Overloaded,
                PushError::Closed => InferenceError::Stopped,
            }
        })?;
        if let Some(job) = evicted {
            metrics().queue_changed(-1);
            job.refuse(InferenceError::Overloaded);
        }
        Ok(())
    }

    async fn wait<T>(&self, answer: oneshot::Receiver<Result<T, InferenceError>>) -> Result<T, InferenceError> {
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(answer) => answer.unwrap_or(Err(InferenceError::Stopped)),
            Err(_) => Err(InferenceError::Expired(self.deadline)),
        }
    }

    /// Number of photos waiting.
    pub fn queue_depth(&self) -> usize {
        self.queue.depth()
    }

    /// Refuses new photos, answers those waiting and stops the workers. Blocks until they have stopped.
    pub fn stop(&self) {
        self.queue.close();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // Panics of a worker are caught inside it.
            let _ = worker.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn run_worker(queue: &Queue<FlowId, Job>, analyser: &dyn Analyser) {
    let run = || {
        while let Some((flow, job)) = queue.take() {
            metrics().queue_changed(-1);
            if !job.is_cancelled() {
                let _busy = metrics().busy_worker();
                let started = Instant::now();
                job.run(analyser, || queue.charge(flow, started.elapsed()));
            }
        }
    };
    // candle's operations use the current rayon pool. A pool of this one thread keeps each worker on
    // its own core; the global pool would serialise the workers on its threads.
    match rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build() {
        Ok(pool) => pool.install(run),
        Err(_) => run(),
    }
}

/// Runs the computation for a photo; a panic becomes an error.
fn isolated<T>(photo: &[u8], compute: impl FnOnce() -> Result<T, InferenceError>) -> Result<T, InferenceError> {
    catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|_| {
        error!(bytes = photo.len(), "the computation panicked");
        Err(InferenceError::Failed("the computation panicked".into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const OPTIONS: PoolOptions = PoolOptions { workers: 1, queue: 2, deadline: Duration::from_secs(60) };

    fn answer(width: usize) -> Result<Analysis, InferenceError> {
        Ok(Analysis::empty(width as u32, 0))
    }

    const FLOW: FlowId = FlowId(7);

    /// Waits at its barrier twice for a photo "wait", panics on "panic", counts photos, and answers with
    /// the photo's length as width.
    struct FakeAnalyser {
        barrier: Barrier,
        photos: AtomicUsize,
    }

    impl FakeAnalyser {
        fn new() -> Arc<Self> {
            Arc::new(Self { barrier: Barrier::new(2), photos: AtomicUsize::new(0) })
        }
    }

    impl Analyser for FakeAnalyser {
        fn analyse(&self, photo: &[u8], _: Framing) -> Result<Analysis, InferenceError> {
            if photo == b"wait" {
                self.barrier.wait();
                self.barrier.wait();
            }
            assert!(photo != b"panic", "injected panic");
            self.photos.fetch_add(1, Ordering::SeqCst);
            answer(photo.len())
        }
    }

    /// Blocks the only worker of `pool` inside a photo until the barrier is reached again; the returned task
    /// waits for its answer.
    async fn block_worker(analyser: &Arc<FakeAnalyser>, pool: &Arc<Pool>) -> tokio::task::JoinHandle<()> {
        let requester = pool.clone();
        let first = tokio::spawn(async move {
            assert_eq!(requester.analyse(FLOW, Bytes::from_static(b"wait"), Framing::Find).await, answer(4));
        });
        let analyser = analyser.clone();
        tokio::task::spawn_blocking(move || analyser.barrier.wait()).await.unwrap();
        first
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_refuses_immediately_and_evicts_from_the_longest_flow_for_another() {
        let analyser = FakeAnalyser::new();
        let pool = Arc::new(Pool::start(analyser.clone(), OPTIONS).unwrap());
        let first = block_worker(&analyser, &pool).await;
        let mut waiting = Vec::new();
        for photo in ["a", "bb"] {
            let mut request = Box::pin(pool.analyse(FLOW, photo.into(), Framing::Find));
            assert!(futures_util::poll!(&mut request).is_pending());
            waiting.push(request);
        }
        assert_eq!(pool.queue_depth(), 2);
        assert_eq!(pool.analyse(FLOW, "ccc".into(), Framing::Find).await, Err(InferenceError::Overloaded));
        let mut other = Box::pin(pool.analyse(FlowId(8), "dddd".into(), Framing::Find));
        assert!(futures_util::poll!(&mut other).is_pending());
        assert_eq!(waiting.remove(1).await, Err(InferenceError::Overloaded));
        analyser.barrier.wait();
        first.await.unwrap();
        assert_eq!(waiting.remove(0).await, answer(1));
        assert_eq!(other.await, answer(4));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_fails_only_its_own_photo() {
        let analyser = FakeAnalyser::new();
        let pool = Arc::new(Pool::start(analyser.clone(), PoolOptions { queue: 8, ..OPTIONS }).unwrap());
        let first = block_worker(&analyser, &pool).await;
        let mut requests = Vec::new();
        for photo in ["x", "panic", "zz"] {
            let mut request = Box::pin(pool.analyse(FLOW, photo.into(), Framing::Find));
            assert!(futures_util::poll!(&mut request).is_pending());
            requests.push(request);
        }
        analyser.barrier.wait();
        first.await.unwrap();
        assert_eq!(requests.remove(0).await, answer(1));
        assert!(matches!(requests.remove(0).await, Err(InferenceError::Failed(_))));
        assert_eq!(requests.remove(0).await, answer(2));
        assert_eq!(pool.analyse(FLOW, "after".into(), Framing::Find).await, answer(5));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_photo_whose_requester_has_gone_is_not_computed() {
        let analyser = FakeAnalyser::new();
        let pool = Arc::new(Pool::start(analyser.clone(), OPTIONS).unwrap());
        let first = block_worker(&analyser, &pool).await;
        let mut gone = Box::pin(pool.analyse(FLOW, "gone".into(), Framing::Find));
        assert!(futures_util::poll!(&mut gone).is_pending());
        drop(gone);
        analyser.barrier.wait();
        first.await.unwrap();
        assert_eq!(pool.analyse(FLOW, "later".into(), Framing::Find).await, answer(5));
        assert_eq!(analyser.photos.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn stopping_answers_waiting_photos_and_refuses_new_ones() {
        let analyser = FakeAnalyser::new();
        let pool = Arc::new(Pool::start(analyser.clone(), OPTIONS).unwrap());
        let first = block_worker(&analyser, &pool).await;
        let mut waiting = Box::pin(pool.analyse(FLOW, "yes".into(), Framing::Find));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let stopping = pool.clone();
        let stopped = tokio::task::spawn_blocking(move || stopping.stop());
        analyser.barrier.wait();
        first.await.unwrap();
        assert_eq!(waiting.await, answer(3));
        stopped.await.unwrap();
        assert_eq!(pool.analyse(FLOW, "no".into(), Framing::Find).await, Err(InferenceError::Stopped));
    }

    #[tokio::test(start_paused = true)]
    async fn a_photo_past_its_deadline_expires() {
        /// Does not answer before the deadline.
        struct Stuck(Mutex<std::sync::mpsc::Receiver<()>>);
        impl Analyser for Stuck {
            fn analyse(&self, photo: &[u8], _: Framing) -> Result<Analysis, InferenceError> {
                let _ = self.0.lock().unwrap().recv();
                answer(photo.len())
            }
        }
        let (_release, held) = std::sync::mpsc::channel();
        let pool = Pool::start(Arc::new(Stuck(Mutex::new(held))), OPTIONS).unwrap();
        let answer = pool.analyse(FLOW, "slow".into(), Framing::Find).await;
        assert_eq!(answer, Err(InferenceError::Expired(OPTIONS.deadline)));
    }
}
