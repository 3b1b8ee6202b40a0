//! `faceguesser run`: serves every platform that is on, until a signal stops it.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::platforms;
use crate::config::Config;
use crate::setup;

/// The time after the grace period in which platforms close their connections, and in which the workers then end;
/// together with the grace period less than service managers wait (30 s).
const CLOSING: Duration = Duration::from_secs(2);
const WORKERS_END: Duration = Duration::from_secs(2);
/// The exit status of a program that Ctrl-C ended, as shells report it.
const INTERRUPTED: i32 = 130;

/// Serves until SIGTERM or Ctrl-C, then finishes the replies in progress; a second signal exits immediately.
pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::new();
    let (bot, pool) = setup::bot(config, setup::store(config)?)?;
    let shutdown = CancellationToken::new();
    let mut platforms = platforms::start(config, bot, &shutdown).await?;
    anyhow::ensure!(!platforms.is_empty(), "nothing to serve: set a bot's token, or web.enabled = true");
    let mut failed = false;
    let mut overdue = std::pin::pin!(async {
        shutdown.cancelled().await;
        sleep(config.inference.grace + CLOSING).await;
    });
    loop {
        tokio::select! {
            signal = signals.next() => {
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
                    error!(platform, "{}", super::describe(&error));
                }
                Some(Err(panic)) => {
                    failed = true;
                    error!(%panic, "a platform's task panicked");
                }
            },
        }
    }
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

/// Ctrl-C and SIGTERM. It listens from the start, so that no signal is lost.
struct StopSignals {
    #[cfg(unix)]
    streams: Option<[tokio::signal::unix::Signal; 2]>,
}

impl StopSignals {
    fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let streams = signal(SignalKind::terminate()).and_then(|one| Ok([one, signal(SignalKind::interrupt())?]));
            Self { streams: streams.ok() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Waits for the next signal and returns its name.
    async fn next(&mut self) -> &'static str {
        #[cfg(unix)]
        if let Some([terminate, interrupt]) = &mut self.streams {
            tokio::select! {
                _ = terminate.recv() => return "SIGTERM",
                _ = interrupt.recv() => return "Ctrl-C",
            }
        }
        // Without a handler, the signal's default action ends the program.
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    }
}
