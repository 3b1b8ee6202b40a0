//! How a request reaches Discord: with the headers that Discord requires, at the
//! [`limiter`](super::limiter)'s pace, retried where that may help, within a deadline.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::limiter::{Limiter, Route};
use super::payload::{Payload, Upload};
use super::refusals::RestError;
use crate::bot::people::Platform;
use crate::observe::metrics::metrics;
use crate::platform::probe;
use crate::platform::refusal::{Backoff, REPLY_DEADLINE, Refusal};

/// Discord requires this form and may reject any other:
/// <https://discord.com/developers/docs/reference#user-agent>. The URL stands for the program's home page,
/// of which there is none; `.example` is reserved and never resolves.
pub(super) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("DiscordBot (https://faceguesser.example, ", env!("CARGO_PKG_VERSION"), ")"));
/// Time limits of one attempt: without files, and with pictures to upload.
const TIMEOUT: Duration = Duration::from_secs(20);
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// A client of Discord's REST API. [`rest`](super::rest) has its endpoints.
pub(super) struct RestClient {
    client: Client,
    /// The URL of version 10, to which paths are appended.
    base: String,
    authorization: HeaderValue,
    limiter: Limiter,
    /// Discord's clock, as of the latest response.
    server_time: Mutex<Option<SystemTime>>,
}

#[derive(Clone)]
pub(super) struct Request<'a> {
    method: Method,
    path: String,
    route: Route,
    json: Option<&'a Value>,
    files: &'a [Upload],
    /// How long it is retried after its first failure.
    retry_for: Duration,
    /// The time limit of one attempt without files.
    timeout: Duration,
}

impl<'a> Request<'a> {
    /// A request with the bot's token. `endpoint` and `major` identify its rate limit: see [`Route`].
    pub(super) fn new(method: Method, path: String, endpoint: &'static str, major: u64) -> Self {
        let route = Route { endpoint, major, bot_token: true };
        Self { method, path, route, json: None, files: &[], retry_for: REPLY_DEADLINE, timeout: TIMEOUT }
    }

    /// For paths that contain an interaction's token, which is all the authorisation they need.
    pub(super) fn without_bot_token(mut self) -> Self {
        self.route.bot_token = false;
        self
    }

    pub(super) fn retry_for(self, retry_for: Duration) -> Self {
        Self { retry_for, ..self }
    }

    pub(super) fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub(super) fn json(self, json: &'a Value) -> Self {
        Self { json: Some(json), ..self }
    }

    pub(super) fn payload(self, Payload { json, files }: &'a Payload) -> Self {
        Self { json: Some(json), files, ..self }
    }
}

impl RestClient {
    /// `root` is the address without `/api/v10`; `peers` is how many processes share the global limit.
    ///
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub(super) fn new(root: &Url, authorization: HeaderValue, peers: Arc<AtomicU32>) -> Result<Self, reqwest::Error> {
        let headers = HeaderMap::from_iter([(reqwest::header::USER_AGENT, USER_AGENT)]);
        // A redirect could send the request's contents elsewhere; Discord uses none.
        let client = Client::builder().default_headers(headers).redirect(Policy::none()).build()?;
        let base = format!("{}/api/v10", root.as_str().trim_end_matches('/'));
        Ok(Self { client, base, authorization, limiter: Limiter::new(peers), server_time: Mutex::default() })
    }

    /// Sends a request when the limits allow it, and retries it where that may help. Returns the
    /// response's JSON, or null for an empty one.
    ///
    /// # Errors
    /// The last failure.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Value, RestError> {
        let mut retries: Option<(Backoff, Instant)> = None;
        loop {
            let error = match self.attempt(&request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            metrics().count_platform_error(Platform::Discord.name(), error.label());
            let (backoff, until) = retries
                .get_or_insert_with(|| (Backoff::with_limit(request.retry_for), Instant::now() + request.retry_for));
            let retry = match &error {
                // The limiter waits before the next attempt.
                RestError::Refused { status: StatusCode::TOO_MANY_REQUESTS, after, .. } => {
                    Instant::now() + after.unwrap_or_default() < *until
                }
                error => match error.refusal() {
                    Refusal::Retry { after } if error.is_retryable() => backoff.pause(after).await,
                    _ => false,
                },
            };
            if !retry {
                return Err(error);
            }
        }
    }

    /// Discord's clock, as of the latest response.
    pub(super) fn server_time(&self) -> Option<SystemTime> {
        *self.server_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request once and ignores failures; skipped when the limits leave little room.
    pub(super) async fn send_if_idle(&self, request: Request<'_>) {
        let Some(mut permit) = self.limiter.acquire_if_idle(request.route).await else { return };
        if let Ok(response) = self.build(&request).send().await {
            permit.record(response.status(), response.headers(), None);
        }
    }

    async fn attempt(&self, request: &Request<'_>) -> Result<Value, RestError> {
        let mut permit = self.limiter.acquire(request.route).await;
        let response = self.build(request).send().await.map_err(RestError::unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        *self.server_time.lock().unwrap_or_else(PoisonError::into_inner) = probe::server_time(&headers);
        let body = response.bytes().await;
        if status.is_success() {
            permit.record(status, &headers, None);
            // A truncated response is requested again; the nonce keeps a message from being posted twice.
            let body = body.map_err(RestError::unreachable)?;
            let empty = body.is_empty() || status == StatusCode::NO_CONTENT;
            return if empty { Ok(Value::Null) } else { parse(&body) };
        }
        let body = body.unwrap_or_default();
        let json: Value = parse(&body).unwrap_or_default();
        let after = permit.record(status, &headers, json["retry_after"].as_f64());
        if status == StatusCode::FORBIDDEN && body.trim_ascii_start().starts_with(b"<") {
            // An HTML page comes from a proxy in front of Discord, which knows nothing of permissions.
            return Err(RestError::Unreadable);
        }
        Err(RestError::refused(status, &json, after))
    }

    fn build(&self, request: &Request<'_>) -> RequestBuilder {
        let url = format!("{}{}", self.base, request.path);
        let timeout = if request.files.is_empty() { request.timeout } else { UPLOAD_TIMEOUT };
        let mut builder = self.client.request(request.method.clone(), url).timeout(timeout);
        if request.route.bot_token {
            builder = builder.header(AUTHORIZATION, self.authorization.clone());
        }
        let Some(json) = request.json else { return builder };
        if request.files.is_empty() {
            return builder.header(CONTENT_TYPE, "application/json").body(json.to_string());
        }
        let json = with_content_type(Part::text(json.to_string()), "application/json");
        let mut form = Form::new().part("payload_json", json);
        for (index, Upload { name, jpeg, .. }) in request.files.iter().enumerate() {
            let part = Part::stream_with_length(jpeg.clone(), jpeg.len() as u64);
            form = form.part(format!("files[{index}]"), with_content_type(part, "image/jpeg").file_name(name.clone()));
        }
        builder.multipart(form)
    }
}

fn with_content_type(part: Part, content_type: &'static str) -> Part {
    part.headers(HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]))
}

fn parse(body: &[u8]) -> Result<Value, RestError> {
    serde_json::from_slice(body).map_err(|_| RestError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_has_the_form_that_discord_requires() {
        let agent = USER_AGENT;
        let (name, rest) = agent.to_str().unwrap().split_once(" (").unwrap();
        let (url, version) = rest.trim_end_matches(')').split_once(", ").unwrap();
        assert_eq!((name, version), ("DiscordBot", env!("CARGO_PKG_VERSION")));
        assert!(url.parse::<Url>().is_ok_and(|url| url.scheme() == "https"));
    }
}
