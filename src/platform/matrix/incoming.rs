//! Parses events of rooms, as far as the bot needs them.
//!
//! Not ruma's types: these refuse an event whole for one odd value in it, such as a picture's fractional width, and
//! its photo would not be answered.

use ruma::serde::Raw;
use ruma::{OwnedEventId, OwnedMxcUri, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Set in the bot's own messages, so that two bots do not answer each other (MSC3955).
pub(super) const AUTOMATED: &str = "org.matrix.msc3955.automated";

/// An event of a room's timeline.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RoomEvent {
    Message(Message),
    /// Something that only the members' devices can read.
    Encrypted {
        event: OwnedEventId,
        sender: OwnedUserId,
        sent: i64,
    },
    /// An event was removed.
    Redaction {
        redacted: OwnedEventId,
    },
    /// Somebody joined, left, was invited or changed their profile.
    Member {
        user: String,
        membership: String,
        before: Option<String>,
    },
}

/// A message of a person.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) event: OwnedEventId,
    pub(super) sender: OwnedUserId,
    /// Milliseconds of the sender's homeserver's clock.
    pub(super) sent: i64,
    /// What was written, a picture's caption included.
    pub(super) text: String,
    /// What was written, as HTML.
    html: String,
    pub(super) photo: Option<Photo>,
    /// Whether it is something other than text: a picture, a file, a voice message.
    pub(super) is_media: bool,
    /// The users whom it mentions; `None` if the sender's client does not say.
    mentioned: Option<Vec<String>>,
    pub(super) reply_to: Option<OwnedEventId>,
    /// The first message of the thread that it is in.
    pub(super) thread: Option<OwnedEventId>,
}

/// A picture on the homeserver, and who posted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Photo {
    pub(super) uri: OwnedMxcUri,
    /// Its size in bytes, according to the sender's client.
    pub(super) size: Option<u64>,
    pub(super) author: OwnedUserId,
    /// The message that shows it.
    pub(super) event: OwnedEventId,
}

impl RoomEvent {
    /// `None` for everything that the bot does not need, and for what cannot be parsed.
    pub(super) fn from_raw<T>(raw: &Raw<T>) -> Option<Self> {
        let event: Value = serde_json::from_str(raw.json().get()).ok()?;
        let content = &event["content"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(match event["type"].as_str()? {
            "m.room.message" => Self::Message(Message::from_json(&event)?),
            "m.room.encrypted" => Self::Encrypted {
                event: id(&event["event_id"])?,
                sender: id(&event["sender"])?,
                sent: event["origin_server_ts"].as_i64()?,
            },
            // The second place is that of rooms before version 11.
            "m.room.redaction" => {
                Self::Redaction { redacted: id(&content["redacts"]).or_else(|| id(&event["redacts"]))? }
            }
            "m.room.member" => Self::Member {
                user: text(&event["state_key"])?,
                membership: text(&content["membership"])?,
                before: text(&event["unsigned"]["prev_content"]["membership"]),
            },
            _ => return None,
        })
    }
}

impl Message {
    /// `None` for what needs no answer: notices, which bots send, edits, and removed messages.
    pub(super) fn from_json(event: &Value) -> Option<Self> {
        let content = &event["content"];
        let kind = content["msgtype"].as_str()?;
        let relation = &content["m.relates_to"];
        let is_edit = relation["rel_type"] == "m.replace";
        if kind == "m.notice" || kind == "m.server_notice" || is_edit || content[AUTOMATED] == true {
            return None;
        }
        let (event_id, sender): (OwnedEventId, OwnedUserId) = (id(&event["event_id"])?, id(&event["sender"])?);
        let is_media = matches!(kind, "m.image" | "m.file" | "m.audio" | "m.video");
        // A file's body is its name, unless the name is given on its own: then it is a caption.
        let body = content["body"].as_str().unwrap_or_default();
        let is_caption = content["filename"].as_str().is_some_and(|name| name != body);
        let reply = &relation["m.in_reply_to"]["event_id"];
        // Within a thread, clients without threads see a reply to its last message.
        let reply_to = id(reply).filter(|_| relation["is_falling_back"] != true);
        let text = if is_media && !is_caption { "" } else { body };
        let mentioned = content["m.mentions"].as_object().map(|mentions| {
            let users = mentions.get("user_ids").and_then(Value::as_array);
            users.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        });
        Some(Self {
            photo: photo(kind, content, &sender, &event_id),
            sent: event["origin_server_ts"].as_i64()?,
            text: if reply.is_null() { text } else { without_quote(text) }.trim().to_owned(),
            html: content["formatted_body"].as_str().unwrap_or_default().to_owned(),
            is_media,
            mentioned,
            reply_to,
            thread: id(&relation["event_id"]).filter(|_| relation["rel_type"] == "m.thread"),
            event: event_id,
            sender,
        })
    }

