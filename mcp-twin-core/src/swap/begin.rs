//! How an operation begins, begins again and ends without success.

use super::Swap;
use super::effect::{Cause, Effect, Notice, Outcome};
use super::mistake::Mistake;
use super::state::{Ask, Down, Life, Op, Stage, State, Waiter};
use crate::error::{Code, Fault};
use crate::ids::{OpId, Source, TwinId};
use crate::time::Moment;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often an operation may begin again because the second look found the files touched: a server that writes its own
/// sources at each boot would never be verified.
pub(super) const AGAIN: u8 = 3;
/// Failures of one source within this time are counted; after so many (`Policy`) only a change or a command tries again.
const FAILURE_WINDOW: Duration = Duration::from_secs(60);

/// What an operation is to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    pub(super) causes: BTreeSet<Cause>,
    pub(super) auto: bool,
    pub(super) approved: bool,
    pub(super) force: bool,
    pub(super) accept_breaking: bool,
    pub(super) spare: bool,
    pub(super) waiting: Vec<Waiter>,
    pub(super) again: u8,
    pub(super) pause: Option<Duration>,
    pub(super) replaced: Option<super::TwinView>,
    pub(super) instead_of: Option<Source>,
}

impl Order {
    pub(super) fn because(cause: Cause) -> Self {
        Self { causes: BTreeSet::from([cause]), ..Self::default() }
    }
}

impl Swap {
    /// Begins an operation beside the serving twin, or as a start if none serves. The one under way must have been ended.
    pub(super) fn begin(&mut self, source: Source, order: Order, now: Moment) {
        if !order.spare {
            // What the files hold beside a copy counts as tried: it was passed over.
            self.memory.attempted = Some(order.instead_of.unwrap_or(source));
            self.end_warm(now);
        }
        if self.mistake(Mistake::IntentEndsBake)
            && let Some(serving) = self.serving_mut()
            && serving.bake.take().is_some()
        {
            let twin = serving.active;
            self.out(Effect::EndBake { twin });
        }
        let id = OpId(self.memory.next_op);
        self.memory.next_op = self.memory.next_op.wrapping_add(1);
        let twin = TwinId(self.memory.next_twin);
        self.memory.next_twin = self.memory.next_twin.wrapping_add(1);
        let pause = order.pause;
        let op = Op {
            id,
            twin,
            source,
            instead_of: order.instead_of,
            causes: order.causes,
            auto: order.auto,
            approved: order.approved,
            force: order.force,
            accept_breaking: order.accept_breaking,
            spare: order.spare,
            waiting: order.waiting,
            touched: false,
            again: order.again,
            replaced: order.replaced,
            stage: Stage::Pausing { until: now + pause.unwrap_or_default() },
            phases: Vec::new(),
            phase_began: now,
        };
        match &mut self.state {
            State::Serving(serving) => serving.op = Some(op),
            state => {
                // Why nothing serves stays visible while the next try runs.
                if let State::Down(down) = std::mem::replace(state, State::Starting(op)) {
                    self.memory.failed = Some(down.why);
                }
                self.out(Effect::Hold);
            }
        }
        if pause.is_none() {
            self.record_intent(now);
        }
    }

    /// P INTENT.
    pub(super) fn record_intent(&mut self, now: Moment) {
        let seq = self.persist();
        self.set_stage(Stage::Recording { seq, deadline: now + super::journal::WRITE_WAIT });
    }

    /// Drops the new twin and begins again with what the files are now. With another source only `auto` carries over.
    pub(super) fn begin_again(&mut self, source: Source, auto: bool, cause: Option<Cause>, now: Moment) {
        let Some(op) = self.take_op(now) else { return };
        let same = holds(&op.source, &source);
        if cause.is_none() && op.again >= AGAIN {
            let fault = Fault::new(Code::Superseded, "a watched file was touched at each of its starts")
                .with_help("leave the file that the server writes out with --ignore");
            return self.op_failed(op, fault, now);
        }
        let mut causes = op.causes;
        causes.extend(cause);
        self.begin(
            source,
            Order {
                causes,
                auto,
                approved: (same || self.mistake(Mistake::ApprovalCarries)) && op.approved,
                force: same && op.force,
                accept_breaking: same && op.accept_breaking,
                spare: op.spare,
                waiting: op.waiting,
                again: if cause.is_none() { op.again + 1 } else { 0 },
                pause: None,
                replaced: op.replaced,
                instead_of: None,
            },
            now,
        );
    }

    /// Takes the operation out of the state and ends its twin. While nothing serves, the caller must put a state in place.
    pub(super) fn take_op(&mut self, now: Moment) -> Option<Op> {
        let op = match &mut self.state {
            State::Serving(serving) => serving.op.take(),
            State::Starting(op) => Some(op.clone()),
            State::Stopped | State::Stopping(_) | State::Down(_) => None,
        }?;
        match op.stage {
            Stage::Building { .. } => self.out(Effect::AbandonBuild { op: op.id }),
            Stage::Yielding { .. } => self.release_active(),
            _ => {}
        }
        self.stop_twin(op.twin, now);
        Some(op)
    }

    /// The operation ends with this fault; what serves goes on serving.
    pub(super) fn fail_op(&mut self, fault: Fault, now: Moment) {
        if let Some(op) = self.take_op(now) {
            self.op_failed(op, fault, now);
        }
    }

