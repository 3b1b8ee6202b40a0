//! The gateway of a stand-in Discord.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde_json::{Value, json};

use super::discord::{BOT_ID, SESSION, Shared, TOKEN, happened};
use super::inbox::RecordedRequest;

/// The codes of a client's close frame that end its session (Discord's documentation, "Initiating a Disconnect").
const ENDING_CODES: [u16; 2] = [1000, 1001];

/// A test's instruction to the gateway.
#[derive(Clone)]
pub enum Gateway {
    Event(Value),
    /// Closes the socket, with this code.
    Close(u16),
    /// Sends a frame that is not an event.
    Raw(String),
    /// Drops the connection without a close frame.
    Break,
}

/// How the gateway behaves.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// How many IDENTIFYs are answered with an invalid session.
    pub invalid: usize,
    /// How many are answered by closing the connection.
    pub closed: usize,
    /// How many sessions may still be started, and the milliseconds until there are more.
    pub starts: Option<(u64, u64)>,
    /// Whether RESUME finds no session.
    pub forgetful: bool,
    /// How many RESUMEs are not answered.
    pub unanswered: usize,
    /// How many are answered by closing the connection.
    pub unresumed: usize,
}

/// The response to `GET /gateway/bot`.
pub fn gateway_info(shared: &Shared) -> Value {
    let mut script = shared.script.lock().unwrap();
    let (remaining, reset_after) = script.starts.unwrap_or((999, 1000));
    if remaining == 0 {
        // Available again by the next look-up.
        script.starts = None;
    }
    let limit = json!({ "total": 1000, "remaining": remaining, "reset_after": reset_after, "max_concurrency": 1 });
    let url = format!("ws://{}/gateway-socket/", shared.address);
    json!({ "url": url, "shards": 1, "session_start_limit": limit })
}

pub async fn socket(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| serve(shared, socket))
}

/// The state of a connection.
#[derive(Default)]
struct Connection {
    identified: bool,
    /// The sequence number of the last event that was sent over it.
    last: u64,
}

/// Sends the hello, then answers the client and sends what the test dispatches, until either side closes.
async fn serve(shared: Arc<Shared>, mut socket: WebSocket) {
    let text = |value: Value| Message::Text(value.to_string().into());
    let mut events = shared.gateway.subscribe();
    let mut connection = Connection::default();
    if socket.send(text(json!({ "op": 10, "d": { "heartbeat_interval": 300 } }))).await.is_err() {
        return;
    }
    loop {
        let answers = tokio::select! {
            event = events.recv() => match event {
                Ok(Gateway::Event(event)) if connection.identified && event["s"].as_u64() > Some(connection.last) => vec![event],
                Ok(Gateway::Event(_)) => continue,
                Ok(Gateway::Raw(raw)) => {
                    if socket.send(Message::Text(raw.into())).await.is_err() {
                        return;
                    }
                    continue;
                }
                Ok(Gateway::Close(code)) => return close(socket, code).await,
                Ok(Gateway::Break) | Err(_) => return,
            },
            message = socket.recv() => {
                if let Some(Ok(Message::Close(Some(frame)))) = &message && ENDING_CODES.contains(&frame.code) {
                    shared.is_ended.store(true, Ordering::Relaxed);
                }
                let Some(Ok(message)) = message.filter(|message| !matches!(message, Ok(Message::Close(_)))) else {
                    let _ = shared.asked.send(happened("gateway closed".into()));
                    return;
                };
                let Message::Text(message) = message else { continue };
                let message: Value = serde_json::from_str(&message).unwrap();
                match answers(&shared, &message, &mut connection) {
                    Ok((what, answers)) => {
                        let _ = shared.asked.send(RecordedRequest { body: message["d"].clone(), ..happened(what.into()) });
                        answers
                    }
                    Err(code) => {
                        let _ = shared.asked.send(happened(format!("closed with {code}")));
                        return close(socket, code).await;
                    }
                }
            }
        };
        for answer in answers {
            connection.last = connection.last.max(answer["s"].as_u64().unwrap_or(0));
            if socket.send(text(answer)).await.is_err() {
                return;
            }
        }
    }
}

/// Whether RESUME finds no session.
fn is_lost(shared: &Shared) -> bool {
    shared.script.lock().unwrap().forgetful || shared.is_ended.load(Ordering::Relaxed)
}

async fn close(mut socket: WebSocket, code: u16) {
    // The connection may be lost already.
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
}

/// The name of a client's frame and the frames that Discord would answer it with, or the close code.
fn answers(shared: &Shared, message: &Value, connection: &mut Connection) -> Result<(&'static str, Vec<Value>), u16> {
    let data = &message["d"];
    // Here Discord accepts the token with and without the `Bot` prefix.
    let known = data["token"].as_str().is_some_and(|token| token.trim_start_matches("Bot ") == TOKEN);
    match message["op"].as_u64() {
        Some(1) => Ok(("heartbeat", vec![json!({ "op": 11 })])),
        Some(2 | 6) if connection.identified => Err(4005),
        Some(2 | 6) if !known => Err(4004),
        Some(2) => {
            let named = ["os", "browser", "device"].iter().all(|key| data["properties"][*key].is_string());
            if !named || !data["intents"].is_u64() || data["shard"] != json!([0, 1]) {
                return Err(4002);
            }
            let mut script = shared.script.lock().unwrap();
            if script.closed > 0 {
                script.closed -= 1;
                return Err(4000);
            }
            if script.invalid > 0 {
                script.invalid -= 1;
                return Ok(("invalid session", vec![json!({ "op": 9, "d": false })]));
            }
            connection.identified = true;
            shared.is_ended.store(false, Ordering::Relaxed);
            // Earlier events belong to earlier sessions.
            connection.last = shared.sent.lock().unwrap().last().and_then(|event| event["s"].as_u64()).unwrap_or(1);
            let user = json!({ "id": BOT_ID, "username": "bot", "discriminator": "0", "avatar": null, "bot": true });
            let resume = format!("ws://{}/gateway-socket/", shared.address);
            Ok((
                "identify",
                vec![json!({ "op": 0, "t": "READY", "s": 1, "d": {
                "v": 10, "user": user, "guilds": [], "session_id": SESSION, "resume_gateway_url": resume,
                "shard": [0, 1], "application": { "id": BOT_ID, "flags": 0 }
            } })],
            ))
        }
        Some(6) if data["session_id"] != SESSION || is_lost(shared) => {
            Ok(("invalid resume", vec![json!({ "op": 9, "d": false })]))
        }
        Some(6) => {
            let mut script = shared.script.lock().unwrap();
            if script.unresumed > 0 {
                script.unresumed -= 1;
                return Err(4000);
            }
            if script.unanswered > 0 {
                script.unanswered -= 1;
                return Ok(("unanswered", Vec::new()));
            }
            let last = data["seq"].as_u64().unwrap_or(0);
            let mut missed = shared.sent.lock().unwrap().clone();
            connection.identified = true;
            connection.last = missed.last().and_then(|event| event["s"].as_u64()).unwrap_or(1);
            missed.retain(|event| event["s"].as_u64() > Some(last));
            missed.push(json!({ "op": 0, "t": "RESUMED", "s": connection.last, "d": {} }));
            Ok(("resume", missed))
        }
        _ => Err(4001),
    }
}
