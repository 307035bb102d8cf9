//! What comes from the client.

use super::calls::{Call, Capability, Method, Place, progress_token};
use super::diff::ListKind;
use super::frame::{self, Beginning, Frame, Kind, Unreadable};
use super::ids::{self, ClientId, Token};
use super::lists::notice_of;
use super::opening::Opening;
use super::outbox::Digits;
use super::owners::{Owner, TASK, named};
use super::refusal::{INVALID_REQUEST, PARSE_ERROR};
use super::route::{Route, Target};
use super::twin::Twin;
use super::{Relay, refusal};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;

impl Relay {
    pub(super) fn read_client(&mut self, line: &[u8], now: Moment) {
        let bad = |message: String| Fault::new(Code::BadMessage, message);
        match Frame::read(line) {
            Ok(frame) => self.client_frame(&frame, now),
            Err(Unreadable::Blank) => {}
            Err(Unreadable::NotJson(why)) => {
                self.answer_null(PARSE_ERROR, &bad(format!("the message is not JSON: {why}")));
            }
            Err(Unreadable::Batch) if self.reading.is_none() => self.client_batch(line, now),
            Err(Unreadable::Batch) => {
                self.answer_null(INVALID_REQUEST, &bad("a batch in a batch is no message".to_owned()));
            }
            Err(Unreadable::Invalid(id, why)) => {
                let fault = bad(format!("the message is not MCP: {why}"));
                match id.map(ClientId::read).filter(|id| !self.names.contains_key(&id.token)) {
                    Some(mut id) => {
                        self.join_batch(&mut id);
                        self.answer_error(&id, &fault);
                    }
                    None => self.answer_null(INVALID_REQUEST, &fault),
                }
            }
        }
    }

    pub(super) fn client_frame(&mut self, frame: &Frame<'_>, now: Moment) {
        match &frame.kind {
            Kind::Request { id, method } => self.client_request(frame, id, method, now),
            Kind::Notification { method } => self.client_notification(frame, method, now),
            Kind::Answer { id } => self.client_answer(frame, id, now),
        }
    }

    fn client_request(&mut self, frame: &Frame<'_>, raw_id: &str, name: &str, now: Moment) {
        let mut id = ClientId::read(raw_id);
        if self.names.contains_key(&id.token) {
            // Under its id the client would take the refusal for the answer to the first request.
            let message = format!("a request with the id {raw_id} is still open; this second one ({name}) was dropped");
            self.answer_null(INVALID_REQUEST, &Fault::new(Code::BadMessage, message));
            return;
        }
        self.join_batch(&mut id);
        let method = Method::of(name);
        if let Some(fault) = self.too_many().or_else(|| self.refused_as_too_much(method)) {
            return self.turn_away(&id, method, &fault);
        }
        match method {
            // Never forwarded: a server that has chosen the handshake may refuse it.
            Method::Discover if self.is_legacy() => return self.refuse_discovery(&id),
            Method::Discover if matches!(self.opening, Opening::Waiting) => {
                // One without metadata goes to the twin as it is: it settles nothing.
                if let Some(envelope) = self.settling(frame.params) {
                    return self.ask_discovery(frame, id, raw_id, *envelope, now);
                }
            }
            Method::Initialize if !self.limits.many => return self.ask_initialize(frame, id, raw_id, now),
            Method::List(kind) => {
                self.stale[notice_of(kind)] = false;
                self.listed[notice_of(kind)] = true;
            }
            _ => {}
        }
        if let Opening::Answered = self.opening {
            self.complete_opening(None, now);
        }
        if let Some(tool) = self.agent_tool(method, frame.params) {
            return self.call_agent(frame, id, raw_id, tool, now);
        }
        if self.lists_alone(method, frame.params) {
            return self.list_alone(&id, frame.params);
        }
        let needs = Capability::of(name);
        let mut target = match self.owner_of(method, frame.params) {
            Owner::Any => self.target(),
            Owner::Twin(twin) => Target::To(twin),
            Owner::Gone(fault) => return self.turn_away(&id, method, &fault),
        };
        if let Some(twins) = self.task_listers(method, frame.params) {
            return self.merge_tasks(id, frame.params, &twins, now);
        }
        if method.is_ledger() && matches!(target, Target::To(_)) && self.ledger_queues() {
            target = Target::Hold;
        }
        match target {
            Target::To(twin)
                if method == Method::Listen && (self.is_modern() || self.settling(frame.params).is_some()) =>
            {
                self.client_listens(frame, id, raw_id, Some(twin));
            }
            Target::Hold if method == Method::Listen && !self.is_legacy() => {
                self.client_listens(frame, id, raw_id, None);
            }
            Target::To(twin) => {
                if let Some(fault) = self.refused_by_loss(twin, needs) {
                    return self.turn_away(&id, method, &fault);
                }
                if self.is_closed(twin) {
                    return self.hold_request(frame, id, raw_id, method, needs, now);
                }
                if self.is_stuck(twin) {
                    let message = "the server does not read its input and too much waits for it; the request was not delivered \
                                   and can be repeated safely";
                    return self.turn_away(&id, method, &Fault::new(Code::Busy, message));
                }
                let number = self.number();
                let digits = Digits::new(number);
                let repeats = self.keeps_line(method);
                let Some(state) = self.twins.get_mut(&twin) else { return };
                let start = state.out.end();
                state.out.splice(frame.text, &mut [(frame.span(raw_id), digits.bytes())]);
                state.out.mark(start, number);
                let again = repeats.then(|| {
                    let line = state.out.last_line(start);
                    line.into()
                });
                self.open_call(number, id, (method, needs), frame.params, again, now);
                self.assign(number, twin, now);
            }
            Target::Hold if method == Method::Ping => self.answer(&id, "result", "{}"),
            Target::Hold => self.hold_request(frame, id, raw_id, method, needs, now),
            Target::Refuse if method == Method::Ping => self.answer(&id, "result", "{}"),
            Target::Refuse => {
                if let Route::Refusing(fault) = &self.route {
                    let fault = refusal::down(fault);
                    self.turn_away(&id, method, &fault);
                }
            }
        }
    }

