//! `--strategy handoff`: the old twin goes before the new one comes, and no request is lost over it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::body_of;
use mcp_twin_tests::{Project, Server};
use serde_json::json;

const HANDOFF: &[&str] = &["--strategy", "handoff"];

#[test]
fn calls_before_and_after_a_handoff_are_all_answered() {
    let project = Project::new(Server::Plain);
    let client = project.run(HANDOFF);
    client.open();
    assert_eq!(client.version(), "v1");
    let (_, old) = client.whoami();
    let open = client.work(500, "open");
    project.save_version("v2");
    client.until_version("v2");
    let body = body_of(&client.answer(&open));
    assert_eq!((&body["version"], &body["pid"]), (&json!("v1"), &json!(old)));
    assert_eq!(project.record().of("open").unwrap().pid, u64::from(old));
    client.books().assert_clean();
    project.finish(&client);
}

#[test]
fn what_cannot_be_parsed_is_found_before_the_old_twin_is_stopped() {
    let project = Project::new(Server::Plain);
    let client = project.run(HANDOFF);
    client.open();
    let serving = client.whoami();
    project.save_broken();
    let front = project.until_degraded();
    assert_eq!(front["degraded"]["code"], "twin::build::failed", "{front}");
    assert!(front["degraded"]["stderr_tail"].as_str().unwrap().contains("SyntaxError"), "{front}");
    assert_eq!(client.whoami(), serving);
    project.save_version("v2");
    client.until_version("v2");
    project.finish(&client);
}
