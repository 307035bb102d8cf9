//! The client's opening, and what it settled: `initialize` … `initialized` in the legacy era, in the modern one
//! `server/discover` or the first request that a twin accepts.

mod discovery;
mod session;

pub(super) use session::{Session, Welcome};

use super::calls::{Method, Place};
use super::client::respell;
use super::era::Era;
use super::frame::{self, Frame};
use super::ids::ClientId;
use super::outbox::Digits;
use super::probe::Stage;
use super::refusal::INVALID_REQUEST;
use super::route::Timer;
use super::{LastGood, Relay, RelayEvent, refusal};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::swap::ProbeReport;
use crate::time::Moment;
use serde_json::{Map, Value};
use std::ops::Range;
use std::time::Duration;

/// From the first failed twin the opening is held so long, over respawns and saves: clients give up after 30 s.
const GRACE: Duration = Duration::from_secs(25);

/// How far the client's opening is.
#[derive(Debug)]
pub(super) enum Opening {
    /// The client has not asked (or was refused, and may ask again).
    Waiting,
    /// It has asked.
    Asked(Asked),
    /// It has its answer; `initialized` or its next request completes the opening (legacy only).
    Answered,
    /// Both are done.
    Complete,
}

/// An opening that is not answered yet.
#[derive(Debug)]
pub(super) struct Asked {
    /// The call in the ledger.
    pub(super) call: u64,
    /// The client's line with our number.
    line: Box<[u8]>,
    /// The client's `initialized`, sent before it had its answer.
    early: Option<Box<str>>,
}

impl Relay {
    /// The client sends `initialize`.
    pub(super) fn ask_initialize(&mut self, frame: &Frame<'_>, id: ClientId, raw_id: &str, now: Moment) {
        match &self.opening {
            Opening::Waiting => self.refuse_modern_listens(),
            Opening::Asked(asked) if self.is_discovery(asked.call) => self.overtake(asked.call),
            // The server was only asked what it speaks: the client may choose the handshake all the same.
            Opening::Complete if self.session.era == Era::Modern && !self.session.firm => self.reopen(),
            _ => {
                let message = "the session is open already; `initialize` can be sent only once";
                return self.answer_error(&id, &Fault::new(Code::BadMessage, message));
            }
        }
        let params = frame.params.unwrap_or("{}");
        let text = |raw: Option<&str>| raw.and_then(frame::string).map(std::borrow::Cow::into_owned);
        let info = frame::member(params, "clientInfo");
        self.session = Session {
            params: params.into(),
            asked: text(frame::member(params, "protocolVersion")).unwrap_or_default(),
            client: info.map(|info| {
                let part = |name| text(frame::member(info, name)).unwrap_or_default();
                (part("name"), part("version"))
            }),
            ..Session::default()
        };
        self.ask_opening(frame, id, raw_id, Method::Initialize, now);
    }

    pub(super) fn ask_opening(&mut self, frame: &Frame<'_>, id: ClientId, raw_id: &str, method: Method, now: Moment) {
        let number = self.number();
        let line = respell(frame, raw_id, number);
        self.open_call(number, id, (method, None), frame.params, None, now);
        self.opening = Opening::Asked(Asked { call: number, line, early: None });
        if self.failure.is_some() {
            self.timers.insert((now + GRACE, Timer::Opening));
        }
        self.offer_opening(now);
    }

    /// Whether this call is the opening that waits for its answer.
    pub(super) fn is_opening(&self, number: u64) -> bool {
        matches!(&self.opening, Opening::Asked(asked) if asked.call == number)
    }

    /// Whether this twin has the client's own opening in hand.
    pub(super) fn has_opening(&self, twin: TwinId) -> bool {
        match &self.opening {
            Opening::Asked(asked) => self.calls.get(&asked.call).and_then(super::Call::owner) == Some(twin),
            _ => false,
        }
    }

    /// Sends the unanswered opening to the twin that waits for it, if there is one.
    pub(super) fn offer_opening(&mut self, now: Moment) {
        let Opening::Asked(asked) = &mut self.opening else { return };
        let number = asked.call;
        if self.calls.get(&number).is_none_or(|call| call.place != Place::Held) {
            return;
        }
        let line = std::mem::take(&mut asked.line);
        // A twin that refused an earlier opening serves already; else the newest one that waits.
        let Some(twin) = self.active().filter(|twin| !self.is_closed(*twin)).or_else(|| self.waiting_twin()) else {
            return self.opening_is_free(line, now);
        };
        if let Some(state) = self.twins.get_mut(&twin)
            && let Stage::Waiting { .. } = state.stage
        {
            state.stage = Stage::Opening;
            self.event(RelayEvent::Probing(twin));
        }
        // It is kept where it can be sent again: the next twin gets it if this one dies before it answers.
        self.send_call(number, &line, twin, now);
        if let Some(call) = self.calls.get_mut(&number) {
            self.calls_bytes = self.calls_bytes.saturating_sub(call.weight());
            call.again = Some(line);
            self.calls_bytes += call.weight();
        }
    }

