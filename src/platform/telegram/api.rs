//! The way to the Bot API: one request, and its answer as JSON or why there is none.
//!
//! teloxide's payloads say what each method takes. They are sent by this file and not by teloxide,
//! because teloxide parses answers into types that know the Bot API of its own release: what is
//! newer vanishes there. It also waits ten seconds after every server error and does not show the
//! status, the `Date` or the `Retry-After` of an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::multipart::{Form, Part};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use teloxide::requests::Payload;
use url::Url;

use super::refusals::refusal;
use crate::photo::cause;
use crate::platform::refusal::{Backoff, Refusal};

/// Where a request says that its picture is to be found: the part that [`Request::picture`] adds.
pub(super) const PICTURE: &str = "attach://picture";
const PICTURE_PART: &str = "picture";
/// The longest that one attempt may take: without a picture, with one, and of those that are repeated
/// within a limit this part of it, so that a server which accepts and never answers costs no reply.
const ATTEMPT: Duration = Duration::from_secs(20);
const UPLOAD: Duration = Duration::from_secs(60);
const ATTEMPTS_WITHIN: u32 = 4;
/// No `Date` has come yet.
const NEVER: i64 = i64::MIN;

/// Why a request brought no result. No variant holds the address, which contains the token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    /// The Bot API refused it.
    Refused { code: u16, description: String, retry_after: Option<Duration>, moved_to: Option<i64> },
    /// Something that is not the Bot API answered.
    Garbled { status: u16, retry_after: Option<Duration> },
    /// There was no answer.
    Network { reason: String },
}

impl Fault {
    /// The number that the chat has now, if that is why the request was refused.
    pub(super) fn moved_to(&self) -> Option<i64> {
        match self {
            Self::Refused { moved_to, .. } => *moved_to,
            _ => None,
        }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    method: &'static str,
    fields: Map<String, Value>,
    picture: Option<Bytes>,
    attempt: Duration,
}

impl Request {
    /// The request that a payload of teloxide's describes.
    pub(super) fn of<P: Payload + Serialize>(payload: &P) -> Self {
        // Payloads are structs of strings, numbers and the like, which always become an object.
        let fields = match serde_json::to_value(payload) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self { method: P::NAME, fields, picture: None, attempt: ATTEMPT }
    }

    /// With a field that teloxide's release does not know.
    pub(super) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.into(), value.into());
        self
    }

    /// With the JPEG that [`PICTURE`] stands for.
    pub(super) fn picture(mut self, jpeg: Bytes) -> Self {
        self.picture = Some(jpeg);
        self.within(UPLOAD)
    }

    /// Given up after so long.
    pub(super) fn within(mut self, attempt: Duration) -> Self {
        self.attempt = attempt;
        self
    }

    fn form(&self, jpeg: &Bytes) -> Form {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fields = self.fields.iter().fold(Form::new(), |form, (name, value)| form.text(name.clone(), text(value)));
        let part = Part::stream(jpeg.clone()).file_name("faces.jpg");
        fields.part(PICTURE_PART, part.mime_str("image/jpeg").unwrap_or_else(|_| Part::stream(jpeg.clone())))
    }
}

/// The Bot API of one bot.
#[derive(Clone)]
pub(super) struct Api(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    base: Url,
    token: SecretString,
    /// What Telegram's clock showed in its latest answer, in Unix seconds.
    clock: AtomicI64,
}

impl Api {
    pub(super) fn new(client: reqwest::Client, base: Url, token: SecretString) -> Self {
        Self(Arc::new(Inner { client, base, token, clock: AtomicI64::new(NEVER) }))
    }

    /// Sends a payload once.
    pub(super) async fn call<P: Payload + Serialize>(&self, payload: &P) -> Result<Value, Fault> {
        self.send(&Request::of(payload)).await
    }

    /// Sends a payload, again for as long as `limit` while the refusal may pass.
    pub(super) async fn call_within<P: Payload + Serialize>(
        &self,
        payload: &P,
        limit: Duration,
    ) -> Result<Value, Fault> {
        let request = Request::of(payload).within(ATTEMPT.min(limit / ATTEMPTS_WITHIN));
        let mut backoff = Backoff::within(limit);
        loop {
            let fault = match self.send(&request).await {
                Ok(result) => return Ok(result),
                Err(fault) => fault,
            };
            match refusal(&fault) {
                Refusal::Wait { after } if backoff.pause(after).await => {}
                _ => return Err(fault),
            }
        }
    }

    /// Sends a request once.
    pub(super) async fn send(&self, request: &Request) -> Result<Value, Fault> {
        let inner = &*self.0;
        let url = below(&inner.base, &format!("bot{}/{}", inner.token.expose_secret(), documented(request.method)));
        let post = inner.client.post(url).timeout(request.attempt);
        let post = match &request.picture {
            Some(jpeg) => post.multipart(request.form(jpeg)),
            None => post.json(&request.fields),
        };
        let response = post.send().await.map_err(network)?;
        let (status, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
        if let Some(date) = date(response.headers()) {
            inner.clock.store(date, Ordering::Relaxed);
        }
        let body = response.bytes().await.map_err(network)?;
        answer(&body, status, retry_after)
    }

    /// What Telegram's clock showed in its latest answer, in Unix seconds; `None` when no answer said.
    pub(super) fn clock(&self) -> Option<i64> {
        Some(self.0.clock.load(Ordering::Relaxed)).filter(|clock| *clock != NEVER)
    }
}

/// A method's name as the Bot API's documents have it: Telegram takes every spelling, what stands in
/// its place may not.
fn documented(method: &str) -> String {
    let (first, rest) = method.split_at(method.len().min(1));
    first.to_lowercase() + rest
}

/// An address below another one, whatever path that has.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let before = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{before}/{path}"));
    url
}

fn answer(body: &[u8], status: u16, retry_after: Option<Duration>) -> Result<Value, Fault> {
    let garbled = Fault::Garbled { status, retry_after };
    let mut answer: Value = serde_json::from_slice(body).map_err(|_| garbled.clone())?;
    match answer["ok"].as_bool() {
        Some(true) => Ok(answer["result"].take()),
        Some(false) => {
            let code = answer["error_code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(status);
            let parameters = &answer["parameters"];
            Err(Fault::Refused {
                code,
                description: answer["description"].as_str().unwrap_or_default().to_owned(),
                retry_after: parameters["retry_after"].as_u64().map(Duration::from_secs).or(retry_after),
                moved_to: parameters["migrate_to_chat_id"].as_i64(),
            })
        }
        None => Err(garbled),
    }
}

fn network(error: reqwest::Error) -> Fault {
    Fault::Network { reason: cause(&error.without_url()) }
}

fn date(headers: &HeaderMap) -> Option<i64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_the_bot_apis_is_none() {
        for body in ["", "<html>Bad Gateway</html>", "[]", "{\"error\": \"no\"}", "{\"ok\": 1}"] {
            let fault = answer(body.as_bytes(), 502, None).unwrap_err();
            assert_eq!(fault, Fault::Garbled { status: 502, retry_after: None }, "{body}");
        }
        assert_eq!(answer(br#"{"ok": true, "result": 7}"#, 200, None), Ok(7.into()));
    }

    #[test]
    fn a_base_keeps_its_path() {
        let base = Url::parse("https://bots.example/telegram/").unwrap();
        assert_eq!(below(&base, "bot1:x/getMe").as_str(), "https://bots.example/telegram/bot1:x/getMe");
    }
}
