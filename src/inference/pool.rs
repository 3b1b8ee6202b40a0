//! A shared pool of worker threads behind a bounded queue.
//!
//! A worker takes one photo at a time and answers it at once; photos whose asker has gone are
//! dropped before they cost anything; a panic fails the photo that caused it and no other.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::error;

use super::queue::{PushError, Queue};
use super::{Analysis, Framing, InferenceError};
use crate::guesser::Guesser;

/// What a worker does with a photo.
pub trait Analyser: Send + Sync + 'static {
    /// Finds and estimates its faces.
    ///
    /// # Errors
    /// [`InferenceError`], by cause.
    fn analyse(&self, photo: &[u8], framing: Framing) -> Result<Analysis, InferenceError>;
}

impl Analyser for Guesser {
    fn analyse(&self, photo: &[u8], framing: Framing) -> Result<Analysis, InferenceError> {
        Ok(Guesser::analyse(self, photo, framing)?)
    }
}

/// Whoever shares the workers with others: photos of one flow wait for each other, flows take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowId(u64);

impl FlowId {
    /// The flow of whoever this is: a person, an address, a program.
    pub fn of(whoever: &impl Hash) -> Self {
        Self(BuildHasherDefault::<DefaultHasher>::default().hash_one(whoever))
    }
}

/// Size and patience of a [`Pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// Worker threads, one photo each.
    pub workers: usize,
    /// Photos that may wait.
    pub queue: usize,
    /// The longest from asking to the answer.
    pub deadline: Duration,
}

