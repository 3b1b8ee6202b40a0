//! The program as an operator runs it: a process with environment variables and signals.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::secrets;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_faceguesser");

/// The executable for measurements: the one that `FACEGUESSER_PROGRAM` names, or the one under test.
pub fn measured_program() -> String {
    std::env::var("FACEGUESSER_PROGRAM").unwrap_or(PROGRAM.to_owned())
}

/// A command for the program without the environment variables that would configure it.
pub fn command() -> Command {
    command_for(PROGRAM)
}

fn command_for(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        let tokens = ["DISCORD_TOKEN", "MATRIX_TOKEN", "TELEGRAM_TOKEN", "TELOXIDE_TOKEN"];
        if name.starts_with("FACEGUESSER_") || tokens.contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    // The developer's own settings are not read, and no database is left in the working directory of the tests.
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    command.env("FACEGUESSER__STORE__PATH", ":memory:");
    command
}

/// A running program; dropping it kills the process.
pub struct Program {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Number of lines printed.
    lines: watch::Sender<usize>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Program {
    /// Starts `faceguesser` with these environment variables.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_at(PROGRAM, variables)
    }

    /// Starts `faceguesser run --role ROLE`.
    pub fn start_as(role: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = command_for(&measured_program());
        command.args(["run", "--role", role]);
        Self::spawn(command, variables)
    }

    /// Starts another build of it, at the path `program`.
    pub fn start_at(program: &str, variables: &[(&str, &str)]) -> Self {
        Self::spawn(command_for(program), variables)
    }

    fn spawn(mut command: Command, variables: &[(&str, &str)]) -> Self {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let secret = |name: &str| ["TOKEN", "SECRET", "PASSWORD"].iter().any(|ending| name.ends_with(ending));
        variables.iter().filter(|(name, _)| secret(name)).for_each(|(_, value)| secrets::keep(value, 1));
        // The most verbose log, so that all of it is searched for secrets.
        command.env("FACEGUESSER__LOG__LEVEL", "debug,teloxide=trace,hyper=trace,reqwest=trace,tungstenite=trace");
        let mut child = command.envs(variables).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = watch::Sender::new(0);
        let pipes: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = pipes.map(|pipe| {
            let (log, lines) = (log.clone(), lines.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    {
                        let mut log = log.lock().unwrap();
                        *log += &line;
                        log.push('\n');
                    }
                    lines.send_modify(|lines| *lines += 1);
                }
            })
        });
        Self { child, log, lines, readers: readers.into() }
    }

    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks it to read its settings again.
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// The URL of its chat page, once it has been logged.
    pub async fn page(&self) -> String {
        self.logged("chat page: http").await;
        let log = self.log.lock().unwrap().clone();
        log.split("chat page: ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    }

    /// The URL under which it serves health and metrics, once it has been logged.
    pub async fn status_url(&self) -> String {
        self.logged("Health and metrics: http").await;
        let log = self.log.lock().unwrap().clone();
        log.split("Health and metrics: ").nth(1).unwrap().split("/readyz").next().unwrap().to_owned()
    }

    /// Its resident memory, in megabytes (Linux).
    pub fn resident_megabytes(&self) -> f64 {
        self.megabytes("VmRSS:")
    }

    /// Its peak resident memory, in megabytes (Linux).
    pub fn peak_megabytes(&self) -> f64 {
        self.megabytes("VmHWM:")
    }

    fn megabytes(&self, key: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// Waits until it has printed `text`.
    pub async fn logged(&self, text: &str) {
        let mut lines = self.lines.subscribe();
        let printed = lines.wait_for(|_| self.log.lock().unwrap().contains(text));
        let in_time = tokio::time::timeout(super::inbox::PATIENCE, printed).await;
        assert!(in_time.is_ok(), "{text:?} was not printed");
    }

    /// Kills the process (SIGKILL), so that it finishes nothing.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it exits, and returns its status and everything it printed.
    pub async fn finished(mut self) -> (ExitStatus, String) {
        let readers = std::mem::take(&mut self.readers);
        tokio::task::spawn_blocking(move || {
            let status = self.child.wait().unwrap();
            for reader in readers {
                reader.join().unwrap();
            }
            let log = self.log.lock().unwrap().clone();
            assert_eq!(secrets::line_with_one(&log), None, "this line of the log contains a secret");
            (status, log)
        })
        .await
        .unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if std::thread::panicking() {
            eprintln!("--- the program's output ---\n{log}");
        } else {
            assert_eq!(secrets::line_with_one(&log), None, "this line of the log contains a secret");
        }
    }
}
