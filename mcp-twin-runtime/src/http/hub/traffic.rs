//! The hub as the swap machine's driver sees it: what proves a twin healthy, and where requests go.

use super::link::Link;
use super::pump::gone;
use super::{Gate, Hub, HubOptions, Inner, Kind, Session, Sid, Trial};
use crate::http::stream::Streams;
use async_trait::async_trait;
use mcp_twin_core::host::{Clock, HealthProbe, Traffic};
use mcp_twin_core::relay::Relay;
use mcp_twin_core::swap::ProbeReport;
use mcp_twin_core::{Fault, Moment, TwinId};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

impl Session {
    pub(super) fn new(kind: Kind, relay: Relay, options: &HubOptions) -> Self {
        let resumable = matches!(kind, Kind::Client(_));
        Self {
            kind,
            relay,
            streams: Streams::new(options.epoch, resumable),
            links: BTreeMap::new(),
            moving: None,
            leaving: None,
            refused: None,
            deaths: super::members::Deaths::default(),
            used: Instant::now(),
            headers: Arc::default(),
            heard: None,
            timeout: None,
            written: 0,
        }
    }
}

impl Hub {
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
        inner.endpoints.remove(&twin);
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
                && let Some(link) = session.links.remove(&twin)
            {
                let unsent = match link {
                    Link::Posts(mut posts) => {
                        let unsent = posts.unsent();
                        posts.silence();
                        unsent
                    }
                    // The relay itself knows what its pipe has accepted.
                    Link::Process(_) => Vec::new(),
                };
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
            // One of the front's own that another has taken the place of ends with the last twin that it had.
            let replaced = !inner.own.contains(&Some(sid));
            let over = |session: &Session| !matches!(session.kind, Kind::Client(_)) && session.links.is_empty();
            if replaced && inner.sessions.get(&sid).is_some_and(over) {
                inner.end_session(self, sid);
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

    /// Returns when no twin has an open call; requests are held from then on.
    pub async fn quiet(&self) {
        let twins: Vec<TwinId> = self.lock().rates.keys().copied().collect();
        for twin in twins {
            self.idle(twin).await;
        }
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
    pub(super) fn add(&mut self, mut session: Session) -> Sid {
        session.relay.set_meter(self.meter.clone());
        self.last += 1;
        let sid = Sid(self.last);
        self.sessions.insert(sid, session);
        sid
    }

    fn drop_next(&mut self, twin: TwinId) {
        for sid in self.own_next.remove(&twin).into_iter().flatten().flatten() {
            self.sessions.remove(&sid);
        }
    }

    /// Tells those who wait for a twin to be done with that nothing is under way there that no relay carries, and no session
    /// stays with it because its successor refuses it.
    pub(super) fn passed(&mut self, twin: TwinId) {
        let stays = |session: &Session| {
            session.leaving == Some(twin) || session.refused.is_some() && session.relay.serving() == Some(twin)
        };
        let idle = self.passing.get(&twin).is_none_or(|open| *open == 0);
        if idle && !self.sessions.values().any(stays) {
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
        let Some(ports) = self.ports() else {
            let force = self.lock().forced.contains(&twin);
            return self.check_first(twin, force).await;
        };
        while !ports.accepts(twin).await {
            tokio::time::sleep(self.options().probe_interval).await;
        }
        let force = self.lock().forced.contains(&twin);
        self.check_as(twin, force).await
    }

    fn last_words(&self, twin: TwinId) -> String {
        self.words_of(twin)
    }

    fn obstacle(&self, twin: TwinId) -> Option<String> {
        self.ports()?.obstacle(twin)
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
        if !inner.is_there(self, to) {
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
        inner.served(self, to);
        inner.trial = bake.then_some(Trial { twin: to, rate: (0, 0), broken: 0 });
        for sid in inner.busy_first() {
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
        // A session that is idle before the others must not be let go to this twin again.
        self.lock().gate = Gate::Holding;
        let waits = self.wait_all(
            twin,
            |inner, sid, tx| drop(inner.waiters.idle.insert((sid, twin), tx)),
            |relay, now| relay.await_idle(twin, now),
        );
        for wait in waits {
            let _ = wait.await;
        }
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
