//! What a server is and how it wants to be treated: name, command, transport, options with their defaults.

mod check;
mod name;
mod table;
mod value;

pub use check::Check;
pub use name::{NameError, ServerId, ServerName, default_name, disambiguate, slug};
pub use table::{Kind, OPTIONS, OptionError, OptionInfo, nearest};
pub use value::duration;

use crate::detect::launch::Launch;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How the client and the server talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Lines on stdin and stdout.
    Stdio,
    /// Streamable HTTP on a port.
    Http,
}

/// Whether a change that the watcher sees is promoted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Promote {
    /// A verified standby takes over at once.
    Auto,
    /// It waits for `mcp-twin swap`.
    Manual,
}

/// Whether two copies of the server may live side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The new twin starts beside the old one.
    Overlap,
    /// The old one is stopped first (fixed port, exclusive file, profile lock); requests are held meanwhile.
    Handoff,
}

/// What to do with a verified change that takes something away from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Breaking {
    /// Swap, and say it loudly.
    Warn,
    /// Wait for `mcp-twin swap`.
    Wait,
}

/// When a standby runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standby {
    /// Only from a reload to the end of `keep_old`.
    OnDemand,
    /// A verified twin of the active's source is kept beside it.
    Warm,
}

/// Every option of one server. Names are the configuration keys; the flag is the same with dashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether a watched change is promoted by itself.
    pub promote: Promote,
    /// Whether two copies may live side by side.
    pub strategy: Strategy,
    /// What to do with a breaking change.
    pub breaking: Breaking,
    /// Whether a warm standby is kept.
    pub standby: Standby,
    /// Whether failures are told to the client in one added text item.
    pub tell: bool,
    /// Whether the front offers tools of its own to the client's agent.
    pub tools: bool,
    /// What their names begin with.
    pub tools_prefix: String,
    /// Whether files are watched.
    pub watch_files: bool,
    /// Quiet time after the last change before a reload.
    pub watch_quiet: Duration,
    /// A reload begins at the latest this long after the first change of a burst.
    pub watch_max: Duration,
    /// A command line that builds the server before each start; [`AUTO`](Self::AUTO): found out from its project.
    pub build: Option<String>,
    /// Deadline of the build step.
    pub build_timeout: Duration,
    /// What is tried on a ready twin before it takes over from another one.
    pub check: Option<Check>,
    /// Deadline of the check.
    pub check_timeout: Duration,
    /// Deadline from spawn to ready.
    pub start_timeout: Duration,
    /// Time between two health checks of a starting twin (HTTP; over stdio the answer itself is awaited).
    pub probe_interval: Duration,
    /// Deadline of one health check.
    pub probe_timeout: Duration,
    /// How long a ready twin must stay ready before it counts as verified.
    pub settle: Duration,
    /// How long a request may be held while no twin can take it.
    pub hold: Duration,
    /// How many requests may be held.
    pub hold_requests: usize,
    /// How many bytes may be held.
    pub hold_bytes: usize,
    /// Deadline of a drain; `None`: a call that a twin accepted is never cut.
    pub drain: Option<Duration>,
    /// How long a new twin is on trial after a swap.
    pub bake: Duration,
    /// How long the previous twin is kept warm after the bake.
    pub keep_old: Duration,
    /// How many generations' code is kept on the disk for `rollback --to`.
    pub keep_copies: usize,
    /// How long a verified standby waits for a `swap` under `promote = manual`.
    pub standby_ttl: Duration,
    /// How long a handoff waits for the open calls of the old twin.
    pub handoff_wait: Duration,
    /// How long a requestState or URL elicitation binds a client to its twin.
    pub state_ttl: Duration,
    /// The largest message, in bytes.
    pub max_message: usize,
    /// From the end of its stdin to TERM, when a twin is stopped.
    pub stop_term: Duration,
    /// From TERM to KILL, when a twin is stopped.
    pub stop_kill: Duration,
    /// First pause after a crash; doubles up to `backoff_max`.
    pub backoff: Duration,
    /// Longest pause after a crash.
    pub backoff_max: Duration,
    /// Time-out of a tools/call, reset by progress; `None`: none.
    pub call_timeout: Option<Duration>,
    /// Names of programs that the server starts and that outlive it: deliberate daemons.
    pub keep_children: Vec<String>,
}

impl Options {
    /// The value of `build` that has it found out.
    pub const AUTO: &str = "auto";

    /// The defaults of a front over `transport` (`run` for stdio, `serve` for HTTP).
    #[must_use]
    pub fn defaults(transport: Transport) -> Self {
        let stdio = transport == Transport::Stdio;
        let secs = |run, serve| Duration::from_secs(if stdio { run } else { serve });
        Self {
            promote: Promote::Auto,
            strategy: Strategy::Overlap,
            breaking: if stdio { Breaking::Warn } else { Breaking::Wait },
            standby: if stdio { Standby::OnDemand } else { Standby::Warm },
            tell: true,
            tools: false,
            tools_prefix: "twin_".to_owned(),
            watch_files: stdio,
            watch_quiet: Duration::from_millis(100),
            watch_max: Duration::from_secs(2),
            build: None,
            build_timeout: secs(120, 600),
            check: None,
            check_timeout: Duration::from_secs(30),
            start_timeout: secs(60, 120),
            probe_interval: Duration::from_millis(50),
            probe_timeout: Duration::from_secs(5),
            settle: secs(0, 5),
            hold: secs(5, 2),
            hold_requests: 256,
            hold_bytes: 8 << 20,
            drain: if stdio { None } else { Some(Duration::from_secs(30)) },
            bake: secs(10, 300),
            keep_old: secs(60, 600),
            keep_copies: 10,
            standby_ttl: Duration::from_secs(30 * 60),
            handoff_wait: Duration::from_secs(30),
            state_ttl: Duration::from_secs(600),
            max_message: 64 << 20,
            stop_term: secs(2, 10),
            stop_kill: secs(3, 10),
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            call_timeout: None,
            keep_children: Vec::new(),
        }
    }
}

impl Options {
    /// The defaults for what a command line really runs: what fetches or compiles before it starts (npx, uvx, docker)
    /// gets three minutes to be ready.
    #[must_use]
    pub fn defaults_for(transport: Transport, launch: &Launch) -> Self {
        let options = Self::defaults(transport);
        let patient = if launch.launcher { Duration::from_secs(180) } else { Duration::ZERO };
        Self { start_timeout: options.start_timeout.max(patient), ..options }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::defaults(Transport::Stdio)
    }
}