    /// Why a request of this method is not taken, if it would be queued to a twin that does not read, or be kept for
    /// longer than it is open.
    fn refused_as_too_much(&self, method: Method) -> Option<Fault> {
        let stuck = |twin: Option<TwinId>| twin.is_some_and(|twin| self.is_stuck(twin));
        let message = match method {
            Method::Initialize | Method::Discover | Method::Listen
                if stuck(self.active()) || stuck(self.waiting_twin()) =>
            {
                "the server does not read its input and too much waits for it; the request was not delivered and can be \
                 repeated safely"
            }
            Method::Subscribe if self.has_many_subscriptions() => {
                "too many subscriptions are open; end one before you open another"
            }
            _ => return None,
        };
        Some(Fault::new(Code::Busy, message))
    }

    fn hold_request(
        &mut self,
        frame: &Frame<'_>,
        id: ClientId,
        raw_id: &str,
        method: Method,
        needs: Option<Capability>,
        now: Moment,
    ) {
        let number = self.number();
        let line = respell(frame, raw_id, number);
        let again = self.keeps_line(method).then(|| line.clone());
        if self.keep(number, line) {
            self.open_call(number, id, (method, needs), frame.params, again, now);
            let at = self.hold_deadline(now);
            self.set_deadline(number, at);
        } else {
            let message =
                "too many requests wait for the server to start; this one was not delivered and can be repeated safely";
            self.turn_away(&id, method, &Fault::new(Code::Busy, message));
        }
    }

    /// Whether the line is kept after it was written, for a second twin.
    fn keeps_line(&self, method: Method) -> bool {
        #[cfg(test)]
        if self.mutant == Some(super::tests::Mutant::ReplayAll) {
            return true;
        }
        method.may_repeat()
    }

