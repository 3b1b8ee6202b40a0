//! Parses the fields of Telegram's messages that the bot uses from their JSON.
//!
//! Everything but a message's id and chat may be absent, malformed or newer than this program: then
//! it is ignored and the rest is parsed all the same. Typed parsers drop the whole update instead.
//! [`updates`](super::updates) contain messages.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use teloxide::types::{ChatId, MessageId, ThreadId};

/// Fields of a message that hold user content; all others belong to service messages.
const CONTENT_FIELDS: [&str; 19] = [
    "text",
    "rich_message",
    "animation",
    "audio",
    "document",
    "live_photo",
    "paid_media",
    "photo",
    "sticker",
    "story",
    "video",
    "video_note",
    "voice",
    "checklist",
    "contact",
    "game",
    "poll",
    "venue",
    "location",
];

/// A topic within a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Topic {
    /// A topic of a forum.
    Thread(ThreadId),
    /// A user's direct messages to a channel.
    Direct(i64),
}

/// The kind of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ChatKind {
    Private,
    Group,
    Channel,
}

/// A file on Telegram's servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RemoteFile {
    pub(super) id: String,
    /// `None` when Telegram does not give the size.
    pub(super) bytes: Option<u64>,
}

impl RemoteFile {
    fn from_json(file: &Value) -> Option<Self> {
        Some(Self { id: file["file_id"].as_str()?.to_owned(), bytes: file["file_size"].as_u64() })
    }
}

/// How a photo's content is restricted. Replies about it get the same flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct MediaFlags {
    /// It is hidden until a user taps on it.
    pub(super) spoiler: bool,
    /// It may not be forwarded or saved.
    pub(super) protected: bool,
}

impl MediaFlags {
    pub(super) fn union(self, other: Self) -> Self {
        Self { spoiler: self.spoiler || other.spoiler, protected: self.protected || other.protected }
    }
}

/// The photos of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Photos {
    pub(super) files: Vec<RemoteFile>,
    /// The message to reply to: the buttons under the reply find the photo there.
    pub(super) message: MessageId,
    /// The user who posted or forwarded them; a chat's id if they were posted on its behalf.
    pub(super) author: i64,
    #[serde(rename = "cover")]
    pub(super) flags: MediaFlags,
    /// Whether Telegram marks them as pictures. Other files are treated as photos only on request.
    #[serde(rename = "evident")]
    pub(super) is_image: bool,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) is_bot: bool,
    pub(super) language: Option<String>,
    pub(super) name: String,
}

impl User {
    pub(super) fn from_json(user: &Value) -> Option<Self> {
        let names = ["first_name", "last_name"].map(|part| user[part].as_str().unwrap_or_default());
        Some(Self {
            id: user["id"].as_i64()?,
            is_bot: user["is_bot"].as_bool().unwrap_or(false),
            language: user["language_code"].as_str().map(str::to_owned),
            name: names.join(" ").trim().to_owned(),
        })
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) chat: ChatId,
    pub(super) chat_kind: ChatKind,
    pub(super) id: MessageId,
    pub(super) topic: Option<Topic>,
    pub(super) from: Option<User>,
    /// The chat on whose behalf it was sent.
    pub(super) sender_chat: Option<i64>,
    /// Unix seconds of Telegram's clock, 0 when absent.
    pub(super) date: i64,
    /// The time of the latest edit.
    pub(super) edit_date: Option<i64>,
    /// The text, or the caption.
    pub(super) text: Option<String>,
    pub(super) is_caption: bool,
    /// Mentioned users who have no username.
    pub(super) mentioned_users: Vec<i64>,
    pub(super) photos: Option<Photos>,
    /// The photos of a message in another chat to which this one replies.
    pub(super) external_photos: Option<Photos>,
    pub(super) reply_to: Option<Box<Message>>,
    /// The id of the album (media group) that it is part of.
    pub(super) album: Option<String>,
    pub(super) flags: MediaFlags,
    /// The chat's new id.
    pub(super) migrated_to: Option<i64>,
    /// Whether a user sent content; service messages have none.
    pub(super) has_content: bool,
    /// Whether it is a picture, with or without a caption.
    pub(super) is_picture: bool,
}

