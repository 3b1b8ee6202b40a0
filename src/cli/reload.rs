//! Handles SIGHUP: reads the settings again and applies those that can change in a running program.

use tracing::{error, info, warn};

use crate::bot::Bot;
use crate::config::{Config, changed};
use crate::telemetry;

/// The keys, or prefixes of keys, that a running program applies. The others shape what is built at the start:
/// connections, listening sockets, threads, memory budgets.
const ADOPTED: [&str; 3] = ["guess.", "fair_use.", "log.level"];

/// The settings of a running program.
pub(super) struct Running {
    /// As they were at the start.
    started: Config,
    /// With what was applied since.
    current: Config,
}

impl Running {
    pub(super) fn new(config: &Config) -> Self {
        Self { started: config.clone(), current: config.clone() }
    }

    /// Adopts what can change of the settings as they are now, and logs the rest. Invalid ones change nothing.
    pub(super) fn reload(&mut self, load: impl Fn() -> anyhow::Result<Config>, bot: &Bot) {
        let new = match load() {
            Ok(new) => new,
            Err(error) => return error!("the settings stay as they were: {}", super::describe(&error)),
        };
        let is_adopted = |key: &String| ADOPTED.iter().any(|start| key.starts_with(start));
        let differ = |before: &Config, adopted: bool| {
            let keys = changed(before.settings(), new.settings()).into_iter();
            keys.filter(|key| is_adopted(key) == adopted).collect::<Vec<_>>().join(", ")
        };
        let (adopted, kept) = (differ(&self.current, true), differ(&self.started, false));
        if let Err(error) = telemetry::set_level(&new.log) {
            warn!("{error}");
        }
        bot.reconfigure(&new.bot_options(new.decode_limits()));
        info!(adopted, "the settings were read again");
        if !kept.is_empty() {
            warn!(settings = kept, "these changes take effect at the next start");
        }
        self.current = new;
    }
}
