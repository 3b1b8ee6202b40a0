//! The way to Discord's gateway: its sessions are kept over broken connections and restarts of the
//! program, and started no more often than Discord takes.
//!
//! [`starts`] grants new sessions, [`connection`] is one connection from hello to its end and
//! [`close`] what its end means. What events say is the [`Handler`]'s affair: an event counts as taken
//! when that has stored what it brings, so that a killed program is told the rest once more.

mod close;
mod connection;
mod starts;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use serenity::all::{ApplicationId, UserId};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use super::handler::{Handler, Identity};
use super::incoming;
use super::{DiscordError, DiscordOptions};
use crate::bot::people::Platform;
use close::Ended;
use connection::{Connection, Course};
use starts::Starts;

/// Pauses between connections that did not last, from the second on: doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The same before new sessions, from the first refusal on: Discord asks for one to five seconds, and
/// of the thousand sessions that it grants a day some 150 are used up at most.
const FIRST_START_PAUSE: (f64, f64) = (1.0, 5.0);
const LONGEST_START_PAUSE: Duration = Duration::from_secs(600);
/// A session that lasted so long was not refused.
const LASTING: Duration = Duration::from_secs(30);
/// How often a session's own address is tried before the gateway's.
const OWN_ADDRESS_TRIES: u32 = 3;

/// A session, as the next run of the program resumes it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Session {
    id: String,
    /// Where it is resumed.
    address: Url,
    /// The last event that was taken.
    sequence: u64,
    /// Of how many shards this is one.
    shards: u32,
    /// Who the bot is, which READY alone tells.
    user: UserId,
    application: ApplicationId,
}

/// One shard and its session.
struct Shard<'a> {
    number: u32,
    shards: u32,
    options: &'a DiscordOptions,
    handler: &'a Arc<Handler>,
    /// The gateway's own address.
    gateway: Url,
    session: Option<Session>,
    /// The last event that is known to be kept.
    kept: Option<u64>,
}

