//! What the effects do to the world.

use super::super::event::{ExitReport, ProbeReport};
use super::super::record::Phase;
use super::super::state::State;
use super::*;
use crate::error::{Code, Fault};
use crate::ids::{Generation, ProcessIdentity, Source, SourceHash};
use crate::relay::diff::ListDiff;
use crate::swap::{Event, Outcome};

impl Scene {
    /// A machine of this scene.
    fn machine(&self) -> Swap {
        let mut swap = Swap::new(self.options.clone());
        swap.policy.durable = self.durable;
        swap.policy.live_twins = self.live_twins;
        swap.policy.retiring = self.retiring;
        swap.policy.failures = self.failures;
        swap.policy.mistakes = self.mistakes;
        swap
    }

    /// The first state: one twin serves, or nothing does and the start is asked for.
    pub(super) fn first(&self) -> World {
        let right = Self { mistakes: &[], ..self.clone() };
        let mut world = World {
            front: Some(right.machine()),
            disk: None,
            writes: VecDeque::new(),
            procs: BTreeMap::new(),
            strangers: BTreeSet::new(),
            route: None,
            gate: Gate::Held,
            moving: None,
            moved: None,
            awaiting_idle: None,
            build: None,
            files: 0,
            watch: false,
            budget: self.budget,
            owed: BTreeSet::new(),
            next_command: 1,
            approved: BTreeSet::from([0]),
            pinned: None,
            rolling: None,
            stopped: false,
            broken: None,
        };
        world.owed.insert(CommandId(0));
        right.tell(&mut world, Event::Command { id: CommandId(0), command: Command::Start, source: source(0) });
        if !self.fresh {
            right.run_to_rest(&mut world);
        }
        if let Some(front) = &mut world.front {
            front.policy.mistakes = self.mistakes;
        }
        world.canonical();
        world
    }

    /// The straight road of a first start.
    fn run_to_rest(&self, world: &mut World) {
        loop {
            let mut moves = Vec::new();
            self.moves(world, &mut moves);
            let wanted = |step: &Move| {
                !step.is_fault(world)
                    && !matches!(step, Move::ProbeAnswered(_, false) | Move::BakeFails | Move::Fires(_))
                    && (!matches!(step, Move::SpawnAnswered(_)) || world.front.is_some())
            };
            let serves = world.front.as_ref().is_some_and(|front| front.serving().is_some());
            let Some(step) = moves.into_iter().find(wanted) else { return };
            if serves && matches!(step, Move::Boots(_)) {
                return;
            }
            *world = self.next(world, &step);
        }
    }

    /// One event into the machine, and its effects into the world.
    pub(super) fn tell(&self, world: &mut World, event: Event) {
        let Some(mut front) = world.front.take() else { return };
        front.handle(event, NOW);
        self.apply(world, &mut front);
        world.front = Some(front);
    }

    pub(super) fn fire(&self, world: &mut World, timer: Timer) {
        let Some(mut front) = world.front.take() else { return };
        front.fire(timer, NOW);
        self.apply(world, &mut front);
        world.front = Some(front);
    }

    pub(super) fn restart(&self, world: &mut World) {
        let Some(record) = world.disk.clone() else { return };
        let named = |twin: &TwinId| record.twins.iter().any(|known| known.twin == *twin);
        let mut live: Vec<TwinId> =
            world.procs.iter().filter(|(twin, proc)| proc.ready() && named(twin)).map(|(twin, _)| *twin).collect();
        if self.blind_host {
            live.extend(world.strangers.iter().copied());
        }
        let mut front = self.machine();
        front.take_over((*record).clone(), &live, source(world.files), NOW);
        world.watch = false;
        world.gate = Gate::Held;
        self.apply(world, &mut front);
        world.front = Some(front);
    }

    fn apply(&self, world: &mut World, front: &mut Swap) {
        loop {
            while let Some(effect) = front.poll_effect() {
                self.apply_one(world, front, effect);
            }
            // Where nobody can look at the disk any more, a write that nothing waits for is of no interest.
            let unseen = world.budget.crashes == 0 && world.budget.failed_writes == 0;
            match world.writes.front() {
                Some((seq, _)) if unseen && !front.waits_for(*seq) => {
                    if let Some((seq, record)) = world.writes.pop_front() {
                        world.disk = Some(record);
                        front.handle(Event::Persisted { seq }, NOW);
                    }
                }
                _ => return,
            }
        }
    }