impl Message {
    /// `None` without an id or a chat.
    pub(super) fn from_json(message: &Value) -> Option<Self> {
        let chat = message["chat"]["id"].as_i64()?;
        let id = parse_message_id(message)?;
        let from = User::from_json(&message["from"]);
        let sender_chat = message["sender_chat"]["id"].as_i64();
        let author = sender_chat.or(from.as_ref().map(|user| user.id)).unwrap_or(chat);
        let text = message["text"].as_str();
        let external = &message["external_reply"];
        Some(Self {
            chat: ChatId(chat),
            chat_kind: chat_kind(&message["chat"], chat),
            id,
            topic: topic(message),
            from,
            sender_chat,
            date: message["date"].as_i64().unwrap_or(0),
            edit_date: message["edit_date"].as_i64(),
            text: text.or(message["caption"].as_str()).map(str::to_owned),
            is_caption: text.is_none(),
            mentioned_users: mentioned_users(message),
            photos: photos(message, id, author),
            // The photo's own message is in another chat, so a reply refers to this one.
            external_photos: photos(external, id, external_author(external).unwrap_or(author)),
            reply_to: Self::from_json(&message["reply_to_message"]).map(Box::new),
            album: message["media_group_id"].as_str().map(str::to_owned),
            flags: media_flags(message),
            migrated_to: message["migrate_to_chat_id"].as_i64(),
            has_content: has_content(message),
            is_picture: message["photo"].is_array(),
        })
    }
}

/// The `message_id` of a message or of a method's result.
pub(super) fn parse_message_id(message: &Value) -> Option<MessageId> {
    Some(MessageId(i32::try_from(message["message_id"].as_i64()?).ok()?))
}

fn chat_kind(chat: &Value, id: i64) -> ChatKind {
    match chat["type"].as_str() {
        Some("private") => ChatKind::Private,
        Some("channel") => ChatKind::Channel,
        Some("group" | "supergroup") => ChatKind::Group,
        // Users' ids are positive, all others are negative.
        _ if id > 0 => ChatKind::Private,
        _ => ChatKind::Group,
    }
}

fn topic(message: &Value) -> Option<Topic> {
    if let Some(direct) = message["direct_messages_topic"]["topic_id"].as_i64() {
        return Some(Topic::Direct(direct));
    }
    let thread = message["message_thread_id"].as_i64().filter(|_| message["is_topic_message"] == true)?;
    Some(Topic::Thread(ThreadId(MessageId(i32::try_from(thread).ok()?))))
}

fn mentioned_users(message: &Value) -> Vec<i64> {
    let lists = ["entities", "caption_entities"].map(|list| message[list].as_array().map_or(&[][..], Vec::as_slice));
    lists.into_iter().flatten().filter_map(|entity| entity["user"]["id"].as_i64()).collect()
}

fn has_content(message: &Value) -> bool {
    // An unknown field that holds a file is content as well.
    let is_file = |value: &Value| value["file_id"].is_string();
    message
        .as_object()
        .is_some_and(|fields| fields.iter().any(|(name, value)| CONTENT_FIELDS.contains(&&**name) || is_file(value)))
}

fn media_flags(message: &Value) -> MediaFlags {
    let is_set = |field: &str| message[field] == true;
    MediaFlags { spoiler: is_set("has_media_spoiler"), protected: is_set("has_protected_content") }
}

/// The photos of a message or of an `external_reply`.
fn photos(message: &Value, reply_to: MessageId, author: i64) -> Option<Photos> {
    let mut flags = media_flags(message);
    let mut is_image = true;
    let mut files = Vec::new();
    if let Some(file) = largest(&message["photo"]).or_else(|| largest(&message["live_photo"]["photo"])) {
        files.push(file);
    } else if let Some(paid) = message["paid_media"]["paid_media"].as_array() {
        let photo = |media: &Value| largest(&media["photo"]).or_else(|| largest(&media["live_photo"]["photo"]));
        files.extend(paid.iter().filter_map(photo));
        // Everybody else has to pay to see it.
        flags = MediaFlags { spoiler: true, protected: true };
    } else if let Some(file) = RemoteFile::from_json(&message["document"]) {
        // Whether it really is a picture is decided later, by its bytes.
        is_image = message["document"]["mime_type"].as_str().is_some_and(|mime| mime.starts_with("image/"));
        files.push(file);
    } else {
        collect_from_blocks(&message["rich_message"]["blocks"], &mut files, &mut flags);
    }
    (!files.is_empty()).then_some(Photos { files, message: reply_to, author, flags, is_image })
}

