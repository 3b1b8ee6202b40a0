//! Settings: the compiled-in `config/default.toml`, overridden by a file, overridden by environment
//! variables.
//!
//! [`location`] says where a file is looked for, `origin` reads it and knows where each key is set, `listing` shows
//! the effective settings. Unknown keys are errors, which `plain` puts into words. A token comes from a variable, from
//! the settings file, or from a separate file named by `token_file`, and is never printed.

mod check;
mod listing;
pub mod location;
mod origin;
mod plain;
mod sections;

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::bot::languages::Language;
use crate::bot::rate_limit::Rate;
use crate::bot::{BotOptions, ReplyStyle};
use crate::download::DownloadLimits;
use crate::inference::PoolOptions;
use crate::photo::{DecodeLimits, MemoryBudget};
use origin::Sources;
use sections::FairUse;

pub use listing::{Setting, changed};
pub use sections::{
    Cluster, Config, Discord, Guess, Inference, Limits, Log, LogFormat, Matrix, Models, ShardRange, Status, Store,
    Telegram, Web,
};

/// Base URL of Discord's own API.
pub const DISCORD_API_BASE: &str = "https://discord.com";

/// The keys of files and addresses, which may turn out to be unusable when they are opened.
const LATE: [&str; 7] = [
    "models.detector",
    "models.estimator",
    "inference.device",
    "store.path",
    "web.listen",
    "status.listen",
    "telegram.webhook_listen",
];

/// The variables, besides those of all settings, that hold a token; the first one counts.
pub const TOKEN_VARIABLES: [(&str, &[&str]); 3] = [
    ("discord.token", &["DISCORD_TOKEN"]),
    ("telegram.token", &["TELEGRAM_TOKEN", "TELOXIDE_TOKEN"]),
    ("matrix.token", &["MATRIX_TOKEN"]),
];

