//! What a twin handed out goes back to it: states, cursors, elicitations by URL; tasks have a file of their own.

use super::rig::{A, B, Rig, full, methods};
use crate::relay::RelayEvent;
use serde_json::json;
use std::time::Duration;

fn drained(rig: &mut Rig) -> bool {
    rig.events().contains(&RelayEvent::Drained(A))
}

#[test]
fn a_request_state_goes_back_to_who_made_it_and_keeps_it_alive() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!(1), "tools/call", json!({"name": "t"}));
    let sent = rig.twin_reads(A);
    rig.answer(
        A,
        &sent[0]["id"],
        json!({"resultType": "input_required", "requestState": "s\u{e9}", "inputRequests": {}}),
    );
    rig.client_reads();
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.drain(A, rig.now);
    assert!(!drained(&mut rig) && rig.relay.owed(A).later);
    // Escapes do not matter.
    let meta = Rig::meta();
    rig.client_raw(&format!(
        r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"t","requestState":"s\u00e9","_meta":{meta}}}}}"#
    ));
    assert!(rig.twin_reads(B).is_empty());
    let sent = rig.twin_reads(A);
    assert_eq!(methods(&sent), ["tools/call"]);
    rig.answer(A, &sent[0]["id"], json!({"resultType": "complete", "content": []}));
    assert!(drained(&mut rig), "the state is used up");
    rig.modern_ask(json!(3), "tools/call", json!({"name": "t"}));
    assert_eq!(methods(&rig.twin_reads(B)), ["tools/call"]);
}

#[test]
fn a_request_state_is_owed_for_its_time_only() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!(1), "resources/read", json!({"uri": "a:1"}));
    let sent = rig.twin_reads(A);
    rig.answer(A, &sent[0]["id"], json!({"resultType": "input_required", "requestState": "s"}));
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.drain(A, rig.now);
    rig.pass(Duration::from_secs(599));
    assert!(!drained(&mut rig));
    rig.pass(Duration::from_secs(2));
    assert!(drained(&mut rig));
    assert_eq!(rig.relay.poll_timeout(), None);
}

#[test]
fn the_state_of_a_dead_twin_goes_to_who_serves() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!(1), "prompts/get", json!({"name": "p"}));
    let sent = rig.twin_reads(A);
    rig.answer(A, &sent[0]["id"], json!({"resultType": "input_required", "requestState": "s"}));
    rig.swap(B, &full(), &Rig::tools());
    rig.die(A);
    rig.modern_ask(json!(2), "prompts/get", json!({"name": "p", "requestState": "s"}));
    assert_eq!(methods(&rig.twin_reads(B)), ["prompts/get"], "it says itself what it thinks of it");
}

#[test]
fn inputs_without_a_state_need_no_owner() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!(1), "tools/call", json!({"name": "t"}));
    let sent = rig.twin_reads(A);
    rig.answer(A, &sent[0]["id"], json!({"resultType": "input_required", "inputRequests": {"k": {}}}));
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.drain(A, rig.now);
    assert!(drained(&mut rig));
    rig.modern_ask(json!(2), "tools/call", json!({"name": "t", "inputResponses": {"k": {}}}));
    assert_eq!(methods(&rig.twin_reads(B)), ["tools/call"]);
}

#[test]
fn a_cursor_goes_back_to_who_made_it() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "tools/list", json!({}));
    let sent = rig.twin_reads(A);
    rig.answer(A, &sent[0]["id"], json!({"tools": [], "nextCursor": "10"}));
    rig.swap(B, &full(), &Rig::tools());
    rig.ask(2, "tools/list", json!({"cursor": "10"}));
    assert_eq!(methods(&rig.twin_reads(A)), ["tools/list"]);
    rig.ask(3, "resources/list", json!({"cursor": "10"}));
    assert_eq!(methods(&rig.twin_reads(B)), ["resources/list"], "the same text of another list is another cursor");
}

#[test]
fn the_latest_maker_of_a_cursor_counts() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    for (id, twin) in [(1, A), (2, B)] {
        rig.ask(id, "tools/list", json!({}));
        let sent = rig.twin_reads(twin);
        rig.answer(twin, &sent[0]["id"], json!({"tools": [], "nextCursor": "10"}));
        if twin == A {
            rig.swap(B, &full(), &Rig::tools());
        }
    }
    rig.ask(3, "tools/list", json!({"cursor": "10"}));
    assert_eq!(methods(&rig.twin_reads(B)), ["tools/list"]);
}

