//! Looking at processes, and signalling those that a test started.

use crate::wait::until;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs;
use std::path::Path;

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Process id.
    pub pid: u32,
    /// The command line, blanks between the words.
    pub command: String,
}

/// Every live process (zombies left out) whose environment has `name=value`.
#[must_use]
pub fn with_environment(name: &str, value: &Path) -> Vec<Seen> {
    let wanted = format!("{name}={}", value.display()).into_bytes();
    let bears = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == wanted)
    };
    all()
        .into_iter()
        .filter(bears)
        .filter(|pid| alive(*pid))
        .map(|pid| Seen { pid, command: command_line(pid) })
        .collect()
}

/// Whether there is such a process and it is not a zombie.
#[must_use]
pub fn alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// The state letter of a process: `R`, `S`, `T`, `Z`, …
#[must_use]
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The parent of a process.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Waits until a process is gone.
pub fn gone(pid: u32) {
    until(&format!("the end of process {pid} ({})", command_line(pid)), || (!alive(pid)).then_some(()));
}

/// Sends SIGKILL.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Sends SIGKILL to a whole process group, named by its leader.
pub fn kill_group(leader: u32) {
    let leader = Pid::from_raw(i32::try_from(leader).expect("a process id")).expect("a process id");
    let _ = kill_process_group(leader, Signal::KILL);
}

/// Sends SIGTERM.
pub fn terminate(pid: u32) {
    signal(pid, Signal::TERM);
}

/// Sends SIGINT, as Ctrl-C does.
pub fn interrupt(pid: u32) {
    signal(pid, Signal::INT);
}

/// Sends SIGUSR2.
pub fn tell(pid: u32) {
    signal(pid, Signal::USR2);
}

/// Sends SIGSTOP and waits until the process stands still.
pub fn pause(pid: u32) {
    signal(pid, Signal::STOP);
    until("the stopped process", || (state(pid) == Some('T')).then_some(()));
}

/// Sends SIGCONT.
pub fn resume(pid: u32) {
    signal(pid, Signal::CONT);
}

/// How many file descriptors a process has open.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// A number of `/proc/PID/status`, such as `VmRSS` or `VmHWM` (KiB).
#[must_use]
pub fn status_number(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("a process id");
    // It may have ended by itself meanwhile: that is for the test to notice.
    let _ = kill_process(pid, signal);
}

fn all() -> Vec<u32> {
    let folder = fs::read_dir("/proc").expect("/proc");
    folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn command_line(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned()
}
