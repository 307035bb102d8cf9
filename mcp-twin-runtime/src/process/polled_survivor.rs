//! A twin that outlived the front which started it, where there is neither `/proc` nor a pidfd: it is proven by process
//! id, group and start time, and looked at in turn while it lives. What left its group is not found. Windows has no such
//! twins: they end with their front.

use super::identity::{boot_id, start_time};
use super::minder::Minded;
use mcp_twin_core::ProcessIdentity;
use std::time::Duration;
use tokio::time::sleep;

/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// A living twin of an earlier front.
#[derive(Debug)]
pub struct Survivor {
    identity: ProcessIdentity,
}

/// Whether this process lives and is the one that was started: by its start time and its group.
#[must_use]
pub fn prove(identity: &ProcessIdentity) -> bool {
    identity.start_time != 0
        && identity.boot_id == boot_id()
        && start_time(identity.pid) == Some(identity.start_time)
        && leads_its_group(identity)
}

impl Survivor {
    /// The process of this identity, if it lives and proves it.
    #[must_use]
    pub fn find(identity: &ProcessIdentity, _keep: &[String]) -> Option<Self> {
        prove(identity).then(|| Self { identity: identity.clone() })
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        if prove(&self.identity)
            && let Some(group) = number(self.identity.pgid)
        {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl Minded for Survivor {
    async fn ended(&mut self) {
        while prove(&self.identity) {
            sleep(PAUSE).await;
        }
    }

    fn ask_to_end(&mut self) {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::TERM);
    }

    fn kill(&mut self) {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::KILL);
    }

    fn reap(&mut self) -> (Option<i32>, Option<i32>) {
        (None, None)
    }

    async fn end_rest(self) {}
}

#[cfg(unix)]
fn leads_its_group(identity: &ProcessIdentity) -> bool {
    number(identity.pid).is_some_and(|pid| rustix::process::getpgid(Some(pid)).ok() == number(identity.pgid))
}

#[cfg(windows)]
fn leads_its_group(_identity: &ProcessIdentity) -> bool {
    false
}

#[cfg(unix)]
fn number(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
}
