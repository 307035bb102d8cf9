//! A twin's end of a wire.

use super::{TwinEnd, Wire};
use crate::logs::StderrTail;
use crate::pipes::{Input, Line, Lines, Output};
use crate::process::{Container, Launched, Minder, Pipes, StopOrder};
use mcp_twin_core::swap::ExitReport;
use mcp_twin_core::{Code, Fault, TwinId};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};

/// Hears a twin's stderr, line by line.
pub type StderrSink = Arc<dyn Fn(TwinId, &str) + Send + Sync>;

/// The pipes of one twin, as its minder sees them.
pub struct TwinPipes {
    wire: Wire,
    twin: TwinId,
    stdout: watch::Receiver<bool>,
    stderr: watch::Receiver<bool>,
    tail: Arc<Mutex<StderrTail>>,
}

impl Wire {
    /// Joins a process that was just started: its pipes are relayed and it is minded from now on, its container with it.
    ///
    /// # Errors
    /// Its pipes could not be set up.
    pub fn join(
        &self,
        twin: TwinId,
        launched: Launched,
        container: Option<Container>,
        max_message: usize,
        hear: StderrSink,
    ) -> io::Result<Minder> {
        let stdin = Arc::new(Output::new(launched.stdin)?);
        let stdout = Input::new(launched.stdout)?;
        let stderr = Input::new(launched.stderr)?;
        let wake = Arc::new(Notify::new());
        let (stdout_ended, stdout_watch) = watch::channel(false);
        let (stderr_ended, stderr_watch) = watch::channel(false);
        let tail = Arc::new(Mutex::new(StderrTail::new()));
        let pipes =
            TwinPipes { wire: self.clone(), twin, stdout: stdout_watch, stderr: stderr_watch, tail: Arc::clone(&tail) };
        let minder = Minder::start(launched.leader, container, pipes);
        let end = TwinEnd {
            stdin: Some(Arc::clone(&stdin)),
            full: false,
            wake: Arc::clone(&wake),
            minder: minder.clone(),
            tail: Arc::clone(&tail),
        };
        self.lock().twins.insert(twin, end);
        self.with(|relay, _| relay.attach(twin));
        tokio::spawn(self.clone().write_twin(twin, wake));
        tokio::spawn(self.clone().read_twin(twin, Lines::new(stdout, max_message), stdout_ended));
        tokio::spawn(read_stderr(twin, Lines::new(stderr, max_message.min(1 << 20)), tail, hear, stderr_ended));
        Ok(minder)
    }

    /// The minders of all twins that still run.
    #[must_use]
    pub fn minders(&self) -> Vec<Minder> {
        self.lock().twins.values().map(|end| end.minder.clone()).collect()
    }

    /// The last that a running twin wrote to its stderr.
    #[must_use]
    pub fn stderr_tail(&self, twin: TwinId) -> Option<String> {
        let tail = Arc::clone(&self.lock().twins.get(&twin)?.tail);
        let text = tail.lock().unwrap_or_else(PoisonError::into_inner).text();
        Some(text)
    }

    /// Orders all twins to end.
    pub fn stop_all(&self, order: StopOrder) {
        for minder in self.minders() {
            minder.stop(order);
        }
    }

    async fn read_twin(self, twin: TwinId, mut lines: Lines, ended: watch::Sender<bool>) {
        while let Ok(true) = lines.fill().await {
            let slow = self.with(|relay, now| {
                while let Some(line) = lines.next_line() {
                    match line {
                        Line::Whole(line) => relay.twin_line(twin, line, now),
                        Line::Oversize(beginning) => relay.twin_oversize(twin, beginning, now),
                    }
                }
                relay.client_is_slow()
            });
            if slow {
                self.client_has_room().await;
            }
        }
        let _ = ended.send(true);
    }

    async fn client_has_room(&self) {
        loop {
            // Listening begins before the look, so that no notice is missed between look and wait.
            let room = self.shared.client_room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if !self.client_holds_us_up() {
                return;
            }
            room.await;
        }
    }

    fn client_holds_us_up(&self) -> bool {
        let inner = self.lock();
        inner.relay.client_is_slow() && inner.end.is_none()
    }

    async fn write_twin(self, twin: TwinId, wake: Arc<Notify>) {
        loop {
            let Some((stdin, full)) = self.stdin_of(twin) else { return };
            if !full {
                drop(stdin);
                wake.notified().await;
                continue;
            }
            let written = stdin.when_writable(|| {
                let now = self.now();
                let mut inner = self.lock();
                let Some(end) = inner.twins.get_mut(&twin) else { return true };
                end.full = false;
                self.pump(&mut inner, now);
                inner.twins.get(&twin).is_none_or(|end| !end.full)
            });
            // Woken while waiting: the pipe is to be closed, and this task must not hold it open.
            tokio::select! {
                () = written => {}
                () = wake.notified() => {}
            }
        }
    }

    fn stdin_of(&self, twin: TwinId) -> Option<(Arc<Output>, bool)> {
        let inner = self.lock();
        let end = inner.twins.get(&twin)?;
        Some((Arc::clone(end.stdin.as_ref()?), end.full))
    }

    fn close_stdin(&self, twin: TwinId) {
        let now = self.now();
        let mut inner = self.lock();
        let Some(end) = inner.twins.get_mut(&twin) else { return };
        if end.stdin.take().is_some() {
            // The writing task holds the descriptor while it waits for room: let it see that it is closed.
            end.wake.notify_one();
            inner.relay.twin_input_closed(twin, now);
            self.pump(&mut inner, now);
        }
    }

    fn leave(&self, twin: TwinId, fault: &Fault) {
        let now = self.now();
        let mut inner = self.lock();
        if let Some(end) = inner.twins.remove(&twin) {
            end.wake.notify_one();
        }
        inner.relay.twin_gone(twin, fault, now);
        self.pump(&mut inner, now);
        inner.waiters.forget(twin);
    }
}

impl super::Waiters {
    fn forget(&mut self, twin: TwinId) {
        self.probing.remove(&twin);
        self.ready.remove(&twin);
        self.prepared.remove(&twin);
        self.drained.remove(&twin);
        self.idle.remove(&twin);
        self.bake.remove(&twin);
    }
}

impl Pipes for TwinPipes {
    fn close_stdin(&mut self) {
        self.wire.close_stdin(self.twin);
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
        let message = format!("the server {}", report.describe());
        self.wire.leave(self.twin, &Fault::new(Code::Crashed, message).with_stderr(report.stderr_tail.clone()));
        report
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