    fn op_failed(&mut self, op: Op, fault: Fault, now: Moment) {
        if op.spare {
            self.memory.warm_failures = self.memory.warm_failures.saturating_add(1);
            let pause = doubled(&self.policy.options, u32::from(self.memory.warm_failures));
            self.memory.warm_after = Some(now + pause);
            self.persist();
            return;
        }
        let outcome = self.failed(fault.clone());
        let serving = matches!(self.state, State::Serving(_));
        let what = if serving { Cause::Reload } else { Cause::Start };
        let from = self.active_generation();
        self.history(what, &op, from, outcome.clone());
        self.reply_all(op.waiting, &outcome);
        if let Some(serving) = self.serving_mut() {
            serving.degraded = Some(fault.clone());
            self.notice(Notice::ReloadFailed { generation: op.source.generation, fault });
            self.persist();
        } else {
            let pause = self.count_failure(op.source, now);
            self.go_down(fault, pause, now);
        }
    }

    /// The operation ends because it is not needed any more: those who wait hear this.
    pub(super) fn drop_op(&mut self, outcome: &Outcome, now: Moment) {
        let Some(op) = self.take_op(now) else { return };
        if !op.spare {
            let from = self.active_generation();
            self.history(Cause::Reload, &op, from, outcome.clone());
        }
        self.reply_all(op.waiting, outcome);
    }

    /// Nothing serves and nothing is being started.
    pub(super) fn go_down(&mut self, why: Fault, pause: Option<Duration>, now: Moment) {
        self.notice(Notice::Down { fault: why.clone() });
        self.out(Effect::Refuse { fault: why.clone() });
        let startable = self.memory.files.is_some_and(|files| self.may_start(&files));
        let retry_at = pause.filter(|_| startable).map(|pause| now + pause);
        self.state = State::Down(Down { why, retry_at });
        self.persist();
    }

    /// Whether the machine may start this by itself while nothing serves.
    pub(super) fn may_start(&self, source: &Source) -> bool {
        if self.mistake(Mistake::RejectedStaysDown) && self.is_rejected(source) {
            return false;
        }
        let memory = &self.memory;
        self.mistake(Mistake::ManualStarts)
            || self.auto()
            || memory.open_to_saves
            || memory.active_source.is_none_or(|served| holds(&served, source))
    }

    pub(super) fn auto(&self) -> bool {
        self.policy.options.promote == crate::spec::Promote::Auto
    }

    /// Whether a rollback or a failed bake left this source, or passed it over.
    pub(super) fn is_rejected(&self, source: &Source) -> bool {
        let left = |known: Option<Source>| known.is_some_and(|known| known.same_code(source));
        left(self.memory.rejected) || left(self.memory.passed_over)
    }

    pub(super) fn active_source(&self) -> Option<Source> {
        self.serving().and_then(|serving| self.memory.twins.get(&serving.active)).map(|twin| twin.source)
    }

    pub(super) fn is_active(&self, source: &Source) -> bool {
        self.active_source().is_some_and(|active| active.same_code(source))
    }

    pub(super) fn set_stage(&mut self, stage: Stage) {
        if let Some(op) = self.op_mut() {
            op.stage = stage;
        }
    }

    pub(super) fn reload_waits(&self) -> bool {
        self.op().is_some_and(|op| op.waits_for(Ask::Reload))
    }

    /// Counts a failure of this source. The pause before the next try; `None`: there is none by itself.
    pub(super) fn count_failure(&mut self, source: Source, now: Moment) -> Option<Duration> {
        let failures = &mut self.memory.failures;
        if !failures.source.is_some_and(|known| holds(&known, &source)) {
            *failures = super::state::Failures { source: Some(source), ..Default::default() };
        }
        while failures.at.front().is_some_and(|at| now.since(*at) > FAILURE_WINDOW) {
            failures.at.pop_front();
        }
        if failures.at.is_empty() {
            failures.streak = 0;
        }
        failures.at.push_back(now);
        failures.streak = failures.streak.saturating_add(1);
        let pause = doubled(&self.policy.options, failures.streak);
        (failures.at.len() < self.policy.failures).then_some(pause)
    }

    /// Ends a twin that owes nobody anything.
    pub(super) fn stop_twin(&mut self, twin: TwinId, now: Moment) {
        let options = &self.policy.options;
        let (term, kill) = (options.stop_term, options.stop_kill);
        let Some(known) = self.memory.twins.get_mut(&twin) else { return };
        match known.life {
            Life::Spawning => known.life = Life::Doomed,
            Life::Running => {
                known.life = Life::Stopping { until: now + term + kill + super::retire::STOP_MARGIN };
                self.memory.retiring.retain(|other| *other != twin);
                self.out(Effect::Stop { twin, term, kill });
            }
            Life::Doomed | Life::Stopping { .. } => {}
            Life::Dead(_) => {
                self.memory.twins.remove(&twin);
            }
        }
    }
}

/// Whether what was started from `started` is what the files hold: the same hash, or no hash on either side, where nothing
/// can be told apart and nothing is watched.
pub(super) fn holds(started: &Source, files: &Source) -> bool {
    started.same_code(files) || (started.hash.is_none() && files.hash.is_none())
}

/// The pause after the `count`th failure in a row.
pub(super) fn doubled(options: &crate::spec::Options, count: u32) -> Duration {
    let factor = 1_u32.checked_shl(count.saturating_sub(1)).unwrap_or(u32::MAX);
    options.backoff.saturating_mul(factor).min(options.backoff_max)
}
