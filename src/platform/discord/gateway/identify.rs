//! Limits how often sessions are started: Discord resets the token of a bot that sends more than a
//! thousand IDENTIFYs a day.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;
use url::Url;

use super::super::DiscordError;
use super::super::rest::GatewayInfo;
use super::super::transport::RestClient;
use crate::bot::Bot;
use crate::bot::people::Platform;

/// The least time between two IDENTIFYs of a bot.
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(5);
/// How long a look-up holds: the gateway's address and the sessions left change.
const LOOKUP_LIFETIME: Duration = Duration::from_secs(60);
/// Pauses between failed look-ups of the gateway: the first, doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The limit on IDENTIFYs, shared by all shards, also those of other gateways.
pub(super) struct IdentifyLimiter<'a> {
    bot: &'a Bot,
    rest: &'a RestClient,
    /// Replaces the address that Discord returns.
    gateway: Option<&'a Url>,
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    identified: Option<Instant>,
    /// A look-up after which no session was started, and when it was answered.
    unused: Option<(GatewayInfo, Instant)>,
}

impl Latest {
    /// The unused look-up, if it still holds.
    fn take_unused(&mut self) -> Option<GatewayInfo> {
        let (info, answered) = self.unused.take()?;
        (answered.elapsed() <= LOOKUP_LIFETIME).then_some(info)
    }
}

impl<'a> IdentifyLimiter<'a> {
    pub(super) fn new(bot: &'a Bot, rest: &'a RestClient, gateway: Option<&'a Url>) -> Self {
        Self { bot, rest, gateway, latest: Mutex::default() }
    }

    /// The gateway's address and the number of shards, looked up until that succeeds.
    ///
    /// # Errors
    /// When Discord refuses the token.
    pub(super) async fn gateway_info(&self) -> Result<GatewayInfo, DiscordError> {
        let info = self.look_up().await?;
        self.latest.lock().await.unused = Some((info.clone(), Instant::now()));
        Ok(info)
    }

    /// Waits until a session may be started, and returns the gateway's address.
    ///
    /// # Errors
    /// As [`IdentifyLimiter::gateway_info`].
    pub(super) async fn acquire(&self) -> Result<Url, DiscordError> {
        // Locked while waiting, so that shards start one after the other.
        let mut latest = self.latest.lock().await;
        if let Some(identified) = latest.identified {
            sleep_until(identified + IDENTIFY_INTERVAL).await;
        }
        let mut info = match latest.take_unused() {
            Some(info) => info,
            None => self.look_up().await?,
        };
        while info.starts_remaining == 0 {
            let pause = info.starts_reset_after.max(FIRST_PAUSE);
            warn!(pause_s = pause.as_secs(), "Discord allows no further sessions today, waiting");
            sleep(pause).await;
            info = self.look_up().await?;
        }
        loop {
            match self.bot.claim_session_start(Platform::Discord, IDENTIFY_INTERVAL).await {
                Duration::ZERO => break,
                wait => sleep(wait).await,
            }
        }
        latest.identified = Some(Instant::now());
        Ok(info.url)
    }

    async fn look_up(&self) -> Result<GatewayInfo, DiscordError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.rest.fetch_gateway().await {
                Ok(info) => {
                    let url = self.gateway.cloned().unwrap_or(info.url);
                    return Ok(GatewayInfo { url, ..info });
                }
                Err(error) if error.is_unauthorized() => return Err(DiscordError::InvalidToken),
                Err(error) => {
                    warn!(%error, pause_s = pause.as_secs(), "Discord's gateway cannot be looked up, retrying");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lookup_is_used_once_and_only_for_a_minute() {
        let info = GatewayInfo {
            url: "wss://gateway.example".parse().unwrap(),
            shards: 1,
            starts_remaining: 1000,
            starts_reset_after: Duration::ZERO,
        };
        let mut latest = Latest { identified: None, unused: Some((info.clone(), Instant::now())) };
        tokio::time::advance(LOOKUP_LIFETIME).await;
        assert!(latest.take_unused().is_some() && latest.take_unused().is_none());
        latest.unused = Some((info, Instant::now()));
        tokio::time::advance(LOOKUP_LIFETIME + Duration::from_millis(1)).await;
        assert!(latest.take_unused().is_none());
    }
}
