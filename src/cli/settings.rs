//! `faceguesser config`: the effective settings, and all settings with their defaults.

use std::process::ExitCode;

use super::output::print_line;
use crate::config::{Config, DEFAULTS};

/// What `config` prints.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub enum Command {
    /// Every effective setting, as TOML, each with the file and line or the variable that sets it; secrets are
    /// masked.
    Show,
    /// Every setting with its meaning and default, as a template for your own file.
    Default,
}

/// Where the comments of [`show`] begin, in columns.
const COMMENT: usize = 48;

/// Prints the settings with their meanings.
pub fn default() -> anyhow::Result<ExitCode> {
    print_line(DEFAULTS.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the effective settings.
pub fn show(config: &Config) -> anyhow::Result<ExitCode> {
    print_line(match config.file() {
        Some(file) => format!("# Settings file: {}", file.display()),
        None => "# No settings file: there is no ./faceguesser.toml, ~/.config/faceguesser/faceguesser.toml or \
                 /etc/faceguesser/faceguesser.toml"
            .to_owned(),
    })?;
    let mut current = "";
    for setting in config.settings() {
        let (section, name) = setting.key.split_once('.').unwrap_or(("", &setting.key));
        if section != current {
            print_line(format_args!("\n[{section}]"))?;
            current = section;
        }
        let line = format!("{name} = {}", setting.shown());
        let origin = setting.origin.as_deref().unwrap_or("default");
        print_line(format_args!("{line:<COMMENT$} # {origin}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
