//! One client session on real pipes: the relay, the client's two descriptors and those of each twin, on one thread.
//!
//! Every input is handed to the relay and what came of it is written at once, in the same turn; a task waits for room only
//! where a pipe was full. So a message costs one read and one write on each side and no hand-over between tasks.

mod client;
pub(crate) mod end;
mod traffic;
mod twin;

pub use client::ClientEnd;

use crate::pipes::Output;
use crate::record::Recorder;
use end::{TwinEnd, Wrote};
use mcp_twin_core::relay::{AGENT_CALLS, AgentAsk, Called, LastGood, Relay, RelayEvent};
use mcp_twin_core::swap::ProbeReport;
use mcp_twin_core::{Code, Fault, Moment, TwinId};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// What a front hears of its wire.
pub trait Listener: Send + Sync {
    /// A line for the log: which twin, if one.
    fn log(&self, twin: Option<TwinId>, text: &str);
    /// A twin wrote something else than MCP to its stdout.
    fn junk(&self, twin: TwinId, beginning: &str);
    /// The server has a tool of this name, so the front's own is not offered.
    fn taken(&self, tool: &str);
    /// The server accepted an opening.
    fn opened(&self, last_good: &LastGood);
}

/// A client session and its twins' pipes. Cheap to clone.
#[derive(Clone)]
pub struct Wire {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    origin: Instant,
    /// The client's pipe was full.
    client_full: Notify,
    /// The client took enough again for twins to be read.
    client_room: Notify,
    /// The timer must be set anew.
    rearm: Notify,
    /// The client has everything it asked for and asks for nothing more, or it is gone.
    over: Notify,
}

struct Inner {
    relay: Relay,
    client: Arc<Output>,
    client_full: bool,
    client_was_slow: bool,
    twins: BTreeMap<TwinId, TwinEnd>,
    waiters: Waiters,
    armed: Option<Moment>,
    end: Option<ClientEnd>,
    listener: Arc<dyn Listener>,
    recorder: Option<Arc<Recorder>>,
    /// Who answers calls of the front's own tools.
    agent: Option<mpsc::Sender<(u64, AgentAsk)>>,
}

/// Who waits for what a relay finds out.
#[derive(Default)]
struct Waiters {
    probing: BTreeMap<TwinId, oneshot::Sender<()>>,
    ready: BTreeMap<TwinId, oneshot::Sender<Result<ProbeReport, Fault>>>,
    /// Asked for by `begin`, fetched by `check`.
    verdicts: BTreeMap<TwinId, oneshot::Receiver<Result<ProbeReport, Fault>>>,
    prepared: BTreeMap<TwinId, oneshot::Sender<Result<(), Fault>>>,
    drained: BTreeMap<TwinId, oneshot::Sender<()>>,
    idle: BTreeMap<TwinId, oneshot::Sender<()>>,
    bake: BTreeMap<TwinId, oneshot::Sender<Fault>>,
    called: BTreeMap<u64, oneshot::Sender<Called>>,
}

impl Wire {
    /// A wire to a client that is written to through `client`.
    #[must_use]
    pub fn new(relay: Relay, client: Output, listener: Arc<dyn Listener>) -> Self {
        let inner = Inner {
            relay,
            client: Arc::new(client),
            client_full: false,
            client_was_slow: false,
            twins: BTreeMap::new(),
            waiters: Waiters::default(),
            armed: None,
            end: None,
            listener,
            recorder: None,
            agent: None,
        };
        let shared = Shared {
            inner: Mutex::new(inner),
            origin: Instant::now(),
            client_full: Notify::new(),
            client_room: Notify::new(),
            rearm: Notify::new(),
            over: Notify::new(),
        };
        let wire = Self { shared: Arc::new(shared) };
        tokio::spawn(wire.clone().write_client());
        tokio::spawn(wire.clone().keep_time());
        wire
    }

    /// Records what is said from now on.
    pub(crate) fn record(&self, recorder: Arc<Recorder>) {
        self.lock().recorder = Some(recorder);
    }

    /// The calls of the front's own tools, from now on. Each wants an answer by its number.
    pub(crate) fn agent_calls(&self) -> mpsc::Receiver<(u64, AgentAsk)> {
        let (tx, rx) = mpsc::channel(AGENT_CALLS);
        self.lock().agent = Some(tx);
        rx
    }

    /// What records it, if it is recorded.
    pub(crate) fn recorder(&self) -> Option<Arc<Recorder>> {
        self.lock().recorder.clone()
    }

