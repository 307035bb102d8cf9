//! Commands and what they need of the machine: a front that stands still, a state directory that cannot be used, a
//! generation that never was.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Project, Server, process};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_state_directory_that_cannot_be_made_stops_nobody() {
    let project = Project::new(Server::Plain);
    // A file is in its place, which keeps even root out.
    std::fs::write(project.home(), "not a folder").unwrap();
    let client = project.open();
    assert_eq!(client.version(), "v1");
    project.save_version("v2");
    client.until_version("v2");
    let said = client.inbox().stderr_text();
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("mcp-twin: ")).collect();
    let of_home: Vec<_> =
        lines.iter().filter(|line| line.contains("state directory") || line.contains("memory")).collect();
    assert_eq!(of_home.len(), 1, "one cause is one line: {said}");
    for part in ["state, socket, logs, history", "MCP_TWIN_HOME", &project.home().display().to_string()] {
        assert!(of_home[0].contains(part), "{part}: {said}");
    }
    assert!(lines.iter().all(|line| line.contains("generation") || line == of_home[0]), "{said}");
    project.finish(&client);
}

#[test]
fn a_record_that_cannot_be_written_is_said_and_stops_nobody() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let state = project.home().join("state");
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::write(&state, "not a folder").unwrap();
    project.save_version("v2");
    client.until_version("v2");
    let front = project.until_status("a warning", |front| front["warnings"] != json!([]));
    assert!(front["warnings"].to_string().contains("state"), "{front}");
    project.finish(&client);
}

#[test]
fn a_stopped_process_is_given_up_in_time() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    process::pause(client.pid());
    let begin = Instant::now();
    let report = project.cli(&["reload", "--json"]).with_status(5);
    assert_eq!(report.outcome(), "no_answer");
    let status = project.cli(&["status", "--json"]);
    assert_eq!(status.values()[0]["silent"][0]["front_pid"], client.pid(), "{status:?}");
    // Two commands of 2 s each.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    process::resume(client.pid());
    assert_eq!(client.version(), "v1");
    let _ = project.until_status("a front that answers again", |front| front["state"] == "serving");
    project.finish(&client);
}

#[test]
fn a_command_that_was_given_up_is_not_carried_out_when_the_front_wakes() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    project.save_version("v2");
    client.until_version("v2");
    let (_, pid) = client.whoami();
    process::pause(client.pid());
    for command in [&["stop", "--json"][..], &["rollback", "--json"]] {
        assert_eq!(project.cli(command).with_status(5).outcome(), "no_answer");
    }
    process::resume(client.pid());
    // A reload goes the same way behind them: it finds the server as it was.
    assert_eq!(project.cli(&["reload", "--json"]).with_status(0).outcome(), "verified");
    assert_eq!(client.whoami(), ("v2".to_owned(), pid));
    let front = project.status();
    assert_eq!((front["state"].as_str(), front["swaps"].as_u64()), (Some("serving"), Some(1)), "{front}");
    project.finish(&client);
}

#[test]
fn a_rollback_to_a_generation_that_never_was_names_those_that_are() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    project.save_version("v2");
    client.until_version("v2");
    let report = project.cli(&["rollback", "--to", "77", "--json"]).with_status(4);
    let fault = &report.outcomes()[0]["fault"];
    assert_eq!(fault["code"], "twin::rollback::no_generation", "{report:?}");
    let help = fault["help"].as_str().unwrap();
    assert!(help.contains("generations 1 to 2 exist") && help.contains("generation 1 is kept"), "{help}");
    assert_eq!(client.version(), "v2");
    project.finish(&client);
}
