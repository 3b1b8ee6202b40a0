//! `faceguesser init`: from tokens to a settings file and the links that add the bots.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use dialoguer::{Confirm, Password};

use super::accounts::{self, Token};
#[cfg(feature = "matrix")]
use super::init_matrix;
use super::output::{print_error, print_line};
use crate::config::{Config, location};

/// Options of `init`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The Discord bot's token, instead of being asked for it; `-` reads a line of standard input.
    #[arg(long, value_name = "TOKEN")]
    discord_token: Option<String>,
    /// The Telegram bot's token, instead of being asked for it; `-` reads a line of standard input, after Discord's.
    #[arg(long, value_name = "TOKEN")]
    telegram_token: Option<String>,
    #[cfg(feature = "matrix")]
    #[command(flatten)]
    matrix: init_matrix::Options,
    /// Replace the settings file if there is one.
    #[arg(long)]
    force: bool,
    /// Do not ask the platforms whether they know the tokens.
    #[arg(long)]
    offline: bool,
}

/// Exit status for a call that makes no sense, as clap's own.
const BAD_USAGE: u8 = 2;

/// Asks for tokens, or takes them from the options, tries them, and writes them to `file` or, without one, to
/// `faceguesser.toml` in the working directory. `config` has the settings from variables alone.
///
/// Exit status 0: written; 1: a token or the file is refused; 2: bad usage.
pub fn run(arguments: Arguments, file: Option<PathBuf>, config: &Config) -> anyhow::Result<ExitCode> {
    let is_scripted = arguments.discord_token.is_some() || arguments.telegram_token.is_some();
    #[cfg(feature = "matrix")]
    let is_scripted = is_scripted || arguments.matrix.is_any();
    let has_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !is_scripted && !has_terminal {
        print_error(
            "faceguesser: init asks questions, and there is no terminal: give the tokens with --discord-token and \
             --telegram-token (`-` reads a line of standard input)",
        );
        return Ok(ExitCode::from(BAD_USAGE));
    }
    let path = file.unwrap_or_else(|| PathBuf::from(location::FILE_NAME));
    let mut replace = arguments.force;
    if path.symlink_metadata().is_ok() && !replace {
        let shown = path.display();
        anyhow::ensure!(!is_scripted, "{shown} exists already: --force replaces it");
        replace = confirm(&format!("{shown} exists already, with all its settings. Replace it?"))?;
        anyhow::ensure!(replace, "{shown} stays as it is; nothing was written");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let verify = |platform, text| runtime.block_on(accounts::verify(platform, text, config, arguments.offline));
    let mut tokens = Vec::new();
    for (platform, option) in accounts::PLATFORMS.into_iter().zip([&arguments.discord_token, &arguments.telegram_token])
    {
        tokens.extend(if is_scripted {
            given(option.as_deref())?.map(|text| verify(platform, text).map_err(anyhow::Error::msg)).transpose()?
        } else {
            ask(platform, verify)?
        });
    }
    #[cfg(feature = "matrix")]
    tokens.extend(if is_scripted {
        runtime.block_on(arguments.matrix.account(config, arguments.offline))?
    } else {
        runtime.block_on(init_matrix::ask())?
    });
    if tokens.is_empty() {
        print_line("No token, so nothing to write: `faceguesser` serves the chat page without any settings.")?;
        return Ok(ExitCode::SUCCESS);
    }
    write(&path, &content(&tokens), replace).with_context(|| format!("{} cannot be written", path.display()))?;
    print_line(format_args!("{} is written; only you can read it.", path.display()))?;
    for token in &tokens {
        print_line(format_args!("\n{}", token.account))?;
        for (what, link) in &token.links {
            print_line(format_args!("  {what}:\n    {link}"))?;
        }
        for note in &token.notes {
            print_line(format_args!("  {note}"))?;
        }
    }
    let option =
        if path == Path::new(location::FILE_NAME) { String::new() } else { format!(" --config {}", path.display()) };
    print_line(format_args!("\nNext: `faceguesser check --online{option}`, then `faceguesser{option}`."))?;
    Ok(ExitCode::SUCCESS)
}

/// A token given as an option; `-` is the next line of standard input.
pub(super) fn given(option: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(text) = option else { return Ok(None) };
    let mut line = String::new();
    let text = if text == "-" {
        std::io::stdin().lock().read_line(&mut line).context("standard input cannot be read")?;
        &line
    } else {
        text
    };
    anyhow::ensure!(!text.trim().is_empty(), "an empty token: leave the option out to leave the platform off");
    Ok(Some(text.trim().to_owned()))
}

/// Asks for a platform's token until one works, or none is given.
fn ask(
    platform: &'static str,
    verify: impl Fn(&'static str, String) -> Result<Token, String>,
) -> anyhow::Result<Option<Token>> {
    print_error(format_args!("\n{platform}: {}", accounts::source(platform)));
    loop {
        let prompt = format!("{platform} token (Enter leaves {platform} off)");
        let text = Password::new().with_prompt(prompt).allow_empty_password(true).interact()?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        match verify(platform, text.trim().to_owned()) {
            Ok(token) => {
                print_error(&token.account);
                return Ok(Some(token));
            }
            Err(refusal) => print_error(refusal),
        }
    }
}

fn confirm(question: &str) -> anyhow::Result<bool> {
    Ok(Confirm::new().with_prompt(question).default(false).interact()?)
}

/// The settings file.
fn content(tokens: &[Token]) -> String {
    let mut text = "# FaceGuesser's settings. `faceguesser config default` lists all that there are.\n".to_owned();
    for token in tokens {
        let section = token.platform.to_lowercase();
        text += &format!("\n[{section}]\n");
        if let Some(homeserver) = &token.homeserver {
            text += &format!("homeserver = {}\n", toml::Value::from(homeserver.as_str()));
        }
        text += &format!("token = {}\n", toml::Value::from(token.text.as_str()));
    }
    text
}

/// Writes a file that its owner alone can read; an existing one only if it is to be replaced.
fn write(path: &Path, text: &str, replace: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let create = |path: &Path| -> std::io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
    };
    let fill = |mut file: File| file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if !replace {
        let file = create(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => std::io::Error::other("it exists by now"),
            _ => error,
        })?;
        return fill(file).inspect_err(|_| {
            // A part of it would count as settings.
            let _ = std::fs::remove_file(path);
        });
    }
    // The old file stays whole until the new one is.
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".new-{}", std::process::id()));
    let new = PathBuf::from(new);
    let written = create(&new).and_then(fill).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // It may not have been created.
        let _ = std::fs::remove_file(&new);
    }
    written
}
