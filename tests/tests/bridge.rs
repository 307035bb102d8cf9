//! A client over stdio before a server over HTTP: `mcp-twin run --url`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::{body_of, text_of};
use mcp_twin_tests::http_client::MODERN;
use mcp_twin_tests::interop::judged;
use mcp_twin_tests::talker::{Sdk, Talker};
use mcp_twin_tests::{Client, Http, Id, PATIENCE, Project, Served, Server, process, until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn project(constants: &[(&str, &str)]) -> Project {
    let project = Project::new(Server::Http(Http::Plain));
    for (constant, value) in constants {
        project.set(constant, value);
    }
    project
}

/// A bare server, and an opened legacy client behind a bridge to it.
fn opened(constants: &[(&str, &str)]) -> (Project, Served, Client) {
    let project = project(constants);
    let served = project.bare_http();
    let client = project.bridge(served.url(), &[]);
    client.open();
    (project, served, client)
}

/// Ends the bridge as a client does, then the server; nothing stays.
fn finish(project: &Project, served: &Served, client: &Client) {
    let status = client.close();
    assert!(status.success(), "the bridge ended with {status}; {}", client.plight());
    client.books().assert_clean();
    assert!(served.terminate().success());
    project.nothing_left();
}

/// A request of the modern era.
fn modern(client: &Client, method: &str, mut params: Value) -> Id {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    client.request(method, params)
}

fn modern_call(client: &Client, tool: &str, arguments: Value) -> Id {
    modern(client, "tools/call", json!({"name": tool, "arguments": arguments}))
}

fn begun(project: &Project, key: &str) {
    until(&format!("the call `{key}`"), || project.record().of(key).map(drop));
}

/// An SDK's client over stdio calls through five swaps of the server behind `mcp-twin serve`.
fn swapped_under(sdk: Sdk, protocol: &str) {
    let project = project(&[]);
    // Twins' ports are made of the name: those of other tests, in other state directories, are unknown to this front.
    let name = format!("bridge-{sdk:?}-{}", std::process::id()).to_lowercase();
    let front = project.serve(&["--settle", "0", "--name", &name]);
    let command = project.bridge_command(front.url(), &[]);
    let mut talker = Talker::start(&project, sdk, &["--in-flight", "6", "--ms", "25"], &command);
    talker.await_line("version v1");
    for swap in 1..=5 {
        let version = format!("v{}", swap + 1);
        project.replace_version(&version, if swap == 3 { &["fresh"] } else { &[] });
        talker.await_line(&format!("version {version}"));
    }
    talker.await_line("changed");
    let row = judged(&project, &talker.stop());
    assert!(row.flawless() && row.swaps == 5 && row.protocol == protocol && row.told == Some(1), "{row:?}");
    project.finish_http(&front);
}

#[test]
fn python_modern_calls_through_swaps() {
    swapped_under(Sdk::PythonAuto, MODERN);
}

#[test]
fn python_legacy_calls_through_swaps() {
    swapped_under(Sdk::PythonLegacy, "2025-11-25");
}

#[test]
fn typescript_legacy_calls_through_swaps() {
    swapped_under(Sdk::TypeScript, "2025-11-25");
}

#[test]
fn typescript_modern_calls_through_swaps() {
    swapped_under(Sdk::TypeScript2Auto, MODERN);
}

#[test]
fn answers_come_as_json_and_as_events_in_both_eras() {
    for answers in ["json", "sse", "auto"] {
        let (project, served, client) = opened(&[("ANSWERS", &format!("{answers:?}"))]);
        let slow = client.work(300, "slow");
        let text =
            client.request_as(json!("a/\"b"), "tools/call", json!({"name": "echo", "arguments": {"text": "é\n"}}));
        assert_eq!(text_of(&client.answer(&text)).as_deref(), Some("é\n"));
        assert_eq!(client.text("big", json!({"bytes": 3_000_000})).len(), 3_000_000);
        let call = modern_call(&client, "work", json!({"ms": 1, "key": "modern"}));
        assert_eq!(body_of(&client.answer(&call))["key"], "modern");
        assert_eq!(body_of(&client.answer(&slow))["key"], "slow");
        let refused = client.answer(&modern(&client, "no/such", json!({})));
        assert_eq!(refused["error"]["code"], -32601, "{refused}");
        finish(&project, &served, &client);
        assert_eq!(project.noted("deleted"), project.noted("opened"));
    }
}

#[test]
fn the_server_is_heard_on_both_streams_and_answered() {
    let (project, served, client) = opened(&[("LISTS", "[\"tools\", \"resources\"]")]);
    client.inbox().reply_with("roots/list", json!({"roots": [{"uri": "file:///here"}]}));
    for on in ["call", "get"] {
        let text = client.text("ask", json!({"method": "roots/list", "on": on}));
        assert!(text.contains("file:///here"), "{on}: {text}");
    }
    let _ = client.ask("resources/subscribe", json!({"uri": "fixture://a"}));
    let _ = client.text("updated", json!({"uri": "fixture://a"}));
    client.until_notified("notifications/resources/updated", 1);
    let steps = json!({"name": "steps", "arguments": {"ms": 30}, "_meta": {"progressToken": 7}});
    let _ = client.answer(&client.request("tools/call", steps));
    client.until_notified("notifications/progress", 3);
    let filter = json!({"notifications": {"toolsListChanged": true}});
    let listen = modern(&client, "subscriptions/listen", filter);
    client.until_notified("notifications/subscriptions/acknowledged", 1);
    let _ = client.text("changed", json!({"list": "tools"}));
    // One on the GET of the session, one on the subscription.
    client.until_notified("notifications/tools/list_changed", 2);
    assert!(client.close().success());
    let books = client.books();
    assert_eq!(
        (books.open, books.strays.len()),
        (vec![listen], 0),
        "a subscription that ends with its client is owed nothing"
    );
    assert!(served.terminate().success());
    project.nothing_left();
}

#[test]
fn a_stream_that_ended_before_its_answer_is_taken_up_again() {
    let (project, served, client) = opened(&[]);
    for leave in ["end", "cut"] {
        let call = client.call("work", json!({"ms": 300, "key": leave, "leave": leave}));
        assert_eq!(body_of(&client.answer(&call))["key"], leave);
        assert!(project.record().of(leave).is_some());
    }
    assert_eq!(project.noted("resumed").len(), 2);
    // Nothing to go on from: one error, which says what may have happened.
    let call = modern_call(&client, "work", json!({"ms": 300, "key": "modern", "leave": "cut"}));
    let lost = client.answer(&call);
    assert_eq!(lost["error"]["data"]["code"], "twin::request::lost", "{lost}");
    assert!(lost["error"]["message"].as_str().unwrap().contains("may have been carried out"), "{lost}");
    finish(&project, &served, &client);
}

#[test]
fn a_forgotten_session_is_opened_again_and_told_what_the_old_one_knew() {
    for unknown in ["404", "400"] {
        let (project, served, client) =
            opened(&[("UNKNOWN_SESSION", unknown), ("LISTS", "[\"tools\", \"resources\"]")]);
        let _ = client.ask("logging/setLevel", json!({"level": "error"}));
        for uri in ["fixture://a", "fixture://b"] {
            let _ = client.ask("resources/subscribe", json!({"uri": uri}));
        }
        let _ = client.ask("resources/unsubscribe", json!({"uri": "fixture://b"}));
        for round in 1..=3 {
            let _ = client.text("forget", json!({}));
            let calls: Vec<Id> = (0..8).map(|call| client.work(1, &format!("{round}-{call}"))).collect();
            for (call, id) in calls.iter().enumerate() {
                assert_eq!(body_of(&client.answer(id))["key"], format!("{round}-{call}"));
            }
            let seen: Value = serde_json::from_str(&client.text("seen", json!({}))).unwrap();
            assert_eq!((&seen["level"], &seen["uris"]), (&json!("error"), &json!(["fixture://a"])), "{seen}");
            // It listens again, too.
            let stream = || client.text("seen", json!({})).contains("\"streams\": 1").then_some(());
            until("the stream of the new session", stream);
            let _ = client.text("updated", json!({"uri": "fixture://a"}));
            client.until_notified("notifications/resources/updated", round);
        }
        assert_eq!(project.noted("opened").len(), 4, "one opening for each time that the server forgot");
        finish(&project, &served, &client);
        assert_eq!(project.noted("deleted"), project.noted("opened")[3..]);
    }
}

#[test]
fn a_server_that_is_down_is_waited_for() {
    let project = project(&[]);
    let first = project.bare_http();
    let url = first.url().to_owned();
    let port = url.trim_start_matches("http://127.0.0.1:").trim_end_matches("/mcp").to_owned();
    let again = || {
        let words: Vec<String> = project.command().iter().map(|word| word.replace("{port}", &port)).collect();
        Served::bare(&mut project.process(&words))
    };
    assert!(first.terminate().success());

    let client = project.bridge(&url, &["--hold", "35s"]);
    let info = json!({"name": "mcp-twin-tests", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
    let opening = client.request("initialize", params);
    let served = again();
    assert!(client.answer(&opening)["result"].is_object());
    client.notify("notifications/initialized", json!({}));
    let _ = client.version();
    // Down within the session: what comes meanwhile is held, and the next process knows nothing of the session.
    served.kill();
    let held = client.work(1, "held");
    let served = again();
    let answer = client.answer(&held);
    assert_eq!(body_of(&answer)["pid"], served.pid(), "{answer}");
    finish(&project, &served, &client);
}

#[test]
fn a_server_that_is_not_there_is_one_clear_error() {
    let project = project(&[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", closed.local_addr().unwrap());
    drop(closed);
    let client = project.bridge(&url, &["--hold", "200ms"]);
    let answer = client.ask("ping", json!({}));
    assert_eq!(answer["error"]["data"]["code"], "twin::down", "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains(&url) && message.contains("0.2 s") && message.contains("not delivered"), "{message}");
    assert!(answer["error"]["data"]["help"].as_str().unwrap().contains("start the server"), "{answer}");
    assert!(client.close().success());
    client.books().assert_clean();
    project.nothing_left();
}

/// A server that answers every request with these bytes, and closes the connection.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut seen = Vec::new();
            let mut chunk = [0; 4096];
            // The messages of these tests are small, and end with a brace.
            while !seen.ends_with(b"}") {
                match stream.read(&mut chunk) {
                    Ok(1..) => seen.extend(chunk.iter().take_while(|byte| **byte != 0)),
                    _ => break,
                }
                chunk = [0; 4096];
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn refusals_and_nonsense_of_http_are_one_error_each() {
    let project = project(&[]);
    for (answer, code, said) in [
        (
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 5\r\n\r\nlogin",
            "twin::request::http_status",
            "401 Unauthorized: login",
        ),
        (
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: /mcp/\r\ncontent-length: 0\r\n\r\n",
            "twin::request::http_status",
            "307 Temporary Redirect to /mcp/",
        ),
        ("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", "twin::request::lost", "202"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", "twin::request::lost", "<html>"),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}\n\n",
            "twin::request::lost",
            "stream ended",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{\"jsonrpc\"", "twin::request::lost", "could not be read"),
        ("nonsense", "twin::request::lost", "connection broke"),
    ] {
        let client = project.bridge(&answering(answer), &[]);
        let got = client.answer(&client.call("version", json!({})));
        assert_eq!(got["error"]["data"]["code"], code, "{answer}: {got}");
        assert!(got["error"]["message"].as_str().unwrap().contains(said), "{answer}: {got}");
        assert!(client.close().success());
        client.books().assert_clean();
    }
    // A refusal in JSON-RPC passes as it is, under the id of its request.
    let refusal = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 74\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"not ready\"}}  ";
    let client = project.bridge(&answering(refusal), &[]);
    let got = client.answer(&client.call("version", json!({})));
    assert_eq!(got["error"], json!({"code": -32000, "message": "not ready"}));
    assert!(client.close().success());
    project.nothing_left();
}

#[test]
fn what_the_client_sends_wrongly_is_refused_and_the_session_goes_on() {
    let (project, served, client) = opened(&[]);
    client
        .send_bytes(b"{broken\n[]\n7\n\"x\"\n{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}\n\xff\xfe\n\n  \r\n");
    let slow =
        client.request_as(json!(5), "tools/call", json!({"name": "work", "arguments": {"ms": 400, "key": "slow"}}));
    client.send_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"id\":5}\n");
    assert_eq!(body_of(&client.answer(&slow))["key"], "slow");
    assert_eq!(client.version(), "v1");
    until("the refusals", || (client.books().strays.len() == 8).then_some(()));
    for stray in client.books().strays {
        let stray: Value = serde_json::from_str(&stray).unwrap();
        assert_eq!(stray["id"], Value::Null, "{stray}");
        assert!(matches!(stray["error"]["code"].as_i64(), Some(-32700 | -32600)), "{stray}");
    }
    assert!(client.close().success());
    assert!(served.terminate().success());
    project.nothing_left();
}

#[test]
fn a_line_that_is_too_large_is_refused_under_its_id() {
    let project = project(&[]);
    let served = project.bare_http();
    let client = project.bridge(served.url(), &["--max-message", "64KiB"]);
    client.open();
    let large = client.call("echo", json!({"text": "x".repeat(100_000)}));
    assert_eq!(client.answer(&large)["error"]["data"]["code"], "twin::message::too_large");
    let answer = client.answer(&client.call("big", json!({"bytes": 100_000})));
    assert_eq!(answer["error"]["data"]["code"], "twin::request::lost", "{answer}");
    assert_eq!(client.version(), "v1");
    finish(&project, &served, &client);
}

#[test]
fn a_cancellation_reaches_the_server_in_the_way_of_its_era() {
    let (project, served, client) = opened(&[]);
    let legacy = client.work(30_000, "legacy");
    let modern = modern_call(&client, "work", json!({"ms": 30_000, "key": "modern"}));
    begun(&project, "legacy");
    begun(&project, "modern");
    for id in [&modern, &legacy] {
        let number: Value = serde_json::from_str(&id.to_string()).unwrap();
        client.notify("notifications/cancelled", json!({"requestId": number}));
    }
    until("both cancellations", || (project.noted("cancelled").len() == 2).then_some(()));
    client.notify("notifications/cancelled", json!({"requestId": "unknown"}));
    assert_eq!(client.version(), "v1");
    let begin = Instant::now();
    assert!(client.close().success());
    assert!(begin.elapsed() < Duration::from_secs(15), "what was cancelled is not waited for");
    let books = client.books();
    assert_eq!((books.open.len(), books.strays.len(), books.junk.len()), (2, 0, 0), "{books:?}");
    assert!(served.terminate().success());
    project.nothing_left();
}

#[test]
fn answers_that_are_owed_at_the_end_of_the_input_are_brought() {
    for era in ["legacy", "modern"] {
        let (project, served, client) = opened(&[]);
        let calls: Vec<(String, Id)> = (0..5)
            .map(|call| {
                let key = format!("{era}-{call}");
                let arguments = json!({"ms": 700, "key": key});
                let id = if era == "legacy" {
                    client.call("work", arguments)
                } else {
                    modern_call(&client, "work", arguments)
                };
                (key, id)
            })
            .collect();
        client.end_input();
        for (key, id) in &calls {
            assert_eq!(body_of(&client.answer(id))["key"], key.as_str());
        }
        finish(&project, &served, &client);
        assert_eq!(project.noted("deleted"), project.noted("opened"));
        assert_eq!(project.noted("cancelled"), [""; 0]);
    }
}

#[test]
fn arguments_that_a_server_wants_in_headers_are_there() {
    let project = project(&[("MIRRORED", r#"{"echo": {"text": "Text"}}"#)]);
    let served = project.bare_http();
    for listed in [true, false] {
        let client = project.bridge(served.url(), &["--header", "X-Own: yes"]);
        if listed {
            let list = client.answer(&modern(&client, "tools/list", json!({})));
            assert!(list.to_string().contains("x-mcp-header"));
        }
        for text in ["plain", "ünïcode", " edges ", ""] {
            let answer = client.answer(&modern_call(&client, "echo", json!({"text": text})));
            assert_eq!(text_of(&answer).as_deref(), Some(text), "listed {listed}: {answer}");
        }
        let seen = client.answer(&modern_call(&client, "seen", json!({})));
        let headers = &body_of(&seen)["headers"];
        assert_eq!((&headers["x-own"], &headers["mcp-name"]), (&json!("yes"), &json!("seen")));
        assert!(client.close().success());
        client.books().assert_clean();
    }
    assert_eq!(project.record().all().iter().filter(|run| run.tool == "echo").count(), 8, "each ran once");
    assert!(served.terminate().success());
    project.nothing_left();
}

#[test]
fn too_many_open_requests_are_refused_and_the_others_answered() {
    let (project, served, client) = opened(&[]);
    let calls: Vec<Id> = (0..300).map(|call| client.work(3000, &format!("call-{call}"))).collect();
    let answers: Vec<Value> = calls.iter().map(|id| client.answer(id)).collect();
    let busy = answers.iter().filter(|answer| answer["error"]["data"]["code"] == "twin::request::busy").count();
    let good = answers.iter().filter(|answer| text_of(answer).is_some()).count();
    assert!(busy > 0 && busy + good == 300 && good >= 256, "{busy} busy, {good} good");
    assert_eq!(project.record().all().len(), good);
    finish(&project, &served, &client);
}

#[test]
fn a_client_that_does_not_read_stops_what_is_read_for_it() {
    let (project, served, client) = opened(&[]);
    client.pause_reading();
    let calls: Vec<Id> = (0..60).map(|_| client.call("big", json!({"bytes": 4_000_000}))).collect();
    until("all calls at the server", || (project.record().all().len() == 60).then_some(()));
    client.resume_reading();
    for id in &calls {
        assert_eq!(text_of(&client.answer(id)).unwrap().len(), 4_000_000);
    }
    let held = process::status_number(client.pid(), "VmHWM").unwrap();
    assert!(held < 180 << 10, "{held} KiB for 240 MB of answers");
    finish(&project, &served, &client);
}

#[test]
fn a_bridge_that_is_told_to_end_ends_its_session() {
    let (project, served, client) = opened(&[]);
    let open = client.work(30_000, "open");
    begun(&project, "open");
    process::terminate(client.pid());
    assert!(client.exit_status().success());
    assert!(client.inbox().ended(PATIENCE));
    let answer = client.answer(&open);
    assert_eq!(answer["error"]["data"]["code"], "twin::request::cut", "{answer}");
    assert_eq!(project.noted("deleted"), project.noted("opened"));
    assert!(served.terminate().success());
    project.nothing_left();
}
