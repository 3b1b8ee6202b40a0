//! One connection to the gateway: hello, IDENTIFY or RESUME, heartbeats and events until it ends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::header::USER_AGENT;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use url::Url;

use super::Shard;
use super::close::Disconnect;
use crate::platform::discord::transport;

/// The time limit of each of connecting, the hello, and the response to IDENTIFY or RESUME.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the gateway may take to close the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Close codes that keep the session resumable, and that end it.
const CLOSE_RESUMABLE: u16 = 4000;
const CLOSE_NORMAL: u16 = 1000;
/// A lower bound on the heartbeat interval that the gateway requests.
const MIN_HEARTBEAT_INTERVAL: Duration = Duration::from_millis(100);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An open connection, before the hello.
pub(super) struct Connection {
    socket: Socket,
}

/// How far a connection got and why it ended.
pub(super) struct Outcome {
    pub disconnect: Disconnect,
    /// Whether IDENTIFY or RESUME was sent.
    pub identified: bool,
    /// When READY or RESUMED arrived.
    pub ready: Option<Instant>,
}

impl Outcome {
    /// A connection that ended before IDENTIFY or RESUME.
    pub(super) fn unidentified(disconnect: Disconnect) -> Self {
        Self { disconnect, identified: false, ready: None }
    }
}

/// A frame from the gateway.
#[derive(serde::Deserialize)]
struct Frame {
    op: u64,
    #[serde(default)]
    t: Option<String>,
    #[serde(default)]
    s: Option<u64>,
    #[serde(default)]
    d: Value,
}

impl Connection {
    /// Connects to the gateway.
    ///
    /// # Errors
    /// When it cannot be reached; the reason does not contain the address.
    pub(super) async fn open(gateway: &Url) -> Result<Self, String> {
        let mut address = gateway.clone();
        for (name, value) in [("v", "10"), ("encoding", "json")] {
            if !gateway.query_pairs().any(|(one, _)| one == name) {
                address.query_pairs_mut().append_pair(name, value);
            }
        }
        let reason = |error: SocketError| crate::download::cause(&error);
        let mut request = address.as_str().into_client_request().map_err(reason)?;
        request.headers_mut().insert(USER_AGENT, transport::USER_AGENT);
        match timeout(HANDSHAKE_TIMEOUT, connect_async(request)).await {
            Ok(connected) => Ok(Self { socket: connected.map_err(reason)?.0 }),
            Err(_) => Err("connecting timed out".into()),
        }
    }

    /// Waits for the hello and closes the connection.
    ///
    /// # Errors
    /// When none comes in time.
    pub(super) async fn greeted(mut self) -> Result<(), String> {
        let hello = timeout(HANDSHAKE_TIMEOUT, self.hello()).await;
        self.close(CLOSE_NORMAL).await;
        if matches!(hello, Ok(Ok(_))) { Ok(()) } else { Err("it accepts the connection and sends no greeting".into()) }
    }

    /// Identifies or resumes, then passes events to the shard until the connection ends.
    pub(super) async fn run(mut self, shard: &mut Shard<'_>, shutdown: &CancellationToken) -> Outcome {
        let mut outcome = Outcome::unidentified(Disconnect::Shutdown);
        tokio::select! {
            disconnect = self.receive(shard, (&mut outcome.identified, &mut outcome.ready)) => {
                outcome.disconnect = disconnect;
            }
            () = shutdown.cancelled() => {}
        }
        if matches!(outcome.disconnect, Disconnect::Shutdown | Disconnect::Resumable) {
            self.close(CLOSE_RESUMABLE).await;
        }
        outcome
    }

