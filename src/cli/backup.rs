//! `faceguesser backup`: a copy of the database.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::output::print_line;
use crate::bot::sqlite::backup;
use crate::config::Config;

/// Options of `backup`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The new file.
    file: PathBuf,
}

/// Copies the database that the settings name.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let path = &config.store.path;
    let (shown, copy) = (path.display(), arguments.file.display());
    anyhow::ensure!(
        path != Path::new(":memory:"),
        "{} is :memory:, which no other program can copy",
        config.place("store.path")
    );
    anyhow::ensure!(path.exists(), "{}: there is no {shown} yet", config.place("store.path"));
    backup::copy(path, &arguments.file).with_context(|| format!("{shown} cannot be copied to {copy}"))?;
    print_line(format_args!("{shown} is copied to {copy}"))?;
    Ok(ExitCode::SUCCESS)
}
