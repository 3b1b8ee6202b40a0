//! Telegram's updates as far as they matter here, read from their JSON.
//!
//! Every part but a message's number and chat may be absent, malformed or of a kind that came after
//! this program: it is passed over then, and the rest is read all the same. Typed parsers drop the
//! whole update instead.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use teloxide::types::{ChatId, MessageId, ThreadId};

/// The kinds of updates that are asked for and understood.
pub(super) const MESSAGES: [&str; 2] = ["message", "channel_post"];
pub(super) const EDITS: [&str; 2] = ["edited_message", "edited_channel_post"];
pub(super) const PRESS: &str = "callback_query";

/// Fields of a message that hold something that somebody sent; all others only tell what happened.
const CONTENT: [&str; 19] = [
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

/// An update: its number and what it brings.
pub(super) struct Update {
    pub(super) id: i64,
    pub(super) content: Content,
}

/// What an update brings.
pub(super) enum Content {
    Message(Box<Message>),
    Edited(Box<Message>),
    Press(Box<Press>),
    /// One of a kind, named here, that is not understood or that nobody asked for.
    Other(String),
}

impl Update {
    /// `None` for JSON that is no update.
    pub(super) fn of(update: &Value) -> Option<Self> {
        let id = update["update_id"].as_i64()?;
        let fields = update.as_object()?.iter().filter(|(name, _)| *name != "update_id");
        let is_known = |name: &str| MESSAGES.contains(&name) || EDITS.contains(&name) || name == PRESS;
        // What is known may come with something that is not.
        let (kind, value) = fields.clone().find(|(name, _)| is_known(name)).or(fields.clone().next())?;
        let read = match kind.as_str() {
            kind if MESSAGES.contains(&kind) => Message::of(value).map(|message| Content::Message(message.into())),
            kind if EDITS.contains(&kind) => Message::of(value).map(|message| Content::Edited(message.into())),
            PRESS => Press::of(value).map(|press| Content::Press(press.into())),
            _ => None,
        };
        // Whoever can post updates can post any name; Telegram's own are short words.
        let name = || kind.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
        Some(Self { id, content: read.unwrap_or_else(|| Content::Other(name())) })
    }
}

/// Where a chat's messages are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Topic {
    /// A topic of a forum.
    Thread(ThreadId),
    /// Somebody's direct messages to a channel.
    Direct(i64),
}

/// What a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ChatKind {
    Private,
    Group,
    Channel,
}

/// A file on Telegram's side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RemoteFile {
    pub(super) id: String,
    /// Absent when Telegram does not say.
    pub(super) bytes: Option<u64>,
}

impl RemoteFile {
    fn of(file: &Value) -> Option<Self> {
        Some(Self { id: file["file_id"].as_str()?.to_owned(), bytes: file["file_size"].as_u64() })
    }
}

/// How a photo is covered, and so whatever is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Cover {
    /// It is shown once somebody taps on it.
    pub(super) spoiler: bool,
    /// It may not be forwarded or saved.
    pub(super) protected: bool,
}

impl Cover {
    /// Covered wherever one of both is.
    pub(super) fn and(self, other: Self) -> Self {
        Self { spoiler: self.spoiler || other.spoiler, protected: self.protected || other.protected }
    }
}

/// The pictures of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Photos {
    pub(super) files: Vec<RemoteFile>,
    /// The message that a reply refers to: the buttons under the reply find the photo there.
    pub(super) message: MessageId,
    /// Whoever posted or forwarded them; a chat's number when a chat did.
    pub(super) author: i64,
    pub(super) cover: Cover,
    /// Whether they can be taken for photos when nobody says that they are.
    pub(super) evident: bool,
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) is_bot: bool,
    pub(super) language: Option<String>,
    pub(super) name: String,
}

