//! What a stand-in Discord keeps: messages, channels and commands, as the bot's requests change them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::discord::BOT_ID;

pub struct Kept {
    ids: AtomicU64,
    /// What can be asked for, by path.
    by_path: Mutex<BTreeMap<String, Value>>,
    commands: Mutex<Value>,
}

impl Kept {
    pub fn with_commands(commands: Value) -> Self {
        Self { ids: AtomicU64::new(1000), by_path: Mutex::default(), commands: Mutex::new(commands) }
    }

    /// A number that nothing else has.
    pub fn id(&self) -> String {
        self.ids.fetch_add(1, Ordering::Relaxed).to_string()
    }

    pub fn put(&self, path: String, what: Value) {
        self.by_path.lock().unwrap().insert(path, what);
    }

    pub fn put_message(&self, message: Value) {
        self.put(message_path(&message["channel_id"], &message["id"]), message);
    }

    pub fn get(&self, path: &str) -> Value {
        self.by_path.lock().unwrap()[path].clone()
    }

    pub fn commands(&self) -> Value {
        self.commands.lock().unwrap().clone()
    }

    /// Carries out a request: what Discord would answer, and under which path a message is kept.
    pub fn carry_out(&self, method: &str, path: &str, body: &Value) -> (Option<Value>, String) {
        let mut kept = self.by_path.lock().unwrap();
        let token = |path: &str| path.split('/').nth(3).unwrap_or_default().to_owned();
        match (method, path) {
            (_, path) if path.ends_with("/commands") => {
                let mut commands = self.commands.lock().unwrap();
                if method == "put" {
                    *commands = body.clone();
                }
                (Some(commands.clone()), String::new())
            }
            ("post", path) if path.ends_with("/callback") => {
                let original = original(&token(path));
                match body["type"].as_u64() {
                    Some(4 | 5) => {
                        let message = posted(&self.id(), "77", &body["data"]);
                        let at = message_path(&message["channel_id"], &message["id"]);
                        kept.insert(original, Value::String(at.clone()));
                        kept.insert(at.clone(), message);
                        (Some(Value::Null), at)
                    }
                    Some(7) => {
                        let at = kept[&original].as_str().unwrap_or_default().to_owned();
                        replace(kept.get_mut(&at).unwrap(), &body["data"]);
                        (Some(Value::Null), at)
                    }
                    _ => (Some(Value::Null), String::new()),
                }
            }
            (_, path) if path.ends_with("/@original") => {
                let at = kept[&original(&token(path))].as_str().unwrap_or_default().to_owned();
                if method == "delete" {
                    kept.remove(&at);
                    return (Some(Value::Null), String::new());
                }
                replace(kept.get_mut(&at).unwrap(), body);
                (Some(kept[&at].clone()), at)
            }
            ("post", path) if path.ends_with("/messages") || path.starts_with("/webhooks/") => {
                let channel = if path.starts_with("/channels/") { token(&format!("/{path}")) } else { "77".to_owned() };
                let message = posted(&self.id(), &channel, body);
                let at = message_path(&message["channel_id"], &message["id"]);
                kept.insert(at.clone(), message.clone());
                (Some(message), at)
            }
            ("patch", path) => match kept.get_mut(path) {
                Some(before) => {
                    replace(before, body);
                    (Some(before.clone()), path.to_owned())
                }
                None => (None, String::new()),
            },
            ("get", path) => (kept.get(path).cloned(), String::new()),
            ("delete", path) => {
                kept.remove(path);
                (Some(Value::Null), String::new())
            }
            _ => (Some(Value::Null), String::new()),
        }
    }
}

/// Under which name the path of an interaction's message is kept.
pub fn original(token: &str) -> String {
    format!("original of {token}")
}

fn message_path(channel: &Value, message: &Value) -> String {
    format!("/channels/{}/messages/{}", channel.as_str().unwrap_or("77"), message.as_str().unwrap_or_default())
}

/// A message of the bot's.
fn posted(id: &str, channel: &str, body: &Value) -> Value {
    let mut message = json!({
        "id": id, "channel_id": channel, "type": 0, "content": body["content"].as_str().unwrap_or_default(),
        "attachments": [], "embeds": body["embeds"].as_array().cloned().unwrap_or_default(),
        "author": { "id": BOT_ID, "username": "bot", "discriminator": "0", "avatar": null, "bot": true },
        "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": null, "tts": false,
        "mention_everyone": false, "mentions": [], "mention_roles": [], "pinned": false,
        "flags": body["flags"].as_u64().unwrap_or(0),
        "message_reference": null,
    });
    if let Some(reference) = body["message_reference"]["message_id"].as_str() {
        message["message_reference"] = json!({ "channel_id": channel, "message_id": reference });
    }
    message
}

/// Another form of a message: what it replies to and who sees it stays.
fn replace(before: &mut Value, body: &Value) {
    let part = |key: &str| before[key].as_str().unwrap_or_default().to_owned();
    let mut after = posted(&part("id"), &part("channel_id"), body);
    for key in ["message_reference", "flags"] {
        after[key] = before[key].clone();
    }
    *before = after;
}
