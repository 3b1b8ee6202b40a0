//! The Bot API client: sends one request and returns its result as JSON, or an [`ApiError`].
//!
//! teloxide's payloads define the parameters of each method. This file sends them instead of
//! teloxide, because teloxide parses responses into types that only know the Bot API of its own
//! release: newer fields are lost. It also waits ten seconds after every server error and does not
//! expose a response's status, `Date` or `Retry-After`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::multipart::{Form, Part};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use teloxide::requests::Payload;
use url::Url;

use super::refusals::{ApiError, ErrorKind, refusal};
use crate::bot::people::Platform;
use crate::download::cause;
use crate::observe::health::{Link, health};
use crate::observe::metrics::metrics;
use crate::platform::probe::server_time;
use crate::platform::refusal::{Backoff, Refusal, error_kind};

/// How a request refers to a picture: this, and its index among those that [`ApiRequest::with_pictures`] adds.
pub(super) const PICTURE: &str = "attach://picture";
const PICTURE_PART: &str = "picture";
/// The time limits of one attempt without and with a picture.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Where requests are retried within a limit, one attempt takes at most this fraction of it, so that
/// a server which accepts a connection and never answers leaves time for a retry.
const MIN_ATTEMPTS: u32 = 4;
/// No `Date` has been received yet.
const NO_DATE: i64 = i64::MIN;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct ApiRequest {
    method: &'static str,
    fields: Map<String, Value>,
    pictures: Vec<Bytes>,
    timeout: Duration,
    /// How long Telegram may hold the response back.
    hold: Duration,
}

impl ApiRequest {
    pub(super) fn new<P: Payload + Serialize>(payload: &P) -> Self {
        // Payloads are structs of strings, numbers and the like, which always serialise to an object.
        Self::untyped(P::NAME, serde_json::to_value(payload).unwrap_or_default())
    }

    /// A request of a method, or in a form, that teloxide's release does not know; `fields` is an object.
    pub(super) fn untyped(method: &'static str, fields: Value) -> Self {
        let fields = if let Value::Object(fields) = fields { fields } else { Map::new() };
        Self { method, fields, pictures: Vec::new(), timeout: REQUEST_TIMEOUT, hold: Duration::ZERO }
    }

    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    /// Adds a field that teloxide's release does not know.
    pub(super) fn with_field(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.into(), value.into());
        self
    }

    /// Adds the JPEGs that the request refers to.
    pub(super) fn with_pictures(mut self, jpegs: impl IntoIterator<Item = Bytes>) -> Self {
        self.pictures = jpegs.into_iter().collect();
        self.with_timeout(UPLOAD_TIMEOUT)
    }

    pub(super) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Telegram may hold the response back for `hold`, and has `margin` beyond that.
    pub(super) fn with_poll(self, hold: Duration, margin: Duration) -> Self {
        Self { hold, ..self.with_timeout(hold + margin) }
    }

    fn form(&self) -> Form {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fields = self.fields.iter().fold(Form::new(), |form, (name, value)| form.text(name.clone(), text(value)));
        self.pictures.iter().enumerate().fold(fields, |form, (index, jpeg)| {
            let part = Part::stream(jpeg.clone()).file_name("faces.jpg");
            let part = part.mime_str("image/jpeg").unwrap_or_else(|_| Part::stream(jpeg.clone()));
            form.part(format!("{PICTURE_PART}{index}"), part)
        })
    }
}

/// The Bot API of one bot.
#[derive(Clone)]
pub(super) struct Api(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    base: Url,
    token: SecretString,
    /// The `Date` of the latest response, in Unix seconds.
    server_time: AtomicI64,
    link: Arc<Link>,
}

impl Api {
    pub(super) fn new(client: reqwest::Client, base: Url, token: SecretString) -> Self {
        let link = health().link(Platform::Telegram.name());
        Self(Arc::new(Inner { client, base, token, server_time: AtomicI64::new(NO_DATE), link }))
    }

    /// Sends a payload once.
    pub(super) async fn call<P: Payload + Serialize>(&self, payload: &P) -> Result<Value, ApiError> {
        self.send(&ApiRequest::new(payload)).await
    }

    /// Sends a payload and retries it after transient errors until `limit` has passed.
    pub(super) async fn call_within<P: Payload + Serialize>(
        &self,
        payload: &P,
        limit: Duration,
    ) -> Result<Value, ApiError> {
        let request = ApiRequest::new(payload).with_timeout(REQUEST_TIMEOUT.min(limit / MIN_ATTEMPTS));
        let mut backoff = Backoff::with_limit(limit);
        loop {
            let error = match self.send(&request).await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            match refusal(&error) {
                Refusal::Retry { after } if backoff.pause(after).await => {}
                _ => return Err(error),
            }
        }
    }

