//! The client's opening: who gets it, when it is answered without a twin, when it is complete.

use super::rig::{A, B, C, Rig, answers, fault, full, methods};
use crate::error::Code;
use crate::relay::{LastGood, RelayEvent};
use crate::swap::ProbeReport;
use serde_json::{Value, json};
use std::time::Duration;

fn ready(server: Option<&str>) -> ProbeReport {
    ProbeReport { server: server.map(str::to_owned), ..ProbeReport::default() }
}

fn last(asked: &str) -> LastGood {
    LastGood { asked: asked.to_owned(), result: Rig::welcome(&full()).to_string() }
}

#[test]
fn the_first_twin_gets_the_clients_own_initialize() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    assert!(rig.events().is_empty() && rig.twin_reads(A).is_empty());
    rig.client_raw(
        r#"{"method":"initialize","params":{"protocolVersion":"2025-11-25","x":1e2},"jsonrpc":"2.0","id":"a\u0062"}"#,
    );
    assert_eq!(rig.events(), [RelayEvent::Probing(A)]);
    let sent = rig.twin_reads_raw(A);
    assert_eq!(
        sent,
        [r#"{"method":"initialize","params":{"protocolVersion":"2025-11-25","x":1e2},"jsonrpc":"2.0","id":1}"#]
    );
    rig.twin_raw(A, r#"{"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"2"},"y":1.0},"id":1}"#);
    let got = rig.client_reads_raw();
    assert_eq!(
        got,
        [
            r#"{"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"2"},"y":1.0},"id":"a\u0062"}"#
        ]
    );
    let result =
        r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"2"},"y":1.0}"#;
    let last = LastGood { asked: "2025-11-25".into(), result: result.into() };
    assert_eq!(rig.events(), [RelayEvent::Opened(last), RelayEvent::Ready(A, ready(Some("s 2")))]);
    assert_eq!(rig.relay.version(), Some("2025-11-25"));
}

#[test]
fn the_probe_may_come_after_the_client() {
    let mut rig = Rig::new();
    rig.initialize();
    assert_eq!(rig.relay.unanswered(), 1);
    rig.relay.attach(A);
    assert!(rig.twin_reads(A).is_empty());
    rig.relay.probe(A, false, rig.now);
    assert_eq!(methods(&rig.twin_reads(A)), ["initialize"]);
    assert_eq!(rig.relay.client_info(), Some(("test", "1.0")));
}

#[test]
fn what_is_sent_behind_the_opening_waits_for_it_without_a_deadline() {
    let mut rig = Rig::new();
    rig.initialize();
    rig.initialized();
    rig.call(1);
    rig.pass(Duration::from_secs(40));
    assert!(rig.client_reads().is_empty());
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    let rest = rig.serve(A, &full(), &Rig::tools());
    assert_eq!(methods(&rest), ["notifications/initialized"]);
    rig.relay.handover(A, rig.now).unwrap();
    assert_eq!(methods(&rig.twin_reads(A)), ["tools/call"]);
}

#[test]
fn a_twin_that_dies_first_leaves_the_opening_to_the_next() {
    let mut rig = Rig::new();
    for twin in [A, B, C] {
        rig.relay.attach(twin);
        rig.relay.probe(twin, false, rig.now);
        if twin == A {
            rig.initialize();
        }
        assert_eq!(methods(&rig.twin_reads(twin)), ["initialize"], "{twin}");
        if twin != C {
            rig.die(twin);
            let events = rig.events();
            assert!(matches!(events.last(), Some(RelayEvent::NotReady(died, _)) if *died == twin), "{events:?}");
        }
    }
    rig.answer(C, &json!(1), Rig::welcome(&full()));
    assert_eq!(answers(&rig.client_reads()), [(0, "result")]);
}

#[test]
fn a_standby_is_sent_nothing_while_the_opening_is_unanswered() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.initialize();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    rig.pass(Duration::from_secs(20));
    assert!(rig.twin_reads(B).is_empty());
    rig.relay.handover(B, rig.now).unwrap_err();
    rig.serve(A, &full(), &Rig::tools());
    assert!(rig.twin_reads(B).is_empty(), "answered, but not complete");
    rig.initialized();
    assert_eq!(methods(&rig.twin_reads(B)), ["initialize"]);
}

#[test]
fn the_clients_next_request_completes_the_opening_too() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.initialize();
    rig.serve(A, &full(), &Rig::tools());
    rig.relay.handover(A, rig.now).unwrap();
    rig.call(1);
    assert_eq!(methods(&rig.twin_reads(A)), ["tools/call"]);
    rig.pass(Duration::from_secs(10));
    assert!(rig.twin_reads(A).is_empty(), "no list before the client's `initialized`");
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    assert_eq!(methods(&rig.twin_reads(B)), ["initialize"]);
    let id = json!(rig.relay.last);
    rig.answer(B, &id, Rig::welcome(&full()));
    assert_eq!(methods(&rig.twin_reads(B))[0], "notifications/initialized");
    rig.initialized();
    assert_eq!(methods(&rig.twin_reads(A)), ["notifications/initialized"], "the late one goes to who had none");
    assert!(rig.twin_reads(B).is_empty());
    rig.initialized();
    assert!(rig.twin_reads(A).is_empty());
}

