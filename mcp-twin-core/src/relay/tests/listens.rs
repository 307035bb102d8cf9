//! `subscriptions/listen` stays open over swaps and deaths.

use super::rig::{A, B, Rig, answers, fault, full, methods};
use crate::error::Code;
use crate::relay::RelayEvent;
use serde_json::{Value, json};

const TAG: &str = "io.modelcontextprotocol/subscriptionId";

/// A modern session that listens for tools and one resource.
fn listening() -> Rig {
    let mut rig = Rig::modern();
    rig.modern_ask(json!("l-1"), "subscriptions/listen", filter());
    rig.serve(A, &full(), &Rig::tools());
    let got = rig.client_reads();
    assert_eq!(methods(&got), ["notifications/subscriptions/acknowledged"]);
    assert_eq!(got[0]["params"]["_meta"][TAG], "l-1");
    rig
}

fn filter() -> Value {
    json!({"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["a:1"]}})
}

fn other_tools() -> Value {
    json!([{"name": "u", "inputSchema": {"type": "object"}}])
}

/// Says something on the listen that a twin has.
fn publish(rig: &mut Rig, twin: crate::ids::TwinId, number: &Value, method: &str) {
    rig.twin(twin, &json!({"jsonrpc": "2.0", "method": method, "params": {"uri": "a:1", "_meta": {TAG: number}}}));
}

fn listen_at(lines: &[Value]) -> Value {
    lines.iter().find(|line| line["method"] == "subscriptions/listen").map(|line| line["id"].clone()).unwrap()
}

#[test]
fn the_request_is_the_clients_own_but_for_its_id() {
    let mut rig = Rig::modern();
    let line = r#"{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}, "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}},"x":1e2}"#;
    rig.client_raw(line);
    let sent = rig.twin_reads_raw(A);
    let number = serde_json::from_str::<Value>(&sent[0]).unwrap()["id"].clone();
    assert_eq!(sent, [line.replace("\"l\"", &number.to_string())]);
}

#[test]
fn it_is_opened_at_the_new_twin_before_the_commit_and_its_acknowledgement_swallowed() {
    let mut rig = listening();
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    assert!(rig.events().is_empty(), "not before it is acknowledged");
    let sent = rig.serve(B, &full(), &Rig::tools());
    assert_eq!(methods(&sent), ["subscriptions/listen"]);
    assert_eq!(rig.events(), [RelayEvent::Prepared(B)]);
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_changed_list_is_published_once_under_the_clients_id() {
    let mut rig = listening();
    rig.swap(B, &full(), &other_tools());
    let got = rig.client_reads();
    assert_eq!(methods(&got), ["notifications/tools/list_changed", "notifications/resources/updated"]);
    assert!(got.iter().all(|line| line["params"]["_meta"][TAG] == "l-1"), "{got:?}");
    assert_eq!(got[1]["params"]["uri"], "a:1");
}

#[test]
fn an_unchanged_list_is_not_published() {
    let mut rig = listening();
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(methods(&rig.client_reads()), ["notifications/resources/updated"]);
}

#[test]
fn who_did_not_ask_for_a_list_is_not_told_of_it() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!(1), "subscriptions/listen", json!({"notifications": {"promptsListChanged": true}}));
    rig.serve(A, &full(), &Rig::tools());
    rig.client_reads();
    rig.swap(B, &full(), &other_tools());
    assert!(rig.client_reads().is_empty());
}

#[test]
fn only_who_serves_is_heard() {
    let mut rig = listening();
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    let lines = rig.serve(B, &full(), &Rig::tools());
    let at_b = listen_at(&lines);
    publish(&mut rig, B, &at_b, "notifications/resources/updated");
    assert!(rig.client_reads().is_empty(), "the standby");
    rig.events();
    rig.relay.handover(B, rig.now).unwrap();
    rig.client_reads();
    publish(&mut rig, B, &at_b, "notifications/resources/updated");
    let got = rig.client_reads();
    assert_eq!((methods(&got).len(), &got[0]["params"]["_meta"][TAG]), (1, &json!("l-1")));
    for number in 0..200 {
        publish(&mut rig, A, &json!(number), "notifications/tools/list_changed");
    }
    assert!(rig.client_reads().is_empty(), "the old twin");
}

#[test]
fn the_end_of_the_old_stream_is_swallowed() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!("l"), "subscriptions/listen", filter());
    let at_a = listen_at(&rig.serve(A, &full(), &Rig::tools()));
    rig.client_reads();
    rig.swap(B, &full(), &Rig::tools());
    rig.client_reads();
    rig.answer(A, &at_a, json!({"resultType": "complete", "_meta": {TAG: at_a}}));
    assert!(rig.client_reads().is_empty());
    rig.die(A);
    assert!(rig.client_reads().is_empty());
}

