//! `faceguesser completions` and `faceguesser man`: what packages install beside the program.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;

/// Options of `completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionArguments {
    /// The shell that loads them.
    shell: Shell,
}

/// Options of `man`.
#[derive(Debug, clap::Args)]
pub struct ManualArguments {
    /// Write a page for the program and one for each command into this folder, instead of the program's alone to
    /// standard output.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints a shell's completions of `command`.
pub fn completions(arguments: &CompletionArguments, mut command: Command) -> anyhow::Result<ExitCode> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    print(script)
}

/// Prints or writes the manual pages of `command`.
pub fn manual(arguments: &ManualArguments, command: Command) -> anyhow::Result<ExitCode> {
    let Some(folder) = &arguments.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return print(page);
    };
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    clap_mangen::generate_to(command, folder).with_context(|| format!("{} cannot be written to", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn print(text: Vec<u8>) -> anyhow::Result<ExitCode> {
    super::output::print_line(String::from_utf8(text)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
