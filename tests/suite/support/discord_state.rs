//! The state of a stand-in Discord: messages, channels and commands, as the bot's requests change them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::discord::{BOT_ID, direct_channel};

/// How long Discord accepts the initial response to an interaction, and further ones with its token.
const INITIAL_RESPONSE: Duration = Duration::from_secs(3);
const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The most follow-ups to an interaction in a channel that the bot is not a member of.
const MAX_FOLLOW_UPS: usize = 5;
/// The most characters of a nonce.
const MAX_NONCE: usize = 25;

pub struct State {
    ids: AtomicU64,
    /// What can be fetched, by path.
    by_path: Mutex<BTreeMap<String, Value>>,
    commands: Mutex<Value>,
    /// By token.
    interactions: Mutex<HashMap<String, Interaction>>,
    /// The channels that the bot is not a member of.
    foreign_channels: Mutex<BTreeSet<String>>,
    /// The paths of posted messages, by channel and nonce.
    nonces: Mutex<HashMap<(String, String), String>>,
}

struct Interaction {
    begun: Instant,
    /// Whether it has its initial response.
    answered: bool,
    /// Whether the bot is not a member of its channel.
    foreign: bool,
    follow_ups: usize,
    /// The size of the largest file that may be uploaded, in bytes.
    max_file: usize,
}

/// The result of a request.
pub struct Outcome {
    pub answer: Value,
    /// The path of the message that was posted or edited.
    pub stored_at: String,
    /// Whether it was posted before, with the same nonce.
    pub duplicate: bool,
}

/// A status and Discord's error code.
type Refusal = (u16, u64);

const UNKNOWN_CHANNEL: Refusal = (404, 10003);
const UNKNOWN_MESSAGE: Refusal = (404, 10008);
const UNKNOWN_WEBHOOK: Refusal = (404, 10015);
const UNKNOWN_INTERACTION: Refusal = (404, 10062);
const ACKNOWLEDGED: Refusal = (400, 40060);
const INVALID_TOKEN: Refusal = (401, 50027);
const INVALID_FORM: Refusal = (400, 50035);
const MISSING_ACCESS: Refusal = (403, 50001);
const TOO_MANY_FOLLOW_UPS: Refusal = (400, 40094);
const TOO_LARGE: Refusal = (413, 40005);

impl Outcome {
    pub fn answer(answer: Value) -> Result<Self, Refusal> {
        Ok(Self { answer, stored_at: String::new(), duplicate: false })
    }

    fn at(answer: Value, stored_at: String) -> Result<Self, Refusal> {
        Ok(Self { answer, stored_at, duplicate: false })
    }
}

impl State {
    pub fn with_commands(commands: Value) -> Self {
        Self {
            ids: AtomicU64::new(1_000_000_000_000),
            by_path: Mutex::default(),
            commands: Mutex::new(commands),
            interactions: Mutex::default(),
            foreign_channels: Mutex::default(),
            nonces: Mutex::default(),
        }
    }

    /// A unique id.
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

    /// Makes an interaction's token valid. From now on its channel is foreign if the bot is not a member of it.
    pub fn begin_interaction(&self, interaction: &Value) {
        let foreign = is_foreign(interaction);
        if foreign {
            self.foreign_channels.lock().unwrap().insert(interaction["channel_id"].as_str().unwrap().to_owned());
        }
        let max_file = interaction["attachment_size_limit"].as_u64().unwrap_or(10 << 20) as usize;
        let begun = Interaction { begun: Instant::now(), answered: false, foreign, follow_ups: 0, max_file };
        self.interactions.lock().unwrap().insert(interaction["token"].as_str().unwrap().to_owned(), begun);
    }

    /// Checks the size of the largest uploaded file.
    pub fn check_upload(&self, path: &str, largest: usize) -> Result<(), Refusal> {
        let interactions = self.interactions.lock().unwrap();
        let interaction = path.split('/').find_map(|part| interactions.get(part));
        if interaction.is_some_and(|interaction| largest > interaction.max_file) { Err(TOO_LARGE) } else { Ok(()) }
    }

