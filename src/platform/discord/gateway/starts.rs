//! When a session may be started: Discord counts, and a thousand IDENTIFYs a day end in a new token.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;
use url::Url;

use super::super::DiscordError;
use super::super::rest::{GatewayInfo, Rest};

/// The least time between two IDENTIFYs of one bot.
const BETWEEN: Duration = Duration::from_secs(5);
/// Pauses between look-ups that failed: the first, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Grants the starts of all shards, one after the other.
pub(super) struct Starts<'a> {
    rest: &'a Rest,
    /// In place of the address that Discord names.
    gateway: Option<&'a Url>,
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    identified: Option<Instant>,
    /// A look-up that no session has been started on.
    unused: Option<GatewayInfo>,
}

impl<'a> Starts<'a> {
    pub(super) fn new(rest: &'a Rest, gateway: Option<&'a Url>) -> Self {
        Self { rest, gateway, latest: Mutex::default() }
    }

    /// Where the gateway is and how many shards Discord wants, asked until it answers.
    ///
    /// # Errors
    /// When Discord refuses the token.
    pub(super) async fn look_up(&self) -> Result<GatewayInfo, DiscordError> {
        let info = self.asked().await?;
        self.latest.lock().await.unused = Some(info.clone());
        Ok(info)
    }

    /// Waits until a session may be started, and says where.
    ///
    /// # Errors
    /// As [`Starts::look_up`].
    pub(super) async fn grant(&self) -> Result<Url, DiscordError> {
        // Held while waiting: shards start one after the other.
        let mut latest = self.latest.lock().await;
        if let Some(identified) = latest.identified {
            sleep_until(identified + BETWEEN).await;
        }
        let mut info = match latest.unused.take() {
            Some(info) => info,
            None => self.asked().await?,
        };
        while info.starts_left == 0 {
            let pause = info.starts_reset.max(FIRST_PAUSE);
            warn!(pause_s = pause.as_secs(), "Discord allows no further sessions today, waiting");
            sleep(pause).await;
            info = self.asked().await?;
        }
        latest.identified = Some(Instant::now());
        Ok(info.url)
    }

    async fn asked(&self) -> Result<GatewayInfo, DiscordError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.rest.gateway().await {
                Ok(info) => {
                    let url = self.gateway.cloned().unwrap_or(info.url);
                    return Ok(GatewayInfo { url, ..info });
                }
                Err(error) if error.is_unauthorized() => return Err(DiscordError::InvalidToken),
                Err(error) => {
                    warn!(%error, pause_s = pause.as_secs(), "Discord's gateway cannot be looked up, trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}
