//! What Telegram knows of chats and messages, and the requests that it refuses because of it.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use serde_json::{Value, json};

use super::telegram::BOT;

/// The most of a picture's bytes, a caption's and a text's UTF-16 units, and a button's bytes.
const PICTURE_BYTES: usize = 10 << 20;
const CAPTION: usize = 1024;
const TEXT: usize = 4096;
const BUTTON_BYTES: usize = 64;
/// The longest side to side of a picture, and the most that one side is of the other.
const SIDES: u32 = 10_000;
const RATIO: u32 = 20;
/// How long a message can be deleted, in seconds.
const DELETABLE: i64 = 48 * 3600;

/// A code and Telegram's words.
pub type Refused = (u16, String);

/// Chats, their topics and messages.
#[derive(Default)]
pub struct Rules {
    chats: BTreeSet<i64>,
    messages: BTreeMap<(i64, i64), Value>,
    topics: BTreeMap<(i64, i64), Topic>,
    /// Presses that wait for an answer.
    presses: BTreeSet<String>,
    /// What the bot may not do: part of a method's name, the chat, and Telegram's words.
    bans: Vec<(String, i64, Refused)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Topic {
    Open,
    Closed,
}

fn bad(words: &str) -> Refused {
    (400, format!("Bad Request: {words}"))
}

impl Rules {
    /// Learns of the chats, topics and messages that an update mentions.
    pub fn learn(&mut self, update: &Value) {
        for content in update.as_object().unwrap().values().filter(|content| content.is_object()) {
            if let Some(press) = content["chat_instance"].is_string().then(|| content["id"].as_str()).flatten() {
                self.presses.insert(press.to_owned());
            }
            self.keep(content);
            self.keep(&content["reply_to_message"]);
            // The message that a press is under. Of one that is inaccessible an update says less.
            let pressed = &content["message"];
            if pressed["date"] != 0 && self.message(id(&pressed["chat"]["id"]), id(&pressed["message_id"])).is_none() {
                self.keep(pressed);
            }
        }
    }

    /// Keeps a message as it is now.
    pub fn keep(&mut self, message: &Value) {
        let (Some(chat), Some(id)) = (message["chat"]["id"].as_i64(), message["message_id"].as_i64()) else { return };
        self.chats.insert(chat);
        self.messages.insert((chat, id), message.clone());
        for topic in [&message["message_thread_id"], &message["direct_messages_topic"]["topic_id"]] {
            if let Some(topic) = topic.as_i64() {
                self.topics.entry((chat, topic)).or_insert(Topic::Open);
            }
        }
    }

    pub fn know_chat(&mut self, chat: i64) {
        self.chats.insert(chat);
    }

    pub fn message(&self, chat: i64, id: i64) -> Option<&Value> {
        self.messages.get(&(chat, id))
    }

    pub fn forget(&mut self, chat: i64, id: i64) {
        self.messages.remove(&(chat, id));
    }

    pub fn close_topic(&mut self, chat: i64, topic: i64) {
        self.topics.insert((chat, topic), Topic::Closed);
    }

    pub fn delete_topic(&mut self, chat: i64, topic: i64) {
        self.topics.remove(&(chat, topic));
    }

    /// From now on refuses methods whose names contain `method` in a chat.
    pub fn ban(&mut self, method: &str, chat: i64, code: u16, words: &str) {
        self.bans.push((method.to_lowercase(), chat, (code, words.to_owned())));
    }

    /// Whether Telegram takes a request, and what it says otherwise.
    pub fn check(
        &mut self,
        method: &str,
        body: &Value,
        files: &BTreeMap<String, Bytes>,
        now: i64,
    ) -> Result<(), Refused> {
        let chat = body["chat_id"].as_i64().unwrap_or_default();
        let ban = self.bans.iter().find(|(part, banned, _)| method.contains(&**part) && *banned == chat);
        if let Some((_, _, refused)) = ban {
            return Err(refused.clone());
        }
        if method == "answercallbackquery" {
            let known = self.presses.remove(body["callback_query_id"].as_str().unwrap_or_default());
            let old = || bad("query is too old and response timeout expired or query ID is invalid");
            return known.then_some(()).ok_or_else(old);
        }
        // People are known who never wrote: those who are not are `closed`.
        if body["chat_id"].is_i64() && chat < 0 && !self.chats.contains(&chat) {
            return Err(bad("chat not found"));
        }
        contents(body, files)?;
        match method {
            "sendmessage" | "sendphoto" => self.place(chat, body),
            "sendchataction" => self.topic(chat, &body["message_thread_id"]),
            "copymessage" => self.copied(body),
            "deletemessage" => {
                let message = self.own(chat, body, "message to delete not found")?;
                let young = now - message["date"].as_i64().unwrap_or(now) < DELETABLE;
                young.then_some(()).ok_or_else(|| bad("message can't be deleted for everyone"))
            }
            "editmessagetext" | "editmessagecaption" | "editmessagemedia" => self.edit(method, chat, body),
            _ => Ok(()),
        }
    }

    fn place(&self, chat: i64, body: &Value) -> Result<(), Refused> {
        self.topic(chat, &body["message_thread_id"])?;
        let direct = &body["direct_messages_topic_id"];
        self.topic(chat, direct)?;
        if direct.is_null() && self.messages.iter().any(|((other, _), message)| *other == chat && is_direct(message)) {
            return Err(bad("direct messages topic must be specified"));
        }
        let reply = &body["reply_parameters"];
        let Some(about) = reply["message_id"].as_i64() else { return Ok(()) };
        match self.messages.get(&(chat, about)) {
            // The reply would go where the message is.
            Some(message) => self.topic(chat, &message["message_thread_id"]),
            None if reply["allow_sending_without_reply"] == true => Ok(()),
            None => Err(bad("message to be replied not found")),
        }
    }