    /// The opening is with no twin (again).
    pub(super) fn opening_is_free(&mut self, line: Box<[u8]>, now: Moment) {
        let Opening::Asked(asked) = &mut self.opening else { return };
        asked.line = line;
        if self.waiting_twin().is_some() {
            self.offer_opening(now);
        } else {
            // Its time may have run out while a twin had it in hand.
            let timed = self.timers.iter().any(|(_, timer)| *timer == Timer::Opening);
            let late = self.failure.as_ref().is_some_and(|(since, _)| *since + GRACE <= now);
            if (late && !timed) || self.hopeless() {
                self.opening_expired(now);
            }
        }
    }

    /// The newest twin that is to be probed and was sent nothing yet.
    pub(super) fn waiting_twin(&self) -> Option<TwinId> {
        let waits = |twin: &super::Twin| matches!(twin.stage, Stage::Waiting { .. }) && !twin.out.is_shut();
        self.twins.iter().rev().find(|(_, twin)| waits(twin)).map(|(twin, _)| *twin)
    }

    /// The first twin has answered the client's own opening.
    pub(super) fn opening_answered(
        &mut self,
        number: u64,
        twin: TwinId,
        frame: &Frame<'_>,
        raw_id: &str,
        result: &str,
        now: Moment,
    ) {
        let Some(call) = self.close(number) else { return };
        let told = self.announcement(result).map(|(at, text)| (shifted(at, frame.span(result).start), text));
        call.id.with_bytes(|id| {
            let mut parts = vec![(frame.span(raw_id), id)];
            parts.extend(told.iter().map(|(at, text)| (at.clone(), text.as_bytes())));
            self.client.splice(frame.text, &mut parts);
        });
        let welcome = Welcome::read(result);
        let modern = self.session.era == Era::Modern;
        let last = LastGood { asked: self.session.asked.clone(), modern, result: result.to_owned() };
        self.session.opener = Some(twin);
        let was_probing = self.twins.get_mut(&twin).is_some_and(|state| {
            state.capabilities = welcome.capabilities.clone();
            state.initialized |= modern;
            std::mem::replace(&mut state.stage, Stage::Ready).is_probing()
        });
        self.settle(welcome.version, welcome.capabilities, now);
        self.last_good = Some(last.clone());
        self.event(RelayEvent::Opened(last));
        if was_probing {
            let report = ProbeReport { server: welcome.server, ..ProbeReport::default() };
            self.event(RelayEvent::Ready(twin, report));
        }
        self.after_close(call.method, Some(twin), now);
    }

    /// The client's opening was answered: what stood behind it waits for a twin only so long from now on.
    fn settle(&mut self, version: String, capabilities: Map<String, Value>, now: Moment) {
        let early = match std::mem::replace(&mut self.opening, Opening::Answered) {
            Opening::Asked(asked) => asked.early,
            _ => None,
        };
        self.timers.retain(|(_, timer)| *timer != Timer::Opening);
        self.session.told = capabilities;
        self.session.announced = self.announces();
        self.revision += 1;
        if self.session.era == Era::Modern {
            // The version that the client asked with; it may use another one of those that the answer lists.
            self.session.version = Some(self.session.asked.clone());
            // Among requests of many clients none may choose the handshake for all.
            self.session.firm |= self.limits.many;
            self.complete_opening(None, now);
        } else {
            self.session.version = Some(version);
            if let Some(early) = early {
                self.complete_opening(Some(&early), now);
            }
        }
        self.arm_held(now);
        self.refuse_held(now);
        self.release(now);
    }

    pub(super) fn arm_held(&mut self, now: Moment) {
        let held: Vec<u64> = self.held.keys().copied().collect();
        for number in held {
            self.set_deadline(number, Some(now + self.limits.hold));
        }
    }