#[test]
fn discovery_is_refused_by_the_front_and_never_passed_on() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.client(&json!({"jsonrpc": "2.0", "id": "server-discover-probe-1", "method": "server/discover"}));
    let got = rig.client_reads();
    assert_eq!((&got[0]["id"], &got[0]["error"]["code"]), (&json!("server-discover-probe-1"), &json!(-32601)));
    assert!(rig.twin_reads(A).is_empty());
    rig.initialize();
    assert_eq!(methods(&rig.twin_reads(A)), ["initialize"]);
}

#[test]
fn requests_before_any_opening_go_to_the_twin_that_waits_for_it() {
    let mut rig = Rig::new();
    rig.ask(7, "tools/list", json!({}));
    rig.relay.attach(A);
    assert!(rig.twin_reads(A).is_empty());
    rig.relay.probe(A, false, rig.now);
    rig.call(8);
    rig.initialize();
    assert_eq!(methods(&rig.twin_reads(A)), ["tools/list", "tools/call", "initialize"]);
}

#[test]
fn a_ping_is_answered_while_nothing_serves() {
    let mut rig = Rig::new();
    rig.ask(1, "ping", json!({}));
    assert_eq!(rig.client_reads(), [json!({"jsonrpc": "2.0", "id": 1, "result": {}})]);
    rig.relay.refuse(fault(Code::Down, "broken"), rig.now);
    rig.ask(2, "ping", json!({}));
    assert_eq!(answers(&rig.client_reads()), [(2, "result")]);
}

#[test]
fn a_refused_opening_is_the_servers_answer_and_may_be_repeated() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.initialize();
    rig.twin_reads(A);
    rig.refuse(A, &json!(1), -32602);
    assert_eq!(rig.client_reads()[0]["error"], json!({"code": -32602, "message": "no"}));
    assert_eq!(rig.events(), [RelayEvent::Probing(A), RelayEvent::Ready(A, ready(None))]);
    rig.relay.prepare(A, rig.now);
    rig.relay.handover(A, rig.now).unwrap();
    rig.initialize();
    rig.serve(A, &full(), &Rig::tools());
    assert_eq!(answers(&rig.client_reads()), [(0, "result")]);
    rig.initialized();
    assert_eq!(methods(&rig.twin_reads(A)), ["notifications/initialized"]);
}

#[test]
fn a_second_initialize_is_refused() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.initialize();
    assert_eq!(rig.client_reads()[0]["error"]["code"], -32600);
    assert!(rig.twin_reads(A).is_empty());
}

#[test]
fn a_broken_server_is_given_its_grace_and_then_named() {
    let mut rig = Rig::new();
    rig.initialize();
    rig.call(1);
    let broken =
        fault(Code::ExitedEarly, "exited with status 1").with_stderr("Traceback:\nSyntaxError: invalid syntax\n");
    rig.relay.refuse(broken, rig.now);
    rig.pass(Duration::from_millis(24_900));
    assert!(rig.client_reads().is_empty());
    rig.pass(Duration::from_millis(200));
    let got = rig.client_reads();
    assert_eq!(answers(&got), [(0, "error"), (1, "error")]);
    let message = got[0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("SyntaxError") && message.contains("repair it, then reconnect"), "{message}");
    assert_eq!(got[0]["error"]["data"]["code"], "twin::spawn::exited_early");
    assert!(got[0]["error"]["data"]["stderr"].as_str().unwrap().contains("Traceback"));
}

#[test]
fn the_grace_counts_from_the_first_failure() {
    let mut rig = Rig::new();
    rig.initialize();
    for twin in [A, B, C] {
        rig.relay.attach(twin);
        rig.relay.probe(twin, false, rig.now);
        rig.pass(Duration::from_secs(20));
        assert_eq!(methods(&rig.twin_reads(twin)), ["initialize"]);
        // The first 20 s are its start; then 25 s run, which end while C has the opening in hand.
        rig.die(twin);
    }
    let got = rig.client_reads();
    assert_eq!(answers(&got), [(0, "error")], "as soon as that one died");
}

#[test]
fn the_reason_is_why_a_twin_was_ended_not_how_it_ended() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.initialize();
    rig.relay.refuse(fault(Code::ProbeTimeout, "not ready within 3 s").with_stderr("no database"), rig.now);
    // The next try begins while the first one is still being ended, and does no better.
    rig.relay.hold(rig.now);
    rig.die(A);
    rig.call(1);
    rig.pass(Duration::from_secs(30));
    let got = rig.client_reads();
    assert_eq!(answers(&got), [(0, "error"), (1, "error")]);
    for answer in &got {
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("not ready within 3 s") && message.contains("no database"), "{message}");
    }
}