/// Serves the gateway until `shutdown`.
///
/// # Errors
/// When no further attempt would succeed.
pub(super) async fn serve(
    options: &DiscordOptions,
    handler: &Arc<Handler>,
    shutdown: &CancellationToken,
) -> Result<(), DiscordError> {
    let starts = Starts::new(&handler.rest, options.gateway.as_ref());
    let info = tokio::select! {
        info = starts.look_up() => info?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let shards = info.shards.max(1);
    let run = |number| {
        let gateway = info.url.clone();
        let shard = Shard { number, shards, options, handler, gateway, session: None, kept: None };
        shard.run(&starts, shutdown)
    };
    try_join_all((0..shards).map(run)).await.map(drop)
}

impl Shard<'_> {
    async fn run(mut self, starts: &Starts<'_>, shutdown: &CancellationToken) -> Result<(), DiscordError> {
        self.recall().await;
        // In a row: connections that did not last, and sessions that did not.
        let (mut failures, mut refusals) = (0, 0);
        loop {
            let course = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                address = self.address(starts, failures, refusals) => self.connect(&address?, shutdown).await,
            };
            match course.ended {
                Ended::Resumable => {}
                Ended::SessionOver => self.forget().await,
                Ended::Stopped => {
                    self.forget().await;
                    return Ok(());
                }
                Ended::Refused(error) => {
                    self.forget().await;
                    return Err(error);
                }
            }
            if course.confirmed.is_some_and(|since| since.elapsed() >= LASTING) {
                (failures, refusals) = (0, 0);
            }
            failures += 1;
            if self.session.is_none() {
                refusals += u32::from(course.greeted);
            }
        }
    }

    /// Where to connect next, once it is time.
    async fn address(&mut self, starts: &Starts<'_>, failures: u32, refusals: u32) -> Result<Url, DiscordError> {
        // The first attempt to go on comes at once.
        let pause = doubled(FIRST_PAUSE, failures.saturating_sub(1), LONGEST_PAUSE);
        let Some(session) = &self.session else {
            let first = rand::random_range(FIRST_START_PAUSE.0..FIRST_START_PAUSE.1);
            let pause = pause.max(doubled(Duration::from_secs_f64(first), refusals, LONGEST_START_PAUSE));
            if refusals > 0 {
                warn!(
                    shard = self.number,
                    pause_s = pause.as_secs(),
                    "Discord ended the session, waiting for a new one"
                );
            }
            sleep(pause).await;
            self.gateway = starts.grant().await?;
            return Ok(self.gateway.clone());
        };
        let own = failures < OWN_ADDRESS_TRIES && self.options.may_resume_at(&session.address);
        let address = if own { session.address.clone() } else { self.gateway.clone() };
        sleep(pause).await;
        Ok(address)
    }

    async fn connect(&mut self, address: &Url, shutdown: &CancellationToken) -> Course {
        let opened = tokio::select! {
            opened = Connection::open(address) => opened,
            () = shutdown.cancelled() => return Course { ended: Ended::Stopped, greeted: false, confirmed: None },
        };
        match opened {
            Ok(connection) => connection.run(self, shutdown).await,
            Err(reason) => {
                warn!(shard = self.number, reason, "Discord's gateway cannot be reached, trying again");
                Course { ended: Ended::Resumable, greeted: false, confirmed: None }
            }
        }
    }

    /// IDENTIFY, or RESUME where there is a session.
    fn greeting(&self) -> Value {
        let token = self.options.bare_token();
        match &self.session {
            Some(session) => {
                json!({ "op": 6, "d": { "token": token, "session_id": session.id, "seq": session.sequence } })
            }
            None => json!({ "op": 2, "d": {
                "token": token,
                "intents": self.options.intents().bits(),
                "properties": { "os": std::env::consts::OS, "browser": "faceguesser", "device": "faceguesser" },
                "compress": false,
                "shard": [self.number, self.shards],
            } }),
        }
    }

    /// The number of the last event that was taken.
    fn last_event(&self) -> Option<u64> {
        self.session.as_ref().map(|session| session.sequence)
    }

    /// Takes an event: returns when what it brings is stored.
    async fn take(&mut self, kind: &str, sequence: Option<u64>, data: Value) {
        if kind == "READY" {
            self.begin(&data).await;
        }
        self.handler.take(kind, data).await;
        if let (Some(session), Some(sequence)) = (&mut self.session, sequence) {
            session.sequence = sequence;
        }
        if matches!(kind, "READY" | "RESUMED") {
            info!(shard = self.number, "Discord is connected");
            self.keep().await;
            self.handler.connected().await;
        }
    }

    /// A new session.
    async fn begin(&mut self, ready: &Value) {
        let (user, application) = (incoming::id(&ready["user"]["id"]), incoming::id(&ready["application"]["id"]));
        let (Some(user), Some(id)) = (user, ready["session_id"].as_str()) else {
            warn!(shard = self.number, "Discord's READY cannot be read");
            return;
        };
        // An application's bot has its number, except in the oldest ones.
        let (user, application) = (UserId::new(user), ApplicationId::new(application.unwrap_or(user)));
        self.handler.is(Identity { user, application });
        let address = ready["resume_gateway_url"].as_str().and_then(|url| url.parse().ok());
        self.session = Some(Session {
            id: id.to_owned(),
            address: address.unwrap_or_else(|| self.gateway.clone()),
            sequence: 0,
            shards: self.shards,
            user,
            application,
        });
        self.kept = None;
    }

    /// Keeps the session for the next run of the program.
    async fn keep(&mut self) {
        let Some(session) = &self.session else { return };
        if self.kept == Some(session.sequence) {
            return;
        }
        if let Ok(state) = serde_json::to_string(session) {
            self.handler.bot.keep_connection(Platform::Discord, self.number, Some(state)).await;
            self.kept = Some(session.sequence);
        }
    }

    /// The session that the last run of the program left.
    async fn recall(&mut self) {
        let kept = self.handler.bot.kept_connection(Platform::Discord, self.number).await;
        let session = kept.and_then(|state| serde_json::from_str::<Session>(&state).ok());
        if let Some(session) = session.filter(|session| session.shards == self.shards) {
            self.handler.is(Identity { user: session.user, application: session.application });
            self.kept = Some(session.sequence);
            self.session = Some(session);
        }
    }

    async fn forget(&mut self) {
        self.session = None;
        self.handler.bot.keep_connection(Platform::Discord, self.number, None).await;
    }
}

/// Nothing the first time, then `first` and twice as long each time.
fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    match times.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => first.saturating_mul(1 << doublings.min(16)).min(longest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_sessions_never_use_up_a_days_thousand() {
        let pauses: Duration = (0..1000).map(|times| doubled(Duration::from_secs(1), times, LONGEST_START_PAUSE)).sum();
        assert!(pauses > Duration::from_secs(5 * 24 * 3600), "{pauses:?}");
        assert_eq!(doubled(FIRST_PAUSE, 0, LONGEST_PAUSE), Duration::ZERO);
        assert_eq!(doubled(FIRST_PAUSE, 2, LONGEST_PAUSE), 2 * FIRST_PAUSE);
    }
}
