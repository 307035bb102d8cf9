//! What the requests to twins say to the hub.

use super::link::Link;
use super::pump::Origin;
use super::{Hub, Kind, Sid};
use crate::http::caller::{Caller, Payload};
use crate::http::exchange::{self, Endpoint};
use crate::http::stream::{Gauge, Manner};
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Request};
use mcp_twin_core::relay::{Message, is_worse};
use mcp_twin_core::{Code, Fault, TwinId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedMutexGuard, oneshot};

/// How long after a refused connection a twin is tried again.
const AGAIN: Duration = Duration::from_millis(50);
/// So many calls in a row without an answer that can be used, and a twin on trial has failed it.
const BROKEN: usize = 3;

impl Hub {
    pub(in crate::http) fn caller(&self) -> &Caller {
        &self.shared.caller
    }

    pub(in crate::http) fn max_message(&self) -> usize {
        self.options().max_message
    }

    /// A request to a twin's endpoint; `None` if it has no port (any more).
    pub(in crate::http) fn request(
        &self,
        twin: TwinId,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
        sent: Option<oneshot::Sender<()>>,
    ) -> Option<Request<Payload>> {
        let at = self.address(twin)?;
        let endpoint = {
            let known = &mut self.lock().endpoints;
            if known.get(&twin).is_none_or(|(known, _)| *known != at) {
                known.insert(twin, (at, Endpoint::new(&at.to_string(), &self.shared.options.path)?));
            }
            known.get(&twin)?.1.clone()
        };
        Some(exchange::request(&endpoint, method, headers, body, sent))
    }

    /// Writes what the twin knows the session by; the id of that, if it gave one.
    pub(in crate::http) fn dress(
        &self,
        sid: Sid,
        twin: TwinId,
        headers: &mut HeaderMap,
        opens: bool,
    ) -> Option<HeaderValue> {
        let inner = self.lock();
        let link = inner.sessions.get(&sid).and_then(|session| session.posts(twin))?;
        link.dress(headers, opens);
        link.session.clone()
    }

    pub(in crate::http) fn link_session(&self, sid: Sid, twin: TwinId) -> Option<HeaderValue> {
        self.lock().sessions.get(&sid)?.posts(twin)?.session.clone()
    }

    pub(in crate::http) fn openings(&self, sid: Sid, twin: TwinId) -> Option<(Bytes, Option<Bytes>)> {
        self.lock().sessions.get(&sid)?.posts(twin)?.reopening()
    }

    /// What waits for the client of a request, or of a session.
    pub(in crate::http) fn gauge(&self, sid: Sid, number: Option<u64>) -> Option<Arc<Gauge>> {
        let inner = self.lock();
        let session = inner.sessions.get(&sid)?;
        let id = number.and_then(|number| session.relay.client_id(number));
        Some(session.streams.gauge(id.as_deref()))
    }

    /// Waits for the turn to open a session anew; `None` if somebody else has done it meanwhile.
    pub(in crate::http) async fn reopening(
        &self,
        sid: Sid,
        twin: TwinId,
        had: &HeaderValue,
    ) -> Option<OwnedMutexGuard<()>> {
        let turn = Arc::clone(&self.lock().sessions.get(&sid)?.posts(twin)?.turn);
        let turn = turn.lock_owned().await;
        (self.link_session(sid, twin).as_ref() == Some(had)).then_some(turn)
    }

    /// A twin has answered an opening.
    pub(in crate::http) fn opened(&self, sid: Sid, twin: TwinId, session: Option<HeaderValue>) {
        if let Some(link) = self.lock().sessions.get_mut(&sid).and_then(|state| state.posts_mut(twin)) {
            link.session = session;
        }
    }

    /// A twin that had forgotten a session has it again, under this id.
    pub(in crate::http) fn reopened(&self, sid: Sid, twin: TwinId, session: Option<HeaderValue>) {
        self.log(twin, "had forgotten a session, which was opened anew");
        self.opened(sid, twin, session);
    }