#[test]
fn the_cursor_of_a_dead_twin_is_invalid() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "tools/list", json!({}));
    let sent = rig.twin_reads(A);
    rig.answer(A, &sent[0]["id"], json!({"tools": [], "nextCursor": "10"}));
    rig.swap(B, &full(), &Rig::tools());
    rig.die(A);
    rig.client_reads();
    rig.ask(2, "tools/list", json!({"cursor": "10"}));
    assert_eq!(rig.client_reads()[0]["error"]["code"], -32602);
    assert!(rig.twin_reads(B).is_empty(), "B is not asked to guess");
    rig.ask(3, "tools/list", json!({"cursor": "of nobody"}));
    assert_eq!(methods(&rig.twin_reads(B)), ["tools/list"]);
}

#[test]
fn an_elicitation_by_url_is_completed_by_who_began_it() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let sent = rig.twin_reads(A);
    let params = json!({"mode": "url", "elicitationId": "e-1", "url": "https://example.com"});
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": 0, "method": "elicitation/create", "params": params}));
    let asked = rig.client_reads();
    rig.client(&json!({"jsonrpc": "2.0", "id": asked[0]["id"], "result": {"action": "accept"}}));
    rig.answer(A, &sent[0]["id"], json!({"content": []}));
    rig.client_reads();
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.drain(A, rig.now);
    assert!(!drained(&mut rig), "it comes minutes later");
    let done =
        json!({"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": {"elicitationId": "e-1"}});
    rig.twin(A, &done);
    assert_eq!(rig.client_reads(), std::slice::from_ref(&done));
    assert!(drained(&mut rig));
    rig.twin(A, &done);
    assert!(rig.client_reads().is_empty(), "once");
}

#[test]
fn a_declined_or_forgotten_elicitation_is_not_owed() {
    for answer in [json!({"action": "decline"}), json!({"action": "accept"})] {
        let mut rig = Rig::open(&full(), &Rig::tools());
        let params = json!({"mode": "url", "elicitationId": "e-1"});
        rig.twin(A, &json!({"jsonrpc": "2.0", "id": 0, "method": "elicitation/create", "params": params}));
        let asked = rig.client_reads();
        rig.client(&json!({"jsonrpc": "2.0", "id": asked[0]["id"], "result": answer}));
        rig.swap(B, &full(), &Rig::tools());
        rig.relay.drain(A, rig.now);
        assert_eq!(drained(&mut rig), answer["action"] == "decline");
        rig.pass(Duration::from_secs(601));
        assert_eq!(rig.relay.poll_timeout(), None);
    }
}

#[test]
fn an_error_that_asks_for_a_url_passes_and_is_owed() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let sent = rig.twin_reads(A);
    let error =
        json!({"code": -32042, "message": "x", "data": {"elicitations": [{"mode": "url", "elicitationId": "e-2"}]}});
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": sent[0]["id"], "error": error}));
    assert_eq!(rig.client_reads()[0]["error"], error);
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.drain(A, rig.now);
    assert!(!drained(&mut rig));
    let done =
        json!({"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": {"elicitationId": "e-2"}});
    rig.twin(A, &done);
    assert_eq!(rig.client_reads(), [done]);
    assert!(drained(&mut rig));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut rig = Rig::modern();
    for number in 0..1100 {
        rig.modern_ask(json!(number), "tools/call", json!({"name": "t"}));
        let sent = rig.twin_reads(A);
        rig.answer(A, &sent[0]["id"], json!({"resultType": "input_required", "requestState": number.to_string()}));
    }
    rig.swap(B, &full(), &Rig::tools());
    rig.client_reads();
    rig.modern_ask(json!("old"), "tools/call", json!({"name": "t", "requestState": "0"}));
    rig.modern_ask(json!("new"), "tools/call", json!({"name": "t", "requestState": "1099"}));
    assert_eq!((rig.twin_reads(A).len(), rig.twin_reads(B).len()), (1, 1));
}
