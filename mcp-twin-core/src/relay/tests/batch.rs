//! Batches, where the revision has them.

use super::rig::{A, B, Rig, full, methods};
use serde_json::{Value, json};

/// A session of the revision that has batches.
fn open() -> Rig {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.initialize();
    let sent = rig.twin_reads(A);
    let mut welcome = Rig::welcome(&full());
    welcome["protocolVersion"] = json!("2025-03-26");
    rig.answer(A, &sent[0]["id"], welcome);
    rig.relay.handover(A, rig.now).unwrap();
    rig.initialized();
    rig.client_reads();
    rig.twin_reads(A);
    rig
}

fn call(id: i64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "t"}})
}

#[test]
fn its_messages_go_one_by_one_and_the_answers_come_back_together() {
    let mut rig = open();
    let note = json!({"jsonrpc": "2.0", "method": "notifications/x"});
    rig.client(&json!([call(1), note, call(2)]));
    let sent = rig.twin_reads(A);
    assert_eq!(methods(&sent), ["tools/call", "notifications/x", "tools/call"]);
    rig.answer(A, &sent[2]["id"], json!({"n": 2}));
    assert!(rig.client_reads().is_empty());
    rig.answer(A, &sent[0]["id"], json!({"n": 1}));
    let both =
        json!([{"jsonrpc": "2.0", "id": 2, "result": {"n": 2}}, {"jsonrpc": "2.0", "id": 1, "result": {"n": 1}}]);
    assert_eq!(rig.client_reads(), [both]);
}

#[test]
fn what_is_no_message_is_answered_in_it() {
    let mut rig = open();
    rig.client(&json!([call(1), 7, {"jsonrpc": "2.0", "id": 3, "method": 4}]));
    let sent = rig.twin_reads(A);
    rig.answer(A, &sent[0]["id"], json!({}));
    let got = rig.client_reads();
    let ids: Vec<_> = got[0].as_array().unwrap().iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, [json!(null), json!(3), json!(1)]);
}

#[test]
fn a_cancelled_request_is_left_out_of_it() {
    let mut rig = open();
    rig.client(&json!([call(1), call(2)]));
    let sent = rig.twin_reads(A);
    rig.cancel(json!(2));
    rig.answer(A, &sent[0]["id"], json!({}));
    assert_eq!(rig.client_reads()[0].as_array().map(Vec::len), Some(1));
}

#[test]
fn without_a_request_there_is_no_answer() {
    let mut rig = open();
    rig.client(&json!([{"jsonrpc": "2.0", "method": "notifications/x"}]));
    assert_eq!(methods(&rig.twin_reads(A)), ["notifications/x"]);
    assert!(rig.client_reads().is_empty());
}

#[test]
fn it_is_answered_over_a_death_and_by_two_twins() {
    let mut rig = open();
    rig.client(&json!([call(1), {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]));
    rig.twin_reads(A);
    rig.die(A);
    rig.relay.hold(rig.now);
    assert!(rig.client_reads().is_empty(), "the list goes to the next twin");
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let sent = rig.twin_reads(B);
    let mut welcome = Rig::welcome(
        &json!({"tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true}, "logging": {}}),
    );
    welcome["protocolVersion"] = json!("2025-03-26");
    rig.answer(B, &sent[0]["id"], welcome);
    rig.serve(B, &full(), &Rig::tools());
    rig.relay.handover(B, rig.now).unwrap();
    rig.serve(B, &full(), &Rig::tools());
    let got = rig.client_reads();
    let batch = got.iter().find(|line| line.is_array()).unwrap_or_else(|| panic!("{got:?}"));
    let kinds: Vec<_> =
        batch.as_array().unwrap().iter().map(|one| (one["id"].clone(), one.get("error").is_some())).collect();
    assert_eq!(kinds, [(json!(1), true), (json!(2), false)]);
}

#[test]
fn other_revisions_have_none() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.client(&json!([call(1)]));
    rig.client_raw("[]");
    assert!(rig.twin_reads(A).is_empty());
    assert!(rig.client_reads().iter().all(|line| line["error"]["code"] == -32600));
    rig.twin_raw(A, r#"[{"jsonrpc":"2.0","method":"notifications/x"}]"#);
    assert!(rig.client_reads().is_empty());
    let mut rig = open();
    rig.client_raw("[]");
    rig.client_raw("[[]]");
    let got = rig.client_reads();
    assert_eq!((&got[0]["error"]["code"], &got[1][0]["error"]["code"]), (&json!(-32600), &json!(-32600)));
}

#[test]
fn a_twins_batch_is_passed_on_message_by_message() {
    let mut rig = open();
    rig.client(&call(1));
    let sent = rig.twin_reads(A);
    rig.twin(
        A,
        &json!([
            {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}},
            {"jsonrpc": "2.0", "id": sent[0]["id"], "result": {}},
            {"jsonrpc": "2.0", "id": 5, "method": "roots/list"},
        ]),
    );
    let got = rig.client_reads();
    assert_eq!((methods(&got), got.len()), (vec!["notifications/message".into(), "roots/list".into()], 3));
}
