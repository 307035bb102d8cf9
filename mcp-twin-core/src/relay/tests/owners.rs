//! What a twin handed out goes back to it: states, cursors, tasks, elicitations by URL.

use super::rig::{A, B, Rig, answers, full, methods};
use crate::relay::RelayEvent;
use serde_json::{Value, json};
use std::time::Duration;

fn with_tasks() -> Value {
    json!({"tools": {"listChanged": true}, "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}})
}

/// A legacy session with a task that runs on A, begun with a progress token.
fn with_a_task() -> Rig {
    let mut rig = Rig::open(&with_tasks(), &Rig::tools());
    rig.ask(1, "tools/call", json!({"name": "t", "task": {"ttl": 60000}, "_meta": {"progressToken": "p"}}));
    let sent = rig.twin_reads(A);
    rig.answer(A, &sent[0]["id"], json!({"task": task("t-1", "working")}));
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
    rig
}

fn task(id: &str, status: &str) -> Value {
    json!({"taskId": id, "status": status, "ttl": 60000, "createdAt": "x", "lastUpdatedAt": "x"})
}

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
fn a_task_is_asked_after_where_it_runs() {
    let mut rig = with_a_task();
    rig.swap(B, &with_tasks(), &Rig::tools());
    for (id, method) in [(2, "tasks/get"), (3, "tasks/result"), (4, "tasks/cancel")] {
        rig.ask(id, method, json!({"taskId": "t-1"}));
        assert_eq!(methods(&rig.twin_reads(A)), [method]);
    }
    rig.ask(5, "tasks/get", json!({"taskId": "other"}));
    assert_eq!(methods(&rig.twin_reads(B)), ["tasks/get"]);
}

#[test]
fn a_twin_owes_its_task_until_the_end_is_seen() {
    let ends: [fn(&mut Rig); 4] = [
        |rig| {
            rig.ask(2, "tasks/get", json!({"taskId": "t-1"}));
            let sent = rig.twin_reads(A);
            rig.answer(A, &sent[0]["id"], task("t-1", "completed"));
        },
        |rig| {
            rig.ask(2, "tasks/result", json!({"taskId": "t-1"}));
            let sent = rig.twin_reads(A);
            rig.answer(A, &sent[0]["id"], json!({"content": []}));
        },
        |rig| {
            let status = task("t-1", "failed");
            rig.twin(A, &json!({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": status}));
            assert_eq!(methods(&rig.client_reads()), ["notifications/tasks/status"], "A's word on its task passes");
        },
        |rig| rig.pass(Duration::from_secs(61)),
    ];
    for (at, end) in ends.into_iter().enumerate() {
        let mut rig = with_a_task();
        rig.swap(B, &with_tasks(), &Rig::tools());
        rig.relay.drain(A, rig.now);
        rig.ask(9, "tasks/get", json!({"taskId": "t-1"}));
        let sent = rig.twin_reads(A);
        rig.answer(A, &sent[0]["id"], task("t-1", "working"));
        assert!(!drained(&mut rig), "{at}");
        end(&mut rig);
        assert!(drained(&mut rig), "{at}");
    }
}

#[test]
fn the_task_of_a_dead_twin_is_unknown() {
    let mut rig = with_a_task();
    rig.swap(B, &with_tasks(), &Rig::tools());
    rig.die(A);
    rig.ask(2, "tasks/get", json!({"taskId": "t-1"}));
    assert_eq!(rig.client_reads()[0]["error"]["code"], -32602);
    assert!(rig.twin_reads(B).is_empty());
}

#[test]
fn the_progress_token_of_a_task_stays_valid() {
    let mut rig = with_a_task();
    rig.swap(B, &with_tasks(), &Rig::tools());
    let note =
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "p", "progress": 1}});
    rig.twin(A, &note);
    assert_eq!(rig.client_reads(), std::slice::from_ref(&note));
    rig.twin(B, &note);
    assert!(rig.client_reads().is_empty(), "B has no such task");
}

#[test]
fn a_task_may_ask_the_client_after_the_flip() {
    let mut rig = with_a_task();
    rig.swap(B, &with_tasks(), &Rig::tools());
    rig.ask_of(A, json!(0), "elicitation/create");
    assert_eq!(methods(&rig.client_reads()), ["elicitation/create"]);
}

#[test]
fn a_list_of_tasks_is_that_of_all_twins_that_have_some() {
    let mut rig = with_a_task();
    rig.swap(B, &with_tasks(), &Rig::tools());
    rig.ask(2, "tasks/list", json!({}));
    let (at_a, at_b) = (rig.twin_reads(A), rig.twin_reads(B));
    assert_eq!((methods(&at_a), methods(&at_b)), (vec!["tasks/list".into()], vec!["tasks/list".into()]));
    rig.answer(B, &at_b[0]["id"], json!({"tasks": [task("b", "working")]}));
    rig.answer(A, &at_a[0]["id"], json!({"tasks": [task("t-1", "working")], "nextCursor": "n"}));
    let more = rig.twin_reads(A);
    assert_eq!(more[0]["params"]["cursor"], "n");
    assert!(rig.client_reads().is_empty());
    rig.answer(A, &more[0]["id"], json!({"tasks": [task("t-2", "working")]}));
    let got = rig.client_reads();
    let ids: Vec<_> = got[0]["result"]["tasks"].as_array().unwrap().iter().map(|task| task["taskId"].clone()).collect();
    assert_eq!((&got[0]["id"], ids), (&json!(2), vec![json!("b"), json!("t-1"), json!("t-2")]));
}

#[test]
fn a_list_of_tasks_waits_for_no_dead_or_silent_twin() {
    let mut rig = with_a_task();
    rig.swap(B, &with_tasks(), &Rig::tools());
    for silent in [true, false] {
        rig.ask(2, "tasks/list", json!({}));
        let at_b = rig.twin_reads(B);
        rig.answer(B, &at_b[0]["id"], json!({"tasks": [task("b", "working")]}));
        if silent {
            rig.pass(Duration::from_secs(5));
        } else {
            rig.die(A);
        }
        let got = rig.client_reads();
        assert_eq!(got[0]["result"]["tasks"].as_array().map(Vec::len), Some(1), "{got:?}");
    }
    assert_eq!((rig.relay.unanswered(), rig.relay.poll_timeout()), (0, None));
}

#[test]
fn one_twin_lists_its_tasks_itself() {
    let mut rig = with_a_task();
    rig.client_raw(r#"{"jsonrpc":"2.0","id":2,"method":"tasks/list","params":{"x":1e2}}"#);
    assert!(rig.twin_reads_raw(A)[0].contains(r#""params":{"x":1e2}"#));
}

#[test]
fn a_modern_task_is_known_by_its_result() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!(1), "tools/call", json!({"name": "t"}));
    let sent = rig.twin_reads(A);
    let created = json!({"resultType": "task", "taskId": "m", "status": "working", "ttlMs": null, "createdAt": "x", "lastUpdatedAt": "x"});
    rig.answer(A, &sent[0]["id"], created);
    rig.swap(B, &full(), &Rig::tools());
    rig.client_reads();
    rig.relay.drain(A, rig.now);
    for (id, method) in [(2, "tasks/get"), (3, "tasks/update"), (4, "tasks/cancel")] {
        rig.modern_ask(json!(id), method, json!({"taskId": "m"}));
    }
    let sent = rig.twin_reads(A);
    assert_eq!(methods(&sent), ["tasks/get", "tasks/update", "tasks/cancel"]);
    for line in &sent {
        rig.answer(A, &line["id"], json!({"resultType": "complete", "taskId": "m", "status": "cancelled"}));
    }
    assert!(drained(&mut rig));
}

#[test]
fn a_task_of_the_client_stays_with_who_asked_for_it() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {"task": {}}}));
    let asked = rig.client_reads();
    rig.client(&json!({"jsonrpc": "2.0", "id": asked[0]["id"], "result": {"task": task("c-1", "working")}}));
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.drain(A, rig.now);
    rig.twin_reads(A);
    assert!(!drained(&mut rig));
    let status = json!({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task("c-1", "working")});
    rig.client(&status);
    assert_eq!(rig.twin_reads(A), [status]);
    assert!(rig.twin_reads(B).is_empty());
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": 2, "method": "tasks/result", "params": {"taskId": "c-1"}}));
    let asked = rig.client_reads();
    assert_eq!(methods(&asked), ["tasks/result"]);
    rig.client(&json!({"jsonrpc": "2.0", "id": asked[0]["id"], "result": {"role": "assistant"}}));
    assert!(drained(&mut rig));
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
