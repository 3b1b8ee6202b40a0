//! The Matrix bot's options, taken from the configuration.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::config::Config;

/// The options of the Matrix bot.
#[derive(Debug, Clone)]
pub struct MatrixOptions {
    /// Base URL of the client-server API.
    pub(super) homeserver: Url,
    pub(super) access: Access,
    /// The largest photo, in bytes.
    pub(super) max_bytes: u64,
    /// How long replies in progress may take at shutdown.
    pub(super) grace: Duration,
}

/// How the bot authenticates.
#[derive(Debug, Clone)]
pub(super) enum Access {
    Token(SecretString),
    /// Logs in at every start.
    Password {
        user: String,
        password: SecretString,
    },
}

impl MatrixOptions {
    /// `None` when neither a token nor a password is configured: then the bot is off.
    pub fn new(config: &Config) -> Option<Self> {
        let matrix = &config.matrix;
        let password = || Some(Access::Password { user: matrix.user.clone(), password: matrix.password.clone()? });
        Some(Self {
            homeserver: matrix.homeserver.clone()?,
            access: matrix.token.clone().map(Access::Token).or_else(password)?,
            max_bytes: config.download_limits().max_bytes,
            grace: config.inference.grace,
        })
    }

    /// Whether it logs in with a password.
    pub fn uses_password(&self) -> bool {
        matches!(self.access, Access::Password { .. })
    }
}
