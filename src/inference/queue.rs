//! Where photos wait: bounded, first in first out.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Why a job was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No place is free.
    Full,
    /// [`Queue::close`] was called.
    Closed,
}

/// Waiting jobs of type `J`. A queue in another process can stand behind this trait.
pub trait Queue<J>: Send + Sync {
    /// Adds a job at the end.
    ///
    /// # Errors
    /// [`Refusal`]; the job is dropped.
    fn push(&self, job: J) -> Result<(), Refusal>;

    /// Waits for a job, then takes its share of what is waiting, at most `most`; `None` once the
    /// queue is closed and empty. Of n jobs one of `takers` takes n / takers, rounded up, so that
    /// no taker idles while another holds a long batch.
    fn take(&self, most: usize, takers: usize) -> Option<Vec<J>>;

    /// Refuses new jobs; those waiting are still handed out.
    fn close(&self);

    /// Jobs waiting now.
    fn depth(&self) -> usize;
}

/// The embedded queue, in this process's memory.
pub struct MemoryQueue<J> {
    state: Mutex<State<J>>,
    arrived: Condvar,
    capacity: usize,
}

struct State<J> {
    jobs: VecDeque<J>,
    closed: bool,
}

impl<J> MemoryQueue<J> {
    /// A queue of `capacity` places.
    pub fn new(capacity: usize) -> Self {
        let state = State { jobs: VecDeque::with_capacity(capacity), closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new(), capacity }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        // No code that can panic runs under the lock; a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Send> Queue<J> for MemoryQueue<J> {
    fn push(&self, job: J) -> Result<(), Refusal> {
        let mut state = self.state();
        if state.closed {
            return Err(Refusal::Closed);
        }
        if state.jobs.len() >= self.capacity {
            return Err(Refusal::Full);
        }
        state.jobs.push_back(job);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    fn take(&self, most: usize, takers: usize) -> Option<Vec<J>> {
        let empty = |state: &mut State<J>| state.jobs.is_empty() && !state.closed;
        let mut state = self.arrived.wait_while(self.state(), empty).unwrap_or_else(PoisonError::into_inner);
        if state.jobs.is_empty() {
            return None;
        }
        let share = state.jobs.len().div_ceil(takers.max(1)).min(most.max(1));
        Some(state.jobs.drain(..share).collect())
    }

    fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    fn depth(&self) -> usize {
        self.state().jobs.len()
    }
}
