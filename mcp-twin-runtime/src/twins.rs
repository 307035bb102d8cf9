//! The twins of an HTTP server: processes that outlive a crash of their front and are adopted by the next one.
//!
//! Owns their ports, their environment, what they write, and their adoption. Knows nothing of MCP or HTTP: whoever relays
//! asks where a twin listens.
//!
//! A twin writes to `logs/<server>/<front>.<nonce>.<number>.out`, which the front reads on and passes to its own log, line
//! by line; how far is kept beside it, so that the next front goes on there. The file is cut when it has grown beyond
//! [`logs::LARGEST`](crate::logs::LARGEST) and was read to its end (a line that is written in the moment between is lost),
//! and removed when its twin has ended. While no front lives nothing cuts it.

mod handoff;
mod instance;
mod output;
mod places;
mod tailing;
mod variables;

pub use handoff::suggests_handoff;
pub use output::TwinsListener;
pub(crate) use output::remove_output;
pub(crate) use variables::{name_of, variables};

use crate::copies::{Copies, Start};
use crate::fronts::{seat::nonce, token_prefix};
use crate::home::{Home, make_private};
use crate::ports::{Claim, claim};
use crate::process::{
    self, Launch, Minded, Minder, StopOrder, Survivor, listeners, prove, spawn_detached, sweep_token,
    sweep_token_and_wait,
};
use crate::run::Variables;
use crate::servers::ServerKey;
use async_trait::async_trait;
use instance::{HttpTwin, OutputFile};
use mcp_twin_core::host::{Instance, ProcessSpawner, SpawnOrder};
use mcp_twin_core::port::{Lease, PortError, Ranges};
use mcp_twin_core::spec::ServerId;
use mcp_twin_core::swap::Record;
use mcp_twin_core::swap::record::TwinRecord;
use mcp_twin_core::{Code, Fault, ProcessIdentity, TwinId};
use output::TwinOutput;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tailing::Tailing;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// How long a connection to a twin may take, where nobody says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What the twins of one HTTP front are.
pub struct TwinsOrder {
    /// The state directory.
    pub home: Home,
    /// The server: its log folder and its ports go by it.
    pub server: ServerId,
    /// The name under which people know it, if that is another one: the search for ports begins at its hash.
    pub display: Option<String>,
    /// The front's id, the same after a restart. Its lock is held by the caller.
    pub front: String,
    /// Where leases are looked for.
    pub ranges: Ranges,
    /// The command and its arguments; `{port}` in an argument stands for the twin's port.
    pub command: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Added to the front's own environment; `{port}` in a value stands for the twin's port.
    pub env: Vec<(String, String)>,
    /// Names of programs that outlive the twins that started them.
    pub keep: Vec<String>,
    /// The twins die with the thread that starts them, and the front listens on a port of the system's choice: it lives in
    /// the process of others.
    pub bound: bool,
    /// How long a connection to a twin may take ([`CONNECT_TIMEOUT`]).
    pub connect_timeout: Duration,
    /// Hears what the twins write.
    pub listener: Arc<dyn TwinsListener>,
}

/// What a twin over HTTP is started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinRecipe {
    /// As in [`TwinsOrder::command`].
    pub command: Vec<String>,
    /// As in [`TwinsOrder::cwd`].
    pub cwd: PathBuf,
    /// As in [`TwinsOrder::env`].
    pub env: Variables,
    /// As in [`TwinsOrder::keep`].
    pub keep: Vec<String>,
}

/// Why a twin cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreachable {
    /// It has ended, or was never started.
    #[error("the twin does not run")]
    Gone,
    /// Nothing accepts connections there.
    #[error("nothing accepts connections on port {0}; the server must listen on the port in PORT")]
    Refused(u16),
    /// Somebody else does.
    #[error("port {0} was taken by another program before the twin could listen on it")]
    Stranger(u16),
}

/// Starts, adopts and ends the twins of one HTTP front.
pub struct HttpTwins {
    order: TwinsOrder,
    /// What the next twin is started from.
    recipe: Mutex<Arc<TwinRecipe>>,
    /// Copies of its code.
    copies: OnceLock<Arc<Copies>>,
    /// Tells the tokens of this front's life from those of its earlier lives.
    nonce: String,
    lease: Lease,
    logs: PathBuf,
    live: Arc<Alive>,
    tailing: Tailing,
}

