//! A stand-in for Telegram: the Bot API and its file host on one port.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::inbox::{Asked, Inbox, Shelf, inbox, taken_apart};

pub const TOKEN: &str = "12345:stand-in-telegram-token";
pub const BOT_NAME: &str = "guessing_bot";

pub struct Telegram {
    pub inbox: Inbox,
    pub shelf: Arc<Shelf>,
    address: SocketAddr,
    shared: Arc<Shared>,
    ids: AtomicI64,
}

struct Shared {
    asked: UnboundedSender<Asked>,
    api: Option<BotApi>,
    shelf: Arc<Shelf>,
    updates: Mutex<Vec<Value>>,
    more: Notify,
    /// Answers of the next calls of a method, before the ordinary ones.
    scripted: Mutex<BTreeMap<String, Vec<Value>>>,
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
        });
        let router = Router::new()
            .route("/file/{bot}/{*path}", get(file))
            .route("/{bot}/{method}", any(method))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inbox, shelf, address, shared, ids: AtomicI64::new(100) }
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
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut message = message(chat, id);
        message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        self.shared.updates.lock().unwrap().push(json!({ "update_id": id, "message": message }));
        self.shared.more.notify_waiters();
        id
    }
}

/// A message without content.
pub fn message(chat: i64, id: i64) -> Value {
    let place = if chat > 0 {
        json!({ "id": chat, "type": "private", "first_name": "Some" })
    } else {
        json!({ "id": chat, "type": "supergroup", "title": "A group" })
    };
    json!({
        "message_id": id, "date": 1_700_000_000, "chat": place,
        "from": { "id": 9, "is_bot": false, "first_name": "Some" }
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
    let (body, files) = taken_apart(request).await;
    let fault = shared.api.as_ref().and_then(|api| api.check(&method, &body, &files).err());
    if let Some(fault) = fault {
        let _ = shared.asked.send(Asked { what: format!("refused {method}"), body: fault.clone().into(), files });
        return failed(StatusCode::BAD_REQUEST, &fault);
    }
    let scripted = shared.scripted.lock().unwrap().get_mut(&method).and_then(Vec::pop);
    let result = match method.as_str() {
        _ if scripted.is_some() => Value::Null,
        "getme" => json!({
            "id": 12345, "is_bot": true, "first_name": "Guessing", "username": BOT_NAME, "can_join_groups": true,
            "can_read_all_group_messages": false, "supports_inline_queries": false, "can_connect_to_business": false,
            "has_main_web_app": false
        }),
        "getupdates" => shared.updates(&body).await,
        "getfile" => {
            let file = body["file_id"].as_str().unwrap_or_default();
            json!({ "file_id": file, "file_unique_id": file, "file_path": format!("photos/{file}") })
        }
        "sendmessage" | "sendphoto" => {
            let chat = body["chat_id"].as_i64().unwrap_or_default();
            let mut sent = message(chat, 1);
            sent["text"] = "sent".into();
            sent
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
                        return Value::Array(updates.clone());
                    }
                }
                more.await;
            }
        };
        tokio::time::timeout(hold, held).await.unwrap_or_else(|_| json!([]))
    }
}

/// Telegram's own description of its methods and types.
struct BotApi(Value);

impl BotApi {
    fn check(&self, method: &str, body: &Value, files: &BTreeMap<String, Bytes>) -> Result<(), String> {
        let methods = self.0["methods"].as_object().unwrap();
        let known = methods.iter().find(|(name, _)| name.eq_ignore_ascii_case(method));
        let (name, described) = known.ok_or_else(|| format!("unknown method {method}"))?;
        let mut given = body.as_object().cloned().unwrap_or_default();
        // A file is sent under its field's name, or under another that the field points to.
        let attached = |file: &str| given.values().any(|value| value.as_str() == Some(&format!("attach://{file}")));
        let direct: Vec<String> = files.keys().filter(|file| !attached(file)).cloned().collect();
        given.extend(direct.into_iter().map(|file| (file, Value::String("attach://itself".into()))));
        self.check_fields(name, &described["fields"], &given)
    }

