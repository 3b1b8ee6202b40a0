//! Takes the updates that Telegram posts to the bot's own address.
//!
//! A reverse proxy with TLS stands in front: Telegram posts to `https://` alone.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use teloxide::payloads::{SetWebhook, SetWebhookSetters};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use url::Url;

use super::chat::Chat;
use super::{TelegramError, UPDATES, persistently};
use crate::config::Config;
use crate::platform::connections::{self, ConnectionLimits};

/// Bot API, setWebhook.
const SECRET_HEADER: &str = "X-Telegram-Bot-Api-Secret-Token";
/// An update holds a message of 4,096 characters and the one it replies to, and some numbers.
const UPDATE_BYTES: usize = 1 << 20;
/// The longest an update may take to arrive.
const UPDATE_TIME: Duration = Duration::from_secs(10);

/// Where Telegram posts updates, and where they arrive.
#[derive(Debug, Clone)]
pub(super) struct WebhookOptions {
    url: Url,
    listen: SocketAddr,
    secret: SecretString,
}

impl WebhookOptions {
    /// `None` when no address is configured: then updates are polled. Without a configured secret
    /// each start has one of its own.
    pub(super) fn new(config: &Config) -> Option<Self> {
        let telegram = &config.telegram;
        let random = || format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()).into();
        Some(Self {
            url: telegram.webhook_url.clone()?,
            listen: telegram.webhook_listen,
            secret: telegram.webhook_secret.clone().unwrap_or_else(random),
        })
    }
}

struct Door {
    chat: Arc<Chat>,
    path: String,
    secret: SecretString,
}

/// Tells Telegram where to post, and takes updates until `shutdown`. The webhook stays set: what
/// comes in between waits at Telegram for the next start.
pub(super) async fn serve(
    chat: &Arc<Chat>,
    options: &WebhookOptions,
    shutdown: &CancellationToken,
) -> Result<(), TelegramError> {
    let cannot_listen = |source| TelegramError::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(cannot_listen)?;
    let set = SetWebhook::new(options.url.clone()).secret_token(options.secret.expose_secret());
    let set = set.allowed_updates(UPDATES);
    tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        set = persistently(chat.api(), &set) => set?,
    };
    info!(listen = %options.listen, "Telegram posts updates to the webhook");
    let path = options.url.path().to_owned();
    let door = Door { chat: chat.clone(), path, secret: options.secret.clone() };
    let router = Router::new().fallback(take).with_state(Arc::new(door));
    let limits = ConnectionLimits::default();
    tokio::select! {
        () = connections::serve(listener, limits, |_| router.clone(), shutdown) => Ok(()),
        // A connection that never ends its request must not keep the program from stopping.
        () = async { shutdown.cancelled().await; sleep(UPDATE_TIME).await } => Ok(()),
    }
}

/// Telegram counts every answer but a 2xx as a failure and sends the update again, so one that is
/// not understood is taken, too.
async fn take(State(door): State<Arc<Door>>, request: Request<Body>) -> StatusCode {
    if request.uri().path() != door.path {
        return StatusCode::NOT_FOUND;
    }
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    let given = request.headers().get(SECRET_HEADER).map_or(&b""[..], |given| given.as_bytes());
    if !same(given, door.secret.expose_secret().as_bytes()) {
        debug!("a post without the webhook's secret was refused");
        return StatusCode::UNAUTHORIZED;
    }
    let update = match timeout(UPDATE_TIME, to_bytes(request.into_body(), UPDATE_BYTES)).await {
        Err(_) => return StatusCode::REQUEST_TIMEOUT,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE,
        Ok(Ok(update)) => update,
    };
    match serde_json::from_slice::<Value>(&update) {
        // Whether it waited at Telegram is not to be known.
        Ok(update) => take_whole(&door, update).await,
        // The error's own words can quote the update.
        Err(error) => warn!(line = error.line(), column = error.column(), "an update is not understood"),
    }
    StatusCode::OK
}

/// Takes an update even if Telegram hangs up meanwhile, which would end the request's own task.
async fn take_whole(door: &Arc<Door>, update: Value) {
    let chat = door.chat.clone();
    let taken = tokio::spawn(async move { chat.take(&update, false).await }).await;
    if taken.is_err() {
        warn!("an update could not be taken");
    }
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
fn same(given: &[u8], secret: &[u8]) -> bool {
    let differing = given.iter().zip(secret).fold(0, |differing, (one, other)| black_box(differing | (one ^ other)));
    given.len() == secret.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_the_same() {
        assert!(same(b"secret", b"secret"));
        for given in [&b""[..], b"secre", b"secrets", b"Secret", b"secreT"] {
            assert!(!same(given, b"secret"));
        }
    }
}
