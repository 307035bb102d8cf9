//! What tells a process from a stranger that got its number later.

/// Start time of a process, in clock ticks since boot on Linux and in seconds since 1970 elsewhere; `None` if there is no
/// such process or the system does not say.
#[cfg(target_os = "linux")]
#[must_use]
pub fn start_time(pid: u32) -> Option<u64> {
    // `starttime` is the twenty-second of proc(5).
    fields(pid)?.split(' ').nth(19)?.parse().ok()
}

/// What `/proc/PID/stat` says of a process from its `state` on, the third field of proc(5). The second is the name in
/// parentheses and may hold anything, so fields are counted from its end.
#[cfg(target_os = "linux")]
pub(super) fn fields(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
}

/// Start time of a process, in clock ticks since boot on Linux and in seconds since 1970 elsewhere; `None` if there is no
/// such process or the system does not say.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn start_time(pid: u32) -> Option<u64> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, ProcessRefreshKind::nothing());
    system.process(pid).map(sysinfo::Process::start_time)
}

/// The id of the running boot; empty where the system has none (start times there do not begin anew with each boot).
#[must_use]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_has_a_start_time_that_does_not_change() {
        let mine = start_time(std::process::id());
        assert!(mine.is_some());
        assert_eq!(mine, start_time(std::process::id()));
        assert_eq!(start_time(u32::MAX), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_boot_has_an_id() {
        assert_eq!(boot_id().len(), 36);
    }
}
