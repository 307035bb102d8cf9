//! What clients ask of the hub.

use super::link::Link;
use super::{Gate, Hub, Inner, Kind, Session, Sid};
use crate::http::headers;
use crate::http::stream::{Events, Reply};
use hyper::header::HeaderMap;
use mcp_twin_core::control::Figures;
use mcp_twin_core::relay::{Edge, Message, Relay, SavedSession};
use mcp_twin_core::{Fault, TwinId};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Why a client's message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The session is over.
    Gone,
    /// A request of this id is open.
    InUse,
}

/// A client's message that was taken.
#[derive(Debug)]
pub struct Entered {
    hub: Hub,
    sid: Sid,
    /// The number of a request of the modern era, which ends with its stream.
    number: Option<u64>,
    /// What the client gets.
    pub reply: oneshot::Receiver<Reply>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // The client's stream is over, whichever way: what is still open on it is cancelled
        // (2026-07-28 basic/transports/streamable-http: closing the stream is the cancellation).
        if let Some(number) = self.number.take() {
            self.hub.cancel(self.sid, number);
        }
    }
}

impl Hub {
    /// A session that a client wants to open; `None` if there is no room for one more.
    #[must_use]
    pub fn open(&self, name: String) -> Option<Sid> {
        let options = &self.shared.options;
        let mut inner = self.lock();
        inner.make_room(self, options.max_sessions, options.session_idle);
        if inner.by_name.len() >= options.max_sessions {
            return None;
        }
        let session = Session::new(Kind::Client(name.clone()), Relay::new(&self.options()), options);
        let sid = inner.add(session);
        inner.by_name.insert(name, sid);
        inner.gate_for(self, sid);
        Some(sid)
    }

    /// A session that a front before this one had.
    pub(super) fn restore(&self, name: String, saved: &SavedSession) {
        let mut inner = self.lock();
        let relay = Relay::resumed(&self.options(), saved);
        let mut session = Session::new(Kind::Client(name.clone()), relay, &self.shared.options);
        session.streams.priming = saved.version.as_str() >= PRIMED;
        let sid = inner.add(session);
        inner.by_name.insert(name, sid);
        inner.gate_for(self, sid);
    }

    /// The session of this id.
    #[must_use]
    pub fn session(&self, name: &str) -> Option<Sid> {
        let mut inner = self.lock();
        let sid = inner.by_name.get(name).copied()?;
        inner.sessions.get_mut(&sid)?.used = Instant::now();
        Some(sid)
    }

