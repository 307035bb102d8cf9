//! A server over stdio behind a front over HTTP: a process for each session, one for all requests of the modern era, and
//! what becomes of them at a swap, at a broken save, at a rollback and at a death.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "http_stdio/faults.rs"]
mod faults;
#[path = "http_stdio/sdk.rs"]
mod sdk;

use mcp_twin_tests::client::body_of;
use mcp_twin_tests::{HttpClient, Project, Served, Server, until};
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
fn a_session_is_told_of_the_code_that_waits_and_is_taken_by_it() {
    let behind = Behind::start(&["--promote", "manual"], &[]);
    let open = behind.front.client();
    let before = count(&open);
    behind.project.save_version("v2");
    behind.project.until_status("verified code", |front| front["standby_stage"] == "verified");
    let late = behind.front.client();
    let refused = late.call("count", json!({})).answer();
    assert!(refused["error"]["message"].as_str().unwrap().contains("is verified and waits"), "{refused}");
    assert_eq!(refused["error"]["data"]["help"], "`mcp-twin swap` lets it serve");
    assert_eq!(count(&open), (before.0, "v1".to_owned(), 2));
    assert_eq!(behind.project.cli(&["swap"]).status, 0);
    assert_eq!((count(&late).1, count(&open).1), ("v2".to_owned(), "v2".to_owned()));
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
