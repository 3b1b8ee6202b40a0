//! From nothing to a bot that replies: `init`, `check` and `config`, with the stand-in platforms.

use std::io::{BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::discord::{self, BOT_ID, Discord};
use crate::support::inbox::PATIENCE;
use crate::support::photo_with_a_face;
use crate::support::program::{PROGRAM, Program, command};
use crate::support::telegram::{self, BOT_NAME, Telegram};

/// Tokens of the form that the platforms give out; nobody has them.
const DISCORD_TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB";
const TELEGRAM_TOKEN: &str = "1234567890:AAabcdefghijklmnopqrstuvwxyz0123456";
/// The flag of a bot in few servers whose message content intent is on.
const MESSAGE_CONTENT: u64 = 1 << 19;

/// The program in a folder of its own.
fn within(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = command();
    command.current_dir(folder.path()).args(arguments);
    command
}

/// As [`within`], with the stand-ins in place of the platforms.
fn beside(folder: &TempDir, (discord, telegram): (&Discord, &Telegram), arguments: &[&str]) -> Command {
    let mut command = within(folder, arguments);
    command.env("FACEGUESSER__DISCORD__API_BASE", discord.base());
    command.env("FACEGUESSER__TELEGRAM__API_BASE", telegram.base());
    command
}

async fn finished(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_settings_file_is_found_and_config_show_says_what_holds_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("xdg/faceguesser");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("faceguesser.toml"), "[guess]\ngender = \"never\"\n").unwrap();
    let show = |variables: &[(&str, &str)]| {
        let mut command = within(&folder, &["config", "show"]);
        command.env("XDG_CONFIG_HOME", folder.path().join("xdg")).envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        printed(&output)
    };
    let shown = show(&[("DISCORD_TOKEN", DISCORD_TOKEN), ("FACEGUESSER__GUESS__SMILE", "never")]);
    let file = own.join("faceguesser.toml").display().to_string();
    let line = |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    assert!(line("# Settings file: ").ends_with(&file), "{shown}");
    assert!(line("gender = \"never\"").ends_with(&format!("# {file}, line 2")), "{shown}");
    assert!(line("smile = \"never\"").ends_with("# the variable FACEGUESSER__GUESS__SMILE"), "{shown}");
    assert!(line("token = \"********\"").ends_with("# the variable DISCORD_TOKEN"), "{shown}");
    assert!(line("faces = 32").ends_with("# default") && !shown.contains(DISCORD_TOKEN), "{shown}");
    shown.parse::<toml::Table>().expect("it is TOML");
    // The working directory comes first.
    std::fs::write(folder.path().join("faceguesser.toml"), "[guess]\ngender = \"sure\"\n").unwrap();
    assert!(show(&[]).contains("gender = \"sure\""));
}

#[test]
fn config_default_is_a_settings_file_and_an_invalid_one_is_explained_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let output = within(&folder, &["config", "default"]).output().unwrap();
    std::fs::write(folder.path().join("faceguesser.toml"), &output.stdout).unwrap();
    let output = within(&folder, &["config", "show"]).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    std::fs::write(folder.path().join("faceguesser.toml"), "[log]\nformat = \"loud\"\n").unwrap();
    let output = within(&folder, &["config", "show"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = "faceguesser.toml, line 2, log.format: must be text or json, not loud";
    assert!(errors(&output).contains(told), "{}", errors(&output));
}

#[test]
fn check_fails_on_what_cannot_work_and_leaves_no_database_behind() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    std::fs::write(folder.path().join("notes.txt"), "not a database").unwrap();
    let check = |variables: &[(&str, &str)]| {
        let mut command = within(&folder, &["check"]);
        command.env_remove("FACEGUESSER__STORE__PATH").env("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0");
        command.envs(variables.iter().copied()).output().unwrap()
    };
    for (name, value, told) in [
        ("DISCORD_TOKEN", "abc", "Discord: discord.token (the variable DISCORD_TOKEN) is not a bot's token"),
        ("TELEGRAM_TOKEN", "abc", "Telegram: telegram.token (the variable TELEGRAM_TOKEN) is not a bot's token"),
        ("FACEGUESSER__LOG__LEVEL", "loud", "the variable FACEGUESSER__LOG__LEVEL: must be error, warn, info"),
        ("FACEGUESSER__WEB__LISTEN", &taken, "another program (or another FaceGuesser) listens there"),
        (
            "FACEGUESSER__STORE__PATH",
            "nowhere/store",
            "the variable FACEGUESSER__STORE__PATH: nowhere/store cannot be used",
        ),
        ("FACEGUESSER__STORE__PATH", "notes.txt", "it is damaged or not a database"),
    ] {
        let output = check(&[(name, value)]);
        assert_eq!(output.status.code(), Some(1), "{name}={value}");
        assert!(errors(&output).contains(told), "{told} is missing in {}", errors(&output));
    }
    let output = check(&[("DISCORD_TOKEN", DISCORD_TOKEN), ("TELEGRAM_TOKEN", TELEGRAM_TOKEN)]);
    assert!(output.status.success(), "{}{}", printed(&output), errors(&output));
    let report = printed(&output);
    for line in ["ok     Discord: on", "ok     Telegram: on", "ok     store: faceguesser.sqlite3 (created at"] {
        assert!(report.contains(line), "{line} is missing in {report}");
    }
    assert!(
        !report.to_lowercase().contains("not sure") && report.contains("the face in the bundled picture"),
        "{report}"
    );
    assert_eq!(names(folder.path()), ["notes.txt"]);
}

