//! Exhaustive search through this very machine in a small world: stateright runs [`Swap`] itself, with its record on disk,
//! the processes it started, the files, and everything that may go wrong at every step.

mod canon;
mod explore;
mod laws;
mod mistakes;
mod moves;
mod scenes;
mod world;

use super::effect::Effect;
use super::mistake::Mistake;
use super::record::Record;
use super::timers::Timer;
use super::{Command, Swap};
use crate::ids::{CommandId, OpId, PersistSeq, TwinId};
use crate::spec::{Options, Strategy};
use crate::time::Moment;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The model has no clock: timers fire in any order, whenever they are armed.
const NOW: Moment = Moment::ZERO;

/// One scene: what may happen in it, and how often.
#[derive(Clone, Debug)]
struct Scene {
    name: &'static str,
    options: Options,
    durable: bool,
    /// The codes that a save may bring; odd ones are bad: they may fail their probe, die at any time, fail their bake.
    codes: &'static [u8],
    calls: bool,
    /// Pids of the dead are reused by strangers while the front is dead.
    reuse: bool,
    /// Bad code never passes its bake, and nothing may ever be down.
    always_up: bool,
    /// The watcher says at once that a file was touched; else only the stamps tell.
    touch: bool,
    /// New code breaks what the client was told.
    breaks: bool,
    /// It begins with nothing, not with a twin that serves.
    fresh: bool,
    commands: &'static [Word],
    budget: Budget,
    live_twins: usize,
    retiring: usize,
    failures: usize,
    mistakes: &'static [Mistake],
    /// The host takes a stranger for a twin of its own.
    blind_host: bool,
}

/// How often something may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Budget {
    changes: u8,
    crashes: u8,
    deaths: u8,
    commands: u8,
    failed_writes: u8,
    /// Good code whose probe or bake fails.
    failed_probes: u8,
    /// Answers that come too late.
    late: u8,
    /// Other options: the other strategy, and no warm twin.
    reconfigures: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Word {
    Start,
    Reload,
    Swap,
    Force,
    Rollback,
    /// Back to the first code, of which a copy is kept.
    Copy,
    Stop,
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    /// `None`: the front is dead.
    front: Option<Swap>,
    disk: Option<Arc<Record>>,
    /// Writes on their way, oldest first.
    writes: VecDeque<(PersistSeq, Arc<Record>)>,
    procs: BTreeMap<TwinId, Proc>,
    /// Pids of the record that strangers have now.
    strangers: BTreeSet<TwinId>,
    route: Option<TwinId>,
    gate: Gate,
    /// A handover that is to be done, and one that was done or refused and is to be answered.
    moving: Option<(TwinId, bool)>,
    moved: Option<(TwinId, bool)>,
    awaiting_idle: Option<TwinId>,
    build: Option<OpId>,
    files: u8,
    /// The watcher has a change to tell.
    watch: bool,
    budget: Budget,
    /// Commands without an answer.
    owed: BTreeSet<CommandId>,
    next_command: u64,
    /// Codes that somebody approved.
    approved: BTreeSet<u8>,
    /// A code that a rollback passed over: not to be promoted without a change or a command.
    pinned: Option<u8>,
    /// The same while the rollback is not on disk yet.
    rolling: Option<u8>,
    /// STOPPED is on disk and nobody has asked for anything since.
    stopped: bool,
    /// The first law that was broken.
    broken: Option<&'static str>,
}

/// A process of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Proc {
    stage: ProcStage,
    claimed: u8,
    /// It is started from a copy: what the files hold is nothing to it.
    copy: bool,
    loaded: Option<u8>,
    call: bool,
    /// The spawn is not answered yet.
    unanswered: bool,
    probing: bool,
    examining: bool,
    hashing: bool,
    preparing: bool,
    draining: bool,
    stopping: bool,
    /// It has passed its check, or none was asked for.
    tried: bool,
    /// A file was touched since its spawn.
    touched: bool,
    /// It serves and its bake is not over.
    unbaked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum ProcStage {
    Booting,
    Ready,
    /// Its exit was not told yet.
    Dead,
}

/// What the relay does with new requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Gate {
    Open,
    Held,
    Refused,
}

/// One thing that may happen next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Move {
    WriteLands,
    WriteFails,
    SpawnAnswered(TwinId),
    ProbeAnswered(TwinId, bool),
    CheckAnswered(TwinId, bool),
    HashAnswered(TwinId),
    PrepareAnswered(TwinId),
    RouteMoves,
    RouteAnswered,
    DrainAnswered(TwinId),
    IdleAnswered,
    BuildAnswered,
    Exits(TwinId),
    ExitTold(TwinId),
    ChangeTold,
    Fires(Timer),
    BakeFails,
    FrontRestarts,
    // From here on: nothing that has to happen.
    /// It reads its code and is ready.
    Boots(TwinId),
    CallOpens,
    CallEnds(TwinId),
    Dies(TwinId),
    Edit(u8),
    FrontDies,
    PidReused(TwinId),
    Says(Word),
    /// Other options come.
    Reconfigured,
}

impl Move {
    /// Whether this is a fault or somebody's will: nothing good may depend on it.
    fn is_fault(&self, world: &World) -> bool {
        match self {
            Self::WriteFails
            | Self::CallOpens
            | Self::Dies(_)
            | Self::Edit(_)
            | Self::FrontDies
            | Self::PidReused(_)
            | Self::Says(_)
            | Self::Reconfigured => true,
            Self::ProbeAnswered(twin, false) | Self::CheckAnswered(twin, false) => {
                world.procs.get(twin).is_some_and(|proc| proc.is_good())
            }
            Self::BakeFails => world.route.and_then(|twin| world.procs.get(&twin)).is_some_and(Proc::is_good),
            Self::Fires(timer) => world.is_late(*timer),
            _ => false,
        }
    }
}

impl Proc {
    fn new(claimed: u8) -> Self {
        Self {
            stage: ProcStage::Booting,
            claimed,
            copy: false,
            loaded: None,
            call: false,
            unanswered: true,
            probing: false,
            examining: false,
            hashing: false,
            preparing: false,
            draining: false,
            stopping: false,
            tried: false,
            touched: false,
            unbaked: false,
        }
    }

    fn alive(&self) -> bool {
        self.stage != ProcStage::Dead
    }

    fn ready(&self) -> bool {
        self.stage == ProcStage::Ready
    }

    fn is_good(&self) -> bool {
        self.claimed.is_multiple_of(2) && self.loaded.is_none_or(|code| code.is_multiple_of(2))
    }
}

impl stateright::Model for Scene {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        vec![self.first()]
    }

    fn actions(&self, world: &World, out: &mut Vec<Move>) {
        if world.broken.is_none() {
            self.moves(world, out);
        }
    }

    fn next_state(&self, world: &World, action: Move) -> Option<World> {
        Some(self.next(world, &action))
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        vec![stateright::Property::always("every law holds", |_, world: &World| world.broken.is_none())]
    }
}
