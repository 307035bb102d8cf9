//! Starts the processes of a server over stdio, and twins behind a wire.

use super::files::ServerFiles;
use super::voice::Voice;
use crate::copies::{Copies, Start};
use crate::fronts::token_prefix;
use crate::process::{self, Container, Containers, Launch, Launched, Minder, StopOrder, sweep_token};
use crate::run::{RunOrder, Variables};
use crate::twins::{name_of, variables};
use crate::wire::Wire;
use crate::wire::end::StderrSink;
use async_trait::async_trait;
use mcp_twin_core::host::{Instance, ProcessSpawner, SpawnOrder};
use mcp_twin_core::swap::ExitReport;
use mcp_twin_core::{Code, Fault, ProcessIdentity, TwinId};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the processes of a twin are started from.
pub struct Recipe {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Its own variables.
    pub env: Variables,
    /// Names of programs that outlive the twins that started them.
    pub keep: Vec<String>,
    /// What its command starts, if that is containers.
    pub containers: Option<Containers>,
}

impl Recipe {
    /// What this order asks for.
    pub fn new(order: &RunOrder, containers: Option<Containers>) -> Self {
        Self {
            command: order.command.clone(),
            cwd: order.cwd.clone(),
            env: order.env.clone(),
            keep: order.options.keep_children.clone(),
            containers,
        }
    }
}

/// The command of a server over stdio, and all that its processes are told.
pub struct ServerCommand {
    /// What the next twin is started from.
    pub recipe: Mutex<Arc<Recipe>>,
    /// The front's id.
    pub front: String,
    /// The server's name.
    pub server: String,
    /// What speaks for it.
    pub voice: Arc<Voice>,
    /// Copies of its code.
    pub copies: Arc<Copies>,
}

impl ServerCommand {
    /// The token of a process, by what tells it from the others.
    pub fn token(&self, of: &str) -> String {
        format!("{}{of}", token_prefix(&self.front))
    }

