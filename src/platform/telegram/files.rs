//! Where photos are to be had: asks Telegram for the place of a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use teloxide::payloads::GetFile;
use teloxide::types::FileId;
use tokio::sync::Semaphore;
use tracing::warn;
use url::Url;

use super::TelegramOptions;
use super::api::{Api, Fault, below};
use super::incoming::RemoteFile;
use super::refusals::Meaning;
use crate::bot::{PhotoSource, Problem, Renew};
use crate::photo::{DownloadError, Hosts};

/// `getFile` hands bots nothing larger (Bot API, getFile), except on a server of the host's own.
const MAX_FILE: u64 = 20 << 20;
/// Files asked for at once: more gain nothing, and each is a connection.
const FILES_AT_ONCE: usize = 16;

/// The way to files.
pub(super) struct Files {
    api: Api,
    base: Url,
    token: SecretString,
    /// The folder in which a self-hosted server leaves files.
    local: Option<PathBuf>,
    /// The longest that Telegram is asked where a file is.
    patience: Duration,
    at_once: Semaphore,
}

impl Files {
    pub(super) fn new(api: Api, options: &TelegramOptions) -> Self {
        Self {
            api,
            base: options.file_base.clone(),
            token: options.token.clone(),
            local: options.local_files.clone(),
            patience: options.download_timeout,
            at_once: Semaphore::new(FILES_AT_ONCE),
        }
    }

    /// The sources of files, in their order.
    pub(super) async fn sources(&self, files: Vec<RemoteFile>) -> Vec<PhotoSource> {
        let source = |file| async { self.source(file).await.unwrap_or_else(PhotoSource::Refused) };
        join_all(files.into_iter().map(source)).await
    }

    async fn source(&self, file: RemoteFile) -> Result<PhotoSource, Problem> {
        let limit = Problem::PlatformLimit { limit: MAX_FILE };
        if self.local.is_none() && file.bytes.is_some_and(|bytes| bytes > MAX_FILE) {
            return Err(limit);
        }
        let path = {
            let _permit = self.at_once.acquire().await;
            locate(&self.api, &file.id, self.patience).await
        };
        let path = match path {
            Ok(path) => path,
            Err(error) if error.meaning() == Meaning::TooBig => return Err(limit),
            Err(error) => {
                warn!(%error, "Telegram did not say where a file is");
                return Err(Problem::Download(DownloadError::Failed { reason: "getFile failed".into() }));
            }
        };
        if let Some(folder) = &self.local {
            // Absolute, or relative to the folder.
            return Ok(PhotoSource::File { path: folder.join(path), folder: folder.clone() });
        }
        let link = Link { base: self.base.clone(), token: self.token.clone() };
        let (url, hosts) = (link.to(&path), Hosts::of([&self.base]));
        let (api, id, patience) = (self.api.clone(), file.id, self.patience);
        let renew = move || -> futures_util::future::BoxFuture<'static, Option<Url>> {
            let (api, id, link) = (api.clone(), id.clone(), link.clone());
            Box::pin(async move { locate(&api, &id, patience).await.ok().map(|path| link.to(&path)) })
        };
        Ok(PhotoSource::Link { url, hosts, renew: Some(Renew(Arc::new(renew))) })
    }
}

/// The path of a file on the file host or, on a self-hosted server, on disk.
async fn locate(api: &Api, id: &str, patience: Duration) -> Result<String, Fault> {
    let file = api.call_within(&GetFile::new(FileId(id.to_owned())), patience).await?;
    Ok(file["file_path"].as_str().unwrap_or_default().to_owned())
}

/// How links to files are made.
#[derive(Clone)]
struct Link {
    base: Url,
    token: SecretString,
}

impl Link {
    /// `<base>/file/bot<token>/<path>`, as the Bot API has it.
    fn to(&self, path: &str) -> Url {
        below(&self.base, &format!("file/bot{}/{path}", self.token.expose_secret()))
    }
}
