//! Where photos wait: bounded, and shared fairly between those who ask.
//!
//! Whoever asks has a queue of their own, and the one who had the least of the workers' time lately
//! goes first (least attained service, Kleinrock 1976): a single portrait does not wait for forty
//! people who post crowds without end, only for the photo that is being looked at.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a job was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
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
    /// [`PushError`]; the job is dropped.
    pub fn push(&self, flow: F, job: J) -> Result<Option<J>, PushError> {
        let mut state = self.state();
        if state.closed {
            return Err(PushError::Closed);
        }
        let mut given_up = None;
        if state.flows.waiting() >= self.capacity {
            given_up = Some(state.flows.pop_longest(flow).ok_or(PushError::Full)?);
        }
        state.flows.push(flow, job);
        drop(state);
        self.arrived.notify_one();
        Ok(given_up)
    }

    /// Waits for a job and takes that of the flow that has had the least; `None` once the queue is
    /// closed and empty.
    pub fn take(&self) -> Option<(F, J)> {
        let empty = |state: &mut State<F, J>| state.flows.waiting() == 0 && !state.closed;
        let mut state = self.arrived.wait_while(self.state(), empty).unwrap_or_else(PoisonError::into_inner);
        state.flows.pop()
    }

    /// Counts the time that a flow's job took.
    pub fn charge(&self, flow: F, took: Duration) {
        self.state().flows.charge(flow, took.as_secs_f64());
    }

    /// Refuses new jobs; those waiting are still handed out.
    pub fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// Jobs waiting now.
    pub fn depth(&self) -> usize {
        self.state().flows.waiting()
    }

    fn state(&self) -> MutexGuard<'_, State<F, J>> {
        // No code that can panic runs under the lock; a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits, by flow, and how much each flow has had lately.
#[derive(Debug)]
pub struct Flows<F, J> {
    flows: HashMap<F, Flow<J>>,
    count: usize,
    arrivals: u64,
}

#[derive(Debug)]
struct Flow<J> {
    /// Each with the number of its arrival.
    waiting: VecDeque<(u64, J)>,
    /// What it has had, as of `at`: it counts half as much after each [`HALF_LIFE`].
    attained: f64,
    at: Instant,
}

const HALF_LIFE: f64 = 30.0;
/// Flows at rest are forgotten whenever this many are held.
const SWEEP_AT: usize = 4096;

impl<J> Flow<J> {
    fn attained(&self, now: Instant) -> f64 {
        self.attained * (-now.saturating_duration_since(self.at).as_secs_f64() / HALF_LIFE).exp2()
    }
}

impl<F, J> Default for Flows<F, J> {
    fn default() -> Self {
        Self { flows: HashMap::new(), count: 0, arrivals: 0 }
    }
}

impl<F: Copy + Eq + Hash, J> Flows<F, J> {
    /// Everything that waits, of all flows.
    pub fn waiting(&self) -> usize {
        self.count
    }

    /// Adds something at the end of its flow.
    pub fn push(&mut self, flow: F, job: J) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.flow(flow).waiting.push_back((arrival, job));
        self.count += 1;
    }

    /// Takes the first of the flow that has had the least; of equals, what came first.
    pub fn pop(&mut self) -> Option<(F, J)> {
        let now = Instant::now();
        let waiting =
            self.flows.iter().filter_map(|(flow, one)| Some((*flow, one.attained(now), one.waiting.front()?.0)));
        let (flow, ..) = waiting.min_by(|one, other| one.1.total_cmp(&other.1).then(one.2.cmp(&other.2)))?;
        let (_, job) = self.flows.get_mut(&flow)?.waiting.pop_front()?;
        self.count -= 1;
        Some((flow, job))
    }

    /// Counts what a flow has had.
    pub fn charge(&mut self, flow: F, cost: f64) {
        let now = Instant::now();
        let flow = self.flow(flow);
        (flow.attained, flow.at) = (flow.attained(now) + cost, now);
    }

    fn flow(&mut self, flow: F) -> &mut Flow<J> {
        let now = Instant::now();
        if self.flows.len() >= SWEEP_AT {
            self.flows.retain(|_, flow| !flow.waiting.is_empty() || flow.attained(now) > 1e-3);
        }
        self.flows.entry(flow).or_insert_with(|| Flow { waiting: VecDeque::new(), attained: 0.0, at: now })
    }

    /// Takes the last of the longest flow, if that is longer than `than` would be with one more.
    fn pop_longest(&mut self, than: F) -> Option<J> {
        let own = self.flows.get(&than).map_or(0, |flow| flow.waiting.len());
        let longest = self.flows.values_mut().max_by_key(|flow| flow.waiting.len())?;
        if longest.waiting.len() <= own + 1 {
            return None;
        }
        let (_, job) = longest.waiting.pop_back()?;
        self.count -= 1;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_had_the_least_goes_first_whatever_others_have_waiting() {
        let queue = Queue::new(1000);
        for asker in 0..40 {
            (0..5).for_each(|job| assert_eq!(queue.push(asker, 100 * asker + job), Ok(None)));
        }
        // Everybody has had something, and everybody has more waiting.
        for _ in 0..40 {
            let (asker, _) = queue.take().unwrap();
            queue.charge(asker, Duration::from_millis(100));
        }
        queue.push(77, 7700).unwrap();
        assert_eq!(queue.take(), Some((77, 7700)));
        queue.charge(77, Duration::from_millis(10));
        queue.push(77, 7701).unwrap();
        assert_eq!(queue.take(), Some((77, 7701)));
        queue.charge(77, Duration::from_millis(200));
        queue.push(77, 7702).unwrap();
        // Now the others have had less.
        assert!((0..40).all(|_| queue.take().unwrap().0 != 77));
    }

    #[test]
    fn a_flow_keeps_its_order_and_equals_go_as_they_came() {
        let queue = Queue::new(100);
        for (asker, job) in [('a', 1), ('b', 2), ('a', 3), ('c', 4)] {
            queue.push(asker, job).unwrap();
        }
        assert_eq!((0..4).map(|_| queue.take().unwrap().1).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_full_queue_has_room_for_who_asks_for_less() {
        let queue = Queue::new(4);
        (0..4).for_each(|job| assert_eq!(queue.push('a', job), Ok(None)));
        assert_eq!(queue.push('a', 4), Err(PushError::Full));
        assert_eq!(queue.push('b', 100), Ok(Some(3)));
        assert_eq!(queue.push('b', 101), Ok(Some(2)));
        assert_eq!(queue.push('b', 102), Err(PushError::Full));
        assert!(queue.push('c', 200).unwrap().is_some());
        assert_eq!(queue.depth(), 4);
        queue.close();
        assert_eq!(queue.push('d', 1), Err(PushError::Closed));
        assert_eq!((0..9).filter_map(|_| queue.take()).count(), 4);
    }
}
