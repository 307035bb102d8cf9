//! Where a request of the client goes: to a twin, into the hold, or back with a reason.

use super::calls::{Call, Capability, Method, Place};
use super::opening::Opening;
use super::probe::Stage;
use super::{Relay, refusal};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;

/// Of a twin that does not read, requests are refused at `hold_bytes`, and its own are left unanswered at so many times that.
const DEAF: usize = 8;

/// Where new requests go.
#[derive(Debug)]
pub(super) enum Route {
    /// They wait.
    Holding,
    /// To this twin.
    To(TwinId),
    /// They are answered with this reason.
    Refusing(Fault),
}

/// Something that waits for a twin: a line, with our number in place of the client's.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) line: Box<[u8]>,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// An open call: its hold budget, or its time-out at the twin.
    Call(u64),
    /// The client's opening has waited long enough for a broken server.
    Opening,
    /// The ledger is being brought to a twin.
    Prepare(TwinId),
    /// A probe waits for the lists of the serving twin.
    Baseline(TwinId),
    /// The lists of this twin, which serves, are fetched for the first time.
    Lists(TwinId),
    /// Something that a twin handed out is owed no longer.
    Owned(u64),
}

/// What is done with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    To(TwinId),
    Hold,
    Refuse,
}

impl Relay {
    /// Where a message of the client goes now.
    ///
    /// Before any opening the twin that waits for one gets what the client sends, as it would without a front (servers
    /// differ in what they answer then). Behind an opening that is not answered yet everything waits for it.
    pub(super) fn target(&self) -> Target {
        match (&self.route, &self.opening) {
            (Route::To(twin), _) => Target::To(*twin),
            (Route::Holding, Opening::Waiting) => self.waiting_twin().map_or(Target::Hold, Target::To),
            (Route::Holding, _) | (_, Opening::Asked(_)) => Target::Hold,
            (Route::Refusing(_), _) => Target::Refuse,
        }
    }

    /// The twin that serves.
    pub(super) fn active(&self) -> Option<TwinId> {
        if let Route::To(twin) = self.route { Some(twin) } else { None }
    }

    /// Whether the queue to a twin is full.
    pub(super) fn is_stuck(&self, twin: TwinId) -> bool {
        self.twins.get(&twin).is_some_and(|twin| twin.out.waiting() > self.limits.hold_bytes)
    }

    /// Whether so much waits for a twin that not even what it asked for is queued to it.
    pub(super) fn is_deaf(&self, twin: TwinId) -> bool {
        self.twins.get(&twin).is_some_and(|twin| twin.out.waiting() / DEAF > self.limits.hold_bytes)
    }

    /// Puts a line into the hold; `false` if it is full.
    pub(super) fn keep(&mut self, number: u64, line: Box<[u8]>) -> bool {
        let full = self.held.len() >= self.limits.hold_requests
            || (!self.held.is_empty() && self.held_bytes + line.len() > self.limits.hold_bytes);
        if !full {
            self.keep_anyway(number, line);
        }
        !full
    }

    fn keep_anyway(&mut self, number: u64, line: Box<[u8]>) {
        self.held_bytes += line.len();
        self.held.insert(number, Held { line });
    }

    /// Takes a line out of the hold.
    pub(super) fn unhold(&mut self, number: u64) {
        if let Some(held) = self.held.remove(&number) {
            self.held_bytes -= held.line.len();
        }
    }

    /// When something held now is given up; not before the opening that it stands behind is answered.
    pub(super) fn hold_deadline(&self, now: Moment) -> Option<Moment> {
        if let Opening::Asked(_) = self.opening { None } else { Some(now + self.limits.hold) }
    }

    /// Writes a line to a twin as the call `number`.
    pub(super) fn send_call(&mut self, number: u64, line: &[u8], twin: TwinId, now: Moment) {
        let Some(state) = self.twins.get_mut(&twin) else { return };
        let start = state.out.end();
        state.out.push_bytes(line);
        state.out.mark(start, number);
        self.assign(number, twin, now);
    }

