//! The Telegram bot: long polling through teloxide, or a webhook.
//!
//! Owns the connection, from the first request to the last reply at shutdown. [`album`] collects
//! the photos that belong together, [`request`] tells what a message asks for, [`chat`] answers it
//! and [`buttons`] presses of buttons; [`answered`] keeps from answering twice. [`delivery`] sends
//! and edits, at the [`pace`] that Telegram allows. [`menu`] is what people are offered,
//! [`webhook`] the other way in for updates.

mod album;
mod answered;
mod buttons;
mod chat;
mod delivery;
mod menu;
mod pace;
mod request;
mod webhook;

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use teloxide::requests::Requester;
use teloxide::types::{AllowedUpdate, Me, Update};
use teloxide::{ApiError, RequestError};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use url::Url;

use crate::bot::Bot;
use crate::config::Config;
use chat::Chat;
use delivery::told;
use webhook::WebhookOptions;

/// How long Telegram may hold a poll while there is nothing new.
const POLL: Duration = Duration::from_secs(25);
/// The longest one request may take, a poll or an annotated picture's upload included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
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
            webhook: WebhookOptions::new(config),
            grace: config.inference.grace,
        })
    }

    fn client(&self) -> Result<teloxide::Bot, TelegramError> {
        let client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build().map_err(|_| TelegramError::Client)?;
        Ok(teloxide::Bot::with_client(self.token.expose_secret(), client).set_api_url(self.api_base.clone()))
    }
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
    let api = options.client()?;
    let replies = TaskTracker::new();
    let served = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        me = introduce(&api) => match me {
            Ok(me) => {
                let menus = tokio::spawn(register_menus(api.clone(), shutdown.clone()));
                let chat = Arc::new(Chat::new(api, me, bot, &options));
                let served = match &options.webhook {
                    Some(webhook) => webhook::serve(chat, webhook, &replies, &shutdown).await,
                    None => poll(chat, &replies, &shutdown).await,
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
async fn register_menus(api: teloxide::Bot, shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = menu::register(&api) => {}
    }
}

/// Learns the bot's own name.
async fn introduce(api: &teloxide::Bot) -> Result<Me, TelegramError> {
    let me = persistently("getMe", || api.get_me().into_future()).await?;
    info!("Telegram is connected");
    if !me.can_read_all_group_messages {
        info!("in groups Telegram's privacy mode shows the bot commands and replies to it alone; /auto needs more");
    }
    Ok(me)
}

/// Takes updates and answers each in a task of its own, until `shutdown`.
async fn poll(chat: Arc<Chat>, replies: &TaskTracker, shutdown: &CancellationToken) -> Result<(), TelegramError> {
    // Telegram hands out updates one way only: with a webhook set, polling is refused.
    if let Err(error) = chat.api().delete_webhook().await {
        warn!(error = told(&error), "a webhook, if one is set, could not be switched off");
    }
    let mut offset = 0;
    loop {
        let updates = tokio::select! {
            () = shutdown.cancelled() => break,
            updates = persistently("getUpdates", || next(chat.api(), offset, POLL)) => updates?,
        };
        for update in updates {
            // Asking with the next number confirms all updates below it.
            offset = offset.max(i32::try_from(update.id.0).unwrap_or(i32::MAX).saturating_add(1));
            chat.take(update, replies);
        }
    }
    if offset > 0 {
        // Confirms what is being answered, so that the next start does not answer it again.
        let confirmed = timeout(Duration::from_secs(5), next(chat.api(), offset, Duration::ZERO)).await;
        if !matches!(confirmed, Ok(Ok(_))) {
            warn!("the last updates could not be confirmed: Telegram may send them again");
        }
    }
    Ok(())
}

async fn next(api: &teloxide::Bot, offset: i32, poll: Duration) -> Result<Vec<Update>, RequestError> {
    use teloxide::payloads::GetUpdatesSetters;
    // A last look asks for one update alone: it is there to confirm, not to fetch.
    let limit = if poll.is_zero() { 1 } else { 100 };
    api.get_updates().offset(offset).limit(limit).timeout(poll.as_secs() as u32).allowed_updates(UPDATES).await
}

/// Tries again, with growing pauses, until Telegram answers or refuses the token.
async fn persistently<T, F>(method: &str, request: impl Fn() -> F) -> Result<T, TelegramError>
where
    F: Future<Output = Result<T, RequestError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match request().await {
            Ok(answer) => return Ok(answer),
            Err(RequestError::Api(ApiError::InvalidToken)) => return Err(TelegramError::InvalidToken),
            Err(error) => error,
        };
        let wait = if let RequestError::RetryAfter(seconds) = &error { seconds.duration() } else { pause };
        warn!(method, error = told(&error), pause_s = wait.as_secs(), "Telegram did not answer as hoped, trying again");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
