//! Tasks: those that a twin runs for the client, and those of the client that a twin asked for. A task is owed until what
//! came of it was fetched; its end alone is not that.

use super::{Due, Owners, TASK, hash_of, named};
use crate::ids::TwinId;
use crate::relay::Relay;
use crate::relay::calls::Call;
use crate::relay::era::Era;
use crate::relay::frame;
use crate::relay::ids::{self, Token};
use crate::time::Moment;
use std::time::Duration;

/// A task of a twin.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) due: Due,
    pub(super) stage: Stage,
    /// The progress token of the request that began it, by hash: it stays valid.
    token: Option<u64>,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It runs.
    Running,
    /// Its end was told, but not what came of it: the client will ask.
    Ended,
    /// Nobody has anything more to ask.
    Over,
}

impl Stage {
    /// What a raw task says of itself (2025-11-25 and the extension use the same words).
    fn of(task: &str) -> Self {
        match frame::member(task, "status").and_then(frame::string).as_deref() {
            Some("cancelled") => Self::Over,
            // The extension tells what came of it with the end; in 2025-11-25 that is another request.
            Some("completed") if frame::member(task, "result").is_some() => Self::Over,
            Some("failed") if frame::member(task, "error").is_some() => Self::Over,
            Some("completed" | "failed") => Self::Ended,
            _ => Self::Running,
        }
    }
}

impl Owners {
    /// The twins that have tasks.
    pub(in crate::relay) fn task_twins(&self) -> Vec<TwinId> {
        let mut twins: Vec<TwinId> = self.tasks.by_key.values().map(|task| task.due.twin).collect();
        twins.sort_unstable();
        twins.dedup();
        twins
    }

    /// Whether this task, or this progress token of a task, is one of the twin's.
    pub(in crate::relay) fn has_task(&self, twin: TwinId, id: &u64) -> bool {
        self.tasks.by_key.get(id).is_some_and(|task| task.due.twin == twin)
    }

    pub(in crate::relay) fn has_progress(&self, twin: TwinId, token: &Token) -> bool {
        let token = Some(hash_of(token));
        let of = |task: &Task| task.due.twin == twin && task.stage == Stage::Running && task.token == token;
        self.tasks.by_key.values().any(of)
    }

    /// Who asked for this task of the client.
    pub(in crate::relay) fn borrower(&self, id: &u64) -> Option<TwinId> {
        self.lent.by_key.get(id).map(|due| due.twin)
    }
}

impl Relay {
    /// A call was answered with a task.
    pub(super) fn learn_task(&mut self, twin: TwinId, call: &Call, result: &str, now: Moment) {
        let task = match self.session.era {
            Era::Legacy => frame::member(result, "task"),
            Era::Modern => Some(result).filter(|result| frame::member(result, "resultType") == Some("\"task\"")),
        };
        let Some(task) = task else { return };
        let Some(id) = named(Some(task), &TASK) else { return };
        let lasts = frame::member(task, "ttl").or_else(|| frame::member(task, "ttlMs"));
        let lasts = lasts.and_then(ids::number).map(Duration::from_millis);
        let due = self.due(twin, lasts, now);
        let token = call.token.as_ref().map(hash_of);
        let gone = self.owners.tasks.insert(id, Task { due, stage: Stage::Running, token });
        self.undue(gone.into_iter().map(|task| task.due));
        self.task_reported(twin, task, now);
    }

    /// A twin answers how one of its tasks stands.
    pub(super) fn task_answered(&mut self, twin: TwinId, task: &str, now: Moment) {
        let Some(id) = named(Some(task), &TASK) else { return };
        match Stage::of(task) {
            Stage::Running => {}
            Stage::Ended => self.task_ended(twin, &id, now),
            Stage::Over => self.task_over(twin, &id),
        }
    }

    /// A twin tells by itself how one of its tasks stands. Clients poll all the same, whatever they were told.
    pub(in crate::relay) fn task_reported(&mut self, twin: TwinId, task: &str, now: Moment) {
        if let Some(id) = named(Some(task), &TASK).filter(|_| Stage::of(task) != Stage::Running) {
            self.task_ended(twin, &id, now);
        }
    }

    /// A task has ended. What came of it is owed for a while, but no longer than the task would have been.
    fn task_ended(&mut self, twin: TwinId, id: &u64, now: Moment) {
        let running = |task: &&Task| task.due.twin == twin && task.stage == Stage::Running;
        let Some(before) = self.owners.tasks.by_key.get(id).filter(running).map(|task| task.due) else { return };
        let after = self.due_sooner(before, now);
        if let Some(task) = self.owners.tasks.by_key.get_mut(id) {
            task.stage = Stage::Ended;
            task.due = after;
        }
    }

    /// What came of a task was fetched, or it is unknown to its twin. It is still found there.
    pub(super) fn task_over(&mut self, twin: TwinId, id: &u64) {
        let task = self.owners.tasks.by_key.get_mut(id).filter(|task| task.due.twin == twin);
        let Some(task) = task else { return };
        task.stage = Stage::Over;
        let due = task.due;
        task.due.until = None;
        self.undue([due]);
    }

    /// The client says how a task of its own stands. Its twin has to fetch what came of it.
    pub(in crate::relay) fn lent_reported(&mut self, id: &u64, task: &str, now: Moment) {
        match Stage::of(task) {
            Stage::Running => {}
            Stage::Ended => {
                let running = |due: &&Due| due.until.is_none();
                let Some(before) = self.owners.lent.by_key.get(id).filter(running).copied() else { return };
                let after = self.due_sooner(before, now);
                self.owners.lent.by_key.insert(*id, after);
            }
            Stage::Over => self.lent_over(id),
        }
    }

    /// What came of a task of the client was fetched, or it is of no use.
    pub(super) fn lent_over(&mut self, id: &u64) {
        let gone = self.owners.lent.remove(id);
        self.undue(gone);
    }
}
