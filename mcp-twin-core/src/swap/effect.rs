//! What comes out of the swap machine.

use super::event::ProbeReport;
use super::record::Record;
use crate::error::Fault;
use crate::ids::{CommandId, Generation, OpId, PersistSeq, Slot, Source, TwinId};
use crate::relay::diff::ListDiff;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something the host is to do. Each one names the event that answers it, if any; the machine waits for that answer where
/// it must (a `Persist` always precedes the effect that it makes recoverable).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Write the record. Answer: `Persisted` or `PersistFailed`.
    Persist {
        /// Carried back by the answer.
        seq: PersistSeq,
        /// What to write.
        record: Box<Record>,
    },
    /// Run the build step. Answer: `Built` or `BuildFailed`.
    Build {
        /// The operation.
        op: OpId,
        /// What the files were when it began.
        source: Source,
    },
    /// A build that runs for this operation is no longer wanted: end it. No answer.
    AbandonBuild {
        /// The operation.
        op: OpId,
    },
    /// Start a twin. Answer: `Spawned` or `SpawnFailed`.
    Spawn {
        /// The new twin's id.
        twin: TwinId,
        /// Its place.
        slot: Slot,
        /// The source it is to run; the host hashes the files again just before the spawn and remembers their stamps.
        source: Source,
        /// Whether its code is a copy that was kept, for the files hold other code.
        kept: bool,
    },
    /// Prove a spawned twin healthy. A later `Stop` of the twin takes it back. Answers: `Probing` when the first byte can be sent, then `Healthy` or `Unhealthy`.
    Probe {
        /// Which twin.
        twin: TwinId,
        /// Accept a lost capability (`swap --force`).
        force: bool,
    },
    /// Try a twin that has passed its probe, with the check that the options name; asked for only while another twin
    /// serves. A later `Stop` of the twin takes it back. Answer: `Examined` or `ExamineFailed`.
    Examine {
        /// Which twin.
        twin: TwinId,
    },
    /// Hash the watched files again and say whether any was touched since the spawn. Answer: `Hashed`.
    Rehash {
        /// Which twin's verification asks.
        twin: TwinId,
    },
    /// Bring the client's ledger to this twin, removals too. Answer: `Prepared` or `PrepareFailed`.
    Prepare {
        /// Which twin.
        twin: TwinId,
    },
    /// Route new requests to `to`, which may be the one that serves already; what was held is released to it. Answer: `HandedOver` or `HandoverRefused`.
    Handover {
        /// Who served until now.
        from: Option<TwinId>,
        /// Who serves from now on.
        to: TwinId,
        /// Tell the failure detector that a trial of `to` begins.
        bake: bool,
    },
    /// The trial of this twin is over: stop counting its failures.
    EndBake {
        /// Which twin.
        twin: TwinId,
    },
    /// Hold new requests: nothing serves at this moment, a start is under way.
    Hold,
    /// Nothing serves and nothing is being started: answer what is held and what comes with this reason.
    Refuse {
        /// The reason.
        fault: Fault,
    },
    /// Hold new requests as soon as the serving twin has no open call. Answer: `Idle`. A later `Handover` takes it back
    /// and releases what is held, also one to the twin that serves already; so does a later `Hold` or `Refuse`, and the
    /// twin's end.
    AwaitIdle {
        /// Which twin.
        twin: TwinId,
    },
    /// Cut: cancel what is open on the twin and answer it with this reason. If it is the twin that serves (handoff), hold
    /// new requests from now on; if it is one that drains, the others go on. A `Stop` follows.
    Cut {
        /// Which twin.
        twin: TwinId,
        /// The reason.
        fault: Fault,
    },
    /// Let a twin finish what it owes. Answer: `Drained`, at once if it owes nothing.
    Drain {
        /// Which twin.
        twin: TwinId,
    },
    /// End the whole process group of a twin: end of stdin, TERM, KILL. Answer: `Exited`.
    Stop {
        /// Which twin.
        twin: TwinId,
        /// From the end of stdin to TERM.
        term: Duration,
        /// From TERM to KILL.
        kill: Duration,
    },
    /// After a recovery: end every process that bears a token of this front and is not in `keep`. No answer.
    Sweep {
        /// Twins of the record that go on living.
        keep: Vec<TwinId>,
    },
    /// The answer to a command.
    Reply {
        /// Which command.
        id: CommandId,
        /// How it ended.
        outcome: Outcome,
    },
    /// One line for `history/<server>.jsonl`.
    History(HistoryEntry),
    /// Something a person should know: for the log, stderr and the client's failure notice.
    Notice(Notice),
    /// An event changed nothing, and why (for the log at debug level).
    Ignored(&'static str),
}