#[tokio::test]
async fn init_tries_the_tokens_writes_a_private_file_and_prints_the_links() {
    let folder = tempfile::tempdir().unwrap();
    let (discord, telegram) = (Discord::start().await, Telegram::start().await);
    discord.store_application(MESSAGE_CONTENT);
    let tokens = ["init", "--discord-token", "-", "--telegram-token", telegram::TOKEN];
    let mut command = beside(&folder, (&discord, &telegram), &tokens);
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{}\n", discord::TOKEN).as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap();
    let report = printed(&output);
    assert!(output.status.success(), "{report}{}", errors(&output));
    let permissions: u64 = [10, 11, 14, 15, 16, 38].map(|bit: u32| 1_u64 << bit).iter().sum();
    for words in [
        "Discord: Guessing bot",
        &format!("?client_id={BOT_ID}&scope=bot+applications.commands&permissions={permissions}\n"),
        &format!("?client_id={BOT_ID}&integration_type=1&scope=applications.commands\n"),
        &format!("Telegram: @{BOT_NAME}"),
        &format!("https://t.me/{BOT_NAME}?startgroup=true\n"),
        "faceguesser check --online",
    ] {
        assert!(report.contains(words), "{words} is missing in {report}");
    }
    assert!(!report.contains(discord::TOKEN) && !report.contains(telegram::TOKEN), "{report}");
    let path = folder.path().join("faceguesser.toml");
    let file: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    assert_eq!(file["discord"]["token"].as_str(), Some(discord::TOKEN));
    assert_eq!(file["telegram"]["token"].as_str(), Some(telegram::TOKEN));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    // It is read without being named, and never overwritten silently.
    let output = finished(beside(&folder, (&discord, &telegram), &["check", "--online"])).await;
    let report = printed(&output);
    assert!(report.contains("on, as Guessing bot") && report.contains(&format!("on, as @{BOT_NAME}")), "{report}");
    let before = std::fs::read(&path).unwrap();
    let again = ["init", "--offline", "--telegram-token", TELEGRAM_TOKEN];
    let output = finished(beside(&folder, (&discord, &telegram), &again)).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("exists already: --force replaces it"), "{}", errors(&output));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let forced = [&again[..], &["--force"]].concat();
    let output = finished(beside(&folder, (&discord, &telegram), &forced)).await;
    assert!(output.status.success(), "{}", errors(&output));
    assert!(std::fs::read_to_string(&path).unwrap().contains(TELEGRAM_TOKEN));
    assert_eq!(names(folder.path()), ["faceguesser.toml"]);
}

