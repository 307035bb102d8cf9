//! The persisted form of a swap machine: what a crash must not take away.

use crate::error::Fault;
use crate::ids::{OpId, ProcessIdentity, Slot, Source, TwinId};
use crate::swap::effect::Cause;
use crate::swap::event::ExitReport;
use serde::{Deserialize, Serialize};

/// The schema that this release writes. A record of a newer one is read-only.
pub const SCHEMA: u32 = 1;

/// One front's record, `state/<front>.json`. The store adds a checksum and the server's identity around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// Version of this layout.
    pub schema: u32,
    /// Counted up at every start of the front; answers to an older epoch are stale.
    pub epoch: u32,
    /// Where the machine stands.
    pub phase: Phase,
    /// The twin that new requests go to.
    pub active: Option<TwinId>,
    /// The active's source, kept also when the twin is gone.
    pub active_source: Option<Source>,
    /// The twin kept for rollback.
    pub prev: Option<TwinId>,
    /// A source that a rollback or a failed bake left: not started again by itself.
    pub rejected: Option<Source>,
    /// What the files held when a rollback was asked for, if that is not `rejected`: not started by itself either.
    #[serde(default)]
    pub passed_over: Option<Source>,
    /// Whether the active twin is on trial.
    #[serde(default)]
    pub baking: bool,
    /// The operation under way.
    pub op: Option<OpRecord>,
    /// Every twin that may be alive.
    pub twins: Vec<TwinRecord>,
    /// The source that last finished its bake.
    pub last_good: Option<Source>,
}

/// Where a machine stood when its record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Stopped by command; stays stopped.
    Stopped,
    /// Serving, no operation.
    Serving,
    /// An operation is under way, nothing is committed.
    Intent,
    /// A commit: `active` is the new twin.
    Commit,
    /// A rollback: `active` is the previous twin again.
    Rollback,
}

/// The operation under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpRecord {
    /// Its id.
    pub id: OpId,
    /// What started it.
    pub causes: Vec<Cause>,
    /// The source that it brings.
    pub source: Source,
    /// Whether somebody approved this very source (`swap`, `reload` of a server that is down, a rollback).
    #[serde(default)]
    pub approved: bool,
    /// Its twin, once spawned.
    pub twin: Option<TwinId>,
}

/// A twin that may be alive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TwinRecord {
    /// Its id.
    pub twin: TwinId,
    /// Its place.
    pub slot: Slot,
    /// Its source.
    pub source: Source,
    /// Its port, over HTTP.
    pub port: Option<u16>,
    /// Its process.
    pub process: Option<ProcessIdentity>,
    /// Whether its probe passed.
    pub verified: bool,
    /// Hash of its lists.
    pub lists_hash: u64,
    /// How it ended, if it did.
    pub last_exit: Option<ExitReport>,
    /// Why it failed, if it did.
    pub fault: Option<Fault>,
}
