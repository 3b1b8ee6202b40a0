//! The Matrix bot, which receives events by long polling (client-server API, `/sync`).
//!
//! Owns the account's connection from the first request to the last reply at shutdown. The modules, each of which uses
//! only those below it:
//!
//! - [`sync`] receives events, in the order of the homeserver.
//! - [`dispatch`] accepts them and starts tasks: [`photos`] and [`commands`]. They share a [`handler`].
//! - [`sender`] sends replies, [`rooms`] asks about rooms, [`progress`] is what the next start has to know.
//! - [`request`] interprets messages, [`incoming`] parses them, [`ids`] turns identifiers into numbers.
//! - [`session`] opens the account, [`api`] sends requests, [`refusals`] classifies errors. [`probe`] asks about the
//!   account before the bot runs.
//!
//! Encrypted rooms are told once that the bot cannot read them; `docs/matrix.md` says why.

mod api;
mod commands;
mod dispatch;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod handler;
mod ids;
mod incoming;
mod options;
mod photos;
pub mod probe;
mod progress;
mod refusals;
mod request;
mod rooms;
mod sender;
mod session;
mod sync;

use std::sync::Arc;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::bot::Bot;
use api::Api;
use handler::Handler;
use progress::Progress;

pub use error::MatrixError;
pub use options::MatrixOptions;

/// Serves Matrix until `shutdown`, then finishes the replies in progress.
///
/// # Errors
/// [`MatrixError`] when a retry would not help; temporary failures are retried.
pub async fn run(options: MatrixOptions, bot: Arc<Bot>, shutdown: CancellationToken) -> Result<(), MatrixError> {
    let api = Api::new(options.homeserver.clone())?;
    let tasks = TaskTracker::new();
    let result = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        me = session::open(&api, &options) => match me {
            Ok(me) => {
                info!("connected to Matrix");
                let progress = Progress::load(&bot, &me.user).await;
                let handler = Arc::new(Handler::new(api, me, bot, progress, &options, &tasks));
                handler.resume().await;
                sync::receive(&handler, &options, &shutdown).await
            }
            Err(error) => Err(error),
        },
    };
    tasks.close();
    if timeout(options.grace, tasks.wait()).await.is_err() {
        warn!(unfinished = tasks.len(), "stopped before every reply on Matrix was finished");
    }
    result
}
