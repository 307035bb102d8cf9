//! The front's own sessions, by which twins are proved: the relay of the modern era, a session of the legacy era, and for a
//! moment one of each kind that clients have open.

use super::link::Link;
use super::pump::gone;
use super::{Hub, Inner, Kind, LISTENS, OWN_ID, Session, Sid, Verdict};
use mcp_twin_core::relay::{Relay, SavedSession};
use mcp_twin_core::swap::ProbeReport;
use mcp_twin_core::{Code, Fault, TwinId};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::oneshot;

/// The newest version of the legacy era.
pub(super) const NEWEST_LEGACY: &str = "2025-11-25";
/// The version of the modern era.
const MODERN: &str = "2026-07-28";
/// The kinds of the front's own sessions, as they stand in `own`.
const OWN: [Kind; 2] = [Kind::Modern, Kind::Canary];

/// How long a twin that was adopted may take to prove itself; it serves all the same if it does not.
const ADOPTED: Duration = Duration::from_secs(5);

impl Hub {
    /// The front's own sessions begin: their openings wait for the first twin.
    pub(super) fn begin(&self) {
        let mut inner = self.lock();
        for (at, kind) in OWN.into_iter().enumerate() {
            let sid = inner.open_own(self, kind);
            inner.own[at] = Some(sid);
        }
    }

    /// A twin that outlived its front: what can be learnt of it is learnt.
    pub async fn adopted(&self, twin: TwinId) {
        // Whether it is any good is seen by those who use it.
        let _ = tokio::time::timeout(ADOPTED, self.check_as(twin, true)).await;
    }

    pub(super) async fn check_as(&self, twin: TwinId, force: bool) -> Result<ProbeReport, Fault> {
        let mut best = None;
        let mut refusals = Vec::new();
        for (at, sid, known, verdict) in self.ask(twin, force) {
            let verdict = verdict.await.unwrap_or_else(|_| Err(gone()));
            let (open, refusal) = {
                let inner = self.lock();
                let session = inner.sessions.get(&sid);
                (session.is_some_and(|own| own.relay.is_open()), session.and_then(Session::refusal))
            };
            match verdict {
                Err(fault) if known => return Err(fault),
                Ok(report) if open => best = best.or(Some(report)),
                Ok(_) => refusals.push((at, refusal.unwrap_or_else(|| "it was refused".to_owned()))),
                Err(fault) => refusals.push((at, fault.message)),
            }
        }
        let Some(report) = best else {
            let why: Vec<String> = refusals
                .into_iter()
                .map(|(at, why)| format!("{}: {why}", if at == 0 { "server/discover" } else { "initialize" }))
                .collect();
            let message = format!("the new server accepts no opening ({})", why.join("; "));
            let help = "check that its endpoint is at the path of the front (`--path`)";
            return Err(Fault::new(Code::ProbeRefused, message).with_help(help));
        };
        self.try_kinds(twin, force).await?;
        Ok(report)
    }

    fn ask(&self, twin: TwinId, force: bool) -> Vec<(usize, Sid, bool, oneshot::Receiver<Verdict>)> {
        let now = self.now();
        let mut inner = self.lock();
        let mut asked = Vec::new();
        for (at, kind) in OWN.into_iter().enumerate() {
            let Some(own) = inner.own.get(at).copied().flatten() else { continue };
            let known = inner.sessions.get(&own).is_some_and(|session| session.relay.is_open());
            let fresh = inner.sessions.get(&own).is_some_and(|session| session.links.is_empty());
            // One that the last twin has refused is asked anew, in a session of its own.
            let sid = if known || fresh {
                own
            } else {
                let sid = inner.open_own(self, kind);
                if let Some(next) = inner.own_next.entry(twin).or_default().get_mut(at) {
                    *next = Some(sid);
                }
                sid
            };
            if !known && inner.sessions.get(&sid).is_some_and(|session| session.heard.is_some()) {
                // Nobody was there to take it, for longer than an opening waits.
                inner.send_opening(self, sid);
            }
            let (tx, rx) = oneshot::channel();
            inner.waiters.ready.insert((sid, twin), tx);
            if let Some(session) = inner.sessions.get_mut(&sid) {
                session.links.insert(twin, Link::Posts(Box::default()));
                session.relay.attach(twin);
                session.relay.probe(twin, force, now);
            }
            inner.pump(self, sid, None);
            asked.push((at, sid, known, rx));
        }
        asked
    }

