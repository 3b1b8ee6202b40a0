//! Limits on what clients of the chat page may use.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::Config;
use crate::platform::connections::ConnectionLimits;

/// Limits on uploads and connections.
#[derive(Debug, Clone)]
pub struct WebOptions {
    /// The largest photo file in bytes.
    pub photo_bytes: u64,
    /// Whether `/metrics` is served to this machine, because no separate address is configured for it.
    pub metrics: bool,
    /// The key without which neither API nor pages answer, if there is one.
    pub api_key: Option<Arc<SecretString>>,
    /// Number and lifetime of connections.
    pub connections: ConnectionLimits,
    /// The names under which a reverse proxy publishes the page, besides loopback ones.
    pub hosts: Arc<[String]>,
    /// The longest pause within an upload.
    pub pause_timeout: Duration,
    /// The longest that a whole upload may take.
    pub upload_timeout: Duration,
}

impl Default for WebOptions {
    fn default() -> Self {
        Self {
            photo_bytes: 20 << 20,
            metrics: true,
            api_key: None,
            connections: ConnectionLimits::default(),
            hosts: Arc::default(),
            pause_timeout: Duration::from_secs(15),
            upload_timeout: Duration::from_secs(180),
        }
    }
}

impl WebOptions {
    /// What is configured; the rest as [`Default`].
    pub fn new(config: &Config) -> Self {
        Self {
            photo_bytes: config.decode_limits().max_bytes,
            metrics: config.status.listen.is_none(),
            api_key: config.web.api_key.clone().map(Arc::new),
            hosts: config.web.hosts.clone().into(),
            ..Self::default()
        }
    }
}
