//! Descendants of twins that lost their parent become children of the front (subreaper). Whoever ends by itself is reaped
//! here, or it would stay a zombie as long as the front lives.
//!
//! What this process has started itself is left to whoever waits for it.

use super::sweep::children;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::signal::unix::{SignalKind, signal};

static OWN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn own() -> MutexGuard<'static, BTreeSet<u32>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether somebody here waits for this process.
pub(super) fn is_own(pid: Pid) -> bool {
    own().contains(&pid.as_raw_nonzero().get().unsigned_abs())
}

/// A process that somebody here waits for, until this is dropped. To be made in the same breath as the process, so that
/// no look at the children falls between.
#[derive(Debug)]
pub struct Own(u32);

impl Own {
    /// Takes note of a process that was just started.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        own().insert(pid);
        Self(pid)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        own().remove(&self.0);
    }
}

/// Reaps what was adopted, whenever a child ends. Runs as long as the front does; without a signal it never wakes.
pub async fn reap_adopted() {
    let Ok(mut sigchld) = signal(SignalKind::child()) else { return };
    while sigchld.recv().await.is_some() {
        let known = own().clone();
        for pid in children().into_iter().filter(|pid| !known.contains(pid)) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // One that lives on, or that its group's own wait has taken meanwhile, is no matter.
                let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
            }
        }
    }
}
