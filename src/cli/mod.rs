//! The command line: one file a command, each wiring the rooms it needs.

mod evaluate;
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Guesses how old a person in a photo looks, and whether a man or a woman: on Discord, on
/// Telegram, on a chat page of its own, or right here. Everything runs on this machine; no photo
/// is kept.
#[derive(Debug, Parser)]
#[command(name = "faceguesser", version, about, max_term_width = 100)]
struct Arguments {
    /// Read settings from this TOML file (see config/default.toml for every key).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train the network on folders of labelled face crops.
    Train(train::Arguments),
    /// Measure the network on labelled face crops.
    Evaluate(evaluate::Arguments),
}

/// Runs the command line given to the program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let result = match arguments.command {
        Some(Command::Train(arguments)) => train::run(arguments),
        Some(Command::Evaluate(arguments)) => evaluate::run(arguments),
        None => Ok(ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("faceguesser: {error:#}");
        ExitCode::FAILURE
    })
}
