//! What a front answers to other commands.

use super::files::ServerFiles;
use super::voice::Voice;
use crate::run::RunOrder;
use crate::wire::Wire;
use mcp_twin_core::control::{Answer, Ask, FrontStatus};
use mcp_twin_core::drive::Handle;
use mcp_twin_core::swap::Command;
use mcp_twin_core::{Code, Fault};
use std::path::PathBuf;
use std::sync::Arc;

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
    /// Whether files are watched.
    pub watching: bool,
    /// The swap machine.
    pub handle: Handle,
    /// The relay.
    pub wire: Wire,
    /// What is off.
    pub voice: Arc<Voice>,
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
            Ask::Rollback { to } => Command::Rollback { to },
            Ask::Stop => Command::Stop,
        };
        Answer::Outcome(self.handle.command(command).await)
    }

    async fn status(&self) -> Answer {
        let Some(swap) = self.handle.status().await else {
            return Answer::Error(Fault::new(Code::Stopped, "the front is ending"));
        };
        let now = self.wire.now();
        let last_swap_ms_ago = swap.last_swap.map(|at| u64::try_from((now - at).as_millis()).unwrap_or(u64::MAX));
        let active = swap.active.as_ref().map(|active| active.twin);
        let stderr_tail = active.and_then(|twin| self.wire.stderr_tail(twin)).unwrap_or_default();
        let (client, protocol, stale_lists, in_flight, held) = self.wire.with(|relay, _| {
            let client = relay.client_info().map(|(name, version)| format!("{name} {version}").trim_end().to_owned());
            let stale = relay.stale_lists().into_iter().map(|kind| kind.word().to_owned()).collect();
            (client, relay.version().map(str::to_owned), stale, relay.in_flight(), relay.held())
        });
        Answer::Status(Box::new(FrontStatus {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            front: self.front.clone(),
            server: self.name.clone(),
            display: self.order.name.clone(),
            root: self.root.display().to_string(),
            command: self.order.command.clone(),
            cwd: self.order.cwd.display().to_string(),
            transport: "stdio".to_owned(),
            pid: std::process::id(),
            started: self.started,
            swap,
            last_swap_ms_ago,
            client,
            protocol,
            stale_lists,
            in_flight,
            held,
            watched: self.watching.then(|| self.files.count()),
            warnings: self.voice.warnings(),
            log: Some(self.logs.display().to_string()),
            stderr_tail,
        }))
    }
}
