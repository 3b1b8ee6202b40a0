//! What `init` and `check` ask Discord: which application a token belongs to, what is switched on for it in the
//! developer portal, and whether the gateway can be reached. Nothing here starts a session.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serenity::all::Permissions;

use super::commands::USER_INSTALL;
use super::gateway;
use super::incoming::snowflake;
use super::refusals::RestError;
use super::transport::{Request, RestClient};
use super::{DiscordError, DiscordOptions};
use crate::platform::probe::{PATIENCE, ProbeError, clock_error};

/// Application flags: the message content intent is granted, or switched on for a bot in few servers.
const MESSAGE_CONTENT: u64 = 1 << 18;
const MESSAGE_CONTENT_LIMITED: u64 = 1 << 19;
/// Where Discord asks for consent to an installation.
const AUTHORIZE: &str = "https://discord.com/oauth2/authorize";

/// The application that a token belongs to.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its id, which links to it need.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether the message content intent is on in the developer portal.
    pub message_content: bool,
    /// Whether people may install it for themselves.
    pub user_install: bool,
    /// How many seconds this machine's clock is ahead of Discord's.
    pub clock_error: Option<i64>,
}

/// Discord's gateway, as a connection to it showed.
#[derive(Debug, Clone, Copy)]
pub struct GatewayState {
    /// How many more sessions may be started today.
    pub starts_remaining: u64,
}

impl DiscordOptions {
    /// Whether the settings need the message content intent.
    pub fn needs_message_content(&self) -> bool {
        self.sees_messages()
    }

    /// Whether the token has the form of a bot's: three parts, joined by dots, in the alphabet of base64 for
    /// URLs. Those that Discord itself gives out are long and begin with the application's id.
    pub fn has_token_form(&self) -> bool {
        let token = self.bare_token();
        let parts: Vec<&str> = token.split('.').collect();
        let is_part =
            |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        let is_plausible = self.api_base.is_some() || (token.len() >= 50 && self.token_application().is_some());
        parts.len() == 3 && parts.iter().all(is_part) && is_plausible
    }

    /// The application's id, as the token contains it.
    pub fn token_application(&self) -> Option<u64> {
        let first = self.bare_token().split('.').next()?.trim_end_matches('=');
        String::from_utf8(URL_SAFE_NO_PAD.decode(first).ok()?).ok()?.parse().ok()
    }
}

/// Asks Discord about the application that the token belongs to.
///
/// # Errors
/// [`ProbeError`] when the token is refused or Discord cannot be asked.
pub async fn application(options: &DiscordOptions) -> Result<Application, ProbeError> {
    let rest = rest_client(options)?;
    let request = Request::new(Method::GET, "/applications/@me".into(), "get application", 0);
    let json = rest.send(request.retry_for(PATIENCE).timeout(PATIENCE)).await?;
    let flags = json["flags"].as_u64().unwrap_or(0);
    Ok(Application {
        id: snowflake(&json["id"]).ok_or(RestError::Unreadable)?,
        name: json["name"].as_str().unwrap_or_default().to_owned(),
        message_content: flags & (MESSAGE_CONTENT | MESSAGE_CONTENT_LIMITED) != 0,
        user_install: json["integration_types_config"].get(USER_INSTALL).is_some(),
        clock_error: rest.server_time().map(clock_error),
    })
}

/// Looks up the gateway and connects to it, up to its greeting.
///
/// # Errors
/// [`ProbeError`] when either fails.
pub async fn gateway(options: &DiscordOptions) -> Result<GatewayState, ProbeError> {
    let info = rest_client(options)?.fetch_gateway().await?;
    let address = options.gateway.as_ref().unwrap_or(&info.url);
    gateway::reach(address).await.map_err(|reason| ProbeError::Failed(format!("the gateway: {reason}")))?;
    Ok(GatewayState { starts_remaining: info.starts_remaining })
}

/// The link that adds the application to a server, with the permissions that its replies need and no others.
pub fn server_link(application: u64) -> String {
    let permissions = Permissions::VIEW_CHANNEL
        | Permissions::SEND_MESSAGES
        | Permissions::SEND_MESSAGES_IN_THREADS
        | Permissions::EMBED_LINKS
        | Permissions::ATTACH_FILES
        | Permissions::READ_MESSAGE_HISTORY;
    let permissions = permissions.bits();
    format!("{AUTHORIZE}?client_id={application}&scope=bot+applications.commands&permissions={permissions}")
}

/// The link with which somebody installs the application for themselves, to use its commands everywhere.
pub fn user_link(application: u64) -> String {
    format!("{AUTHORIZE}?client_id={application}&integration_type={USER_INSTALL}&scope=applications.commands")
}

fn rest_client(options: &DiscordOptions) -> Result<RestClient, ProbeError> {
    options.rest_client(Default::default()).map_err(|error| match error {
        DiscordError::InvalidToken => ProbeError::InvalidToken,
        error => ProbeError::Failed(error.to_string()),
    })
}

impl From<RestError> for ProbeError {
    fn from(error: RestError) -> Self {
        if error.is_unauthorized() { Self::InvalidToken } else { Self::Failed(error.to_string()) }
    }
}
