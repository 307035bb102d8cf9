//! What goes out to people: views, replies, history, notices.

use super::effect::{Cause, Effect, HistoryEntry, Notice, Outcome, TwinView};
use super::state::{Ask, Op, Serving, Stage, State, Waiter};
use super::{ProbeReport, Status, Swap};
use crate::error::Fault;
use crate::ids::{CommandId, Generation, Slot, TwinId};

impl Swap {
    /// The machine as it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let op = self.op().filter(|op| !op.spare);
        let serving = self.serving();
        let warm = serving.and_then(|serving| serving.warm);
        let spare = self.op().filter(|op| op.spare).map(|op| op.twin);
        Status {
            state: self.state_name().to_owned(),
            active: self.active_view(),
            standby: op.map(|op| (self.op_view(op), op.stage.name().to_owned())),
            warm: warm.or(spare).and_then(|warm| self.view(warm)),
            warm_ready: warm.is_some(),
            prev: serving.and_then(|serving| serving.prev).and_then(|prev| self.view(prev.twin)),
            retiring: self.memory.retiring.iter().filter_map(|twin| self.view(*twin)).collect(),
            baking: serving.is_some_and(|serving| serving.bake.is_some()),
            degraded: match &self.state {
                State::Down(down) => Some(down.why.clone()),
                State::Serving(serving) => serving.degraded.clone(),
                State::Starting(_) => self.memory.failed.clone(),
                State::Stopped | State::Stopping(_) => None,
            },
            waiting: op.filter(|op| matches!(op.stage, Stage::Verified { .. })).map(|op| self.report_of(op.twin)),
            swaps: self.memory.swaps,
            last_swap: self.memory.last_swap,
        }
    }

    fn state_name(&self) -> &'static str {
        match &self.state {
            State::Stopped | State::Stopping(_) => "stopped",
            State::Starting(op) if op.replaced.is_some() => "handoff",
            State::Starting(_) => "starting",
            State::Serving(Serving { op: Some(op), .. }) if matches!(op.stage, Stage::Yielding { .. }) => "handoff",
            State::Serving(_) => "serving",
            State::Down(_) => "down",
        }
    }

    pub(super) fn out(&mut self, effect: Effect) {
        self.memory.effects.push_back(effect);
    }

    pub(super) fn ignored(&mut self, why: &'static str) {
        self.out(Effect::Ignored(why));
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.out(Effect::Notice(notice));
    }

    pub(super) fn reply(&mut self, id: CommandId, outcome: Outcome) {
        self.out(Effect::Reply { id, outcome });
    }

    /// The same answer to all of them.
    pub(super) fn reply_all(&mut self, waiting: Vec<Waiter>, outcome: &Outcome) {
        for waiter in waiting {
            self.reply(waiter.id, outcome.clone());
        }
    }

    pub(super) fn failed(&self, fault: Fault) -> Outcome {
        Outcome::Failed { active: self.active_view(), fault }
    }

    /// One line for an operation that ended.
    pub(super) fn history(&mut self, what: Cause, op: &Op, from: Option<Generation>, outcome: Outcome) {
        self.out(Effect::History(HistoryEntry {
            what,
            causes: op.causes.iter().copied().collect(),
            generation: op.source.generation,
            source: op.source,
            from,
            outcome,
            phases: op.phases.clone(),
        }));
    }

    pub(super) fn view(&self, twin: TwinId) -> Option<TwinView> {
        let known = self.memory.twins.get(&twin)?;
        Some(TwinView {
            twin,
            slot: known.slot,
            source: known.source,
            pid: known.process.as_ref().map(|process| process.pid),
            port: known.port,
        })
    }

    pub(super) fn op_view(&self, op: &Op) -> TwinView {
        self.view(op.twin).unwrap_or_else(|| TwinView {
            twin: op.twin,
            slot: self.free_slot(),
            source: op.source,
            pid: None,
            port: None,
        })
    }

    pub(super) fn active_view(&self) -> Option<TwinView> {
        self.serving().and_then(|serving| self.view(serving.active))
    }

    pub(super) fn active_generation(&self) -> Option<Generation> {
        self.active_view().map(|view| view.source.generation)
    }

    pub(super) fn report_of(&self, twin: TwinId) -> ProbeReport {
        self.memory.twins.get(&twin).and_then(|twin| twin.report.clone()).unwrap_or_default()
    }

    /// The first of A and B that no live twin has.
    pub(super) fn free_slot(&self) -> Slot {
        let taken = |slot| self.memory.twins.values().any(|twin| twin.slot == slot);
        [Slot::A, Slot::B].into_iter().find(|slot| !taken(*slot)).unwrap_or(Slot::Extra)
    }

    pub(super) fn op(&self) -> Option<&Op> {
        match &self.state {
            State::Starting(op) => Some(op),
            State::Serving(serving) => serving.op.as_ref(),
            State::Stopped | State::Stopping(_) | State::Down(_) => None,
        }
    }

    pub(super) fn op_mut(&mut self) -> Option<&mut Op> {
        match &mut self.state {
            State::Starting(op) => Some(op),
            State::Serving(serving) => serving.op.as_mut(),
            State::Stopped | State::Stopping(_) | State::Down(_) => None,
        }
    }

    pub(super) fn serving(&self) -> Option<&Serving> {
        match &self.state {
            State::Serving(serving) => Some(serving),
            _ => None,
        }
    }

    pub(super) fn serving_mut(&mut self) -> Option<&mut Serving> {
        match &mut self.state {
            State::Serving(serving) => Some(serving),
            _ => None,
        }
    }

    /// Takes the waiters of an operation that ask for this.
    pub(super) fn take_waiters(&mut self, ask: Ask) -> Vec<Waiter> {
        self.op_mut().map_or_else(Vec::new, |op| {
            let (out, stay) = std::mem::take(&mut op.waiting).into_iter().partition(|waiter| waiter.ask == ask);
            op.waiting = stay;
            out
        })
    }
}
