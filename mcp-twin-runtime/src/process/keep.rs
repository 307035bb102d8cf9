//! Children that outlive their twin by wish (`keep_children`): daemons such as adb, which a server starts once and other
//! programs use too.
//!
//! A process is kept if it has one of the names (`comm`, or the file name of its executable or of its first argument),
//! or descends from one that has. The twin's own leader never is, whatever it is called. The names travel in the
//! environment beside the token, so that the next front can honour them when this one was killed.
//!
//! Linux only: elsewhere the executable of a process cannot be read in this way.

/// The variable that carries the names into a twin's environment, with commas between them.
pub const KEEP: &str = "MCP_TWIN_KEEP";

#[cfg(target_os = "linux")]
pub(super) use linux::{is_member, kept, others, others_left, signal_others};

#[cfg(target_os = "linux")]
mod linux {
    use crate::process::identity::{fields, start_time};
    use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, pidfd_send_signal};
    use std::fs;
    use std::path::Path;

    /// What the kernel keeps of a name in `comm`.
    const COMM: usize = 15;
    /// So many generations at most are looked at: a bound against a tree that changes under the look.
    const DEEPEST: usize = 64;
    /// So many passes at most over a group whose members go on forking.
    const PASSES: usize = 16;

    /// Whether a process is to be kept. Its ancestors count as far as they are `ours`; at one that `leads` a twin the look
    /// ends.
    pub(in crate::process) fn kept(
        pid: u32,
        names: &[String],
        leads: impl Fn(u32) -> bool,
        ours: impl Fn(u32) -> bool,
    ) -> bool {
        let mut at = pid;
        // Without names nobody is.
        for _ in 0..if names.is_empty() { 0 } else { DEEPEST } {
            if leads(at) || getpid().as_raw_nonzero().get().unsigned_abs() == at {
                return false;
            }
            if is_called(at, names) {
                return true;
            }
            match parent(at) {
                Some(parent) if parent > 1 && ours(parent) => at = parent,
                _ => return false,
            }
        }
        false
    }

    /// Signals each member of a group but those to be kept. The leader must not be reaped yet: so the number of the group
    /// can belong to nobody else. With `KILL` it looks again until nobody new is found: members may be forking.
    pub(in crate::process) fn signal_others(group: Pid, signal: Signal, names: &[String]) {
        let mut done: Vec<(u32, u64)> = Vec::new();
        for _ in 0..if signal == Signal::KILL { PASSES } else { 1 } {
            let new: Vec<_> = others(group, names).into_iter().filter(|found| !done.contains(found)).collect();
            if new.is_empty() {
                return;
            }
            for (pid, started) in new {
                send(group, (pid, started), signal);
                done.push((pid, started));
            }
        }
    }

    /// Whether a group still has a live member that is not kept.
    pub(in crate::process) fn others_left(group: Pid, names: &[String]) -> bool {
        !others(group, names).is_empty()
    }

    /// The live members of a group that are not kept, with their start times.
    pub(in crate::process) fn others(group: Pid, names: &[String]) -> Vec<(u32, u64)> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let leader = number(group);
        pids.filter(|pid| is_member(*pid, group))
            .filter(|pid| !kept(*pid, names, |pid| pid == leader, |pid| is_member(pid, group)))
            .filter_map(|pid| Some((pid, start_time(pid)?)))
            .collect()
    }

    fn send(group: Pid, (pid, started): (u32, u64), signal: Signal) {
        if pid == number(group) {
            // Not reaped, so it is this one still.
            let _ = kill_process(group, signal);
            return;
        }
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
        let Ok(handle) = pidfd_open(raw, PidfdFlags::empty()) else { return };
        // Asked again now that the handle pins the process.
        if is_member(pid, group) && start_time(pid) == Some(started) {
            let _ = pidfd_send_signal(&handle, signal);
        }
    }

    fn number(pid: Pid) -> u32 {
        pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether a process lives and is in this group. `state`, `ppid` and `pgrp` are the third to fifth of proc(5).
    pub(in crate::process) fn is_member(pid: u32, group: Pid) -> bool {
        let Some(fields) = fields(pid) else { return false };
        let mut fields = fields.split(' ');
        let alive = fields.next().is_some_and(|state| state != "Z" && state != "X");
        alive && fields.nth(1).and_then(|group| group.parse().ok()) == Some(number(group))
    }

    fn parent(pid: u32) -> Option<u32> {
        fields(pid)?.split(' ').nth(1)?.parse().ok()
    }

    fn is_called(pid: u32, names: &[String]) -> bool {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let comm = comm.trim_end_matches('\n');
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let first = words.split(|byte| *byte == 0).next().and_then(|word| std::str::from_utf8(word).ok());
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        // A program that was replaced since it was started.
        let program = program.to_string_lossy();
        let program = program.strip_suffix(" (deleted)").unwrap_or(&program);
        let file_name = |path: &str| Path::new(path).file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let known = [first.and_then(file_name), file_name(program)];
        names.iter().any(|name| {
            let cut = name.as_bytes().get(..COMM).unwrap_or(name.as_bytes());
            !comm.is_empty() && comm.as_bytes() == cut || known.iter().flatten().any(|known| known == name)
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::os::unix::process::CommandExt;
        use std::process::{Child, Command};

        /// A process under this name, in a group: a copy by link, so that nothing needs to be built.
        fn named(dir: &Path, name: &str, group: i32) -> Child {
            let link = dir.join(name);
            if !link.exists() {
                let shell = fs::canonicalize("/bin/sh").unwrap();
                std::os::unix::fs::symlink(shell, &link).unwrap();
            }
            let mut command = Command::new(&link);
            command.args(["-c", "read line"]).stdin(std::process::Stdio::piped()).process_group(group);
            let child = command.spawn().unwrap();
            // The name is the new one only once exec has happened.
            while !is_called(child.id(), &[name.to_owned()]) {
                std::thread::yield_now();
            }
            child
        }

        fn end(mut child: Child) {
            child.kill().unwrap();
            child.wait().unwrap();
        }

        #[test]
        fn only_what_is_not_kept_is_signalled_and_the_leader_always_is() {
            let dir = tempfile::tempdir().unwrap();
            let mut leader = named(dir.path(), "keepme", 0);
            let group = i32::try_from(leader.id()).unwrap();
            let mut kept = named(dir.path(), "keepme", group);
            let mut long = named(dir.path(), "keep-me-with-a-long-name", group);
            let mut other = named(dir.path(), "keepme-not", group);
            let mut stranger = named(dir.path(), "keepme-not", 0);
            let names = ["keepme".to_owned(), "keep-me-with-a-long-name".to_owned()];
            let group = Pid::from_raw(group).unwrap();
            assert!(others_left(group, &names));
            signal_others(group, Signal::KILL, &names);
            assert!(!other.wait().unwrap().success());
            assert!(!leader.wait().unwrap().success());
            assert!(!others_left(group, &names));
            for child in [&mut kept, &mut long, &mut stranger] {
                assert!(child.try_wait().unwrap().is_none());
            }
            [kept, long, stranger].into_iter().for_each(end);
        }

        #[test]
        fn what_a_kept_one_started_is_kept_too() {
            let dir = tempfile::tempdir().unwrap();
            let link = dir.path().join("keepme");
            std::os::unix::fs::symlink(fs::canonicalize("/bin/sh").unwrap(), &link).unwrap();
            let mut command = Command::new(&link);
            command.args(["-c", "sleep 60 & echo $!; wait"]).stdout(std::process::Stdio::piped()).process_group(0);
            let mut daemon = command.spawn().unwrap();
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(daemon.stdout.take().unwrap()), &mut line)
                .unwrap();
            let worker: u32 = line.trim().parse().unwrap();
            let names = ["keepme".to_owned()];
            // Until exec it still has its parent's name.
            while is_called(worker, &names) {
                std::thread::yield_now();
            }
            assert!(kept(worker, &names, |_| false, |_| true));
            assert!(!kept(worker, &names, |pid| pid == daemon.id(), |_| true), "a leader ends the look");
            assert!(!kept(worker, &names, |_| false, |_| false), "so does a stranger");
            let group = Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap();
            rustix::process::kill_process_group(group, Signal::KILL).unwrap();
            daemon.wait().unwrap();
        }
    }
}
