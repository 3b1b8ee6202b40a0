//! From photo bytes to numbers, on a bounded pool of worker threads.
//!
//! [`pool`] runs a shared [`Guesser`](crate::Guesser) on worker threads, fed by the fair [`queue`].
//! Platforms are independent of tensors, and workers of platforms.

pub mod pool;
pub mod queue;

pub use pool::{FlowId, Pool, PoolOptions};

use crate::GuessError;
use crate::explain::ExplainError;
use crate::photo::PhotoError;

/// Why a photo was not analysed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferenceError {
    /// The bytes are not a readable photo.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// A file could not be read; the text says which and why.
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
    /// The photo has fewer faces than the number of the one to be explained.
    #[error("the photo has {faces} faces")]
    NoSuchFace {
        /// How many it has.
        faces: usize,
    },
    /// The computation failed for this photo; others are not affected.
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

impl From<ExplainError> for InferenceError {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Guess(error) => error.into(),
            ExplainError::NoSuchFace { faces } => Self::NoSuchFace { faces },
        }
    }
}
