//! A bounded queue of jobs, shared fairly between requesters.
//!
//! Each requester has a separate queue (a flow), and the flow that has recently used the least worker
//! time goes first (least attained service, Kleinrock 1976): a single portrait does not wait for forty
//! people who post photos of crowds all the time, only for the photos being analysed. Those who have
//! used no more than [`GRACE`] are served in order of arrival, so that nobody waits long for having
//! posted one photo of a group. What can wait, explanations, is taken only when no guess is waiting.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a job was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
    /// The queue is full.
    Full,
    /// [`Queue::close`] was called.
    Closed,
}

/// Whether a job goes before others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Taken first.
    Guess,
    /// Taken when no guess is waiting, and evicted first when the queue is full.
    Explanation,
}

/// Waiting jobs of type `J`, each in a flow `F`.
pub struct Queue<F, J> {
    state: Mutex<State<F, J>>,
    arrived: Condvar,
    capacity: usize,
}

struct State<F, J> {
    guesses: FairQueue<F, J>,
    explanations: FairQueue<F, J>,
    closed: bool,
}

impl<F: Copy + Eq + Hash, J> State<F, J> {
    fn depth(&self) -> usize {
        self.guesses.depth() + self.explanations.depth()
    }
}

impl<F: Copy + Eq + Hash, J> Queue<F, J> {
    /// A queue of at most `capacity` jobs.
    pub fn new(capacity: usize) -> Self {
        let state = State { guesses: FairQueue::default(), explanations: FairQueue::default(), closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new(), capacity }
    }

    /// Appends a job to its flow. If the queue is full, it replaces the last job of the longest flow, provided its own
    /// stays shorter; returns the evicted job. A guess replaces an explanation first, an explanation never a guess.
    ///
    /// # Errors
    /// [`PushError`]; the job is dropped.
    pub fn push(&self, flow: F, job: J, priority: Priority) -> Result<Option<J>, PushError> {
        let mut state = self.state();
        if state.closed {
            return Err(PushError::Closed);
        }
        let mut evicted = None;
        if state.depth() >= self.capacity {
            let State { guesses, explanations, .. } = &mut *state;
            let candidate = match priority {
                Priority::Guess => explanations.evict_last().or_else(|| guesses.evict_for(flow)),
                Priority::Explanation => explanations.evict_for(flow),
            };
            evicted = Some(candidate.ok_or(PushError::Full)?);
        }
        match priority {
            Priority::Guess => state.guesses.push(flow, job),
            Priority::Explanation => state.explanations.push(flow, job),
        }
        drop(state);
        self.arrived.notify_one();
        Ok(evicted)
    }

    /// Waits for a job and takes the first of the flow with the least attained service beyond [`GRACE`], guesses
    /// before explanations; `None` once the queue is closed and empty.
    pub fn take(&self) -> Option<(F, J)> {
        let empty = |state: &mut State<F, J>| state.depth() == 0 && !state.closed;
        let mut state = self.arrived.wait_while(self.state(), empty).unwrap_or_else(PoisonError::into_inner);
        state.guesses.pop().or_else(|| state.explanations.pop())
    }

    /// Charges a flow for the time that its job took.
    pub fn charge(&self, flow: F, took: Duration) {
        let mut state = self.state();
        state.guesses.charge(flow, took.as_secs_f64());
        state.explanations.charge(flow, took.as_secs_f64());
    }

    /// Refuses new jobs; those waiting can still be taken.
    pub fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// Number of jobs waiting.
    pub fn depth(&self) -> usize {
        self.state().depth()
    }

    fn state(&self) -> MutexGuard<'_, State<F, J>> {
        // No code that can panic runs under the lock, so a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waiting jobs by flow, and the recent attained service of each flow.
#[derive(Debug)]
pub struct FairQueue<F, J> {
    flows: HashMap<F, Flow<J>>,
    count: usize,
    arrivals: u64,
}

#[derive(Debug)]
struct Flow<J> {
    /// Each with its arrival number.
    waiting: VecDeque<(u64, J)>,
    /// Attained service as of `at`; decays with [`HALF_LIFE`].
    attained: f64,
    at: Instant,
}

/// Seconds.
const HALF_LIFE: f64 = 10.0;
/// Attained service that does not count, in seconds: a photo of a group.
const GRACE: f64 = 0.05;
/// Number of flows from which idle ones are removed.
const SWEEP_AT: usize = 4096;

impl<J> Flow<J> {
    fn attained(&self, now: Instant) -> f64 {
        self.attained * (-now.saturating_duration_since(self.at).as_secs_f64() / HALF_LIFE).exp2()
    }

    fn beyond_grace(&self, now: Instant) -> f64 {
        (self.attained(now) - GRACE).max(0.0)
    }
}

impl<F, J> Default for FairQueue<F, J> {
    fn default() -> Self {
        Self { flows: HashMap::new(), count: 0, arrivals: 0 }
    }
}

impl<F: Copy + Eq + Hash, J> FairQueue<F, J> {
    /// Number of jobs waiting in all flows.
    pub fn depth(&self) -> usize {
        self.count
    }

