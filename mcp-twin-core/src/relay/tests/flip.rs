//! The flip: what moves, what stays, what the client is told.

use super::rig::{A, B, C, Rig, answers, full, methods};
use crate::relay::RelayEvent;
use serde_json::json;

#[test]
fn requests_move_and_calls_in_flight_stay() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let first = rig.to_twin(A);
    rig.swap(B, &full(), &Rig::tools());
    rig.call(2);
    let second = rig.to_twin(B);
    assert_eq!(methods(&second), ["tools/call"]);
    assert_eq!(second[0]["params"]["arguments"]["n"], 2);
    assert!(rig.to_twin(A).is_empty());
    rig.relay.drain(A, rig.now);
    assert!(rig.events().is_empty());
    rig.answer(A, &first[0]["id"], json!({"content": []}));
    assert_eq!(rig.events(), [RelayEvent::Drained(A)]);
    rig.answer(B, &second[0]["id"], json!({"content": []}));
    assert_eq!(answers(&rig.to_client()), [(1, "result"), (2, "result")]);
}

#[test]
fn equal_lists_are_not_announced() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.swap(B, &full(), &Rig::tools());
    assert!(rig.to_client().is_empty());
}

#[test]
fn a_changed_list_is_announced_once() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.swap(B, &full(), &json!([{"name": "u"}]));
    assert_eq!(methods(&rig.to_client()), ["notifications/tools/list_changed"]);
    assert_eq!(rig.relay.stale_lists().len(), 1);
    rig.ask(9, "tools/list", json!({}));
    assert!(rig.relay.stale_lists().is_empty());
    rig.swap(C, &full(), &json!([{"name": "u"}]));
    assert!(methods(&rig.to_client()).is_empty());
}
