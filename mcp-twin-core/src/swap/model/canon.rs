//! Names that do not matter are made the same, so that the search is finite and does not walk twice what only differs in
//! them: twins are numbered in the order of their use, writes from nought, operations not at all.

use super::super::state::{Debt, Life, Op, Serving, Stage, State, Twin, Why};
use super::world::{fault, source};
use super::*;
use crate::error::Fault;
use crate::ids::Slot;
use crate::swap::{Cause, TwinView};

/// Old and new numbers.
#[derive(Default)]
struct Names(Vec<TwinId>);

impl Names {
    fn add(&mut self, twin: TwinId) {
        if !self.0.contains(&twin) {
            self.0.push(twin);
        }
    }

    fn of(&self, twin: TwinId) -> TwinId {
        self.0.iter().position(|known| *known == twin).map_or(twin, id)
    }

    fn set(&self, twin: &mut TwinId) {
        *twin = self.of(*twin);
    }

    fn record(&self, record: &mut Record) {
        record.twins.iter_mut().for_each(|twin| self.set(&mut twin.twin));
        record.twins.sort_by_key(|twin| twin.twin);
        record.active.iter_mut().chain(&mut record.prev).for_each(|twin| self.set(twin));
        if let Some(op) = &mut record.op {
            op.id = OpId(0);
            op.causes.clear();
            op.twin.iter_mut().for_each(|twin| self.set(twin));
        }
        record.last_good = None;
        for twin in &mut record.twins {
            twin.slot = Slot::A;
            twin.last_exit = None;
            if Some(twin.twin) != record.active && Some(twin.twin) != record.prev {
                (twin.source, twin.process, twin.verified) = (source(0), None, false);
            }
        }
    }
}

/// Of a twin that ends nothing matters but that it lives.
fn unknown() -> Twin {
    Twin {
        slot: Slot::A,
        source: source(0),
        port: None,
        process: None,
        life: Life::Running,
        report: None,
        verified: false,
        debt: Debt::Unknown,
    }
}

fn id(index: usize) -> TwinId {
    TwinId(u32::try_from(index).unwrap())
}

impl World {
    /// The world with its names in order.
    pub(super) fn canonical(&mut self) {
        let procs = &self.procs;
        self.route = self.route.filter(|route| procs.contains_key(route));
        self.awaiting_idle = self.awaiting_idle.filter(|twin| procs.contains_key(twin));
        let mut names = Names::default();
        if let Some(front) = &mut self.front {
            front.each_twin(&mut |twin| names.add(*twin));
            front.memory.twins.keys().for_each(|twin| names.add(*twin));
        }
        for record in self.disk.iter().chain(self.writes.iter().map(|(_, record)| record)) {
            record.active.iter().chain(&record.prev).for_each(|twin| names.add(*twin));
            record.twins.iter().for_each(|twin| names.add(twin.twin));
        }
        self.procs.keys().for_each(|twin| names.add(*twin));
        self.moving.iter().chain(&self.moved).for_each(|(twin, _)| names.add(*twin));
        self.strangers.retain(|twin| names.0.contains(twin));
        self.forget();
        if let Some(front) = &mut self.front {
            front.rename(&names, self.writes.len());
        }
        self.disk.iter_mut().for_each(|record| names.record(Arc::make_mut(record)));
        let first = self.front.as_ref().map_or(0, |front| front.memory.next_seq) - self.writes.len() as u64;
        for (place, (seq, record)) in self.writes.iter_mut().enumerate() {
            *seq = PersistSeq(first + place as u64);
            names.record(Arc::make_mut(record));
        }
        self.procs = std::mem::take(&mut self.procs).into_iter().map(|(twin, proc)| (names.of(twin), proc)).collect();
        self.strangers = self.strangers.iter().map(|twin| names.of(*twin)).collect();
        self.route.iter_mut().chain(&mut self.awaiting_idle).for_each(|twin| names.set(twin));
        self.moving.iter_mut().chain(&mut self.moved).for_each(|(twin, _)| names.set(twin));
        self.build = self.build.map(|_| OpId(0));
    }
}

impl World {
    /// Of processes that are of no use any more nothing matters but that they live, and of those that retire what they owe.
    fn forget(&mut self) {
        let Some(front) = &self.front else { return };
        let booting = front.op().map(|op| op.twin);
        for (old, proc) in &mut self.procs {
            if proc.stopping && self.budget.crashes == 0 {
                *proc = Proc { stopping: true, unanswered: proc.unanswered, stage: proc.stage, ..Proc::new(0) };
            } else if Some(*old) != booting {
                proc.touched = false;
            }
        }
    }
}