    /// Each kind of session that clients have open, tried at a twin on a session of the front's own.
    pub(super) async fn try_kinds(&self, twin: TwinId, force: bool) -> Result<(), Fault> {
        let proved = self.lock().proved_kind(twin);
        for saved in self.kinds().into_iter().filter(|saved| Some(saved.kind()) != proved) {
            let (tx, rx) = oneshot::channel();
            let sid = {
                let mut inner = self.lock();
                let vouched = inner.vouched(self, twin);
                let relay = Relay::resumed(&self.options(), &saved);
                let sid = inner.add(Session::new(Kind::Canary, relay, &self.shared.options));
                inner.waiters.ready.insert((sid, twin), tx);
                inner.tie(self, sid, twin, vouched.as_ref(), force);
                inner.pump(self, sid, None);
                sid
            };
            let verdict = rx.await.unwrap_or_else(|_| Err(gone()));
            self.lock().end_session(self, sid);
            verdict.map_err(|fault| Fault {
                message: format!("a session that a client has open would be lost: {}", fault.message),
                ..fault
            })?;
        }
        Ok(())
    }

    fn kinds(&self) -> Vec<SavedSession> {
        let inner = self.lock();
        let mut seen = BTreeSet::new();
        let clients = inner.sessions.values().filter(|session| matches!(session.kind, Kind::Client(_)));
        // One that the serving twin has refused already says nothing about the next.
        let saved = clients.filter(|session| session.refused.is_none()).filter_map(|session| session.relay.saved());
        saved.filter(|saved| seen.insert(saved.kind())).collect()
    }
}

impl Inner {
    /// The kind of session by which a twin has been proved already.
    fn proved_kind(&self, twin: TwinId) -> Option<(String, String)> {
        let own = self.sessions.get(&self.own[1]?)?;
        own.relay.is_ready_at(twin).then(|| own.relay.saved())?.map(|saved| saved.kind())
    }

    /// A session of the front's own, with its opening.
    fn open_own(&mut self, hub: &Hub, kind: Kind) -> Sid {
        let relay = match kind {
            Kind::Modern => Relay::for_many(&hub.options(), LISTENS),
            _ => Relay::new(&hub.options()),
        };
        let sid = self.add(Session::new(kind, relay, &hub.shared.options));
        self.send_opening(hub, sid);
        sid
    }

    pub(super) fn send_opening(&mut self, hub: &Hub, sid: Sid) {
        let now = hub.now();
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        session.heard = None;
        let info = format!(r#"{{"name":"mcp-twin","version":"{}"}}"#, env!("CARGO_PKG_VERSION"));
        if session.kind == Kind::Modern {
            let opening = format!(
                r#"{{"jsonrpc":"2.0","id":{OWN_ID},"method":"server/discover","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN}","io.modelcontextprotocol/clientCapabilities":{{}},"io.modelcontextprotocol/clientInfo":{info}}}}}}}"#
            );
            session.relay.client_line(opening.as_bytes(), now);
        } else {
            let opening = format!(
                r#"{{"jsonrpc":"2.0","id":{OWN_ID},"method":"initialize","params":{{"protocolVersion":"{NEWEST_LEGACY}","capabilities":{{}},"clientInfo":{info}}}}}"#
            );
            session.relay.client_line(opening.as_bytes(), now);
            session.relay.client_line(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, now);
        }
        self.pump(hub, sid, None);
    }
}
