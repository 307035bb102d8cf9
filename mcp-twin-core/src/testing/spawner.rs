//! Twins that are no processes.

use super::shared::Shared;
use crate::error::Fault;
use crate::host::{Instance, ProcessSpawner, SpawnOrder};
use crate::ids::{ProcessIdentity, TwinId};
use crate::swap::ExitReport;
use async_trait::async_trait;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How a start goes.
#[derive(Clone, Debug)]
pub enum Launch {
    /// It runs until it is stopped or told to exit.
    Boots,
    /// It runs, and does not end when it is stopped: only [`FakeSpawner::exit`] ends it.
    IgnoresStop,
    /// It runs and ends at once.
    Exits(ExitReport),
    /// It cannot be started.
    Refused(Fault),
    /// The start takes until [`FakeSpawner::finish`]; then it runs.
    Slow,
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(ExitReport),
    /// It was asked to.
    Stopped,
    /// A sweep did not keep it.
    Swept,
    /// Nobody asked and nobody waited any more.
    Dropped,
}

/// How an instance was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopping {
    /// Who.
    pub twin: TwinId,
    /// From the end of stdin to TERM.
    pub term: Duration,
    /// From TERM to KILL.
    pub kill: Duration,
}

/// Starts instances by a script, else such as run until they are stopped; the process id of a twin is 1000 and its number.
///
/// ```
/// use futures_executor::block_on;
/// use mcp_twin_core::host::{ProcessSpawner, SpawnOrder};
/// use mcp_twin_core::swap::ExitReport;
/// use mcp_twin_core::testing::{End, FakeSpawner, Launch, source};
/// use mcp_twin_core::{Slot, TwinId};
///
/// let spawner = FakeSpawner::default();
/// let order = SpawnOrder { twin: TwinId(3), slot: Slot::A, source: source(1), kept: false };
/// let mut instance = block_on(spawner.spawn(&order)).unwrap();
/// assert_eq!(spawner.running(), [TwinId(3)]);
///
/// let exit = ExitReport { code: Some(1), signal: None, stderr_tail: String::new() };
/// spawner.exit(TwinId(3), exit.clone());
/// assert_eq!(block_on(instance.exited()), exit);
/// assert_eq!(spawner.ended(TwinId(3)), Some(End::Exited(exit)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct FakeSpawner(Shared<Nursery>);

#[derive(Debug, Default)]
struct Nursery {
    script: VecDeque<Launch>,
    orders: Vec<SpawnOrder>,
    /// The starts that were told to finish.
    finished: Vec<TwinId>,
    alive: BTreeMap<TwinId, Alive>,
    ended: BTreeMap<TwinId, End>,
    stops: Vec<Stopping>,
    swept: Vec<Vec<TwinId>>,
    /// Sweeps do not return.
    slow_sweep: bool,
    /// The port of twin 0, where twins have ports.
    first_port: Option<u16>,
}

#[derive(Debug)]
struct Alive {
    ignores_stop: bool,
    /// Started by a front that is gone.
    adopted: bool,
}

impl FakeSpawner {
    /// How the next start goes, behind those that were given before.
    pub fn next(&self, launch: Launch) {
        self.0.change(|nursery| nursery.script.push_back(launch));
    }

    /// Ends a slow start.
    pub fn finish(&self, twin: TwinId) {
        self.0.change(|nursery| nursery.finished.push(twin));
    }

    /// A running instance ends by itself; nothing happens if it does not run.
    pub fn exit(&self, twin: TwinId, exit: ExitReport) {
        self.0.change(|nursery| nursery.end(twin, End::Exited(exit)));
    }

    /// From now on twins listen, as over HTTP: on this port and their number.
    pub fn ports_from(&self, first: u16) {
        self.0.change(|nursery| nursery.first_port = Some(first));
    }

    /// A twin that a front which is gone has left running, for
    /// [`Driver::with_adopted`](crate::drive::Driver::with_adopted).
    #[must_use]
    pub fn adopt(&self, twin: TwinId) -> Box<dyn Instance> {
        self.0.change(|nursery| nursery.alive.insert(twin, Alive { ignores_stop: false, adopted: true }));
        Box::new(self.instance(twin))
    }

    /// Sweeps do not return until [`FakeSpawner::finish_sweep`].
    pub fn slow_sweep(&self) {
        self.0.change(|nursery| nursery.slow_sweep = true);
    }

    /// Lets sweeps return.
    pub fn finish_sweep(&self) {
        self.0.change(|nursery| nursery.slow_sweep = false);
    }

    fn instance(&self, twin: TwinId) -> FakeInstance {
        let port = self.0.read(|nursery| nursery.first_port?.checked_add(u16::try_from(twin.0).ok()?));
        FakeInstance { twin, port, nursery: self.0.clone() }
    }

