//! `mcp-twin replay`: what can be said.

use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(
    override_usage = "mcp-twin replay [OPTIONS] FILE -- CMD [ARGS]…",
    after_help = "The client's messages are sent in their order, each one once the answers that came before it are there. Answers are \
        matched by id and compared as JSON; what was left out of the recording (`***`) is the same as anything. \
        Notifications of the server are not compared.\nA POINTER leads into an answer: /result/structuredContent/time, with `*` \
        for any name or number: /result/content/*/text. Behind a method it counts for its answers only: \
        tools/list:/result/ttlMs.\nThe exit status is 0 if all answers are the same, else 1.\nDurations: 100ms, 2s, 5m, 1h."
)]
pub(crate) struct ReplayArgs {
    /// What `mcp-twin run --record` has written
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What may differ: a JSON pointer into an answer; repeatable
    #[arg(long, value_name = "POINTER")]
    pub(crate) ignore: Vec<String>,
    /// How long one answer may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = super::duration)]
    pub(crate) timeout: Duration,
    /// The server's command and its arguments, behind `--`
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}
