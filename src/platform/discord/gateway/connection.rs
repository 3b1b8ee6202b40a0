//! One connection to the gateway: hello, heartbeats, IDENTIFY or RESUME, and events until it ends.

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
use super::close::{Ended, after};
use crate::platform::discord::rest::AGENT;

/// The longest that connecting, the hello and the answer to IDENTIFY or RESUME may take, each.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the other side may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// Closed by this side with the session to go on, and for good.
const GOES_ON: u16 = 4000;
const FOR_GOOD: u16 = 1000;
/// The heartbeats' interval is at least this, whatever a gateway says.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection that has said nothing yet.
pub(super) struct Connection {
    socket: Socket,
}

/// How far a connection got before it ended.
pub(super) struct Course {
    pub ended: Ended,
    /// Whether IDENTIFY or RESUME was sent.
    pub greeted: bool,
    /// When the session was confirmed with READY or RESUMED.
    pub confirmed: Option<Instant>,
}

/// A message of the gateway's.
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
    /// Connects to the gateway's address.
    ///
    /// # Errors
    /// When it cannot be reached; the reason holds no address.
    pub(super) async fn open(gateway: &Url) -> Result<Self, String> {
        let mut address = gateway.clone();
        let named: Vec<String> = gateway.query_pairs().map(|(name, _)| name.into_owned()).collect();
        for (name, value) in [("v", "10"), ("encoding", "json")] {
            if !named.iter().any(|one| one == name) {
                address.query_pairs_mut().append_pair(name, value);
            }
        }
        let reason = |error: SocketError| crate::photo::cause(&error);
        let mut request = address.as_str().into_client_request().map_err(reason)?;
        request.headers_mut().insert(USER_AGENT, AGENT);
        match timeout(PATIENCE, connect_async(request)).await {
            Ok(connected) => Ok(Self { socket: connected.map_err(reason)?.0 }),
            Err(_) => Err("connecting took too long".into()),
        }
    }

    /// Identifies or resumes, then hands events on until the connection ends.
    pub(super) async fn run(mut self, shard: &mut Shard<'_>, shutdown: &CancellationToken) -> Course {
        let mut course = Course { ended: Ended::Stopped, greeted: false, confirmed: None };
        tokio::select! {
            ended = self.converse(shard, (&mut course.greeted, &mut course.confirmed)) => course.ended = ended,
            () = shutdown.cancelled() => {}
        }
        match course.ended {
            Ended::Stopped => self.close(FOR_GOOD).await,
            Ended::Resumable => self.close(GOES_ON).await,
            _ => {}
        }
        course
    }

    async fn converse(
        &mut self,
        shard: &mut Shard<'_>,
        (greeted, confirmed): (&mut bool, &mut Option<Instant>),
    ) -> Ended {
        let interval = match timeout(PATIENCE, self.hello()).await {
            Ok(Ok(interval)) => interval,
            Ok(Err(ended)) => return ended,
            Err(_) => return Ended::Resumable,
        };
        if self.send(shard.greeting()).await.is_err() {
            return Ended::Resumable;
        }
        *greeted = true;
        let mut confirm_by = Instant::now() + PATIENCE;
        // Spread, so that a thousand bots that lost their gateway at once do not come at once.
        let mut heartbeat = interval_at(Instant::now() + interval.mul_f64(rand::random()), interval);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut acknowledged = true;
        loop {
            let frame = tokio::select! {
                frame = self.next() => match frame {
                    Ok(frame) => frame,
                    Err(ended) => return ended,
                },
                _ = heartbeat.tick() => {
                    if !acknowledged {
                        debug!("the gateway acknowledges no heartbeat, connecting anew");
                        return Ended::Resumable;
                    }
                    acknowledged = false;
                    shard.keep().await;
                    if self.heartbeat(shard).await.is_err() {
                        return Ended::Resumable;
                    }
                    continue;
                }
                () = sleep_until(confirm_by), if confirmed.is_none() => return Ended::SessionOver,
            };
            match frame.op {
                0 => {
                    let kind = frame.t.unwrap_or_default();
                    if matches!(kind.as_str(), "READY" | "RESUMED") {
                        *confirmed = Some(Instant::now());
                    }
                    shard.take(&kind, frame.s, frame.d).await;
                    // What was missed comes before RESUMED, however much it is.
                    confirm_by = Instant::now() + PATIENCE;
                }
                1 if self.heartbeat(shard).await.is_err() => return Ended::Resumable,
                7 => return Ended::Resumable,
                9 if frame.d == true => return Ended::Resumable,
                9 => return Ended::SessionOver,
                11 => acknowledged = true,
                _ => {}
            }
        }
    }

    /// The interval of the heartbeats.
    async fn hello(&mut self) -> Result<Duration, Ended> {
        loop {
            let frame = self.next().await?;
            match (frame.op, frame.d["heartbeat_interval"].as_u64()) {
                (10, Some(interval)) => return Ok(Duration::from_millis(interval).max(SHORTEST_INTERVAL)),
                (9, _) => return Err(if frame.d == true { Ended::Resumable } else { Ended::SessionOver }),
                _ => {}
            }
        }
    }

    /// The next message that can be read.
    async fn next(&mut self) -> Result<Frame, Ended> {
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => return Err(after(frame.map(|frame| frame.code.into()))),
                Some(Ok(_)) => continue,
                Some(Err(error)) => {
                    debug!(error = crate::photo::cause(&error), "the connection to the gateway broke off");
                    return Err(after(None));
                }
                None => return Err(after(None)),
            };
            match serde_json::from_str(&text) {
                Ok(frame) => return Ok(frame),
                // What it says is somebody's message.
                Err(_) => warn!(bytes = text.len(), "a message of the gateway's cannot be read"),
            }
        }
    }

    async fn heartbeat(&mut self, shard: &Shard<'_>) -> Result<(), SocketError> {
        self.send(json!({ "op": 1, "d": shard.last_event() })).await
    }

    async fn send(&mut self, message: Value) -> Result<(), SocketError> {
        self.socket.send(Message::text(message.to_string())).await
    }

    /// Closes, and waits a moment until the other side has seen that.
    async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        // Whoever is gone already needs no closing.
        let _ = timeout(CLOSING, async {
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
    async fn a_secure_gateway_is_greeted_in_tls_and_its_failure_told_without_the_address() {
        const HANDSHAKE: u8 = 0x16;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("wss://{}/secret", listener.local_addr().unwrap()).parse().unwrap();
        let first = async { listener.accept().await.unwrap().0.read_u8().await.unwrap() };
        let (opened, first) = tokio::join!(Connection::open(&address), first);
        assert_eq!(first, HANDSHAKE);
        assert!(opened.is_err_and(|reason| !reason.contains("secret")));
    }
}
