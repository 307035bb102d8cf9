//! What came of an input to a relay: written to clients and twins, and heard.

use super::era::status_of;
use super::link::Link;
use super::processes::write_process;
use super::{Hub, Inner, Kind, OWN_ID, Session, Sid};
use crate::http::headers;
use crate::http::posts::Errand;
use crate::http::stream::Manner;
use hyper::StatusCode;
use hyper::body::Bytes;
use mcp_twin_core::relay::{Message, RelayEvent, one_line};
use mcp_twin_core::{Fault, Moment, TwinId};
use serde_json::value::RawValue;
use std::ops::Bound;
use std::sync::Arc;

/// So much may wait for a client of the modern era whose process others use too.
const STUCK: usize = 16 << 20;

/// What an input came from: the client's request that it belongs to, and how the twin answers that one.
pub(super) struct Origin<'a> {
    /// Our number of the request.
    pub(super) number: Option<u64>,
    /// The client's id of it, as written (of the modern era: its number at the edge).
    pub(super) id: Option<String>,
    pub(super) manner: &'a Manner,
}

impl Inner {
    /// Writes what can be written and passes on what was found out.
    pub(super) fn pump(&mut self, hub: &Hub, sid: Sid, origin: Option<&Origin<'_>>) {
        let now = hub.now();
        loop {
            let mut moved = self.write_client(hub, sid, origin);
            moved |= self.write_twins(hub, sid, now);
            while let Some(event) = self.sessions.get_mut(&sid).and_then(|session| session.relay.poll_event()) {
                moved = true;
                self.heard(hub, sid, event);
            }
            if !moved {
                break;
            }
        }
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        let revision = session.relay.revision();
        if let Kind::Client(name) = &session.kind
            && session.written != revision
        {
            session.written = revision;
            if let Some(saved) = session.relay.saved() {
                hub.book().write(name, saved);
            }
        }
        let wanted = session.relay.poll_timeout();
        if wanted != session.timeout {
            if let Some(old) = session.timeout {
                self.timeouts.remove(&(old, sid));
            }
            session.timeout = wanted;
            if let Some(at) = wanted {
                let sooner = self.timeouts.first().is_none_or(|(first, _)| at < *first);
                self.timeouts.insert((at, sid));
                if sooner {
                    hub.shared.rearm.notify_one();
                }
            }
        }
    }

    fn write_client(&mut self, hub: &Hub, sid: Sid, origin: Option<&Origin<'_>>) -> bool {
        let mut moved = false;
        while let Some(session) = self.sessions.get_mut(&sid)
            && let Some(line) = first_line(session.relay.client_output())
        {
            moved = true;
            let answered = session.relay.leading_answer();
            session.relay.client_written(line.len() + 1);
            match &session.kind {
                Kind::Client(_) => {
                    if let Some(origin) = origin
                        && let Some(id) = &origin.id
                        && answered.is_some_and(|number| origin.number == Some(number))
                    {
                        // Nearly every line is the answer to what was asked: it need not be read to know that.
                        let key = session.streams.of(id);
                        session.streams.send(key, line, std::slice::from_ref(id), origin.manner);
                    } else {
                        self.tell_client(hub, sid, line, origin);
                    }
                }
                Kind::Modern => self.tell_edge(hub, sid, &line, origin),
                Kind::Canary => self.tell_canary(hub, sid, &line),
            }
        }
        moved
    }

    /// To a client of the legacy era.
    fn tell_client(&mut self, hub: &Hub, sid: Sid, line: Bytes, origin: Option<&Origin<'_>>) {
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        let processes = hub.processes().is_some();
        let Session { streams, relay, .. } = session;
        let plain = Manner::default();
        let of_origin = origin.and_then(|origin| origin.id.as_deref());
        let manner_of = |ids: &[String]| origin.filter(|_| of_origin.is_some_and(|id| ids.iter().any(|own| own == id)));
        if line.first() == Some(&b'[') {
            // The answers to a batch come as one.
            let ids = ids_of(&line);
            let key = ids.iter().find_map(|id| streams.of(id));
            return streams.send(key, line, &ids, &plain);
        }
        let Ok(message) = Message::written(&line) else { return };
        match message.id().filter(|_| message.is_answer()) {
            Some(id) => {
                let ids = [id.to_owned()];
                let manner = manner_of(&ids).map_or(&plain, |origin| origin.manner);
                let key = streams.of(id).or_else(|| of_origin.and_then(|id| streams.of(id)));
                streams.send(key, line.clone(), &ids, manner);
            }
            None => {
                let mut key = of_origin.and_then(|id| streams.of(id));
                if processes {
                    // A process says everything in one place: what is about no request goes to whoever listens.
                    let reports = message.raw("progressToken").filter(|_| !message.is_request());
                    key = reports.and_then(|token| relay.id_of_token(token)).and_then(|id| streams.of(&id));
                    key = key.or_else(|| streams.ear());
                }
                let manner = Manner { events: true, ..Manner::default() };
                streams.send(key, line.clone(), &[], origin.map_or(&manner, |origin| origin.manner));
            }
        }
    }

