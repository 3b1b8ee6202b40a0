//! Parses Telegram's updates from their JSON, as leniently as the [messages](super::incoming) that they
//! contain.

use serde_json::Value;
use teloxide::types::ChatId;

use super::incoming::{Message, User};

/// The kinds of updates, as the names of an update's fields.
const MESSAGES: [&str; 2] = ["message", "channel_post"];
const EDITED_MESSAGES: [&str; 2] = ["edited_message", "edited_channel_post"];
const CALLBACK_QUERY: &str = "callback_query";
const GUEST_MESSAGE: &str = "guest_message";
const BUSINESS_CONNECTION: &str = "business_connection";

/// Those that are requested from Telegram. The messages in the chats of a business account are not.
pub(super) const ALLOWED_UPDATES: [&str; 7] = [
    MESSAGES[0],
    EDITED_MESSAGES[0],
    MESSAGES[1],
    EDITED_MESSAGES[1],
    CALLBACK_QUERY,
    GUEST_MESSAGE,
    BUSINESS_CONNECTION,
];

/// An update: its id and its content.
pub(super) struct Update {
    pub(super) id: i64,
    pub(super) content: UpdateContent,
}

/// The content of an update.
pub(super) enum UpdateContent {
    Message(Box<Message>),
    EditedMessage(Box<Message>),
    CallbackQuery(Box<CallbackQuery>),
    GuestMessage(Box<GuestMessage>),
    BusinessConnection(Box<BusinessConnection>),
    /// The name of a kind that was not requested or could not be parsed.
    Unknown(String),
}

impl Update {
    /// `None` for JSON that is not an update.
    pub(super) fn from_json(update: &Value) -> Option<Self> {
        let id = update["update_id"].as_i64()?;
        let fields = update.as_object()?.iter().filter(|(name, _)| *name != "update_id");
        // An unknown field may come along with a known one.
        let (kind, value) =
            fields.clone().find(|(name, _)| ALLOWED_UPDATES.contains(&name.as_str())).or(fields.clone().next())?;
        let message = || Message::from_json(value).filter(|_| !is_in_foreign_chat(value)).map(Box::new);
        let content = match kind.as_str() {
            kind if MESSAGES.contains(&kind) => message().map(UpdateContent::Message),
            kind if EDITED_MESSAGES.contains(&kind) => message().map(UpdateContent::EditedMessage),
            CALLBACK_QUERY => CallbackQuery::from_json(value).map(|query| UpdateContent::CallbackQuery(query.into())),
            GUEST_MESSAGE => GuestMessage::from_json(value).map(|guest| UpdateContent::GuestMessage(guest.into())),
            BUSINESS_CONNECTION => BusinessConnection::from_json(value)
                .map(|connection| UpdateContent::BusinessConnection(connection.into())),
            _ => None,
        };
        // Anyone who can post updates chooses the name; Telegram's own are short words.
        let name = || kind.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
        Some(Self { id, content: content.unwrap_or_else(|| UpdateContent::Unknown(name())) })
    }
}

/// A message that mentions the bot, or replies to it, in a chat that it is not a member of.
pub(super) struct GuestMessage {
    /// Identifies the one answer that it can get.
    pub(super) query: String,
    /// Its chat's id may also be that of a chat between the bot and somebody else.
    pub(super) message: Message,
}

impl GuestMessage {
    fn from_json(message: &Value) -> Option<Self> {
        let query = message["guest_query_id"].as_str().filter(|query| !query.is_empty())?.to_owned();
        Some(Self { query, message: Message::from_json(message)? })
    }
}

/// Somebody has connected the bot to their business account, or changed that.
pub(super) struct BusinessConnection {
    pub(super) user: User,
    /// Their private chat with the bot.
    pub(super) chat: ChatId,
    pub(super) is_enabled: bool,
}

impl BusinessConnection {
    fn from_json(connection: &Value) -> Option<Self> {
        Some(Self {
            user: User::from_json(&connection["user"])?,
            chat: ChatId(connection["user_chat_id"].as_i64().filter(|chat| *chat > 0)?),
            is_enabled: connection["is_enabled"] == true,
        })
    }
}

/// A press of an inline button.
pub(super) struct CallbackQuery {
    pub(super) id: String,
    pub(super) from: User,
    pub(super) data: Option<String>,
    /// The message with the button. If it is inaccessible, only its id and chat are known.
    pub(super) message: Option<Message>,
    /// The id of the message with the button, if the bot sent it as a guest.
    pub(super) guest_message: Option<String>,
}

impl CallbackQuery {
    fn from_json(query: &Value) -> Option<Self> {
        Some(Self {
            id: query["id"].as_str()?.to_owned(),
            from: User::from_json(&query["from"])?,
            data: query["data"].as_str().map(str::to_owned),
            message: Message::from_json(&query["message"]).filter(|_| !is_in_foreign_chat(&query["message"])),
            guest_message: query["inline_message_id"].as_str().map(str::to_owned),
        })
    }
}

/// Whether the message belongs to a chat of a business account, or to one where the bot is a guest. The id of
/// such a chat may be that of one of the bot's own chats, so nothing may be sent there.
fn is_in_foreign_chat(message: &Value) -> bool {
    ["business_connection_id", "guest_query_id"].iter().any(|id| message[*id].as_str().is_some_and(|id| !id.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_kinds_of_updates_are_reported_by_name_alone() {
        for update in [json!({ "update_id": 1, "hologram": { "text": "x" } }), json!({ "update_id": 1, "message": [] })]
        {
            assert!(matches!(Update::from_json(&update).unwrap().content, UpdateContent::Unknown(_)));
        }
        assert!(Update::from_json(&json!({ "message": {} })).is_none());
        let both = json!({ "update_id": 1, "aura": 5, "message": { "message_id": 2, "chat": { "id": 3 } } });
        assert!(matches!(Update::from_json(&both).unwrap().content, UpdateContent::Message(_)));
    }

    #[test]
    fn messages_of_chats_that_are_not_the_bots_own_are_never_taken_for_such() {
        let message = json!({ "message_id": 2, "chat": { "id": 3 }, "text": "/guess" });
        for id in ["business_connection_id", "guest_query_id"] {
            for kind in ["message", "edited_message", "business_message"] {
                let mut foreign = message.clone();
                foreign[id] = "7".into();
                let update = Update::from_json(&json!({ "update_id": 1, kind: foreign })).unwrap();
                assert!(matches!(update.content, UpdateContent::Unknown(_)), "{kind} with {id}");
            }
        }
        // Without its query, a guest's message cannot be answered.
        let update = Update::from_json(&json!({ "update_id": 1, "guest_message": message })).unwrap();
        assert!(matches!(update.content, UpdateContent::Unknown(_)));
    }
}
