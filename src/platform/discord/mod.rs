//! The Discord bot: the gateway through serenity, requests through a REST client of its own.
//!
//! Owns the connection, from the first request to the last reply at shutdown. [`handler`] takes
//! events and hands them to [`messages`], [`interactions`] (commands) and [`components`]
//! (buttons); [`guest`] tells who asks and [`photos`] about what; [`body`] dresses answers, [`rest`]
//! sends them at the [`limiter`]'s pace, [`memory`] holds what later events need; [`commands`] is
//! what Discord is told about them.

mod body;
mod commands;
mod components;
mod guest;
mod handler;
mod interactions;
mod limiter;
mod memory;
mod messages;
mod photos;
mod rest;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serenity::all::{ChannelId, Client, ClientBuilder, GatewayError, GatewayIntents, Http, HttpBuilder, HttpError};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use url::Url;

use crate::bot::Bot;
use crate::config::{Config, DISCORD_API_BASE};
use crate::photo::Hosts;
use handler::Handler;
use rest::Rest;

/// The longest one REST request may take, an annotated picture's upload included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Pauses between attempts to reach Discord: the first, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What the Discord bot needs to know.
#[derive(Debug, Clone)]
pub struct DiscordOptions {
    token: SecretString,
    /// Channels in which every picture is answered.
    channels: Vec<ChannelId>,
    /// Whether the host allows the bot the privileged message content intent.
    message_content: bool,
    /// Where the API lives.
    api: Url,
    /// The same, if it is a stand-in or proxy in place of Discord's own.
    api_base: Option<Url>,
    gateway: Option<Url>,
    file_hosts: Vec<Url>,
    /// How long replies under way may take at shutdown.
    grace: Duration,
}

impl DiscordOptions {
    /// `None` when no token is configured: then the bot is off.
    pub fn new(config: &Config) -> Option<Self> {
        let discord = &config.discord;
        let default = DISCORD_API_BASE.parse().ok()?;
        Some(Self {
            token: discord.token.clone()?,
            channels: discord.channels.iter().filter(|id| **id != 0).map(|id| ChannelId::new(*id)).collect(),
            message_content: discord.message_content,
            api: root(&discord.api_base),
            api_base: Some(root(&discord.api_base)).filter(|base| base.as_str() != root(&default).as_str()),
            gateway: discord.gateway.clone(),
            file_hosts: discord.file_hosts.clone(),
            grace: config.inference.grace,
        })
    }

    /// Where attachments may be fetched from: the configured hosts and, where a stand-in takes
    /// the place of Discord's API, that stand-in.
    fn hosts(&self) -> Hosts {
        let hosts = Hosts::of(&self.file_hosts);
        if let Some(base) = &self.api_base { hosts.and_host_of(base) } else { hosts }
    }

    /// Whether messages that do not speak to the bot arrive with their pictures.
    fn sees_messages(&self) -> bool {
        self.message_content || !self.channels.is_empty()
    }

    /// Attachments arrive without a privilege in direct messages, with mentions and with
    /// commands; only automatic replies need the content of messages at large.
    fn intents(&self) -> GatewayIntents {
        let intents = GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES;
        if self.sees_messages() { intents | GatewayIntents::MESSAGE_CONTENT } else { intents }
    }

    fn client(&self) -> Result<reqwest::Client, DiscordError> {
        let client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build();
        Ok(client.map_err(serenity::Error::from)?)
    }

    /// The way to the gateway's address; all other requests go through [`Rest`].
    fn http(&self) -> Result<Http, DiscordError> {
        let http = HttpBuilder::new(self.token.expose_secret()).client(self.client()?);
        Ok(match &self.api_base {
            // serenity honours a proxy only while its own rate limiter is off.
            Some(base) => http.proxy(base.as_str().trim_end_matches('/')).ratelimiter_disabled(true).build(),
            None => http.build(),
        })
    }

