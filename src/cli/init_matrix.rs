//! The part of `faceguesser init` that logs in to Matrix. A homeserver has no page that gives out bots' tokens: a
//! login gives one.

use dialoguer::{Input, Password};
use url::Url;

use super::accounts::{MATRIX, Token, refused};
use super::init::given;
use super::output::print_error;
use crate::config::Config;
use crate::platform::matrix::{MatrixOptions, probe};
use crate::platform::probe::ProbeError;

/// Options of `init` for Matrix.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The client-server address of the Matrix account's homeserver.
    #[arg(long, value_name = "URL", requires = "matrix")]
    matrix_homeserver: Option<Url>,
    /// The Matrix account, such as @faces:example.org; its password gets the bot a token of its own.
    #[arg(long, value_name = "USER", requires_all = ["matrix_password", "matrix_homeserver"])]
    matrix_user: Option<String>,
    /// The password of --matrix-user, which is not stored; `-` reads a line of standard input, after the tokens.
    #[arg(long, value_name = "PASSWORD", requires = "matrix_user", group = "matrix")]
    matrix_password: Option<String>,
    /// The Matrix account's token, instead of a password; `-` reads a line of standard input.
    #[arg(long, value_name = "TOKEN", requires = "matrix_homeserver", group = "matrix")]
    matrix_token: Option<String>,
}

impl Options {
    /// Whether any is given.
    pub(super) fn is_any(&self) -> bool {
        self.matrix_homeserver.is_some()
    }

    /// The account that the options name, if they do: a token is tried, unless `offline`, and a password gets one.
    pub(super) async fn account(&self, config: &Config, offline: bool) -> anyhow::Result<Option<Token>> {
        let Some(homeserver) = &self.matrix_homeserver else { return Ok(None) };
        if let Some(token) = given(self.matrix_token.as_deref())? {
            return verify(homeserver, token, config, offline).await.map(Some).map_err(anyhow::Error::msg);
        }
        let password = given(self.matrix_password.as_deref())?.unwrap_or_default();
        anyhow::ensure!(!offline, "--offline cannot get a token with a password: give it with --matrix-token");
        let user = self.matrix_user.as_deref().unwrap_or_default();
        log_in(homeserver, user, &password).await.map(Some).map_err(anyhow::Error::msg)
    }
}

/// Asks for an account and its password until they get a token, or no account is given.
pub(super) async fn ask() -> anyhow::Result<Option<Token>> {
    print_error(
        "\nMatrix: register an account for the bot, as for a person, on a homeserver (docs/matrix.md).\n\
         Its password gets the bot a token of its own, and is not stored.",
    );
    loop {
        let prompt = "Matrix account, such as @faces:example.org (Enter leaves Matrix off)";
        let user: String = Input::new().with_prompt(prompt).allow_empty(true).interact_text()?;
        let user = user.trim();
        if user.is_empty() {
            return Ok(None);
        }
        let mut homeserver = Input::new().with_prompt("Address of its homeserver");
        if let Some(url) = probe::homeserver(user).await {
            homeserver = homeserver.default(url);
        }
        let homeserver: Url = homeserver.interact_text()?;
        let password = Password::new().with_prompt("Its password").interact()?;
        match log_in(&homeserver, user, &password).await {
            Ok(token) => {
                print_error(&token.account);
                return Ok(Some(token));
            }
            Err(refusal) => print_error(refusal),
        }
    }
}

async fn log_in(homeserver: &Url, user: &str, password: &str) -> Result<Token, String> {
    match probe::log_in(homeserver, user, password).await {
        Ok((user, text)) => Ok(account(homeserver, text, Some(user))),
        Err(ProbeError::InvalidToken) => {
            Err("Matrix: refuses the account or its password: try them in a client".to_owned())
        }
        Err(error) => Err(format!("Matrix: {error}")),
    }
}

async fn verify(homeserver: &Url, text: String, config: &Config, offline: bool) -> Result<Token, String> {
    let mut config = config.clone();
    config.matrix.homeserver = Some(homeserver.clone());
    config.matrix.token = Some(text.clone().into());
    let Some(options) = MatrixOptions::new(&config).filter(|_| !offline) else {
        return Ok(account(homeserver, text, None));
    };
    match probe::account(&options).await {
        Ok(found) => Ok(account(homeserver, text, Some(found.user))),
        Err(error) => Err(format!("Matrix: {}", refused(&error, "the token", "the account (docs/matrix.md)"))),
    }
}

fn account(homeserver: &Url, text: String, user: Option<String>) -> Token {
    Token {
        platform: MATRIX,
        homeserver: Some(homeserver.clone()),
        text,
        account: user.as_ref().map_or_else(|| MATRIX.to_owned(), |user| format!("{MATRIX}: {user}")),
        links: user.map(|user| ("invite it into a room", format!("https://matrix.to/#/{user}"))).into_iter().collect(),
        notes: vec!["(it cannot read encrypted rooms: create one with encryption switched off)"],
    }
}
