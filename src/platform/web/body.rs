//! Meters the body of an upload: how much of it may arrive that is not part of the photo, and how fast it must arrive.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Duration, Instant};

/// How long a client may take to gain speed.
const WARM_UP: Duration = Duration::from_secs(15);
/// The slowest upload that is waited for, in bytes per second; any mobile network is faster.
const MIN_RATE: f64 = 1024.0;
/// The most that is read at a time: what the server buffers of a connection.
const MAX_FRAME: u64 = 512 << 10;

/// The state of a body while it arrives.
#[derive(Debug)]
pub(super) struct Meter {
    started: Instant,
    received: AtomicU64,
    /// Bytes that may still arrive without being part of the photo.
    allowance: AtomicU64,
    interrupted: AtomicBool,
}

impl Meter {
    /// A meter that allows this many bytes in addition to the photo.
    pub(super) fn new(allowance: u64) -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            received: AtomicU64::new(0),
            allowance: AtomicU64::new(allowance.saturating_add(MAX_FRAME)),
            interrupted: AtomicBool::new(false),
        })
    }

    /// Counts bytes as part of the photo, whose memory is accounted for elsewhere.
    pub(super) fn credit(&self, bytes: usize) {
        self.allowance.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether the connection broke before the body's end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Whether the body arrives too slowly for its connection to be kept.
    pub(super) fn is_too_slow(&self) -> bool {
        let elapsed = self.started.elapsed();
        elapsed > WARM_UP && (self.received.load(Ordering::Relaxed) as f64) < MIN_RATE * elapsed.as_secs_f64()
    }

    fn receive(&self, bytes: u64) -> bool {
        self.received.fetch_add(bytes, Ordering::Relaxed);
        self.allowance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// The body that a meter counts. It gives one piece at a time, so that its reader cannot buffer all of it ahead.
pub(super) struct MeteredBody {
    body: BodyDataStream,
    meter: Arc<Meter>,
    pause: bool,
}

impl MeteredBody {
    pub(super) fn new(body: Body, meter: Arc<Meter>) -> Self {
        Self { body: body.into_data_stream(), meter, pause: false }
    }
}

impl Stream for MeteredBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.pause) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = std::task::ready!(Pin::new(&mut self.body).poll_next(context));
        Poll::Ready(match piece {
            Some(Ok(bytes)) if self.meter.receive(bytes.len() as u64) => {
                self.pause = true;
                Some(Ok(bytes))
            }
            Some(Ok(_)) => Some(Err(axum::Error::new("too much of the form is not part of the photo"))),
            Some(Err(error)) => {
                self.meter.interrupted.store(true, Ordering::Relaxed);
                Some(Err(error))
            }
            None => None,
        })
    }
}
