//! The pipes of one process of a server, whoever relays over them: a wire with its one client, or a session over HTTP.

use crate::logs::StderrTail;
use crate::pipes::{Input, Line, Lines, Output};
use crate::process::{Container, Launched, Minder, Pipes, StopOrder};
use mcp_twin_core::relay::Relay;
use mcp_twin_core::swap::ExitReport;
use mcp_twin_core::{Code, Fault, Moment, TwinId};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How a process ends that closed its stdin and lives on: what it has in hand may still be answered, and what is held for
/// the next one has not waited too long by then.
const DEAF: StopOrder = StopOrder { term: Duration::from_secs(2), kill: Duration::from_secs(1) };

/// What is said of it.
pub const DEAF_TOLD: &str = "does not read its input any more, so it is ended";

/// Hears a process's stderr, line by line.
pub type StderrSink = Arc<dyn Fn(TwinId, &str) + Send + Sync>;

/// The end of a process's pipes that is ours.
pub struct TwinEnd {
    stdin: Option<Arc<Output>>,
    full: bool,
    wake: Arc<Notify>,
    minder: Minder,
    tail: Arc<Mutex<StderrTail>>,
}

/// Whoever holds an end, with the relay that speaks over it.
pub trait Holder: Clone + Send + Sync + 'static {
    /// Does something with the end, as long as it is there.
    fn end<T>(&self, act: impl FnOnce(&mut TwinEnd) -> T) -> Option<T>;
    /// Writes what waits for the process.
    fn write(&self);
    /// Hands over the lines that are there.
    fn read(&self, lines: &mut Lines);
    /// Returns when whoever hears what the process says has room for more.
    fn room(&self) -> impl Future<Output = ()> + Send;
    /// The process is asked nothing any more.
    fn closed(&self);
    /// It has ended and its output was read.
    fn left(&self, exit: &ExitReport);
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// There was nothing to write, or no room for it.
    Nothing,
    /// Something was written.
    Some,
    /// It does not read its input any more, and is being ended.
    Closed,
}

/// Relays a process that was just started, and minds it from now on, its container with it. `keep` puts the end where the
/// holder finds it.
///
/// # Errors
/// Its pipes could not be set up.
pub fn join<H: Holder>(
    holder: &H,
    twin: TwinId,
    launched: Launched,
    container: Option<Container>,
    max_message: usize,
    hear: StderrSink,
    keep: impl FnOnce(TwinEnd),
) -> io::Result<Minder> {
    let stdin = Arc::new(Output::new(launched.stdin)?);
    let stdout = Input::new(launched.stdout)?;
    let stderr = Input::new(launched.stderr)?;
    let wake = Arc::new(Notify::new());
    let (stdout_ended, stdout_watch) = watch::channel(false);
    let (stderr_ended, stderr_watch) = watch::channel(false);
    let tail = Arc::new(Mutex::new(StderrTail::new()));
    let pipes =
        TwinPipes { holder: holder.clone(), stdout: stdout_watch, stderr: stderr_watch, tail: Arc::clone(&tail) };
    let minder = Minder::start(launched.leader, container, pipes);
    keep(TwinEnd {
        stdin: Some(stdin),
        full: false,
        wake: Arc::clone(&wake),
        minder: minder.clone(),
        tail: Arc::clone(&tail),
    });
    tokio::spawn(write(holder.clone(), wake));
    tokio::spawn(read(holder.clone(), Lines::new(stdout, max_message), stdout_ended));
    tokio::spawn(read_stderr(twin, Lines::new(stderr, max_message.min(1 << 20)), tail, hear, stderr_ended));
    Ok(minder)
}

