//! Bot API errors: what each one means, in one table.
//!
//! | Telegram's answer | handling | what the user sees |
//! |---|---|---|
//! | 429 with or without `retry_after` | retry | the reply, later |
//! | 500 to 504, 408, 409, a body that is not JSON, a connection reset, a time-out | retry | the reply, later; twice if the first one arrived after all |
//! | "temporarily unavailable" (`getFile`) | retry | the guess, later; after the download's time limit a request to send the photo again |
//! | 401 (the token was revoked) | retry | nothing until the operator configures a new token, then the answer or an apology |
//! | "message to be replied not found" and the like | simplify: no reply reference | the reply, below the latest message |
//! | "message thread not found", `TOPIC_DELETED`, `TOPIC_CLOSED` | simplify: no topic, for a closed one no reply reference either | the reply in the general topic |
//! | `BUTTON_DATA_INVALID`, "reply markup" and the like | simplify: no buttons | the text and the picture |
//! | photos not allowed, `IMAGE_PROCESS_FAILED`, `PHOTO_INVALID_DIMENSIONS`, 413, a caption that is too long | simplify: no picture | the text, which describes the faces in order |
//! | "message is too long" | simplify: shorter | the beginning of the text |
//! | any other 400, 403 or 404 | simplify, one part after the other: no reply reference, no topic, no buttons, no picture | the text |
//! | "not enough rights to send text messages", `CHAT_WRITE_FORBIDDEN`, `CHAT_RESTRICTED`, admin rights needed | forbidden | the asker is notified in private, an admin once a day |
//! | kicked, blocked, deactivated, "chat not found", the group was deleted, no conversation started | gone | nothing |
//! | "message is not modified" (an edit) | success | the message as it is |
//! | "message to edit not found", "message can't be edited" | not editable | the final answer as a new message |
//! | "message can't be deleted" (after 48 hours) | too old to delete | the reply becomes "(deleted)", without buttons and faces |
//! | "query is too old" (a callback query, a guest's query) | gone | nothing: the button has stopped waiting, the message can no longer be answered |
//! | "file is too big" (`getFile`) | – | that bots can download files of at most 20 MB |
//! | 409 while a webhook is set, 409 because of another program | retry | the reply, once the webhook or the other program is gone |

use std::fmt;
use std::time::Duration;

use crate::platform::refusal::Refusal;

/// Why a request failed. No variant holds the URL, which contains the token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ApiError {
    /// The Bot API refused the request.
    Refused { code: u16, description: String, retry_after: Option<Duration>, migrated_to: Option<i64> },
    /// The response is not the Bot API's.
    InvalidResponse { status: u16, retry_after: Option<Duration> },
    /// There was no response.
    Network { reason: String },
}

/// A part of a message that Telegram can refuse by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessagePart {
    ReplyReference,
    Topic,
    /// The topic and the reply reference, because that leads to the topic as well.
    ClosedTopic,
    Buttons,
    Picture,
    Length,
}

/// The kinds of errors that are handled differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// The same request may succeed later.
    Transient,
    /// A part of the message is refused.
    Part(MessagePart),
    /// The bot may not write in the chat.
    Forbidden,
    /// The recipient no longer exists.
    Gone,
    /// An edit changes nothing.
    NotModified,
    /// The message to be edited or deleted does not exist or can never be edited.
    NotEditable,
    /// The message to be edited is a picture with a caption.
    IsPicture,
    /// The message is too old to be deleted.
    TooOldToDelete,
    /// The file is larger than bots may download.
    FileTooBig,
    /// A webhook is set, so updates cannot be polled.
    WebhookActive,
    /// Another program polls with the same token.
    ConcurrentPolling,
    /// The token is not valid.
    InvalidToken,
    /// Telegram gives no reason or one that this program does not know.
    Unknown,
}

