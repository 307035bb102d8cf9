//! What the front answers itself for a server over stdio, which knows nothing of HTTP: whether it speaks the modern era at
//! all, whether headers say what the body says, and whose session has lain idle for too long.

use super::own::NEWEST_LEGACY;
use super::{Gate, Hub, Inner};
use crate::http::agree::disagreement;
use crate::http::stream::Manner;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use mcp_twin_core::TwinId;
use mcp_twin_core::relay::{LastGood, Message};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The body does not say what the headers of a request say (2026-07-28 basic/transports/streamable-http).
const HEADER_MISMATCH: i32 = -32020;
/// It does not speak the version of a request (2026-07-28 basic/versioning).
const UNSUPPORTED_VERSION: i32 = -32022;
/// Answers to so many kinds of openings are remembered.
const OPENINGS: usize = 16;
/// Idle sessions are looked for at least so often.
const LOOK: Duration = Duration::from_secs(60);

impl Hub {
    /// Why a request of the modern era is not taken: the error answer to it.
    #[must_use]
    pub fn objection(&self, message: &Message<'_>, headers: &HeaderMap) -> Option<Bytes> {
        let inner = self.lock();
        let id = message.id().unwrap_or("null");
        let params = inner.active.and_then(|active| inner.params.get(&active));
        if let Some(why) = disagreement(message, headers, params) {
            let error = json!({"code": HEADER_MISMATCH, "message": format!("header mismatch: {why}")});
            return Some(error_answer(id, &error));
        }
        let legacy = matches!(inner.gate, Gate::Open) && !inner.is_modern();
        legacy.then(|| error_answer(id, &unsupported(&message.version().unwrap_or_default())))
    }

    /// Ends sessions that have lain idle for too long, and their processes with them.
    pub(super) async fn end_idle(self) {
        let idle = self.shared.options.session_idle;
        loop {
            let now = Instant::now();
            let next = {
                let mut inner = self.lock();
                let (over, rest): (Vec<_>, Vec<_>) = inner.unused().partition(|(used, _)| now - *used >= idle);
                for (_, sid) in over {
                    inner.end_session(&self, sid);
                }
                rest.into_iter().map(|(used, _)| used + idle).min()
            };
            // One that is opened meanwhile is not idle before that long.
            let latest = now + idle.min(LOOK);
            sleep_until(next.map_or(latest, |next| next.min(latest))).await;
        }
    }
}

impl Inner {
    /// Whether the server speaks the modern era.
    pub(super) fn is_modern(&self) -> bool {
        self.own[0].and_then(|own| self.sessions.get(&own)).is_some_and(|own| own.relay.is_open())
    }

    /// A twin over stdio serves from now on: what waited for the modern era and it does not speak that is told so.
    pub(super) fn served(&mut self, hub: &Hub, twin: TwinId) {
        if hub.ports().is_some() {
            return;
        }
        self.params.retain(|of, _| *of >= twin || self.families.contains_key(of));
        let Some(sid) = self.own[0].filter(|_| !self.is_modern()) else { return };
        let manner = Manner { status: StatusCode::BAD_REQUEST, ..Manner::default() };
        let now = hub.now();
        for edge in std::mem::take(&mut self.edges).into_values() {
            let Some(session) = self.sessions.get_mut(&sid) else { return };
            let number = edge.number().to_owned();
            let key = session.streams.of(&number);
            session.streams.send(key, error_answer(edge.id(), &unsupported("2026-07-28")), &[number], &manner);
            session.relay.client_line(edge.cancellation().as_bytes(), now);
        }
        self.pump(hub, sid, None);
    }

    /// The sessions, first those with requests that wait: their processes are started in this order.
    pub(super) fn busy_first(&self) -> Vec<super::Sid> {
        let mut sids = self.sids();
        sids.sort_by_key(|sid| self.sessions.get(sid).is_none_or(|session| session.relay.held() == 0));
        sids
    }

    /// An opening that no process can answer is answered as the server last did.
    pub(super) fn lend_last_good(&mut self, sid: super::Sid) {
        let Some(session) = self.sessions.get_mut(&sid).filter(|session| !session.relay.is_open()) else { return };
        let asked = session.relay.asked().map(|asked| (asked.to_owned(), false));
        if let Some(last) = asked.and_then(|asked| self.last_good.get(&asked)) {
            session.relay.set_last_good(Some(last.clone()));
        }
    }

    /// The server has accepted an opening: that answers the next one, should its code be broken then.
    pub(super) fn note_opened(&mut self, last: LastGood) {
        let key = (last.asked.clone(), last.modern);
        if self.last_good.len() < OPENINGS || self.last_good.contains_key(&key) {
            self.last_good.insert(key, last);
        }
    }
}

fn unsupported(requested: &str) -> serde_json::Value {
    json!({
        "code": UNSUPPORTED_VERSION,
        "message": "Unsupported protocol version: this server opens a session with `initialize`",
        "data": {"supported": [NEWEST_LEGACY], "requested": requested},
    })
}

fn error_answer(id: &str, error: &serde_json::Value) -> Bytes {
    Bytes::from(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}"))
}

/// The status of an answer of the modern era, as servers over HTTP give it.
#[must_use]
pub(super) fn status_of(code: i64) -> StatusCode {
    match code {
        -32601 => StatusCode::NOT_FOUND,
        -32700 | -32600 | -32602 | -32022..=-32020 => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}
