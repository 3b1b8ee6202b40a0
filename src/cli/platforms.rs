//! Starts the platforms that `run` serves.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[cfg(any(feature = "discord", feature = "matrix", feature = "telegram", feature = "web"))]
use super::output::print_error;
use crate::bot::Bot;
use crate::bot::jobs::Role;
#[cfg(any(feature = "discord", feature = "telegram"))]
use crate::bot::jobs::Work;
#[cfg(any(feature = "discord", feature = "telegram"))]
use crate::bot::people::Platform;
use crate::bot::store::Store;
#[cfg(feature = "cluster")]
use crate::cluster::ClusterStore;
use crate::config::Config;
use crate::setup;

/// How many photos a worker takes for each of its threads: while some are downloaded or wait for the
/// platform's rate limits, others are analysed.
#[cfg(all(feature = "cluster", any(feature = "discord", feature = "telegram")))]
const JOBS_PER_WORKER: usize = 8;

/// The name of a platform that has ended, and how it ended.
pub type Outcome = (&'static str, anyhow::Result<()>);

/// What the platforms share: the store and, for workers, the queue.
pub struct Shared {
    /// Settings, games and jobs.
    pub store: Arc<dyn Store>,
    #[cfg(feature = "cluster")]
    cluster: Option<(Role, Arc<ClusterStore>)>,
}

impl Shared {
    /// The store of this machine or, with a role, that of all processes.
    pub async fn new(role: Role, config: &Config) -> anyhow::Result<Self> {
        #[cfg(feature = "cluster")]
        if role != Role::All {
            let store = setup::cluster_store(config).await?;
            return Ok(Self { store: store.clone(), cluster: Some((role, store)) });
        }
        debug_assert_eq!(role, Role::All);
        Ok(Self {
            store: setup::store(config)?,
            #[cfg(feature = "cluster")]
            cluster: None,
        })
    }

    /// From now on the platforms' rate limits are divided by the number of processes.
    pub fn divide_limits(&self, #[cfg_attr(not(feature = "cluster"), expect(unused_variables))] bot: &Bot) {
        #[cfg(feature = "cluster")]
        if let Some((_, cluster)) = &self.cluster {
            let (cluster, peers) = (cluster.clone(), bot.peers());
            tokio::spawn(async move { cluster.keep_presence(peers).await });
        }
    }

    /// Gives back the jobs that a worker has not finished.
    pub async fn close(&self) {
        #[cfg(feature = "cluster")]
        if let Some((_, cluster)) = &self.cluster {
            cluster.give_back().await;
        }
    }

    /// Where a platform's work comes from.
    #[cfg(any(feature = "discord", feature = "telegram"))]
    #[cfg_attr(not(feature = "cluster"), expect(unused_variables, reason = "without a cluster there are no workers"))]
    fn work(&self, platform: Platform, config: &Config, shutdown: &CancellationToken) -> Work {
        #[cfg(feature = "cluster")]
        if let Some((Role::Worker, queue)) = &self.cluster {
            let slots = JOBS_PER_WORKER * config.pool_options().workers;
            return Work::Jobs(queue.take_jobs(platform, slots, shutdown.clone()));
        }
        Work::Updates
    }
}

/// Starts every platform that is built in and on.
///
/// # Errors
/// When an account is set for a platform that is not built in, or the chat page's address cannot be used.
#[cfg_attr(
    not(any(feature = "discord", feature = "matrix", feature = "telegram", feature = "web")),
    expect(unused_variables, unused_mut, reason = "a build without platforms starts none")
)]
pub async fn start(
    config: &Config,
    bot: Arc<Bot>,
    #[cfg_attr(not(any(feature = "discord", feature = "matrix", feature = "telegram")), expect(unused_variables))]
    shared: &Shared,
    shutdown: &CancellationToken,
) -> anyhow::Result<JoinSet<Outcome>> {
    let missing = |name: &str, setting: &str| {
        let feature = name.to_lowercase();
        anyhow::anyhow!("{setting} is set, and this program was built without {name}: add --features {feature}")
    };
    if cfg!(not(feature = "discord")) && config.discord.token.is_some() {
        return Err(missing("Discord", "discord.token"));
    }
    if cfg!(not(feature = "telegram")) && config.telegram.token.is_some() {
        return Err(missing("Telegram", "telegram.token"));
    }
    if cfg!(not(feature = "matrix")) && config.matrix.has_account() {
        return Err(missing("Matrix", "[matrix]"));
    }
    let mut platforms = JoinSet::new();
    #[cfg(feature = "web")]
    start_web(config, &bot, shutdown, &mut platforms).await?;
    #[cfg(feature = "discord")]
    start_discord(config, &bot, shared, shutdown, &mut platforms);
    #[cfg(feature = "telegram")]
    start_telegram(config, &bot, shared, shutdown, &mut platforms);
    #[cfg(feature = "matrix")]
    start_matrix(config, &bot, shared, shutdown, &mut platforms)?;
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
fn start_discord(
    config: &Config,
    bot: &Arc<Bot>,
    shared: &Shared,
    shutdown: &CancellationToken,
    platforms: &mut JoinSet<Outcome>,
) {
    use crate::platform::discord;

    match discord::DiscordOptions::new(config) {
        Some(options) => {
            let work = shared.work(Platform::Discord, config, shutdown);
            let (bot, shutdown) = (bot.clone(), shutdown.clone());
            platforms.spawn(async move {
                ("discord", discord::run(options, bot, work, shutdown).await.map_err(Into::into))
            });
        }
        None => print_error("Discord is off: `faceguesser init` says how to get a token and turns it on."),
    }
}

#[cfg(feature = "telegram")]
fn start_telegram(
    config: &Config,
    bot: &Arc<Bot>,
    shared: &Shared,
    shutdown: &CancellationToken,
    platforms: &mut JoinSet<Outcome>,
) {
    use crate::platform::telegram;

    match telegram::TelegramOptions::new(config) {
        Some(options) => {
            let work = shared.work(Platform::Telegram, config, shutdown);
            let (bot, shutdown) = (bot.clone(), shutdown.clone());
            platforms.spawn(async move {
                ("telegram", telegram::run(options, bot, work, shutdown).await.map_err(Into::into))
            });
        }
        None => print_error("Telegram is off: `faceguesser init` says how to get a token and turns it on."),
    }
}

#[cfg(feature = "matrix")]
fn start_matrix(
    config: &Config,
    bot: &Arc<Bot>,
    #[cfg_attr(not(feature = "cluster"), expect(unused_variables))] shared: &Shared,
    shutdown: &CancellationToken,
    platforms: &mut JoinSet<Outcome>,
) -> anyhow::Result<()> {
    use crate::platform::matrix;

    match matrix::MatrixOptions::new(config) {
        Some(options) => {
            #[cfg(feature = "cluster")]
            anyhow::ensure!(
                shared.cluster.is_none(),
                "Matrix cannot be shared with other processes: leave --role out, or remove [matrix] from its settings"
            );
            let (bot, shutdown) = (bot.clone(), shutdown.clone());
            platforms.spawn(async move { ("matrix", matrix::run(options, bot, shutdown).await.map_err(Into::into)) });
        }
        None => print_error("Matrix is off: docs/matrix.md says how to get an account and its token."),
    }
    Ok(())
}
