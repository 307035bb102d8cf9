//! What may happen next, and what comes of it.

use super::super::state::{Stage, State};
use super::world::{code, fault, gone, identity, report, source};
use super::*;
use crate::swap::{Event, Kept};

impl Scene {
    /// Everything that may happen in this state.
    pub(super) fn moves(&self, world: &World, out: &mut Vec<Move>) {
        let Some(front) = &world.front else {
            if world.disk.is_some() {
                out.push(Move::FrontRestarts);
            }
            self.world_moves(world, out);
            return;
        };
        if !world.writes.is_empty() {
            out.push(Move::WriteLands);
            if world.budget.failed_writes > 0 {
                out.push(Move::WriteFails);
            }
        }
        for (twin, proc) in &world.procs {
            self.answers(world, *twin, proc, out);
        }
        if world.moving.is_some() {
            out.push(Move::RouteMoves);
        }
        if world.moved.is_some() {
            out.push(Move::RouteAnswered);
        }
        if let Some(proc) = world.awaiting_idle.and_then(|twin| world.procs.get(&twin))
            && !proc.call
        {
            out.push(Move::IdleAnswered);
        }
        if world.build.is_some() {
            out.push(Move::BuildAnswered);
        }
        if world.watch {
            out.push(Move::ChangeTold);
        }
        self.timer_moves(world, front, out);
        if world.budget.commands > 0 {
            out.extend(self.commands.iter().copied().map(Move::Says));
        }
        if world.budget.reconfigures > 0 {
            out.push(Move::Reconfigured);
        }
        if world.budget.crashes > 0 && world.disk.is_some() {
            out.push(Move::FrontDies);
        }
        self.world_moves(world, out);
    }

    /// What the host may answer about this twin.
    fn answers(&self, world: &World, twin: TwinId, proc: &Proc, out: &mut Vec<Move>) {
        if proc.unanswered {
            return out.push(Move::SpawnAnswered(twin));
        }
        if !proc.alive() {
            return out.push(Move::ExitTold(twin));
        }
        if proc.stopping {
            return out.push(Move::Exits(twin));
        }
        if proc.probing {
            if proc.ready() {
                out.push(Move::ProbeAnswered(twin, true));
            }
            if !proc.is_good() || world.budget.failed_probes > 0 {
                out.push(Move::ProbeAnswered(twin, false));
            }
        }
        if proc.examining {
            out.push(Move::CheckAnswered(twin, true));
            if !proc.is_good() || world.budget.failed_probes > 0 {
                out.push(Move::CheckAnswered(twin, false));
            }
        }
        if proc.hashing {
            out.push(Move::HashAnswered(twin));
        }
        if proc.preparing && proc.ready() {
            out.push(Move::PrepareAnswered(twin));
        }
        if proc.draining && !proc.call {
            out.push(Move::DrainAnswered(twin));
        }
    }

    fn timer_moves(&self, world: &World, front: &Swap, out: &mut Vec<Move>) {
        for (timer, _) in front.timers() {
            let bad = world.routed().is_none_or(|proc| !proc.is_good());
            let possible = match timer {
                // The next try comes long after this one was answered.
                Timer::Rewrite => world.writes.is_empty(),
                Timer::Bake => !(self.always_up && bad),
                _ if world.is_late(timer) => {
                    let assumes = self.mistakes.contains(&Mistake::LateMeansReady)
                        && front.op().is_some_and(|op| matches!(op.stage, Stage::Warming { .. }));
                    world.budget.late > 0 || assumes
                }
                _ => true,
            };
            if possible {
                out.push(Move::Fires(timer));
            }
        }
        let bakes = front.serving().is_some_and(|serving| {
            serving.flip.is_none() && serving.bake.as_ref().is_some_and(|bake| bake.failed.is_none())
        });
        if bakes
            && let Some(proc) = world.routed()
            && proc.ready()
            && (!proc.is_good() || world.budget.failed_probes > 0)
        {
            out.push(Move::BakeFails);
        }
    }

