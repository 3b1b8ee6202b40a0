//! A stand-in for Discord: its REST interface, its gateway and its file host on one port.
//!
//! What the bot posts is held against Discord's description and [limits](super::discord_limits), and
//! [kept](super::discord_kept), so that it can be edited, deleted and have its buttons pressed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::sync::mpsc::UnboundedSender;

use super::discord_kept::{Kept, original};
use super::discord_limits::{Limits, message_fault};
use super::inbox::{Asked, Inbox, Shelf, inbox, taken_apart};
use super::openapi::OpenApi;
use super::program::Program;

pub const TOKEN: &str = "stand-in.discord.token";
pub const BOT_ID: &str = "4242";
pub const SESSION: &str = "a-session";
/// Where in a request's body the stand-in notes where it keeps the message.
const KEPT_AT: &str = "kept at";

pub struct Discord {
    pub inbox: Inbox,
    pub shelf: Arc<Shelf>,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    asked: UnboundedSender<Asked>,
    api: Option<OpenApi>,
    shelf: Arc<Shelf>,
    gateway: broadcast::Sender<Gateway>,
    /// All events of the session so far, for one that resumes.
    sent: Mutex<Vec<Value>>,
    kept: Kept,
    /// What the bot lacks the permission to put into a message.
    forbidden: Mutex<BTreeSet<&'static str>>,
    limits: Option<Limits>,
}

#[derive(Clone)]
enum Gateway {
    Event(Value),
    /// Closes the socket, with this code.
    Close(u16),
}