    fn apply_one(&self, world: &mut World, front: &Swap, effect: Effect) {
        match effect {
            Effect::Persist { seq, record } => world.writes.push_back((seq, Arc::new(*record))),
            Effect::Build { op, .. } => world.build = Some(op),
            Effect::AbandonBuild { .. } => world.build = None,
            Effect::Spawn { twin, source, kept, .. } => {
                if self.options.strategy == Strategy::Handoff && world.procs.values().any(Proc::alive) {
                    world.breaks("two copies run though they may not");
                }
                world.procs.insert(twin, Proc { copy: kept, ..Proc::new(code(&source)) });
            }
            Effect::Probe { twin, .. } => world.proc(twin, |proc| proc.probing = true),
            Effect::Examine { twin } => world.proc(twin, |proc| proc.examining = true),
            Effect::Rehash { twin } => world.proc(twin, |proc| proc.hashing = true),
            Effect::Prepare { twin } => world.proc(twin, |proc| proc.preparing = true),
            Effect::Handover { to, bake, .. } => {
                world.awaiting_idle = None;
                world.moving = Some((to, bake));
            }
            Effect::EndBake { twin } => self.bake_ended(world, front, twin),
            Effect::Hold => (world.gate, world.awaiting_idle) = (Gate::Held, None),
            Effect::Refuse { .. } => (world.gate, world.awaiting_idle) = (Gate::Refused, None),
            Effect::AwaitIdle { twin } => world.awaiting_idle = Some(twin),
            Effect::Cut { twin, .. } => world.proc(twin, |proc| proc.call = false),
            Effect::Drain { twin } => world.proc(twin, |proc| proc.draining = true),
            Effect::Stop { twin, .. } => self.stops(world, front, twin),
            Effect::Sweep { keep } => {
                if keep.iter().any(|twin| world.strangers.contains(twin)) {
                    world.breaks("I6 a stranger is taken for a twin");
                }
                world.procs.retain(|twin, _| keep.contains(twin));
            }
            Effect::Reply { id, outcome } => {
                if !world.owed.remove(&id) {
                    world.breaks("a command is answered twice");
                }
                if matches!(outcome, Outcome::Stopped { .. }) && world.owed.is_empty() {
                    world.stopped = true;
                }
            }
            Effect::History(_) | Effect::Notice(_) | Effect::Ignored(_) => {}
        }
    }

    fn stops(&self, world: &mut World, front: &Swap, twin: TwinId) {
        if world.strangers.contains(&twin) {
            return world.breaks("I6 a stranger was signalled");
        }
        let on_purpose = matches!(front.state, State::Stopping(_))
            || self.options.strategy == Strategy::Handoff
            || world.moving.is_some_and(|(to, _)| to != twin)
            || (world.budget.late < self.budget.late && front.serving().is_none());
        let Some(proc) = world.procs.get_mut(&twin) else { return };
        proc.stopping = true;
        proc.draining = false;
        proc.call = false;
        if proc.ready() && world.route == Some(twin) && !on_purpose {
            world.breaks("I2 the serving twin is taken away");
        }
    }

    /// The trial ended: was it because time was over, or was it failed?
    fn bake_ended(&self, world: &mut World, front: &Swap, twin: TwinId) {
        let active =
            front.serving().map(|serving| (serving.active, serving.degraded.is_some(), serving.flip.is_some()));
        if let Some((active, degraded, flips)) = active
            && active == twin
            && !degraded
            && !flips
            && world.procs.get(&twin).is_some_and(|proc| proc.unbaked)
        {
            world.breaks("a bake was ended though nothing replaced its twin");
        }
        world.proc(twin, |proc| proc.unbaked = false);
    }
}

impl World {
    pub(super) fn breaks(&mut self, law: &'static str) {
        self.broken.get_or_insert(law);
    }

    pub(super) fn proc(&mut self, twin: TwinId, change: impl FnOnce(&mut Proc)) {
        if let Some(proc) = self.procs.get_mut(&twin) {
            change(proc);
        }
    }

    pub(super) fn routed(&self) -> Option<&Proc> {
        self.procs.get(&self.route?)
    }

    /// A timer that only fires when an answer is overdue.
    pub(super) fn is_late(&self, timer: Timer) -> bool {
        use super::super::state::Stage;
        match timer {
            Timer::Bake
            | Timer::Keep
            | Timer::Retry
            | Timer::Crowd
            | Timer::Rewrite
            | Timer::Warm
            | Timer::Drain(_) => false,
            Timer::Exit(_) | Timer::Stop | Timer::Flip => true,
            Timer::Stage => self.front.as_ref().and_then(Swap::op).is_none_or(|op| {
                !matches!(
                    op.stage,
                    Stage::Pausing { .. }
                        | Stage::Verified { .. }
                        | Stage::Yielding { .. }
                        | Stage::Crowded { .. }
                        | Stage::Settling { .. }
                )
            }),
        }
    }

    /// The record that will be on disk when all writes have landed.
    pub(super) fn newest_record(&self) -> Option<&Record> {
        self.writes.back().map(|(_, record)| record.as_ref()).or(self.disk.as_deref())
    }

    pub(super) fn land(&mut self) -> Option<PersistSeq> {
        let (seq, record) = self.writes.pop_front()?;
        let waits = |front: &Swap| front.is_stopped() && front.memory.deferred.is_empty();
        if record.phase == Phase::Stopped && self.front.as_ref().is_some_and(waits) {
            self.stopped = true;
        }
        if record.phase == Phase::Rollback {
            self.pinned = self.rolling.take().or(self.pinned);
        }
        self.disk = Some(record);
        Some(seq)
    }
}

impl Swap {
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped | State::Stopping(_))
    }
}

pub(super) fn source(code: u8) -> Source {
    Source { hash: Some(SourceHash(u128::from(code))), generation: Generation(u32::from(code)) }
}

pub(super) fn code(source: &Source) -> u8 {
    u8::try_from(source.generation.0).unwrap()
}

pub(super) fn identity() -> ProcessIdentity {
    ProcessIdentity { pid: 1, pgid: 1, start_time: 1, boot_id: String::new(), token: String::new() }
}

pub(super) fn gone() -> ExitReport {
    ExitReport { code: Some(1), signal: None, stderr_tail: String::new() }
}

pub(super) fn fault() -> Fault {
    Fault::new(Code::Host, "")
}

pub(super) fn report(breaks: bool) -> ProbeReport {
    let breaking = if breaks { vec!["x".to_owned()] } else { Vec::new() };
    ProbeReport { lists_hash: 0, diff: ListDiff { breaking, ..ListDiff::default() }, server: None }
}