    /// What was to be started, oldest first.
    #[must_use]
    pub fn orders(&self) -> Vec<SpawnOrder> {
        self.0.read(|nursery| nursery.orders.clone())
    }

    /// Who runs now.
    #[must_use]
    pub fn running(&self) -> Vec<TwinId> {
        self.0.read(|nursery| nursery.alive.keys().copied().collect())
    }

    /// Who was asked to end, oldest first.
    #[must_use]
    pub fn stops(&self) -> Vec<Stopping> {
        self.0.read(|nursery| nursery.stops.clone())
    }

    /// How this twin ended; `None`: it runs, or was never started.
    #[must_use]
    pub fn ended(&self, twin: TwinId) -> Option<End> {
        self.0.read(|nursery| nursery.ended.get(&twin).cloned())
    }

    /// Waits until this twin has ended.
    pub async fn end_of(&self, twin: TwinId) -> End {
        self.0.wait(|nursery| nursery.ended.get(&twin).cloned()).await
    }

    /// What each sweep was to keep, oldest first. It ends what was adopted and is not kept.
    #[must_use]
    pub fn swept(&self) -> Vec<Vec<TwinId>> {
        self.0.read(|nursery| nursery.swept.clone())
    }
}

#[async_trait]
impl ProcessSpawner for FakeSpawner {
    async fn spawn(&self, order: &SpawnOrder) -> Result<Box<dyn Instance>, Fault> {
        let twin = order.twin;
        let launch = self.0.change(|nursery| {
            nursery.orders.push(order.clone());
            nursery.script.pop_front().unwrap_or(Launch::Boots)
        });
        match &launch {
            Launch::Refused(fault) => return Err(fault.clone()),
            Launch::Slow => self.0.wait(|nursery| nursery.finished.contains(&twin).then_some(())).await,
            Launch::Boots | Launch::IgnoresStop | Launch::Exits(_) => {}
        }
        self.0.change(|nursery| {
            nursery.alive.insert(twin, Alive { ignores_stop: matches!(launch, Launch::IgnoresStop), adopted: false });
            if let Launch::Exits(exit) = launch {
                nursery.end(twin, End::Exited(exit));
            }
        });
        Ok(Box::new(self.instance(twin)))
    }

    async fn sweep(&self, keep: &[TwinId]) {
        self.0.change(|nursery| {
            nursery.swept.push(keep.to_vec());
            let left = |(twin, alive): (&TwinId, &Alive)| (alive.adopted && !keep.contains(twin)).then_some(*twin);
            for twin in nursery.alive.iter().filter_map(left).collect::<Vec<_>>() {
                nursery.end(twin, End::Swept);
            }
        });
        self.0.wait(|nursery| (!nursery.slow_sweep).then_some(())).await;
    }
}

impl Nursery {
    fn end(&mut self, twin: TwinId, end: End) {
        if self.alive.remove(&twin).is_some() {
            self.ended.insert(twin, end);
        }
    }
}

struct FakeInstance {
    twin: TwinId,
    port: Option<u16>,
    nursery: Shared<Nursery>,
}

#[async_trait]
impl Instance for FakeInstance {
    fn identity(&self) -> ProcessIdentity {
        let pid = 1000 + self.twin.0;
        let (start_time, boot_id) = (u64::from(pid), "fake".to_owned());
        ProcessIdentity { pid, pgid: pid, start_time, boot_id, token: format!("fake-{}", self.twin) }
    }

    fn port(&self) -> Option<u16> {
        self.port
    }

    async fn exited(&mut self) -> ExitReport {
        self.nursery.wait(|nursery| nursery.ended.get(&self.twin).map(report)).await
    }

    async fn stop(&mut self, term: Duration, kill: Duration) -> ExitReport {
        self.nursery.change(|nursery| {
            nursery.stops.push(Stopping { twin: self.twin, term, kill });
            if nursery.alive.get(&self.twin).is_some_and(|alive| !alive.ignores_stop) {
                nursery.end(self.twin, End::Stopped);
            }
        });
        self.exited().await
    }
}

impl Drop for FakeInstance {
    fn drop(&mut self) {
        self.nursery.change(|nursery| nursery.end(self.twin, End::Dropped));
    }
}

fn report(end: &End) -> ExitReport {
    match end {
        End::Exited(exit) => exit.clone(),
        End::Stopped => ExitReport { code: Some(0), signal: None, stderr_tail: String::new() },
        End::Swept | End::Dropped => ExitReport { code: None, signal: Some(9), stderr_tail: String::new() },
    }
}
