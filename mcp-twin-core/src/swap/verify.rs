//! From the written intent to a verified twin: build, spawn, probe, and the second look at the files.

use super::Swap;
use super::begin::{AGAIN, holds};
use super::effect::{Effect, Notice, Outcome, PhaseName};
use super::event::ProbeReport;
use super::mistake::Mistake;
use super::state::{Ask, Debt, Life, Stage, State, Twin};
use crate::error::{Code, Fault};
use crate::ids::{OpId, ProcessIdentity, Source, TwinId};
use crate::spec::{Breaking, Strategy};
use crate::time::Moment;
use std::time::Duration;

/// What the host may add to a deadline that it keeps itself.
const MARGIN: Duration = Duration::from_secs(5);
/// How long the answer to a spawn is waited for.
const SPAWN_WAIT: Duration = Duration::from_secs(30);
/// How long a spawn waits for a place among the live twins.
const ROOM_WAIT: Duration = Duration::from_secs(60);
/// How long the files may take to be hashed.
const HASH_WAIT: Duration = Duration::from_secs(60);

impl Swap {
    /// INTENT is on disk.
    pub(super) fn intent_recorded(&mut self, now: Moment) {
        let handoff = self.policy.options.strategy == Strategy::Handoff;
        let Some(op) = self.op_mut() else { return };
        let (id, source) = (op.id, op.source);
        if op.instead_of.is_some() {
            // A copy is built already.
            self.ready_to_spawn(now);
        } else if self.policy.builds || self.policy.options.build.is_some() || handoff {
            let deadline = now + self.policy.options.build_timeout.saturating_add(MARGIN);
            self.set_stage(Stage::Building { deadline });
            self.out(Effect::Build { op: id, source });
        } else {
            self.ready_to_spawn(now);
        }
    }

    pub(super) fn built(&mut self, id: OpId, source: Source, now: Moment) {
        let Some(op) = self.op_mut().filter(|op| op.id == id && matches!(op.stage, Stage::Building { .. })) else {
            return self.ignored("a build ended that nothing waits for");
        };
        op.phase_done(PhaseName::Build, now);
        let moved = !holds(&op.source, &source);
        // The build has ended: nothing is left to abandon.
        op.stage = Stage::Room { deadline: now + ROOM_WAIT };
        self.memory.files = Some(source);
        if moved {
            self.files_moved(source, now);
        } else {
            self.ready_to_spawn(now);
        }
    }

    pub(super) fn build_failed(&mut self, id: OpId, fault: Fault, now: Moment) {
        let Some(op) = self.op_mut().filter(|op| op.id == id && matches!(op.stage, Stage::Building { .. })) else {
            return self.ignored("a build failed that nothing waits for");
        };
        op.phase_done(PhaseName::Build, now);
        op.stage = Stage::Room { deadline: now };
        self.fail_op(fault, now);
    }

    fn ready_to_spawn(&mut self, now: Moment) {
        // Two copies may not live side by side: what could be checked is checked, the rest waits for the word.
        if self.policy.options.strategy == Strategy::Handoff && self.serving().is_some() {
            return self.verified(now);
        }
        self.set_stage(Stage::Room { deadline: now + ROOM_WAIT });
    }

    /// A spawn that waited for its place.
    pub(super) fn spawn_where_room(&mut self, now: Moment) -> bool {
        let Some(op) = self.op().filter(|op| matches!(op.stage, Stage::Room { .. })) else { return false };
        let (twin, source, kept) = (op.twin, op.source, op.instead_of.is_some());
        // Under `handoff` no two may live side by side.
        let handoff = self.policy.options.strategy == Strategy::Handoff && !self.mistake(Mistake::TwoCopies);
        let most = if handoff { 1 } else { self.policy.live_twins };
        if self.memory.twins.len() >= most && !self.mistake(Mistake::NoLiveBound) {
            if op.spare {
                // One that only stands by costs nobody an answer.
                self.fail_op(Fault::new(Code::RetiringFull, "no place for a warm twin"), now);
                return true;
            }
            return self.make_room(now);
        }
        let slot = self.free_slot();
        self.memory.twins.insert(
            twin,
            Twin {
                slot,
                source,
                port: None,
                process: None,
                life: Life::Spawning,
                report: None,
                verified: false,
                debt: Debt::Unknown,
            },
        );
        if let Some(op) = self.op_mut() {
            // The host takes the stamps of the files now: what was touched before does not count.
            op.touched = false;
            op.stage = Stage::Spawning { deadline: now + SPAWN_WAIT };
        }
        self.out(Effect::Spawn { twin, slot, source, kept });
        true
    }

