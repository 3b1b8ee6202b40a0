//! A stand-in for Discord: its REST interface, its gateway and its file host on one port.
//!
//! What the bot posts is held against Discord's description and [limits](super::discord_limits), and
//! [kept](super::discord_kept), so that it can be edited, deleted and have its buttons pressed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::sync::mpsc::UnboundedSender;

use super::discord_faults::{Fault, Faults};
use super::discord_gateway::{Gateway, Script};
use super::discord_kept::{Kept, original};
use super::discord_limits::Limits;
use super::inbox::{Asked, Inbox, Shelf, inbox};
use super::openapi::OpenApi;
use super::program::Program;
use super::secrets;

pub const TOKEN: &str = "stand-in.discord.token";
pub const BOT_ID: &str = "4242";
pub const SESSION: &str = "a-session";
/// Where in a request's body the stand-in notes where it keeps the message.
pub(super) const KEPT_AT: &str = "kept at";

pub struct Discord {
    pub inbox: Inbox,
    pub shelf: Arc<Shelf>,
    address: SocketAddr,
    shared: Arc<Shared>,
}

pub struct Shared {
    pub address: SocketAddr,
    pub asked: UnboundedSender<Asked>,
    pub api: Option<OpenApi>,
    pub shelf: Arc<Shelf>,
    pub gateway: broadcast::Sender<Gateway>,
    /// All events of the session so far, for one that resumes.
    pub sent: Mutex<Vec<Value>>,
    pub script: Mutex<Script>,
    pub kept: Kept,
    pub faults: Faults,
    /// What the bot lacks the permission to put into a message.
    pub forbidden: Mutex<BTreeSet<&'static str>>,
    /// Files whose first links have expired.
    pub expired: Mutex<BTreeSet<String>>,
    pub limits: Option<Limits>,
}

/// The program, connected to a stand-in.
pub async fn connected(variables: &[(&str, &str)]) -> (Discord, Program) {
    let mut discord = Discord::start().await;
    let program = discord.program(variables);
    discord.inbox.next("identify").await;
    discord.inbox.next("put /applications").await;
    (discord, program)
}

/// The number of the channel of direct messages to a person.
pub fn direct_channel(person: &str) -> String {
    format!("700{person}")
}

impl Discord {
    /// The program, with nothing but Discord.
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

    pub async fn start() -> Self {
        Self::prepared(json!([]), None).await
    }

    /// One that knows these commands already.
    pub async fn with_commands(commands: Value) -> Self {
        Self::prepared(commands, None).await
    }

    /// One that refuses what comes faster than Discord takes it.
    pub async fn strict() -> Self {
        Self::prepared(json!([]), Some(Limits::default())).await
    }

