//! What the homeserver's errors mean.

use std::time::{Duration, SystemTime};

use ruma::api::error::{Error, ErrorBody, ErrorKind, RetryAfter, StandardErrorBody};

use crate::platform::refusal::Refusal;

/// A failed request. Never holds the token, the URL or what the homeserver writes, which names people and rooms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// The homeserver refused the request.
    #[error("{code} (status {status})")]
    Refused {
        status: u16,
        /// Matrix's own code, such as `M_FORBIDDEN`; empty without one.
        code: String,
        /// The wait that the homeserver asked for.
        retry_after: Option<Duration>,
    },
    /// No response, or a broken one.
    #[error("{reason}")]
    Network { reason: String },
    /// A response that is not the API's, such as a proxy's page, or one that is too large.
    #[error("the response could not be parsed (status {status})")]
    InvalidResponse { status: u16, retry_after: Option<Duration> },
}

impl ApiError {
    /// The error of a response; `retry_after` is what its header says.
    pub(super) fn from_server(error: Error, retry_after: Option<Duration>) -> Self {
        let status = error.status_code.as_u16();
        let ErrorBody::Standard(StandardErrorBody { kind, .. }) = error.body else {
            return Self::InvalidResponse { status, retry_after };
        };
        let asked = match &kind {
            ErrorKind::LimitExceeded(limit) => limit.retry_after.and_then(|after| match after {
                RetryAfter::Delay(delay) => Some(delay),
                RetryAfter::DateTime(time) => time.duration_since(SystemTime::now()).ok(),
            }),
            _ => None,
        };
        Self::Refused { status, code: kind.errcode().to_string(), retry_after: asked.or(retry_after) }
    }

    /// The HTTP status; `None` without a response.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::InvalidResponse { status, .. } => Some(*status),
            Self::Network { .. } => None,
        }
    }

    /// Whether the token is refused.
    pub(super) fn is_invalid_token(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "M_UNKNOWN_TOKEN" || code == "M_MISSING_TOKEN")
    }
}

/// What to do about a failed request.
pub(super) fn refusal(error: &ApiError) -> Refusal {
    match error {
        ApiError::Network { .. } => Refusal::Retry { after: None },
        ApiError::Refused { status: 429, retry_after, .. } | ApiError::InvalidResponse { status: 429, retry_after } => {
            Refusal::Retry { after: *retry_after }
        }
        // While the bot logs in again, its old token is refused.
        error if error.is_invalid_token() => Refusal::Retry { after: None },
        error => match error.status() {
            Some(403) => Refusal::Forbidden,
            Some(404) => Refusal::Gone,
            Some(400..500) => Refusal::Simplify,
            _ => Refusal::Retry { after: None },
        },
    }
}
