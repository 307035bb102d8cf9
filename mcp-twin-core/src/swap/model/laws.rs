//! The laws: the invariants of the design and what else must never be seen, judged after each move.

use super::super::begin::AGAIN;
use super::super::state::{Ask, Stage, State};
use super::world::{code, source};
use super::*;
use crate::spec::Standby;

/// A twin that only stands by is there though nobody wants one.
fn stays_warm(front: &Swap) -> Option<&'static str> {
    let wanted = front.options().standby == Standby::Warm;
    let warm = front.serving().is_some_and(|serving| serving.warm.is_some());
    (warm && !wanted && !front.in_window() && !front.stands_on_dead()).then_some("a warm twin stays that nobody wants")
}

impl Scene {
    /// Before the route goes to this twin.
    pub(super) fn judge_route(&self, world: &mut World, to: TwinId) {
        if world.route == Some(to) {
            return;
        }
        let (Some(front), Some(proc)) = (&world.front, world.procs.get(&to)) else { return };
        let dirty = !self.durable || front.memory.dirty.is_some() || world.budget.late < self.budget.late;
        let recorded = world.disk.as_ref().is_some_and(|record| record.active == Some(to));
        let verified = front.memory.twins.get(&to).is_some_and(|twin| twin.verified);
        let commits = front.serving().is_some() && front.op_is_at(to, |stage| matches!(stage, Stage::Flipping { .. }));
        // One whose files were touched while it booted, if it is the first or the boot itself does it, serves under no name.
        let unnamed = front.memory.twins.get(&to).is_some_and(|twin| twin.source.hash.is_none());
        let law = if !recorded && !dirty {
            "I1 the route moves before the record"
        } else if unnamed && commits && (!front.auto() || front.op().is_some_and(|op| op.again < AGAIN)) {
            "I15 a twin of unknown code takes the place of one that serves"
        } else if !unnamed && proc.loaded != Some(proc.claimed) {
            "I15 a twin runs other code than it is said to"
        } else if !verified {
            "I15 the route goes to a twin that was never verified"
        } else if !front.auto() && !world.approved.contains(&proc.claimed) && !front.memory.open_to_saves {
            "unapproved code is promoted under manual"
        } else if commits && world.pinned == Some(proc.claimed) {
            "a rollback is undone without a change or a command"
        } else {
            return;
        };
        world.breaks(law);
    }

    /// After a move.
    pub(super) fn judge(&self, before: &World, world: &mut World, step: &Move) {
        let live = world.procs.values().filter(|proc| proc.alive()).count();
        if live > self.live_twins && !self.mistakes.contains(&Mistake::NoSweep) {
            world.breaks("I9 too many live twins");
        }
        let Some(front) = world.front.take() else { return };
        let law = self
            .twins_are_known(world, &front)
            .or_else(|| self.record_is_route(world, &front))
            .or_else(|| self.stays_stopped(world, &front))
            .or_else(|| self.joins(world, &front, step))
            .or_else(|| self.no_use(world, &front))
            .or_else(|| self.says_what_is_stale(world, &front))
            .or_else(|| self.breaking_waits(before, world, &front, step))
            .or_else(|| self.start_despite_disk(before, &front, step))
            .or_else(|| stays_warm(&front))
            .or_else(|| self.at_rest(world, &front));
        world.front = Some(front);
        if let Some(law) = law {
            world.breaks(law);
        }
    }

