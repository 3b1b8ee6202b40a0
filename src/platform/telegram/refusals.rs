//! What Telegram's refusals mean, in one table.
//!
//! | Telegram says | kind | what the person sees |
//! |---|---|---|
//! | 429 with or without `retry_after` | wait | the reply, later |
//! | 500 to 504, 408, 409, an answer that is no JSON, a reset, a time-out | wait | the reply, later; a second time if the first one arrived after all |
//! | "temporarily unavailable" (`getFile`) | wait | the guess, later; after the download's time limit the request to send the photo again |
//! | 401 (the token was revoked) | wait | nothing until the host has a new token, then the answer or an apology |
//! | "message to be replied not found" and the like | plainer: no reference | the reply, below the latest message |
//! | "message thread not found", `TOPIC_DELETED`, `TOPIC_CLOSED` | plainer: no topic, for a closed one no reference either | the reply in the general topic |
//! | `BUTTON_DATA_INVALID`, "reply markup" and the like | plainer: no buttons | the words and the picture |
//! | photos not allowed, `IMAGE_PROCESS_FAILED`, `PHOTO_INVALID_DIMENSIONS`, 413, a caption that is too long | plainer: no picture | the words, which describe the faces from left to right |
//! | "message is too long" | plainer: shorter | the beginning of the words |
//! | any other 400, 403 or 404 | plainer: step by step, no reference, no topic, no buttons, no picture | the words |
//! | "not enough rights to send text messages", `CHAT_WRITE_FORBIDDEN`, `CHAT_RESTRICTED`, admin rights needed | cannot speak here | the asker is told in private, an admin once a day |
//! | kicked, blocked, deactivated, "chat not found", the group was deleted, no conversation begun | gone | nothing |
//! | "message is not modified" (an edit) | done | what is there |
//! | "message to edit not found", "message can't be edited" | lost | a final answer, anew |
//! | "message can't be deleted" (after 48 hours) | old | the reply becomes "(deleted)", without buttons and faces |
//! | "query is too old" (a press) | gone | nothing: the button has stopped waiting |
//! | "file is too big" (`getFile`) | – | that bots get files of 20 MB at most |
//! | 409 with a webhook set, 409 of two programs | wait | the reply, when the webhook is gone or the other program is |

use std::fmt;

use super::api::Fault;
use crate::platform::refusal::Refusal;

/// A part of a message that Telegram can refuse by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Reference,
    Topic,
    /// The topic and, because it leads there as well, the reference.
    ClosedTopic,
    Buttons,
    Picture,
    Length,
}

/// What a refusal comes to, as far as this program can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It may pass.
    Passing,
    /// A part of the message is refused.
    Part(Part),
    /// The bot may not write in the chat.
    Forbidden,
    /// Nobody is left to tell.
    Gone,
    /// An edit changes nothing.
    Unchanged,
    /// The message to be edited or deleted is not there, or never can be edited.
    Lost,
    /// The message to be edited is a picture with a caption.
    NotText,
    /// The message is too old to be deleted.
    Old,
    /// The file is larger than bots may get.
    TooBig,
    /// Updates go to a webhook, so that they cannot be polled.
    WebhookSet,
    /// Another program polls with the same token.
    OtherProgram,
    /// The token is not valid.
    BadToken,
    /// Telegram does not say, or says what is not known here.
    Unknown,
}

