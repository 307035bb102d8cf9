//! A twin that outlived the front which started it. It is no child of this process: it is watched and signalled through
//! pidfds, after its identity was proven, and only what is proven to be its own is ever signalled.
//!
//! While its leader lives, a group of the leader's number is the twin's; so members are pinned then, and a pinned one can
//! be ended also after the leader has gone. What bears the twin's token is found at any time. A descendant that has lost
//! the token and whose leader ended by itself cannot be proven any more, and is left alone.

use super::identity::{boot_id, fields, start_time};
use super::keep::{is_member, others};
use super::minder::Minded;
use super::sweep::{bears, sweep_token_and_wait};
use crate::pipes::register;
use mcp_twin_core::ProcessIdentity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// So many passes at most over a group whose members go on forking.
const PASSES: usize = 16;

/// A living twin of an earlier front.
#[derive(Debug)]
pub struct Survivor {
    identity: ProcessIdentity,
    group: Pid,
    /// Names of programs that outlive it.
    keep: Vec<String>,
    leader: AsyncFd<OwnedFd>,
    /// Members of its group, pinned while it lived.
    members: BTreeMap<u32, OwnedFd>,
}

/// Whether this process lives and is the one that was started: by its start time, its boot and its token.
#[must_use]
pub fn prove(identity: &ProcessIdentity) -> bool {
    pin(identity).is_some()
}

impl Survivor {
    /// The process of this identity, if it lives and proves it. Must be called on a runtime.
    #[must_use]
    pub fn find(identity: &ProcessIdentity, keep: &[String]) -> Option<Self> {
        let leader = register(pin(identity)?, Interest::READABLE).ok()?;
        let group = number(identity.pgid)?;
        Some(Self { identity: identity.clone(), group, keep: keep.to_vec(), leader, members: BTreeMap::new() })
    }

    /// Pins the members of the group that are not pinned yet; says whether there were any.
    fn pin_members(&mut self) -> bool {
        let found = others(self.group, &self.keep).into_iter().filter(|(pid, _)| !self.members.contains_key(pid));
        let pinned: Vec<(u32, OwnedFd)> = found
            .filter(|(pid, _)| *pid != self.identity.pid)
            .filter_map(|(pid, started)| {
                let handle = pidfd_open(number(pid)?, PidfdFlags::empty()).ok()?;
                // Asked again now that the handle pins the process.
                (is_member(pid, self.group) && start_time(pid) == Some(started)).then_some((pid, handle))
            })
            .collect();
        // As long as the leader lives nobody else can have a group of its number.
        if pinned.is_empty() || has_ended(self.leader.get_ref()) {
            return false;
        }
        self.members.extend(pinned);
        true
    }

    fn signal_members(&self, signal: Signal) {
        for handle in self.members.values() {
            let _ = pidfd_send_signal(handle, signal);
        }
    }
}

impl Minded for Survivor {
    async fn ended(&mut self) {
        // A pidfd is readable for ever once its process has ended.
        let _ = self.leader.readable().await;
    }

    fn ask_to_end(&mut self) {
        self.pin_members();
        let _ = pidfd_send_signal(self.leader.get_ref(), Signal::TERM);
        self.signal_members(Signal::TERM);
    }

    fn kill(&mut self) {
        // The leader last: with it goes the proof that the others are its own.
        for _ in 0..PASSES {
            let more = self.pin_members();
            self.signal_members(Signal::KILL);
            if !more {
                break;
            }
        }
        let _ = pidfd_send_signal(self.leader.get_ref(), Signal::KILL);
    }

    fn reap(&mut self) -> (Option<i32>, Option<i32>) {
        self.signal_members(Signal::KILL);
        // How it ended is known to its parent alone, which is not us.
        (None, None)
    }

    async fn end_rest(self) {
        let token = &self.identity.token;
        sweep_token_and_wait(token, |found| found != token, &[]).await;
    }
}

/// A handle on the process of this identity, if it lives and proves it.
fn pin(identity: &ProcessIdentity) -> Option<OwnedFd> {
    if identity.start_time == 0 || identity.token.is_empty() || identity.boot_id != boot_id() {
        return None;
    }
    let handle = pidfd_open(number(identity.pid)?, PidfdFlags::empty()).ok()?;
    // Judged now that the handle pins the process.
    let ours = start_time(identity.pid) == Some(identity.start_time)
        && number(identity.pgid).is_some_and(|group| is_member(identity.pid, group))
        && bears(identity.pid, &|token| token == identity.token)
        && fields(identity.pid).is_some();
    (ours && !has_ended(&handle)).then_some(handle)
}

fn has_ended(handle: impl AsFd) -> bool {
    let mut one = [PollFd::new(&handle, PollFlags::IN)];
    // What cannot be asked counts as ended: nothing is signalled then.
    poll(&mut one, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).map_or(true, |ready| ready > 0)
}

fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
