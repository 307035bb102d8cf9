//! Twins that die, do not come up, or stop to listen.

use crate::{FLAGS, both, pid, project, served};
use mcp_twin_tests::client::body_of;
use mcp_twin_tests::http_load::{Fate, HttpLoad};
use mcp_twin_tests::{PATIENCE, process, until};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::TcpListener;

/// What the client of a call is told that was at a twin when it died.
fn is_clear(answer: &Value) -> bool {
    let error = &answer["error"];
    error["code"].is_i64()
        && error["message"].as_str().is_some_and(|text| text.contains("killed") || text.contains("may have been"))
}

#[test]
fn a_killed_twin_costs_the_calls_that_it_had_and_nothing_else() {
    let (project, front) = served(&[]);
    let (active, warm) = both(&project);
    let (legacy, modern) = (front.client(), front.modern());
    let mut doomed: Vec<_> =
        (0..4).map(|n| (if n % 2 == 0 { &legacy } else { &modern }).work(60_000, &format!("doomed {n}"))).collect();
    until("four calls at the twin", || {
        (0..4).all(|n| project.record().of(&format!("doomed {n}")).is_some()).then_some(())
    });
    let load = HttpLoad::start(front.url(), 8, |_| 2);
    load.until_more(200);
    process::kill(active);
    for call in &mut doomed {
        let answer = call.answer();
        assert!(is_clear(&answer), "{answer}");
        // Once: the body ends with it.
        assert_eq!(call.body().matches("\"error\"").count(), 1, "{call:?}");
    }
    load.until_more(400);
    let calls = load.stop();
    let (runs, mut by, mut failed) = (project.record().by_key(), HashSet::new(), Vec::new());
    for call in calls {
        let ran: Vec<u64> = runs.get(&call.key).into_iter().flatten().map(|run| run.pid).collect();
        match call.fate {
            Fate::Good(body) => {
                by.insert(body["pid"].as_u64().unwrap());
                assert_eq!(ran, [body["pid"].as_u64().unwrap()], "{}", call.key);
            }
            Fate::Failed(answer) => {
                assert!(is_clear(&answer), "{answer}");
                assert!(
                    ran.is_empty() || ran == [u64::from(active)],
                    "{} ran elsewhere ({ran:?}), and failed",
                    call.key
                );
                failed.push((call.key, answer, ran));
            }
            Fate::Lost(why) => panic!("{} was lost: {why}", call.key),
        }
    }
    // The one at the twin, and one that was sent while the system was still closing its connections.
    assert!(failed.len() <= 2 * 8, "{} calls failed, of 8 clients: {failed:#?}", failed.len());
    assert_eq!(
        by,
        HashSet::from([u64::from(active), u64::from(warm)]),
        "the warm twin takes over, no other is waited for"
    );
    // A new one is kept warm.
    assert_eq!(both(&project).0, warm);
    project.finish_http(&front);
}

#[test]
fn broken_code_does_not_serve_and_says_why() {
    let (project, front) = served(&[]);
    let client = front.client();
    project.save_broken();
    let status = project.until_degraded();
    assert_eq!(status["degraded"]["code"], "twin::spawn::exited_early", "{status}");
    assert!(status["degraded"]["stderr_tail"].as_str().unwrap().contains("SyntaxError"), "{status}");
    let answer = client.call("version", json!({})).answer();
    let texts = answer["result"]["content"].as_array().unwrap();
    assert_eq!((texts.len(), &texts[0]["text"]), (2, &json!("v1")), "the answer, and what happened: {answer}");
    assert!(texts[1]["text"].as_str().unwrap().contains("SyntaxError"), "{answer}");
    assert_eq!(front.modern().version(), "v1");
    project.save_version("v2");
    client.until_version("v2");
    project.finish_http(&front);
}