    /// Sends a request once.
    pub(super) async fn send(&self, request: &ApiRequest) -> Result<Value, ApiError> {
        let link = &self.0.link;
        link.asked(request.hold);
        let result = self.attempt(request).await;
        if let Err(error) = &result {
            metrics().count_platform_error(Platform::Telegram.name(), error_kind(error.status()));
        }
        match result.as_ref().map_err(ApiError::kind) {
            Err(ErrorKind::InvalidToken) => link.refused("refuses the token"),
            Err(ErrorKind::ConcurrentPolling) => link.refused("refuses polls: another program uses the same token"),
            Err(_) if !matches!(result, Err(ApiError::Refused { code: ..500, .. })) => {
                // Due from now on, not only once it could have been held back.
                link.asked(Duration::ZERO);
            }
            _ => link.answered(),
        }
        result
    }

    async fn attempt(&self, request: &ApiRequest) -> Result<Value, ApiError> {
        let inner = &*self.0;
        let method = lower_camel_case(request.method);
        let url = join_path(&inner.base, &format!("bot{}/{method}", inner.token.expose_secret()));
        let post = inner.client.post(url).timeout(request.timeout);
        let post =
            if request.pictures.is_empty() { post.json(&request.fields) } else { post.multipart(request.form()) };
        let response = post.send().await.map_err(network_error)?;
        let (status, retry_after) = (response.status().as_u16(), parse_retry_after(response.headers()));
        if let Some(date) = parse_date(response.headers()) {
            inner.server_time.store(date, Ordering::Relaxed);
        }
        let body = response.bytes().await.map_err(network_error)?;
        parse_response(&body, status, retry_after)
    }

    /// Telegram's clock as of the latest response, in Unix seconds; `None` when no response had a
    /// `Date`.
    pub(super) fn server_time(&self) -> Option<i64> {
        Some(self.0.server_time.load(Ordering::Relaxed)).filter(|time| *time != NO_DATE)
    }
}

/// A method's name as the Bot API documents it: Telegram ignores case, other implementations may not.
fn lower_camel_case(method: &str) -> String {
    let (first, rest) = method.split_at(method.len().min(1));
    first.to_lowercase() + rest
}

/// Appends `path` to a URL, which may have a path already.
pub(super) fn join_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{prefix}/{path}"));
    url
}

fn parse_response(body: &[u8], status: u16, retry_after: Option<Duration>) -> Result<Value, ApiError> {
    let invalid = ApiError::InvalidResponse { status, retry_after };
    let mut response: Value = serde_json::from_slice(body).map_err(|_| invalid.clone())?;
    match response["ok"].as_bool() {
        Some(true) => Ok(response["result"].take()),
        Some(false) => {
            let code = response["error_code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(status);
            let parameters = &response["parameters"];
            Err(ApiError::Refused {
                code,
                description: response["description"].as_str().unwrap_or_default().to_owned(),
                retry_after: parameters["retry_after"].as_u64().map(Duration::from_secs).or(retry_after),
                migrated_to: parameters["migrate_to_chat_id"].as_i64(),
            })
        }
        None => Err(invalid),
    }
}

fn network_error(error: reqwest::Error) -> ApiError {
    ApiError::Network { reason: cause(&error.without_url()) }
}

fn parse_date(headers: &HeaderMap) -> Option<i64> {
    i64::try_from(server_time(headers)?.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

fn parse_retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_not_the_bot_apis_is_an_invalid_response() {
        for body in ["", "<html>Bad Gateway</html>", "[]", "{\"error\": \"no\"}", "{\"ok\": 1}"] {
            let error = parse_response(body.as_bytes(), 502, None).unwrap_err();
            assert_eq!(error, ApiError::InvalidResponse { status: 502, retry_after: None }, "{body}");
        }
        assert_eq!(parse_response(br#"{"ok": true, "result": 7}"#, 200, None), Ok(7.into()));
    }

    #[test]
    fn a_base_url_keeps_its_path() {
        let base = Url::parse("https://bots.example/telegram/").unwrap();
        assert_eq!(join_path(&base, "bot1:x/getMe").as_str(), "https://bots.example/telegram/bot1:x/getMe");
    }
}
