//! `--check`: new code is tried before it takes over, and the old code serves on where it fails.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::led::{Led, Pair};
use mcp_twin_tests::talker::Sdk;
use mcp_twin_tests::wait::until;
use mcp_twin_tests::{Http, Project, Server};
use std::fs;

/// Asks the new twin what it is, by the command: the version v2 is not good enough.
fn command() -> String {
    let program = mcp_twin_tests::tools::mcp_twin();
    format!(
        r#"said=$('{}' call whoami '{{"key":"check"}}' --standby) || exit 9; echo "it says $said"; case "$said" in *v2*) exit 3;; esac"#,
        program.display()
    )
}

/// The same without a program: the tool itself, which every version passes.
const TOOL: &str = r#"tool:whoami={"key":"check"}"#;

/// The processes that the checks asked.
fn asked(project: &Project) -> Vec<u64> {
    let runs = project.record().by_key().remove("check").unwrap_or_default();
    runs.iter().map(|run| run.pid).collect()
}

/// What each transport and era must do: v2 is refused by the command, and v3 takes over.
fn refuses_v2(project: &Project) {
    let before = project.status();
    assert!(asked(project).is_empty(), "where nothing serves nothing is tried");
    project.save_version("v2");
    let front = project.until_degraded();
    let fault = &front["degraded"];
    assert_eq!(fault["code"], "twin::check::failed", "{front:#}");
    assert!(fault["message"].as_str().unwrap().contains("exited with status 3"), "{front:#}");
    assert!(fault["stderr_tail"].as_str().unwrap().contains("it says"), "{front:#}");
    assert_eq!(front["active"]["pid"], before["active"]["pid"]);
    let refused = asked(project);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_ne!(before["active"]["pid"], refused[0]);
    project.save_version("v3");
    let after = project.until_status("the good code", |front| front["active"]["generation"] == 3);
    let tried = asked(project);
    assert_eq!(tried.len(), 2, "{tried:?}");
    assert_eq!(after["active"]["pid"], tried[1], "who serves is who was tried");
}

#[test]
fn a_command_asks_at_its_own_front_also_where_other_servers_run() {
    let project = Project::new(Server::Plain);
    let other = project.beside(Server::Plain, "other");
    let (client, theirs) = (project.open_with(&["--check", &command()]), other.open());
    project.save_version("v3");
    client.until_version("v3");
    assert_eq!((asked(&project).len(), asked(&other).len()), (1, 0));
    assert!(theirs.close().success());
    project.finish(&client);
}

fn over_stdio(pair: Pair) {
    let mut led = Led::over_stdio(pair, &["--check", &command(), "--bake", "0s"]);
    refuses_v2(&led.project);
    assert_eq!(led.ask("call whoami", "mine")["version"], "v3");
    led.finish(&[]);
}

#[test]
fn a_server_of_the_sdk_in_the_legacy_era() {
    over_stdio(Pair(Server::PythonOpen, Sdk::PythonLegacy, "2025-11-25"));
}

#[test]
fn a_server_of_the_sdk_in_the_modern_era() {
    over_stdio(Pair(Server::PythonOpen, Sdk::PythonAuto, "2026-07-28"));
}

fn over_http(server: Server, flags: &[&str]) {
    let project = Project::new(server);
    let check = command();
    let front = project.serve(&[flags, &["--check", &check, "--settle", "0s", "--standby", "on-demand"]].concat());
    let _ = project.until_status("a front that serves", |front| front["state"] == "serving");
    refuses_v2(&project);
    let _ = project.cli(&["stop"]).with_status(0);
    assert!(front.exit_status().success());
    project.nothing_left();
}

#[test]
fn a_server_over_http() {
    over_http(Server::Http(Http::PythonOpen), &[]);
}

#[test]
fn a_server_over_stdio_behind_http() {
    over_http(Server::PythonOpen, &["--stdio"]);
}

#[test]
fn a_command_over_http_is_told_the_port_of_the_new_twin() {
    let project = Project::new(Server::Http(Http::PythonOpen));
    let check = r#"echo "port $MCP_TWIN_PORT of $MCP_TWIN_SERVER"; exit 1"#;
    let front = project.serve(&["--check", check, "--settle", "0s", "--standby", "on-demand"]);
    let serving = project.until_status("a front that serves", |front| front["state"] == "serving");
    project.save_version("v2");
    let failed = project.until_degraded();
    let said = failed["degraded"]["stderr_tail"].as_str().unwrap().to_owned();
    let port: u16 = said.trim().strip_prefix("port ").and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    assert!(serving["active"]["port"] != port && port > 0, "{said}");
    assert!(said.trim().ends_with(serving["server"].as_str().unwrap()), "{said}");
    let _ = project.cli(&["stop"]).with_status(0);
    assert!(front.exit_status().success());
    project.nothing_left();
}