    /// What finds the wire as long as somebody else holds it: for what the wire itself holds.
    pub(crate) fn finder(&self) -> impl Fn() -> Option<Self> + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.shared);
        move || shared.upgrade().map(|shared| Self { shared })
    }

    /// The wire's own clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::after_origin(self.shared.origin.elapsed())
    }

    /// A moment of the wire's clock as the runtime's.
    #[must_use]
    pub fn instant(&self, at: Moment) -> Instant {
        self.shared.origin + at.since_origin()
    }

    /// Does something with the relay, then whatever came of it.
    pub fn with<T>(&self, act: impl FnOnce(&mut Relay, Moment) -> T) -> T {
        let now = self.now();
        let mut inner = self.lock();
        let result = act(&mut inner.relay, now);
        self.pump(&mut inner, now);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere must not take the client's session with it.
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what can be written, and passes on what the relay found out.
    fn pump(&self, inner: &mut Inner, now: Moment) {
        loop {
            let mut moved = inner.write_client(&self.shared);
            moved |= inner.write_twins(now);
            while let Some(event) = inner.relay.poll_event() {
                moved = true;
                inner.dispatch(event, now, &self.shared);
            }
            if !moved {
                break;
            }
        }
        let slow = inner.relay.client_is_slow();
        if inner.client_was_slow && !slow {
            self.shared.client_room.notify_waiters();
        }
        inner.client_was_slow = slow;
        let wanted = inner.relay.poll_timeout();
        // A later time needs no haste: the timer looks again when it fires.
        let sooner = wanted.is_some_and(|at| inner.armed.is_none_or(|armed| at < armed));
        if sooner {
            inner.armed = wanted;
            self.shared.rearm.notify_one();
        }
    }

    async fn write_client(self) {
        loop {
            self.shared.client_full.notified().await;
            let client = Arc::clone(&self.lock().client);
            client
                .when_writable(|| {
                    let now = self.now();
                    let mut inner = self.lock();
                    inner.client_full = false;
                    self.pump(&mut inner, now);
                    !inner.client_full
                })
                .await;
        }
    }

    async fn keep_time(self) {
        loop {
            let armed = self.lock().armed;
            match armed {
                None => self.shared.rearm.notified().await,
                Some(at) => {
                    tokio::select! {
                        () = self.shared.rearm.notified() => continue,
                        () = sleep_until(self.instant(at)) => {}
                    }
                    let now = self.now();
                    let mut inner = self.lock();
                    inner.armed = None;
                    if inner.relay.poll_timeout().is_some_and(|at| at <= now) {
                        inner.relay.handle_timeout(now);
                    }
                    self.pump(&mut inner, now);
                }
            }
        }
    }
}

impl Inner {
    fn write_client(&mut self, shared: &Shared) -> bool {
        let mut moved = false;
        while !self.client_full && self.end != Some(ClientEnd::Gone) {
            let bytes = self.relay.client_output();
            if bytes.is_empty() {
                break;
            }
            match self.client.try_write(bytes) {
                Ok(written) => {
                    if let Some(recorder) = &self.recorder {
                        recorder.server(&bytes[..written]);
                    }
                    self.relay.client_written(written);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.client_full = true;
                    shared.client_full.notify_one();
                }
                Err(_) => self.client_over(ClientEnd::Gone, shared),
            }
        }
        moved
    }

    fn write_twins(&mut self, now: Moment) -> bool {
        let mut moved = false;
        for (&twin, end) in &mut self.twins {
            let wrote = end.write(&mut self.relay, twin, now);
            if wrote == Wrote::Closed {
                self.listener.log(Some(twin), end::DEAF_TOLD);
            }
            moved |= wrote != Wrote::Nothing;
        }
        moved
    }

    fn dispatch(&mut self, event: RelayEvent, now: Moment, shared: &Shared) {
        let waiters = &mut self.waiters;
        // A waiter that has given up needs no answer.
        match event {
            RelayEvent::Probing(twin) => drop(waiters.probing.remove(&twin).map(|tx| tx.send(()))),
            RelayEvent::Ready(twin, report) => drop(waiters.ready.remove(&twin).map(|tx| tx.send(Ok(report)))),
            RelayEvent::NotReady(twin, fault) => {
                let _ = waiters.probing.remove(&twin).map(|tx| tx.send(()));
                drop(waiters.ready.remove(&twin).map(|tx| tx.send(Err(fault))));
            }
            RelayEvent::Prepared(twin) => drop(waiters.prepared.remove(&twin).map(|tx| tx.send(Ok(())))),
            RelayEvent::PrepareFailed(twin, fault) => {
                drop(waiters.prepared.remove(&twin).map(|tx| tx.send(Err(fault))));
            }
            RelayEvent::Drained(twin) => drop(waiters.drained.remove(&twin).map(|tx| tx.send(()))),
            RelayEvent::Idle(twin) => drop(waiters.idle.remove(&twin).map(|tx| tx.send(()))),
            RelayEvent::BakeFailed(twin, fault) => drop(waiters.bake.remove(&twin).map(|tx| tx.send(fault))),
            RelayEvent::Opened(last_good) => self.listener.opened(&last_good),
            RelayEvent::Called(number, called) => drop(waiters.called.remove(&number).map(|tx| tx.send(called))),
            RelayEvent::Asked(number, ask) => {
                if self.agent.as_ref().is_none_or(|agent| agent.try_send((number, ask)).is_err()) {
                    let message = "too many calls of the tools of mcp-twin are under way; repeat this one in a moment";
                    self.relay.refuse_agent(number, &Fault::new(Code::Busy, message), now);
                }
            }
            RelayEvent::Taken(tool) => self.listener.taken(&tool),
            RelayEvent::Finished => self.client_over(ClientEnd::Finished, shared),
            RelayEvent::Junk(twin, beginning) => self.listener.junk(twin, &beginning),
            RelayEvent::Log(twin, text) => self.listener.log(twin, &text),
        }
    }

    fn client_over(&mut self, end: ClientEnd, shared: &Shared) {
        if self.end != Some(ClientEnd::Gone) {
            self.end = Some(end);
        }
        shared.over.notify_one();
    }
}
