//! What Discord's error responses mean.
//!
//! | Response | kind | what the person sees |
//! |---|---|---|
//! | 429; 20016, 20028, 20029, 40062 (limits) | wait | the reply, after the delay that Discord names |
//! | 5xx, 408, 425, a reset, a time-out, a truncated response; 130000 (overloaded), 40004 (sending is disabled), 40333 | wait | the reply, if Discord recovers within five minutes; after the next start otherwise |
//! | 403 with an HTML page in place of JSON (a proxy in front of Discord) | wait | the reply, as after a 5xx |
//! | 160002 (no *Read Message History*), an unknown `message_reference` | simplify | the same reply, without the reference to the message |
//! | 413, 40005 (too large) | simplify | the text, without pictures |
//! | any other 400; 403 on embeds, files, buttons; 200000, 200001 (AutoMod) | simplify | the reply without embeds, then without pictures, then without buttons |
//! | 50001, 50013, 50009, 160005 or any other 403, even for plain text | forbidden | a direct message to the asker, or an ephemeral response; one a day to the server's owner |
//! | 404: 10003 (channel), 10004 (server), 10008 (message), 10013 (user); 50007, 50278 (direct messages closed) | gone | nothing: there is no recipient |
//! | 10015, 10062, 50027 (an expired interaction) | gone | the answer as a message in the channel, or directly to the asker if it was ephemeral |
//! | 40060 (already acknowledged, when an initial response is retried) | none: it had arrived | the answer |
//! | 401 | wait | nothing; the token is invalid, and the gateway stops the bot with an explanation |

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::download::cause;
use crate::platform::refusal::{Refusal, error_kind};

/// Why a request failed. Never holds its URL, which may contain a token, nor Discord's error message,
/// which may quote a user's.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(in crate::platform) enum RestError {
    #[error("Discord cannot be reached: {reason}")]
    Unreachable { reason: String },
    #[error("Discord refused the request (status {}, code {code})", .status.as_u16())]
    Refused {
        status: StatusCode,
        /// Discord's error code; 0 without one.
        code: u64,
        /// The wait that the response names.
        after: Option<Duration>,
        /// Whether the reference to another message is what is refused.
        reference: bool,
    },
    #[error("Discord's response cannot be parsed")]
    Unreadable,
}

impl RestError {
    /// From an error response and its body.
    pub(super) fn refused(status: StatusCode, body: &Value, after: Option<Duration>) -> Self {
        let code = body["code"].as_u64().unwrap_or(0);
        let reference = code == CANNOT_REPLY || body["errors"].get("message_reference").is_some();
        Self::Refused { status, code, after, reference }
    }

    pub(super) fn unreachable(error: reqwest::Error) -> Self {
        Self::Unreachable { reason: cause(&error.without_url()) }
    }

    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Its kind, as a metric's label.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            error => error_kind(error.status().map(|status| status.as_u16())),
        }
    }

    fn code(&self) -> u64 {
        match self {
            Self::Refused { code, .. } => *code,
            _ => 0,
        }
    }

    pub(super) fn is_unauthorized(&self) -> bool {
        self.status() == Some(StatusCode::UNAUTHORIZED)
    }

    /// Whether the bot lacks a permission.
    pub(super) fn is_forbidden(&self) -> bool {
        self.status() == Some(StatusCode::FORBIDDEN)
    }

    /// Whether the resource does not exist, or is hidden from the bot.
    pub(super) fn is_gone(&self) -> bool {
        self.refusal() == Refusal::Gone
    }

    /// Whether an error code of Discord's confirms that the resource does not exist.
    pub(super) fn is_confirmed_gone(&self) -> bool {
        self.is_gone() && self.code() != 0
    }

    /// Whether the interaction has expired, or its initial response never arrived.
    pub(super) fn is_interaction_expired(&self) -> bool {
        matches!(self.code(), 10015 | 10062 | 50027)
    }

    /// Whether the interaction has an initial response already, perhaps from an earlier attempt.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.code() == ACKNOWLEDGED
    }

    /// Whether the reference to another message is what is refused.
    pub(super) fn is_about_reference(&self) -> bool {
        matches!(self, Self::Refused { reference: true, .. })
    }

    /// Whether the request is too large.
    pub(super) fn is_about_size(&self) -> bool {
        self.status() == Some(StatusCode::PAYLOAD_TOO_LARGE) || self.code() == TOO_LARGE
    }

    /// What to do about it.
    pub(super) fn refusal(&self) -> Refusal {
        let Self::Refused { status, code, after, .. } = self else { return Refusal::Retry { after: None } };
        match (status.as_u16(), code) {
            (_, 20016 | 20028 | 20029 | 40004 | 40062 | 40333 | 130_000) => Refusal::Retry { after: *after },
            (_, 10003 | 10004 | 10008 | 10013 | 10015 | 10062 | 50007 | 50027 | 50278) => Refusal::Gone,
            (_, 200_000 | 200_001) => Refusal::Simplify,
            (300..=399 | 401 | 408 | 425 | 429 | 500.., _) => Refusal::Retry { after: *after },
            (404 | 410, _) => Refusal::Gone,
            // For plain text a permission to write is missing; for anything else it may be another one.
            (403, _) => Refusal::Forbidden,
            _ => Refusal::Simplify,
        }
    }

    /// Whether the same request may succeed later. An invalid token stays invalid.
    pub(super) fn is_retryable(&self) -> bool {
        matches!(self.refusal(), Refusal::Retry { .. }) && !self.is_unauthorized()
    }
}

const ACKNOWLEDGED: u64 = 40060;
const CANNOT_REPLY: u64 = 160_002;
const TOO_LARGE: u64 = 40005;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(status: u16, code: u64) -> Refusal {
        RestError::refused(StatusCode::from_u16(status).unwrap(), &json!({ "code": code }), None).refusal()
    }

    #[test]
    fn every_error_response_is_of_one_of_the_four_kinds() {
        let wait = Refusal::Retry { after: None };
        for (status, code) in [(429, 0), (500, 0), (502, 0), (503, 130_000), (429, 20016), (408, 0), (403, 40333)] {
            assert_eq!(kind(status, code), wait, "{status} {code}");
        }
        for (status, code) in [(400, 50035), (400, 0), (413, 40005), (400, 50006), (403, 200_000), (415, 0)] {
            assert_eq!(kind(status, code), Refusal::Simplify, "{status} {code}");
        }
        for (status, code) in [(403, 50001), (403, 50013), (403, 0), (403, 160_002)] {
            assert_eq!(kind(status, code), Refusal::Forbidden, "{status} {code}");
        }
        for (status, code) in [(404, 10003), (404, 10008), (403, 50007), (404, 0), (404, 10062), (401, 50027)] {
            assert_eq!(kind(status, code), Refusal::Gone, "{status} {code}");
        }
    }

    #[test]
    fn discords_error_message_is_never_repeated() {
        let body = json!({ "code": 50035, "message": "Invalid: hello from Zoe" });
        let error = RestError::refused(StatusCode::BAD_REQUEST, &body, None);
        assert_eq!(error.to_string(), "Discord refused the request (status 400, code 50035)");
        assert!(!format!("{error:?}").contains("Zoe"));
    }
}
