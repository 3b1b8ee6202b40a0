//! The mock Telegram's HTTP server: methods, files, and the answers that a test scripted for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::bot_api::BotApi;
use super::flood::MessageLimits;
use super::inbox::{RecordedRequest, ServedFiles, parse_request};
use super::telegram::{BOT, BOT_NAME, TOKEN};
use super::telegram_rules::Rules;

/// Bot API, getFile. Self-hosted servers have no such limit.
const LARGEST_FILE: usize = 20 << 20;

pub struct Shared {
    pub asked: UnboundedSender<RecordedRequest>,
    pub api: Option<BotApi>,
    pub files: Arc<ServedFiles>,
    pub updates: Mutex<Vec<Value>>,
    pub new_updates: Notify,
    /// Queued answers by method or `file` for the file host; without one the call is answered normally.
    pub scripted: Mutex<BTreeMap<String, VecDeque<Value>>>,
    /// The admins of every group.
    pub admins: Mutex<BTreeSet<i64>>,
    /// Private chats that the bot may not write to.
    pub closed_chats: Mutex<BTreeSet<i64>>,
    /// The next id of a message that the bot sends.
    pub sent: AtomicI64,
    pub flood: Mutex<Option<MessageLimits>>,
    pub rules: Mutex<Rules>,
    /// Whether updates go to a webhook.
    pub webhook: AtomicBool,
    /// The kinds of updates that the program last asked for; until then, all.
    pub allowed_updates: Mutex<Option<Value>>,
    /// How far this server's clock is ahead of the machine's, in seconds.
    pub clock_offset: AtomicI64,
    /// A self-hosted server's folder: files are stored there and not served over HTTP.
    pub folder: Mutex<Option<std::path::PathBuf>>,
}

pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/file/{bot}/{*path}", get(file))
        .route("/{bot}/{method}", any(method))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), add_date))
        .with_state(shared)
}

/// Adds this server's clock to each response as its `Date`.
async fn add_date(State(shared): State<Arc<Shared>>, request: Request, next: axum::middleware::Next) -> Response {
    let mut response = next.run(request).await;
    let now = UNIX_EPOCH + Duration::from_secs(shared.now().cast_unsigned());
    response.headers_mut().insert(header::DATE, HeaderValue::from_str(&httpdate::fmt_http_date(now)).unwrap());
    response
}

