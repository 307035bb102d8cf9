//! Tasks: asked after where they run, and owed until what came of them was fetched.

use super::rig::{A, B, Rig, answers, full, methods};
use crate::relay::RelayEvent;
use serde_json::{Value, json};
use std::time::Duration;

fn drained(rig: &mut Rig) -> bool {
    rig.events().contains(&RelayEvent::Drained(A))
}

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

/// The client asks A about its task, which answers this.
fn about_the_task(rig: &mut Rig, method: &str, answer: Value) {
    rig.ask(2, method, json!({"taskId": "t-1"}));
    let sent = rig.twin_reads(A);
    assert_eq!(methods(&sent), [method]);
    rig.answer(A, &sent[0]["id"], answer);
}

fn status_of(status: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task("t-1", status)})
}

#[test]
fn a_twin_owes_its_task_until_what_came_of_it_is_fetched() {
    let refused = |rig: &mut Rig, method: &str| {
        rig.ask(2, method, json!({"taskId": "t-1"}));
        let sent = rig.twin_reads(A);
        rig.twin(A, &json!({"jsonrpc": "2.0", "id": sent[0]["id"], "error": {"code": -32602, "message": "no"}}));
    };
    let ends: [&dyn Fn(&mut Rig); 5] = [
        &|rig| about_the_task(rig, "tasks/result", json!({"content": []})),
        &|rig| refused(rig, "tasks/result"),
        &|rig| refused(rig, "tasks/get"),
        &|rig| about_the_task(rig, "tasks/cancel", task("t-1", "cancelled")),
        &|rig| rig.pass(Duration::from_secs(61)),
    ];
    for (at, end) in ends.into_iter().enumerate() {
        let mut rig = with_a_task();
        rig.swap(B, &with_tasks(), &Rig::tools());
        rig.relay.drain(A, rig.now);
        about_the_task(&mut rig, "tasks/get", task("t-1", "working"));
        assert!(!drained(&mut rig), "{at}");
        end(&mut rig);
        assert!(drained(&mut rig), "{at}");
    }
}

#[test]
fn the_end_of_a_task_is_not_yet_what_came_of_it() {
    let told: [&dyn Fn(&mut Rig); 3] = [
        &|rig| about_the_task(rig, "tasks/get", task("t-1", "completed")),
        &|rig| about_the_task(rig, "tasks/get", task("t-1", "failed")),
        &|rig| {
            rig.client_reads();
            rig.twin(A, &status_of("completed"));
            assert_eq!(methods(&rig.client_reads()), ["notifications/tasks/status"], "A's word on its task passes");
        },
    ];
    for (at, tell) in told.into_iter().enumerate() {
        let mut rig = with_a_task();
        rig.swap(B, &with_tasks(), &Rig::tools());
        rig.relay.drain(A, rig.now);
        tell(&mut rig);
        assert!(!drained(&mut rig), "{at}");
        about_the_task(&mut rig, "tasks/result", json!({"content": []}));
        assert!(drained(&mut rig), "{at}");
    }
}

#[test]
fn a_result_that_nobody_fetches_is_owed_for_a_while_only() {
    for (ttl, seconds) in [(json!(null), 600), (json!(3_600_000), 600), (json!(60_000), 60)] {
        let mut rig = Rig::open(&with_tasks(), &Rig::tools());
        rig.call(1);
        let sent = rig.twin_reads(A);
        let mut running = task("t-1", "working");
        running["ttl"] = ttl;
        rig.answer(A, &sent[0]["id"], json!({"task": running}));
        rig.swap(B, &with_tasks(), &Rig::tools());
        rig.relay.drain(A, rig.now);
        rig.twin(A, &status_of("completed"));
        // It is told again, and that changes nothing.
        rig.pass(Duration::from_secs(seconds - 1));
        about_the_task(&mut rig, "tasks/get", task("t-1", "completed"));
        assert!(!drained(&mut rig), "{seconds}");
        rig.pass(Duration::from_secs(2));
        assert!(drained(&mut rig), "{seconds}");
        assert_eq!(rig.relay.poll_timeout(), None);
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
fn a_modern_task_brings_what_came_of_it_with_its_end() {
    for with_result in [true, false] {
        let mut rig = Rig::modern();
        rig.modern_ask(json!(1), "tools/call", json!({"name": "t"}));
        let sent = rig.twin_reads(A);
        rig.answer(A, &sent[0]["id"], json!({"resultType": "task", "taskId": "m", "status": "working", "ttlMs": null}));
        rig.swap(B, &full(), &Rig::tools());
        rig.relay.drain(A, rig.now);
        rig.modern_ask(json!(2), "tasks/get", json!({"taskId": "m"}));
        let sent = rig.twin_reads(A);
        let mut ended = json!({"resultType": "complete", "taskId": "m", "status": "completed"});
        if with_result {
            ended["result"] = json!({"content": []});
        }
        rig.answer(A, &sent[0]["id"], ended);
        assert_eq!(drained(&mut rig), with_result);
    }
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
    // The client tells its end, twice; what came of it A has to ask for.
    rig.client(&json!({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task("c-1", "completed")}));
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": 2, "method": "tasks/get", "params": {"taskId": "c-1"}}));
    let asked = rig.client_reads();
    rig.client(&json!({"jsonrpc": "2.0", "id": asked[0]["id"], "result": task("c-1", "completed")}));
    assert!(!drained(&mut rig));
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": 3, "method": "tasks/result", "params": {"taskId": "c-1"}}));
    let asked = rig.client_reads();
    assert_eq!(methods(&asked), ["tasks/result"]);
    rig.client(&json!({"jsonrpc": "2.0", "id": asked[0]["id"], "result": {"role": "assistant"}}));
    assert!(drained(&mut rig));
}

#[test]
fn a_task_of_the_client_that_nobody_fetches_is_owed_for_a_while_only() {
    for (status, seconds) in [("completed", 600), ("cancelled", 0)] {
        let mut rig = Rig::open(&full(), &Rig::tools());
        rig.twin(A, &json!({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {"task": {}}}));
        let asked = rig.client_reads();
        rig.client(&json!({"jsonrpc": "2.0", "id": asked[0]["id"], "result": {"task": task("c-1", "working")}}));
        rig.swap(B, &full(), &Rig::tools());
        rig.relay.drain(A, rig.now);
        rig.client(&json!({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task("c-1", status)}));
        if seconds > 0 {
            rig.pass(Duration::from_secs(seconds - 1));
            assert!(!drained(&mut rig));
            rig.pass(Duration::from_secs(2));
        }
        assert!(drained(&mut rig), "{status}");
        assert_eq!(rig.relay.poll_timeout(), None);
    }
}