    /// Processes, calls, files, faults.
    fn world_moves(&self, world: &World, out: &mut Vec<Move>) {
        for (twin, proc) in &world.procs {
            if proc.unanswered {
                continue;
            }
            if proc.stage == ProcStage::Booting && !proc.stopping {
                out.push(Move::Boots(*twin));
            }
            if proc.call && proc.alive() {
                out.push(Move::CallEnds(*twin));
            }
            let bad = proc.loaded.is_some_and(|code| !code.is_multiple_of(2));
            if proc.alive() && !proc.stopping && (bad || world.budget.deaths > 0) {
                out.push(Move::Dies(*twin));
            }
        }
        if self.calls
            && world.front.is_some()
            && world.gate == Gate::Open
            && world.routed().is_some_and(|proc| proc.ready() && !proc.call && !proc.stopping)
        {
            out.push(Move::CallOpens);
        }
        if world.budget.changes > 0 {
            out.extend(self.codes.iter().copied().filter(|code| *code != world.files).map(Move::Edit));
        }
        if self.reuse && world.front.is_none() {
            let named = world.disk.iter().flat_map(|record| record.twins.iter().map(|twin| twin.twin));
            let dead = named.filter(|twin| !world.procs.contains_key(twin) && !world.strangers.contains(twin));
            out.extend(dead.map(Move::PidReused));
        }
    }

    /// The state after this move.
    pub(super) fn next(&self, before: &World, step: &Move) -> World {
        let mut world = before.clone();
        self.take(&mut world, step);
        self.judge(before, &mut world, step);
        world.canonical();
        world
    }

    fn take(&self, world: &mut World, step: &Move) {
        match *step {
            Move::WriteLands => {
                if let Some(seq) = world.land() {
                    self.tell(world, Event::Persisted { seq });
                }
            }
            Move::WriteFails => {
                world.budget.failed_writes -= 1;
                if let Some((seq, _)) = world.writes.pop_front() {
                    self.tell(world, Event::PersistFailed { seq, why: String::new() });
                }
            }
            Move::SpawnAnswered(twin) => {
                world.proc(twin, |proc| proc.unanswered = false);
                self.tell(world, Event::Spawned { twin, process: identity(), port: None });
            }
            Move::ProbeAnswered(twin, well) => self.probe_answered(world, twin, well),
            Move::CheckAnswered(twin, well) => self.check_answered(world, twin, well),
            Move::HashAnswered(twin) => {
                let touched = world.procs.get(&twin).is_some_and(|proc| proc.touched);
                world.proc(twin, |proc| proc.hashing = false);
                self.tell(world, Event::Hashed { twin, source: source(world.files), touched });
            }
            Move::PrepareAnswered(twin) => {
                world.proc(twin, |proc| proc.preparing = false);
                self.tell(world, Event::Prepared { twin });
            }
            Move::RouteMoves => self.route_moves(world),
            Move::RouteAnswered => match world.moved.take() {
                Some((twin, true)) => self.tell(world, Event::HandedOver { twin }),
                Some((twin, false)) => self.tell(world, Event::HandoverRefused { twin, fault: fault() }),
                None => {}
            },
            Move::DrainAnswered(twin) => {
                world.proc(twin, |proc| proc.draining = false);
                self.tell(world, Event::Drained { twin });
            }
            Move::IdleAnswered => {
                if let Some(twin) = world.awaiting_idle.take() {
                    world.gate = Gate::Held;
                    self.tell(world, Event::Idle { twin });
                }
            }
            Move::BuildAnswered => {
                if let Some(op) = world.build.take() {
                    self.tell(world, Event::Built { op, source: source(world.files) });
                }
            }
            Move::Exits(twin) | Move::ExitTold(twin) => {
                world.procs.remove(&twin);
                self.tell(world, Event::Exited { twin, exit: gone() });
            }
            Move::ChangeTold => {
                world.watch = false;
                self.tell(world, Event::Changed { source: source(world.files) });
            }
            Move::Fires(timer) => {
                if world.is_late(timer) {
                    world.budget.late = world.budget.late.saturating_sub(1);
                }
                if timer == Timer::Bake
                    && let Some(route) = world.route
                {
                    world.proc(route, |proc| proc.unbaked = false);
                }
                self.fire(world, timer);
            }
            Move::BakeFails => {
                if let Some(twin) = world.route {
                    if world.routed().is_some_and(Proc::is_good) {
                        world.budget.failed_probes -= 1;
                    }
                    world.proc(twin, |proc| proc.unbaked = false);
                    self.tell(world, Event::BakeFailed { twin, fault: fault() });
                }
            }
            Move::FrontRestarts => self.restart(world),
            Move::Boots(twin) => {
                let files = world.files;
                world.proc(twin, |proc| {
                    let code = if proc.copy { proc.claimed } else { files };
                    (proc.stage, proc.loaded) = (ProcStage::Ready, Some(code));
                });
            }
            Move::CallOpens => {
                if let Some(route) = world.route {
                    world.proc(route, |proc| proc.call = true);
                }
            }
            Move::CallEnds(twin) => world.proc(twin, |proc| proc.call = false),
            Move::Dies(twin) => self.dies(world, twin),
            Move::Edit(code) => self.edit(world, code),
            Move::FrontDies => self.front_dies(world),
            Move::PidReused(twin) => {
                world.strangers.insert(twin);
            }
            Move::Says(word) => self.says(world, word),
            Move::Reconfigured => {
                world.budget.reconfigures -= 1;
                self.tell(world, Event::Reconfigured { options: Box::new(self.other_options()) });
            }
        }
    }

