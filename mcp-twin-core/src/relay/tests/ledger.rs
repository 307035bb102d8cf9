//! Log level and subscriptions follow the session to each new twin.

use super::rig::{A, B, Rig, answers, full, methods};
use crate::error::Code;
use crate::relay::RelayEvent;
use serde_json::{Value, json};
use std::time::Duration;

/// A third twin.
const D: crate::ids::TwinId = crate::ids::TwinId(3);

/// A session with a level and two subscriptions.
fn subscribed() -> Rig {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "logging/setLevel", json!({"level": "debug"}));
    rig.client_raw(r#"{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"a\u003a1"}}"#);
    rig.ask(3, "resources/subscribe", json!({"uri": "b:2"}));
    rig.serve(A, &full(), &Rig::tools());
    assert_eq!(rig.client_reads().len(), 3);
    rig
}

fn entries(lines: &[Value]) -> Vec<(String, String)> {
    let entry = |line: &Value| {
        let value = line["params"]["uri"].as_str().or_else(|| line["params"]["level"].as_str()).unwrap_or_default();
        (line["method"].as_str().unwrap_or_default().to_owned(), value.to_owned())
    };
    lines.iter().map(entry).collect()
}

fn pair(method: &str, value: &str) -> (String, String) {
    (method.to_owned(), value.to_owned())
}

#[test]
fn it_is_replayed_before_the_commit_and_swallowed() {
    let mut rig = subscribed();
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    assert!(rig.events().is_empty(), "not before it is answered");
    let sent = rig.serve(B, &full(), &Rig::tools());
    let wanted =
        [pair("logging/setLevel", "debug"), pair("resources/subscribe", "a:1"), pair("resources/subscribe", "b:2")];
    assert_eq!(entries(&sent), wanted);
    assert_eq!(rig.events(), [RelayEvent::Prepared(B)]);
    assert!(rig.client_reads().is_empty());
    rig.call(9);
    assert_eq!(methods(&rig.twin_reads(A)), ["tools/call"], "A still serves");
}

#[test]
fn only_what_was_accepted_is_in_it() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "resources/subscribe", json!({"uri": "a:1"}));
    rig.ask(2, "resources/subscribe", json!({"uri": "b:2"}));
    let sent = rig.twin_reads(A);
    rig.refuse(A, &sent[0]["id"], -32602);
    rig.answer(A, &sent[1]["id"], json!({}));
    rig.ask(3, "resources/unsubscribe", json!({"uri": "b:2"}));
    rig.serve(A, &full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    assert!(rig.twin_reads(B).is_empty());
    assert_eq!(rig.events(), [RelayEvent::Prepared(B)]);
}

#[test]
fn a_rollback_applies_the_difference_removals_included() {
    let mut rig = subscribed();
    rig.swap(B, &full(), &Rig::tools());
    rig.ask(5, "resources/unsubscribe", json!({"uri": "b:2"}));
    rig.ask(6, "resources/subscribe", json!({"uri": "c:3"}));
    rig.serve(B, &full(), &Rig::tools());
    rig.relay.prepare(A, rig.now);
    let sent = rig.serve(A, &full(), &Rig::tools());
    assert_eq!(entries(&sent), [pair("resources/unsubscribe", "b:2"), pair("resources/subscribe", "c:3")]);
    assert_eq!(rig.events(), [RelayEvent::Prepared(A)]);
}

#[test]
fn a_request_in_flight_is_waited_for_and_the_next_one_queues() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.ask(1, "resources/subscribe", json!({"uri": "a:1"}));
    let first = rig.twin_reads(A)[0]["id"].clone();
    rig.relay.prepare(B, rig.now);
    assert!(rig.events().is_empty());
    rig.ask(2, "resources/unsubscribe", json!({"uri": "a:1"}));
    rig.call(3);
    assert_eq!(methods(&rig.twin_reads(A)), ["tools/call"], "only the ledger's requests queue");
    rig.answer(A, &first, json!({}));
    assert_eq!(entries(&rig.serve(B, &full(), &Rig::tools())), [pair("resources/subscribe", "a:1")]);
    assert_eq!(rig.events(), [RelayEvent::Prepared(B)]);
    rig.relay.handover(B, rig.now).unwrap();
    assert_eq!(entries(&rig.twin_reads(B)), [pair("resources/unsubscribe", "a:1")], "the client's own");
}

#[test]
fn one_that_the_old_twin_answers_later_is_brought_afterwards() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.ask(1, "logging/setLevel", json!({"level": "error"}));
    let late = rig.twin_reads(A)[0]["id"].clone();
    rig.relay.prepare(B, rig.now);
    rig.pass(Duration::from_millis(900));
    assert!(rig.events().is_empty());
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.events(), [RelayEvent::Prepared(B)]);
    rig.relay.handover(B, rig.now).unwrap();
    rig.answer(A, &late, json!({}));
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
    assert_eq!(entries(&rig.serve(B, &full(), &Rig::tools())), [pair("logging/setLevel", "error")]);
    assert!(rig.client_reads().is_empty());
}

