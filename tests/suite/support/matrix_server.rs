//! The stand-in homeserver: rooms, their events in one stream, and the rules of the client-server API that the bot meets.
//! Everything that it does not know is refused, and fails the test.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::inbox::{RecordedRequest, ServedFiles};
use super::matrix::{ME, PASSWORD, SERVER};
use super::matrix_rules::{batch, check_message, page};

/// The largest picture here.
const LARGEST_UPLOAD: usize = 10 << 20;

pub struct Shared {
    pub asked: UnboundedSender<RecordedRequest>,
    pub files: Arc<ServedFiles>,
    pub state: Mutex<Homeserver>,
    /// Something has entered the stream.
    pub news: Notify,
    /// Queued answers by operation: `{"status": …, …}`, or `"stall"` for one that is carried out and not answered.
    pub scripted: Mutex<BTreeMap<String, VecDeque<Value>>>,
}

/// What enters the stream.
#[derive(Clone)]
pub enum Entry {
    Event { room: String, event: Value },
    Invited { room: String },
    Left { room: String },
}

#[derive(Default)]
pub struct Room {
    pub members: BTreeSet<String>,
    pub levels: Value,
    pub creator: String,
    pub version: String,
}

pub struct Homeserver {
    pub tokens: BTreeSet<String>,
    pub rooms: BTreeMap<String, Room>,
    pub stream: Vec<Entry>,
    /// The event of each transaction.
    transactions: BTreeMap<String, String>,
    pub uploads: BTreeSet<String>,
    /// Whether it is older than authenticated media (version 1.11 of the specification).
    pub is_old: bool,
    /// Whether it accepts no messages with pictures, as a module of Synapse's may decide.
    pub refuses_pictures: bool,
    next: u64,
}

impl Homeserver {
    pub fn new(token: &str) -> Self {
        Self {
            tokens: [token.to_owned()].into(),
            rooms: BTreeMap::new(),
            stream: Vec::new(),
            transactions: BTreeMap::new(),
            uploads: BTreeSet::new(),
            is_old: false,
            refuses_pictures: false,
            next: 1,
        }
    }

    /// Adds an event and returns its id. `event` has a type, a sender and a content.
    pub fn add(&mut self, room: &str, mut event: Value) -> String {
        let id = format!("$event{}:{SERVER}", self.next);
        self.next += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        event["event_id"] = id.clone().into();
        if event["origin_server_ts"].is_null() {
            event["origin_server_ts"] = now.into();
        }
        self.stream.push(Entry::Event { room: room.to_owned(), event });
        id
    }

    pub fn invite(&mut self, room: &str, sender: &str) {
        let content = json!({ "membership": "invite", "is_direct": true });
        self.add(room, json!({ "type": "m.room.member", "state_key": ME, "sender": sender, "content": content }));
        self.stream.push(Entry::Invited { room: room.to_owned() });
    }

    pub fn leave(&mut self, room: &str, user: &str) {
        self.rooms.get_mut(room).unwrap().members.remove(user);
        let content = json!({ "membership": "leave" });
        self.add(room, json!({ "type": "m.room.member", "state_key": user, "sender": user, "content": content }));
        if user == ME {
            self.stream.push(Entry::Left { room: room.to_owned() });
        }
    }

    /// An event as it is now; a removed one has no content.
    pub fn event(&self, room: &str, id: &str) -> Option<&Value> {
        self.events(room).map(|(_, event)| event).find(|event| event["event_id"] == id)
    }

    pub fn redact(&mut self, room: &str, id: &str, sender: &str) -> String {
        for entry in &mut self.stream {
            if let Entry::Event { event, .. } = entry
                && event["event_id"] == id
            {
                event["content"] = json!({});
            }
        }
        self.add(room, json!({ "type": "m.room.redaction", "sender": sender, "content": { "redacts": id } }))
    }

    /// How many messages of the bot refer to a message.
    pub fn replies(&self, room: &str, id: &str) -> usize {
        let is_reply = |event: &Value| {
            event["sender"] == ME && event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == id
        };
        self.events(room).filter(|(_, event)| is_reply(event)).count()
    }

