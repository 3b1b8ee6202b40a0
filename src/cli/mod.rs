//! The command line: one file per command.

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
mod output;
mod platforms;
mod run;
#[cfg(feature = "training")]
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::telemetry;

use output::print_error;

/// Guesses age and gender of people in photos, and whether they smile: on Discord, on Telegram, on its
/// own chat page or on the command line.
///
/// Everything runs on this machine and no photo is stored. Without a command it runs `run`: if no
/// token is set, that serves only the chat page, on http://127.0.0.1:8080/.
#[derive(Debug, Parser)]
#[command(name = "faceguesser", version, about, max_term_width = 100)]
struct Arguments {
    /// Read settings from this TOML file (config/default.toml explains every key).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the chat page and every bot whose token is set, until stopped (the default).
    Run,
    /// Guess photos or folders of photos.
    Guess(guess::Arguments),
    /// Show what the network sees in one face: its numbers, a filter at work, who voted, small changes.
    Explain(explain::Arguments),
    /// Check settings and weights, guess a bundled picture and show which platforms are on.
    Check,
    /// Measure this machine's speed: milliseconds per stage, photos per second.
    Bench(bench::Arguments),
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
    dispatch(arguments).unwrap_or_else(|error| {
        print_error(format_args!("faceguesser: {}", describe(&error)));
        ExitCode::FAILURE
    })
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
fn variables() -> anyhow::Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        let (name, is_text) = (name.to_string_lossy().into_owned(), name.to_str().is_some());
        let is_setting = name.to_uppercase().starts_with("FACEGUESSER__")
            || ["DISCORD_TOKEN", "TELOXIDE_TOKEN"].contains(&name.as_str());
        match value.into_string() {
            Ok(value) if is_text => variables.push((name, value)),
            _ if is_setting && is_text => anyhow::bail!("{name} holds bytes that are not UTF-8: set it to plain text"),
            _ if is_setting => anyhow::bail!("the name of the variable {name} holds bytes that are not UTF-8"),
            _ => {}
        }
    }
    Ok(variables)
}

fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = Config::load(arguments.config.as_deref(), variables()?)?;
    telemetry::start(&config.log)?;
    match arguments.command.unwrap_or(Command::Run) {
        Command::Run => run::run(&config),
        Command::Guess(arguments) => guess::run(arguments, &config),
        Command::Explain(arguments) => explain::run(arguments, &config),
        Command::Check => check::run(&config),
        Command::Bench(arguments) => bench::run(arguments, &config),
        #[cfg(feature = "training")]
        Command::Evaluate(arguments) => evaluate::run(arguments, &config),
        #[cfg(feature = "training")]
        Command::Calibrate(arguments) => calibrate::run(arguments, &config),
        #[cfg(feature = "training")]
        Command::Train(arguments) => train::run(arguments),
    }
}