    /// Whether it mentions a user. Clients mention the author of a message in every reply to it, too.
    pub(super) fn mentions(&self, user: &UserId) -> bool {
        match &self.mentioned {
            Some(mentioned) => mentioned.iter().any(|one| one == user.as_str()),
            None => self.names(user),
        }
    }

    /// Whether its text names a user.
    pub(super) fn names(&self, user: &UserId) -> bool {
        self.text.contains(user.as_str()) || self.html.contains(&format!("https://matrix.to/#/{user}"))
    }
}

/// The picture of a message, also if it was sent as a file. An encrypted one has no address of its own.
fn photo(kind: &str, content: &Value, author: &UserId, event: &OwnedEventId) -> Option<Photo> {
    let info = &content["info"];
    let is_picture = info["mimetype"].as_str().is_some_and(|kind| kind.starts_with("image/"));
    if kind != "m.image" && (kind != "m.file" || !is_picture) {
        return None;
    }
    let uri: OwnedMxcUri = content["url"].as_str()?.into();
    uri.parts().ok()?;
    Some(Photo { uri, size: info["size"].as_u64(), author: author.to_owned(), event: event.clone() })
}

/// A reply without the quotation that older clients put before it.
fn without_quote(text: &str) -> &str {
    let mut rest = text;
    while rest.starts_with("> ") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest
}

/// An identifier, if the value is one.
fn id<T: for<'a> TryFrom<&'a str>>(value: &Value) -> Option<T> {
    T::try_from(value.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(content: Value) -> Option<Message> {
        let event = json!({
            "type": "m.room.message", "event_id": "$one", "sender": "@ann:a.example", "origin_server_ts": 1,
            "content": content
        });
        Message::from_json(&event)
    }

    #[test]
    fn a_picture_is_one_whatever_else_its_message_says() {
        let info = json!({ "mimetype": "image/heic", "size": 1234, "w": 12.5, "h": "tall" });
        for kind in ["m.image", "m.file"] {
            let sent = json!({ "msgtype": kind, "body": "IMG_1.HEIC", "url": "mxc://a.example/abc", "info": info });
            let message = message(sent).unwrap();
            assert_eq!(message.photo.unwrap().size, Some(1234));
            assert_eq!(message.text, "", "a file's name is no text");
        }
        let file = json!({ "msgtype": "m.file", "body": "a.pdf", "url": "mxc://a.example/abc", "info": {} });
        assert_eq!(message(file).unwrap().photo, None);
        for url in ["https://a.example/abc", "mxc://a.example", "mxc://a.example/a/../b"] {
            let sent = json!({ "msgtype": "m.image", "body": "x", "url": url });
            assert_eq!(message(sent).unwrap().photo, None, "{url}");
        }
    }

    #[test]
    fn captions_quotations_and_threads_are_told_apart() {
        let caption = json!({
            "msgtype": "m.image", "body": "!age please", "filename": "a.jpg", "url": "mxc://a.example/abc"
        });
        assert_eq!(message(caption).unwrap().text, "!age please");
        let reply = json!({
            "msgtype": "m.text", "body": "> <@bot:a.example> I see\n> two\n\n!age help",
            "m.relates_to": { "m.in_reply_to": { "event_id": "$photo" } }
        });
        let reply = message(reply).unwrap();
        assert_eq!((reply.text.as_str(), reply.reply_to.unwrap().as_str()), ("!age help", "$photo"));
        let thread = json!({
            "msgtype": "m.text", "body": "!age",
            "m.relates_to": {
                "rel_type": "m.thread", "event_id": "$root", "is_falling_back": true,
                "m.in_reply_to": { "event_id": "$last" }
            }
        });
        let thread = message(thread).unwrap();
        assert_eq!((thread.thread.unwrap().as_str(), thread.reply_to), ("$root", None));
    }

    #[test]
    fn notices_edits_and_automated_messages_are_no_messages() {
        for content in [
            json!({ "msgtype": "m.notice", "body": "!age" }),
            json!({ "msgtype": "m.text", "body": "* !age", "m.relates_to": { "rel_type": "m.replace", "event_id": "$x" } }),
            json!({ "msgtype": "m.image", "body": "!age", AUTOMATED: true }),
            json!({}),
        ] {
            assert_eq!(message(content.clone()), None, "{content}");
        }
    }

    #[test]
    fn a_mention_is_what_the_client_says_or_else_the_whole_name() {
        let me = <&UserId>::try_from("@bot:a.example").unwrap();
        let told = json!({ "msgtype": "m.text", "body": "x", "m.mentions": { "user_ids": ["@bot:a.example"] } });
        assert!(message(told).unwrap().mentions(me));
        let old = json!({ "msgtype": "m.text", "body": "@bot:a.example: how old?" });
        assert!(message(old).unwrap().mentions(me));
        let other = json!({ "msgtype": "m.text", "body": "@bot:a.example is not asked", "m.mentions": {} });
        assert!(!message(other).unwrap().mentions(me));
    }
}
