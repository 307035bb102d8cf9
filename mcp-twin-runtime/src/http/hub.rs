//! All sessions of one front over HTTP, and the pair of twins that they share.
//!
//! Two relays belong to the front itself. One carries every request of the modern era, which knows no sessions; the other
//! is a session of the front's own, by which twins are proved that speak the legacy era. The others are the clients'.

mod calls;
mod era;
mod family;
mod first;
mod link;
mod members;
mod moves;
mod own;
mod processes;
mod pump;
mod sessions;
mod tool;
mod traffic;

pub use processes::{SameCode, TwinProcesses};
pub use sessions::{Entered, Passing, Refusal};

use super::book::Book;
use super::caller::Caller;
use super::exchange::Endpoint;
use super::params::Params;
use super::stream::Streams;
use crate::process::Minder;
use crate::wire::Listener;
use family::Family;
use hyper::header::HeaderMap;
use link::Link;
use mcp_twin_core::relay::{Called, Edge, LastGood, Meter, Relay};
use mcp_twin_core::spec::Options;
use mcp_twin_core::swap::ProbeReport;
use mcp_twin_core::{Fault, Moment, TwinId};
use processes::Pipe;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until};

/// Subscriptions of the modern era that may be open at once.
const LISTENS: usize = 4096;

/// The id of the front's own openings; those of clients become numbers.
const OWN_ID: &str = "\"mcp-twin\"";

/// A session within its front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid(u64);

/// What a hub is told about twins by whoever starts them.
#[async_trait::async_trait]
pub trait TwinPorts: Send + Sync {
    /// Where a twin listens that runs and has accepted a connection once.
    fn address(&self, twin: TwinId) -> Option<SocketAddr>;
    /// Whether the twin itself accepts connections on its port, and no stranger does.
    async fn accepts(&self, twin: TwinId) -> bool;
    /// The last that it wrote to its stderr.
    fn last_words(&self, twin: TwinId) -> String;
    /// Why a twin that runs has no address yet.
    fn obstacle(&self, twin: TwinId) -> Option<String>;
    /// Nothing can be asked of it any more: it is to be ended.
    fn end(&self, twin: TwinId);
}

/// How the twins of a front are spoken to.
pub enum Behind {
    /// Over HTTP, each on a port of its own.
    Ports(Arc<dyn TwinPorts>),
    /// Over stdio: a twin is a family of processes, one for each session.
    Processes(Arc<dyn TwinProcesses>),
}

/// How a hub is to work.
pub struct HubOptions {
    /// The options of the server, to begin with.
    pub options: Options,
    /// The path of the endpoint at the twins.
    pub path: String,
    /// Differs from that of any front of this server before.
    pub epoch: u64,
    /// How many sessions of the legacy era there may be.
    pub max_sessions: usize,
    /// How long one may lie idle.
    pub session_idle: Duration,
    /// Hears what people should know.
    pub listener: Arc<dyn Listener>,
    /// Keeps the sessions of clients.
    pub book: Mutex<Book>,
    /// How the twins are spoken to.
    pub behind: Behind,
    /// What the server answered to openings before.
    pub last_good: Option<LastGood>,
}

/// All sessions of a front. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    origin: Instant,
    caller: Caller,
    options: HubOptions,
    /// The options that count now.
    live: RwLock<Arc<Options>>,
    rearm: Notify,
    /// So many processes may be starting at a time.
    starts: Arc<Semaphore>,
}

/// Whose a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// All requests of the modern era.
    Modern,
    /// The front's own, to prove twins by.
    Canary,
    /// A client's, under the id that it was given.
    Client(String),
}

struct Session {
    kind: Kind,
    relay: Relay,
    streams: Streams,
    links: BTreeMap<TwinId, Link>,
    /// It is being opened at this twin, which then serves it.
    moving: Option<TwinId>,
    /// The twin that it leaves by that, which must be there should the other one refuse it.
    leaving: Option<TwinId>,
    /// A twin that does not take it, and why.
    refused: Option<(TwinId, Fault)>,
    /// How its processes have ended of late, where it has some.
    deaths: members::Deaths,
    used: Instant,
    /// What its client sent last beside its messages (who it is).
    headers: Arc<HeaderMap>,
    /// The last refusal that the front's own client got.
    heard: Option<String>,
    timeout: Option<Moment>,
    /// Up to here it is in the book.
    written: u64,
}

