//! The modern era: opened by `server/discover` or by any request with metadata, proved by a discovery of our own.

use super::rig::{A, B, C, Rig, answers, fault, full, methods};
use crate::error::Code;
use crate::relay::{LastGood, RelayEvent};
use serde_json::{Value, json};
use std::time::Duration;

/// A relay whose first twin waits for an opening.
fn waiting() -> Rig {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig
}

/// The fault of a probe that failed.
fn not_ready(rig: &mut Rig) -> Option<Code> {
    rig.events().iter().find_map(|event| match event {
        RelayEvent::NotReady(_, fault) => Some(fault.code),
        _ => None,
    })
}

#[test]
fn discovery_opens_the_session_with_the_clients_own_bytes() {
    let mut rig = waiting();
    let line = r#"{"jsonrpc":"2.0", "id":"probe-1","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","x":1e2}},"y":1}"#;
    rig.client_raw(line);
    let sent = rig.twin_reads_raw(A);
    assert_eq!(sent, [line.replace("\"probe-1\"", "1")]);
    rig.twin_raw(A, r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"], "capabilities":{"tools":{}},"z":1.0}}"#);
    assert_eq!(
        rig.client_reads_raw(),
        [
            r#"{"jsonrpc":"2.0","id":"probe-1","result":{"supportedVersions":["2026-07-28"], "capabilities":{"tools":{}},"z":1.0}}"#
        ]
    );
    let events = rig.events();
    assert!(
        matches!(&events[..], [RelayEvent::Probing(A), RelayEvent::Opened(_), RelayEvent::Ready(A, _)]),
        "{events:?}"
    );
    assert_eq!(rig.relay.version(), Some("2026-07-28"));
}

#[test]
fn a_later_twin_is_asked_in_our_own_words_with_the_clients_metadata() {
    let mut rig = Rig::modern();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let sent = rig.twin_reads(B);
    assert_eq!((sent[0]["method"].as_str(), &sent[0]["params"]["_meta"]), (Some("server/discover"), &Rig::meta()));
    rig.answer(B, &sent[0]["id"], Rig::discovery(&full()));
    let lists = rig.twin_reads(B);
    assert_eq!(methods(&lists), ["tools/list", "resources/list", "resources/templates/list"], "and no `initialized`");
    assert!(lists.iter().all(|line| line["params"]["_meta"] == Rig::meta()), "each modern request carries it");
}

#[test]
fn a_later_page_of_a_list_carries_cursor_and_metadata() {
    let mut rig = Rig::modern();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let discover = rig.twin_reads(B);
    rig.answer(B, &discover[0]["id"], Rig::discovery(&full()));
    let list = rig.twin_reads(B);
    rig.answer(B, &list[0]["id"], json!({"tools": [], "nextCursor": "n"}));
    let page = rig.twin_reads(B);
    assert_eq!((&page[0]["params"]["cursor"], &page[0]["params"]["_meta"]), (&json!("n"), &Rig::meta()));
}

#[test]
fn progress_token_and_log_level_of_the_client_are_not_ours() {
    let mut rig = waiting();
    let mut meta = Rig::meta();
    meta["progressToken"] = json!(7);
    meta["io.modelcontextprotocol/logLevel"] = json!("debug");
    rig.client(&json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}}));
    rig.serve(A, &full(), &Rig::tools());
    rig.relay.handover(A, rig.now).unwrap();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    assert_eq!(rig.twin_reads(B)[0]["params"]["_meta"], Rig::meta());
}

#[test]
fn a_refused_discovery_is_the_servers_answer_and_never_sent_again() {
    let mut rig = waiting();
    rig.modern_ask(json!("probe"), "server/discover", json!({}));
    let sent = rig.twin_reads(A);
    rig.refuse(A, &sent[0]["id"], -32601);
    assert_eq!(rig.client_reads()[0]["error"]["code"], -32601);
    rig.relay.handover(A, rig.now).unwrap();
    rig.initialize();
    assert_eq!(methods(&rig.serve(A, &full(), &Rig::tools())), Vec::<String>::new());
    assert_eq!(rig.client_reads()[0]["result"]["protocolVersion"], "2025-11-25");
    rig.initialized();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    assert_eq!(methods(&rig.twin_reads(B)), ["initialize"]);
}

