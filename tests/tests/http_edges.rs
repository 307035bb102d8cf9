//! What passes a front over HTTP as it is, and what the front answers itself: headers, streams and their events, sessions,
//! other paths. A raw client, the server on Python's standard library, and a swap between all of it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::{QUIET, body_of};
use mcp_twin_tests::http_client::{Exchange, MODERN, Next};
use mcp_twin_tests::{Http, HttpClient, PATIENCE, Project, Served, Server, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const KEEP_NOTHING: &[&str] = &[
    "--settle",
    "0s",
    "--bake",
    "0s",
    "--keep-old",
    "0s",
    "--standby",
    "on-demand",
    "--breaking",
    "warn",
    "--watch-quiet",
    "20ms",
];

/// How many swaps most of these tests make.
const SWAPS: usize = 20;

/// A front over a server that is edited.
struct Behind {
    project: Project,
    front: Served,
    swaps: usize,
}

impl Behind {
    fn start(flags: &[&str], constants: &[(&str, Value)]) -> Self {
        let project = Project::new(Server::Http(Http::Plain));
        project.set_all(constants);
        let front = project.serve(&[KEEP_NOTHING, flags].concat());
        // What is saved from now on is a change.
        project.until_status("a server", |front| front["active"].is_object());
        Self { project, front, swaps: 0 }
    }

    fn version(&self) -> String {
        format!("v{}", self.swaps + 1)
    }

    fn swap(&mut self) {
        self.swap_with(&[]);
    }

    /// Saves the next version, and these constants, and waits until it serves.
    fn swap_with(&mut self, constants: &[(&str, Value)]) {
        self.swaps += 1;
        self.project.set_all(&[constants, &[("VERSION", json!(self.version()))]].concat());
        self.project.until_status("a swap", |front| front["swaps"] == self.swaps);
    }

    /// Waits until a call runs.
    fn begun(&self, key: &str) {
        until(&format!("the call {key}"), || self.project.record().of(key).map(drop));
    }

    fn finish(&self) {
        self.project.finish_http(&self.front);
    }
}

/// A line of headers that no front knows, with one that stands twice; what a server then sees of them.
fn with_headers(client: HttpClient) -> HttpClient {
    client
        .with_header("Authorization", "Bearer of-the-server")
        .with_header("X-Unknown", "as it is")
        .with_header("Mcp-Param-Region", "eu=?west?=")
        .with_header("Connection", "X-Hop")
        .with_header("X-Hop", "of this connection only")
}

/// What the server has seen of a request's headers, but for those of the connection.
fn seen(client: &HttpClient) -> Value {
    let mut headers = client.body("seen", json!({}))["headers"].clone();
    let all = headers.as_object_mut().unwrap();
    for own in ["host", "content-length", "mcp-session-id", "connection", "x-hop"] {
        all.remove(own);
    }
    headers
}

#[test]
fn headers_reach_each_twin_as_the_client_wrote_them() {
    let mut behind = Behind::start(&[], &[]);
    let bare = behind.project.bare_http();
    let direct = [with_headers(HttpClient::new(bare.url())), with_headers(bare.modern())];
    let through = [with_headers(HttpClient::new(behind.front.url())), with_headers(behind.front.modern())];
    let wanted = direct.map(|client| {
        client.open();
        seen(&client)
    });
    assert_eq!(wanted[0]["authorization"], "Bearer of-the-server");
    assert_eq!((&wanted[1]["mcp-method"], &wanted[1]["mcp-name"]), (&json!("tools/call"), &json!("seen")));
    through.iter().for_each(|client| drop(client.open()));
    for _ in 0..SWAPS {
        behind.swap();
        for (client, wanted) in through.iter().zip(&wanted) {
            assert_eq!(seen(client), *wanted);
            let all = client.body("seen", json!({}))["headers"].clone();
            assert!(all.get("x-hop").is_none(), "a header of the connection was passed on: {all}");
        }
    }
    drop(bare);
    behind.finish();
}

#[test]
fn a_header_that_does_not_match_is_refused_by_the_server_in_its_words() {
    let mut behind = Behind::start(&[], &[]);
    for _ in 0..SWAPS {
        behind.swap();
        let client = behind.front.modern();
        let mut message = client.message(Some(json!(7)), "tools/call", json!({"name": "version"}));
        let mut refused = client.raw(
            "POST",
            &[
                ("Content-Type", "application/json"),
                ("Accept", "application/json, text/event-stream"),
                ("MCP-Protocol-Version", MODERN),
                ("Mcp-Method", "tools/call"),
                ("Mcp-Name", "echo"),
            ],
            message.to_string().as_bytes(),
        );
        assert_eq!((refused.status(), &refused.answer()["error"]["code"]), (400, &json!(-32020)));
        message["params"]["name"] = json!("no-such-tool");
        let mut unknown = client.post(&message);
        assert_eq!((unknown.status(), &unknown.answer()["error"]["code"]), (400, &json!(-32602)));
    }
    behind.finish();
}

/// Each version has a tool of its own, and no longer that of the one before.
#[test]
fn a_tool_that_is_gone_is_refused_by_the_new_code_and_listed_no_more() {
    let mut behind = Behind::start(&[], &[("EXTRA_TOOLS", json!(["tool_0"]))]);
    let clients = [behind.front.client(), behind.front.modern()];
    for number in 1..=SWAPS {
        let [old, new] = [format!("tool_{}", number - 1), format!("tool_{number}")];
        clients.iter().for_each(|client| drop(client.text(&old, json!({}))));
        behind.swap_with(&[("EXTRA_TOOLS", json!([new]))]);
        for client in &clients {
            assert_eq!(client.call(&old, json!({})).answer()["error"]["message"], format!("no such tool: {old}"));
            assert_eq!(client.text(&new, json!({})), behind.version());
            let tools = client.tools();
            assert!(tools.contains(&new) && !tools.contains(&old), "{tools:?}");
        }
    }
    behind.finish();
}

#[test]
fn answers_are_json_or_events_as_the_server_chose() {
    for answers in ["auto", "json", "sse"] {
        let mut behind = Behind::start(&[], &[("ANSWERS", json!(answers))]);
        let bare = behind.project.bare_http();
        for _ in 0..SWAPS / 4 {
            behind.swap();
            for (direct, through) in [(bare.client(), behind.front.client()), (bare.modern(), behind.front.modern())] {
                let steps = json!({"name": "steps", "arguments": {"ms": 0}, "_meta": {"progressToken": "p"}});
                for (method, params) in [("tools/list", json!({})), ("tools/call", steps)] {
                    let [mut direct, mut through] =
                        [&direct, &through].map(|client| client.send(method, params.clone()));
                    assert_eq!(direct.answer()["result"].is_object(), through.answer()["result"].is_object());
                    assert_eq!(through.head().streams(), direct.head().streams(), "{answers} {method}");
                    assert_eq!(through.said().len(), direct.said().len(), "{answers} {method}");
                    if through.head().streams() {
                        assert_eq!(through.head().header("x-accel-buffering"), Some("no"));
                    }
                }
            }
        }
        drop(bare);
        behind.finish();
    }
}

/// The client's DELETE ends its session here and at both twins; from then on nobody knows it.
#[test]
fn the_end_of_a_session_reaches_all_twins() {
    let mut behind = Behind::start(&[], &[]);
    for number in 0..SWAPS {
        let client = behind.front.client();
        let key = format!("open-{number}");
        // It keeps the old twin, and so its session there.
        let call = client.work(60_000, &key);
        behind.begun(&key);
        behind.swap();
        let held = client.body("seen", json!({}))["sessions"].as_array().unwrap().len();
        assert!(held > 0);
        let before = behind.project.noted("deleted").len();
        assert_eq!(client.delete(), 200);
        until("the end of the session at both twins", || {
            (behind.project.noted("deleted").len() >= before + 2).then_some(())
        });
        let statuses = [client.send("tools/list", json!({})).status(), client.get().status(), client.delete()];
        assert_eq!(statuses, [404, 404, 404]);
        drop(call);
    }
    behind.finish();
}

#[test]
fn an_unknown_session_is_not_found() {
    let mut behind = Behind::start(&[], &[]);
    let client = behind.front.client();
    let known = client.session().unwrap();
    assert!(known.len() >= 32 && known.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{known}");
    for _ in 0..SWAPS {
        behind.swap();
        // An id of a twin is none of the front's.
        let inner = behind.project.noted("opened").pop().unwrap();
        for unknown in ["unknown", &inner] {
            client.set_session(Some(unknown));
            assert_eq!(client.send("tools/list", json!({})).status(), 404);
        }
        client.set_session(Some(&known));
        assert_eq!(client.version(), behind.version());
    }
    behind.finish();
}

/// What an old twin has is ended there before it is told to end itself: its sessions, and the streams that are held there,
/// for which it waits, as servers do. One that was killed would not say that it stopped.
#[test]
fn a_twin_is_left_before_it_is_ended() {
    let mut behind = Behind::start(&[], &[("WAITS", json!(1))]);
    let client = behind.front.client();
    let mut stream = client.get();
    assert!(stream.event().data.is_empty());
    let modern = behind.front.modern();
    let mut listen = modern.send("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
    assert_eq!(listen.told()["method"], "notifications/subscriptions/acknowledged");
    for _ in 0..SWAPS {
        let held = client.body("seen", json!({}));
        behind.swap();
        let answer = client.ask("tools/call", json!({"name": "version"}));
        assert!(answer["error"].is_null(), "{answer}");
        let pid = held["pid"].to_string();
        until("the end of the old twin", || behind.project.noted("stopped").contains(&pid).then_some(()));
        let sessions: Vec<String> = serde_json::from_value(held["sessions"].clone()).unwrap();
        let deleted = behind.project.noted("deleted");
        assert!(!sessions.is_empty() && sessions.iter().all(|one| deleted.contains(one)), "{sessions:?} {deleted:?}");
    }
    assert_eq!([listen.next(QUIET), stream.next(QUIET)], [Next::Nothing, Next::Nothing]);
    behind.finish();
}

/// A server that forgets all sessions is told again what it has to know of them.
#[test]
fn what_a_twin_forgets_it_is_told_again() {
    let mut behind = Behind::start(&[], &[("LISTS", json!(["tools", "resources"]))]);
    let client = behind.front.client();
    let mut stream = client.get();
    assert_eq!(stream.status(), 200);
    let _ = client.ask("resources/subscribe", json!({"uri": "fixture://a"}));
    let _ = client.ask("logging/setLevel", json!({"level": "warning"}));
    let updated = |stream: &mut Exchange| assert_eq!(stream.told()["params"]["uri"], "fixture://a");
    for _ in 0..SWAPS {
        behind.swap();
        updated(&mut stream);
        let _ = client.text("forget", json!({}));
        until("what the server knew", || {
            let seen = client.body("seen", json!({}));
            (seen["uris"] == json!(["fixture://a"]) && seen["level"] == "warning" && seen["streams"] != 0).then_some(())
        });
        let _ = client.text("updated", json!({"uri": "fixture://a"}));
        updated(&mut stream);
    }
    assert_eq!(stream.next(QUIET), Next::Nothing);
    behind.finish();
}

/// A client that leaves its POST has given the call up in the modern era; in that of sessions it may come back for its answer.
#[test]
fn a_closed_post_cancels_at_its_owner_in_the_modern_era_only() {
    let mut behind = Behind::start(&[], &[]);
    let (client, modern) = (behind.front.client(), behind.front.modern());
    for number in 1..=SWAPS {
        let left = format!("left-{number}");
        let current = modern.work(60_000, &left);
        behind.begun(&left);
        let mut legacy = client.call("ask", json!({"method": "roots/list"}));
        let primed = legacy.event();
        let question = legacy.event();
        assert!(primed.data.is_empty(), "{primed:?}");
        drop(legacy);
        behind.swap();
        drop(current);
        until("the cancellation", || behind.project.noted("cancelled").contains(&left).then_some(()));
        client.reply(&question.message()["id"], json!({"roots": [{"uri": format!("file:///{number}")}]}));
        let answer = client.resume(question.id.as_deref().unwrap()).told();
        assert!(
            answer["result"]["content"][0]["text"].as_str().unwrap().contains(&format!("file:///{number}")),
            "{answer}"
        );
        // Both were the old twin's, and it was waited for.
        let old = behind.project.record().of(&left).unwrap().pid;
        until("the end of the old twin", || behind.project.noted("stopped").contains(&old.to_string()).then_some(()));
    }
    let cancelled = behind.project.noted("cancelled");
    assert_eq!(cancelled, (1..=SWAPS).map(|number| format!("left-{number}")).collect::<Vec<_>>());
    behind.finish();
}

/// The stream of the session is dropped before each swap and taken up behind its last event after it.
#[test]
fn a_dropped_stream_is_resumed_with_nothing_lost_or_doubled() {
    let mut behind = Behind::start(&[], &[("LISTS", json!(["tools", "resources"]))]);
    let client = behind.front.client();
    let uris: Vec<String> = (0..=SWAPS).map(|number| format!("fixture://{number}")).collect();
    for uri in &uris {
        let _ = client.ask("resources/subscribe", json!({"uri": uri}));
    }
    let mut stream = client.get();
    let mut ids = BTreeSet::new();
    let primed = stream.event();
    assert!(primed.data.is_empty() && primed.retry.is_some(), "{primed:?}");
    let mut last = primed.id.unwrap();
    for uri in &uris[..SWAPS] {
        drop(stream);
        // By the old code, by the front for each that is subscribed to, and by the new code.
        let _ = client.text("updated", json!({"uri": uri}));
        behind.swap();
        let _ = client.text("updated", json!({"uri": uri}));
        stream = client.resume(&last);
        let mut told = Vec::new();
        while told.len() < uris.len() + 2 {
            let event = stream.event();
            last = event.id.clone().expect("an id");
            assert!(ids.insert(last.clone()), "{last} came twice");
            told.push(event.message()["params"]["uri"].as_str().unwrap().to_owned());
        }
        assert_eq!((&told[0], told.last()), (uri, Some(uri)));
        assert_eq!(told[1..=uris.len()].iter().collect::<BTreeSet<_>>(), uris.iter().collect());
        assert_eq!(stream.next(std::time::Duration::ZERO), Next::Nothing);
    }
    // The stream of a call is its own: what comes on one is not told again on another.
    assert_eq!(stream.next(QUIET), Next::Nothing);
    behind.finish();
}

/// A twin that ends a stream before its answer is asked again, with its own event, also when it does not serve any more.
#[test]
fn a_stream_that_a_twin_ends_early_is_taken_up_at_that_twin() {
    let mut behind = Behind::start(&[], &[]);
    let client = behind.front.client();
    for number in 1..=SWAPS {
        let calls = ["end", "cut"].map(|leave| {
            let key = format!("{leave}-{number}");
            let call = client.call("work", json!({"ms": 400, "key": key, "leave": leave}));
            behind.begun(&key);
            (key, call)
        });
        behind.swap();
        for (key, mut call) in calls {
            // The front tells its client to come back, as the twin told the front.
            let mut answer = Value::Null;
            let mut last = None;
            while answer.is_null() {
                match call.next(PATIENCE) {
                    Next::Event(event) => {
                        last = event.id.or(last);
                        if !event.data.is_empty() {
                            answer = serde_json::from_str(&event.data).unwrap();
                        }
                    }
                    Next::End => call = client.resume(last.as_deref().expect("an event to go on behind")),
                    other => panic!("{other:?}"),
                }
            }
            let body = body_of(&answer);
            assert_eq!((&body["key"], &body["version"]), (&json!(key), &json!(format!("v{number}"))));
            assert_eq!(behind.project.record().of(&key).unwrap().pid, body["pid"].as_u64().unwrap());
        }
    }
    assert_eq!(behind.project.noted("resumed").len(), 2 * SWAPS);
    behind.finish();
}

/// Events without a message are for those who know them.
#[test]
fn a_client_of_an_older_revision_is_not_primed() {
    let mut behind = Behind::start(&[], &[]);
    let client = HttpClient::new(behind.front.url()).with_header("MCP-Protocol-Version", "2025-06-18");
    let info = json!({"name": "old", "version": "1"});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info});
    let mut opened = client.send("initialize", params);
    assert_eq!(opened.answer()["result"]["protocolVersion"], "2025-06-18");
    client.set_session(opened.head().header("mcp-session-id"));
    client.notify("notifications/initialized", json!({}));
    let mut stream = client.get();
    assert_eq!(stream.status(), 200);
    for number in 1..=SWAPS {
        behind.swap_with(&[("EXTRA_TOOLS", json!([format!("tool_{number}")]))]);
        let event = stream.event();
        assert_eq!(event.message()["method"], "notifications/tools/list_changed", "{event:?}");
        // The version that was agreed on with this twin.
        let seen = client.body("seen", json!({}));
        assert_eq!(seen["headers"]["mcp-protocol-version"], "2025-06-18");
    }
    behind.finish();
}

#[test]
fn a_revision_that_nobody_knows_is_refused() {
    let mut behind = Behind::start(&[], &[]);
    let client = behind.front.client();
    let session = client.session().unwrap();
    let other = HttpClient::new(behind.front.url()).with_header("MCP-Protocol-Version", "1999-01-01");
    other.set_session(Some(&session));
    for _ in 0..SWAPS {
        behind.swap();
        assert_eq!(other.send("tools/list", json!({})).status(), 400);
        assert_eq!(client.version(), behind.version());
    }
    behind.finish();
}

/// What is not the endpoint is the server's business, with the words of whichever serves; but HTTP+SSE is not served.
#[test]
fn other_paths_are_the_servers_and_http_with_sse_is_refused() {
    let mut behind = Behind::start(&[], &[]);
    let bare = behind.project.bare_http();
    let (direct, through) = (HttpClient::new(bare.url()), HttpClient::new(behind.front.url()));
    let ask = |client: &HttpClient, method: &str, path: &str| {
        let accept = [("Accept".to_owned(), "text/event-stream".to_owned())];
        let mut exchange = client.wire().send(method, path, &accept, b"");
        (exchange.status(), exchange.body())
    };
    for _ in 0..SWAPS {
        behind.swap();
        for path in
            ["/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server/mcp", "/other?a=b"]
        {
            assert_eq!(ask(&through, "DELETE", path), ask(&direct, "DELETE", path), "{path}");
        }
        let (status, text) = ask(&through, "GET", "/sse");
        assert_eq!((status, text.contains("Streamable HTTP")), (410, true), "{text}");
        let (status, text) = ask(&through, "GET", "/mcp");
        assert_eq!((status, text.contains("POST `initialize`")), (405, true), "{text}");
        // A message without a session: the server says what it wants.
        let [direct, through] = [&direct, &through].map(|client| {
            let mut refused = client.send("tools/list", json!({}));
            (refused.status(), refused.answer()["error"].clone())
        });
        assert_eq!(through, direct);
    }
    drop(bare);
    behind.finish();
}

/// The front's token is the front's, the server's own is the server's.
#[test]
fn the_token_of_the_front_stays_with_the_front() {
    let project = Project::new(Server::Http(Http::Plain));
    let file = project.home().with_file_name("token");
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    let front = project.serve(&[KEEP_NOTHING, &["--token-file", file.to_str().unwrap()]].concat());
    project.until_status("a server", |front| front["active"].is_object());
    let mut behind = Behind { project, front, swaps: 0 };
    let client = || HttpClient::new(behind.front.url());
    let bearer = client().with_header("Authorization", "Bearer 0123456789abcdef");
    let beside = client().with_header("Mcp-Twin-Token", "0123456789abcdef").with_header("Authorization", "Bearer x");
    let (wrong, none) = (client().with_header("Authorization", "Bearer 0123456789abcdee"), client());
    let away = client().with_header("Mcp-Twin-Token", "0123456789abcdef").with_header("Host", "evil.example");
    let page = client().with_header("Mcp-Twin-Token", "0123456789abcdef").with_header("Origin", "http://evil.example");
    bearer.open();
    beside.open();
    for _ in 0..SWAPS {
        behind.swap();
        for (client, authorization) in [(&bearer, Value::Null), (&beside, json!("Bearer x"))] {
            let headers = client.body("seen", json!({}))["headers"].clone();
            assert_eq!((&headers["authorization"], &headers["mcp-twin-token"]), (&authorization, &Value::Null));
        }
        let status = |client: &HttpClient| client.send("tools/list", json!({})).status();
        assert_eq!([&wrong, &none, &away, &page].map(status), [401, 401, 403, 403]);
    }
    behind.finish();
}
