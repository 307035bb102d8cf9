//! Death of a twin and cancellation: what is lost, what goes on, what is dropped.

use super::rig::{A, B, C, Rig, answers, full, methods};
use crate::relay::RelayEvent;
use serde_json::json;

#[test]
fn a_call_that_died_with_its_twin_says_so() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    rig.twin_reads(A);
    rig.die(A);
    let got = rig.client_reads();
    let error = &got[0]["error"];
    assert_eq!(
        (&got[0]["id"], &error["code"], &error["data"]["code"]),
        (&json!(1), &json!(-31001), &json!("twin::request::lost"))
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("exited with status 1") && message.contains("ValueError: boom"), "{message}");
    assert!(message.contains("check before you repeat it"), "{message}");
}

#[test]
fn what_no_twin_has_seen_goes_to_the_next() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    rig.call(2);
    rig.call(3);
    let first = rig.relay.twin_output(A).iter().position(|byte| *byte == b'\n').unwrap();
    rig.relay.twin_written(A, first + 20, rig.now);
    rig.die(A);
    assert_eq!(answers(&rig.client_reads()), [(1, "error")]);
    assert_eq!((rig.relay.held(), rig.relay.in_flight()), (2, 0));
    rig.swap(B, &full(), &Rig::tools());
    let sent: Vec<_> = rig.twin_reads(B).iter().map(|line| line["params"]["arguments"]["n"].clone()).collect();
    assert_eq!(sent, [2, 3]);
}

#[test]
fn a_broken_pipe_frees_what_was_not_written_and_keeps_the_rest() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.call(2);
    rig.relay.twin_written(A, 5, rig.now);
    rig.relay.twin_input_closed(A, rig.now);
    assert_eq!((rig.relay.held(), rig.relay.in_flight()), (1, 1));
    rig.call(3);
    assert_eq!(rig.relay.held(), 2);
    assert!(rig.relay.twin_output(A).is_empty());
    rig.answer(A, &id, json!({}));
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
    rig.relay.handover(A, rig.now).unwrap_err();
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(rig.twin_reads(B).len(), 2);
}

#[test]
fn lists_and_pings_go_to_a_second_twin_but_not_to_a_third() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "tools/list", json!({"x": 1}));
    rig.ask(2, "ping", json!({}));
    let line = rig.twin_reads_raw(A);
    rig.die(A);
    assert!(rig.client_reads().is_empty());
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(rig.twin_reads_raw(B), line);
    rig.die(B);
    let got = rig.client_reads();
    assert_eq!(answers(&got), [(1, "error"), (2, "error")]);
    assert!(got[0]["error"]["message"].as_str().unwrap().contains("can be repeated safely"));
}

#[test]
fn a_death_after_the_flip_sends_the_unseen_straight_on() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.call(1);
    // Nothing of the call was written to A.
    rig.relay.handover(B, rig.now).unwrap();
    assert!(rig.twin_reads(B).is_empty());
    rig.die(A);
    assert_eq!(methods(&rig.twin_reads(B)), ["tools/call"]);
}

#[test]
fn a_late_answer_after_death_is_nobodys() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.die(A);
    rig.client_reads();
    rig.answer(A, &id, json!({}));
    rig.ready(B, &full(), &Rig::tools());
    rig.answer(B, &id, json!({}));
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_held_request_that_is_cancelled_is_never_delivered() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.hold(rig.now);
    rig.call(1);
    rig.call(2);
    rig.cancel(json!(1));
    assert_eq!(rig.relay.unanswered(), 1);
    rig.swap(B, &full(), &Rig::tools());
    let sent = rig.twin_reads(B);
    assert_eq!((methods(&sent), &sent[0]["params"]["arguments"]["n"]), (vec!["tools/call".to_owned()], &json!(2)));
    assert!(rig.twin_reads(A).is_empty() && rig.client_reads().is_empty());
}

#[test]
fn a_request_cancelled_while_it_is_written_is_finished_then_cancelled() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    rig.relay.twin_written(A, 10, rig.now);
    let begun = rig.relay.twin_output(A).len();
    rig.cancel(json!(1));
    let number = rig.relay.last;
    let rest = String::from_utf8(rig.relay.twin_output(A).to_vec()).unwrap();
    assert!(rest.len() > begun && rest[begun..].contains(&format!("\"requestId\":{number}")));
    // If the owner dies first it is dropped, neither re-queued nor answered.
    rig.die(A);
    rig.swap(B, &full(), &Rig::tools());
    assert!(rig.twin_reads(B).is_empty() && rig.client_reads().is_empty());
    assert_eq!(rig.relay.unanswered(), 0);
}

#[test]
fn a_cancellation_goes_to_the_owner_only() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.drain(A, rig.now);
    rig.cancel(json!(1));
    let sent = rig.twin_reads(A);
    assert_eq!((&sent[0]["params"]["requestId"], &sent[0]["params"]["reason"]), (&id, &json!("x")));
    assert!(rig.twin_reads(B).is_empty());
    assert_eq!(rig.events(), [RelayEvent::Drained(A)], "a cancelled call is not owed");
    rig.answer(A, &id, json!({}));
    assert!(rig.client_reads().is_empty());
    rig.cancel(json!(1));
    rig.cancel(json!(99));
    rig.cancel(json!({"x": 1}));
    assert!(rig.twin_reads(A).is_empty() && rig.twin_reads(B).is_empty());
}

#[test]
fn requests_of_a_dead_twin_are_cancelled_at_the_client() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask_of(A, json!(0), "sampling/createMessage");
    let id = rig.client_reads()[0]["id"].clone();
    rig.die(A);
    let got = rig.client_reads();
    assert_eq!((&got[0]["method"], &got[0]["params"]["requestId"]), (&json!("notifications/cancelled"), &id));
    rig.swap(B, &full(), &Rig::tools());
    rig.client(&json!({"jsonrpc": "2.0", "id": id, "result": {}}));
    assert!(rig.twin_reads(B).is_empty());
}

#[test]
fn whoever_waits_for_a_twin_hears_of_its_death() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    rig.twin_reads(A);
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    rig.relay.await_idle(A, rig.now);
    rig.relay.drain(A, rig.now);
    rig.relay.attach(C);
    rig.die(C);
    assert_eq!(rig.events(), [RelayEvent::Probing(B)]);
    rig.die(B);
    assert!(matches!(rig.events()[..], [RelayEvent::NotReady(B, _)]));
    rig.die(A);
    assert_eq!(rig.events(), [RelayEvent::Drained(A), RelayEvent::Idle(A)]);
}
