//! Gateways and workers as separate processes, with NATS JetStream between them (`docs/cluster.md`).
//!
//! [`ClusterStore`] is a [`Store`](crate::bot::store::Store) that all of them share: settings, games and
//! scores in a key-value [`bucket`], and jobs in a work queue ([`jobs`]). [`worker`] takes jobs from the
//! queue. Streams hold references to photos, never photos.

mod bucket;
mod games;
mod jobs;
mod settings;
mod store;
mod worker;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config as StreamConfig, DiscardPolicy, RetentionPolicy, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{Event, ServerAddr};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use crate::bot::jobs::EXPIRES_AFTER;
use crate::bot::people::{ChatId, Platform};
use crate::bot::store::StoreError;
use crate::download::cause;
use crate::observe::health::health;
use bucket::Bucket;
use jobs::Held;

/// How long a message's id prevents a second job for it.
const DUPLICATE_WINDOW: Duration = EXPIRES_AFTER;
/// How long replies are remembered, and the parts of albums.
const RECENT: Duration = Duration::from_secs(3600);
/// How long jobs that could not be answered are kept for the operator.
const PARKED: Duration = Duration::from_secs(24 * 3600);
/// How many such jobs are kept.
const MAX_PARKED: i64 = 10_000;
/// How often a process announces that it is running.
const PRESENCE: Duration = Duration::from_secs(10);
/// The time after which the queue gives a job to another worker, unless its worker says that it still
/// works on it.
const ACK_WAIT: Duration = Duration::from_secs(15);
/// The longest that a request to the server may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How many jobs all workers together may work on.
const MAX_IN_PROGRESS: i64 = 10_000;
/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How to reach the server, and how large the queue is.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The servers' addresses, such as `nats://127.0.0.1:4222` or, with TLS, `tls://…`.
    pub servers: Vec<String>,
    /// The token that the server asks for.
    pub token: Option<SecretString>,
    /// The prefix of streams and buckets: bots that share a server have different ones.
    pub name: String,
    /// On how many servers everything is stored.
    pub replicas: usize,
    /// How many jobs may wait or be worked on; further ones are refused.
    pub queue: i64,
}

