//! Twins that go: drains, the stop ladder, the bounds on both; and the warm twin beside the active one.

use super::Swap;
use super::begin::Order;
use super::effect::{Cause, Effect};
use super::state::{Debt, Life, State};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::spec::{Standby, Strategy};
use crate::time::Moment;
use std::time::Duration;

/// What the stop of a twin may take beyond its ladder.
pub(super) const STOP_MARGIN: Duration = Duration::from_secs(5);
/// A warm twin that failed so often is not tried again for this source.
const WARM_FAILURES: u8 = 3;

impl Swap {
    /// A twin that serves no more finishes what it owes, then ends.
    pub(super) fn retire(&mut self, twin: TwinId, now: Moment) {
        let Some(known) = self.memory.twins.get(&twin) else { return };
        if !known.running() || known.debt == Debt::None {
            return self.stop_twin(twin, now);
        }
        if self.memory.retiring.contains(&twin) {
            return;
        }
        self.memory.retiring.push(twin);
        self.drain_twin(twin, now);
        self.check_crowd(now);
    }

    /// Asks once whether a twin owes anything.
    pub(super) fn drain_twin(&mut self, twin: TwinId, now: Moment) {
        if let Some(known) = self.memory.twins.get_mut(&twin)
            && known.debt == Debt::Unknown
        {
            known.debt = Debt::Draining { since: now, open_calls: true, human: false };
            self.out(Effect::Drain { twin });
        }
    }

    pub(super) fn drained(&mut self, twin: TwinId, now: Moment) {
        let waited = self.memory.twins.get_mut(&twin).filter(|known| matches!(known.debt, Debt::Draining { .. }));
        let Some(known) = waited else { return self.ignored("a twin is drained that was not draining") };
        known.debt = Debt::None;
        if self.memory.retiring.contains(&twin) {
            self.stop_twin(twin, now);
        }
        self.check_crowd(now);
    }

    pub(super) fn owes(&mut self, twin: TwinId, calls: bool, ask: bool) {
        match self.memory.twins.get_mut(&twin).map(|known| &mut known.debt) {
            Some(Debt::Draining { open_calls, human, .. }) => {
                *open_calls = calls;
                *human = ask;
            }
            _ => self.ignored("a twin owes something that is not draining"),
        }
    }

    /// A twin that serves again owes by serving.
    pub(super) fn reset_debt(&mut self, twin: TwinId) {
        if let Some(known) = self.memory.twins.get_mut(&twin) {
            known.debt = Debt::Unknown;
        }
    }

    pub(super) fn retire_prev(&mut self, now: Moment) {
        if let Some(prev) = self.serving_mut().and_then(|serving| serving.prev.take()) {
            self.retire(prev.twin, now);
            self.persist();
        }
    }

    /// Makes room for a spawn: unless one is ending already, the oldest that retires goes. Whether anything was done.
    pub(super) fn make_room(&mut self, now: Moment) -> bool {
        let ends = |life: &Life| matches!(life, Life::Stopping { .. } | Life::Doomed);
        if self.memory.twins.values().any(|twin| ends(&twin.life)) {
            return false;
        }
        self.evict(now)
    }

    /// Notes since when there is a retiring twin too many; one without an open call goes at once.
    pub(super) fn check_crowd(&mut self, now: Moment) {
        if self.memory.retiring.len() > self.policy.retiring {
            self.give_up_one_without_calls(now);
        }
        let crowded = self.memory.retiring.len() > self.policy.retiring;
        self.memory.crowded_since = if crowded { self.memory.crowded_since.or(Some(now)) } else { None };
    }

    pub(super) fn give_up_one_without_calls(&mut self, now: Moment) {
        let rests = |twin: &TwinId| {
            self.memory
                .twins
                .get(twin)
                .is_some_and(|known| matches!(known.debt, Debt::Draining { open_calls: false, .. } | Debt::None))
        };
        if let Some(twin) = self.memory.retiring.iter().copied().find(rests) {
            self.cut(twin, now);
        }
    }