    pub(super) fn spawned(&mut self, id: TwinId, process: ProcessIdentity, port: Option<u16>, now: Moment) {
        let Some(twin) = self.memory.twins.get_mut(&id) else {
            return self.ignored("a twin was spawned that is not known");
        };
        match twin.life {
            Life::Spawning => {
                twin.life = Life::Running;
                (twin.process, twin.port) = (Some(process), port);
            }
            Life::Doomed => {
                twin.life = Life::Running;
                (twin.process, twin.port) = (Some(process), port);
                return self.stop_twin(id, now);
            }
            Life::Running | Life::Stopping { .. } | Life::Dead(_) => {
                return self.ignored("a twin was spawned that runs already");
            }
        }
        if !self.op_is_at(id, |stage| matches!(stage, Stage::Spawning { .. })) {
            return self.stop_twin(id, now);
        }
        if let Some(op) = self.op_mut() {
            op.phase_done(PhaseName::Spawn, now);
        }
        let seq = self.persist();
        self.set_stage(Stage::Identifying { seq, deadline: now + super::journal::WRITE_WAIT });
    }

    pub(super) fn spawn_failed(&mut self, id: TwinId, fault: Fault, now: Moment) {
        let waited = self.memory.twins.get(&id).is_some_and(|twin| matches!(twin.life, Life::Spawning | Life::Doomed));
        if !waited {
            return self.ignored("a spawn failed that nothing waits for");
        }
        self.memory.twins.remove(&id);
        if self.op_is_at(id, |stage| matches!(stage, Stage::Spawning { .. })) {
            self.fail_op(fault, now);
        }
    }

    /// The pid is on disk: the twin may be talked to.
    pub(super) fn identified(&mut self, now: Moment) {
        let Some(op) = self.op() else { return };
        let (twin, force) = (op.twin, op.force);
        // Over stdio the twin is sent nothing before the client has opened the session: `Probing` starts the clock.
        let deadline = self.policy.durable.then(|| now + self.policy.options.start_timeout);
        self.set_stage(Stage::Warming { deadline });
        self.out(Effect::Probe { twin, force });
    }

    pub(super) fn probing(&mut self, twin: TwinId, now: Moment) {
        let until = now + self.policy.options.start_timeout;
        match self.op_mut() {
            Some(op) if op.twin == twin => match &mut op.stage {
                Stage::Warming { deadline: deadline @ None } => *deadline = Some(until),
                _ => self.ignored("the probe of this twin runs already"),
            },
            _ => self.ignored("a probe began that nothing waits for"),
        }
    }

    pub(super) fn healthy(&mut self, id: TwinId, report: ProbeReport, now: Moment) {
        if !self.op_is_at(id, |stage| matches!(stage, Stage::Warming { .. })) {
            return self.ignored("a probe passed that nothing waits for");
        }
        if let Some(twin) = self.memory.twins.get_mut(&id) {
            twin.report = Some(report);
        }
        if let Some(op) = self.op_mut() {
            op.phase_done(PhaseName::Probe, now);
        }
        if self.mistake(Mistake::NoRehash) {
            return self.pass(id, now);
        }
        let settle = self.policy.options.settle;
        if settle.is_zero() {
            self.examine(now);
        } else {
            self.set_stage(Stage::Settling { until: now + settle });
        }
    }

    pub(super) fn unhealthy(&mut self, id: TwinId, fault: Fault, now: Moment) {
        let waits = |stage: &Stage| {
            matches!(
                stage,
                Stage::Warming { .. }
                    | Stage::Settling { .. }
                    | Stage::Examining { .. }
                    | Stage::Checking { .. }
                    | Stage::Verified { .. }
                    | Stage::Preparing { .. }
                    | Stage::Crowded { .. }
            )
        };
        if !self.op_is_at(id, waits) {
            return self.ignored("a probe failed that nothing waits for");
        }
        self.fail_op(fault, now);
    }

    /// What is ready is tried, if the options say how. Where nothing serves there is nothing that a failure would keep, and
    /// a spare runs code that was tried before.
    pub(super) fn examine(&mut self, now: Moment) {
        let checks = self.policy.options.check.is_some() && matches!(self.state, State::Serving(_));
        let checks = checks && !self.mistake(Mistake::NotExamined);
        let Some(op) = self.op().filter(|op| checks && !op.spare) else { return self.check_files(now) };
        let twin = op.twin;
        let deadline = now + self.policy.options.check_timeout.saturating_add(MARGIN);
        self.set_stage(Stage::Examining { deadline });
        self.out(Effect::Examine { twin });
    }

    pub(super) fn examined(&mut self, id: TwinId, now: Moment) {
        if !self.op_is_at(id, |stage| matches!(stage, Stage::Examining { .. })) {
            return self.ignored("a check passed that nothing waits for");
        }
        if let Some(op) = self.op_mut() {
            op.phase_done(PhaseName::Check, now);
        }
        self.check_files(now);
    }

    pub(super) fn examine_failed(&mut self, id: TwinId, fault: Fault, now: Moment) {
        if !self.op_is_at(id, |stage| matches!(stage, Stage::Examining { .. })) {
            return self.ignored("a check failed that nothing waits for");
        }
        self.not_good_enough(fault, now);
    }

    /// The check failed. If the serving twin died meanwhile, this one is better than none.
    pub(super) fn not_good_enough(&mut self, fault: Fault, now: Moment) {
        if let Some(op) = self.op_mut() {
            op.phase_done(PhaseName::Check, now);
        }
        if matches!(self.state, State::Starting(_)) {
            return self.check_files(now);
        }
        self.fail_op(fault, now);
    }