    fn twins_are_known(&self, world: &World, front: &Swap) -> Option<&'static str> {
        if world.procs.keys().any(|twin| !front.memory.twins.contains_key(twin)) {
            return Some("I5 an orphan");
        }
        let stopped = matches!(front.state, State::Stopped);
        let live = world.procs.values().any(Proc::alive);
        (stopped && live && world.budget.late == self.budget.late).then_some("I5 a twin lives after stop")
    }

    fn record_is_route(&self, world: &World, front: &Swap) -> Option<&'static str> {
        let routed = world.routed().is_some_and(Proc::ready);
        let still = front.serving().is_some() && !front.in_window() && world.moving.is_none() && world.moved.is_none();
        if !routed || !still || !self.durable || front.memory.dirty.is_some() || front.stands_on_dead() {
            return None;
        }
        let serves = front.serving().map(|serving| serving.active);
        if serves != world.route {
            return Some("I1 the machine and the route disagree");
        }
        let active = world.newest_record().and_then(|record| record.active);
        (active != world.route).then_some("I1 the record and the route disagree")
    }

    fn stays_stopped(&self, world: &World, front: &Swap) -> Option<&'static str> {
        (world.stopped && !front.is_stopped()).then_some("a stopped server runs again without a command")
    }

    fn joins(&self, world: &World, front: &Swap, step: &Move) -> Option<&'static str> {
        let op = front.op().filter(|op| !op.spare && front.serving().is_some())?;
        let joined = *step == Move::ChangeTold && code(&op.source) == world.files && !front.in_window();
        let idle = !op.auto && !op.approved && front.auto();
        let why = front.is_rejected(&op.source) || front.is_active(&op.source);
        (joined && idle && !why).then_some("a saved change is only verified, never promoted, though promote = auto")
    }

    fn no_use(&self, world: &World, front: &Swap) -> Option<&'static str> {
        let op = front.op().filter(|op| !op.spare && !op.approved)?;
        let reload = op.causes.contains(&crate::swap::Cause::Reload) || op.waits_for(Ask::Reload);
        let useless = front.serving().is_some()
            && front.is_active(&op.source)
            && world.files == code(&op.source)
            && !world.watch
            && !front.in_window();
        (useless && !reload).then_some("an operation runs for the code that serves already")
    }

    fn says_what_is_stale(&self, world: &World, front: &Swap) -> Option<&'static str> {
        let serving = front.serving()?;
        let rests = serving.op.as_ref().is_none_or(|op| op.spare) && !front.in_window() && !world.watch;
        let quiet = serving.degraded.is_none() && serving.bake.is_none() && front.memory.dirty.is_none();
        let ready = world.routed().is_some_and(Proc::ready) && !front.stands_on_dead();
        let stale = !front.is_active(&source(world.files)) && front.auto();
        (rests && quiet && ready && stale).then_some("the newest code does not serve and nothing says so")
    }

    fn breaking_waits(&self, before: &World, world: &World, front: &Swap, step: &Move) -> Option<&'static str> {
        let Move::RouteMoves = step else { return None };
        let was = before.front.as_ref()?;
        let op = was.op().filter(|_| was.serving().is_some() && self.breaks)?;
        let taken = world.route == Some(op.twin) && front.op_is_at(op.twin, |stage| stage.in_window());
        (taken && !op.accept_breaking && !op.force).then_some("a breaking change is promoted though it should wait")
    }

    fn start_despite_disk(&self, before: &World, front: &Swap, step: &Move) -> Option<&'static str> {
        let was = before.front.as_ref()?;
        let starting = *step == Move::WriteFails && matches!(was.state, State::Starting(_));
        let alive = was.op().and_then(|op| before.procs.get(&op.twin)).is_some_and(Proc::alive);
        let refused = starting && alive && matches!(front.state, State::Down(_));
        refused.then_some("a start is refused because the record cannot be written")
    }

    fn at_rest(&self, world: &World, front: &Swap) -> Option<&'static str> {
        let gate = match &front.state {
            _ if !world.rests(front) => return None,
            State::Serving(_) => Gate::Open,
            State::Stopped | State::Down(_) => Gate::Refused,
            State::Starting(_) | State::Stopping(_) => Gate::Held,
        };
        if self.always_up && matches!(front.state, State::Down(_)) {
            return Some("down although a good twin served and only bad code was saved");
        }
        if world.gate != gate {
            return Some("requests are held, passed or refused when they should not be");
        }
        (!world.owed.is_empty()).then_some("a command is never answered")
    }
}

impl World {
    /// Whether nothing is under way.
    pub(super) fn rests(&self, front: &Swap) -> bool {
        let waits = |op: &super::super::state::Op| matches!(op.stage, Stage::Verified { .. }) && !front.may_promote();
        let state = match &front.state {
            State::Serving(serving) => serving.flip.is_none() && serving.op.as_ref().is_none_or(waits),
            State::Down(_) | State::Stopped => true,
            State::Starting(_) | State::Stopping(_) => false,
        };
        let still = self.writes.is_empty() && self.moving.is_none() && self.moved.is_none() && self.build.is_none();
        let procs = self.procs.values().all(|proc| proc.alive() && !proc.stopping);
        let route = front.serving().is_none() || self.routed().is_some_and(Proc::ready);
        state
            && still
            && procs
            && route
            && !self.watch
            && self.awaiting_idle.is_none()
            && front.memory.retiring.is_empty()
    }

    /// Whether the newest code serves, or will as soon as somebody says `swap`, who has been told.
    pub(super) fn good_end(&self) -> bool {
        let Some(front) = self.front.as_ref().filter(|front| self.rests(front)) else { return false };
        match &front.state {
            State::Serving(serving) => {
                let newest = self.routed().is_some_and(|proc| proc.loaded == Some(self.files))
                    && front.is_active(&source(self.files))
                    && front.memory.dirty.is_none();
                let told = serving.degraded.is_some() || !front.auto() || serving.op.is_some();
                newest || told
            }
            _ => true,
        }
    }

    /// Whether it rests and something serves, or was stopped.
    pub(super) fn serves_or_stopped(&self) -> bool {
        let front = self.front.as_ref().filter(|front| self.rests(front));
        front.is_some_and(|front| !matches!(front.state, State::Down(_)))
    }
}

impl Swap {
    /// The serving twin's exit was seen.
    fn stands_on_dead(&self) -> bool {
        self.serving().is_some_and(|serving| self.running(serving.active).is_none())
    }
}