/// What descriptions contain, in small letters; the first that fits counts.
const DESCRIPTIONS: &[(&str, Meaning)] = &[
    ("temporarily unavailable", Meaning::Passing),
    ("too many requests", Meaning::Passing),
    ("use getupdates method while webhook", Meaning::WebhookSet),
    ("terminated by other getupdates", Meaning::OtherProgram),
    ("terminated by setwebhook", Meaning::WebhookSet),
    ("reply_message_id_invalid", Meaning::Part(Part::Reference)),
    ("message is not modified", Meaning::Unchanged),
    ("message_not_modified", Meaning::Unchanged),
    ("message to edit not found", Meaning::Lost),
    ("message to delete not found", Meaning::Lost),
    ("message can't be edited", Meaning::Lost),
    ("message_edit_time_expired", Meaning::Lost),
    ("message_author_required", Meaning::Lost),
    ("message_id_invalid", Meaning::Lost),
    ("message identifier is not specified", Meaning::Lost),
    ("no text in the message to edit", Meaning::NotText),
    ("message can't be deleted", Meaning::Old),
    ("message_delete_forbidden", Meaning::Old),
    ("query is too old", Meaning::Gone),
    ("query id is invalid", Meaning::Gone),
    ("query_id_invalid", Meaning::Gone),
    ("to be replied not found", Meaning::Part(Part::Reference)),
    ("to reply not found", Meaning::Part(Part::Reference)),
    ("replied message not found", Meaning::Part(Part::Reference)),
    ("reply message not found", Meaning::Part(Part::Reference)),
    ("reply_to_invalid", Meaning::Part(Part::Reference)),
    ("topic_closed", Meaning::Part(Part::ClosedTopic)),
    ("topic is closed", Meaning::Part(Part::ClosedTopic)),
    ("thread not found", Meaning::Part(Part::Topic)),
    ("thread is invalid", Meaning::Part(Part::Topic)),
    ("topic_deleted", Meaning::Part(Part::Topic)),
    ("topic_id_invalid", Meaning::Part(Part::Topic)),
    ("topic not found", Meaning::Part(Part::Topic)),
    ("button_", Meaning::Part(Part::Buttons)),
    ("reply_markup", Meaning::Part(Part::Buttons)),
    ("reply markup", Meaning::Part(Part::Buttons)),
    ("inline keyboard", Meaning::Part(Part::Buttons)),
    ("reply keyboard", Meaning::Part(Part::Buttons)),
    ("rights to send photos", Meaning::Part(Part::Picture)),
    ("rights to send media", Meaning::Part(Part::Picture)),
    ("rights to send documents", Meaning::Part(Part::Picture)),
    ("rights to change media", Meaning::Part(Part::Picture)),
    ("send_photos_forbidden", Meaning::Part(Part::Picture)),
    ("send_media_forbidden", Meaning::Part(Part::Picture)),
    ("image_process_failed", Meaning::Part(Part::Picture)),
    ("photo_", Meaning::Part(Part::Picture)),
    ("media_", Meaning::Part(Part::Picture)),
    ("caption is too long", Meaning::Part(Part::Picture)),
    ("request entity too large", Meaning::Part(Part::Picture)),
    ("message is too long", Meaning::Part(Part::Length)),
    ("message_too_long", Meaning::Part(Part::Length)),
    ("text is too long", Meaning::Part(Part::Length)),
    ("file is too big", Meaning::TooBig),
    ("kicked", Meaning::Gone),
    ("blocked", Meaning::Gone),
    ("deactivated", Meaning::Gone),
    ("was deleted", Meaning::Gone),
    ("is deleted", Meaning::Gone),
    ("is not a member", Meaning::Gone),
    ("not a participant", Meaning::Gone),
    ("chat not found", Meaning::Gone),
    ("user not found", Meaning::Gone),
    ("chat_id_invalid", Meaning::Gone),
    ("peer_id_invalid", Meaning::Gone),
    ("channel_private", Meaning::Gone),
    ("channel_invalid", Meaning::Gone),
    ("initiate conversation", Meaning::Gone),
    ("can't send messages to bots", Meaning::Gone),
    ("user_is_blocked", Meaning::Gone),
    ("input_user_deactivated", Meaning::Gone),
    ("not enough rights", Meaning::Forbidden),
    ("no rights to send", Meaning::Forbidden),
    ("write_forbidden", Meaning::Forbidden),
    ("send_plain_forbidden", Meaning::Forbidden),
    ("chat_restricted", Meaning::Forbidden),
    ("user_banned_in_channel", Meaning::Forbidden),
    ("chat_admin_required", Meaning::Forbidden),
    ("administrator rights", Meaning::Forbidden),
    ("chat_guest_send_forbidden", Meaning::Forbidden),
];

