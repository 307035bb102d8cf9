//! The host: what the machine asks of the world, as small as it can be and still be honest.

use async_trait::async_trait;
use mcp_twin_core::host::{
    Clock, HealthProbe, Host, Instance, Observer, ProcessSpawner, Sources, SpawnOrder, StateStore, Traffic,
};
use mcp_twin_core::swap::{ExitReport, HistoryEntry, Notice, ProbeReport, Record};
use mcp_twin_core::{Code, Fault, Generation, Moment, ProcessIdentity, Source, SourceHash, TwinId};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Everything around one server.
pub(crate) struct World {
    code: PathBuf,
    began: Instant,
    /// Where greetings are asked for; `None`: they wait.
    route: watch::Sender<Option<TwinId>>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The way to each twin; a twin owns its line.
    lines: BTreeMap<TwinId, Weak<Line>>,
    /// When the code was written, as of the start of each twin.
    marks: BTreeMap<TwinId, Option<SystemTime>>,
    /// A code's generation is its place in here.
    generations: Vec<SourceHash>,
    record: Option<Record>,
}

impl World {
    pub(crate) fn new(code: &Path) -> Self {
        let (code, began, route) = (code.to_owned(), Instant::now(), watch::Sender::new(None));
        Self { code, began, route, memory: Mutex::default() }
    }

    /// The world as the driver sees it.
    pub(crate) fn host(world: &Arc<Self>) -> Host {
        Host {
            spawner: Arc::clone(world) as Arc<dyn ProcessSpawner>,
            probe: Arc::clone(world) as Arc<dyn HealthProbe>,
            store: Arc::clone(world) as Arc<dyn StateStore>,
            clock: Arc::clone(world) as Arc<dyn Clock>,
            traffic: Arc::clone(world) as Arc<dyn Traffic>,
            sources: Arc::clone(world) as Arc<dyn Sources>,
            observer: Arc::clone(world) as Arc<dyn Observer>,
        }
    }

    /// What a client does: asks whoever serves.
    pub(crate) async fn greet(&self, name: &str) -> Result<String, Fault> {
        let lost = || Fault::new(Code::TwinLost, "the twin ended before it answered");
        let twin = self.route.subscribe().wait_for(Option::is_some).await.ok().and_then(|twin| *twin);
        let line = twin.and_then(|twin| self.line(twin)).ok_or_else(lost)?;
        line.ask(name).await.ok_or_else(lost)
    }

    fn line(&self, twin: TwinId) -> Option<Arc<Line>> {
        self.memory().lines.get(&twin)?.upgrade()
    }

