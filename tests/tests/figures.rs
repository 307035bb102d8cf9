//! What `status` says of calls and of what twins take, over stdio and HTTP.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Http, Project, Server};
use serde_json::{Value, json};

/// Calls, results with `isError`, refusals, failures.
fn ends(front: &Value) -> [u64; 4] {
    ["calls", "tool_errors", "refused", "failed"].map(|name| front["figures"][name].as_u64().unwrap())
}

fn assert_took(front: &Value) {
    let figures = &front["figures"];
    let (p50, p99) = (figures["p50_us"].as_u64().unwrap(), figures["p99_us"].as_u64().unwrap());
    assert!(p50 <= p99 && p99 < 60_000_000, "{figures}");
    let twin = &front["active"];
    assert!((1 << 20..4 << 30).contains(&twin["memory"].as_u64().unwrap()), "{twin}");
    assert!(twin["processes"].as_u64().unwrap() >= 1 && twin["cpu_ms"].as_u64().is_some(), "{twin}");
}

#[test]
fn calls_over_stdio_are_counted_over_a_swap() {
    let project = Project::new(Server::PythonSdk);
    let client = project.open();
    let before = ends(&project.status());
    for _ in 0..5 {
        let _ = client.version();
    }
    assert_eq!(client.answer(&client.call("fail", json!({})))["result"]["isError"], true);
    let _ = client.tools();
    let of = |front: &Value| -> [u64; 4] { std::array::from_fn(|at| ends(front)[at] - before[at]) };
    let front = project.status();
    assert_eq!(of(&front), [6, 1, 0, 0]);
    assert_took(&front);
    project.save_version("v2");
    client.until_version("v2");
    let front = project.until_status("two twins that take something", |front| {
        front["active"]["memory"].is_u64() && front["previous"]["memory"].is_u64()
    });
    assert!(of(&front)[0] > 6, "the sums go on: {front}");
    let text = project.cli(&["status"]).with_status(0).stdout;
    assert!(text.contains("1 with isError | p50") && text.contains("Memory:"), "{text}");
    project.finish(&client);
}

#[test]
fn a_call_that_dies_with_its_server_has_failed() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let before = ends(&project.status());
    assert!(client.answer(&client.call("nothing", json!({})))["error"].is_object());
    assert!(client.answer(&client.call("crash", json!({})))["error"].is_object());
    let after = ends(&project.status());
    assert_eq!([after[0] - before[0], after[2] - before[2], after[3] - before[3]], [2, 1, 1]);
    project.finish(&client);
}

fn over_http(server: Server, flags: &[&str]) {
    let project = Project::new(server);
    let front = project.serve(flags);
    let clients = [front.client(), front.client()];
    for client in &clients {
        for _ in 0..3 {
            assert_eq!(client.version(), "v1");
        }
    }
    let status = project.status();
    assert_eq!((ends(&status), &status["sessions"]), ([6, 0, 0, 0], &json!(2)), "{status}");
    assert_took(&status);
    // A session that has ended takes none of its calls with it.
    let [first, second] = clients;
    assert_eq!(first.delete(), 200);
    let modern = project.server().modern().then(|| front.modern());
    if let Some(modern) = &modern {
        assert_eq!(modern.version(), "v1");
    }
    assert_eq!(second.version(), "v1");
    let status = project.status();
    assert_eq!((ends(&status)[0], &status["sessions"]), (7 + u64::from(modern.is_some()), &json!(1)), "{status}");
    project.finish_http(&front);
}

#[test]
fn calls_over_http_are_counted_for_all_sessions_together() {
    over_http(Server::Http(Http::PythonSdk), &[]);
}

#[test]
fn calls_to_processes_behind_http_are_counted_and_all_of_them_are_weighed() {
    over_http(Server::PythonSdk, &["--stdio"]);
}