    /// A client of the legacy era sends a body with these requests in it: a message, or the line of a batch.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn post(
        &self,
        sid: Sid,
        message: &Result<Message<'_>, &[u8]>,
        ids: Vec<String>,
        headers: HeaderMap,
    ) -> Result<Entered, Refusal> {
        let now = self.now();
        let mut inner = self.lock();
        let session = inner.sessions.get_mut(&sid).ok_or(Refusal::Gone)?;
        if ids.iter().any(|id| session.streams.of(id).is_some()) {
            return Err(Refusal::InUse);
        }
        session.used = Instant::now();
        let headers = Arc::new(headers::to_twin(headers));
        session.headers = Arc::clone(&headers);
        let asks = !ids.is_empty();
        let reply = if asks {
            session.streams.post(ids, headers).1
        } else {
            // Nothing will come; the receiver tells that at once.
            oneshot::channel().1
        };
        if asks {
            inner.follow(self, sid, true);
        }
        if let Some(session) = inner.sessions.get_mut(&sid) {
            match message {
                Ok(message) => session.relay.client_message(message, now),
                Err(line) => session.relay.client_line(line, now),
            }
        }
        inner.lend_last_good(sid);
        inner.pump(self, sid, None);
        if asks {
            inner.follow(self, sid, false);
        } else {
            inner.listen(self, sid);
        }
        if let Some(session) = inner.sessions.get_mut(&sid)
            && let Some(version) = session.relay.version()
        {
            session.streams.priming = version >= PRIMED;
        }
        Ok(Entered { hub: self.clone(), sid, number: None, reply })
    }

    /// A client of the modern era sends a request.
    #[must_use]
    pub fn post_modern(&self, message: &Message<'_>, headers: HeaderMap) -> Option<Entered> {
        let now = self.now();
        let mut inner = self.lock();
        let sid = inner.own[0]?;
        inner.last += 1;
        let number = inner.last;
        let (edge, line) = Edge::enter(message, number)?;
        let id = edge.number().to_owned();
        inner.edges.insert(number, edge);
        let session = inner.sessions.get_mut(&sid)?;
        let (_, reply) = session.streams.post(vec![id], Arc::new(headers::to_twin(headers)));
        if let Ok(message) = Message::written(&line) {
            session.relay.client_message(&message, now);
        }
        inner.pump(self, sid, None);
        Some(Entered { hub: self.clone(), sid, number: Some(number), reply })
    }

    fn cancel(&self, sid: Sid, number: u64) {
        let now = self.now();
        let mut inner = self.lock();
        let Some(edge) = inner.edges.remove(&number) else { return };
        if let Some(session) = inner.sessions.get_mut(&sid) {
            if let Some(key) = session.streams.of(edge.number()) {
                session.streams.forget(key);
            }
            session.relay.client_line(edge.cancellation().as_bytes(), now);
        }
        inner.pump(self, sid, None);
    }

    /// A client listens to what belongs to no request, or goes on behind the event `last`. `None`: it is not known.
    #[must_use]
    pub fn get(&self, sid: Sid, last: Option<&str>, headers: HeaderMap) -> Option<Events> {
        let mut inner = self.lock();
        let session = inner.sessions.get_mut(&sid)?;
        session.used = Instant::now();
        let own = Arc::new(headers::to_twin(headers));
        session.headers = Arc::clone(&own);
        let resumed = last.and_then(|last| session.streams.resume(last, own.clone()));
        let events = resumed.unwrap_or_else(|| session.streams.open_get(own));
        inner.follow(self, sid, false);
        inner.listen(self, sid);
        Some(events)
    }

    /// A client ends its session; whether there was one.
    pub fn delete(&self, name: &str) -> bool {
        let mut inner = self.lock();
        let Some(sid) = inner.by_name.get(name).copied() else { return false };
        inner.end_session(self, sid);
        true
    }

    /// The protocol version that a session has agreed on.
    #[must_use]
    pub fn version(&self, sid: Sid) -> Option<String> {
        self.lock().sessions.get(&sid)?.relay.version().map(str::to_owned)
    }

    /// Whether the session has been accepted.
    #[must_use]
    pub fn is_accepted(&self, sid: Sid) -> bool {
        self.lock().sessions.get(&sid).is_some_and(|session| session.relay.is_open())
    }

    /// The twin that serves, and its port; a request that no relay carries is under way there until the guard is dropped.
    ///
    /// # Errors
    /// None serves: the reason, or nothing if one is about to.
    pub fn pass(&self) -> Result<Passing, Option<Fault>> {
        let mut inner = self.lock();
        let twin = match (&inner.gate, inner.active) {
            (Gate::Open, Some(twin)) => twin,
            (Gate::Refusing(fault), _) => return Err(Some(fault.clone())),
            _ => return Err(None),
        };
        let at = self.address(twin).ok_or(None)?;
        *inner.passing.entry(twin).or_default() += 1;
        Ok(Passing { hub: self.clone(), twin, at })
    }

    /// Sessions of clients, requests that are open, and those that wait for a twin.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let inner = self.lock();
        let in_flight: usize = inner.sessions.values().map(|session| session.relay.in_flight()).sum();
        let passing: usize = inner.passing.values().sum();
        // What the front asks for itself is nobody's wait.
        let held = inner.sessions.values().map(|session| match session.kind {
            Kind::Client(_) => session.relay.held(),
            Kind::Modern => session.relay.held().min(inner.edges.len()),
            Kind::Canary => 0,
        });
        (inner.by_name.len(), in_flight + passing, held.sum())
    }

    /// What was counted of the calls of all sessions, and of those before.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let now = self.now();
        self.lock().meter.figures(now)
    }

    /// Sessions that the serving twin does not take, and why.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        let inner = self.lock();
        let refused = inner.sessions.values().filter_map(|session| match (&session.kind, &session.refused) {
            (Kind::Client(name), Some((_, fault))) => Some((name, &session.relay, fault)),
            _ => None,
        });
        refused
            .map(|(name, relay, fault)| {
                let client =
                    relay.client_info().map_or("a client".to_owned(), |(name, version)| format!("{name} {version}"));
                let short = name.get(..8).unwrap_or(name);
                let stays = if relay.serving().is_some() { "stays on the old code" } else { "has no server" };
                format!("the session {short}… of {} {stays}: {}", client.trim_end(), fault.message)
            })
            .collect()
    }

    /// Whether requests are served now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let inner = self.lock();
        matches!(inner.gate, Gate::Open) && inner.active.is_some()
    }

    /// Tells every client's relay once what has failed.
    pub fn tell(&self, text: &str) {
        let mut inner = self.lock();
        for session in inner.sessions.values_mut() {
            session.relay.tell(text.to_owned());
        }
    }

    /// The front ends: what is open is answered with this reason, and all streams end.
    pub fn close(&self, fault: &Fault) {
        let now = self.now();
        let mut inner = self.lock();
        inner.gate = Gate::Refusing(fault.clone());
        for sid in inner.sids() {
            if let Some(session) = inner.sessions.get_mut(&sid) {
                session.relay.refuse(fault.clone(), now);
                let twins: Vec<TwinId> = session.links.keys().copied().collect();
                for twin in twins {
                    session.relay.cut(twin, fault, now);
                }
            }
            inner.pump(self, sid, None);
            if let Some(session) = inner.sessions.get_mut(&sid) {
                session.streams.end();
            }
        }
    }
}

