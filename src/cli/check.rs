//! `faceguesser check`: verifies the installation and shows what `run` will serve.

use std::fmt::Display;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use bytes::Bytes;

use super::accounts;
use super::output::{print_error, print_line};
use crate::Framing;
use crate::bot::sqlite;
use crate::bot::sqlite::inspection::{StoreState, inspect};
use crate::config::Config;
use crate::inference::FlowId;
use crate::setup;

/// The mean of several hundred training crops, large in a grey picture: not a real person, but a face
/// that both networks recognise.
pub(super) const MEAN_FACE: &[u8] = include_bytes!("../../models/mean-face.jpg");
/// With less free space the database would soon be unable to grow.
#[cfg(unix)]
const LEAST_FREE: u64 = 16 << 20;

/// Options of `check`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Also contact the platforms: whether they know the tokens, whether the intents, privacy mode and webhook
    /// suit the settings, and whether the clocks agree.
    #[arg(long)]
    online: bool,
}

/// What was checked so far. Failures go to standard error, everything else to standard output.
#[derive(Default)]
pub(super) struct Report {
    failures: usize,
}

impl Report {
    /// Something that works.
    pub(super) fn ok(&mut self, what: &str, text: impl Display) {
        Self::line("ok", what, text);
    }

    /// Something that is switched off.
    pub(super) fn off(&mut self, what: &str, text: impl Display) {
        Self::line("off", what, text);
    }

    /// Something that works and may surprise.
    pub(super) fn note(&mut self, what: &str, text: impl Display) {
        Self::line("note", what, text);
    }

    /// Something that will not work, with what to do about it.
    pub(super) fn failed(&mut self, what: &str, text: impl Display) {
        self.failures += 1;
        print_error(format_args!("{:<7}{what}: {text}", "failed"));
    }

    fn line(state: &str, what: &str, text: impl Display) {
        // A closed pipe, or a full disk behind it, does not change what is found.
        let _ = print_line(format_args!("{state:<7}{what}: {text}"));
    }
}

/// Checks everything that `run` needs. Exit status 0: all of it works; 1: something does not.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    check_file(config, &mut report);
    check_networks(config, &mut report);
    check_store(config, &mut report);
    check_addresses(config, &mut report);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(accounts::check(config, arguments.online, &mut report));
    if report.failures == 0 {
        let next = if arguments.online { "" } else { "; `faceguesser check --online` also asks the platforms" };
        print_line(format_args!("Everything works{next}."))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (things, verb) = if report.failures == 1 { ("thing", "does") } else { ("things", "do") };
    print_error(format_args!("faceguesser: {} {things} {verb} not work, see above", report.failures));
    Ok(ExitCode::FAILURE)
}

fn check_file(config: &Config, report: &mut Report) {
    let Some(file) = config.file() else {
        return report.ok("settings", "valid (no settings file; defaults and variables)");
    };
    report.ok("settings", format_args!("valid ({})", file.display()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let start = file.display().to_string();
        let in_file = |key: &str| {
            let found = config.settings().iter().find(|setting| setting.key == key);
            found.is_some_and(|setting| setting.origin.as_ref().is_some_and(|origin| origin.starts_with(&start)))
        };
        let is_open = file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
        const SECRETS: [&str; 5] =
            ["discord.token", "telegram.token", "telegram.webhook_secret", "matrix.token", "matrix.password"];
        if is_open && SECRETS.into_iter().any(in_file) {
            report.note("settings", format_args!("other users of this machine can read the tokens: chmod 600 {start}"));
        }
    }
}

fn check_networks(config: &Config, report: &mut Report) {
    let from = |path: &Option<PathBuf>| match path {
        Some(path) => path.display().to_string(),
        None => "compiled in".to_owned(),
    };
    let started = Instant::now();
    let guess = || {
        let pool = setup::pool(config, config.decode_limits())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let photo = Bytes::from_static(MEAN_FACE);
        let analysis = runtime.block_on(pool.analyse(FlowId::from_key(&()), photo, Framing::Find))?;
        anyhow::Ok(analysis.faces.len())
    };
    match guess() {
        Ok(1) => {
            report.ok("face detector", from(&config.models.detector));
            report.ok("age and gender", from(&config.models.estimator));
            let milliseconds = started.elapsed().as_millis();
            report.ok("self-test", format_args!("the face in the bundled picture was found ({milliseconds} ms)"));
        }
        Ok(faces) => report.failed(
            "self-test",
            format_args!("the bundled picture has one face, {faces} were found: these weights do not work"),
        ),
        Err(error) => report.failed("networks", super::describe(&error)),
    }
}

fn check_store(config: &Config, report: &mut Report) {
    let path = &config.store.path;
    let shown = path.display();
    match inspect(path) {
        Ok(StoreState::InMemory) => report.note("store", "in memory: settings and scores are lost at a restart"),
        Ok(StoreState::Absent) => report.ok("store", format_args!("{shown} (created at the first start)")),
        Ok(StoreState::Present) => report.ok("store", path.display()),
        Ok(StoreState::Older) => report.note(
            "store",
            format_args!("{shown} is an older version's; the next start migrates it, so back it up if you may go back"),
        ),
        Err(error) => {
            let (place, advice) = (config.place("store.path"), sqlite::advice(&error));
            report.failed("store", format_args!("{place}: {shown} cannot be used: {advice} ({error})"));
        }
    }
    #[cfg(unix)]
    if path != Path::new(":memory:") {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Ok(disk) = rustix::fs::statvfs(folder) {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let size = bytesize::ByteSize::b(free);
            match free < LEAST_FREE {
                true => report.failed("disk", format_args!("only {size} are free where {shown} is: free some space")),
                false => report.ok("disk", format_args!("{size} free")),
            }
        }
    }
}

fn check_addresses(config: &Config, report: &mut Report) {
    let mut addresses = Vec::new();
    if cfg!(feature = "web") && config.web.enabled {
        addresses.push(("chat page", "web.listen", config.web.listen));
    } else {
        report.off("chat page", "web.enabled = true turns it on");
        if [&config.discord.token, &config.telegram.token, &config.matrix.token, &config.matrix.password]
            .iter()
            .all(|secret| secret.is_none())
        {
            report.failed("platforms", "nothing to serve: set a bot's token, or web.enabled = true");
        }
    }
    if cfg!(feature = "telegram") && config.telegram.token.is_some() && config.telegram.webhook_url.is_some() {
        addresses.push(("webhook", "telegram.webhook_listen", config.telegram.webhook_listen));
    }
    if let Some(address) = config.status.listen {
        addresses.push(("health and metrics", "status.listen", address));
    }
    // Held until the end: two of them may be the same.
    let mut held = Vec::new();
    for (what, key, address) in addresses {
        match bind(address) {
            Ok(listener) => {
                held.push(listener);
                report.ok(what, format_args!("http://{address}/"));
            }
            Err(reason) => {
                let place = config.place(key);
                report.failed(
                    what,
                    format_args!("{address} cannot be used: {reason}; or choose another address ({place})"),
                );
            }
        }
    }
}

/// Listens on an address; the error says why that is impossible, and what to do.
fn bind(address: SocketAddr) -> Result<TcpListener, &'static str> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program (or another FaceGuesser) listens there: stop it",
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need special rights",
        _ => "this machine has no such address",
    })
}
