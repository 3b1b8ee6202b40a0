//! Downloads one photo from a platform's own file host, or reads it from a folder that the platform's server shares
//! with this program, under limits of bytes, memory and time. Transient failures are retried within them.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use url::Url;

/// Pauses between attempts: the first, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// A connection that receives nothing for this long is dropped, and the request retried.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Limits of one download, and the memory that all downloads share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadLimits {
    /// Bytes of the file; enforced while streaming, whatever the server announces.
    pub max_bytes: u64,
    /// Bytes of all files that are being downloaded or still in memory; further ones wait.
    pub max_memory: u64,
    /// From the first request to the last byte, retries included.
    pub timeout: Duration,
}

impl Default for DownloadLimits {
    fn default() -> Self {
        Self { max_bytes: 20 << 20, max_memory: 64 << 20, timeout: Duration::from_secs(20) }
    }
}

/// Why a photo could not be downloaded. No variant contains the URL: that of a Telegram file
/// contains the bot's token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    /// The URL is not on one of the platform's own hosts.
    #[error("the link leads to a host that is not the platform's own")]
    ForeignHost,
    /// The server announced or sent more than the limit.
    #[error("the file is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The largest file allowed, in bytes.
        limit: u64,
    },
    /// The time limit was reached.
    #[error("the download took longer than {limit:?}")]
    TimedOut {
        /// The time allowed, retries included.
        limit: Duration,
    },
    /// The link has expired or the file is gone.
    #[error("the file is no longer there (status {status})")]
    Gone {
        /// The HTTP status; 404 for a missing local file.
        status: u16,
    },
    /// The server or the connection failed, on every attempt until the time limit was reached.
    #[error("the file host did not deliver the file: {reason}")]
    Failed {
        /// The cause, without URL or path.
        reason: String,
    },
    /// The file is outside the folder that may be read.
    #[error("the file is outside the folder that is shared with the platform's server")]
    ForeignPath,
}

/// The origins from which a platform's files may be downloaded.
#[derive(Debug, Clone)]
pub struct AllowedOrigins(Vec<Origin>);

#[derive(Debug, Clone)]
struct Origin {
    scheme: String,
    host: String,
    /// `None` for any port.
    port: Option<u16>,
}

impl Origin {
    fn from_url(url: &Url) -> Option<Self> {
        Some(Self { scheme: url.scheme().into(), host: url.host_str()?.into(), port: url.port_or_known_default() })
    }
}

impl AllowedOrigins {
    /// The origins (scheme, host and port) of these URLs and no others.
    pub fn from_urls<'a>(urls: impl IntoIterator<Item = &'a Url>) -> Self {
        Self(urls.into_iter().filter_map(Origin::from_url).collect())
    }

    /// Adds every port of this URL's host.
    pub fn with_any_port_of(mut self, url: &Url) -> Self {
        self.0.extend(Origin::from_url(url).map(|origin| Origin { port: None, ..origin }));
        self
    }

    fn contains(&self, url: &Url) -> bool {
        let Some(origin) = Origin::from_url(url) else { return false };
        let same_port = |own: &Origin| own.port.is_none() || own.port == origin.port;
        self.0.iter().any(|own| own.scheme == origin.scheme && own.host == origin.host && same_port(own))
    }
}

/// One HTTP client and one memory budget, shared by all platforms.
#[derive(Debug, Clone)]
pub struct Downloader {
    client: Client,
    limits: DownloadLimits,
    /// One permit per byte.
    memory: Arc<Semaphore>,
}

/// Why one attempt failed.
enum AttemptError {
    /// A retry may succeed, no earlier than after the server's `retry_after`.
    Transient { reason: String, retry_after: Option<Duration> },
    /// No retry will succeed.
    Permanent(DownloadError),
}

