//! Moves of the route to a twin that was verified before: rollback, the fall back after a crash, adoption.

use super::Swap;
use super::begin::{Order, holds};
use super::commit::{MOVE_WAIT, PREPARE_WAIT};
use super::effect::{Cause, Effect, HistoryEntry, Notice, Outcome, TwinView};
use super::mistake::Mistake;
use super::state::{Ask, Flip, FlipStage, Prev, Stage, Why};
use crate::error::{Code, Fault};
use crate::ids::{Source, TwinId};
use crate::time::Moment;
use std::time::Duration;

impl Swap {
    /// Begins to move the route to a twin that runs and was verified.
    pub(super) fn flip_to(&mut self, to: TwinId, why: Why, now: Moment) {
        let adopt = why == Why::Adopt;
        let stage = if adopt {
            FlipStage::Moving { deadline: now + MOVE_WAIT }
        } else {
            FlipStage::Preparing { deadline: now + PREPARE_WAIT }
        };
        let baking = self.serving().is_some_and(|serving| serving.bake.is_some());
        // A commit that has not been written steps back and begins again behind this one.
        let expires = now + self.policy.options.standby_ttl;
        if let Some(op) = self.op_mut()
            && matches!(op.stage, Stage::Preparing { .. } | Stage::Crowded { .. })
        {
            op.stage = Stage::Verified { expires };
        }
        if let Some(serving) = self.serving_mut() {
            serving.flip = Some(Flip { to, why, stage });
        }
        if adopt {
            self.out(Effect::Handover { from: None, to, bake: baking });
        } else {
            self.out(Effect::Prepare { twin: to });
        }
    }

    pub(super) fn flip_prepared(&mut self, twin: TwinId, now: Moment) -> bool {
        let waits =
            self.flip().is_some_and(|flip| flip.to == twin && matches!(flip.stage, FlipStage::Preparing { .. }));
        if waits {
            self.record_flip(now);
        }
        waits
    }

    /// The ledger did not get there. A person who asked keeps what serves; where what serves is bad or gone, the older code
    /// is better than none.
    pub(super) fn flip_unprepared(&mut self, twin: TwinId, fault: Fault, now: Moment) -> bool {
        let Some(flip) = self.flip() else { return false };
        if flip.to != twin || !matches!(flip.stage, FlipStage::Preparing { .. }) {
            return false;
        }
        if matches!(flip.why, Why::Command(_)) && self.active_runs() {
            self.abort_flip(fault, now);
        } else {
            self.record_flip(now);
        }
        true
    }

    /// P ROLLBACK.
    fn record_flip(&mut self, now: Moment) {
        let seq = crate::ids::PersistSeq(self.memory.next_seq);
        let rejected = self.flip().is_some_and(|flip| matches!(flip.why, Why::Bake(_)));
        if rejected && !self.mistake(Mistake::NoRejected) {
            self.memory.rejected = self.active_source();
            self.memory.passed_over = None;
        }
        self.set_flip(FlipStage::Recording { seq, deadline: now + super::journal::WRITE_WAIT });
        self.persist();
    }

    pub(super) fn flip_recorded(&mut self, now: Moment) {
        let Some(to) = self.flip().map(|flip| flip.to) else { return };
        let from = self.serving().and_then(|serving| self.running(serving.active));
        self.set_flip(FlipStage::Moving { deadline: now + MOVE_WAIT });
        self.out(Effect::Handover { from, to, bake: false });
    }

    pub(super) fn flip_moved(&mut self, twin: TwinId, now: Moment) -> bool {
        if !self.flip_moves(twin) {
            return false;
        }
        let Some(flip) = self.serving_mut().and_then(|serving| serving.flip.take()) else { return false };
        if flip.why != Why::Adopt {
            self.flipped(flip, now);
        }
        true
    }

    pub(super) fn flip_refused(&mut self, twin: TwinId, fault: Fault, now: Moment) -> bool {
        if self.mistake(Mistake::StaleTarget) {
            return self.flip_moved(twin, now);
        }
        let moves = self.flip_moves(twin);
        if moves {
            // The host says that it is not ready: whatever it is, it is no place to go back to.
            self.abort_flip(self.death_of(twin).unwrap_or(fault), now);
        }
        moves
    }

