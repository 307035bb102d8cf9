//! What tells a process from a stranger that got its number later.

use std::fs;

/// Start time of a process in clock ticks since boot; `None` if there is no such process or the system does not say.
#[must_use]
pub fn start_time(pid: u32) -> Option<u64> {
    // `starttime` is the twenty-second of proc(5).
    fields(pid)?.split(' ').nth(19)?.parse().ok()
}

/// What `/proc/PID/stat` says of a process from its `state` on, the third field of proc(5). The second is the name in
/// parentheses and may hold anything, so fields are counted from its end.
pub(super) fn fields(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
}

/// The id of the running boot; empty where the system has none.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_has_a_start_time_that_does_not_change() {
        let mine = start_time(std::process::id());
        assert!(mine.is_some());
        assert_eq!(mine, start_time(std::process::id()));
        assert_eq!(start_time(u32::MAX), None);
    }

    #[test]
    fn the_boot_has_an_id() {
        assert_eq!(boot_id().len(), 36);
    }
}
