//! The chat page and its JSON door, served by the program itself.
//!
//! [`guess`] answers photos, [`guard`] keeps other sites out, `page.*` is the page.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guard;
mod guess;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::connections::{self, ConnectionLimits};
use crate::bot::Bot;
use crate::config::Config;

/// Bounds on what visitors may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebOptions {
    /// The largest photo file in bytes.
    pub photo_bytes: u64,
    pub connections: ConnectionLimits,
    /// The longest pause within an upload.
    pub pause_timeout: Duration,
    /// The longest a whole upload may take.
    pub upload_timeout: Duration,
}

impl Default for WebOptions {
    fn default() -> Self {
        Self {
            photo_bytes: 20 << 20,
            connections: ConnectionLimits::default(),
            pause_timeout: Duration::from_secs(15),
            upload_timeout: Duration::from_secs(180),
        }
    }
}

impl WebOptions {
    /// The configured photo limit; the rest as [`Default`].
    pub fn new(config: &Config) -> Self {
        Self { photo_bytes: config.decode_limits().max_bytes, ..Self::default() }
    }
}

/// Serves the page on `listener` until `shutdown`, then answers what is under way and returns.
///
/// A listener on a loopback address answers only requests that name a loopback host, so that no
/// page elsewhere reaches it by pointing its own name here, and takes photos from no other site.
/// A reverse proxy in front of it has to send its upstream's address as `Host`.
///
/// # Errors
/// When the listener has no address; later failures concern one connection each and are logged.
pub async fn run(
    listener: TcpListener,
    options: WebOptions,
    bot: Arc<Bot>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let loopback = listener.local_addr()?.ip().to_canonical().is_loopback();
    let router = router(options, bot, loopback);
    let visited = |visitor| router.clone().layer(Extension(guess::Visitor(visitor)));
    connections::serve(listener, options.connections, visited, &shutdown).await;
    Ok(())
}

fn router(options: WebOptions, bot: Arc<Bot>, loopback: bool) -> Router {
    let asset = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text) })
    };
    let icon = || asset("image/svg+xml", include_str!("icon.svg"));
    let router = Router::new()
        .route("/", asset("text/html; charset=utf-8", include_str!("page.html")))
        .route("/page.css", asset("text/css; charset=utf-8", include_str!("page.css")))
        .route("/page.js", asset("text/javascript; charset=utf-8", include_str!("page.js")))
        .route("/favicon.svg", icon())
        .route("/favicon.ico", icon())
        .route("/health", get(|| async { ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#) }))
        .route("/api/guess", guess::route(bot, options))
        .fallback(|| async { (StatusCode::NOT_FOUND, "There is nothing here. The chat is at /\n").into_response() });
    guard::guarded(router, loopback)
}
