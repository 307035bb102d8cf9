//! A server's process without a front: its client is this program.
//!
//! It is started, followed and ended as a twin is, in a group of its own and with a token by which everything that it started
//! can be found. Nothing is relayed, and nothing takes its place when it ends.

use crate::embedded::{ClientPipe, Movers, relay};
use crate::fronts::token_prefix;
use crate::logs::StderrTail;
use crate::pipes::{Descriptor, Input, Line, Lines};
use crate::process::{self, Launch, Minder, Pipes, StopOrder, sweep_token};
use crate::run::Variables;
use mcp_twin_core::swap::ExitReport;
use mcp_twin_core::{Code, Fault, ProcessIdentity};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longer lines of its stderr are cut.
const LINE: usize = 1 << 20;

/// What to start.
#[derive(Clone, Debug)]
pub struct BareOrder {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Variables beside those of this process.
    pub env: Variables,
}

/// A process that runs. Dropped, its input ends; [`Bare::stop`] ends it for certain.
pub struct Bare {
    minder: Minder,
    identity: ProcessIdentity,
    prefix: String,
    tail: Arc<Mutex<StderrTail>>,
}

impl std::fmt::Debug for Bare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bare").field("pid", &self.identity.pid).finish_non_exhaustive()
    }
}

impl Bare {
    /// Starts a server and gives its pipes. Must be called on a runtime, on a thread that outlives it.
    ///
    /// # Errors
    /// It cannot be run, or the system gave no pipes.
    pub fn start(order: &BareOrder) -> Result<(Self, ClientPipe), Fault> {
        let prefix = token_prefix(&format!("bare-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()));
        let launch = Launch {
            command: order.command.clone(),
            cwd: order.cwd.clone(),
            token: format!("{prefix}1"),
            env: order.env.iter().cloned().collect(),
            keep: Vec::new(),
        };
        let launched = process::spawn(&launch)?;
        let off = |error| Fault::new(Code::SpawnFailed, format!("its pipes could not be set up: {error}"));
        let (pipe, movers) = relay(launched.stdin, launched.stdout).map_err(off)?;
        let tail = Arc::new(Mutex::new(StderrTail::new()));
        let (stdout_ended, stdout) = watch::channel(false);
        let (stderr_ended, stderr) = watch::channel(false);
        let Movers { to, from } = movers;
        tokio::spawn(async move {
            let _ = from.await;
            let _ = stdout_ended.send(true);
        });
        let lines = lines_of(launched.stderr).map_err(off)?;
        tokio::spawn(hear(lines, Arc::clone(&tail), stderr_ended));
        let pipes = BarePipes { to, stdout, stderr, tail: Arc::clone(&tail) };
        let minder = Minder::start(launched.leader, None, pipes);
        Ok((Self { minder, identity: launched.identity, prefix, tail }, pipe))
    }

    /// Returns when it has ended. Cancel-safe.
    pub async fn ended(&mut self) -> ExitReport {
        self.minder.exited().await
    }

    /// Ends its input, then the process and whatever it started, and says how it ended.
    pub async fn stop(&mut self, order: StopOrder) -> ExitReport {
        self.minder.stop(order);
        let report = self.minder.exited().await;
        sweep_token(&self.prefix, |_| false, std::slice::from_ref(&self.identity));
        report
    }

    /// The last that it wrote to its stderr.
    #[must_use]
    pub fn stderr(&self) -> String {
        text(&self.tail)
    }
}

fn lines_of(stderr: Descriptor) -> std::io::Result<Lines> {
    Ok(Lines::new(Input::new(stderr)?, LINE))
}

fn text(tail: &Mutex<StderrTail>) -> String {
    tail.lock().unwrap_or_else(PoisonError::into_inner).text()
}

async fn hear(mut lines: Lines, tail: Arc<Mutex<StderrTail>>, ended: watch::Sender<bool>) {
    while let Ok(true) = lines.fill().await {
        while let Some(line) = lines.next_line() {
            let (Line::Whole(line) | Line::Oversize(line)) = line;
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.push(line);
            tail.push(b"\n");
        }
    }
    let _ = ended.send(true);
}

/// Its pipes, as its minder sees them.
struct BarePipes {
    to: JoinHandle<()>,
    stdout: watch::Receiver<bool>,
    stderr: watch::Receiver<bool>,
    tail: Arc<Mutex<StderrTail>>,
}

impl Pipes for BarePipes {
    fn close_stdin(&mut self) {
        // The descriptor goes with the task that writes to it.
        self.to.abort();
    }

    async fn stdout_ended(&mut self) {
        let _ = self.stdout.wait_for(|ended| *ended).await;
    }

    async fn output_ended(&mut self) {
        self.stdout_ended().await;
        let _ = self.stderr.wait_for(|ended| *ended).await;
    }

    fn finish(&mut self, code: Option<i32>, signal: Option<i32>) -> ExitReport {
        ExitReport { code, signal, stderr_tail: text(&self.tail) }
    }
}
