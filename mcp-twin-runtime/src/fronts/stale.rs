//! Fronts that are gone without having cleaned up: what they left is swept by the next front.

use super::{Posted, locks, socket, token_prefix};
use crate::files;
use crate::home::Home;
use crate::servers::ServerKey;
use crate::store::{self, Loaded};
use crate::twins::remove_output;
use mcp_twin_core::ProcessIdentity;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;

/// A front that is gone. Its lock is held as long as this lives, so that no other front sweeps the same processes at the
/// same time; dropping it without [`StaleFront::clear`] leaves it to the next one.
#[derive(Debug)]
pub struct StaleFront {
    front: String,
    record: PathBuf,
    /// Its clients' sessions, and what its twins wrote, where it was one over HTTP in the process of others.
    sessions: PathBuf,
    logs: Option<PathBuf>,
    loaded: Loaded,
    lock: PathBuf,
    held: File,
}

/// Every front whose lock is free, each taken. Call it once, when a front starts. A front of `serve` is not among them: its
/// twins outlive it on purpose, and its own next start takes them over.
#[must_use]
pub fn stale(home: &Home) -> Vec<StaleFront> {
    files::tidy(&home.run());
    files::tidy(&home.state());
    files::tidy(&home.history());
    files::tidy(home.path());
    locks(home, ".lock").filter_map(|(front, lock)| take(home, front, lock)).collect()
}

impl StaleFront {
    /// Its id.
    #[must_use]
    pub fn front(&self) -> &str {
        &self.front
    }

    /// The beginning of the tokens of its twins: every process that bears one may be ended.
    #[must_use]
    pub fn token_prefix(&self) -> String {
        token_prefix(&self.front)
    }

    /// Its record, as far as it can be read.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Its twins' own processes, as far as its record can be read.
    #[must_use]
    pub fn leaders(&self) -> Vec<ProcessIdentity> {
        match &self.loaded {
            Loaded::Good(saved) => saved.record.twins.iter().filter_map(|twin| twin.process.clone()).collect(),
            Loaded::Newer { .. } | Loaded::Damaged { .. } | Loaded::Missing => Vec::new(),
        }
    }

    /// Its twins are ended: removes its files. A record of a newer release is left to that release, with its lock.
    pub fn clear(self) {
        if matches!(self.loaded, Loaded::Newer { .. }) {
            return;
        }
        files::remove_temporaries(&self.record);
        let _ = std::fs::remove_file(&self.sessions);
        if let Some(logs) = &self.logs {
            remove_output(logs, &self.front);
        }
        // The lock last: after a crash in between, the next front meets it again.
        let _ = std::fs::remove_file(&self.record);
        let _ = std::fs::remove_file(&self.lock);
        drop(self.held);
    }
}

fn take(home: &Home, front: String, lock: PathBuf) -> Option<StaleFront> {
    let held = OpenOptions::new().read(true).write(true).open(&lock).ok()?;
    held.try_lock().ok()?;
    // Another sweep may have removed it between our opening and our locking.
    if !lock.exists() {
        return None;
    }
    let record = home.record_of(&front);
    let loaded = store::load(&record);
    // At once, so that nobody takes our lock for a running front.
    let posted = lock.with_file_name(format!("{front}.json"));
    let address = Posted::load(&posted).map(|posted| posted.address);
    let logs = address.as_ref().map(|address| home.logs_of(&ServerKey::new(&address.server, &address.root)));
    socket::remove(&address.map_or_else(|| lock.with_file_name(format!("{front}.sock")), |address| address.socket));
    let _ = std::fs::remove_file(posted);
    let sessions = home.sessions_of(&front);
    Some(StaleFront { loaded, front, record, sessions, logs, lock, held })
}

/// Whether the twins of this record of a front of `serve` live on without it: those that have a port do.
pub(super) fn outlived(loaded: &Loaded) -> bool {
    matches!(loaded, Loaded::Good(saved) if saved.record.twins.iter().any(|twin| twin.port.is_some()))
}
