//! Twins that end by themselves, and what serves then.

use super::Swap;
use super::begin::{Order, holds};
use super::effect::{Cause, Effect, HistoryEntry, Notice};
use super::event::ExitReport;
use super::mistake::Mistake;
use super::state::{FlipStage, Life, Serving, Stage, State, Why};
use crate::error::{Code, Fault};
use crate::ids::{Source, TwinId};
use crate::time::Moment;

impl Swap {
    /// A process is gone, asked for or not.
    pub(super) fn exited(&mut self, id: TwinId, exit: ExitReport, now: Moment) {
        let Some(twin) = self.memory.twins.get_mut(&id) else {
            return self.ignored("a twin ended that is not known");
        };
        if matches!(twin.life, Life::Dead(_)) {
            return self.ignored("a twin ended twice");
        }
        let asked_for = matches!(twin.life, Life::Stopping { .. } | Life::Doomed);
        if !asked_for && self.is_routed(id) {
            if let Some(twin) = self.memory.twins.get_mut(&id) {
                twin.life = Life::Dead(exit);
            }
            return;
        }
        self.memory.twins.remove(&id);
        self.memory.retiring.retain(|other| *other != id);
        self.check_crowd(now);
        if asked_for {
            return self.cleared(now);
        }
        if self.op().is_some_and(|op| op.twin == id) {
            return self.standby_died(&exit, now);
        }
        let Some(serving) = self.serving_mut() else { return self.cleared(now) };
        if serving.flip.as_ref().is_some_and(|flip| flip.to == id) {
            let fault = Fault::new(Code::CodeGone, format!("the twin to go back to {}", exit.describe()))
                .with_stderr(exit.stderr_tail);
            self.abort_flip(fault, now);
        } else if serving.warm == Some(id) {
            serving.warm = None;
            self.spare_died(now);
        } else if serving.prev.is_some_and(|prev| prev.twin == id) {
            serving.prev = None;
            self.persist();
        }
    }

    /// Whether the route is at this twin, or on its way there so that the host may have moved it already.
    fn is_routed(&self, id: TwinId) -> bool {
        match &self.state {
            State::Serving(serving) => {
                serving.active == id
                    || serving.op.as_ref().is_some_and(|op| op.twin == id && matches!(op.stage, Stage::Flipping { .. }))
                    || serving
                        .flip
                        .as_ref()
                        .is_some_and(|flip| flip.to == id && matches!(flip.stage, FlipStage::Moving { .. }))
            }
            State::Starting(op) => op.twin == id && matches!(op.stage, Stage::Flipping { .. }),
            State::Stopped | State::Stopping(_) | State::Down(_) => false,
        }
    }

    fn standby_died(&mut self, exit: &ExitReport, now: Moment) {
        let Some(op) = self.op() else { return };
        let code = match op.stage {
            Stage::Spawning { .. }
            | Stage::Identifying { .. }
            | Stage::Warming { .. }
            | Stage::Settling { .. }
            | Stage::Checking { .. } => Code::ExitedEarly,
            _ => Code::DiedBeforeCommit,
        };
        let when = if code == Code::ExitedEarly { "before it was ready" } else { "before it could take over" };
        let fault =
            Fault::new(code, format!("the new twin {} {when}", exit.describe())).with_stderr(exit.stderr_tail.clone());
        self.fail_op(fault, now);
    }

    /// Why a twin whose exit was seen is no place to route to.
    pub(super) fn death_of(&self, id: TwinId) -> Option<Fault> {
        match &self.memory.twins.get(&id)?.life {
            Life::Dead(exit) => Some(
                Fault::new(
                    Code::DiedBeforeCommit,
                    format!("the new twin {} before it could take over", exit.describe()),
                )
                .with_stderr(exit.stderr_tail.clone()),
            ),
            _ => None,
        }
    }

    /// The serving twin is dead and nothing replaces it yet.
    pub(super) fn active_lost(&mut self, now: Moment) -> bool {
        let Some(serving) = self.serving() else { return false };
        let active = serving.active;
        let exit = match self.memory.twins.get(&active).map(|twin| &twin.life) {
            Some(Life::Dead(exit)) => exit.clone(),
            Some(Life::Running | Life::Spawning) => return false,
            Some(Life::Stopping { .. } | Life::Doomed) | None => {
                ExitReport { code: None, signal: None, stderr_tail: String::new() }
            }
        };
        let code = if serving.bake.is_some() { Code::BakeCrashed } else { Code::Crashed };
        let fault = Fault::new(code, format!("the serving twin {}", exit.describe())).with_stderr(exit.stderr_tail);
        self.lost(fault, now);
        true
    }

    /// The first that can: a twin of the same source, prev, what is approved and under way, a new twin of the same source.
    pub(super) fn lost(&mut self, fault: Fault, now: Moment) {
        let Some(source) = self.active_source().or(self.memory.active_source) else { return };
        let told = self.serving_mut().is_some_and(|serving| std::mem::replace(&mut serving.lost, true));
        if !told {
            self.out(Effect::Hold);
            self.tell_crash(source, &fault);
            self.count_failure(source, now);
        }
        let Some(serving) = self.serving() else { return };
        let baking = serving.bake.is_some();
        let prev = serving.prev.and_then(|prev| self.running(prev.twin));
        let warm = serving.warm.and_then(|warm| self.running(warm));
        if let Some(prev) = prev.filter(|_| baking) {
            return self.flip_to(prev, Why::Bake(fault), now);
        }
        if let Some(standby) = self.take_same_source(&source) {
            return self.flip_to(standby, Why::Spare(fault), now);
        }
        if let Some(warm) = warm {
            return self.flip_to(warm, Why::Spare(fault), now);
        }
        if let Some(prev) = prev {
            return self.flip_to(prev, Why::Crash(fault), now);
        }
        self.nothing_serves(source, fault, now);
    }