    /// To whichever client of the modern era asked.
    fn tell_edge(&mut self, hub: &Hub, sid: Sid, line: &Bytes, origin: Option<&Origin<'_>>) {
        let Ok(message) = Message::written(line) else { return };
        if message.id() == Some(OWN_ID) && message.is_refusal() {
            // The front's own opening was refused, or nobody was there for it.
            if let Some(session) = self.sessions.get_mut(&sid) {
                session.heard = Some(String::from_utf8_lossy(line).into_owned());
            }
            return;
        }
        let number_of = |id: &str| id.parse::<u64>().ok().filter(|number| self.edges.contains_key(number));
        let named = message
            .id()
            .filter(|_| message.is_answer())
            .or_else(|| message.subscription())
            .or_else(|| message.raw("progressToken"))
            .or_else(|| message.raw("requestId"));
        let of_origin = origin.and_then(|origin| origin.id.as_deref()).and_then(number_of);
        let processes = hub.processes().is_some();
        let known = named.and_then(number_of).or(of_origin);
        // What names no request can only be about the one that is open.
        let only =
            || self.edges.keys().next().filter(|_| processes && named.is_none() && self.edges.len() == 1).copied();
        let Some((number, edge)) = known.or_else(only).and_then(|number| Some((number, self.edges.get(&number)?)))
        else {
            if processes && !message.is_answer() {
                let what = message.method().unwrap_or_default();
                hub.shared
                    .options
                    .listener
                    .log(None, &format!("{what} of the server belongs to no request, and is dropped"));
            }
            return;
        };
        let text = Bytes::from(edge.leave(&message));
        let id = edge.number();
        let answers: &[String] = if message.is_answer() && message.id() == Some(id) { &[id.to_owned()] } else { &[] };
        let over = !answers.is_empty();
        let status = message.error_code().filter(|_| processes).map_or(StatusCode::OK, status_of);
        let plain = Manner { events: !over, status, ..Manner::default() };
        let manner = origin.filter(|_| of_origin == Some(number)).map_or(&plain, |origin| origin.manner);
        if let Some(session) = self.sessions.get_mut(&sid) {
            let key = session.streams.of(id);
            if processes && session.streams.gauge(Some(id)).waiting() > STUCK {
                // Its process is not kept from the other clients for the sake of one that does not read.
                let cancellation = edge.cancellation();
                hub.shared.options.listener.log(None, "a client does not read what it asked for, and was cut off");
                key.into_iter().for_each(|key| session.streams.forget(key));
                self.edges.remove(&number);
                return session.relay.client_line(cancellation.as_bytes(), hub.now());
            }
            if key.is_some() {
                session.streams.send(key, text, answers, manner);
            }
        }
        if over {
            self.edges.remove(&number);
        }
    }