/// The twins that run or are being started.
#[derive(Default)]
pub(crate) struct Alive(Mutex<BTreeMap<TwinId, Live>>);

struct Live {
    token: String,
    port: u16,
    /// `None` while it is being started.
    identity: Option<ProcessIdentity>,
    minder: Option<Minder>,
    output: Option<Arc<TwinOutput>>,
    /// Where it was reached last.
    at: Option<SocketAddr>,
    /// No other front chooses its port.
    _claim: Option<Claim>,
}

impl HttpTwins {
    /// Prepares for the twins of a front, before it listens itself: ends what bears a token of this front and is no living
    /// twin of `record`, and leases the ports. Twins that can be adopted do not count as using theirs.
    ///
    /// # Errors
    /// The front's port is taken by somebody else, or no ports are left.
    pub async fn start(order: TwinsOrder, record: Option<&Record>) -> Result<Arc<Self>, PortError> {
        let twins = record.map_or(&[][..], |record| &record.twins);
        let proven: Vec<&TwinRecord> = twins.iter().filter(|twin| adoptable(twin).is_some()).collect();
        let spared =
            |token: &str| proven.iter().any(|twin| twin.process.as_ref().is_some_and(|own| own.token == token));
        let leaders: Vec<ProcessIdentity> = twins.iter().filter_map(|twin| twin.process.clone()).collect();
        let ended = sweep_token_and_wait(&token_prefix(&order.front), spared, &leaders).await;
        if ended > 0 {
            order.listener.note(&format!("ended {ended} process(es) that an earlier front had left behind"));
        }
        let own: Vec<u16> = proven.iter().filter_map(|twin| twin.port).collect();
        let lease = places::lease(&order, &own)?;
        let logs = order.home.logs_of(&ServerKey::new(order.server.name.as_str(), &order.server.root));
        if let Err(error) = make_private(&logs) {
            order.listener.note(&format!("what the twins write is not kept: {error}"));
        }
        let kept = proven.iter().filter_map(|twin| Some(output_path(&logs, &twin.process.as_ref()?.token)));
        output::read_out(&logs, &order.front, &kept.collect::<Vec<_>>(), &order.listener);
        let recipe = TwinRecipe {
            command: order.command.clone(),
            cwd: order.cwd.clone(),
            env: Variables(order.env.clone()),
            keep: order.keep.clone(),
        };
        let recipe = Mutex::new(Arc::new(recipe));
        Ok(Arc::new(Self {
            order,
            recipe,
            copies: OnceLock::new(),
            nonce: nonce(),
            lease,
            logs,
            live: Arc::default(),
            tailing: Tailing::default(),
        }))
    }

    /// The ports of this server: the front's, and those of its twins in slots A and B.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// Takes over the twins of a record that live and prove it: for [`Swap::recover`](mcp_twin_core::swap::Swap::recover)
    /// and [`Driver::with_adopted`](mcp_twin_core::drive::Driver::with_adopted). Must be called on a runtime, once.
    #[must_use]
    pub fn adopt(&self, record: &Record) -> Vec<(TwinId, Box<dyn Instance>)> {
        record.twins.iter().filter_map(|twin| Some((twin.twin, self.adopt_one(twin)?))).collect()
    }

    fn adopt_one(&self, twin: &TwinRecord) -> Option<Box<dyn Instance>> {
        let (identity, port) = adoptable(twin)?;
        let survivor = Survivor::find(identity, &self.order.keep)?;
        {
            let mut live = self.live.lock();
            // Two twins on one port cannot both be what they say.
            if live.values().any(|other| other.port == port) {
                return None;
            }
            let token = identity.token.clone();
            live.insert(twin.twin, Live::reserved(token, port, claim(port)));
        }
        let name = name_of(twin.slot, twin.source.generation);
        self.order.listener.note(&format!("adopted {name}: process {}, port {port}", identity.pid));
        self.order.listener.named(twin.twin, name);
        let output = TwinOutput::go_on(twin.twin, output_path(&self.logs, &identity.token), &self.order.listener);
        Some(self.mind(twin.twin, identity.clone(), port, survivor, output))
    }

