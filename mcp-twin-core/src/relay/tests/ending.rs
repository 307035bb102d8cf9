//! Drain, idleness, cut, bake, and the end of the client.

use super::rig::{A, B, Rig, answers, fault, full, methods};
use crate::error::Code;
use crate::relay::{Owed, RelayEvent};
use serde_json::json;

#[test]
fn a_drained_twin_owes_neither_calls_nor_requests() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.ask_of(A, json!(0), "elicitation/create");
    let ask = rig.client_reads()[0]["id"].clone();
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.drain(A, rig.now);
    assert_eq!(rig.relay.owed(A), Owed { calls: 1, requests: 1, later: false });
    rig.answer(A, &id, json!({}));
    assert!(rig.events().is_empty());
    rig.client(&json!({"jsonrpc": "2.0", "id": ask, "result": {}}));
    assert_eq!(rig.events(), [RelayEvent::Drained(A)]);
    rig.relay.drain(A, rig.now);
    assert_eq!(rig.events(), [RelayEvent::Drained(A)], "at once");
    assert_eq!(rig.relay.owed(A), Owed::default());
}

#[test]
fn a_drained_twin_gets_the_clients_answer_before_it_counts_as_drained() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask_of(A, json!(3), "roots/list");
    let ask = rig.client_reads()[0]["id"].clone();
    rig.client(&json!({"jsonrpc": "2.0", "id": ask, "result": {}}));
    assert_eq!(rig.twin_reads(A)[0]["id"], 3);
}

#[test]
fn requests_are_held_from_the_moment_of_idleness_on() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let first = rig.twin_reads(A)[0]["id"].clone();
    rig.relay.await_idle(A, rig.now);
    rig.call(2);
    let second = rig.twin_reads(A)[0]["id"].clone();
    rig.answer(A, &first, json!({}));
    assert!(rig.events().is_empty(), "the old one goes on serving");
    rig.answer(A, &second, json!({}));
    assert_eq!(rig.events(), [RelayEvent::Idle(A)]);
    rig.call(3);
    assert!(rig.twin_reads(A).is_empty());
    assert_eq!(rig.relay.held(), 1);
}

#[test]
fn a_cut_cancels_answers_and_holds() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.call(2);
    rig.relay.twin_written(A, 7, rig.now);
    rig.call(3);
    rig.ask_of(A, json!(0), "sampling/createMessage");
    let ask = rig.client_reads()[0]["id"].clone();
    rig.relay.drain(A, rig.now);
    rig.relay.cut(A, &fault(Code::Cut, "the hand-over waited 30 s"), rig.now);
    let got = rig.client_reads();
    assert_eq!(answers(&got), [(1, "error"), (2, "error")]);
    assert_eq!(got[0]["error"]["data"]["code"], "twin::request::cut");
    assert!(got[0]["error"]["message"].as_str().unwrap().contains("the hand-over waited 30 s"));
    assert_eq!(got[2]["params"]["requestId"], ask);
    assert_eq!(rig.events(), [RelayEvent::Drained(A)]);
    let rest = String::from_utf8(rig.relay.twin_output(A).to_vec()).unwrap();
    let lines: Vec<_> = rest.lines().collect();
    assert!(!lines[0].starts_with('{') && lines.len() == 3, "the begun one is finished, both are cancelled: {lines:?}");
    assert!(lines[1].contains(&format!("\"requestId\":{id}")));
    assert_eq!(rig.relay.held(), 1, "what was not begun goes to the next");
    rig.answer(A, &id, json!({}));
    assert!(rig.client_reads().is_empty());
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(rig.twin_reads(B)[0]["params"]["arguments"]["n"], 3);
}

#[test]
fn a_cut_of_a_retiring_twin_leaves_the_route() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    rig.twin_reads(A);
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.cut(A, &fault(Code::Cut, "too many"), rig.now);
    assert_eq!(answers(&rig.client_reads()), [(1, "error")]);
    rig.call(2);
    assert_eq!(rig.twin_reads(B).len(), 1);
}

fn serve_calls(rig: &mut Rig, from: i64, refused: &[bool], twin: crate::ids::TwinId) {
    for (at, refused) in refused.iter().enumerate() {
        rig.call(from + i64::try_from(at).unwrap());
        let id = rig.twin_reads(twin)[0]["id"].clone();
        if *refused { rig.refuse(twin, &id, -32602) } else { rig.answer(twin, &id, json!({"isError": true})) }
    }
    rig.client_reads();
}

