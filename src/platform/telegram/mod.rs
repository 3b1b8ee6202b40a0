//! The Telegram bot, with long polling or a webhook.
//!
//! Owns the connection from the first request to the last reply at shutdown. The modules, each of
//! which uses only those below it:
//!
//! - [`polling`] and [`webhook`] receive updates.
//! - [`queued`] hands photos to workers, and answers them as one.
//! - [`dispatch`] accepts them and starts tasks: [`photos`], [`guest`], [`commands`] and [`buttons`]. They
//!   share a [`handler`].
//! - [`album`] collects the photos of an album, [`answered`] prevents double answers, [`files`] locates
//!   photos.
//! - [`delivery`] sends replies and handles those that fail, [`notices`] notifies people where the bot
//!   may not write, [`edits`] edits and deletes messages, [`sender`] sends them within the limits of the
//!   [`rate_limiter`], [`form`] renders them as requests.
//! - [`request`] and [`parsing`] interpret messages, [`identity`] and [`destination`] hold who asks and
//!   where the reply goes, [`updates`] and [`incoming`] parse updates and their messages.
//! - [`menu`] registers the command menus, [`retry`] retries requests without a time limit, [`api`] sends
//!   requests, [`refusals`] classifies errors. [`probe`] asks about the bot before it runs.

mod album;
mod answered;
mod api;
mod buttons;
mod commands;
mod delivery;
mod destination;
mod dispatch;
mod edits;
mod error;
mod files;
mod form;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guest;
mod handler;
mod identity;
mod incoming;
mod menu;
mod notices;
mod options;
mod parsing;
mod photos;
mod polling;
pub mod probe;
mod queued;
mod rate_limiter;
mod refusals;
mod request;
mod retry;
mod sender;
mod updates;
mod webhook;

use std::sync::Arc;

use teloxide::payloads::GetMe;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::bot::Bot;
use crate::bot::jobs::Work;
use api::{Api, ApiRequest};
use handler::Handler;
use identity::BotAccount;

pub use error::TelegramError;
pub use options::TelegramOptions;

/// Serves Telegram until `shutdown`, then finishes the replies in progress; a worker answers only the jobs
/// that gateways stored.
///
/// # Errors
/// [`TelegramError`] when a retry would not help; temporary failures are retried.
pub async fn run(
    options: TelegramOptions,
    bot: Arc<Bot>,
    work: Work,
    shutdown: CancellationToken,
) -> Result<(), TelegramError> {
    let api = build_api(&options)?;
    let tasks = TaskTracker::new();
    let result = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        me = fetch_account(&api) => match me {
            Ok(me) => {
                let handler = Arc::new(Handler::new(api, me, bot, &options, &tasks));
                match work {
                    Work::Updates => serve(&handler, &options, &shutdown).await,
                    Work::Jobs(jobs) => {
                        handler.answer_jobs(jobs, &shutdown).await;
                        Ok(())
                    }
                }
            }
            Err(error) => Err(error),
        },
    };
    tasks.close();
    if timeout(options.grace, tasks.wait()).await.is_err() {
        warn!(unfinished = tasks.len(), "stopped before every reply on Telegram was finished");
    }
    result
}

/// Receives updates until `shutdown`.
async fn serve(
    handler: &Arc<Handler>,
    options: &TelegramOptions,
    shutdown: &CancellationToken,
) -> Result<(), TelegramError> {
    let menus = tokio::spawn(register_menus(handler.api().clone(), shutdown.clone()));
    handler.resume().await;
    let result = match &options.webhook {
        Some(webhook) => webhook::serve(handler, webhook, shutdown).await,
        None => polling::poll(handler, shutdown).await,
    };
    menus.abort();
    result
}

fn build_api(options: &TelegramOptions) -> Result<Api, TelegramError> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("faceguesser/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| TelegramError::Client)?;
    Ok(Api::new(client, options.api_base.clone(), options.token.clone()))
}

/// Runs in the background, because it takes a while.
async fn register_menus(api: Api, shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = menu::register(&api) => {}
    }
}

async fn fetch_account(api: &Api) -> Result<BotAccount, TelegramError> {
    let me = retry::send_until_answered(api, &ApiRequest::new(&GetMe::new())).await?;
    info!("connected to Telegram");
    let me = BotAccount::from_json(&me);
    if !me.can_read_all {
        info!(
            "Telegram's privacy mode is on: in groups the bot receives only commands and replies to it; \
             /auto needs the mode to be off or the bot to be an admin"
        );
    }
    if !me.supports_guests {
        info!(
            "Telegram's guest mode is off: people cannot mention the bot in chats that it is not a member of; \
             @BotFather switches it on in the bot's settings"
        );
    }
    Ok(me)
}
