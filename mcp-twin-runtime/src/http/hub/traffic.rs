//! The hub as the swap machine's driver sees it: what proves a twin healthy, and where requests go.

use super::pump::gone;
use super::{Gate, Hub, HubOptions, Inner, Kind, LISTENS, Session, Sid, Trial, Verdict};
use crate::http::link::Link;
use crate::http::stream::Streams;
use async_trait::async_trait;
use hyper::header::HeaderMap;
use mcp_twin_core::host::{Clock, HealthProbe, Traffic};
use mcp_twin_core::relay::{Relay, SavedSession};
use mcp_twin_core::swap::ProbeReport;
use mcp_twin_core::{Code, Fault, Moment, TwinId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The newest version of the legacy era.
const NEWEST_LEGACY: &str = "2025-11-25";
/// The version of the modern era.
const MODERN: &str = "2026-07-28";
/// The kinds of the front's own sessions, as they stand in `own`.
const OWN: [Kind; 2] = [Kind::Modern, Kind::Canary];

impl Session {
    pub(super) fn new(kind: Kind, relay: Relay, options: &HubOptions) -> Self {
        let resumable = matches!(kind, Kind::Client(_));
        Self {
            kind,
            relay,
            streams: Streams::new(options.epoch, resumable),
            links: BTreeMap::new(),
            moving: None,
            refused: None,
            used: Instant::now(),
            headers: HeaderMap::new(),
            heard: None,
            timeout: None,
            written: 0,
        }
    }
}

impl Hub {
    /// The front's own sessions begin: their openings wait for the first twin.
    pub(super) fn begin(&self) {
        let mut inner = self.lock();
        for (at, kind) in OWN.into_iter().enumerate() {
            let sid = inner.open_own(self, kind);
            inner.own[at] = Some(sid);
        }
    }

    /// A twin was started.
    pub fn joined(&self, twin: TwinId) {
        let mut inner = self.lock();
        inner.rates.insert(twin, (0, 0));
        inner.passing.insert(twin, 0);
    }

    /// A twin's process has ended.
    pub fn left(&self, twin: TwinId, fault: &Fault) {
        let now = self.now();
        let mut inner = self.lock();
        inner.rates.remove(&twin);
        inner.passing.remove(&twin);
        inner.forced.remove(&twin);
        if inner.active == Some(twin) {
            // The machine says what comes now; until then requests wait.
            inner.active = None;
            inner.gate = Gate::Holding;
        }
        inner.drop_next(twin);
        for sid in inner.sids() {
            if let Some(session) = inner.sessions.get_mut(&sid)
                && let Some(mut link) = session.links.remove(&twin)
            {
                let unsent = link.unsent();
                link.silence();
                if !unsent.is_empty() {
                    // What was on its way to a twin that was dead already goes to the next one.
                    session.relay.twin_input_closed(twin, now);
                    for line in unsent {
                        session.relay.twin_returned(twin, &line, now);
                    }
                }
                session.relay.twin_gone(twin, fault, now);
                if session.moving == Some(twin) {
                    inner.session_refused(self, sid, twin, fault.clone());
                }
                inner.pump(self, sid, None);
            }
        }
        let waiters = &mut inner.waiters;
        waiters.ready.retain(|(_, of), _| *of != twin);
        waiters.prepared.retain(|(_, of), _| *of != twin);
        waiters.drained.retain(|(_, of), _| *of != twin);
        waiters.idle.retain(|(_, of), _| *of != twin);
        waiters.passed.retain(|(of, _)| *of != twin);
        waiters.bake.take_if(|(of, _)| *of == twin);
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
            let (tx, rx) = oneshot::channel();
            inner.waiters.ready.insert((sid, twin), tx);
            if let Some(session) = inner.sessions.get_mut(&sid) {
                session.links.insert(twin, Link::default());
                session.relay.attach(twin);
                session.relay.probe(twin, force, now);
            }
            inner.pump(self, sid, None);
            asked.push((at, sid, known, rx));
        }
        asked
    }

    /// Each kind of session that clients have open, tried at a twin on a session of the front's own.
    async fn try_kinds(&self, twin: TwinId, force: bool) -> Result<(), Fault> {
        for saved in self.kinds() {
            let (tx, rx) = oneshot::channel();
            let sid = {
                let now = self.now();
                let mut inner = self.lock();
                let vouched = inner.own[1].and_then(|own| inner.sessions.get(&own)).and_then(|own| own.relay.vouch(twin));
                let relay = Relay::resumed(self.options(), &saved);
                let sid = inner.add(Session::new(Kind::Canary, relay, &self.shared.options));
                inner.waiters.ready.insert((sid, twin), tx);
                if let Some(session) = inner.sessions.get_mut(&sid) {
                    session.links.insert(twin, Link::default());
                    match vouched {
                        Some(vouched) => session.relay.attach_vouched(twin, &vouched),
                        None => session.relay.attach(twin),
                    }
                    session.relay.probe(twin, force, now);
                }
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

    /// Waits for all relays that have this twin, each in its own way.
    fn wait_all<T>(
        &self,
        twin: TwinId,
        insert: impl Fn(&mut Inner, Sid, oneshot::Sender<T>),
        begin: impl Fn(&mut Relay, Moment),
    ) -> Vec<oneshot::Receiver<T>> {
        let now = self.now();
        let mut inner = self.lock();
        let mut waits = Vec::new();
        for sid in inner.sids() {
            if inner.sessions.get(&sid).is_some_and(|session| session.links.contains_key(&twin)) {
                let (tx, rx) = oneshot::channel();
                insert(&mut inner, sid, tx);
                waits.push(rx);
                if let Some(session) = inner.sessions.get_mut(&sid) {
                    begin(&mut session.relay, now);
                }
                inner.pump(self, sid, None);
            }
        }
        waits
    }

    fn each(&self, act: impl Fn(&mut Relay, Moment)) {
        let now = self.now();
        let mut inner = self.lock();
        for sid in inner.sids() {
            if let Some(session) = inner.sessions.get_mut(&sid) {
                act(&mut session.relay, now);
            }
            inner.pump(self, sid, None);
        }
    }
}

impl Inner {
    pub(super) fn add(&mut self, session: Session) -> Sid {
        self.last += 1;
        let sid = Sid(self.last);
        self.sessions.insert(sid, session);
        sid
    }

    /// A session of the front's own, with its opening.
    fn open_own(&mut self, hub: &Hub, kind: Kind) -> Sid {
        let info = format!(r#"{{"name":"mcp-twin","version":"{}"}}"#, env!("CARGO_PKG_VERSION"));
        let opening = match kind {
            Kind::Modern => format!(
                r#"{{"jsonrpc":"2.0","id":"mcp-twin","method":"server/discover","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN}","io.modelcontextprotocol/clientCapabilities":{{}},"io.modelcontextprotocol/clientInfo":{info}}}}}}}"#
            ),
            _ => format!(
                r#"{{"jsonrpc":"2.0","id":"mcp-twin","method":"initialize","params":{{"protocolVersion":"{NEWEST_LEGACY}","capabilities":{{}},"clientInfo":{info}}}}}"#
            ),
        };
        let relay = match kind {
            Kind::Modern => Relay::for_many(hub.options(), LISTENS),
            _ => Relay::new(hub.options()),
        };
        let legacy = kind != Kind::Modern;
        let sid = self.add(Session::new(kind, relay, &hub.shared.options));
        let now = hub.now();
        if let Some(session) = self.sessions.get_mut(&sid) {
            session.relay.client_line(opening.as_bytes(), now);
            if legacy {
                session.relay.client_line(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, now);
            }
        }
        self.pump(hub, sid, None);
        sid
    }

    fn drop_next(&mut self, twin: TwinId) {
        for sid in self.own_next.remove(&twin).into_iter().flatten().flatten() {
            self.sessions.remove(&sid);
        }
    }

    /// Whether nothing that no relay carries is under way at a twin.
    pub(super) fn passed(&mut self, twin: TwinId) {
        if self.passing.get(&twin).is_none_or(|open| *open == 0) {
            for (_, waiter) in self.waiters.passed.extract_if(.., |(of, _)| *of == twin) {
                let _ = waiter.send(());
            }
        }
    }
}

#[async_trait]
impl HealthProbe for Hub {
    // The time to start includes the boot: it is not the client that a twin over HTTP waits for.
    async fn begin(&self, twin: TwinId, force: bool) {
        if force {
            self.lock().forced.insert(twin);
        }
    }

    async fn check(&self, twin: TwinId) -> Result<ProbeReport, Fault> {
        while !self.shared.options.ports.accepts(twin).await {
            tokio::time::sleep(self.options().probe_interval).await;
        }
        let force = self.lock().forced.contains(&twin);
        self.check_as(twin, force).await
    }

    fn last_words(&self, twin: TwinId) -> String {
        self.shared.options.ports.last_words(twin)
    }

    fn obstacle(&self, twin: TwinId) -> Option<String> {
        self.shared.options.ports.obstacle(twin)
    }
}

/// How long a twin that was adopted may take to prove itself; it serves all the same if it does not.
const ADOPTED: Duration = Duration::from_secs(5);

impl Hub {
    /// A twin that outlived its front: what can be learnt of it is learnt.
    pub async fn adopted(&self, twin: TwinId) {
        // Whether it is any good is seen by those who use it.
        let _ = tokio::time::timeout(ADOPTED, self.check_as(twin, true)).await;
    }

    /// Returns when no twin has an open call; requests are held from then on.
    pub async fn quiet(&self) {
        let twins: Vec<TwinId> = self.lock().rates.keys().copied().collect();
        for twin in twins {
            self.idle(twin).await;
        }
    }

    async fn check_as(&self, twin: TwinId, force: bool) -> Result<ProbeReport, Fault> {
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
}

#[async_trait]
impl Traffic for Hub {
    async fn prepare(&self, twin: TwinId) -> Result<(), Fault> {
        let mut waits = Vec::new();
        {
            let now = self.now();
            let mut inner = self.lock();
            let own: Vec<Sid> = inner.own.into_iter().flatten().collect();
            for sid in own {
                let Some(session) = inner.sessions.get_mut(&sid) else { continue };
                if !session.relay.is_open() || !session.relay.is_ready_at(twin) {
                    continue;
                }
                let (tx, rx) = oneshot::channel();
                session.relay.prepare(twin, now);
                inner.waiters.prepared.insert((sid, twin), tx);
                inner.pump(self, sid, None);
                waits.push(rx);
            }
        }
        for wait in waits {
            wait.await.unwrap_or_else(|_| Err(gone()))?;
        }
        Ok(())
    }

    async fn handover(&self, _from: Option<TwinId>, to: TwinId, bake: bool) -> Result<(), Fault> {
        let now = self.now();
        let mut inner = self.lock();
        if self.shared.options.ports.address(to).is_none() {
            return Err(gone());
        }
        if let Some(next) = inner.own_next.remove(&to) {
            for (at, sid) in next.into_iter().enumerate() {
                if let (Some(sid), Some(own)) = (sid, inner.own.get_mut(at)) {
                    // The old one ends with its twins; what it still owes is owed by them.
                    *own = Some(sid);
                }
            }
        }
        let own: Vec<Sid> = inner.own.into_iter().flatten().collect();
        for sid in own {
            if let Some(session) = inner.sessions.get_mut(&sid) {
                if session.relay.is_ready_at(to) {
                    session.relay.handover(to, now)?;
                }
                inner.pump(self, sid, None);
            }
        }
        if let Some(old) = inner.active.filter(|old| *old != to) {
            inner.rate_before = inner.rates.get(&old).copied().unwrap_or_default();
        }
        inner.active = Some(to);
        inner.gate = Gate::Open;
        inner.trial = bake.then_some(Trial { twin: to, rate: (0, 0), broken: 0 });
        for sid in inner.sids() {
            inner.follow(self, sid, false);
        }
        if let Some(canary) = inner.own[1] {
            inner.listen(self, canary);
        }
        Ok(())
    }

    async fn bake_failed(&self, twin: TwinId) -> Fault {
        let (tx, rx) = oneshot::channel();
        self.lock().waiters.bake = Some((twin, tx));
        match rx.await {
            Ok(fault) => fault,
            // Its end is an event of its own.
            Err(_) => std::future::pending().await,
        }
    }

    fn end_bake(&self, twin: TwinId) {
        let mut inner = self.lock();
        inner.waiters.bake.take_if(|(of, _)| *of == twin);
        inner.trial.take_if(|trial| trial.twin == twin);
    }

    fn hold(&self) {
        self.lock().gate = Gate::Holding;
        self.each(|relay, now| relay.hold(now));
    }

    fn refuse(&self, fault: &Fault) {
        {
            let mut inner = self.lock();
            inner.gate = Gate::Refusing(fault.clone());
            inner.active = None;
        }
        self.each(|relay, now| relay.refuse(fault.clone(), now));
    }

    async fn idle(&self, twin: TwinId) {
        let waits = self.wait_all(
            twin,
            |inner, sid, tx| drop(inner.waiters.idle.insert((sid, twin), tx)),
            |relay, now| relay.await_idle(twin, now),
        );
        for wait in waits {
            let _ = wait.await;
        }
        self.lock().gate = Gate::Holding;
    }

    fn cut(&self, twin: TwinId, fault: &Fault) {
        self.each(|relay, now| relay.cut(twin, fault, now));
    }

    async fn drained(&self, twin: TwinId) {
        let waits = self.wait_all(
            twin,
            |inner, sid, tx| drop(inner.waiters.drained.insert((sid, twin), tx)),
            |relay, now| relay.drain(twin, now),
        );
        for wait in waits {
            // Gone is drained too.
            let _ = wait.await;
        }
        let (tx, rx) = oneshot::channel();
        {
            let mut inner = self.lock();
            inner.waiters.passed.push((twin, tx));
            inner.passed(twin);
        }
        let _ = rx.await;
    }
}

#[async_trait]
impl Clock for Hub {
    fn now(&self) -> Moment {
        Self::now(self)
    }

    async fn sleep_until(&self, at: Moment) {
        tokio::time::sleep_until(self.instant(at)).await;
    }
}
