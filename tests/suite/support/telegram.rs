//! A stand-in for Telegram: the Bot API and its file host on one port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::bot_api::BotApi;
use super::flood::Flood;
use super::inbox::{Asked, Inbox, Shelf, inbox, taken_apart};
use super::program::Program;

pub const TOKEN: &str = "12345:stand-in-telegram-token";
pub const BOT_NAME: &str = "guessing_bot";
/// The one who writes, unless a test says otherwise.
pub const PERSON: i64 = 9;
pub const GROUP: i64 = -1_000_000_000_007;
const BOT: i64 = 12345;

pub struct Telegram {
    pub inbox: Inbox,
    pub shelf: Arc<Shelf>,
    address: SocketAddr,
    shared: Arc<Shared>,
    ids: AtomicI64,
    /// Where the program keeps what it keeps.
    store: tempfile::TempDir,
}

struct Shared {
    asked: UnboundedSender<Asked>,
    api: Option<BotApi>,
    shelf: Arc<Shelf>,
    updates: Mutex<Vec<Value>>,
    more: Notify,
    /// Answers of the next calls of a method, before the ordinary ones.
    scripted: Mutex<BTreeMap<String, Vec<Value>>>,
    /// The admins of every group.
    admins: Mutex<BTreeSet<i64>>,
    /// Those who have not started a chat with the bot.
    closed: Mutex<BTreeSet<i64>>,
    /// The numbers of messages that the bot sends.
    sent: AtomicI64,
    flood: Mutex<Option<Flood>>,
}

impl Telegram {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, inbox) = inbox();
        let shelf = Arc::new(Shelf::default());
        let shared = Arc::new(Shared {
            asked,
            api: super::specification("telegram-bot-api-10.1.json").map(BotApi),
            shelf: shelf.clone(),
            updates: Mutex::default(),
            more: Notify::new(),
            scripted: Mutex::default(),
            admins: Mutex::default(),
            closed: Mutex::default(),
            sent: AtomicI64::new(5000),
            flood: Mutex::default(),
        });
        let router = Router::new()
            .route("/file/{bot}/{*path}", get(file))
            .route("/{bot}/{method}", any(method))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let store = tempfile::tempdir().unwrap();
        Self { inbox, shelf, address, shared, ids: AtomicI64::new(100), store }
    }

    /// The program, served by this.
    pub fn program(&self, variables: &[(&str, &str)]) -> Program {
        let store = self.store.path().join("store.sqlite3");
        let base = self.base();
        let mut all = vec![
            ("FACEGUESSER__TELEGRAM__TOKEN", TOKEN),
            ("FACEGUESSER__TELEGRAM__API_BASE", &base),
            ("FACEGUESSER__STORE__PATH", store.to_str().unwrap()),
            ("FACEGUESSER__WEB__ENABLED", "false"),
        ];
        all.extend_from_slice(variables);
        Program::start(&all)
    }

    /// With the program, polling.
    pub async fn polled(variables: &[(&str, &str)]) -> (Self, Program) {
        let mut telegram = Self::start().await;
        let program = telegram.program(variables);
        telegram.inbox.next("setmycommands").await;
        (telegram, program)
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes the next call of `method` answer this.
    pub fn script(&self, method: &str, answer: Value) {
        self.shared.scripted.lock().unwrap().entry(method.to_lowercase()).or_default().push(answer);
    }

    /// Hands out a message by a person in a private chat or, with a negative id, in a group.
    pub fn post(&self, chat: i64, content: Value) -> i64 {
        let id = self.next_id();
        let update = json!({ "update_id": id, "message": with(message(chat, id), content) });
        self.hand_out(update);
        id
    }

    /// A number that no message or update has had.
    pub fn next_id(&self) -> i64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Hands out an update of some kind.
    pub fn update(&self, kind: &str, content: Value) {
        self.hand_out(self.as_update(kind, content));
    }

    /// An update to be handed out in some other way.
    pub fn as_update(&self, kind: &str, content: Value) -> Value {
        json!({ "update_id": self.next_id(), kind: content })
    }

    fn hand_out(&self, update: Value) {
        self.shared.updates.lock().unwrap().push(update);
        self.shared.more.notify_waiters();
    }

    /// Presses a button under one of the bot's messages, which is a reply to `about`; returns the
    /// press's own number.
    pub fn press(&self, person: i64, code: &str, chat: i64, sent: i64, about: Value) -> String {
        let press = format!("press-{}", self.next_id());
        let mut pressed = message(chat, sent);
        pressed["from"] = json!({ "id": BOT, "is_bot": true, "first_name": "Guessing", "username": BOT_NAME });
        pressed["text"] = "some answer".into();
        if !about.is_null() {
            pressed["reply_to_message"] = about;
        }
        let person = json!({ "id": person, "is_bot": false, "first_name": format!("Some{person}") });
        let query = json!({ "id": press, "from": person, "chat_instance": "1", "message": pressed, "data": code });
        self.update("callback_query", query);
        press
    }

    /// Makes somebody, or the bot itself, an admin of every group.
    pub fn make_admin(&self, person: i64) {
        self.shared.admins.lock().unwrap().insert(person);
    }

    pub fn make_bot_admin(&self) {
        self.make_admin(BOT);
    }

    /// Somebody whom the bot may not write to.
    pub fn close(&self, person: i64) {
        self.shared.closed.lock().unwrap().insert(person);
    }

    /// From now on Telegram's limits hold.
    pub fn enforce_limits(&self) {
        *self.shared.flood.lock().unwrap() = Some(Flood::default());
    }

    /// Messages refused because of the limits, and the most in a row.
    pub fn refusals(&self) -> (usize, usize) {
        self.shared.flood.lock().unwrap().as_ref().map_or((0, 0), Flood::refusals)
    }
}