/// The largest of a photo's sizes.
fn largest(sizes: &Value) -> Option<RemoteFile> {
    let area = |size: &Value| size["width"].as_u64().unwrap_or(0).saturating_mul(size["height"].as_u64().unwrap_or(0));
    let sizes = sizes.as_array()?.iter().filter(|size| size["file_id"].is_string());
    RemoteFile::from_json(sizes.max_by_key(|size| area(size))?)
}

/// Collects the photos among the blocks of a rich message, which can be nested.
fn collect_from_blocks(blocks: &Value, files: &mut Vec<RemoteFile>, flags: &mut MediaFlags) {
    match blocks {
        Value::Array(blocks) => blocks.iter().for_each(|block| collect_from_blocks(block, files, flags)),
        Value::Object(block) => {
            if let Some(file) = block.get("photo").and_then(largest) {
                files.push(file);
                flags.spoiler |= block.get("has_spoiler").is_some_and(|spoiler| *spoiler == true);
            } else {
                block.values().for_each(|inner| collect_from_blocks(inner, files, flags));
            }
        }
        _ => {}
    }
}

/// The author of the message that an `external_reply` refers to.
fn external_author(external: &Value) -> Option<i64> {
    let origin = &external["origin"];
    let ids =
        [&origin["sender_user"]["id"], &origin["sender_chat"]["id"], &origin["chat"]["id"], &external["chat"]["id"]];
    ids.into_iter().find_map(Value::as_i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(content: Value) -> Message {
        let mut message = json!({ "message_id": 5, "date": 1, "chat": { "id": -7, "type": "supergroup" } });
        message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        Message::from_json(&message).unwrap()
    }

    #[test]
    fn malformed_fields_are_ignored_and_the_photo_is_parsed() {
        let size = json!([{ "file_id": "f", "width": "odd" }, { "width": 9, "height": 9 }, 7]);
        let parsed = message(json!({
            "photo": size, "from": "nobody", "caption": 5, "caption_entities": { "type": "date_time" },
            "reply_to_message": { "message_id": "x" }, "media_group_id": 5, "external_reply": { "photo": 1 }
        }));
        assert_eq!(parsed.photos.unwrap().files, [RemoteFile { id: "f".into(), bytes: None }]);
        assert_eq!(
            (parsed.from, parsed.text, parsed.reply_to, parsed.album, parsed.external_photos),
            (None, None, None, None, None)
        );
    }

    #[test]
    fn photos_are_found_in_every_field_that_can_hold_them() {
        let photo = json!([{ "file_id": "f", "width": 9, "height": 9, "file_size": 5_000_000_000_u64 }]);
        for content in [
            json!({ "photo": photo }),
            json!({ "live_photo": { "file_id": "video", "photo": photo } }),
            json!({ "paid_media": { "star_count": 1, "paid_media": [{ "type": "preview" }, { "type": "photo", "photo": photo }] } }),
            json!({ "document": { "file_id": "f", "mime_type": 7, "file_size": 5_000_000_000_u64 } }),
            json!({ "rich_message": { "blocks": [{ "type": "list", "items": [{ "blocks": [{ "type": "photo", "photo": photo }] }] }] } }),
        ] {
            let reply = message(json!({ "text": "/guess", "external_reply": content }));
            let photos = message(content).photos.unwrap();
            assert_eq!(photos.files, [RemoteFile { id: "f".into(), bytes: Some(5_000_000_000) }]);
            assert_eq!(reply.external_photos.unwrap().files, photos.files);
        }
    }
}