/// A file's bytes and their share of the memory budget, released when they are dropped.
struct BudgetedBytes {
    bytes: Vec<u8>,
    _memory: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for BudgetedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Downloader {
    /// Redirects are not followed: platforms serve files directly, and a redirect could lead
    /// into the operator's own network.
    ///
    /// # Errors
    /// [`DownloadError::Failed`] when TLS cannot be set up on this machine.
    pub fn new(limits: DownloadLimits) -> Result<Self, DownloadError> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(STALL_TIMEOUT)
            .read_timeout(STALL_TIMEOUT)
            .user_agent(concat!("faceguesser/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| DownloadError::Failed { reason: error.to_string() })?;
        // A single photo of the maximum size must fit, or it would wait forever.
        let memory = limits.max_memory.max(limits.max_bytes).min(u32::MAX.into()) as usize;
        Ok(Self { client, limits, memory: Arc::new(Semaphore::new(memory)) })
    }

    /// The memory budget of all photos, one permit per byte, for those that are not downloaded.
    pub fn memory_budget(&self) -> Arc<Semaphore> {
        self.memory.clone()
    }

    /// Downloads `url` if it is on one of `hosts`.
    ///
    /// # Errors
    /// [`DownloadError`] when it is not, when a limit is exceeded or when the host does not deliver the file.
    pub async fn fetch(&self, url: Url, hosts: &AllowedOrigins) -> Result<Bytes, DownloadError> {
        self.fetch_with(url, hosts, None).await
    }

    /// As [`Downloader::fetch`], from a host that asks for a bearer token.
    ///
    /// # Errors
    /// As there.
    pub async fn fetch_with(
        &self,
        url: Url,
        hosts: &AllowedOrigins,
        token: Option<&SecretString>,
    ) -> Result<Bytes, DownloadError> {
        if !hosts.contains(&url) {
            return Err(DownloadError::ForeignHost);
        }
        let limit = self.limits.timeout;
        let mut last_reason = None;
        match timeout(limit, self.fetch_with_retries(&url, token, &mut last_reason)).await {
            Ok(outcome) => outcome,
            // The reason of the last failure is more useful than the time-out.
            Err(_) => {
                Err(last_reason.map_or(DownloadError::TimedOut { limit }, |reason| DownloadError::Failed { reason }))
            }
        }
    }

    /// Retries until the file is downloaded or a failure is permanent; stores the reason of the last failure.
    async fn fetch_with_retries(
        &self,
        url: &Url,
        token: Option<&SecretString>,
        last_reason: &mut Option<String>,
    ) -> Result<Bytes, DownloadError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.fetch_once(url.clone(), token).await {
                Ok(bytes) => return Ok(bytes),
                Err(AttemptError::Permanent(error)) => return Err(error),
                Err(AttemptError::Transient { reason, retry_after }) => {
                    tracing::debug!(reason, "a download failed and will be retried");
                    *last_reason = Some(reason);
                    sleep(retry_after.unwrap_or_default().max(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn fetch_once(&self, url: Url, token: Option<&SecretString>) -> Result<Bytes, AttemptError> {
        let limit = self.limits.max_bytes;
        let mut request = self.client.get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        let response = request.send().await.map_err(transient)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() || is_transient(status) => {
                let reason = format!("status {}", status.as_u16());
                let retry_after = retry_after(response.headers());
                return Err(AttemptError::Transient { reason, retry_after });
            }
            status @ (StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE) => {
                return Err(AttemptError::Permanent(DownloadError::Gone { status: status.as_u16() }));
            }
            status => {
                let reason = format!("status {}", status.as_u16());
                return Err(AttemptError::Permanent(DownloadError::Failed { reason }));
            }
        }
        let announced = response.content_length();
        let too_large = || AttemptError::Permanent(DownloadError::TooLarge { limit });
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(too_large());
        }
        // A file of unknown length reserves the maximum: if they grew step by step, many of
        // them could each hold a part and wait for the rest.
        let memory = self.acquire_memory(announced.unwrap_or(limit)).await.map_err(AttemptError::Permanent)?;
        let mut bytes = Vec::with_capacity(announced.unwrap_or(0) as usize);
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(transient)?;
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Bytes::from_owner(BudgetedBytes { bytes, _memory: memory }))
    }

    /// Reads a file that a platform's server on this machine stored below `folder`.
    ///
    /// # Errors
    /// [`DownloadError`] when it is elsewhere, when a limit is exceeded or when it cannot be read.
    pub async fn read_local(&self, path: &Path, folder: &Path) -> Result<Bytes, DownloadError> {
        let limit = self.limits.timeout;
        timeout(limit, self.read_below(path, folder)).await.map_err(|_| DownloadError::TimedOut { limit })?
    }

    async fn read_below(&self, path: &Path, folder: &Path) -> Result<Bytes, DownloadError> {
        // The path can contain the bot's token, so the reason never does.
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => DownloadError::Gone { status: StatusCode::NOT_FOUND.as_u16() },
            _ => DownloadError::Failed { reason: cause(&error) },
        };
        // Symbolic links and ".." are resolved first, so that neither leads out of the folder.
        let (path, folder) = (
            tokio::fs::canonicalize(path).await.map_err(failed)?,
            tokio::fs::canonicalize(folder).await.map_err(failed)?,
        );
        if !path.starts_with(&folder) {
            return Err(DownloadError::ForeignPath);
        }
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let metadata = file.metadata().await.map_err(failed)?;
        let limit = self.limits.max_bytes;
        if !metadata.is_file() {
            return Err(DownloadError::ForeignPath);
        }
        if metadata.len() > limit {
            return Err(DownloadError::TooLarge { limit });
        }
        let memory = self.acquire_memory(metadata.len()).await?;
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        file.take(metadata.len()).read_to_end(&mut bytes).await.map_err(failed)?;
        Ok(Bytes::from_owner(BudgetedBytes { bytes, _memory: memory }))
    }

    /// Waits until `bytes` of the memory budget are free.
    async fn acquire_memory(&self, bytes: u64) -> Result<OwnedSemaphorePermit, DownloadError> {
        let bytes = bytes.min(u32::MAX.into()) as u32;
        let closed = |_| DownloadError::Failed { reason: "stopped".into() };
        self.memory.clone().acquire_many_owned(bytes).await.map_err(closed)
    }
}

/// Whether a client error (4xx) may succeed on a retry.
fn is_transient(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

/// The wait that a server asks for, in seconds; a date is ignored.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn transient(error: reqwest::Error) -> AttemptError {
    AttemptError::Transient { reason: cause(&error.without_url()), retry_after: None }
}

/// An error with all its causes, outermost first, without repetitions: "error sending request: tcp
/// connect error: Connection refused". URLs must be removed from it before.
pub fn cause(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let message = source.to_string();
        if !chain.contains(&message) {
            let kind = if TLS_ERRORS.iter().any(|start| message.starts_with(start)) { "TLS error: " } else { "" };
            chain = format!("{chain}: {kind}{message}");
        }
        next = source.source();
    }
    chain
}

/// The beginnings of rustls's errors, which do not mention TLS.
const TLS_ERRORS: [&str; 5] =
    ["invalid peer certificate", "received corrupt", "received fatal", "received unexpected", "peer "];
