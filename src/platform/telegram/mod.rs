//! The Telegram bot: long polling, or a webhook.
//!
//! Owns the connection, from the first request to the last reply at shutdown. [`api`] sends requests
//! and [`refusals`] says what refusals mean; [`polling`] and [`webhook`] are the ways in for updates.
//! [`incoming`] reads them, [`request`] tells what a message asks for, [`album`] collects the photos
//! that belong together. [`chat`] answers all that, [`photos`] photos and [`buttons`] presses of
//! buttons; [`files`] finds the photos and [`answered`] keeps from answering twice. [`delivery`] sends
//! replies, at the [`pace`] that Telegram allows, [`edits`] changes them and [`notices`] helps where
//! the bot may not write. [`menu`] is what people are offered.

mod album;
mod answered;
mod api;
mod buttons;
mod chat;
mod delivery;
mod edits;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod incoming;
mod menu;
mod notices;
mod pace;
mod photos;
mod polling;
mod refusals;
mod request;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use teloxide::payloads::GetMe;
use teloxide::requests::Payload;
use teloxide::types::AllowedUpdate;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use url::Url;

use crate::bot::Bot;
use crate::config::Config;
use crate::platform::refusal::Refusal;
use api::Api;
use chat::Chat;
use refusals::{Meaning, refusal};
use webhook::WebhookOptions;

/// Pauses after a failure: the first, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The updates that mean anything here.
const UPDATES: [AllowedUpdate; 5] = [
    AllowedUpdate::Message,
    AllowedUpdate::EditedMessage,
    AllowedUpdate::ChannelPost,
    AllowedUpdate::EditedChannelPost,
    AllowedUpdate::CallbackQuery,
];

/// What the Telegram bot needs to know.
#[derive(Debug, Clone)]
pub struct TelegramOptions {
    token: SecretString,
    api_base: Url,
    file_base: Url,
    /// The folder in which a self-hosted server leaves files.
    local_files: Option<PathBuf>,
    /// The longest that a photo may take to be fetched.
    download_timeout: Duration,
    /// `None`: updates are polled.
    webhook: Option<WebhookOptions>,
    /// How long replies under way may take at shutdown.
    grace: Duration,
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

    fn api(&self) -> Result<Api, TelegramError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("faceguesser/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| TelegramError::Client)?;
        Ok(Api::new(client, self.api_base.clone(), self.token.clone()))
    }
}

/// The bot itself.
#[derive(Debug, Clone, Default)]
struct Me {
    id: i64,
    username: String,
    /// Whether it gets all messages of groups.
    can_read_all: bool,
}

/// Why the Telegram bot stopped for good. No variant holds the token.
#[derive(Debug, thiserror::Error)]
pub enum TelegramError {
    #[error("Telegram refuses the token: copy it anew from @BotFather (/mybots) into FACEGUESSER__TELEGRAM__TOKEN")]
    InvalidToken,
    #[error("no HTTP client could be set up: the TLS set-up of this machine is unusable")]
    Client,
    #[error("the webhook cannot listen on {address}: choose another address with telegram.webhook_listen")]
    Listen { address: SocketAddr, source: std::io::Error },
}

/// Serves Telegram until `shutdown`, then finishes the replies under way.
///
/// # Errors
/// [`TelegramError`] when waiting would not help; what may pass is tried again.
pub async fn run(options: TelegramOptions, bot: Arc<Bot>, shutdown: CancellationToken) -> Result<(), TelegramError> {
    let api = options.api()?;
    let replies = TaskTracker::new();
    let served = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        me = introduce(&api) => match me {
            Ok(me) => {
                let menus = tokio::spawn(register_menus(api.clone(), shutdown.clone()));
                let chat = Arc::new(Chat::new(api, me, bot, &options, &replies));
                chat.resume().await;
                let served = match &options.webhook {
                    Some(webhook) => webhook::serve(&chat, webhook, &shutdown).await,
                    None => polling::poll(&chat, &shutdown).await,
                };
                menus.abort();
                served
            }
            Err(error) => Err(error),
        },
    };
    replies.close();
    if timeout(options.grace, replies.wait()).await.is_err() {
        warn!(left = replies.len(), "stopped before every reply on Telegram was finished");
    }
    served
}

/// Beside everything else: it takes a while, and nobody waits for it.
async fn register_menus(api: Api, shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = menu::register(&api) => {}
    }
}

/// Learns the bot's own name.
async fn introduce(api: &Api) -> Result<Me, TelegramError> {
    let me = persistently(api, &GetMe::new()).await?;
    info!("Telegram is connected");
    let me = Me {
        id: me["id"].as_i64().unwrap_or_default(),
        username: me["username"].as_str().unwrap_or_default().to_owned(),
        can_read_all: me["can_read_all_group_messages"].as_bool().unwrap_or(false),
    };
    if !me.can_read_all {
        info!("in groups Telegram's privacy mode shows the bot commands and replies to it alone; /auto needs more");
    }
    Ok(me)
}

/// Tries again, with growing pauses, until Telegram answers or refuses the token.
async fn persistently<P: Payload + Serialize>(api: &Api, payload: &P) -> Result<Value, TelegramError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match api.call(payload).await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.meaning() == Meaning::BadToken => return Err(TelegramError::InvalidToken),
            Err(error) => error,
        };
        let wait = match refusal(&error) {
            Refusal::Wait { after: Some(after) } => after,
            _ => pause,
        };
        let (method, pause_s) = (P::NAME, wait.as_secs());
        warn!(method, %error, pause_s, "Telegram did not answer as hoped, trying again");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