#[test]
fn its_end_by_cancellation_is_swallowed_too() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!("l"), "subscriptions/listen", filter());
    let at_a = listen_at(&rig.serve(A, &full(), &Rig::tools()));
    rig.swap(B, &full(), &Rig::tools());
    rig.client_reads();
    rig.twin(A, &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": at_a}}));
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_server_that_ends_it_while_it_serves_is_passed_on() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!("l"), "subscriptions/listen", filter());
    let at_a = listen_at(&rig.serve(A, &full(), &Rig::tools()));
    rig.client_reads();
    rig.answer(A, &at_a, json!({"resultType": "complete", "_meta": {TAG: at_a}}));
    let end = json!({"jsonrpc": "2.0", "id": "l", "result": {"resultType": "complete", "_meta": {TAG: "l"}}});
    assert_eq!(rig.client_reads(), [end]);
    rig.swap(B, &full(), &other_tools());
    assert!(rig.client_reads().is_empty(), "nobody listens any more");
    rig.modern_ask(json!("l"), "subscriptions/listen", filter());
    assert_eq!(methods(&rig.twin_reads(B)), ["subscriptions/listen"], "its id is free again");
}

#[test]
fn a_server_that_cancels_it_while_it_serves_is_passed_on() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!("l"), "subscriptions/listen", filter());
    let at_a = listen_at(&rig.serve(A, &full(), &Rig::tools()));
    rig.client_reads();
    rig.twin(A, &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": at_a}}));
    let got = rig.client_reads();
    assert_eq!((methods(&got), &got[0]["params"]["requestId"]), (vec!["notifications/cancelled".into()], &json!("l")));
}

#[test]
fn the_client_ends_it_everywhere() {
    let mut rig = listening();
    rig.swap(B, &full(), &Rig::tools());
    rig.client_reads();
    rig.cancel(json!("l-1"));
    assert_eq!(methods(&rig.twin_reads(A)), ["notifications/cancelled"]);
    assert_eq!(methods(&rig.twin_reads(B)), ["notifications/cancelled"]);
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_crash_does_not_end_it() {
    let mut rig = listening();
    rig.die(A);
    rig.relay.hold(rig.now);
    assert!(rig.client_reads().is_empty(), "no error: it is opened again");
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.handover(B, rig.now).unwrap();
    assert_eq!(methods(&rig.serve(B, &full(), &Rig::tools())), ["subscriptions/listen"]);
    assert_eq!(methods(&rig.client_reads()), ["notifications/resources/updated"]);
}

#[test]
fn an_acknowledgement_that_the_old_twin_owed_comes_from_the_new_one() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!("l"), "subscriptions/listen", filter());
    let at_a = listen_at(&rig.twin_reads(A));
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(methods(&rig.client_reads()), ["notifications/subscriptions/acknowledged"]);
    let late = json!({"notifications": {"toolsListChanged": true}, "_meta": {TAG: at_a}});
    rig.twin(A, &json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": late}));
    assert!(rig.client_reads().is_empty(), "once");
}

#[test]
fn a_new_twin_that_refuses_it_is_swapped_in_all_the_same() {
    let mut rig = listening();
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    let sent = rig.twin_reads(B);
    rig.refuse(B, &sent[0]["id"], -32601);
    assert_eq!(rig.events(), [RelayEvent::Prepared(B)]);
    assert!(rig.twin_reads(B).is_empty(), "it is not asked again");
    rig.relay.handover(B, rig.now).unwrap();
    assert_eq!(methods(&rig.client_reads()), ["notifications/resources/updated"]);
}

