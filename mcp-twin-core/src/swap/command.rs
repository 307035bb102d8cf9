//! The words of command: start, reload, swap, rollback, stop.

use super::Swap;
use super::begin::{Order, holds};
use super::effect::{Cause, Outcome};
use super::event::{Command, Kept};
use super::mistake::Mistake;
use super::state::{Ask, Deferred, Stage, State, Waiter};
use crate::error::{Code, Fault};
use crate::ids::{CommandId, Generation, Source};
use crate::time::Moment;

/// What a `swap` says about the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Approval {
    /// These are the files that it was said about.
    Given { force: bool },
    /// They changed since it was said.
    Outdated,
}

/// How many commands may wait for their answer.
const WAITING: usize = 64;

impl Swap {
    pub(super) fn command(&mut self, id: CommandId, command: Command, source: Source, now: Moment) {
        if self.waiting() >= WAITING {
            let outcome = self.failed(Fault::new(Code::Busy, "too many commands wait already"));
            return self.reply(id, outcome);
        }
        if command == Command::Stop {
            return self.stop(id, now);
        }
        if self.in_window() || self.comes_second(&command, &source) {
            self.memory.files = Some(source);
            return self.memory.deferred.push_back(Deferred { id, command, source });
        }
        self.obey(id, command, source, now);
    }

    /// Whether the command is about other code than a first twin's that has answered well, which serves before it: the
    /// client has its answers, and broken files must not take them away.
    fn comes_second(&self, command: &Command, source: &Source) -> bool {
        let other = self.op().is_some_and(|op| !holds(&op.source, source));
        match command {
            Command::Reload | Command::Swap { .. } | Command::Rollback { .. } => {
                other && matches!(self.state, State::Starting(_)) && self.goes_first()
            }
            Command::Start | Command::Stop => false,
        }
    }

    /// How many commands wait for their answer.
    fn waiting(&self) -> usize {
        let stopping = if let State::Stopping(stopping) = &self.state { stopping.waiting.len() } else { 0 };
        stopping + self.memory.deferred.len() + self.op().map_or(0, |op| op.waiting.len())
    }

    /// A command that waited until the route was moved.
    pub(super) fn take_deferred(&mut self, now: Moment) -> bool {
        let Some(Deferred { id, command, source }) = self.memory.deferred.pop_front() else { return false };
        // Only the latest files count; a word about others approves nothing.
        let files = self.memory.files.unwrap_or(source);
        if self.comes_second(&command, &files) {
            self.memory.deferred.push_front(Deferred { id, command, source });
            return false;
        }
        match command {
            Command::Swap { .. } if !holds(&source, &files) => self.swap(id, files, Approval::Outdated, now),
            command => self.obey(id, command, files, now),
        }
        true
    }

    fn obey(&mut self, id: CommandId, command: Command, source: Source, now: Moment) {
        self.memory.files = Some(source);
        match command {
            Command::Start => self.start(id, source, now),
            Command::Reload => self.reload(id, source, now),
            Command::Swap { force } => self.swap(id, source, Approval::Given { force }, now),
            Command::Rollback { to } => self.rollback(id, to, source, now),
            Command::Stop => self.stop(id, now),
        }
    }

    fn start(&mut self, id: CommandId, source: Source, now: Moment) {
        let waiter = Waiter { id, ask: Ask::Start };
        match &mut self.state {
            State::Serving(_) => {
                if let Some(active) = self.active_view() {
                    self.reply(id, Outcome::Started { active });
                }
            }
            State::Starting(op) => op.waiting.push(waiter),
            State::Stopped | State::Stopping(_) | State::Down(_) => {
                self.begin_start(source, Cause::Start, waiter, false, now)
            }
        }
    }

    fn begin_start(&mut self, source: Source, cause: Cause, waiter: Waiter, force: bool, now: Moment) {
        let order = Order { auto: true, approved: true, force, waiting: vec![waiter], ..Order::because(cause) };
        self.begin(source, order, now);
    }

    fn reload(&mut self, id: CommandId, source: Source, now: Moment) {
        let waiter = Waiter { id, ask: Ask::Reload };
        match &self.state {
            State::Stopped | State::Stopping(_) | State::Down(_) => {
                self.begin_start(source, Cause::Reload, waiter, false, now);
            }
            State::Starting(op) => {
                if !op.source.same_code(&source) {
                    self.restart(source, Cause::Reload, Approval::Given { force: false }, now);
                }
                self.wait(waiter);
            }
            State::Serving(serving) => match &serving.op {
                Some(op) if op.spare => {
                    self.drop_spare(now);
                    self.begin(source, Order { waiting: vec![waiter], ..Order::because(Cause::Reload) }, now);
                }
                Some(op) if op.source.same_code(&source) => self.join_reload(waiter),
                Some(op) => {
                    let auto = op.auto && !self.is_active(&source) && !self.is_rejected(&source);
                    self.wait(waiter);
                    self.begin_again(source, auto, Some(Cause::Reload), now);
                }
                None => self.begin(source, Order { waiting: vec![waiter], ..Order::because(Cause::Reload) }, now),
            },
        }
    }

