//! The Discord bot: a connection to the gateway and a REST client, both of its own.
//!
//! [`gateway`] keeps the connection and hands events to the [`handler`], which gives them to
//! [`messages`], [`interactions`] (commands) and [`components`] (buttons); what takes a photo is done
//! as one of the [`errands`]. [`incoming`] reads what people post, [`guest`] tells who asks and
//! [`photos`] about what. [`body`] is an answer's form and [`delivery`] its way, which [`rest`] and
//! [`transport`] take at the [`limiter`]'s pace; [`refusals`] is what Discord's refusals mean.
//! [`memory`] holds what later events need; [`commands`] is what Discord is told about them.
//!
//! serenity gives the numbers their types. Its own client is not used: it prints frames that it cannot
//! read, drops what it does not know of a message, and starts a refused session every five seconds.

mod body;
mod commands;
mod components;
mod delivery;
mod errands;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gateway;
mod guest;
mod handler;
mod incoming;
mod interactions;
mod limiter;
mod messages;
mod photos;
mod refusals;
mod rest;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serenity::all::{ChannelId, GatewayIntents};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use url::Url;

use crate::bot::Bot;
use crate::config::{Config, DISCORD_API_BASE};
use crate::photo::{Hosts, cause};
use handler::Handler;
use rest::Rest;

/// Domains that are Discord's own.
const DISCORD_DOMAINS: [&str; 3] = ["discord.gg", "discord.com", "discord.media"];

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

    /// The token without the word that goes before it in requests.
    fn bare_token(&self) -> &str {
        self.token.expose_secret().trim().trim_start_matches("Bot ").trim()
    }

    /// Whether a session may be resumed at the address that its READY named: never past a configured
    /// gateway, and not on Discord itself where something else stands in its place.
    fn may_resume_at(&self, address: &Url) -> bool {
        let discords = address
            .domain()
            .is_some_and(|host| DISCORD_DOMAINS.iter().any(|own| host == *own || host.ends_with(&format!(".{own}"))));
        self.gateway.is_none() && (self.api_base.is_none() || !discords)
    }

    fn rest(&self) -> Result<Rest, DiscordError> {
        let mut authorization =
            HeaderValue::try_from(format!("Bot {}", self.bare_token())).map_err(|_| DiscordError::InvalidToken)?;
        authorization.set_sensitive(true);
        Rest::new(&self.api, authorization).map_err(|error| DiscordError::Client(cause(&error)))
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
    #[error(
        "Discord's gateway refuses this bot's division into shards (close code 4010): start the bot again, which asks \
         Discord for a new one"
    )]
    InvalidShard,
    #[error(
        "Discord's gateway wants this bot divided into more shards (close code 4011), because it is in more servers \
         now: start it again, which asks Discord how many"
    )]
    ShardingRequired,
    #[error("Discord's gateway no longer speaks version 10 (close code 4012): a newer version of this bot is needed")]
    InvalidVersion,
    #[error(
        "Discord's gateway does not know the intents that this bot asks for (close code 4013): a newer version of this bot is needed"
    )]
    InvalidIntents,
    #[error("Discord: no secure connection can be set up on this machine: {0}")]
    Client(String),
}

/// Serves Discord until `shutdown`, then closes the gateway and finishes the replies under way.
///
/// # Errors
/// [`DiscordError`] when waiting would not help; what may pass is tried again.
pub async fn run(options: DiscordOptions, bot: Arc<Bot>, shutdown: CancellationToken) -> Result<(), DiscordError> {
    let replies = TaskTracker::new();
    let rest = Arc::new(options.rest()?);
    let handler = Arc::new(Handler::new(bot, rest, &options, replies.clone()));
    let served = gateway::serve(&options, &handler, &shutdown).await;
    replies.close();
    if timeout(options.grace, replies.wait()).await.is_err() {
        warn!(left = replies.len(), "stopped before every reply on Discord was finished");
    }
    served
}