    /// What a twin is started from now.
    pub fn recipe(&self) -> Arc<Recipe> {
        Arc::clone(&self.recipe.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What this twin is started from: the files, or a copy.
    ///
    /// # Errors
    /// Why the copy cannot be started.
    pub async fn recipe_for(&self, order: &SpawnOrder) -> Result<Arc<Recipe>, Fault> {
        let recipe = self.recipe();
        let start = Start { command: recipe.command.clone(), cwd: recipe.cwd.clone(), env: recipe.env.clone() };
        let chosen = self.copies.start(start.clone(), order.source, order.kept).await?;
        if chosen == start {
            return Ok(recipe);
        }
        let Start { command, cwd, env } = chosen;
        // What starts a container is never started from a copy.
        Ok(Arc::new(Recipe { command, cwd, env, keep: recipe.keep.clone(), containers: None }))
    }

    /// Twins are started from this from now on.
    pub fn set_recipe(&self, recipe: Recipe) {
        *self.recipe.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(recipe);
    }

    /// The command of a twin, changed where it starts a container that can be followed.
    fn command_of(&self, recipe: &Recipe, of: &str) -> (Vec<String>, Option<Container>) {
        match recipe.containers.as_ref().map(|containers| containers.begin(of)) {
            Some(Ok(begun)) => begun,
            Some(Err(error)) => {
                self.voice.warn(&format!("the container is not removed if its client has to be killed: {error}"));
                (recipe.command.clone(), None)
            }
            None => (recipe.command.clone(), None),
        }
    }

    /// Starts a process of a twin, on this very thread: it lives as long as the front, and the parent-death signal of the
    /// process follows it.
    pub fn start(&self, recipe: &Recipe, of: &str, order: &SpawnOrder) -> Result<(Launched, Option<Container>), Fault> {
        let (command, container) = self.command_of(recipe, of);
        let launch = Launch {
            command,
            cwd: recipe.cwd.clone(),
            token: self.token(of),
            env: recipe.env.iter().cloned().chain(variables(&self.server, &self.front, order)).collect(),
            keep: recipe.keep.clone(),
        };
        match process::spawn(&launch) {
            Ok(launched) => {
                self.voice.step_over();
                Ok((launched, container))
            }
            Err(fault) => {
                container.into_iter().for_each(Container::discard);
                Err(fault)
            }
        }
    }

    /// What hears the stderr of its processes.
    pub fn stderr(&self) -> StderrSink {
        let voice = Arc::clone(&self.voice);
        Arc::new(move |twin, line: &str| voice.twin_said(twin, line))
    }

    /// Ends whatever bears a token of this front, but what is to be kept.
    pub fn sweep(&self, kept: impl Fn(&str) -> bool, leaders: &[ProcessIdentity]) -> usize {
        sweep_token(&token_prefix(&self.front), kept, leaders)
    }
}

/// Starts the twins of one front.
pub struct TwinSpawner {
    /// What is started.
    pub command: ServerCommand,
    /// The twins that run.
    pub leaders: Arc<Leaders>,
    /// The largest message.
    pub max_message: usize,
    /// What carries its messages.
    pub wire: Wire,
    /// What it is made of.
    pub files: Arc<ServerFiles>,
}

impl TwinSpawner {
    /// Ends whatever still bears a token of this front.
    pub fn sweep_all(&self) -> usize {
        self.command.sweep(|_| false, &self.leaders.all())
    }
}

#[async_trait]
impl ProcessSpawner for TwinSpawner {
    async fn spawn(&self, order: &SpawnOrder) -> Result<Box<dyn Instance>, Fault> {
        self.command.voice.name(order.twin, name_of(order.slot, order.source.generation));
        if let Some(recorder) = self.wire.recorder() {
            recorder.starts(order.twin, order.source.generation);
        }
        let recipe = self.command.recipe_for(order).await?;
        let (launched, container) = self.command.start(&recipe, &order.twin.to_string(), order)?;
        let identity = launched.identity.clone();
        let minder = self
            .wire
            .join(order.twin, launched, container, self.max_message, self.command.stderr())
            .map_err(|error| Fault::new(Code::SpawnFailed, format!("its pipes could not be set up: {error}")))?;
        self.leaders.lock().insert(order.twin, identity.clone());
        let (files, leaders) = (Arc::clone(&self.files), Arc::clone(&self.leaders));
        Ok(Box::new(Twin { twin: order.twin, identity, minder, files, leaders }))
    }

    async fn sweep(&self, keep: &[TwinId]) {
        let kept: Vec<String> = keep.iter().map(|twin| self.command.token(&twin.to_string())).collect();
        self.command.sweep(|token| kept.iter().any(|kept| kept == token), &self.leaders.all());
    }
}

struct Twin {
    twin: TwinId,
    identity: ProcessIdentity,
    minder: Minder,
    files: Arc<ServerFiles>,
    leaders: Arc<Leaders>,
}

/// The processes of the twins that run, by which a sweep tells them from what they started.
#[derive(Debug, Default)]
pub struct Leaders(Mutex<BTreeMap<TwinId, ProcessIdentity>>);

impl Leaders {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TwinId, ProcessIdentity>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<ProcessIdentity> {
        self.lock().values().cloned().collect()
    }
}

#[async_trait]
impl Instance for Twin {
    fn identity(&self) -> ProcessIdentity {
        self.identity.clone()
    }

    async fn exited(&mut self) -> ExitReport {
        let report = self.minder.exited().await;
        self.leaders.lock().remove(&self.twin);
        self.files.boot_ended(self.twin);
        report
    }

    async fn stop(&mut self, term: Duration, kill: Duration) -> ExitReport {
        self.minder.stop(StopOrder { term, kill });
        let report = self.minder.exited().await;
        self.leaders.lock().remove(&self.twin);
        report
    }
}
