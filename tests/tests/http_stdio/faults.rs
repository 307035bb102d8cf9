//! What goes wrong: broken code, code that dies, processes that die or hang, a front that is killed.

use crate::{Behind, FLAGS, count};
use mcp_twin_tests::client::body_of;
use mcp_twin_tests::{HttpClient, Project, Server, process, until};
use serde_json::json;

#[test]
fn broken_code_is_answered_for_by_the_old_and_a_new_session_is_told_why() {
    let behind = Behind::start(&[], &[("BROKEN", json!(""))]);
    let client = behind.front.client();
    let before = count(&client);
    behind.project.set("BROKEN", "\"starts\"");
    behind.project.until_degraded();
    // The text item of the failed reload is behind the answer's own.
    assert_eq!(count(&client), (before.0, "v1".to_owned(), 2));
    // Its opening is answered as the server last did; there is no process for it, and no code to start one of.
    let late = HttpClient::new(behind.front.url());
    let welcome = late.open();
    assert_eq!(welcome["serverInfo"]["name"], "fixture-plain");
    let refused = late.call("count", json!({})).answer();
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("does not serve") && message.contains("fixture does not start"), "{refused}");
    assert_eq!(refused["error"]["data"]["help"], "repair it and save");
    // One of the era that has a process for all is served.
    assert_eq!(behind.front.modern().version(), "v1");
    behind.project.set_all(&[("BROKEN", json!(""))]);
    behind.project.until_status("the end of the failure", |front| front["degraded"].is_null());
    assert_eq!(count(&late).1, "v1", "the files hold the code that serves again");
    behind.project.set("BROKEN", "\"starts\"");
    behind.project.until_degraded();
    assert!(behind.front.client().call("count", json!({})).answer()["error"].is_object());
    behind.project.set_all(&[("BROKEN", json!("")), ("VERSION", json!("v2"))]);
    behind.project.until_status("a swap", |front| front["swaps"] == 1);
    assert_eq!((count(&late).1, count(&client).1), ("v2".to_owned(), "v2".to_owned()));
    behind.finish();
}

#[test]
fn new_code_whose_process_dies_on_trial_is_rolled_back() {
    let project = Project::new(Server::Pipe);
    let front =
        project.serve(&[&FLAGS[..3], &["--bake", "5m", "--breaking", "warn", "--watch-quiet", "20ms"]].concat());
    project.until_status("a server", |front| front["active"].is_object());
    let mut behind = Behind { project, front, swaps: 0 };
    let (one, two) = (behind.front.client(), behind.front.client());
    let before = [count(&one), count(&two)];
    behind.swap();
    assert_eq!(count(&one).1, "v2");
    let lost = one.call("crash", json!({})).answer();
    assert_eq!(lost["error"]["data"]["code"], "twin::request::lost", "{lost}");
    let front = behind.project.until_status("a rollback", |front| front["active"]["generation"] == 1);
    assert!(front["degraded"]["message"].as_str().unwrap().contains("ended by itself"), "{front}");
    for (client, before) in [&one, &two].into_iter().zip(before) {
        // What is told of the rollback is behind the answer's own text.
        assert_eq!(count(client), (before.0, "v1".to_owned(), 2));
    }
    behind.finish();
}

#[test]
fn code_that_dies_before_it_may_take_over_never_serves() {
    for eras in [json!(["legacy"]), json!(["modern"])] {
        let behind = Behind::start(&[], &[("ERAS", eras)]);
        behind.front.terminate();
        let flags = ["--stdio", "--settle", "2s", "--keep-old", "0s", "--watch-quiet", "20ms"];
        let front = behind.project.serve(&flags);
        behind.project.until_status("a server", |front| front["active"].is_object());
        behind.project.set("BROKEN", "\"soon\"");
        let front_status = behind.project.until_degraded();
        assert_eq!((&front_status["swaps"], &front_status["active"]["generation"]), (&json!(0), &json!(1)));
        behind.project.finish_http(&front);
    }
}

/// It would need a process of the old code, which is no longer on the disk, or one of the new code, which is not proved yet.
#[test]
fn a_session_that_comes_while_a_save_is_looked_at_waits_for_the_verdict() {
    let behind = Behind::start(&[], &[("BROKEN", json!(""))]);
    let open = behind.front.client();
    behind.project.set_all(&[("BOOT_SECONDS", json!(1.0)), ("VERSION", json!("v2"))]);
    behind.project.until_status("the new code", |front| front["standby"].is_object());
    let late = behind.front.client();
    assert_eq!(late.version(), "v2");
    assert_eq!(open.version(), "v2", "both have a process of the new code from here on");
    assert_eq!(behind.project.status()["swaps"], 1);
    behind.project.set_all(&[("BOOT_SECONDS", json!(0.0)), ("BROKEN", json!("slowly")), ("VERSION", json!("v3"))]);
    behind.project.until_status("the broken code", |front| front["standby"].is_object());
    let late = behind.front.client();
    let refused = late.call("count", json!({})).answer();
    assert!(refused["error"]["message"].as_str().unwrap().contains("does not serve"), "{refused}");
    assert_eq!(open.version(), "v2");
    behind.finish();
}

