//! What the files do: changes that begin an operation, and those that come while one runs.

use super::Swap;
use super::begin::{Order, holds};
use super::effect::{Cause, Outcome};
use super::mistake::Mistake;
use super::state::{Ask, State};
use crate::error::{Code, Fault};
use crate::ids::Source;
use crate::time::Moment;

impl Swap {
    pub(super) fn touched(&mut self) {
        match self.op_mut() {
            Some(op) => op.touched = true,
            None => self.ignored("a file was touched while nothing is being prepared"),
        }
    }

    /// The watched files came to rest.
    pub(super) fn changed(&mut self, source: Source, now: Moment) {
        self.memory.files = Some(source);
        if self.in_window() || self.goes_first() {
            // Only the latest counts.
            self.memory.change = Some(source);
            return;
        }
        self.take_in(source, now);
    }

    /// Whether what is being prepared is committed before anything newer is tried: a first twin that has answered well, for
    /// the client has its answers; and one of unknown code, for nothing newer would fare better.
    pub(super) fn goes_first(&self) -> bool {
        match &self.state {
            State::Starting(op) => self.memory.twins.get(&op.twin).is_some_and(|twin| twin.report.is_some()),
            State::Serving(_) => {
                let unnamed = self.op().is_some_and(|op| op.source.hash.is_none());
                unnamed && self.memory.files.is_some_and(|files| files.hash.is_some()) && self.may_promote()
            }
            State::Stopped | State::Stopping(_) | State::Down(_) => false,
        }
    }

    /// A change that waited until the route was moved.
    pub(super) fn take_change(&mut self, now: Moment) -> bool {
        if self.goes_first() {
            return false;
        }
        let Some(source) = self.memory.change.take() else { return false };
        self.take_in(source, now);
        true
    }

    fn take_in(&mut self, source: Source, now: Moment) {
        if let Some(files) = self.op().and_then(|op| op.instead_of) {
            if holds(&files, &source) {
                return self.ignored("these files were passed over for a copy");
            }
            if self.serving().is_some() {
                self.drop_op(&Outcome::Superseded { by: source.generation }, now);
            }
        }
        match &self.state {
            State::Stopped if self.mistake(Mistake::ChangeStartsStopped) => {
                self.begin(source, Order { auto: true, ..Order::because(Cause::Change) }, now);
            }
            State::Stopped | State::Stopping(_) => self.ignored("a change while the server is stopped"),
            State::Down(_) => self.change_while_down(source, now),
            State::Starting(_) => self.change_while_starting(source, Some(Cause::Change), now),
            State::Serving(serving) if serving.op.as_ref().is_some_and(|op| !op.spare) => {
                self.change_while_preparing(source, now);
            }
            State::Serving(_) => self.change_while_serving(source, now),
        }
    }

    fn change_while_serving(&mut self, source: Source, now: Moment) {
        if self.is_active(&source) {
            self.memory.attempted = Some(source);
            if let Some(serving) = self.serving_mut() {
                serving.degraded = None;
            }
            return;
        }
        if self.is_rejected(&source) {
            return self.say_rejected(&source);
        }
        if self.memory.attempted.is_some_and(|attempted| attempted.same_code(&source)) {
            return self.ignored("these files were tried already");
        }
        self.drop_spare(now);
        let order = Order { auto: self.auto(), ..Order::because(Cause::Change) };
        self.begin(source, order, now);
    }

    fn change_while_preparing(&mut self, source: Source, now: Moment) {
        let Some(op) = self.op() else { return };
        if !holds(&op.source, &source) {
            if self.mistake(Mistake::NoDrop) {
                return;
            }
            return self.redirect(source, Some(Cause::Change), now);
        }
        // The same content: a saved change is promoted, also where a `reload` had begun it.
        let joins = self.auto() && !self.mistake(Mistake::NoJoin);
        let auto = joins && !self.is_rejected(&source) && !self.is_active(&source);
        if self.is_active(&source)
            && let Some(serving) = self.serving_mut()
        {
            serving.degraded = None;
        }
        if let Some(op) = self.op_mut() {
            op.auto |= auto;
            op.causes.insert(Cause::Change);
        }
    }