#[test]
fn a_twin_that_dies_after_refusing_leaves_the_handshake_to_the_next() {
    let mut rig = waiting();
    rig.modern_ask(json!(1), "server/discover", json!({}));
    let sent = rig.twin_reads(A);
    rig.refuse(A, &sent[0]["id"], -32601);
    rig.die(A);
    rig.initialize();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    assert_eq!(methods(&rig.twin_reads(B)), ["initialize"]);
}

#[test]
fn a_discovery_that_nobody_has_seen_gives_way_to_initialize() {
    let mut rig = Rig::new();
    rig.modern_ask(json!("probe"), "server/discover", json!({}));
    rig.initialize();
    let got = rig.client_reads();
    assert_eq!((&got[0]["id"], &got[0]["error"]["code"]), (&json!("probe"), &json!(-32601)));
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    assert_eq!(methods(&rig.twin_reads(A)), ["initialize"], "the discovery is not delivered");
}

#[test]
fn initialize_behind_a_slow_discovery_goes_to_the_same_twin() {
    let mut rig = waiting();
    rig.modern_ask(json!("probe"), "server/discover", json!({}));
    let sent = rig.twin_reads(A);
    rig.initialize();
    let opening = rig.twin_reads(A);
    assert_eq!(methods(&opening), ["initialize"]);
    rig.refuse(A, &sent[0]["id"], -32601);
    rig.answer(A, &opening[0]["id"], Rig::welcome(&full()));
    let got = rig.client_reads();
    assert_eq!((&got[0]["id"], &got[1]["id"]), (&json!("probe"), &json!(0)), "each has its own answer");
    assert_eq!(rig.relay.version(), Some("2025-11-25"));
}

#[test]
fn a_cancelled_discovery_leaves_the_twin_to_what_comes() {
    let mut rig = waiting();
    rig.modern_ask(json!("probe"), "server/discover", json!({}));
    rig.twin_reads(A);
    rig.cancel(json!("probe"));
    assert_eq!(methods(&rig.twin_reads(A)), ["notifications/cancelled"]);
    rig.initialize();
    assert_eq!(methods(&rig.twin_reads(A)), ["initialize"]);
    assert_eq!(rig.relay.unanswered(), 1);
}

#[test]
fn discovery_after_the_handshake_is_refused_by_the_front() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.modern_ask(json!(5), "server/discover", json!({}));
    assert_eq!(rig.client_reads()[0]["error"]["code"], -32601);
    assert!(rig.twin_reads(A).is_empty());
}

#[test]
fn after_a_discovery_alone_the_client_may_choose_the_handshake() {
    let mut rig = Rig::modern();
    rig.initialize();
    assert_eq!(methods(&rig.serve(A, &full(), &Rig::tools())), Vec::<String>::new());
    assert_eq!(rig.client_reads()[0]["result"]["protocolVersion"], "2025-11-25");
    rig.initialized();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    assert_eq!(methods(&rig.twin_reads(B)), ["initialize"]);
}

#[test]
fn a_server_that_refuses_the_handshake_then_may_be_discovered_again() {
    let mut rig = Rig::modern();
    rig.initialize();
    let sent = rig.twin_reads(A);
    rig.refuse(A, &sent[0]["id"], -32022);
    assert_eq!(rig.client_reads()[0]["error"]["code"], -32022);
    rig.modern_ask(json!(9), "server/discover", json!({}));
    rig.serve(A, &full(), &Rig::tools());
    assert_eq!(rig.client_reads()[0]["id"], 9);
    assert_eq!(rig.relay.version(), Some("2026-07-28"));
}

#[test]
fn once_a_request_was_accepted_the_era_stays() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!(2), "tools/list", json!({}));
    rig.serve(A, &full(), &Rig::tools());
    rig.client_reads();
    rig.initialize();
    assert_eq!(rig.client_reads()[0]["error"]["code"], -32600);
    assert!(rig.twin_reads(A).is_empty());
}

