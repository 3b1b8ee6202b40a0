//! The Discord bot, with its own gateway connection and REST client.
//!
//! - Events: [`gateway`] receives them and [`handler`] dispatches them. [`messages`], [`interactions`]
//!   (commands) and [`components`] (buttons) answer them; [`deferred`] answers interactions about photos.
//! - Input: [`incoming`] parses messages, [`requester`] the user of an interaction, [`photos`] the links.
//! - Output: [`payload`] formats an answer and [`delivery`] sends it, through the endpoints in [`rest`],
//!   the client in [`transport`] and its [`limiter`]; [`refusals`] classifies error responses.
//! - Pending requests: [`jobs`] defines how they are stored, [`resume`] answers them after a restart.
//! - [`queued`] hands photos to workers, and answers them as one.
//! - [`commands`] defines the application commands, [`probe`] asks about the bot before it runs.
//!
//! serenity provides the id types. Its own client is not used: it logs frames that it cannot parse,
//! ignores fields of messages that it does not know, and restarts a refused session every five seconds.

mod commands;
mod components;
mod deferred;
mod delivery;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gateway;
mod handler;
mod incoming;
mod interactions;
mod jobs;
mod limiter;
mod messages;
mod payload;
mod photos;
pub mod probe;
mod queued;
mod refusals;
mod requester;
mod rest;
mod resume;
mod transport;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
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
use crate::bot::jobs::Work;
use crate::config::{Config, DISCORD_API_BASE, ShardRange};
use crate::download::{AllowedOrigins, cause};
use handler::Handler;
use transport::RestClient;

/// Discord's own domains.
const DISCORD_DOMAINS: [&str; 3] = ["discord.gg", "discord.com", "discord.media"];

/// The settings of the Discord bot.
#[derive(Debug, Clone)]
pub struct DiscordOptions {
    token: SecretString,
    /// Channels with automatic replies to every photo.
    channels: Vec<ChannelId>,
    /// Whether the operator enabled the privileged message content intent.
    message_content: bool,
    /// The address of the API, without `/api/v10`.
    api: Url,
    /// The same, if it is a proxy or stand-in rather than Discord.
    api_base: Option<Url>,
    /// Replaces the gateway's address that the API returns.
    gateway: Option<Url>,
    /// The shards that this process holds, if not all.
    shards: Option<ShardRange>,
    /// The hosts of attachments.
    file_hosts: Vec<Url>,
    /// How long unfinished replies may take at shutdown.
    grace: Duration,
}

impl DiscordOptions {
    /// `None` when no token is configured, which disables the bot.
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
            shards: discord.shards,
            file_hosts: discord.file_hosts.clone(),
            grace: config.inference.grace,
        })
    }

    /// The hosts from which attachments may be fetched: the configured ones and, if there is one, the
    /// proxy or stand-in for Discord's API.
    fn hosts(&self) -> AllowedOrigins {
        let hosts = AllowedOrigins::from_urls(&self.file_hosts);
        if let Some(base) = &self.api_base { hosts.with_any_port_of(base) } else { hosts }
    }

    /// Whether messages that are not addressed to the bot arrive with their pictures.
    fn sees_messages(&self) -> bool {
        self.message_content || !self.channels.is_empty()
    }

    /// Direct messages, mentions and commands include attachments without a privileged intent; only
    /// automatic replies need the content of all messages.
    fn intents(&self) -> GatewayIntents {
        let intents = GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES;
        if self.sees_messages() { intents | GatewayIntents::MESSAGE_CONTENT } else { intents }
    }

    /// The token without the `Bot` prefix of the `Authorization` header.
    fn bare_token(&self) -> &str {
        self.token.expose_secret().trim().trim_start_matches("Bot ").trim()
    }

    /// Whether a session may be resumed at the address from its READY event: never with a configured
    /// gateway, and not at Discord itself when a proxy or stand-in is configured.
    fn may_resume_at(&self, address: &Url) -> bool {
        let is_discord = address
            .domain()
            .is_some_and(|host| DISCORD_DOMAINS.iter().any(|own| host == *own || host.ends_with(&format!(".{own}"))));
        self.gateway.is_none() && (self.api_base.is_none() || !is_discord)
    }

    fn rest_client(&self, peers: Arc<AtomicU32>) -> Result<RestClient, DiscordError> {
        let mut authorization =
            HeaderValue::try_from(format!("Bot {}", self.bare_token())).map_err(|_| DiscordError::InvalidToken)?;
        authorization.set_sensitive(true);
        RestClient::new(&self.api, authorization, peers).map_err(|error| DiscordError::Client(cause(&error)))
    }
}

/// The address without `/api/v10`, which operators may include.
fn root(base: &Url) -> Url {
    let path = base.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/v10").or_else(|| path.strip_suffix("/api")).unwrap_or(path);
    let mut root = base.clone();
    root.set_path(path);
    root
}

/// Why the Discord bot cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum DiscordError {
    /// The token is refused (HTTP status 401, close code 4004) or cannot be written in a header.
    #[error(
        "Discord refuses the token: copy a new token from the developer portal (Bot, Reset Token) into \
         FACEGUESSER__DISCORD__TOKEN"
    )]
    InvalidToken,
    /// The message content intent is not enabled for this bot (close code 4014).
    #[error(
        "Discord refuses the message content intent that discord.channels and discord.message_content need: enable \
         it in the developer portal (Bot, Privileged Gateway Intents), or remove these two settings"
    )]
    DisallowedIntents,
    /// The number of the shard or of all shards is refused (close code 4010).
    #[error(
        "Discord's gateway refuses this bot's shard (close code 4010): start the bot again, which asks Discord for \
         the number of shards"
    )]
    InvalidShard,
    /// The bot is in too many servers for its number of shards (close code 4011).
    #[error(
        "Discord's gateway requires more shards (close code 4011), because this bot is in more servers now: start it \
         again, which asks Discord for the number of shards"
    )]
    ShardingRequired,
    /// The API version is no longer supported (close code 4012).
    #[error(
        "Discord's gateway no longer supports API version 10 (close code 4012): a newer version of this bot is needed"
    )]
    InvalidVersion,
    /// The combination of intents is not valid (close code 4013).
    #[error(
        "Discord's gateway does not support the intents that this bot requests (close code 4013): a newer version of \
         this bot is needed"
    )]
    InvalidIntents,
    /// The HTTP client could not be created; contains the cause.
    #[error("Discord: TLS cannot be set up on this machine: {0}")]
    Client(String),
}

/// Runs the Discord bot until `shutdown`, then closes the gateway connection and finishes pending replies; a
/// worker answers only the jobs that gateways stored.
///
/// # Errors
/// [`DiscordError`] when retrying would not help; temporary errors are retried.
pub async fn run(
    options: DiscordOptions,
    bot: Arc<Bot>,
    work: Work,
    shutdown: CancellationToken,
) -> Result<(), DiscordError> {
    let tasks = TaskTracker::new();
    let rest = Arc::new(options.rest_client(bot.peers())?);
    let handler = Arc::new(Handler::new(bot, rest, &options, tasks.clone()));
    let result = match work {
        Work::Updates => gateway::serve(&options, &handler, &shutdown).await,
        Work::Jobs(jobs) => {
            handler.answer_jobs(jobs, &shutdown).await;
            Ok(())
        }
    };
    tasks.close();
    if timeout(options.grace, tasks.wait()).await.is_err() {
        warn!(left = tasks.len(), "stopped before every reply on Discord was finished");
    }
    result
}