/// Substrings of error descriptions, in lower case; the first match counts.
const DESCRIPTIONS: &[(&str, ErrorKind)] = &[
    ("temporarily unavailable", ErrorKind::Transient),
    ("too many requests", ErrorKind::Transient),
    ("use getupdates method while webhook", ErrorKind::WebhookActive),
    ("terminated by other getupdates", ErrorKind::ConcurrentPolling),
    ("terminated by setwebhook", ErrorKind::WebhookActive),
    ("reply_message_id_invalid", ErrorKind::Part(MessagePart::ReplyReference)),
    ("message is not modified", ErrorKind::NotModified),
    ("message_not_modified", ErrorKind::NotModified),
    ("message to edit not found", ErrorKind::NotEditable),
    ("message to delete not found", ErrorKind::NotEditable),
    ("message can't be edited", ErrorKind::NotEditable),
    ("message_edit_time_expired", ErrorKind::NotEditable),
    ("message_author_required", ErrorKind::NotEditable),
    ("message_id_invalid", ErrorKind::NotEditable),
    ("message identifier is not specified", ErrorKind::NotEditable),
    ("no text in the message to edit", ErrorKind::IsPicture),
    ("message can't be deleted", ErrorKind::TooOldToDelete),
    ("message_delete_forbidden", ErrorKind::TooOldToDelete),
    ("query is too old", ErrorKind::Gone),
    ("query id is invalid", ErrorKind::Gone),
    ("query_id_invalid", ErrorKind::Gone),
    ("to be replied not found", ErrorKind::Part(MessagePart::ReplyReference)),
    ("to reply not found", ErrorKind::Part(MessagePart::ReplyReference)),
    ("replied message not found", ErrorKind::Part(MessagePart::ReplyReference)),
    ("reply message not found", ErrorKind::Part(MessagePart::ReplyReference)),
    ("reply_to_invalid", ErrorKind::Part(MessagePart::ReplyReference)),
    ("topic_closed", ErrorKind::Part(MessagePart::ClosedTopic)),
    ("topic is closed", ErrorKind::Part(MessagePart::ClosedTopic)),
    ("thread not found", ErrorKind::Part(MessagePart::Topic)),
    ("thread is invalid", ErrorKind::Part(MessagePart::Topic)),
    ("topic_deleted", ErrorKind::Part(MessagePart::Topic)),
    ("topic_id_invalid", ErrorKind::Part(MessagePart::Topic)),
    ("topic not found", ErrorKind::Part(MessagePart::Topic)),
    ("button_", ErrorKind::Part(MessagePart::Buttons)),
    ("reply_markup", ErrorKind::Part(MessagePart::Buttons)),
    ("reply markup", ErrorKind::Part(MessagePart::Buttons)),
    ("inline keyboard", ErrorKind::Part(MessagePart::Buttons)),
    ("reply keyboard", ErrorKind::Part(MessagePart::Buttons)),
    ("rights to send photos", ErrorKind::Part(MessagePart::Picture)),
    ("rights to send media", ErrorKind::Part(MessagePart::Picture)),
    ("rights to send documents", ErrorKind::Part(MessagePart::Picture)),
    ("rights to change media", ErrorKind::Part(MessagePart::Picture)),
    ("send_photos_forbidden", ErrorKind::Part(MessagePart::Picture)),
    ("send_media_forbidden", ErrorKind::Part(MessagePart::Picture)),
    ("image_process_failed", ErrorKind::Part(MessagePart::Picture)),
    ("photo_", ErrorKind::Part(MessagePart::Picture)),
    ("media_", ErrorKind::Part(MessagePart::Picture)),
    ("caption is too long", ErrorKind::Part(MessagePart::Picture)),
    ("request entity too large", ErrorKind::Part(MessagePart::Picture)),
    ("message is too long", ErrorKind::Part(MessagePart::Length)),
    ("message_too_long", ErrorKind::Part(MessagePart::Length)),
    ("text is too long", ErrorKind::Part(MessagePart::Length)),
    ("file is too big", ErrorKind::FileTooBig),
    ("kicked", ErrorKind::Gone),
    ("blocked", ErrorKind::Gone),
    ("deactivated", ErrorKind::Gone),
    ("was deleted", ErrorKind::Gone),
    ("is deleted", ErrorKind::Gone),
    ("is not a member", ErrorKind::Gone),
    ("not a participant", ErrorKind::Gone),
    ("chat not found", ErrorKind::Gone),
    ("user not found", ErrorKind::Gone),
    ("chat_id_invalid", ErrorKind::Gone),
    ("peer_id_invalid", ErrorKind::Gone),
    ("channel_private", ErrorKind::Gone),
    ("channel_invalid", ErrorKind::Gone),
    ("initiate conversation", ErrorKind::Gone),
    ("can't send messages to bots", ErrorKind::Gone),
    ("user_is_blocked", ErrorKind::Gone),
    ("input_user_deactivated", ErrorKind::Gone),
    ("not enough rights", ErrorKind::Forbidden),
    ("no rights to send", ErrorKind::Forbidden),
    ("write_forbidden", ErrorKind::Forbidden),
    ("send_plain_forbidden", ErrorKind::Forbidden),
    ("chat_restricted", ErrorKind::Forbidden),
    ("user_banned_in_channel", ErrorKind::Forbidden),
    ("chat_admin_required", ErrorKind::Forbidden),
    ("administrator rights", ErrorKind::Forbidden),
    ("chat_guest_send_forbidden", ErrorKind::Forbidden),
];

impl ApiError {
    /// The chat's new id, if the request was refused because the chat has one.
    pub(super) fn migrated_to(&self) -> Option<i64> {
        match self {
            Self::Refused { migrated_to, .. } => *migrated_to,
            _ => None,
        }
    }

