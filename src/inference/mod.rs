//! From photo bytes to numbers, on a bounded pool of worker threads.
//!
//! [`pool`] lets many askers share one [`Guesser`](crate::Guesser); [`queue`] is where their photos wait.
//! No platform sees a tensor, no worker sees a platform.

pub mod pool;
pub mod queue;

pub use pool::{FlowId, Pool, PoolOptions};

pub use crate::guesser::{Analysis, FaceAnalysis, Framing, Gender};

use crate::guesser::GuessError;
use crate::photo::PhotoError;

/// Why a photo got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferenceError {
    /// The bytes are no photo that can be read.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// A file that the system does not hand out; the text says which and why.
    #[error("{0}")]
    Unreadable(String),
    /// The queue is full.
    #[error("too many photos are waiting; try again shortly")]
    Overloaded,
    /// The deadline passed.
    #[error("the photo took longer than {} seconds", .0.as_secs())]
    Expired(std::time::Duration),
    /// The program is stopping.
    #[error("the program is stopping")]
    Stopped,
    /// This photo made the computation fail; others are not affected.
    #[error("the computation failed: {0}")]
    Failed(String),
}

impl From<GuessError> for InferenceError {
    fn from(error: GuessError) -> Self {
        match error {
            GuessError::Photo(error) => Self::Photo(error),
            GuessError::Computation(reason) => Self::Failed(reason),
        }
    }
}
