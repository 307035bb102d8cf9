//! The record: made from the state alone, so that it cannot disagree with it; and what follows when it was written or not.

use super::Swap;
use super::effect::{Effect, Notice};
use super::mistake::Mistake;
use super::record::{OpRecord, Phase, Record, SCHEMA, TwinRecord};
use super::state::{FlipStage, Life, Serving, Stage, State, Twin, Why};
use crate::error::{Code, Fault};
use crate::ids::{PersistSeq, TwinId};
use crate::time::Moment;
use std::time::Duration;

/// How long the answer to a write is waited for.
pub(super) const WRITE_WAIT: Duration = Duration::from_secs(5);
/// Between two tries to write a record that is not the truth.
const REWRITE: Duration = Duration::from_secs(1);
const REWRITE_HANGING: Duration = Duration::from_secs(30);

impl Swap {
    /// Writes the record of this moment; the answer carries the number back.
    pub(super) fn persist(&mut self) -> PersistSeq {
        let seq = PersistSeq(self.memory.next_seq);
        self.memory.next_seq += 1;
        let record = Box::new(self.record());
        self.out(Effect::Persist { seq, record });
        seq
    }

    /// What a crash must not take away, as of now.
    #[must_use]
    pub fn record(&self) -> Record {
        let (phase, active, prev) = self.route_of_record();
        let memory = &self.memory;
        let active_source = match active {
            Some(active) => memory.twins.get(&active).map(|twin| twin.source).or(memory.active_source),
            None => memory.active_source,
        };
        let op = self.op().filter(|op| !op.stage.in_window() && phase != Phase::Stopped);
        // As soon as it is being written, a commit counts, and with it what it leaves behind.
        let committing = self.op().filter(|op| op.stage.in_window() && phase == Phase::Commit);
        let (rejected, passed_over) = match committing {
            Some(op) => op.leaves(self.active_source()),
            None => (memory.rejected, memory.passed_over),
        };
        Record {
            schema: SCHEMA,
            epoch: memory.epoch,
            phase,
            active,
            active_source,
            prev,
            rejected,
            passed_over,
            baking: match phase {
                // A first twin has no trial: there is nothing to go back to.
                Phase::Commit => self.op_bakes(),
                _ => self.serving().is_some_and(|serving| serving.bake.is_some()),
            },
            op: op.map(|op| OpRecord {
                id: op.id,
                causes: op.causes.iter().copied().collect(),
                source: op.source,
                approved: op.approved,
                twin: memory.twins.contains_key(&op.twin).then_some(op.twin),
            }),
            twins: memory.twins.iter().map(|(id, twin)| twin_record(*id, twin)).collect(),
            last_good: memory.last_good,
        }
    }

    /// Phase, active and prev as the record has them: as soon as a commit or a rollback is being written it counts.
    fn route_of_record(&self) -> (Phase, Option<TwinId>, Option<TwinId>) {
        match &self.state {
            State::Stopped | State::Stopping(_) => (Phase::Stopped, None, None),
            State::Down(_) => (Phase::Serving, None, None),
            State::Starting(op) if op.stage.in_window() => (Phase::Commit, Some(op.twin), None),
            State::Starting(_) => (Phase::Intent, None, None),
            State::Serving(serving) => self.route_while_serving(serving),
        }
    }

    fn route_while_serving(&self, serving: &Serving) -> (Phase, Option<TwinId>, Option<TwinId>) {
        let prev = serving.prev.map(|prev| prev.twin);
        let active = Some(serving.active).filter(|active| self.memory.twins.contains_key(active));
        match (&serving.op, &serving.flip) {
            (Some(op), _) if op.stage.in_window() => (Phase::Commit, Some(op.twin), self.next_prev(serving)),
            (_, Some(flip)) if !matches!(flip.stage, FlipStage::Preparing { .. }) => match flip.why {
                Why::Command(_) => (Phase::Rollback, Some(flip.to), self.running(serving.active)),
                Why::Bake(_) | Why::Crash(_) => (Phase::Rollback, Some(flip.to), None),
                Why::Spare(_) | Why::Adopt => (Phase::Serving, Some(flip.to), prev),
            },
            (Some(_), _) => (Phase::Intent, active, prev),
            (None, _) => (Phase::Serving, active, prev),
        }
    }

