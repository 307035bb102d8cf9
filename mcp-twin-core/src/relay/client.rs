//! What comes from the client.

use super::calls::{Call, Capability, Method, Place, progress_token};
use super::frame::{self, Beginning, Frame, Kind, Unreadable};
use super::ids::{self, ClientId, Token};
use super::lists::notice_of;
use super::opening::Opening;
use super::outbox::Digits;
use super::refusal::{INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR};
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
            Ok(frame) => match &frame.kind {
                Kind::Request { id, method } => self.client_request(&frame, id, method, now),
                Kind::Notification { method } => self.client_notification(&frame, method, now),
                Kind::Answer { id } => self.client_answer(&frame, id),
            },
            Err(Unreadable::Blank) => {}
            Err(Unreadable::NotJson(why)) => {
                self.answer_null(PARSE_ERROR, &bad(format!("the message is not JSON: {why}")));
            }
            Err(Unreadable::Batch) => {
                self.answer_null(
                    INVALID_REQUEST,
                    &bad("batches are not supported; send one message a line".to_owned()),
                );
            }
            Err(Unreadable::Invalid(id, why)) => {
                let fault = bad(format!("the message is not MCP: {why}"));
                match id.map(ClientId::read).filter(|id| !self.names.contains_key(&id.token)) {
                    Some(id) => self.answer_error(&id, &fault),
                    None => self.answer_null(INVALID_REQUEST, &fault),
                }
            }
        }
    }

    fn client_request(&mut self, frame: &Frame<'_>, raw_id: &str, name: &str, now: Moment) {
        let id = ClientId::read(raw_id);
        if self.names.contains_key(&id.token) {
            // Under its id the client would take the refusal for the answer to the first request.
            let message = format!("a request with the id {raw_id} is still open; this second one ({name}) was dropped");
            self.answer_null(INVALID_REQUEST, &Fault::new(Code::BadMessage, message));
            return;
        }
        let method = Method::of(name);
        match method {
            Method::Discover => {
                // Never forwarded: a server that has seen it may refuse `initialize` afterwards.
                let fault = Fault::new(Code::BadMessage, "method not found: this session opens with `initialize`");
                let error = refusal::object(METHOD_NOT_FOUND, &fault);
                self.answer(&id, "error", &error);
                return;
            }
            Method::Initialize => return self.ask_opening(frame, id, raw_id, now),
            Method::List(kind) => {
                self.stale[notice_of(kind)] = false;
                self.listed[notice_of(kind)] = true;
            }
            _ => {}
        }
        if let Opening::Answered = self.opening {
            self.complete_opening(None, now);
        }
        let needs = Capability::of(name);
        let mut target = self.target();
        if method.is_ledger() && matches!(target, Target::To(_)) && self.ledger_queues() {
            target = Target::Hold;
        }
        match target {
            Target::To(twin) => {
                if let Some(fault) = self.refused_by_loss(twin, needs) {
                    return self.answer_error(&id, &fault);
                }
                if self.is_closed(twin) {
                    return self.hold_request(frame, id, raw_id, method, needs, now);
                }
                if self.is_stuck(twin) {
                    let message = "the server does not read its input and too much waits for it; the request was not delivered \
                                   and can be repeated safely";
                    return self.answer_error(&id, &Fault::new(Code::Busy, message));
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
                self.open_call(number, id, method, needs, frame.params, again);
                self.assign(number, twin, now);
            }
            Target::Hold if method == Method::Ping => self.answer(&id, "result", "{}"),
            Target::Hold => self.hold_request(frame, id, raw_id, method, needs, now),
            Target::Refuse if method == Method::Ping => self.answer(&id, "result", "{}"),
            Target::Refuse => {
                if let Route::Refusing(fault) = &self.route {
                    let fault = refusal::down(fault);
                    self.answer_error(&id, &fault);
                }
            }
        }
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
            self.open_call(number, id, method, needs, frame.params, again);
            let at = self.hold_deadline(now);
            self.set_deadline(number, at);
        } else {
            let message =
                "too many requests wait for the server to start; this one was not delivered and can be repeated safely";
            self.answer_error(&id, &Fault::new(Code::Busy, message));
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
        method: Method,
        needs: Option<Capability>,
        params: Option<&str>,
        again: Option<Box<[u8]>>,
    ) {
        let token = progress_token(params).map(Token::read);
        if let Some(token) = &token {
            self.tokens.insert(token.clone(), number);
        }
        let entry = match method {
            Method::SetLevel => params.and_then(|params| frame::member(params, "level")),
            Method::Subscribe | Method::Unsubscribe => params.and_then(|params| frame::member(params, "uri")),
            _ => None,
        };
        self.names.insert(id.token.clone(), number);
        let entry = entry.map(Into::into);
        let call = Call { id, method, needs, place: Place::Held, deadline: None, token, again, deliveries: 0, entry };
        self.calls.insert(number, call);
    }

    fn client_notification(&mut self, frame: &Frame<'_>, name: &str, now: Moment) {
        match name {
            "notifications/initialized" => self.client_initialized(frame.text, now),
            "notifications/cancelled" => self.client_cancels(frame, now),
            "notifications/progress" => self.client_progress(frame),
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
        let Some(call) = self.calls.get(&number) else { return };
        if call.method == Method::Initialize {
            return;
        }
        if let Some(twin) = call.owner() {
            // Behind the request in the same queue: a request that is being written is finished first.
            if let Some(state) = self.twins.get_mut(&twin) {
                state.out.splice(frame.text, &mut [(frame.span(raw), Digits::new(number).bytes())]);
            }
        }
        #[cfg(test)]
        if self.mutate_cancellation(number) {
            return;
        }
        if let Some(call) = self.close(number) {
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

    fn client_answer(&mut self, frame: &Frame<'_>, raw_id: &str) {
        let Some(ask) = ids::number(raw_id).and_then(|number| self.asks.remove(&number)) else {
            self.log(None, format!("the client answered {}, which nobody asks (any more)", excerpt(raw_id.as_bytes())));
            return;
        };
        if let Some(state) = self.twins.get_mut(&ask.twin) {
            state.asks = state.asks.saturating_sub(1);
            state.out.splice(frame.text, &mut [(frame.span(raw_id), ask.id.as_bytes())]);
        }
        self.check_drained(ask.twin);
    }

    pub(super) fn refuse_oversize_of_client(&mut self, beginning: &[u8], _now: Moment) {
        let beginning = Beginning::read(beginning);
        let fault = Fault::new(Code::TooLarge, "the message is larger than `max_message` and was dropped")
            .with_help("send less, or raise `--max-message`");
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
        if let Some(state) = self.twins.get_mut(&twin) {
            let error = refusal::object(refusal::number(fault.code), fault);
            state.out.push(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{raw_id},\"error\":{error}}}"));
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
