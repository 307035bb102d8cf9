//! The probe of a later twin: what it is sent, and the gate.

use super::rig::{A, B, C, Rig, full, methods};
use crate::error::Code;
use crate::relay::RelayEvent;
use crate::relay::diff::ListKind;
use serde_json::{Value, json};
use std::time::Duration;

fn probing(rig: &mut Rig) -> Value {
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    assert_eq!(rig.events(), [RelayEvent::Probing(B)]);
    let mut sent = rig.twin_reads(B);
    assert_eq!(methods(&sent), ["initialize"]);
    sent.remove(0)
}

fn refused(rig: &mut Rig) -> (Code, String) {
    let events = rig.events();
    match &events[..] {
        [RelayEvent::NotReady(B, fault)] => (fault.code, fault.message.clone()),
        _ => panic!("{events:?}"),
    }
}

#[test]
fn the_replay_has_the_clients_params_and_the_version_that_was_agreed_on() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.client_raw(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"x":12345678901234567890123, "protocolVersion" : "2025-11-25","y":"\u00e9"}}"#);
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.answer(A, &id, json!({"protocolVersion": "2025-06-18", "capabilities": {}}));
    rig.initialized();
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let number = rig.relay.last;
    assert_eq!(
        rig.twin_reads_raw(B),
        [format!(
            r#"{{"jsonrpc":"2.0","id":{number},"method":"initialize","params":{{"x":12345678901234567890123, "protocolVersion" : "2025-06-18","y":"\u00e9"}}}}"#
        )]
    );
}

#[test]
fn initialized_and_the_declared_lists_follow_and_nothing_reaches_the_client() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let asked = probing(&mut rig);
    rig.answer(B, &asked["id"], Rig::welcome(&json!({"tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true}, "logging": {}, "prompts": {}})));
    let sent = rig.twin_reads(B);
    let wanted =
        ["notifications/initialized", "tools/list", "prompts/list", "resources/list", "resources/templates/list"];
    assert_eq!(methods(&sent), wanted);
    rig.answer(B, &sent[1]["id"], json!({"tools": [{"name": "b"}], "nextCursor": "c\"1"}));
    let page = rig.twin_reads(B);
    assert_eq!(page[0]["params"], json!({"cursor": "c\"1"}));
    rig.answer(B, &page[0]["id"], json!({"tools": [{"name": "a"}], "nextCursor": null}));
    rig.answer(B, &sent[2]["id"], json!({"prompts": []}));
    rig.answer(B, &sent[3]["id"], json!({"resources": [{"uri": "x:1"}]}));
    rig.refuse(B, &sent[4]["id"], -32601);
    let events = rig.events();
    let [RelayEvent::Ready(B, report)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(report.server.as_deref(), Some("s 2"));
    let (kind, tools) = &report.diff.lists[0];
    assert_eq!(
        (*kind, &tools.added[..], &tools.removed[..]),
        (ListKind::Tools, &["a".to_owned(), "b".to_owned()][..], &["t".to_owned()][..])
    );
    assert_eq!(report.diff.lists[1].0, ListKind::Resources);
    assert_eq!(report.diff.breaking, ["tool `t`: removed"]);
    assert!(rig.client_reads().is_empty());
}

#[test]
fn equal_lists_have_equal_hashes_whatever_their_order() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let one = rig.ready(B, &full(), &json!([{"name": "x", "title": "X"}, {"name": "y"}]));
    let two = rig.ready(C, &full(), &json!([{"name": "y"}, {"title": "X", "name": "x"}]));
    assert_eq!(one.lists_hash, two.lists_hash);
    let three = rig.ready(crate::ids::TwinId(4), &full(), &json!([{"name": "y"}]));
    assert_ne!(one.lists_hash, three.lists_hash);
}

#[test]
fn another_version_is_never_swapped_in() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let asked = probing(&mut rig);
    rig.answer(B, &asked["id"], json!({"protocolVersion": "2024-11-05", "capabilities": full()}));
    let (code, message) = refused(&mut rig);
    assert_eq!(code, Code::VersionChanged);
    assert!(message.contains("2024-11-05") && message.contains("2025-11-25"));
    rig.relay.handover(B, rig.now).unwrap_err();
    assert!(rig.twin_reads(B).is_empty());
}

#[test]
fn a_refused_opening_is_no_proof() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let asked = probing(&mut rig);
    rig.refuse(B, &asked["id"], -32602);
    assert_eq!(refused(&mut rig), (Code::ProbeRefused, "the new server refused the client's opening: no".to_owned()));
}

#[test]
fn a_lost_capability_is_refused_unless_forced() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let asked = probing(&mut rig);
    rig.answer(B, &asked["id"], Rig::welcome(&json!({"resources": {"subscribe": true, "listChanged": true}})));
    let (code, message) = refused(&mut rig);
    assert_eq!(code, Code::CapabilityLost);
    assert!(message.contains("tools") && message.contains("logging"), "{message}");
    rig.relay.attach(C);
    rig.relay.probe(C, true, rig.now);
    rig.serve(C, &json!({"resources": {"subscribe": true, "listChanged": true}}), &json!([]));
    let events = rig.events();
    assert!(
        matches!(&events[..], [RelayEvent::Probing(C), RelayEvent::Ready(C, report)] if report.diff.breaking == ["tool `t`: removed"]),
        "{events:?}"
    );
    rig.relay.handover(C, rig.now).unwrap();
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
    rig.ask(1, "tools/list", json!({}));
    assert_eq!(rig.client_reads()[0]["error"]["code"], -32601);
}