#[test]
fn a_trial_fails_when_half_of_five_calls_are_refused() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    serve_calls(&mut rig, 0, &[false; 4], A);
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.begin_bake(B);
    serve_calls(&mut rig, 10, &[true, true, true, false], B);
    assert!(rig.events().is_empty(), "four say nothing");
    serve_calls(&mut rig, 20, &[false], B);
    let events = rig.events();
    let [RelayEvent::BakeFailed(B, fault)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        (fault.code, fault.message.as_str()),
        (Code::BakeErrors, "the new server refused 3 of 5 calls; the one before 0 of 4")
    );
    serve_calls(&mut rig, 30, &[true; 5], B);
    assert!(rig.events().is_empty(), "said once");
}

#[test]
fn a_trial_compares_with_the_rate_before() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    serve_calls(&mut rig, 0, &[true, true, false], A);
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.begin_bake(B);
    serve_calls(&mut rig, 10, &[true; 10], B);
    assert!(rig.events().is_empty(), "the client's calls were refused before, too");
}

#[test]
fn failing_tools_and_other_methods_do_not_end_a_trial() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.begin_bake(B);
    serve_calls(&mut rig, 10, &[false; 10], B);
    for id in 30..40 {
        rig.ask(id, "custom/thing", json!({}));
        let id = rig.twin_reads(B)[0]["id"].clone();
        rig.refuse(B, &id, -32601);
    }
    assert!(rig.events().is_empty());
    rig.relay.end_bake(B);
    serve_calls(&mut rig, 50, &[true; 40], B);
    assert!(rig.events().is_empty());
}

/// Opens calls at a twin; gives back their ids there.
fn open_calls(rig: &mut Rig, from: i64, count: i64, twin: crate::ids::TwinId) -> Vec<serde_json::Value> {
    (from..from + count).for_each(|id| rig.call(id));
    rig.twin_reads(twin).iter().map(|line| line["id"].clone()).collect()
}

fn on_trial() -> Rig {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.swap(B, &full(), &Rig::tools());
    rig.relay.begin_bake(B);
    rig
}

#[test]
fn a_trial_fails_at_three_answers_in_a_row_that_are_none() {
    // Not JSON, cut off, a field twice; then ids that nobody gave it.
    let broken: [fn(&serde_json::Value) -> String; 3] = [
        |id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"x":NaN}}}}"#),
        |id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"x":"#),
        |id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}},"result":{{}}}}"#),
    ];
    let stray: [fn(&serde_json::Value) -> String; 3] = [
        |id| format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{{}}}}"#),
        |_| r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}"#.to_owned(),
        |id| format!(r#"{{"jsonrpc":"2.0","id":{id}99,"result":{{}}}}"#),
    ];
    for lines in [broken, stray] {
        let mut rig = on_trial();
        let ids = open_calls(&mut rig, 10, 4, B);
        for (at, (id, line)) in ids.iter().zip(lines).enumerate() {
            assert!(rig.events().is_empty(), "{at} say nothing");
            rig.twin_raw(B, &line(id));
        }
        let events = rig.events();
        let [RelayEvent::BakeFailed(B, fault)] = &events[..] else { panic!("{events:?}") };
        assert_eq!(fault.code, Code::BakeErrors);
        assert!(fault.message.contains("3 calls in a row"), "{}", fault.message);
        rig.twin_raw(B, &stray[1](&ids[3]));
        assert!(rig.events().is_empty(), "said once");
        assert!(rig.client_reads().is_empty(), "a true answer may still come");
        rig.answer(B, &ids[0], json!({}));
        assert_eq!(answers(&rig.client_reads()), [(10, "result")]);
    }
}

