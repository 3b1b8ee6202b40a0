//! An HTTP/1.1 server whose connections are limited in number and time, for the chat page and the
//! webhook.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
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

/// Limits on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// The most open connections; further ones wait in the system's backlog.
    pub count: usize,
    /// How long a request's head may take to arrive; also how long an idle connection is kept open.
    pub head_timeout: Duration,
    /// After this time a connection accepts no further request; after twice this time it is closed.
    pub lifetime: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { count: 256, head_timeout: Duration::from_secs(15), lifetime: Duration::from_secs(600) }
    }
}

/// How long a client that is still sending has to read its response before the connection is closed.
const LINGER: Duration = Duration::from_secs(10);
/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves the router that `router` builds for each client's address, until `shutdown`; then finishes the
/// requests in flight and returns.
pub(super) async fn serve(
    listener: TcpListener,
    limits: ConnectionLimits,
    router: impl Fn(IpAddr) -> Router,
    shutdown: &CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.count.max(1)));
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
                    let router = router(peer.ip());
                    let shutdown = shutdown.clone();
                    connections.spawn(async move {
                        let _slot = slot;
                        serve_connection(stream, router, limits, shutdown).await;
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
}

/// Serves one connection until it ends, its lifetime is over, or the program stops.
async fn serve_connection(stream: TcpStream, router: Router, limits: ConnectionLimits, shutdown: CancellationToken) {
    let service = TowerToHyperService::new(router);
    let mut connection =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).serve_connection(
            TokioIo::new(stream),
            service_fn(move |request: hyper::Request<Incoming>| Box::pin(service.call(request))),
        );
    let mut last_request = pin!(async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sleep(limits.lifetime) => {}
        }
    });
    let mut closing = false;
    let served = poll_fn(|context| {
        if !closing && last_request.as_mut().poll(context).is_ready() {
            closing = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(context)
    });
    match timeout(limits.lifetime * 2, served).await {
        Ok(Ok(())) => linger(connection.into_parts().io.into_inner(), &shutdown).await,
        Ok(Err(error)) => debug!(%error, "a connection ended early"),
        Err(_) => debug!("a connection exceeded its lifetime"),
    }
}

/// Drains the socket briefly after the last response, so that a client whose upload was refused midway
/// can read why: closing a socket with unread bytes would reset it and lose the response.
async fn linger(mut stream: TcpStream, shutdown: &CancellationToken) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut discarded = vec![0; 64 << 10];
    let rest = async { while stream.read(&mut discarded).await.is_ok_and(|read| read > 0) {} };
    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = timeout(LINGER, rest) => {}
    }
}
