//! The example does what it says, and leaves no process behind.

#![allow(clippy::unwrap_used)]

use std::process::Command;

const STORY: &str = "\
generation 1 serves
  Hello, Ada!
generation 2 took over
  Ahoy, Ada!
refused: the new twin exited with status 1 before it was ready (error: there is no greeting)
  Ahoy, Ada!
generation 1 serves again
  Hello, Ada!
stopped 2 twins
";

#[test]
fn a_swap_a_refusal_and_a_rollback() {
    let folder = tempfile::tempdir().unwrap();
    let mut example = Command::new(env!("CARGO_BIN_EXE_embed-core"));
    // The command line of each twin names the folder: that is how a forgotten one is told.
    let done = example.env("TMPDIR", folder.path()).env("TEMP", folder.path()).env("TMP", folder.path());
    let done = done.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
    assert_eq!(String::from_utf8_lossy(&done.stdout).replace('\r', ""), STORY);
    assert!(done.status.success(), "{}", done.status);
    #[cfg(target_os = "linux")]
    assert_eq!(processes_that_name(&folder.path().to_string_lossy()), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
fn processes_that_name(text: &str) -> Vec<String> {
    let lines = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(text)).collect()
}
