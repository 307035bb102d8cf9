//! The processes of a server over stdio behind a front over HTTP: who starts them, and whether the files still hold the code
//! that they are to run.

use super::files::{Held, ServerFiles};
use super::spawner::{Recipe, ServerCommand};
use super::voice::Voice;
use crate::fronts::seat::nonce;
use crate::http::{Hub, SameCode, TwinProcesses};
use crate::process::{Container, Launched, StopOrder};
use crate::twins::name_of;
use crate::wire::end::StderrSink;
use async_trait::async_trait;
use mcp_twin_core::drive::Handle;
use mcp_twin_core::host::{Instance, Observer, ProcessSpawner, SpawnOrder};
use mcp_twin_core::swap::{ExitReport, Notice, Status};
use mcp_twin_core::{Code, Fault, Generation, ProcessIdentity, TwinId};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// So many generations that do not serve are remembered.
const VERDICTS: usize = 64;

/// Starts the processes of all twins of one front.
pub struct Families {
    command: ServerCommand,
    /// Tells the tokens of this front's life from those of its earlier lives.
    nonce: String,
    /// Whether what is saved is looked at by itself.
    watching: Arc<AtomicBool>,
    /// They know the hub, which knows these.
    files: OnceLock<Weak<ServerFiles>>,
    handle: OnceLock<Handle>,
    verdicts: Arc<Verdicts>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Each twin, and what its processes are started from: those of one twin are all alike.
    orders: BTreeMap<TwinId, (SpawnOrder, Arc<Recipe>)>,
    /// The processes that run, by which a sweep tells them from what they started.
    leaders: BTreeMap<u64, ProcessIdentity>,
}

impl Families {
    /// Processes of this command. `watching`: what is saved is looked at by itself.
    pub fn new(command: ServerCommand, watching: Arc<AtomicBool>, verdicts: Arc<Verdicts>) -> Arc<Self> {
        let (files, handle) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { command, nonce: nonce(), watching, files, handle, verdicts, inner: Mutex::default() })
    }

    /// What it needs that comes to be later than it.
    pub fn know(&self, files: &Arc<ServerFiles>, handle: &Handle) {
        let _ = self.files.set(Arc::downgrade(files));
        let _ = self.handle.set(handle.clone());
    }

    /// Twins are started from this from now on; the processes of those that live stay alike.
    pub fn set_recipe(&self, recipe: Recipe) {
        self.command.set_recipe(recipe);
    }

    /// Ends whatever still bears a token of this front.
    pub fn sweep_all(&self) -> usize {
        let leaders: Vec<ProcessIdentity> = self.lock().leaders.values().cloned().collect();
        self.command.sweep(|_| false, &leaders)
    }

    fn files(&self) -> Option<Arc<ServerFiles>> {
        self.files.get()?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, twin: TwinId) {
        self.lock().orders.remove(&twin);
        if let Some(files) = self.files() {
            files.boot_ended(twin);
            files.forget(twin);
        }
    }
}

#[async_trait]
impl TwinProcesses for Families {
    async fn same_code(&self, twin: TwinId) -> SameCode {
        if self.lock().orders.get(&twin).is_some_and(|(order, _)| order.kept) {
            // Of a copy there can always be another process.
            return SameCode::Yes;
        }
        let (Some(files), Some(handle)) = (self.files(), self.handle.get()) else { return SameCode::Yes };
        let Held::Other(generation) = files.held(twin).await else { return SameCode::Yes };
        if let Some(fault) = generation.and_then(|generation| self.verdicts.of(generation)) {
            return SameCode::No(fault);
        }
        let being_prepared = |status: &Status| status.standby.is_some() || status.state != "serving";
        if handle.status().await.is_none_or(|status| being_prepared(&status)) {
            return SameCode::InQuestion;
        }
        let fault = no_further("the files hold newer code, which does not serve yet", &Fault::new(Code::CodeGone, ""))
            .with_help(format!("`mcp-twin reload {}` takes the newer code", self.command.server));
        if self.watching.load(Ordering::Relaxed) { SameCode::Unseen(fault) } else { SameCode::No(fault) }
    }

    fn start(&self, twin: TwinId, number: u64) -> Result<(Launched, Option<Container>), Fault> {
        let mut inner = self.lock();
        let Some((order, recipe)) = inner.orders.get(&twin) else {
            return Err(Fault::new(Code::SpawnFailed, "its twin has ended"));
        };
        let started = self.command.start(recipe, &format!("{}.{twin}.{number}", self.nonce), order)?;
        inner.leaders.insert(number, started.0.identity.clone());
        Ok(started)
    }