    /// Twins of code that the files no longer hold are started from these.
    pub(crate) fn set_copies(&self, copies: Arc<Copies>) {
        let _ = self.copies.set(copies);
    }

    /// Twins are started from this from now on; those that run stay as they are.
    pub fn set_recipe(&self, recipe: TwinRecipe) {
        *self.recipe.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(recipe);
    }

    /// The port of a twin that runs or is being started.
    #[must_use]
    pub fn port_of(&self, twin: TwinId) -> Option<u16> {
        self.live.lock().get(&twin).map(|live| live.port)
    }

    /// Where a twin was last reached ([`HttpTwins::reach`]).
    #[must_use]
    pub fn address_of(&self, twin: TwinId) -> Option<SocketAddr> {
        self.live.lock().get(&twin)?.at
    }

    /// Whether a twin accepts connections, and it is the twin that does.
    pub async fn ready_to_connect(&self, twin: TwinId) -> bool {
        self.reach(twin).await.is_ok()
    }

    /// Connects to a twin, within the time-out of the order, and makes sure that nobody else listens there: its address.
    ///
    /// # Errors
    /// Why it cannot be reached.
    pub async fn reach(&self, twin: TwinId) -> Result<SocketAddr, Unreachable> {
        let running = |live: &Live| Some((live.port, live.identity.clone()?));
        let (port, identity) = self.live.lock().get(&twin).and_then(running).ok_or(Unreachable::Gone)?;
        let deadline = Instant::now() + self.order.connect_timeout;
        let mut why = Unreachable::Refused(port);
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let at = SocketAddr::new(ip, port);
            if !matches!(timeout_at(deadline, TcpStream::connect(at)).await, Ok(Ok(_))) {
                continue;
            }
            if listeners(port, &identity).contains(&ip) {
                let mut live = self.live.lock();
                let live = live.get_mut(&twin).ok_or(Unreachable::Gone)?;
                live.at = Some(at);
                return Ok(at);
            }
            why = Unreachable::Stranger(port);
        }
        Err(why)
    }

    /// The last that a running twin wrote, at most 32 KB.
    #[must_use]
    pub fn last_words(&self, twin: TwinId) -> String {
        let output = self.live.lock().get(&twin).and_then(|live| live.output.clone());
        output.map(|output| output.tail()).unwrap_or_default()
    }

    /// The minders of all twins that run.
    #[must_use]
    pub fn minders(&self) -> Vec<Minder> {
        self.live.lock().values().filter_map(|live| live.minder.clone()).collect()
    }

    /// Orders all twins to end: TERM at once, KILL after `kill`.
    pub fn stop_all(&self, kill: Duration) {
        for minder in self.minders() {
            minder.stop(at_once(kill));
        }
    }

    /// Orders one twin to end: TERM at once, KILL after `kill`.
    pub fn end(&self, twin: TwinId, kill: Duration) {
        let minder = self.live.lock().get(&twin).and_then(|live| live.minder.clone());
        if let Some(minder) = minder {
            minder.stop(at_once(kill));
        }
    }

    /// Ends whatever still bears a token of this front.
    pub fn sweep_all(&self) -> usize {
        sweep_token(&token_prefix(&self.order.front), |_| false, &self.live.leaders())
    }

    fn token(&self, twin: TwinId) -> String {
        format!("{}{}.{twin}", token_prefix(&self.order.front), self.nonce)
    }

    /// Minds a process that runs, from now on.
    fn mind(
        &self,
        twin: TwinId,
        identity: ProcessIdentity,
        port: u16,
        leader: impl Minded,
        output: Option<Arc<TwinOutput>>,
    ) -> Box<dyn Instance> {
        if let Some(output) = &output
            && let Some(off) = self.tailing.follow(output)
        {
            self.order.listener.note(&off);
        }
        let pipes = OutputFile::new(twin, output.clone(), Arc::clone(&self.live), &self.tailing);
        // The entry is there before the minder can take it away again.
        if let Some(live) = self.live.lock().get_mut(&twin) {
            (live.identity, live.output) = (Some(identity.clone()), output);
        }
        let minder = Minder::start(leader, None, pipes);
        if let Some(live) = self.live.lock().get_mut(&twin) {
            live.minder = Some(minder.clone());
        }
        Box::new(HttpTwin { twin, identity, port, minder, listener: Arc::clone(&self.order.listener) })
    }
}