    fn check_fields(&self, owner: &str, fields: &Value, given: &Map<String, Value>) -> Result<(), String> {
        let fields = fields.as_array().cloned().unwrap_or_default();
        for (key, value) in given {
            let field = fields.iter().find(|field| field["name"] == **key);
            let field = field.ok_or_else(|| format!("{owner} knows no field {key}"))?;
            let types = field["types"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
            let faults: Vec<String> = types.map(|kind| self.check_type(kind, value)).filter_map(Result::err).collect();
            if faults.len() == field["types"].as_array().unwrap().len() {
                return Err(format!("{owner}.{key}: {}", faults.join("; ")));
            }
            let text = value.as_str().filter(|text| !text.starts_with("attach://"));
            let length = text.map_or(0, |text| text.chars().count());
            if most_characters(field["description"].as_str().unwrap_or_default()).is_some_and(|most| length > most) {
                return Err(format!("{owner}.{key} has {length} characters"));
            }
        }
        let missing = fields
            .iter()
            .find(|field| field["required"] == true && !given.contains_key(field["name"].as_str().unwrap()));
        missing.map_or(Ok(()), |field| Err(format!("{owner} lacks {}", field["name"])))
    }

    fn check_type(&self, kind: &str, value: &Value) -> Result<(), String> {
        if let Some(inner) = kind.strip_prefix("Array of ") {
            let items = value.as_array().ok_or_else(|| format!("{value} is no array"))?;
            return items.iter().try_for_each(|item| self.check_type(inner, item));
        }
        let fits = match kind {
            "Integer" => value.is_i64() || value.is_u64(),
            "Float" => value.is_number(),
            "Boolean" | "True" => value.is_boolean(),
            // A form's text that looks like a number is still text.
            "String" => value.is_string() || value.is_number(),
            "InputFile" => value.as_str().is_some_and(|text| text.starts_with("attach://")),
            _ => {
                let described = &self.0["types"][kind];
                if let Some(kinds) = described["subtypes"].as_array() {
                    let fits = kinds.iter().any(|one| self.check_type(one.as_str().unwrap(), value).is_ok());
                    return if fits { Ok(()) } else { Err(format!("{value} is no {kind}")) };
                }
                let given = value.as_object().ok_or_else(|| format!("{value} is no {kind}"))?;
                return self.check_fields(kind, &described["fields"], given);
            }
        };
        if fits { Ok(()) } else { Err(format!("{value} is no {kind}")) }
    }
}

/// The bound in a description such as "Text of the message, 1-4096 characters".
fn most_characters(description: &str) -> Option<usize> {
    let before = description.split(" characters").next().filter(|before| before.len() < description.len())?;
    before.rsplit(' ').next()?.split('-').nth(1)?.parse().ok()
}

#[test]
fn requests_that_do_not_fit_the_bot_api_are_told() {
    let field = |name: &str, kind: &str, required: bool| json!({ "name": name, "types": [kind], "required": required, "description": "Some text, 1-5 characters long" });
    let api = BotApi(json!({
        "methods": { "sendThing": { "fields": [
            field("chat_id", "Integer", true), field("text", "String", false), field("photo", "InputFile", false),
            field("reply", "Reply", false)
        ] } },
        "types": { "Reply": { "fields": [field("id", "Integer", true)] } }
    }));
    let file = BTreeMap::from([("photo".to_owned(), Bytes::new())]);
    let none = BTreeMap::new();
    assert_eq!(api.check("SendThing", &json!({ "chat_id": 1, "text": "hello", "reply": { "id": 2 } }), &file), Ok(()));
    for (method, body) in [
        ("sendThings", json!({ "chat_id": 1 })),
        ("sendThing", json!({ "text": "hello" })),
        ("sendThing", json!({ "chat_id": "one" })),
        ("sendThing", json!({ "chat_id": 1, "text": "too long" })),
        ("sendThing", json!({ "chat_id": 1, "colour": "red" })),
        ("sendThing", json!({ "chat_id": 1, "reply": {} })),
        ("sendThing", json!({ "chat_id": 1, "photo": "a path" })),
    ] {
        assert!(api.check(method, &body, &none).is_err(), "{method} {body}");
    }
}
