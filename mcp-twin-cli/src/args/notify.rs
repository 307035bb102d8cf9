//! `mcp-twin notify`: what can be said.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Who is told stands below [[notify]] in mcp-twin.toml or in config.toml of the state directory; those of both files \
        are. `mcp-twin config schema` says what may stand there."
)]
pub(crate) struct NotifyArgs {
    #[command(subcommand)]
    pub(crate) verb: NotifyVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NotifyVerb {
    /// Send a test message to each of those who count in this folder, once, and show what became of it. Exits with 1 if any
    /// did not take it
    Test,
}
