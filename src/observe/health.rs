//! Whether the platforms accept the bot and answer it.
//!
//! Each connection to a platform is a [`Link`]: it notes when something was asked of the platform, and when an answer
//! arrived. A platform is ready when all of its links have been answered, and none has waited for longer than the
//! operator's patience.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What is known of all platforms that were started.
#[derive(Debug)]
pub struct Health {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    patience: Duration,
    links: Vec<Arc<Link>>,
    /// Platforms that have ended, and why.
    ended: Vec<(&'static str, String)>,
}

/// A platform, and why it is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformHealth {
    /// Its name.
    pub name: &'static str,
    /// Why it is not ready, as words after its name; `None` if it is.
    pub problem: Option<String>,
}

/// The health of this process.
pub fn health() -> &'static Health {
    static HEALTH: LazyLock<Health> = LazyLock::new(Health::default);
    &HEALTH
}

impl Default for Health {
    fn default() -> Self {
        let state = State { patience: Duration::from_secs(60), links: Vec::new(), ended: Vec::new() };
        Self { state: Mutex::new(state) }
    }
}

impl Health {
    /// Sets for how long a platform may leave a request unanswered; a minute at first.
    pub fn set_patience(&self, patience: Duration) {
        self.state().patience = patience;
    }

    /// A new connection to a platform, which counts as not ready until its first answer.
    pub fn link(&self, platform: &'static str) -> Arc<Link> {
        let link = Arc::new(Link { platform, state: Mutex::default() });
        self.state().links.push(link.clone());
        link
    }

    /// Notes that a platform has ended, which only a restart of the program changes.
    pub fn ended(&self, platform: &'static str, reason: String) {
        self.state().ended.push((platform, reason));
    }

    /// Every platform, in the order of their start.
    pub fn platforms(&self) -> Vec<PlatformHealth> {
        let state = self.state();
        let mut platforms: Vec<PlatformHealth> = Vec::new();
        let ended = state.ended.iter().map(|(name, reason)| (*name, Some(reason.clone())));
        let links = state.links.iter().map(|link| (link.platform, link.problem(state.patience)));
        for (name, problem) in ended.chain(links) {
            match platforms.iter_mut().find(|platform| platform.name == name) {
                Some(known) => known.problem = known.problem.take().or(problem),
                None => platforms.push(PlatformHealth { name, problem }),
            }
        }
        platforms
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection to a platform.
#[derive(Debug)]
pub struct Link {
    platform: &'static str,
    state: Mutex<LinkState>,
}

#[derive(Debug, Default)]
struct LinkState {
    /// Whether the platform has ever answered.
    connected: bool,
    /// Since when an answer is due; `None` if nothing is asked.
    due: Option<Instant>,
    /// Why the platform refuses the bot itself.
    refused: Option<&'static str>,
}

impl Link {
    /// Notes that something is asked of the platform, which may let the answer wait for `hold`.
    pub fn asked(&self, hold: Duration) {
        let mut state = self.state();
        let due = Instant::now() + hold;
        state.due = Some(state.due.map_or(due, |earlier| earlier.min(due)));
    }

    /// Notes an answer: nothing is due any more.
    pub fn answered(&self) {
        *self.state() = LinkState { connected: true, due: None, refused: None };
    }

    /// Notes that the platform refuses the bot itself, for example its token.
    pub fn refused(&self, reason: &'static str) {
        self.state().refused = Some(reason);
    }

    fn problem(&self, patience: Duration) -> Option<String> {
        let state = self.state();
        if let Some(reason) = state.refused {
            return Some(reason.to_owned());
        }
        let silent = state.due.map(|due| due.elapsed()).filter(|silent| *silent >= patience);
        match silent {
            Some(silent) => Some(format!("has not answered for {} s", silent.as_secs())),
            None if !state.connected => Some("is not connected yet".to_owned()),
            None => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(health: &Health) -> Option<String> {
        health.platforms().pop().unwrap().problem
    }

    #[tokio::test(start_paused = true)]
    async fn a_platform_that_does_not_answer_for_a_minute_is_not_ready_until_it_does() {
        let health = Health::default();
        let link = health.link("telegram");
        assert_eq!(problem(&health), Some("is not connected yet".into()));
        link.asked(Duration::ZERO);
        link.answered();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(problem(&health), None, "nothing was asked");
        // A long poll, whose answer may take 25 s, and then one attempt after the other.
        link.asked(Duration::from_secs(25));
        tokio::time::advance(Duration::from_secs(84)).await;
        link.asked(Duration::from_secs(25));
        assert_eq!(problem(&health), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(problem(&health), Some("has not answered for 60 s".into()));
        link.answered();
        assert_eq!(problem(&health), None);
    }

    #[test]
    fn a_platform_is_ready_when_all_of_its_connections_are() {
        let health = Health::default();
        let shards = [health.link("discord"), health.link("discord")];
        shards[0].answered();
        assert!(problem(&health).is_some());
        shards[1].answered();
        assert_eq!(problem(&health), None);
        shards[0].refused("refuses the token");
        assert_eq!(problem(&health), Some("refuses the token".into()));
        shards[0].answered();
        health.ended("discord", "Discord requires more shards".into());
        assert_eq!(problem(&health), Some("Discord requires more shards".into()));
    }
}