#[test]
fn a_list_that_ran_empty_is_refused_unless_forced() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    rig.serve(B, &full(), &json!([]));
    let events = rig.events();
    assert!(
        matches!(&events[..], [_, RelayEvent::NotReady(B, fault)] if fault.code == Code::CapabilityLost && fault.message.ends_with("tools")),
        "{events:?}"
    );
    rig.relay.attach(C);
    rig.relay.probe(C, true, rig.now);
    rig.serve(C, &full(), &json!([]));
    assert!(matches!(rig.events()[..], [_, RelayEvent::Ready(C, _)]));
}

#[test]
fn an_answer_that_is_no_list_is_no_proof() {
    for (result, says) in [
        (json!({"tools": {}}), "`tools`"),
        (json!({}), "`tools` is missing"),
        (json!({"tools": [{"title": "x"}]}), "has no `name`"),
        (json!([]), "missing"),
    ] {
        let mut rig = Rig::open(&full(), &Rig::tools());
        let asked = probing(&mut rig);
        rig.answer(B, &asked["id"], Rig::welcome(&full()));
        let sent = rig.twin_reads(B);
        rig.answer(B, &sent[1]["id"], result);
        let (code, message) = refused(&mut rig);
        assert!(code == Code::ListFailed && message.contains(says), "{message}");
    }
}