    /// The route stays where it is, if anything is left there.
    pub(super) fn abort_flip(&mut self, fault: Fault, now: Moment) {
        let Some(flip) = self.serving_mut().and_then(|serving| serving.flip.take()) else { return };
        if matches!(flip.stage, FlipStage::Moving { .. })
            && let Some(active) = self.serving().and_then(|serving| self.running(serving.active))
        {
            self.out(Effect::Handover { from: None, to: active, bake: false });
        }
        if let Some(serving) = self.serving_mut() {
            serving.prev = serving.prev.filter(|prev| prev.twin != flip.to);
            serving.warm = serving.warm.filter(|warm| *warm != flip.to);
        }
        if flip.why != Why::Adopt || !self.active_runs() {
            self.stop_twin(flip.to, now);
        }
        match flip.why {
            Why::Command(id) => {
                self.memory.rejected = None;
                self.memory.passed_over = None;
                if let Some(serving) = self.serving_mut() {
                    serving.degraded = Some(fault.clone());
                }
                let outcome = self.failed(fault);
                self.reply(id, outcome);
            }
            Why::Bake(why) => {
                self.memory.rejected = None;
                self.keep_unbaked(why);
            }
            Why::Crash(_) | Why::Spare(_) => {}
            Why::Adopt => return self.adoption_failed(fault, now),
        }
        self.persist();
    }

    /// The bake failed and there is nothing to go back to.
    pub(super) fn keep_unbaked(&mut self, why: Fault) {
        let Some(serving) = self.serving_mut() else { return };
        let active = serving.active;
        serving.degraded = Some(why);
        if serving.bake.take().is_some() {
            self.out(Effect::EndBake { twin: active });
        }
    }

    fn flipped(&mut self, flip: Flip, now: Moment) {
        let Some(serving) = self.serving_mut() else { return };
        let old = std::mem::replace(&mut serving.active, flip.to);
        serving.lost = false;
        let baked = serving.bake.take().is_some();
        let command = matches!(flip.why, Why::Command(_));
        if matches!(flip.why, Why::Spare(_)) {
            serving.warm = None;
        } else {
            serving.prev = None;
        }
        if baked {
            self.out(Effect::EndBake { twin: old });
        }
        let left = self.view(old);
        // After a restart of the front the one that died is known by its source alone.
        let old_source = self.memory.twins.get(&old).map(|twin| twin.source).or(self.memory.active_source);
        let new_source = self.memory.twins.get(&flip.to).map(|twin| twin.source);
        self.memory.active_source = new_source;
        self.memory.prev_source = old_source.filter(|_| command);
        // A twin of the same code that takes the place of a dead one is no swap.
        if !matches!(flip.why, Why::Spare(_)) {
            self.count_swap(now);
        }
        self.reset_debt(flip.to);
        match self.running(old) {
            Some(old) if command => {
                let until = Some(now + self.policy.options.keep_old);
                if let Some(serving) = self.serving_mut() {
                    serving.prev = Some(Prev { twin: old, until });
                }
            }
            Some(old) => self.retire(old, now),
            None if self.death_of(old).is_some() => {
                self.memory.twins.remove(&old);
            }
            None => {}
        }
        self.end_op_of_active(now);
        self.tell_flip(flip.why, left, old_source, now);
    }

    /// An operation for what serves again is of no use.
    fn end_op_of_active(&mut self, now: Moment) {
        let spare = self.op().is_some_and(|op| op.spare);
        let useless = self.op().is_some_and(|op| self.is_active(&op.source) && !op.waits_for(Ask::Reload));
        if (spare || useless && !self.mistake(Mistake::UselessGoesOn))
            && let Some(active) = self.active_view()
        {
            self.drop_op(&Outcome::NothingNewer { active }, now);
            self.persist();
        }
    }

