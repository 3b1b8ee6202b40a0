//! What `check` asks the homeserver: whether it knows the account. Nothing here receives an event.

use ruma::api::client::account::whoami;
use ruma::api::client::session::logout;
use secrecy::ExposeSecret;
use tokio::time::timeout;

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
    let late = |_| ProbeError::Failed(format!("the homeserver has not answered within {} s", PATIENCE.as_secs()));
    let user = timeout(PATIENCE, user(&api, &options.access)).await.map_err(late)??;
    Ok(Account { user, clock_error: api.server_time().map(clock_error) })
}

async fn user(api: &Api, access: &Access) -> Result<String, ProbeError> {
    match access {
        Access::Token(token) => {
            api.set_token(token.clone());
            let who = api.send(whoami::v3::Request::new()).await.map_err(failed)?;
            Ok(who.user_id.into())
        }
        Access::Password { user, password } => {
            let mut request = login_request(user, password.expose_secret());
            // The device of a bot that runs meanwhile stays.
            request.device_id = None;
            let session = api.send(request).await.map_err(|error| match error {
                ApiError::Refused { status: 400..=403, .. } => ProbeError::InvalidToken,
                error => failed(error),
            })?;
            api.set_token(session.access_token.into());
            api.send(logout::v3::Request::new()).await.map_err(failed)?;
            Ok(session.user_id.into())
        }
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
