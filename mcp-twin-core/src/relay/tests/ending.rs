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