#[test]
fn a_twin_that_never_listens_does_not_take_over() {
    let (project, front) = served(&["--start-timeout", "2s"]);
    let client = front.client();
    project.set("BOOT_SECONDS", "600.0");
    let status = project.until_degraded();
    let text = status["degraded"].to_string();
    assert!(text.contains("nothing accepts connections on port"), "{text}");
    assert_eq!(client.version(), "v1");
    assert_eq!(project.cli(&["reload", "--json"]).outcome(), "failed");
    project.set("BOOT_SECONDS", "0.0");
    project.save_version("v2");
    client.until_version("v2");
    project.finish_http(&front);
}

#[test]
fn a_first_twin_that_never_listens_is_told_to_whoever_asks() {
    let project = project(&[("BOOT_SECONDS", "600.0")]);
    let front = project.serve(&[FLAGS, &["--start-timeout", "1s"]].concat());
    let mut refused = front.modern().send("tools/list", json!({}));
    let answer = refused.answer();
    assert!(answer["error"]["message"].is_string(), "{answer}");
    project.set("BOOT_SECONDS", "0.0");
    let client = until("a session", || {
        let client = mcp_twin_tests::HttpClient::new(front.url());
        client.initialize(json!({}))["result"].is_object().then_some(client)
    });
    client.notify("notifications/initialized", json!({}));
    assert_eq!(client.version(), "v1");
    project.finish_http(&front);
}

/// A line for the server's code that wants a port of its own beside the one that it is given.
fn wants(port: u16) -> String {
    format!("[]; import socket; alone = socket.create_server((\"127.0.0.1\", {port}))")
}

fn spare_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn two_copies_that_want_one_port_are_told_of_the_handoff() {
    let project = project(&[("EXTRA_TOOLS", &wants(spare_port()))]);
    let front = project.serve(&[FLAGS, &["--standby", "on-demand"]].concat());
    let client = front.client();
    project.save_version("v2");
    let status = project.until_degraded();
    assert!(status["degraded"]["stderr_tail"].as_str().unwrap().contains("in use"), "{status}");
    assert!(status["warnings"].to_string().contains("--strategy handoff"), "{status}");
    assert_eq!(client.version(), "v1");
    project.finish_http(&front);
}

#[test]
fn a_handoff_serves_them_and_loses_no_call() {
    let project = project(&[("EXTRA_TOOLS", &wants(spare_port()))]);
    let front = project.serve(&[FLAGS, &["--strategy", "handoff", "--hold", "20s"]].concat());
    let client = front.client();
    let mut open = client.work(700, "open");
    let old = until("the call at the twin", || project.record().of("open")).pid;
    let load = HttpLoad::start(front.url(), 4, |_| 2);
    load.until_more(50);
    project.save_version("v2");
    until("an answer of the new code", || load.has_seen(2).then_some(()));
    assert_eq!(body_of(&open.answer())["pid"], old);
    load.until_more(50);
    for call in load.stop() {
        assert!(matches!(call.fate, Fate::Good(_)), "{call:?}");
        assert!(project.record().of(&call.key).is_some());
    }
    assert_eq!(client.version(), "v2");
    project.finish_http(&front);
}

#[test]
fn what_comes_while_a_handoff_waits_is_for_the_new_code() {
    let project = project(&[("EXTRA_TOOLS", &wants(spare_port()))]);
    let front = project.serve(&[FLAGS, &["--strategy", "handoff", "--hold", "20s", "--handoff-wait", "60s"]].concat());
    let (busy, idle) = (front.client(), front.client());
    assert_eq!(idle.version(), "v1");
    let work = json!({"name": "work", "arguments": {"ms": 60_000, "key": "open"}});
    let open = busy.send_as(json!("open"), "tools/call", work);
    let old = until("the call at the twin", || project.record().of("open")).pid;
    project.save_version("v2");
    project.until_status("a handoff that waits for the open call", |front| front["state"] == "handoff");
    // Its session has nothing open, so it has left the old code already.
    let mut asked = [idle.send("tools/call", json!({"name": "version", "arguments": {}})), idle.work(0, "asked")];
    project.until_status("both at the front", |front| front["held"] == 2);
    busy.notify("notifications/cancelled", json!({"requestId": "open"}));
    assert_eq!(asked[0].answer()["result"]["content"][0]["text"], "v2");
    assert_ne!(body_of(&asked[1].answer())["pid"], old);
    drop(open);
    project.finish_http(&front);
}

