//! Starts the platforms that `run` serves.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[cfg(any(feature = "discord", feature = "matrix", feature = "telegram", feature = "web"))]
use super::output::print_error;
use crate::bot::Bot;
use crate::config::Config;

/// The name of a platform that has ended, and how it ended.
pub type Outcome = (&'static str, anyhow::Result<()>);

/// Starts every platform that is built in and on.
///
/// # Errors
/// When a token is set for a platform that is not built in, or the chat page's address cannot be used.
#[cfg_attr(
    not(any(feature = "discord", feature = "matrix", feature = "telegram", feature = "web")),
    expect(unused_variables, unused_mut, reason = "a build without platforms starts none")
)]
pub async fn start(config: &Config, bot: Arc<Bot>, shutdown: &CancellationToken) -> anyhow::Result<JoinSet<Outcome>> {
    let missing = |name: &str| {
        let feature = name.to_lowercase();
        anyhow::anyhow!("{feature}.token is set, and this program was built without {name}: add --features {feature}")
    };
    if cfg!(not(feature = "discord")) && config.discord.token.is_some() {
        return Err(missing("Discord"));
    }
    if cfg!(not(feature = "telegram")) && config.telegram.token.is_some() {
        return Err(missing("Telegram"));
    }
    if cfg!(not(feature = "matrix")) && config.matrix.token.is_some() {
        return Err(missing("Matrix"));
    }
    let mut platforms = JoinSet::new();
    #[cfg(feature = "web")]
    start_web(config, &bot, shutdown, &mut platforms).await?;
    #[cfg(feature = "discord")]
    start_discord(config, &bot, shutdown, &mut platforms);
    #[cfg(feature = "telegram")]
    start_telegram(config, &bot, shutdown, &mut platforms);
    #[cfg(feature = "matrix")]
    start_matrix(config, &bot, shutdown, &mut platforms);
    Ok(platforms)
}

/// Serves health, readiness and metrics on an address of their own, if one is set.
///
/// # Errors
/// When the address cannot be used.
#[cfg(feature = "http-server")]
pub async fn start_status(config: &Config, shutdown: &CancellationToken) -> anyhow::Result<()> {
    use crate::observe::health::health;
    use crate::platform::status;
    use anyhow::Context;

    health().set_patience(config.status.patience);
    if let Some(address) = config.status.listen {
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| {
            let place = config.place("status.listen");
            format!("health and metrics cannot be served on {address}: choose another address ({place})")
        })?;
        let address = listener.local_addr()?;
        tokio::spawn(status::run(listener, shutdown.clone()));
        print_error(format_args!("Health and metrics: http://{address}/readyz, http://{address}/metrics"));
    }
    Ok(())
}

#[cfg(feature = "web")]
async fn start_web(
    config: &Config,
    bot: &Arc<Bot>,
    shutdown: &CancellationToken,
    platforms: &mut JoinSet<Outcome>,
) -> anyhow::Result<()> {
    use crate::platform::web;
    use anyhow::Context;

    if config.web.enabled {
        let address = config.web.listen;
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| {
            let place = config.place("web.listen");
            format!("the chat page cannot listen on {address}: choose another address ({place})")
        })?;
        let address = listener.local_addr()?;
        let options = web::WebOptions::new(config);
        let (bot, shutdown) = (bot.clone(), shutdown.clone());
        platforms.spawn(async move {
            ("web", web::run(listener, options, bot, shutdown).await.context("the chat page failed"))
        });
        print_error(format_args!("FaceGuesser's chat page: http://{address}/"));
    }
    Ok(())
}

#[cfg(feature = "discord")]
fn start_discord(config: &Config, bot: &Arc<Bot>, shutdown: &CancellationToken, platforms: &mut JoinSet<Outcome>) {
    use crate::platform::discord;

    match discord::DiscordOptions::new(config) {
        Some(options) => {
            let (bot, shutdown) = (bot.clone(), shutdown.clone());
            platforms.spawn(async move { ("discord", discord::run(options, bot, shutdown).await.map_err(Into::into)) });
        }
        None => print_error("Discord is off: `faceguesser init` says how to get a token and turns it on."),
    }
}

#[cfg(feature = "telegram")]
fn start_telegram(config: &Config, bot: &Arc<Bot>, shutdown: &CancellationToken, platforms: &mut JoinSet<Outcome>) {
    use crate::platform::telegram;

    match telegram::TelegramOptions::new(config) {
        Some(options) => {
            let (bot, shutdown) = (bot.clone(), shutdown.clone());
            platforms
                .spawn(async move { ("telegram", telegram::run(options, bot, shutdown).await.map_err(Into::into)) });
        }
        None => print_error("Telegram is off: `faceguesser init` says how to get a token and turns it on."),
    }
}

#[cfg(feature = "matrix")]
fn start_matrix(config: &Config, bot: &Arc<Bot>, shutdown: &CancellationToken, platforms: &mut JoinSet<Outcome>) {
    use crate::platform::matrix;

    match matrix::MatrixOptions::new(config) {
        Some(options) => {
            let (bot, shutdown) = (bot.clone(), shutdown.clone());
            platforms.spawn(async move { ("matrix", matrix::run(options, bot, shutdown).await.map_err(Into::into)) });
        }
        None => print_error("Matrix is off: docs/matrix.md says how to get an account and its token."),
    }
}
