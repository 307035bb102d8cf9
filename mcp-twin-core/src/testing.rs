//! A world without a world: fakes of every trait of [`host`](crate::host), for tests of what you build on this crate.
//!
//! Each fake does what a well-behaved host does until it is told otherwise, records what it was asked, and is a cheap
//! handle: clone it, give one to the [`Host`], keep the other. They need no runtime; any executor drives them.
//!
//! ```
//! use futures_executor::LocalPool;
//! use futures_util::task::LocalSpawnExt;
//! use mcp_twin_core::drive::Driver;
//! use mcp_twin_core::spec::Options;
//! use mcp_twin_core::swap::{Command, Outcome, Swap};
//! use mcp_twin_core::testing::Fakes;
//!
//! let fakes = Fakes::new();
//! let (driver, handle) = Driver::new(Swap::new(Options::default()), fakes.host());
//! let mut pool = LocalPool::new();
//! pool.spawner().spawn_local(driver.run()).unwrap();
//!
//! let outcome = pool.run_until(handle.command(Command::Start));
//! assert!(matches!(outcome, Outcome::Started { .. }));
//! assert_eq!(fakes.spawner.running(), fakes.traffic.route().into_iter().collect::<Vec<_>>());
//! ```

#[cfg(test)]
pub(crate) mod chance;
mod clock;
mod observer;
mod probe;
mod shared;
mod sources;
mod spawner;
mod store;
mod traffic;

pub use clock::ManualClock;
pub use observer::RecordingObserver;
pub use probe::{ScriptedProbe, Verdict};
pub use sources::{BuildScript, MemorySources, source};
pub use spawner::{End, FakeSpawner, Launch, Stopping};
pub use store::MemoryStore;
pub use traffic::{RecordingTraffic, Routed};

use crate::host::Host;
use std::sync::Arc;

/// One of each.
#[derive(Clone, Debug, Default)]
pub struct Fakes {
    /// Starts what the script says.
    pub spawner: FakeSpawner,
    /// Finds what the script says.
    pub probe: ScriptedProbe,
    /// Keeps every record.
    pub store: MemoryStore,
    /// Stands still until it is moved.
    pub clock: ManualClock,
    /// Remembers where requests go.
    pub traffic: RecordingTraffic,
    /// Holds one source: generation 1 at first.
    pub sources: MemorySources,
    /// Keeps every notice.
    pub observer: RecordingObserver,
}

impl Fakes {
    /// A world in which everything works.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a [`Driver`](crate::drive::Driver) is given; the fakes here and there are the same.
    #[must_use]
    pub fn host(&self) -> Host {
        Host {
            spawner: Arc::new(self.spawner.clone()),
            probe: Arc::new(self.probe.clone()),
            store: Arc::new(self.store.clone()),
            clock: Arc::new(self.clock.clone()),
            traffic: Arc::new(self.traffic.clone()),
            sources: Arc::new(self.sources.clone()),
            observer: Arc::new(self.observer.clone()),
        }
    }
}