/// A server with a tool `deaf`.
fn deafened() -> mcp_twin_tests::Project {
    let project = project(&[("EXTRA_TOOLS", "[\"deaf\"]")]);
    // Its `deaf` closes the listener and goes on running; what is open stays open. Closed alone, it would go on listening
    // for as long as the server's own thread waits on it.
    let code = std::fs::read_to_string(project.file()).unwrap();
    let deaf = "def deafen():\n    import gc, socket\n    for one in gc.get_objects():\n        if isinstance(one, wire.Server):\n            \
                one.socket.shutdown(socket.SHUT_RDWR)\n            one.socket.close()\n\n\nif __name__";
    let code = code.replace("if __name__", deaf);
    let code = code.replace(
        "            return text(VERSION)\n",
        "            if name == \"deaf\":\n                deafen()\n            return text(VERSION)\n",
    );
    assert!(code.contains("deafen()\n            return"), "the fixture has changed");
    std::fs::write(project.file(), code).unwrap();
    project
}

#[test]
fn a_twin_that_lives_and_listens_no_more_is_ended_at_the_first_refused_request() {
    let project = deafened();
    let front = project.serve(&["--settle", "0", "--bake", "100ms", "--stop-kill", "1s"]);
    let (active, warm) = both(&project);
    let client = front.client();
    let mut open = client.work(60_000, "open");
    until("the call at the twin", || project.record().of("open"));
    assert_eq!(client.text("deaf", json!({})), "v1");
    assert!(process::alive(active));
    // Connections that were kept may still do; a new one is refused, and its request goes to the next twin, once.
    let calls: Vec<_> = (0..20).map(|n| (format!("after {n}"), client.work(200, &format!("after {n}")))).collect();
    for (key, mut call) in calls {
        let answer = call.answer();
        let ran = project.record().of(&key);
        match answer["result"]["content"][0]["text"].as_str() {
            Some(_) => assert_eq!(ran.unwrap().pid, body_of(&answer)["pid"].as_u64().unwrap()),
            // Over a kept connection, at the twin when it was ended.
            None => assert!(is_clear(&answer) && ran.is_none_or(|ran| ran.pid == u64::from(active)), "{answer}"),
        }
    }
    let answer = open.answer_within(PATIENCE).unwrap();
    assert!(answer["error"]["message"].is_string(), "what was at the twin is answered: {answer}");
    process::gone(active);
    assert_eq!(pid(&project.status()["active"]), warm);
    assert_eq!(client.version(), "v1");
    project.finish_http(&front);
}

#[test]
fn calls_that_a_dead_twin_was_never_sent_run_on_the_next_one() {
    let project = deafened();
    let front = project.serve(&["--settle", "0", "--bake", "100ms"]);
    let (active, warm) = both(&project);
    let client = front.client();
    let at_the_twin = |key: &str| {
        let call = client.work(60_000, key);
        until("the call at the twin", || project.record().of(key));
        call
    };
    // All connections that the front has kept are in use then.
    let mut open: Vec<_> = (0..12).map(|n| at_the_twin(&format!("open {n}"))).collect();
    assert_eq!(client.text("deaf", json!({})), "v1");
    open.push(at_the_twin("over the connection of `deaf`"));
    let calls: Vec<_> = (0..20).map(|n| client.work(1, &format!("after {n}"))).collect();
    process::kill(active);
    for (n, mut call) in calls.into_iter().enumerate() {
        let answer = call.answer();
        assert_eq!(body_of(&answer)["pid"], warm, "{answer}");
        assert_eq!(project.record().of(&format!("after {n}")).unwrap().pid, u64::from(warm));
    }
    for call in &mut open {
        assert!(is_clear(&call.answer()), "{call:?}");
    }
    project.finish_http(&front);
}
