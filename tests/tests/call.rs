//! `mcp-twin call`: a tool of the serving twin or of the standby, beside the clients, which notice nothing.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::led::{Led, Pair};
use mcp_twin_tests::talker::Sdk;
use mcp_twin_tests::{Http, Project, Server, until};
use serde_json::{Value, json};

/// New code waits for a `swap`, and nothing else is started.
const MANUAL: &[&str] = &["--promote", "manual", "--bake", "0s"];
/// The same over HTTP.
const MANUAL_HTTP: &[&str] =
    &["--promote", "manual", "--bake", "0s", "--settle", "0s", "--standby", "on-demand", "--watch-quiet", "20ms"];

/// What `whoami` answers to a call under this key.
fn whoami(project: &Project, flags: &[&str], key: &str) -> Value {
    let arguments = json!({ "key": key }).to_string();
    let report = project.cli(&[&["call"], flags, &["whoami", &arguments]].concat()).with_status(0);
    serde_json::from_str(&report.stdout).unwrap_or_else(|error| panic!("{error}: {report:?}"))
}

/// The standby is called before the swap, and is the one that serves after it; each call runs once, and there alone.
fn standby_and_active(project: &Project) {
    let old = whoami(project, &[], "active-1");
    assert_eq!(old["version"], "v1");
    let none = project.cli(&["call", "whoami", "--standby", "--json"]).with_status(4);
    assert_eq!(none.values()[0]["error"]["code"], "twin::call::no_standby", "{none:?}");
    project.save_version("v2");
    let _ = project.until_status("a standby that waits", |front| front["standby_stage"] == "verified");
    let new = whoami(project, &["--standby"], "standby");
    assert_eq!(new["version"], "v2");
    assert_eq!(whoami(project, &[], "active-2")["pid"], old["pid"]);
    let _ = project.cli(&["swap"]).with_status(0);
    let serving = whoami(project, &[], "active-3");
    assert_eq!((&serving["version"], &serving["pid"]), (&json!("v2"), &new["pid"]));
    for (key, twin) in [("active-1", &old), ("standby", &new), ("active-2", &old), ("active-3", &new)] {
        let runs = project.record().by_key().remove(key).unwrap();
        assert_eq!(runs.iter().map(|run| json!(run.pid)).collect::<Vec<_>>(), [twin["pid"].clone()], "{key}");
    }
}

fn over_stdio(pair: Pair) {
    let mut led = Led::over_stdio(pair, MANUAL);
    standby_and_active(&led.project);
    // The client's own session goes on, in order.
    let mine = led.ask("call whoami", "mine");
    assert_eq!(mine["version"], "v2");
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

#[test]
fn a_server_over_http_needs_no_client() {
    without_a_client(Server::Http(Http::PythonOpen), MANUAL_HTTP);
}

#[test]
fn a_server_over_stdio_behind_http_needs_no_client() {
    without_a_client(Server::PythonOpen, &[&["--stdio"], MANUAL_HTTP].concat());
}

fn without_a_client(server: Server, flags: &[&str]) {
    let project = Project::new(server);
    let front = project.serve(flags);
    let _ = project.until_status("a front that serves", |front| front["state"] == "serving");
    standby_and_active(&project);
    let _ = project.cli(&["stop"]).with_status(0);
    assert!(front.exit_status().success());
    project.nothing_left();
}

#[test]
fn what_a_tool_and_a_server_say_decides_the_exit_status() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let echo = project.cli(&["call", "echo", r#"{"text":"two\nlines"}"#]).with_status(0);
    assert_eq!((echo.stdout.as_str(), echo.stderr.as_str()), ("two\nlines\n", ""));
    let fails = project.cli(&["call", "fail"]).with_status(1);
    assert!(fails.stdout.contains("this tool always fails"), "{fails:?}");
    let unknown = project.cli(&["call", "nothing"]).with_status(1);
    assert!(unknown.stderr.contains("no such tool: nothing"), "{unknown:?}");
    let document = project.cli(&["call", "fail", "--json"]).with_status(1).values().remove(0);
    assert_eq!((&document["result"]["isError"], &document["twin"]["generation"]), (&json!(true), &json!(1)));
    let wrong = project.cli(&["call", "echo", "[1]"]).with_status(2);
    assert!(wrong.stderr.contains("a JSON object"), "{wrong:?}");
    project.finish(&client);
}

#[test]
fn a_call_that_takes_too_long_is_given_up_and_the_client_goes_on() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let slow = json!({"ms": 600_000, "key": "slow"}).to_string();
    let late = project.cli(&["call", "work", &slow, "--timeout", "300ms", "--json"]).with_status(4);
    assert_eq!(late.values()[0]["error"]["code"], "twin::request::timeout", "{late:?}");
    assert!(project.record().of("slow").is_some());
    assert_eq!(client.version(), "v1");
    project.finish(&client);
}

#[test]
fn a_server_that_dies_of_a_call_is_told_and_its_client_goes_on() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let crash = project.cli(&["call", "crash", "--json"]).with_status(4);
    let error = &crash.values()[0]["error"];
    assert_eq!(error["code"], "twin::request::lost", "{crash:?}");
    assert!(error["message"].as_str().unwrap().contains("fixture: crashing as asked"), "{crash:?}");
    client.until_version("v1");
    project.finish(&client);
}

