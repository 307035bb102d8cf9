//! The processes of this machine as far as this user can look into them. It signals none.

use super::identity::fields;
use super::sweep::{environment, spared, values};
use super::{Seen, TOKEN};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Ticks in a second: `USER_HZ`, the same on every architecture that Rust is built for.
const TICKS: u64 = 100;

/// Every process of this user but this one.
#[must_use]
pub fn seen() -> Option<Vec<Seen>> {
    let boot = booted();
    let entries = fs::read_dir("/proc").ok()?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Some(pids.filter(|pid| *pid != std::process::id()).filter_map(|pid| look(pid, boot)).collect())
}

fn look(pid: u32, boot: Option<SystemTime>) -> Option<Seen> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let mut command: Vec<String> = words.collect();
    // Each word ends in a zero.
    command.pop();
    let fields = fields(pid)?;
    let field = |at: usize| fields.split(' ').nth(at)?.parse::<u64>().ok();
    // What is ended but not reaped has neither; so has what belongs to the kernel.
    if command.is_empty() || fields.starts_with('Z') {
        return None;
    }
    let environment = environment(pid);
    let token = values(&environment, TOKEN).next().map(str::to_owned);
    let folder = |name| values(&environment, name).find(|value| !value.is_empty()).map(PathBuf::from);
    let home = folder(crate::home::VARIABLE).or_else(|| Some(folder("HOME")?.join(".mcp-twin")));
    let kept = token.as_ref().is_some_and(|token| spared(pid, &environment, &|found: &str| found == token, &[]));
    let started = field(19).and_then(|ticks| boot?.checked_add(Duration::from_millis(ticks * (1000 / TICKS))));
    Some(Seen { pid, parent: u32::try_from(field(1)?).ok()?, command, token, home, kept, started })
}

/// When this machine was started.
fn booted() -> Option<SystemTime> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Instant;

    #[test]
    fn a_process_is_seen_with_its_token_and_its_start() {
        let mut child = Command::new("sleep")
            .args(["61", "0"])
            .env(TOKEN, "seen-test:1")
            .env("MCP_TWIN_HOME", "/x")
            .spawn()
            .unwrap();
        // The system shows the variables of a program only some moments after it was started.
        let begun = Instant::now();
        let found = std::iter::repeat_with(|| seen().unwrap().into_iter().find(|seen| seen.pid == child.id()))
            .find(|found| found.is_some() || begun.elapsed() > Duration::from_secs(30))
            .flatten();
        child.kill().unwrap();
        child.wait().unwrap();
        let found = found.expect("it runs");
        assert_eq!(found.command, ["sleep", "61", "0"]);
        assert_eq!(
            (found.token.as_deref(), found.parent, found.kept),
            (Some("seen-test:1"), std::process::id(), false)
        );
        assert_eq!(found.home, Some("/x".into()));
        let age = SystemTime::now().duration_since(found.started.unwrap()).unwrap_or_default();
        assert!(age < Duration::from_secs(60), "{age:?}");
        assert!(!seen().unwrap().iter().any(|seen| seen.pid == std::process::id()));
    }
}
