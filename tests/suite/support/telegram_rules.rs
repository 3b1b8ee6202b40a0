//! The mock's state of chats and messages, and the requests that Telegram would refuse because of it.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use serde_json::{Value, json};

use super::telegram::BOT;

/// The limits of pictures and buttons in bytes, and of captions and texts in UTF-16 units.
const PICTURE_BYTES: usize = 10 << 20;
const CAPTION: usize = 1024;
const TEXT: usize = 4096;
const BUTTON_BYTES: usize = 64;
/// The limits of the sum of a picture's sides, and of their ratio.
const SIDES: u32 = 10_000;
const RATIO: u32 = 20;
/// How long a message can be deleted after it was sent, in seconds.
const DELETABLE: i64 = 48 * 3600;

/// An error code and description.
pub type Refused = (u16, String);

/// Chats, their topics and messages.
#[derive(Default)]
pub struct Rules {
    chats: BTreeSet<i64>,
    messages: BTreeMap<(i64, i64), Value>,
    topics: BTreeMap<(i64, i64), Topic>,
    /// The ids of callback queries that are not answered yet.
    callback_queries: BTreeSet<String>,
    /// The ids of the messages in foreign chats that the bot may still answer.
    guest_queries: BTreeSet<String>,
    /// The bot's messages in foreign chats, by their ids.
    guest_answers: BTreeMap<String, Value>,
    /// What the bot may not do: part of a method's name, the chat, and the error.
    denials: Vec<(String, i64, Refused)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Topic {
    Open,
    Closed,
}

fn bad(description: &str) -> Refused {
    (400, format!("Bad Request: {description}"))
}

impl Rules {
    /// Records the chats, topics and messages that an update mentions.
    pub fn record_update(&mut self, update: &Value) {
        for (kind, content) in update.as_object().unwrap().iter().filter(|(_, content)| content.is_object()) {
            if let Some(query) = content["guest_query_id"].as_str() {
                self.guest_queries.insert(query.to_owned());
            }
            // The bot is not a member of these chats, and does not know their messages.
            if kind.contains("guest") || kind.contains("business") {
                continue;
            }
            if let Some(query) = content["chat_instance"].is_string().then(|| content["id"].as_str()).flatten() {
                self.callback_queries.insert(query.to_owned());
            }
            self.insert(content);
            self.insert(&content["reply_to_message"]);
            // The message with a pressed button. An inaccessible one lacks most fields.
            let pressed = &content["message"];
            if pressed["date"] != 0 && self.message(id(&pressed["chat"]["id"]), id(&pressed["message_id"])).is_none() {
                self.insert(pressed);
            }
        }
    }

    /// Inserts or replaces a message.
    pub fn insert(&mut self, message: &Value) {
        let (Some(chat), Some(id)) = (message["chat"]["id"].as_i64(), message["message_id"].as_i64()) else { return };
        self.chats.insert(chat);
        self.messages.insert((chat, id), message.clone());
        for topic in [&message["message_thread_id"], &message["direct_messages_topic"]["topic_id"]] {
            if let Some(topic) = topic.as_i64() {
                self.topics.entry((chat, topic)).or_insert(Topic::Open);
            }
        }
    }

    pub fn insert_chat(&mut self, chat: i64) {
        self.chats.insert(chat);
    }

    pub fn message(&self, chat: i64, id: i64) -> Option<&Value> {
        self.messages.get(&(chat, id))
    }

    pub fn remove(&mut self, chat: i64, id: i64) {
        self.messages.remove(&(chat, id));
    }

    pub fn close_topic(&mut self, chat: i64, topic: i64) {
        self.topics.insert((chat, topic), Topic::Closed);
    }

    pub fn delete_topic(&mut self, chat: i64, topic: i64) {
        self.topics.remove(&(chat, topic));
    }

    /// From now on refuses methods whose names contain `method` in a chat.
    pub fn deny(&mut self, method: &str, chat: i64, code: u16, description: &str) {
        self.denials.push((method.to_lowercase(), chat, (code, description.to_owned())));
    }

    /// Whether Telegram accepts a request, else its error.
    pub fn check(
        &mut self,
        method: &str,
        body: &Value,
        files: &BTreeMap<String, Bytes>,
        now: i64,
    ) -> Result<(), Refused> {
        let chat = body["chat_id"].as_i64().unwrap_or_default();
        let denial = self.denials.iter().find(|(part, denied, _)| method.contains(&**part) && *denied == chat);
        if let Some((_, _, refused)) = denial {
            return Err(refused.clone());
        }
        if method == "answerguestquery" {
            check_guest_answer(&body["result"], files)?;
            let known = self.guest_queries.remove(body["guest_query_id"].as_str().unwrap_or_default());
            let old = || bad("query is too old and response timeout expired or query ID is invalid");
            return known.then_some(()).ok_or_else(old);
        }
        if let Some(message) = body["inline_message_id"].as_str() {
            return self.check_guest_edit(method, message, body, files);
        }
        if method == "answercallbackquery" {
            let known = self.callback_queries.remove(body["callback_query_id"].as_str().unwrap_or_default());
            let old = || bad("query is too old and response timeout expired or query ID is invalid");
            return known.then_some(()).ok_or_else(old);
        }
        // Private chats always exist; those that the bot may not write to are in `closed_chats`.
        if body["chat_id"].is_i64() && chat < 0 && !self.chats.contains(&chat) {
            return Err(bad("chat not found"));
        }
        check_contents(body, files)?;
        match method {
            "sendmessage" | "sendphoto" | "sendmediagroup" => self.check_destination(chat, body),
            "sendchataction" => self.check_topic(chat, &body["message_thread_id"]),
            "copymessage" => self.check_copy(body),
            "deletemessage" => {
                let message = self.own_message(chat, body, "message to delete not found")?;
                let is_deletable = now - message["date"].as_i64().unwrap_or(now) < DELETABLE;
                is_deletable.then_some(()).ok_or_else(|| bad("message can't be deleted for everyone"))
            }
            "editmessagetext" | "editmessagecaption" | "editmessagemedia" => self.check_edit(method, chat, body),
            _ => Ok(()),
        }
    }