    /// To the front itself.
    fn tell_canary(&mut self, hub: &Hub, sid: Sid, line: &Bytes) {
        let Ok(message) = Message::written(line) else { return };
        if message.is_refusal() {
            let text = String::from_utf8_lossy(line).into_owned();
            if let Some(session) = self.sessions.get_mut(&sid) {
                session.heard = Some(text);
            }
        } else if let Some(id) = message.id().filter(|_| message.is_request()) {
            // It has said that it can do nothing; a ping it answers all the same.
            let answer = if message.method() == Some("ping") {
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}")
            } else {
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":-32601,\"message\":\"not offered\"}}}}")
            };
            let now = hub.now();
            if let Some(session) = self.sessions.get_mut(&sid) {
                session.relay.client_line(answer.as_bytes(), now);
            }
        }
    }

    fn write_twins(&mut self, hub: &Hub, sid: Sid, now: Moment) -> bool {
        let Some(session) = self.sessions.get_mut(&sid) else { return false };
        let mut moved = false;
        let mut next = session.links.keys().next().copied();
        while let Some(twin) = next {
            next = session.links.range((Bound::Excluded(twin), Bound::Unbounded)).next().map(|(twin, _)| *twin);
            if let Some(number) = session.links.get(&twin).and_then(Link::process) {
                moved |= write_process(&mut self.pipes, hub, number, &mut session.relay, twin);
                continue;
            }
            while let Some(line) = first_line(session.relay.twin_output(twin)) {
                moved = true;
                let call = session.relay.leading_call(twin);
                session.relay.twin_written(twin, line.len() + 1, now);
                session.forward(hub, sid, twin, call, line);
            }
        }
        moved
    }

    fn heard(&mut self, hub: &Hub, sid: Sid, event: RelayEvent) {
        let waiters = &mut self.waiters;
        let listener = &hub.shared.options.listener;
        match event {
            // Tools of the front's own are not offered over HTTP.
            RelayEvent::Asked(..) | RelayEvent::Taken(_) => {}
            RelayEvent::Probing(_) | RelayEvent::Finished | RelayEvent::BakeFailed(..) => {}
            RelayEvent::Opened(last) => {
                if hub.processes().is_some() {
                    listener.opened(&last);
                    self.note_opened(last);
                }
            }
            RelayEvent::Ready(twin, report) => match waiters.ready.remove(&(sid, twin)) {
                // A waiter that has given up needs no answer.
                Some(waiter) => drop(waiter.send(Ok(report))),
                None => match self.sessions.get(&sid).and_then(|session| session.links.get(&twin)?.process()) {
                    Some(number) => drop(tokio::spawn(hub.clone().confirm(sid, twin, number))),
                    None => self.session_ready(hub, sid, twin),
                },
            },
            RelayEvent::NotReady(twin, fault) => match waiters.ready.remove(&(sid, twin)) {
                Some(waiter) => drop(waiter.send(Err(fault))),
                None => self.session_refused(hub, sid, twin, fault),
            },
            RelayEvent::Prepared(twin) => match waiters.prepared.remove(&(sid, twin)) {
                Some(waiter) => drop(waiter.send(Ok(()))),
                None => self.session_prepared(hub, sid, twin),
            },
            RelayEvent::PrepareFailed(twin, fault) => match waiters.prepared.remove(&(sid, twin)) {
                Some(waiter) => drop(waiter.send(Err(fault))),
                None => self.session_refused(hub, sid, twin, fault),
            },
            RelayEvent::Called(number, called) => {
                drop(waiters.called.remove(&(sid, number)).map(|waiter| waiter.send(called)));
            }
            RelayEvent::Drained(twin) => drop(waiters.drained.remove(&(sid, twin)).map(|waiter| waiter.send(()))),
            RelayEvent::Idle(twin) => drop(waiters.idle.remove(&(sid, twin)).map(|waiter| waiter.send(()))),
            RelayEvent::Junk(twin, beginning) => {
                if hub.processes().is_some() {
                    listener.junk(twin, &beginning);
                } else {
                    listener.log(Some(twin), &format!("sent what is not MCP: {beginning}"));
                }
            }
            RelayEvent::Log(twin, text) => listener.log(twin, &text),
        }
    }
}

impl Session {
    /// Sends a line to a twin, with the headers of the client's request that it comes from; `call` says which it is, where
    /// that is known.
    fn forward(&mut self, hub: &Hub, sid: Sid, twin: TwinId, call: Option<u64>, line: Bytes) {
        let message = match call {
            Some(_) => None,
            // Only a batch that the relay made would be none, and it makes none for twins.
            None => match Message::written(&line) {
                Ok(message) => Some(message),
                Err(_) => return,
            },
        };
        let number = call.or_else(|| message.as_ref()?.request_number());
        let id = number.and_then(|number| self.relay.client_id(number));
        let own = id.as_deref().and_then(|id| self.streams.headers_of(id));
        let modern = self.kind == Kind::Modern;
        let headers = match own {
            Some(headers) => Arc::clone(headers),
            None if modern => Arc::default(),
            None => Arc::new(headers::own(&self.headers)),
        };
        if let Some(link) = self.posts_mut(twin) {
            let errand = Errand::new((sid, twin), number, modern, line.clone(), headers);
            match message {
                Some(message) => link.forward(hub, &message, errand),
                None => link.send(hub, errand),
            }
        }
    }

    /// The reason that the front's own client was refused with.
    pub(super) fn refusal(&self) -> Option<String> {
        let text = self.heard.as_deref()?;
        let value: serde_json::Value = serde_json::from_slice(&one_line(text.as_bytes())).ok()?;
        Some(value.get("error")?.get("message")?.as_str()?.to_owned())
    }
}

/// The first line of what a relay has written. It writes whole lines.
fn first_line(output: &[u8]) -> Option<Bytes> {
    if output.is_empty() {
        return None;
    }
    let end = memchr::memchr(b'\n', output)?;
    output.get(..end).map(Bytes::copy_from_slice)
}

/// The ids of the answers in a batch.
fn ids_of(line: &[u8]) -> Vec<String> {
    let parts: Vec<&RawValue> = serde_json::from_slice(line).unwrap_or_default();
    let id = |part: &&RawValue| Message::read(part.get().as_bytes()).ok()?.id().map(str::to_owned);
    parts.iter().filter_map(id).collect()
}

/// Why a twin cannot be asked.
pub(super) fn gone() -> Fault {
    Fault::new(mcp_twin_core::Code::ExitedEarly, "the twin ended before it could answer")
}