#[test]
fn a_process_that_dies_fails_the_calls_of_its_session_only() {
    let behind = Behind::start(&[], &[]);
    let (one, two) = (behind.front.client(), behind.front.client());
    let (first, second) = (count(&one), count(&two));
    let mut lost = [one.work(60_000, "lost-1"), one.work(60_000, "lost-2")];
    let mut kept = two.work(600, "kept");
    ["lost-1", "lost-2", "kept"].iter().for_each(|key| behind.begun(key));
    process::kill(u32::try_from(first.0).unwrap());
    for call in &mut lost {
        let error = call.answer()["error"].clone();
        assert_eq!(error["data"]["code"], "twin::request::lost", "{error}");
    }
    let again = count(&one);
    assert!(again.0 != first.0 && again.2 == 1, "{again:?}");
    assert_eq!(body_of(&kept.answer())["pid"], second.0);
    assert_eq!(count(&two), (second.0, "v1".to_owned(), 2));
    // The one that all requests of the modern era share is started again too.
    let shared = count(&behind.front.modern());
    process::kill(u32::try_from(shared.0).unwrap());
    let next = until("an answer of a new process", || {
        let answer = behind.front.modern().call("count", json!({})).answer();
        answer["result"].is_object().then(|| body_of(&answer))
    });
    assert_ne!(next["pid"], shared.0);
    assert_eq!(count(&two), (second.0, "v1".to_owned(), 3));
    assert_eq!(behind.project.status()["active"]["generation"], 1);
    behind.finish();
}

#[test]
fn a_session_that_no_process_takes_is_told_so_and_taken_by_the_next_code() {
    let behind = Behind::start(&[], &[("ERAS", json!(["legacy"])), ("BROKEN", json!("sessions"))]);
    let client = HttpClient::new(behind.front.url());
    let refused = client.initialize(json!({}));
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("3 processes in a row") && message.contains("fixture takes no session"), "{refused}");
    assert_eq!(behind.project.noted("began").len(), 4, "the first, and three for the session");
    behind.project.set("BROKEN", "\"\"");
    behind.project.until_status("a swap", |front| front["swaps"] == 1);
    assert_eq!(count(&behind.front.client()).1, "v1");
    behind.finish();
}

#[test]
fn a_session_that_is_over_leaves_no_process() {
    let behind = Behind::start(&["--session-idle", "2s"], &[]);
    let client = behind.front.client();
    let pid = u32::try_from(count(&client).0).unwrap();
    assert_eq!(client.delete(), 200);
    process::gone(pid);
    assert_eq!(client.send("ping", json!({})).status(), 404);
    let idle = behind.front.client();
    let pid = u32::try_from(count(&idle).0).unwrap();
    process::gone(pid);
    assert_eq!(idle.send("ping", json!({})).status(), 404);
    assert_eq!(behind.servers().len(), 1);
    behind.finish();
}

#[test]
fn nothing_outlives_a_killed_front_but_its_sessions() {
    let behind = Behind::start(&[], &[]);
    let client = behind.front.client();
    let before = count(&client);
    assert_eq!(count(&behind.front.modern()).2, 1);
    behind.front.kill();
    until("the end of all processes", || behind.servers().is_empty().then_some(()));
    let front = behind.project.serve(FLAGS);
    let again = HttpClient::new(front.url());
    again.set_session(client.session().as_deref());
    let after = count(&again);
    assert!(after.0 != before.0 && after.2 == 1, "{after:?}");
    assert_eq!(behind.project.status()["sessions"], 1);
    behind.project.finish_http(&front);
}

#[test]
fn a_server_that_ignores_what_it_does_not_know_is_opened_with_initialize() {
    let mut behind = Behind::start(&[], &[("MUTE", json!(1))]);
    let client = behind.front.client();
    assert_eq!(count(&client).1, "v1");
    assert_eq!(behind.front.modern().send("tools/list", json!({})).status(), 400);
    // The next one is not asked again.
    behind.swap();
    assert_eq!(count(&client).1, "v2");
    until("the end of the old processes", || (behind.servers().len() == 2).then_some(()));
    behind.finish();
}

#[test]
fn a_stubborn_process_is_ended_all_the_same() {
    let behind = Behind::start(&["--stop-term", "100ms"], &[("STUBBORN", json!(1))]);
    let client = behind.front.client();
    let pid = u32::try_from(count(&client).0).unwrap();
    assert_eq!(client.delete(), 200);
    process::gone(pid);
    let client = behind.front.client();
    assert_eq!(count(&client).2, 1);
    behind.finish();
}
