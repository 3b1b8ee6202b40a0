//! `faceguesser run`: serves every platform that is on, until a signal stops it.

#[cfg(unix)]
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::platforms::{self, Shared};
use super::reload::Running;
use crate::bot::jobs::Role;
use crate::config::Config;
use crate::observe::health::health;
use crate::setup;

/// The time after the grace period in which platforms close their connections, and in which the workers then end;
/// together with the grace period less than service managers wait (30 s).
const CLOSING: Duration = Duration::from_secs(2);
const WORKERS_END: Duration = Duration::from_secs(2);
/// The exit status of a program that Ctrl-C ended, as shells report it.
const INTERRUPTED: i32 = 130;

/// Options of `run`.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Do a part of the work, and share the rest with other processes through a NATS server
    /// (docs/cluster.md).
    #[cfg(feature = "cluster")]
    #[arg(long, value_enum)]
    role: Option<RoleArgument>,
}

#[cfg(feature = "cluster")]
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RoleArgument {
    /// Receive messages, answer commands, and store photos' references for workers.
    Gateway,
    /// Take photos' references, and answer them.
    Worker,
}

impl Arguments {
    fn role(&self) -> Role {
        #[cfg(feature = "cluster")]
        match self.role {
            Some(RoleArgument::Gateway) => return Role::Gateway,
            Some(RoleArgument::Worker) => return Role::Worker,
            None => {}
        }
        Role::All
    }
}

/// Serves until SIGTERM or Ctrl-C, then finishes the replies in progress; a second signal exits immediately. SIGHUP
/// makes it `load` the settings again.
pub fn run(
    arguments: Arguments,
    config: &Config,
    load: impl Fn() -> anyhow::Result<Config>,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(arguments.role(), config, load))
}

async fn serve(role: Role, config: &Config, load: impl Fn() -> anyhow::Result<Config>) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new();
    if let Some(file) = config.file() {
        info!(file = %file.display(), "settings read");
    }
    let mut running = Running::new(config);
    let shared = Shared::new(role, config).await?;
    let (bot, pool) = setup::bot(config, shared.store.clone(), role)?;
    shared.divide_limits(&bot);
    let shutdown = CancellationToken::new();
    #[cfg(feature = "http-server")]
    platforms::start_status(config, &shutdown).await?;
    let mut platforms = platforms::start(config, bot.clone(), &shared, &shutdown).await?;
    anyhow::ensure!(!platforms.is_empty(), "nothing to serve: set a bot's token, or web.enabled = true");
    let mut failed = false;
    let mut overdue = std::pin::pin!(async {
        shutdown.cancelled().await;
        sleep(config.inference.grace + CLOSING).await;
    });
    loop {
        tokio::select! {
            signal = signals.next() => {
                let Some(signal) = signal else {
                    running.reload(&load, &bot);
                    continue;
                };
                if shutdown.is_cancelled() {
                    info!(signal, "stopped immediately: unanswered photos are answered after the next start");
                    std::process::exit(INTERRUPTED);
                }
                info!(signal, "stopping: finishing the replies in progress; a second signal stops immediately");
                shutdown.cancel();
            }
            () = &mut overdue => {
                warn!("not every reply was finished in time: the rest are answered after the next start");
                break;
            }
            ended = platforms.join_next() => match ended {
                None => break,
                Some(Ok((platform, Ok(())))) => info!(platform, "stopped"),
                Some(Ok((platform, Err(error)))) => {
                    // One platform's bad token must not take the others down.
                    failed = true;
                    let reason = super::describe(&error);
                    error!(platform, "{reason}");
                    health().ended(platform, reason);
                }
                Some(Err(panic)) => {
                    failed = true;
                    error!(%panic, "a platform's task panicked");
                }
            },
        }
    }
    shared.close().await;
    match timeout(WORKERS_END, tokio::task::spawn_blocking(move || pool.stop())).await {
        Ok(ended) => ended?,
        Err(_) => {
            info!("stopped before the waiting photos were analysed");
            // The runtime would wait for the thread that waits for the workers.
            std::process::exit(i32::from(failed));
        }
    }
    info!("stopped");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Ctrl-C, SIGTERM and SIGHUP. Their handlers are installed at the start, so that no signal is lost.
struct Signals {
    #[cfg(unix)]
    streams: Option<[tokio::signal::unix::Signal; 3]>,
    /// Whether it was started from a terminal, which sends SIGHUP when it closes.
    #[cfg(unix)]
    at_terminal: bool,
}

impl Signals {
    fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
            let [terminate, interrupt, hangup] = kinds.map(|kind| signal(kind).ok());
            let streams = terminate.zip(interrupt).zip(hangup).map(|((one, two), three)| [one, two, three]);
            Self { streams, at_terminal: std::io::stderr().is_terminal() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Waits for the next signal and returns its name if it stops the program, `None` if it asks for the settings to
    /// be read again.
    async fn next(&mut self) -> Option<&'static str> {
        #[cfg(unix)]
        if let Some([terminate, interrupt, hangup]) = &mut self.streams {
            tokio::select! {
                _ = terminate.recv() => return Some("SIGTERM"),
                _ = interrupt.recv() => return Some("Ctrl-C"),
                // Once the terminal has closed, standard error is no terminal: then the signal means to stop.
                _ = hangup.recv() => return (self.at_terminal && !std::io::stderr().is_terminal()).then_some("SIGHUP"),
            }
        }
        // Without a handler, the signal's default action ends the program.
        let _ = tokio::signal::ctrl_c().await;
        Some("Ctrl-C")
    }
}
