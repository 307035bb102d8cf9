//! The commit: the ledger, the record, the route, and what becomes of those who served before.

use super::Swap;
use super::effect::{Cause, Effect, Notice, Outcome};
use super::mistake::Mistake;
use super::state::{Ask, Bake, Debt, Life, Op, Prev, Serving, Stage, State};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::spec::Strategy;
use crate::time::Moment;
use std::time::Duration;

/// How long the ledger may take: one second for requests in flight, and some more for the host.
pub(super) const PREPARE_WAIT: Duration = Duration::from_secs(3);
/// How long the answer to a handover is waited for.
pub(super) const MOVE_WAIT: Duration = Duration::from_secs(5);
/// How long a commit waits until one of three retiring twins owes nothing any more.
pub(super) const CROWD_WAIT: Duration = Duration::from_secs(30);

impl Swap {
    /// The verified standby is to take over.
    pub(super) fn begin_commit(&mut self, now: Moment) {
        let Some(op) = self.op_mut() else { return };
        op.phase_began = now;
        let twin = op.twin;
        if self.policy.options.strategy == Strategy::Handoff
            && let Some(serving) = self.serving()
        {
            let old = serving.active;
            self.set_stage(Stage::Yielding { deadline: now + self.policy.options.handoff_wait });
            return self.out(Effect::AwaitIdle { twin: old });
        }
        // At the very first start there is no ledger, and the client's opening is what the first twin itself answers.
        if self.memory.active_source.is_none() && self.serving().is_none() {
            return self.record_commit(now);
        }
        self.set_stage(Stage::Preparing { deadline: now + PREPARE_WAIT });
        self.out(Effect::Prepare { twin });
    }

    pub(super) fn prepared(&mut self, twin: TwinId, now: Moment) {
        if self.op_is_at(twin, |stage| matches!(stage, Stage::Preparing { .. })) {
            self.crowd(now);
        } else if !self.flip_prepared(twin, now) {
            self.ignored("a ledger was brought to a twin that nothing waits for");
        }
    }

    pub(super) fn prepare_failed(&mut self, twin: TwinId, fault: Fault, now: Moment) {
        if self.op_is_at(twin, |stage| matches!(stage, Stage::Preparing { .. })) {
            if self.active_runs() {
                self.fail_op(fault, now);
            } else {
                self.crowd(now);
            }
        } else if !self.flip_unprepared(twin, fault, now) {
            self.ignored("a ledger failed that nothing waits for");
        }
    }

    /// Only three twins may owe answers: one that would be the fourth waits for its place.
    fn crowd(&mut self, now: Moment) {
        if !self.retiring_full() {
            return self.record_commit(now);
        }
        self.set_stage(Stage::Crowded { deadline: now + CROWD_WAIT });
        // prev gets no new requests: whether it owes anything can be found out before it has to go.
        if let Some(prev) = self.must_retire().filter(|twin| self.serving().is_some_and(|own| own.active != *twin)) {
            self.drain_twin(prev, now);
        }
        self.give_up_one_without_calls(now);
    }

    pub(super) fn commit_where_room(&mut self, now: Moment) -> bool {
        let crowded = self.op().is_some_and(|op| matches!(op.stage, Stage::Crowded { .. }));
        if !crowded || self.retiring_full() {
            return false;
        }
        self.record_commit(now);
        true
    }

    /// Whether the commit would make a fourth twin retire.
    fn retiring_full(&self) -> bool {
        let needs_place = self.must_retire().is_some_and(|twin| {
            self.memory.twins.get(&twin).is_some_and(|known| known.running() && known.debt != Debt::None)
        });
        needs_place && self.memory.retiring.len() >= self.policy.retiring
    }

    /// Who has to go when the operation commits: prev, or during a bake the twin on trial.
    fn must_retire(&self) -> Option<TwinId> {
        let serving = self.serving()?;
        let prev = serving.prev.map(|prev| prev.twin);
        if self.next_prev(serving) == prev { Some(serving.active) } else { prev }
    }

    /// Who is prev after the commit: the last that finished its bake.
    pub(super) fn next_prev(&self, serving: &Serving) -> Option<TwinId> {
        let prev = serving.prev.and_then(|prev| self.running(prev.twin));
        match (&serving.bake, prev) {
            (Some(_), Some(prev)) if !self.mistake(Mistake::UnbakedPrev) => Some(prev),
            _ => self.running(serving.active),
        }
    }

