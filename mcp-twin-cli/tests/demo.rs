//! `mcp-twin demo`, whole: what it counts, and that nothing of it stays, whichever way it ends.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "what a test expects")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The demo with a temporary folder of its own.
fn demo(temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-twin"));
    command.arg("demo").env("TMPDIR", temporary).env("NO_COLOR", "1").env_remove("MCP_TWIN_HOME");
    command
}

/// Neither a file in its temporary folder nor a process that was started from there.
fn assert_gone(temporary: &Path) {
    assert_eq!(std::fs::read_dir(temporary).expect("there").count(), 0);
    let mark = format!("MCP_TWIN_DEMO_JOURNAL={}", temporary.display());
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&environment).contains(&mark), "{} is left", process.path().display());
    }
}

#[test]
fn every_call_is_answered_once_over_edits_a_broken_save_and_a_rollback() {
    let temporary = tempfile::tempdir().expect("a folder");
    let output = demo(temporary.path()).arg("--json").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!((&report["lost"], &report["run_twice"]), (&0.into(), &0.into()), "{report}");
    assert!(report["calls"].as_u64() > Some(50) && report["failed"].as_array().is_some_and(Vec::is_empty), "{report}");
    assert_eq!(report["save_to_new_code_ms"].as_array().map(Vec::len), Some(4), "{report}");
    assert!(report["rollback_ms"].is_u64() && report["list_changes"].as_u64() >= Some(1), "{report}");
    assert_gone(temporary.path());
}

#[test]
fn interrupted_it_cleans_up() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut child = demo(temporary.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let mut lines = lines.skip_while(|line| !line.contains("connected"));
    assert!(lines.next().is_some(), "it connects");
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    lines.for_each(drop);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    assert_gone(temporary.path());
}