/// How a command or an operation ended. A swap that was rolled back is an outcome, not an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A first twin serves.
    Started {
        /// Who serves.
        active: TwinView,
    },
    /// The standby is verified and waits.
    Verified {
        /// Who serves.
        active: Option<TwinView>,
        /// Who waits.
        standby: TwinView,
        /// What it found.
        report: ProbeReport,
    },
    /// The standby took over.
    Swapped {
        /// Who served before.
        previous: Option<TwinView>,
        /// Who serves now.
        active: TwinView,
        /// What changed in the lists.
        diff: ListDiff,
    },
    /// The active twin already runs what the files hold.
    NothingNewer {
        /// Who serves.
        active: TwinView,
    },
    /// The previous twin serves again.
    RolledBack {
        /// Who was left.
        left: Option<TwinView>,
        /// Who serves now.
        active: TwinView,
        /// Why: by command, or the fault that the bake found.
        why: Option<Fault>,
    },
    /// All twins are ended.
    Stopped {
        /// Who was ended.
        ended: Vec<TwinView>,
    },
    /// It did not work, and the old code serves on (if any did).
    Failed {
        /// Who serves.
        active: Option<TwinView>,
        /// Why.
        fault: Fault,
    },
    /// A newer change took its place; the outcome of that one is told in turn.
    Superseded {
        /// The generation that took its place.
        by: Generation,
    },
}

/// A twin as shown to people.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TwinView {
    /// Its id within the front.
    pub twin: TwinId,
    /// Its place.
    pub slot: Slot,
    /// Its source.
    pub source: Source,
    /// Its process, once there is one.
    pub pid: Option<u32>,
    /// Its port, over HTTP.
    pub port: Option<u16>,
}

/// What started an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The first start of the front.
    Start,
    /// A saved file.
    Change,
    /// `mcp-twin reload`.
    Reload,
    /// `mcp-twin swap`.
    Swap,
    /// `mcp-twin rollback`.
    Rollback,
    /// The serving twin died.
    Crash,
    /// The bake failed.
    Bake,
    /// `mcp-twin stop`.
    Stop,
    /// The front itself was restarted.
    Recovery,
}

/// One line of the history; the host adds the wall-clock time, the front and the file that changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// What happened: `reload`, `swap`, `rollback`, `crash`, `stop`, `start`.
    pub what: Cause,
    /// What started it.
    pub causes: Vec<Cause>,
    /// The generation that was tried.
    pub generation: Generation,
    /// Its source hash.
    pub source: Source,
    /// The generation that served before.
    pub from: Option<Generation>,
    /// How it ended.
    pub outcome: Outcome,
    /// How long each phase took, in order: `build`, `spawn`, `probe`, `check`, `verify`, `commit`.
    pub phases: Vec<(PhaseName, Duration)>,
}

/// A phase of an operation whose duration is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// The build step.
    Build,
    /// From the decision to the running process.
    Spawn,
    /// From the running process to the passed probe.
    Probe,
    /// The check that the options name.
    Check,
    /// From the passed probe, or the passed check, to Verified.
    Verify,
    /// From the decision to promote to the moved route.
    Commit,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// The newest code does not serve; the old code goes on. Told to the client once (relay rule 13).
    ReloadFailed {
        /// The generation that failed.
        generation: Generation,
        /// Why.
        fault: Fault,
    },
    /// The serving twin was left for the previous one. Told to the client once.
    RolledBack {
        /// The generation that was left.
        left: Generation,
        /// The generation that serves now.
        active: Generation,
        /// Why; `None`: by command.
        why: Option<Fault>,
    },
    /// The serving twin died; what comes next is in `respawn`. Told to the client once.
    Crashed {
        /// The generation that crashed.
        generation: Generation,
        /// How it ended.
        fault: Fault,
    },
    /// New code serves.
    Swapped {
        /// The generation that served before.
        previous: Option<Generation>,
        /// The generation that serves now.
        active: Generation,
        /// What changed in the lists.
        diff: ListDiff,
    },
    /// A verified standby waits for `mcp-twin swap`, and why (policy).
    Waiting {
        /// Its generation.
        generation: Generation,
        /// What it breaks, if that is why it waits.
        breaking: Vec<String>,
    },
    /// Nothing serves.
    Down {
        /// Why.
        fault: Fault,
    },
    /// The record cannot be written; the front goes on in memory.
    StateOff {
        /// What the system said.
        why: String,
    },
    /// The record is written again, and holds everything.
    StateOn,
}
