//! `mcp-twin call`: what can be said.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(
    override_usage = "mcp-twin call [OPTIONS] [SERVER] TOOL [JSON]",
    after_help = "A server over stdio is asked in the session that its client has opened; the client sees nothing of it, but what \
        the tool asks its client for (sampling, elicitation, roots) goes to that client. Over HTTP it is a session of the \
        front's own.\nThe exit status is 1 if the tool or the server says no.\nDurations: 100ms, 2s, 5m, 1h."
)]
pub(crate) struct CallArgs {
    /// The tool, behind the server's name where several run, and its arguments as a JSON object [default: {}]
    #[arg(value_name = "[SERVER] TOOL [JSON]", required = true, num_args = 1..=3, add = ArgValueCandidates::new(crate::complete::running))]
    pub(crate) words: Vec<String>,
    /// At the verified standby, not at the twin that serves
    #[arg(long)]
    pub(crate) standby: bool,
    /// The front to ask, by its id, where a server has several
    #[arg(long, value_name = "FRONT")]
    pub(crate) front: Option<String>,
    /// How long the tool may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = super::duration)]
    pub(crate) timeout: Duration,
}
