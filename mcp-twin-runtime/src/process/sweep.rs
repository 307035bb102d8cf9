//! Ending what bears a token of ours: descendants that left their group, and twins whose front died.
//!
//! The token in a process's environment is the proof of identity; it is read again through a pidfd's lifetime before the
//! signal is sent, so that a number that was reused in between is never hit. What is to be kept (`MCP_TWIN_KEEP`, beside
//! the token) is passed over.

use super::TOKEN;
use super::adopted::is_own;
use crate::pipes::register;
use mcp_twin_core::ProcessIdentity;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, pidfd_open, pidfd_send_signal, waitid, waitpid,
};
use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::time::timeout;

/// How long what was ended may take to be gone.
const GONE: Duration = Duration::from_secs(2);

/// Ends every descendant with this very token that has become a child of this process.
pub fn sweep_orphans(token: &str) {
    // Ending one may hand its own children over: until nothing is found, but not for ever.
    for _ in 0..16 {
        // The leader has ended: none of them is one.
        let found: Vec<u32> = children().into_iter().filter(|pid| doomed(*pid, &|found| found == token, &[])).collect();
        if found.is_empty() {
            return;
        }
        for pid in found {
            if let Some((ended, _)) = end(pid, &|found| found == token, &[]) {
                let _ = waitpid(Some(ended), WaitOptions::empty());
            }
        }
    }
}

/// Ends every process on this machine whose token begins with `prefix`, and returns how many. Only for a front whose lock
/// is free, by whoever holds that lock now, or for a front's own tokens. `leaders` are the twins themselves, as far as
/// they are known: they are ended whatever they are called.
pub fn sweep_token(prefix: &str, spare: impl Fn(&str) -> bool, leaders: &[ProcessIdentity]) -> usize {
    sweep(prefix, spare, leaders).len()
}

/// [`sweep_token`], which then waits until they are gone, 2 s at most, so that the ports they had are free.
pub async fn sweep_token_and_wait(prefix: &str, spare: impl Fn(&str) -> bool, leaders: &[ProcessIdentity]) -> usize {
    let ended = sweep(prefix, spare, leaders);
    let count = ended.len();
    let gone = async {
        for (pid, handle) in ended {
            if let Ok(handle) = register(handle, Interest::READABLE) {
                let _ = handle.readable().await;
            }
            // Where it had become a child of ours. What we started is reaped by whoever waits for it.
            if !is_own(pid) {
                let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
            }
        }
    };
    let _ = timeout(GONE, gone).await;
    count
}

fn sweep(prefix: &str, spare: impl Fn(&str) -> bool, leaders: &[ProcessIdentity]) -> Vec<(Pid, OwnedFd)> {
    let wanted = |token: &str| token.starts_with(prefix) && !spare(token);
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| doomed(*pid, &wanted, leaders)).filter_map(|pid| end(pid, &wanted, leaders)).collect()
}

/// The children of this process, adopted ones too.
pub(super) fn children() -> Vec<u32> {
    children_of("self")
}

/// The children of a process, named as `/proc` does.
pub(super) fn children_of(process: &str) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()).collect()
}

/// Whether a process bears a token that is wanted.
pub(super) fn bears(pid: u32, wanted: &impl Fn(&str) -> bool) -> bool {
    values(&environment(pid), TOKEN).any(wanted)
}

/// Whether it does and is not to be kept.
fn doomed(pid: u32, wanted: &impl Fn(&str) -> bool, leaders: &[ProcessIdentity]) -> bool {
    let environment = environment(pid);
    values(&environment, TOKEN).any(wanted) && !spared(pid, &environment, wanted, leaders)
}

pub(super) fn environment(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

pub(super) fn values<'a>(environment: &'a [u8], name: &str) -> impl Iterator<Item = &'a str> {
    let prefix = [name.as_bytes(), b"="].concat();
    environment
        .split(|byte| *byte == 0)
        .filter_map(move |entry| std::str::from_utf8(entry.strip_prefix(prefix.as_slice())?).ok())
}

pub(super) fn spared(
    pid: u32,
    environment: &[u8],
    wanted: &impl Fn(&str) -> bool,
    leaders: &[ProcessIdentity],
) -> bool {
    use super::identity::start_time;
    let names: Vec<String> =
        values(environment, super::KEEP).flat_map(|names| names.split(',')).map(str::to_owned).collect();
    let leads = |pid| leaders.iter().any(|leader| leader.pid == pid && start_time(pid) == Some(leader.start_time));
    !names.is_empty() && super::keep::kept(pid, &names, leads, |pid| bears(pid, wanted))
}

fn end(pid: u32, wanted: &impl Fn(&str) -> bool, leaders: &[ProcessIdentity]) -> Option<(Pid, OwnedFd)> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    if pid == rustix::process::getpid() {
        return None;
    }
    let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // Asked again now that the handle pins the process.
    if !doomed(pid.as_raw_nonzero().get().unsigned_abs(), wanted, leaders) {
        return None;
    }
    pidfd_send_signal(&handle, Signal::KILL).ok()?;
    Some((pid, handle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn only_bearers_of_the_token_are_ended() {
        let mut mine = Command::new("sleep").arg("60").env(TOKEN, "sweep-test-1/a").spawn().unwrap();
        let mut kept = Command::new("sleep").arg("60").env(TOKEN, "sweep-test-1/b").spawn().unwrap();
        let mut other = Command::new("sleep").arg("60").env(TOKEN, "sweep-test-2/a").spawn().unwrap();
        // The environment is the new one only once exec has happened.
        while !bears(mine.id(), &|_| true) || !bears(kept.id(), &|_| true) || !bears(other.id(), &|_| true) {
            std::thread::yield_now();
        }
        assert_eq!(sweep_token("sweep-test-1/", |token| token.ends_with("/b"), &[]), 1);
        assert!(!mine.wait().unwrap().success());
        assert!(kept.try_wait().unwrap().is_none());
        assert!(other.try_wait().unwrap().is_none());
        kept.kill().unwrap();
        other.kill().unwrap();
        kept.wait().unwrap();
        other.wait().unwrap();
    }
}
