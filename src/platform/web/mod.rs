//! The chat page and its JSON door, served by the program itself.
//!
//! Owns the sockets: connections, their limits in number, time and memory, and the end at
//! shutdown. [`guess`] answers photos, [`guard`] keeps other sites out, `page.*` is the page.

mod guard;
mod guess;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::bot::Bot;
use crate::config::Config;

/// Bounds on what visitors may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebOptions {
    /// The largest photo file in bytes.
    pub photo_bytes: u64,
    /// Open connections; further ones wait in the system's queue.
    pub connections: usize,
    /// The longest a request's head may take to arrive; also how long an idle connection stays.
    pub head_timeout: Duration,
    /// The longest pause within an upload.
    pub pause_timeout: Duration,
    /// The longest a whole upload may take.
    pub upload_timeout: Duration,
    /// After this long a connection takes no further request; after twice as long it is cut.
    pub lifetime: Duration,
}

impl Default for WebOptions {
    fn default() -> Self {
        Self {
            photo_bytes: 20 << 20,
            connections: 256,
            head_timeout: Duration::from_secs(15),
            pause_timeout: Duration::from_secs(15),
            upload_timeout: Duration::from_secs(180),
            lifetime: Duration::from_secs(600),
        }
    }
}

impl WebOptions {
    /// The configured photo limit; the rest as [`Default`].
    pub fn new(config: &Config) -> Self {
        Self { photo_bytes: config.decode_limits().max_bytes, ..Self::default() }
    }
}

/// What a client that is still sending is given to read its answer before the line is cut.
const LINGER: Duration = Duration::from_secs(10);
/// The pause after the system refused a connection, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

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
    let slots = Arc::new(Semaphore::new(options.connections.max(1)));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (slot, accepted) = next => match accepted {
                Ok((stream, peer)) => {
                    let router = router.clone().layer(Extension(guess::Visitor(peer.ip())));
                    let shutdown = shutdown.clone();
                    connections.spawn(async move {
                        let _slot = slot;
                        converse(stream, router, options, shutdown).await;
                    });
                }
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
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

/// Speaks HTTP/1.1 on one connection until it ends, is too old, or the program stops.
async fn converse(stream: TcpStream, router: Router, options: WebOptions, shutdown: CancellationToken) {
    let service = TowerToHyperService::new(router);
    let mut connection =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(options.head_timeout).serve_connection(
            TokioIo::new(stream),
            service_fn(move |request: hyper::Request<Incoming>| Box::pin(service.call(request))),
        );
    let mut last_request = pin!(async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sleep(options.lifetime) => {}
        }
    });
    let mut told = false;
    let served = poll_fn(|context| {
        if !told && last_request.as_mut().poll(context).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(context)
    });
    match timeout(options.lifetime * 2, served).await {
        Ok(Ok(())) => linger(connection.into_parts().io.into_inner(), &shutdown).await,
        Ok(Err(error)) => debug!(%error, "a connection ended early"),
        Err(_) => debug!("a connection outlived its time"),
    }
}

/// Reads on for a moment after the last answer, so that a client whose upload was refused midway
/// gets to read why: closing a socket with unread bytes would reset it and lose the answer.
async fn linger(mut stream: TcpStream, shutdown: &CancellationToken) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut scrap = vec![0; 64 << 10];
    let rest = async { while stream.read(&mut scrap).await.is_ok_and(|read| read > 0) {} };
    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = timeout(LINGER, rest) => {}
    }
}
