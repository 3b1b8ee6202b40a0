//! The bot's requests to Discord's REST interface: messages, answers to interactions, commands.
//!
//! Owns the requests' form, their retries and, through the [`limiter`](super::limiter), their
//! pace. What is said in them is [`body`](super::body)'s.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serenity::all::{ApplicationId, ChannelId, ChannelType, InteractionId, Message, MessageId};
use tokio::time::sleep;
use url::Url;

use super::body::{Body, file_name};
use super::limiter::{Limiter, Route};

/// How often a request is sent before it is given up.
const ATTEMPTS: u32 = 4;
/// The pause after a failure on Discord's side or on the way there; Discord's own waits are longer.
const PAUSE: Duration = Duration::from_millis(500);

/// Why a request came to nothing. Never holds its address, which may contain a token.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestError {
    #[error("Discord cannot be reached: {0}")]
    Unreachable(reqwest::Error),
    #[error("Discord refuses it: {message} (status {status}, code {code})")]
    Refused { status: StatusCode, code: u64, message: String },
    #[error("Discord's answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl RestError {
    /// Whether the bot lacks a permission for it.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::FORBIDDEN, .. })
    }

    /// Whether what it is about is not there, or not to be seen.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }
}

/// What an interaction is answered with: within three seconds at its own address, later under its token.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub id: InteractionId,
    pub application: ApplicationId,
    pub token: String,
}

/// The first answer to an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Callback {
    /// A message.
    Message = 4,
    /// "… is thinking", until the message comes.
    Later = 5,
    /// Nothing to be seen, until something comes.
    Quiet = 6,
    /// Another form of the message whose button was pressed.
    Update = 7,
}

/// Where a channel has its place.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub(super) struct Placed {
    #[serde(rename = "type")]
    pub kind: ChannelType,
    /// The channel of a thread; the category of any other channel.
    #[serde(default)]
    pub parent_id: Option<ChannelId>,
}

/// The way to Discord's REST interface.
pub(super) struct Rest {
    client: Client,
    /// Everything below it is a path of version 10.
    base: String,
    authorization: HeaderValue,
    limiter: Limiter,
}

struct Request<'a> {
    method: Method,
    path: String,
    route: Route,
    body: Option<&'a Value>,
    files: &'a [Bytes],
    /// Whether it may be sent again when nobody knows whether it arrived.
    repeatable: bool,
}

impl Rest {
    /// `root` is the address below which `/api/v10` lies.
    pub(super) fn new(client: Client, root: &Url, authorization: HeaderValue) -> Self {
        let base = format!("{}/api/v10", root.as_str().trim_end_matches('/'));
        Self { client, base, authorization, limiter: Limiter::default() }
    }

    /// Posts a message. `nonce` keeps one that is sent twice from being posted twice.
    pub(super) async fn post(&self, channel: ChannelId, body: &Body, nonce: u64) -> Result<MessageId, RestError> {
        let mut json = body.json.clone();
        json["nonce"] = nonce.to_string().into();
        json["enforce_nonce"] = true.into();
        let route = counted("post messages", channel.get());
        let request = request(Method::POST, format!("/channels/{channel}/messages"), route);
        posted(self.ask(Request { body: Some(&json), files: &body.files, ..request }).await?)
    }

    /// Replaces a message of the bot's.
    pub(super) async fn edit(
        &self,
        channel: ChannelId,
        message: MessageId,
        body: &Body,
    ) -> Result<MessageId, RestError> {
        let route = counted("patch message", channel.get());
        let request = request(Method::PATCH, format!("/channels/{channel}/messages/{message}"), route);
        posted(self.ask(Request { body: Some(&body.json), files: &body.files, ..request }).await?)
    }

    pub(super) async fn delete(&self, channel: ChannelId, message: MessageId) -> Result<(), RestError> {
        let route = counted("delete message", channel.get());
        self.ask(request(Method::DELETE, format!("/channels/{channel}/messages/{message}"), route)).await.map(drop)
    }

    /// A message as it stands now, with fresh links.
    pub(super) async fn message(&self, channel: ChannelId, message: MessageId) -> Result<Message, RestError> {
        let route = counted("get message", channel.get());
        read(self.ask(request(Method::GET, format!("/channels/{channel}/messages/{message}"), route)).await?)
    }

    /// What kind of channel it is, and below which one it lies.
    pub(super) async fn channel(&self, channel: ChannelId) -> Result<Placed, RestError> {
        let route = counted("get channel", channel.get());
        read(self.ask(request(Method::GET, format!("/channels/{channel}"), route)).await?)
    }

    /// Shows for a few seconds that the bot is at it; left out when there is more to do.
    pub(super) async fn typing(&self, channel: ChannelId) {
        let route = counted("typing", channel.get());
        let Some(mut turn) = self.limiter.idle_turn(route) else { return };
        turn.clear().await;
        let sent = self.built(&request(Method::POST, format!("/channels/{channel}/typing"), route)).send().await;
        // Nobody misses it.
        if let Ok(answer) = sent {
            turn.note(answer.status(), answer.headers());
        }
    }

