//! Where photos wait: bounded, and shared fairly between those who ask.
//!
//! Whoever asks has a queue of their own, and the queues take turns (fair queueing, Nagle 1987,
//! RFC 970): who posts a thousand photos at once delays another's single one by the photo that is
//! being looked at, not by a thousand.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Why a job was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No place is free.
    Full,
    /// [`Queue::close`] was called.
    Closed,
}

/// Waiting jobs of type `J`, each of a flow `F`.
pub struct Queue<F, J> {
    state: Mutex<State<F, J>>,
    arrived: Condvar,
    capacity: usize,
}

struct State<F, J> {
    flows: Flows<F, J>,
    closed: bool,
}

impl<F: Copy + Eq + Hash, J> Queue<F, J> {
    /// A queue of `capacity` places.
    pub fn new(capacity: usize) -> Self {
        let state = State { flows: Flows::default(), closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new(), capacity }
    }

    /// Adds a job at the end of its flow. In a full queue it takes the place of the last job of the
    /// longest flow, if its own is shorter; that job is given back.
    ///
    /// # Errors
    /// [`Refusal`]; the job is dropped.
    pub fn push(&self, flow: F, job: J) -> Result<Option<J>, Refusal> {
        let mut state = self.state();
        if state.closed {
            return Err(Refusal::Closed);
        }
        let mut given_up = None;
        if state.flows.len() >= self.capacity {
            given_up = Some(state.flows.pop_longest(flow).ok_or(Refusal::Full)?);
        }
        state.flows.push(flow, job);
        drop(state);
        self.arrived.notify_one();
        Ok(given_up)
    }

    /// Waits for a job and takes that of the flow whose turn it is; `None` once the queue is closed
    /// and empty.
    pub fn take(&self) -> Option<J> {
        let empty = |state: &mut State<F, J>| state.flows.len() == 0 && !state.closed;
        let mut state = self.arrived.wait_while(self.state(), empty).unwrap_or_else(PoisonError::into_inner);
        state.flows.pop()
    }

    /// Refuses new jobs; those waiting are still handed out.
    pub fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// Jobs waiting now.
    pub fn depth(&self) -> usize {
        self.state().flows.len()
    }

    fn state(&self) -> MutexGuard<'_, State<F, J>> {
        // No code that can panic runs under the lock; a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Flows that take turns.
#[derive(Debug)]
pub struct Flows<F, J> {
    waiting: HashMap<F, VecDeque<J>>,
    /// The flows that have something waiting, whose turn is next first.
    turns: VecDeque<F>,
    count: usize,
}

impl<F, J> Default for Flows<F, J> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new(), count: 0 }
    }
}

impl<F: Copy + Eq + Hash, J> Flows<F, J> {
    /// Everything that waits, of all flows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds something at the end of its flow.
    pub fn push(&mut self, flow: F, job: J) {
        let waiting = self.waiting.entry(flow).or_default();
        if waiting.is_empty() {
            self.turns.push_back(flow);
        }
        waiting.push_back(job);
        self.count += 1;
    }

    /// Takes the first of the flow whose turn it is.
    pub fn pop(&mut self) -> Option<J> {
        let flow = self.turns.pop_front()?;
        let waiting = self.waiting.get_mut(&flow)?;
        let job = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&flow);
        } else {
            self.turns.push_back(flow);
        }
        self.count -= 1;
        job
    }

    /// Takes the last of the longest flow, if that is longer than `than` would be with one more.
    fn pop_longest(&mut self, than: F) -> Option<J> {
        let own = self.waiting.get(&than).map_or(0, VecDeque::len);
        let (flow, waiting) = self.waiting.iter_mut().max_by_key(|(_, waiting)| waiting.len())?;
        if waiting.len() <= own + 1 {
            return None;
        }
        let flow = *flow;
        let job = waiting.pop_back();
        self.count -= 1;
        if waiting.is_empty() {
            self.waiting.remove(&flow);
            self.turns.retain(|turn| *turn != flow);
        }
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_take_turns_whatever_one_of_them_has_waiting() {
        let queue = Queue::new(100);
        (0..50).for_each(|job| assert_eq!(queue.push('a', job), Ok(None)));
        queue.push('b', 100).unwrap();
        queue.push('c', 200).unwrap();
        queue.push('b', 101).unwrap();
        let taken: Vec<i32> = (0..6).filter_map(|_| queue.take()).collect();
        assert_eq!(taken, [0, 100, 200, 1, 101, 2]);
    }

    #[test]
    fn a_full_queue_has_room_for_who_asks_for_less() {
        let queue = Queue::new(4);
        (0..4).for_each(|job| assert_eq!(queue.push('a', job), Ok(None)));
        assert_eq!(queue.push('a', 4), Err(Refusal::Full));
        assert_eq!(queue.push('b', 100), Ok(Some(3)));
        assert_eq!(queue.push('b', 101), Ok(Some(2)));
        assert_eq!(queue.push('b', 102), Err(Refusal::Full));
        // Both have as many waiting, and either may give way.
        assert!(queue.push('c', 200).unwrap().is_some());
        assert_eq!(queue.depth(), 4);
        queue.close();
        assert_eq!(queue.push('d', 1), Err(Refusal::Closed));
        assert_eq!((0..9).filter_map(|_| queue.take()).count(), 4);
    }
}