async fn file(State(shared): State<Arc<Shared>>, Path((bot, path)): Path<(String, String)>) -> Response {
    if bot != format!("bot{TOKEN}") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let _ = shared.asked.send(RecordedRequest {
        what: format!("fetched {path}"),
        body: Value::Null,
        files: Default::default(),
    });
    if let Some(answer) = shared.next_scripted("file") {
        return play(&answer).await;
    }
    match shared.files.clone().take(path.trim_start_matches("photos/").to_owned()).await {
        Some(bytes) if shared.folder.lock().unwrap().is_none() => bytes.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn method(
    State(shared): State<Arc<Shared>>,
    Path((bot, method)): Path<(String, String)>,
    request: Request,
) -> Response {
    if bot != format!("bot{TOKEN}") {
        return refused(401, "Unauthorized");
    }
    // Telegram ignores case; other implementations need the documented spelling.
    let is_documented = method.starts_with(|first: char| first.is_ascii_lowercase());
    let method = method.to_lowercase();
    if !is_documented {
        let asked = RecordedRequest {
            what: format!("refused {method}"),
            body: "its spelling".into(),
            files: Default::default(),
        };
        let _ = shared.asked.send(asked);
        return refused(404, "Not Found: method not found");
    }
    let content_type =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_supported =
        content_type.starts_with("application/json") || content_type.starts_with("multipart/form-data; boundary=");
    let content_type = content_type.to_owned();
    let (mut body, files) = parse_request(request).await;
    let fault = shared.api.as_ref().and_then(|api| api.check(&method, &body, &files).err());
    let fault = fault.or((!is_supported).then(|| format!("content type {content_type}")));
    if let Some(fault) = fault {
        let _ =
            shared.asked.send(RecordedRequest { what: format!("refused {method}"), body: fault.clone().into(), files });
        return refused(400, &fault);
    }
    if let Some(answer) = shared.next_scripted(&method) {
        let _ = shared.asked.send(RecordedRequest { what: method, body, files });
        return play(&answer).await;
    }
    if let Some(response) = shared.refusal(&method, &body, &files) {
        let _ = shared.asked.send(RecordedRequest { what: format!("denied {method}"), body, files });
        return response;
    }
    if ["getupdates", "setwebhook"].contains(&method.as_str()) && body["allowed_updates"].is_array() {
        *shared.allowed_updates.lock().unwrap() = Some(body["allowed_updates"].clone());
    }
    let result = shared.result(&method, &mut body).await;
    let _ = shared.asked.send(RecordedRequest { what: method, body, files });
    match result {
        Ok(result) => axum::Json(json!({ "ok": true, "result": result })).into_response(),
        Err((code, description)) => refused(code, &description),
    }
}

fn refused(code: u16, description: &str) -> Response {
    scripted(&json!({ "ok": false, "error_code": code, "description": description }))
}

/// As [`scripted`]; a stalled request never returns.
async fn play(answer: &Value) -> Response {
    if answer["stall"] == true {
        std::future::pending::<()>().await;
    }
    scripted(answer)
}

/// A scripted answer: `{"html": status}` is a proxy's error page, `{"cut": true}` a connection that breaks,
/// `{"stall": true}` one without a response; all else is the Bot API's JSON.
fn scripted(answer: &Value) -> Response {
    let status = |code: &Value| StatusCode::from_u16(code.as_u64().unwrap() as u16).unwrap();
    if answer["cut"] == true {
        let broken = futures_util::stream::iter([Ok("{"), Err(std::io::Error::other("cut"))]);
        return Body::from_stream(broken).into_response();
    }
    if !answer["html"].is_null() {
        return (status(&answer["html"]), Html("<html>nginx</html>")).into_response();
    }
    let status = if answer["error_code"].is_null() { StatusCode::OK } else { status(&answer["error_code"]) };
    (status, axum::Json(answer.clone())).into_response()
}

impl Shared {
    /// This server's clock, in Unix seconds.
    pub fn now(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        now + self.clock_offset.load(Ordering::Relaxed)
    }

    /// Whether Telegram creates updates of that kind. Kinds that its description does not have are from the future
    /// and come in any case.
    pub fn creates(&self, kind: &str) -> bool {
        let is_known = self.api.as_ref().is_some_and(|api| api.has_field("Update", kind));
        let allowed = self.allowed_updates.lock().unwrap();
        !is_known || allowed.as_ref().is_none_or(|kinds| kinds.as_array().unwrap().contains(&kind.into()))
    }

    fn next_scripted(&self, method: &str) -> Option<Value> {
        self.scripted.lock().unwrap().get_mut(method)?.pop_front()
    }

    fn refusal(&self, method: &str, body: &Value, files: &BTreeMap<String, axum::body::Bytes>) -> Option<Response> {
        let chat = body["chat_id"].as_i64().unwrap_or_default();
        let sends = [
            "sendmessage",
            "sendphoto",
            "sendmediagroup",
            "copymessage",
            "editmessagetext",
            "editmessagemedia",
            "editmessagecaption",
        ];
        if chat > 0
            && (sends.contains(&method) || method == "sendchataction")
            && self.closed_chats.lock().unwrap().contains(&chat)
        {
            return Some(refused(403, "Forbidden: bot can't initiate conversation with a user"));
        }
        if let Err((code, description)) = self.rules.lock().unwrap().check(method, body, files, self.now()) {
            return Some(refused(code, &description));
        }
        if sends.contains(&method) {
            let wait = self.flood.lock().unwrap().as_mut().and_then(|flood| flood.takes(chat).err())?;
            return Some(scripted(&json!({
                "ok": false, "error_code": 429, "description": format!("Too Many Requests: retry after {wait}"),
                "parameters": { "retry_after": wait }
            })));
        }
        None
    }

    async fn result(&self, method: &str, body: &mut Value) -> Result<Value, (u16, String)> {
        let user = |id: i64| json!({ "id": id, "is_bot": id == BOT, "first_name": "Quillon" });
        Ok(match method {
            "getme" => json!({
                "id": BOT, "is_bot": true, "first_name": "Guessing", "username": BOT_NAME, "can_join_groups": true,
                "can_read_all_group_messages": false, "supports_inline_queries": false, "supports_guest_queries": true,
                "can_connect_to_business": false, "has_main_web_app": false
            }),
            "getupdates" if self.webhook.load(Ordering::Relaxed) => {
                let description = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
                return Err((409, description.into()));
            }
            "getupdates" => self.updates(body).await,
            "setwebhook" | "deletewebhook" => {
                self.webhook.store(method == "setwebhook", Ordering::Relaxed);
                true.into()
            }
            "getwebhookinfo" => {
                let url = if self.webhook.load(Ordering::Relaxed) { "https://elsewhere.example/secret" } else { "" };
                json!({ "url": url, "has_custom_certificate": false, "pending_update_count": 0 })
            }
            "getfile" => self.locate_file(body["file_id"].as_str().unwrap_or_default())?,
            "sendmessage" | "sendphoto" | "copymessage" => {
                let id = self.sent.fetch_add(1, Ordering::Relaxed);
                let result = self.rules.lock().unwrap().apply(method, body, id, self.now());
                // For tests, which see only requests.
                body["sent"] = id.into();
                if method == "copymessage" { json!({ "message_id": id }) } else { result }
            }
            "sendmediagroup" => {
                let media = body["media"].as_array().cloned().unwrap_or_default();
                if !(2..=10).contains(&media.len()) {
                    return Err((400, "Bad Request: group of media must contain from 2 to 10 items".into()));
                }
                let first = self.sent.fetch_add(media.len() as i64, Ordering::Relaxed);
                body["sent"] = first.into();
                let mut rules = self.rules.lock().unwrap();
                let mut send = |(id, item): (i64, &Value)| {
                    body["caption"] = item["caption"].clone();
                    rules.apply("sendphoto", body, id, self.now())
                };
                let sent = (first..).zip(&media).map(&mut send).collect();
                body.as_object_mut().unwrap().remove("caption");
                sent
            }
            "answerguestquery" => {
                let id = format!("guest-answer-{}", self.sent.fetch_add(1, Ordering::Relaxed));
                let (text, keyboard) =
                    (&body["result"]["input_message_content"]["message_text"], &body["result"]["reply_markup"]);
                self.rules.lock().unwrap().apply_as_guest(&id, text, keyboard);
                body["sent"] = id.clone().into();
                json!({ "inline_message_id": id })
            }
            "editmessagetext" if body["inline_message_id"].is_string() => {
                let id = body["inline_message_id"].as_str().unwrap();
                self.rules.lock().unwrap().apply_as_guest(id, &body["text"], &body["reply_markup"]);
                true.into()
            }
            "editmessagetext" | "editmessagemedia" | "editmessagecaption" => {
                let id = body["message_id"].as_i64().unwrap_or_default();
                self.rules.lock().unwrap().apply(method, body, id, self.now())
            }
            "deletemessage" => {
                let (chat, id) = (body["chat_id"].as_i64().unwrap(), body["message_id"].as_i64().unwrap());
                self.rules.lock().unwrap().remove(chat, id);
                true.into()
            }
            "getchat" => json!({ "id": body["chat_id"], "type": "supergroup", "title": "A group" }),
            "getchatadministrators" => {
                let admins = self.admins.lock().unwrap().clone();
                admins.into_iter().map(|id| json!({ "user": user(id), "status": "administrator" })).collect()
            }
            "getchatmember" => {
                let person = body["user_id"].as_i64().unwrap_or_default();
                let admin = self.admins.lock().unwrap().contains(&person);
                json!({ "user": user(person), "status": if admin { "creator" } else { "member" }, "is_anonymous": false })
            }
            _ => true.into(),
        })
    }

    fn locate_file(&self, file: &str) -> Result<Value, (u16, String)> {
        let path = match &*self.folder.lock().unwrap() {
            Some(folder) => folder.join(file).to_str().unwrap().to_owned(),
            None if self.files.size(file).is_some_and(|bytes| bytes > LARGEST_FILE) => {
                return Err((400, "Bad Request: file is too big".into()));
            }
            None => format!("photos/{file}"),
        };
        Ok(json!({ "file_id": file, "file_unique_id": file, "file_path": path }))
    }

    /// The updates from the offset on, after dropping those below it; waits while there are none.
    async fn updates(&self, body: &Value) -> Value {
        let offset = body["offset"].as_i64().unwrap_or(0);
        let limit = body["limit"].as_u64().map_or(100, |limit| limit as usize);
        let hold = Duration::from_secs(body["timeout"].as_u64().unwrap_or(0));
        let poll = async {
            loop {
                let notified = self.new_updates.notified();
                let mut notified = std::pin::pin!(notified);
                notified.as_mut().enable();
                {
                    let mut updates = self.updates.lock().unwrap();
                    updates.retain(|update| update["update_id"].as_i64() >= Some(offset));
                    if !updates.is_empty() {
                        return updates.iter().take(limit).cloned().collect();
                    }
                }
                notified.await;
            }
        };
        tokio::time::timeout(hold, poll).await.unwrap_or_else(|_| json!([]))
    }
}
