//! What goes into the swap machine.

use crate::error::Fault;
use crate::ids::{CommandId, Generation, OpId, PersistSeq, ProcessIdentity, Source, TwinId};
use crate::relay::diff::ListDiff;
use crate::spec::Options;
use serde::{Deserialize, Serialize};

/// Something that happened in the world, or a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Other options count from now on. What waits already keeps its deadline; the strategy stays the one that the machine
    /// began with, for twins may live side by side that it would forbid.
    Reconfigured {
        /// All of them.
        options: Box<Options>,
    },
    /// A watched file was touched just now; the burst may still be going on. A `Changed` follows when it is quiet.
    Touched,
    /// The watched files came to rest and now hash to `source` (which may be what they were before).
    Changed {
        /// What the files are.
        source: Source,
    },
    /// Somebody asks for something. `source`: what the files are at this moment.
    Command {
        /// Carried back by [`Effect::Reply`](super::Effect::Reply).
        id: CommandId,
        /// What is asked.
        command: Command,
        /// What the files are now.
        source: Source,
    },
    /// Whose code is kept, and may be started again though the files hold other code. Replaces what was said before.
    Kept {
        /// One for each generation that something is known of.
        copies: Vec<Kept>,
    },
    /// What served last, the latest first, also in earlier lives of the front. Wanted before a rollback that names no generation.
    Served {
        /// At most a few.
        sources: Vec<Source>,
    },
    /// The build step of this operation ended well; its inputs hash to `source` after it.
    Built {
        /// The operation.
        op: OpId,
        /// What the files are after the build.
        source: Source,
    },
    /// The build step failed or passed its deadline.
    BuildFailed {
        /// The operation.
        op: OpId,
        /// Its output is in `stderr_tail`.
        fault: Fault,
    },
    /// The process runs.
    Spawned {
        /// Which twin.
        twin: TwinId,
        /// Proof of identity.
        process: ProcessIdentity,
        /// Where it listens, over HTTP.
        port: Option<u16>,
    },
    /// The process could not be started.
    SpawnFailed {
        /// Which twin.
        twin: TwinId,
        /// Why.
        fault: Fault,
    },
    /// The probe of this twin has begun to be sent: only now does its start time-out run (over stdio a twin is sent
    /// nothing before the client has opened the session).
    Probing {
        /// Which twin.
        twin: TwinId,
    },
    /// The probe passed: opening accepted with the same version and no lost capability, lists fetched, checks passed.
    Healthy {
        /// Which twin.
        twin: TwinId,
        /// What it offers, and how that differs from what the client was told.
        report: ProbeReport,
    },
    /// The probe failed for good.
    Unhealthy {
        /// Which twin.
        twin: TwinId,
        /// Why.
        fault: Fault,
    },
    /// The check of this twin passed.
    Examined {
        /// Which twin.
        twin: TwinId,
    },
    /// The check of this twin failed, or passed its deadline.
    ExamineFailed {
        /// Which twin.
        twin: TwinId,
        /// Why.
        fault: Fault,
    },
    /// Answer to [`Effect::Rehash`](super::Effect::Rehash).
    Hashed {
        /// Which twin's verification asked.
        twin: TwinId,
        /// What the files are now.
        source: Source,
        /// Whether any watched file was touched since the hash before the spawn (mtime, ctime, size, inode).
        touched: bool,
    },
    /// The record with this number is written.
    Persisted {
        /// The number from [`Effect::Persist`](super::Effect::Persist).
        seq: PersistSeq,
    },
    /// The record with this number could not be written.
    PersistFailed {
        /// The number from [`Effect::Persist`](super::Effect::Persist).
        seq: PersistSeq,
        /// What the system said.
        why: String,
    },
    /// The twin has the client's ledger (log level, subscriptions) and no ledger request is in flight.
    Prepared {
        /// Which twin.
        twin: TwinId,
    },
    /// The ledger could not be brought to the twin.
    PrepareFailed {
        /// Which twin.
        twin: TwinId,
        /// Why.
        fault: Fault,
    },
    /// New requests now go to this twin.
    HandedOver {
        /// Which twin.
        twin: TwinId,
    },
    /// The route stayed: the twin was not ready at that instant.
    HandoverRefused {
        /// Which twin.
        twin: TwinId,
        /// Why.
        fault: Fault,
    },
    /// A draining twin owes nothing any more.
    Drained {
        /// Which twin.
        twin: TwinId,
    },
    /// What a draining twin still owes changed. Optional: without it the machine takes it that a call is open and that no
    /// human is asked. Of two twins the one without an open call is given up first, and a human gets more time.
    Owes {
        /// Which twin.
        twin: TwinId,
        /// Whether a call of the client is open on it.
        open_calls: bool,
        /// Whether it waits for a human's answer (an elicitation).
        human: bool,
    },
    /// Answer to [`Effect::AwaitIdle`](super::Effect::AwaitIdle): the serving twin has no open call at this instant, and
    /// requests are held from now on.
    Idle {
        /// Which twin.
        twin: TwinId,
    },
    /// The traffic of a twin on trial shows that it is bad (refused calls, transport errors).
    BakeFailed {
        /// Which twin.
        twin: TwinId,
        /// Why.
        fault: Fault,
    },
    /// The process is gone and its output was read to the end, asked for or not.
    Exited {
        /// Which twin.
        twin: TwinId,
        /// How it ended; `fault.stderr_tail` has its last words.
        exit: ExitReport,
    },
}

/// What somebody asks of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Start the server, if it does not serve.
    Start,
    /// Start a fresh twin, also of unchanged source, and verify it; never promotes.
    Reload,
    /// Promote the verified standby, or reload first.
    Swap {
        /// Also promote what lost a capability or breaks the client's lists.
        force: bool,
    },
    /// Go back to the previous generation, or to the one named.
    Rollback {
        /// The generation wanted; `None`: the previous one.
        to: Option<Generation>,
    },
    /// End all twins.
    Stop,
}

/// A copy of a generation's code, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// Its code.
    pub source: Source,
    /// Why it cannot be started again; `None`: it can.
    pub why_not: Option<String>,
}

/// What a probe found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Hash of the canonical lists; equal hashes mean that a client need not be told anything.
    pub lists_hash: u64,
    /// Difference to the lists of the twin that serves (empty for a first twin).
    pub diff: ListDiff,
    /// `serverInfo.name` and `.version`, where given.
    pub server: Option<String>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExitReport {
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// Signal number, if one ended it.
    pub signal: Option<i32>,
    /// The tail of its stderr.
    #[serde(default)]
    pub stderr_tail: String,
}

impl ExitReport {
    /// In words: `exited with status 1`, `was ended by signal 9`.
    #[must_use]
    pub fn describe(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exited with status {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        }
    }
}