impl TwinEnd {
    /// Writes what the relay has for the process, as far as there is room; the rest is written as soon as there is.
    pub fn write(&mut self, relay: &mut Relay, twin: TwinId, now: Moment) -> Wrote {
        let mut wrote = Wrote::Nothing;
        let Some(stdin) = &self.stdin else { return wrote };
        while !self.full {
            let bytes = relay.twin_output(twin);
            if bytes.is_empty() {
                break;
            }
            match stdin.try_write(bytes) {
                Ok(written) => {
                    relay.twin_written(twin, written, now);
                    wrote = Wrote::Some;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.full = true;
                    self.wake.notify_one();
                }
                Err(_) => {
                    self.stdin = None;
                    // It may still answer what it has; then it ends, for nothing can be asked of it any more.
                    self.minder.stop(DEAF);
                    relay.twin_input_closed(twin, now);
                    return Wrote::Closed;
                }
            }
        }
        wrote
    }

    /// Who minds the process.
    #[must_use]
    pub fn minder(&self) -> &Minder {
        &self.minder
    }

    /// The last that it wrote to its stderr.
    #[must_use]
    pub fn last_words(&self) -> String {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).text()
    }

    /// Nothing more is written; whether it was open.
    fn close(&mut self) -> bool {
        let open = self.stdin.take().is_some();
        // The writing task holds the descriptor while it waits for room: let it see that it is closed.
        self.wake.notify_one();
        open
    }
}

impl Drop for TwinEnd {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

async fn read<H: Holder>(holder: H, mut lines: Lines, ended: watch::Sender<bool>) {
    while let Ok(true) = lines.fill().await {
        holder.read(&mut lines);
        holder.room().await;
    }
    let _ = ended.send(true);
}

async fn write<H: Holder>(holder: H, wake: Arc<Notify>) {
    loop {
        let stdin = holder.end(|end| Some((Arc::clone(end.stdin.as_ref()?), end.full))).flatten();
        let Some((stdin, full)) = stdin else { return };
        if !full {
            drop(stdin);
            wake.notified().await;
            continue;
        }
        let written = stdin.when_writable(|| {
            holder.end(|end| end.full = false);
            holder.write();
            holder.end(|end| !end.full).unwrap_or(true)
        });
        // Woken while waiting: the pipe is to be closed, and this task must not hold it open.
        tokio::select! {
            () = written => {}
            () = wake.notified() => {}
        }
    }
}

async fn read_stderr(
    twin: TwinId,
    mut lines: Lines,
    tail: Arc<Mutex<StderrTail>>,
    hear: StderrSink,
    ended: watch::Sender<bool>,
) {
    while let Ok(true) = lines.fill().await {
        while let Some(line) = lines.next_line() {
            let (Line::Whole(line) | Line::Oversize(line)) = line;
            let line = String::from_utf8_lossy(line);
            tail.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{line}\n").as_bytes());
            hear(twin, &line);
        }
    }
    let _ = ended.send(true);
}

/// The pipes of one process, as its minder sees them.
struct TwinPipes<H> {
    holder: H,
    stdout: watch::Receiver<bool>,
    stderr: watch::Receiver<bool>,
    tail: Arc<Mutex<StderrTail>>,
}

impl<H: Holder> Pipes for TwinPipes<H> {
    fn close_stdin(&mut self) {
        if self.holder.end(TwinEnd::close) == Some(true) {
            self.holder.closed();
        }
    }

    async fn stdout_ended(&mut self) {
        // An error means that the reading task is gone, so nothing more will be read either.
        let _ = self.stdout.wait_for(|ended| *ended).await;
    }

    async fn output_ended(&mut self) {
        self.stdout_ended().await;
        let _ = self.stderr.wait_for(|ended| *ended).await;
    }

    fn finish(&mut self, code: Option<i32>, signal: Option<i32>) -> ExitReport {
        let stderr_tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner).text();
        let report = ExitReport { code, signal, stderr_tail };
        self.holder.left(&report);
        report
    }
}

/// The end of a process as a reason for those who had asked it something.
#[must_use]
pub fn crashed(exit: &ExitReport) -> Fault {
    let message = format!("the server {}", exit.describe());
    Fault::new(Code::Crashed, message).with_stderr(exit.stderr_tail.clone())
}
