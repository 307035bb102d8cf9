//! Many of one kind: what they take is bounded, and the last costs what the first did.

use super::rig::{A, B, C, Rig, full};
use crate::relay::RelayEvent;
use serde_json::json;
use std::time::Duration;

/// The least time of three runs.
fn time(mut run: impl FnMut()) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a test looks at the clock; the core does not")]
    let mut once = || {
        let begin = std::time::Instant::now();
        run();
        begin.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}

/// A flood is taken as it should be. `MCP_TWIN_COMPARE_TIMES` asks for its cost as well, which a busy machine blurs: eight
/// times as many may take eight times as long, and some; what grows with the square takes 64 times.
fn is_linear(what: &str, flood: fn(i64)) {
    flood(2000);
    #[expect(clippy::disallowed_methods, reason = "a test is told by the environment; the core reads none")]
    if std::env::var_os("MCP_TWIN_COMPARE_TIMES").is_none() {
        return;
    }
    let (few, many) = (time(|| flood(2000)), time(|| flood(16_000)));
    assert!(many < few * 28, "{what}: 2000 take {few:?}, 16000 take {many:?}");
}

/// A session with so many requests of this method open at A.
fn open(method: &str, count: i64) -> Rig {
    let mut rig = Rig::open(&full(), &Rig::tools());
    for id in 1..=count {
        rig.ask(id, method, json!({"uri": "a:1", "level": "info"}));
        if id % 64 == 0 {
            rig.twin_reads_raw(A);
        }
    }
    rig.twin_reads_raw(A);
    assert_eq!(rig.relay.unanswered(), usize::try_from(count).unwrap());
    rig
}

/// Answers those that are open at A; `last` is the number of the last one.
fn answer_all(rig: &mut Rig, last: u64, count: i64) {
    let last = i64::try_from(last).unwrap();
    for number in last - count..=last {
        rig.answer(A, &json!(number), json!({}));
        if number % 64 == 0 {
            rig.client_reads_raw();
            rig.events();
        }
    }
}

fn open_and_answer(method: &str, count: i64) {
    let mut rig = open(method, count);
    let last = rig.relay.last;
    answer_all(&mut rig, last, count);
    assert_eq!(rig.relay.unanswered(), 0);
}

#[test]
fn each_call_costs_the_same() {
    is_linear("calls", |count| open_and_answer("tools/call", count));
}

#[test]
fn each_request_of_the_ledger_costs_the_same() {
    is_linear("log levels", |count| open_and_answer("logging/setLevel", count));
}

#[test]
fn lists_that_a_change_waits_for_cost_the_same() {
    is_linear("lists", |count| {
        let mut rig = open("tools/list", count);
        let last = rig.relay.last;
        rig.swap(B, &full(), &json!([{"name": "u", "inputSchema": {}}]));
        answer_all(&mut rig, last, count);
        assert_eq!(rig.relay.unanswered(), 0);
    });
}

#[test]
fn each_cancellation_costs_the_same() {
    is_linear("cancellations", |count| {
        let mut rig = open("tools/call", count);
        for id in 1..=count {
            rig.cancel(json!(id));
            if id % 64 == 0 {
                rig.twin_reads_raw(A);
            }
        }
        assert_eq!(rig.relay.unanswered(), 0);
    });
}

#[test]
fn open_requests_are_bounded() {
    let mut rig = open("x/y", 1 << 16);
    rig.call(0);
    assert_eq!(rig.client_reads()[0]["error"]["data"]["code"], "twin::request::busy");
    rig.cancel(json!(1));
    rig.twin_reads_raw(A);
    rig.call(0);
    assert!(rig.client_reads().is_empty() && rig.twin_reads_raw(A).len() == 1, "there is room again");
}

#[test]
fn subscriptions_are_bounded() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    for id in 1..=4097 {
        rig.ask(id, "resources/subscribe", json!({"uri": format!("a:{id}")}));
        rig.serve(A, &full(), &Rig::tools());
    }
    let last = rig.client_reads().pop().unwrap();
    assert_eq!((&last["id"], &last["error"]["data"]["code"]), (&json!(4097), &json!("twin::request::busy")));
}

#[test]
fn a_twin_that_asks_for_ever_and_reads_nothing_is_not_fed() {
    let mut rig = Rig::with(|options| options.hold_bytes = 1000).opened(&full(), &Rig::tools());
    rig.ready(B, &full(), &Rig::tools());
    for id in 0..2000 {
        rig.ask_of(B, json!(id), "ping");
        rig.ask_of(A, json!(id), "sampling/createMessage");
    }
    assert!(rig.relay.twin_output(B).len() < 9100 && rig.relay.twin_output(A).len() < 9500);
    assert!(rig.logged("does not read its input"));
    // Answers and cancellations of the client end what is open, and take no room either.
    let asked = rig.client_reads();
    rig.call(1);
    for ask in &asked {
        rig.client(&json!({"jsonrpc": "2.0", "id": ask["id"], "result": {"text": "x".repeat(500)}}));
    }
    assert!(rig.relay.twin_output(A).len() < 10_000);
    assert_eq!(rig.relay.owed(A).requests, 0);
}

#[test]
fn a_cancellation_to_a_full_queue_is_put_briefly() {
    let mut rig = Rig::with(|options| options.hold_bytes = 500).opened(&full(), &Rig::tools());
    let reason = "r".repeat(10_000);
    for id in 1..=8 {
        rig.call(id);
    }
    for id in 1..=8 {
        let params = json!({"requestId": id, "reason": reason});
        rig.client(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}));
    }
    assert!(rig.relay.twin_output(A).len() < 2000);
    assert_eq!(rig.relay.unanswered(), 0);
}

#[test]
fn what_a_twin_says_of_itself_is_quoted_briefly() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "resources/subscribe", json!({"uri": "u".repeat(5000)}));
    rig.serve(A, &full(), &Rig::tools());
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let id = rig.twin_reads(B)[0]["id"].clone();
    rig.twin(B, &json!({"jsonrpc": "2.0", "id": id, "error": {"code": 1, "message": "m".repeat(5000)}}));
    let events = rig.events();
    assert!(matches!(&events[..], [.., RelayEvent::NotReady(_, fault)] if fault.message.len() < 1000), "{events:?}");
    rig.ready(C, &full(), &Rig::tools());
    rig.relay.prepare(C, rig.now);
    let id = rig.twin_reads(C)[0]["id"].clone();
    rig.refuse(C, &id, -32602);
    assert!(rig.logged("refused the subscription"));
    let long = |event: &RelayEvent| matches!(event, RelayEvent::Log(_, text) if text.len() > 1600);
    assert!(!rig.events.iter().any(long));
}

#[test]
fn a_long_batch_is_refused_as_a_whole() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.ask(0, "initialize", json!({"protocolVersion": "2025-03-26"}));
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.answer(A, &id, json!({"protocolVersion": "2025-03-26", "capabilities": {}}));
    rig.relay.handover(A, rig.now).unwrap();
    rig.initialized();
    rig.client_reads();
    rig.client_raw(&format!("[{}1]", "1,".repeat(4095)));
    assert_eq!(rig.client_reads()[0].as_array().map(Vec::len), Some(4096));
    rig.client_raw(&format!("[{}1]", "1,".repeat(4096)));
    assert_eq!(rig.client_reads()[0]["error"]["code"], -32600);
}
