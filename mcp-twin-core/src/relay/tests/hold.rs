//! Hold, refuse, release: what waits, how long, how much.

use super::rig::{A, B, Rig, answers, fault, full, methods};
use crate::error::Code;
use crate::spec::Strategy;
use serde_json::{Value, json};
use std::time::Duration;

fn codes(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["error"]["data"]["code"].as_str()).collect()
}

#[test]
fn the_order_of_arrival_is_kept() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.hold(rig.now);
    rig.call(1);
    rig.client(&json!({"jsonrpc": "2.0", "method": "notifications/custom"}));
    rig.ask(2, "tools/list", json!({}));
    assert!(rig.twin_reads(A).is_empty());
    assert_eq!(rig.relay.held(), 2);
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(methods(&rig.twin_reads(B)), ["tools/call", "notifications/custom", "tools/list"]);
    assert_eq!((rig.relay.held(), rig.relay.poll_timeout()), (0, None));
}

#[test]
fn only_requests_are_held() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let call = rig.twin_reads(A)[0]["id"].clone();
    rig.ask_of(A, json!("q"), "roots/list");
    let ask = rig.client_reads()[0]["id"].clone();
    rig.relay.hold(rig.now);
    rig.client(&json!({"jsonrpc": "2.0", "id": ask, "result": {"roots": []}}));
    rig.cancel(json!(1));
    let sent = rig.twin_reads(A);
    assert_eq!((&sent[0]["id"], &sent[1]["params"]["requestId"]), (&json!("q"), &call));
    rig.client(&json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}));
    assert_eq!(methods(&rig.twin_reads(A)), ["notifications/roots/list_changed"]);
}

#[test]
fn the_budget_of_a_hold() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.hold(rig.now);
    rig.call(1);
    rig.pass(Duration::from_secs(3));
    rig.call(2);
    rig.pass(Duration::from_millis(1900));
    assert!(rig.client_reads().is_empty());
    rig.pass(Duration::from_millis(200));
    let got = rig.client_reads();
    assert_eq!((answers(&got), codes(&got)), (vec![(1, "error")], vec!["twin::request::hold_timeout"]));
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(rig.twin_reads(B).len(), 1);
}

#[test]
fn a_handoff_holds_as_long_as_a_stop_and_a_start() {
    let mut rig = Rig::with(|options| options.strategy = Strategy::Handoff).opened(&full(), &Rig::tools());
    rig.relay.await_idle(A, rig.now);
    rig.call(1);
    rig.die(A);
    rig.pass(Duration::from_secs(64));
    assert!(rig.client_reads().is_empty());
    rig.pass(Duration::from_secs(2));
    assert_eq!(answers(&rig.client_reads()), [(1, "error")]);
}

#[test]
fn a_hold_is_bounded_in_number_and_bytes() {
    let mut rig = Rig::with(|options| options.hold_requests = 3).opened(&full(), &Rig::tools());
    rig.relay.hold(rig.now);
    for id in 1..6 {
        rig.call(id);
    }
    assert_eq!(codes(&rig.client_reads()), ["twin::request::busy"; 2]);
    assert_eq!(rig.relay.held(), 3);

    let mut rig = Rig::with(|options| options.hold_bytes = 500).opened(&full(), &Rig::tools());
    rig.relay.hold(rig.now);
    rig.ask(1, "tools/call", json!({"x": "y".repeat(600)}));
    rig.call(2);
    assert_eq!(answers(&rig.client_reads()), [(2, "error")], "one of any size, then the bound");
    rig.cancel(json!(1));
    rig.call(3);
    assert_eq!(rig.relay.held(), 1, "its bytes are given back");
}

#[test]
fn a_refusal_answers_what_waits_and_what_comes() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.die(A);
    rig.call(1);
    assert!(rig.client_reads().is_empty());
    let broken = fault(Code::ExitedEarly, "exited with status 1").with_stderr("x\nNameError: nope\n");
    rig.relay.refuse(broken, rig.now);
    rig.call(2);
    let got = rig.client_reads();
    assert_eq!((answers(&got), codes(&got)), (vec![(1, "error"), (2, "error")], vec!["twin::spawn::exited_early"; 2]));
    let message = got[0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("NameError: nope") && message.contains("not delivered"), "{message}");
    rig.relay.hold(rig.now);
    rig.call(3);
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(rig.twin_reads(B).len(), 1);
}

#[test]
fn a_standby_is_no_reason_to_answer_from_the_front() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.ask(1, "ping", json!({}));
    rig.call(2);
    assert_eq!(methods(&rig.twin_reads(A)), ["ping", "tools/call"]);
    assert!(rig.twin_reads(B).is_empty());
}