#[test]
fn a_tool_that_says_it_failed_keeps_the_old_code_and_reload_says_why() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--check", "tool:fail"]);
    let serving = client.whoami();
    project.save_version("v2");
    let front = project.until_degraded();
    let message = front["degraded"]["message"].as_str().unwrap();
    assert!(message.contains("the check `tool:fail` failed: this tool always fails"), "{front:#}");
    assert_eq!(client.whoami(), serving);
    // Asked for by a person it is tried again.
    let report = project.cli(&["reload"]).with_status(4);
    assert!(
        report.stdout.contains("this tool always fails") && report.stdout.contains("twin::check::failed"),
        "{report:?}"
    );
    let history = project.cli(&["history", "--json"]).with_status(0);
    assert!(history.stdout.contains("twin::check::failed"), "{history:?}");
    project.finish(&client);
}

#[test]
fn a_tool_that_is_not_there_is_a_failed_check() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--check", "tool:nothing"]);
    project.save_version("v2");
    let front = project.until_degraded();
    let message = front["degraded"]["message"].as_str().unwrap();
    assert!(message.contains("the check `tool:nothing` was refused: no such tool"), "{front:#}");
    assert_eq!(client.version(), "v1");
    project.finish(&client);
}

#[test]
fn the_tool_of_the_new_twin_is_called_once() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--check", TOOL]);
    project.save_version("v2");
    let front = project.until_status("a swap", |front| front["swaps"] == 1);
    assert_eq!(asked(&project), [front["active"]["pid"].as_u64().unwrap()]);
    let history = project.cli(&["history", "--json"]).with_status(0);
    assert!(history.stdout.contains("\"check\""), "{history:?}");
    client.until_version("v2");
    project.finish(&client);
}

#[test]
fn a_check_that_does_not_end_is_ended_with_all_that_it_started() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--check", "echo waiting; sleep 601 & sleep 602", "--check-timeout", "300ms"]);
    project.save_version("v2");
    let front = project.until_degraded();
    let message = front["degraded"]["message"].as_str().unwrap();
    assert!(message.contains("did not end within 300ms"), "{front:#}");
    assert!(front["degraded"]["stderr_tail"].as_str().unwrap().contains("waiting"), "{front:#}");
    let sleeps = || project.processes().iter().any(|seen| seen.command.starts_with("sleep 60"));
    until("the end of what it started", || (!sleeps()).then_some(()));
    assert_eq!(client.version(), "v1");
    project.finish(&client);
}

#[test]
fn a_newer_save_ends_the_check_of_an_older_one() {
    let project = Project::new(Server::Plain);
    let check = r#"if grep -q 'VERSION = "slow"' server.py; then echo begun x >> "$FIXTURE_NOTES"; sleep 603; fi"#;
    let client = project.open_with(&["--check", check]);
    project.save_version("slow");
    until("the slow check", || (!project.noted("begun").is_empty()).then_some(()));
    let front = project.until_status("a check", |front| front["standby_stage"] == "checking");
    assert_eq!(front["active"]["generation"], 1);
    project.save_version("v3");
    client.until_version("v3");
    let sleeps = || project.processes().iter().any(|seen| seen.command == "sleep 603");
    until("the end of the slow check", || (!sleeps()).then_some(()));
    project.finish(&client);
}

#[test]
fn the_file_of_the_project_names_a_tool_and_its_arguments_and_is_followed() {
    let project = Project::new(Server::Plain);
    let file = project.root().join("mcp-twin.toml");
    fs::write(&file, "[defaults]\ncheck = { tool = \"whoami\", args = { key = \"check\" } }\n").unwrap();
    let client = project.open();
    project.save_version("v2");
    client.until_version("v2");
    assert_eq!(asked(&project).len(), 1);
    fs::write(&file, "[defaults]\ncheck = { tool = \"fail\" }\n").unwrap();
    let _ = project.until_status("another check", |front| front["settings"].to_string().contains("tool:fail"));
    project.save_version("v3");
    let front = project.until_degraded();
    assert_eq!(front["degraded"]["code"], "twin::check::failed", "{front:#}");
    assert_eq!(client.version(), "v2");
    project.finish(&client);
}
