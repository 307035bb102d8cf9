//! A twin of a server over stdio: a family of processes that run the same code. The first one proves it and carries a relay
//! of the front's own; each session of a client has another one. The family ends when its first process cannot be kept up,
//! or by order; with it all its processes end.

use super::{Hub, Inner, Kind, Sid};
use crate::process::StopOrder;
use mcp_twin_core::swap::ExitReport;
use mcp_twin_core::{Code, Fault, ProcessIdentity, TwinId};
use tokio::sync::watch;

/// The processes of one twin.
pub(super) struct Family {
    /// The process that carries a relay of the front's own.
    pub(super) first: Option<u64>,
    /// All its processes are to end, and no further one is started.
    pub(super) ending: bool,
    /// How its first process ended last.
    last: ExitReport,
    exit: watch::Sender<Option<ExitReport>>,
}

impl Hub {
    /// Starts the first process of a twin. The receiver hears how the family has ended.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_family(&self, twin: TwinId) -> Result<(ProcessIdentity, watch::Receiver<Option<ExitReport>>), Fault> {
        let mut inner = self.lock();
        let (exit, exited) = watch::channel(None);
        let last = ExitReport { code: None, signal: None, stderr_tail: String::new() };
        inner.families.insert(twin, Family { first: None, ending: false, last, exit });
        match inner.start_process(self, twin) {
            Ok((number, identity)) => {
                if let Some(family) = inner.families.get_mut(&twin) {
                    family.first = Some(number);
                }
                Ok((identity, exited))
            }
            Err(fault) => {
                inner.families.remove(&twin);
                Err(fault)
            }
        }
    }

    /// Ends all processes of a twin.
    pub fn end_family(&self, twin: TwinId, order: StopOrder) {
        self.lock().end_family(twin, order);
    }
}

impl Inner {
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Starts a process that will carry one of the front's own relays.
    pub(super) fn start_process(&mut self, hub: &Hub, twin: TwinId) -> Result<(u64, ProcessIdentity), Fault> {
        let Some(processes) = hub.processes() else {
            return Err(Fault::new(Code::Host, "the twins of this front are not spoken to over stdio"));
        };
        let number = self.number();
        let started = processes.start(twin, number)?;
        let identity = started.0.identity.clone();
        // Which of them is found out when it is asked.
        let sid = self.own[0].unwrap_or(Sid(number));
        self.join(hub, number, (sid, twin), started, None)
            .map_err(|error| Fault::new(Code::SpawnFailed, format!("its pipes could not be set up: {error}")))?;
        Ok((number, identity))
    }

    /// Whether a twin can be given requests.
    pub(super) fn is_there(&self, hub: &Hub, twin: TwinId) -> bool {
        if hub.ports().is_some() {
            return hub.address(twin).is_some();
        }
        let own = self.own.iter().flatten().filter_map(|own| self.sessions.get(own));
        let ready = own.into_iter().any(|own| own.relay.is_ready_at(twin));
        ready && self.families.get(&twin).is_some_and(|family| !family.ending)
    }

    /// The last words of the first process of a twin.
    pub(super) fn first_words(&self, twin: TwinId) -> String {
        let Some(family) = self.families.get(&twin) else { return String::new() };
        let first = family.first.and_then(|first| self.pipes.get(&first));
        first.map_or_else(|| family.last.stderr_tail.clone(), |pipe| pipe.end.last_words())
    }

    fn end_family(&mut self, twin: TwinId, order: StopOrder) {
        if let Some(family) = self.families.get_mut(&twin) {
            family.ending = true;
            for (_, _, minder) in self.minded.values().filter(|(of, ..)| *of == twin) {
                minder.stop(order);
            }
            self.settle_family(twin);
        }
    }

    /// A twin that can no longer be proved, or kept up, is over.
    pub(super) fn give_up_family(&mut self, hub: &Hub, twin: TwinId) {
        let order = StopOrder { term: hub.options().stop_term, kill: hub.options().stop_kill };
        self.end_family(twin, order);
    }

    /// Says that a family has ended once none of its processes is left.
    pub(super) fn settle_family(&mut self, twin: TwinId) {
        let over = self.families.get(&twin).is_some_and(|family| family.ending);
        if over
            && !self.minded.values().any(|(of, ..)| *of == twin)
            && let Some(family) = self.families.remove(&twin)
        {
            let _ = family.exit.send(Some(family.last));
        }
    }

    /// The first process of a twin has ended, with the relay that it carried.
    pub(super) fn first_left(&mut self, hub: &Hub, twin: TwinId, sid: Option<Sid>, exit: &ExitReport) {
        let serves = self.active == Some(twin);
        let Some(family) = self.families.get_mut(&twin) else { return };
        family.first = None;
        family.last.clone_from(exit);
        // While it serves; one that is being proved has failed, and to one that is kept nobody could go back.
        let kept_up = serves && !family.ending;
        let fault = crate::wire::end::crashed(exit);
        match sid {
            Some(sid) if kept_up => self.member_left(hub, sid, twin, &fault),
            Some(sid) => {
                self.untie(hub, sid, twin, &fault);
                self.pump(hub, sid, None);
            }
            None => {}
        }
        if !kept_up {
            self.give_up_family(hub, twin);
        }
    }

    /// A relay of the front's own has lost its process for good.
    pub(super) fn own_refused(&mut self, hub: &Hub, sid: Sid, twin: TwinId) {
        // The sessions of clients have processes of their own; requests of the modern era have no other.
        if self.sessions.get(&sid).is_some_and(|session| session.kind == Kind::Modern) {
            self.give_up_family(hub, twin);
        }
    }
}