/// A value with these fields added or replaced.
pub fn with(mut value: Value, fields: Value) -> Value {
    value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    value
}

/// The text or caption of what the bot sent.
pub fn text(asked: &Asked) -> &str {
    let text = [&asked.body["text"], &asked.body["caption"], &asked.body["media"]["caption"]];
    text.into_iter().find_map(Value::as_str).unwrap()
}

/// The number of the message that the bot sent.
pub fn sent(asked: &Asked) -> i64 {
    asked.body["sent"].as_i64().unwrap()
}

/// The buttons of what the bot sent: identifier and label.
pub fn buttons(asked: &Asked) -> Vec<(String, String)> {
    let rows = asked.body["reply_markup"]["inline_keyboard"].as_array().cloned().unwrap_or_default();
    let all = rows.iter().flat_map(|row| row.as_array().unwrap());
    let part = |button: &Value, name: &str| button[name].as_str().unwrap().to_owned();
    all.map(|button| (part(button, "callback_data"), part(button, "text"))).collect()
}

/// The identifier of the button whose identifier starts like this.
pub fn button(asked: &Asked, start: &str) -> String {
    let buttons = buttons(asked);
    let found = buttons.iter().find(|(code, _)| code.starts_with(start));
    found.unwrap_or_else(|| panic!("no {start} among {buttons:?}")).0.clone()
}

/// A message without content.
pub fn message(chat: i64, id: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let place = if chat > 0 {
        json!({ "id": chat, "type": "private", "first_name": "Some" })
    } else {
        json!({ "id": chat, "type": "supergroup", "title": "A group" })
    };
    json!({
        "message_id": id, "date": now, "chat": place,
        "from": { "id": PERSON, "is_bot": false, "first_name": "Some" }
    })
}

/// A photo in three sizes, the largest of which lies on the shelf as `name`.
pub fn photo(name: &str) -> Value {
    let size = |file: &str, width: u32, height: u32, bytes: u64| json!({ "file_id": file, "file_unique_id": file, "width": width, "height": height, "file_size": bytes });
    json!([size("thumbnail", 90, 60, 900), size(name, 1280, 960, 9000), size("middle", 320, 240, 4000)])
}

/// A file sent without Telegram's own compression.
pub fn document(name: &str, bytes: u64, mime: &str) -> Value {
    json!({ "file_id": name, "file_unique_id": name, "file_name": name, "mime_type": mime, "file_size": bytes })
}