    /// The second look found other files, or touched ones.
    pub(super) fn files_moved(&mut self, source: Source, now: Moment) {
        let Some(op) = self.op() else { return };
        let (same, auto) = (holds(&op.source, &source), op.auto);
        if same {
            self.begin_again(source, auto, None, now);
        } else if matches!(self.state, State::Starting(_)) {
            self.change_while_starting(source, None, now);
        } else {
            self.redirect(source, None, now);
        }
    }

    /// The operation under way beside a serving twin is for files that are no more.
    fn redirect(&mut self, source: Source, cause: Option<Cause>, now: Moment) {
        let Some(op) = self.op() else { return };
        let (was_auto, spare) = (op.auto, op.spare);
        if spare {
            return self.drop_spare(now);
        }
        let wanted = self.reload_waits();
        if self.is_active(&source) && !self.mistake(Mistake::NoRevert) {
            self.memory.attempted = Some(source);
            if let Some(serving) = self.serving_mut() {
                serving.degraded = None;
            }
            if wanted {
                return self.begin_again(source, false, cause, now);
            }
            if let Some(active) = self.active_view() {
                self.drop_op(&Outcome::NothingNewer { active }, now);
                self.persist();
            }
        } else if self.is_rejected(&source) {
            if wanted || self.op().is_some_and(|op| op.waits_for(Ask::Swap)) {
                return self.begin_again(source, false, cause, now);
            }
            self.drop_op(&Outcome::Superseded { by: source.generation }, now);
            self.memory.attempted = Some(source);
            self.say_rejected(&source);
            self.persist();
        } else {
            let auto = was_auto || (cause == Some(Cause::Change) && self.auto());
            self.begin_again(source, auto, cause, now);
        }
    }

    /// Nothing serves, and the files are no longer what is being started.
    fn change_while_starting(&mut self, source: Source, cause: Option<Cause>, now: Moment) {
        if self.op().is_none_or(|op| holds(&op.source, &source)) {
            return;
        }
        if self.may_start(&source) {
            return self.begin_again(source, true, cause, now);
        }
        let Some(op) = self.take_op(now) else { return };
        let fault = unapproved();
        let outcome = self.failed(fault.clone());
        self.history(Cause::Start, &op, None, outcome.clone());
        self.reply_all(op.waiting, &outcome);
        self.go_down(fault, None, now);
    }

    fn change_while_down(&mut self, source: Source, now: Moment) {
        let State::Down(down) = &self.state else { return };
        if !self.may_start(&source) {
            return self.ignored("a change that waits for a `swap` or `reload`");
        }
        // What failed already is tried again by the back-off alone.
        let tried = self.memory.attempted.is_some_and(|attempted| attempted.same_code(&source));
        if tried && (down.retry_at.is_some() || self.exhausted(&source)) {
            return self.ignored("these files were tried already");
        }
        let order = Order { auto: true, ..Order::because(Cause::Change) };
        self.begin(source, order, now);
    }

    fn exhausted(&self, source: &Source) -> bool {
        self.memory.failures.source.is_some_and(|known| known.same_code(source))
    }

    fn say_rejected(&mut self, source: &Source) {
        let generation = source.generation;
        if let Some(serving) = self.serving_mut() {
            serving.degraded.get_or_insert_with(|| {
                Fault::new(Code::Superseded, format!("generation {generation} was rolled back"))
                    .with_help("change it, or take it all the same with `mcp-twin swap`")
            });
        }
        self.ignored("these files were rolled back");
    }
}

/// Under `promote = manual` only the source that was active starts by itself.
pub(super) fn unapproved() -> Fault {
    Fault::new(Code::Down, "the files changed while nothing served, and nobody has approved them")
        .with_help("start them with `mcp-twin swap`")
}
