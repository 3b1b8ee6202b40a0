//! A mock of Telegram: the Bot API and its file host on one port.
//!
//! `telegram_server` answers requests and `telegram_rules` decides which ones Telegram would refuse; this
//! is the interface for tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::bot_api::BotApi;
use super::flood::MessageLimits;
use super::inbox::{Inbox, RecordedRequest, ServedFiles, inbox};
use super::program::Program;
use super::secrets;
use super::telegram_server::{Shared, router};

pub const TOKEN: &str = "12345:stand-in-telegram-token";
pub const BOT_NAME: &str = "guessing_bot";
/// The default sender of messages.
pub const PERSON: i64 = 9_009_009_009;
pub const GROUP: i64 = -1_000_000_000_007;
pub const BOT: i64 = 12345;

pub struct Telegram {
    pub inbox: Inbox,
    pub files: Arc<ServedFiles>,
    address: SocketAddr,
    shared: Arc<Shared>,
    ids: AtomicI64,
    /// The folder of the program's database.
    store: tempfile::TempDir,
}

impl Telegram {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, inbox) = inbox();
        let files = Arc::new(ServedFiles::default());
        let shared = Arc::new(Shared {
            asked,
            api: super::specification("telegram-bot-api-10.1.json").map(BotApi),
            files: files.clone(),
            updates: Default::default(),
            new_updates: Default::default(),
            scripted: Default::default(),
            admins: Default::default(),
            closed_chats: Default::default(),
            sent: AtomicI64::new(5000),
            flood: Default::default(),
            rules: Default::default(),
            webhook: Default::default(),
            allowed_updates: Default::default(),
            clock_offset: Default::default(),
            folder: Default::default(),
        });
        shared.rules.lock().unwrap().insert_chat(GROUP);
        let router = router(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let store = tempfile::tempdir().unwrap();
        Self { inbox, files, address, shared, ids: AtomicI64::new(100), store }
    }

    /// The path of the program's database.
    pub fn store(&self) -> std::path::PathBuf {
        self.store.path().join("store.sqlite3")
    }

    /// Starts the program with this as its Bot API.
    pub fn program(&self, variables: &[(&str, &str)]) -> Program {
        let store = self.store();
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

    /// Starts a gateway or worker of it, with the NATS server at `nats`.
    pub fn process(&self, role: &str, nats: &str, variables: &[(&str, &str)]) -> Program {
        let base = self.base();
        let mut all = vec![
            ("FACEGUESSER__TELEGRAM__TOKEN", TOKEN),
            ("FACEGUESSER__TELEGRAM__API_BASE", &base),
            ("FACEGUESSER__CLUSTER__SERVERS", nats),
            ("FACEGUESSER__WEB__ENABLED", "false"),
        ];
        all.extend_from_slice(variables);
        Program::start_as(role, &all)
    }

    /// Starts this and a program that polls it.
    pub async fn polled(variables: &[(&str, &str)]) -> (Self, Program) {
        let mut telegram = Self::start().await;
        let program = telegram.program(variables);
        telegram.inbox.next("setmycommands").await;
        (telegram, program)
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Queues an answer for the next call of `method`, or of the file host (`file`).
    pub fn script(&self, method: &str, answer: Value) {
        if let Some(moved) = answer["parameters"]["migrate_to_chat_id"].as_i64() {
            self.shared.rules.lock().unwrap().insert_chat(moved);
        }
        self.shared.scripted.lock().unwrap().entry(method.to_lowercase()).or_default().push_back(answer);
    }

    /// As [`Telegram::script`], with an error.
    pub fn refuse(&self, method: &str, code: u16, description: &str) {
        self.script(method, json!({ "ok": false, "error_code": code, "description": description }));
    }

    /// From now on refuses methods whose names contain `method` in a chat.
    pub fn deny(&self, method: &str, chat: i64, code: u16, description: &str) {
        self.shared.rules.lock().unwrap().deny(method, chat, code, description);
    }

    pub fn close_topic(&self, chat: i64, topic: i64) {
        self.shared.rules.lock().unwrap().close_topic(chat, topic);
    }

    pub fn delete_topic(&self, chat: i64, topic: i64) {
        self.shared.rules.lock().unwrap().delete_topic(chat, topic);
    }

    /// Deletes a message, as a user would.
    pub fn delete(&self, chat: i64, id: i64) {
        self.shared.rules.lock().unwrap().remove(chat, id);
    }

    /// A message in its current state.
    pub fn stored_message(&self, chat: i64, id: i64) -> Option<Value> {
        self.shared.rules.lock().unwrap().message(chat, id).cloned()
    }

    /// Makes a message `hours` older.
    pub fn make_older(&self, chat: i64, id: i64, hours: i64) {
        let mut message = self.stored_message(chat, id).unwrap();
        message["date"] = (message["date"].as_i64().unwrap() - 3600 * hours).into();
        self.shared.rules.lock().unwrap().insert(&message);
    }

    /// Sets Telegram's clock `ahead` seconds ahead of the machine's.
    pub fn set_clock(&self, ahead: i64) {
        self.shared.clock_offset.store(ahead, Ordering::Relaxed);
    }

    /// Telegram's clock, in Unix seconds.
    pub fn now(&self) -> i64 {
        self.shared.now()
    }

    /// Sets a webhook, as another program would.
    pub fn set_webhook(&self) {
        self.shared.webhook.store(true, Ordering::Relaxed);
    }

    /// Behaves like a self-hosted server that stores files in `folder`.
    pub fn store_files_in(&self, folder: &std::path::Path) {
        *self.shared.folder.lock().unwrap() = Some(folder.to_owned());
    }

    /// Queues a message in a private chat or, with a negative id, in a group; returns its id.
    pub fn post(&self, chat: i64, content: Value) -> i64 {
        let id = self.next_id();
        let dated = with(message(chat, id), json!({ "date": self.now() }));
        let update = json!({ "update_id": id, "message": with(dated, content) });
        self.queue(update);
        id
    }

    /// As [`Telegram::post`], but also posted to the webhook at `listen`. Unless the webhook accepts it, the
    /// update stays queued for polling.
    pub async fn push(&self, chat: i64, content: Value, listen: &str) -> i64 {
        let id = self.post(chat, content);
        let update = self.shared.updates.lock().unwrap().last().cloned().unwrap();
        let post = reqwest::Client::new().post(format!("http://{listen}/webhook")).body(update.to_string());
        let pushed = post.header("X-Telegram-Bot-Api-Secret-Token", "open-sesame").send();
        let shared = self.shared.clone();
        tokio::spawn(async move {
            if pushed.await.is_ok_and(|answer| answer.status().is_success()) {
                shared.updates.lock().unwrap().retain(|update| update["update_id"] != id);
            }
        });
        id
    }

    /// An unused id for a message or update.
    pub fn next_id(&self) -> i64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Queues an update of any kind.
    pub fn update(&self, kind: &str, content: Value) {
        self.queue(self.as_update(kind, content));
    }

    /// Creates an update without queueing it.
    pub fn as_update(&self, kind: &str, content: Value) -> Value {
        secrets::learn(&content);
        json!({ "update_id": self.next_id(), kind: content })
    }

    /// Mentions the bot in a message of a chat that it is not a member of; returns the query's id.
    pub fn mention_as_guest(&self, chat: i64, content: Value) -> String {
        let query = format!("guest-query-{}", self.next_id());
        let guest = json!({ "guest_query_id": query, "date": self.now() });
        self.update("guest_message", with(with(message(chat, self.next_id()), guest), content));
        query
    }

    /// Presses a button under the bot's message in a chat that it is not a member of.
    pub fn press_as_guest(&self, person: i64, code: &str, answer: &str) {
        let press = format!("press-{}", self.next_id());
        let person = json!({ "id": person, "is_bot": false, "first_name": format!("Quillon{person}") });
        let query =
            json!({ "id": press, "from": person, "chat_instance": "1", "inline_message_id": answer, "data": code });
        self.update("callback_query", query);
    }

    /// The text and buttons of the bot's message in a chat that it is not a member of, in its current state.
    pub fn guest_answer(&self, answer: &RecordedRequest) -> Value {
        self.shared.rules.lock().unwrap().guest_answer(answer.body["sent"].as_str().unwrap()).unwrap()
    }

    /// Telegram creates no updates of kinds that were not asked for.
    fn queue(&self, update: Value) {
        if !update.as_object().unwrap().keys().any(|kind| kind != "update_id" && self.shared.creates(kind)) {
            return;
        }
        secrets::learn(&update);
        self.shared.rules.lock().unwrap().record_update(&update);
        self.shared.updates.lock().unwrap().push(update);
        self.shared.new_updates.notify_waiters();
    }

    /// Presses a button under one of the bot's messages; returns the callback query's id. `about`, unless
    /// null, becomes the message that it replies to.
    pub fn press(&self, person: i64, code: &str, chat: i64, sent: i64, about: Value) -> String {
        let press = format!("press-{}", self.next_id());
        let mut pressed = self.stored_message(chat, sent).unwrap_or_else(|| {
            let me = json!({ "id": BOT, "is_bot": true, "first_name": "Guessing", "username": BOT_NAME });
            with(message(chat, sent), json!({ "from": me, "text": "some answer" }))
        });
        if !about.is_null() {
            pressed["reply_to_message"] = about;
        }
        let person = json!({ "id": person, "is_bot": false, "first_name": format!("Quillon{person}") });
        let query = json!({ "id": press, "from": person, "chat_instance": "1", "message": pressed, "data": code });
        self.update("callback_query", query);
        press
    }

    /// Makes a user an admin of every group.
    pub fn make_admin(&self, person: i64) {
        self.shared.admins.lock().unwrap().insert(person);
    }

    pub fn make_bot_admin(&self) {
        self.make_admin(BOT);
    }

    /// Makes a private chat one that the bot may not write to.
    pub fn close_private_chat(&self, person: i64) {
        self.shared.closed_chats.lock().unwrap().insert(person);
    }

    /// From now on enforces Telegram's rate limits.
    pub fn enforce_limits(&self) {
        *self.shared.flood.lock().unwrap() = Some(MessageLimits::default());
    }

    /// How many messages exceeded the rate limits, and the most in a row.
    pub fn refusals(&self) -> (usize, usize) {
        self.shared.flood.lock().unwrap().as_ref().map_or((0, 0), MessageLimits::refusals)
    }
}

/// A value with these fields added or replaced.
pub fn with(mut value: Value, fields: Value) -> Value {
    value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    value
}

/// The text or caption of a message that the bot sent.
pub fn text(asked: &RecordedRequest) -> &str {
    let media = &asked.body["media"];
    let as_guest = &asked.body["result"]["input_message_content"]["message_text"];
    let text = [&asked.body["text"], &asked.body["caption"], &media["caption"], &media[0]["caption"], as_guest];
    text.into_iter().find_map(Value::as_str).unwrap()
}

/// The id of a message that the bot sent.
pub fn sent(asked: &RecordedRequest) -> i64 {
    asked.body["sent"].as_i64().unwrap()
}

/// The buttons of a message that the bot sent: callback data and label.
pub fn buttons(asked: &RecordedRequest) -> Vec<(String, String)> {
    let markup = [&asked.body["reply_markup"], &asked.body["result"]["reply_markup"]];
    let rows = markup.into_iter().find_map(|markup| markup["inline_keyboard"].as_array().cloned()).unwrap_or_default();
    let all = rows.iter().flat_map(|row| row.as_array().unwrap());
    let part = |button: &Value, name: &str| button[name].as_str().unwrap().to_owned();
    all.map(|button| (part(button, "callback_data"), part(button, "text"))).collect()
}

/// The callback data of the button whose data starts with `start`.
pub fn button(asked: &RecordedRequest, start: &str) -> String {
    let buttons = buttons(asked);
    let found = buttons.iter().find(|(code, _)| code.starts_with(start));
    found.unwrap_or_else(|| panic!("no {start} among {buttons:?}")).0.clone()
}

/// A message without content.
pub fn message(chat: i64, id: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let place = if chat > 0 {
        json!({ "id": chat, "type": "private", "first_name": "Quillon" })
    } else {
        json!({ "id": chat, "type": "supergroup", "title": "A group" })
    };
    json!({
        "message_id": id, "date": now, "chat": place,
        "from": { "id": PERSON, "is_bot": false, "first_name": "Quillon" }
    })
}

/// A photo in three sizes; `name` is the largest one's file in `files`.
pub fn photo(name: &str) -> Value {
    let size = |file: &str, width: u32, height: u32, bytes: u64| json!({ "file_id": file, "file_unique_id": file, "width": width, "height": height, "file_size": bytes });
    json!([size("thumbnail", 90, 60, 900), size(name, 1280, 960, 9000), size("middle", 320, 240, 4000)])
}

/// A file sent without Telegram's compression.
pub fn document(name: &str, bytes: u64, mime: &str) -> Value {
    json!({ "file_id": name, "file_unique_id": name, "file_name": name, "mime_type": mime, "file_size": bytes })
}