impl Fault {
    /// What it comes to.
    pub(super) fn meaning(&self) -> Meaning {
        let (code, description) = match self {
            Self::Network { .. } => return Meaning::Passing,
            Self::Garbled { status: 413, .. } => return Meaning::Part(Part::Picture),
            // Whatever stands before the Bot API said this, and it knows nothing of chats.
            Self::Garbled { .. } => return Meaning::Passing,
            Self::Refused { code, description, .. } => (*code, description.to_lowercase()),
        };
        let described = DESCRIPTIONS.iter().find(|(part, _)| description.contains(part)).map(|(_, meaning)| *meaning);
        match (code, described) {
            (_, Some(meaning)) => meaning,
            (401, None) => Meaning::BadToken,
            (413, None) => Meaning::Part(Part::Picture),
            (408 | 409 | 425 | 429 | 500.., None) => Meaning::Passing,
            // Telegram says no more than this of a token that it does not know.
            (404, None) if description == "not found" => Meaning::BadToken,
            _ => Meaning::Unknown,
        }
    }
}

/// What to do about a refused request.
pub(super) fn refusal(fault: &Fault) -> Refusal {
    let after = match fault {
        Fault::Refused { retry_after, .. } | Fault::Garbled { retry_after, .. } => *retry_after,
        Fault::Network { .. } => None,
    };
    match fault.meaning() {
        Meaning::Passing | Meaning::BadToken | Meaning::WebhookSet | Meaning::OtherProgram => Refusal::Wait { after },
        Meaning::Forbidden => Refusal::Forbidden,
        Meaning::Gone => Refusal::Gone,
        _ => Refusal::Simplify,
    }
}

/// In words of this program's own: Telegram's can hold what people wrote.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { reason } => write!(f, "no answer: {reason}"),
            Self::Garbled { status, .. } => write!(f, "an answer with status {status} that is not the Bot API's"),
            Self::Refused { code, .. } => write!(f, "refused with code {code}: {}", self.meaning().words()),
        }
    }
}

impl Meaning {
    fn words(self) -> &'static str {
        match self {
            Self::Passing => "it may pass",
            Self::Part(Part::Reference) => "the message replied to is not there",
            Self::Part(Part::Topic) => "the topic is not there",
            Self::Part(Part::ClosedTopic) => "the topic is closed",
            Self::Part(Part::Buttons) => "the buttons are not accepted",
            Self::Part(Part::Picture) => "the picture is not accepted",
            Self::Part(Part::Length) => "the text is too long",
            Self::Forbidden => "the bot may not write in the chat",
            Self::Gone => "the chat, the person or the press is gone",
            Self::Unchanged => "the message is as it should be",
            Self::Lost => "the message is not there or can never be edited",
            Self::NotText => "the message is a picture",
            Self::Old => "the message is too old",
            Self::TooBig => "the file is larger than bots may get",
            Self::WebhookSet => "a webhook is set",
            Self::OtherProgram => "another program polls with the same token",
            Self::BadToken => "the token is not valid",
            Self::Unknown => "the reason is not known to this program",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, description: &str) -> Fault {
        Fault::Refused { code, description: description.into(), retry_after: None, moved_to: None }
    }

    #[test]
    fn each_refusal_is_of_one_kind() {
        let wait = Refusal::Wait { after: None };
        for (code, description, kind) in [
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
            assert_eq!(refusal(&refused(code, description)), kind, "{description}");
        }
        assert_eq!(refusal(&Fault::Garbled { status: 413, retry_after: None }), Refusal::Simplify);
        assert_eq!(refused(404, "Not Found").meaning(), Meaning::BadToken);
    }

    #[test]
    fn a_refusal_is_printed_without_telegrams_words() {
        let printed = refused(400, "Bad Request: can't parse entities: \"Ludmila\"").to_string();
        assert!(!printed.contains("Ludmila") && printed.contains("400"), "{printed}");
    }
}