struct Job {
    photo: Bytes,
    framing: Framing,
    reply: oneshot::Sender<Result<Analysis, InferenceError>>,
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
    /// When the system gives no thread.
    pub fn start(analyser: Arc<dyn Analyser>, options: PoolOptions) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(options.queue));
        let spawn = |index: usize| {
            let (queue, analyser) = (queue.clone(), analyser.clone());
            std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || work(&queue, &*analyser))
        };
        let workers = (0..options.workers.max(1)).map(spawn).collect::<Result<_, _>>()?;
        Ok(Self { queue, workers: Mutex::new(workers), deadline: options.deadline })
    }

    /// Asks for one photo and waits for its answer. Dropping the future withdraws the photo.
    ///
    /// # Errors
    /// [`InferenceError`]; `Overloaded` when the queue is full, or becomes so for the greediest.
    pub async fn analyse(&self, flow: FlowId, photo: Bytes, framing: Framing) -> Result<Analysis, InferenceError> {
        let (reply, answer) = oneshot::channel();
        let given_up = self.queue.push(flow, Job { photo, framing, reply }).map_err(|refusal| match refusal {
            PushError::Full => InferenceError::Overloaded,
            PushError::Closed => InferenceError::Stopped,
        })?;
        if let Some(job) = given_up {
            // Its asker may have left in the meantime.
            let _ = job.reply.send(Err(InferenceError::Overloaded));
        }
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(answer) => answer.unwrap_or(Err(InferenceError::Stopped)),
            Err(_) => Err(InferenceError::Expired(self.deadline)),
        }
    }

    /// Photos waiting now.
    pub fn queue_depth(&self) -> usize {
        self.queue.depth()
    }

    /// Refuses new photos, answers those waiting, ends the workers. Blocks until they have ended.
    pub fn stop(&self) {
        self.queue.close();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // A worker only ends by itself; its panics are caught inside.
            let _ = worker.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work(queue: &Queue<FlowId, Job>, analyser: &dyn Analyser) {
    let serve = || {
        while let Some((flow, Job { photo, framing, reply })) = queue.take() {
            if reply.is_closed() {
                continue;
            }
            let begun = Instant::now();
            let answer = isolated(analyser, &photo, framing);
            queue.charge(flow, begun.elapsed());
            // The asker may have left in the meantime, which is its right.
            let _ = reply.send(answer);
        }
    };
    // The kernels spread over the current rayon pool. A pool of one thread, this one, keeps each
    // worker on its own core; the global pool would serialise the workers on its threads.
    match rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build() {
        Ok(own) => own.install(serve),
        Err(_) => serve(),
    }
}

/// Analyses a photo; a panic becomes an error of its own.
fn isolated(analyser: &dyn Analyser, photo: &[u8], framing: Framing) -> Result<Analysis, InferenceError> {
    catch_unwind(AssertUnwindSafe(|| analyser.analyse(photo, framing))).unwrap_or_else(|_| {
        error!(bytes = photo.len(), "a photo made the computation panic");
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

    /// Waits at its barrier once for each photo "wait", panics on "panic", counts photos, and answers
    /// with the photo's length as width.
    struct Scripted {
        barrier: Barrier,
        photos: AtomicUsize,
    }

    impl Scripted {
        fn new() -> Arc<Self> {
            Arc::new(Self { barrier: Barrier::new(2), photos: AtomicUsize::new(0) })
        }
    }

    impl Analyser for Scripted {
        fn analyse(&self, photo: &[u8], _: Framing) -> Result<Analysis, InferenceError> {
            if photo == b"wait" {
                self.barrier.wait();
                self.barrier.wait();
            }
            assert!(photo != b"panic", "scripted");
            self.photos.fetch_add(1, Ordering::SeqCst);
            answer(photo.len())
        }
    }

    /// A pool whose only worker is held inside a batch until the returned barrier is met again.
    async fn held(script: &Arc<Scripted>, pool: &Arc<Pool>) -> tokio::task::JoinHandle<()> {
        let asking = pool.clone();
        let first = tokio::spawn(async move {
            assert_eq!(asking.analyse(FLOW, Bytes::from_static(b"wait"), Framing::Find).await, answer(4));
        });
        let script = script.clone();
        tokio::task::spawn_blocking(move || script.barrier.wait()).await.unwrap();
        first
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_says_busy_at_once_and_to_the_greediest_when_another_comes() {
        let script = Scripted::new();
        let pool = Arc::new(Pool::start(script.clone(), OPTIONS).unwrap());
        let first = held(&script, &pool).await;
        let mut waiting = Vec::new();
        for photo in ["a", "bb"] {
            let mut asked = Box::pin(pool.analyse(FLOW, photo.into(), Framing::Find));
            assert!(futures_util::poll!(&mut asked).is_pending());
            waiting.push(asked);
        }
        assert_eq!(pool.queue_depth(), 2);
        assert_eq!(pool.analyse(FLOW, "ccc".into(), Framing::Find).await, Err(InferenceError::Overloaded));
        let mut other = Box::pin(pool.analyse(FlowId(8), "dddd".into(), Framing::Find));
        assert!(futures_util::poll!(&mut other).is_pending());
        assert_eq!(waiting.remove(1).await, Err(InferenceError::Overloaded));
        script.barrier.wait();
        first.await.unwrap();
        assert_eq!(waiting.remove(0).await, answer(1));
        assert_eq!(other.await, answer(4));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_fails_its_own_photo_alone() {
        let script = Scripted::new();
        let pool = Arc::new(Pool::start(script.clone(), PoolOptions { queue: 8, ..OPTIONS }).unwrap());
        let first = held(&script, &pool).await;
        let mut asked = Vec::new();
        for photo in ["x", "panic", "zz"] {
            let mut future = Box::pin(pool.analyse(FLOW, photo.into(), Framing::Find));
            assert!(futures_util::poll!(&mut future).is_pending());
            asked.push(future);
        }
        script.barrier.wait();
        first.await.unwrap();
        assert_eq!(asked.remove(0).await, answer(1));
        assert!(matches!(asked.remove(0).await, Err(InferenceError::Failed(_))));
        assert_eq!(asked.remove(0).await, answer(2));
        assert_eq!(pool.analyse(FLOW, "after".into(), Framing::Find).await, answer(5));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_photo_whose_asker_has_gone_is_never_computed() {
        let script = Scripted::new();
        let pool = Arc::new(Pool::start(script.clone(), OPTIONS).unwrap());
        let first = held(&script, &pool).await;
        let mut gone = Box::pin(pool.analyse(FLOW, "gone".into(), Framing::Find));
        assert!(futures_util::poll!(&mut gone).is_pending());
        drop(gone);
        script.barrier.wait();
        first.await.unwrap();
        assert_eq!(pool.analyse(FLOW, "later".into(), Framing::Find).await, answer(5));
        assert_eq!(script.photos.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn stopping_answers_what_waits_and_refuses_what_comes() {
        let script = Scripted::new();
        let pool = Arc::new(Pool::start(script.clone(), OPTIONS).unwrap());
        let first = held(&script, &pool).await;
        let mut waiting = Box::pin(pool.analyse(FLOW, "yes".into(), Framing::Find));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let stopping = pool.clone();
        let stopped = tokio::task::spawn_blocking(move || stopping.stop());
        script.barrier.wait();
        first.await.unwrap();
        assert_eq!(waiting.await, answer(3));
        stopped.await.unwrap();
        assert_eq!(pool.analyse(FLOW, "no".into(), Framing::Find).await, Err(InferenceError::Stopped));
    }

    #[tokio::test(start_paused = true)]
    async fn a_photo_past_its_deadline_is_given_up() {
        /// Never answers within anybody's patience.
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
