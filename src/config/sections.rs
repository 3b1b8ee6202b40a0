//! The sections of the settings file. `config/default.toml` documents every key for operators.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::listing::Setting;
use crate::bot::settings::{GenderPolicy, SmilePolicy};
use crate::model::DeviceKind;

/// All settings, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Section `[discord]`.
    pub discord: Discord,
    /// Section `[telegram]`.
    pub telegram: Telegram,
    /// Section `[matrix]`.
    pub matrix: Matrix,
    /// Section `[web]`.
    pub web: Web,
    /// Section `[status]`.
    pub status: Status,
    /// Section `[limits]`.
    pub limits: Limits,
    /// Section `[inference]`.
    pub inference: Inference,
    /// Section `[models]`.
    pub models: Models,
    /// Section `[guess]`.
    pub guess: Guess,
    /// Section `[store]`.
    pub store: Store,
    /// Section `[fair_use]`.
    pub(super) fair_use: FairUse,
    /// Section `[cluster]`.
    pub cluster: Cluster,
    /// Section `[log]`.
    pub log: Log,
    /// Where each of [`LATE`](super::LATE) is set.
    #[serde(skip)]
    pub(super) places: HashMap<&'static str, String>,
    /// All of them with where each is set.
    #[serde(skip)]
    pub(super) settings: Vec<Setting>,
    /// The file that was read.
    #[serde(skip)]
    pub(super) file: Option<PathBuf>,
}

/// The Discord bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discord {
    /// The bot's token; without one, Discord is off.
    #[serde(default)]
    pub token: Option<SecretString>,
    #[serde(default)]
    pub(super) token_file: Option<PathBuf>,
    /// Ids of channels in which every picture is answered.
    pub channels: Vec<u64>,
    /// Whether to request the privileged message content intent; a list of channels implies it.
    pub message_content: bool,
    /// Base URL of the REST API.
    pub api_base: Url,
    /// The gateway's WebSocket URL; `None` asks the API for it.
    #[serde(deserialize_with = "empty_is_none")]
    pub gateway: Option<Url>,
    /// The shards that this process holds; `None` means all that Discord recommends.
    #[serde(deserialize_with = "empty_is_none")]
    pub shards: Option<ShardRange>,
    /// The only hosts that attachments are downloaded from.
    pub file_hosts: Vec<Url>,
}

/// Some of a bot's shards, such as `0-499/1000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardRange {
    /// The first one.
    pub first: u32,
    /// The last one, included.
    pub last: u32,
    /// The number of all shards.
    pub total: u32,
}

impl std::str::FromStr for ShardRange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (range, total) = text.split_once('/')?;
            let (first, last) = range.split_once('-')?;
            let [first, last, total] = [first, last, total].map(|number| number.trim().parse().ok());
            Some(Self { first: first?, last: last?, total: total? })
        };
        let range = parse().filter(|range| range.first <= range.last && range.last < range.total);
        range.ok_or("must be the first and last shard and the number of all, such as \"0-499/1000\"")
    }
}

/// The Telegram bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telegram {
    /// The bot's token; without one, Telegram is off.
    #[serde(default)]
    pub token: Option<SecretString>,
    #[serde(default)]
    pub(super) token_file: Option<PathBuf>,
    /// Base URL of the Bot API.
    pub api_base: Url,
    /// Base URL of file downloads; `None` means `api_base`.
    #[serde(deserialize_with = "empty_is_none")]
    pub file_base: Option<Url>,
    /// The folder in which a self-hosted Bot API server stores files; `None` downloads them over HTTP.
    #[serde(deserialize_with = "empty_is_none")]
    pub local_files: Option<PathBuf>,
    /// The public URL that Telegram posts updates to; `None` means long polling.
    #[serde(deserialize_with = "empty_is_none")]
    pub webhook_url: Option<Url>,
    /// The address that the webhook listens on.
    pub webhook_listen: SocketAddr,
    /// The secret that Telegram sends with every update; `None` means a random one for each start.
    #[serde(default)]
    pub webhook_secret: Option<SecretString>,
    #[serde(default)]
    pub(super) webhook_secret_file: Option<PathBuf>,
}