    fn probe_answered(&self, world: &mut World, twin: TwinId, well: bool) {
        let Some(proc) = world.procs.get_mut(&twin) else { return };
        proc.probing = false;
        let breaks = self.breaks && proc.claimed != 0;
        if !well && proc.is_good() {
            world.budget.failed_probes -= 1;
        }
        if well {
            self.tell(world, Event::Healthy { twin, report: report(breaks) });
        } else {
            self.tell(world, Event::Unhealthy { twin, fault: fault() });
        }
    }

    fn check_answered(&self, world: &mut World, twin: TwinId, well: bool) {
        let Some(proc) = world.procs.get_mut(&twin) else { return };
        (proc.examining, proc.tried) = (false, well);
        if well {
            return self.tell(world, Event::Examined { twin });
        }
        if proc.is_good() {
            world.budget.failed_probes -= 1;
        }
        self.tell(world, Event::ExamineFailed { twin, fault: fault() });
    }

    /// The host looks once more whether the twin is ready, and only then moves the route.
    fn route_moves(&self, world: &mut World) {
        let Some((to, bake)) = world.moving.take() else { return };
        let ready = world.procs.get(&to).is_some_and(|proc| proc.ready() && !proc.stopping);
        if ready {
            self.judge_route(world, to);
            let beside = world.routed().is_some_and(Proc::alive) && world.route != Some(to);
            let tried = self.options.check.is_none() || world.procs.get(&to).is_some_and(|proc| proc.tried);
            if bake && beside && !tried {
                world.breaks("code that nobody tried takes over");
            }
            if let (Some(front), Some(proc)) = (&world.front, world.procs.get(&to))
                && front.memory.open_to_saves
            {
                world.approved.insert(proc.claimed);
            }
            if let Some(from) = world.route.filter(|from| *from != to) {
                world.proc(from, |proc| proc.unbaked = false);
            }
            world.route = Some(to);
            world.gate = Gate::Open;
            world.proc(to, |proc| proc.unbaked = bake || proc.unbaked);
        }
        // Nobody waits for the answer to a handover that only releases what was held.
        let waited = world.front.as_ref().is_some_and(|front| front.awaits_route(to));
        world.moved = waited.then_some((to, ready));
    }

    fn dies(&self, world: &mut World, twin: TwinId) {
        let Some(proc) = world.procs.get_mut(&twin) else { return };
        let bad = proc.loaded.is_some_and(|code| !code.is_multiple_of(2));
        // A rollback that failed leaves nothing behind.
        let failed = proc.copy && world.route != Some(twin);
        *proc = Proc { stage: ProcStage::Dead, unanswered: proc.unanswered, ..Proc::new(proc.claimed) };
        world.pinned = world.pinned.filter(|_| !failed);
        if !bad {
            world.budget.deaths -= 1;
        }
        if world.front.is_none() {
            world.procs.remove(&twin);
        }
    }