    /// What a twin was told of a session before it forgot it is brought again, and its stream is opened again.
    pub(in crate::http) fn forgot(&self, sid: Sid, twin: TwinId) {
        let now = self.now();
        let mut inner = self.lock();
        if let Some(session) = inner.sessions.get_mut(&sid) {
            session.relay.twin_forgot(twin, now);
            inner.pump(self, sid, None);
            inner.listen(self, sid);
        }
    }

    /// Whether a request is still to be answered by this twin.
    pub(in crate::http) fn is_open(&self, sid: Sid, twin: TwinId, number: u64) -> bool {
        let inner = self.lock();
        let session = inner.sessions.get(&sid);
        session.is_some_and(|session| session.links.contains_key(&twin) && session.relay.has_open(twin, number))
    }

    /// The answer of a twin begins, as events.
    pub(in crate::http) fn events_begin(&self, sid: Sid, number: u64, manner: &Manner) {
        let mut inner = self.lock();
        if let Some(session) = inner.sessions.get_mut(&sid)
            && let Some(id) = session.relay.client_id(number)
        {
            session.streams.begin_events(&id, manner);
        }
    }

    /// A twin has closed the stream of a request before it answered, to be asked again later.
    pub(in crate::http) fn pause(&self, sid: Sid, number: u64, retry: Option<Duration>) {
        let mut inner = self.lock();
        if let Some(session) = inner.sessions.get_mut(&sid)
            && let Some(id) = session.relay.client_id(number)
        {
            let retry = retry.and_then(|retry| u64::try_from(retry.as_millis()).ok());
            session.streams.pause(&id, retry);
        }
    }

    /// A message of a twin, on the stream of the request `number` if on one at all.
    pub(in crate::http) fn said(&self, sid: Sid, twin: TwinId, number: Option<u64>, manner: &Manner, line: &[u8]) {
        match Message::read(line) {
            Ok(message) => self.said_message(sid, twin, number, manner, &message),
            Err(_) => {
                let now = self.now();
                let mut inner = self.lock();
                if let Some(session) = inner.sessions.get_mut(&sid) {
                    session.relay.twin_line(twin, line, now);
                    inner.pump(self, sid, None);
                }
            }
        }
    }

    /// The same for one that was read already.
    pub(in crate::http) fn said_message(
        &self,
        sid: Sid,
        twin: TwinId,
        number: Option<u64>,
        manner: &Manner,
        message: &Message<'_>,
    ) {
        let now = self.now();
        let answer = Some(message).filter(|message| message.is_answer());
        let refused = answer.is_some_and(|answer| answer.is_refusal());
        let answers = answer.and_then(|answer| answer.id()).and_then(|id| id.parse::<u64>().ok());
        let mut inner = self.lock();
        let Some(session) = inner.sessions.get_mut(&sid) else { return };
        let id = number.and_then(|number| session.relay.client_id(number));
        let counts = session.kind != Kind::Canary && id.is_some() && answers == number && number.is_some();
        session.relay.twin_message(twin, message, now);
        if let Some(link) = session.links.get_mut(&twin).and_then(Link::posts_mut) {
            if let Some(version) = session.relay.version_at(twin) {
                link.version.get_or_insert_with(|| crate::http::headers::value(version));
            }
            if let Some(answers) = answers {
                link.closed(answers);
            }
        }
        let origin = Origin { number, id, manner };
        inner.pump(self, sid, Some(&origin));
        if counts {
            inner.count(twin, refused);
        }
    }

    /// A twin's refusal in HTTP's own words.
    pub(in crate::http) fn raw(&self, sid: Sid, twin: TwinId, number: u64, manner: &Manner, body: Bytes) {
        let text = String::from_utf8_lossy(body.get(..200).unwrap_or(&body)).trim().to_owned();
        let message = format!("the server answered {}: {text}", manner.status);
        let fault = Fault::new(Code::ProtocolBroken, message);
        {
            let mut inner = self.lock();
            if let Some(session) = inner.sessions.get_mut(&sid)
                && let Some(id) = session.relay.client_id(number)
            {
                // The client sees it as it is; the relay's own words for it go nowhere.
                session.streams.send_raw(&id, manner, body);
                if session.kind == Kind::Modern {
                    id.parse().ok().and_then(|number: u64| inner.edges.remove(&number));
                }
            }
        }
        self.lost(sid, twin, number, &fault);
    }

