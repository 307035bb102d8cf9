//! Clients that misbehave, or are merely unusual: the front neither falls nor forgets an answer.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::{QUIET, body_of, shown, text_of};
use mcp_twin_tests::{Client, PATIENCE, Project, Server, process, until};
use serde_json::{Value, json};

const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"printf","version":"1"}}}"#;
const READY: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// Sends one odd line to an open front; gives back the error that came without an id, if one is wanted.
fn odd_line(line: &[u8], code: Option<i64>) {
    let project = Project::new(Server::Plain);
    let client = project.open();
    client.send_bytes(line);
    client.send_bytes(b"\n");
    assert_eq!(client.version(), "v1");
    let strays = client.books().strays;
    assert_eq!(strays.len(), usize::from(code.is_some()), "{strays:?}");
    if let Some(code) = code {
        let error: Value = serde_json::from_str(&strays[0]).unwrap();
        assert_eq!((&error["id"], &error["error"]["code"]), (&Value::Null, &json!(code)), "{error}");
    }
    project.save_version("v2");
    client.until_version("v2");
    assert!(client.close().success());
    project.nothing_left();
}

#[test]
fn what_is_not_json_is_refused() {
    odd_line(b"hello?", Some(-32700));
}

#[test]
fn what_is_not_text_is_refused() {
    odd_line(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}", Some(-32700));
}

#[test]
fn a_batch_is_refused() {
    odd_line(br#"[{"jsonrpc":"2.0","id":5,"method":"ping"},{"jsonrpc":"2.0","id":6,"method":"ping"}]"#, Some(-32600));
}

#[test]
fn an_answer_to_nothing_is_dropped() {
    odd_line(br#"{"jsonrpc":"2.0","id":424242,"result":{}}"#, None);
}

#[test]
fn a_cancellation_of_nothing_is_dropped() {
    odd_line(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}"#, None);
}

#[test]
fn empty_lines_are_nothing() {
    odd_line(b"\n\r\n   ", None);
}

#[test]
fn an_unknown_method_reaches_the_server() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let answer = client.ask("acme/unheard_of", json!({"deep": [1, {"x": null}]}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    assert_eq!(answer["error"]["message"], "no such method: acme/unheard_of");
    project.finish(&client);
}

#[test]
fn byte_order_mark_and_carriage_returns_are_tolerated() {
    let project = Project::new(Server::Plain);
    let client = project.run(&[]);
    let id = client.inbox_expects(1);
    client.send_bytes(format!("\u{feff}{HELLO}\r\n{READY}\r\n").as_bytes());
    assert!(client.answer(&id)["result"].is_object());
    assert_eq!(client.version(), "v1");
    project.finish(&client);
}

#[test]
fn a_huge_line_passes_and_one_over_the_limit_is_refused() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--max-message", "4MiB"]);
    let text = "e".repeat(3 << 20);
    assert_eq!(client.text("echo", json!({"text": text})).len(), text.len());
    let answer = client.answer(&client.call("echo", json!({"text": "e".repeat(5 << 20), "key": "huge"})));
    assert_eq!(answer["error"]["data"]["code"], "twin::message::too_large", "{}", shown(&answer));
    assert!(project.record().of("huge").is_none());
    assert_eq!(client.version(), "v1");
    project.finish(&client);
}

#[test]
fn payloads_pass_byte_for_byte() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    // Big numbers, escapes, odd floats, an order of keys that no map keeps: what the server saw is what was sent.
    let text = r#"{"z":12345678901234567890123,"a":1e2,"é":"\u00e9\/","n":-0.0,"b":{"y":1,"x":2}}"#;
    assert_eq!(client.text("echo", json!({"text": text})), text);
    project.finish(&client);
}

#[test]
fn initialize_twice_is_answered_twice() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let again = client.initialize(json!({}));
    assert!(again["result"].is_object() || again["error"].is_object(), "{again}");
    assert_eq!(client.version(), "v1");
    project.save_version("v2");
    client.until_version("v2");
    project.finish(&client);
}

#[test]
fn a_client_that_never_says_initialized_is_served_and_swapped() {
    let project = Project::new(Server::Plain);
    let client = project.run(&[]);
    assert!(client.initialize(json!({}))["result"].is_object());
    assert_eq!(client.version(), "v1");
    project.save_version("v2");
    client.until_version("v2");
    project.finish(&client);
}

#[test]
fn a_client_that_says_nothing_still_gets_the_newest_code() {
    let project = Project::new(Server::Plain);
    let client = project.run(&[]);
    until("the first twin", || (project.processes().len() >= 2).then_some(()));
    project.save_version("v2");
    client.open();
    client.until_version("v2");
    project.finish(&client);
}

#[test]
fn ids_of_any_kind_come_back_as_they_were() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let names =
        [json!(7), json!("7"), json!("a \"quoted\" id é"), json!(-3), json!(9_007_199_254_740_993_i64), json!(0)];
    let open: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, id)| {
            let params = json!({"name": "work", "arguments": {"ms": 50, "key": format!("k{n}")}});
            client.request_as(id.clone(), "tools/call", params)
        })
        .collect();
    for (n, id) in open.iter().enumerate() {
        assert_eq!(body_of(&client.answer(id))["key"], format!("k{n}"));
    }
    project.finish(&client);
}