/// The program, connected to a stand-in.
pub async fn connected(variables: &[(&str, &str)]) -> (Discord, Program) {
    let mut discord = Discord::start().await;
    let program = discord.program(variables);
    discord.inbox.next("identify").await;
    discord.inbox.next("put /applications").await;
    (discord, program)
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
            kept: Kept::with_commands(commands),
            forbidden: Mutex::default(),
            limits,
        });
        let router = Router::new()
            .route("/gateway-socket/", get(gateway))
            .route("/attachments/{*name}", get(attachment))
            .route("/api/v10/{*path}", any(rest))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inbox, shelf, address, shared }
    }

    /// The bot may not use that part of messages (`embeds`, `attachments`) any more.
    pub fn forbid(&self, part: &'static str) {
        self.shared.forbidden.lock().unwrap().insert(part);
    }

    /// A message that can be asked for.
    pub fn keep(&self, message: &Value) {
        self.shared.kept.put_message(message.clone());
    }

    /// A thread in a channel.
    pub fn keep_thread(&self, id: &str, parent: &str) {
        let thread = json!({ "id": id, "type": 11, "guild_id": "5", "name": "a thread", "parent_id": parent });
        self.shared.kept.put(format!("/channels/{id}"), thread);
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
            "id": self.id(), "filename": name, "size": 1000, "content_type": content_type,
            "url": format!("{}/attachments/{name}?ex=1", self.base()), "proxy_url": format!("{}/attachments/{name}", self.base()),
        })
    }

    /// A message by a person; direct when `guild` is absent.
    pub fn message(&self, content: &str, attachments: Vec<Value>, guild: Option<&str>) -> Value {
        let mut message = json!({
            "id": self.id(), "channel_id": "77", "type": 0, "content": content, "attachments": attachments,
            "author": { "id": "9", "username": "somebody", "discriminator": "0", "avatar": null },
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
        let user = json!({ "id": "9", "username": "somebody", "discriminator": "0", "avatar": null });
        let id = self.id();
        json!({
            "id": id, "application_id": BOT_ID, "type": 2, "token": format!("token-{id}"), "version": 1,
            "data": data, "channel_id": "77", "guild_id": "5", "locale": "en-GB", "entitlements": [],
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
        let mut sent = self.shared.sent.lock().unwrap();
        let event = json!({ "op": 0, "t": event, "s": sent.len() + 2, "d": data });
        sent.push(event.clone());
        // Nobody connected: the event waits for a resume.
        let _ = self.shared.gateway.send(Gateway::Event(event));
    }

    pub fn close_gateway(&self, code: u16) {
        let _ = self.shared.gateway.send(Gateway::Close(code));
    }
}

impl Shared {
    /// What is wrong with a request: a status, and the reason.
    fn fault(
        &self,
        method: &str,
        path: &str,
        query: &str,
        body: &Value,
        files: &[&str],
    ) -> Option<(StatusCode, String)> {
        let described = self.api.as_ref().and_then(|api| api.check(method, path, query, body, files).err());
        let message = if path.ends_with("/callback") { &body["data"] } else { body };
        described.or_else(|| message_fault(message, files.len())).map(|fault| (StatusCode::BAD_REQUEST, fault))
    }
}

/// Something without a body.
fn happened(what: String) -> Asked {
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

async fn attachment(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let _ = shared.asked.send(happened(format!("fetched {name}")));
    match shared.shelf.clone().take(name).await {
        Some(bytes) => bytes.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn rest(State(shared): State<Arc<Shared>>, Path(path): Path<String>, request: Request) -> Response {
    let path = format!("/{path}");
    let method = request.method().as_str().to_lowercase();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let authorized = request.headers().get("authorization").is_some_and(|sent| sent == &format!("Bot {TOKEN}"));
    let (mut body, files) = taken_apart(request).await;
    if let Some(payload) = body.get_mut("payload_json") {
        body = payload.take();
    }
    let what = format!("{method} {path}");
    let refused = |status: StatusCode, message: &str, code: u64| {
        (status, axum::Json(json!({ "message": message, "code": code }))).into_response()
    };
    if !authorized && !path.starts_with("/interactions") && !path.starts_with("/webhooks") && path != "/gateway" {
        return refused(StatusCode::UNAUTHORIZED, "401: Unauthorized", 0);
    }
    let limits = match shared.limits.as_ref().map(|limits| limits.take(&method, &path)) {
        Some(Err(refusal)) => return *refusal,
        Some(Ok(headers)) => headers,
        None => Default::default(),
    };
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    if let Some((status, fault)) = shared.fault(&method, &path, &query, &body, &names) {
        let _ = shared.asked.send(Asked { body: fault.clone().into(), files, ..happened(format!("refused {what}")) });
        return refused(status, &fault, 50035);
    }
    let used = |part: &&str| body[*part].as_array().is_some_and(|part| !part.is_empty());
    if shared.forbidden.lock().unwrap().iter().any(used) {
        let _ = shared.asked.send(Asked { body, files, ..happened(format!("forbidden {what}")) });
        return refused(StatusCode::FORBIDDEN, "Missing Permissions", 50013);
    }
    let (answer, became) = match path.as_str() {
        "/gateway" | "/gateway/bot" => (Some(whereabouts(&shared)), String::new()),
        path => shared.kept.carry_out(&method, path, &body),
    };
    if !became.is_empty() {
        body[KEPT_AT] = became.into();
    }
    let _ = shared.asked.send(Asked { what, body, files });
    let answer = match answer {
        None => refused(StatusCode::NOT_FOUND, "Unknown Message", 10008),
        Some(Value::Null) => StatusCode::NO_CONTENT.into_response(),
        Some(answer) => axum::Json(answer).into_response(),
    };
    (limits, answer).into_response()
}

/// Where the gateway is, and how many shards may connect.
fn whereabouts(shared: &Shared) -> Value {
    let limit = json!({ "total": 1000, "remaining": 999, "reset_after": 1000, "max_concurrency": 1 });
    let url = format!("ws://{}/gateway-socket/", shared.address);
    json!({ "url": url, "shards": 1, "session_start_limit": limit })
}

async fn gateway(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| converse(shared, socket))
}

/// Hello, then what the client sends and what the test dispatches, until either closes.
async fn converse(shared: Arc<Shared>, mut socket: WebSocket) {
    let text = |value: Value| Message::Text(value.to_string().into());
    let mut events = shared.gateway.subscribe();
    let mut identified = false;
    if socket.send(text(json!({ "op": 10, "d": { "heartbeat_interval": 300 } }))).await.is_err() {
        return;
    }
    loop {
        let answers = tokio::select! {
            event = events.recv() => match event {
                Ok(Gateway::Event(event)) if identified => vec![event],
                Ok(Gateway::Event(_)) => continue,
                Ok(Gateway::Close(code)) => {
                    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
                    return;
                }
                Err(_) => return,
            },
            message = socket.recv() => {
                let Some(Ok(message)) = message.filter(|message| !matches!(message, Ok(Message::Close(_)))) else {
                    let _ = shared.asked.send(happened("gateway closed".into()));
                    return;
                };
                let Message::Text(message) = message else { continue };
                let message: Value = serde_json::from_str(&message).unwrap();
                let (what, answers) = answers(&shared, &message);
                identified |= matches!(what, "identify" | "resume");
                let _ = shared.asked.send(Asked { body: message["d"].clone(), ..happened(what.into()) });
                answers
            }
        };
        for answer in answers {
            if socket.send(text(answer)).await.is_err() {
                return;
            }
        }
    }
}

/// What a gateway message is called, and what Discord would say to it.
fn answers(shared: &Shared, message: &Value) -> (&'static str, Vec<Value>) {
    match message["op"].as_u64() {
        Some(1) => ("heartbeat", vec![json!({ "op": 11 })]),
        // Discord takes the token here with and without the word that goes before it elsewhere.
        Some(2) if message["d"]["token"].as_str().is_some_and(|token| token.trim_start_matches("Bot ") == TOKEN) => (
            "identify",
            vec![json!({ "op": 0, "t": "READY", "s": 1, "d": {
            "v": 10, "user": { "id": BOT_ID, "username": "bot", "discriminator": "0", "avatar": null, "bot": true },
            "guilds": [], "session_id": SESSION, "resume_gateway_url": format!("ws://{}/gateway-socket/", shared.address),
            "shard": [0, 1], "application": { "id": BOT_ID, "flags": 0 }
        } })],
        ),
        Some(6) if message["d"]["session_id"] == SESSION => {
            let last = message["d"]["seq"].as_u64().unwrap_or(0);
            let mut missed = shared.sent.lock().unwrap().clone();
            missed.retain(|event| event["s"].as_u64() > Some(last));
            missed.push(json!({ "op": 0, "t": "RESUMED", "s": last + missed.len() as u64, "d": {} }));
            ("resume", missed)
        }
        _ => ("something else", Vec::new()),
    }
}
