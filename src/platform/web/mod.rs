//! The site around the chat page, and its JSON API.
//!
//! [`site`] renders the pages and [`figures`] the plots on them, [`learn`] has the page "How it works", [`guess`]
//! answers photos that [`upload`] reads, [`explain`] shows how one face was seen, [`visitor`] says who asks,
//! [`options`] bounds what clients may use, [`guard`] refuses requests from other sites and [`key`] those without the
//! key, if there is one.

mod body;
mod explain;
mod figures;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guard;
mod guess;
mod key;
mod learn;
mod options;
mod site;
mod upload;
mod visitor;

use std::io;
use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{connections, status};
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
    let connection_limits = options.connections;
    let router = router(options, bot, loopback);
    let router_for = |address| router.clone().layer(Extension(ClientAddr(address)));
    connections::serve(listener, connection_limits, router_for, &shutdown).await;
    Ok(())
}

fn router(options: WebOptions, bot: Arc<Bot>, loopback: bool) -> Router {
    let hosts = options.hosts.clone();
    let served = options.metrics;
    let key = options.api_key.clone();
    let site = site::routes()
        .route("/api/guess", guess::route(bot.clone(), options.clone()))
        .route("/api/guesses", guess::route_of_several(bot.clone(), options.clone()))
        .route("/api/explain", explain::route(bot.clone(), options))
        .route("/api/learn/guess", learn::route(bot));
    let router = key::protected(site, key)
        .merge(status::health_routes())
        .route(
            "/metrics",
            get(async move |client: Extension<ClientAddr>, headers: HeaderMap| metrics(served, client, headers)),
        )
        .route("/openapi.json", get(async || openapi()))
        .fallback(async || not_found());
    guard::guarded(router, loopback, hosts)
}

/// The metrics, for programs on this machine; to others it is as if there were none.
fn metrics(served: bool, Extension(client): Extension<ClientAddr>, headers: HeaderMap) -> Response {
    if served && client.is_on_this_machine(&headers) { status::metrics() } else { not_found() }
}

/// The description of the API in the OpenAPI format, version 3.1 (<https://spec.openapis.org/oas/v3.1.1>).
fn openapi() -> Response {
    let text = include_str!("openapi.json").replace("{{version}}", env!("CARGO_PKG_VERSION"));
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "Not found. The chat page is at /\n").into_response()
}
