//! The harness and the fixtures over HTTP, without a front: what a test blames on a front must not be theirs.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::{QUIET, body_of};
use mcp_twin_tests::conformance::{self, SHORT};
use mcp_twin_tests::http_client::Next;
use mcp_twin_tests::talker::{Sdk, Talker};
use mcp_twin_tests::{Http, HttpClient, PATIENCE, Project, Served, Server, process, tools, until};
use serde_json::{Value, json};

fn plain(constants: &[(&str, &str)]) -> (Project, Served) {
    let project = Project::new(Server::Http(Http::Plain));
    for (constant, value) in constants {
        project.set(constant, value);
    }
    let served = project.bare_http();
    (project, served)
}

#[test]
fn calls_are_answered_and_recorded_once_in_each_era_and_form() {
    for answers in ["auto", "json", "sse"] {
        let (project, served) = plain(&[("ANSWERS", &format!("{answers:?}"))]);
        for (era, client) in [("legacy", served.client()), ("modern", served.modern())] {
            assert_eq!(client.version(), "v1");
            let mut slow = client.work(300, &format!("{era} slow"));
            let mut fast = client.work(0, &format!("{era} fast"));
            assert_eq!(body_of(&fast.answer())["key"], format!("{era} fast"));
            assert_eq!(slow.next(std::time::Duration::ZERO), Next::Nothing, "the answers are not in order of time");
            assert_eq!(body_of(&slow.answer())["pid"], served.pid());
            assert_eq!(slow.head().streams(), answers == "sse");
            assert_eq!(project.record().of(&format!("{era} slow")).unwrap().pid, u64::from(served.pid()));
            let big = client.text("big", json!({"bytes": 3_000_000}));
            assert_eq!(big.len(), 3_000_000);
        }
        assert!(served.terminate().success());
        assert_eq!(project.noted("stopped"), [served.pid().to_string()]);
    }
}

#[test]
fn an_edit_changes_the_version_and_the_list_of_the_next_process() {
    let (project, before) = plain(&[]);
    project.save_version_with_tools("v2", &["fresh"]);
    let after = project.bare_http();
    let (before, after) = (before.client(), after.client());
    assert_eq!((before.version(), after.version()), ("v1".to_owned(), "v2".to_owned()));
    assert!(after.tools().contains(&"fresh".to_owned()) && !before.tools().contains(&"fresh".to_owned()));
}

#[test]
fn a_session_is_needed_known_and_ended() {
    let (project, served) = plain(&[("UNKNOWN_SESSION", "400")]);
    let client = served.client();
    let session = client.session().unwrap();
    assert_eq!(project.noted("opened"), std::slice::from_ref(&session));
    assert_eq!(client.body("seen", json!({}))["sessions"], json!([session]));
    client.set_session(Some("unknown"));
    assert_eq!(client.send("tools/list", json!({})).status(), 400);
    client.set_session(Some(&session));
    let mut stream = client.get();
    assert_eq!(stream.status(), 200);
    assert_eq!(client.get().status(), 409, "one stream for each session");
    let _ = client.text("forget", json!({}));
    assert_eq!(stream.next(PATIENCE), Next::End);
    assert_eq!(client.send("tools/list", json!({})).status(), 400);
    client.set_session(None);
    client.open();
    assert_eq!(client.delete(), 200);
    assert_eq!(project.noted("deleted"), [client.session().unwrap()]);

    let (_project, served) = plain(&[("SESSIONS", "False"), ("GET_STREAM", "False")]);
    let client = served.client();
    assert_eq!((client.session(), client.version(), client.get().status()), (None, "v1".to_owned(), 405));
    assert_eq!(client.delete(), 405);
}

#[test]
fn one_era_only() {
    let (_project, served) = plain(&[("ERAS", "[\"modern\"]")]);
    assert_eq!(served.modern().version(), "v1");
    let refused = HttpClient::new(served.url()).initialize(json!({}));
    assert_eq!(refused["error"]["code"], -32022);
    let (_project, served) = plain(&[("ERAS", "[\"legacy\"]")]);
    let mut refused = served.modern().send("server/discover", json!({}));
    assert_eq!((refused.status(), &refused.answer()["error"]["code"]), (400, &json!(-32000)));
    assert_eq!(served.client().version(), "v1");
}

