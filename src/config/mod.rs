//! Settings: the compiled-in `config/default.toml`, then a file, then variables, then flags.
//!
//! Unknown keys are refused. Tokens come from a variable, from the file, or from a file of their
//! own named by `token_file`, and are never printed.

mod origin;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use config::{Environment, File, FileFormat};
use origin::Sources;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::bot::BotOptions;
use crate::bot::fair_use::Rate;
use crate::bot::settings::GenderPolicy;
use crate::inference::PoolOptions;
use crate::model::DeviceKind;
use crate::photo::{DecodeLimits, DownloadLimits, MemoryBudget};

/// Where Discord's own API lives.
pub const DISCORD_API_BASE: &str = "https://discord.com";

/// Less would not do for the photos of phones.
const LEAST_DECODE_MEMORY: u64 = 64 << 20;
/// Below this the search for faces on a slow machine would be cut off in ordinary photos.
const LEAST_CPU_TIME: Duration = Duration::from_millis(100);

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file of settings cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    File { path: PathBuf, source: std::io::Error },
    /// A file or variable holds something else than the key wants, or an unknown key.
    #[error("{place}: {reason}; config/default.toml lists every key with its meaning")]
    Invalid { place: String, reason: String },
    /// A `token_file` cannot be read.
    #[error("the token file {path} cannot be read: {source}")]
    TokenFile { path: PathBuf, source: std::io::Error },
    /// Values that fit one by one and not together, or lie outside their range.
    #[error("{place}: {reason}")]
    Unusable { place: String, reason: String },
}

/// All settings, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub discord: Discord,
    pub telegram: Telegram,
    pub web: Web,
    pub limits: Limits,
    pub inference: Inference,
    pub models: Models,
    pub guess: Guess,
    pub store: Store,
    fair_use: FairUse,
    pub log: Log,
}

/// The Discord bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discord {
    #[serde(default)]
    pub token: Option<SecretString>,
    #[serde(default)]
    token_file: Option<PathBuf>,
    /// Channels in which every picture is answered.
    #[serde(deserialize_with = "ids")]
    pub channels: Vec<u64>,
    /// Whether the privileged message content intent is asked for; a list of channels implies it.
    pub message_content: bool,
    pub api_base: Url,
    /// The gateway's address; `None` asks the API.
    #[serde(deserialize_with = "empty_is_none")]
    pub gateway: Option<Url>,
    pub file_hosts: Vec<Url>,
}

/// The Telegram bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telegram {
    #[serde(default)]
    pub token: Option<SecretString>,
    #[serde(default)]
    token_file: Option<PathBuf>,
    pub api_base: Url,
    /// Where files are fetched from; `None` means `api_base`.
    #[serde(deserialize_with = "empty_is_none")]
    pub file_base: Option<Url>,
    /// The folder in which a self-hosted Bot API server leaves files; `None` fetches them over HTTP.
    #[serde(deserialize_with = "empty_is_none")]
    pub local_files: Option<PathBuf>,
    /// Where Telegram posts updates; `None` means that they are polled.
    #[serde(deserialize_with = "empty_is_none")]
    pub webhook_url: Option<Url>,
    pub webhook_listen: SocketAddr,
    /// `None` means a random one at each start.
    #[serde(default)]
    pub webhook_secret: Option<SecretString>,
    #[serde(default)]
    webhook_secret_file: Option<PathBuf>,
}

/// The chat page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    pub enabled: bool,
    pub listen: SocketAddr,
}

/// Bounds on what one photo may cost.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    photo_bytes: ByteSize,
    photo_pixels: u64,
    #[serde(with = "humantime_serde")]
    download_timeout: Duration,
    photo_memory: ByteSize,
    decode_memory: ByteSize,
    #[serde(with = "humantime_serde")]
    cpu_time: Duration,
    pub faces: usize,
}

/// The worker pool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inference {
    workers: usize,
    pub device: DeviceKind,
    queue: usize,
    #[serde(with = "humantime_serde")]
    deadline: Duration,
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
}

/// Weights that replace the compiled-in ones.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    #[serde(deserialize_with = "empty_is_none")]
    pub estimator: Option<PathBuf>,
    #[serde(deserialize_with = "empty_is_none")]
    pub detector: Option<PathBuf>,
}

/// How guesses are told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guess {
    /// Confidence score in 0..=1 from which a guess counts as sure.
    pub confident: f32,
    gender: GenderPolicy,
    gender_sure: f32,
}

/// What chats and people chose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The SQLite file, or `:memory:`.
    pub path: PathBuf,
}

/// How many photos one person and one chat may have answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FairUse {
    person_burst: u32,
    #[serde(with = "humantime_serde")]
    person_every: Duration,
    chat_burst: u32,
    #[serde(with = "humantime_serde")]
    chat_every: Duration,
}

/// What is logged, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// Reads the settings; `file` is the one named by `--config`, `variables` the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the key and what is wrong with it.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::of(&Sources::read(file, variables.into_iter().collect())?)
    }

    /// The same with what the file `path` holds, and no variables.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, ConfigError> {
        Self::of(&Sources::of_bytes(path, bytes, std::collections::HashMap::new())?)
    }

    fn of(sources: &Sources) -> Result<Self, ConfigError> {
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

    /// Values that fit one by one and not together, or lie outside their range: the key and what is
    /// wrong with it.
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

    /// Limits of decoding, with a budget of memory of their own: made once and shared.
    pub fn decode_limits(&self) -> DecodeLimits {
        DecodeLimits {
            max_bytes: self.limits.photo_bytes.as_u64(),
            max_pixels: self.limits.photo_pixels,
            memory: MemoryBudget::new(self.limits.decode_memory.as_u64()),
            cpu_time: self.limits.cpu_time,
        }
    }

    /// Limits of one download.
    pub fn download_limits(&self) -> DownloadLimits {
        DownloadLimits {
            max_bytes: self.limits.photo_bytes.as_u64(),
            max_memory: self.limits.photo_memory.as_u64(),
            timeout: self.limits.download_timeout,
        }
    }

    /// The host's choices for the bot, which draws within `decode_limits`.
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

    /// Size and patience of the worker pool.
    pub fn pool_options(&self) -> PoolOptions {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        PoolOptions {
            workers: if self.inference.workers == 0 { cores() } else { self.inference.workers },
            queue: self.inference.queue,
            deadline: self.inference.deadline,
        }
    }
}

/// What is wrong, without the place that `config` would name: it knows no lines.
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
        let held =
            std::fs::read_to_string(path).map_err(|source| ConfigError::TokenFile { path: path.clone(), source })?;
        return Ok(Some(held.trim().to_owned().into()));
    }
    Ok(conventional.map(SecretString::from))
}

/// A list of numbers; a variable with one number in it arrives as that number.
fn ids<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    struct Ids;
    impl<'de> serde::de::Visitor<'de> for Ids {
        type Value = Vec<u64>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a list of ids, which are whole numbers")
        }

        fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<Vec<u64>, E> {
            Ok(vec![id])
        }

        fn visit_i64<E: serde::de::Error>(self, id: i64) -> Result<Vec<u64>, E> {
            u64::try_from(id).map(|id| vec![id]).map_err(E::custom)
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u64>, A::Error> {
            std::iter::from_fn(|| list.next_element().transpose()).collect()
        }
    }
    deserializer.deserialize_any(Ids)
}

fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(serde::de::Error::custom) }
}

#[cfg(test)]
mod tests;