    /// The answer to a request will not come.
    pub(in crate::http) fn lost(&self, sid: Sid, twin: TwinId, number: u64, fault: &Fault) {
        let now = self.now();
        let mut inner = self.lock();
        let Some(session) = inner.sessions.get_mut(&sid) else { return };
        if let Some(link) = session.posts_mut(twin) {
            link.closed(number);
        }
        let tail = self.words_of(twin);
        session.relay.twin_lost(twin, number, &fault.clone().with_stderr(tail), now);
        inner.pump(self, sid, None);
        inner.count_broken(twin, fault);
    }

    /// A line has not reached its twin. If the twin takes connections after all it gets the line again; one that does not
    /// can be asked nothing any more and is ended, and the line goes to the next one.
    pub(in crate::http) async fn unsent(&self, sid: Sid, twin: TwinId, line: &Bytes, why: &str) {
        // A listener that has no room refuses for a moment; one that is gone is gone.
        tokio::time::sleep(AGAIN).await;
        let accepts = match self.ports() {
            Some(ports) => ports.accepts(twin).await,
            None => false,
        };
        let now = self.now();
        let mut inner = self.lock();
        if !accepts {
            self.log(twin, &format!("does not accept connections any more, so it is ended: {why}"));
            if let Some(ports) = self.ports() {
                ports.end(twin);
            }
            for sid in inner.sids() {
                if let Some(session) = inner.sessions.get_mut(&sid) {
                    session.relay.twin_input_closed(twin, now);
                }
            }
        }
        if let Some(session) = inner.sessions.get_mut(&sid) {
            session.relay.twin_returned(twin, line, now);
        }
        for sid in inner.sids() {
            inner.pump(self, sid, None);
        }
    }
}

impl super::Inner {
    /// A call was answered. A result with `isError` is the tool speaking: it does not count as refused.
    pub(super) fn count(&mut self, twin: TwinId, refused: bool) {
        let add = |rate: &mut (u32, u32)| *rate = (rate.0.saturating_add(1), rate.1.saturating_add(u32::from(refused)));
        add(self.rates.entry(twin).or_default());
        let before = self.rate_before;
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.twin == twin) else { return };
        trial.broken = 0;
        add(&mut trial.rate);
        if is_worse(trial.rate, before) {
            let ((calls, bad), (old, old_bad)) = (trial.rate, before);
            let message = format!("the new server refused {bad} of {calls} calls; the one before {old_bad} of {old}");
            self.trial_failed(Fault::new(Code::BakeErrors, message));
        }
    }

    fn count_broken(&mut self, twin: TwinId, fault: &Fault) {
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.twin == twin) else { return };
        trial.broken += 1;
        if trial.broken >= BROKEN {
            let message =
                format!("{BROKEN} calls in a row had no answer that can be used; the last: {}", fault.message);
            self.trial_failed(Fault::new(Code::BakeErrors, message));
        }
    }

    /// A process of a twin has ended by itself: new code that does that is not kept.
    pub(super) fn crashed_on_trial(&mut self, twin: TwinId, fault: &Fault) {
        if self.trial.as_ref().is_some_and(|trial| trial.twin == twin) {
            let message = format!("a process of the new code ended by itself: {}", fault.message);
            self.trial_failed(Fault { code: Code::BakeCrashed, message, ..fault.clone() });
        }
    }

    fn trial_failed(&mut self, fault: Fault) {
        let Some(trial) = self.trial.take() else { return };
        if let Some((_, waiter)) = self.waiters.bake.take_if(|(twin, _)| *twin == trial.twin) {
            let _ = waiter.send(fault);
        }
    }
}
