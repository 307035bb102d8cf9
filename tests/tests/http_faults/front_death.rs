//! kill -9 of the front: its twins live on, and the next front takes them up.

use crate::{FLAGS, both, project, served};
use mcp_twin_tests::{Project, Served, Server, process, until};
use serde_json::json;

/// A front of the same server, after one that was killed.
fn next(project: &Project, flags: &[&str]) -> Served {
    project.serve(&[FLAGS, flags].concat())
}

#[test]
fn the_next_front_adopts_the_twin_that_served_and_its_sessions() {
    let (project, front) = served(&[]);
    let legacy = front.client();
    let stale = front.client();
    let who = legacy.body("whoami", json!({}))["pid"].clone();
    let (active, warm) = both(&project);
    assert_eq!(who, active);
    front.kill();
    assert!(process::alive(active) && process::alive(warm));
    // A stdio front of another server leaves them alone, though it sweeps behind dead fronts.
    let other = project.beside(Server::Plain, "other");
    let client = other.open();
    assert_eq!(client.version(), "v1");
    assert!(client.close().success());
    assert!(process::alive(active));

    let front = next(&project, &[]);
    for (old, name) in [(&legacy, "whoami"), (&stale, "whoami")] {
        let client = mcp_twin_tests::HttpClient::new(front.url());
        client.set_session(old.session().as_deref());
        assert_eq!(client.body(name, json!({}))["pid"], active, "the same process serves");
    }
    assert_eq!(front.client().body("whoami", json!({}))["pid"], active);
    assert_eq!(front.modern().body("whoami", json!({}))["pid"], active);
    let status = project.until_status("an adopted twin", |front| front["warm"]["pid"].is_u64());
    assert_eq!((&status["active"]["pid"], &status["sessions"]), (&json!(active), &json!(3)), "{status}");
    until("the end of the old warm twin, or its adoption", || (project.processes().len() == 3).then_some(()));
    project.save_version("v2");
    front.client().until_version("v2");
    project.finish_http(&front);
}

#[test]
fn a_session_that_was_ended_does_not_come_back() {
    let (project, front) = served(&[]);
    let (kept, ended) = (front.client(), front.client());
    assert_eq!(ended.delete(), 200);
    front.kill();
    let front = next(&project, &[]);
    let client = mcp_twin_tests::HttpClient::new(front.url());
    client.set_session(ended.session().as_deref());
    assert_eq!(client.send("tools/list", json!({})).status(), 404);
    client.set_session(kept.session().as_deref());
    assert_eq!(client.version(), "v1");
    project.finish_http(&front);
}

#[test]
fn code_that_was_saved_meanwhile_takes_over_then() {
    let (project, front) = served(&[]);
    let old = front.client();
    front.kill();
    project.save_version("v2");
    let front = next(&project, &[]);
    let client = mcp_twin_tests::HttpClient::new(front.url());
    client.set_session(old.session().as_deref());
    client.until_version("v2");
    project.finish_http(&front);
}

#[test]
fn twins_that_died_meanwhile_are_started_again_and_sessions_opened_anew() {
    let (project, front) = served(&[]);
    let old = front.client();
    let (active, warm) = both(&project);
    front.kill();
    for twin in [active, warm] {
        process::kill(twin);
        process::gone(twin);
    }
    let front = next(&project, &[]);
    let client = mcp_twin_tests::HttpClient::new(front.url());
    client.set_session(old.session().as_deref());
    assert_eq!(client.version(), "v1");
    let (new, _) = both(&project);
    assert_ne!(new, active);
    project.finish_http(&front);
}

#[test]
fn a_front_killed_while_its_first_twin_boots_leaves_nothing_that_is_not_found_again() {
    let project = project(&[("BOOT_SECONDS", "600.0")]);
    let front = project.serve(FLAGS);
    until("the first twin", || (project.processes().len() == 2).then_some(()));
    front.kill();
    project.set("BOOT_SECONDS", "0.0");
    let front = next(&project, &[]);
    assert_eq!(front.client().version(), "v1");
    let _ = both(&project);
    until("the end of the twin that never came up", || (project.processes().len() == 3).then_some(()));
    project.finish_http(&front);
}