#[test]
fn one_that_waits_for_the_first_twin_is_opened_there() {
    let mut rig = Rig::new();
    rig.modern_ask(json!("d"), "server/discover", json!({}));
    rig.modern_ask(json!("l"), "subscriptions/listen", filter());
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.serve(A, &full(), &Rig::tools());
    rig.relay.prepare(A, rig.now);
    assert_eq!(methods(&rig.serve(A, &full(), &Rig::tools())), ["subscriptions/listen"]);
    rig.relay.handover(A, rig.now).unwrap();
    let got = rig.client_reads();
    assert_eq!(methods(&got), ["notifications/subscriptions/acknowledged"], "{got:?}");
}

#[test]
fn without_a_server_it_is_refused() {
    let mut rig = Rig::modern();
    rig.die(A);
    rig.relay.hold(rig.now);
    rig.modern_ask(json!(4), "subscriptions/listen", filter());
    rig.relay.refuse(fault(Code::Down, "it does not start"), rig.now);
    assert_eq!(answers(&rig.client_reads()), [(4, "error")]);
    rig.modern_ask(json!(5), "subscriptions/listen", filter());
    assert_eq!(answers(&rig.client_reads()), [(5, "error")]);
}

#[test]
fn it_is_no_open_call() {
    let mut rig = listening();
    assert_eq!((rig.relay.unanswered(), rig.relay.owed(A).calls), (0, 0));
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.drain(A, rig.now);
    assert_eq!(rig.events(), [RelayEvent::Drained(A)]);
}

#[test]
fn a_return_to_the_old_twin_finds_it_still_open_there() {
    let mut rig = listening();
    rig.swap(B, &full(), &Rig::tools());
    rig.client_reads();
    rig.relay.prepare(A, rig.now);
    assert!(rig.twin_reads(A).is_empty());
    assert_eq!(rig.events(), [RelayEvent::Prepared(A)]);
    rig.relay.handover(A, rig.now).unwrap();
    assert_eq!(methods(&rig.client_reads()), ["notifications/resources/updated"]);
}

#[test]
fn too_many_are_refused() {
    let mut rig = Rig::modern();
    for number in 100..164 {
        rig.modern_ask(json!(number), "subscriptions/listen", filter());
    }
    rig.serve(A, &full(), &Rig::tools());
    rig.client_reads();
    rig.modern_ask(json!(1), "subscriptions/listen", filter());
    assert_eq!(rig.client_reads()[0]["error"]["data"]["code"], "twin::request::busy");
}

/// A relay whose first twin waits for an opening, and a client whose first word is a listen.
fn listen_first() -> (Rig, Value) {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.modern_ask(json!("l-1"), "subscriptions/listen", filter());
    let sent = rig.twin_reads(A);
    assert_eq!(methods(&sent), ["subscriptions/listen"]);
    (rig, sent[0]["id"].clone())
}

fn acknowledge(rig: &mut Rig, twin: crate::ids::TwinId, number: &Value) {
    rig.twin(
        twin,
        &json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
            "params": {"notifications": filter()["notifications"], "_meta": {TAG: number}}}),
    );
}

/// The TypeScript SDK (client 2.4.0, `mode: 'auto'`) asks another process what the server speaks, and begins with this.
#[test]
fn a_client_may_begin_with_it() {
    let (mut rig, number) = listen_first();
    acknowledge(&mut rig, A, &number);
    let got = rig.client_reads();
    assert_eq!(methods(&got), ["notifications/subscriptions/acknowledged"]);
    assert_eq!(got[0]["params"]["_meta"][TAG], "l-1");
    assert!(matches!(rig.events()[..], [RelayEvent::Probing(A), RelayEvent::Ready(A, _)]));
    assert_eq!(rig.relay.version(), Some("2026-07-28"));
    rig.relay.handover(A, rig.now).unwrap();
    rig.pass(std::time::Duration::from_secs(1));
    rig.serve(A, &full(), &Rig::tools());
    assert!(rig.client_reads().is_empty());
    rig.swap(B, &full(), &other_tools());
    let got = rig.client_reads();
    assert_eq!(methods(&got), ["notifications/tools/list_changed", "notifications/resources/updated"], "{got:?}");
    assert!(got.iter().all(|line| line["params"]["_meta"][TAG] == "l-1"), "{got:?}");
}