    pub(super) fn check_files(&mut self, now: Moment) {
        if let Some(op) = self.op() {
            let twin = op.twin;
            if op.instead_of.is_some() {
                // It is a copy: what the files hold says nothing about it.
                return self.pass(twin, now);
            }
            self.set_stage(Stage::Checking { deadline: now + HASH_WAIT });
            self.out(Effect::Rehash { twin });
        }
    }

    pub(super) fn hashed(&mut self, id: TwinId, source: Source, touched: bool, now: Moment) {
        if !self.op_is_at(id, |stage| matches!(stage, Stage::Checking { .. })) {
            return self.ignored("the files were hashed for nothing");
        }
        let Some(op) = self.op_mut() else { return };
        op.phase_done(PhaseName::Verify, now);
        let (same, touched) = (holds(&op.source, &source), touched || op.touched);
        let clean = same && (!touched || self.mistake(Mistake::TouchIgnored));
        self.memory.files = Some(source);
        if clean {
            self.pass(id, now);
        } else if self.may_serve_unnamed(&source) {
            self.serve_unnamed(id, source, now);
        } else {
            self.files_moved(source, now);
        }
    }

    /// The files were touched while this twin booted: which code it runs is not known. Two such twins are taken all the same.
    /// A first one, because the client has its answer from it already, and broken files must not take it away. And one whose
    /// boots touch the files every time, because nothing newer would ever be verified.
    fn may_serve_unnamed(&self, source: &Source) -> bool {
        match &self.state {
            State::Starting(_) => self.may_start(source),
            State::Serving(_) => self.op().is_some_and(|op| op.auto && op.again >= AGAIN) && self.may_promote(),
            State::Stopped | State::Stopping(_) | State::Down(_) => false,
        }
    }

    /// Takes a twin under no hash, so that nobody goes back to it by name. What the files hold now is a change to be
    /// prepared beside a first one; where the boot itself wrote them, the watcher says when, and takes its time.
    fn serve_unnamed(&mut self, id: TwinId, source: Source, now: Moment) {
        if let Some(twin) = self.memory.twins.get_mut(&id) {
            twin.source.hash = None;
        }
        if let Some(op) = self.op_mut() {
            op.source.hash = None;
        }
        self.memory.attempted = None;
        if matches!(self.state, State::Starting(_)) {
            self.memory.change = Some(source);
        }
        self.pass(id, now);
    }

    /// Everything that could be asked of the twin was answered well.
    pub(super) fn pass(&mut self, id: TwinId, now: Moment) {
        if let Some(twin) = self.memory.twins.get_mut(&id) {
            twin.verified = true;
        }
        self.verified(now);
    }

    /// The standby is as good as it can be shown to be.
    fn verified(&mut self, now: Moment) {
        let expires = now + self.policy.options.standby_ttl;
        self.set_stage(Stage::Verified { expires });
        if self.op().is_some_and(|op| op.spare) {
            return self.spare_ready(now);
        }
        // Over HTTP prev is kept until the next twin is verified, but never less than the bake.
        if self.policy.durable && self.serving().is_some_and(|serving| serving.bake.is_none() && serving.flip.is_none())
        {
            self.retire_prev(now);
        }
        let (view, report) = match self.op() {
            Some(op) => (self.op_view(op), self.report_of(op.twin)),
            None => return,
        };
        let outcome = Outcome::Verified { active: self.active_view(), standby: view.clone(), report: report.clone() };
        if matches!(self.state, State::Starting(_)) {
            // Nothing serves: whoever waits hears how the start itself ends.
            return;
        }
        let reloads = self.take_waiters(Ask::Reload);
        self.reply_all(reloads, &outcome);
        if self.may_promote() {
            return;
        }
        let breaking = report.diff.breaking;
        let swaps = self.take_waiters(Ask::Swap);
        if self.op().is_some_and(|op| op.approved) && !breaking.is_empty() {
            let fault =
                Fault::new(Code::BreakingWaits, format!("the new code takes something away: {}", breaking.join("; ")))
                    .with_help("run `mcp-twin swap` once more to take it all the same");
            let refused = self.failed(fault);
            self.reply_all(swaps, &refused);
        } else {
            self.reply_all(swaps, &outcome);
        }
        self.notice(Notice::Waiting { generation: view.source.generation, breaking });
    }

    /// Whether the verified operation may take over.
    pub(super) fn may_promote(&self) -> bool {
        let Some(op) = self.op().filter(|op| !op.spare) else { return false };
        if matches!(self.state, State::Starting(_)) {
            return true;
        }
        let wait = self.policy.options.breaking == Breaking::Wait
            && !self.mistake(Mistake::BreakingIgnored)
            && !op.accept_breaking
            && !op.force;
        let breaks = wait && !self.report_of(op.twin).diff.breaking.is_empty();
        (op.auto || op.approved) && !breaks
    }

    pub(super) fn op_is_at(&self, twin: TwinId, stage: impl Fn(&Stage) -> bool) -> bool {
        self.op().is_some_and(|op| op.twin == twin && stage(&op.stage))
    }
}
