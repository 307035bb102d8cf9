//! The control protocol between the command and the fronts: JSON lines over a local socket, versioned, unknown fields
//! tolerated (fronts outlive upgrades of the command).
//!
//! The command sends one [`Request`] a line; the front answers each with one [`Response`] of the same id. `logs` with
//! `follow` answers with many, the last of them `done`.

pub mod edit;

pub use edit::Edit;

use crate::config::Origin;
use crate::error::Fault;
use crate::ids::{Generation, TwinId};
use crate::swap::{Outcome, Status, TwinView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version this release speaks. A front answers a newer one as well as it can.
pub const VERSION: u32 = 1;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`] of the sender.
    pub v: u32,
    /// Carried back.
    pub id: u64,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked of a front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Everything about the front. Answered at once.
    Status,
    /// Start a fresh twin and verify it; never promotes.
    Reload,
    /// Promote the verified standby, or reload first.
    Swap {
        /// Start it afresh and also take what lost a capability or emptied a list. What only waits because it breaks the
        /// client's lists is promoted without this too.
        #[serde(default)]
        force: bool,
    },
    /// Go back.
    Rollback {
        /// The generation wanted; absent: the previous one.
        #[serde(default)]
        to: Option<Generation>,
    },
    /// End all twins. A stdio front stays, for its client's sake.
    Stop,
    /// A file was edited: whether it is one of this server's, and what became of the edit. The front does what its own
    /// watcher would do about it, but at once, and waits for the end.
    Edited {
        /// The file, as an absolute path.
        path: String,
        /// How long the end may be waited for, in milliseconds.
        #[serde(default)]
        patience_ms: u64,
    },
    /// Call a tool of the server, beside its clients: they see nothing of it.
    Call {
        /// At the verified standby, not at the twin that serves.
        #[serde(default)]
        standby: bool,
        /// The tool.
        tool: String,
        /// Its arguments: an object.
        #[serde(default)]
        arguments: Value,
        /// How long it may take, in milliseconds.
        #[serde(default)]
        patience_ms: u64,
    },
    /// The files whose change counts.
    Files {
        /// How many are named at most.
        #[serde(default)]
        most: usize,
    },
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// [`VERSION`] of the sender.
    pub v: u32,
    /// The request's id.
    pub id: u64,
    /// The answer.
    pub answer: Answer,
}

/// What a front answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The front lives and works on it; the outcome follows. Sent at once to all but `status`, so that a hung front (no
    /// line within 2 s) is told from a slow reload.
    Accepted,
    /// To `status`.
    Status(Box<FrontStatus>),
    /// To `reload`, `swap`, `rollback`, `stop`.
    Outcome(Outcome),
    /// To `edited`.
    Edited(Edit),
    /// To `call`: what the server answered.
    Called(ToolAnswer),
    /// To `files`: their paths.
    Files(Vec<String>),
    /// The request could not be understood, or the front could not do it.
    Error(Fault),
}

/// One setting of a front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its key in a configuration file.
    pub key: String,
    /// Its value, where it may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where it comes from: `command_line`, `project`, `user`, `launch` (what the command itself suggests).
    pub from: String,
    /// File, line and column, where it comes from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl Setting {
    /// A setting from there.
    #[must_use]
    pub fn new(key: &str, value: Option<String>, origin: &Origin) -> Self {
        let place = matches!(origin, Origin::File { .. }).then(|| origin.to_string());
        Self { key: key.to_owned(), value, from: origin.word().to_owned(), place }
    }
}

/// What a server answered to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolAnswer {
    /// The twin that answered.
    pub twin: TwinView,
    /// The result, also one that says `isError`; none where the server refused the call.
    #[serde(default)]
    pub result: Option<Value>,
    /// The JSON-RPC error that it was refused with.
    #[serde(default)]
    pub error: Option<Value>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// What a front has counted of its clients' calls: tool calls, prompts, reads of resources, completions. Rates are the
/// difference of two of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// When this was so, in milliseconds on the front's own clock.
    pub at_ms: u64,
    /// Calls that were answered, whichever way.
    #[serde(default)]
    pub calls: u64,
    /// Those whose result says `isError`.
    #[serde(default)]
    pub tool_errors: u64,
    /// Those that the server answered with a JSON-RPC error.
    #[serde(default)]
    pub refused: u64,
    /// Those that the front had to answer with an error: no twin served, or it was lost with the call.
    #[serde(default)]
    pub failed: u64,
    /// Calls that a twin answered in the last minute, half a minute at least.
    #[serde(default)]
    pub recent: u64,
    /// How long half of those took at most, in microseconds, to within an eighth; absent: there were none.
    #[serde(default)]
    pub p50_us: Option<u64>,
    /// The same of 99 in 100.
    #[serde(default)]
    pub p99_us: Option<u64>,
}

/// What the processes of a twin take of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinLoad {
    /// The twin.
    pub twin: TwinId,
    /// How many processes it has.
    pub processes: usize,
    /// Their resident memory, in bytes.
    pub memory: u64,
    /// The time of a processor that they have taken since they were started, in milliseconds.
    pub cpu_ms: u64,
}

/// A front, as shown by `mcp-twin status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontStatus {
    /// Version of the front's release.
    pub release: String,
    /// Id of the front, unique on this machine.
    pub front: String,
    /// The server's name.
    pub server: String,
    /// The client's own name for it, where known.
    #[serde(default)]
    pub display: Option<String>,
    /// The project root.
    pub root: String,
    /// The command line.
    pub command: Vec<String>,
    /// The working directory.
    #[serde(default)]
    pub cwd: String,
    /// `stdio` or `http`.
    pub transport: String,
    /// Over HTTP: whether the server itself is spoken to over stdio.
    #[serde(default)]
    pub stdio_twins: bool,
    /// Process id of the front.
    pub pid: u32,
    /// Seconds since 1970 at the front's start.
    pub started: i64,
    /// The swap machine.
    pub swap: Status,
    /// Milliseconds since the last swap.
    #[serde(default)]
    pub last_swap_ms_ago: Option<u64>,
    /// The client, where it said who it is: name and version.
    #[serde(default)]
    pub client: Option<String>,
    /// The negotiated protocol version.
    #[serde(default)]
    pub protocol: Option<String>,
    /// Lists that changed and that the client has not asked for again since: `tools`, `prompts`, `resources`.
    #[serde(default)]
    pub stale_lists: Vec<String>,
    /// Where clients reach it, over HTTP.
    #[serde(default)]
    pub url: Option<String>,
    /// Sessions of clients, over HTTP.
    #[serde(default)]
    pub sessions: Option<usize>,
    /// Calls in flight, over all twins.
    #[serde(default)]
    pub in_flight: usize,
    /// Requests held.
    #[serde(default)]
    pub held: usize,
    /// What was counted of the calls; absent: the front is of an older release.
    #[serde(default)]
    pub figures: Option<Figures>,
    /// What each twin takes, as far as the system tells.
    #[serde(default)]
    pub loads: Vec<TwinLoad>,
    /// Every setting that is no default, and where it comes from; absent: the front was started without a configuration.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// How many files are watched; absent: none are.
    #[serde(default)]
    pub watched: Option<usize>,
    /// What is off or odd: a state folder that cannot be written, a file that changes at every start, junk on stdout.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The folder of the log files.
    #[serde(default)]
    pub log: Option<String>,
    /// The last lines of the active twin's stderr.
    #[serde(default)]
    pub stderr_tail: String,
}
