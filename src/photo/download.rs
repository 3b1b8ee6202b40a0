//! Fetches one photo from a platform's own file host, under limits of bytes and time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::{Client, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

/// What one download may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadLimits {
    /// Bytes of the file; held while streaming, whatever the server announces.
    pub max_bytes: u64,
    /// Bytes of all files that are being fetched or still held; further ones wait.
    pub max_memory: u64,
    /// From the request to the last byte.
    pub timeout: Duration,
}

impl Default for DownloadLimits {
    fn default() -> Self {
        Self { max_bytes: 20 << 20, max_memory: 256 << 20, timeout: Duration::from_secs(20) }
    }
}

/// Why a photo could not be fetched. No variant holds the address: a Telegram file address
/// contains the bot's token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    /// The link leads away from the platform's own hosts.
    #[error("the link leads to a host that is not the platform's own")]
    ForeignHost,
    /// The server announced or sent more than the limit.
    #[error("the file is larger than the limit of {limit} bytes")]
    TooLarge { limit: u64 },
    /// The time limit passed.
    #[error("the download took longer than {limit:?}")]
    TimedOut { limit: Duration },
    /// The link has expired or the file is gone.
    #[error("the file is no longer there (status {status})")]
    Gone { status: u16 },
    /// The server or the way to it failed.
    #[error("the file host did not deliver the file: {reason}")]
    Failed { reason: String },
}

/// Where a platform keeps its files.
#[derive(Debug, Clone)]
pub struct Hosts(Vec<Origin>);

#[derive(Debug, Clone)]
struct Origin {
    scheme: String,
    host: String,
    /// `None` for every port.
    port: Option<u16>,
}

impl Origin {
    fn of(url: &Url) -> Option<Self> {
        Some(Self { scheme: url.scheme().into(), host: url.host_str()?.into(), port: url.port_or_known_default() })
    }
}

impl Hosts {
    /// The origins (scheme, host and port) of these addresses and no others.
    pub fn of<'a>(urls: impl IntoIterator<Item = &'a Url>) -> Self {
        Self(urls.into_iter().filter_map(Origin::of).collect())
    }

    /// These, and every port of this address's host.
    pub fn and_host_of(mut self, url: &Url) -> Self {
        self.0.extend(Origin::of(url).map(|origin| Origin { port: None, ..origin }));
        self
    }

    fn holds(&self, url: &Url) -> bool {
        let Some(asked) = Origin::of(url) else { return false };
        let fits = |own: &Origin| own.port.is_none() || own.port == asked.port;
        self.0.iter().any(|own| own.scheme == asked.scheme && own.host == asked.host && fits(own))
    }
}

/// One HTTP client and one budget of memory, shared by all platforms.
#[derive(Debug, Clone)]
pub struct Downloader {
    client: Client,
    limits: DownloadLimits,
    /// One permit a byte.
    memory: Arc<Semaphore>,
}

/// A file's bytes and the memory it was granted, given back with them.
struct Held {
    bytes: Vec<u8>,
    _memory: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Downloader {
    /// Redirects are not followed: platforms serve files directly, and a redirect could lead
    /// into the host's own network.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is unusable.
    pub fn new(limits: DownloadLimits) -> Result<Self, DownloadError> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("faceguesser/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| DownloadError::Failed { reason: error.to_string() })?;
        // A single photo of the largest size must fit, or it would wait for ever.
        let memory = limits.max_memory.max(limits.max_bytes).min(u32::MAX.into()) as usize;
        Ok(Self { client, limits, memory: Arc::new(Semaphore::new(memory)) })
    }

    /// Fetches `url` if it lies on one of `hosts`.
    ///
    /// # Errors
    /// [`DownloadError`], by cause.
    pub async fn fetch(&self, url: Url, hosts: &Hosts) -> Result<Bytes, DownloadError> {
        if !hosts.holds(&url) {
            return Err(DownloadError::ForeignHost);
        }
        let limit = self.limits.timeout;
        tokio::time::timeout(limit, self.stream(url)).await.map_err(|_| DownloadError::TimedOut { limit })?
    }

    async fn stream(&self, url: Url) -> Result<Bytes, DownloadError> {
        let limit = self.limits.max_bytes;
        let response = self.client.get(url).send().await.map_err(failed)?;
        match response.status() {
            StatusCode::OK => {}
            status @ (StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE) => {
                return Err(DownloadError::Gone { status: status.as_u16() });
            }
            status => return Err(DownloadError::Failed { reason: format!("status {}", status.as_u16()) }),
        }
        let announced = response.content_length();
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(DownloadError::TooLarge { limit });
        }
        // A file of unknown length is granted the most it may become: growing bit by bit, many of
        // them could each hold a part and wait for the rest.
        let granted = announced.unwrap_or(limit).min(u32::MAX.into()) as u32;
        let closed = |_| DownloadError::Failed { reason: "stopped".into() };
        let memory = self.memory.clone().acquire_many_owned(granted).await.map_err(closed)?;
        let mut bytes = Vec::with_capacity(announced.unwrap_or(0) as usize);
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(failed)?;
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(DownloadError::TooLarge { limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Bytes::from_owner(Held { bytes, _memory: memory }))
    }
}

fn failed(error: reqwest::Error) -> DownloadError {
    DownloadError::Failed { reason: error.without_url().to_string() }
}
