//! What a front answers to other commands.

use super::files::ServerFiles;
use super::living::Living;
use super::tool::ToolCaller;
use super::voice::Voice;
use crate::process::{self, Load};
use crate::run::RunOrder;
use crate::store::FileStore;
use mcp_twin_core::control::{Answer, Ask, Edit, Figures, FrontStatus, TwinLoad};
use mcp_twin_core::drive::Handle;
use mcp_twin_core::host::{Clock, Sources as _};
use mcp_twin_core::swap::{Command, Outcome, Status, TwinView};
use mcp_twin_core::{Code, Fault, Generation, TwinId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// So long the end of an edit is waited for at most, whatever is asked for.
const LONGEST_EDIT: Duration = Duration::from_secs(10 * 60);

/// How often the machine is looked at while an edit is waited for and nothing is said.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How many files are named at most, whatever is asked for.
const MOST_FILES: usize = 1000;

/// What is seen of the traffic.
#[derive(Default)]
pub struct View {
    /// The client, where there is only one: name and version.
    pub client: Option<String>,
    /// The negotiated protocol version.
    pub protocol: Option<String>,
    /// Lists that changed and were not asked for again.
    pub stale_lists: Vec<String>,
    /// Calls in flight.
    pub in_flight: usize,
    /// Requests held.
    pub held: usize,
    /// Sessions of clients, over HTTP.
    pub sessions: Option<usize>,
    /// What was counted of the calls.
    pub figures: Figures,
    /// Processes of twins beside those that the machine knows, by their leaders.
    pub processes: Vec<(TwinId, u32)>,
    /// Whether a front over HTTP speaks to its twins over stdio.
    pub stdio_twins: bool,
    /// The last lines of the serving twin's stderr.
    pub stderr_tail: String,
    /// What is odd about them.
    pub warnings: Vec<String>,
}

/// All that an answer is made of.
pub struct Answers {
    /// How the front was started.
    pub order: RunOrder,
    /// The server's name.
    pub name: String,
    /// The project root.
    pub root: PathBuf,
    /// The front's id.
    pub front: String,
    /// Seconds since 1970 at its start.
    pub started: i64,
    /// The folder of its logs.
    pub logs: PathBuf,
    /// What may change while the front lives.
    pub living: Arc<Living>,
    /// The swap machine.
    pub handle: Handle,
    /// What is seen of the traffic; given the twin that serves.
    pub view: Box<dyn Fn(Option<TwinId>) -> View + Send + Sync>,
    /// What calls tools beside the clients.
    pub tools: Arc<dyn ToolCaller>,
    /// The front's clock.
    pub clock: Arc<dyn Clock>,
    /// Where clients reach it, over HTTP.
    pub url: Option<String>,
    /// Hears that the server was stopped by command, if the front ends with it.
    pub stopped: Option<Arc<Notify>>,
    /// What is off.
    pub voice: Arc<Voice>,
    /// Its history.
    pub store: Arc<FileStore>,
    /// The server's files.
    pub files: Arc<ServerFiles>,
}

impl Answers {
    /// Answers one request.
    pub async fn answer(self: Arc<Self>, ask: Ask) -> Answer {
        let command = match ask {
            Ask::Status => return self.status().await,
            Ask::Reload => Command::Reload,
            Ask::Swap { force } => Command::Swap { force },
            Ask::Rollback { to } => {
                if let Some(unknown) = self.unknown_generation(to).await {
                    return unknown;
                }
                Command::Rollback { to }
            }
            Ask::Stop => Command::Stop,
            Ask::Edited { path, patience_ms } => {
                let patience = Duration::from_millis(patience_ms).min(LONGEST_EDIT);
                return self.edited(Path::new(&path), patience).await;
            }
            Ask::Call { standby, tool, arguments, patience_ms } => {
                return self.call(standby, &tool, &arguments, Duration::from_millis(patience_ms)).await;
            }
            Ask::Files { most } => {
                let files =
                    if self.living.watching() { self.files.paths(most.min(MOST_FILES)).await } else { Vec::new() };
                return Answer::Files(files.iter().map(|path| path.to_string_lossy().into_owned()).collect());
            }
        };
        let ends = matches!(command, Command::Stop);
        let outcome = self.handle.command(command).await;
        if let Some(stopped) = self.stopped.as_ref().filter(|_| ends) {
            stopped.notify_one();
        }
        Answer::Outcome(outcome)
    }

    /// A file was edited. What the watcher would make of it once it came to rest is done at once, and its end awaited: the
    /// machine takes the watcher's own word about the same files for the same.
    async fn edited(&self, path: &Path, patience: Duration) -> Answer {
        let deadline = Instant::now() + patience;
        if !self.files.has(path).await {
            return Answer::Edited(Edit::NotOurs);
        }
        let ending = || Answer::Error(Fault::new(Code::Stopped, "the front is ending"));
        if !self.living.watching() {
            let Some(status) = self.handle.status().await else { return ending() };
            return Answer::Edited(Edit::Unwatched { active: status.active });
        }
        let mut source = self.files.now().await;
        self.store.note_cause(source.generation, path);
        self.handle.changed(source).await;
        loop {
            // Before the look, so that nothing falls between the two.
            let notice = self.voice.next_notice();
            let Some(status) = self.handle.status().await else { return ending() };
            if let Some(edit) = Edit::of(&status, &source) {
                return Answer::Edited(self.with_diff(edit));
            }
            if Instant::now() >= deadline {
                return Answer::Edited(Edit::Pending { active: status.active });
            }
            // Not every end is told to people.
            let _ = timeout_at(deadline.min(Instant::now() + LOOK_AGAIN), notice).await;
            if status.standby.is_none() {
                source = self.files.now().await;
            }
        }
    }

    fn with_diff(&self, edit: Edit) -> Edit {
        match edit {
            Edit::Live { active, baking, .. } => {
                let diff = self.voice.swapped_to(active.source.generation).unwrap_or_default();
                Edit::Live { active, diff, baking }
            }
            edit => edit,
        }
    }

    /// The answer to a rollback to a generation that never existed.
    async fn unknown_generation(&self, to: Option<Generation>) -> Option<Answer> {
        let wanted = to?;
        let highest = self.files.highest_generation().await;
        if (1..=highest.0).contains(&wanted.0) {
            return None;
        }
        let status = self.handle.status().await?;
        let exist = match highest.0 {
            0 | 1 => format!("generation {highest} is the only one so far"),
            _ => format!("generations 1 to {highest} exist"),
        };
        let back = match &status.prev {
            Some(prev) => {
                format!("generation {} is kept and can be gone back to: `mcp-twin rollback`", prev.source.generation)
            }
            None => "none is kept to go back to at once".to_owned(),
        };
        let fault = Fault::new(Code::NoGeneration, format!("there is no generation {wanted}"))
            .with_help(format!("{exist}; {back}"));
        Some(Answer::Outcome(Outcome::Failed { active: status.active, fault }))
    }

    async fn status(&self) -> Answer {
        let Some(swap) = self.handle.status().await else {
            return Answer::Error(Fault::new(Code::Stopped, "the front is ending"));
        };
        let now = self.clock.now();
        let last_swap_ms_ago = swap.last_swap.map(|at| u64::try_from((now - at).as_millis()).unwrap_or(u64::MAX));
        let active = swap.active.as_ref().map(|active| active.twin);
        let view = (self.view)(active);
        let mut warnings = self.voice.warnings();
        warnings.extend(view.warnings);
        let (command, cwd) = self.living.command();
        let loads = loads(&swap, &view.processes).await;
        Answer::Status(Box::new(FrontStatus {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            front: self.front.clone(),
            server: self.name.clone(),
            display: self.order.name.clone(),
            root: self.root.display().to_string(),
            command,
            cwd: cwd.display().to_string(),
            settings: self.living.settings(),
            transport: if self.url.is_some() { "http" } else { "stdio" }.to_owned(),
            stdio_twins: view.stdio_twins,
            pid: std::process::id(),
            started: self.started,
            swap,
            last_swap_ms_ago,
            client: view.client,
            protocol: view.protocol,
            stale_lists: view.stale_lists,
            in_flight: view.in_flight,
            held: view.held,
            figures: Some(view.figures),
            loads,
            url: self.url.clone(),
            sessions: view.sessions,
            watched: self.living.watching().then(|| self.files.count()),
            warnings,
            log: Some(self.logs.display().to_string()),
            stderr_tail: view.stderr_tail,
        }))
    }
}

/// What the twins take of the machine; `more` are processes beside those that the machine knows. Looked at when somebody
/// asks, and only then.
async fn loads(swap: &Status, more: &[(TwinId, u32)]) -> Vec<TwinLoad> {
    let standby = swap.standby.as_ref().map(|(standby, _)| standby);
    let some = [swap.active.as_ref(), standby, swap.warm.as_ref(), swap.prev.as_ref()];
    let known = some.into_iter().flatten().chain(&swap.retiring);
    let mut leaders: BTreeMap<TwinId, Vec<u32>> = BTreeMap::new();
    let known = known.filter_map(|view: &TwinView| Some((view.twin, view.pid?)));
    for (twin, pid) in known.chain(more.iter().copied()) {
        leaders.entry(twin).or_default().push(pid);
    }
    let (twins, trees): (Vec<TwinId>, Vec<Vec<u32>>) = leaders.into_iter().unzip();
    let loads = twins.into_iter().zip(process::loads(trees).await);
    loads
        .filter_map(|(twin, load)| {
            let Load { processes, memory, cpu } = load?;
            Some(TwinLoad { twin, processes, memory, cpu_ms: u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX) })
        })
        .collect()
}