#[tokio::test]
async fn init_writes_nothing_for_a_refused_token_and_says_so_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let (discord, telegram) = (Discord::start().await, Telegram::start().await);
    for (arguments, status, told) in [
        (&["init", "--telegram-token", TELEGRAM_TOKEN][..], 1, "Telegram: refuses the token: copy it again"),
        (&["init", "--discord-token", "no.such.token"], 1, "Discord: refuses the token: copy it again"),
        (&["init", "--discord-token", "abc"], 1, "Discord: that is not a bot's token"),
        (&["init", "--telegram-token", " "], 1, "an empty token"),
        (&["init"], 2, "there is no terminal: give the tokens with --discord-token"),
    ] {
        let mut command = beside(&folder, (&discord, &telegram), arguments);
        command.stdin(Stdio::null());
        let output = finished(command).await;
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        assert!(errors(&output).contains(told), "{told} is missing in {}", errors(&output));
    }
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn check_online_names_what_the_platforms_say_will_not_work() {
    let folder = tempfile::tempdir().unwrap();
    let (discord, telegram) = (Discord::start().await, Telegram::start().await);
    discord.store_application(0);
    let check = |variables: &[(&str, &str)]| {
        let mut command = beside(&folder, (&discord, &telegram), &["check", "--online"]);
        command.env("DISCORD_TOKEN", discord::TOKEN).env("TELEGRAM_TOKEN", telegram::TOKEN);
        command.env("FACEGUESSER__WEB__ENABLED", "false").envs(variables.iter().copied());
        finished(command)
    };
    telegram.set_webhook();
    let output = check(&[]).await;
    let report = printed(&output);
    assert!(output.status.success(), "{report}{}", errors(&output));
    for words in [
        "ok     Discord: on, as Guessing bot",
        "ok     Discord: the gateway answers",
        "note   Discord: it sees only photos that are meant for it",
        "note   Telegram: privacy mode is on",
        "note   Telegram: a webhook at elsewhere.example is set, which `run` deletes",
        "ok     Telegram: the clocks agree",
        "Everything works.",
    ] {
        assert!(report.contains(words), "{words} is missing in {report}");
    }
    telegram.set_clock(3600);
    let output = check(&[("FACEGUESSER__DISCORD__MESSAGE_CONTENT", "true")]).await;
    assert_eq!(output.status.code(), Some(1));
    for words in [
        "Discord: discord.channels and discord.message_content need the message content intent: switch it on",
        " s slow: switch on time synchronisation",
        "2 things do not work",
    ] {
        assert!(errors(&output).contains(words), "{words} is missing in {}", errors(&output));
    }
    telegram.set_clock(0);
    let output = check(&[("TELEGRAM_TOKEN", TELEGRAM_TOKEN), ("DISCORD_TOKEN", "no.such.token")]).await;
    assert_eq!(output.status.code(), Some(1));
    for words in [
        "Discord: refuses discord.token (the variable DISCORD_TOKEN): copy it again",
        "Telegram: refuses telegram.token (the variable TELEGRAM_TOKEN): copy it again",
    ] {
        assert!(errors(&output).contains(words), "{words} is missing in {}", errors(&output));
    }
}

/// A program at a terminal, by way of `script` (util-linux).
struct Terminal {
    input: std::process::ChildStdin,
    output: mpsc::Receiver<String>,
    shown: String,
    /// How much of it has been waited for.
    at: usize,
    child: std::process::Child,
    /// Its device.
    name: String,
}

impl Terminal {
    fn start(mut command: Command, arguments: &str) -> Self {
        let environment: Vec<_> =
            command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
        let folder = command.get_current_dir().unwrap().to_owned();
        command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &format!("tty; exec {PROGRAM} {arguments}"), "/dev/null"]);
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("`script` of util-linux is needed");
        let (sender, output) = mpsc::channel();
        let mut shown = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = shown.read(&mut bytes) {
                let _ = sender.send(String::from_utf8_lossy(&bytes[..count]).into_owned());
            }
        });
        let mut terminal = Self {
            input: child.stdin.take().unwrap(),
            output,
            shown: String::new(),
            at: 0,
            child,
            name: String::new(),
        };
        assert!(terminal.shows("\n", PATIENCE), "{}", terminal.shown);
        terminal.name = terminal.shown.lines().next().unwrap().trim().to_owned();
        terminal
    }

    /// Waits until `text` is shown after what was waited for before; `false` if it is not within `time`.
    fn shows(&mut self, text: &str, time: Duration) -> bool {
        loop {
            if let Some(found) = self.shown[self.at..].find(text) {
                self.at += found + text.len();
                return true;
            }
            match self.output.recv_timeout(time) {
                Ok(more) => self.shown += &more,
                Err(_) => return false,
            }
        }
    }

    /// Types a line once the terminal no longer shows what is typed, and waits until `text` is shown.
    fn types(&mut self, line: &str, text: &str) {
        let begun = std::time::Instant::now();
        while self.shows_typing() {
            assert!(begun.elapsed() < PATIENCE, "a token would be shown: {}", self.shown);
            std::thread::sleep(Duration::from_millis(20));
        }
        writeln!(self.input, "{line}").unwrap();
        assert!(self.shows(text, PATIENCE), "{text} is not shown in {}", self.shown);
    }

    fn shows_typing(&self) -> bool {
        let settings = Command::new("stty").args(["-F", &self.name, "-a"]).output().unwrap().stdout;
        !String::from_utf8_lossy(&settings).split([' ', ';', '\n']).any(|setting| setting == "-echo")
    }
}