    fn topic(&self, chat: i64, topic: &Value) -> Result<(), Refused> {
        let Some(topic) = topic.as_i64() else { return Ok(()) };
        match self.topics.get(&(chat, topic)) {
            Some(Topic::Open) => Ok(()),
            Some(Topic::Closed) => Err(bad("TOPIC_CLOSED")),
            None => Err(bad("message thread not found")),
        }
    }

    fn copied(&self, body: &Value) -> Result<(), Refused> {
        let from = (body["from_chat_id"].as_i64().unwrap_or_default(), body["message_id"].as_i64().unwrap_or_default());
        let message = self.messages.get(&from).ok_or_else(|| bad("message to copy not found"))?;
        let protected = message["has_protected_content"] == true;
        if protected { Err(bad("message can't be copied")) } else { Ok(()) }
    }

    fn own(&self, chat: i64, body: &Value, words: &str) -> Result<&Value, Refused> {
        let id = body["message_id"].as_i64().unwrap_or_default();
        let message = self.messages.get(&(chat, id)).ok_or_else(|| bad(words))?;
        if message["from"]["id"] == BOT { Ok(message) } else { Err(bad("message can't be edited")) }
    }

    fn edit(&self, method: &str, chat: i64, body: &Value) -> Result<(), Refused> {
        let message = self.own(chat, body, "message to edit not found")?;
        let is_picture = message["photo"].is_array();
        match method {
            "editmessagetext" if is_picture => return Err(bad("there is no text in the message to edit")),
            "editmessagecaption" if !is_picture => return Err(bad("there is no caption in the message to edit")),
            _ => {}
        }
        let before = if is_picture { &message["caption"] } else { &message["text"] };
        let after = if is_picture { &body["caption"] } else { &body["text"] };
        if method != "editmessagemedia" && before == after && message["reply_markup"] == body["reply_markup"] {
            return Err(bad(
                "message is not modified: specified new message content and reply markup are exactly the same",
            ));
        }
        Ok(())
    }

    /// Keeps what the bot sent or edited; returns it as Telegram would.
    pub fn apply(&mut self, method: &str, body: &Value, id: i64, now: i64) -> Value {
        let chat = body["chat_id"].as_i64().unwrap_or_default();
        let mut message = self.messages.get(&(chat, id)).cloned().unwrap_or_else(|| {
            let kind = if chat > 0 { "private" } else { "supergroup" };
            let me = json!({ "id": BOT, "is_bot": true, "first_name": "Guessing", "username": super::telegram::BOT_NAME });
            json!({ "message_id": id, "date": now, "from": me, "chat": { "id": chat, "type": kind, "title": "A group" } })
        });
        let picture = || json!([{ "file_id": "sent", "file_unique_id": "sent", "width": 64, "height": 64 }]);
        match method {
            "sendphoto" => {
                message["photo"] = picture();
                message["caption"] = body["caption"].clone();
            }
            "editmessagemedia" => {
                message["photo"] = picture();
                message["caption"] = body["media"]["caption"].clone();
                message.as_object_mut().unwrap().remove("text");
            }
            "editmessagecaption" => message["caption"] = body["caption"].clone(),
            "copymessage" => {
                let from = (body["from_chat_id"].as_i64().unwrap(), body["message_id"].as_i64().unwrap());
                message["photo"] = self.messages[&from]["photo"].clone();
            }
            _ => message["text"] = body["text"].clone(),
        }
        if let Some(about) = body["reply_parameters"]["message_id"].as_i64()
            && let Some(about) = self.messages.get(&(chat, about))
        {
            // Replies do not nest.
            let mut about = about.clone();
            about.as_object_mut().unwrap().remove("reply_to_message");
            message["reply_to_message"] = about;
        }
        message["reply_markup"] = body["reply_markup"].clone();
        message.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.messages.insert((chat, id), message.clone());
        message
    }
}

fn id(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn is_direct(message: &Value) -> bool {
    message["direct_messages_topic"].is_object()
}

/// Whether texts, pictures and buttons are as Telegram takes them.
fn contents(body: &Value, files: &BTreeMap<String, Bytes>) -> Result<(), Refused> {
    let units = |text: &Value| text.as_str().map(|text| text.encode_utf16().count());
    if units(&body["text"]).is_some_and(|units| units > TEXT) {
        return Err(bad("message is too long"));
    }
    if body["text"].as_str().is_some_and(|text| text.trim().is_empty()) {
        return Err(bad("message text is empty"));
    }
    if [&body["caption"], &body["media"]["caption"]]
        .into_iter()
        .any(|text| units(text).is_some_and(|units| units > CAPTION))
    {
        return Err(bad("message caption is too long"));
    }
    let rows = body["reply_markup"]["inline_keyboard"].as_array();
    for button in rows.into_iter().flatten().flat_map(|row| row.as_array().unwrap()) {
        let code = button["callback_data"].as_str().unwrap_or_default();
        if code.is_empty() || code.len() > BUTTON_BYTES || button["text"].as_str().is_none_or(str::is_empty) {
            return Err(bad("BUTTON_DATA_INVALID"));
        }
    }
    for picture in files.values() {
        if picture.len() > PICTURE_BYTES {
            return Err((413, "Request Entity Too Large".into()));
        }
        let picture = image::load_from_memory(picture).map_err(|_| bad("IMAGE_PROCESS_FAILED"))?;
        let (width, height) = (picture.width(), picture.height());
        if width + height > SIDES || width.max(height) > RATIO * width.min(height) {
            return Err(bad("PHOTO_INVALID_DIMENSIONS"));
        }
    }
    Ok(())
}