    fn nothing_serves(&mut self, source: Source, fault: Fault, now: Moment) {
        let State::Serving(serving) = std::mem::replace(&mut self.state, State::Stopped) else { return };
        let Serving { active, op, bake, .. } = serving;
        if bake.is_some() {
            self.out(Effect::EndBake { twin: active });
        }
        // One that lives on unready is in its stop ladder: its exit is still to come.
        if self.death_of(active).is_some() {
            self.memory.twins.remove(&active);
        }
        self.memory.active_source = Some(source);
        self.notice(Notice::Crashed { generation: source.generation, fault: fault.clone() });
        self.state = State::Down(super::state::Down { why: fault.clone(), retry_at: None });
        let op = match op {
            // Never an unapproved standby.
            Some(op) if !op.spare && (op.auto || op.approved || self.mistake(Mistake::UnapprovedTakesOver)) => {
                return self.becomes_start(op, now);
            }
            op => op,
        };
        if let Some(op) = op {
            self.stop_twin(op.twin, now);
            if matches!(op.stage, Stage::Building { .. }) {
                self.out(Effect::AbandonBuild { op: op.id });
            }
            let outcome = self.failed(fault.clone());
            if !op.spare {
                self.history(Cause::Reload, &op, Some(source.generation), outcome.clone());
            }
            self.reply_all(op.waiting, &outcome);
        }
        let files = self.memory.files.unwrap_or(source);
        let files = if self.mistake(Mistake::RespawnEdited) { source } else { files };
        if self.respawn_copy(source, files, now) {
            return;
        }
        // Other files than those that crashed have not failed yet.
        match self.pause_after_failures(&files) {
            Some(pause) if self.may_start(&files) => {
                let order = Order { auto: true, pause: Some(pause), ..Order::because(Cause::Crash) };
                self.begin(files, order, now);
            }
            Some(_) if !holds(&source, &files) => self.go_down(super::change::unapproved(), None, now),
            retry => self.go_down(fault, retry, now),
        }
    }

    /// The code that crashed is started again from its copy, where the files hold other code that may not start by itself, or
    /// that was left by a rollback.
    fn respawn_copy(&mut self, source: Source, files: Source, now: Moment) -> bool {
        let kept = self.memory.kept.iter().any(|kept| kept.why_not.is_none() && kept.source.same_code(&source));
        if !kept || holds(&source, &files) || self.may_start(&files) && !self.is_rejected(&files) {
            return false;
        }
        let Some(pause) = self.pause_after_failures(&source) else { return false };
        let (pause, instead_of) = (Some(pause), Some(files));
        self.begin(source, Order { auto: true, pause, instead_of, ..Order::because(Cause::Crash) }, now);
        true
    }

    /// An approved operation that runs while the serving twin dies becomes the start.
    fn becomes_start(&mut self, mut op: super::state::Op, now: Moment) {
        if matches!(op.stage, Stage::Yielding { .. } | Stage::Verified { .. })
            && !self.memory.twins.contains_key(&op.twin)
        {
            op.stage = Stage::Room { deadline: now + super::commit::CROWD_WAIT };
        }
        if let State::Down(down) = &self.state {
            self.memory.failed = Some(down.why.clone());
        }
        self.state = State::Starting(op);
        self.persist();
    }

    /// A verified standby of the source that just died takes over, whoever asked for it.
    fn take_same_source(&mut self, source: &Source) -> Option<TwinId> {
        let op = self.op()?;
        let ready = matches!(op.stage, Stage::Verified { .. } | Stage::Preparing { .. } | Stage::Crowded { .. });
        let twin = op.twin;
        if !ready || !op.source.same_code(source) || self.running(twin).is_none() {
            return None;
        }
        let op = self.serving_mut()?.op.take()?;
        let standby = self.op_view(&op);
        let outcome = super::Outcome::Verified { active: None, standby, report: self.report_of(twin) };
        self.history(Cause::Reload, &op, Some(source.generation), outcome.clone());
        self.reply_all(op.waiting, &outcome);
        Some(twin)
    }

    fn tell_crash(&mut self, source: Source, fault: &Fault) {
        let outcome = super::Outcome::Failed { active: None, fault: fault.clone() };
        self.out(Effect::History(HistoryEntry {
            what: Cause::Crash,
            causes: vec![Cause::Crash],
            generation: source.generation,
            source,
            from: Some(source.generation),
            outcome,
            phases: Vec::new(),
        }));
    }

    /// The traffic shows that the twin on trial is bad.
    pub(super) fn bake_failed(&mut self, twin: TwinId, fault: Fault, _now: Moment) {
        match self.serving_mut() {
            Some(serving) if serving.active == twin => match &mut serving.bake {
                Some(bake) => {
                    bake.failed.get_or_insert(fault);
                }
                None => self.ignored("a bake failed that was over"),
            },
            _ => self.ignored("a bake failed of a twin that does not serve"),
        }
    }

    /// Goes back to prev if the bake failed.
    pub(super) fn take_bake_failure(&mut self, now: Moment) -> bool {
        let Some(serving) = self.serving_mut() else { return false };
        let Some(fault) = serving.bake.as_mut().and_then(|bake| bake.failed.take()) else { return false };
        let prev = serving.prev.map(|prev| prev.twin);
        match prev.and_then(|prev| self.running(prev)) {
            Some(prev) => self.flip_to(prev, Why::Bake(fault), now),
            None => {
                self.keep_unbaked(fault);
                self.persist();
            }
        }
        true
    }
}
