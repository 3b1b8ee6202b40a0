//! What `init` and `check` ask Telegram: which bot a token belongs to, its privacy mode and its webhook. Nothing
//! here receives an update.

use std::time::{Duration, UNIX_EPOCH};

use secrecy::ExposeSecret;
use teloxide::payloads::{GetMe, GetWebhookInfo};
use url::Url;

use super::api::ApiRequest;
use super::identity::BotAccount;
use super::options::TelegramOptions;
use super::refusals::{ApiError, ErrorKind};
use crate::platform::probe::{PATIENCE, ProbeError, clock_error};

/// The bot that a token belongs to.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its user name, without the `@`.
    pub username: String,
    /// Whether privacy mode is off, so that it receives all messages of groups.
    pub sees_all_messages: bool,
    /// The webhook that is set.
    pub webhook: Option<WebhookState>,
    /// How many seconds this machine's clock is ahead of Telegram's.
    pub clock_error: Option<i64>,
}

/// A webhook, as Telegram sees it.
#[derive(Debug, Clone)]
pub struct WebhookState {
    /// Its host. The rest of the URL may be secret.
    pub host: String,
    /// Whether it is the one in the settings.
    pub is_own: bool,
    /// Updates that wait for delivery.
    pub pending: u64,
    /// Why the latest delivery failed, if one did.
    pub last_error: Option<String>,
}

impl TelegramOptions {
    /// Whether the token has the form of a bot's: a number, a colon and at least 20 more characters.
    pub fn has_token_form(&self) -> bool {
        let parts = self.token.expose_secret().split_once(':');
        parts.is_some_and(|(id, secret)| {
            !id.is_empty()
                && id.bytes().all(|byte| byte.is_ascii_digit())
                && secret.len() >= 20
                && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        })
    }

    /// Whether updates come over a webhook.
    pub fn uses_webhook(&self) -> bool {
        self.webhook.is_some()
    }
}

/// Asks Telegram about the bot that the token belongs to.
///
/// # Errors
/// [`ProbeError`] when the token is refused or Telegram cannot be asked.
pub async fn account(options: &TelegramOptions) -> Result<Account, ProbeError> {
    let api = super::build_api(options).map_err(|error| ProbeError::Failed(error.to_string()))?;
    // Sent once, without retries: a running bot would wait for a new token, but here somebody waits for the answer.
    let get_me = ApiRequest::new(&GetMe::new()).with_timeout(PATIENCE);
    let me = BotAccount::from_json(&api.send(&get_me).await?);
    let server = api.server_time().and_then(|time| UNIX_EPOCH.checked_add(Duration::from_secs(time.try_into().ok()?)));
    let clock_error = server.map(clock_error);
    let info = api.send(&ApiRequest::new(&GetWebhookInfo::new()).with_timeout(PATIENCE)).await?;
    let url: Option<Url> = info["url"].as_str().and_then(|url| url.parse().ok());
    let webhook = url.map(|url| WebhookState {
        host: url.host_str().unwrap_or_default().to_owned(),
        is_own: options.webhook.as_ref().is_some_and(|own| own.url == url),
        pending: info["pending_update_count"].as_u64().unwrap_or(0),
        last_error: info["last_error_message"].as_str().map(str::to_owned),
    });
    Ok(Account { username: me.username, sees_all_messages: me.can_read_all, webhook, clock_error })
}

impl From<ApiError> for ProbeError {
    fn from(error: ApiError) -> Self {
        if error.kind() == ErrorKind::InvalidToken { Self::InvalidToken } else { Self::Failed(error.to_string()) }
    }
}
