//! The connection to Discord's gateway. Sessions survive broken connections and restarts of the program,
//! and are started no more often than Discord allows.
//!
//! [`identify`] limits new sessions, [`connection`] is one connection from hello to its end and [`close`]
//! interprets that end. Events go to the [`Handler`]. The sequence number advances only after an event's
//! job has been stored, so that Discord replays the rest to a program that was killed.

mod close;
mod connection;
mod identify;

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
use super::incoming::snowflake;
use super::{DiscordError, DiscordOptions};
use crate::bot::people::Platform;
use crate::config::ShardRange;
use crate::observe::health::{Link, health};
use crate::observe::metrics::metrics;
use close::Disconnect;
use connection::{Connection, Outcome};
use identify::IdentifyLimiter;

/// Pauses between connections that did not last, from the second on: doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The same before new sessions, from the first refusal on. Discord asks for one to five seconds. Of the
/// thousand sessions that it allows a day some 150 are used up at most.
const FIRST_START_PAUSE: (f64, f64) = (1.0, 5.0);
const LONGEST_START_PAUSE: Duration = Duration::from_secs(600);
/// A session that was ready for this long was not refused.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// How many connections are tried at a session's resume address before the gateway's own.
const RESUME_URL_TRIES: u32 = 3;
/// How many RESUMEs in a row may stay without an answer, or be ended without any event, before the session is given up: with
/// the pauses between them, a minute and a half of silence or a quarter of a minute of refusals.
const RESUME_TRIES: u32 = 5;

/// A session, as it is stored for the next run of the program.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Session {
    id: String,
    #[serde(rename = "address")]
    resume_url: Url,
    /// The sequence number of the last handled event.
    sequence: u64,
    #[serde(rename = "shards")]
    shard_count: u32,
    /// The intents that it was started with: a RESUME cannot change them.
    intents: u64,
    /// The bot's ids, which only READY contains.
    user: UserId,
    application: ApplicationId,
}

/// One shard and its session.
struct Shard<'a> {
    id: u32,
    shard_count: u32,
    options: &'a DiscordOptions,
    handler: &'a Arc<Handler>,
    /// The gateway's own address.
    gateway: Url,
    session: Option<Session>,
    /// The sequence number of the stored session.
    saved_sequence: Option<u64>,
    /// Whether the gateway answers this shard.
    link: Arc<Link>,
}

/// Runs this process's shards until `shutdown`.
///
/// # Errors
/// When no further attempt would succeed.
pub(super) async fn serve(
    options: &DiscordOptions,
    handler: &Arc<Handler>,
    shutdown: &CancellationToken,
) -> Result<(), DiscordError> {
    let limiter = IdentifyLimiter::new(&handler.bot, &handler.rest, options.gateway.as_ref());
    let link = health().link(Platform::Discord.name());
    link.asked(Duration::ZERO);
    let info = tokio::select! {
        info = limiter.gateway_info() => info?,
        () = shutdown.cancelled() => return Ok(()),
    };
    link.answered();
    let all = info.shards.max(1);
    let shards = options.shards.unwrap_or(ShardRange { first: 0, last: all - 1, total: all });
    let shard_count = shards.total;
    let run = |id| {
        let gateway = info.url.clone();
        let link = health().link(Platform::Discord.name());
        let shard = Shard { id, shard_count, options, handler, gateway, session: None, saved_sequence: None, link };
        shard.run(&limiter, shutdown)
    };
    try_join_all((shards.first..=shards.last).map(run)).await.map(drop)
}

/// Connects to the gateway and waits for its greeting, without starting a session.
///
/// # Errors
/// Why it cannot be reached.
pub(super) async fn reach(gateway: &Url) -> Result<(), String> {
    Connection::open(gateway).await?.greeted().await
}

