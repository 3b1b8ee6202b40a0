//! The bot's requests to Discord's REST interface: messages, answers to interactions, commands.
//!
//! Owns the requests' form. [`transport`](super::transport) sends them, [`body`](super::body) is what
//! is said in them and [`refusals`](super::refusals) what their refusals mean.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serenity::all::{ApplicationId, ChannelId, GuildId, InteractionId, MessageId, UserId};
use url::Url;

use super::body::Body;
use super::incoming::{IncomingMessage, id};
use super::limiter::Route;
pub(super) use super::refusals::RestError;
pub(super) use super::transport::AGENT;
use super::transport::{Request, Transport};
use crate::bot::jobs::EXPIRES_AFTER;
use crate::platform::refusal::REPLY_DEADLINE;

/// How long the first answer to an interaction is repeated, and the longest that one attempt may take:
/// after three seconds it is refused.
const FIRST_ANSWER: Duration = Duration::from_millis(2500);
const FIRST_ANSWER_ATTEMPT: Duration = Duration::from_millis(1500);
/// The longest that a look-up of the gateway may take.
const LOOK_UP: Duration = Duration::from_secs(15);

/// What an interaction is answered with: within three seconds at its own address, later under its
/// token, for a quarter of an hour.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub id: InteractionId,
    pub application: ApplicationId,
    pub token: String,
    /// When it came, in Unix seconds of this machine's clock.
    pub received: u64,
}

impl Ticket {
    pub(super) fn new(id: InteractionId, application: ApplicationId, token: String) -> Self {
        Self { id, application, token, received: unix_now() }
    }

    pub(super) fn age(&self) -> Duration {
        Duration::from_secs(unix_now().saturating_sub(self.received))
    }

    /// How long an answer under the token is repeated.
    fn within(&self) -> Duration {
        EXPIRES_AFTER.saturating_sub(self.age()).min(REPLY_DEADLINE)
    }
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

/// A message of the bot's, as Discord holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Posted {
    pub id: MessageId,
    /// What people read of it.
    pub text: String,
}

/// A channel, as far as anybody asks.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    /// Discord's number of its kind.
    pub kind: u64,
    /// The channel of a thread; the category of any other channel.
    pub parent: Option<ChannelId>,
    pub name: String,
}

/// Where the gateway is, and how many sessions may be started there.
#[derive(Debug, Clone)]
pub(super) struct GatewayInfo {
    pub url: Url,
    pub shards: u32,
    pub starts_left: u64,
    /// When there will be more.
    pub starts_reset: Duration,
}

/// The way to Discord's REST interface.
pub(super) struct Rest(Transport);

impl Rest {
    /// `root` is the address below which `/api/v10` lies.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is unusable.
    pub(super) fn new(root: &Url, authorization: HeaderValue) -> Result<Self, reqwest::Error> {
        Transport::new(root, authorization).map(Self)
    }

    /// Where the gateway is. Asked once: the caller decides when to ask again.
    pub(super) async fn gateway(&self) -> Result<GatewayInfo, RestError> {
        let request = Request::new(Method::GET, "/gateway/bot".into(), counted("get gateway", 0));
        let told = self.0.ask(Request { within: Duration::ZERO, attempt: LOOK_UP, ..request }).await?;
        let url: Option<Url> = told["url"].as_str().and_then(|url| url.parse().ok());
        let limit = &told["session_start_limit"];
        Ok(GatewayInfo {
            url: url.filter(|url| matches!(url.scheme(), "ws" | "wss")).ok_or(RestError::Unreadable)?,
            shards: told["shards"].as_u64().and_then(|shards| u32::try_from(shards).ok()).unwrap_or(1),
            // Where nothing is said of a limit there is none.
            starts_left: limit["remaining"].as_u64().unwrap_or(1),
            starts_reset: Duration::from_millis(limit["reset_after"].as_u64().unwrap_or(0)),
        })
    }

    /// Posts a message. `nonce` keeps one that is sent twice from being posted twice.
    pub(super) async fn post(&self, channel: ChannelId, body: &Body, nonce: u64) -> Result<Posted, RestError> {
        let mut json = body.json.clone();
        json["nonce"] = nonce.to_string().into();
        json["enforce_nonce"] = true.into();
        let route = counted("post messages", channel.get());
        let request = Request::new(Method::POST, format!("/channels/{channel}/messages"), route);
        posted(&self.0.ask(Request { body: Some(&json), files: &body.files, ..request }).await?)
    }

    /// Replaces a message of the bot's.
    pub(super) async fn edit(&self, channel: ChannelId, message: MessageId, body: &Body) -> Result<Posted, RestError> {
        let route = counted("patch message", channel.get());
        let request = Request::new(Method::PATCH, message_path(channel, message), route);
        posted(&self.0.ask(Request { body: Some(&body.json), files: &body.files, ..request }).await?)
    }

    pub(super) async fn delete(&self, channel: ChannelId, message: MessageId) -> Result<(), RestError> {
        let route = counted("delete message", channel.get());
        self.0.ask(Request::new(Method::DELETE, message_path(channel, message), route)).await.map(drop)
    }

    /// A message as it stands now, with fresh links.
    pub(super) async fn message(&self, channel: ChannelId, message: MessageId) -> Result<IncomingMessage, RestError> {
        let route = counted("get message", channel.get());
        let told = self.0.ask(Request::new(Method::GET, message_path(channel, message), route)).await?;
        IncomingMessage::of(&told).ok_or(RestError::Unreadable)
    }