    /// A twin answered the client's own opening with an error: the client gets it, as it would without a front, and may
    /// ask again. The twin counts as ready.
    pub(super) fn opening_refused(
        &mut self,
        number: u64,
        twin: TwinId,
        error: &str,
        line: Option<(&Frame<'_>, &str)>,
        now: Moment,
    ) {
        let Some(call) = self.close(number) else { return };
        match line {
            Some((frame, raw_id)) => {
                call.id.with_bytes(|id| self.client.splice(frame.text, &mut [(frame.span(raw_id), id)]));
            }
            None => self.answer(&call.id, "error", error),
        }
        self.opening = Opening::Waiting;
        self.session.era = Era::Legacy;
        self.refuse_modern_listens();
        self.timers.retain(|(_, timer)| *timer != Timer::Opening);
        let state = self.twins.get_mut(&twin);
        if state.is_some_and(|state| std::mem::replace(&mut state.stage, Stage::Ready).is_probing()) {
            self.event(RelayEvent::Ready(twin, ProbeReport::default()));
        }
        self.arm_held(now);
        self.release(now);
        self.after_close(call.method, Some(twin), now);
    }

    /// The client sends `notifications/initialized`.
    pub(super) fn client_initialized(&mut self, line: &str, now: Moment) {
        match &mut self.opening {
            Opening::Waiting => self.log(None, "the client sent `initialized` before `initialize`: dropped"),
            Opening::Asked(asked) => asked.early = Some(line.into()),
            Opening::Answered => self.complete_opening(Some(line), now),
            Opening::Complete => {
                // A late one goes only to a twin that had none.
                if let Some(opener) = self.session.opener {
                    self.pass_initialized(opener, line);
                    self.want_baseline(opener, now);
                }
            }
        }
    }

    fn pass_initialized(&mut self, twin: TwinId, line: &str) {
        if let Some(state) = self.twins.get_mut(&twin).filter(|twin| !twin.initialized) {
            state.initialized = true;
            state.out.push(line);
        }
    }

    /// The opening is complete: at the client's `initialized`, or at its next request.
    pub(super) fn complete_opening(&mut self, line: Option<&str>, now: Moment) {
        self.opening = Opening::Complete;
        if let (Some(line), Some(opener)) = (line, self.session.opener) {
            self.pass_initialized(opener, line);
        }
        if let Some(active) = self.active() {
            self.want_baseline(active, now);
        }
        self.probe_waiting(now);
    }

    /// A twin failed, or nothing can be started.
    pub(super) fn failed(&mut self, fault: &Fault, now: Moment) {
        match &mut self.failure {
            Some((_, latest)) => *latest = fault.clone(),
            None => {
                self.failure = Some((now, fault.clone()));
                if let Opening::Asked(_) = self.opening {
                    self.timers.insert((now + GRACE, Timer::Opening));
                }
            }
        }
        // A client that has ended its input repairs nothing: it is not kept waiting.
        if self.eof {
            self.opening_expired(now);
        }
    }

    /// The opening has waited long enough for a broken server: the last good record answers it, or the reason does.
    ///
    /// While a live twin has it in hand and there is no record, that twin's answer or death is awaited.
    pub(super) fn opening_expired(&mut self, now: Moment) {
        let Opening::Asked(asked) = &self.opening else { return };
        let number = asked.call;
        let owner = self.calls.get(&number).and_then(super::Call::owner);
        let modern = self.session.era == Era::Modern;
        let last = self.last_good.clone().filter(|last| last.asked == self.session.asked && last.modern == modern);
        match (last, owner) {
            (None, Some(_)) => {}
            (Some(last), owner) => {
                let Some(call) = self.close(number) else { return };
                let mut result = last.result.clone();
                if let Some((at, text)) = self.announcement(&result) {
                    result.replace_range(at, &text);
                }
                self.answer(&call.id, "result", &result);
                if let Some(twin) = owner {
                    // Its answer proves it healthy now, as that to a replay would.
                    self.adopt_opening(number, twin);
                }
                let welcome = Welcome::read(&last.result);
                self.log(None, "the opening was answered from the last good record, for the server does not start");
                self.settle(welcome.version, welcome.capabilities, now);
            }
            (None, None) => {
                let unknown = || Fault::new(Code::Down, "no server process became ready in time");
                let fault = self.failure.as_ref().map_or_else(unknown, |(_, fault)| fault.clone());
                let Some(call) = self.close(number) else { return };
                let fault = refusal::no_opening(&fault);
                let code = refusal::number(fault.code);
                self.answer(
                    &call.id,
                    "error",
                    &refusal::object(if code == INVALID_REQUEST { -31000 } else { code }, &fault),
                );
                self.opening = Opening::Waiting;
                self.timers.retain(|(_, timer)| *timer != Timer::Opening);
                self.arm_held(now);
                self.refuse_held(now);
            }
        }
    }

    /// The line of F's own opening: `initialize` with the client's params and the version that was agreed on, or
    /// `server/discover` with the client's metadata.
    pub(super) fn replay_line(&self, number: u64) -> Vec<u8> {
        if self.session.era == Era::Modern {
            return self.request_line(number, "server/discover", "").into_bytes();
        }
        let params = &*self.session.params;
        let digits = Digits::new(number);
        let mut line = Vec::with_capacity(params.len() + 96);
        line.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
        line.extend_from_slice(digits.bytes());
        line.extend_from_slice(b",\"method\":\"initialize\",\"params\":");
        match (frame::member(params, "protocolVersion"), &self.session.version) {
            (Some(raw), Some(version)) if frame::string(raw).as_deref() != Some(version.as_str()) => {
                let span = frame::span(params, raw);
                let version = Value::from(version.as_str()).to_string();
                let bytes = params.as_bytes();
                line.extend_from_slice(bytes.get(..span.start).unwrap_or_default());
                line.extend_from_slice(version.as_bytes());
                line.extend_from_slice(bytes.get(span.end..).unwrap_or_default());
            }
            _ => line.extend_from_slice(params.as_bytes()),
        }
        line.push(b'}');
        line
    }
}

/// Where a part of a part of a message stands in it.
pub(super) fn shifted(at: Range<usize>, by: usize) -> Range<usize> {
    at.start + by..at.end + by
}
