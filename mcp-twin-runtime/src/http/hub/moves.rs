//! The way of one session from twin to twin: opened at the new one, brought up to date, handed over.

use super::{Gate, Hub, Inner, Kind, Session, Sid};
use crate::http::headers;
use crate::http::posts::Posts;
use mcp_twin_core::relay::Vouched;
use mcp_twin_core::{Code, Fault, TwinId};
use std::time::Duration;
use tokio::time::timeout;

/// How long a twin that is about to be ended may take to hear that its sessions are over.
const FAREWELL: Duration = Duration::from_secs(1);

impl Hub {
    /// A twin is about to be ended. The streams that are held open there end before: servers that are told to end wait for
    /// their connections, and these would last for ever.
    pub async fn leave(&self, twin: TwinId) {
        let farewells: Vec<_> = {
            let mut inner = self.lock();
            let with = |session: &mut Session| {
                let Session { relay, links, headers, .. } = session;
                links
                    .get_mut(&twin)?
                    .posts_mut()?
                    .leave(self, twin, headers::own(headers), |number| relay.is_listen(number))
            };
            inner.sessions.values_mut().filter_map(with).collect()
        };
        let all = async {
            for farewell in farewells {
                // A twin that does not hear it is ended all the same.
                let _ = farewell.await;
            }
        };
        let _ = timeout(FAREWELL, all).await;
    }
}

impl Inner {
    /// The lists of a twin, as one of the front's own relays has fetched them.
    pub(super) fn vouched(&self, hub: &Hub, twin: TwinId) -> Option<Vouched> {
        let [modern, canary] = self.own.map(|own| self.sessions.get(&own?));
        let of = |own: Option<&Session>| own?.relay.vouch(twin);
        // Over stdio a twin has only one of the two.
        of(canary).or_else(|| of(modern.filter(|_| hub.processes().is_some())))
    }

    /// Lets a session go to the twin that serves, if it is not there. `wanted`: it has something for it.
    pub(super) fn follow(&mut self, hub: &Hub, sid: Sid, wanted: bool) {
        let Some(active) = self.active.filter(|_| matches!(self.gate, Gate::Open)) else { return };
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        if !matches!(session.kind, Kind::Client(_)) {
            return;
        }
        let serving = session.relay.serving();
        if session.moving.is_some() {
            // The twin that it leaves may be ended as soon as it has answered what it has.
            if wanted && serving.is_some() && serving != session.moving {
                session.relay.hold(hub.now());
            }
            return;
        }
        let refused = session.refused.as_ref().is_some_and(|(twin, _)| *twin == active);
        let barred = session.deaths.barred == Some(active);
        // Later the files may hold other code, and there would be no process for it.
        let eager = session.is_eager() || (hub.processes().is_some() && serving.is_some());
        if serving == Some(active) || barred || (refused && serving.is_some()) || !(wanted || eager) {
            return;
        }
        let vouched = self.vouched(hub, active);
        let vouched_before = serving.and_then(|before| self.vouched(hub, before));
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        session.moving = Some(active);
        session.leaving = serving;
        session.refused = None;
        if let Some((before, vouched)) = serving.zip(vouched_before) {
            // Else the twin that it leaves would be asked, once for each session, while requests wait.
            session.relay.learn_lists(before, &vouched);
        }
        let now = hub.now();
        if wanted {
            // What the client asks from now on is for the new twin.
            session.relay.hold(now);
        }
        if session.relay.is_ready_at(active) {
            session.relay.prepare(active, now);
        } else {
            self.tie(hub, sid, active, vouched.as_ref(), false);
        }
        self.pump(hub, sid, None);
    }

    /// A twin has accepted a session.
    pub(super) fn session_ready(&mut self, hub: &Hub, sid: Sid, twin: TwinId) {
        let now = hub.now();
        if self.has_moved(hub, sid, twin) {
            return self.turn_round(hub, sid, twin);
        }
        let Some(session) = self.sessions.get_mut(&sid).filter(|session| session.moving == Some(twin)) else { return };
        if session.relay.is_open() && session.relay.serving().is_none() && session.links.len() == 1 {
            // It is the client's own opening that was answered: there is nothing to bring.
            return self.session_prepared(hub, sid, twin);
        }
        session.relay.prepare(twin, now);
    }

