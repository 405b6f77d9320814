//! `oasis-node completion`: scripts that complete commands in a shell.

use anyhow::Result;
use clap::{Args, Command, ValueEnum};
use clap_complete::{Shell, generate};

use crate::common::write_out;

/// Arguments.
#[derive(Debug, Args)]
pub struct CompletionArguments {
    /// The shell.
    shell: ShellName,
}

/// The shells that the original knows.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// Prints a shell's script.
pub fn run(arguments: &CompletionArguments, mut command: Command) -> Result<()> {
    let shell = match arguments.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
        ShellName::Powershell => Shell::PowerShell,
    };
    let mut script = Vec::new();
    generate(shell, &mut command, "oasis-node", &mut script);
    write_out(&String::from_utf8_lossy(&script))
}