    async fn prepared(commands: Value, limits: Option<Limits>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, inbox) = inbox();
        let shelf = Arc::new(Shelf::default());
        // Where the pace counts, the form does not: holding it takes longer than Discord would.
        let api = limits.is_none().then(|| super::specification("discord-openapi.json").map(OpenApi::new)).flatten();
        let shared = Arc::new(Shared {
            address,
            asked,
            api,
            shelf: shelf.clone(),
            gateway: broadcast::channel(5000).0,
            sent: Mutex::default(),
            script: Mutex::default(),
            kept: Kept::with_commands(commands),
            faults: Faults::default(),
            forbidden: Mutex::default(),
            expired: Mutex::default(),
            limits,
        });
        let router = Router::new()
            .route("/gateway-socket/", get(super::discord_gateway::socket))
            .route("/attachments/{*name}", get(super::discord_rest::attachment))
            .route("/api/v10/{*path}", any(super::discord_rest::rest))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inbox, shelf, address, shared }
    }

    /// The bot may not use that part of messages (`embeds`, `attachments`) any more.
    pub fn forbid(&self, part: &'static str) {
        self.shared.forbidden.lock().unwrap().insert(part);
    }

    /// The next requests, fetched files or look-ups that start like this fail so many times.
    pub fn fail(&self, start: &str, fault: Fault, times: usize) {
        self.shared.faults.add(start, fault, times);
    }

    /// The gateway behaves like this from now on.
    pub fn script(&self, script: Script) {
        *self.shared.script.lock().unwrap() = script;
    }

    /// The links to that file, so far, have expired.
    pub fn expire(&self, name: &str) {
        self.shared.expired.lock().unwrap().insert(name.to_owned());
    }

    /// A message that can be asked for.
    pub fn keep(&self, message: &Value) {
        self.shared.kept.put_message(message.clone());
    }

    /// A thread in a channel.
    pub fn keep_thread(&self, id: &str, parent: &str) {
        let thread =
            json!({ "id": id, "type": 11, "guild_id": "550055005500550055", "name": "a thread", "parent_id": parent });
        self.shared.kept.put(format!("/channels/{id}"), thread);
    }

    /// The server that messages come from, and who owns it.
    pub fn keep_guild(&self, owner: &str) {
        self.shared
            .kept
            .put("/guilds/550055005500550055".into(), json!({ "id": "5", "name": "a server", "owner_id": owner }));
    }

    /// A channel of a server.
    pub fn keep_channel(&self, id: &str, name: &str) {
        let channel = json!({ "id": id, "type": 0, "guild_id": "550055005500550055", "name": name, "parent_id": null });
        self.shared.kept.put(format!("/channels/{id}"), channel);
    }

    /// The commands as they were registered.
    pub fn commands(&self) -> Value {
        self.shared.kept.commands()
    }

    /// The most refusals in a row that one bucket had to give, and all refusals.
    pub fn refusals(&self) -> (usize, usize) {
        self.shared.limits.as_ref().map_or((0, 0), Limits::refusals)
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    fn id(&self) -> String {
        self.shared.kept.id()
    }

    /// An attachment of this name, as a message holds it; put the file on the shelf yourself.
    pub fn attachment(&self, name: &str, content_type: &str) -> Value {
        json!({
            "id": self.id(), "filename": name, "size": self.shelf.size(name).unwrap_or(1000), "content_type": content_type,
            "url": format!("{}/attachments/{name}?ex=1", self.base()), "proxy_url": format!("{}/attachments/{name}", self.base()),
        })
    }

    /// A message by a person; direct when `guild` is absent.
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

    /// An interaction with a command, used by a person in a server.
    pub fn interaction(&self, data: Value) -> Value {
        let user = json!({ "id": "190019001900190", "username": "zoe.quillon", "discriminator": "0", "avatar": null });
        let id = self.id();
        json!({
            "id": id, "application_id": BOT_ID, "type": 2, "token": format!("token-{id}"), "version": 1,
            "data": data, "channel_id": "770077007700770077", "guild_id": "550055005500550055", "locale": "en-GB", "entitlements": [],
            "app_permissions": "0", "authorizing_integration_owners": {}, "attachment_size_limit": 10485760,
            "member": {
                "user": user, "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": false, "mute": false,
                "flags": 0, "permissions": "0"
            },
        })
    }

    /// The use of a slash command, with the values of its options.
    pub fn command(&self, name: &str, options: Value) -> Value {
        self.interaction(json!({ "id": "1", "name": name, "type": 1, "options": options }))
    }

    /// The use of a slash command with a file, which lies on the shelf.
    pub fn command_with_photo(&self, name: &str, file: &str) -> Value {
        let picture = self.attachment(file, "image/jpeg");
        let id = picture["id"].as_str().unwrap().to_owned();
        self.interaction(json!({
            "id": "1", "name": name, "type": 1, "options": [{ "name": "photo", "type": 11, "value": id }],
            "resolved": { "attachments": { id: picture } }
        }))
    }

    /// A press of the button whose identifier starts like this, under what the bot posted.
    pub fn press(&self, posted: &Asked, start: &str) -> Value {
        let id = button(posted, start).unwrap_or_else(|| panic!("no button {start} in {posted:?}"));
        let mut press = self.interaction(json!({ "custom_id": id, "component_type": 2 }));
        press["type"] = 3.into();
        press["message"] = self.posted(posted);
        // The message with the button is what such an interaction's first answer changes.
        self.shared.kept.put(original(press["token"].as_str().unwrap()), posted.body[KEPT_AT].clone());
        press
    }

    /// Sends an interaction, and waits for what comes first of it.
    pub async fn first_answer(&mut self, interaction: Value) -> Asked {
        self.dispatch("INTERACTION_CREATE", interaction);
        self.inbox.next("post /interactions/").await
    }

    /// A message of the bot's as it stands now.
    pub fn posted(&self, posted: &Asked) -> Value {
        self.shared.kept.get(posted.body[KEPT_AT].as_str().unwrap())
    }

    /// Sends an event over the gateway.
    pub fn dispatch(&self, event: &str, data: Value) {
        if let Some(token) = data["token"].as_str() {
            self.shared.kept.begin_interaction(token);
        }
        secrets::learn(&data);
        let mut sent = self.shared.sent.lock().unwrap();
        let event = json!({ "op": 0, "t": event, "s": sent.len() + 2, "d": data });
        sent.push(event.clone());
        // Nobody connected: the event waits for a resume.
        let _ = self.shared.gateway.send(Gateway::Event(event));
    }

    pub fn close_gateway(&self, code: u16) {
        self.tell_gateway(Gateway::Close(code));
    }

    /// Has the gateway do something, where somebody is connected.
    pub fn tell_gateway(&self, what: Gateway) {
        let _ = self.shared.gateway.send(what);
    }
}

/// Something without a body.
pub(super) fn happened(what: String) -> Asked {
    Asked { what, body: Value::Null, files: Default::default() }
}

/// The identifier of the first button that starts like this.
pub fn button(posted: &Asked, start: &str) -> Option<String> {
    buttons(posted).into_iter().find(|id| id.starts_with(start))
}

/// The identifiers of all buttons.
pub fn buttons(posted: &Asked) -> Vec<String> {
    let body = if posted.body["data"].is_object() { &posted.body["data"] } else { &posted.body };
    let rows = body["components"].as_array().into_iter().flatten();
    let buttons = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
    buttons.map(|button| button["custom_id"].as_str().unwrap().to_owned()).collect()
}

/// What people read: the plain text, or the first embed's.
pub fn words(posted: &Asked) -> &str {
    let body = if posted.body["data"].is_object() { &posted.body["data"] } else { &posted.body };
    let content = body["content"].as_str().unwrap_or_default();
    if content.is_empty() { body["embeds"][0]["description"].as_str().unwrap_or_default() } else { content }
}
