//! What the machine remembers. Enum states carry their data, so that what cannot be cannot be written down either.

use super::effect::{Cause, Effect, PhaseName, TwinView};
use super::event::{Command, ExitReport, Kept, ProbeReport};
use crate::error::Fault;
use crate::ids::{CommandId, OpId, PersistSeq, ProcessIdentity, Slot, Source, TwinId};
use crate::time::Moment;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Live twins of one pair, those in their stop ladder included (I9).
pub(crate) const LIVE_TWINS: usize = 6;
/// Twins that owe answers beside active, standby and prev.
pub(crate) const RETIRING: usize = 3;
/// Failures of one source in a minute before only a change or a command tries again.
pub(crate) const FAILURES: usize = 5;

/// Where the machine stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a machine")]
pub(crate) enum State {
    /// Stopped by command, or not yet started.
    Stopped,
    /// STOPPED is being written, or the last twins are ending.
    Stopping(Stopping),
    /// Nothing serves; this operation will.
    Starting(Op),
    /// A twin serves.
    Serving(Serving),
    /// Nothing serves and nothing is being started.
    Down(Down),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stopping {
    /// The write of STOPPED that is waited for; `None`: it was answered and the twins are ending.
    pub(crate) write: Option<PersistSeq>,
    /// When the wait for the write, or for the exits, ends.
    pub(crate) deadline: Moment,
    /// Who asked.
    pub(crate) waiting: Vec<CommandId>,
    /// Who is being ended.
    pub(crate) ended: Vec<TwinView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Down {
    pub(crate) why: Fault,
    /// When the next try is; `None`: only a change or a command tries again.
    pub(crate) retry_at: Option<Moment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Serving {
    /// New requests go there. It may be dead for as long as a flip that replaces it is under way.
    pub(crate) active: TwinId,
    pub(crate) prev: Option<Prev>,
    /// A verified twin of the active's source, kept ready beside it.
    pub(crate) warm: Option<TwinId>,
    pub(crate) op: Option<Op>,
    /// A move of the route that is not an operation's commit.
    pub(crate) flip: Option<Flip>,
    pub(crate) bake: Option<Bake>,
    /// Why the newest code does not serve.
    pub(crate) degraded: Option<Fault>,
    /// The death of the active twin was told; what replaces it is on its way.
    pub(crate) lost: bool,
}

/// The twin that was active before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Prev {
    pub(crate) twin: TwinId,
    /// Until when it is kept; `None`: the bake still runs, the time begins after it.
    pub(crate) until: Option<Moment>,
}

/// The trial of the active twin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bake {
    pub(crate) until: Moment,
    /// The failure that came while the route was being moved.
    pub(crate) failed: Option<Fault>,
}

/// The route on its way to a twin that was verified before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flip {
    pub(crate) to: TwinId,
    pub(crate) why: Why,
    pub(crate) stage: FlipStage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// `mcp-twin rollback`.
    Command(CommandId),
    /// The bake failed, by traffic or by a crash.
    Bake(Fault),
    /// The active twin died; `to` is prev.
    Crash(Fault),
    /// The active twin died; `to` runs the same source.
    Spare(Fault),
    /// The front was restarted; `to` was active and still lives.
    Adopt,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FlipStage {
    /// The ledger is on its way.
    Preparing { deadline: Moment },
    /// ROLLBACK is being written.
    Recording { seq: PersistSeq, deadline: Moment },
    /// The route is being moved.
    Moving { deadline: Moment },
}

/// One operation: from a reason to a new active twin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Op {
    pub(crate) id: OpId,
    /// The id of its twin; in the table only from the spawn on.
    pub(crate) twin: TwinId,
    pub(crate) source: Source,
    /// Its code is a copy that was kept; the files held this when it began.
    pub(crate) instead_of: Option<Source>,
    pub(crate) causes: BTreeSet<Cause>,
    /// May be promoted because of a change under `promote = auto`.
    pub(crate) auto: bool,
    /// May be promoted because somebody said so about this very source.
    pub(crate) approved: bool,
    /// Accept a lost capability.
    pub(crate) force: bool,
    /// Accept a breaking change though the policy is to wait.
    pub(crate) accept_breaking: bool,
    /// Made only to stand by.
    pub(crate) spare: bool,
    pub(crate) waiting: Vec<Waiter>,
    /// A watched file was touched since the spawn was ordered.
    pub(crate) touched: bool,
    /// How often in a row it began again because the second look found the files touched.
    pub(crate) again: u8,
    /// Under `handoff`: who served before and had to go first.
    pub(crate) replaced: Option<TwinView>,
    pub(crate) stage: Stage,
    pub(crate) phases: Vec<(PhaseName, Duration)>,
    pub(crate) phase_began: Moment,
}

