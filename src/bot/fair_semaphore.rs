//! A semaphore that is fair between flows: whoever has had the fewest permits goes first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::inference::FlowId;
use crate::inference::queue::FairQueue;

/// A semaphore whose permits are shared fairly between flows.
#[derive(Debug)]
pub(super) struct FairSemaphore(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    waiting: FairQueue<FlowId, oneshot::Sender<Permit>>,
}

/// When dropped, it passes to the next flow that waits, unless it is empty.
#[derive(Debug)]
pub(super) struct Permit(Option<Arc<Mutex<State>>>);

impl FairSemaphore {
    /// A semaphore with `permits` permits, at least one.
    pub(super) fn new(permits: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: permits.max(1), waiting: FairQueue::default() })))
    }

    /// Waits for a permit; flows that have asked for few go before those that have asked for many.
    pub(super) async fn acquire(&self, flow: FlowId) -> Permit {
        let granted = {
            let mut state = lock(&self.0);
            state.waiting.charge(flow, 1.0);
            if state.free > 0 {
                state.free -= 1;
                return Permit(Some(self.0.clone()));
            }
            let (grant, granted) = oneshot::channel();
            state.waiting.push(flow, grant);
            granted
        };
        // A sender is only taken out of the queue to send a permit.
        granted.await.unwrap_or(Permit(None))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(semaphore) = self.0.take() else { return };
        loop {
            let next = {
                let mut state = lock(&semaphore);
                let next = state.waiting.pop().map(|(_, next)| next);
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Permit(Some(semaphore.clone()))) {
                Ok(()) => return,
                // The receiver was dropped: empty the returned permit, so that it does not recurse into
                // this function, and try the next one waiting.
                Err(mut permit) => permit.0 = None,
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing under the lock can panic; the state behind a poisoned one is still valid.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flow_that_asks_for_many_permits_lets_others_go_first() {
        let semaphore = FairSemaphore::new(1);
        let (greedy, other) = (FlowId::from_key(&1), FlowId::from_key(&2));
        let held = semaphore.acquire(greedy).await;
        let mut waiting: Vec<_> = (0..20).map(|_| Box::pin(semaphore.acquire(greedy))).collect();
        for wait in &mut waiting {
            assert!(futures_util::poll!(wait).is_pending());
        }
        let mut one = Box::pin(semaphore.acquire(other));
        assert!(futures_util::poll!(&mut one).is_pending());
        // The first in line gives up.
        drop(waiting.remove(0));
        drop(held);
        drop(one.await);
        drop(waiting.remove(0).await);
        drop(waiting);
        assert_eq!(lock(&semaphore.0).free, 1);
        drop(semaphore.acquire(other).await);
    }
}