async fn file(State(shared): State<Arc<Shared>>, Path((bot, path)): Path<(String, String)>) -> Response {
    if bot != format!("bot{TOKEN}") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let _ = shared.asked.send(Asked { what: format!("fetched {path}"), body: Value::Null, files: Default::default() });
    match shared.shelf.clone().take(path.trim_start_matches("photos/").to_owned()).await {
        Some(bytes) => bytes.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn method(
    State(shared): State<Arc<Shared>>,
    Path((bot, method)): Path<(String, String)>,
    request: Request,
) -> Response {
    if bot != format!("bot{TOKEN}") {
        return failed(StatusCode::UNAUTHORIZED, "Unauthorized");
    }
    let method = method.to_lowercase();
    let (mut body, files) = taken_apart(request).await;
    let fault = shared.api.as_ref().and_then(|api| api.check(&method, &body, &files).err());
    if let Some(fault) = fault {
        let _ = shared.asked.send(Asked { what: format!("refused {method}"), body: fault.clone().into(), files });
        return failed(StatusCode::BAD_REQUEST, &fault);
    }
    let chat = body["chat_id"].as_i64().unwrap_or_default();
    let sends = ["sendmessage", "sendphoto", "copymessage", "editmessagetext", "editmessagemedia"];
    if sends.contains(&method.as_str()) {
        if shared.closed.lock().unwrap().contains(&chat) {
            return failed(StatusCode::FORBIDDEN, "Forbidden: bot can't initiate conversation with a user");
        }
        let wait = shared.flood.lock().unwrap().as_mut().and_then(|flood| flood.takes(chat).err());
        if let Some(wait) = wait {
            let body = json!({
                "ok": false, "error_code": 429, "description": format!("Too Many Requests: retry after {wait}"),
                "parameters": { "retry_after": wait }
            });
            return (StatusCode::TOO_MANY_REQUESTS, axum::Json(body)).into_response();
        }
    }
    let scripted = shared.scripted.lock().unwrap().get_mut(&method).and_then(Vec::pop);
    let result = match method.as_str() {
        _ if scripted.is_some() => Value::Null,
        "getme" => json!({
            "id": BOT, "is_bot": true, "first_name": "Guessing", "username": BOT_NAME, "can_join_groups": true,
            "can_read_all_group_messages": false, "supports_inline_queries": false, "can_connect_to_business": false,
            "has_main_web_app": false
        }),
        "getupdates" => shared.updates(&body).await,
        "getfile" => {
            let file = body["file_id"].as_str().unwrap_or_default();
            json!({ "file_id": file, "file_unique_id": file, "file_path": format!("photos/{file}") })
        }
        "sendmessage" | "sendphoto" | "copymessage" => {
            let id = shared.sent.fetch_add(1, Ordering::Relaxed);
            // For tests, which see requests alone.
            body["sent"] = id.into();
            with(message(chat, id), json!({ "text": "sent" }))
        }
        "editmessagetext" | "editmessagemedia" => {
            with(message(chat, body["message_id"].as_i64().unwrap_or_default()), json!({ "text": "edited" }))
        }
        "getchatmember" => {
            let person = body["user_id"].as_i64().unwrap_or_default();
            let admin = shared.admins.lock().unwrap().contains(&person);
            let user = json!({ "id": person, "is_bot": person == BOT, "first_name": "Some" });
            let status = if admin { "creator" } else { "member" };
            json!({ "user": user, "status": status, "is_anonymous": false })
        }
        _ => Value::Bool(true),
    };
    let _ = shared.asked.send(Asked { what: method, body, files });
    match scripted {
        Some(answer) => {
            let status =
                answer["error_code"].as_u64().map_or(StatusCode::OK, |code| StatusCode::from_u16(code as u16).unwrap());
            (status, axum::Json(answer)).into_response()
        }
        None => axum::Json(json!({ "ok": true, "result": result })).into_response(),
    }
}

fn failed(status: StatusCode, description: &str) -> Response {
    let body = json!({ "ok": false, "error_code": status.as_u16(), "description": description });
    (status, axum::Json(body)).into_response()
}

impl Shared {
    /// Updates from the offset on, dropping those below it; holds the poll while there are none.
    async fn updates(&self, body: &Value) -> Value {
        let offset = body["offset"].as_i64().unwrap_or(0);
        let limit = body["limit"].as_u64().map_or(100, |limit| limit as usize);
        let hold = Duration::from_secs(body["timeout"].as_u64().unwrap_or(0));
        let held = async {
            loop {
                let more = self.more.notified();
                let mut more = std::pin::pin!(more);
                more.as_mut().enable();
                {
                    let mut updates = self.updates.lock().unwrap();
                    updates.retain(|update| update["update_id"].as_i64() >= Some(offset));
                    if !updates.is_empty() {
                        return updates.iter().take(limit).cloned().collect();
                    }
                }
                more.await;
            }
        };
        tokio::time::timeout(hold, held).await.unwrap_or_else(|_| json!([]))
    }
}