    /// Appends a job to its flow.
    pub fn push(&mut self, flow: F, job: J) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.flow(flow).waiting.push_back((arrival, job));
        self.count += 1;
    }

    /// Takes the first job of the flow with the least attained service beyond [`GRACE`]; ties by arrival.
    pub fn pop(&mut self) -> Option<(F, J)> {
        let now = Instant::now();
        let waiting =
            self.flows.iter().filter_map(|(flow, one)| Some((*flow, one.beyond_grace(now), one.waiting.front()?.0)));
        let (flow, ..) = waiting.min_by(|one, other| one.1.total_cmp(&other.1).then(one.2.cmp(&other.2)))?;
        let (_, job) = self.flows.get_mut(&flow)?.waiting.pop_front()?;
        self.count -= 1;
        Some((flow, job))
    }

    /// Adds to the attained service of a flow.
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

    /// Takes the last job of the longest flow, if that flow is longer than `flow` would be with one more.
    fn evict_for(&mut self, flow: F) -> Option<J> {
        let own = self.flows.get(&flow).map_or(0, |flow| flow.waiting.len());
        let longest = self.flows.values().map(|flow| flow.waiting.len()).max()?;
        if longest <= own + 1 { None } else { self.evict_last() }
    }

    /// Takes the last job of the longest flow.
    fn evict_last(&mut self) -> Option<J> {
        let longest = self.flows.values_mut().max_by_key(|flow| flow.waiting.len())?;
        let (_, job) = longest.waiting.pop_back()?;
        self.count -= 1;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flow_with_the_least_attained_service_goes_first() {
        let queue = Queue::new(1000);
        for flow in 0..40 {
            (0..5).for_each(|job| assert_eq!(queue.push(flow, 100 * flow + job, Priority::Guess), Ok(None)));
        }
        // Every flow has been served, and every flow has more waiting.
        for _ in 0..40 {
            let (flow, _) = queue.take().unwrap();
            queue.charge(flow, Duration::from_millis(100));
        }
        queue.push(77, 7700, Priority::Guess).unwrap();
        assert_eq!(queue.take(), Some((77, 7700)));
        queue.charge(77, Duration::from_millis(10));
        queue.push(77, 7701, Priority::Guess).unwrap();
        assert_eq!(queue.take(), Some((77, 7701)));
        queue.charge(77, Duration::from_millis(200));
        queue.push(77, 7702, Priority::Guess).unwrap();
        // Now the other flows have attained less.
        assert!((0..40).all(|_| queue.take().unwrap().0 != 77));
    }

    #[test]
    fn having_posted_one_group_does_not_cost_the_place_in_the_queue() {
        let queue = Queue::new(100);
        queue.charge('a', Duration::from_millis(50));
        queue.charge('b', Duration::from_millis(10));
        queue.charge('c', Duration::from_millis(100));
        "cab".chars().for_each(|flow| assert_eq!(queue.push(flow, (), Priority::Guess), Ok(None)));
        assert_eq!("abc".chars().map(|_| queue.take().unwrap().0).collect::<String>(), "abc");
    }

    #[test]
    fn a_flow_keeps_its_order_and_ties_go_by_arrival() {
        let queue = Queue::new(100);
        for (flow, job) in [('a', 1), ('b', 2), ('a', 3), ('c', 4)] {
            queue.push(flow, job, Priority::Guess).unwrap();
        }
        assert_eq!((0..4).map(|_| queue.take().unwrap().1).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_full_queue_makes_room_for_shorter_flows() {
        let queue = Queue::new(4);
        (0..4).for_each(|job| assert_eq!(queue.push('a', job, Priority::Guess), Ok(None)));
        assert_eq!(queue.push('a', 4, Priority::Guess), Err(PushError::Full));
        assert_eq!(queue.push('b', 100, Priority::Guess), Ok(Some(3)));
        assert_eq!(queue.push('b', 101, Priority::Guess), Ok(Some(2)));
        assert_eq!(queue.push('b', 102, Priority::Guess), Err(PushError::Full));
        assert!(queue.push('c', 200, Priority::Guess).unwrap().is_some());
        assert_eq!(queue.depth(), 4);
        queue.close();
        assert_eq!(queue.push('d', 1, Priority::Guess), Err(PushError::Closed));
        assert_eq!((0..9).filter_map(|_| queue.take()).count(), 4);
    }

    #[test]
    fn explanations_wait_behind_guesses_and_make_room_for_them() {
        let queue = Queue::new(3);
        queue.push('a', 1, Priority::Explanation).unwrap();
        queue.push('b', 2, Priority::Guess).unwrap();
        queue.push('a', 3, Priority::Explanation).unwrap();
        assert_eq!(queue.push('a', 4, Priority::Explanation), Err(PushError::Full));
        assert_eq!(queue.push('b', 5, Priority::Guess), Ok(Some(3)));
        assert_eq!(queue.push('c', 6, Priority::Explanation), Err(PushError::Full), "an explanation evicts no guess");
        assert_eq!((0..3).map(|_| queue.take().unwrap().1).collect::<Vec<_>>(), [2, 5, 1]);
    }
}