    /// Carries out a request and returns what Discord would respond.
    pub fn carry_out(&self, method: &str, path: &str, body: &Value) -> Result<Outcome, Refusal> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            (_, ["channels", channel, ..]) if self.foreign_channels.lock().unwrap().contains(*channel) => {
                Err(MISSING_ACCESS)
            }
            (_, [.., "commands"]) => {
                let mut commands = self.commands.lock().unwrap();
                if method == "put" {
                    *commands = body.clone();
                }
                Outcome::answer(commands.clone())
            }
            ("post", ["interactions", _, token, "callback"]) => self.respond(token, body),
            ("post", ["webhooks", _, token]) => {
                self.check_token(token)?;
                self.count_follow_up(token)?;
                self.post("770077007700770077", body)
            }
            (_, ["webhooks", _, token, "messages", "@original"]) => {
                self.check_token(token)?;
                let at = self.original_of(token).ok_or(UNKNOWN_MESSAGE)?;
                if method == "delete" { self.delete(&at) } else { self.replace(&at, body) }
            }
            ("post", ["channels", channel, "messages"]) => self.post_once(channel, body),
            ("post", ["users", "@me", "channels"]) => {
                let recipient = body["recipient_id"].as_str().unwrap_or_default();
                Outcome::answer(
                    json!({ "id": direct_channel(recipient), "type": 1, "last_message_id": null, "recipients": [] }),
                )
            }
            ("patch", _) => self.replace(path, body),
            ("get", _) => {
                let unknown = if path.contains("/messages/") { UNKNOWN_MESSAGE } else { UNKNOWN_CHANNEL };
                Outcome::answer(self.by_path.lock().unwrap().get(path).cloned().ok_or(unknown)?)
            }
            ("delete", _) => self.delete(path),
            _ => Outcome::answer(Value::Null),
        }
    }

    /// Checks that an interaction has its initial response and its token is valid.
    fn check_token(&self, token: &str) -> Result<(), Refusal> {
        match self.interactions.lock().unwrap().get(token) {
            Some(Interaction { begun, answered: true, .. }) if begun.elapsed() < TOKEN_LIFETIME => Ok(()),
            Some(Interaction { answered: true, .. }) => Err(INVALID_TOKEN),
            _ => Err(UNKNOWN_WEBHOOK),
        }
    }

    fn count_follow_up(&self, token: &str) -> Result<(), Refusal> {
        let mut interactions = self.interactions.lock().unwrap();
        let interaction = interactions.get_mut(token).unwrap();
        interaction.follow_ups += 1;
        let exceeded = interaction.foreign && interaction.follow_ups > MAX_FOLLOW_UPS;
        if exceeded { Err(TOO_MANY_FOLLOW_UPS) } else { Ok(()) }
    }

    fn respond(&self, token: &str, body: &Value) -> Result<Outcome, Refusal> {
        match self.interactions.lock().unwrap().get_mut(token) {
            Some(Interaction { answered: true, .. }) => return Err(ACKNOWLEDGED),
            Some(one) if one.begun.elapsed() < INITIAL_RESPONSE => one.answered = true,
            _ => return Err(UNKNOWN_INTERACTION),
        }
        match body["type"].as_u64() {
            Some(4 | 5) => {
                let posted = self.post("770077007700770077", &body["data"])?;
                self.put(original_response(token), Value::String(posted.stored_at.clone()));
                Outcome::at(Value::Null, posted.stored_at)
            }
            Some(7) => {
                let at = self.original_of(token).ok_or(UNKNOWN_MESSAGE)?;
                self.replace(&at, &body["data"])?;
                Outcome::at(Value::Null, at)
            }
            _ => Outcome::answer(Value::Null),
        }
    }

    /// The path of the original response of an interaction.
    fn original_of(&self, token: &str) -> Option<String> {
        self.by_path.lock().unwrap().get(&original_response(token))?.as_str().map(str::to_owned)
    }

    /// Posts a message, unless its nonce was used for another in that channel.
    fn post_once(&self, channel: &str, body: &Value) -> Result<Outcome, Refusal> {
        let nonce = body["nonce"].as_str().unwrap_or_default();
        if nonce.chars().count() > MAX_NONCE || (body["enforce_nonce"] == true) == nonce.is_empty() {
            return Err(INVALID_FORM);
        }
        let key = (channel.to_owned(), nonce.to_owned());
        if let Some(at) = self.nonces.lock().unwrap().get(&key) {
            let answer = self.by_path.lock().unwrap().get(at).cloned().unwrap_or_default();
            return Ok(Outcome { answer, stored_at: at.clone(), duplicate: true });
        }
        let posted = self.post(channel, body)?;
        if !nonce.is_empty() {
            self.nonces.lock().unwrap().insert(key, posted.stored_at.clone());
        }
        Ok(posted)
    }

    fn post(&self, channel: &str, body: &Value) -> Result<Outcome, Refusal> {
        let message = posted(&self.id(), channel, body);
        let at = message_path(&message["channel_id"], &message["id"]);
        self.put(at.clone(), message.clone());
        Outcome::at(message, at)
    }

    fn replace(&self, at: &str, body: &Value) -> Result<Outcome, Refusal> {
        let mut by_path = self.by_path.lock().unwrap();
        let before = by_path.get_mut(at).ok_or(UNKNOWN_MESSAGE)?;
        replace(before, body);
        Outcome::at(before.clone(), at.to_owned())
    }

    fn delete(&self, at: &str) -> Result<Outcome, Refusal> {
        self.by_path.lock().unwrap().remove(at).ok_or(UNKNOWN_MESSAGE)?;
        Outcome::answer(Value::Null)
    }
}

/// Whether the bot is not a member of an interaction's channel: only the user installed it, or it is a chat of other
/// people.
pub fn is_foreign(interaction: &Value) -> bool {
    let in_server = interaction["authorizing_integration_owners"].get("0").is_some();
    interaction["context"] == 2 || interaction["context"] == 0 && !in_server
}

/// The key under which the path of an interaction's original response is stored.
pub fn original_response(token: &str) -> String {
    format!("original of {token}")
}

fn message_path(channel: &Value, message: &Value) -> String {
    format!(
        "/channels/{}/messages/{}",
        channel.as_str().unwrap_or("770077007700770077"),
        message.as_str().unwrap_or_default()
    )
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

/// Edits a message: what it replies to and who sees it stays.
fn replace(before: &mut Value, body: &Value) {
    let part = |key: &str| before[key].as_str().unwrap_or_default().to_owned();
    let mut after = posted(&part("id"), &part("channel_id"), body);
    for key in ["message_reference", "flags"] {
        after[key] = before[key].clone();
    }
    *before = after;
}
