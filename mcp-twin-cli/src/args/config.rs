//! `mcp-twin config`: what can be said.

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "What counts, key by key: the command line, mcp-twin.toml (found upward from the working directory), \
        config.toml in the state directory, the defaults; in one file [servers.NAME] before [defaults].\n\
        Running fronts take changes over by themselves."
)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Look for mistakes, each with file, line and column. Exits with 3 if there are any
    Check {
        /// The file [default: those that count here]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of the files, for editors
    Schema,
    /// Show which files count here
    Path,
    /// Show what would count for a server that is started here, and where each value comes from
    ///
    /// `mcp-twin status --json` shows the same of one that runs, its command line included.
    Show {
        /// Its name [default: what counts for every server]
        #[arg(value_name = "SERVER", add = ArgValueCandidates::new(crate::complete::configured))]
        server: Option<String>,
    },
    /// Write a first mcp-twin.toml into the working directory: the server of this folder, every option with its default
    /// behind a #
    Init,
}
