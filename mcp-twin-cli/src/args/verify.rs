//! `mcp-twin verify`: what can be said.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(
    override_usage = "mcp-twin verify [OPTIONS] -- CMD [ARGS]…\n       mcp-twin verify [OPTIONS] NAME",
    after_help = "For each era (2025-11-25 by `initialize`, 2026-07-28 by `server/discover`): the server opens, its lists are \
        complete and well-formed, the tools that --call names answer, its check passes if it has one, no request is lost or fails while it is swapped for \
        itself, it writes nothing but MCP to its standard output, and it ends by itself when its input ends. An era that it does not \
        speak is skipped; one of them it has to speak.\nThe exit status is 0 if no check failed, else 1. Warnings do not count.\n\
        A tool that --call names is called many times: name one that only looks.\nDurations: 100ms, 2s, 5m, 1h."
)]
pub(crate) struct VerifyArgs {
    /// A server that ran before, or that a client has configured: its command, folder and variables; NAME@CLIENT where
    /// several have that name. With a command: the name in the reports
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(crate::complete::startable))]
    pub(crate) server: Option<String>,
    /// A tool to call, with its arguments as a JSON object, such as 'echo={"text": "hello"}'; repeatable
    #[arg(long, value_name = "TOOL[=JSON]")]
    pub(crate) call: Vec<String>,
    /// What a fresh twin must pass before it takes over, as for `run`: a command line, or tool:NAME={…}; else the one of
    /// mcp-twin.toml
    #[arg(long, value_name = "CHECK")]
    pub(crate) check: Option<String>,
    /// How often the server is swapped under load; 0: not at all
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) swaps: u32,
    /// How long one answer may take, the first included
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = super::duration)]
    pub(crate) timeout: Duration,
    /// Write what was found as JUnit's XML too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Print the JSON Schema of what --json prints
    #[arg(long, conflicts_with_all = ["server", "call", "check", "junit", "command"])]
    pub(crate) schema: bool,
    /// The server's command and its arguments, behind `--`
    #[arg(last = true, required_unless_present_any = ["server", "schema"], value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}
