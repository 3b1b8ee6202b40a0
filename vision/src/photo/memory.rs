//! One memory budget for all decoding and drawing, on every thread: the bytes that a photo needs are
//! reserved before any of them are allocated.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A number of bytes that several threads share.
#[derive(Debug)]
pub struct MemoryBudget {
    total: u64,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// Tickets, the one served now and the next to be issued: reservations are granted in the order of
    /// the requests, so that a large one does not starve.
    now_serving: u64,
    next_ticket: u64,
}

/// Bytes of a [`MemoryBudget`] that are reserved until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<MemoryBudget>,
    bytes: u64,
}

impl MemoryBudget {
    /// A budget of `total` bytes.
    pub fn new(total: u64) -> Arc<Self> {
        let state = State { free: total, now_serving: 0, next_ticket: 0 };
        Arc::new(Self { total, state: Mutex::new(state), freed: Condvar::new() })
    }

    /// The size of the budget in bytes, reserved ones included.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Blocks until `bytes` are free; returns `None` immediately when the budget is smaller than that. A
    /// thread may hold only one reservation at a time, or two threads could deadlock.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        if bytes > self.total {
            return None;
        }
        let mut state = self.state();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let must_wait = |state: &mut State| state.now_serving != ticket || state.free < bytes;
        let mut state = self.freed.wait_while(state, must_wait).unwrap_or_else(PoisonError::into_inner);
        state.now_serving += 1;
        state.free -= bytes;
        drop(state);
        self.freed.notify_all();
        Some(Reservation { budget: self.clone(), bytes })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic; a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Releases all but `bytes`.
    pub fn shrink(&mut self, bytes: u64) {
        let spare = self.bytes.saturating_sub(bytes);
        self.bytes -= spare;
        self.budget.state().free += spare;
        self.budget.freed.notify_all();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn reservations_never_exceed_the_budget_and_all_are_granted() {
        let budget = MemoryBudget::new(100);
        let held = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (budget, held) = (&budget, &held);
                scope.spawn(move || {
                    for round in 0..200 {
                        let bytes = 1 + (thread * 37 + round * 13) % 100;
                        let mut reserved = budget.reserve(bytes).unwrap();
                        assert!(held.fetch_add(bytes, Ordering::SeqCst) + bytes <= 100);
                        held.fetch_sub(bytes - bytes / 2, Ordering::SeqCst);
                        reserved.shrink(bytes / 2);
                        held.fetch_sub(bytes / 2, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(budget.state().free, 100);
        assert!(budget.reserve(101).is_none());
    }
}