impl Swap {
    fn rename(&mut self, names: &Names, writes: usize) {
        self.each_twin(&mut |twin| names.set(twin));
        let memory = &mut self.memory;
        memory.twins =
            std::mem::take(&mut memory.twins).into_iter().map(|(twin, known)| (names.of(twin), known)).collect();
        memory.next_twin = u32::try_from(names.0.len()).unwrap();
        memory.next_op = 1;
        memory.swaps = 0;
        memory.last_swap = None;
        // Writes on their way are the newest ones.
        let shift = memory.next_seq - writes as u64;
        memory.next_seq -= shift;
        memory.answered = memory.answered.saturating_sub(shift);
        self.each_write(&mut |seq| seq.0 = seq.0.wrapping_sub(shift));
        if let Some(op) = self.op_mut() {
            op.id = OpId(0);
            op.phases.clear();
            op.causes.retain(|cause| matches!(cause, Cause::Rollback | Cause::Reload));
        }
        self.forget();
    }

    /// What tells people something and decides nothing.
    fn forget(&mut self) {
        self.memory.last_good = None;
        self.memory.failed = None;
        self.memory.failures.streak = 0;
        let same = |told: &mut Fault| *told = fault();
        match &mut self.state {
            State::Serving(serving) => {
                serving.degraded.iter_mut().for_each(same);
                serving.bake.iter_mut().filter_map(|bake| bake.failed.as_mut()).for_each(same);
                if let Some(Why::Bake(why) | Why::Crash(why) | Why::Spare(why)) =
                    serving.flip.as_mut().map(|flip| &mut flip.why)
                {
                    same(why);
                }
            }
            State::Down(down) => same(&mut down.why),
            State::Stopping(stopping) => stopping.ended.clear(),
            State::Starting(_) | State::Stopped => {}
        }
        let retiring = self.memory.retiring.clone();
        for (id, twin) in &mut self.memory.twins {
            twin.slot = Slot::A;
            if matches!(twin.life, Life::Stopping { .. } | Life::Doomed) {
                *twin = Twin { life: twin.life.clone(), ..unknown() };
            }
            if retiring.contains(id) {
                twin.source = source(0);
            }
        }
    }

    fn each_twin(&mut self, see: &mut dyn FnMut(&mut TwinId)) {
        match &mut self.state {
            State::Serving(serving) => each_of_serving(serving, see),
            State::Starting(op) => each_of_op(op, see),
            State::Stopping(stopping) => stopping.ended.iter_mut().for_each(|view| see_view(view, see)),
            State::Stopped | State::Down(_) => {}
        }
        self.memory.retiring.iter_mut().for_each(see);
    }

    /// Whether the answer to this write is waited for.
    pub(super) fn waits_for(&mut self, seq: PersistSeq) -> bool {
        let mut waits = false;
        self.each_write(&mut |own| waits |= *own == seq);
        waits
    }

    fn each_write(&mut self, see: &mut dyn FnMut(&mut PersistSeq)) {
        if let State::Stopping(stopping) = &mut self.state {
            stopping.write.iter_mut().for_each(&mut *see);
        }
        if let Some(flip) = self.serving_mut().and_then(|serving| serving.flip.as_mut())
            && let super::super::state::FlipStage::Recording { seq, .. } = &mut flip.stage
        {
            see(seq);
        }
        if let Some(Stage::Recording { seq, .. } | Stage::Identifying { seq, .. } | Stage::Committing { seq, .. }) =
            self.op_mut().map(|op| &mut op.stage)
        {
            see(seq);
        }
    }
}

fn each_of_serving(serving: &mut Serving, see: &mut dyn FnMut(&mut TwinId)) {
    see(&mut serving.active);
    serving.prev.iter_mut().for_each(|prev| see(&mut prev.twin));
    serving.warm.iter_mut().for_each(&mut *see);
    serving.op.iter_mut().for_each(|op| each_of_op(op, see));
    serving.flip.iter_mut().for_each(|flip| see(&mut flip.to));
}

fn each_of_op(op: &mut Op, see: &mut dyn FnMut(&mut TwinId)) {
    see(&mut op.twin);
    op.replaced.iter_mut().for_each(|view| see_view(view, see));
    if let Stage::Clearing { old, .. } = &mut op.stage {
        see(old);
    }
}

fn see_view(view: &mut TwinView, see: &mut dyn FnMut(&mut TwinId)) {
    see(&mut view.twin);
}