    /// The status of the response, if there was one.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::InvalidResponse { status, .. } => Some(*status),
            Self::Network { .. } => None,
        }
    }

    pub(super) fn kind(&self) -> ErrorKind {
        let (code, description) = match self {
            Self::Network { .. } => return ErrorKind::Transient,
            Self::InvalidResponse { status: 413, .. } => return ErrorKind::Part(MessagePart::Picture),
            // From a proxy in front of the Bot API, which knows nothing of chats.
            Self::InvalidResponse { .. } => return ErrorKind::Transient,
            Self::Refused { code, description, .. } => (*code, description.to_lowercase()),
        };
        let described = DESCRIPTIONS.iter().find(|(part, _)| description.contains(part)).map(|(_, kind)| *kind);
        match (code, described) {
            (_, Some(kind)) => kind,
            (401, None) => ErrorKind::InvalidToken,
            (413, None) => ErrorKind::Part(MessagePart::Picture),
            (408 | 409 | 425 | 429 | 500.., None) => ErrorKind::Transient,
            // All that Telegram says about a token that it does not know.
            (404, None) if description == "not found" => ErrorKind::InvalidToken,
            _ => ErrorKind::Unknown,
        }
    }
}

/// What to do about a failed request.
pub(super) fn refusal(error: &ApiError) -> Refusal {
    let after = match error {
        ApiError::Refused { retry_after, .. } | ApiError::InvalidResponse { retry_after, .. } => *retry_after,
        ApiError::Network { .. } => None,
    };
    match error.kind() {
        ErrorKind::Transient | ErrorKind::InvalidToken | ErrorKind::WebhookActive | ErrorKind::ConcurrentPolling => {
            Refusal::Retry { after }
        }
        ErrorKind::Forbidden => Refusal::Forbidden,
        ErrorKind::Gone => Refusal::Gone,
        _ => Refusal::Simplify,
    }
}

/// Without Telegram's description, which can quote what people wrote.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { reason } => write!(f, "no answer: {reason}"),
            Self::InvalidResponse { status, .. } => write!(f, "status {status} with a body that is not the Bot API's"),
            Self::Refused { code, .. } => write!(f, "refused with code {code}: {}", self.kind().description()),
        }
    }
}

impl ErrorKind {
    fn description(self) -> &'static str {
        match self {
            Self::Transient => "temporary failure",
            Self::Part(MessagePart::ReplyReference) => "the message replied to does not exist",
            Self::Part(MessagePart::Topic) => "the topic does not exist",
            Self::Part(MessagePart::ClosedTopic) => "the topic is closed",
            Self::Part(MessagePart::Buttons) => "the buttons are not accepted",
            Self::Part(MessagePart::Picture) => "the picture is not accepted",
            Self::Part(MessagePart::Length) => "the text is too long",
            Self::Forbidden => "the bot may not write in the chat",
            Self::Gone => "the chat, user or callback query no longer exists",
            Self::NotModified => "the edit changes nothing",
            Self::NotEditable => "the message does not exist or can never be edited",
            Self::IsPicture => "the message is a picture",
            Self::TooOldToDelete => "the message is too old to be deleted",
            Self::FileTooBig => "the file is larger than bots may download",
            Self::WebhookActive => "a webhook is set",
            Self::ConcurrentPolling => "another program polls with the same token",
            Self::InvalidToken => "the token is not valid",
            Self::Unknown => "unknown reason",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, description: &str) -> ApiError {
        ApiError::Refused { code, description: description.into(), retry_after: None, migrated_to: None }
    }

    #[test]
    fn each_error_is_handled_in_one_way() {
        let wait = Refusal::Retry { after: None };
        for (code, description, expected) in [
            (429, "Too Many Requests: retry after 5", wait),
            (500, "Internal Server Error", wait),
            (502, "Bad Gateway", wait),
            (400, "Bad Request: wrong file_id or the file is temporarily unavailable", wait),
            (400, "Bad Request: message to be replied not found", Refusal::Simplify),
            (400, "Bad Request: TOPIC_CLOSED", Refusal::Simplify),
            (400, "Bad Request: not enough rights to send photos to the chat", Refusal::Simplify),
            (400, "Bad Request: something new", Refusal::Simplify),
            (400, "Bad Request: not enough rights to send text messages to the chat", Refusal::Forbidden),
            (400, "Bad Request: have no rights to send a message", Refusal::Forbidden),
            (400, "Bad Request: CHAT_WRITE_FORBIDDEN", Refusal::Forbidden),
            (403, "Forbidden: bot was kicked from the supergroup chat", Refusal::Gone),
            (403, "Forbidden: bot was blocked by the user", Refusal::Gone),
            (403, "Forbidden: the group chat was deleted", Refusal::Gone),
            (400, "Bad Request: chat not found", Refusal::Gone),
        ] {
            assert_eq!(refusal(&refused(code, description)), expected, "{description}");
        }
        assert_eq!(refusal(&ApiError::InvalidResponse { status: 413, retry_after: None }), Refusal::Simplify);
        assert_eq!(refused(404, "Not Found").kind(), ErrorKind::InvalidToken);
    }

    #[test]
    fn an_error_is_displayed_without_telegrams_description() {
        let printed = refused(400, "Bad Request: can't parse entities: \"Ludmila\"").to_string();
        assert!(!printed.contains("Ludmila") && printed.contains("400"), "{printed}");
    }
}
