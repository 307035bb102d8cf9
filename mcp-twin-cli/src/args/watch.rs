//! `mcp-twin status` and `top`: what can be said.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[arg(
        help = "Its name, the client's name for it, NAME@ROOT, its project folder or a front's id [default: all]",
        add = ArgValueCandidates::new(crate::complete::running)
    )]
    pub(crate) server: Option<String>,
    /// Show it again and again until q or Ctrl-C: in place on a terminal, else one after the other; with --json one
    /// document a line
    #[arg(long)]
    pub(crate) watch: bool,
    /// How often
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval, requires = "watch")]
    pub(crate) interval: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// How often the fronts are asked
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    pub(crate) interval: Duration,
}

/// How often somebody is asked: not so often that it would be work.
fn interval(text: &str) -> Result<Duration, String> {
    match super::duration(text)? {
        interval if (SHORTEST..=LONGEST).contains(&interval) => Ok(interval),
        _ => Err("a duration between 100ms and 1h is wanted".to_owned()),
    }
}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3600);
