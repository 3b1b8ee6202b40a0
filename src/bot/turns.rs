//! Who may have a photo looked at now: so many at once, and who has had the fewest goes first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::inference::FlowId;
use crate::inference::queue::Flows;

/// A semaphore whose permits go round between flows.
#[derive(Debug)]
pub(super) struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    waiting: Flows<FlowId, oneshot::Sender<Turn>>,
}

/// A permit; given on when it is dropped, unless it is empty.
#[derive(Debug)]
pub(super) struct Turn(Option<Arc<Mutex<State>>>);

impl Turns {
    /// So many turns at once.
    pub(super) fn new(at_once: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: at_once.max(1), waiting: Flows::default() })))
    }

    /// Waits for a turn; those who have asked for few go before those who have asked for many.
    pub(super) async fn take(&self, flow: FlowId) -> Turn {
        let given = {
            let mut state = lock(&self.0);
            state.waiting.charge(flow, 1.0);
            if state.free > 0 {
                state.free -= 1;
                return Turn(Some(self.0.clone()));
            }
            let (give, given) = oneshot::channel();
            state.waiting.push(flow, give);
            given
        };
        // What waits is only taken out to be given a turn.
        given.await.unwrap_or(Turn(None))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        loop {
            let next = {
                let mut state = lock(&turns);
                let next = state.waiting.pop().map(|(_, next)| next);
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Turn(Some(turns.clone()))) {
                Ok(()) => return,
                // Whoever waited has gone: it is given to the next one here.
                Err(mut turn) => turn.0 = None,
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing under the lock can panic; a poisoned one is still whole.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_for_many_turns_lets_others_go_first() {
        let turns = Turns::new(1);
        let (greedy, other) = (FlowId::of(&1), FlowId::of(&2));
        let held = turns.take(greedy).await;
        let mut waiting: Vec<_> = (0..20).map(|_| Box::pin(turns.take(greedy))).collect();
        for wait in &mut waiting {
            assert!(futures_util::poll!(wait).is_pending());
        }
        let mut one = Box::pin(turns.take(other));
        assert!(futures_util::poll!(&mut one).is_pending());
        // The first in line has lost patience.
        drop(waiting.remove(0));
        drop(held);
        drop(one.await);
        drop(waiting.remove(0).await);
        drop(waiting);
        assert_eq!(lock(&turns.0).free, 1);
        drop(turns.take(other).await);
    }
}