    fn tell_flip(&mut self, why: Why, left: Option<TwinView>, source: Option<Source>, now: Moment) {
        let (Some(active), Some(source)) = (self.active_view(), source) else { return };
        let (cause, reason) = match &why {
            Why::Command(_) => (Cause::Rollback, None),
            Why::Bake(fault) => (Cause::Bake, Some(fault.clone())),
            Why::Crash(fault) | Why::Spare(fault) => (Cause::Crash, Some(fault.clone())),
            Why::Adopt => (Cause::Recovery, None),
        };
        let spare = matches!(why, Why::Spare(_));
        let outcome = if spare {
            Outcome::Started { active: active.clone() }
        } else {
            Outcome::RolledBack { left, active: active.clone(), why: reason.clone() }
        };
        self.out(Effect::History(HistoryEntry {
            what: if spare { Cause::Start } else { Cause::Rollback },
            causes: vec![cause],
            generation: active.source.generation,
            source: active.source,
            from: Some(source.generation),
            outcome: outcome.clone(),
            phases: Vec::new(),
        }));
        if let Why::Spare(fault) = &why {
            self.notice(Notice::Crashed { generation: source.generation, fault: fault.clone() });
        } else {
            let generation = source.generation;
            let fault = reason.clone().unwrap_or_else(|| {
                Fault::new(Code::Superseded, format!("generation {generation} was rolled back by command"))
            });
            // Who goes back and forth may have come to the newest code again.
            let newest = self.memory.files.is_some_and(|files| active.source.same_code(&files));
            if let Some(serving) = self.serving_mut() {
                serving.degraded = Some(fault).filter(|_| !newest);
            }
            self.notice(Notice::RolledBack { left: generation, active: active.source.generation, why: reason });
        }
        match why {
            Why::Command(id) => self.reply(id, outcome),
            Why::Crash(_) => self.respawn_behind(source, now),
            Why::Bake(_) | Why::Spare(_) | Why::Adopt => {}
        }
    }

    /// The older code serves; the newer, which ended by itself, is tried once more behind it.
    fn respawn_behind(&mut self, crashed: Source, now: Moment) {
        let Some(files) = self.memory.files.filter(|files| holds(files, &crashed)) else { return };
        if self.op().is_some() || self.memory.change.is_some() || self.is_active(&files) {
            return;
        }
        let Some(pause) = self.pause_after_failures(&crashed) else { return };
        // This very source was let through once; whatever follows it was not.
        let order = Order { approved: true, pause: Some(pause), ..Order::because(Cause::Crash) };
        self.begin(files, order, now);
    }

    fn flip(&self) -> Option<&Flip> {
        self.serving().and_then(|serving| serving.flip.as_ref())
    }

    fn flip_moves(&self, twin: TwinId) -> bool {
        self.flip().is_some_and(|flip| flip.to == twin && matches!(flip.stage, FlipStage::Moving { .. }))
    }

    fn set_flip(&mut self, stage: FlipStage) {
        if let Some(flip) = self.serving_mut().and_then(|serving| serving.flip.as_mut()) {
            flip.stage = stage;
        }
    }

    /// The flip passed its deadline.
    pub(super) fn flip_overdue(&mut self, now: Moment) {
        let Some(flip) = self.flip() else { return };
        let to = flip.to;
        match flip.stage {
            FlipStage::Preparing { .. } => {
                let fault = Fault::new(Code::Host, "the previous twin did not take the client's state in time");
                self.flip_unprepared(to, fault, now);
            }
            FlipStage::Recording { seq, .. } => self.write_failed(seq, "no answer in time", now),
            FlipStage::Moving { .. } => self.abort_flip(Fault::new(Code::Host, "the route was not moved in time"), now),
        }
    }

    pub(super) fn pause_after_failures(&self, source: &Source) -> Option<Duration> {
        let failures = &self.memory.failures;
        let same = failures.source.is_some_and(|known| holds(&known, source));
        if same && failures.at.len() >= self.policy.failures {
            return None;
        }
        Some(super::begin::doubled(&self.policy.options, if same { failures.streak } else { 1 }))
    }
}
