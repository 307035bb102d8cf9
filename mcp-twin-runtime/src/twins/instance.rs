//! One HTTP twin as the driver and its minder see it.

use super::tailing::{Followed, Tailing};
use super::{Alive, TwinOutput, TwinsListener, at_once};
use crate::process::{Minder, Pipes};
use async_trait::async_trait;
use mcp_twin_core::host::Instance;
use mcp_twin_core::swap::ExitReport;
use mcp_twin_core::{ProcessIdentity, TwinId};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct HttpTwin {
    pub(super) twin: TwinId,
    pub(super) identity: ProcessIdentity,
    pub(super) port: u16,
    pub(super) minder: Minder,
    pub(super) listener: Arc<dyn TwinsListener>,
}

#[async_trait]
impl Instance for HttpTwin {
    fn identity(&self) -> ProcessIdentity {
        self.identity.clone()
    }

    fn port(&self) -> Option<u16> {
        Some(self.port)
    }

    async fn exited(&mut self) -> ExitReport {
        let report = self.minder.exited().await;
        self.listener.ended(self.twin);
        report
    }

    async fn stop(&mut self, _term: Duration, kill: Duration) -> ExitReport {
        self.minder.stop(at_once(kill));
        self.minder.exited().await
    }
}

/// The file that stands in a twin's place of pipes.
pub(super) struct OutputFile {
    twin: TwinId,
    output: Option<Arc<TwinOutput>>,
    alive: Arc<Alive>,
    followed: Option<Followed>,
}

impl OutputFile {
    pub(super) fn new(twin: TwinId, output: Option<Arc<TwinOutput>>, alive: Arc<Alive>, tailing: &Tailing) -> Self {
        let followed = output.as_ref().map(|output| tailing.followed(output));
        Self { twin, output, alive, followed }
    }
}

impl Pipes for OutputFile {
    /// It is `/dev/null` already.
    fn close_stdin(&mut self) {}

    /// A file does not end.
    async fn stdout_ended(&mut self) {
        pending().await
    }

    async fn output_ended(&mut self) {
        if let Some(output) = &self.output {
            output.read_to_end().await;
        }
    }

    fn finish(&mut self, code: Option<i32>, signal: Option<i32>) -> ExitReport {
        let stderr_tail = self.output.as_ref().map(|output| output.tail()).unwrap_or_default();
        drop(self.followed.take());
        if let Some(output) = self.output.take() {
            output.finish();
        }
        self.alive.remove(self.twin);
        ExitReport { code, signal, stderr_tail }
    }
}