    /// A `reload` of what is being prepared already hears how that ends.
    fn join_reload(&mut self, waiter: Waiter) {
        let active = self.active_view();
        let Some(op) = self.op_mut() else { return };
        op.causes.insert(Cause::Reload);
        let verified = matches!(
            op.stage,
            Stage::Verified { .. } | Stage::Yielding { .. } | Stage::Preparing { .. } | Stage::Crowded { .. }
        );
        if !verified {
            return op.waiting.push(waiter);
        }
        if let Some(op) = self.op() {
            let outcome = Outcome::Verified { active, standby: self.op_view(op), report: self.report_of(op.twin) };
            self.reply(waiter.id, outcome);
        }
    }

    fn swap(&mut self, id: CommandId, source: Source, approval: Approval, now: Moment) {
        let force = approval == Approval::Given { force: true };
        let waiter = Waiter { id, ask: Ask::Swap };
        match &self.state {
            State::Stopped | State::Stopping(_) | State::Down(_)
                if approval == Approval::Outdated && !self.may_start(&source) =>
            {
                let outcome = self.failed(super::change::unapproved());
                self.reply(id, outcome);
            }
            State::Stopped | State::Stopping(_) | State::Down(_) => {
                self.begin_start(source, Cause::Swap, waiter, force, now);
            }
            State::Starting(op) => {
                let unforced = force && !op.force && !probed(&op.stage);
                let started = approval != Approval::Outdated || self.may_start(&source);
                if started && (!holds(&op.source, &source) || unforced) {
                    self.restart(source, Cause::Swap, approval, now);
                }
                self.wait(waiter);
            }
            State::Serving(serving) => match &serving.op {
                Some(op) if !op.spare && holds(&op.source, &source) => self.join_swap(waiter, source, approval, now),
                Some(op) if !op.spare => self.swap_instead(waiter, source, approval, now),
                _ => self.swap_fresh(waiter, source, approval, now),
            },
        }
    }

    /// No standby: reload first, unless the files are what serves.
    fn swap_fresh(&mut self, waiter: Waiter, source: Source, approval: Approval, now: Moment) {
        if self.is_active(&source) {
            if let Some(serving) = self.serving_mut() {
                serving.degraded = None;
            }
            self.memory.attempted = Some(source);
            if let Some(active) = self.active_view() {
                self.reply(waiter.id, Outcome::NothingNewer { active });
            }
            return;
        }
        self.drop_spare(now);
        let (approved, force) = (approval != Approval::Outdated, approval == Approval::Given { force: true });
        let order = Order { approved, force, waiting: vec![waiter], ..Order::because(Cause::Swap) };
        self.begin(source, order, now);
    }

    /// The operation under way is for other files than those that somebody asks for.
    fn swap_instead(&mut self, waiter: Waiter, source: Source, approval: Approval, now: Moment) {
        if self.is_active(&source) && !self.reload_waits() {
            self.redirect_to_active(source, now);
            if let Some(active) = self.active_view() {
                self.reply(waiter.id, Outcome::NothingNewer { active });
            }
            return;
        }
        self.wait(waiter);
        self.restart(source, Cause::Swap, approval, now);
    }

    fn redirect_to_active(&mut self, source: Source, now: Moment) {
        self.memory.attempted = Some(source);
        if let Some(serving) = self.serving_mut() {
            serving.degraded = None;
        }
        if let Some(active) = self.active_view() {
            self.drop_op(&Outcome::NothingNewer { active }, now);
            self.persist();
        }
    }

    /// What is prepared, or stands by, is approved.
    fn join_swap(&mut self, waiter: Waiter, source: Source, approval: Approval, now: Moment) {
        let Approval::Given { force } = approval else {
            // It hears what a `reload` would hear: verified, and waiting for a word about these very files.
            return self.join_reload(Waiter { ask: Ask::Reload, ..waiter });
        };
        let Some(op) = self.op_mut() else { return };
        // Somebody who has seen what it breaks takes it.
        let seen = matches!(op.stage, Stage::Verified { .. });
        op.causes.insert(Cause::Swap);
        op.approved = true;
        op.accept_breaking |= force || seen;
        op.waiting.push(waiter);
        let unforced = force && !op.force && !probed(&op.stage);
        let asked = matches!(op.stage, Stage::Warming { .. });
        op.force |= force;
        if unforced && asked {
            let auto = op.auto;
            self.begin_again(source, auto, Some(Cause::Swap), now);
        }
    }

    /// Begins again with these files, approved.
    fn restart(&mut self, source: Source, cause: Cause, approval: Approval, now: Moment) {
        let auto = self.op().is_some_and(|op| op.auto);
        self.begin_again(source, auto, Some(cause), now);
        if let Approval::Given { force } = approval
            && let Some(op) = self.op_mut()
        {
            op.approved = true;
            op.force |= force;
        }
    }

    fn wait(&mut self, waiter: Waiter) {
        if let Some(op) = self.op_mut() {
            op.waiting.push(waiter);
        }
    }

