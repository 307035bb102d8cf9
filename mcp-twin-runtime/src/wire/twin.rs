//! A twin's end of a wire.

use super::Wire;
use super::end::{Holder, StderrSink, TwinEnd, crashed, join};
use crate::pipes::{Line, Lines};
use crate::process::{Container, Launched, Minder, StopOrder};
use mcp_twin_core::TwinId;
use mcp_twin_core::swap::ExitReport;
use std::io;

/// The wire as the holder of one twin's end.
#[derive(Clone)]
struct WireTwin {
    wire: Wire,
    twin: TwinId,
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
        let holder = WireTwin { wire: self.clone(), twin };
        join(&holder, twin, launched, container, max_message, hear, |end| {
            self.lock().twins.insert(twin, end);
            self.with(|relay, _| relay.attach(twin));
        })
    }

    /// The minders of all twins that still run.
    #[must_use]
    pub fn minders(&self) -> Vec<Minder> {
        self.lock().twins.values().map(|end| end.minder().clone()).collect()
    }

    /// The last that a running twin wrote to its stderr.
    #[must_use]
    pub fn stderr_tail(&self, twin: TwinId) -> Option<String> {
        self.lock().twins.get(&twin).map(TwinEnd::last_words)
    }

    /// Orders all twins to end.
    pub fn stop_all(&self, order: StopOrder) {
        for minder in self.minders() {
            minder.stop(order);
        }
    }

    fn client_holds_us_up(&self) -> bool {
        let inner = self.lock();
        inner.relay.client_is_slow() && inner.end.is_none()
    }
}

impl Holder for WireTwin {
    fn end<T>(&self, act: impl FnOnce(&mut TwinEnd) -> T) -> Option<T> {
        self.wire.lock().twins.get_mut(&self.twin).map(act)
    }

    fn write(&self) {
        self.wire.with(|_, _| ());
    }

    fn read(&self, lines: &mut Lines) {
        self.wire.with(|relay, now| {
            while let Some(line) = lines.next_line() {
                match line {
                    Line::Whole(line) => relay.twin_line(self.twin, line, now),
                    Line::Oversize(beginning) => relay.twin_oversize(self.twin, beginning, now),
                }
            }
        });
    }

    async fn room(&self) {
        loop {
            // Listening begins before the look, so that no notice is missed between look and wait.
            let room = self.wire.shared.client_room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if !self.wire.client_holds_us_up() {
                return;
            }
            room.await;
        }
    }

    fn closed(&self) {
        self.wire.with(|relay, now| relay.twin_input_closed(self.twin, now));
    }

    fn left(&self, exit: &ExitReport) {
        let now = self.wire.now();
        let mut inner = self.wire.lock();
        inner.twins.remove(&self.twin);
        inner.relay.twin_gone(self.twin, &crashed(exit), now);
        self.wire.pump(&mut inner, now);
        inner.waiters.forget(self.twin);
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