    /// The write with this number is on disk.
    pub(super) fn persisted(&mut self, seq: PersistSeq, now: Moment) {
        if seq.0 >= self.memory.next_seq {
            return self.ignored("the answer to a write that was never asked for");
        }
        self.memory.answered = self.memory.answered.max(seq.0 + 1);
        if self.memory.answered == self.memory.next_seq {
            self.memory.dirty = None;
            if std::mem::take(&mut self.memory.state_off) {
                self.notice(Notice::StateOn);
            }
        }
        self.written(seq, now);
    }

    /// The write with this number failed.
    pub(super) fn persist_failed(&mut self, seq: PersistSeq, why: &str, now: Moment) {
        if seq.0 >= self.memory.next_seq {
            return self.ignored("the answer to a write that was never asked for");
        }
        self.memory.answered = self.memory.answered.max(seq.0 + 1);
        self.write_failed(seq, why, now);
    }

    /// A write failed or was not answered in time.
    pub(super) fn write_failed(&mut self, seq: PersistSeq, why: &str, now: Moment) {
        if !self.memory.state_off {
            self.memory.state_off = true;
            self.notice(Notice::StateOff { why: why.to_owned() });
        }
        if !self.policy.durable {
            self.written(seq, now);
            return;
        }
        if !self.mistake(Mistake::NoRewrite) {
            self.memory.dirty = Some(now + REWRITE);
        }
        let guarded = self.op().is_some_and(|op| match op.stage {
            Stage::Recording { seq: own, .. }
            | Stage::Identifying { seq: own, .. }
            | Stage::Committing { seq: own, .. } => own == seq,
            _ => false,
        });
        // While another twin serves, a swap that a crash would forget is refused; with nothing serving it goes on.
        if guarded && (self.active_runs() || self.mistake(Mistake::StartNeedsWrite)) {
            let fault = Fault::new(Code::NotPersisted, format!("the state file could not be written: {why}"))
                .with_help("make room or repair the permissions of the state folder, then reload");
            self.fail_op(fault, now);
        } else {
            self.written(seq, now);
        }
    }

    /// Writes a record that is not the truth once more.
    pub(super) fn rewrite(&mut self, now: Moment) {
        // A disk that hangs is not given much more to do.
        let hangs = self.memory.answered != self.memory.next_seq;
        self.memory.dirty = Some(now + if hangs { REWRITE_HANGING } else { REWRITE });
        self.persist();
    }

    /// Goes on with what waited for this write, if anything did.
    fn written(&mut self, seq: PersistSeq, now: Moment) {
        if let State::Stopping(stopping) = &self.state
            && stopping.write == Some(seq)
        {
            return self.end_all(now);
        }
        if let Some(flip) = self.serving().and_then(|serving| serving.flip.as_ref())
            && matches!(flip.stage, FlipStage::Recording { seq: own, .. } if own == seq)
        {
            return self.flip_recorded(now);
        }
        let stage = self.op().map(|op| op.stage.clone());
        match stage {
            Some(Stage::Recording { seq: own, .. }) if own == seq => self.intent_recorded(now),
            Some(Stage::Identifying { seq: own, .. }) if own == seq => self.identified(now),
            Some(Stage::Committing { seq: own, .. }) if own == seq => self.commit_recorded(now),
            _ => {}
        }
    }

    pub(super) fn active_runs(&self) -> bool {
        self.serving().is_some_and(|serving| self.running(serving.active).is_some())
    }

    /// The twin, if it runs.
    pub(super) fn running(&self, twin: TwinId) -> Option<TwinId> {
        self.memory.twins.get(&twin).is_some_and(Twin::running).then_some(twin)
    }
}

fn twin_record(id: TwinId, twin: &Twin) -> TwinRecord {
    TwinRecord {
        twin: id,
        slot: twin.slot,
        source: twin.source,
        port: twin.port,
        process: twin.process.clone(),
        verified: twin.verified,
        lists_hash: twin.report.as_ref().map_or(0, |report| report.lists_hash),
        last_exit: match &twin.life {
            Life::Dead(exit) => Some(exit.clone()),
            _ => None,
        },
        fault: None,
    }
}
