//! What twins send by themselves: requests and notifications, before and after the flip.

use super::rig::{A, B, Rig, answers, full, methods};
use serde_json::json;

#[test]
fn requests_of_both_twins_are_told_apart() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    rig.twin_reads(A);
    rig.swap(B, &full(), &Rig::tools());
    rig.twin_raw(A, r#"{"jsonrpc":"2.0","id":0,"method":"sampling/createMessage","params":{"who":"A","_meta":{"progressToken":0}}}"#);
    rig.twin_raw(B, r#"{"method":"sampling/createMessage","params":{"_meta":{"progressToken":"t"},"who":"B"},"id":0}"#);
    let got = rig.client_reads();
    let (a, b) = (got[0]["id"].clone(), got[1]["id"].clone());
    assert_ne!(a, b);
    assert_eq!((&got[0]["params"]["_meta"]["progressToken"], &got[1]["params"]["_meta"]["progressToken"]), (&a, &b));
    rig.client(
        &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": b, "progress": 1}}),
    );
    assert_eq!(rig.twin_reads(B)[0]["params"], json!({"progressToken": "t", "progress": 1}));
    rig.client(&json!({"jsonrpc": "2.0", "id": a, "result": {"for": "A"}}));
    rig.client(&json!({"jsonrpc": "2.0", "id": b, "error": {"code": 1, "message": "B"}}));
    assert_eq!(rig.twin_reads(A), [json!({"jsonrpc": "2.0", "id": 0, "result": {"for": "A"}})]);
    assert_eq!(rig.twin_reads(B), [json!({"jsonrpc": "2.0", "id": 0, "error": {"code": 1, "message": "B"}})]);
    rig.client(&json!({"jsonrpc": "2.0", "id": b, "result": {}}));
    rig.client(
        &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": b, "progress": 2}}),
    );
    assert!(rig.twin_reads(B).is_empty() && rig.twin_reads(A).is_empty());
}

#[test]
fn a_twin_may_take_its_request_back() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask_of(A, json!("x"), "elicitation/create");
    let id = rig.client_reads()[0]["id"].clone();
    rig.twin(A, &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "x"}}));
    let got = rig.client_reads();
    assert_eq!(got[0]["params"]["requestId"], id);
    rig.client(&json!({"jsonrpc": "2.0", "id": id, "result": {}}));
    assert!(rig.twin_reads(A).is_empty());
    rig.twin(A, &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "x"}}));
    assert!(rig.client_reads().is_empty());
    assert_eq!(rig.relay.owed(A).requests, 0);
}

#[test]
fn a_standby_may_ask_for_roots_and_ping_and_the_rest_waits_for_the_commit() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.ask_of(B, json!(0), "roots/list");
    rig.ask_of(B, json!("p"), "ping");
    rig.ask_of(B, json!(1), "sampling/createMessage");
    rig.ask_of(B, json!(2), "elicitation/create");
    rig.twin(B, &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}));
    rig.note_of(B, "notifications/message");
    rig.note_of(B, "notifications/resources/updated");
    assert_eq!(methods(&rig.client_reads()), ["roots/list"]);
    assert_eq!(rig.twin_reads(B), [json!({"jsonrpc": "2.0", "id": "p", "result": {}})]);
    assert!(rig.logged("notifications/message"));
    rig.relay.handover(B, rig.now).unwrap();
    assert_eq!(methods(&rig.client_reads()), ["sampling/createMessage"]);
}

#[test]
fn a_dropped_standbys_question_is_taken_back() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.ask_of(B, json!(0), "roots/list");
    rig.ask_of(B, json!(1), "sampling/createMessage");
    let id = rig.client_reads()[0]["id"].clone();
    rig.die(B);
    let got = rig.client_reads();
    assert_eq!((methods(&got), &got[0]["params"]["requestId"]), (vec!["notifications/cancelled".to_owned()], &id));
}

#[test]
fn parked_requests_are_bounded() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    for id in 0..70 {
        rig.ask_of(B, json!(id), "sampling/createMessage");
    }
    assert_eq!(rig.twin_reads(B).len(), 6);
}

#[test]
fn after_the_flip_the_old_twin_speaks_only_for_its_open_calls() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "tools/call", json!({"_meta": {"progressToken": "t"}}));
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.swap(B, &full(), &Rig::tools());
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "t"}});
    rig.twin(A, &progress);
    rig.note_of(A, "notifications/message");
    rig.note_of(A, "notifications/tools/list_changed");
    rig.note_of(A, "notifications/resources/updated");
    rig.ask_of(A, json!(0), "elicitation/create");
    assert_eq!(methods(&rig.client_reads()), ["notifications/progress", "notifications/message", "elicitation/create"]);
    let ask = rig.relay.last;
    rig.client(&json!({"jsonrpc": "2.0", "id": ask, "result": {}}));
    rig.answer(A, &id, json!({}));
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
    rig.twin_reads(A);
    rig.note_of(A, "notifications/message");
    rig.twin(A, &progress);
    rig.ask_of(A, json!(1), "elicitation/create");
    rig.ask_of(A, json!(2), "ping");
    assert!(rig.client_reads().is_empty());
    let got = rig.twin_reads(A);
    assert!(got[0].get("error").is_some() && got[1]["result"] == json!({}), "{got:?}");
}

#[test]
fn what_the_client_was_not_told_of_is_hidden() {
    let told = json!({"tools": {}});
    let mut rig = Rig::open(&told, &Rig::tools());
    for note in ["notifications/tools/list_changed", "notifications/message"] {
        rig.note_of(A, note);
        assert_eq!(methods(&rig.client_reads()), [note], "the opener's own word");
    }
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    rig.serve(B, &full(), &json!([{"name": "u"}]));
    rig.serve(A, &told, &Rig::tools());
    rig.relay.handover(B, rig.now).unwrap();
    for note in ["tools/list_changed", "resources/list_changed", "resources/updated", "message"] {
        rig.note_of(B, &format!("notifications/{note}"));
    }
    assert!(rig.client_reads().is_empty(), "nor a list_changed of ours");
    rig.note_of(B, "notifications/custom");
    assert_eq!(methods(&rig.client_reads()), ["notifications/custom"]);
}

#[test]
fn roots_changes_go_to_all_and_other_notifications_to_the_active() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    rig.client(&json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}));
    rig.client(&json!({"jsonrpc": "2.0", "method": "notifications/custom", "params": {"x": 1}}));
    assert_eq!(methods(&rig.twin_reads(A)), ["notifications/roots/list_changed", "notifications/custom"]);
    assert_eq!(methods(&rig.twin_reads(B)), ["notifications/roots/list_changed"]);
}

#[test]
fn log_messages_during_the_first_opening_pass() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.initialize();
    rig.note_of(A, "notifications/message");
    assert_eq!(methods(&rig.client_reads()), ["notifications/message"]);
}
