//! One twin as a session sees it, and its life: attached, gone.

use super::bake::Trial;
use super::calls::{Capability, Method};
use super::client::excerpt;
use super::frame::{Beginning, Frame, Kind, Unreadable};
use super::ids;
use super::ledger::Ledger;
use super::lists::{Fetch, Lists};
use super::outbox::Outbox;
use super::probe::{Stage, What};
use super::refusal::INVALID_REQUEST;
use super::route::Route;
use super::{Relay, RelayEvent, refusal};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A twin's requests that wait for its commit are bounded in number and bytes.
const PARKED: (usize, usize) = (64, 1 << 20);

/// One twin.
#[derive(Debug, Default)]
pub(super) struct Twin {
    pub(super) out: Outbox,
    pub(super) stage: Stage,
    /// It was sent `notifications/initialized`.
    pub(super) initialized: bool,
    /// New requests went, or go, to it.
    pub(super) served: bool,
    /// Open calls of the client.
    pub(super) calls: usize,
    /// How many of them there are of each tally.
    pub(super) tallies: [usize; 4],
    /// Open requests to the client.
    pub(super) asks: usize,
    /// Open calls of the front's own.
    pub(super) tools: usize,
    /// What it declared.
    pub(super) capabilities: Map<String, Value>,
    /// Capabilities that the client was told of and that it lacks.
    pub(super) lost: Vec<Capability>,
    pub(super) lists: Lists,
    /// Lists that are being fetched from it.
    pub(super) fetches: BTreeMap<super::diff::ListKind, Fetch>,
    pub(super) ledger: Ledger,
    /// Requests of the ledger that it has not answered.
    pub(super) ledger_open: usize,
    /// Subscriptions that it refused.
    pub(super) unsubscribed: Vec<Box<str>>,
    /// Its requests that wait for the commit, as it wrote them.
    pub(super) parked: Vec<Box<[u8]>>,
    pub(super) draining: bool,
    /// Why it is no good was said already, and it is being ended: how it ends says nothing more.
    pub(super) blamed: bool,
    pub(super) idle_wanted: bool,
    /// Calls it answered, and how many with an error.
    pub(super) rate: (u32, u32),
    pub(super) trial: Option<Trial>,
}

impl Relay {
    pub(super) fn read_twin(&mut self, twin: TwinId, line: &[u8], now: Moment) {
        if !self.twins.contains_key(&twin) {
            return;
        }
        match Frame::read(line) {
            Ok(frame) => self.twin_frame(twin, &frame, now),
            Err(Unreadable::Blank) => {}
            Err(Unreadable::Batch) if self.twin_batch(twin, line, now) => {}
            Err(_) => {
                self.event(RelayEvent::Junk(twin, excerpt(line)));
                self.count_unreadable(twin, line);
            }
        }
    }

    pub(super) fn twin_frame(&mut self, twin: TwinId, frame: &Frame<'_>, now: Moment) {
        match &frame.kind {
            Kind::Answer { id } => self.twin_answer(twin, frame, id, now),
            Kind::Notification { method } => self.twin_notification(twin, frame, method, now),
            Kind::Request { id, method } => self.twin_request(twin, frame, id, method, now),
        }
    }

    fn twin_request(&mut self, twin: TwinId, frame: &Frame<'_>, raw_id: &str, name: &str, now: Moment) {
        let line = frame.text.as_bytes();
        let active = self.active() == Some(twin) || self.session.opener == Some(twin) && !self.has_served(twin);
        let Some(state) = self.twins.get(&twin) else { return };
        let owes = || self.owners.owes(twin);
        let busy = !active && state.served && (state.calls > 0 || state.asks > 0 || owes());
        let Some(state) = self.twins.get_mut(&twin) else { return };
        if !active && name == "ping" {
            self.answer_twin(twin, &format!("{{\"jsonrpc\":\"2.0\",\"id\":{raw_id},\"result\":{{}}}}"));
        } else if active || busy || name == "roots/list" {
            self.ask_client(twin, frame, raw_id, now);
        } else if state.served {
            let fault = Fault::new(Code::Down, "a newer server process has taken over; this request is refused");
            self.refuse_ask(twin, raw_id, &fault);
        } else {
            let bytes: usize = state.parked.iter().map(|line| line.len()).sum();
            if state.parked.len() < PARKED.0 && bytes + line.len() <= PARKED.1 {
                state.parked.push(line.into());
            } else {
                let fault = Fault::new(Code::Busy, "too many requests before this server process has taken over");
                self.refuse_ask(twin, raw_id, &fault);
            }
        }
    }

    pub(super) fn has_served(&self, twin: TwinId) -> bool {
        self.twins.get(&twin).is_some_and(|twin| twin.served)
    }

    /// What a standby asked before the commit goes to the client now.
    pub(super) fn forward_parked(&mut self, twin: TwinId, now: Moment) {
        let parked = self.twins.get_mut(&twin).map(|twin| std::mem::take(&mut twin.parked)).unwrap_or_default();
        for line in parked {
            if let Ok(frame) = Frame::read(&line)
                && let Kind::Request { id, .. } = frame.kind
            {
                self.ask_client(twin, &frame, id, now);
            }
        }
    }

