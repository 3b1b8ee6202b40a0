//! Opens the account: with a token, or by logging in with a password.

use std::time::Duration;

use ruma::OwnedUserId;
use ruma::api::client::account::whoami;
use ruma::api::client::profile::get_profile_field;
use ruma::api::client::session::login::v3 as login;
use ruma::api::client::uiaa::{MatrixUserIdentifier, UserIdentifier};
use ruma::profile::DisplayName;
use secrecy::ExposeSecret;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::api::{Api, ApiRequest};
use super::error::MatrixError;
use super::options::{Access, MatrixOptions};
use super::refusals::{ApiError, refusal};
use super::request::Account;
use crate::platform::refusal::Refusal;

/// Pauses between attempts without a time limit: the first, doubled each time up to the longest.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The id of the bot's device. With a new one at each login, devices would pile up in the account.
const DEVICE: &str = "FACEGUESSER";

/// Sets the token and asks whom it belongs to. Repeats until the homeserver answers.
pub(super) async fn open(api: &Api, options: &MatrixOptions) -> Result<Account, MatrixError> {
    let user = match &options.access {
        Access::Token(token) => {
            api.set_token(token.clone());
            let who = send_until_answered(api, whoami::v3::Request::new()).await;
            who.map_err(|_| MatrixError::InvalidToken)?.user_id
        }
        Access::Password { .. } => log_in(api, options).await?,
    };
    let name = api.send(get_profile_field::v3::Request::new_static::<DisplayName>(user.clone())).await;
    let name = name.inspect_err(|error| debug!(%error, "the bot's name could not be asked for"));
    Ok(Account { user, name: name.ok().and_then(|profile| profile.value) })
}

/// Logs in with the password, if there is one; returns the user. Repeats until the homeserver answers.
pub(super) async fn log_in(api: &Api, options: &MatrixOptions) -> Result<OwnedUserId, MatrixError> {
    let Access::Password { user, password } = &options.access else { return Err(MatrixError::InvalidToken) };
    let session = send_until_answered(api, login_request(user, password.expose_secret())).await;
    let session = session.map_err(|_| MatrixError::InvalidPassword)?;
    api.set_token(session.access_token.into());
    Ok(session.user_id)
}

pub(super) fn login_request(user: &str, password: &str) -> login::Request {
    let user = UserIdentifier::Matrix(MatrixUserIdentifier::new(user.to_owned()));
    let password = login::Password::new(user, password.to_owned());
    let mut request = login::Request::new(login::LoginInfo::Password(password));
    request.device_id = Some(DEVICE.into());
    request.initial_device_display_name = Some("FaceGuesser".to_owned());
    request
}

/// Sends a request, with growing pauses between attempts, until the homeserver answers it or refuses it for good.
async fn send_until_answered<R: ApiRequest>(api: &Api, request: R) -> Result<R::IncomingResponse, ApiError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match api.send(request.clone()).await {
            Ok(response) => return Ok(response),
            Err(error) if error.is_invalid_token() => return Err(error),
            Err(error) => error,
        };
        let wait = match refusal(&error) {
            Refusal::Retry { after } => after.unwrap_or_default().max(pause),
            // Nothing there speaks Matrix: the address may be wrong, or the homeserver may not have started yet.
            Refusal::Gone => pause,
            _ => return Err(error),
        };
        warn!(%error, pause_s = wait.as_secs(), "the Matrix homeserver did not answer, retrying");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