    /// The call `number` was queued to a twin.
    pub(super) fn assign(&mut self, number: u64, twin: TwinId, now: Moment) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.place = Place::Writing(twin);
        if let Some(state) = self.twins.get_mut(&twin) {
            state.calls += 1;
            if let Some(tally) = call.method.tally() {
                state.tallies[tally] += 1;
            }
        }
        let timeout = self.limits.call_timeout.filter(|_| call.method == Method::ToolCall);
        if call.deadline.is_some() || timeout.is_some() {
            self.set_deadline(number, timeout.map(|timeout| now + timeout));
        }
    }

    /// A call that no twin has seen, or that may go to a second one, looks for its way again.
    pub(super) fn reroute(&mut self, number: u64, line: Box<[u8]>, now: Moment) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.place = Place::Held;
        if self.is_opening(number) {
            self.opening_is_free(line, now);
            return;
        }
        match self.target() {
            Target::To(twin) if !self.is_closed(twin) => self.send_call(number, &line, twin, now),
            Target::Refuse => {
                if let Route::Refusing(fault) = &self.route {
                    let fault = refusal::down(fault);
                    self.fail(number, &fault, now);
                }
            }
            // It had its place already: the bounds are for new requests.
            _ => {
                self.keep_anyway(number, line);
                let at = self.hold_deadline(now);
                self.set_deadline(number, at);
            }
        }
    }

    /// Answers a call with an error of our own.
    pub(super) fn fail(&mut self, number: u64, fault: &Fault, now: Moment) {
        let Some(call) = self.close(number) else { return };
        if !self.list_in_place(&call, true) {
            self.turn_away(&call.id, call.method, fault);
        }
        self.after_close(call.method, call.owner(), now);
    }

    /// Delivers what is held.
    pub(super) fn release(&mut self, now: Moment) {
        let Target::To(twin) = self.target() else { return };
        for (number, held) in std::mem::take(&mut self.held) {
            self.held_bytes -= held.line.len();
            self.deliver_held(number, &held.line, twin, now);
        }
    }

    /// Delivers one held line.
    pub(super) fn deliver_held(&mut self, number: u64, line: &[u8], twin: TwinId, now: Moment) {
        match self.calls.get(&number).map(|call| call.needs) {
            None => {
                if let Some(state) = self.twins.get_mut(&twin) {
                    state.out.push_bytes(line);
                }
            }
            Some(needs) => match self.refused_by_loss(twin, needs) {
                Some(fault) => self.fail(number, &fault, now),
                None => self.send_call(number, line, twin, now),
            },
        }
    }

    /// Whether the twin has lost the capability of this method (a forced swap): the client gets "method not found".
    pub(super) fn refused_by_loss(&self, twin: TwinId, needs: Option<Capability>) -> Option<Fault> {
        let needs = needs?;
        self.twins.get(&twin)?.lost.contains(&needs).then(|| {
            Fault::new(
                Code::CapabilityLost,
                "method not found: the server no longer has this capability since the last swap",
            )
            .with_help("reconnect to see what the server offers now")
        })
    }

    pub(super) fn is_closed(&self, twin: TwinId) -> bool {
        self.twins.get(&twin).is_none_or(|twin| twin.out.is_shut())
    }

    /// Takes the route away from the twin that serves, if one does.
    pub(super) fn leave(&mut self, next: Route) {
        if let Some(state) = self.active().and_then(|active| self.twins.get(&active)) {
            self.known = state.lists.clone();
        }
        self.route = next;
    }

    pub(super) fn begin_refusal(&mut self, fault: Fault, now: Moment) {
        self.leave(Route::Refusing(fault.clone()));
        // Nothing serves and nothing is being started: whoever is left is being ended.
        self.twins.values_mut().for_each(|twin| twin.blamed = true);
        self.failed(&fault, now);
        if self.hopeless() {
            self.opening_expired(now);
        }
        self.refuse_held(now);
    }

    /// Whether nothing is worth waiting for: the command cannot run at all, or the server was stopped by command.
    pub(super) fn hopeless(&self) -> bool {
        matches!(&self.route, Route::Refusing(fault) if matches!(fault.code, Code::NotExecutable | Code::Stopped))
    }

    /// Answers what is held with the reason, unless it stands behind an unanswered opening.
    pub(super) fn refuse_held(&mut self, now: Moment) {
        let Route::Refusing(fault) = &self.route else { return };
        if self.target() != Target::Refuse {
            return;
        }
        let fault = refusal::down(fault);
        for (number, _) in std::mem::take(&mut self.held) {
            self.fail(number, &fault, now);
        }
        self.held_bytes = 0;
        self.refuse_listens(&fault);
    }

    /// Moves the route to a twin.
    pub(super) fn flip(&mut self, to: TwinId, now: Moment) -> Result<(), Fault> {
        let host = |what: &str| Err(Fault::new(Code::Host, what));
        match self.twins.get(&to) {
            None => return host("there is no such twin"),
            Some(state) if state.out.is_shut() => return host("the twin accepts no input any more"),
            Some(state) if !matches!(state.stage, Stage::Ready) => return host("the twin is not ready"),
            Some(_) => {}
        }
        if let Opening::Asked(asked) = &self.opening
            && self.calls.get(&asked.call).and_then(Call::owner) != Some(to)
            && self.active() != Some(to)
        {
            return host("the client's opening is not answered yet");
        }
        let from = self.active();
        if from == Some(to) {
            self.release(now);
            return Ok(());
        }
        self.failure = None;
        if let Some(from) = from.and_then(|from| self.twins.get_mut(&from)) {
            self.rate_before = from.rate;
            from.idle_wanted = false;
        }
        self.leave(Route::Holding);
        // What the client was told of the session came from this twin itself.
        let first = self.session.opener == Some(to) && !self.has_served(to);
        self.plan_changes(to, first);
        self.owed_changes[0] |= self.listed_alone();
        self.route = Route::To(to);
        if let Some(state) = self.twins.get_mut(&to) {
            state.served = true;
            state.draining = false;
            self.known = state.lists.clone();
        }
        self.learn_taken();
        self.preparing = None;
        self.forward_parked(to, now);
        self.release(now);
        self.send_owed_changes();
        self.tell_updated(to, first);
        self.listens_moved(to, !first);
        self.sync_ledger(to, now);
        self.want_baseline(to, now);
        Ok(())
    }

    /// Deadlines that have passed.
    pub(super) fn expire(&mut self, now: Moment) {
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Call(number) => self.call_expired(number, now),
                Timer::Opening => self.opening_expired(now),
                Timer::Prepare(twin) => self.prepare_expired(twin, now),
                Timer::Baseline(twin) => self.baseline_expired(twin),
                Timer::Lists(twin) => self.fetch_baseline(twin),
                Timer::Owned(key) => self.due_passed(key),
            }
        }
    }

    fn call_expired(&mut self, number: u64, now: Moment) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.deadline = None;
        match call.owner() {
            None if self.answer_merged(number, now) || self.agent_expired(number, now) => {}
            None => {
                // A ledger request that waited for a swap which did not come: the serving twin takes it.
                if let Some(twin) = self.active().filter(|twin| !self.is_closed(*twin))
                    && let Some(held) = self.held.remove(&number)
                {
                    self.held_bytes -= held.line.len();
                    self.deliver_held(number, &held.line, twin, now);
                    return;
                }
                let latest = self.failure.as_ref().map(|(_, fault)| fault);
                let fault = refusal::held_too_long(self.limits.hold.as_secs_f64(), latest);
                self.fail(number, &fault, now);
            }
            Some(twin) => {
                let seconds = self.limits.call_timeout.unwrap_or_default().as_secs_f64();
                let message = format!(
                    "the server did not answer within {seconds} s (`--call-timeout`) and the call was cancelled; it may have \
                     been carried out in part: check before you repeat it"
                );
                self.cancel_at(twin, number, "the call passed its time-out");
                self.fail(number, &Fault::new(Code::CallTimeout, message), now);
            }
        }
    }
}