#[test]
fn a_cancelled_held_call_never_runs() {
    let project = Project::new(Server::Plain);
    project.set("BOOT_SECONDS", "1.5");
    let client = project.open();
    let (_, pid) = client.whoami();
    process::kill(pid);
    process::gone(pid);
    let held = client.work(0, "held");
    client.notify("notifications/cancelled", json!({"requestId": raw(&held), "reason": "changed my mind"}));
    let next = client.work(0, "next");
    assert_eq!(body_of(&client.answer(&next))["key"], "next");
    assert!(project.record().of("held").is_none());
    assert_eq!(client.books().open, [held], "a cancelled request needs no answer");
    assert!(client.close().success());
    project.nothing_left();
}

#[test]
fn a_cancellation_goes_to_the_twin_that_has_the_call() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let long = client.work(60_000, "long");
    until("the call at the twin", || project.record().of("long"));
    project.save_version("v2");
    client.until_version("v2");
    client.notify("notifications/cancelled", json!({"requestId": raw(&long), "reason": "enough"}));
    until("the cancellation", || (project.noted("cancelled") == ["long"]).then_some(()));
    assert_eq!(client.version(), "v2");
    assert!(client.close().success());
    project.nothing_left();
}

#[test]
fn at_the_end_of_input_answers_still_come() {
    let project = Project::new(Server::Plain);
    let client = project.run(&[]);
    let opening = client.inbox_expects(1);
    client.send_bytes(format!("{HELLO}\n{READY}\n").as_bytes());
    let slow = client.work(1500, "slow");
    let fast = client.work(0, "fast");
    client.end_input();
    assert!(client.answer(&opening)["result"].is_object());
    assert_eq!(body_of(&client.answer(&fast))["key"], "fast");
    assert_eq!(body_of(&client.answer(&slow))["key"], "slow");
    project.finish(&client);
}

#[test]
fn printf_into_a_front_keeps_its_answers() {
    let project = Project::new(Server::Plain);
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"slow","arguments":{"ms":300}}}"#;
    let front = project.front_command(&[]).iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let script = format!("printf '%s\\n' '{HELLO}' '{READY}' '{call}' | {front}");
    let words = ["sh".to_owned(), "-c".to_owned(), script];
    let output = project.process(&words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let ids: Vec<Value> = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert_eq!(ids, [1, 2], "{text}");
    assert!(text.contains("slow 300 v1") && output.status.success(), "{text}");
    project.nothing_left();
}

#[test]
fn from_a_file_into_a_file_keeps_its_answers() {
    let project = Project::new(Server::Plain);
    let folder = project.home().with_file_name("user");
    let (from, to) = (folder.join("in.jsonl"), folder.join("out.jsonl"));
    std::fs::write(&from, format!("{HELLO}\n{READY}\n{{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}}\n"))
        .unwrap();
    let mut front = project.process(&project.front_command(&[]));
    front.stdin(std::fs::File::open(&from).unwrap()).stdout(std::fs::File::create(&to).unwrap());
    assert!(front.status().unwrap().success());
    let text = std::fs::read_to_string(&to).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    project.nothing_left();
}

#[test]
fn term_ends_a_front_and_its_twins() {
    let project = Project::new(Server::Fault("ignores_term"));
    let client = project.open();
    let _ = client.work(60_000, "long");
    process::terminate(client.pid());
    let _ = client.exit_status();
    project.nothing_left();
}

#[test]
fn a_command_that_cannot_be_run_is_answered_at_once() {
    let project = Project::new(Server::Plain);
    let words =
        [mcp_twin_tests::tools::mcp_twin().display().to_string(), "run".into(), "--".into(), "/no/such/server".into()];
    let client = Client::spawn(&mut project.process(&words));
    let answer = client.initialize(json!({}));
    assert_eq!(answer["error"]["data"]["code"], "twin::spawn::not_executable", "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("/no/such/server"), "{answer}");
    let _ = client.close();
    project.nothing_left();
}

#[test]
fn disabled_it_is_the_server_itself() {
    let project = Project::new(Server::Plain);
    let client = Client::spawn(project.process(&project.front_command(&[])).env("MCP_TWIN_DISABLE", "1"));
    client.open();
    assert_eq!(client.whoami().1, client.pid());
    assert!(client.close().success());
    assert!(!project.home().exists());
}

#[test]
fn too_many_held_requests_are_refused_at_once() {
    let project = Project::new(Server::Plain);
    project.set("BOOT_SECONDS", "1.5");
    let client = project.open_with(&["--hold-requests", "10"]);
    let (_, pid) = client.whoami();
    process::kill(pid);
    process::gone(pid);
    let calls: Vec<_> = (0..30).map(|n| client.work(0, &format!("k{n}"))).collect();
    let answers: Vec<_> = calls.iter().map(|id| client.answer(id)).collect();
    let busy = answers.iter().filter(|answer| answer["error"]["data"]["code"] == "twin::request::busy").count();
    let good = answers.iter().filter(|answer| text_of(answer).is_some()).count();
    assert_eq!((busy, good), (20, 10), "{answers:?}");
    project.finish(&client);
}

#[test]
fn nothing_comes_that_was_not_asked_for() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    assert_eq!(client.version(), "v1");
    assert!(client.inbox().next_answer(QUIET).is_none());
    assert!(client.inbox().notifications().is_empty());
    assert!(client.inbox().request(QUIET, |asks| (!asks.is_empty()).then_some(())).is_none());
    project.finish(&client);
    assert!(client.inbox().ended(PATIENCE));
}

/// The id of a request as JSON.
fn raw(id: &mcp_twin_tests::Id) -> Value {
    serde_json::from_str(&id.to_string()).unwrap()
}