    /// The events of a room with their places in the stream.
    pub fn events(&self, room: &str) -> impl DoubleEndedIterator<Item = (usize, &Value)> {
        let room = room.to_owned();
        self.stream.iter().enumerate().filter_map(move |(place, entry)| match entry {
            Entry::Event { room: other, event } if *other == room => Some((place, event)),
            _ => None,
        })
    }

    pub fn is_member(&self, room: &str) -> bool {
        self.rooms.get(room).is_some_and(|room| room.members.contains(ME))
    }
}

type Answer = Result<Value, (u16, &'static str)>;
const FORBIDDEN: (u16, &str) = (403, "M_FORBIDDEN");
const NOT_FOUND: (u16, &str) = (404, "M_NOT_FOUND");
pub const INVALID: (u16, &str) = (400, "M_INVALID_PARAM");

pub fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut response = shared.respond(request).await;
    let now = httpdate::fmt_http_date(SystemTime::now());
    response.headers_mut().insert(header::DATE, now.parse().unwrap());
    response
}

fn refused(status: u16, code: &str) -> Response {
    let body = json!({ "errcode": code, "error": format!("{code} {ME} !room:{SERVER}") });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn played(operation: &str, scripted: Value, shared: &Shared) -> Response {
    shared.record(format!("scripted {operation}"), Value::Null);
    let status = StatusCode::from_u16(scripted["status"].as_u64().unwrap() as u16).unwrap();
    (status, Json(scripted)).into_response()
}

fn decoded(part: &str) -> String {
    let url = url::Url::parse(&format!("http://x/?{}", part.replace('+', "%2B"))).unwrap();
    url.query_pairs().next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

impl Shared {
    fn record(&self, what: String, body: Value) {
        let _ = self.asked.send(RecordedRequest { what, body, files: BTreeMap::new() });
    }

    async fn respond(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, LARGEST_UPLOAD + 1).await.unwrap();
        let path: Vec<String> = head.uri.path().split('/').skip(1).map(decoded).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let query = url::Url::parse(&format!("http://x{}", head.uri)).unwrap();
        let query: BTreeMap<String, String> = query.query_pairs().into_owned().collect();
        let authorization = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if query.contains_key("access_token") {
            self.record("refused token in a query".into(), Value::Null);
        }
        let needs_token = !matches!(path.as_slice(), ["_matrix", "client", "v3", "login"]);
        let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if needs_token && !self.state.lock().unwrap().tokens.contains(token) {
            self.record("unauthorized".into(), Value::Null);
            return refused(401, if token.is_empty() { "M_MISSING_TOKEN" } else { "M_UNKNOWN_TOKEN" });
        }
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (operation, answer) = match (head.method.clone(), path.as_slice()) {
            (Method::GET, ["_matrix", "client", "v1", "media", "download", server, media]) => {
                let is_old = self.state.lock().unwrap().is_old;
                return if is_old { refused(404, "M_UNRECOGNIZED") } else { self.download(server, media).await };
            }
            (Method::GET, ["_matrix", "media", "v3", "download", server, media]) => {
                return self.download(server, media).await;
            }
            (Method::POST, ["_matrix", "media", "v3", "upload"]) => ("upload", self.upload(kind, &body)),
            (Method::GET, ["_matrix", "client", "v3", "sync"]) => match self.scripted_first("sync") {
                Some(scripted) => return played("sync", scripted, self),
                None => ("sync", self.sync(&query).await),
            },
            (method, ["_matrix", "client", "v3", rest @ ..]) => {
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                match self.scripted_for(rest) {
                    Some(Value::String(_)) => {
                        // Carried out, and the answer is lost.
                        let _ = self.client(&method, rest, &query, &body, token);
                        self.record("stalled".into(), body);
                        return std::future::pending().await;
                    }
                    Some(scripted) => return played(&operation_of(rest), scripted, self),
                    None => ("client", self.client(&method, rest, &query, &body, token)),
                }
            }
            _ => ("unknown", Err((404, "M_UNRECOGNIZED"))),
        };
        match answer {
            Ok(answer) => Json(answer).into_response(),
            Err((status, code)) => {
                if code == "M_UNRECOGNIZED" || code == "M_INVALID_PARAM" {
                    self.record(format!("refused {operation} {} {}", head.method, head.uri), code.into());
                }
                refused(status, code)
            }
        }
    }

    /// The queued answer for an operation in a room (`"send !room:home.example"`) or anywhere.
    fn scripted_for(&self, path: &[&str]) -> Option<Value> {
        let operation = operation_of(path);
        let room = if let ["rooms", room, ..] = path { *room } else { "" };
        self.scripted_first(&format!("{operation} {room}")).or_else(|| self.scripted_first(&operation))
    }

    fn scripted_first(&self, operation: &str) -> Option<Value> {
        self.scripted.lock().unwrap().get_mut(operation)?.pop_front()
    }

    async fn download(&self, server: &str, media: &str) -> Response {
        self.record(format!("fetched {media}"), server.into());
        match self.files.clone().take(media.to_owned()).await {
            Some(bytes) if server == SERVER => bytes.into_response(),
            _ => refused(404, "M_NOT_FOUND"),
        }
    }

    fn upload(&self, kind: &str, body: &Bytes) -> Answer {
        if kind != "image/jpeg" || image::load_from_memory(body).is_err() {
            return Err(INVALID);
        }
        if body.len() > LARGEST_UPLOAD {
            return Err((413, "M_TOO_LARGE"));
        }
        let mut state = self.state.lock().unwrap();
        let uri = format!("mxc://{SERVER}/upload{}", state.next);
        state.next += 1;
        state.uploads.insert(uri.clone());
        self.record("upload".into(), uri.clone().into());
        Ok(json!({ "content_uri": uri }))
    }

    fn client(
        &self,
        method: &Method,
        path: &[&str],
        query: &BTreeMap<String, String>,
        body: &Value,
        token: &str,
    ) -> Answer {
        let mut state = self.state.lock().unwrap();
        if let ["rooms", room, ..] = path
            && !matches!(path, [_, _, "join" | "forget"])
            && !state.is_member(room)
        {
            return Err(FORBIDDEN);
        }
        match (method.as_str(), path) {
            ("GET", ["account", "whoami"]) => Ok(json!({ "user_id": ME })),
            ("GET", ["profile", user, "displayname"]) if *user == ME => Ok(json!({ "displayname": "Face Guesser" })),
            ("POST", ["login"]) => {
                let is_mine = body["identifier"]["user"] == ME && body["password"] == PASSWORD;
                if body["type"] != "m.login.password" || body["identifier"]["type"] != "m.id.user" || !is_mine {
                    return Err(FORBIDDEN);
                }
                let token = format!("stand-in-login-token-{}", state.next);
                state.next += 1;
                state.tokens.insert(token.clone());
                super::secrets::keep(&token, 1);
                self.record("login".into(), body["device_id"].clone());
                let device = body["device_id"].as_str().unwrap_or("RANDOM");
                Ok(json!({ "user_id": ME, "access_token": token, "device_id": device }))
            }
            ("POST", ["logout"]) => {
                state.tokens.remove(token);
                self.record("logout".into(), Value::Null);
                Ok(json!({}))
            }
            ("POST", ["rooms", room, "join"]) => {
                let found = state.rooms.get_mut(*room).ok_or(NOT_FOUND)?;
                found.members.insert(ME.to_owned());
                let content = json!({ "membership": "join" });
                let before = json!({ "prev_content": { "membership": "invite" } });
                state.add(
                    room,
                    json!({
                        "type": "m.room.member", "state_key": ME, "sender": ME, "content": content, "unsigned": before
                    }),
                );
                self.record("join".into(), (*room).into());
                self.news.notify_waiters();
                Ok(json!({ "room_id": room }))
            }
            ("POST", ["rooms", room, "leave"]) => {
                state.leave(room, ME);
                self.record("leave".into(), (*room).into());
                self.news.notify_waiters();
                Ok(json!({}))
            }
            ("POST", ["rooms", room, "forget"]) => {
                if state.is_member(room) {
                    return Err((400, "M_UNKNOWN"));
                }
                self.record("forget".into(), (*room).into());
                Ok(json!({}))
            }
            ("GET", ["rooms", room, "joined_members"]) => {
                let members = &state.rooms[*room].members;
                Ok(
                    json!({ "joined": members.iter().map(|user| (user.clone(), json!({}))).collect::<BTreeMap<_, _>>() }),
                )
            }
            ("GET", ["rooms", room, "state", "m.room.power_levels", ""]) => {
                let levels = &state.rooms[*room].levels;
                if levels.is_null() { Err(NOT_FOUND) } else { Ok(levels.clone()) }
            }
            ("GET", ["rooms", room, "state", "m.room.create", ""]) if query["format"] == "event" => {
                let room = &state.rooms[*room];
                Ok(json!({ "sender": room.creator, "content": { "room_version": room.version } }))
            }
            ("GET", ["rooms", room, "event", id]) => state.event(room, id).cloned().ok_or(NOT_FOUND),
            ("GET", ["rooms", room, "messages"]) => page(&state, room, query).ok_or(INVALID),
            ("PUT", ["rooms", room, "typing", user]) if *user == ME && body["typing"] == true => {
                self.record("typing".into(), (*room).into());
                Ok(json!({}))
            }
            ("PUT", ["rooms", room, "redact", id, transaction]) => {
                if state.event(room, id).is_none_or(|event| event["sender"] != ME) {
                    return Err(FORBIDDEN);
                }
                let key = format!("{room} {id} {transaction}");
                if !state.transactions.contains_key(&key) {
                    let event = state.redact(room, id, ME);
                    state.transactions.insert(key.clone(), event);
                    self.record("redact".into(), (*id).into());
                }
                Ok(json!({ "event_id": state.transactions[&key] }))
            }
            ("PUT", ["rooms", room, "send", "m.room.message", transaction]) => {
                let key = format!("{room} {transaction}");
                if let Some(event) = state.transactions.get(&key) {
                    self.record("repeated".into(), body.clone());
                    return Ok(json!({ "event_id": event }));
                }
                if state.refuses_pictures && body["msgtype"] == "m.image" {
                    self.record("unwanted picture".into(), body.clone());
                    return Err((400, "M_UNKNOWN"));
                }
                check_message(&state, room, body)?;
                let event = state.add(room, json!({ "type": "m.room.message", "sender": ME, "content": body }));
                state.transactions.insert(key, event.clone());
                self.record("send".into(), json!({ "room": room, "event": event, "content": body }));
                self.news.notify_waiters();
                Ok(json!({ "event_id": event }))
            }
            _ => Err((404, "M_UNRECOGNIZED")),
        }
    }

    async fn sync(&self, query: &BTreeMap<String, String>) -> Answer {
        let filter: Value =
            query.get("filter").and_then(|filter| serde_json::from_str(filter).ok()).unwrap_or_default();
        let limit = filter["room"]["timeline"]["limit"].as_u64().ok_or(INVALID)? as usize;
        let kinds = filter["room"]["timeline"]["types"].as_array().cloned().ok_or(INVALID)?;
        let since = match query.get("since") {
            Some(since) => Some(since.strip_prefix('s').and_then(|place| place.parse::<usize>().ok()).ok_or(INVALID)?),
            None => None,
        };
        let patience = Duration::from_millis(query.get("timeout").map_or(0, |time| time.parse().unwrap()));
        let asked = json!({ "since": query.get("since"), "timeout": query.get("timeout"), "limit": limit });
        self.record("sync".into(), asked);
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let news = self.news.notified();
            {
                let state = self.state.lock().unwrap();
                if since.is_none_or(|since| since < state.stream.len()) || tokio::time::Instant::now() >= deadline {
                    return Ok(batch(&state, since, limit, &kinds));
                }
            }
            let _ = tokio::time::timeout_at(deadline, news).await;
        }
    }
}

fn operation_of(path: &[&str]) -> String {
    let operation = if let ["rooms", _, operation, ..] = path { operation } else { path.last().unwrap_or(&"") };
    (*operation).to_owned()
}
