//! A stand-in for Discord: its REST interface, its gateway and its file host on one port.
//!
//! What the bot posts is checked against Discord's OpenAPI specification and
//! [limits](super::discord_limits), and [stored](super::discord_state), so that it can be edited and deleted
//! and its buttons pressed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::sync::mpsc::UnboundedSender;

use super::discord_faults::{Fault, Faults};
use super::discord_gateway::{Gateway, Script};
use super::discord_limits::Limits;
use super::discord_state::{State, is_foreign, original_response};
use super::inbox::{Inbox, RecordedRequest, ServedFiles, inbox};
use super::openapi::OpenApi;
use super::program::Program;
use super::secrets;

pub const TOKEN: &str = "stand-in.discord.token";
pub const BOT_ID: &str = "4242";
pub const SESSION: &str = "a-session";
/// The key that the stand-in adds to a request's body for the path of the stored message.
pub(super) const STORED_AT: &str = "stored at";

pub struct Discord {
    pub inbox: Inbox,
    pub files: Arc<ServedFiles>,
    address: SocketAddr,
    shared: Arc<Shared>,
}

pub struct Shared {
    pub address: SocketAddr,
    pub asked: UnboundedSender<RecordedRequest>,
    pub api: Option<OpenApi>,
    pub files: Arc<ServedFiles>,
    pub gateway: broadcast::Sender<Gateway>,
    /// All events of the session so far, to be replayed by a RESUME.
    pub sent: Mutex<Vec<Value>>,
    pub script: Mutex<Script>,
    /// Whether the bot has closed its connection with a code that ends the session.
    pub is_ended: AtomicBool,
    pub state: State,
    pub faults: Faults,
    /// The parts of messages that the bot lacks the permission for.
    pub forbidden: Mutex<BTreeSet<&'static str>>,
    /// Files whose first links have expired.
    pub expired: Mutex<BTreeSet<String>>,
    pub limits: Option<Limits>,
}

/// The program, connected to a new stand-in.
pub async fn connected(variables: &[(&str, &str)]) -> (Discord, Program) {
    let mut discord = Discord::start().await;
    let program = discord.program(variables);
    discord.inbox.next("identify").await;
    discord.inbox.next("put /applications").await;
    (discord, program)
}

/// The id of the channel of direct messages to a user.
pub fn direct_channel(person: &str) -> String {
    format!("700{person}")
}

impl Discord {
    /// The program, with only the Discord bot enabled.
    pub fn program(&self, variables: &[(&str, &str)]) -> Program {
        let base = format!("{}/api/v10", self.base());
        let mut all = vec![
            ("FACEGUESSER__DISCORD__TOKEN", TOKEN),
            ("FACEGUESSER__DISCORD__API_BASE", &base),
            ("FACEGUESSER__WEB__ENABLED", "false"),
            ("FACEGUESSER__STORE__PATH", ":memory:"),
        ];
        all.extend_from_slice(variables);
        Program::start(&all)
    }

    /// Starts a gateway or worker of it, with the NATS server at `nats`.
    pub fn process(&self, role: &str, nats: &str, variables: &[(&str, &str)]) -> Program {
        let base = format!("{}/api/v10", self.base());
        let mut all = vec![
            ("FACEGUESSER__DISCORD__TOKEN", TOKEN),
            ("FACEGUESSER__DISCORD__API_BASE", &base),
            ("FACEGUESSER__CLUSTER__SERVERS", nats),
            ("FACEGUESSER__WEB__ENABLED", "false"),
        ];
        all.extend_from_slice(variables);
        Program::start_as(role, &all)
    }

    pub async fn start() -> Self {
        Self::with_state(json!([]), None).await
    }

    /// One where these commands are registered already.
    pub async fn with_commands(commands: Value) -> Self {
        Self::with_state(commands, None).await
    }

    /// One that enforces rate limits.
    pub async fn strict() -> Self {
        Self::with_state(json!([]), Some(Limits::default())).await
    }