/// The Matrix bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Base URL of the homeserver's client-server API.
    #[serde(deserialize_with = "empty_is_none")]
    pub homeserver: Option<Url>,
    /// The account's access token; without one and without a password, Matrix is off.
    #[serde(default)]
    pub token: Option<SecretString>,
    #[serde(default)]
    pub(super) token_file: Option<PathBuf>,
    /// The account's name, to log in with a password.
    pub user: String,
    /// The account's password.
    #[serde(default)]
    pub password: Option<SecretString>,
    #[serde(default)]
    pub(super) password_file: Option<PathBuf>,
}

impl Matrix {
    /// Whether there is a token, or a password to get one with: then Matrix is on.
    pub fn has_account(&self) -> bool {
        self.token.is_some() || self.password.is_some()
    }
}

/// The chat page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Whether it is served.
    pub enabled: bool,
    /// The address that it listens on.
    pub listen: SocketAddr,
    /// The names under which a reverse proxy publishes it, besides this machine's own.
    pub hosts: Vec<String>,
    /// The key without which neither the API nor the pages answer; `None` lets everybody in.
    #[serde(default)]
    pub api_key: Option<SecretString>,
    #[serde(default)]
    pub(super) api_key_file: Option<PathBuf>,
}

/// What operators and their tools see.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The address of health, readiness and metrics; `None` serves them on the chat page's.
    #[serde(deserialize_with = "empty_is_none")]
    pub listen: Option<SocketAddr>,
    /// How long a platform may leave a request unanswered before the program is not ready.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
}

/// Bounds on what one photo may cost.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub(super) photo_bytes: ByteSize,
    pub(super) photo_pixels: u64,
    #[serde(with = "humantime_serde")]
    pub(super) download_timeout: Duration,
    pub(super) photo_memory: ByteSize,
    pub(super) decode_memory: ByteSize,
    #[serde(with = "humantime_serde")]
    pub(super) cpu_time: Duration,
    /// The most faces that are guessed in one photo.
    pub faces: usize,
}

/// The worker pool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inference {
    pub(super) workers: usize,
    /// What the age and gender network runs on.
    pub device: DeviceKind,
    pub(super) queue: usize,
    #[serde(with = "humantime_serde")]
    pub(super) deadline: Duration,
    /// How long a shutdown waits for replies in progress.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
}

/// Weights that replace the compiled-in ones.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// A safetensors file of the age and gender network.
    #[serde(deserialize_with = "empty_is_none")]
    pub estimator: Option<PathBuf>,
    /// A safetensors file of the face detector.
    #[serde(deserialize_with = "empty_is_none")]
    pub detector: Option<PathBuf>,
}

/// How guesses are phrased.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guess {
    /// Confidence, 0 to 1, from which a guess counts as sure.
    pub confident: f32,
    pub(super) gender: GenderPolicy,
    pub(super) gender_sure: f32,
    pub(super) smile: SmilePolicy,
}

/// Where settings, scores and jobs are stored.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The SQLite file, or `:memory:`.
    pub path: PathBuf,
}

/// How many photos of one person, and of one chat, are answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FairUse {
    pub person_burst: u32,
    #[serde(with = "humantime_serde")]
    pub person_every: Duration,
    pub chat_burst: u32,
    #[serde(with = "humantime_serde")]
    pub chat_every: Duration,
}

/// The NATS server between gateways and workers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The servers' addresses.
    pub servers: Vec<String>,
    /// The token that the server asks for.
    #[serde(default)]
    pub token: Option<SecretString>,
    #[serde(default)]
    pub(super) token_file: Option<PathBuf>,
    /// The prefix of streams and buckets.
    pub name: String,
    /// On how many servers everything is stored.
    pub replicas: usize,
    /// How many photos may wait or be worked on.
    pub queue: u32,
}

/// What is logged, and in which form.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A level such as `info`, or a filter such as `info,faceguesser=debug`.
    pub level: String,
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(serde::de::Error::custom) }
}
