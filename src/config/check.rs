//! Ranges of values, and values that contradict each other.

use std::time::Duration;

use secrecy::ExposeSecret;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use url::Url;

use super::Config;

/// Photos from phones need this much.
const LEAST_DECODE_MEMORY: u64 = 64 << 20;
/// With less, a slow machine could not search ordinary photos to the end.
const LEAST_CPU_TIME: Duration = Duration::from_millis(100);
/// With less, no photo is downloaded or answered in time.
const LEAST_DEADLINE: Duration = Duration::from_millis(100);
/// More threads than any machine has cores only take memory.
const MOST_WORKERS: usize = 1024;
/// The ports that Telegram posts to (Bot API, `setWebhook`).
const WEBHOOK_PORTS: [u16; 4] = [443, 80, 88, 8443];

/// The key of a value that cannot be used, and what is wrong with it.
type Unusable = (&'static str, &'static str);

/// Checks all settings; `is_set` tells which keys do not have their default.
///
/// # Errors
/// The first key whose value cannot be used.
pub(super) fn check(config: &Config, is_set: impl Fn(&str) -> bool) -> Result<(), Unusable> {
    let Config { guess, limits, inference, matrix, telegram, web, cluster, .. } = config;
    let rules = [
        ((0.0..=1.0).contains(&guess.confident), ("guess.confident", "must be between 0 and 1")),
        ((0.5..=1.0).contains(&guess.gender_sure), ("guess.gender_sure", "must be between 0.5 and 1")),
        (limits.faces >= 1, ("limits.faces", "must be at least 1")),
        (limits.photo_bytes.as_u64() >= 1, ("limits.photo_bytes", "must be at least 1")),
        (limits.photo_pixels >= 1, ("limits.photo_pixels", "must be at least 1")),
        (
            limits.photo_memory >= limits.photo_bytes,
            match is_set("limits.photo_memory") {
                true => ("limits.photo_memory", "must hold at least one photo of limits.photo_bytes"),
                false => ("limits.photo_bytes", "must be at most limits.photo_memory, which has to hold such a photo"),
            },
        ),
        (limits.download_timeout >= LEAST_DEADLINE, ("limits.download_timeout", DEADLINE)),
        (inference.deadline >= LEAST_DEADLINE, ("inference.deadline", DEADLINE)),
        (
            limits.decode_memory.as_u64() >= LEAST_DECODE_MEMORY,
            ("limits.decode_memory", "must be at least 64 MiB, which a photo of 12 megapixels takes"),
        ),
        (
            limits.cpu_time >= LEAST_CPU_TIME,
            ("limits.cpu_time", "must be at least 100ms, or ordinary photos are refused"),
        ),
        (inference.queue >= 1, ("inference.queue", "must be at least 1")),
        (inference.workers <= MOST_WORKERS, ("inference.workers", "must be at most 1024; 0 means one for each core")),
        (
            is_log_filter(&config.log.level),
            (
                "log.level",
                "must be error, warn, info, debug, trace or off, or a filter such as \"info,faceguesser=debug\"",
            ),
        ),
        (
            web.api_key.as_ref().is_none_or(|key| is_api_key(key.expose_secret())),
            ("web.api_key", "must be 16 to 256 visible ASCII characters, for example from `openssl rand -hex 16`"),
        ),
        (is_http(&config.discord.api_base), ("discord.api_base", HTTP)),
        (config.discord.file_hosts.iter().all(is_http), ("discord.file_hosts", HTTP)),
        (
            config.discord.gateway.as_ref().is_none_or(|url| matches!(url.scheme(), "ws" | "wss")),
            ("discord.gateway", "must be a ws:// or wss:// address"),
        ),
        (
            config.web.hosts.iter().all(|host| is_host(host)),
            ("web.hosts", "must be names such as \"faces.example.org\", without https:// and without a port"),
        ),
        (matrix.homeserver.as_ref().is_none_or(is_http), ("matrix.homeserver", HTTP)),
        (
            matrix.homeserver.is_some() || !matrix.has_account(),
            ("matrix.homeserver", "must be set with matrix.token or matrix.password: where is the account?"),
        ),
        (
            matrix.password.is_none() || !matrix.user.is_empty(),
            ("matrix.user", "must be set with matrix.password: whose is it?"),
        ),
        (is_http(&telegram.api_base), ("telegram.api_base", HTTP)),
        (telegram.file_base.as_ref().is_none_or(is_http), ("telegram.file_base", HTTP)),
        (
            telegram.local_files.as_ref().is_none_or(|folder| folder.is_dir()),
            ("telegram.local_files", "must be a folder that exists"),
        ),
        (
            telegram.webhook_url.as_ref().is_none_or(|url| url.scheme() == "https"),
            ("telegram.webhook_url", "must be an https:// address: Telegram posts to no other"),
        ),
        (
            telegram
                .webhook_url
                .as_ref()
                .is_none_or(|url| url.port_or_known_default().is_some_and(|port| WEBHOOK_PORTS.contains(&port))),
            ("telegram.webhook_url", "must have port 443, 80, 88 or 8443: Telegram posts to no other"),
        ),
        (
            telegram.webhook_secret.as_ref().is_none_or(|secret| is_webhook_secret(secret.expose_secret())),
            ("telegram.webhook_secret", "must be 1 to 256 of A-Z, a-z, 0-9, _ and -"),
        ),
        (!cluster.servers.is_empty(), ("cluster.servers", "must name at least one server")),
        (is_name(&cluster.name), ("cluster.name", "must be 1 to 32 of A-Z, a-z, 0-9, _ and -")),
        (matches!(cluster.replicas, 1 | 3 | 5), ("cluster.replicas", "must be 1, 3 or 5")),
        (cluster.queue >= 1, ("cluster.queue", "must be at least 1")),
    ];
    rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, unusable)| Err(unusable))
}

const DEADLINE: &str = "must be at least 100ms, or no photo is answered in time";
const HTTP: &str = "must be an http:// or https:// address";

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn is_host(host: &str) -> bool {
    Url::parse(&format!("https://{host}/"))
        .is_ok_and(|url| url.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host)))
}

fn is_webhook_secret(secret: &str) -> bool {
    (1..=256).contains(&secret.len()) && is_plain(secret)
}

/// Whether it can be part of the names of streams and buckets.
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len()) && is_plain(name)
}

fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn is_api_key(key: &str) -> bool {
    (16..=256).contains(&key.len()) && key.chars().all(|c| c.is_ascii_graphic())
}

/// Whether it is a level or a filter. `EnvFilter` takes a misspelt level for the name of a module, which
/// would silence everything else.
fn is_log_filter(text: &str) -> bool {
    let is_sound = |directive: &str| directive.contains(['=', '[']) || directive.trim().parse::<LevelFilter>().is_ok();
    text.split(',').all(is_sound) && EnvFilter::try_new(text).is_ok()
}
