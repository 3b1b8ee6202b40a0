//! Locates photo files through `getFile`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use secrecy::{ExposeSecret, SecretString};
use teloxide::payloads::GetFile;
use teloxide::types::FileId;
use tokio::sync::Semaphore;
use tracing::warn;
use url::Url;

use super::api::{Api, join_path};
use super::incoming::RemoteFile;
use super::options::TelegramOptions;
use super::refusals::{ApiError, ErrorKind};
use crate::bot::{PhotoSource, Problem, RenewLink};
use crate::download::{AllowedOrigins, DownloadError};

/// The largest file that bots can download (Bot API, getFile), except from a self-hosted server.
const MAX_FILE: u64 = 20 << 20;
/// Concurrent `getFile` requests: more are not faster, and each needs a connection.
const CONCURRENT_LOOKUPS: usize = 16;

pub(super) struct Files {
    api: Api,
    base: Url,
    token: SecretString,
    /// The folder in which a self-hosted Bot API server stores files.
    local: Option<PathBuf>,
    /// How long `getFile` is retried.
    lookup_limit: Duration,
    lookups: Semaphore,
}

impl Files {
    pub(super) fn new(api: Api, options: &TelegramOptions) -> Self {
        Self {
            api,
            base: options.file_base.clone(),
            token: options.token.clone(),
            local: options.local_files.clone(),
            lookup_limit: options.download_timeout,
            lookups: Semaphore::new(CONCURRENT_LOOKUPS),
        }
    }

    /// The sources of files, in the same order.
    pub(super) async fn sources(&self, files: Vec<RemoteFile>) -> Vec<PhotoSource> {
        let source = |file| async { self.source(file).await.unwrap_or_else(PhotoSource::Refused) };
        join_all(files.into_iter().map(source)).await
    }

    async fn source(&self, file: RemoteFile) -> Result<PhotoSource, Problem> {
        let too_big = Problem::PlatformLimit { limit: MAX_FILE };
        if self.local.is_none() && file.bytes.is_some_and(|bytes| bytes > MAX_FILE) {
            return Err(too_big);
        }
        let path = {
            let _permit = self.lookups.acquire().await;
            get_file_path(&self.api, &file.id, self.lookup_limit).await
        };
        let path = match path {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::FileTooBig => return Err(too_big),
            Err(error) => {
                warn!(%error, "a file could not be located on Telegram");
                return Err(Problem::Download(DownloadError::Failed { reason: "getFile failed".into() }));
            }
        };
        if let Some(folder) = &self.local {
            // The path is absolute or relative to the folder.
            return Ok(PhotoSource::File { path: folder.join(path), folder: folder.clone() });
        }
        let file_host = FileHost { base: self.base.clone(), token: self.token.clone() };
        let (url, hosts) = (file_host.url(&path), AllowedOrigins::from_urls([&self.base]));
        let (api, id, limit) = (self.api.clone(), file.id, self.lookup_limit);
        let renew = move || -> BoxFuture<'static, Option<Url>> {
            let (api, id, file_host) = (api.clone(), id.clone(), file_host.clone());
            Box::pin(async move { get_file_path(&api, &id, limit).await.ok().map(|path| file_host.url(&path)) })
        };
        Ok(PhotoSource::Link { url, hosts, renew: Some(RenewLink(Arc::new(renew))), token: None })
    }
}

/// The path of a file on the file host or, with a self-hosted server, on disk.
async fn get_file_path(api: &Api, id: &str, limit: Duration) -> Result<String, ApiError> {
    let file = api.call_within(&GetFile::new(FileId(id.to_owned())), limit).await?;
    Ok(file["file_path"].as_str().unwrap_or_default().to_owned())
}

#[derive(Clone)]
struct FileHost {
    base: Url,
    token: SecretString,
}

impl FileHost {
    /// `<base>/file/bot<token>/<path>`, as the Bot API documents it.
    fn url(&self, path: &str) -> Url {
        join_path(&self.base, &format!("file/bot{}/{path}", self.token.expose_secret()))
    }
}