/// Why the cluster's server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// An address is invalid.
    #[error("{address:?} is not the address of a NATS server, such as nats://127.0.0.1:4222")]
    Address {
        /// The address, without the user name and password before an `@`.
        address: String,
    },
    /// No server answers, or it refuses the token.
    #[error("no NATS server can be reached: {0}")]
    Connect(#[source] async_nats::ConnectError),
    /// A stream or bucket cannot be created.
    #[error("JetStream does not work on the NATS server (is it started with --jetstream?): {0}")]
    JetStream(#[source] StoreError),
}

/// What gateways and workers share: settings, games, scores and jobs.
pub struct ClusterStore {
    runtime: Handle,
    context: Context,
    options: ClusterOptions,
    /// Settings, games, scores and connections, kept permanently.
    state: Bucket,
    /// Replies, updates and albums of the last hour.
    recent: Bucket,
    /// The running processes; each entry lasts for half a minute.
    present: Bucket,
    queue: Stream,
    parked: Stream,
    /// The jobs that this process works on, by message.
    held: Mutex<HashMap<(ChatId, i64), Arc<Held>>>,
}

impl ClusterStore {
    /// Connects, and creates the streams that are missing. Later disconnections are survived.
    ///
    /// # Errors
    /// [`ClusterError`] when no server can be used.
    pub async fn connect(options: ClusterOptions) -> Result<Arc<Self>, ClusterError> {
        let address = |address: &String| {
            let shown = address.rsplit_once('@').map_or(address.as_str(), |(_, host)| host);
            address.parse::<ServerAddr>().map_err(|_| ClusterError::Address { address: shown.to_owned() })
        };
        let servers = options.servers.iter().map(address).collect::<Result<Vec<_>, _>>()?;
        let mut connect = async_nats::ConnectOptions::new()
            .name("faceguesser")
            .max_reconnects(None)
            .reconnect_delay_callback(|attempts| {
                Duration::from_millis(100).saturating_mul(1 << attempts.min(10)).min(LONGEST_PAUSE)
            })
            // Also detects a connection that broke without a word.
            .ping_interval(Duration::from_secs(10))
            .request_timeout(Some(REQUEST_TIMEOUT))
            .event_callback(|event| async move { log(&event) });
        if let Some(token) = &options.token {
            connect = connect.token(token.expose_secret().to_owned());
        }
        let client = connect.connect(servers).await.map_err(ClusterError::Connect)?;
        let mut context = jetstream::new(client);
        context.set_timeout(REQUEST_TIMEOUT);
        Self::prepare(context, options).await.map_err(ClusterError::JetStream)
    }

    async fn prepare(context: Context, options: ClusterOptions) -> Result<Arc<Self>, StoreError> {
        let [queue, parked] = create_streams(&context, &options).await?;
        let bucket = async |kind: &str| {
            let bucket = context.get_key_value(format!("{}-{kind}", options.name)).await;
            Ok::<_, StoreError>(Bucket::new(bucket.map_err(failed("opened"))?))
        };
        Ok(Arc::new(Self {
            runtime: Handle::current(),
            state: bucket("state").await?,
            recent: bucket("recent").await?,
            present: bucket("present").await?,
            context: context.clone(),
            options: options.clone(),
            queue,
            parked,
            held: Mutex::default(),
        }))
    }

    /// The consumer that all workers of a platform share.
    async fn consumer(&self, platform: Platform) -> Result<PullConsumer, StoreError> {
        let durable = format!("workers-{}", platform.name());
        let config = pull::Config {
            durable_name: Some(durable.clone()),
            filter_subject: format!("{}.jobs.{}.>", self.options.name, platform.name()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: MAX_IN_PROGRESS,
            // The number of tries is limited by `Job::is_expired`, which owes an apology.
            max_deliver: -1,
            ..pull::Config::default()
        };
        self.queue.get_or_create_consumer(&durable, config).await.map_err(failed("read"))
    }

    /// Announces that this process is running, keeps `peers` at the number of those that do, and notes whether the
    /// server answers.
    pub async fn keep_presence(&self, peers: Arc<AtomicU32>) -> Infallible {
        let own = format!("{:032x}", rand::random::<u128>());
        let link = health().link("nats");
        loop {
            link.asked(Duration::ZERO);
            let present = async {
                self.present.put(&own, &()).await?;
                self.present.keys("*").await
            };
            match present.await {
                Ok(present) => {
                    link.answered();
                    peers.store(present.len().max(1) as u32, Ordering::Relaxed);
                }
                Err(error) => {
                    debug!(error = cause(&error), "the other processes are not known");
                    // The server may have come back without its files.
                    let _ = create_streams(&self.context, &self.options).await;
                }
            }
            sleep(PRESENCE).await;
        }
    }

    /// Runs a request to the server on a thread that may block.
    fn wait<T>(&self, request: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.runtime.block_on(request)
    }
}

/// Creates the streams and buckets that are missing, and returns those of waiting and of parked jobs.
async fn create_streams(context: &Context, options: &ClusterOptions) -> Result<[Stream; 2], StoreError> {
    let ClusterOptions { name, replicas, queue, .. } = options;
    let stream = async |config: StreamConfig| {
        let config = StreamConfig { num_replicas: *replicas, ..config };
        // Several processes may start at the same time, with other settings than the last ones.
        let stream = context.get_or_create_stream(config.clone()).await.map_err(failed("created"))?;
        let now = &stream.cached_info().config;
        if (now.max_messages, now.num_replicas) != (config.max_messages, config.num_replicas) {
            context.update_stream(&config).await.map_err(failed("changed"))?;
        }
        Ok::<_, StoreError>(stream)
    };
    let waiting = stream(StreamConfig {
        name: format!("{name}-jobs"),
        subjects: vec![format!("{name}.jobs.>")],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_messages: *queue,
        duplicate_window: DUPLICATE_WINDOW,
        ..StreamConfig::default()
    });
    let parked = stream(StreamConfig {
        name: format!("{name}-parked"),
        subjects: vec![format!("{name}.parked.>")],
        max_age: PARKED,
        max_messages: MAX_PARKED,
        duplicate_window: DUPLICATE_WINDOW,
        ..StreamConfig::default()
    });
    let streams = [waiting.await?, parked.await?];
    for (kind, max_age) in [("state", Duration::ZERO), ("recent", RECENT), ("present", 3 * PRESENCE)] {
        // Not by `create_key_value`, whose buckets refuse to erase an entry.
        stream(StreamConfig {
            name: format!("KV_{name}-{kind}"),
            subjects: vec![format!("$KV.{name}-{kind}.>")],
            max_messages_per_subject: 1,
            max_age,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            allow_direct: *replicas == 1,
            max_messages: -1,
            ..StreamConfig::default()
        })
        .await?;
    }
    Ok(streams)
}

fn log(event: &Event) {
    match event {
        Event::Connected => info!("connected to NATS"),
        Event::Disconnected => warn!("the connection to NATS broke, reconnecting"),
        event => debug!(%event, "NATS"),
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(operation: &'static str) -> impl Fn(E) -> StoreError {
    move |source| StoreError { operation, source: Box::new(source) }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_with_a_mistake_is_named_without_its_password() {
        let servers = vec!["nats://ann:secret@10.0.0.1:42x22".to_owned()];
        let options = ClusterOptions { servers, token: None, name: "test".into(), replicas: 1, queue: 1 };
        let Err(error) = ClusterStore::connect(options).await else { panic!("it is no address") };
        let told = error.to_string();
        assert!(told.contains("10.0.0.1:42x22") && !told.contains("secret"), "{told}");
    }
}
