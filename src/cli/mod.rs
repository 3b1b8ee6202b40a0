//! The command line: one file per command.

mod accounts;
mod annotate;
mod backup;
mod bench;
#[cfg(feature = "training")]
mod calibrate;
mod check;
#[cfg(feature = "training")]
mod evaluate;
#[cfg(feature = "training")]
mod evaluate_degraded;
#[cfg(feature = "training")]
mod evaluate_scenes;
#[cfg(feature = "training")]
mod evaluate_sets;
mod explain;
mod guess;
mod init;
#[cfg(feature = "matrix")]
mod init_matrix;
mod manual;
mod output;
mod platforms;
mod reload;
mod run;
mod settings;
#[cfg(feature = "top")]
mod top;
#[cfg(feature = "training")]
mod train;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::bot::languages::Language;
use crate::config::{Config, TOKEN_VARIABLES, location};
use crate::telemetry;

use output::print_error;

/// The version, with the commit where the build knew it (`build.rs`).
const VERSION: &str = match option_env!("FACEGUESSER_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// Guesses age and gender of people in photos, and whether they smile: on Discord, on Telegram, on its
/// own chat page or on the command line.
///
/// Everything runs on this machine and no photo is stored. Without a command it runs `run`: if no
/// token is set, that serves only the chat page, on http://127.0.0.1:8080/.
#[derive(Debug, Parser)]
#[command(name = "faceguesser", version = VERSION, about, max_term_width = 100)]
struct Arguments {
    /// Read settings from this TOML file instead of the first of ./faceguesser.toml,
    /// ~/.config/faceguesser/faceguesser.toml and /etc/faceguesser/faceguesser.toml that exists (`faceguesser config
    /// default` explains every key).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the chat page and every bot whose token is set, until stopped (the default).
    Run(run::Arguments),
    /// Guess photos or folders of photos.
    Guess(guess::Arguments),
    /// Show what the network sees in one face: its numbers, a filter at work, who voted, small changes.
    Explain(explain::Arguments),
    /// Ask for the bots' tokens, try them, write faceguesser.toml and print the links that add the bots.
    Init(init::Arguments),
    /// Check that `run` will work: settings, networks, database, ports and tokens.
    Check(check::Arguments),
    /// Show the effective settings and where each is set, or all defaults.
    #[command(subcommand)]
    Config(settings::Command),
    /// Copy the database to a file, also while the program runs.
    Backup(backup::Arguments),
    #[cfg(feature = "top")]
    /// Watch a running bot in the terminal: rates, times by stage, queue, memory, platforms.
    Top(top::Arguments),
    /// Measure this machine's speed: milliseconds per stage, photos per second.
    Bench(bench::Arguments),
    /// Print completions for a shell, such as `faceguesser completions bash`.
    Completions(manual::CompletionArguments),
    /// Print the manual page, or write one for each command.
    Man(manual::ManualArguments),
    #[cfg(feature = "training")]
    /// Evaluate the age, gender and smile network on labelled faces of one data set or several.
    Evaluate(evaluate::Arguments),
    #[cfg(feature = "training")]
    /// Calibrate the network's probabilities and age intervals on labelled faces.
    Calibrate(calibrate::Arguments),
    #[cfg(feature = "training")]
    /// Train the age and gender network on labelled face crops.
    Train(train::Arguments),
}

/// Runs the program with the command line it was given.
pub fn main() -> ExitCode {
    return_large_blocks();
    let arguments = Arguments::parse();
    let status = dispatch(arguments).unwrap_or_else(|error| {
        print_error(format_args!("faceguesser: {}", describe(&error)));
        ExitCode::FAILURE
    });
    telemetry::end();
    status
}

/// Parses a language's tag, such as `de`.
fn language(tag: &str) -> Result<Language, String> {
    let known = || Language::ALL.map(Language::code).join(", ");
    Language::from_tag(tag).ok_or_else(|| format!("unknown language; known are {}", known()))
}

/// An error with its causes, without those that its text contains already.
fn describe(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.contains(&cause) {
        true => text,
        false if text.is_empty() => cause,
        false => format!("{text}: {cause}"),
    })
}

/// Makes the GNU allocator return every large block to the system when it is freed. By default it
/// raises this threshold with each block that it frees, up to 32 MB, and keeps freed blocks in one arena
/// per thread: 370 MB above the idle program under load instead of about 210. Fresh pages cost a
/// portrait about half a millisecond; a threshold of 1 MB costs as much and keeps 250 MB.
fn return_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE: libc::c_int = 256 << 10;
        // SAFETY: it sets a parameter of the allocator, before any other thread exists.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    }
}

/// The environment's variables that are valid UTF-8; a setting that is not is an error.
fn variables() -> anyhow::Result<HashMap<String, String>> {
    let mut variables = HashMap::new();
    for (name, value) in std::env::vars_os() {
        let (name, is_text) = (name.to_string_lossy().into_owned(), name.to_str().is_some());
        let is_setting = name.to_uppercase().starts_with("FACEGUESSER__")
            || TOKEN_VARIABLES.iter().any(|(_, names)| names.contains(&name.as_str()));
        match value.into_string() {
            Ok(value) if is_text => drop(variables.insert(name, value)),
            _ if is_setting && is_text => anyhow::bail!("{name} holds bytes that are not UTF-8: set it to plain text"),
            _ if is_setting => anyhow::bail!("the name of the variable {name} holds bytes that are not UTF-8"),
            _ => {}
        }
    }
    Ok(variables)
}

fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let command = arguments.command.unwrap_or(Command::Run(run::Arguments::default()));
    let file = arguments.config;
    let read = || {
        let variables = variables()?;
        let file = file.clone().or_else(|| location::find(&variables));
        anyhow::Ok(Config::load(file.as_deref(), variables)?)
    };
    let load = || {
        let config = read()?;
        telemetry::start(&config.log)?;
        anyhow::Ok(config)
    };
    match command {
        Command::Run(arguments) => run::run(arguments, &load()?, read),
        Command::Guess(arguments) => guess::run(arguments, &load()?),
        Command::Explain(arguments) => explain::run(arguments, &load()?),
        // Its file does not exist yet.
        Command::Init(arguments) => init::run(arguments, file.clone(), &Config::load(None, variables()?)?),
        Command::Check(arguments) => check::run(arguments, &load()?),
        Command::Config(settings::Command::Show) => settings::show(&load()?),
        Command::Config(settings::Command::Default) => settings::default(),
        Command::Backup(arguments) => backup::run(arguments, &load()?),
        #[cfg(feature = "top")]
        Command::Top(arguments) => top::run(arguments, &load()?),
        Command::Bench(arguments) => bench::run(arguments, &load()?),
        Command::Completions(arguments) => manual::completions(&arguments, Arguments::command()),
        Command::Man(arguments) => manual::manual(&arguments, Arguments::command()),
        #[cfg(feature = "training")]
        Command::Evaluate(arguments) => evaluate::run(arguments, &load()?),
        #[cfg(feature = "training")]
        Command::Calibrate(arguments) => calibrate::run(arguments, &load()?),
        #[cfg(feature = "training")]
        Command::Train(arguments) => {
            load()?;
            train::run(arguments)
        }
    }
}