    /// A fresh link to an attachment whose link has expired.
    pub(super) async fn refreshed(&self, link: &Url) -> Result<Option<Url>, RestError> {
        let body = json!({ "attachment_urls": [link] });
        let request = Request::new(Method::POST, "/attachments/refresh-urls".into(), counted("refresh links", 0));
        let told = self.0.ask(Request { body: Some(&body), ..request }).await?;
        Ok(told["refreshed_urls"][0]["refreshed"].as_str().and_then(|url| url.parse().ok()))
    }

    /// What kind of channel it is, and below which one it lies.
    pub(super) async fn channel(&self, channel: ChannelId) -> Result<Channel, RestError> {
        let route = counted("get channel", channel.get());
        let told = self.0.ask(Request::new(Method::GET, format!("/channels/{channel}"), route)).await?;
        Ok(Channel {
            kind: told["type"].as_u64().unwrap_or(0),
            parent: id(&told["parent_id"]).map(ChannelId::new),
            name: told["name"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// Who owns a server.
    pub(super) async fn owner(&self, guild: GuildId) -> Result<UserId, RestError> {
        let request = Request::new(Method::GET, format!("/guilds/{guild}"), counted("get guild", guild.get()));
        let told = self.0.ask(request).await?;
        id(&told["owner_id"]).map(UserId::new).ok_or(RestError::Unreadable)
    }

    /// The channel of direct messages to somebody.
    pub(super) async fn direct_channel(&self, to: UserId) -> Result<ChannelId, RestError> {
        let body = json!({ "recipient_id": to });
        let request = Request::new(Method::POST, "/users/@me/channels".into(), counted("open direct channel", 0));
        let told = self.0.ask(Request { body: Some(&body), ..request }).await?;
        id(&told["id"]).map(ChannelId::new).ok_or(RestError::Unreadable)
    }

    /// Shows for a few seconds that the bot is at it; left out when there is more to do.
    pub(super) async fn typing(&self, channel: ChannelId) {
        let route = counted("typing", channel.get());
        self.0.ask_idly(Request::new(Method::POST, format!("/channels/{channel}/typing"), route)).await;
    }

    /// Answers an interaction for the first time.
    pub(super) async fn respond(&self, to: &Ticket, how: Callback, body: Option<&Body>) -> Result<(), RestError> {
        let mut json = json!({ "type": how as u8 });
        if let Some(body) = body {
            json["data"] = body.json.clone();
        }
        let path = format!("/interactions/{}/{}/callback", to.id, to.token);
        let request = Request::new(Method::POST, path, uncounted("respond", to));
        let (within, attempt) = (FIRST_ANSWER, FIRST_ANSWER_ATTEMPT);
        match self.0.ask(Request { body: Some(&json), within, attempt, ..request }).await {
            // An attempt whose own answer got lost had arrived.
            Err(error) if error.is_acknowledged() => Ok(()),
            answered => answered.map(drop),
        }
    }

    /// Replaces the answer to a command, or the message whose button was pressed.
    pub(super) async fn edit_original(&self, of: &Ticket, body: &Body) -> Result<Posted, RestError> {
        let request = Request::new(Method::PATCH, original(of), uncounted("patch original", of));
        let within = of.within();
        posted(&self.0.ask(Request { body: Some(&body.json), files: &body.files, within, ..request }).await?)
    }

    pub(super) async fn delete_original(&self, of: &Ticket) -> Result<(), RestError> {
        let request = Request::new(Method::DELETE, original(of), uncounted("delete original", of));
        self.0.ask(Request { within: of.within(), ..request }).await.map(drop)
    }

    /// One more message about an interaction. Sent again even when nobody knows whether it arrived:
    /// it takes no nonce, and to read something twice is better than to wait for nothing.
    pub(super) async fn follow_up(&self, on: &Ticket, body: &Body) -> Result<Posted, RestError> {
        let path = format!("/webhooks/{}/{}", on.application, on.token);
        let request = Request::new(Method::POST, path, uncounted("follow up", on));
        let within = on.within();
        posted(&self.0.ask(Request { body: Some(&body.json), files: &body.files, within, ..request }).await?)
    }

    /// The commands that Discord knows of this bot.
    pub(super) async fn commands(&self, application: ApplicationId) -> Result<Value, RestError> {
        let path = format!("/applications/{application}/commands?with_localizations=true");
        self.0.ask(Request::new(Method::GET, path, counted("get commands", application.get()))).await
    }

    pub(super) async fn set_commands(&self, application: ApplicationId, commands: &Value) -> Result<(), RestError> {
        let path = format!("/applications/{application}/commands");
        let request = Request::new(Method::PUT, path, counted("put commands", application.get()));
        self.0.ask(Request { body: Some(commands), ..request }).await.map(drop)
    }
}

fn counted(kind: &'static str, about: u64) -> Route {
    Route { kind, about, counted: true }
}

fn uncounted(kind: &'static str, on: &Ticket) -> Route {
    Route { kind, about: on.id.get(), counted: false }
}

fn message_path(channel: ChannelId, message: MessageId) -> String {
    format!("/channels/{channel}/messages/{message}")
}

fn original(of: &Ticket) -> String {
    format!("/webhooks/{}/{}/messages/@original", of.application, of.token)
}

/// A message that was posted or edited.
fn posted(told: &Value) -> Result<Posted, RestError> {
    let id = id(&told["id"]).map(MessageId::new).ok_or(RestError::Unreadable)?;
    Ok(Posted { id, text: super::body::words(told).to_owned() })
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
