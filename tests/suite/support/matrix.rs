//! A stand-in homeserver over HTTP: tests let people write, and wait for what the bot sends.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::inbox::{Inbox, RecordedRequest, ServedFiles, inbox};
use super::matrix_server::{Homeserver, Room, Shared, router};
use super::program::Program;
use super::secrets;

pub const SERVER: &str = "home.example";
pub const TOKEN: &str = "stand-in-matrix-token";
pub const PASSWORD: &str = "stand-in-matrix-password";
pub const ME: &str = "@faces:home.example";
pub const PERSON: &str = "@ann:home.example";
pub const OTHER: &str = "@bob:home.example";
/// A room of the bot and one person.
pub const DIRECT: &str = "!direct:home.example";
/// A room of the bot and two people, of whom [`PERSON`] is a moderator.
pub const GROUP: &str = "!group:home.example";

pub struct Matrix {
    pub inbox: Inbox,
    pub files: Arc<ServedFiles>,
    address: SocketAddr,
    shared: Arc<Shared>,
    /// The folder of the program's database.
    store: tempfile::TempDir,
}

impl Matrix {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, inbox) = inbox();
        let files = Arc::new(ServedFiles::default());
        let mut state = Homeserver::new(TOKEN);
        let room = |members: &[&str], levels| Room {
            members: members.iter().map(|user| (*user).to_owned()).collect(),
            levels,
            creator: OTHER.to_owned(),
            version: "11".to_owned(),
        };
        state.rooms.insert(DIRECT.to_owned(), room(&[ME, PERSON], Value::Null));
        state.rooms.insert(GROUP.to_owned(), room(&[ME, PERSON, OTHER], json!({ "users": { PERSON: 50 } })));
        let shared = Arc::new(Shared {
            asked,
            files: files.clone(),
            state: state.into(),
            news: Default::default(),
            scripted: Default::default(),
        });
        let router = router(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inbox, files, address, shared, store: tempfile::tempdir().unwrap() }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts the program with this as its homeserver.
    pub fn program(&self, variables: &[(&str, &str)]) -> Program {
        let (store, base) = (self.store.path().join("store.sqlite3"), self.base());
        secrets::keep(TOKEN, 1);
        let mut all = vec![
            ("FACEGUESSER__MATRIX__HOMESERVER", base.as_str()),
            ("FACEGUESSER__MATRIX__TOKEN", TOKEN),
            ("FACEGUESSER__STORE__PATH", store.to_str().unwrap()),
            ("FACEGUESSER__WEB__ENABLED", "false"),
        ];
        all.extend_from_slice(variables);
        Program::start(&all)
    }

    /// Starts this and a program that receives its events.
    pub async fn synced(variables: &[(&str, &str)]) -> (Self, Program) {
        let mut matrix = Self::start().await;
        let program = matrix.program(variables);
        matrix.wait_until_synced().await;
        (matrix, program)
    }

    /// Waits until the program asks for what comes next.
    pub async fn wait_until_synced(&mut self) {
        self.inbox.wait("a sync", |asked| asked.what == "sync" && !asked.body["since"].is_null()).await;
    }

    /// Changes the homeserver, and wakes whoever waits for that.
    pub fn change<T>(&self, change: impl FnOnce(&mut Homeserver) -> T) -> T {
        let result = change(&mut self.shared.state.lock().unwrap());
        self.shared.news.notify_waiters();
        result
    }

    /// Adds an event; returns its id.
    pub fn post_event(&self, room: &str, event: Value) -> String {
        self.change(|state| state.add(room, event))
    }

    /// Somebody writes a message; returns its id.
    pub fn post(&self, room: &str, sender: &str, content: Value) -> String {
        self.post_event(room, json!({ "type": "m.room.message", "sender": sender, "content": content }))
    }

    /// Queues an answer for the next request of an operation.
    pub fn script(&self, operation: &str, answer: Value) {
        self.shared.scripted.lock().unwrap().entry(operation.to_owned()).or_default().push_back(answer);
    }

    /// Waits for the bot's next message, which must be in `room`; returns its id and content.
    pub async fn reply(&mut self, room: &str) -> (String, Value) {
        let RecordedRequest { mut body, .. } = self.inbox.next("send").await;
        assert_eq!(body["room"], room, "{body}");
        (body["event"].as_str().unwrap().to_owned(), body["content"].take())
    }
}

/// A picture on the homeserver.
pub fn picture(name: &str) -> Value {
    json!({
        "msgtype": "m.image", "body": name, "url": format!("mxc://{SERVER}/{name}"),
        "info": { "mimetype": "image/jpeg", "size": 5000, "w": 640, "h": 480 }
    })
}

/// A text, also in reply to another message.
pub fn text(text: &str, reply_to: Option<&str>) -> Value {
    let mut content = json!({ "msgtype": "m.text", "body": text });
    if let Some(other) = reply_to {
        content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": other } });
    }
    content
}

/// The message that a reply refers to.
pub fn replied_to(content: &Value) -> &str {
    content["m.relates_to"]["m.in_reply_to"]["event_id"].as_str().unwrap()
}

pub fn body(content: &Value) -> &str {
    content["body"].as_str().unwrap()
}