#[test]
fn what_is_told_reaches_streams_and_listeners() {
    let (_project, served) = plain(&[("LISTS", "[\"tools\", \"resources\"]")]);
    let (client, modern) = (served.client(), served.modern());
    let mut stream = client.get();
    assert_eq!(stream.status(), 200);
    let _ = client.ask("resources/subscribe", json!({"uri": "fixture://a"}));
    let filter = json!({"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["fixture://a"]}});
    let mut listen = modern.send("subscriptions/listen", filter);
    let acknowledged = listen.told();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    let id = acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone();
    assert!(id.is_number());

    let _ = client.text("updated", json!({"uri": "fixture://b"}));
    let _ = client.text("updated", json!({"uri": "fixture://a"}));
    let _ = client.text("changed", json!({"list": "tools"}));
    for (told, tagged) in [(&mut stream, false), (&mut listen, true)] {
        let (updated, changed) = (told.told(), told.told());
        assert_eq!(updated["params"]["uri"], "fixture://a");
        assert_eq!(changed["method"], "notifications/tools/list_changed");
        for message in [updated, changed] {
            let tag = &message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
            assert_eq!(*tag, if tagged { id.clone() } else { Value::Null });
        }
        assert_eq!(told.next(QUIET), Next::Nothing);
    }
    drop(listen);
    until("the end of the subscription", || (client.body("seen", json!({}))["listens"] == json!([])).then_some(()));
}

#[test]
fn the_server_asks_its_client() {
    let (_project, served) = plain(&[]);
    let client = served.client();
    let asked = json!({"method": "roots/list"});
    let mut call = client.call("ask", asked.clone());
    let question = call.told();
    client.reply(&question["id"], json!({"roots": [{"uri": "file:///here"}]}));
    assert!(call.answer()["result"]["content"][0]["text"].as_str().unwrap().contains("file:///here"));
    let mut stream = client.get();
    let mut call = client.call("ask", json!({"method": "roots/list", "on": "get"}));
    client.reply(&stream.told()["id"], json!({"roots": []}));
    assert_eq!(call.answer()["result"]["content"][0]["text"], r#"{"roots": []}"#);

    let modern = served.modern();
    let first = modern.call("ask", asked.clone()).answer()["result"].clone();
    assert_eq!(
        (&first["resultType"], &first["inputRequests"]["asked"]["method"]),
        (&json!("input_required"), &json!("roots/list"))
    );
    let again = |state: Value| {
        let params = json!({"name": "ask", "arguments": asked, "requestState": state, "inputResponses": {"asked": {"roots": []}}});
        modern.ask("tools/call", params)
    };
    assert_eq!(again(first["requestState"].clone())["result"]["content"][0]["text"], r#"{"roots": []}"#);
    assert_eq!(again(json!("of another process"))["error"]["code"], -32602);
}

#[test]
fn a_stream_that_ended_early_is_resumed() {
    let (project, served) = plain(&[]);
    let client = served.client();
    for (leave, end) in [("end", Next::End), ("cut", Next::Cut("the connection was closed".to_owned()))] {
        let mut call = client.call("work", json!({"ms": 200, "key": leave, "leave": leave}));
        let primed = call.event();
        assert!(primed.data.is_empty() && primed.retry.is_some(), "{primed:?}");
        assert_eq!(call.next(PATIENCE), end);
        let mut rest = client.resume(primed.id.as_deref().unwrap());
        assert_eq!(body_of(&rest.told())["key"], leave);
        assert_eq!(rest.next(PATIENCE), Next::End);
        assert!(project.record().of(leave).is_some());
    }
    assert_eq!(project.noted("resumed").len(), 2);
    assert_eq!(client.resume("no-such").status(), 400);
}

#[test]
fn leaving_cancels_in_the_modern_era_only() {
    let (project, served) = plain(&[]);
    let (client, modern) = (served.client(), served.modern());
    let begun = |key: &str| until(key, || project.record().of(key).map(drop));
    let left = client.work(400, "legacy, left");
    begun("legacy, left");
    drop(left);
    let left = modern.work(20_000, "modern, left");
    begun("modern, left");
    drop(left);
    until("the cancellation", || (project.noted("cancelled") == ["modern, left"]).then_some(()));
    // A later call of the same length: had the first one been cancelled, it would be known by then.
    let _ = client.work(500, "after").answer();
    assert_eq!(project.noted("cancelled"), ["modern, left"]);

    let mut told =
        client.send_as(json!("x"), "tools/call", json!({"name": "work", "arguments": {"ms": 20_000, "key": "told"}}));
    begun("told");
    client.notify("notifications/cancelled", json!({"requestId": "x"}));
    assert_eq!(told.next(PATIENCE), Next::End);
    assert_eq!(project.noted("cancelled"), ["modern, left", "told"]);
}

#[test]
fn a_crash_cuts_what_is_open() {
    let (_project, served) = plain(&[]);
    let client = served.client();
    let mut open = client.work(20_000, "open");
    let lost = client.call("crash", json!({})).answer_within(PATIENCE);
    assert!(lost.is_err(), "{lost:?}");
    assert!(open.answer_within(PATIENCE).is_err());
    assert_eq!(served.exit_status().code(), Some(9));
    served.until_said("crashing as asked");
}

#[test]
fn one_connection_carries_many_requests() {
    let (_project, served) = plain(&[]);
    let client = served.client();
    let mut wire = client.wire();
    for number in 0..50 {
        let arguments = json!({"name": "echo", "arguments": {"text": number.to_string()}});
        let message = client.message(Some(json!(number)), "tools/call", arguments);
        let mut exchange = client.post_over(wire, &message);
        assert_eq!(exchange.answer()["result"]["content"][0]["text"], number.to_string());
        wire = exchange.reuse().expect("a connection that is kept");
    }
}

#[test]
fn the_servers_on_sdks_serve_each_sdk_client() {
    use Http::{Conformance, Everything, PythonSdk, TypeScriptSdk, TypeScriptSdk2};
    for http in [Http::Plain, PythonSdk, TypeScriptSdk, TypeScriptSdk2, Everything, Conformance] {
        let project = Project::new(Server::Http(http));
        let served = project.bare_http();
        assert!(!served.client().tools().is_empty(), "{http:?}");
        if http.modern() {
            assert!(!served.modern().tools().is_empty(), "{http:?}");
        }
        if http == Conformance {
            continue;
        }
        let tool = if http == Everything { "get-env" } else { "work" };
        let mut calls = 0;
        for sdk in [Sdk::PythonAuto, Sdk::PythonLegacy, Sdk::TypeScript] {
            let client = Talker::connect(&project, sdk, &["--tool", tool, "--in-flight", "2"], served.url());
            let (report, pid) = talk(client);
            calls += usize::try_from(report["calls"].as_u64().unwrap()).unwrap();
            let protocol = if sdk == Sdk::PythonAuto && http.modern() { "2026-07-28" } else { "2025-11-25" };
            assert_eq!(report["protocol"], protocol, "{http:?} {sdk:?} {report}");
            assert_eq!(
                (report["failed"].clone(), pid),
                (json!([]), u64::from(served.pid())),
                "{http:?} {sdk:?} {report}"
            );
        }
        assert_eq!(project.record().all().len(), calls, "{http:?}: calls that ran twice, or not at all");
    }
}

#[test]
fn the_conformance_suite_finds_the_bare_fixture_as_it_was() {
    let project = Project::new(Server::Http(Http::Conformance));
    let served = project.bare_http();
    let now = conformance::run(&project, served.url(), SHORT);
    assert_eq!(conformance::kept(&project, &conformance::baseline(), &now, SHORT), 84);
}

/// Lets a client on version 2 of the TypeScript SDK have a project of its own: its modules are others.
#[test]
fn the_second_typescript_client() {
    for (sdk, protocol) in [(Sdk::TypeScript2Auto, "2026-07-28"), (Sdk::TypeScript2Legacy, "2025-11-25")] {
        let project = Project::new(Server::Http(Http::Plain));
        let served = project.bare_http();
        let (report, pid) = talk(Talker::connect(&project, sdk, &[], served.url()));
        assert_eq!((report["protocol"].clone(), report["failed"].clone()), (json!(protocol), json!([])), "{report}");
        assert_eq!(pid, u64::from(served.pid()));
    }
}

fn talk(mut client: Talker) -> (Value, u64) {
    client.await_line("version v1");
    let report = client.stop();
    let pid = report["answers"][0][2].as_u64().unwrap_or_default();
    (report, pid)
}

#[test]
fn the_tiny_server_is_a_server() {
    let project = Project::new(Server::Plain);
    let code = project.root().join("code");
    std::fs::write(&code, "7\n").unwrap();
    let words = |more: &[&str]| {
        let program = [tools::built("tiny-http-server"), code.clone()].map(|word| word.display().to_string());
        [&program[..], &more.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()[..]].concat()
    };
    for sessions in [&["--port", "0"][..], &["--sessions"]] {
        let served = Served::bare(&mut project.process(&words(sessions)));
        for client in [served.client(), served.modern()] {
            client.open();
            assert_eq!(client.tools(), ["version", "echo"]);
            assert_eq!((client.version(), client.text("echo", json!({"text": "é"}))), ("7".to_owned(), "é".to_owned()));
            assert_eq!(client.ask("no/such", json!({}))["error"]["code"], -32601);
        }
        let wrong = served.modern().with_header("Mcp-Name", "echo").call("version", json!({})).answer();
        assert_eq!(wrong["error"]["code"], -32020);
        assert_eq!(served.client().with_header("Host", "elsewhere").send("ping", json!({})).status(), 403);
        let client = served.client();
        if client.session().is_none() {
            assert_eq!((client.get().status(), client.delete()), (405, 405));
            continue;
        }
        let mut stream = client.get();
        assert_eq!((stream.status(), stream.next(QUIET)), (200, Next::Nothing));
        assert_eq!(client.delete(), 200);
        assert_eq!((client.send("ping", json!({})).status(), client.get().status()), (404, 404));
    }
    for sdk in [Sdk::PythonLegacy, Sdk::TypeScript] {
        let served = Served::bare(&mut project.process(&words(&["--sessions"])));
        let report = Talker::connect(&project, sdk, &["--in-flight", "0"], served.url()).stop();
        assert_eq!(report["tools"], json!([["echo", "version"], ["echo", "version"]]), "{sdk:?}");
    }
}

#[test]
fn a_dropped_server_leaves_nothing() {
    let (project, served) = plain(&[("WARM_SECONDS", "30.0")]);
    let pid = served.pid();
    assert!(process::alive(pid));
    drop(served);
    assert!(!process::alive(pid));
    project.nothing_left();
}