/// The first version in which an event without a message begins each stream.
const PRIMED: &str = "2025-11-25";

/// A request that no relay carries.
pub struct Passing {
    hub: Hub,
    twin: TwinId,
    /// Where the twin listens that has it.
    pub at: SocketAddr,
}

impl Drop for Passing {
    fn drop(&mut self) {
        let mut inner = self.hub.lock();
        if let Some(open) = inner.passing.get_mut(&self.twin) {
            *open = open.saturating_sub(1);
        }
        inner.passed(self.twin);
    }
}

impl Inner {
    /// What a new session's relay must know of the twins.
    fn gate_for(&mut self, hub: &Hub, sid: Sid) {
        let now = hub.now();
        let refusing = match &self.gate {
            Gate::Refusing(fault) => Some(fault.clone()),
            Gate::Open | Gate::Holding => None,
        };
        if let Some(fault) = refusing
            && let Some(session) = self.sessions.get_mut(&sid)
        {
            session.relay.refuse(fault, now);
        }
    }

    /// Sessions of clients that nothing is open of, and since when.
    pub(super) fn unused(&self) -> impl Iterator<Item = (Instant, Sid)> + '_ {
        let unused = |session: &Session| {
            matches!(session.kind, Kind::Client(_)) && !session.streams.is_busy() && session.relay.unanswered() == 0
        };
        self.sessions.iter().filter(move |(_, session)| unused(session)).map(|(sid, session)| (session.used, *sid))
    }

    /// Ends sessions that have lain idle; if there are too many all the same, the one that has lain longest.
    fn make_room(&mut self, hub: &Hub, max: usize, idle: Duration) {
        if self.by_name.len() < max / 2 {
            return;
        }
        let now = Instant::now();
        let mut lying: Vec<(Instant, Sid)> = self.unused().collect();
        lying.sort_unstable();
        let over = (self.by_name.len() + 1).saturating_sub(max);
        let expired = lying.iter().filter(|(used, _)| now - *used >= idle).count();
        for (_, sid) in lying.into_iter().take(over.max(expired)) {
            self.end_session(hub, sid);
        }
    }

    /// Ends a session, here and at all twins.
    pub(super) fn end_session(&mut self, hub: &Hub, sid: Sid) {
        let Some(mut session) = self.sessions.remove(&sid) else { return };
        if let Kind::Client(name) = &session.kind {
            self.by_name.remove(name);
            hub.book().strike(name);
        }
        if let Some(at) = session.timeout {
            self.timeouts.remove(&(at, sid));
        }
        for (twin, link) in std::mem::take(&mut session.links) {
            match link {
                // Nobody waits for the twin to hear of it.
                Link::Posts(mut posts) => drop(posts.end(hub, twin, headers::own(&session.headers))),
                Link::Process(number) => self.end_process(hub, number),
            }
            self.passed(twin);
        }
        session.streams.end();
        // Whoever waits for this session to finish with a twin need not wait any more.
        self.waiters.drained.retain(|(of, _), _| *of != sid);
        self.waiters.called.retain(|(of, _), _| *of != sid);
        self.waiters.idle.retain(|(of, _), _| *of != sid);
        self.waiters.ready.retain(|(of, _), _| *of != sid);
        self.waiters.prepared.retain(|(of, _), _| *of != sid);
    }
}