    /// P COMMIT, the only commit point.
    pub(super) fn record_commit(&mut self, now: Moment) {
        if self.mistake(Mistake::RouteFirst) {
            return self.commit_recorded(now);
        }
        let seq = crate::ids::PersistSeq(self.memory.next_seq);
        self.set_stage(Stage::Committing { seq, deadline: now + super::journal::WRITE_WAIT });
        self.persist();
    }

    pub(super) fn commit_recorded(&mut self, now: Moment) {
        let Some(op) = self.op() else { return };
        let to = op.twin;
        let from = self.serving().and_then(|serving| self.running(serving.active));
        let bake = self.op_bakes();
        if let Some(old) = from.filter(|_| self.mistake(Mistake::KillFirst)) {
            self.stop_twin(old, now);
        }
        self.set_stage(Stage::Flipping { deadline: now + MOVE_WAIT });
        self.out(Effect::Handover { from, to, bake });
    }

    /// A first twin, or one after nothing served, is on no trial: there is nothing to go back to.
    pub(super) fn op_bakes(&self) -> bool {
        self.serving().is_some() || self.op().is_some_and(|op| op.replaced.is_some())
    }

    pub(super) fn handed_over(&mut self, twin: TwinId, now: Moment) {
        if self.op_is_at(twin, |stage| matches!(stage, Stage::Flipping { .. })) {
            self.committed(now);
        } else if !self.flip_moved(twin, now) {
            self.ignored("a route was moved that nothing waits for");
        }
    }

    pub(super) fn handover_refused(&mut self, twin: TwinId, fault: Fault, now: Moment) {
        if self.op_is_at(twin, |stage| matches!(stage, Stage::Flipping { .. })) {
            if self.mistake(Mistake::NoRecheck) {
                return self.committed(now);
            }
            self.fail_op(self.death_of(twin).unwrap_or(fault), now);
        } else if !self.flip_refused(twin, fault, now) {
            self.ignored("a route stayed that nothing waits for");
        }
    }

    /// The host never said whether the route was moved: it is moved back, and the operation fails.
    pub(super) fn flip_unanswered(&mut self, now: Moment) {
        let back = self.serving().map(|serving| serving.active);
        if let Some(active) = back.and_then(|active| self.running(active)) {
            self.out(Effect::Handover { from: None, to: active, bake: false });
        }
        self.fail_op(Fault::new(Code::Host, "the route was not moved in time"), now);
    }

    fn committed(&mut self, now: Moment) {
        let bakes = self.op_bakes();
        let (op, before) = match std::mem::replace(&mut self.state, State::Stopped) {
            State::Starting(op) => (op, None),
            State::Serving(mut serving) => match serving.op.take() {
                Some(op) => (op, Some(serving)),
                None => return self.state = State::Serving(serving),
            },
            other => return self.state = other,
        };
        let previous = before.as_ref().and_then(|serving| self.view(serving.active)).or_else(|| op.replaced.clone());
        let prev = before.as_ref().and_then(|serving| self.next_prev(serving));
        if let Some(serving) = &before {
            if serving.bake.is_some() {
                self.out(Effect::EndBake { twin: serving.active });
            }
            self.memory.prev_source = prev
                .and_then(|prev| self.memory.twins.get(&prev))
                .or_else(|| self.memory.twins.get(&serving.active))
                .map(|twin| twin.source);
        } else if let Some(served) = self.memory.active_source.filter(|served| !served.same_code(&op.source)) {
            self.memory.prev_source = Some(served);
        }
        let left = before.as_ref().and_then(|serving| self.memory.twins.get(&serving.active)).map(|twin| twin.source);
        let bake = bakes.then(|| Bake { until: now + self.policy.options.bake, failed: None });
        self.state = State::Serving(Serving {
            active: op.twin,
            prev: prev.map(|twin| Prev { twin, until: None }),
            warm: None,
            op: None,
            flip: None,
            bake,
            degraded: op.instead_of.map(|files| passed_over(&files)),
            lost: false,
        });
        let memory = &mut self.memory;
        memory.active_source = Some(op.source);
        (memory.rejected, memory.passed_over) = op.leaves(left);
        memory.open_to_saves = false;
        memory.warm_after = None;
        memory.warm_failures = 0;
        memory.failed = None;
        if memory.last_good.is_none() {
            memory.last_good = Some(op.source);
        }
        if let Some(serving) = before {
            for twin in [Some(serving.active), serving.prev.map(|prev| prev.twin)].into_iter().flatten() {
                if Some(twin) != prev {
                    self.retire(twin, now);
                }
            }
        }
        // A start after nothing served is no swap, whatever it starts: a respawn of the same code least of all.
        if previous.is_some() {
            self.count_swap(now);
        }
        self.tell_commit(op, previous, now);
    }