#[test]
fn what_servers_print_and_say_twice_does_not_end_a_trial() {
    let mut rig = on_trial();
    let ids = open_calls(&mut rig, 10, 5, B);
    for id in &ids {
        for line in ["Listening", "[1, 2", "{", "{\"id\": 1", "{\"level\":\"info\",\"id\":1}", "\"text\"", "null"] {
            rig.twin_raw(B, line);
        }
        rig.twin_raw(B, &format!(r#"{{"id":{id},"name":"a row of its table"}}"#));
        rig.twin_raw(B, &format!(r#"{{"id":{id},"method":"x","result":"#));
    }
    rig.answer(B, &ids[0], json!({}));
    (0..5).for_each(|_| rig.answer(B, &ids[0], json!({})));
    rig.cancel(json!(11));
    (0..5).for_each(|_| rig.answer(B, &ids[1], json!({})));
    // More than one line about one call is still one call.
    (0..5).for_each(|_| rig.twin_raw(B, &format!(r#"{{"id":{},"result":NaN}}"#, ids[2])));
    assert!(rig.events().is_empty());
}

#[test]
fn a_whole_answer_begins_the_row_anew() {
    let mut rig = on_trial();
    let ids = open_calls(&mut rig, 10, 6, B);
    let break_off = |rig: &mut Rig, at: usize| rig.twin_raw(B, &format!(r#"{{"id":{},"result":NaN}}"#, ids[at]));
    break_off(&mut rig, 0);
    break_off(&mut rig, 1);
    rig.refuse(B, &ids[2], -32602);
    break_off(&mut rig, 3);
    break_off(&mut rig, 4);
    assert!(rig.events().is_empty());
    break_off(&mut rig, 5);
    assert_eq!(rig.events().len(), 1);
}

#[test]
fn a_client_that_waits_for_each_answer_in_vain_is_heard_too() {
    let mut rig = on_trial();
    for id in 10..13 {
        assert!(rig.events().is_empty());
        let _ = open_calls(&mut rig, id, 1, B);
        (0..3).for_each(|_| rig.twin_raw(B, r#"{"jsonrpc":"2.0","id":"x","result":{}}"#));
        rig.cancel(json!(id));
    }
    assert!(matches!(rig.events()[..], [RelayEvent::BakeFailed(B, _)]));
}

#[test]
fn an_answer_that_is_none_costs_nothing_off_trial() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let ids = open_calls(&mut rig, 10, 4, A);
    for id in &ids {
        rig.twin_raw(A, &format!(r#"{{"id":{id},"result":NaN}}"#));
    }
    assert!(rig.events().is_empty());
}

#[test]
fn at_the_end_of_the_client_its_answers_come_first() {
    let mut rig = Rig::new();
    rig.initialize();
    rig.initialized();
    rig.call(1);
    rig.relay.client_eof(rig.now);
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.serve(A, &full(), &Rig::tools());
    rig.relay.handover(A, rig.now).unwrap();
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.answer(A, &id, json!({}));
    assert!(!rig.events().contains(&RelayEvent::Finished), "the client has not read it");
    assert_eq!(answers(&rig.client_reads()), [(0, "result"), (1, "result")]);
    assert_eq!(rig.events(), [RelayEvent::Finished]);
}

#[test]
fn a_client_that_is_gone_answers_no_requests() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    rig.twin_reads(A);
    rig.ask_of(A, json!("a"), "sampling/createMessage");
    rig.client_reads();
    rig.relay.client_eof(rig.now);
    rig.ask_of(A, json!("b"), "roots/list");
    let got = rig.twin_reads(A);
    assert_eq!((&got[0]["id"], &got[1]["id"]), (&json!("a"), &json!("b")));
    assert!(got.iter().all(|line| line.get("error").is_some()));
    assert!(methods(&rig.client_reads()).is_empty());
}

#[test]
fn a_client_that_owes_nothing_is_finished_at_once() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.client_eof(rig.now);
    assert_eq!(rig.events(), [RelayEvent::Finished]);
    rig.relay.client_written(0);
    assert!(rig.events().is_empty());
}

#[test]
fn a_client_that_ended_its_input_is_not_kept_waiting_for_a_repair() {
    for eof_first in [false, true] {
        let mut rig = Rig::new();
        rig.initialize();
        if eof_first {
            rig.relay.client_eof(rig.now);
        }
        rig.relay.refuse(fault(Code::ExitedEarly, "the server exited with status 1"), rig.now);
        if !eof_first {
            assert!(rig.client_reads().is_empty(), "a repair may still come");
            rig.relay.client_eof(rig.now);
        }
        let answer = &rig.client_reads()[0];
        assert_eq!(answer["error"]["data"]["code"], "twin::spawn::exited_early", "{answer}");
        assert!(rig.events().contains(&RelayEvent::Finished));
    }
}