    /// A twin has all that a session has to bring.
    pub(super) fn session_prepared(&mut self, hub: &Hub, sid: Sid, twin: TwinId) {
        let now = hub.now();
        if self.has_moved(hub, sid, twin) {
            // A request that waits must not go to code that was rolled back meanwhile.
            return self.turn_round(hub, sid, twin);
        }
        let (active, open) = (self.active, matches!(self.gate, Gate::Open));
        let Some(session) = self.sessions.get_mut(&sid).filter(|session| session.moving == Some(twin)) else { return };
        session.moving = None;
        session.deaths.opened();
        let old = session.leaving.take();
        if !open {
            // It is about to be stopped: what waits is for the next one.
            return;
        }
        if let Err(fault) = session.relay.handover(twin, now) {
            session.moving = Some(twin);
            session.leaving = old;
            return self.session_refused(hub, sid, twin, fault);
        }
        if !matches!(session.kind, Kind::Client(_)) {
            return;
        }
        let name = session.name();
        if let Some(old) = old {
            hub.shared.options.listener.log(Some(twin), &format!("{name} came from {old}"));
        }
        self.listen(hub, sid);
        if let Some(old) = old {
            self.passed(old);
        }
        // Another one may serve by now.
        if active != Some(twin) {
            self.follow(hub, sid, false);
        }
    }

    /// A twin does not take a session: it stays where it is, or hears why there is no server for it.
    pub(super) fn session_refused(&mut self, hub: &Hub, sid: Sid, twin: TwinId, fault: Fault) {
        let now = hub.now();
        let Some(session) = self.sessions.get_mut(&sid).filter(|session| session.moving == Some(twin)) else { return };
        session.moving = None;
        hub.shared.options.listener.log(Some(twin), &format!("does not take a session: {}", fault.message));
        let left = session.leaving.take();
        session.refused = Some((twin, fault.clone()));
        let processes = hub.processes().is_some();
        if processes {
            // A process that nobody asks anything is of no use.
            self.untie(hub, sid, twin, &fault);
        }
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        // A newer twin that it was at has been rolled back: there it does not stay.
        let older =
            session.links.keys().copied().filter(|other| if processes { *other < twin } else { *other != twin });
        let back = older.rev().find(|older| session.relay.is_ready_at(*older));
        let stays = back.is_some_and(|back| session.relay.handover(back, now).is_ok());
        let own = !matches!(session.kind, Kind::Client(_));
        match (stays, processes) {
            (true, _) => {}
            (false, true) => {
                if fault.code != Code::CodeGone {
                    // The code that is there does not take it: what that once answered is no answer.
                    session.relay.set_last_good(None);
                }
                session.relay.refuse_at_once(fault, now);
            }
            (false, false) => session.relay.refuse(fault, now),
        }
        if let Some(left) = left {
            self.passed(left);
        }
        if own && processes {
            self.own_refused(hub, sid, twin);
        }
    }

    /// Opens the stream of what belongs to no request, where a client listens or the front itself does.
    pub(super) fn listen(&mut self, hub: &Hub, sid: Sid) {
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        let Some(twin) = session.relay.serving() else { return };
        let wants = match session.kind {
            Kind::Client(_) => session.streams.listens() || session.relay.has_subscriptions(),
            Kind::Canary => session.relay.is_open(),
            Kind::Modern => false,
        };
        let headers = headers::own(&session.headers);
        if wants && let Some(link) = session.posts_mut(twin) {
            link.listen(hub, sid, twin, headers);
        }
    }
}

impl super::Session {
    /// How it is called in the log.
    pub(super) fn name(&self) -> String {
        match &self.kind {
            Kind::Client(name) => format!("session {}…", name.get(..8).unwrap_or(name)),
            Kind::Modern => "all requests of 2026-07-28".to_owned(),
            Kind::Canary => "a session of the front".to_owned(),
        }
    }

    pub(super) fn posts(&self, twin: TwinId) -> Option<&Posts> {
        self.links.get(&twin)?.posts()
    }

    pub(super) fn posts_mut(&mut self, twin: TwinId) -> Option<&mut Posts> {
        self.links.get_mut(&twin)?.posts_mut()
    }

    /// Whether it must hear what the new twin says before its client asks for anything.
    fn is_eager(&self) -> bool {
        let listens = self.streams.listens() || self.relay.has_subscriptions();
        (listens && !self.deaths.are_many()) || self.relay.held() > 0
    }
}