    /// Back to the previous generation, or to the one named.
    fn rollback(&mut self, id: CommandId, to: Option<Generation>, source: Source, now: Moment) {
        if matches!(self.state, State::Stopped) {
            let fault = Fault::new(Code::Stopped, "the server is stopped").with_help("start it with `mcp-twin reload`");
            let outcome = self.failed(fault);
            return self.reply(id, outcome);
        }
        let prev = self.serving().and_then(|serving| serving.prev).and_then(|prev| self.running(prev.twin));
        let prev_source = prev.and_then(|prev| self.memory.twins.get(&prev)).map(|twin| twin.source);
        let active = self.active_view();
        if let (Some(active), Some(to)) = (&active, to)
            && active.source.generation == to
        {
            return self.reply(id, Outcome::NothingNewer { active: active.clone() });
        }
        if let (Some(prev), Some(known)) = (prev, prev_source)
            && to.is_none_or(|to| known.generation == to)
        {
            self.pass_over(source, &known, now);
            return self.flip_to(prev, super::state::Why::Command(id), now);
        }
        let serves = self.active_source().or(self.memory.active_source);
        let other = |source: &&Source| !serves.is_some_and(|serves| serves.same_code(source));
        let before = self.memory.prev_source.or_else(|| self.memory.served.iter().find(other).copied());
        let wanted = to.or(before.map(|source| source.generation));
        let Some(wanted) = wanted else {
            let fault = Fault::new(Code::NoPrevious, "nothing served before this generation");
            let outcome = self.failed(fault);
            return self.reply(id, outcome);
        };
        if source.hash.is_none() || source.generation != wanted {
            let copy = self.memory.kept.iter().rev().find(|kept| kept.source.generation == wanted);
            let why_not = match copy {
                Some(Kept { source: kept, why_not: None }) => return self.go_back_to_copy(id, *kept, source, now),
                Some(Kept { why_not: Some(why), .. }) => why.clone(),
                None => "no copy of it was kept".to_owned(),
            };
            let mut help = "restore its files, for example with git, then `mcp-twin swap`".to_owned();
            if let Some(kept) = prev_source {
                help += &format!("; generation {} is kept and can be gone back to at once", kept.generation);
            }
            let fault =
                Fault::new(Code::CodeGone, format!("the code of generation {wanted} is no longer there: {why_not}"));
            let outcome = self.failed(fault.with_help(help));
            return self.reply(id, outcome);
        }
        let waiter = Waiter { id, ask: Ask::Rollback };
        if self.serving().is_some() {
            self.end_op_for_rollback(source.generation, now);
            let order = Order {
                approved: true,
                accept_breaking: true,
                waiting: vec![waiter],
                ..Order::because(Cause::Rollback)
            };
            self.begin(source, order, now);
        } else if matches!(self.state, State::Starting(_)) {
            self.wait(waiter);
            if self.op().is_some_and(|op| !op.source.same_code(&source)) {
                self.restart(source, Cause::Rollback, Approval::Given { force: false }, now);
            }
        } else {
            self.begin_start(source, Cause::Rollback, waiter, false, now);
        }
    }

    /// The copy that was kept of this code is started, whatever the files hold.
    fn go_back_to_copy(&mut self, id: CommandId, kept: Source, files: Source, now: Moment) {
        let mut waiting = vec![Waiter { id, ask: Ask::Rollback }];
        self.memory.change = None;
        if self.serving().is_some() {
            self.end_op_for_rollback(kept.generation, now);
        } else if matches!(self.state, State::Starting(_))
            && let Some(op) = self.take_op(now)
        {
            // Who waits for a start hears of this one.
            waiting.splice(0..0, op.waiting);
        }
        let order = Order {
            auto: self.serving().is_none(),
            approved: true,
            accept_breaking: true,
            waiting,
            instead_of: Some(files),
            ..Order::because(Cause::Rollback)
        };
        self.begin(kept, order, now);
    }

    /// A rollback ends what is being prepared, and what the files hold counts as seen.
    fn pass_over(&mut self, files: Source, target: &Source, now: Moment) {
        if self.mistake(Mistake::RollbackKeepsOp) {
            return self.memory.rejected = self.active_source();
        }
        self.end_op_for_rollback(target.generation, now);
        self.memory.change = None;
        self.memory.attempted = Some(files);
        if self.mistake(Mistake::NoRejected) {
            return;
        }
        let left = self.active_source();
        let known = target.same_code(&files) || left.is_some_and(|left| left.same_code(&files));
        self.memory.passed_over = Some(files).filter(|_| !known);
        self.memory.rejected = left;
    }

    fn end_op_for_rollback(&mut self, target: Generation, now: Moment) {
        self.drop_op(&Outcome::Superseded { by: target }, now);
    }
}

/// Whether the probe of the operation has passed.
fn probed(stage: &Stage) -> bool {
    !matches!(
        stage,
        Stage::Pausing { .. }
            | Stage::Recording { .. }
            | Stage::Building { .. }
            | Stage::Room { .. }
            | Stage::Spawning { .. }
            | Stage::Identifying { .. }
            | Stage::Clearing { .. }
            | Stage::Warming { .. }
    )
}
