//! What `check` and `init` ask the homeserver: whether it knows the account, and for a token. Nothing here receives
//! an event.

use ruma::UserId;
use ruma::api::client::account::whoami;
use ruma::api::client::session::{login, logout};
use secrecy::ExposeSecret;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use url::Url;

use super::api::Api;
use super::options::{Access, MatrixOptions};
use super::refusals::ApiError;
use super::session::login_request;
use crate::platform::probe::{PATIENCE, ProbeError, clock_error};

/// The account that the bot uses.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its identifier, such as `@faces:example.org`.
    pub user: String,
    /// How many seconds this machine's clock is ahead of the homeserver's.
    pub clock_error: Option<i64>,
}

/// Asks the homeserver whom the token belongs to, or logs in with the password and out again.
///
/// # Errors
/// [`ProbeError`] when token or password are refused, or the homeserver cannot be asked.
pub async fn account(options: &MatrixOptions) -> Result<Account, ProbeError> {
    let api = Api::new(options.homeserver.clone()).map_err(|error| ProbeError::Failed(error.to_string()))?;
    let user = timeout(PATIENCE, user(&api, &options.access)).await.map_err(late)??;
    Ok(Account { user, clock_error: api.server_time().map(clock_error) })
}

/// Logs in as a device of its own; returns the account's identifier and the device's token.
///
/// # Errors
/// [`ProbeError`] when the password is refused, or the homeserver cannot be asked.
pub async fn log_in(homeserver: &Url, user: &str, password: &str) -> Result<(String, String), ProbeError> {
    let api = Api::new(homeserver.clone()).map_err(|error| ProbeError::Failed(error.to_string()))?;
    let session = timeout(PATIENCE, api.send(separate_login(user, password))).await.map_err(late)?;
    let session = session.map_err(login_failed)?;
    Ok((session.user_id.into(), session.access_token))
}

/// The address of the homeserver of an account such as `@faces:example.org`, if its server publishes one.
pub async fn homeserver(user: &str) -> Option<Url> {
    let server = <&UserId>::try_from(user).ok()?.server_name();
    let api = Api::new(format!("https://{server}").parse().ok()?).ok()?;
    let answer = timeout(PATIENCE, api.discover()).await.ok()?.ok()?;
    answer.homeserver.base_url.parse().ok()
}

async fn user(api: &Api, access: &Access) -> Result<String, ProbeError> {
    match access {
        Access::Token(token) => {
            api.set_token(token.clone());
            let who = api.send(whoami::v3::Request::new()).await.map_err(failed)?;
            Ok(who.user_id.into())
        }
        Access::Password { user, password } => {
            let session = api.send(separate_login(user, password.expose_secret())).await.map_err(login_failed)?;
            api.set_token(session.access_token.into());
            api.send(logout::v3::Request::new()).await.map_err(failed)?;
            Ok(session.user_id.into())
        }
    }
}

/// A login that leaves the device of a running bot alone: logging in as that device would end its token.
fn separate_login(user: &str, password: &str) -> login::v3::Request {
    let mut request = login_request(user, password);
    request.device_id = None;
    request
}

fn late(_: Elapsed) -> ProbeError {
    ProbeError::Failed(format!("the homeserver has not answered within {} s", PATIENCE.as_secs()))
}

fn login_failed(error: ApiError) -> ProbeError {
    match error {
        ApiError::Refused { status: 400..=403, .. } => ProbeError::InvalidToken,
        error => failed(error),
    }
}

fn failed(error: ApiError) -> ProbeError {
    match error {
        error if error.is_invalid_token() => ProbeError::InvalidToken,
        ApiError::InvalidResponse { .. } | ApiError::Refused { status: 404, .. } => {
            ProbeError::Failed("there is no homeserver at matrix.homeserver: use its client-server address".to_owned())
        }
        error => ProbeError::Failed(error.to_string()),
    }
}