#[tokio::test]
async fn at_a_terminal_init_says_where_tokens_come_from_and_asks_again_after_a_refused_one() {
    let folder = tempfile::tempdir().unwrap();
    let (discord, telegram) = (Discord::start().await, Telegram::start().await);
    discord.store_application(0);
    let command = beside(&folder, (&discord, &telegram), &[]);
    let shown = tokio::task::spawn_blocking(move || {
        let mut terminal = Terminal::start(command, "init");
        assert!(terminal.shows("Discord token (Enter leaves", PATIENCE), "{}", terminal.shown);
        terminal.types("no.such.token", "refuses the token");
        assert!(terminal.shows("Discord token (Enter leaves", PATIENCE), "{}", terminal.shown);
        terminal.types(discord::TOKEN, "Telegram token (Enter leaves");
        if cfg!(feature = "matrix") {
            terminal.types("", "Enter leaves Matrix off");
            writeln!(terminal.input).unwrap();
            assert!(terminal.shows("faceguesser.toml is written", PATIENCE), "{}", terminal.shown);
        } else {
            terminal.types("", "faceguesser.toml is written");
        }
        assert!(terminal.child.wait().unwrap().success());
        terminal.shown
    })
    .await
    .unwrap();
    for words in ["https://discord.com/developers/applications", "https://t.me/BotFather", "Discord: Guessing bot"] {
        assert!(shown.contains(words), "{words} is missing in {shown}");
    }
    assert!(!shown.contains(discord::TOKEN), "the token was shown: {shown}");
    let file = std::fs::read_to_string(folder.path().join("faceguesser.toml")).unwrap();
    assert!(file.contains(discord::TOKEN) && !file.contains("telegram"), "{file}");
}

/// The answer of a running program's page to a photo.
async fn answer(page: &str) -> String {
    let photo = reqwest::multipart::Part::bytes(photo_with_a_face()).file_name("face.jpg");
    let form = reqwest::multipart::Form::new().part("photo", photo);
    let answer = reqwest::Client::new().post(format!("{page}api/guess")).multipart(form).send().await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    answer["text"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[tokio::test]
async fn sighup_adopts_what_can_change_names_the_rest_and_keeps_all_when_the_file_is_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faceguesser/faceguesser.toml");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[log]\nlevel = \"error\"\n[guess]\nconfident = 0.01\n");
    let program = Program::start(&[
        ("XDG_CONFIG_HOME", folder.path().to_str().unwrap()),
        ("FACEGUESSER__LOG__LEVEL", ""),
        ("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0"),
    ]);
    let page = program.page().await;
    let doubts_age = |text: &str| text.contains("about age") || text.contains("about the age");
    assert!(!doubts_age(&answer(&page).await));
    write("[log]\nlevel = \"info\"\n[guess]\nconfident = 0.99\n[limits]\nfaces = 3\n[inference]\nqueue = 9\n");
    program.hang_up();
    program.logged("the settings were read again").await;
    program.logged("limits.faces").await;
    program.logged("these changes take effect at the next start").await;
    assert!(doubts_age(&answer(&page).await));
    write("[guess]\ngender = \"perhaps\"\n");
    program.hang_up();
    program.logged("line 2, guess.gender: must be always, sure or never, not perhaps").await;
    program.logged("the settings stay as they were").await;
    assert!(doubts_age(&answer(&page).await));
    program.terminate();
    let (status, log) = program.finished().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn a_backup_of_a_running_programs_database_is_private_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.sqlite3");
    let store = store.to_str().unwrap();
    let backup = || {
        let mut command = within(&folder, &["backup", "copy.sqlite3"]);
        command.env("FACEGUESSER__STORE__PATH", store);
        finished(command)
    };
    let output = backup().await;
    assert!(errors(&output).contains("there is no"), "{}", errors(&output));
    let program = Program::start(&[("FACEGUESSER__STORE__PATH", store), ("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0")]);
    program.page().await;
    let output = backup().await;
    assert!(output.status.success(), "{}", errors(&output));
    let mut names = names(folder.path());
    names.retain(|name| name.starts_with("copy"));
    assert_eq!(names, ["copy.sqlite3"]);
    let mut check = within(&folder, &["check"]);
    check.env("FACEGUESSER__STORE__PATH", "copy.sqlite3").env("FACEGUESSER__WEB__ENABLED", "false");
    let output = finished(check).await;
    assert!(printed(&output).contains("ok     store: copy.sqlite3\n"), "{}{}", printed(&output), errors(&output));
    let output = backup().await;
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("the copy exists already"), "{}", errors(&output));
}

#[tokio::test]
async fn a_page_behind_a_proxy_that_keeps_its_name_needs_that_name_in_the_settings() {
    let ask = async |page: &str, host: &str| {
        let request = reqwest::Client::new().get(page).header("Host", host).header("X-Forwarded-For", "192.0.2.1");
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let listen = ("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0");
    let program = Program::start(&[listen]);
    let (status, text) = ask(&program.page().await, "faces.example.org").await;
    assert!(status == 403 && text.contains("web.hosts"), "{text}");
    let program = Program::start(&[listen, ("FACEGUESSER__WEB__HOSTS", "faces.example.org")]);
    let page = program.page().await;
    assert_eq!(ask(&page, "faces.example.org").await.0, 200);
    assert_eq!(ask(&page, "evil.example").await.0, 403);
}