    /// Answers an interaction for the first time.
    pub(super) async fn respond(&self, to: &Ticket, how: Callback, body: Option<&Body>) -> Result<(), RestError> {
        let mut json = json!({ "type": how as u8 });
        if let Some(body) = body {
            json["data"] = body.json.clone();
        }
        let path = format!("/interactions/{}/{}/callback", to.id, to.token);
        let request = request(Method::POST, path, uncounted("respond", to));
        self.ask(Request { body: Some(&json), repeatable: false, ..request }).await.map(drop)
    }

    /// Replaces the answer to a command, or the message whose button was pressed.
    pub(super) async fn edit_original(&self, of: &Ticket, body: &Body) -> Result<MessageId, RestError> {
        let request = request(Method::PATCH, original(of), uncounted("patch original", of));
        posted(self.ask(Request { body: Some(&body.json), files: &body.files, ..request }).await?)
    }

    pub(super) async fn delete_original(&self, of: &Ticket) -> Result<(), RestError> {
        self.ask(request(Method::DELETE, original(of), uncounted("delete original", of))).await.map(drop)
    }

    /// One more message about an interaction.
    pub(super) async fn follow_up(&self, on: &Ticket, body: &Body) -> Result<MessageId, RestError> {
        let path = format!("/webhooks/{}/{}", on.application, on.token);
        let request = request(Method::POST, path, uncounted("follow up", on));
        let request = Request { body: Some(&body.json), files: &body.files, repeatable: false, ..request };
        posted(self.ask(request).await?)
    }

    /// The commands that Discord knows of this bot.
    pub(super) async fn commands(&self, application: ApplicationId) -> Result<Value, RestError> {
        let path = format!("/applications/{application}/commands?with_localizations=true");
        self.ask(request(Method::GET, path, counted("get commands", application.get()))).await
    }

    pub(super) async fn set_commands(&self, application: ApplicationId, commands: &Value) -> Result<(), RestError> {
        let path = format!("/applications/{application}/commands");
        let request = request(Method::PUT, path, counted("put commands", application.get()));
        self.ask(Request { body: Some(commands), ..request }).await.map(drop)
    }

    /// Sends a request when its turn comes, again where that may help.
    async fn ask(&self, request: Request<'_>) -> Result<Value, RestError> {
        let mut turn = self.limiter.turn(request.route).await;
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            turn.clear().await;
            let error = match self.built(&request).send().await {
                Ok(answer) => {
                    let status = answer.status();
                    turn.note(status, answer.headers());
                    let text = answer.bytes().await.unwrap_or_default();
                    if status.is_success() {
                        return if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&text)?) };
                    }
                    let told: Value = serde_json::from_slice(&text).unwrap_or_default();
                    let message = told["message"].as_str().unwrap_or("no reason given").to_owned();
                    RestError::Refused { status, code: told["code"].as_u64().unwrap_or(0), message }
                }
                Err(error) => RestError::Unreachable(error.without_url()),
            };
            let again = match &error {
                // The limiter waits before the next attempt.
                RestError::Refused { status: StatusCode::TOO_MANY_REQUESTS, .. } => true,
                RestError::Refused { status, .. } if status.is_server_error() => request.repeatable,
                RestError::Unreachable(error) => request.repeatable || error.is_connect(),
                _ => false,
            };
            if !again || left == 0 {
                return Err(error);
            }
            if !matches!(error, RestError::Refused { status: StatusCode::TOO_MANY_REQUESTS, .. }) {
                sleep(PAUSE).await;
            }
        }
    }

    fn built(&self, request: &Request<'_>) -> reqwest::RequestBuilder {
        let address = format!("{}{}", self.base, request.path);
        let mut built = self.client.request(request.method.clone(), address);
        // The token in the path of an interaction's answer is all that it needs.
        if request.route.counted {
            built = built.header(AUTHORIZATION, self.authorization.clone());
        }
        let Some(json) = request.body else { return built };
        if request.files.is_empty() {
            return built.header(CONTENT_TYPE, "application/json").body(json.to_string());
        }
        let mut form = Form::new().text("payload_json", json.to_string());
        for (index, jpeg) in request.files.iter().enumerate() {
            let part = Part::stream_with_length(jpeg.clone(), jpeg.len() as u64).file_name(file_name(index));
            form = form.part(format!("files[{index}]"), part);
        }
        built.multipart(form)
    }
}

fn request<'a>(method: Method, path: String, route: Route) -> Request<'a> {
    Request { method, path, route, body: None, files: &[], repeatable: true }
}

fn counted(kind: &'static str, about: u64) -> Route {
    Route { kind, about, counted: true }
}

fn uncounted(kind: &'static str, on: &Ticket) -> Route {
    Route { kind, about: on.id.get(), counted: false }
}

fn original(of: &Ticket) -> String {
    format!("/webhooks/{}/{}/messages/@original", of.application, of.token)
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, RestError> {
    Ok(serde_json::from_value(answer)?)
}

/// The number of a message that was posted.
fn posted(mut answer: Value) -> Result<MessageId, RestError> {
    read(answer["id"].take())
}
