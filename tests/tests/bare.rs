//! The harness and the fixtures themselves, without a front: what a test blames on a front must not be theirs.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::{QUIET, body_of, text_of};
use mcp_twin_tests::interop::Pairing;
use mcp_twin_tests::{Client, Project, Server, process};
use serde_json::json;

fn opened(project: &Project) -> Client {
    let client = project.bare();
    client.open();
    client
}

#[test]
fn the_plain_server_answers_and_records_each_call_once() {
    let project = Project::new(Server::Plain);
    let client = opened(&project);
    assert_eq!(client.version(), "v1");
    let slow = client.work(200, "slow");
    let fast = client.work(0, "fast");
    assert_eq!(body_of(&client.answer(&fast))["key"], "fast");
    assert_eq!(body_of(&client.answer(&slow))["pid"], client.pid());
    assert_eq!(project.record().of("slow").unwrap().pid, u64::from(client.pid()));
    assert!(project.record().of("never").is_none());
    project.finish(&client);
}

#[test]
fn an_edit_changes_the_version_and_the_list_of_the_next_process() {
    let project = Project::new(Server::Plain);
    let before = opened(&project);
    project.save_version_with_tools("v2", &["fresh"]);
    let after = opened(&project);
    assert_eq!((before.version(), after.version()), ("v1".to_owned(), "v2".to_owned()));
    assert!(after.tools().contains(&"fresh".to_owned()) && !before.tools().contains(&"fresh".to_owned()));
    project.save_broken();
    let broken = project.bare();
    assert!(!broken.close().success());
    assert!(broken.inbox().stderr_text().contains("SyntaxError"));
    project.save();
    assert_eq!(opened(&project).version(), "v2");
}

#[test]
fn the_plain_server_asks_its_client_and_reports_progress() {
    let project = Project::new(Server::Plain);
    let client = opened(&project);
    client.inbox().reply_with("roots/list", json!({"roots": [{"uri": "file:///here"}]}));
    assert!(client.text("ask", json!({"method": "roots/list"})).contains("file:///here"));
    let arguments = json!({"name": "steps", "arguments": {"ms": 3}, "_meta": {"progressToken": "p"}});
    let _ = client.ask("tools/call", arguments);
    assert_eq!(client.notified("notifications/progress"), 3);
    project.finish(&client);
}

#[test]
fn the_books_tell_double_stray_and_missing_answers() {
    let twice = Project::new(Server::Fault("answers_twice"));
    let client = opened(&twice);
    assert_eq!(client.version(), "v1");
    let _ = client.close();
    assert_eq!(client.books().strays.len(), 2, "{:?}", client.books());

    let wrong = Project::new(Server::Fault("wrong_id"));
    let client = opened(&wrong);
    let _ = client.close();
    assert_eq!(client.books().strays.len(), 3, "{:?}", client.books());

    let silent = Project::new(Server::Fault("silent"));
    let client = silent.bare();
    let id = client.request("initialize", json!({}));
    assert!(client.inbox().answer(&id, QUIET).is_none());
    assert_eq!(client.books().open, [id]);
}

#[test]
fn the_books_tell_junk() {
    let project = Project::new(Server::Fault("junk"));
    let client = opened(&project);
    assert_eq!(client.version(), "v1");
    let _ = client.close();
    let junk = client.books().junk.join("|");
    assert!(junk.contains("half a line, and its other half") && junk.contains("[1, 2"), "{junk}");

    let huge = Project::new(Server::Fault("huge_line"));
    let client = opened(&huge);
    assert_eq!((client.version().as_str(), client.books().junk.len()), ("v1", 1));
}

#[test]
fn the_faults_that_end_a_server_end_it() {
    for (fault, code) in [("exits", 3), ("dies_after_opening", 4)] {
        let project = Project::new(Server::Fault(fault));
        let client = project.bare();
        let _ = client.request("initialize", json!({}));
        assert_eq!(client.exit_status().code(), Some(code), "{fault}");
        assert!(client.inbox().ended(mcp_twin_tests::PATIENCE));
        assert_eq!(client.books().answered, usize::from(fault == "dies_after_opening"));
    }
    let project = Project::new(Server::Plain);
    let client = opened(&project);
    let id = client.call("crash", json!({}));
    assert_eq!(client.exit_status().code(), Some(9));
    assert!(client.inbox().answer(&id, QUIET).is_none());
}

#[test]
fn the_faults_that_cling_to_life_do() {
    let project = Project::new(Server::Fault("ignores_term"));
    let client = opened(&project);
    client.end_input();
    process::terminate(client.pid());
    assert!(!client.inbox().ended(QUIET) && process::alive(client.pid()), "TERM ended a server that ignores it");
    client.kill();

    let project = Project::new(Server::Fault("daemon"));
    let client = opened(&project);
    let _ = client.close();
    let daemon: u32 = project.noted("daemon")[0].parse().unwrap();
    assert_eq!(project.processes().iter().map(|seen| seen.pid).collect::<Vec<_>>(), [daemon]);
    process::kill(daemon);
    project.nothing_left();
}

#[test]
fn the_faults_that_only_annoy_still_answer() {
    for fault in ["floods_stderr", "slow_reader", "chatty"] {
        let project = Project::new(Server::Fault(fault));
        let client = opened(&project);
        assert_eq!(client.version(), "v1", "{fault}");
        let big = client.text("echo", json!({"text": "e".repeat(100_000)}));
        assert_eq!(big.len(), 100_000, "{fault}");
        project.finish(&client);
        assert_eq!(project.root().join("server.log").exists(), fault == "chatty");
    }
}

#[test]
fn a_client_that_does_not_read_gets_everything_later() {
    let project = Project::new(Server::Plain);
    let client = opened(&project);
    client.pause_reading();
    let ids: Vec<_> = (0..50).map(|_| client.call("big", json!({"bytes": 100_000}))).collect();
    client.resume_reading();
    for id in ids {
        assert_eq!(text_of(&client.answer(&id)).unwrap().len(), 100_000);
    }
    project.finish(&client);
}

#[test]
fn every_sdk_client_talks_to_the_server_of_its_language() {
    let names = [
        "python_sdk::python_auto",
        "python_sdk::python_legacy",
        "typescript_1::typescript_1",
        "typescript_2::typescript_2_auto",
        "rmcp::rmcp_modern",
        "everything::typescript_2_legacy",
    ];
    for name in names {
        let row = Pairing::named(name).unwrap().run_bare();
        assert!(row.flawless(), "{name}: {row:?}");
    }
}
