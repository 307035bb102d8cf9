//! A command line of the user's that a front runs for itself: a build step, a check. It has a process group of its own, and
//! what it says is kept for whoever has to hear why it failed.

use crate::logs::StderrTail;
use crate::pipes::{Descriptor, Input};
use crate::process::{self, Launch, Minder, Pipes, StopOrder};
use mcp_twin_core::Fault;
use mcp_twin_core::swap::ExitReport;
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// From the order to end one that nobody wants any more to KILL.
const KILL: Duration = Duration::from_secs(1);

/// What is to be run.
pub(super) struct ShellLine<'a> {
    /// For a shell.
    pub(super) line: &'a str,
    /// The folder.
    pub(super) cwd: &'a Path,
    /// Variables beside those of this process.
    pub(super) env: Vec<(String, String)>,
    /// By which it is found if this front dies.
    pub(super) token: String,
}

/// The last that it said.
type Said = Arc<Mutex<StderrTail>>;

/// One that runs. Dropped, it ends with all that it started, and only then goes what it holds.
pub(super) struct Running<T: Send + 'static> {
    minder: Minder,
    said: Said,
    holds: Option<T>,
}

impl<T: Send + 'static> Running<T> {
    /// Starts it. It has nothing to ask: its input is at its end.
    ///
    /// # Errors
    /// It cannot be started; what it was to hold is given back.
    pub(super) fn start(what: &ShellLine<'_>, holds: T) -> Result<Self, (Fault, T)> {
        let shell: &[&str] = if cfg!(windows) { &["cmd", "/D", "/S", "/C"] } else { &["sh", "-c"] };
        let words = shell.iter().copied().chain([what.line]);
        let launch = Launch {
            command: words.map(str::to_owned).collect(),
            cwd: what.cwd.to_owned(),
            token: what.token.clone(),
            env: what.env.clone(),
            keep: Vec::new(),
        };
        let launched = match process::spawn(&launch) {
            Ok(launched) => launched,
            Err(fault) => return Err((fault, holds)),
        };
        drop(launched.stdin);
        let said = Said::default();
        let ears = [launched.stdout, launched.stderr].map(|from| hear(from, &said));
        let pipes = Output { said: Arc::clone(&said), ears };
        Ok(Self { minder: Minder::start(launched.leader, None, pipes), said, holds: Some(holds) })
    }

    /// Waits for its end.
    pub(super) async fn exited(&mut self) -> ExitReport {
        self.minder.exited().await
    }

    /// What it has said so far.
    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).text()
    }

    /// What it holds, once it has ended.
    pub(super) fn release(mut self) -> Option<T> {
        self.holds.take()
    }
}

impl<T: Send + 'static> Drop for Running<T> {
    fn drop(&mut self) {
        self.minder.stop(StopOrder { term: Duration::ZERO, kill: KILL });
        let (mut minder, Some(holds)) = (self.minder.clone(), self.holds.take()) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                minder.exited().await;
                drop(holds);
            });
        }
    }
}

/// Its output, both streams as they come.
struct Output {
    said: Said,
    ears: [Option<JoinHandle<()>>; 2],
}

impl Pipes for Output {
    fn close_stdin(&mut self) {}

    async fn stdout_ended(&mut self) {
        // One that closes its output goes on all the same.
        pending().await
    }

    async fn output_ended(&mut self) {
        for ear in &mut self.ears {
            if let Some(task) = ear {
                let _ = task.await;
                *ear = None;
            }
        }
    }

    fn finish(&mut self, code: Option<i32>, signal: Option<i32>) -> ExitReport {
        for ear in self.ears.iter_mut().filter_map(Option::take) {
            ear.abort();
        }
        ExitReport { code, signal, stderr_tail: self.said.lock().unwrap_or_else(PoisonError::into_inner).text() }
    }
}

fn hear(from: Descriptor, said: &Said) -> Option<JoinHandle<()>> {
    let mut input = Input::new(from).ok()?;
    let said = Arc::clone(said);
    Some(tokio::spawn(async move {
        let mut chunk = Vec::new();
        while input.read(&mut chunk).await.is_ok_and(|read| read > 0) {
            said.lock().unwrap_or_else(PoisonError::into_inner).push(&chunk);
            chunk.clear();
        }
    }))
}

/// The first line of a command line, and no more than fits on a screen's.
pub(super) fn short(line: &str) -> String {
    const MOST: usize = 60;
    let first = line.trim().lines().next().unwrap_or_default();
    let cut: String = first.chars().take(MOST).collect();
    if cut == line.trim() { cut } else { format!("{cut}…") }
}