    /// Enters a request into the ledger.
    pub(super) fn open_call(
        &mut self,
        number: u64,
        id: ClientId,
        (method, needs): (Method, Option<Capability>),
        params: Option<&str>,
        again: Option<Box<[u8]>>,
        now: Moment,
    ) {
        let token = progress_token(params).map(Token::read);
        if let Some(token) = &token {
            self.tokens.insert(token.clone(), number);
        }
        let entry = match method {
            Method::SetLevel => params.and_then(|params| frame::member(params, "level")),
            Method::Subscribe | Method::Unsubscribe => params.and_then(|params| frame::member(params, "uri")),
            Method::Task | Method::TaskResult => params.and_then(|params| frame::member(params, "taskId")),
            Method::List(ListKind::Tools) if self.announces() => {
                params.and_then(|params| frame::member(params, "cursor")).filter(|cursor| *cursor != "null")
            }
            _ => None,
        };
        self.names.insert(id.token.clone(), number);
        let entry = entry.map(Into::into);
        let settles = if method == Method::Discover { None } else { self.settling(params) };
        let state = self.state_of(method, params);
        let place = Place::Held;
        let call = Call {
            id,
            method,
            needs,
            place,
            began: now,
            deadline: None,
            token,
            again,
            deliveries: 0,
            entry,
            state,
            settles,
        };
        self.calls_bytes += call.weight();
        self.calls.insert(number, call);
    }

    fn client_notification(&mut self, frame: &Frame<'_>, name: &str, now: Moment) {
        match name {
            "notifications/initialized" => self.client_initialized(frame.text, now),
            "notifications/cancelled" => self.client_cancels(frame, now),
            "notifications/progress" => self.client_progress(frame),
            "notifications/tasks/status" => self.client_reports(frame, now),
            "notifications/roots/list_changed" => {
                let room = self.limits.hold_bytes;
                let listens = |twin: &&mut Twin| twin.initialized && twin.out.waiting() <= room;
                for state in self.twins.values_mut().filter(listens) {
                    state.out.push(frame.text);
                }
            }
            _ => match self.target() {
                Target::To(twin) => {
                    if self.is_stuck(twin) {
                        self.log(twin, format!("does not read its input: the client's {name} was dropped"));
                    } else if let Some(state) = self.twins.get_mut(&twin) {
                        state.out.push(frame.text);
                    }
                }
                Target::Hold => {
                    let number = self.number();
                    if !self.keep(number, frame.text.as_bytes().into()) {
                        self.log(None, format!("too much waits for the server: the client's {name} was dropped"));
                    }
                }
                Target::Refuse => self.log(None, format!("no server runs: the client's {name} was dropped")),
            },
        }
    }

    fn client_cancels(&mut self, frame: &Frame<'_>, now: Moment) {
        let Some(params) = frame.params else { return };
        let Some(raw) = frame::member(params, "requestId").filter(|id| frame::is_id(id)) else { return };
        let Some(number) = self.names.get(&Token::read(raw)).copied() else { return };
        if self.client_cancels_listen(number, now) {
            return;
        }
        let Some(call) = self.calls.get(&number) else { return };
        if call.method == Method::Initialize {
            return;
        }
        let owner = call.owner();
        if self.is_opening(number) {
            self.forget_opening(owner);
        }
        if let Some(twin) = owner {
            // Behind the request in the same queue: a request that is being written is finished first.
            if self.is_stuck(twin) {
                self.cancel_at(twin, number, "the client has cancelled it");
            } else if let Some(state) = self.twins.get_mut(&twin) {
                state.out.splice(frame.text, &mut [(frame.span(raw), Digits::new(number).bytes())]);
            }
        }
        #[cfg(test)]
        if self.mutate_cancellation(number) {
            return;
        }
        if let Some(call) = self.close(number) {
            if let Some(batch) = call.id.batch {
                self.leave_batch(batch);
            }
            self.after_close(call.method, call.owner(), now);
        }
    }

