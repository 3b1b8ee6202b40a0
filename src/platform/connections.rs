//! An HTTP/1.1 server whose connections are limited in number and time, for the chat page and the
//! webhook.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv6Addr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Limits on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// The most open connections; further ones wait in the system's backlog. One address has at most a quarter
    /// of them, except for this machine's own, which may be a reverse proxy's.
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

/// How long a client that is still sending has to read its response before the connection is closed, and after
/// which pause it counts as having stopped.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_PAUSE: Duration = Duration::from_secs(1);
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
    let per_address = PerAddress::new((limits.count / 4).max(1));
    // While no slot is free, connections end after the request that they are serving.
    let crowded = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let full = slots.available_permits() == 0;
            crowded.send_if_modified(|crowded| std::mem::replace(crowded, full) != full);
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (slot, accepted) = next => match accepted {
                Ok((stream, peer)) => {
                    let Some(share) = per_address.admit(peer.ip()) else { continue };
                    let router = router(peer.ip());
                    let (shutdown, crowded) = (shutdown.clone(), crowded.subscribe());
                    connections.spawn(async move {
                        let _held = (slot, share);
                        serve_connection(stream, router, limits, shutdown, crowded).await;
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

/// How many connections each address has.
struct PerAddress {
    most: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection of an address; counted until it is dropped.
struct Share {
    address: IpAddr,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl PerAddress {
    fn new(most: usize) -> Self {
        Self { most, open: Arc::default() }
    }

    /// `None` when the address has as many connections as one may have.
    fn admit(&self, address: IpAddr) -> Option<Share> {
        let address = network(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.most && !address.is_loopback() {
            return None;
        }
        *count += 1;
        Some(Share { address, open: self.open.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// An IPv4 address, or the /64 network that one IPv6 host is usually given as a whole.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()
        }
        address => address,
    }
}

/// Serves one connection until it ends, its lifetime is over, or the program stops.
async fn serve_connection(
    stream: TcpStream,
    router: Router,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
    mut crowded: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(router);
    let first_request = Arc::new(Notify::new());
    let started = first_request.clone();
    let mut connection =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).serve_connection(
            TokioIo::new(stream),
            service_fn(move |request: hyper::Request<Incoming>| {
                started.notify_one();
                Box::pin(service.call(request))
            }),
        );
    let mut last_request = pin!(async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sleep(limits.lifetime) => {}
            () = async {
                first_request.notified().await;
                let _ = crowded.wait_for(|crowded| *crowded).await;
            } => {}
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
    let rest = async { while let Ok(Ok(1..)) = timeout(LINGER_PAUSE, stream.read(&mut discarded)).await {} };
    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = timeout(LINGER, rest) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_of_the_connections_and_this_machine_all() {
        let per_address = PerAddress::new(2);
        let address = |text: &str| text.parse().unwrap();
        let first = per_address.admit(address("192.0.2.1"));
        let second = per_address.admit(address("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && per_address.admit(address("192.0.2.1")).is_none());
        assert!(per_address.admit(address("192.0.2.2")).is_some());
        drop(first);
        assert!(per_address.admit(address("192.0.2.1")).is_some());
        let neighbours = ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(|one| per_address.admit(address(one)));
        assert!(neighbours[1].is_some() && neighbours[2].is_none());
        let local: Vec<_> = (0..9).map(|_| per_address.admit(address("127.0.0.1"))).collect();
        assert!(local.iter().all(Option::is_some));
        drop((second, neighbours, local));
        assert!(per_address.open.lock().unwrap().is_empty());
    }
}