    fn check_destination(&self, chat: i64, body: &Value) -> Result<(), Refused> {
        self.check_topic(chat, &body["message_thread_id"])?;
        let direct = &body["direct_messages_topic_id"];
        self.check_topic(chat, direct)?;
        if direct.is_null() && self.messages.iter().any(|((other, _), message)| *other == chat && is_direct(message)) {
            return Err(bad("direct messages topic must be specified"));
        }
        let reply = &body["reply_parameters"];
        let Some(about) = reply["message_id"].as_i64() else { return Ok(()) };
        match self.messages.get(&(chat, about)) {
            // A reply goes to the message's topic.
            Some(message) => self.check_topic(chat, &message["message_thread_id"]),
            None if reply["allow_sending_without_reply"] == true => Ok(()),
            None => Err(bad("message to be replied not found")),
        }
    }

    fn check_topic(&self, chat: i64, topic: &Value) -> Result<(), Refused> {
        let Some(topic) = topic.as_i64() else { return Ok(()) };
        match self.topics.get(&(chat, topic)) {
            Some(Topic::Open) => Ok(()),
            Some(Topic::Closed) => Err(bad("TOPIC_CLOSED")),
            None => Err(bad("message thread not found")),
        }
    }

    fn check_copy(&self, body: &Value) -> Result<(), Refused> {
        let from = (body["from_chat_id"].as_i64().unwrap_or_default(), body["message_id"].as_i64().unwrap_or_default());
        let message = self.messages.get(&from).ok_or_else(|| bad("message to copy not found"))?;
        let protected = message["has_protected_content"] == true;
        if protected { Err(bad("message can't be copied")) } else { Ok(()) }
    }

    fn own_message(&self, chat: i64, body: &Value, not_found: &str) -> Result<&Value, Refused> {
        let id = body["message_id"].as_i64().unwrap_or_default();
        let message = self.messages.get(&(chat, id)).ok_or_else(|| bad(not_found))?;
        if message["from"]["id"] == BOT { Ok(message) } else { Err(bad("message can't be edited")) }
    }

    fn check_edit(&self, method: &str, chat: i64, body: &Value) -> Result<(), Refused> {
        let message = self.own_message(chat, body, "message to edit not found")?;
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

    fn check_guest_edit(
        &self,
        method: &str,
        message: &str,
        body: &Value,
        files: &BTreeMap<String, Bytes>,
    ) -> Result<(), Refused> {
        check_contents(body, files)?;
        let before = self.guest_answers.get(message).ok_or_else(|| bad("MESSAGE_ID_INVALID"))?;
        if !files.is_empty() || method != "editmessagetext" {
            return Err(bad("can't upload a file to an inline message"));
        }
        let same = before["text"] == body["text"] && before["reply_markup"] == body["reply_markup"];
        if same { Err(bad("message is not modified")) } else { Ok(()) }
    }

    /// Stores the bot's message in a foreign chat.
    pub fn apply_as_guest(&mut self, message: &str, text: &Value, keyboard: &Value) {
        self.guest_answers.insert(message.to_owned(), json!({ "text": text, "reply_markup": keyboard }));
    }

    /// The text and buttons of the bot's message in a foreign chat.
    pub fn guest_answer(&self, message: &str) -> Option<Value> {
        self.guest_answers.get(message).cloned()
    }

    /// Stores a message that the bot sent or edited; returns it as Telegram would.
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
        if body["message_thread_id"].is_i64() {
            message["message_thread_id"] = body["message_thread_id"].clone();
            message["is_topic_message"] = true.into();
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

/// Whether Telegram accepts an answer to a guest's query.
fn check_guest_answer(result: &Value, files: &BTreeMap<String, Bytes>) -> Result<(), Refused> {
    if !files.is_empty() || result.to_string().contains("attach://") {
        return Err(bad("wrong file identifier/HTTP URL specified"));
    }
    let id = result["id"].as_str().unwrap_or_default();
    if id.is_empty() || id.len() > 64 {
        return Err(bad("RESULT_ID_INVALID"));
    }
    let content = &result["input_message_content"];
    check_contents(&json!({ "text": content["message_text"], "reply_markup": result["reply_markup"] }), files)
}

/// Whether Telegram accepts the texts, pictures and buttons.
fn check_contents(body: &Value, files: &BTreeMap<String, Bytes>) -> Result<(), Refused> {
    let units = |text: &Value| text.as_str().map(|text| text.encode_utf16().count());
    if units(&body["text"]).is_some_and(|units| units > TEXT) {
        return Err(bad("message is too long"));
    }
    if body["text"].as_str().is_some_and(|text| text.trim().is_empty()) {
        return Err(bad("message text is empty"));
    }
    if [&body["caption"], &body["media"]["caption"], &body["media"][0]["caption"]]
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
