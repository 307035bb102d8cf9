//! Files that are a number.

use super::shared::Shared;
use crate::error::Fault;
use crate::host::Sources;
use crate::ids::{Generation, OpId, Source, SourceHash, TwinId};
use async_trait::async_trait;
use std::collections::{BTreeSet, VecDeque};

/// The source of a generation; its hash is its number.
#[must_use]
pub fn source(generation: u32) -> Source {
    Source { hash: Some(SourceHash(u128::from(generation))), generation: Generation(generation) }
}

/// How a build ends.
#[derive(Clone, Debug)]
pub enum BuildScript {
    /// Well; the files are what they are then.
    Succeeds,
    /// With this fault.
    Fails(Fault),
    /// Never: it has to be abandoned.
    Hangs,
}

/// One settable source, generation 1 at first.
///
/// ```
/// use futures_executor::block_on;
/// use mcp_twin_core::TwinId;
/// use mcp_twin_core::host::Sources;
/// use mcp_twin_core::testing::{MemorySources, source};
///
/// let sources = MemorySources::default();
/// block_on(sources.mark(TwinId(0)));
/// assert_eq!(block_on(sources.compare(TwinId(0))), (source(1), false));
/// sources.set(source(2));
/// assert_eq!(block_on(sources.compare(TwinId(0))), (source(2), true));
/// ```
#[derive(Clone, Debug)]
pub struct MemorySources(Shared<Files>);

#[derive(Debug)]
struct Files {
    now: Source,
    /// The twins since whose mark nothing was touched.
    fresh: BTreeSet<TwinId>,
    builds: VecDeque<BuildScript>,
    begun: Vec<OpId>,
    abandoned: Vec<OpId>,
}

impl Default for MemorySources {
    fn default() -> Self {
        Self::new(source(1))
    }
}

impl MemorySources {
    /// Files that are `now`.
    #[must_use]
    pub fn new(now: Source) -> Self {
        let (fresh, builds) = Default::default();
        Self(Shared::new(Files { now, fresh, builds, begun: Vec::new(), abandoned: Vec::new() }))
    }

    /// The files become this; that touches them.
    pub fn set(&self, source: Source) {
        self.0.change(|files| {
            files.now = source;
            files.fresh.clear();
        });
    }

    /// The files are written again as they are.
    pub fn touch(&self) {
        self.0.change(|files| files.fresh.clear());
    }

    /// How the next build ends, behind those that were given before; else builds succeed.
    pub fn next_build(&self, script: BuildScript) {
        self.0.change(|files| files.builds.push_back(script));
    }

    /// The operations whose build was begun, oldest first.
    #[must_use]
    pub fn built(&self) -> Vec<OpId> {
        self.0.read(|files| files.begun.clone())
    }

    /// The operations whose build was given up before it ended, oldest first.
    #[must_use]
    pub fn abandoned(&self) -> Vec<OpId> {
        self.0.read(|files| files.abandoned.clone())
    }
}

#[async_trait]
impl Sources for MemorySources {
    async fn now(&self) -> Source {
        self.0.read(|files| files.now)
    }

    async fn mark(&self, twin: TwinId) {
        self.0.change(|files| files.fresh.insert(twin));
    }

    async fn compare(&self, twin: TwinId) -> (Source, bool) {
        self.0.read(|files| (files.now, !files.fresh.contains(&twin)))
    }

    async fn build(&self, op: OpId) -> Result<Source, Fault> {
        let script = self.0.change(|files| {
            files.begun.push(op);
            files.builds.pop_front().unwrap_or(BuildScript::Succeeds)
        });
        match script {
            BuildScript::Succeeds => Ok(self.now().await),
            BuildScript::Fails(fault) => Err(fault),
            BuildScript::Hangs => {
                let _abandoned = Abandoned(self.0.clone(), op);
                std::future::pending().await
            }
        }
    }
}

/// Says so when a build that never ends is dropped.
struct Abandoned(Shared<Files>, OpId);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.change(|files| files.abandoned.push(self.1));
    }
}
