//! The twins of a front over HTTP, as its hub and its machine know them: servers over HTTP, or families of processes.

use super::families::{Families, FamilySpawner};
use super::files::ServerFiles;
use super::living::Recipes;
use super::spawner::Recipe;
use super::voice::Voice;
use crate::http::{Behind, Hub, TwinPorts};
use crate::process::{Containers, Say};
use crate::twins::{HttpTwins, TwinRecipe, TwinsListener, Unreachable, suggests_handoff};
use async_trait::async_trait;
use mcp_twin_core::host::{Instance, ProcessSpawner, SpawnOrder};
use mcp_twin_core::spec::{Options, Transport};
use mcp_twin_core::swap::{ExitReport, Record};
use mcp_twin_core::{Code, Fault, ProcessIdentity, TwinId};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

/// How long a request waits for a process of its session, if nobody says otherwise.
const PROCESS: Duration = Duration::from_secs(30);

/// What the twins write, as the front's voice.
pub struct TwinVoice {
    /// Where it goes.
    pub voice: Arc<Voice>,
    /// What hears of the end of a boot, once it is there.
    pub files: OnceLock<Weak<ServerFiles>>,
}

impl TwinsListener for TwinVoice {
    fn named(&self, twin: TwinId, name: String) {
        self.voice.name(twin, name);
    }

    fn said(&self, twin: TwinId, line: &str) {
        self.voice.twin_said(twin, line);
    }

    fn ended(&self, twin: TwinId) {
        if let Some(files) = self.files.get().and_then(Weak::upgrade) {
            files.boot_ended(twin);
        }
    }

    fn note(&self, text: &str) {
        self.voice.write_log(text);
    }
}

/// What may be wrong with a server that never listens.
const NO_LISTENER: &str = "if it speaks stdio, serve it with --stdio";

struct Ports {
    twins: Arc<HttpTwins>,
    kill: Duration,
    /// The command asks for a port.
    asks: bool,
}

#[async_trait]
impl TwinPorts for Ports {
    fn address(&self, twin: TwinId) -> Option<SocketAddr> {
        self.twins.address_of(twin)
    }

    async fn accepts(&self, twin: TwinId) -> bool {
        self.twins.ready_to_connect(twin).await
    }

    fn last_words(&self, twin: TwinId) -> String {
        self.twins.last_words(twin)
    }

    fn obstacle(&self, twin: TwinId) -> Option<String> {
        let port = self.twins.port_of(twin).filter(|_| self.twins.address_of(twin).is_none())?;
        let why = Unreachable::Refused(port).to_string();
        Some(if self.asks { why } else { format!("{why}; {NO_LISTENER}") })
    }

    fn end(&self, twin: TwinId) {
        self.twins.end(twin, self.kill);
    }
}

/// The twins of a front over HTTP.
pub enum Twins {
    /// Servers over HTTP, each on a port of its own.
    Ports(Arc<HttpTwins>),
    /// Servers over stdio, each a family of processes.
    Families(Arc<Families>),
}

impl Twins {
    /// The twins as the hub speaks to them. `asks`: the command asks for a port.
    pub fn behind(&self, kill: Duration, asks: bool) -> Behind {
        match self {
            Self::Ports(ports) => Behind::Ports(Arc::new(Ports { twins: Arc::clone(ports), kill, asks })),
            Self::Families(families) => Behind::Processes(Arc::clone(families) as Arc<_>),
        }
    }

    /// What gives the next twin what it is started from.
    pub fn recipes(&self, front: &str, voice: &Arc<Voice>) -> Recipes {
        match self {
            Self::Ports(ports) => {
                let ports = Arc::downgrade(ports);
                Box::new(move |order, _| {
                    if let Some(ports) = ports.upgrade() {
                        ports.set_recipe(TwinRecipe {
                            command: order.command.clone(),
                            cwd: order.cwd.clone(),
                            env: order.env.clone(),
                            keep: order.options.keep_children.clone(),
                        });
                    }
                })
            }
            Self::Families(families) => {
                let (families, front, voice) = (Arc::downgrade(families), front.to_owned(), Arc::clone(voice));
                Box::new(move |order, container| {
                    let Some(families) = families.upgrade() else { return };
                    let logging = Arc::clone(&voice);
                    let say: Say = Arc::new(move |text: &str| logging.write_log(text));
                    let containers = container.map(|run| {
                        Containers::new(run, order.command.clone(), order.cwd.clone(), &order.home, &front, say)
                    });
                    families.set_recipe(Recipe::new(order, containers));
                })
            }
        }
    }

