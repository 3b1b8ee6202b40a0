//! The site around the chat page, and its JSON API.
//!
//! [`site`] renders the pages and [`figures`] the plots on them, [`learn`] has the page "How it works", [`guess`] answers
//! photos, [`explain`] shows how one face was seen, [`visitor`] says who asks, [`options`] bounds what clients may use,
//! [`guard`] refuses requests from other sites.

mod body;
mod explain;
mod figures;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guard;
mod guess;
mod learn;
mod options;
mod site;
mod visitor;

use std::io;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::connections;
use crate::bot::Bot;
use visitor::ClientAddr;

pub use options::WebOptions;

/// Serves the page on `listener` until `shutdown`, then finishes the requests in progress and returns.
///
/// On a loopback address only requests to a loopback `Host`, or one of [`WebOptions::hosts`], are answered, which
/// prevents DNS rebinding, and photos from other sites are refused. Where hosts are named, this holds on every
/// address.
///
/// # Errors
/// When the listener has no local address; later failures affect single connections and are logged.
pub async fn run(
    listener: TcpListener,
    options: WebOptions,
    bot: Arc<Bot>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let loopback = listener.local_addr()?.ip().to_canonical().is_loopback();
    let limits = options.connections;
    let router = router(options, bot, loopback);
    let router_for = |address| router.clone().layer(Extension(ClientAddr(address)));
    connections::serve(listener, limits, router_for, &shutdown).await;
    Ok(())
}

fn router(options: WebOptions, bot: Arc<Bot>, loopback: bool) -> Router {
    let hosts = options.hosts.clone();
    let router = site::routes()
        .route("/health", get(|| async { ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#) }))
        .route("/api/guess", guess::route(bot.clone(), options.clone()))
        .route("/api/explain", explain::route(bot.clone(), options))
        .route("/api/learn/guess", learn::route(bot))
        .fallback(|| async { (StatusCode::NOT_FOUND, "Not found. The chat page is at /\n").into_response() });
    guard::guarded(router, loopback, hosts)
}
