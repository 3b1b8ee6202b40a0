//! A stand-in for Telegram: the Bot API and its file host on one port.
//!
//! `telegram_server` answers requests, `telegram_rules` holds what Telegram refuses; this is what tests
//! do with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::bot_api::BotApi;
use super::flood::Flood;
use super::inbox::{Asked, Inbox, Shelf, inbox};
use super::program::Program;
use super::secrets;
use super::telegram_server::{Shared, router};

pub const TOKEN: &str = "12345:stand-in-telegram-token";
pub const BOT_NAME: &str = "guessing_bot";
/// The one who writes, unless a test says otherwise.
pub const PERSON: i64 = 9_009_009_009;
pub const GROUP: i64 = -1_000_000_000_007;
pub const BOT: i64 = 12345;

pub struct Telegram {
    pub inbox: Inbox,
    pub shelf: Arc<Shelf>,
    address: SocketAddr,
    shared: Arc<Shared>,
    ids: AtomicI64,
    /// Where the program keeps what it keeps.
    store: tempfile::TempDir,
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
            updates: Default::default(),
            more: Default::default(),
            scripted: Default::default(),
            admins: Default::default(),
            closed: Default::default(),
            sent: AtomicI64::new(5000),
            flood: Default::default(),
            rules: Default::default(),
            webhook: Default::default(),
            clock: Default::default(),
            folder: Default::default(),
        });
        shared.rules.lock().unwrap().know_chat(GROUP);
        let router = router(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let store = tempfile::tempdir().unwrap();
        Self { inbox, shelf, address, shared, ids: AtomicI64::new(100), store }
    }

    /// The file in which the program keeps what it keeps.
    pub fn store(&self) -> std::path::PathBuf {
        self.store.path().join("store.sqlite3")
    }

    /// The program, served by this.
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

    /// Makes the next call of `method`, or of the file host (`file`), answer this; after what was
    /// scripted before.
    pub fn script(&self, method: &str, answer: Value) {
        if let Some(moved) = answer["parameters"]["migrate_to_chat_id"].as_i64() {
            self.shared.rules.lock().unwrap().know_chat(moved);
        }
        self.shared.scripted.lock().unwrap().entry(method.to_lowercase()).or_default().push_back(answer);
    }

    /// As [`Telegram::script`], with a refusal.
    pub fn refuse(&self, method: &str, code: u16, description: &str) {
        self.script(method, json!({ "ok": false, "error_code": code, "description": description }));
    }

    /// From now on refuses methods whose names contain `method` in a chat.
    pub fn ban(&self, method: &str, chat: i64, code: u16, description: &str) {
        self.shared.rules.lock().unwrap().ban(method, chat, code, description);
    }

    pub fn close_topic(&self, chat: i64, topic: i64) {
        self.shared.rules.lock().unwrap().close_topic(chat, topic);
    }

    pub fn delete_topic(&self, chat: i64, topic: i64) {
        self.shared.rules.lock().unwrap().delete_topic(chat, topic);
    }

    /// Deletes a message, as people do.
    pub fn delete(&self, chat: i64, id: i64) {
        self.shared.rules.lock().unwrap().forget(chat, id);
    }

    /// A message as Telegram has it now.
    pub fn kept(&self, chat: i64, id: i64) -> Option<Value> {
        self.shared.rules.lock().unwrap().message(chat, id).cloned()
    }

    /// Makes a message so many hours older.
    pub fn age(&self, chat: i64, id: i64, hours: i64) {
        let mut message = self.kept(chat, id).unwrap();
        message["date"] = (message["date"].as_i64().unwrap() - 3600 * hours).into();
        self.shared.rules.lock().unwrap().keep(&message);
    }

    /// Sets Telegram's clock so many seconds ahead of the machine's.
    pub fn set_clock(&self, ahead: i64) {
        self.shared.clock.store(ahead, Ordering::Relaxed);
    }

    /// Telegram's clock, in Unix seconds.
    pub fn now(&self) -> i64 {
        self.shared.now()
    }

    /// Sets a webhook, as another program would.
    pub fn set_webhook(&self) {
        self.shared.webhook.store(true, Ordering::Relaxed);
    }

    /// Becomes a self-hosted server that leaves files in `folder`.
    pub fn leave_files_in(&self, folder: &std::path::Path) {
        *self.shared.folder.lock().unwrap() = Some(folder.to_owned());
    }

    /// Hands out a message by a person in a private chat or, with a negative id, in a group.
    pub fn post(&self, chat: i64, content: Value) -> i64 {
        let id = self.next_id();
        let dated = with(message(chat, id), json!({ "date": self.now() }));
        let update = json!({ "update_id": id, "message": with(dated, content) });
        self.hand_out(update);
        id
    }

    /// As [`Telegram::post`], through the webhook that listens at an address. What is not accepted there
    /// is kept for later, as is all that a poll does not confirm.
    pub async fn push(&self, chat: i64, content: Value, listen: &str) -> i64 {
        let id = self.post(chat, content);
        let update = self.shared.updates.lock().unwrap().last().cloned().unwrap();
        let post = reqwest::Client::new().post(format!("http://{listen}/door")).body(update.to_string());
        let pushed = post.header("X-Telegram-Bot-Api-Secret-Token", "open-sesame").send();
        let shared = self.shared.clone();
        tokio::spawn(async move {
            if pushed.await.is_ok_and(|answer| answer.status().is_success()) {
                shared.updates.lock().unwrap().retain(|update| update["update_id"] != id);
            }
        });
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
        secrets::learn(&content);
        json!({ "update_id": self.next_id(), kind: content })
    }

    fn hand_out(&self, update: Value) {
        secrets::learn(&update);
        self.shared.rules.lock().unwrap().learn(&update);
        self.shared.updates.lock().unwrap().push(update);
        self.shared.more.notify_waiters();
    }

    /// Presses a button under one of the bot's messages, which is a reply to `about` unless Telegram
    /// knows better; returns the press's own number.
    pub fn press(&self, person: i64, code: &str, chat: i64, sent: i64, about: Value) -> String {
        let press = format!("press-{}", self.next_id());
        let mut pressed = self.kept(chat, sent).unwrap_or_else(|| {
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
        json!({ "id": chat, "type": "private", "first_name": "Quillon" })
    } else {
        json!({ "id": chat, "type": "supergroup", "title": "A group" })
    };
    json!({
        "message_id": id, "date": now, "chat": place,
        "from": { "id": PERSON, "is_bot": false, "first_name": "Quillon" }
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