#[test]
fn a_client_that_never_discovers_is_modern_by_its_first_accepted_request() {
    let mut rig = waiting();
    rig.modern_ask(json!(1), "tools/call", json!({"name": "nope"}));
    let sent = rig.twin_reads(A);
    rig.refuse(A, &sent[0]["id"], -32602);
    assert!(rig.events().is_empty(), "a refusal settles nothing");
    rig.modern_ask(json!(2), "tools/list", json!({}));
    rig.serve(A, &full(), &Rig::tools());
    assert_eq!(answers(&rig.client_reads()), [(1, "error"), (2, "result")]);
    assert!(matches!(rig.events()[..], [RelayEvent::Probing(A), RelayEvent::Ready(A, _)]));
    rig.relay.handover(A, rig.now).unwrap();
    rig.pass(Duration::from_secs(1));
    assert_eq!(methods(&rig.twin_reads(A)), ["server/discover"], "so that a loss can be seen");
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    assert_eq!(methods(&rig.twin_reads(B)), ["server/discover"], "the client's request is not replayed");
}

#[test]
fn what_the_server_can_do_is_asked_where_the_client_did_not() {
    let mut rig = waiting();
    rig.modern_ask(json!(1), "tools/list", json!({}));
    rig.serve(A, &full(), &Rig::tools());
    rig.relay.handover(A, rig.now).unwrap();
    rig.pass(Duration::from_secs(1));
    rig.serve(A, &full(), &Rig::tools());
    rig.events();
    rig.client_reads();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let sent = rig.twin_reads(B);
    rig.answer(B, &sent[0]["id"], Rig::discovery(&json!({"resources": {}})));
    assert_eq!(not_ready(&mut rig), Some(Code::CapabilityLost));
}

#[test]
fn a_twin_of_another_version_or_era_is_not_swapped_in() {
    let mut rig = Rig::modern();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let sent = rig.twin_reads(B);
    rig.answer(B, &sent[0]["id"], json!({"supportedVersions": ["2027-01-01"], "capabilities": full()}));
    assert_eq!(not_ready(&mut rig), Some(Code::VersionChanged));
    rig.relay.attach(C);
    rig.relay.probe(C, false, rig.now);
    let sent = rig.twin_reads(C);
    rig.refuse(C, &sent[0]["id"], -32601);
    assert_eq!(not_ready(&mut rig), Some(Code::ProbeRefused));
    rig.modern_ask(json!(3), "tools/call", json!({"name": "t"}));
    assert_eq!(methods(&rig.twin_reads(A)), ["tools/call"], "A serves on");
}

#[test]
fn the_version_that_the_client_uses_counts_not_the_one_it_asked_with() {
    let mut rig = waiting();
    rig.modern_ask(json!(1), "server/discover", json!({}));
    let sent = rig.twin_reads(A);
    rig.answer(A, &sent[0]["id"], json!({"supportedVersions": ["2026-07-28", "2027-01-01"], "capabilities": full()}));
    rig.relay.handover(A, rig.now).unwrap();
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2027-01-01"});
    rig.client(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {"_meta": meta}}));
    rig.serve(A, &full(), &Rig::tools());
    assert_eq!(rig.relay.version(), Some("2027-01-01"));
}

#[test]
fn a_discovery_in_hand_of_a_dead_twin_goes_to_the_next() {
    let mut rig = waiting();
    rig.modern_ask(json!(1), "server/discover", json!({}));
    assert_eq!(rig.twin_reads(A).len(), 1);
    rig.die(A);
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    rig.serve(B, &full(), &Rig::tools());
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
}

#[test]
fn a_broken_server_is_answered_from_the_last_good_discovery() {
    let result = Rig::discovery(&full()).to_string();
    for (modern, answered) in [(true, "result"), (false, "error")] {
        let mut rig = Rig::new();
        let last = LastGood { asked: "2026-07-28".into(), modern, result: result.clone() };
        rig.relay.set_last_good(Some(last));
        rig.modern_ask(json!(1), "server/discover", json!({}));
        rig.relay.refuse(fault(Code::ExitedEarly, "exited with status 1"), rig.now);
        assert!(rig.client_reads().is_empty());
        rig.pass(Duration::from_secs(25));
        assert_eq!(answers(&rig.client_reads()), [(1, answered)], "a record of the other era is no answer");
    }
}