#[derive(Default)]
struct Inner {
    sessions: BTreeMap<Sid, Session>,
    by_name: BTreeMap<String, Sid>,
    last: u64,
    /// The relays of the front's own: modern, canary.
    own: [Option<Sid>; 2],
    /// Those that a new twin was asked with anew, for the last one had refused them.
    own_next: BTreeMap<TwinId, [Option<Sid>; 2]>,
    /// Twins of which a lost capability is accepted.
    forced: BTreeSet<TwinId>,
    active: Option<TwinId>,
    gate: Gate,
    /// Open requests of the modern era, by the numbers that their relay knows them by.
    edges: BTreeMap<u64, Edge>,
    timeouts: BTreeSet<(Moment, Sid)>,
    waiters: Waiters,
    trial: Option<Trial>,
    /// The endpoints of twins that were asked for something.
    endpoints: BTreeMap<TwinId, (SocketAddr, Endpoint)>,
    rates: BTreeMap<TwinId, (u32, u32)>,
    rate_before: (u32, u32),
    /// Requests that no relay carries, by the twin that has them.
    passing: BTreeMap<TwinId, usize>,
    /// Processes that run, by a number of ours.
    pipes: BTreeMap<u64, Pipe>,
    /// All processes that are minded, also those of which only a container or a child is still to be ended.
    minded: BTreeMap<u64, (TwinId, u32, Minder)>,
    /// To which twins they belong.
    families: BTreeMap<TwinId, Family>,
    /// Which arguments are mirrored in headers, where the front has to see to it.
    params: BTreeMap<TwinId, Params>,
    /// The server says nothing to `server/discover`.
    mute: bool,
    /// What the server last answered to openings, by what was asked.
    last_good: BTreeMap<(String, bool), LastGood>,
    /// Counts the calls of all sessions.
    meter: Meter,
}

/// Whether requests go to the twin that serves.
#[derive(Default)]
enum Gate {
    /// They wait.
    #[default]
    Holding,
    /// They go.
    Open,
    /// They are answered with this reason.
    Refusing(Fault),
}

struct Trial {
    twin: TwinId,
    rate: (u32, u32),
    broken: usize,
}

type Verdict = Result<ProbeReport, Fault>;

/// Who waits for what a relay finds out, by session and twin.
#[derive(Default)]
struct Waiters {
    ready: BTreeMap<(Sid, TwinId), oneshot::Sender<Verdict>>,
    prepared: BTreeMap<(Sid, TwinId), oneshot::Sender<Result<(), Fault>>>,
    drained: BTreeMap<(Sid, TwinId), oneshot::Sender<()>>,
    idle: BTreeMap<(Sid, TwinId), oneshot::Sender<()>>,
    bake: Option<(TwinId, oneshot::Sender<Fault>)>,
    passed: Vec<(TwinId, oneshot::Sender<()>)>,
    called: BTreeMap<(Sid, u64), oneshot::Sender<Called>>,
}

impl Hub {
    /// What finds the hub as long as somebody else holds it: for what the hub itself holds.
    pub(crate) fn finder(&self) -> impl Fn() -> Option<Self> + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.shared);
        move || shared.upgrade().map(|shared| Self { shared })
    }

    /// A hub without sessions and twins, on the current runtime.
    #[must_use]
    pub fn new(options: HubOptions) -> Self {
        let shared = Shared {
            inner: Mutex::default(),
            origin: Instant::now(),
            caller: Caller::new(),
            live: RwLock::new(Arc::new(options.options.clone())),
            options,
            rearm: Notify::new(),
            starts: Arc::new(Semaphore::new(processes::STARTS)),
        };
        let hub = Self { shared: Arc::new(shared) };
        if let Some(last) = hub.shared.options.last_good.clone() {
            hub.lock().note_opened(last);
        }
        hub.begin();
        let sessions = hub.book().sessions();
        for (name, saved) in sessions {
            hub.restore(name, &saved);
        }
        tokio::spawn(hub.clone().keep_time());
        if hub.processes().is_some() {
            tokio::spawn(hub.clone().end_idle());
        }
        hub
    }

    /// The hub's own clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::after_origin(self.shared.origin.elapsed())
    }

    /// A moment of the hub's clock as the runtime's.
    #[must_use]
    pub fn instant(&self, at: Moment) -> Instant {
        self.shared.origin + at.since_origin()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere must not take the clients' sessions with it.
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of the endpoint at the twins.
    pub(super) fn path(&self) -> &str {
        &self.shared.options.path
    }

    /// How long a request may wait for a twin.
    pub(super) fn hold_time(&self) -> Duration {
        self.options().hold
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.options.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn options(&self) -> Arc<Options> {
        Arc::clone(&self.shared.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these options count, for sessions that are open too.
    pub fn set_options(&self, options: &Options) {
        *self.shared.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options.clone());
        for session in self.lock().sessions.values_mut() {
            session.relay.set_options(options);
        }
    }

    /// A line for the log about a twin.
    pub(super) fn log(&self, twin: TwinId, text: &str) {
        self.shared.options.listener.log(Some(twin), text);
    }

    async fn keep_time(self) {
        loop {
            let next = self.lock().timeouts.first().map(|(at, _)| *at);
            let Some(at) = next else {
                self.shared.rearm.notified().await;
                continue;
            };
            tokio::select! {
                () = self.shared.rearm.notified() => continue,
                () = sleep_until(self.instant(at)) => {}
            }
            let now = self.now();
            let mut inner = self.lock();
            while let Some((at, sid)) = inner.timeouts.first().copied().filter(|(at, _)| *at <= now) {
                inner.timeouts.remove(&(at, sid));
                if let Some(session) = inner.sessions.get_mut(&sid) {
                    session.timeout = None;
                    session.relay.handle_timeout(now);
                    inner.pump(&self, sid, None);
                }
            }
        }
    }
}

impl Inner {
    fn sids(&self) -> Vec<Sid> {
        self.sessions.keys().copied().collect()
    }
}