    fn edit(&self, world: &mut World, code: u8) {
        world.budget.changes -= 1;
        world.files = code;
        world.watch = true;
        (world.pinned, world.rolling) = (None, None);
        for proc in world.procs.values_mut() {
            proc.touched = !proc.copy;
        }
        if self.touch {
            self.tell(world, Event::Touched);
        }
    }

    /// kill -9: nothing that was under way goes on, the twins live.
    fn front_dies(&self, world: &mut World) {
        world.budget.crashes -= 1;
        world.front = None;
        world.writes.clear();
        world.route = None;
        world.gate = Gate::Refused;
        (world.moving, world.moved, world.awaiting_idle, world.build) = (None, None, None, None);
        world.watch = false;
        world.owed.clear();
        world.rolling = None;
        world.procs.retain(|_, proc| proc.alive());
        for proc in world.procs.values_mut() {
            *proc = Proc {
                stage: proc.stage,
                loaded: proc.loaded,
                copy: proc.copy,
                unanswered: false,
                unbaked: proc.unbaked,
                ..Proc::new(proc.claimed)
            };
        }
    }

    fn says(&self, world: &mut World, word: Word) {
        world.budget.commands -= 1;
        let id = CommandId(world.next_command);
        world.next_command += 1;
        world.owed.insert(id);
        let rests = world.front.as_ref().is_some_and(|front| {
            matches!(front.state, State::Starting(_) | State::Down(_) | State::Stopped | State::Stopping(_))
        });
        let command = match word {
            Word::Start => Command::Start,
            Word::Reload => Command::Reload,
            Word::Swap => Command::Swap { force: false },
            Word::Force => Command::Swap { force: true },
            Word::Rollback => Command::Rollback { to: None },
            Word::Copy => Command::Rollback { to: Some(source(0).generation) },
            Word::Stop => Command::Stop,
        };
        if matches!(word, Word::Swap | Word::Force) || (rests && matches!(word, Word::Start | Word::Reload)) {
            world.approved.insert(world.files);
            (world.pinned, world.rolling) =
                (world.pinned.filter(|code| *code != world.files), world.rolling.filter(|code| *code != world.files));
        }
        if word == Word::Copy {
            self.note_copy(world);
        } else if word == Word::Rollback {
            self.note_rollback(world);
        } else if word != Word::Stop {
            world.stopped = false;
        }
        self.tell(world, Event::Command { id, command, source: source(world.files) });
    }

    fn note_copy(&self, world: &mut World) {
        let copies = vec![Kept { source: source(0), why_not: None }];
        self.tell(world, Event::Kept { copies });
        let Some(front) = &world.front else { return };
        if !matches!(front.state, State::Stopped | State::Stopping(_)) {
            world.approved.insert(0);
        }
        let serves = front.active_source().is_some_and(|active| code(&active) == 0);
        let now = !front.in_window() && front.serving().is_some() && !serves;
        world.pinned = Some(world.files).filter(|files| *files != 0 && now);
    }

    fn note_rollback(&self, world: &mut World) {
        let Some(front) = &world.front else { return };
        if front.in_window() {
            // It waits its turn, and then goes back to whatever is there.
            (world.pinned, world.rolling) = (None, None);
            world.approved.extend(world.procs.values().map(|proc| proc.claimed));
            world.approved.insert(world.files);
            return;
        }
        let target = front.serving().and_then(|serving| serving.prev).and_then(|prev| world.procs.get(&prev.twin));
        if let Some(proc) = target {
            world.pinned = None;
            let claimed = proc.claimed;
            world.approved.insert(claimed);
            world.rolling = Some(world.files).filter(|files| *files != claimed);
            if !self.durable {
                world.pinned = world.rolling;
            }
        }
        let wanted = front.memory.prev_source.as_ref().map(code).filter(|code| *code == world.files);
        if target.is_none() && wanted.is_some() {
            world.pinned = None;
        }
        world.approved.extend(wanted);
    }
}

impl Swap {
    /// Whether an answer to a handover to this twin is waited for.
    fn awaits_route(&self, to: TwinId) -> bool {
        let op = self.op_is_at(to, |stage| matches!(stage, Stage::Flipping { .. }));
        op || self.serving().and_then(|serving| serving.flip.as_ref()).is_some_and(|flip| flip.to == to)
    }
}