#[test]
fn a_call_in_flight_keeps_its_twin_over_a_swap() {
    let mut led = Led::over_stdio(
        Pair(Server::PythonOpen, Sdk::PythonLegacy, "2025-11-25"),
        &["--bake", "0s", "--keep-old", "0s"],
    );
    let project = &led.project;
    let answer = std::thread::scope(|scope| {
        let called = scope.spawn(|| {
            let report = project.cli(&["call", "late", r#"{"key":"over"}"#]).with_status(0);
            serde_json::from_str::<Value>(&report.stdout).unwrap()
        });
        until("the call", || project.record().of("over").map(drop));
        project.save_version("v2");
        let _ = project.until_status("a swap", |front| front["swaps"] == 1);
        project.open_gate("over");
        called.join().unwrap()
    });
    assert_eq!(answer["version"], "v1");
    led.new.version = "v2".to_owned();
    assert_eq!(led.ask("call whoami", "after")["version"], "v2");
    led.old_ends();
    led.finish(&[]);
}

#[test]
fn of_two_fronts_one_has_to_be_named() {
    let project = Project::new(Server::Plain);
    let clients = [project.open(), project.open()];
    let which = project.cli(&["call", "version"]).with_status(2);
    assert!(which.stderr.contains("2 fronts serve this server; which one?"), "{which:?}");
    let fronts = project.fronts();
    let id = fronts[1]["front"].as_str().unwrap();
    let document = project.cli(&["call", "version", "--front", id, "--json"]).with_status(0).values().remove(0);
    assert_eq!((&document["front"], &document["result"]["content"][0]["text"]), (&json!(id), &json!("v1")));
    for client in &clients {
        assert!(client.close().success());
    }
    project.nothing_left();
}

#[test]
fn before_the_client_has_opened_its_session_there_is_none_to_call_in() {
    let project = Project::new(Server::Plain);
    let client = project.run(&[]);
    let _ = project.until_status("a front", |front| front["active"].is_object() || front["standby"].is_object());
    let early = project.cli(&["call", "version", "--json"]).with_status(4);
    let code = early.values()[0]["error"]["code"].as_str().unwrap().to_owned();
    assert!(["twin::call::not_opened", "twin::down"].contains(&code.as_str()), "{early:?}");
    client.open();
    assert_eq!(client.version(), "v1");
    assert_eq!(project.cli(&["call", "version"]).with_status(0).stdout, "v1\n");
    project.finish(&client);
}
