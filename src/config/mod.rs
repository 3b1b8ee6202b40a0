//! Settings: the compiled-in `config/default.toml`, overridden by a file, overridden by environment
//! variables.
//!
//! Unknown keys are errors. A token comes from a variable, from the settings file, or from a separate
//! file named by `token_file`, and is never printed.

mod origin;
mod sections;

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Environment, File, FileFormat};
use secrecy::{ExposeSecret, SecretString};

use crate::bot::BotOptions;
use crate::bot::fair_use::Rate;
use crate::inference::PoolOptions;
use crate::photo::{DecodeLimits, DownloadLimits, MemoryBudget};
use origin::Sources;
use sections::FairUse;

pub use sections::{Config, Discord, Guess, Inference, Limits, Log, LogFormat, Models, Store, Telegram, Web};

/// Base URL of Discord's own API.
pub const DISCORD_API_BASE: &str = "https://discord.com";

/// Photos from phones need this much.
const LEAST_DECODE_MEMORY: u64 = 64 << 20;
/// With less, a slow machine could not search ordinary photos to the end.
const LEAST_CPU_TIME: Duration = Duration::from_millis(100);

const DEFAULTS: &str = include_str!("../../config/default.toml");

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
    #[error("{place}: {reason}; config/default.toml lists every key with its meaning")]
    Invalid {
        /// File and line, or variable, with the key.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A `token_file` cannot be read.
    #[error("the token file {path} cannot be read: {source}")]
    TokenFile {
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
        let conventional = |name: &str| sources.variables().get(name).filter(|token| !token.is_empty()).cloned();
        let conventional_tokens = (conventional("DISCORD_TOKEN"), conventional("TELOXIDE_TOKEN"));
        let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(text) = sources.text() {
            builder = builder.add_source(File::from_str(text, FileFormat::Toml));
        }
        let environment = Environment::with_prefix("FACEGUESSER")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("discord.channels")
            .with_list_parse_key("discord.file_hosts")
            .ignore_empty(true)
            .source(Some(sources.variables().clone()));
        let invalid = |key: &str, error: config::ConfigError| ConfigError::Invalid {
            place: sources.place(key),
            reason: reason(error),
        };
        let merged = builder.add_source(environment).build().map_err(|error| invalid("", error))?;
        let mut config: Self = serde_path_to_error::deserialize(merged)
            .map_err(|error| invalid(&error.path().to_string(), error.into_inner()))?;
        config.discord.token = token(config.discord.token, &config.discord.token_file, conventional_tokens.0)?;
        config.telegram.token = token(config.telegram.token, &config.telegram.token_file, conventional_tokens.1)?;
        let Telegram { webhook_secret, webhook_secret_file, .. } = &mut config.telegram;
        *webhook_secret = token(webhook_secret.take(), webhook_secret_file, None)?;
        config
            .check()
            .map_err(|(key, reason)| ConfigError::Unusable { place: sources.place(key), reason: reason.into() })?;
        Ok(config)
    }

    /// Checks ranges and combinations of values. The error is the key and what is wrong with it.
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let unusable = |key, reason| Err((key, reason));
        if !(0.0..=1.0).contains(&self.guess.confident) {
            return unusable("guess.confident", "must lie between 0 and 1");
        }
        if !(0.5..=1.0).contains(&self.guess.gender_sure) {
            return unusable("guess.gender_sure", "must lie between 0.5 and 1");
        }
        if self.limits.faces == 0 {
            return unusable("limits.faces", "must be at least 1");
        }
        if self.limits.photo_bytes.as_u64() == 0 || self.limits.photo_pixels == 0 {
            return unusable("limits.photo_bytes", "must be at least 1, and limits.photo_pixels as well");
        }
        if self.limits.photo_memory < self.limits.photo_bytes {
            return unusable("limits.photo_memory", "must hold at least one photo of limits.photo_bytes");
        }
        if self.limits.decode_memory.as_u64() < LEAST_DECODE_MEMORY {
            return unusable("limits.decode_memory", "must be at least 64 MiB, which a photo of 12 megapixels takes");
        }
        if self.limits.cpu_time < LEAST_CPU_TIME {
            return unusable("limits.cpu_time", "must be at least 100ms, or ordinary photos are refused");
        }
        if self.telegram.webhook_url.as_ref().is_some_and(|url| url.scheme() != "https") {
            return unusable(
                "telegram.webhook_url",
                "must be an https:// address, which is all that Telegram posts to",
            );
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let fits = |secret: &str| (1..=256).contains(&secret.len()) && secret.chars().all(allowed);
        if self.telegram.webhook_secret.as_ref().is_some_and(|secret| !fits(secret.expose_secret())) {
            return unusable("telegram.webhook_secret", "must be 1 to 256 of A-Z, a-z, 0-9, _ and -");
        }
        if self.inference.queue == 0 {
            return unusable("inference.queue", "must be at least 1");
        }
        Ok(())
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
            person_rate: Rate { burst: person_burst, every: person_every },
            chat_rate: Rate { burst: chat_burst, every: chat_every },
            at_once: self.inference.queue,
        }
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

/// The reason alone, without the place that the `config` crate adds: it does not know lines.
fn reason(error: config::ConfigError) -> String {
    match error {
        config::ConfigError::At { error, .. } => reason(*error),
        config::ConfigError::Type { unexpected, expected, .. } => format!("{unexpected} is not {expected}"),
        other => other.to_string(),
    }
}

fn token(
    configured: Option<SecretString>,
    file: &Option<PathBuf>,
    conventional: Option<String>,
) -> Result<Option<SecretString>, ConfigError> {
    let configured = configured.filter(|token| !token.expose_secret().trim().is_empty());
    if configured.is_some() {
        return Ok(configured);
    }
    if let Some(path) = file {
        let token =
            std::fs::read_to_string(path).map_err(|source| ConfigError::TokenFile { path: path.clone(), source })?;
        return Ok(Some(token.trim().to_owned().into()));
    }
    Ok(conventional.map(SecretString::from))
}

#[cfg(test)]
mod tests;
