//! Receives the updates that Telegram posts to the bot's webhook.
//!
//! Telegram posts to `https://` alone, so this listener needs a reverse proxy with TLS in front.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use teloxide::payloads::{GetMe, SetWebhook, SetWebhookSetters};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::api::{Api, ApiRequest};
use super::error::TelegramError;
use super::handler::Handler;
use super::options::WebhookOptions;
use super::retry::send_until_answered;
use super::updates::ALLOWED_UPDATES;
use crate::platform::connections::{self, ConnectionLimits};
use crate::platform::secret::constant_time_eq;

/// Bot API, setWebhook.
const SECRET_HEADER: &str = "X-Telegram-Bot-Api-Secret-Token";
/// The largest update. One holds a message of 4,096 characters, the one that it replies to, and
/// metadata.
const MAX_UPDATE_BYTES: usize = 1 << 20;
const PROBE_INTERVAL: Duration = Duration::from_secs(30);
/// The longest that an update may take to arrive.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(10);

struct WebhookState {
    handler: Arc<Handler>,
    path: String,
    secret: SecretString,
}

/// Registers the webhook and handles updates until `shutdown`. The webhook stays set: Telegram queues
/// updates until the next start.
pub(super) async fn serve(
    handler: &Arc<Handler>,
    options: &WebhookOptions,
    shutdown: &CancellationToken,
) -> Result<(), TelegramError> {
    let cannot_listen = |source| TelegramError::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(cannot_listen)?;
    let set_webhook = SetWebhook::new(options.url.clone()).secret_token(options.secret.expose_secret());
    let set_webhook = ApiRequest::new(&set_webhook).with_field("allowed_updates", ALLOWED_UPDATES.as_slice());
    tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        set = send_until_answered(handler.api(), &set_webhook) => set?,
    };
    info!(listen = %options.listen, "the webhook is set");
    let path = options.url.path().to_owned();
    let state = WebhookState { handler: handler.clone(), path, secret: options.secret.clone() };
    let router = Router::new().fallback(receive_update).with_state(Arc::new(state));
    let limits = ConnectionLimits::default();
    tokio::select! {
        () = connections::serve(listener, limits, |_| router.clone(), shutdown) => Ok(()),
        // A connection that never completes its request must not prevent the shutdown.
        () = async { shutdown.cancelled().await; sleep(UPDATE_TIMEOUT).await } => Ok(()),
        () = probe(handler.api()) => Ok(()),
    }
}

/// Asks Telegram now and then whether it knows the bot, without end: a webhook that is idle would not notice that the
/// token was revoked or that Telegram cannot be reached. [`Api`] notes the answers.
async fn probe(api: &Api) {
    loop {
        sleep(PROBE_INTERVAL).await;
        let _ = api.call(&GetMe::new()).await;
    }
}

/// Telegram sends an update again after any response but a 2xx, so an invalid update is accepted, too.
async fn receive_update(State(state): State<Arc<WebhookState>>, request: Request<Body>) -> StatusCode {
    if request.uri().path() != state.path {
        return StatusCode::NOT_FOUND;
    }
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    let given = request.headers().get(SECRET_HEADER).map_or(&b""[..], |given| given.as_bytes());
    if !constant_time_eq(given, state.secret.expose_secret().as_bytes()) {
        debug!("a request without the webhook's secret was refused");
        return StatusCode::UNAUTHORIZED;
    }
    let update = match timeout(UPDATE_TIMEOUT, to_bytes(request.into_body(), MAX_UPDATE_BYTES)).await {
        Err(_) => return StatusCode::REQUEST_TIMEOUT,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE,
        Ok(Ok(update)) => update,
    };
    match serde_json::from_slice::<Value>(&update) {
        Ok(update) => handle_to_completion(&state, update).await,
        // The error's message could quote the update.
        Err(error) => warn!(line = error.line(), column = error.column(), "invalid update from Telegram"),
    }
    StatusCode::OK
}

/// Handles an update in its own task, because a disconnect would cancel the request's task.
async fn handle_to_completion(state: &Arc<WebhookState>, update: Value) {
    let handler = state.handler.clone();
    // Whether the update was queued before the start is unknown, so it does not count as fresh.
    let handled = tokio::spawn(async move { handler.handle_update(&update, false).await }).await;
    if handled.is_err() {
        warn!("an update could not be handled");
    }
}