impl Shard<'_> {
    async fn run(mut self, limiter: &IdentifyLimiter<'_>, shutdown: &CancellationToken) -> Result<(), DiscordError> {
        self.load_session().await;
        // Consecutive connections, and consecutive new sessions, that did not last.
        let (mut failures, mut refusals) = (0, 0);
        // Consecutive connections on which neither READY nor RESUMED nor any event arrived.
        let mut unanswered = 0;
        loop {
            self.link.asked(Duration::ZERO);
            let before = self.session.as_ref().map(|session| session.sequence);
            let outcome = tokio::select! {
                () = shutdown.cancelled() => Outcome::unidentified(Disconnect::Shutdown),
                address = self.next_address(limiter, failures, refusals) => self.connect(&address?, shutdown).await,
            };
            match outcome.disconnect {
                Disconnect::Resumable => {}
                Disconnect::SessionInvalid => self.delete_session().await,
                Disconnect::Shutdown => {
                    self.save_session().await;
                    return Ok(());
                }
                Disconnect::Fatal(error) => {
                    self.delete_session().await;
                    return Err(error);
                }
            }
            metrics().count_platform_error(Platform::Discord.name(), "disconnected");
            if outcome.ready.is_some_and(|since| since.elapsed() >= STABLE_AFTER) {
                (failures, refusals) = (0, 0);
            }
            failures += 1;
            let has_advanced = self.session.as_ref().map(|session| session.sequence) != before;
            unanswered =
                if outcome.ready.is_some() || has_advanced { 0 } else { unanswered + u32::from(outcome.identified) };
            if unanswered >= RESUME_TRIES {
                self.delete_session().await;
            }
            if self.session.is_none() {
                refusals += u32::from(outcome.identified);
            }
        }
    }

    /// Waits until the next connection may be opened, and returns its address.
    async fn next_address(
        &mut self,
        limiter: &IdentifyLimiter<'_>,
        failures: u32,
        refusals: u32,
    ) -> Result<Url, DiscordError> {
        // The first reconnection is immediate.
        let pause = backoff(failures.saturating_sub(1), FIRST_PAUSE, LONGEST_PAUSE);
        let Some(session) = &self.session else {
            let first = rand::random_range(FIRST_START_PAUSE.0..FIRST_START_PAUSE.1);
            let pause = pause.max(backoff(refusals, Duration::from_secs_f64(first), LONGEST_START_PAUSE));
            if refusals > 0 {
                warn!(shard = self.id, pause_s = pause.as_secs(), "Discord ended the session, waiting for a new one");
            }
            sleep(pause).await;
            self.gateway = limiter.acquire().await?;
            return Ok(self.gateway.clone());
        };
        let resume_url = failures < RESUME_URL_TRIES && self.options.may_resume_at(&session.resume_url);
        let address = if resume_url { session.resume_url.clone() } else { self.gateway.clone() };
        sleep(pause).await;
        Ok(address)
    }

    async fn connect(&mut self, address: &Url, shutdown: &CancellationToken) -> Outcome {
        let opened = tokio::select! {
            opened = Connection::open(address) => opened,
            () = shutdown.cancelled() => return Outcome::unidentified(Disconnect::Shutdown),
        };
        match opened {
            Ok(connection) => connection.run(self, shutdown).await,
            Err(reason) => {
                warn!(shard = self.id, reason, "Discord's gateway cannot be reached, retrying");
                Outcome::unidentified(Disconnect::Resumable)
            }
        }
    }

    /// The RESUME frame of the session, or IDENTIFY without one.
    fn identify_or_resume(&self) -> Value {
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
                "shard": [self.id, self.shard_count],
            } }),
        }
    }

    /// The sequence number of the last handled event.
    fn last_sequence(&self) -> Option<u64> {
        self.session.as_ref().map(|session| session.sequence)
    }

    /// Handles an event; returns when its job is stored.
    async fn handle_event(&mut self, kind: &str, sequence: Option<u64>, data: Value) {
        if kind == "READY" {
            self.start_session(&data);
        }
        self.handler.handle_event(kind, data).await;
        if let (Some(session), Some(sequence)) = (&mut self.session, sequence) {
            session.sequence = sequence;
        }
        if matches!(kind, "READY" | "RESUMED") {
            info!(shard = self.id, "Discord is connected");
            self.link.answered();
            self.save_session().await;
            self.handler.handle_connected().await;
        }
    }

    fn start_session(&mut self, ready: &Value) {
        let (user, application) = (snowflake(&ready["user"]["id"]), snowflake(&ready["application"]["id"]));
        let (Some(user), Some(id)) = (user, ready["session_id"].as_str()) else {
            warn!(shard = self.id, "Discord's READY event cannot be parsed");
            return;
        };
        // The ids of an application and its bot are equal, except for the oldest ones.
        let (user, application) = (UserId::new(user), ApplicationId::new(application.unwrap_or(user)));
        self.handler.set_identity(Identity { user, application });
        let resume_url = ready["resume_gateway_url"].as_str().and_then(|url| url.parse().ok());
        self.session = Some(Session {
            id: id.to_owned(),
            resume_url: resume_url.unwrap_or_else(|| self.gateway.clone()),
            sequence: 0,
            shard_count: self.shard_count,
            intents: self.options.intents().bits(),
            user,
            application,
        });
        self.saved_sequence = None;
    }

    /// Stores the session for the next run of the program.
    async fn save_session(&mut self) {
        let Some(session) = &self.session else { return };
        if self.saved_sequence == Some(session.sequence) {
            return;
        }
        if let Ok(state) = serde_json::to_string(session) {
            self.handler.bot.save_connection(Platform::Discord, self.id, Some(state)).await;
            self.saved_sequence = Some(session.sequence);
        }
    }

    /// Loads the session that the last run of the program stored, unless its shards or intents were others.
    async fn load_session(&mut self) {
        let state = self.handler.bot.load_connection(Platform::Discord, self.id).await;
        let session = state.and_then(|state| serde_json::from_str::<Session>(&state).ok());
        let wanted = (self.shard_count, self.options.intents().bits());
        if let Some(session) = session.filter(|session| (session.shard_count, session.intents) == wanted) {
            self.handler.set_identity(Identity { user: session.user, application: session.application });
            self.saved_sequence = Some(session.sequence);
            self.session = Some(session);
        }
    }

    async fn delete_session(&mut self) {
        self.session = None;
        self.handler.bot.save_connection(Platform::Discord, self.id, None).await;
    }
}

/// The pause before a retry: none at first, then `first`, doubled each time up to `longest`.
fn backoff(retries: u32, first: Duration, longest: Duration) -> Duration {
    match retries.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => first.saturating_mul(1 << doublings.min(16)).min(longest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_sessions_never_use_up_the_daily_thousand() {
        let pauses: Duration =
            (0..1000).map(|retries| backoff(retries, Duration::from_secs(1), LONGEST_START_PAUSE)).sum();
        assert!(pauses > Duration::from_secs(5 * 24 * 3600), "{pauses:?}");
        assert_eq!(backoff(0, FIRST_PAUSE, LONGEST_PAUSE), Duration::ZERO);
        assert_eq!(backoff(2, FIRST_PAUSE, LONGEST_PAUSE), 2 * FIRST_PAUSE);
    }
}