#[test]
fn an_opening_that_comes_after_the_failure_has_its_grace_too() {
    let mut rig = Rig::new();
    rig.relay.refuse(fault(Code::ExitedEarly, "broken"), rig.now);
    rig.pass(Duration::from_secs(100));
    rig.initialize();
    rig.pass(Duration::from_secs(24));
    assert!(rig.client_reads().is_empty());
    rig.relay.hold(rig.now);
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.serve(A, &full(), &Rig::tools());
    assert_eq!(answers(&rig.client_reads()), [(0, "result")]);
}

#[test]
fn a_command_that_cannot_run_is_named_at_once() {
    for first in [true, false] {
        let mut rig = Rig::new();
        let missing = fault(Code::NotExecutable, "no such file: serverr");
        if first {
            rig.relay.refuse(missing.clone(), rig.now);
        }
        rig.initialize();
        if !first {
            rig.relay.refuse(missing, rig.now);
        }
        assert_eq!(rig.client_reads()[0]["error"]["data"]["code"], "twin::spawn::not_executable");
        // Repaired: the client may ask again.
        rig.relay.hold(rig.now);
        rig.initialize();
        assert!(rig.client_reads().is_empty());
        rig.relay.attach(A);
        rig.relay.probe(A, false, rig.now);
        rig.serve(A, &full(), &Rig::tools());
        assert_eq!(answers(&rig.client_reads()), [(0, "result")]);
    }
}

#[test]
fn a_stopped_server_is_named_at_once() {
    let mut rig = Rig::new();
    rig.initialize();
    rig.relay.refuse(fault(Code::Stopped, "it was stopped by `mcp-twin stop`"), rig.now);
    assert_eq!(rig.client_reads()[0]["error"]["data"]["code"], "twin::stopped");
}

#[test]
fn the_last_good_record_opens_a_session_with_a_broken_server() {
    let mut rig = Rig::new();
    rig.relay.set_last_good(Some(last("2025-11-25")));
    rig.initialize();
    rig.relay.refuse(fault(Code::ExitedEarly, "exited with status 1").with_stderr("boom error"), rig.now);
    rig.pass(Duration::from_secs(26));
    let got = rig.client_reads();
    assert_eq!(got, [json!({"jsonrpc": "2.0", "id": 0, "result": Rig::welcome(&full())})]);
    rig.initialized();
    rig.ask(1, "tools/list", json!({}));
    let refused = rig.client_reads();
    assert!(refused[0]["error"]["message"].as_str().unwrap().contains("boom error"));
    // A save repairs it: the twin is proved by F's own replay, and the client hears that it should list again.
    rig.relay.hold(rig.now);
    rig.ask(2, "tools/list", json!({}));
    rig.ready(A, &full(), &Rig::tools());
    rig.relay.prepare(A, rig.now);
    rig.relay.handover(A, rig.now).unwrap();
    assert_eq!(methods(&rig.twin_reads(A)), ["tools/list"]);
    assert_eq!(
        methods(&rig.client_reads()),
        ["notifications/tools/list_changed", "notifications/resources/list_changed"]
    );
}

#[test]
fn the_record_holds_only_for_the_version_asked() {
    let mut rig = Rig::new();
    rig.relay.set_last_good(Some(last("2024-11-05")));
    rig.initialize();
    rig.relay.refuse(fault(Code::ExitedEarly, "broken"), rig.now);
    rig.pass(Duration::from_secs(26));
    assert_eq!(answers(&rig.client_reads()), [(0, "error")]);
}

#[test]
fn a_twin_that_answers_after_the_record_is_gated_by_it() {
    let mut rig = Rig::new();
    rig.relay.set_last_good(Some(last("2025-11-25")));
    rig.initialize();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.twin_reads(A);
    rig.die(A);
    rig.pass(Duration::from_secs(10));
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let asked = rig.twin_reads(B);
    rig.pass(Duration::from_secs(16));
    assert_eq!(answers(&rig.client_reads()), [(0, "result")]);
    rig.events();
    rig.initialized();
    rig.answer(B, &asked[0]["id"], Rig::welcome(&json!({"tools": {}})));
    assert!(rig.client_reads().is_empty());
    let events = rig.events();
    assert!(
        matches!(&events[..], [RelayEvent::NotReady(B, fault)] if fault.code == Code::CapabilityLost),
        "{events:?}"
    );
}

#[test]
fn initialize_is_never_cancelled() {
    let mut rig = Rig::new();
    rig.initialize();
    rig.client(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}}));
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    assert_eq!(methods(&rig.serve(A, &full(), &json!([]))), Vec::<String>::new());
    assert_eq!(answers(&rig.client_reads()), [(0, "result")]);
}

#[test]
fn an_opening_in_hand_survives_a_cut() {
    let mut rig = Rig::new();
    rig.initialize();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.twin_reads(A);
    rig.relay.cut(A, &fault(Code::Cut, "stop"), rig.now);
    rig.die(A);
    assert!(rig.client_reads().is_empty());
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    rig.serve(B, &full(), &json!([]));
    let got: Vec<Value> = rig.client_reads();
    assert_eq!(answers(&got), [(0, "result")]);
}