    pub(super) fn refuse_oversize_of_twin(&mut self, twin: TwinId, beginning: &[u8], now: Moment) {
        let read = Beginning::read(beginning);
        let fault = Fault::new(Code::TooLarge, "the server's message is larger than `max_message` and was dropped")
            .with_help("let the server answer with less, or raise `--max-message`");
        self.log(twin, format!("a message larger than `max_message` was dropped: {}", excerpt(beginning)));
        if let (true, Some(id)) = (read.method, read.id) {
            return self.refuse_ask(twin, id, &fault);
        }
        let mine = |number: &u64| {
            self.calls.get(number).is_some_and(|call| call.owner() == Some(twin))
                || self.errands.get(number).is_some_and(|errand| errand.twin == twin)
        };
        let named = read.id.filter(|_| !read.method).and_then(ids::number).filter(mine);
        // Some servers write the id behind the result. If the twin owes only one answer, it is this one.
        let only = || {
            let calls = self.calls.iter().filter(|(_, call)| call.owner() == Some(twin)).map(|(number, _)| *number);
            let errands = self.errands.iter().filter(|(_, errand)| errand.twin == twin).map(|(number, _)| *number);
            let mut open = calls.chain(errands);
            open.next().filter(|_| open.next().is_none())
        };
        let number = match named {
            Some(number) => Some(number),
            None if read.answer && read.id.is_none() => only(),
            None => None,
        };
        let Some(number) = number else { return };
        if self.errands.contains_key(&number) {
            let error = refusal::object(INVALID_REQUEST, &fault);
            self.errand_answered(number, Err(&error), now);
        } else if self.is_opening(number) {
            let error = refusal::object(INVALID_REQUEST, &fault);
            self.opening_refused(number, twin, &error, None, now);
        } else {
            self.fail(number, &fault, now);
        }
    }

    pub(super) fn input_closed(&mut self, twin: TwinId, now: Moment) {
        let Some(state) = self.twins.get_mut(&twin) else { return };
        if state.out.is_shut() {
            return;
        }
        let unseen = state.out.shut();
        if self.active() == Some(twin) {
            self.leave(Route::Holding);
        }
        self.reroute_unseen(twin, unseen, now);
        self.check_drained(twin);
        self.check_idle(twin, now);
    }

    fn reroute_unseen(&mut self, twin: TwinId, unseen: Vec<(u64, Box<[u8]>)>, now: Moment) {
        for (number, line) in unseen {
            // A call that the client cancelled meanwhile is no longer in the ledger: dropped.
            if let Some(method) = self.calls.get(&number).map(|call| call.method) {
                self.unassign(method, twin);
                self.reroute(number, line, now);
            }
        }
    }

    pub(super) fn gone(&mut self, twin: TwinId, fault: &Fault, now: Moment) {
        self.input_closed(twin, now);
        let Some(mut state) = self.twins.remove(&twin) else { return };
        if self.session.opener == Some(twin) {
            self.session.opener = None;
        }
        if self.active().is_none() {
            let known = self.failure.as_ref().filter(|_| state.blamed).map(|(_, known)| known.clone());
            self.failed(known.as_ref().unwrap_or(fault), now);
        }
        let open: Vec<u64> =
            self.calls.iter().filter(|(_, call)| call.owner() == Some(twin)).map(|(number, _)| *number).collect();
        let mut lists = false;
        for number in open {
            let Some(call) = self.calls.get_mut(&number) else { continue };
            lists |= matches!(call.method, Method::List(_));
            if self.may_go_again(number)
                && let Some(line) = self.calls.get_mut(&number).and_then(|call| call.again.clone())
            {
                self.reroute(number, line, now);
            } else if let Some(call) = self.calls.get(&number) {
                let lost = refusal::lost(call.method, fault);
                self.lose(number, &lost, now);
            }
        }
        self.cancel_asks(twin, "the server process that asked has ended");
        self.tools_lost(twin, fault);
        let left: Vec<u64> = self
            .errands
            .extract_if(.., |_, errand| errand.twin == twin)
            .filter_map(|(_, errand)| match errand.what {
                What::Tasks(of) => Some(of),
                _ => None,
            })
            .collect();
        for list in left {
            self.lister_done(list, now);
        }
        self.drop_streams(twin);
        self.forget_owed(twin);
        self.twin_left(twin, &mut state, fault, now);
        if lists {
            self.send_owed_changes();
        }
    }

    /// Whether a call that a dead twin had seen may go to another one: no effect to fear, and at most once more. The
    /// opening goes to each new twin, for without it there is no session; its own grace bounds that.
    fn may_go_again(&self, number: u64) -> bool {
        let Some(call) = self.calls.get(&number) else { return false };
        #[cfg(test)]
        if let Some(answer) = self.mutate_repeat(call) {
            return answer;
        }
        self.is_opening(number) || (call.method.may_repeat() && call.deliveries < 2)
    }

    pub(super) fn lose(&mut self, number: u64, fault: &Fault, now: Moment) {
        #[cfg(test)]
        if self.mutant == Some(super::tests::Mutant::Silent) {
            self.close(number);
            return;
        }
        self.fail(number, fault, now);
    }

    /// Whoever waited for something of this twin hears that nothing will come.
    fn twin_left(&mut self, twin: TwinId, state: &mut Twin, fault: &Fault, now: Moment) {
        if state.draining {
            self.event(RelayEvent::Drained(twin));
        }
        if state.idle_wanted {
            self.event(RelayEvent::Idle(twin));
        }
        if state.stage.is_probing() {
            let code = if fault.code == Code::Crashed { Code::ExitedEarly } else { fault.code };
            self.event(RelayEvent::NotReady(twin, Fault { code, ..fault.clone() }));
        }
        self.prepare_lost(twin, fault, now);
        self.baseline_lost(now);
    }
}
