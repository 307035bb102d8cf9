//! Processes that speak over stdio: which session each one carries, what it says, and how it ends.
//!
//! A process speaks one connection, so each session at a twin has one of its own. Here they are found by a number of ours.

use super::link::Link;
use super::{Behind, Hub, Inner, Kind, Sid, TwinPorts};
use crate::pipes::{Line, Lines};
use crate::process::{Container, Launched, Minder, StopOrder};
use crate::wire::end::{DEAF_TOLD, Holder, StderrSink, TwinEnd, Wrote, crashed, join};
use mcp_twin_core::relay::{Message, Relay};
use mcp_twin_core::swap::ExitReport;
use mcp_twin_core::{Fault, TwinId};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// So many processes are started at a time: starting is what costs.
pub(super) const STARTS: usize = 2;

/// Whether the files still hold the code of a twin, so that another process of it can be started.
#[derive(Clone, Debug)]
pub enum SameCode {
    /// They do, or nobody knows which files they are.
    Yes,
    /// They do not, and what they hold is being looked at.
    InQuestion,
    /// They do not, and nobody has looked at it yet: with this reason, should that stay so.
    Unseen(Fault),
    /// They do not, and will not by themselves.
    No(Fault),
}

/// What a hub asks of whoever knows the command of a server over stdio.
#[async_trait::async_trait]
pub trait TwinProcesses: Send + Sync {
    /// Whether a process that is started now is one of this twin's code.
    async fn same_code(&self, twin: TwinId) -> SameCode;
    /// Starts a process of a twin. `number` tells it from all others.
    ///
    /// # Errors
    /// Why it cannot be started.
    fn start(&self, twin: TwinId, number: u64) -> Result<(Launched, Option<Container>), Fault>;
    /// Hears what processes write to their stderr.
    fn stderr(&self) -> StderrSink;
    /// A process has ended.
    fn ended(&self, number: u64);
}

/// A process that runs.
pub(super) struct Pipe {
    /// The session that it carries; none once that is over.
    pub(super) sid: Option<Sid>,
    pub(super) twin: TwinId,
    pub(super) end: TwinEnd,
    /// It has said nothing yet, and holds the place of one that is starting.
    starting: Option<OwnedSemaphorePermit>,
}

/// The hub as the holder of one process's pipes.
#[derive(Clone)]
struct Held {
    hub: Hub,
    number: u64,
}

impl Hub {
    pub(super) fn processes(&self) -> Option<&Arc<dyn TwinProcesses>> {
        match &self.shared.options.behind {
            Behind::Processes(processes) => Some(processes),
            Behind::Ports(_) => None,
        }
    }

    /// What knows where its twins listen, if they do.
    pub fn ports(&self) -> Option<&Arc<dyn TwinPorts>> {
        match &self.shared.options.behind {
            Behind::Ports(ports) => Some(ports),
            Behind::Processes(_) => None,
        }
    }

    /// Whether the twins are spoken to over stdio, so that what concerns HTTP is answered here.
    pub(in crate::http) fn speaks_for_itself(&self) -> bool {
        self.processes().is_some()
    }

    pub(super) fn address(&self, twin: TwinId) -> Option<SocketAddr> {
        self.ports()?.address(twin)
    }

    /// The last that a twin wrote to its stderr.
    pub(super) fn words_of(&self, twin: TwinId) -> String {
        match self.ports() {
            Some(ports) => ports.last_words(twin),
            None => self.lock().first_words(twin),
        }
    }

    /// The minders of all processes.
    #[must_use]
    pub fn minders(&self) -> Vec<Minder> {
        self.lock().minded.values().map(|(.., minder)| minder.clone()).collect()
    }

    /// All processes that the hub minds, by their twins.
    pub(crate) fn pids(&self) -> Vec<(TwinId, u32)> {
        self.lock().minded.values().map(|(twin, pid, _)| (*twin, *pid)).collect()
    }

    fn heard_line(&self, number: u64, line: Line<'_>) {
        let now = self.now();
        let mut inner = self.lock();
        let Some(pipe) = inner.pipes.get_mut(&number) else { return };
        pipe.starting = None;
        let twin = pipe.twin;
        let Some(sid) = pipe.sid else { return };
        let Some(session) = inner.sessions.get_mut(&sid) else { return };
        let line = match line {
            Line::Whole(line) => line,
            Line::Oversize(beginning) => {
                session.relay.twin_oversize(twin, beginning, now);
                return inner.pump(self, sid, None);
            }
        };
        let message = Message::read(line).ok().filter(Message::is_answer);
        let answers = message.as_ref().and_then(Message::id).and_then(|id| id.parse::<u64>().ok());
        let refused = message.as_ref().is_some_and(Message::is_refusal);
        let counts = session.kind != Kind::Canary && answers.is_some_and(|own| session.relay.client_id(own).is_some());
        let modern = session.kind == Kind::Modern;
        session.relay.twin_line(twin, line, now);
        if modern && message.is_some() {
            inner.params.entry(twin).or_default().learn(line, false);
        }
        // Before the next line: what belongs together goes to one stream.
        inner.pump(self, sid, None);
        if counts {
            inner.count(twin, refused);
        }
    }
}

