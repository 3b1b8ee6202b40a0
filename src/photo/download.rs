//! Fetches one photo from a platform's own file host, or from a folder that it shares with this
//! program, under limits of bytes, memory and time. What may pass is tried again within them.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use url::Url;

/// Pauses between attempts: the first, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// A connection on which nothing comes for this long is given up, and another one tried.
const STALL: Duration = Duration::from_secs(5);

/// What one download may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadLimits {
    /// Bytes of the file; held while streaming, whatever the server announces.
    pub max_bytes: u64,
    /// Bytes of all files that are being fetched or still held; further ones wait.
    pub max_memory: u64,
    /// From the first request to the last byte, further attempts included.
    pub timeout: Duration,
}

impl Default for DownloadLimits {
    fn default() -> Self {
        Self { max_bytes: 20 << 20, max_memory: 64 << 20, timeout: Duration::from_secs(20) }
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
    /// The server or the way to it failed, again and again until the time limit passed.
    #[error("the file host did not deliver the file: {reason}")]
    Failed { reason: String },
    /// The file lies outside the folder that may be read.
    #[error("the file lies outside the folder that is shared with the platform's server")]
    ForeignPath,
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

/// One attempt that failed.
enum Attempt {
    /// Another one may succeed, not before the server's `after`.
    Again { reason: String, after: Option<Duration> },
    /// None will.
    Never(DownloadError),
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
            .connect_timeout(STALL)
            .read_timeout(STALL)
            .user_agent(concat!("faceguesser/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| DownloadError::Failed { reason: error.to_string() })?;
        // A single photo of the largest size must fit, or it would wait for ever.
        let memory = limits.max_memory.max(limits.max_bytes).min(u32::MAX.into()) as usize;
        Ok(Self { client, limits, memory: Arc::new(Semaphore::new(memory)) })
    }

    /// The budget of all photos that are held, one permit a byte, for those that come in otherwise.
    pub fn memory(&self) -> Arc<Semaphore> {
        self.memory.clone()
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
        let mut last = None;
        match timeout(limit, self.attempts(&url, &mut last)).await {
            Ok(outcome) => outcome,
            // What went wrong says more than that it went on for long.
            Err(_) => Err(last.map_or(DownloadError::TimedOut { limit }, |reason| DownloadError::Failed { reason })),
        }
    }

    /// Tries until the file is there or cannot come, noting why the latest attempt failed.
    async fn attempts(&self, url: &Url, last: &mut Option<String>) -> Result<Bytes, DownloadError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.stream(url.clone()).await {
                Ok(bytes) => return Ok(bytes),
                Err(Attempt::Never(error)) => return Err(error),
                Err(Attempt::Again { reason, after }) => {
                    tracing::debug!(reason, "a download failed and is tried again");
                    *last = Some(reason);
                    sleep(after.unwrap_or_default().max(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn stream(&self, url: Url) -> Result<Bytes, Attempt> {
        let limit = self.limits.max_bytes;
        let response = self.client.get(url).send().await.map_err(failed)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() || may_pass(status) => {
                let reason = format!("status {}", status.as_u16());
                return Err(Attempt::Again { reason, after: retry_after(response.headers()) });
            }
            status @ (StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE) => {
                return Err(Attempt::Never(DownloadError::Gone { status: status.as_u16() }));
            }
            status => {
                let reason = format!("status {}", status.as_u16());
                return Err(Attempt::Never(DownloadError::Failed { reason }));
            }
        }
        let announced = response.content_length();
        let too_large = || Attempt::Never(DownloadError::TooLarge { limit });
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(too_large());
        }
        // A file of unknown length is granted the most it may become: growing bit by bit, many of
        // them could each hold a part and wait for the rest.
        let memory = self.granted(announced.unwrap_or(limit)).await.map_err(Attempt::Never)?;
        let mut bytes = Vec::with_capacity(announced.unwrap_or(0) as usize);
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(failed)?;
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Bytes::from_owner(Held { bytes, _memory: memory }))
    }

    /// Reads a file that a platform's server on this machine has put below `folder`.
    ///
    /// # Errors
    /// [`DownloadError`], by cause.
    pub async fn read(&self, path: &Path, folder: &Path) -> Result<Bytes, DownloadError> {
        let limit = self.limits.timeout;
        timeout(limit, self.read_below(path, folder)).await.map_err(|_| DownloadError::TimedOut { limit })?
    }

    async fn read_below(&self, path: &Path, folder: &Path) -> Result<Bytes, DownloadError> {
        // The path can hold the bot's token, so the reason never names it.
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => DownloadError::Gone { status: StatusCode::NOT_FOUND.as_u16() },
            _ => DownloadError::Failed { reason: cause(&error) },
        };
        // Links and ".." are followed first, so that neither leads out of the folder.
        let (path, folder) = (
            tokio::fs::canonicalize(path).await.map_err(failed)?,
            tokio::fs::canonicalize(folder).await.map_err(failed)?,
        );
        if !path.starts_with(&folder) {
            return Err(DownloadError::ForeignPath);
        }
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let about = file.metadata().await.map_err(failed)?;
        let limit = self.limits.max_bytes;
        if !about.is_file() {
            return Err(DownloadError::ForeignPath);
        }
        if about.len() > limit {
            return Err(DownloadError::TooLarge { limit });
        }
        let memory = self.granted(about.len()).await?;
        let mut bytes = Vec::with_capacity(about.len() as usize);
        file.take(about.len()).read_to_end(&mut bytes).await.map_err(failed)?;
        Ok(Bytes::from_owner(Held { bytes, _memory: memory }))
    }

    /// Waits until the budget has room for so many bytes.
    async fn granted(&self, bytes: u64) -> Result<OwnedSemaphorePermit, DownloadError> {
        let bytes = bytes.min(u32::MAX.into()) as u32;
        let closed = |_| DownloadError::Failed { reason: "stopped".into() };
        self.memory.clone().acquire_many_owned(bytes).await.map_err(closed)
    }
}

/// Whether a refusal other than a server's own failure may pass.
fn may_pass(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

/// The wait that a server asks for, in seconds; a date counts as none.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn failed(error: reqwest::Error) -> Attempt {
    Attempt::Again { reason: cause(&error.without_url()), after: None }
}

/// An error with all that caused it, outermost first, each said once: "error sending request: tcp
/// connect error: Connection refused". Whatever can hold an address must be taken out before.
pub fn cause(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !said.contains(&words) {
            let kind = if TLS.iter().any(|start| words.starts_with(start)) { "TLS error: " } else { "" };
            said = format!("{said}: {kind}{words}");
        }
        next = source.source();
    }
    said
}

/// How rustls's errors begin, which do not say that they are about TLS.
const TLS: [&str; 5] =
    ["invalid peer certificate", "received corrupt", "received fatal", "received unexpected", "peer "];