#[async_trait]
impl ProcessSpawner for HttpTwins {
    async fn spawn(&self, order: &SpawnOrder) -> Result<Box<dyn Instance>, Fault> {
        let recipe = Arc::clone(&self.recipe.lock().unwrap_or_else(PoisonError::into_inner));
        let keep = recipe.keep.clone();
        let start = Start { command: recipe.command.clone(), cwd: recipe.cwd.clone(), env: recipe.env.clone() };
        let start = match self.copies.get() {
            Some(copies) => copies.start(start, order.source, order.kept).await?,
            None => start,
        };
        let (twin, token) = (order.twin, self.token(order.twin));
        let port = {
            let mut live = self.live.lock();
            let taken: Vec<u16> = live.values().map(|other| other.port).collect();
            let (port, claim) = places::choose(&self.order, self.lease, order.slot, &taken)?;
            live.insert(twin, Live::reserved(token.clone(), port, Some(claim)));
            port
        };
        self.order.listener.named(twin, name_of(order.slot, order.source.generation));
        let (output, file) = match TwinOutput::begin(twin, output_path(&self.logs, &token), &self.order.listener) {
            Ok((output, file)) => (Some(output), Some(file)),
            Err(error) => {
                // A full disk is no reason not to serve.
                self.order.listener.note(&format!("what this twin writes is not kept: {error}"));
                (None, None)
            }
        };
        let launch = Launch {
            command: variables::filled_command(&start.command, port),
            cwd: start.cwd,
            token,
            env: variables::of_http(&self.order, &start.env, order, port),
            keep,
        };
        match spawn_detached(&launch, file.as_ref(), self.order.bound) {
            Ok(process::Detached { identity, leader }) => Ok(self.mind(twin, identity, port, leader, output)),
            Err(fault) => {
                self.live.lock().remove(&twin);
                output.into_iter().for_each(|output| output.discard());
                Err(fault)
            }
        }
    }

    async fn sweep(&self, keep: &[TwinId]) {
        let kept: Vec<String> = {
            let live = self.live.lock();
            keep.iter().filter_map(|twin| live.get(twin)).map(|live| live.token.clone()).collect()
        };
        // What this life of the front has started is ended by those who mind it.
        let ours = format!("{}{}.", token_prefix(&self.order.front), self.nonce);
        let spare = |token: &str| token.starts_with(&ours) || kept.iter().any(|kept| kept == token);
        sweep_token_and_wait(&token_prefix(&self.order.front), spare, &self.live.leaders()).await;
    }
}

impl Live {
    /// A twin that is about to run.
    fn reserved(token: String, port: u16, claim: Option<Claim>) -> Self {
        Self { token, port, identity: None, minder: None, output: None, at: None, _claim: claim }
    }
}

impl Alive {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TwinId, Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The twin has ended: its port is free.
    pub(crate) fn remove(&self, twin: TwinId) {
        self.lock().remove(&twin);
    }

    fn leaders(&self) -> Vec<ProcessIdentity> {
        self.lock().values().filter_map(|live| live.identity.clone()).collect()
    }
}

/// There is no stdin whose end could be seen, so TERM goes at once.
pub(crate) fn at_once(kill: Duration) -> StopOrder {
    StopOrder { term: Duration::ZERO, kill }
}

/// Process and port of a twin of a record, if it lives and proves it.
fn adoptable(twin: &TwinRecord) -> Option<(&ProcessIdentity, u16)> {
    let (process, port) = (twin.process.as_ref()?, twin.port?);
    prove(process).then_some((process, port))
}

fn output_path(logs: &std::path::Path, token: &str) -> PathBuf {
    logs.join(format!("{}.{}", token.replace(':', "."), output::EXTENSION))
}

/// The fault of a twin for which there is no port.
fn no_port(error: &PortError) -> Fault {
    Fault::new(Code::SpawnFailed, format!("there is no port for the new twin: {error}"))
}