#[test]
fn the_clients_last_word_counts_after_a_flip_too() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.ask(1, "logging/setLevel", json!({"level": "debug"}));
    let late = rig.twin_reads(A)[0]["id"].clone();
    rig.relay.handover(B, rig.now).unwrap();
    rig.ask(2, "logging/setLevel", json!({"level": "error"}));
    rig.call(3);
    assert_eq!(methods(&rig.twin_reads(B)), ["tools/call"]);
    rig.answer(A, &late, json!({}));
    let sent = rig.serve(B, &full(), &Rig::tools());
    assert_eq!(entries(&sent), [pair("logging/setLevel", "debug"), pair("logging/setLevel", "error")]);
    assert_eq!(answers(&rig.client_reads()), [(1, "result"), (2, "result")]);
    rig.ask(4, "logging/setLevel", json!({"level": "info"}));
    assert_eq!(entries(&rig.twin_reads(B)), [pair("logging/setLevel", "info")]);
    // Nor does one that dies with the old twin hold it up.
    rig.ready(D, &full(), &Rig::tools());
    rig.relay.handover(D, rig.now).unwrap();
    assert_eq!(entries(&rig.serve(D, &full(), &Rig::tools())), [pair("logging/setLevel", "error")]);
    rig.ask(5, "logging/setLevel", json!({"level": "notice"}));
    assert!(rig.twin_reads(D).is_empty());
    rig.die(B);
    assert_eq!(entries(&rig.twin_reads(D)).last(), Some(&pair("logging/setLevel", "notice")));
}

#[test]
fn a_twin_that_does_not_take_it_is_given_up() {
    let mut rig = subscribed();
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    rig.ask(7, "logging/setLevel", json!({"level": "info"}));
    rig.pass(Duration::from_millis(4900));
    assert!(rig.events().is_empty() && rig.twin_reads(A).is_empty());
    rig.pass(Duration::from_millis(200));
    let events = rig.events();
    assert!(
        matches!(&events[..], [RelayEvent::PrepareFailed(B, fault)] if fault.code == Code::ProtocolBroken),
        "{events:?}"
    );
    assert_eq!(methods(&rig.twin_reads(A)), ["logging/setLevel"], "what waited for the swap goes to A");
    rig.relay.prepare(crate::ids::TwinId(77), rig.now);
    assert!(matches!(rig.events()[..], [RelayEvent::PrepareFailed(..)]));
}

#[test]
fn a_swap_that_does_not_come_costs_the_ledger_nothing() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    rig.ask(1, "logging/setLevel", json!({"level": "info"}));
    assert!(rig.twin_reads(A).is_empty());
    rig.die(B);
    assert_eq!(methods(&rig.serve(A, &full(), &Rig::tools())), ["logging/setLevel"]);

    rig.swap(crate::ids::TwinId(9), &full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    rig.ask(2, "logging/setLevel", json!({"level": "info"}));
    rig.pass(Duration::from_secs(6));
    assert_eq!(methods(&rig.twin_reads(crate::ids::TwinId(9))), ["logging/setLevel"], "it does not wait for ever");
}

#[test]
fn after_a_swap_the_client_is_told_to_read_what_it_is_subscribed_to() {
    let mut rig = subscribed();
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    for line in rig.twin_reads(B) {
        if line["params"]["uri"] == "a:1" {
            rig.refuse(B, &line["id"], -32002)
        } else {
            rig.answer(B, &line["id"], json!({}))
        }
    }
    assert_eq!(rig.events(), [RelayEvent::Prepared(B)]);
    assert!(rig.client_reads().is_empty());
    rig.relay.handover(B, rig.now).unwrap();
    let told = |uri| json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}});
    assert_eq!(rig.client_reads(), [told("a:1"), told("b:2")], "once each, the one that B refused too");
}

#[test]
fn a_twin_without_the_capability_is_not_asked() {
    let mut rig = subscribed();
    let less = json!({"tools": {"listChanged": true}, "resources": {"listChanged": true}});
    rig.relay.attach(B);
    rig.relay.probe(B, true, rig.now);
    rig.serve(B, &less, &Rig::tools());
    rig.events();
    rig.relay.prepare(B, rig.now);
    assert!(rig.twin_reads(B).is_empty());
    assert_eq!(rig.events(), [RelayEvent::Prepared(B)]);
    rig.relay.handover(B, rig.now).unwrap();
    assert_eq!(methods(&rig.client_reads()).len(), 2, "it is told to read what nobody will update");
    rig.ask(8, "resources/subscribe", json!({"uri": "d"}));
    rig.ask(9, "logging/setLevel", json!({"level": "info"}));
    let got = rig.client_reads();
    assert!(got.iter().all(|line| line["error"]["code"] == -32601) && got.len() == 2, "{got:?}");
    rig.ask(10, "resources/read", json!({"uri": "d"}));
    assert_eq!(methods(&rig.twin_reads(B)), ["resources/read"]);
}