#[test]
fn a_repaired_server_is_proved_by_a_discovery_of_our_own() {
    let mut rig = Rig::new();
    let result = Rig::discovery(&full()).to_string();
    rig.relay.set_last_good(Some(LastGood { asked: "2026-07-28".into(), modern: true, result }));
    rig.modern_ask(json!(1), "server/discover", json!({}));
    rig.relay.refuse(fault(Code::ExitedEarly, "exited with status 1"), rig.now);
    rig.pass(Duration::from_secs(25));
    rig.client_reads();
    rig.modern_ask(json!(2), "tools/list", json!({}));
    assert_eq!(answers(&rig.client_reads()), [(2, "error")]);
    rig.ready(B, &full(), &Rig::tools());
    rig.relay.prepare(B, rig.now);
    rig.relay.handover(B, rig.now).unwrap();
    rig.modern_ask(json!(3), "tools/call", json!({"name": "t"}));
    assert_eq!(methods(&rig.twin_reads(B)), ["tools/call"]);
}

#[test]
fn a_later_discovery_is_answered_by_whoever_serves() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!(2), "tools/list", json!({}));
    rig.serve(A, &full(), &Rig::tools());
    rig.client_reads();
    rig.swap(B, &full(), &Rig::tools());
    rig.modern_ask(json!(3), "server/discover", json!({}));
    assert_eq!(methods(&rig.twin_reads(B)), ["server/discover"]);
    assert!(rig.twin_reads(A).is_empty());
}

#[test]
fn results_go_by_unchanged_and_log_messages_of_an_open_call_too() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!(2), "tools/call", json!({"name": "t"}));
    let sent = rig.twin_reads(A);
    rig.swap(B, &full(), &Rig::tools());
    rig.client_reads();
    let note = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#;
    rig.twin_raw(A, note);
    assert_eq!(rig.client_reads_raw(), [note], "it belongs to the call that A still has");
    let number = &sent[0]["id"];
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{number},"result":{{"resultType":"complete","ttlMs":3600000,"content":[]}}}}"#
    );
    rig.twin_raw(A, &answer);
    assert_eq!(rig.client_reads_raw(), [answer.replace(&format!("\"id\":{number}"), "\"id\":2")]);
    rig.twin_raw(A, note);
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_cancellation_goes_to_the_twin_that_has_the_call() {
    let mut rig = Rig::modern();
    rig.modern_ask(json!("c"), "tools/call", json!({"name": "t"}));
    let sent = rig.twin_reads(A);
    rig.swap(B, &full(), &Rig::tools());
    rig.cancel(json!("c"));
    let cancelled = rig.twin_reads(A);
    assert_eq!(
        (methods(&cancelled), &cancelled[0]["params"]["requestId"]),
        (vec!["notifications/cancelled".into()], &sent[0]["id"])
    );
    assert!(rig.twin_reads(B).is_empty());
    assert!(rig.client_reads().iter().all(|line: &Value| line.get("id").is_none()));
}

#[test]
fn a_server_that_can_do_nothing_is_asked_once() {
    for refuses in [false, true] {
        let mut rig = waiting();
        rig.modern_ask(json!(1), "ping", json!({}));
        let sent = rig.twin_reads(A);
        rig.answer(A, &sent[0]["id"], json!({}));
        rig.relay.handover(A, rig.now).unwrap();
        rig.pass(Duration::from_secs(1));
        let asked = rig.twin_reads(A);
        assert_eq!(methods(&asked), ["server/discover"]);
        match refuses {
            true => rig.refuse(A, &asked[0]["id"], -32601),
            false => rig.answer(A, &asked[0]["id"], Rig::discovery(&json!({}))),
        }
        assert!(rig.twin_reads(A).is_empty());
    }
}
