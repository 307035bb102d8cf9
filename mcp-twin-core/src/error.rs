//! What can go wrong, with codes that stay the same on every surface: exit status and help of the command, `err.code` in
//! Node, `.code` in Python, `error.data.code` in JSON-RPC.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// A stable code of a failure. The text never changes once released; new ones may be added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name),+ }

        impl Code {
            /// All codes, for documentation and tests.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The code as text, such as `twin::spawn::exited_early`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

codes! {
    /// The command cannot be executed at all: no such file, no permission, wrong format.
    NotExecutable = "twin::spawn::not_executable",
    /// The operating system refused to start the process for another reason.
    SpawnFailed = "twin::spawn::failed",
    /// The process ended before it was ready.
    ExitedEarly = "twin::spawn::exited_early",
    /// The twin was not ready before its start time-out.
    ProbeTimeout = "twin::probe::timeout",
    /// The twin answered the client's opening with an error.
    ProbeRefused = "twin::probe::refused",
    /// The twin answered with another protocol version than the client negotiated.
    VersionChanged = "twin::probe::version_changed",
    /// The twin lacks a capability that the client was told of.
    CapabilityLost = "twin::probe::capability_lost",
    /// A list (tools, prompts, resources) could not be fetched or was not a valid list.
    ListFailed = "twin::probe::list_failed",
    /// The twin broke the protocol in a way that makes it unusable.
    ProtocolBroken = "twin::probe::protocol",
    /// The build step failed or passed its time-out.
    BuildFailed = "twin::build::failed",
    /// The check before the swap failed or passed its time-out.
    CheckFailed = "twin::check::failed",
    /// A newer change took the place of this operation.
    Superseded = "twin::swap::superseded",
    /// The verified standby died before it could take over.
    DiedBeforeCommit = "twin::swap::died_before_commit",
    /// The change breaks what the client was told, and the policy is to wait for a `swap`.
    BreakingWaits = "twin::swap::breaking",
    /// The record could not be written, so the swap was refused.
    NotPersisted = "twin::swap::not_persisted",
    /// The verified standby waited too long for a `swap` and was ended.
    StandbyExpired = "twin::swap::standby_expired",
    /// An older twin owes answers and did not finish in time for another swap.
    RetiringFull = "twin::swap::retiring_full",
    /// The twin that now serves crashed within its bake.
    BakeCrashed = "twin::bake::crashed",
    /// The twin that now serves refused too many calls within its bake.
    BakeErrors = "twin::bake::errors",
    /// The serving twin ended by itself.
    Crashed = "twin::crashed",
    /// The code of the generation asked for is no longer there.
    CodeGone = "twin::rollback::code_gone",
    /// The generation asked for never existed.
    NoGeneration = "twin::rollback::no_generation",
    /// There is nothing to roll back to.
    NoPrevious = "twin::rollback::no_previous",
    /// The twin that held this request died before it answered; whether it did the work is not known.
    TwinLost = "twin::request::lost",
    /// The request was cut off because its twin had to be ended.
    Cut = "twin::request::cut",
    /// The request was held for a starting twin longer than the hold budget.
    HoldTimeout = "twin::request::hold_timeout",
    /// More requests or bytes were waiting than the front holds.
    Busy = "twin::request::busy",
    /// The request belongs to a twin that is gone: its cursor, or its task.
    OwnerGone = "twin::request::owner_gone",
    /// The request passed the time-out that `--call-timeout` asked for.
    CallTimeout = "twin::request::timeout",
    /// A tool was to be called at the standby, and none waits.
    NoStandby = "twin::call::no_standby",
    /// A tool was to be called, and no client has opened the session in which that could be.
    NotOpened = "twin::call::not_opened",
    /// A server over HTTP refused the request with a status, and without a word of JSON-RPC.
    HttpStatus = "twin::request::http_status",
    /// Nothing serves: the server cannot be started.
    Down = "twin::down",
    /// The server was stopped by `mcp-twin stop`.
    Stopped = "twin::stopped",
    /// The client sent something that is not MCP.
    BadMessage = "twin::client::bad_message",
    /// A message was larger than `max_message`.
    TooLarge = "twin::message::too_large",
    /// A host adapter failed in a way that has no code of its own.
    Host = "twin::host",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    // A code of a newer release reads as `Host`: records and answers outlive upgrades.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::ALL.iter().copied().find(|code| code.as_str() == text).unwrap_or(Self::Host))
    }
}

/// Why something failed: what happened, what to do, and what the server itself said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The stable code.
    pub code: Code,
    /// What happened, as a lower-case sentence fragment that fits behind "failed: ".
    pub message: String,
    /// What to do next, where there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The last of the server's own stderr, at most 32 KB; empty if it said nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr_tail: String,
}

impl Fault {
    /// A fault with neither help nor stderr.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, stderr_tail: String::new() }
    }

    /// The same fault with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same fault with the tail of the server's stderr.
    #[must_use]
    pub fn with_stderr(mut self, tail: impl Into<String>) -> Self {
        self.stderr_tail = tail.into();
        self
    }

    /// The line of stderr that says most: the last one that names an error, else the last that is not empty.
    #[must_use]
    pub fn first_line(&self) -> &str {
        let lines = || self.stderr_tail.lines().rev().map(str::trim).filter(|line| !line.is_empty());
        let telling = |line: &&str| {
            let lower = line.to_ascii_lowercase();
            lower.contains("error") || lower.contains("exception") || lower.contains("panicked")
        };
        lines().find(telling).or_else(|| lines().next()).unwrap_or("")
    }
}
