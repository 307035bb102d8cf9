//! The flip: what moves, what stays, what the client is told.

use super::rig::{A, B, C, Rig, answers, full, methods};
use crate::relay::RelayEvent;
use crate::relay::diff::ListKind;
use serde_json::json;

#[test]
fn requests_move_and_calls_in_flight_stay() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let first = rig.twin_reads(A);
    rig.swap(B, &full(), &Rig::tools());
    rig.call(2);
    let second = rig.twin_reads(B);
    assert_eq!(methods(&second), ["tools/call"]);
    assert_eq!(second[0]["params"]["arguments"]["n"], 2);
    assert!(rig.twin_reads(A).is_empty());
    rig.relay.drain(A, rig.now);
    assert!(rig.events().is_empty());
    rig.answer(A, &first[0]["id"], json!({"content": []}));
    assert_eq!(rig.events(), [RelayEvent::Drained(A)]);
    rig.answer(B, &second[0]["id"], json!({"content": []}));
    assert_eq!(answers(&rig.client_reads()), [(1, "result"), (2, "result")]);
}

#[test]
fn equal_lists_are_not_announced() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.swap(B, &full(), &Rig::tools());
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_changed_list_is_announced_once() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "tools/list", json!({}));
    let listed = rig.twin_reads(A);
    rig.answer(A, &listed[0]["id"], json!({"tools": Rig::tools()}));
    rig.client_reads();
    rig.swap(B, &full(), &json!([{"name": "u"}]));
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
    assert_eq!(rig.relay.stale_lists().len(), 1);
    rig.ask(9, "tools/list", json!({}));
    assert!(rig.relay.stale_lists().is_empty());
    rig.swap(C, &full(), &json!([{"name": "u"}]));
    assert!(methods(&rig.client_reads()).is_empty());
}

#[test]
fn a_client_that_never_listed_is_told_once_and_holds_nothing_stale() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.die(A);
    rig.swap(B, &full(), &json!([{"name": "u"}]));
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
    assert!(rig.relay.stale_lists().is_empty());
    rig.swap(C, &full(), &json!([{"name": "u"}]));
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_change_is_announced_only_when_no_older_answer_can_follow() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "tools/list", json!({}));
    rig.ask(2, "tools/list", json!({}));
    let old = rig.twin_reads(A);
    rig.swap(B, &full(), &json!([{"name": "u"}]));
    assert!(rig.client_reads().is_empty());
    rig.ask(3, "tools/list", json!({}));
    rig.answer(A, &old[0]["id"], json!({"tools": []}));
    assert_eq!(rig.client_reads().len(), 1);
    rig.cancel(json!(2));
    assert_eq!(
        methods(&rig.client_reads()),
        ["notifications/tools/list_changed"],
        "the new twin's own list does not count"
    );
}

#[test]
fn a_change_that_waited_for_a_dying_twin_is_announced_too() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "tools/list", json!({}));
    rig.twin_reads(A);
    rig.swap(B, &full(), &json!([{"name": "u"}]));
    rig.die(A);
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
    assert_eq!(methods(&rig.twin_reads(B)), ["tools/list"], "and the list goes to the new twin");
}

#[test]
fn a_rollback_tells_the_client_again() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.swap(B, &full(), &json!([{"name": "u"}]));
    rig.client_reads();
    rig.relay.prepare(A, rig.now);
    rig.relay.handover(A, rig.now).unwrap();
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
    rig.relay.handover(A, rig.now).unwrap();
    assert!(rig.client_reads().is_empty(), "already there");
}

#[test]
fn a_respawn_of_the_same_code_is_not_announced() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.die(A);
    rig.swap(B, &full(), &Rig::tools());
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_client_that_was_not_told_of_changes_hears_of_none() {
    let told = json!({"tools": {}});
    let mut rig = Rig::open(&told, &Rig::tools());
    rig.swap(B, &told, &json!([{"name": "u"}]));
    assert!(rig.client_reads().is_empty() && rig.relay.stale_lists().is_empty());
}

#[test]
fn a_client_that_cannot_be_told_is_named_until_it_lists_again() {
    let told = json!({"tools": {}});
    let mut rig = Rig::open(&told, &Rig::tools());
    rig.ask(1, "tools/list", json!({}));
    rig.serve(A, &told, &Rig::tools());
    rig.client_reads();
    rig.swap(B, &told, &json!([{"name": "u"}]));
    assert!(rig.client_reads().is_empty());
    assert_eq!(rig.relay.stale_lists(), [ListKind::Tools]);
    rig.ask(2, "tools/list", json!({}));
    assert!(rig.relay.stale_lists().is_empty());
}

#[test]
fn completions_prompts_and_reads_go_to_who_serves() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    rig.twin_reads(A);
    rig.swap(B, &full(), &Rig::tools());
    let stateless = ["completion/complete", "prompts/get", "resources/read"];
    for (id, method) in (2..).zip(stateless) {
        rig.ask(id, method, json!({}));
    }
    assert_eq!(methods(&rig.twin_reads(B)), stateless);
    assert!(rig.twin_reads(A).is_empty());
}

#[test]
fn a_twin_that_is_not_proved_does_not_take_over() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.handover(B, rig.now).unwrap_err();
    rig.relay.attach(B);
    rig.relay.handover(B, rig.now).unwrap_err();
    rig.relay.probe(B, false, rig.now);
    rig.relay.handover(B, rig.now).unwrap_err();
    rig.call(1);
    assert_eq!(methods(&rig.twin_reads(A)), ["tools/call"]);
}