/// How far an operation is. Every stage that waits has its deadline (I13).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// A pause after a crash.
    Pausing { until: Moment },
    /// INTENT is being written.
    Recording { seq: PersistSeq, deadline: Moment },
    /// The build step runs.
    Building { deadline: Moment },
    /// Too many twins live.
    Room { deadline: Moment },
    /// The process is being started.
    Spawning { deadline: Moment },
    /// Its pid is being written.
    Identifying { seq: PersistSeq, deadline: Moment },
    /// Its probe runs; no deadline before the client has opened the session.
    Warming { deadline: Option<Moment> },
    /// It must stay ready so long.
    Settling { until: Moment },
    /// The check of the options runs.
    Examining { deadline: Moment },
    /// The files are hashed again.
    Checking { deadline: Moment },
    /// It waits for a word, at most until then. Under `handoff` nothing was spawned yet.
    Verified { expires: Moment },
    /// Handoff: the old twin finishes its open calls.
    Yielding { deadline: Moment },
    /// Handoff: the old twin ends.
    Clearing { old: TwinId, deadline: Moment },
    /// The ledger is on its way.
    Preparing { deadline: Moment },
    /// A fourth twin would have to retire.
    Crowded { deadline: Moment },
    /// COMMIT is being written.
    Committing { seq: PersistSeq, deadline: Moment },
    /// The route is being moved.
    Flipping { deadline: Moment },
}

/// A command that waits for an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Waiter {
    pub(crate) id: CommandId,
    pub(crate) ask: Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Start,
    Reload,
    Swap,
    Rollback,
}

/// A twin that lives, or may live.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Twin {
    pub(crate) slot: Slot,
    pub(crate) source: Source,
    pub(crate) port: Option<u16>,
    pub(crate) process: Option<ProcessIdentity>,
    pub(crate) life: Life,
    /// What its probe found; `None`: it has not passed.
    pub(crate) report: Option<ProbeReport>,
    pub(crate) verified: bool,
    pub(crate) debt: Debt,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    /// The spawn is not answered yet.
    Spawning,
    /// No longer wanted, but the spawn is not answered yet.
    Doomed,
    /// It runs.
    Running,
    /// In its stop ladder; `until` is when it is asked again.
    Stopping { until: Moment },
    /// Its exit was seen while the route was being moved from or to it.
    Dead(ExitReport),
}

/// What is known of what a twin owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Debt {
    /// Nobody asked.
    Unknown,
    /// A drain runs since then.
    Draining { since: Moment, open_calls: bool, human: bool },
    /// It owes nothing.
    None,
}

/// A command that came while the route was being moved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Deferred {
    pub(crate) id: CommandId,
    pub(crate) command: Command,
    pub(crate) source: Source,
}

/// Failures of one source, for the back-off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Failures {
    pub(crate) source: Option<Source>,
    pub(crate) at: VecDeque<Moment>,
    pub(crate) streak: u32,
}