    /// Sets `identified` and `ready` as in [`Outcome`], also when it is cancelled.
    async fn receive(
        &mut self,
        shard: &mut Shard<'_>,
        (identified, ready): (&mut bool, &mut Option<Instant>),
    ) -> Disconnect {
        let interval = match timeout(HANDSHAKE_TIMEOUT, self.hello()).await {
            Ok(Ok(interval)) => interval,
            Ok(Err(disconnect)) => return disconnect,
            Err(_) => return Disconnect::Resumable,
        };
        if self.send(shard.identify_or_resume()).await.is_err() {
            return Disconnect::Resumable;
        }
        *identified = true;
        let mut ready_by = Instant::now() + HANDSHAKE_TIMEOUT;
        // Jitter, so that a thousand bots that lost the gateway together do not send heartbeats together.
        let mut heartbeat = interval_at(Instant::now() + interval.mul_f64(rand::random()), interval);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut acknowledged = true;
        loop {
            let frame = tokio::select! {
                frame = self.next() => match frame {
                    Ok(frame) => frame,
                    Err(disconnect) => return disconnect,
                },
                _ = heartbeat.tick() => {
                    if !acknowledged {
                        debug!("the gateway did not acknowledge a heartbeat, reconnecting");
                        return Disconnect::Resumable;
                    }
                    acknowledged = false;
                    shard.save_session().await;
                    if self.heartbeat(shard).await.is_err() {
                        return Disconnect::Resumable;
                    }
                    continue;
                }
                () = sleep_until(ready_by), if ready.is_none() => {
                    debug!("the gateway did not answer IDENTIFY or RESUME, reconnecting");
                    return Disconnect::Resumable;
                }
            };
            match frame.op {
                0 => {
                    let kind = frame.t.unwrap_or_default();
                    if matches!(kind.as_str(), "READY" | "RESUMED") {
                        *ready = Some(Instant::now());
                    }
                    shard.handle_event(&kind, frame.s, frame.d).await;
                    // All missed events come before RESUMED.
                    ready_by = Instant::now() + HANDSHAKE_TIMEOUT;
                }
                1 if self.heartbeat(shard).await.is_err() => return Disconnect::Resumable,
                7 => return Disconnect::Resumable,
                9 => return Disconnect::from_invalid_session(frame.d == true),
                11 => {
                    acknowledged = true;
                    if ready.is_some() {
                        shard.link.answered();
                    }
                }
                _ => {}
            }
        }
    }

    /// Waits for the hello and returns the heartbeat interval.
    async fn hello(&mut self) -> Result<Duration, Disconnect> {
        loop {
            let frame = self.next().await?;
            match (frame.op, frame.d["heartbeat_interval"].as_u64()) {
                (10, Some(interval)) => return Ok(Duration::from_millis(interval).max(MIN_HEARTBEAT_INTERVAL)),
                (9, _) => return Err(Disconnect::from_invalid_session(frame.d == true)),
                _ => {}
            }
        }
    }

    /// The next frame that can be parsed.
    async fn next(&mut self) -> Result<Frame, Disconnect> {
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => {
                    return Err(Disconnect::from_close_code(frame.map(|frame| frame.code.into())));
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => {
                    debug!(error = crate::download::cause(&error), "the connection to the gateway broke off");
                    return Err(Disconnect::from_close_code(None));
                }
                None => return Err(Disconnect::from_close_code(None)),
            };
            match serde_json::from_str(&text) {
                Ok(frame) => return Ok(frame),
                // Not logged: it can contain a user's message.
                Err(_) => warn!(bytes = text.len(), "a gateway frame cannot be parsed"),
            }
        }
    }

    async fn heartbeat(&mut self, shard: &Shard<'_>) -> Result<(), SocketError> {
        shard.link.asked(Duration::ZERO);
        self.send(json!({ "op": 1, "d": shard.last_sequence() })).await
    }

    async fn send(&mut self, message: Value) -> Result<(), SocketError> {
        self.socket.send(Message::text(message.to_string())).await
    }

    /// Closes the connection and waits briefly for the gateway to do the same.
    async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        // The connection may be lost already.
        let _ = timeout(CLOSE_TIMEOUT, async {
            if self.socket.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_wss_address_is_connected_to_with_tls_and_a_failure_does_not_reveal_it() {
        const HANDSHAKE: u8 = 0x16;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("wss://{}/secret", listener.local_addr().unwrap()).parse().unwrap();
        let first = async { listener.accept().await.unwrap().0.read_u8().await.unwrap() };
        let (opened, first) = tokio::join!(Connection::open(&address), first);
        assert_eq!(first, HANDSHAKE);
        assert!(opened.is_err_and(|reason| !reason.contains("secret")));
    }
}
