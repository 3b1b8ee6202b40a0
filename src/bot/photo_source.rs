//! Where a photo comes from, and fetching it.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use url::Url;

use super::Problem;
use crate::download::{AllowedOrigins, DownloadError, Downloader};

/// Where a photo comes from.
#[derive(Debug, Clone)]
pub enum PhotoSource {
    /// Its bytes.
    Bytes(Bytes),
    /// One of the platform's own file hosts. `renew` asks the platform for a fresh link when this one
    /// has expired.
    Link {
        /// Where the file can be downloaded.
        url: Url,
        /// The platform's file hosts; links to any other are refused.
        hosts: AllowedOrigins,
        /// Called once if the link has expired; `None` if there is no way to renew it.
        renew: Option<RenewLink>,
        /// What the host asks for, as a bearer token; `None` if the link is enough.
        token: Option<SecretString>,
    },
    /// A file below a folder that the platform's server shares with this program.
    File {
        /// The file's path, including the folder.
        path: PathBuf,
        /// The shared folder; a file outside it is refused.
        folder: PathBuf,
    },
    /// Not available, and why.
    Refused(Problem),
}

/// Asks a platform for a fresh link to a photo; `None` when there is none.
#[derive(Clone)]
pub struct RenewLink(pub Arc<dyn Fn() -> BoxFuture<'static, Option<Url>> + Send + Sync>);

impl std::fmt::Debug for RenewLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RenewLink")
    }
}

impl PhotoSource {
    /// The photo's bytes; an expired link is renewed once.
    pub(super) async fn fetch(self, downloader: &Downloader) -> Result<Bytes, Problem> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Link { url, hosts, renew, token } => {
                let token = token.as_ref();
                match (downloader.fetch_with(url, &hosts, token).await, renew) {
                    (Err(gone @ DownloadError::Gone { .. }), Some(RenewLink(renew))) => match renew().await {
                        Some(fresh) => Ok(downloader.fetch_with(fresh, &hosts, token).await?),
                        None => Err(gone.into()),
                    },
                    (fetched, _) => Ok(fetched?),
                }
            }
            Self::File { path, folder } => Ok(downloader.read_local(&path, &folder).await?),
            Self::Refused(problem) => Err(problem),
        }
    }
}