#[test]
fn a_list_without_end_is_no_proof() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let asked = probing(&mut rig);
    rig.answer(B, &asked["id"], Rig::welcome(&json!({"tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true}, "logging": {}})));
    let mut last = rig.twin_reads(B).remove(1);
    for _ in 0..1001 {
        rig.answer(B, &last["id"], json!({"tools": [], "nextCursor": "again"}));
        match rig.twin_reads(B).pop() {
            Some(next) => last = next,
            None => break,
        }
    }
    let (code, message) = refused(&mut rig);
    assert!(code == Code::ListFailed && message.contains("does not end"), "{message}");
}

#[test]
fn the_lists_of_the_serving_twin_are_fetched_once_and_a_moment_later() {
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.initialize();
    rig.serve(A, &full(), &Rig::tools());
    rig.relay.handover(A, rig.now).unwrap();
    rig.initialized();
    rig.ask(1, "tools/list", json!({}));
    assert_eq!(methods(&rig.twin_reads(A)), ["notifications/initialized", "tools/list"]);
    rig.pass(Duration::from_secs(1));
    assert_eq!(methods(&rig.serve(A, &full(), &Rig::tools())), Vec::<String>::new());
    rig.client_reads();
    assert_eq!(rig.relay.poll_timeout(), None, "an idle front has no timer");
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    rig.serve(B, &full(), &Rig::tools());
    assert!(rig.twin_reads(A).is_empty(), "they are known");
}

#[test]
fn lists_that_changed_meanwhile_are_fetched_again_for_the_comparison() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.note_of(A, "notifications/tools/list_changed");
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    rig.serve(B, &full(), &json!([{"name": "new"}]));
    assert_eq!(rig.events(), [RelayEvent::Probing(B)], "waits for A's");
    rig.serve(A, &full(), &json!([{"name": "new"}]));
    let events = rig.events();
    assert!(matches!(&events[..], [RelayEvent::Ready(B, report)] if report.diff.is_empty()), "{events:?}");
    rig.client_reads();
    rig.relay.handover(B, rig.now).unwrap();
    assert!(rig.client_reads().is_empty());
}

/// server-everything adds to its tools once it has `initialized`, and says so while they are being fetched.
#[test]
fn a_list_that_changes_while_it_is_fetched_is_fetched_again() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let opening = rig.twin_reads(B);
    rig.answer(B, &opening[0]["id"], Rig::welcome(&full()));
    let lists = rig.twin_reads(B);
    assert_eq!(methods(&lists)[..2], ["notifications/initialized", "tools/list"]);
    rig.note_of(B, "notifications/tools/list_changed");
    rig.answer(B, &lists[1]["id"], json!({"tools": [{"name": "not yet all"}]}));
    for line in &lists[2..] {
        let member = line["method"].as_str().unwrap();
        let member = if member == "resources/list" { "resources" } else { "resourceTemplates" };
        rig.answer(B, &line["id"], json!({member: []}));
    }
    let again = rig.twin_reads(B);
    assert_eq!(methods(&again), ["tools/list"]);
    rig.answer(B, &again[0]["id"], json!({"tools": Rig::tools()}));
    let events = rig.events();
    assert!(matches!(&events[..], [.., RelayEvent::Ready(B, report)] if report.diff.is_empty()), "{events:?}");
    rig.relay.handover(B, rig.now).unwrap();
    assert!(rig.client_reads().is_empty(), "the client knows this list");
}

#[test]
fn a_list_that_never_rests_is_taken_as_changed() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    for _ in 0..20 {
        for line in rig.twin_reads(B) {
            match line["method"].as_str().unwrap() {
                "initialize" => rig.answer(B, &line["id"], Rig::welcome(&full())),
                "tools/list" => {
                    rig.note_of(B, "notifications/tools/list_changed");
                    rig.answer(B, &line["id"], json!({"tools": Rig::tools()}));
                }
                "resources/list" => rig.answer(B, &line["id"], json!({"resources": []})),
                "resources/templates/list" => rig.answer(B, &line["id"], json!({"resourceTemplates": []})),
                _ => {}
            }
        }
    }
    assert!(matches!(rig.events()[..], [.., RelayEvent::Ready(B, _)]));
    rig.relay.handover(B, rig.now).unwrap();
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
}

#[test]
fn a_serving_twin_that_is_busy_or_dies_does_not_block_the_probe() {
    for dies in [true, false] {
        let mut rig = Rig::open(&full(), &Rig::tools());
        rig.note_of(A, "notifications/tools/list_changed");
        rig.relay.attach(B);
        rig.relay.probe(B, false, rig.now);
        rig.serve(B, &full(), &json!([{"name": "new"}]));
        rig.events();
        if dies {
            rig.die(A);
        } else {
            rig.pass(Duration::from_secs(2));
        }
        let events = rig.events();
        assert!(matches!(&events[..], [RelayEvent::Ready(B, report)] if !report.diff.is_empty()), "{events:?}");
        rig.relay.handover(B, rig.now).unwrap();
        assert_eq!(methods(&rig.client_reads()).last().map(String::as_str), Some("notifications/tools/list_changed"));
    }
}

#[test]
fn own_requests_are_not_the_clients() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    assert_eq!((rig.relay.unanswered(), rig.relay.owed(B).calls), (0, 0));
    rig.relay.drain(B, rig.now);
    assert!(rig.events().contains(&RelayEvent::Drained(B)));
}

#[test]
fn another_name_and_other_instructions_are_reported_and_no_obstacle() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let id = rig.twin_reads(B)[0]["id"].clone();
    let mut welcome = Rig::welcome(&full());
    welcome["serverInfo"] = json!({"name": "renamed", "version": "9"});
    welcome["instructions"] = json!("other ones");
    rig.answer(B, &id, welcome);
    rig.serve(B, &full(), &Rig::tools());
    rig.serve(A, &full(), &Rig::tools());
    let events = rig.events();
    let named = |event: &RelayEvent| matches!(event, RelayEvent::Ready(B, report) if report.server.as_deref() == Some("renamed 9"));
    assert!(events.iter().any(named), "{events:?}");
    assert!(rig.client_reads().is_empty(), "no message could tell the client");
}
