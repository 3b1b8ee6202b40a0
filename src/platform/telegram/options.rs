//! The Telegram bot's options, taken from the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::config::Config;

/// The options of the Telegram bot.
#[derive(Debug, Clone)]
pub struct TelegramOptions {
    pub(super) token: SecretString,
    pub(super) api_base: Url,
    pub(super) file_base: Url,
    /// The folder in which a self-hosted Bot API server stores files.
    pub(super) local_files: Option<PathBuf>,
    /// The longest that fetching a photo may take.
    pub(super) download_timeout: Duration,
    /// `None`: updates are polled.
    pub(super) webhook: Option<WebhookOptions>,
    /// How long replies in progress may take at shutdown.
    pub(super) grace: Duration,
}

impl TelegramOptions {
    /// `None` when no token is configured: then the bot is off.
    pub fn new(config: &Config) -> Option<Self> {
        let telegram = &config.telegram;
        Some(Self {
            token: telegram.token.clone()?,
            api_base: telegram.api_base.clone(),
            file_base: telegram.file_base.clone().unwrap_or_else(|| telegram.api_base.clone()),
            local_files: telegram.local_files.clone(),
            download_timeout: config.download_limits().timeout,
            webhook: WebhookOptions::new(config),
            grace: config.inference.grace,
        })
    }
}

/// The public URL that Telegram posts updates to, and the address that listens for them.
#[derive(Debug, Clone)]
pub(super) struct WebhookOptions {
    pub(super) url: Url,
    pub(super) listen: SocketAddr,
    pub(super) secret: SecretString,
}

impl WebhookOptions {
    /// `None` when no URL is configured: then updates are polled. Without a configured secret each
    /// start generates one.
    fn new(config: &Config) -> Option<Self> {
        let telegram = &config.telegram;
        let random = || format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()).into();
        Some(Self {
            url: telegram.webhook_url.clone()?,
            listen: telegram.webhook_listen,
            secret: telegram.webhook_secret.clone().unwrap_or_else(random),
        })
    }
}
