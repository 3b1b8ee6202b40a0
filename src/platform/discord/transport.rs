//! How a request reaches Discord: with the headers that Discord asks for, at the
//! [`limiter`](super::limiter)'s pace, again where that may help and within a deadline.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::body::Upload;
use super::limiter::{Limiter, Route};
use super::refusals::RestError;
use crate::platform::refusal::{Backoff, REPLY_DEADLINE, Refusal};

/// Discord asks every client for this form and may refuse all others:
/// <https://discord.com/developers/docs/reference#user-agent>. The address stands for the program's
/// page: it has none of its own, and `.example` leads nowhere else.
pub(super) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("DiscordBot (https://faceguesser.example, ", env!("CARGO_PKG_VERSION"), ")"));
/// The longest one attempt may take, and one that uploads pictures.
const ATTEMPT: Duration = Duration::from_secs(20);
const UPLOAD: Duration = Duration::from_secs(60);

/// The way to Discord's REST interface.
pub(super) struct Transport {
    client: Client,
    /// Everything below it is a path of version 10.
    base: String,
    authorization: HeaderValue,
    limiter: Limiter,
}

/// One request.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub method: Method,
    pub path: String,
    pub route: Route,
    pub body: Option<&'a Value>,
    pub files: &'a [Upload],
    /// How long it is repeated after its first failure.
    pub within: Duration,
    /// The longest that one attempt may take.
    pub attempt: Duration,
}

impl Request<'_> {
    pub(super) fn new(method: Method, path: String, route: Route) -> Self {
        Self { method, path, route, body: None, files: &[], within: REPLY_DEADLINE, attempt: ATTEMPT }
    }
}

impl Transport {
    /// `root` is the address below which `/api/v10` lies.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is unusable.
    pub(super) fn new(root: &Url, authorization: HeaderValue) -> Result<Self, reqwest::Error> {
        let headers = HeaderMap::from_iter([(reqwest::header::USER_AGENT, AGENT)]);
        // A redirect could carry what is posted elsewhere; Discord has none.
        let client = Client::builder().default_headers(headers).redirect(Policy::none()).build()?;
        let base = format!("{}/api/v10", root.as_str().trim_end_matches('/'));
        Ok(Self { client, base, authorization, limiter: Limiter::default() })
    }

    /// Sends a request when its turn comes, again where that may help.
    ///
    /// # Errors
    /// The last failure.
    pub(super) async fn ask(&self, request: Request<'_>) -> Result<Value, RestError> {
        let mut repeated: Option<(Backoff, Instant)> = None;
        loop {
            let error = match self.once(&request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let (backoff, until) =
                repeated.get_or_insert_with(|| (Backoff::within(request.within), Instant::now() + request.within));
            let again = match &error {
                // The limiter waits before the next attempt.
                RestError::Refused { status: StatusCode::TOO_MANY_REQUESTS, after, .. } => {
                    Instant::now() + after.unwrap_or_default() < *until
                }
                error => match error.refusal() {
                    Refusal::Wait { after } if error.may_pass() => backoff.pause(after).await,
                    _ => false,
                },
            };
            if !again {
                return Err(error);
            }
        }
    }

    /// Sends a request that nobody would miss, unless there is more to do.
    pub(super) async fn ask_idly(&self, request: Request<'_>) {
        let Some(mut turn) = self.limiter.idle_turn(request.route) else { return };
        turn.clear().await;
        if let Ok(answer) = self.built(&request).send().await {
            turn.note(answer.status(), answer.headers(), None);
        }
    }

    async fn once(&self, request: &Request<'_>) -> Result<Value, RestError> {
        let mut turn = self.limiter.turn(request.route).await;
        turn.clear().await;
        let answer = self.built(request).send().await.map_err(RestError::unreachable)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await;
        if status.is_success() {
            turn.note(status, &headers, None);
            // An answer that breaks off may be had again: what was posted is not posted twice.
            let body = body.map_err(RestError::unreachable)?;
            let empty = body.is_empty() || status == StatusCode::NO_CONTENT;
            return if empty { Ok(Value::Null) } else { read(&body) };
        }
        let body = body.unwrap_or_default();
        let told: Value = read(&body).unwrap_or_default();
        let after = turn.note(status, &headers, told["retry_after"].as_f64());
        if status == StatusCode::FORBIDDEN && body.trim_ascii_start().starts_with(b"<") {
            // A page is what stands before Discord, which knows nothing of channels.
            return Err(RestError::Unreadable);
        }
        Err(RestError::refused(status, &told, after))
    }

    fn built(&self, request: &Request<'_>) -> reqwest::RequestBuilder {
        let address = format!("{}{}", self.base, request.path);
        let attempt = if request.files.is_empty() { request.attempt } else { UPLOAD };
        let mut built = self.client.request(request.method.clone(), address).timeout(attempt);
        // The token in the path of an interaction's answer is all that it needs.
        if request.route.counted {
            built = built.header(AUTHORIZATION, self.authorization.clone());
        }
        let Some(json) = request.body else { return built };
        if request.files.is_empty() {
            return built.header(CONTENT_TYPE, "application/json").body(json.to_string());
        }
        let mut form = Form::new().part("payload_json", json_part(json));
        for (index, Upload { name, jpeg }) in request.files.iter().enumerate() {
            form = form.part(format!("files[{index}]"), jpeg_part(jpeg.clone()).file_name(name.clone()));
        }
        built.multipart(form)
    }
}

fn json_part(json: &Value) -> Part {
    typed(Part::text(json.to_string()), "application/json")
}

fn jpeg_part(jpeg: Bytes) -> Part {
    let length = jpeg.len() as u64;
    typed(Part::stream_with_length(jpeg, length), "image/jpeg")
}

fn typed(part: Part, kind: &'static str) -> Part {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
    part.headers(headers)
}

fn read(body: &[u8]) -> Result<Value, RestError> {
    serde_json::from_slice(body).map_err(|_| RestError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_has_the_form_that_discord_asks_for() {
        let agent = AGENT;
        let (name, rest) = agent.to_str().unwrap().split_once(" (").unwrap();
        let (url, version) = rest.trim_end_matches(')').split_once(", ").unwrap();
        assert_eq!((name, version), ("DiscordBot", env!("CARGO_PKG_VERSION")));
        assert!(url.parse::<Url>().is_ok_and(|url| url.scheme() == "https"));
    }
}
