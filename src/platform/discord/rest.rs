//! The endpoints of Discord's REST API that the bot uses: messages, interaction responses, commands,
//! look-ups.
//!
//! [`transport`](super::transport) sends the requests, [`payload`](super::payload) builds their messages
//! and [`refusals`](super::refusals) interprets error responses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serenity::all::{ApplicationId, ChannelId, GuildId, InteractionId, MessageId, UserId};
use url::Url;

use super::incoming::{IncomingMessage, snowflake};
use super::payload::{Payload, displayed_text};
use super::refusals::RestError;
use super::transport::{Request, RestClient};
use crate::bot::jobs::EXPIRES_AFTER;
use crate::platform::refusal::REPLY_DEADLINE;

type Result<T> = std::result::Result<T, RestError>;

/// How long the initial response to an interaction is retried, and the time limit of one attempt:
/// Discord refuses it after three seconds.
const INITIAL_RESPONSE: Duration = Duration::from_millis(2500);
const INITIAL_RESPONSE_TIMEOUT: Duration = Duration::from_millis(1500);
/// The time limit of the gateway look-up.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(15);

/// What is needed to respond to an interaction: within three seconds by its id, then for a quarter of an
/// hour with its token as a webhook token.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct InteractionHandle {
    pub id: InteractionId,
    pub application: ApplicationId,
    pub token: String,
    /// When it arrived, in Unix seconds of this machine's clock.
    pub received: u64,
}

impl InteractionHandle {
    /// The handle of an interaction that has just arrived.
    pub(super) fn new(id: InteractionId, application: ApplicationId, token: String) -> Self {
        Self { id, application, token, received: unix_now() }
    }

    pub(super) fn age(&self) -> Duration {
        Duration::from_secs(unix_now().saturating_sub(self.received))
    }
}

/// The type of an interaction's initial response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallbackType {
    Message = 4,
    /// Shows "… is thinking" until the message comes.
    DeferredMessage = 5,
    /// Shows nothing; a follow-up may come.
    DeferredUpdate = 6,
    /// Edits the message whose button was pressed.
    UpdateMessage = 7,
}

/// A message that the bot posted or edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostedMessage {
    pub id: MessageId,
    /// The text that Discord displays.
    pub text: String,
}

/// The properties of a channel that the bot needs.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    /// Discord's channel type.
    pub kind: u64,
    /// The channel of a thread; the category of any other channel.
    pub parent: Option<ChannelId>,
    pub name: String,
}

/// The gateway's address, and how many sessions may be started there.
#[derive(Debug, Clone)]
pub(super) struct GatewayInfo {
    pub url: Url,
    pub shards: u32,
    pub starts_remaining: u64,
    /// The time until more starts are available.
    pub starts_reset_after: Duration,
}

impl RestClient {
    /// Looks up the gateway. Not retried: the caller decides when to ask again.
    pub(super) async fn fetch_gateway(&self) -> Result<GatewayInfo> {
        let request = Request::new(Method::GET, "/gateway/bot".into(), "get gateway", 0);
        let json = self.send(request.retry_for(Duration::ZERO).timeout(GATEWAY_TIMEOUT)).await?;
        let url: Option<Url> = json["url"].as_str().and_then(|url| url.parse().ok());
        let limit = &json["session_start_limit"];
        Ok(GatewayInfo {
            url: url.filter(|url| matches!(url.scheme(), "ws" | "wss")).ok_or(RestError::Unreadable)?,
            shards: json["shards"].as_u64().and_then(|shards| u32::try_from(shards).ok()).unwrap_or(1),
            // A response without a limit means that there is none.
            starts_remaining: limit["remaining"].as_u64().unwrap_or(1),
            starts_reset_after: Duration::from_millis(limit["reset_after"].as_u64().unwrap_or(0)),
        })
    }

    /// Posts a message. `nonce` prevents a request that is sent twice from posting it twice.
    pub(super) async fn create_message(
        &self,
        channel: ChannelId,
        payload: &Payload,
        nonce: u64,
    ) -> Result<PostedMessage> {
        let mut payload = payload.clone();
        payload.json["nonce"] = nonce.to_string().into();
        payload.json["enforce_nonce"] = true.into();
        let path = format!("/channels/{channel}/messages");
        let request = Request::new(Method::POST, path, "create message", channel.get());
        posted(&self.send(request.payload(&payload)).await?)
    }

    /// Replaces a message of the bot's.
    pub(super) async fn edit_message(
        &self,
        channel: ChannelId,
        message: MessageId,
        payload: &Payload,
    ) -> Result<PostedMessage> {
        let request = message_request(Method::PATCH, "edit message", channel, message);
        posted(&self.send(request.payload(payload)).await?)
    }

    pub(super) async fn delete_message(&self, channel: ChannelId, message: MessageId) -> Result<()> {
        self.send(message_request(Method::DELETE, "delete message", channel, message)).await.map(drop)
    }

    /// A message in its current state, with fresh links.
    pub(super) async fn fetch_message(&self, channel: ChannelId, message: MessageId) -> Result<IncomingMessage> {
        let json = self.send(message_request(Method::GET, "get message", channel, message)).await?;
        IncomingMessage::from_json(&json).ok_or(RestError::Unreadable)
    }