impl Inner {
    /// Relays a process that was just started.
    pub(super) fn join(
        &mut self,
        hub: &Hub,
        number: u64,
        (sid, twin): (Sid, TwinId),
        (launched, container): (Launched, Option<Container>),
        starting: Option<OwnedSemaphorePermit>,
    ) -> io::Result<()> {
        let hear = hub.processes().map(|processes| processes.stderr());
        let hear = hear.unwrap_or_else(|| Arc::new(|_, _: &str| ()));
        let holder = Held { hub: hub.clone(), number };
        let pid = launched.leader.pid();
        let mut minder = join(&holder, twin, launched, container, hub.max_message(), hear, |end| {
            self.pipes.insert(number, Pipe { sid: Some(sid), twin, end, starting });
        })?;
        self.minded.insert(number, (twin, pid, minder.clone()));
        let hub = hub.clone();
        tokio::spawn(async move {
            minder.exited().await;
            let mut inner = hub.lock();
            inner.minded.remove(&number);
            inner.settle_family(twin);
        });
        Ok(())
    }

    /// A session needs its process no longer, or never will.
    pub(super) fn end_process(&mut self, hub: &Hub, number: u64) {
        if let Some(pipe) = self.pipes.get_mut(&number) {
            pipe.sid = None;
            let options = hub.options();
            pipe.end.minder().stop(StopOrder { term: options.stop_term, kill: options.stop_kill });
        }
    }

    /// A session leaves a twin for good: its process ends, what it has open there is answered with this reason.
    pub(super) fn untie(&mut self, hub: &Hub, sid: Sid, twin: TwinId, fault: &Fault) {
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        let Some(link) = session.links.remove(&twin) else { return };
        session.relay.twin_gone(twin, fault, hub.now());
        if let Some(number) = link.process() {
            self.end_process(hub, number);
        }
    }

    /// A process has ended.
    fn process_left(&mut self, hub: &Hub, number: u64, exit: &ExitReport) {
        let Some(pipe) = self.pipes.remove(&number) else { return };
        let twin = pipe.twin;
        let fault = crashed(exit);
        let tied = |session: &super::Session| session.links.get(&twin).and_then(Link::process) == Some(number);
        let sid = pipe.sid.filter(|sid| self.sessions.get(sid).is_some_and(tied));
        drop(pipe);
        let first = self.families.get(&twin).is_some_and(|family| family.first == Some(number));
        if first {
            self.first_left(hub, twin, sid, exit);
        } else if let Some(sid) = sid {
            self.member_left(hub, sid, twin, &fault);
        }
    }
}

/// Writes to the process `number` what a relay has for it; whether anything came of that.
pub(super) fn write_process(
    pipes: &mut BTreeMap<u64, Pipe>,
    hub: &Hub,
    number: u64,
    relay: &mut Relay,
    twin: TwinId,
) -> bool {
    // One that is being started is written to once it runs.
    let Some(pipe) = pipes.get_mut(&number) else { return false };
    let wrote = pipe.end.write(relay, twin, hub.now());
    if wrote == Wrote::Closed {
        hub.log(twin, DEAF_TOLD);
    }
    wrote != Wrote::Nothing
}

impl Held {
    fn sid(&self) -> Option<Sid> {
        self.hub.lock().pipes.get(&self.number)?.sid
    }
}

impl Holder for Held {
    fn end<T>(&self, act: impl FnOnce(&mut TwinEnd) -> T) -> Option<T> {
        self.hub.lock().pipes.get_mut(&self.number).map(|pipe| act(&mut pipe.end))
    }

    fn write(&self) {
        if let Some(sid) = self.sid() {
            self.hub.lock().pump(&self.hub, sid, None);
        }
    }

    fn read(&self, lines: &mut Lines) {
        while let Some(line) = lines.next_line() {
            self.hub.heard_line(self.number, line);
        }
    }

    async fn room(&self) {
        let gauge = {
            let inner = self.hub.lock();
            let sid = inner.pipes.get(&self.number).and_then(|pipe| pipe.sid);
            let session = sid.and_then(|sid| inner.sessions.get(&sid));
            // The clients of the modern era share a process: none of them may keep the others waiting.
            session.filter(|session| session.kind != Kind::Modern).map(|session| session.streams.gauge(None))
        };
        if let Some(gauge) = gauge {
            gauge.room().await;
        }
    }

    fn closed(&self) {
        let now = self.hub.now();
        let mut inner = self.hub.lock();
        let Some(pipe) = inner.pipes.get(&self.number) else { return };
        let (Some(sid), twin) = (pipe.sid, pipe.twin) else { return };
        if let Some(session) = inner.sessions.get_mut(&sid) {
            session.relay.twin_input_closed(twin, now);
        }
        inner.pump(&self.hub, sid, None);
    }

    fn left(&self, exit: &ExitReport) {
        self.hub.lock().process_left(&self.hub, self.number, exit);
        if let Some(processes) = self.hub.processes() {
            processes.ended(self.number);
        }
    }
}
