//! What `mcp-twin doctor` finds, and whether what it says to run mends it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Client, Report, User, process, until};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

fn codes(report: &Report) -> Vec<String> {
    let problems = report.values()[0]["problems"].as_array().unwrap().clone();
    problems.iter().map(|problem| problem["code"].as_str().unwrap().to_owned()).collect()
}

/// The commands that it says to run.
fn commands(report: &Report) -> Vec<String> {
    let problems = report.values()[0]["problems"].as_array().unwrap().clone();
    let fixes = problems.iter().flat_map(|problem| problem["fix"].as_array().unwrap().clone());
    fixes.filter_map(|fix: Value| fix["run"].as_str().map(str::to_owned)).collect()
}

fn shell(user: &User, line: &str) {
    let status = user.process(&["sh", "-c", line].map(str::to_owned)).status().unwrap();
    assert!(status.success(), "{line}: {status}");
}

#[test]
fn where_nothing_is_wrong_it_says_what_it_looked_at() {
    let user = User::new();
    user.write("a.sh", "");
    user.write(".claude.json", r#"{"mcpServers": {"a": {"command": "sh", "args": ["~/a.sh"]}}}"#);
    let report = user.cli(&["doctor"]).with_status(0);
    assert!(report.stdout.contains("Nothing is wrong"), "{report:?}");
    assert!(report.stdout.contains("1 configuration file") && report.stdout.contains("1 command"), "{report:?}");
    assert!(!user.state().exists(), "a look makes nothing");
}

#[test]
fn broken_files_and_missing_commands_are_named() {
    let user = User::new();
    user.write(".cursor/mcp.json", "{\"mcpServers\": {\n  \"a\": 1,,\n}}");
    user.write(
        ".claude.json",
        r#"{"mcpServers": {"a": {"command": "twin-of-nobody"}, "b": {"command": "sh", "args": ["~/gone.sh"], "env": {"X": "${UNSET_HERE}"}}}}"#,
    );
    let report = user.cli(&["doctor", "--json"]).with_status(1);
    assert_eq!(
        codes(&report),
        ["doctor::file::invalid", "doctor::command::missing", "doctor::script::missing", "doctor::variable::unset"]
    );
    let text = user.cli(&["doctor"]).with_status(1).stdout;
    for wanted in
        ["line 2, column", "`twin-of-nobody` is in no folder of PATH", "gone.sh does not exist", "${UNSET_HERE}"]
    {
        assert!(text.contains(wanted), "no {wanted}: {text}");
    }
}

#[test]
fn a_folder_open_to_others_is_mended_by_what_it_says() {
    let user = User::new();
    let run = user.state().join("run");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o755)).unwrap();
    let report = user.cli(&["doctor", "--json"]).with_status(1);
    assert_eq!(codes(&report), ["doctor::home::unsafe"]);
    shell(&user, &commands(&report)[0]);
    let _ = user.cli(&["doctor"]).with_status(0);
}

#[test]
fn what_a_killed_front_left_is_found_and_removed() {
    let user = User::new();
    // No server is needed: the front waits for it.
    let client = Client::spawn(&mut user.command(&["run", "--name", "a", "--", "sleep", "60"]));
    let locks = || std::fs::read_dir(user.state().join("run")).into_iter().flatten().flatten().count();
    until("a front that can be asked", || user.cli(&["status", "--json"]).fronts().first().map(drop));
    let running = user.cli(&["doctor", "--json"]).with_status(0);
    assert_eq!(codes(&running), [] as [&str; 0]);
    client.kill();
    until("the end of its server", || {
        process::with_environment("MCP_TWIN_HOME", &user.state()).is_empty().then_some(())
    });
    assert!(locks() > 0);
    let report = user.cli(&["doctor", "--json"]).with_status(1);
    assert_eq!(codes(&report), ["doctor::front::stale"]);
    shell(&user, &commands(&report)[0]);
    assert_eq!(locks(), 0);
    let _ = user.cli(&["doctor"]).with_status(0);
}

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_orphan_is_found_and_ended() {
    let user = User::new();
    let words = ["sleep", "60"].map(str::to_owned);
    let orphan = |token: &str| {
        let mut command = user.process(&words);
        Running(command.env("MCP_TWIN_TOKEN", token).stdin(Stdio::null()).spawn().unwrap())
    };
    let mut left = orphan("gone-12:nonce.1");
    // One of another state directory is none of ours.
    let mut command = user.process(&words);
    let _other = Running(command.env("MCP_TWIN_HOME", "/other").env("MCP_TWIN_TOKEN", "x-1:a").spawn().unwrap());
    let report = user.cli(&["doctor", "--json"]).with_status(1);
    assert_eq!(codes(&report), ["doctor::process::orphan"]);
    assert_eq!(commands(&report), [format!("kill {}", left.0.id())]);
    shell(&user, &commands(&report)[0]);
    left.0.wait().unwrap();
    let _ = user.cli(&["doctor"]).with_status(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_was_started_before_its_entry_was_wired_is_named() {
    let user = User::new();
    let script = user.write("server.sh", "while read -r line; do :; done\n");
    let words = ["sh".to_owned(), script.to_string_lossy().into_owned()];
    let server = Running(user.process(&words).stdin(Stdio::piped()).spawn().unwrap());
    let mcp_twin = mcp_twin_tests::tools::mcp_twin();
    let config = user.write(
        ".cursor/mcp.json",
        &format!(
            r#"{{"mcpServers": {{"a": {{"command": "{}", "args": ["run", "--", "sh", "~/server.sh"]}}}}}}"#,
            mcp_twin.display()
        ),
    );
    let wired = |at: SystemTime| std::fs::File::options().append(true).open(&config).unwrap().set_modified(at).unwrap();
    wired(SystemTime::now() + Duration::from_secs(60));
    let report = user.cli(&["doctor", "--json"]).with_status(1);
    assert_eq!(codes(&report), ["doctor::client::old_configuration"]);
    assert!(report.stdout.contains(&format!("PID {}", server.0.id())), "{report:?}");
    // Wired long before: the client runs what it found there.
    wired(SystemTime::now() - Duration::from_secs(60));
    let _ = user.cli(&["doctor"]).with_status(0);
}
