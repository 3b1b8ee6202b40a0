//! One budget of bytes for all decoding and drawing, on every thread: what a photo will need is
//! reserved before anything of it is allocated.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The budget.
#[derive(Debug)]
pub struct MemoryBudget {
    total: u64,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// Whose turn it is: reservations are granted in the order in which they are asked for, so that
    /// a large one is not passed over for ever.
    serving: u64,
    next: u64,
}

/// Bytes that are reserved until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    memory: Arc<MemoryBudget>,
    bytes: u64,
}

impl MemoryBudget {
    /// A budget of so many bytes.
    pub fn new(total: u64) -> Arc<Self> {
        let state = State { free: total, serving: 0, next: 0 };
        Arc::new(Self { total, state: Mutex::new(state), freed: Condvar::new() })
    }

    /// The whole of it.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Waits until so many bytes are free; `None`, at once, when there are not as many in all. A
    /// thread holds one reservation at a time, or two of them could wait for each other.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        if bytes > self.total {
            return None;
        }
        let mut state = self.state();
        let turn = state.next;
        state.next += 1;
        let waits = |state: &mut State| state.serving != turn || state.free < bytes;
        let mut state = self.freed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        state.serving += 1;
        state.free -= bytes;
        drop(state);
        self.freed.notify_all();
        Some(Reservation { memory: self.clone(), bytes })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic; a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Gives back all but so many bytes.
    pub fn shrink(&mut self, bytes: u64) {
        let spare = self.bytes.saturating_sub(bytes);
        self.bytes -= spare;
        self.memory.state().free += spare;
        self.memory.freed.notify_all();
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
    fn never_more_is_held_than_there_is_and_everybody_gets_a_turn() {
        let memory = MemoryBudget::new(100);
        let held = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (memory, held) = (&memory, &held);
                scope.spawn(move || {
                    for round in 0..200 {
                        let bytes = 1 + (thread * 37 + round * 13) % 100;
                        let mut reserved = memory.reserve(bytes).unwrap();
                        assert!(held.fetch_add(bytes, Ordering::SeqCst) + bytes <= 100);
                        held.fetch_sub(bytes - bytes / 2, Ordering::SeqCst);
                        reserved.shrink(bytes / 2);
                        held.fetch_sub(bytes / 2, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(memory.state().free, 100);
        assert!(memory.reserve(101).is_none());
    }
}
