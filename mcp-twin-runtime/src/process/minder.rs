//! One twin's process from its start to its last descendant.

use super::Leader;
use super::container::Container;
use mcp_twin_core::swap::ExitReport;
use std::future::{Future, pending};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// How long output is still read after the exit of a process whose descendant holds its stdout open.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long a process that closed its stdout may take to end by itself.
const AFTER_STDOUT: Duration = Duration::from_millis(500);
/// How long a process may take to die of KILL before it is given up (it sits in the kernel).
const UNKILLABLE: Duration = Duration::from_secs(5);

/// How a twin is to end: its stdin is closed now, the rest follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopOrder {
    /// From now to TERM (which Windows has not: there nothing happens then).
    pub term: Duration,
    /// From TERM to KILL (the end of the job on Windows).
    pub kill: Duration,
}

/// A handle to the task that minds one process.
#[derive(Clone, Debug)]
pub struct Minder {
    orders: mpsc::Sender<StopOrder>,
    exit: watch::Receiver<Option<ExitReport>>,
}

/// What the minder needs of whoever owns the pipes.
pub trait Pipes: Send + 'static {
    /// Ends the process's stdin.
    fn close_stdin(&mut self);
    /// Returns when its stdout was read to the end. Cancel-safe, repeatable.
    fn stdout_ended(&mut self) -> impl Future<Output = ()> + Send;
    /// Returns when its stdout and its stderr were read to the end. Cancel-safe, repeatable.
    fn output_ended(&mut self) -> impl Future<Output = ()> + Send;
    /// Nothing more is read of it; the tail of its stderr is wanted.
    fn finish(&mut self, code: Option<i32>, signal: Option<i32>) -> ExitReport;
}

/// A process that can be minded: one that this front started ([`Leader`]), or one that an earlier front has left running
/// ([`Survivor`](super::Survivor)).
pub trait Minded: Send + 'static {
    /// Returns when the process has ended. Cancel-safe.
    fn ended(&mut self) -> impl Future<Output = ()> + Send;
    /// Asks it and its group to end.
    fn ask_to_end(&mut self);
    /// Ends it and its group.
    fn kill(&mut self);
    /// It has ended: ends what is left of its group. Exit code and signal, as far as they can be known.
    fn reap(&mut self) -> (Option<i32>, Option<i32>);
    /// Ends what left its group.
    fn end_rest(self) -> impl Future<Output = ()> + Send;
}

impl Minded for Leader {
    async fn ended(&mut self) {
        Self::ended(self).await;
    }

    fn ask_to_end(&mut self) {
        Self::ask_to_end(self);
    }

    fn kill(&mut self) {
        Self::kill(self);
    }

    fn reap(&mut self) -> (Option<i32>, Option<i32>) {
        Self::reap(self)
    }

    async fn end_rest(self) {
        Self::end_rest(self).await;
    }
}

impl Minder {
    /// Minds a process from now on, on the current runtime. Its `container` is ended with it.
    pub fn start(leader: impl Minded, container: Option<Container>, pipes: impl Pipes) -> Self {
        let (orders, inbox) = mpsc::channel(4);
        let (report, exit) = watch::channel(None);
        tokio::spawn(mind(leader, container, pipes, inbox, report));
        Self { orders, exit }
    }

    /// Asks for the end. A second order can only bring it nearer.
    pub fn stop(&self, order: StopOrder) {
        // A full queue holds four orders already: the process is as good as stopped.
        let _ = self.orders.try_send(order);
    }

    /// Waits for the end. Cancel-safe, repeatable.
    pub async fn exited(&mut self) -> ExitReport {
        match self.exit.wait_for(Option::is_some).await {
            Ok(report) => report.clone().unwrap_or_else(unknown),
            // The task ended without a report: only with the runtime itself.
            Err(_) => unknown(),
        }
    }
}

fn unknown() -> ExitReport {
    ExitReport { code: None, signal: None, stderr_tail: String::new() }
}

async fn mind(
    mut leader: impl Minded,
    container: Option<Container>,
    mut pipes: impl Pipes,
    mut orders: mpsc::Receiver<StopOrder>,
    report: watch::Sender<Option<ExitReport>>,
) {
    let mut term_at: Option<Instant> = None;
    let mut kill_at: Option<Instant> = None;
    let mut give_up_at: Option<Instant> = None;
    let mut stdout_open = true;
    loop {
        let next = [term_at, kill_at, give_up_at].into_iter().flatten().min();
        let timer = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = leader.ended() => break,
            Some(order) = orders.recv() => {
                pipes.close_stdin();
                let now = Instant::now();
                let sooner = |old: Option<Instant>, new: Instant| Some(old.map_or(new, |old| old.min(new)));
                if give_up_at.is_none() {
                    // Once TERM was sent (no `term_at`, but a `kill_at`) only KILL is left to come.
                    let term_sent = term_at.is_none() && kill_at.is_some();
                    let kill = if term_sent { now + order.kill } else { now + order.term + order.kill };
                    kill_at = sooner(kill_at, kill);
                    if !term_sent { term_at = sooner(term_at, now + order.term); }
                }
            }
            () = pipes.stdout_ended(), if stdout_open => {
                // It can answer nothing any more; if it does not end by itself it is ended.
                stdout_open = false;
                if kill_at.is_none() && give_up_at.is_none() {
                    term_at = Some(Instant::now() + AFTER_STDOUT);
                    kill_at = Some(Instant::now() + AFTER_STDOUT * 3);
                }
            }
            () = timer => {
                let now = Instant::now();
                if give_up_at.is_some_and(|at| at <= now) { break; }
                if kill_at.is_some_and(|at| at <= now) {
                    leader.kill();
                    (term_at, kill_at, give_up_at) = (None, None, Some(now + UNKILLABLE));
                } else if term_at.is_some_and(|at| at <= now) {
                    pipes.close_stdin();
                    leader.ask_to_end();
                    term_at = None;
                }
            }
        }
    }
    let _ = timeout(LAST_WORDS, pipes.output_ended()).await;
    let (code, signal) = leader.reap();
    let exit = pipes.finish(code, signal);
    leader.end_rest().await;
    if let Some(container) = container {
        container.end(code).await;
    }
    let _ = report.send(Some(exit));
}