    fn written(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.code).and_then(|code| code.modified()).ok()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ProcessSpawner for World {
    async fn spawn(&self, order: &SpawnOrder) -> Result<Box<dyn Instance>, Fault> {
        let failed = |error: std::io::Error| Fault::new(Code::SpawnFailed, error.to_string());
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("serve").arg(&self.code).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        command.process_group(0);
        let mut process = command.spawn().map_err(failed)?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let line = Arc::new(Line(tokio::sync::Mutex::new(pipes.map(|(stdin, out)| (stdin, BufReader::new(out))))));
        let stderr = process.stderr.take().map(|mut stderr| {
            tokio::spawn(async move {
                let mut tail = Vec::new();
                let _ = stderr.read_to_end(&mut tail).await;
                String::from_utf8_lossy(&tail).into_owned()
            })
        });
        let mut memory = self.memory();
        memory.lines.retain(|_, line| line.strong_count() > 0);
        memory.lines.insert(order.twin, Arc::downgrade(&line));
        Ok(Box::new(Twin { process, line, stderr, tail: String::new() }))
    }
}

/// The way to a twin: one question at a time.
struct Line(tokio::sync::Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>);

impl Line {
    /// The answer; `None` if the twin has ended.
    async fn ask(&self, question: &str) -> Option<String> {
        let mut pipes = self.0.lock().await;
        let (stdin, stdout) = pipes.as_mut()?;
        stdin.write_all(format!("{question}\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stdout.read_line(&mut answer).await.ok().filter(|read| *read > 0)?;
        Some(answer.trim_end().to_owned())
    }

    /// Waits for the open question, and lets the twin see the end of its stdin.
    async fn close(&self) {
        self.0.lock().await.take();
    }
}

/// A twin: a process, the line to it and what it said on stderr.
struct Twin {
    process: Child,
    line: Arc<Line>,
    stderr: Option<JoinHandle<String>>,
    tail: String,
}

#[async_trait]
impl Instance for Twin {
    fn identity(&self) -> ProcessIdentity {
        // A host whose twins outlive it would also keep what tells a process from a later one of the same number.
        let pid = self.process.id().unwrap_or(0);
        ProcessIdentity { pid, pgid: pid, start_time: 0, boot_id: String::new(), token: String::new() }
    }

    async fn exited(&mut self) -> ExitReport {
        let code = self.process.wait().await.ok().and_then(|status| status.code());
        if let Some(stderr) = &mut self.stderr {
            self.tail = stderr.await.unwrap_or_default();
            self.stderr = None;
        }
        ExitReport { code, signal: None, stderr_tail: self.tail.clone() }
    }

    async fn stop(&mut self, term: Duration, _kill: Duration) -> ExitReport {
        let line = Arc::clone(&self.line);
        let ended = async {
            line.close().await;
            self.exited().await
        };
        match tokio::time::timeout(term, ended).await {
            Ok(exit) => exit,
            Err(_) => {
                let _ = self.process.start_kill();
                self.exited().await
            }
        }
    }
}

#[async_trait]
impl HealthProbe for World {
    async fn begin(&self, _twin: TwinId, _force: bool) {}

    async fn check(&self, twin: TwinId) -> Result<ProbeReport, Fault> {
        let Some(line) = self.line(twin) else { return std::future::pending().await };
        match line.ask("probe").await {
            Some(answer) if answer.ends_with(", probe!") => Ok(ProbeReport::default()),
            Some(answer) => Err(Fault::new(Code::ProbeRefused, format!("it greets like this: {answer}"))),
            // It has ended, and its exit says more than this.
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Traffic for World {
    async fn prepare(&self, _twin: TwinId) -> Result<(), Fault> {
        Ok(())
    }

    async fn handover(&self, _from: Option<TwinId>, to: TwinId, _bake: bool) -> Result<(), Fault> {
        self.line(to).ok_or_else(|| Fault::new(Code::DiedBeforeCommit, "the new twin has ended"))?;
        self.route.send_replace(Some(to));
        Ok(())
    }

    async fn bake_failed(&self, _twin: TwinId) -> Fault {
        std::future::pending().await
    }

    fn end_bake(&self, _twin: TwinId) {}

    fn hold(&self) {
        self.route.send_replace(None);
    }

    fn refuse(&self, _fault: &Fault) {
        self.route.send_replace(None);
    }

    async fn idle(&self, twin: TwinId) {
        self.drained(twin).await;
        self.hold();
    }

    fn cut(&self, _twin: TwinId, _fault: &Fault) {
        self.hold();
    }

    async fn drained(&self, twin: TwinId) {
        if let Some(line) = self.line(twin) {
            drop(line.0.lock().await);
        }
    }
}

#[async_trait]
impl Sources for World {
    async fn now(&self) -> Source {
        let mut hasher = DefaultHasher::new();
        std::fs::read(&self.code).unwrap_or_default().hash(&mut hasher);
        let hash = SourceHash(u128::from(hasher.finish()));
        let known = &mut self.memory().generations;
        let place = known.iter().position(|known| *known == hash).unwrap_or_else(|| {
            known.push(hash);
            known.len() - 1
        });
        Source { hash: Some(hash), generation: Generation(u32::try_from(place + 1).unwrap_or(u32::MAX)) }
    }

    async fn mark(&self, twin: TwinId) {
        let written = self.written();
        self.memory().marks.insert(twin, written);
    }

    async fn compare(&self, twin: TwinId) -> (Source, bool) {
        let touched = self.memory().marks.remove(&twin) != Some(self.written());
        (Sources::now(self).await, touched)
    }
}

#[async_trait]
impl StateStore for World {
    // The twins end with this program, so that nothing is to be found again: memory will do.
    async fn save(&self, record: &Record) -> Result<(), String> {
        self.memory().record = Some(record.clone());
        Ok(())
    }

    async fn history(&self, _entry: &HistoryEntry) {}
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Moment {
        Moment::after_origin(self.began.elapsed())
    }

    async fn sleep_until(&self, at: Moment) {
        tokio::time::sleep(at.since(Clock::now(self))).await;
    }
}

impl Observer for World {
    fn notice(&self, notice: &Notice) {
        // What came of a command is told by its outcome.
        if let Notice::Crashed { fault, .. } | Notice::Down { fault } = notice {
            eprintln!("{fault}");
        }
    }
}