    /// What starts them.
    pub fn spawner(&self, hub: &Hub) -> Arc<dyn ProcessSpawner> {
        match self {
            Self::Ports(ports) => Arc::clone(ports) as Arc<_>,
            Self::Families(families) => Arc::new(FamilySpawner { families: Arc::clone(families), hub: hub.clone() }),
        }
    }
}

/// The options for a server over stdio, where nobody chose: its twins are many processes, cheap to end and not kept for long,
/// and a request may have to wait for a process of its session.
pub fn for_processes(options: &Options, chosen: &[&str]) -> Options {
    let stdio = Options::defaults(Transport::Stdio);
    let mut all = options.clone();
    let free = |key| !chosen.contains(&key);
    if free("standby") {
        all.standby = stdio.standby;
    }
    if free("bake") {
        all.bake = stdio.bake;
    }
    if free("keep_old") {
        all.keep_old = stdio.keep_old;
    }
    if free("stop_term") {
        all.stop_term = stdio.stop_term;
    }
    if free("stop_kill") {
        all.stop_kill = stdio.stop_kill;
    }
    if free("hold") {
        all.hold = PROCESS;
    }
    all
}

/// Starts twins and tells the hub of their beginning and end.
pub struct HubSpawner {
    /// Starts them.
    pub spawner: Arc<dyn ProcessSpawner>,
    /// Hears of them.
    pub hub: Hub,
    /// Says what may be wrong with them.
    pub voice: Arc<Voice>,
    /// It is certain that the server is of this transport.
    pub listens: bool,
}

impl HubSpawner {
    /// Takes over the twins of a front that died.
    pub fn adopt(&self, ports: &HttpTwins, record: &Record) -> Vec<(TwinId, Box<dyn Instance>)> {
        let adopted = ports.adopt(record).into_iter();
        adopted.map(|(twin, instance)| (twin, self.joined(twin, instance))).collect()
    }

    fn joined(&self, twin: TwinId, instance: Box<dyn Instance>) -> Box<dyn Instance> {
        self.hub.joined(twin);
        Box::new(Joined {
            twin,
            instance,
            hub: self.hub.clone(),
            voice: Arc::clone(&self.voice),
            told: Mutex::new(false),
            listens: self.listens,
        })
    }
}

#[async_trait]
impl ProcessSpawner for HubSpawner {
    async fn spawn(&self, order: &SpawnOrder) -> Result<Box<dyn Instance>, Fault> {
        let instance = self.spawner.spawn(order).await?;
        Ok(self.joined(order.twin, instance))
    }

    async fn sweep(&self, keep: &[TwinId]) {
        self.spawner.sweep(keep).await;
    }
}

/// A twin whose end the hub hears.
struct Joined {
    twin: TwinId,
    instance: Box<dyn Instance>,
    hub: Hub,
    voice: Arc<Voice>,
    told: Mutex<bool>,
    listens: bool,
}

impl Joined {
    fn tell(&self, exit: &ExitReport) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut told, true) {
            let message = format!("the server {}", exit.describe());
            self.hub.left(self.twin, &Fault::new(Code::Crashed, message).with_stderr(exit.stderr_tail.clone()));
            // There is no input for a server over HTTP: one over stdio takes that for the end.
            if !self.listens && exit.code == Some(0) && !self.hub.is_ready() {
                self.voice.warn(&format!("the server ended by itself before it listened; {NO_LISTENER}"));
            }
            if let Some(help) = suggests_handoff(&exit.stderr_tail).filter(|_| self.hub.is_ready()) {
                self.voice.warn(help);
            }
        }
    }
}

#[async_trait]
impl Instance for Joined {
    fn identity(&self) -> ProcessIdentity {
        self.instance.identity()
    }

    fn port(&self) -> Option<u16> {
        self.instance.port()
    }

    async fn exited(&mut self) -> ExitReport {
        let exit = self.instance.exited().await;
        self.tell(&exit);
        exit
    }

    async fn stop(&mut self, term: Duration, kill: Duration) -> ExitReport {
        self.hub.leave(self.twin).await;
        let exit = self.instance.stop(term, kill).await;
        self.tell(&exit);
        exit
    }
}