    /// A fresh link to an attachment whose link has expired.
    pub(super) async fn refresh_link(&self, link: &Url) -> Result<Option<Url>> {
        let body = json!({ "attachment_urls": [link] });
        let request = Request::new(Method::POST, "/attachments/refresh-urls".into(), "refresh links", 0);
        let json = self.send(request.json(&body)).await?;
        Ok(json["refreshed_urls"][0]["refreshed"].as_str().and_then(|url| url.parse().ok()))
    }

    pub(super) async fn fetch_channel(&self, channel: ChannelId) -> Result<Channel> {
        let path = format!("/channels/{channel}");
        let json = self.send(Request::new(Method::GET, path, "get channel", channel.get())).await?;
        Ok(Channel {
            kind: json["type"].as_u64().unwrap_or(0),
            parent: snowflake(&json["parent_id"]).map(ChannelId::new),
            name: json["name"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// The owner of a server.
    pub(super) async fn fetch_owner(&self, guild: GuildId) -> Result<UserId> {
        let path = format!("/guilds/{guild}");
        let json = self.send(Request::new(Method::GET, path, "get guild", guild.get())).await?;
        snowflake(&json["owner_id"]).map(UserId::new).ok_or(RestError::Unreadable)
    }

    /// Opens the channel of direct messages to a user.
    pub(super) async fn open_direct_channel(&self, user: UserId) -> Result<ChannelId> {
        let body = json!({ "recipient_id": user });
        let request = Request::new(Method::POST, "/users/@me/channels".into(), "open direct channel", 0);
        let json = self.send(request.json(&body)).await?;
        snowflake(&json["id"]).map(ChannelId::new).ok_or(RestError::Unreadable)
    }

    /// Shows the typing indicator for ten seconds; skipped when the limits leave little room.
    pub(super) async fn trigger_typing(&self, channel: ChannelId) {
        let path = format!("/channels/{channel}/typing");
        self.send_if_idle(Request::new(Method::POST, path, "typing", channel.get())).await;
    }

    /// Sends the initial response to an interaction. `data` is its message.
    pub(super) async fn respond(
        &self,
        handle: &InteractionHandle,
        kind: CallbackType,
        data: Option<&Payload>,
    ) -> Result<()> {
        let mut json = json!({ "type": kind as u8 });
        if let Some(data) = data {
            json["data"] = data.json.clone();
        }
        let InteractionHandle { id, token, .. } = handle;
        let path = format!("/interactions/{id}/{token}/callback");
        let request = Request::new(Method::POST, path, "respond", id.get())
            .without_bot_token()
            .retry_for(INITIAL_RESPONSE)
            .timeout(INITIAL_RESPONSE_TIMEOUT)
            .json(&json);
        match self.send(request).await {
            // An earlier attempt arrived, and only Discord's answer to it was lost.
            Err(error) if error.is_acknowledged() => Ok(()),
            response => response.map(drop),
        }
    }

    /// Edits the response to a command, or the message whose button was pressed.
    pub(super) async fn edit_original_response(
        &self,
        handle: &InteractionHandle,
        payload: &Payload,
    ) -> Result<PostedMessage> {
        let request = webhook_request(Method::PATCH, "edit original response", handle, ORIGINAL);
        posted(&self.send(request.payload(payload)).await?)
    }

    pub(super) async fn delete_original_response(&self, handle: &InteractionHandle) -> Result<()> {
        let request = webhook_request(Method::DELETE, "delete original response", handle, ORIGINAL);
        self.send(request).await.map(drop)
    }

    /// Posts a follow-up message to an interaction. Retried even when an attempt may have arrived: Discord
    /// takes no nonce here, and a duplicate is better than no answer.
    pub(super) async fn create_follow_up(
        &self,
        handle: &InteractionHandle,
        payload: &Payload,
    ) -> Result<PostedMessage> {
        let request = webhook_request(Method::POST, "create follow-up", handle, "");
        posted(&self.send(request.payload(payload)).await?)
    }

    /// The commands that are registered for this bot.
    pub(super) async fn fetch_commands(&self, application: ApplicationId) -> Result<Value> {
        let path = format!("/applications/{application}/commands?with_localizations=true");
        self.send(Request::new(Method::GET, path, "get commands", application.get())).await
    }

    /// Replaces all registered commands.
    pub(super) async fn overwrite_commands(&self, application: ApplicationId, commands: &Value) -> Result<()> {
        let path = format!("/applications/{application}/commands");
        let request = Request::new(Method::PUT, path, "put commands", application.get());
        self.send(request.json(commands)).await.map(drop)
    }
}

fn message_request<'a>(method: Method, endpoint: &'static str, channel: ChannelId, message: MessageId) -> Request<'a> {
    Request::new(method, format!("/channels/{channel}/messages/{message}"), endpoint, channel.get())
}

/// The path of an interaction's original response, below its webhook.
const ORIGINAL: &str = "/messages/@original";

/// A request below the webhook of an interaction, retried for as long as its token is valid.
fn webhook_request<'a>(method: Method, endpoint: &'static str, handle: &InteractionHandle, path: &str) -> Request<'a> {
    let InteractionHandle { id, application, token, .. } = handle;
    let path = format!("/webhooks/{application}/{token}{path}");
    let retry_for = EXPIRES_AFTER.saturating_sub(handle.age()).min(REPLY_DEADLINE);
    Request::new(method, path, endpoint, id.get()).without_bot_token().retry_for(retry_for)
}

fn posted(json: &Value) -> Result<PostedMessage> {
    let id = snowflake(&json["id"]).map(MessageId::new).ok_or(RestError::Unreadable)?;
    Ok(PostedMessage { id, text: displayed_text(json).to_owned() })
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