/// The defaults, as TOML, with the meaning of every key.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A value of the wrong type, or an unknown key.
    #[error("{place}: {reason}; `faceguesser config default` lists every setting with its meaning")]
    Invalid {
        /// File and line, or variable, with the key.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A `token_file` cannot be read.
    #[error("{place}: the token file {path} cannot be read: {source}")]
    TokenFile {
        /// File and line, or variable, with the key.
        place: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A value out of range, or one that contradicts another.
    #[error("{place}: {reason}")]
    Unusable {
        /// File and line, or variable, with the key.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// Loads the settings; `file` is the one given with `--config`, `variables` the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the key, where it is set and what is wrong with it.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::from_sources(&Sources::read(file, variables.into_iter().collect())?)
    }

    /// As [`Config::load`], from the contents of the file `path` and no variables.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, ConfigError> {
        Self::from_sources(&Sources::from_bytes(path, bytes, std::collections::HashMap::new())?)
    }

    fn from_sources(sources: &Sources) -> Result<Self, ConfigError> {
        let merged = sources.merged()?;
        let settings = sources.settings(&merged);
        let mut config: Self = serde_path_to_error::deserialize(merged).map_err(|error| {
            let key = error.path().to_string();
            ConfigError::Invalid { place: sources.place(&key), reason: plain::words(&key, error.inner().message()) }
        })?;
        let token = |key: &str, configured: &mut Option<SecretString>, file: &Option<PathBuf>| {
            *configured = token(configured.take(), file, sources.conventional(key).map(|(_, token)| token)).map_err(
                |(path, source)| ConfigError::TokenFile { place: sources.place(&format!("{key}_file")), path, source },
            )?;
            Ok(())
        };
        let Discord { token: configured, token_file, .. } = &mut config.discord;
        token("discord.token", configured, token_file)?;
        let Telegram { token: configured, token_file, webhook_secret, webhook_secret_file, .. } = &mut config.telegram;
        token("telegram.token", configured, token_file)?;
        token("telegram.webhook_secret", webhook_secret, webhook_secret_file)?;
        let Matrix { token: configured, token_file, password, password_file, .. } = &mut config.matrix;
        token("matrix.token", configured, token_file)?;
        token("matrix.password", password, password_file)?;
        let Web { api_key, api_key_file, .. } = &mut config.web;
        token("web.api_key", api_key, api_key_file)?;
        let Cluster { token: configured, token_file, .. } = &mut config.cluster;
        token("cluster.token", configured, token_file)?;
        check::check(&config, |key| sources.is_set(key))
            .map_err(|(key, reason)| ConfigError::Unusable { place: sources.place(key), reason: reason.into() })?;
        config.places = LATE.map(|key| (key, sources.place(key))).into();
        config.settings = settings;
        config.file = sources.file().map(Path::to_owned);
        Ok(config)
    }

    /// The settings file that was read.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Every effective setting, by key.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// File and line, or variable, with the key, of a setting that turned out to be unusable: one of the files and
    /// addresses. The key alone of other settings and of those that have their default.
    pub fn place<'a>(&'a self, key: &'a str) -> &'a str {
        self.places.get(key).map_or(key, String::as_str)
    }

    /// Limits of decoding, with a new memory budget: create them once and share them.
    pub fn decode_limits(&self) -> DecodeLimits {
        DecodeLimits {
            max_bytes: self.limits.photo_bytes.as_u64(),
            max_pixels: self.limits.photo_pixels,
            memory: MemoryBudget::new(self.limits.decode_memory.as_u64()),
            cpu_time: self.limits.cpu_time,
        }
    }

    /// Limits of downloads.
    pub fn download_limits(&self) -> DownloadLimits {
        DownloadLimits {
            max_bytes: self.limits.photo_bytes.as_u64(),
            max_memory: self.limits.photo_memory.as_u64(),
            timeout: self.limits.download_timeout,
        }
    }

    /// Options of the bot, which draws pictures within `decode_limits`.
    pub fn bot_options(&self, decode_limits: DecodeLimits) -> BotOptions {
        let FairUse { person_burst, person_every, chat_burst, chat_every } = self.fair_use;
        BotOptions {
            decode_limits,
            confident: self.guess.confident,
            gender: self.guess.gender,
            gender_sure: self.guess.gender_sure,
            smile: self.guess.smile,
            person_rate: Rate { burst: person_burst, every: person_every },
            chat_rate: Rate { burst: chat_burst, every: chat_every },
            max_concurrent: self.inference.queue,
        }
    }

    /// How replies are phrased where nobody has chosen otherwise, in English.
    pub fn reply_style(&self) -> ReplyStyle {
        let Guess { confident, gender, gender_sure, smile } = self.guess;
        ReplyStyle { language: Language::English, gender, smile, confident, gender_sure }
    }

    /// Options of the worker pool.
    pub fn pool_options(&self) -> PoolOptions {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        PoolOptions {
            workers: if self.inference.workers == 0 { cores() } else { self.inference.workers },
            queue: self.inference.queue,
            deadline: self.inference.deadline,
        }
    }
}

/// The token that is configured, in the file, or in the `conventional` variable, in this order. The error is
/// the file and why it cannot be read.
fn token(
    configured: Option<SecretString>,
    file: &Option<PathBuf>,
    conventional: Option<&str>,
) -> Result<Option<SecretString>, (PathBuf, std::io::Error)> {
    let given = |text: &str| Some(text.trim()).filter(|token| !token.is_empty()).map(SecretString::from);
    if let Some(token) = configured.and_then(|token| given(token.expose_secret())) {
        return Ok(Some(token));
    }
    let Some(path) = file else { return Ok(conventional.and_then(given)) };
    let unreadable = |error| (path.clone(), error);
    let token = std::fs::read_to_string(path).map_err(unreadable)?;
    let empty = || std::io::Error::other("it is empty");
    given(&token).ok_or_else(|| unreadable(empty())).map(Some)
}

#[cfg(test)]
mod tests;