    /// Cancels a call at its twin in our own words.
    pub(super) fn cancel_at(&mut self, twin: TwinId, number: u64, reason: &str) {
        if let Some(state) = self.twins.get_mut(&twin) {
            let reason = serde_json::Value::from(reason);
            state.out.push(&format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{number},\"reason\":{reason}}}}}"
            ));
        }
    }

    /// How a task of the client's own stands: for the twin that asked for it.
    fn client_reports(&mut self, frame: &Frame<'_>, now: Moment) {
        let id = named(frame.params, &TASK);
        let Some((id, twin)) = id.and_then(|id| self.owners.borrower(&id).map(|twin| (id, twin))) else {
            return self.log(None, "the client reported on a task that nobody has asked for");
        };
        if self.is_deaf(twin) {
            self.log(twin, "does not read its input: what the client reported on a task was dropped");
        } else if let Some(state) = self.twins.get_mut(&twin) {
            state.out.push(frame.text);
        }
        if let Some(task) = frame.params {
            self.lent_reported(&id, task, now);
        }
    }

    fn client_progress(&mut self, frame: &Frame<'_>) {
        let Some(raw) = frame.params.and_then(|params| frame::member(params, "progressToken")) else { return };
        let Some(ask) = ids::number(raw).and_then(|number| self.asks.get(&number)) else { return };
        if let Some(token) = &ask.token
            && !self.is_stuck(ask.twin)
            && let Some(state) = self.twins.get_mut(&ask.twin)
        {
            state.out.splice(frame.text, &mut [(frame.span(raw), token.as_bytes())]);
        }
    }

    fn client_answer(&mut self, frame: &Frame<'_>, raw_id: &str, now: Moment) {
        let Some(ask) = ids::number(raw_id).and_then(|number| self.asks.remove(&number)) else {
            self.log(None, format!("the client answered {}, which nobody asks (any more)", excerpt(raw_id.as_bytes())));
            return;
        };
        let deaf = self.is_deaf(ask.twin);
        if let Some(state) = self.twins.get_mut(&ask.twin) {
            state.asks = state.asks.saturating_sub(1);
            if !deaf {
                state.out.splice(frame.text, &mut [(frame.span(raw_id), ask.id.as_bytes())]);
            }
        }
        if deaf {
            self.log(ask.twin, "does not read its input: the client's answer to it was dropped");
        }
        self.ask_answered(&ask, frame.result, now);
        self.check_drained(ask.twin);
    }

    pub(super) fn refuse_oversize_of_client(&mut self, beginning: &[u8], _now: Moment) {
        let beginning = Beginning::read(beginning);
        let fault = refusal::too_large();
        let number = beginning.id.and_then(ids::number);
        if !beginning.method
            && let Some(ask) = number.and_then(|number| self.asks.remove(&number))
        {
            self.refuse_ask(ask.twin, &ask.id, &fault);
            if let Some(state) = self.twins.get_mut(&ask.twin) {
                state.asks = state.asks.saturating_sub(1);
            }
            self.check_drained(ask.twin);
            return;
        }
        match beginning.id.map(ClientId::read).filter(|id| !self.names.contains_key(&id.token)) {
            Some(id) => self.answer_error(&id, &fault),
            None => self.answer_null(INVALID_REQUEST, &fault),
        }
    }

    /// Answers a twin's request with an error of our own.
    pub(super) fn refuse_ask(&mut self, twin: TwinId, raw_id: &str, fault: &Fault) {
        let error = refusal::object(refusal::number(fault.code), fault);
        self.answer_twin(twin, &format!("{{\"jsonrpc\":\"2.0\",\"id\":{raw_id},\"error\":{error}}}"));
    }

    /// Answers a twin's request in our own words; not one that asks for ever and reads nothing.
    pub(super) fn answer_twin(&mut self, twin: TwinId, line: &str) {
        if self.is_deaf(twin) {
            self.log(twin, "does not read its input: the answer to one of its requests was dropped");
        } else if let Some(state) = self.twins.get_mut(&twin) {
            state.out.push(line);
        }
    }

    pub(super) fn end_of_client(&mut self, now: Moment) {
        self.eof = true;
        let fault = Fault::new(Code::Down, "the client has ended its input and can answer no more requests");
        for (_, ask) in std::mem::take(&mut self.asks) {
            self.refuse_ask(ask.twin, &ask.id, &fault);
            if let Some(state) = self.twins.get_mut(&ask.twin) {
                state.asks = 0;
            }
            self.check_drained(ask.twin);
        }
        if self.failure.is_some() {
            self.opening_expired(now);
        }
    }
}

/// A message with our number in place of its id.
pub(super) fn respell(frame: &Frame<'_>, raw_id: &str, number: u64) -> Box<[u8]> {
    let span = frame.span(raw_id);
    let text = frame.text.as_bytes();
    let digits = Digits::new(number);
    [text.get(..span.start).unwrap_or_default(), digits.bytes(), text.get(span.end..).unwrap_or_default()]
        .concat()
        .into()
}

/// The first 200 characters of a line, for the log.
pub(super) fn excerpt(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.get(..800).unwrap_or(line));
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}