#[test]
fn one_that_came_before_any_twin_goes_to_the_first() {
    let mut rig = Rig::new();
    rig.modern_ask(json!("l-1"), "subscriptions/listen", filter());
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    let sent = rig.twin_reads(A);
    acknowledge(&mut rig, A, &sent[0]["id"]);
    assert_eq!(methods(&rig.client_reads()), ["notifications/subscriptions/acknowledged"]);
    assert!(matches!(rig.events()[..], [RelayEvent::Probing(A), RelayEvent::Ready(A, _)]));
}

#[test]
fn one_in_hand_of_a_dead_twin_goes_to_the_next() {
    let (mut rig, _) = listen_first();
    rig.die(A);
    assert!(rig.client_reads().is_empty());
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let sent = rig.twin_reads(B);
    assert_eq!(methods(&sent), ["subscriptions/listen"]);
    acknowledge(&mut rig, B, &sent[0]["id"]);
    assert_eq!(methods(&rig.client_reads()), ["notifications/subscriptions/acknowledged"]);
}

#[test]
fn a_server_that_refuses_it_settles_nothing() {
    let (mut rig, number) = listen_first();
    rig.refuse(A, &number, -32601);
    let got = rig.client_reads();
    assert_eq!((&got[0]["id"], &got[0]["error"]["code"]), (&json!("l-1"), &json!(-32601)));
    assert!(rig.events().is_empty());
    rig.initialize();
    assert_eq!(methods(&rig.twin_reads(A)), ["initialize"], "the client may choose the handshake");
}

#[test]
fn initialize_behind_it_takes_its_place() {
    let (mut rig, _) = listen_first();
    rig.initialize();
    assert_eq!(methods(&rig.twin_reads(A)), ["notifications/cancelled", "initialize"]);
    let got = rig.client_reads();
    assert_eq!((&got[0]["id"], got[0]["error"].is_object()), (&json!("l-1"), true));
}

/// The swap comes before what A can do was asked: whether its tools differ from B's is found out all the same.
#[test]
fn a_swap_in_the_first_second_tells_of_no_change_where_there_is_none() {
    for (tools, told) in [
        (Rig::tools(), &["notifications/resources/updated"][..]),
        (other_tools(), &["notifications/tools/list_changed", "notifications/resources/updated"]),
    ] {
        let (mut rig, number) = listen_first();
        acknowledge(&mut rig, A, &number);
        rig.client_reads();
        rig.relay.handover(A, rig.now).unwrap();
        rig.relay.attach(B);
        rig.relay.probe(B, false, rig.now);
        rig.serve(B, &full(), &tools);
        assert!(!matches!(rig.events()[..], [.., RelayEvent::Ready(B, _)]), "A was not asked yet");
        rig.serve(A, &full(), &Rig::tools());
        assert!(matches!(rig.events()[..], [.., RelayEvent::Ready(B, _)]));
        rig.relay.prepare(B, rig.now);
        rig.serve(B, &full(), &tools);
        rig.relay.handover(B, rig.now).unwrap();
        assert_eq!(methods(&rig.client_reads()), told);
    }
}

#[test]
fn who_has_not_listed_again_is_named_whether_it_listens_or_not() {
    for listens in [true, false] {
        let mut rig = if listens { listening() } else { Rig::modern() };
        rig.modern_ask(json!(1), "tools/list", json!({}));
        rig.serve(A, &full(), &Rig::tools());
        rig.client_reads();
        rig.swap(B, &full(), &other_tools());
        let told = methods(&rig.client_reads());
        assert_eq!(told.iter().any(|name| name == "notifications/tools/list_changed"), listens);
        assert_eq!(rig.relay.stale_lists(), [crate::relay::diff::ListKind::Tools]);
        rig.modern_ask(json!(2), "tools/list", json!({}));
        assert!(rig.relay.stale_lists().is_empty());
    }
}