    /// The oldest retiring twin is cut, one without an open call first.
    pub(super) fn evict(&mut self, now: Moment) -> bool {
        let before = self.memory.retiring.len();
        self.give_up_one_without_calls(now);
        if before == self.memory.retiring.len()
            && let Some(oldest) = self.memory.retiring.first().copied()
        {
            self.cut(oldest, now);
        }
        before != self.memory.retiring.len()
    }

    /// What is still open on this twin is answered with a reason, then it ends.
    pub(super) fn cut(&mut self, twin: TwinId, now: Moment) {
        let fault = Fault::new(Code::Cut, "an older twin had to end before it answered")
            .with_help("whether it did the work is not known; look before you ask again");
        self.out(Effect::Cut { twin, fault });
        self.stop_twin(twin, now);
        self.check_crowd(now);
    }

    /// When the drain of a retiring twin is over, if ever.
    pub(super) fn drain_ends(&self, twin: TwinId) -> Option<Moment> {
        let limit = self.policy.options.drain?;
        match self.memory.twins.get(&twin)?.debt {
            Debt::Draining { since, human: true, .. } => Some(since + self.policy.options.state_ttl.max(limit)),
            Debt::Draining { since, .. } => Some(since + limit),
            Debt::Unknown | Debt::None => None,
        }
    }

    /// A stop that was not answered is asked for once more.
    pub(super) fn stop_again(&mut self, twin: TwinId, now: Moment) {
        let until = now + self.stop_bound();
        let (term, kill) = (self.policy.options.stop_term, self.policy.options.stop_kill);
        if let Some(known) = self.memory.twins.get_mut(&twin)
            && matches!(known.life, Life::Stopping { .. })
        {
            known.life = Life::Stopping { until };
            self.out(Effect::Stop { twin, term, kill });
        }
    }

    pub(super) fn stop_bound(&self) -> Duration {
        self.policy.options.stop_term.saturating_add(self.policy.options.stop_kill).saturating_add(STOP_MARGIN)
    }

    /// Begins a warm twin of the active's source where one is wanted.
    pub(super) fn start_spare(&mut self, now: Moment) -> bool {
        let options = &self.policy.options;
        let wanted = options.standby == Standby::Warm && options.strategy == Strategy::Overlap;
        let memory = &self.memory;
        let State::Serving(serving) = &self.state else { return false };
        let idle = serving.op.is_none() && serving.warm.is_none() && serving.bake.is_none();
        let later = memory.warm_after.is_some_and(|at| at > now) || memory.warm_failures >= WARM_FAILURES;
        let Some(files) = memory.files.filter(|files| self.is_active(files)) else { return false };
        if !wanted || !idle || later || memory.dirty.is_some() || serving.degraded.is_some() {
            return false;
        }
        self.memory.warm_after = None;
        self.begin(files, Order { spare: true, ..Order::because(Cause::Start) }, now);
        true
    }

    /// The warm twin is verified: it stands by.
    pub(super) fn spare_ready(&mut self, _now: Moment) {
        let Some(serving) = self.serving_mut() else { return };
        if let Some(op) = serving.op.take() {
            serving.warm = Some(op.twin);
        }
        self.memory.warm_failures = 0;
        self.persist();
    }

    pub(super) fn spare_died(&mut self, now: Moment) {
        self.memory.warm_failures = self.memory.warm_failures.saturating_add(1);
        let pause = super::begin::doubled(&self.policy.options, u32::from(self.memory.warm_failures));
        self.memory.warm_after = Some(now + pause);
    }

    /// An operation needs the place of the one that was only to stand by.
    pub(super) fn drop_spare(&mut self, now: Moment) {
        if self.op().is_some_and(|op| op.spare) {
            self.take_op(now);
        }
    }

    pub(super) fn end_warm(&mut self, now: Moment) {
        if let Some(warm) = self.serving_mut().and_then(|serving| serving.warm.take()) {
            self.stop_twin(warm, now);
        }
    }
}