    fn stderr(&self) -> StderrSink {
        self.command.stderr()
    }

    fn ended(&self, number: u64) {
        self.lock().leaders.remove(&number);
    }
}

/// Starts twins that are families of processes.
pub struct FamilySpawner {
    /// Starts their processes.
    pub families: Arc<Families>,
    /// Relays them.
    pub hub: Hub,
}

#[async_trait]
impl ProcessSpawner for FamilySpawner {
    async fn spawn(&self, order: &SpawnOrder) -> Result<Box<dyn Instance>, Fault> {
        let twin = order.twin;
        self.families.command.voice.name(twin, name_of(order.slot, order.source.generation));
        let recipe = self.families.command.recipe_for(order).await?;
        self.families.lock().orders.insert(twin, (order.clone(), recipe));
        match self.hub.start_family(twin) {
            Ok((identity, exit)) => Ok(Box::new(FamilyTwin {
                twin,
                identity,
                exit,
                hub: self.hub.clone(),
                families: Arc::clone(&self.families),
            })),
            Err(fault) => {
                self.families.lock().orders.remove(&twin);
                Err(fault)
            }
        }
    }

    async fn sweep(&self, _keep: &[TwinId]) {
        // Nothing outlives its front here; what this life of the front has started is ended by those who mind it.
        let ours = self.families.command.token(&format!("{}.", self.families.nonce));
        self.families.command.sweep(|token| token.starts_with(&ours), &[]);
    }
}

/// A family of processes as the driver sees it.
struct FamilyTwin {
    twin: TwinId,
    /// Of its first process.
    identity: ProcessIdentity,
    exit: watch::Receiver<Option<ExitReport>>,
    hub: Hub,
    families: Arc<Families>,
}

#[async_trait]
impl Instance for FamilyTwin {
    fn identity(&self) -> ProcessIdentity {
        self.identity.clone()
    }

    async fn exited(&mut self) -> ExitReport {
        let unknown = || ExitReport { code: None, signal: None, stderr_tail: String::new() };
        let exit = self.exit.wait_for(Option::is_some).await;
        let exit = exit.map_or_else(|_| unknown(), |exit| exit.clone().unwrap_or_else(unknown));
        self.families.ended(self.twin);
        exit
    }

    async fn stop(&mut self, term: Duration, kill: Duration) -> ExitReport {
        self.hub.end_family(self.twin, StopOrder { term, kill });
        self.exited().await
    }
}

/// Hears which generations do not serve, and why.
pub struct Verdicts {
    voice: Arc<Voice>,
    faults: Mutex<BTreeMap<Generation, Fault>>,
}

impl Verdicts {
    /// What it hears it passes on to `voice`.
    pub fn new(voice: Arc<Voice>) -> Arc<Self> {
        Arc::new(Self { voice, faults: Mutex::default() })
    }

    /// Why code of this generation does not serve, so that no process of older code can be started while the files hold it.
    fn of(&self, generation: Generation) -> Option<Fault> {
        self.lock().get(&generation).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Generation, Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, generation: Generation, fault: Fault) {
        let mut faults = self.lock();
        faults.insert(generation, fault);
        while faults.len() > VERDICTS {
            faults.pop_first();
        }
    }
}

impl Observer for Verdicts {
    fn notice(&self, notice: &Notice) {
        match notice {
            Notice::ReloadFailed { generation, fault } => {
                let what = format!("the newest code (generation {generation}) does not serve: {}", fault.message);
                self.note(*generation, no_further(&what, fault).with_help("repair it and save"));
            }
            Notice::RolledBack { left, active, why } => {
                let what = format!("generation {left} was rolled back to {active}");
                let fault = why.clone().unwrap_or_else(|| Fault::new(Code::CodeGone, ""));
                self.note(*left, no_further(&what, &fault).with_help("save the code that is to serve"));
            }
            Notice::Waiting { generation, .. } => {
                let what = format!("generation {generation} is verified and waits");
                let fault = no_further(&what, &Fault::new(Code::CodeGone, ""));
                self.note(*generation, fault.with_help("`mcp-twin swap` lets it serve"));
            }
            Notice::Swapped { active, .. } => drop(self.lock().remove(active)),
            _ => {}
        }
        self.voice.notice(notice);
    }

    fn ignored(&self, why: &'static str) {
        self.voice.ignored(why);
    }
}

/// Why a session gets no process, where the files do not hold the code that serves.
fn no_further(what: &str, fault: &Fault) -> Fault {
    let message = format!(
        "{what}; sessions that are open go on with the code before it, but this one would need another process of that, and \
         the files no longer hold it"
    );
    Fault { code: Code::CodeGone, message, ..fault.clone() }
}
