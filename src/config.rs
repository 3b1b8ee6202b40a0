//! Settings: the compiled-in `config/default.toml`, then a file, then variables, then flags.
//!
//! Unknown keys are refused. Tokens come from a variable, from the file, or from a file of their
//! own named by `token_file`, and are never printed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use config::{Environment, File, FileFormat};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::bot::BotOptions;
use crate::bot::fair_use::Rate;
use crate::bot::settings::GenderTelling;
use crate::inference::PoolOptions;
use crate::model::DeviceKind;
use crate::photo::{DecodeLimits, DownloadLimits, Memory};

/// Where Discord's own API lives.
pub const DISCORD_API_BASE: &str = "https://discord.com";

/// Less would not do for the photos of phones.
const LEAST_DECODE_MEMORY: u64 = 64 << 20;

const DEFAULTS: &str = include_str!("../config/default.toml");

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or variable holds something else than the key wants, or an unknown key.
    #[error("the configuration does not fit: {0}; config/default.toml lists every key with its meaning")]
    Invalid(#[from] config::ConfigError),
    /// A `token_file` cannot be read.
    #[error("the token file {path} cannot be read: {source}")]
    TokenFile { path: PathBuf, source: std::io::Error },
    /// Values that fit one by one and not together, or lie outside their range.
    #[error("{key}: {reason}")]
    Unusable { key: &'static str, reason: String },
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
    #[serde(deserialize_with = "empty_is_none")]
    pub scout: Option<PathBuf>,
}

/// How guesses are told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guess {
    /// Confidence score in 0..=1 from which a guess counts as sure.
    pub confident: f32,
    gender: GenderTelling,
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
        let variables: std::collections::HashMap<String, String> = variables.into_iter().collect();
        let conventional = |name: &str| variables.get(name).filter(|token| !token.is_empty()).cloned();
        let conventional_tokens = (conventional("DISCORD_TOKEN"), conventional("TELOXIDE_TOKEN"));
        let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(path) = file {
            builder = builder.add_source(File::from(path).format(FileFormat::Toml));
        }
        let environment = Environment::with_prefix("FACEGUESSER")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("discord.channels")
            .with_list_parse_key("discord.file_hosts")
            .ignore_empty(true)
            .source(Some(variables.into_iter().collect()));
        let mut config: Self = builder.add_source(environment).build()?.try_deserialize()?;
        config.discord.token = token(config.discord.token, &config.discord.token_file, conventional_tokens.0)?;
        config.telegram.token = token(config.telegram.token, &config.telegram.token_file, conventional_tokens.1)?;
        let Telegram { webhook_secret, webhook_secret_file, .. } = &mut config.telegram;
        *webhook_secret = token(webhook_secret.take(), webhook_secret_file, None)?;
        config.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        let unusable = |key, reason: &str| Err(ConfigError::Unusable { key, reason: reason.into() });
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
            return unusable("limits.photo_bytes and limits.photo_pixels", "must be at least 1");
        }
        if self.limits.photo_memory < self.limits.photo_bytes {
            return unusable("limits.photo_memory", "must hold at least one photo of limits.photo_bytes");
        }
        if self.limits.decode_memory.as_u64() < LEAST_DECODE_MEMORY {
            return unusable("limits.decode_memory", "must be at least 64 MiB, which a photo of 12 megapixels takes");
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
        Ok(self)
    }

    /// Limits of decoding, with a budget of memory of their own: made once and shared.
    pub fn decode_limits(&self) -> DecodeLimits {
        DecodeLimits {
            max_bytes: self.limits.photo_bytes.as_u64(),
            max_pixels: self.limits.photo_pixels,
            memory: Memory::new(self.limits.decode_memory.as_u64()),
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
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::load(None, variables.iter().map(|(key, value)| (key.to_string(), value.to_string())))
    }

    fn exposed(token: &Option<SecretString>) -> Option<&str> {
        token.as_ref().map(ExposeSecret::expose_secret)
    }

    #[test]
    fn defaults_are_complete_and_hold_no_token() {
        let config = load(&[]).unwrap();
        assert!(config.discord.token.is_none() && config.telegram.token.is_none());
        assert_eq!(config.web.listen.to_string(), "127.0.0.1:8080");
        let (limits, default) = (config.decode_limits(), DecodeLimits::default());
        assert_eq!((limits.max_bytes, limits.max_pixels), (default.max_bytes, default.max_pixels));
        assert_eq!(limits.memory.total(), default.memory.total());
        assert_eq!(config.download_limits(), DownloadLimits::default());
    }

    #[test]
    fn variables_win_over_the_file_and_the_file_over_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faceguesser.toml");
        std::fs::write(&path, "[web]\nlisten = \"127.0.0.1:9000\"\n[limits]\nphoto_bytes = \"5 MiB\"\n").unwrap();
        let variables = [
            ("FACEGUESSER__WEB__LISTEN", "127.0.0.1:9001"),
            ("FACEGUESSER__DISCORD__TOKEN", "first"),
            ("DISCORD_TOKEN", "second"),
            ("TELOXIDE_TOKEN", "12:third"),
            ("FACEGUESSER__DISCORD__CHANNELS", "11,22"),
            ("FACEGUESSER__TELEGRAM__API_BASE", "http://127.0.0.1:4/"),
        ];
        let config = Config::load(Some(&path), variables.map(|(k, v)| (k.into(), v.into()))).unwrap();
        assert_eq!(config.web.listen.port(), 9001);
        assert_eq!(config.decode_limits().max_bytes, 5 << 20);
        assert_eq!(exposed(&config.discord.token), Some("first"));
        assert_eq!(exposed(&config.telegram.token), Some("12:third"));
        assert_eq!(config.discord.channels, [11, 22]);
        assert_eq!(load(&[("FACEGUESSER__DISCORD__CHANNELS", "33")]).unwrap().discord.channels, [33]);
        assert!(load(&[("FACEGUESSER__DISCORD__CHANNELS", "general")]).is_err());
        assert_eq!(config.telegram.api_base.as_str(), "http://127.0.0.1:4/");
    }

    #[test]
    fn a_misspelt_key_is_refused_by_name() {
        let error = load(&[("FACEGUESSER__WEB__LISTNE", "127.0.0.1:1")]).unwrap_err().to_string();
        assert!(error.contains("listne"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        assert!(load(&[("FACEGUESSER__GUESS__CONFIDENT", "1.5")]).is_err());
        assert!(load(&[("FACEGUESSER__INFERENCE__QUEUE", "0")]).is_err());
        assert!(load(&[("FACEGUESSER__WEB__LISTEN", "somewhere")]).is_err());
        assert!(load(&[("FACEGUESSER__TELEGRAM__WEBHOOK_URL", "http://bot.example/")]).is_err());
        assert!(load(&[("FACEGUESSER__TELEGRAM__WEBHOOK_SECRET", "a space")]).is_err());
    }

    #[test]
    fn a_token_can_live_in_a_file_of_its_own_and_is_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let config = load(&[("FACEGUESSER__TELEGRAM__TOKEN_FILE", path.to_str().unwrap())]).unwrap();
        assert_eq!(exposed(&config.telegram.token), Some("s3cret"));
        assert!(!format!("{config:?}").contains("s3cret"));
        assert!(load(&[("FACEGUESSER__DISCORD__TOKEN_FILE", "nowhere/token")]).is_err());
    }
}