/// Everything but the options and the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Memory {
    pub(crate) twins: BTreeMap<TwinId, Twin>,
    /// Oldest first.
    pub(crate) retiring: Vec<TwinId>,
    /// Since when there is one too many of them.
    pub(crate) crowded_since: Option<Moment>,
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) next_twin: u32,
    pub(crate) next_op: u32,
    pub(crate) next_seq: u64,
    pub(crate) epoch: u32,
    /// The source that serves or served last.
    pub(crate) active_source: Option<Source>,
    /// The source that served before that one.
    pub(crate) prev_source: Option<Source>,
    pub(crate) rejected: Option<Source>,
    /// What the files held when a rollback was asked for, if that is not `rejected`.
    pub(crate) passed_over: Option<Source>,
    /// The source of the last operation, or the last that needed none.
    pub(crate) attempted: Option<Source>,
    /// What the files are, as far as known.
    pub(crate) files: Option<Source>,
    pub(crate) last_good: Option<Source>,
    /// What served last, the latest first, as far as the host knows.
    pub(crate) served: Vec<Source>,
    /// Whose code is kept, as far as known.
    pub(crate) kept: Vec<Kept>,
    /// A change that came while the route was being moved.
    pub(crate) change: Option<Source>,
    pub(crate) deferred: VecDeque<Deferred>,
    pub(crate) failures: Failures,
    /// When a warm twin may be made again.
    pub(crate) warm_after: Option<Moment>,
    pub(crate) warm_failures: u8,
    /// One more than the number of the newest write that was answered.
    pub(crate) answered: u64,
    /// The record on disk is not the truth; when it is written again.
    pub(crate) dirty: Option<Moment>,
    /// `Notice::StateOff` was said.
    pub(crate) state_off: bool,
    /// A handoff ended the old code and nothing has served since: every save is tried.
    pub(crate) open_to_saves: bool,
    /// Why the last try to serve failed, while nothing serves and another one runs.
    pub(crate) failed: Option<Fault>,
    pub(crate) swaps: u32,
    pub(crate) last_swap: Option<Moment>,
}

impl Stage {
    /// Whether the route is being moved, so that nothing else may begin.
    pub(crate) fn in_window(&self) -> bool {
        matches!(self, Self::Committing { .. } | Self::Flipping { .. })
    }

    /// The name of the stage as `status` shows it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Pausing { .. } | Self::Recording { .. } | Self::Room { .. } | Self::Spawning { .. } => "spawning",
            Self::Building { .. } => "building",
            Self::Identifying { .. } | Self::Clearing { .. } => "spawning",
            Self::Warming { .. } | Self::Settling { .. } | Self::Checking { .. } => "warming",
            Self::Examining { .. } => "checking",
            Self::Verified { .. } => "verified",
            Self::Yielding { .. }
            | Self::Preparing { .. }
            | Self::Crowded { .. }
            | Self::Committing { .. }
            | Self::Flipping { .. } => "committing",
        }
    }
}

impl Op {
    /// What a rollback leaves behind once it is committed: the code that served (`left`), and what else the files hold.
    pub(crate) fn leaves(&self, left: Option<Source>) -> (Option<Source>, Option<Source>) {
        if !self.causes.contains(&Cause::Rollback) {
            // A copy that is started after a crash leaves the files where they were left.
            return (None, self.instead_of);
        }
        let left = left.or(self.replaced.as_ref().map(|view| view.source));
        let rejected = left.filter(|left| !left.same_code(&self.source));
        let known = |files: &Source| rejected.is_some_and(|left| left.same_code(files)) || self.source.same_code(files);
        (rejected, self.instead_of.filter(|files| !known(files)))
    }

    /// Ends the phase that runs and begins the next.
    pub(crate) fn phase_done(&mut self, name: PhaseName, now: Moment) {
        self.phases.push((name, now.since(self.phase_began)));
        self.phase_began = now;
    }

    /// Whether a command waits that is not content with nothing.
    pub(crate) fn waits_for(&self, ask: Ask) -> bool {
        self.waiting.iter().any(|waiter| waiter.ask == ask)
    }
}

impl Twin {
    pub(crate) fn running(&self) -> bool {
        self.life == Life::Running
    }
}