impl User {
    pub(super) fn of(user: &Value) -> Option<Self> {
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
    pub(super) kind: ChatKind,
    pub(super) id: MessageId,
    pub(super) topic: Option<Topic>,
    pub(super) from: Option<User>,
    /// The chat as which somebody writes.
    pub(super) sender_chat: Option<i64>,
    /// Unix seconds of Telegram's clock, 0 when it does not say; and of the latest edit.
    pub(super) date: i64,
    pub(super) edit_date: Option<i64>,
    /// The text, or the caption.
    pub(super) text: Option<String>,
    pub(super) is_caption: bool,
    /// People without a username who are mentioned.
    pub(super) mentioned: Vec<i64>,
    pub(super) photos: Option<Photos>,
    /// The pictures of a message in another chat, which this one replies to.
    pub(super) quoted: Option<Photos>,
    pub(super) replied: Option<Box<Message>>,
    /// The album that it is part of.
    pub(super) album: Option<String>,
    pub(super) cover: Cover,
    /// The number that the chat has from now on.
    pub(super) moved_to: Option<i64>,
    /// Whether somebody sent something, rather than something having happened.
    pub(super) has_content: bool,
    /// Whether it is a picture, with a caption or without.
    pub(super) is_picture: bool,
}

impl Message {
    /// `None` without a number or a chat.
    pub(super) fn of(message: &Value) -> Option<Self> {
        let chat = message["chat"]["id"].as_i64()?;
        let id = MessageId(i32::try_from(message["message_id"].as_i64()?).ok()?);
        let from = User::of(&message["from"]);
        let sender_chat = message["sender_chat"]["id"].as_i64();
        let author = sender_chat.or(from.as_ref().map(|sender| sender.id)).unwrap_or(chat);
        let text = message["text"].as_str();
        let external = &message["external_reply"];
        Some(Self {
            chat: ChatId(chat),
            kind: kind(&message["chat"], chat),
            id,
            topic: topic(message),
            from,
            sender_chat,
            date: message["date"].as_i64().unwrap_or(0),
            edit_date: message["edit_date"].as_i64(),
            text: text.or(message["caption"].as_str()).map(str::to_owned),
            is_caption: text.is_none(),
            mentioned: mentioned(message),
            photos: photos(message, id, author),
            // The photo's own message is in another chat, so that a reply refers to this one.
            quoted: photos(external, id, origin(external).unwrap_or(author)),
            replied: Self::of(&message["reply_to_message"]).map(Box::new),
            album: message["media_group_id"].as_str().map(str::to_owned),
            cover: cover(message),
            moved_to: message["migrate_to_chat_id"].as_i64(),
            has_content: has_content(message),
            is_picture: message["photo"].is_array(),
        })
    }
}

/// A press of a button.
pub(super) struct Press {
    pub(super) id: String,
    pub(super) from: User,
    pub(super) data: Option<String>,
    /// The message with the button. Of one that is no longer accessible only number and chat are known.
    pub(super) message: Option<Message>,
}

impl Press {
    fn of(query: &Value) -> Option<Self> {
        Some(Self {
            id: query["id"].as_str()?.to_owned(),
            from: User::of(&query["from"])?,
            data: query["data"].as_str().map(str::to_owned),
            message: Message::of(&query["message"]),
        })
    }
}

fn kind(chat: &Value, id: i64) -> ChatKind {
    match chat["type"].as_str() {
        Some("private") => ChatKind::Private,
        Some("channel") => ChatKind::Channel,
        Some("group" | "supergroup") => ChatKind::Group,
        // Numbers of people are positive, all others are not.
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

fn mentioned(message: &Value) -> Vec<i64> {
    let lists = ["entities", "caption_entities"].map(|list| message[list].as_array().map_or(&[][..], Vec::as_slice));
    lists.into_iter().flatten().filter_map(|entity| entity["user"]["id"].as_i64()).collect()
}

fn has_content(message: &Value) -> bool {
    // What came after this program and holds a file is content as well.
    let unknown = |value: &Value| value["file_id"].is_string();
    message
        .as_object()
        .is_some_and(|fields| fields.iter().any(|(name, value)| CONTENT.contains(&&**name) || unknown(value)))
}

fn cover(message: &Value) -> Cover {
    let is = |field: &str| message[field] == true;
    Cover { spoiler: is("has_media_spoiler"), protected: is("has_protected_content") }
}

/// The pictures of a message, or of what is quoted of one.
fn photos(message: &Value, about: MessageId, author: i64) -> Option<Photos> {
    let mut cover = cover(message);
    let mut evident = true;
    let mut files = Vec::new();
    if let Some(file) = largest(&message["photo"]).or_else(|| largest(&message["live_photo"]["photo"])) {
        files.push(file);
    } else if let Some(paid) = message["paid_media"]["paid_media"].as_array() {
        let one = |media: &Value| largest(&media["photo"]).or_else(|| largest(&media["live_photo"]["photo"]));
        files.extend(paid.iter().filter_map(one));
        // Others have to pay before they see it.
        cover = Cover { spoiler: true, protected: true };
    } else if let Some(file) = RemoteFile::of(&message["document"]) {
        // Its bytes decide later whether it is a picture.
        evident = message["document"]["mime_type"].as_str().is_some_and(|mime| mime.starts_with("image/"));
        files.push(file);
    } else {
        in_blocks(&message["rich_message"]["blocks"], &mut files, &mut cover);
    }
    (!files.is_empty()).then_some(Photos { files, message: about, author, cover, evident })
}

/// The largest of a photo's sizes.
fn largest(sizes: &Value) -> Option<RemoteFile> {
    let area = |size: &Value| size["width"].as_u64().unwrap_or(0).saturating_mul(size["height"].as_u64().unwrap_or(0));
    let sizes = sizes.as_array()?.iter().filter(|size| size["file_id"].is_string());
    RemoteFile::of(sizes.max_by_key(|size| area(size))?)
}

/// The photos among the blocks of a rich message, which can lie in one another.
fn in_blocks(blocks: &Value, files: &mut Vec<RemoteFile>, cover: &mut Cover) {
    match blocks {
        Value::Array(blocks) => blocks.iter().for_each(|block| in_blocks(block, files, cover)),
        Value::Object(block) => {
            if let Some(file) = block.get("photo").and_then(largest) {
                files.push(file);
                cover.spoiler |= block.get("has_spoiler").is_some_and(|spoiler| *spoiler == true);
            } else {
                block.values().for_each(|inner| in_blocks(inner, files, cover));
            }
        }
        _ => {}
    }
}

/// Whoever wrote what is quoted.
fn origin(external: &Value) -> Option<i64> {
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
        Message::of(&message).unwrap()
    }

    #[test]
    fn malformed_parts_are_passed_over_and_the_photo_is_read() {
        let size = json!([{ "file_id": "f", "width": "odd" }, { "width": 9, "height": 9 }, 7]);
        let read = message(json!({
            "photo": size, "from": "nobody", "caption": 5, "caption_entities": { "type": "date_time" },
            "reply_to_message": { "message_id": "x" }, "media_group_id": 5, "external_reply": { "photo": 1 }
        }));
        assert_eq!(read.photos.unwrap().files, [RemoteFile { id: "f".into(), bytes: None }]);
        assert_eq!((read.from, read.text, read.replied, read.album, read.quoted), (None, None, None, None, None));
    }

    #[test]
    fn pictures_are_found_wherever_telegram_puts_them() {
        let photo = json!([{ "file_id": "f", "width": 9, "height": 9, "file_size": 5_000_000_000_u64 }]);
        for content in [
            json!({ "photo": photo }),
            json!({ "live_photo": { "file_id": "video", "photo": photo } }),
            json!({ "paid_media": { "star_count": 1, "paid_media": [{ "type": "preview" }, { "type": "photo", "photo": photo }] } }),
            json!({ "document": { "file_id": "f", "mime_type": 7, "file_size": 5_000_000_000_u64 } }),
            json!({ "rich_message": { "blocks": [{ "type": "list", "items": [{ "blocks": [{ "type": "photo", "photo": photo }] }] }] } }),
        ] {
            let quoted = message(json!({ "text": "/guess", "external_reply": content }));
            let photos = message(content).photos.unwrap();
            assert_eq!(photos.files, [RemoteFile { id: "f".into(), bytes: Some(5_000_000_000) }]);
            assert_eq!(quoted.quoted.unwrap().files, photos.files);
        }
    }

    #[test]
    fn kinds_that_nobody_knows_are_named_and_nothing_more() {
        for update in [json!({ "update_id": 1, "hologram": { "text": "x" } }), json!({ "update_id": 1, "message": [] })]
        {
            assert!(matches!(Update::of(&update).unwrap().content, Content::Other(_)));
        }
        assert!(Update::of(&json!({ "message": {} })).is_none());
        let both = json!({ "update_id": 1, "aura": 5, "message": { "message_id": 2, "chat": { "id": 3 } } });
        assert!(matches!(Update::of(&both).unwrap().content, Content::Message(_)));
    }
}