    /// The route was moved from one twin to another.
    pub(super) fn count_swap(&mut self, now: Moment) {
        self.memory.swaps = self.memory.swaps.saturating_add(1);
        self.memory.last_swap = Some(now);
    }

    fn tell_commit(&mut self, mut op: Op, previous: Option<super::TwinView>, now: Moment) {
        op.phase_done(super::PhaseName::Commit, now);
        let active = self.op_view(&op);
        let diff = self.report_of(op.twin).diff;
        let from = previous.as_ref().map(|view| view.source.generation);
        let swapped = Outcome::Swapped { previous: previous.clone(), active: active.clone(), diff: diff.clone() };
        let started = Outcome::Started { active: active.clone() };
        let back = Outcome::RolledBack { left: previous.clone(), active: active.clone(), why: None };
        let rollback = op.causes.contains(&Cause::Rollback);
        let (what, outcome) = match (rollback, &previous) {
            (true, _) => (Cause::Rollback, back.clone()),
            (false, Some(_)) => (Cause::Swap, swapped.clone()),
            (false, None) => (Cause::Start, started.clone()),
        };
        self.history(what, &op, from, outcome);
        self.notice(match from {
            Some(left) if rollback => Notice::RolledBack { left, active: active.source.generation, why: None },
            previous => Notice::Swapped { previous, active: active.source.generation, diff },
        });
        for waiter in op.waiting {
            let outcome = match waiter.ask {
                Ask::Start => &started,
                Ask::Rollback => &back,
                Ask::Swap | Ask::Reload if previous.is_none() => &started,
                Ask::Swap | Ask::Reload => &swapped,
            };
            self.reply(waiter.id, outcome.clone());
        }
    }

    /// Handoff: the old twin has no open call, and requests are held.
    pub(super) fn idle(&mut self, twin: TwinId, now: Moment) {
        let yields = self.op().is_some_and(|op| matches!(op.stage, Stage::Yielding { .. }))
            && self.serving().is_some_and(|serving| serving.active == twin);
        if yields {
            return self.hand_off(None, now);
        }
        if self.serving().is_some_and(|serving| serving.active == twin && serving.flip.is_none()) {
            self.release_active();
        }
        self.ignored("a twin fell idle that nothing waits for");
    }

    /// Handoff: what is still open on the old twin is cut, the old twin ends, the new one follows.
    pub(super) fn hand_off(&mut self, cut: Option<Fault>, now: Moment) {
        let State::Serving(serving) = std::mem::replace(&mut self.state, State::Stopped) else { return };
        let Serving { active: old, prev, op, bake, .. } = serving;
        let Some(mut op) = op else { return };
        if bake.is_some() {
            self.out(Effect::EndBake { twin: old });
        }
        op.replaced = self.view(old);
        op.stage = Stage::Clearing { old, deadline: now + self.stop_bound() };
        self.memory.prev_source = op.replaced.as_ref().map(|view| view.source);
        self.memory.open_to_saves = true;
        self.state = State::Starting(op);
        self.out(Effect::Hold);
        if let Some(fault) = cut {
            self.out(Effect::Cut { twin: old, fault });
        }
        let others = prev.map(|prev| prev.twin).into_iter().chain(self.memory.retiring.clone());
        for twin in others.chain([old]).collect::<Vec<_>>() {
            self.stop_twin(twin, now);
        }
        self.cleared(now);
    }

    /// Handoff: whether the old code is gone, so that the new may start.
    pub(super) fn cleared(&mut self, now: Moment) {
        let clearing = self.op().is_some_and(|op| matches!(op.stage, Stage::Clearing { .. }));
        let others = self.memory.twins.values().any(|twin| !matches!(twin.life, Life::Dead(_)));
        if clearing && (!others || self.mistake(Mistake::TwoCopies)) {
            self.set_stage(Stage::Room { deadline: now + CROWD_WAIT });
        }
    }

    /// Takes back a hold that waits for the serving twin to fall idle.
    pub(super) fn release_active(&mut self) {
        if let Some(active) = self.serving().map(|serving| serving.active).and_then(|active| self.running(active)) {
            self.out(Effect::Handover { from: Some(active), to: active, bake: false });
        }
    }
}

/// Why the code that serves is not what the files hold.
fn passed_over(files: &crate::ids::Source) -> Fault {
    let why = format!("a copy serves instead of generation {}, which the files hold", files.generation);
    Fault::new(Code::Superseded, why).with_help("change them, or take them all the same with `mcp-twin swap`")
}
