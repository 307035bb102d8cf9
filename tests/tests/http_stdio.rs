//! A server over stdio behind a front over HTTP: a process for each session, one for all requests of the modern era, and
//! what becomes of them at a swap, at a broken save, at a rollback and at a death.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::body_of;
use mcp_twin_tests::led::{Led, Pair};
use mcp_twin_tests::talker::{Sdk, Talker};
use mcp_twin_tests::{HttpClient, Project, Served, Server, tools, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Saves count and take over without a rest.
const FLAGS: &[&str] = &["--stdio", "--settle", "0s", "--bake", "0s", "--breaking", "warn", "--watch-quiet", "20ms"];

/// The old twin is kept for a rollback; else it ends as soon as it owes nothing.
const KEEP: &[&str] = &["--keep-old", "5m"];
const KEEP_NOTHING: &[&str] = &["--keep-old", "0s"];

/// A front over a server that is edited.
struct Behind {
    project: Project,
    front: Served,
    swaps: usize,
}

impl Behind {
    fn start(flags: &[&str], constants: &[(&str, Value)]) -> Self {
        let project = Project::new(Server::Pipe);
        project.set_all(constants);
        let kept = if flags == KEEP { &[] } else { KEEP_NOTHING };
        let front = project.serve(&[FLAGS, kept, flags].concat());
        // What is saved from now on is a change.
        project.until_status("a server", |front| front["active"].is_object());
        Self { project, front, swaps: 0 }
    }

    /// Saves the next version and waits until it serves.
    fn swap(&mut self) {
        self.swaps += 1;
        self.project.save_version(&format!("v{}", self.swaps + 1));
        self.project.until_status("a swap", |front| front["swaps"] == self.swaps);
    }

    /// Waits until a call runs.
    fn begun(&self, key: &str) {
        until(&format!("the call {key}"), || self.project.record().of(key).map(drop));
    }

    /// Processes of the server.
    fn servers(&self) -> BTreeSet<u32> {
        let of_server = self.project.processes().into_iter().filter(|seen| seen.command.contains("server.py"));
        of_server.filter(|seen| !seen.command.contains("mcp-twin")).map(|seen| seen.pid).collect()
    }

    fn finish(&self) {
        self.project.finish_http(&self.front);
    }
}

/// Process, version and count of the process that answers.
fn count(client: &HttpClient) -> (u64, String, u64) {
    let body = client.body("count", json!({}));
    (body["pid"].as_u64().unwrap(), body["version"].as_str().unwrap().to_owned(), body["count"].as_u64().unwrap())
}

#[test]
fn each_session_has_a_process_and_state_of_its_own() {
    let behind = Behind::start(&[], &[]);
    let (one, two) = (behind.front.client(), behind.front.client());
    let (first, second) = (count(&one), count(&two));
    assert_ne!(first.0, second.0);
    assert_eq!((first.2, second.2), (1, 1));
    assert_eq!((count(&one), count(&one)), ((first.0, "v1".to_owned(), 2), (first.0, "v1".to_owned(), 3)));
    assert_eq!(count(&two), (second.0, "v1".to_owned(), 2));
    // Those of the two sessions, and the one that carries the modern era.
    assert_eq!(behind.servers().len(), 3);
    let status = behind.project.status();
    assert_eq!(
        (&status["transport"], &status["stdio_twins"], &status["sessions"]),
        (&json!("http"), &json!(true), &json!(2))
    );
    behind.finish();
}

#[test]
fn a_swap_in_the_middle_of_calls_loses_none_and_runs_none_twice() {
    for eras in [json!(["legacy"]), json!(["legacy", "modern"])] {
        let mut behind = Behind::start(&[], &[("ERAS", eras)]);
        let clients = [behind.front.client(), behind.front.client()];
        for round in 1..=3 {
            let before: Vec<u64> = clients.iter().map(|client| count(client).0).collect();
            let keys: Vec<String> = (0..clients.len()).map(|of| format!("old-{round}-{of}")).collect();
            let mut open: Vec<_> =
                clients.iter().zip(&keys).map(|(client, key)| client.call("late", json!({"key": key}))).collect();
            keys.iter().for_each(|key| behind.begun(key));
            behind.swap();
            for (client, old) in clients.iter().zip(&before) {
                let (pid, version, counted) = count(client);
                assert_eq!((version, counted), (format!("v{}", round + 1), 1));
                assert_ne!(pid, *old);
            }
            keys.iter().for_each(|key| behind.project.open_gate(key));
            for ((exchange, key), old) in open.iter_mut().zip(&keys).zip(&before) {
                let body = body_of(&exchange.answer());
                assert_eq!((&body["pid"], &body["version"]), (&json!(old), &json!(format!("v{round}"))), "{body}");
                assert_eq!(behind.project.record().of(key).unwrap().pid, *old);
            }
        }
        // The old processes owe nothing any more.
        until("the end of the old processes", || (behind.servers().len() == 3).then_some(()));
        behind.finish();
    }
}

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
fn a_rollback_brings_sessions_back_to_what_they_had() {
    let mut behind = Behind::start(KEEP, &[]);
    let clients = [behind.front.client(), behind.front.client()];
    let before: Vec<_> = clients.iter().map(count).collect();
    behind.swap();
    // One goes along, the other one has nothing to do.
    assert_eq!(count(&clients[0]).1, "v2");
    assert_eq!(behind.project.cli(&["rollback"]).status, 0);
    for (client, before) in clients.iter().zip(before) {
        assert_eq!(count(client), (before.0, "v1".to_owned(), 2));
    }
    // The files hold what was left: there is no more of the old code to be started.
    let late = behind.front.client();
    let refused = late.call("count", json!({})).answer();
    assert!(refused["error"]["message"].as_str().unwrap().contains("was rolled back"), "{refused}");
    behind.project.save_version("v3");
    behind.project.until_status("the next code", |front| front["active"]["generation"] == 3);
    for client in clients.iter().chain([&late]) {
        assert_eq!(count(client).1, "v3");
    }
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
fn requests_of_the_modern_era_share_a_process() {
    let mut behind = Behind::start(&[], &[]);
    let (one, two) = (behind.front.modern(), behind.front.modern());
    let first = count(&one);
    assert_eq!(count(&two), (first.0, "v1".to_owned(), 2));
    assert_eq!(behind.servers().len(), 1);
    let steps = json!({"name": "steps", "arguments": {"ms": 0}, "_meta": {"progressToken": "mine"}});
    let [mut here, mut there] = [&one, &two].map(|client| client.send_as(json!("same"), "tools/call", steps.clone()));
    for exchange in [&mut here, &mut there] {
        assert_eq!(exchange.answer()["id"], "same");
        let tokens: Vec<_> = exchange.said().iter().filter_map(|said| said["params"].get("progressToken")).collect();
        assert_eq!(tokens, [&json!("mine"); 3]);
    }
    // A listen over a swap.
    let mut listen = one.send("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
    assert_eq!(listen.told()["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(two.text("changed", json!({})), "v1");
    assert_eq!(listen.told()["method"], "notifications/tools/list_changed");
    let old = two.work(60_000, "left");
    behind.begun("left");
    behind.swap();
    let second = count(&one);
    assert_eq!((second.1.as_str(), second.2), ("v2", 1));
    assert_eq!(two.text("changed", json!({})), "v2");
    assert_eq!(listen.told()["method"], "notifications/tools/list_changed");
    assert_eq!(listen.next(mcp_twin_tests::client::QUIET), mcp_twin_tests::http_client::Next::Nothing);
    // The end of a POST cancels it, at the code that has it; then that one owes nothing.
    drop(old);
    until("the cancellation", || (behind.project.noted("cancelled") == ["left"]).then_some(()));
    mcp_twin_tests::process::gone(u32::try_from(first.0).unwrap());
    assert_eq!(behind.servers().len(), 1);
    behind.finish();
}

#[test]
fn what_the_server_asks_reaches_the_session_that_it_is_about() {
    let mut behind = Behind::start(&[], &[]);
    let (one, two) = (behind.front.client(), behind.front.client());
    let ask = |client: &HttpClient| client.call("ask", json!({"method": "sampling/createMessage"}));
    // On the call's own stream where nobody listens, and on the GET where somebody does.
    let (mut first, mut second) = (ask(&one), ask(&two));
    let (asked, other) = (first.told(), second.told());
    assert_eq!(
        (&asked["method"], &other["method"]),
        (&json!("sampling/createMessage"), &json!("sampling/createMessage"))
    );
    behind.swap();
    two.reply(&other["id"], json!({"of": "two"}));
    one.reply(&asked["id"], json!({"of": "one"}));
    for (exchange, of) in [(&mut first, "one"), (&mut second, "two")] {
        assert_eq!(exchange.answer()["result"]["content"][0]["text"], format!("{{\"of\": \"{of}\"}}"));
    }
    let mut stream = one.get();
    assert_eq!(stream.status(), 200);
    let mut call = ask(&one);
    let asked = stream.told();
    assert_eq!(asked["method"], "sampling/createMessage");
    one.reply(&asked["id"], json!({"on": "the stream"}));
    assert_eq!(call.answer()["result"]["content"][0]["text"], "{\"on\": \"the stream\"}");
    let steps = json!({"name": "steps", "arguments": {"ms": 0}, "_meta": {"progressToken": 7}});
    let mut steps = one.send("tools/call", steps);
    let _ = steps.answer();
    assert_eq!(steps.said().len(), 3, "progress belongs to its request: {:?}", steps.said());
    assert_eq!(one.text("changed", json!({})), "v2");
    assert_eq!(stream.told()["method"], "notifications/tools/list_changed");
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
    mcp_twin_tests::process::kill(u32::try_from(first.0).unwrap());
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
    mcp_twin_tests::process::kill(u32::try_from(shared.0).unwrap());
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
    let behind = Behind::start(&["--session-idle", "300ms"], &[]);
    let client = behind.front.client();
    let pid = u32::try_from(count(&client).0).unwrap();
    assert_eq!(client.delete(), 200);
    mcp_twin_tests::process::gone(pid);
    assert_eq!(client.send("ping", json!({})).status(), 404);
    let idle = behind.front.client();
    let pid = u32::try_from(count(&idle).0).unwrap();
    mcp_twin_tests::process::gone(pid);
    assert_eq!(idle.send("ping", json!({})).status(), 404);
    assert_eq!(behind.servers().len(), 1);
    behind.finish();
}

#[test]
fn there_are_no_more_sessions_than_allowed() {
    let behind = Behind::start(&["--max-sessions", "2"], &[]);
    let clients = [behind.front.client(), behind.front.client()];
    let streams = [clients[0].get(), clients[1].get()];
    let third = HttpClient::new(behind.front.url());
    let params =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
    let mut refused = third.send("initialize", params);
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.head().header("retry-after"), Some("5"));
    drop(streams);
    assert_eq!(clients[0].delete(), 200);
    assert_eq!(count(&behind.front.client()).2, 1);
    behind.finish();
}

#[test]
fn the_front_answers_what_concerns_http() {
    let behind = Behind::start(&[], &[("MIRRORED", json!({"echo": {"text": "Text"}}))]);
    let modern = behind.front.modern();
    assert_eq!(modern.tools().len(), 13);
    let echo = json!({"name": "echo", "arguments": {"text": "é"}});
    let message = modern.message(Some(json!(7)), "tools/call", echo);
    let right = [
        ("Content-Type", "application/json"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "echo"),
        ("Mcp-Param-Text", "=?base64?w6k=?="),
    ];
    let post = |headers: &[(&str, &str)]| {
        let mut exchange = modern.raw("POST", headers, message.to_string().as_bytes());
        (exchange.status(), exchange.answer())
    };
    assert_eq!(post(&right).1["result"]["content"][0]["text"], "é");
    for at in 1..right.len() {
        for wrong in [None, Some("other")] {
            let mut headers = right.to_vec();
            match wrong {
                Some(value) => headers[at].1 = value,
                None => drop(headers.remove(at)),
            }
            let (status, answer) = post(&headers);
            assert_eq!((status, &answer["error"]["code"], &answer["id"]), (400, &json!(-32020), &json!(7)), "{answer}");
        }
    }
    let mut unknown = modern.send("no/such", json!({}));
    assert_eq!((unknown.status(), &unknown.answer()["error"]["code"]), (404, &json!(-32601)));
    let legacy = HttpClient::new(behind.front.url());
    let mut early = legacy.send("tools/list", json!({}));
    assert_eq!(early.status(), 400);
    assert!(early.body().contains("open a session with `initialize` first"));
    let elsewhere = HttpClient::new(&behind.front.url().replace("/mcp", "/other"));
    assert_eq!(elsewhere.send("ping", json!({})).status(), 404);
    assert_eq!((legacy.get().status(), legacy.delete()), (405, 400));
    behind.finish();
}

#[test]
fn a_server_of_one_era_refuses_the_other() {
    let behind = Behind::start(&[], &[("ERAS", json!(["legacy"]))]);
    let mut refused = behind.front.modern().send("server/discover", json!({}));
    assert_eq!(refused.status(), 400);
    let error = refused.answer()["error"].clone();
    assert_eq!((&error["code"], &error["data"]["supported"]), (&json!(-32022), &json!(["2025-11-25"])));
    assert_eq!(count(&behind.front.client()).2, 1);
    behind.finish();
    let behind = Behind::start(&[], &[("ERAS", json!(["modern"]))]);
    assert_eq!(HttpClient::new(behind.front.url()).initialize(json!({}))["error"]["code"], -32022);
    assert_eq!(count(&behind.front.modern()).2, 1);
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
fn under_handoff_all_processes_end_before_the_next_code_starts() {
    let mut behind = Behind::start(&["--strategy", "handoff"], &[]);
    let client = behind.front.client();
    let modern = behind.front.modern();
    let before = [count(&client).0, count(&modern).0];
    behind.swap();
    assert_eq!((count(&client).1, count(&modern).1), ("v2".to_owned(), "v2".to_owned()));
    let noted = std::fs::read_to_string(behind.project.root().with_file_name("shop.notes")).unwrap();
    let at =
        |line: String| noted.lines().position(|noted| noted == line).unwrap_or_else(|| panic!("{line} in {noted}"));
    let third = noted.lines().filter(|line| line.starts_with("began")).nth(2).unwrap().to_owned();
    for old in before {
        assert!(at(format!("ended {old}")) < at(third.clone()), "{noted}");
    }
    behind.finish();
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
    mcp_twin_tests::process::gone(pid);
    let client = behind.front.client();
    assert_eq!(count(&client).2, 1);
    behind.finish();
}

#[test]
fn how_a_server_is_spoken_to_is_remembered() {
    let project = Project::new(Server::Pipe);
    // A front over HTTP gives a server no input, which one over stdio takes for the end.
    let front = project.serve(&["--name", "shop"]);
    let said = front.until_said("before it listened");
    assert!(said.contains("serve it with --stdio"), "{said}");
    project.finish_http(&front);
    // What a stdio front has run is known to speak stdio.
    project.finish(&project.open_with(&["--name", "shop"]));
    let command = project.command();
    let start = [
        &["start", "shop", "--listen", "127.0.0.1:0", "--json", "--"][..],
        &command.iter().map(String::as_str).collect::<Vec<_>>(),
    ]
    .concat();
    let started = |arguments: &[&str]| {
        let report = project.cli(arguments);
        assert_eq!(report.status, 0, "{report:?}");
        let status = project.status();
        assert_eq!((&status["stdio_twins"], &status["server"]), (&json!(true), &json!("shop")), "{status}");
        let client = HttpClient::new(status["url"].as_str().unwrap());
        client.open();
        assert_eq!(count(&client).2, 1);
        assert!(project.cli(&["status"]).stdout.contains("over stdio, a process for each session"));
        assert_eq!(project.cli(&["stop", "shop"]).status, 0);
        project.nothing_left();
    };
    started(&start);
    started(&["start", "shop", "--listen", "127.0.0.1:0"]);
}

/// A client on an official SDK, over four swaps with a call in flight at each.
fn four_swaps(sdk: Sdk, protocol: &'static str) {
    let mut led = Led::over_http(Pair(Server::PythonOpen, sdk, protocol), &[FLAGS, KEEP_NOTHING].concat(), &[]);
    for number in 1..=4 {
        let old = format!("old-{number}");
        led.tell(&format!("call late {old}"));
        until(&format!("the call {old}"), || led.project.record().of(&old).map(drop));
        led.swap();
        led.project.open_gate(&old);
        let done = led.hear("done", &old);
        led.is_old(&done);
        led.old_ends();
    }
    led.finish(&[]);
}

#[test]
fn the_example_serves_a_python_client_over_four_swaps() {
    const WORK: &str = r#"def work(report, ms=0, key=None):
    time.sleep(ms / 1000)
    return json.dumps({"version": VERSION, "pid": os.getpid(), "key": key})


TEXT, NUMBER ="#;
    let project = Project::new(Server::Plain);
    let file = project.root().join("stdio-server.py");
    let example = std::fs::read_to_string(tools::root().join("examples/stdio-server.py")).unwrap();
    let row = r#"    "work": (work, "Work for a while", {"ms": NUMBER, "key": TEXT}, []),"#;
    let example = example.replacen("TEXT, NUMBER =", WORK, 1).replacen("TOOLS = {", &format!("TOOLS = {{\n{row}"), 1);
    let save = |version: &str| {
        let before = "VERSION = \"1.0.0\"";
        assert!(example.contains(before) && example.contains("def work") && example.contains(row));
        std::fs::write(&file, example.replacen(before, &format!("VERSION = {version:?}"), 1)).unwrap();
    };
    save("v1");
    let words = [tools::mcp_twin().display().to_string(), "serve".to_owned()].into_iter();
    let flags = [FLAGS, KEEP_NOTHING, &["--listen", "127.0.0.1:0", "--watch", "stdio-server.py", "--"]].concat();
    let words =
        words.chain(flags.into_iter().map(str::to_owned)).chain(["python3".to_owned(), file.display().to_string()]);
    let front = Served::front(&mut project.process(&words.collect::<Vec<_>>()));
    let mut client = Talker::connect(&project, Sdk::PythonLegacy, &["--in-flight", "4"], front.url());
    client.await_line("version v1");
    for version in ["v2", "v3", "v4", "v5"] {
        save(version);
        client.await_line(&format!("version {version}"));
    }
    let report = client.stop();
    assert_eq!(
        (&report["failed"], &report["calls"], &report["list_changed"]),
        (&json!([]), &report["ok"], &json!(0)),
        "{report}"
    );
    let answers = report["answers"].as_array().unwrap();
    let processes: BTreeSet<_> = answers.iter().map(|answer| answer[2].as_u64()).collect();
    assert_eq!(processes.len(), 5, "a process for each version: {report}");
    project.finish_http(&front);
}

#[test]
fn a_legacy_client_on_the_python_sdk_notices_no_swap() {
    four_swaps(Sdk::PythonLegacy, "2025-11-25");
}

#[test]
fn a_modern_client_on_the_python_sdk_notices_no_swap() {
    four_swaps(Sdk::PythonAuto, "2026-07-28");
}

#[test]
fn a_sampling_request_of_the_python_sdk_is_answered_to_the_old_code() {
    let pair = Pair(Server::PythonOpen, Sdk::PythonLegacy, "2025-11-25");
    let mut led = Led::over_http(pair, &[FLAGS, KEEP_NOTHING].concat(), &[]);
    led.tell("call sample old");
    let _ = led.hear("asked", "old");
    led.swap();
    led.tell("call sample new");
    let _ = led.hear("asked", "new");
    for key in ["new", "old"] {
        led.tell(&format!("answer {key} file:///of-{key}"));
        let done = led.hear("done", key);
        assert_eq!(done["said"], format!("file:///of-{key}"));
        if key == "new" { led.is_new(&done) } else { led.is_old(&done) }
    }
    led.old_ends();
    led.finish(&[("sampling/createMessage", 2)]);
}