    fn rest(&self) -> Result<Rest, DiscordError> {
        let token = self.token.expose_secret().trim().trim_start_matches("Bot ");
        let mut authorization =
            HeaderValue::try_from(format!("Bot {token}")).map_err(|_| DiscordError::InvalidToken)?;
        authorization.set_sensitive(true);
        Ok(Rest::new(self.client()?, &self.api, authorization))
    }
}

/// The address below which `/api/v10` lies, which people also write with it.
fn root(base: &Url) -> Url {
    let path = base.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/v10").or_else(|| path.strip_suffix("/api")).unwrap_or(path);
    let mut root = base.clone();
    root.set_path(path);
    root
}

/// Why the Discord bot stopped for good.
#[derive(Debug, thiserror::Error)]
pub enum DiscordError {
    #[error(
        "Discord refuses the token: copy the bot's token anew from the developer portal (Bot, Reset Token) into \
         FACEGUESSER__DISCORD__TOKEN"
    )]
    InvalidToken,
    #[error(
        "Discord refuses the message content intent that discord.channels and discord.message_content need: switch \
         it on in the developer portal (Bot, Privileged Gateway Intents), or leave these two settings out"
    )]
    DisallowedIntents,
    #[error("Discord: {0}")]
    Client(Box<serenity::Error>),
}

impl From<serenity::Error> for DiscordError {
    fn from(error: serenity::Error) -> Self {
        Self::Client(Box::new(error))
    }
}

/// Serves Discord until `shutdown`, then closes the gateway and finishes the replies under way.
///
/// # Errors
/// [`DiscordError`] when waiting would not help; what may pass is tried again.
pub async fn run(options: DiscordOptions, bot: Arc<Bot>, shutdown: CancellationToken) -> Result<(), DiscordError> {
    let replies = TaskTracker::new();
    let served = serve(&options, bot, &replies, &shutdown).await;
    replies.close();
    if timeout(options.grace, replies.wait()).await.is_err() {
        warn!(left = replies.len(), "stopped before every reply on Discord was finished");
    }
    served
}

async fn serve(
    options: &DiscordOptions,
    bot: Arc<Bot>,
    replies: &TaskTracker,
    shutdown: &CancellationToken,
) -> Result<(), DiscordError> {
    let (mut client, shards) = tokio::select! {
        connected = connect(options, bot, replies) => connected?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let manager = client.shard_manager.clone();
    tokio::select! {
        served = client.start_shards(shards) => served.map_err(told),
        () = shutdown.cancelled() => {
            manager.shutdown_all().await;
            Ok(())
        }
    }
}

/// A client that knows its gateway, and how many shards Discord wants.
async fn connect(
    options: &DiscordOptions,
    bot: Arc<Bot>,
    replies: &TaskTracker,
) -> Result<(Client, u32), DiscordError> {
    let http = options.http()?;
    let shards = recommended_shards(&http).await?;
    let handler = Handler::new(bot, options.rest()?, options, replies.clone());
    let client = ClientBuilder::new_with_http(http, options.intents()).event_handler(handler).await?;
    if let Some(gateway) = &options.gateway {
        gateway.as_str().clone_into(&mut *client.ws_url.lock().await);
    }
    Ok((client, shards))
}

/// Asks how many shards Discord wants, again and again until it answers or refuses.
async fn recommended_shards(http: &Http) -> Result<u32, DiscordError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match http.get_bot_gateway().await.map_err(told) {
            Ok(gateway) => return Ok(gateway.shards),
            Err(DiscordError::Client(error)) => {
                warn!(%error, pause_s = pause.as_secs(), "Discord cannot be reached, trying again");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(refused) => return Err(refused),
        }
    }
}

fn told(error: serenity::Error) -> DiscordError {
    match error {
        serenity::Error::Http(HttpError::UnsuccessfulRequest(response)) if response.status_code == 401 => {
            DiscordError::InvalidToken
        }
        serenity::Error::Gateway(GatewayError::InvalidAuthentication) => DiscordError::InvalidToken,
        serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents) => DiscordError::DisallowedIntents,
        error => error.into(),
    }
}