    async fn with_state(commands: Value, limits: Option<Limits>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, inbox) = inbox();
        let files = Arc::new(ServedFiles::default());
        // No validation when rate limits are tested: it takes longer than Discord would.
        let api = limits.is_none().then(|| super::specification("discord-openapi.json").map(OpenApi::new)).flatten();
        let shared = Arc::new(Shared {
            address,
            asked,
            api,
            files: files.clone(),
            gateway: broadcast::channel(5000).0,
            sent: Mutex::default(),
            script: Mutex::default(),
            is_ended: AtomicBool::new(false),
            state: State::with_commands(commands),
            faults: Faults::default(),
            forbidden: Mutex::default(),
            expired: Mutex::default(),
            limits,
        });
        let router = Router::new()
            .route("/gateway-socket/", get(super::discord_gateway::socket))
            .route("/avatars/{*path}", get(super::discord_rest::avatar))
            .route("/guilds/{*path}", get(super::discord_rest::avatar))
            .route("/attachments/{*name}", get(super::discord_rest::attachment))
            .route("/api/v10/{*path}", any(super::discord_rest::rest))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inbox, files, address, shared }
    }

    /// Takes away the permission for a part of messages (`embeds`, `attachments`).
    pub fn forbid(&self, part: &'static str) {
        self.shared.forbidden.lock().unwrap().insert(part);
    }

    /// Makes the next `times` requests or file downloads whose description starts with `start` fail.
    pub fn fail(&self, start: &str, fault: Fault, times: usize) {
        self.shared.faults.add(start, fault, times);
    }

    /// Sets how the gateway behaves.
    pub fn script(&self, script: Script) {
        *self.shared.script.lock().unwrap() = script;
    }

    /// Makes the existing links to that file expire.
    pub fn expire(&self, name: &str) {
        self.shared.expired.lock().unwrap().insert(name.to_owned());
    }

    /// Stores a message, so that it can be fetched.
    pub fn keep(&self, message: &Value) {
        self.shared.state.put_message(message.clone());
    }

    /// Stores a thread of a channel.
    pub fn store_thread(&self, id: &str, parent: &str) {
        let thread =
            json!({ "id": id, "type": 11, "guild_id": "550055005500550055", "name": "a thread", "parent_id": parent });
        self.shared.state.put(format!("/channels/{id}"), thread);
    }

    /// Stores the server of all channels with its owner.
    pub fn store_guild(&self, owner: &str) {
        self.shared
            .state
            .put("/guilds/550055005500550055".into(), json!({ "id": "5", "name": "a server", "owner_id": owner }));
    }

    /// Stores the bot's application with these flags.
    pub fn store_application(&self, flags: u64) {
        let application = json!({
            "id": BOT_ID, "name": "Guessing bot", "flags": flags, "bot_public": true, "verify_key": "",
            "integration_types_config": { "0": {}, "1": {} },
        });
        self.shared.state.put("/applications/@me".into(), application);
    }

    /// Stores a channel of the server.
    pub fn store_channel(&self, id: &str, name: &str) {
        let channel = json!({ "id": id, "type": 0, "guild_id": "550055005500550055", "name": name, "parent_id": null });
        self.shared.state.put(format!("/channels/{id}"), channel);
    }

    /// The registered commands.
    pub fn commands(&self) -> Value {
        self.shared.state.commands()
    }

    /// The most consecutive 429s in one bucket, and the number of all 429s.
    pub fn refusals(&self) -> (usize, usize) {
        self.shared.limits.as_ref().map_or((0, 0), Limits::refusals)
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    fn id(&self) -> String {
        self.shared.state.id()
    }

    /// An attachment of a message, with this name; the test adds the file to `files`.
    pub fn attachment(&self, name: &str, content_type: &str) -> Value {
        json!({
            "id": self.id(), "filename": name, "size": self.files.size(name).unwrap_or(1000), "content_type": content_type,
            "url": format!("{}/attachments/{name}?ex=1", self.base()), "proxy_url": format!("{}/attachments/{name}", self.base()),
        })
    }

    /// A message by a user; a direct one without a `guild`.
    pub fn message(&self, content: &str, attachments: Vec<Value>, guild: Option<&str>) -> Value {
        let mut message = json!({
            "id": self.id(), "channel_id": "770077007700770077", "type": 0, "content": content, "attachments": attachments,
            "author": { "id": "190019001900190", "username": "zoe.quillon", "discriminator": "0", "avatar": null },
            "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": null, "tts": false,
            "mention_everyone": false, "mentions": [], "mention_roles": [], "embeds": [], "pinned": false,
        });
        if let Some(guild) = guild {
            message["guild_id"] = guild.into();
        }
        message
    }

    /// A command interaction by a user in a server.
    pub fn interaction(&self, data: Value) -> Value {
        let user = json!({ "id": "190019001900190", "username": "zoe.quillon", "discriminator": "0", "avatar": null });
        let id = self.id();
        json!({
            "id": id, "application_id": BOT_ID, "type": 2, "token": format!("token-{id}"), "version": 1,
            "data": data, "channel_id": "770077007700770077", "guild_id": "550055005500550055", "locale": "en-GB", "entitlements": [],
            "app_permissions": "0", "authorizing_integration_owners": { "0": "550055005500550055" }, "context": 0,
            "attachment_size_limit": 10485760,
            "member": {
                "user": user, "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": false, "mute": false,
                "flags": 0, "permissions": "0"
            },
        })
    }

    /// The same interaction in a server that the bot is not a member of: the user has installed it for themselves.
    pub fn in_foreign_server(&self, mut interaction: Value) -> Value {
        interaction["guild_id"] = "660066006600660066".into();
        interaction["channel_id"] = "880088008800880088".into();
        interaction["authorizing_integration_owners"] = json!({ "1": "190019001900190" });
        interaction
    }

    /// The same interaction in the direct messages of the user and somebody else.
    pub fn between_friends(&self, mut interaction: Value) -> Value {
        interaction["user"] = interaction["member"]["user"].clone();
        for field in ["member", "guild_id"] {
            interaction.as_object_mut().unwrap().remove(field);
        }
        interaction["channel_id"] = "990099009900990099".into();
        interaction["channel"] = json!({ "id": "990099009900990099", "type": 1 });
        interaction["context"] = 2.into();
        interaction["authorizing_integration_owners"] = json!({ "1": "190019001900190" });
        interaction
    }

    /// The command in the menu of a message.
    pub fn message_menu(&self, message: &Value) -> Value {
        let target = message["id"].as_str().unwrap();
        self.interaction(json!({
            "id": "2", "name": "Guess age", "type": 3, "target_id": target, "resolved": { "messages": { target: message } }
        }))
    }

    /// Checks that Discord offers a command where the bot is not a member.
    fn check_offered(&self, interaction: &Value) {
        let (data, commands) = (&interaction["data"], self.commands());
        let has = |command: &Value, list: &str, one: &Value| command[list].as_array().unwrap().contains(one);
        let offered = commands.as_array().unwrap().iter().any(|command| {
            (&command["name"], &command["type"]) == (&data["name"], &data["type"])
                && has(command, "integration_types", &json!(1))
                && has(command, "contexts", &interaction["context"])
        });
        assert!(offered, "Discord does not offer {} there", data["name"]);
    }

    /// A slash command with its options.
    pub fn command(&self, name: &str, options: Value) -> Value {
        self.interaction(json!({ "id": "1", "name": name, "type": 1, "options": options }))
    }

    /// A slash command with a file from `files`.
    pub fn command_with_photo(&self, name: &str, file: &str) -> Value {
        let picture = self.attachment(file, "image/jpeg");
        let id = picture["id"].as_str().unwrap().to_owned();
        self.interaction(json!({
            "id": "1", "name": name, "type": 1, "options": [{ "name": "photo", "type": 11, "value": id }],
            "resolved": { "attachments": { id: picture } }
        }))
    }

    /// A press of the button of a posted message whose `custom_id` starts with `start`.
    pub fn press(&self, posted: &RecordedRequest, start: &str) -> Value {
        let id = button(posted, start).unwrap_or_else(|| panic!("no button {start} in {posted:?}"));
        let mut press = self.interaction(json!({ "custom_id": id, "component_type": 2 }));
        press["type"] = 3.into();
        press["message"] = self.posted(posted);
        // The original response of a button press is the message with the button.
        self.shared.state.put(original_response(press["token"].as_str().unwrap()), posted.body[STORED_AT].clone());
        press
    }

    /// Dispatches an interaction and waits for its initial response.
    pub async fn initial_response(&mut self, interaction: Value) -> RecordedRequest {
        self.dispatch("INTERACTION_CREATE", interaction);
        self.inbox.next("post /interactions/").await
    }

    /// The current state of a message that the bot posted.
    pub fn posted(&self, posted: &RecordedRequest) -> Value {
        self.shared.state.get(posted.body[STORED_AT].as_str().unwrap())
    }

    /// Dispatches an event over the gateway.
    pub fn dispatch(&self, event: &str, data: Value) {
        if data["token"].is_string() {
            if data["type"] == 2 && is_foreign(&data) {
                self.check_offered(&data);
            }
            self.shared.state.begin_interaction(&data);
        }
        secrets::learn(&data);
        let mut sent = self.shared.sent.lock().unwrap();
        let event = json!({ "op": 0, "t": event, "s": sent.len() + 2, "d": data });
        sent.push(event.clone());
        // Without a connection, the event waits for a RESUME.
        let _ = self.shared.gateway.send(Gateway::Event(event));
    }

    pub fn close_gateway(&self, code: u16) {
        self.tell_gateway(Gateway::Close(code));
    }

    /// Passes an instruction to the open gateway connections.
    pub fn tell_gateway(&self, instruction: Gateway) {
        let _ = self.shared.gateway.send(instruction);
    }
}

/// A record without a body.
pub(super) fn happened(what: String) -> RecordedRequest {
    RecordedRequest { what, body: Value::Null, files: Default::default() }
}

/// The first `custom_id` of a button that starts with `start`.
pub fn button(posted: &RecordedRequest, start: &str) -> Option<String> {
    buttons(posted).into_iter().find(|id| id.starts_with(start))
}

/// The buttons' `custom_id`s.
pub fn buttons(posted: &RecordedRequest) -> Vec<String> {
    let body = if posted.body["data"].is_object() { &posted.body["data"] } else { &posted.body };
    let rows = body["components"].as_array().into_iter().flatten();
    let buttons = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
    buttons.map(|button| button["custom_id"].as_str().unwrap().to_owned()).collect()
}

/// The displayed text: the content, or else the first embed's description.
pub fn words(posted: &RecordedRequest) -> &str {
    let body = if posted.body["data"].is_object() { &posted.body["data"] } else { &posted.body };
    let content = body["content"].as_str().unwrap_or_default();
    if content.is_empty() { body["embeds"][0]["description"].as_str().unwrap_or_default() } else { content }
}
