//! What Discord's refusals mean.
//!
//! | Discord says | kind | what the person sees |
//! |---|---|---|
//! | 429; 20016, 20028, 20029, 40062 (limits) | wait | the reply, after the delay that Discord names |
//! | 5xx, 408, 425, a reset, a time-out, an answer cut short; 130000 (overloaded), 40004 (sending is off), 40333 | wait | the reply, when Discord is back within five minutes; after the next start otherwise |
//! | 403 with a page in place of JSON (what stands before Discord) | wait | the reply, as after a 5xx |
//! | 160002 (no *Read Message History*), an unknown `message_reference` | simplify | the same reply, without the reference to the message |
//! | 413, 40005 (too large) | simplify | the words, without pictures |
//! | any other 400; 403 on embeds, files, buttons; 200000, 200001 (AutoMod) | simplify | the reply without embeds, then without pictures, then without buttons |
//! | 50001, 50013, 50009, 160005 or any other 403, even on bare words | forbidden | a direct message to whoever asked, or a note to them alone; one a day to the server's owner |
//! | 404: 10003 (channel), 10004 (server), 10008 (message), 10013 (user); 50007, 50278 (direct messages closed) | gone | nothing: nobody is left to tell |
//! | 10015, 10062, 50027 (an interaction whose time is over) | gone | the answer as a message in the channel, or directly to whoever asked for it alone |
//! | 40060 (acknowledged already, on repeating a first answer) | none: it had arrived | the answer |
//! | 401 | wait | nothing; the token is wrong, and the gateway ends the bot with a sentence |

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::photo::cause;
use crate::platform::refusal::Refusal;

/// Why a request came to nothing. Never holds its address, which may contain a token, nor Discord's
/// own words, which may quote a message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(in crate::platform) enum RestError {
    #[error("Discord cannot be reached: {reason}")]
    Unreachable { reason: String },
    #[error("Discord refuses it (status {}, code {code})", .status.as_u16())]
    Refused {
        status: StatusCode,
        /// Discord's number of the reason; 0 where it names none.
        code: u64,
        /// The wait that it asks for.
        after: Option<Duration>,
        /// Whether it is the reference to another message that is refused.
        reference: bool,
    },
    #[error("Discord's answer cannot be read")]
    Unreadable,
}

impl RestError {
    /// A refusal, from its body.
    pub(super) fn refused(status: StatusCode, told: &Value, after: Option<Duration>) -> Self {
        let code = told["code"].as_u64().unwrap_or(0);
        let reference = code == CANNOT_REPLY || told["errors"].get("message_reference").is_some();
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

    fn code(&self) -> u64 {
        match self {
            Self::Refused { code, .. } => *code,
            _ => 0,
        }
    }

    pub(super) fn is_unauthorized(&self) -> bool {
        self.status() == Some(StatusCode::UNAUTHORIZED)
    }

    /// Whether the bot lacks a permission for it.
    pub(super) fn is_forbidden(&self) -> bool {
        self.status() == Some(StatusCode::FORBIDDEN)
    }

    /// Whether what it is about is not there, or not to be seen.
    pub(super) fn is_gone(&self) -> bool {
        self.refusal() == Refusal::Gone
    }

    /// Whether Discord says by its number that what it is about is not there.
    pub(super) fn is_known_gone(&self) -> bool {
        self.is_gone() && self.code() != 0
    }

    /// Whether the time of an interaction is over, or its first answer never arrived.
    pub(super) fn is_interaction_over(&self) -> bool {
        matches!(self.code(), 10015 | 10062 | 50027)
    }

    /// Whether an interaction was answered before, perhaps by a request whose own answer got lost.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.code() == ACKNOWLEDGED
    }

    /// Whether it is the reference to another message that is refused.
    pub(super) fn is_about_reference(&self) -> bool {
        matches!(self, Self::Refused { reference: true, .. })
    }

    /// Whether the request is too large.
    pub(super) fn is_about_size(&self) -> bool {
        self.status() == Some(StatusCode::PAYLOAD_TOO_LARGE) || self.code() == TOO_LARGE
    }

    /// Which of the four kinds it is.
    pub(super) fn refusal(&self) -> Refusal {
        let Self::Refused { status, code, after, .. } = self else { return Refusal::Wait { after: None } };
        match (status.as_u16(), code) {
            (_, 20016 | 20028 | 20029 | 40004 | 40062 | 40333 | 130_000) => Refusal::Wait { after: *after },
            (_, 10003 | 10004 | 10008 | 10013 | 10015 | 10062 | 50007 | 50027 | 50278) => Refusal::Gone,
            (_, 200_000 | 200_001) => Refusal::Simplify,
            (300..=399 | 401 | 408 | 425 | 429 | 500.., _) => Refusal::Wait { after: *after },
            (404 | 410, _) => Refusal::Gone,
            // Bare words lack a permission; whatever is more may lack another one.
            (403, _) => Refusal::Forbidden,
            _ => Refusal::Simplify,
        }
    }

    /// Whether the same request may succeed later. A wrong token stays wrong.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.refusal(), Refusal::Wait { .. }) && !self.is_unauthorized()
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
    fn every_refusal_is_of_one_of_the_four_kinds() {
        let wait = Refusal::Wait { after: None };
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
    fn discords_own_words_are_never_repeated() {
        let told = json!({ "code": 50035, "message": "Invalid: hello from Zoe" });
        let error = RestError::refused(StatusCode::BAD_REQUEST, &told, None);
        assert_eq!(error.to_string(), "Discord refuses it (status 400, code 50035)");
        assert!(!format!("{error:?}").contains("Zoe"));
    }
}
