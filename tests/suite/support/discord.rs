//! A stand-in for Discord: its REST interface, its gateway and its file host on one port.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
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

use super::inbox::{Asked, Inbox, Shelf, inbox, taken_apart};
use super::openapi::OpenApi;

pub const TOKEN: &str = "stand-in.discord.token";
pub const BOT_ID: &str = "4242";
pub const SESSION: &str = "a-session";

pub struct Discord {
    pub inbox: Inbox,
    pub shelf: Arc<Shelf>,
    address: SocketAddr,
    shared: Arc<Shared>,
    ids: AtomicU64,
}

struct Shared {
    address: SocketAddr,
    asked: UnboundedSender<Asked>,
    api: Option<OpenApi>,
    shelf: Arc<Shelf>,
    gateway: broadcast::Sender<Gateway>,
    /// All events of the session so far, for one that resumes.
    sent: Mutex<Vec<Value>>,
}

#[derive(Clone)]
enum Gateway {
    Event(Value),
    /// Closes the socket, with this code.
    Close(u16),
}

impl Discord {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, inbox) = inbox();
        let shelf = Arc::new(Shelf::default());
        let shared = Arc::new(Shared {
            address,
            asked,
            api: super::specification("discord-openapi.json").map(OpenApi::new),
            shelf: shelf.clone(),
            gateway: broadcast::channel(100).0,
            sent: Mutex::default(),
        });
        let router = Router::new()
            .route("/gateway-socket/", get(gateway))
            .route("/attachments/{*name}", get(attachment))
            .route("/api/v10/{*path}", any(rest))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inbox, shelf, address, shared, ids: AtomicU64::new(1000) }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    fn id(&self) -> String {
        self.ids.fetch_add(1, Ordering::Relaxed).to_string()
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
        json!({
            "id": self.id(), "application_id": BOT_ID, "type": 2, "token": "interaction-token", "version": 1,
            "data": data, "channel_id": "77", "guild_id": "5", "locale": "en-GB", "entitlements": [],
            "app_permissions": "0", "authorizing_integration_owners": {}, "attachment_size_limit": 10485760,
            "member": {
                "user": user, "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": false, "mute": false,
                "flags": 0, "permissions": "0"
            },
        })
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

async fn attachment(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let what = format!("fetched {name}");
    let _ = shared.asked.send(Asked { what, body: Value::Null, files: Default::default() });
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
    if !authorized && !path.starts_with("/interactions") && !path.starts_with("/webhooks") && path != "/gateway" {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({ "message": "401: Unauthorized", "code": 0 })))
            .into_response();
    }
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let mut fault = shared.api.as_ref().and_then(|api| api.check(&method, &path, &query, &body, &names).err());
    if body["content"].as_str().is_some_and(|content| content.chars().count() > 2000) {
        fault = Some("content is over 2000 characters".into());
    }
    if let Some(fault) = fault {
        let what = format!("refused {what}");
        let _ = shared.asked.send(Asked { what, body: Value::String(fault.clone()), files });
        return (StatusCode::BAD_REQUEST, axum::Json(json!({ "message": fault, "code": 50035 }))).into_response();
    }
    let socket = format!("ws://{}/gateway-socket/", shared.address);
    let answer = match path.as_str() {
        "/gateway" => json!({ "url": socket }),
        "/gateway/bot" => json!({
            "url": socket, "shards": 1,
            "session_start_limit": { "total": 1000, "remaining": 999, "reset_after": 1000, "max_concurrency": 1 }
        }),
        path if path.ends_with("/commands") => json!([]),
        path if path.ends_with("/messages") || path.ends_with("/@original") => json!({
            "id": "1", "channel_id": "77", "type": 0, "content": "", "attachments": [],
            "author": { "id": BOT_ID, "username": "bot", "discriminator": "0", "avatar": null, "bot": true },
            "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": null, "tts": false,
            "mention_everyone": false, "mentions": [], "mention_roles": [], "embeds": [], "pinned": false,
        }),
        _ => Value::Null,
    };
    let _ = shared.asked.send(Asked { what, body, files });
    if answer.is_null() { StatusCode::NO_CONTENT.into_response() } else { axum::Json(answer).into_response() }
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
                    let _ = shared.asked.send(Asked { what: "gateway closed".into(), body: Value::Null, files: Default::default() });
                    return;
                };
                let Message::Text(message) = message else { continue };
                let message: Value = serde_json::from_str(&message).unwrap();
                let (what, answers) = answers(&shared, &message);
                identified |= matches!(what, "identify" | "resume");
                let _ = shared.asked.send(Asked { what: what.into(), body: message["d"].clone(), files: Default::default() });
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
