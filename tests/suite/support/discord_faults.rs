//! Faults that a test injects into a stand-in Discord, and the requirements on every request.

use std::sync::Mutex;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use super::discord::TOKEN;

/// The page of Discord's documentation that requires a User-Agent.
pub const USER_AGENT_PAGE: &str = "https://discord.com/developers/docs/reference#user-agent";

/// How a request fails.
#[derive(Debug, Clone)]
pub enum Fault {
    /// An error response: the status, Discord's error code, and further fields of the body.
    Refused(u16, u64, Value),
    /// The connection breaks off after `at` bytes of the response's body; the request has been carried out
    /// by then.
    Cut { at: usize },
    /// An HTML page from a proxy in front of Discord.
    Page(u16),
}

impl Fault {
    pub fn status(status: u16) -> Self {
        Self::Refused(status, 0, json!({}))
    }

    pub fn code(status: u16, code: u64) -> Self {
        Self::Refused(status, code, json!({}))
    }

    pub fn response(&self) -> Response {
        match self {
            Self::Refused(status, code, more) => {
                let mut body = json!({ "message": "said by Discord, never to be logged", "code": code });
                body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
                (StatusCode::from_u16(*status).unwrap(), axum::Json(body)).into_response()
            }
            Self::Cut { at } => cut(&[b' '; 1000], *at),
            Self::Page(status) => (StatusCode::from_u16(*status).unwrap(), Html("<!DOCTYPE html>")).into_response(),
        }
    }
}

/// A response that breaks off before the end of its `content-length`.
pub fn cut(whole: &[u8], at: usize) -> Response {
    let start = Ok(axum::body::Bytes::copy_from_slice(&whole[..at.min(whole.len())]));
    let parts = [start, Err(std::io::Error::other("the connection breaks off"))];
    let body = Body::from_stream(futures_util::stream::iter(parts));
    ([("content-length", whole.len().to_string())], body).into_response()
}

/// The faults that are still to be injected.
#[derive(Default)]
pub struct Faults(Mutex<Vec<(String, Fault, usize)>>);

impl Faults {
    pub fn add(&self, start: &str, fault: Fault, times: usize) {
        self.0.lock().unwrap().push((start.to_owned(), fault, times));
    }

    /// Takes the fault of the request described by `what`.
    pub fn next(&self, what: &str) -> Option<Fault> {
        let mut all = self.0.lock().unwrap();
        let (_, fault, left) = all.iter_mut().find(|(start, _, left)| *left > 0 && what.starts_with(start.as_str()))?;
        *left -= 1;
        Some(fault.clone())
    }
}

/// Checks what Discord's documentation requires of every request; the status and message of the first
/// violation.
pub fn violation(method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Option<(StatusCode, String)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !is_agent(text("user-agent").unwrap_or_default()) {
        let message = format!("a User-Agent of the form DiscordBot ($url, $version) is required: {USER_AGENT_PAGE}");
        return Some((StatusCode::FORBIDDEN, message));
    }
    let by_token = path.starts_with("/interactions") || path.starts_with("/webhooks") || path == "/gateway";
    match text("authorization") {
        Some(sent) if sent == format!("Bot {TOKEN}") => {}
        None if by_token => {}
        _ => return Some((StatusCode::UNAUTHORIZED, "401: Unauthorized".into())),
    }
    let kind = text("content-type").unwrap_or_default();
    let message = match (method, body.is_empty()) {
        ("get" | "delete", false) => Some(format!("a {method} request has no body")),
        ("get" | "delete", true) => None,
        (_, true) => None,
        _ if kind.starts_with("multipart/form-data; boundary=") => None,
        _ if kind != "application/json" => Some(format!("a body of the content type {kind:?}")),
        _ => serde_json::from_slice::<Value>(body).err().map(|_| "a body that is not JSON".into()),
    };
    message.map(|message| (StatusCode::BAD_REQUEST, message))
}

/// Whether it has the form `DiscordBot ($url, $version)`, perhaps followed by more.
fn is_agent(agent: &str) -> bool {
    let Some((url, rest)) = agent.strip_prefix("DiscordBot (").and_then(|rest| rest.split_once(", ")) else {
        return false;
    };
    let version = rest.split_once(')').map_or("", |(version, _)| version);
    url.starts_with("http")
        && url.parse::<url::Url>().is_ok()
        && version.starts_with(|first: char| first.is_ascii_digit())
}
