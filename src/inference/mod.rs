//! From photo bytes to numbers, on a bounded pool of worker threads.
//!
//! [`engine`] is the whole computation for one photo, [`analysis`] its result; [`pool`] runs it for
//! many requesters on worker threads, fed by the fair [`queue`]. Platforms are independent of
//! tensors, and workers of platforms.

pub mod analysis;
pub mod engine;
pub mod pool;
pub mod queue;

pub use analysis::{Analysis, FaceAnalysis, Framing};
pub use engine::{Engine, StageTimes};
pub use pool::{FlowId, Pool, PoolOptions};

use crate::face::FaceError;
use crate::model::ModelError;
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
    /// The computation failed for this photo; others are not affected.
    #[error("the computation failed: {0}")]
    Failed(String),
}

impl From<FaceError> for InferenceError {
    fn from(error: FaceError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ModelError> for InferenceError {
    fn from(error: ModelError) -> Self {
        Self::Failed(error.to_string())
    }
}
