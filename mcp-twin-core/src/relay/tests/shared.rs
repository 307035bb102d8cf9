//! Relays that share their twins: lists that another has fetched, lines that come back, sessions that outlive a front.

use super::rig::{A, B, C, Rig, answers, fault, full, methods};
use crate::error::Code;
use crate::relay::{Relay, RelayEvent, SavedSession};
use crate::spec::{Options, Transport};
use crate::time::Moment;
use serde_json::{Value, json};

fn resumed(saved: &SavedSession) -> Rig {
    let options = Options::defaults(Transport::Http);
    Rig { relay: Relay::resumed(&options, saved), now: Moment::ZERO, events: Vec::new() }
}

fn saved() -> SavedSession {
    let rig = Rig::open(&full(), &Rig::tools());
    rig.relay.saved().unwrap()
}

#[test]
fn lists_that_another_relay_has_fetched_are_not_asked_for_again() {
    let mut first = Rig::open(&full(), &Rig::tools());
    first.swap(B, &full(), &Rig::tools());
    let vouched = first.relay.vouch(B).unwrap();
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.attach_vouched(B, &vouched);
    rig.relay.probe(B, false, rig.now);
    let asked = rig.twin_reads(B);
    assert_eq!(methods(&asked), ["initialize"]);
    let version = asked[0]["params"]["protocolVersion"].clone();
    rig.answer(B, &asked[0]["id"], json!({"protocolVersion": version, "capabilities": full()}));
    assert_eq!(methods(&rig.twin_reads(B)), ["notifications/initialized"]);
    assert!(rig.relay.is_ready_at(B));
}

/// A session that was opened before anybody had fetched the lists of its twin.
fn without_lists() -> Rig {
    let mut rig = Rig::new();
    rig.initialize();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    let asked = rig.twin_reads(A);
    rig.answer(A, &asked[0]["id"], Rig::welcome(&full()));
    rig.initialized();
    rig.relay.handover(A, rig.now).unwrap();
    rig.twin_reads(A);
    rig.client_reads();
    rig
}

#[test]
fn lists_that_another_relay_has_fetched_meanwhile_are_compared_with() {
    let mut first = Rig::open(&full(), &Rig::tools());
    let old = first.relay.vouch(A).unwrap();
    first.swap(B, &full(), &Rig::tools());
    let new = first.relay.vouch(B).unwrap();
    let mut rig = without_lists();
    rig.relay.learn_lists(A, &old);
    rig.relay.hold(rig.now);
    rig.relay.attach_vouched(B, &new);
    rig.relay.probe(B, false, rig.now);
    let asked = rig.twin_reads(B);
    rig.answer(B, &asked[0]["id"], Rig::welcome(&full()));
    assert!(rig.relay.is_ready_at(B) && rig.twin_reads(A).is_empty());
    rig.relay.handover(B, rig.now).unwrap();
    assert!(rig.client_reads().is_empty(), "the lists do not differ");
}

#[test]
fn a_comparison_ends_with_the_lists_it_waits_for_though_requests_are_held_by_then() {
    let mut first = Rig::open(&full(), &Rig::tools());
    first.swap(B, &full(), &Rig::tools());
    let new = first.relay.vouch(B).unwrap();
    let mut rig = without_lists();
    rig.relay.attach_vouched(B, &new);
    rig.relay.probe(B, false, rig.now);
    let asked = rig.twin_reads(B);
    rig.answer(B, &asked[0]["id"], Rig::welcome(&full()));
    let asked = rig.twin_reads(A);
    assert!(!asked.is_empty() && !rig.relay.is_ready_at(B), "the lists of the serving twin are not known");
    rig.relay.hold(rig.now);
    for asked in asked {
        let method = asked["method"].as_str().unwrap();
        let member = if method.contains("templates") { "resourceTemplates" } else { method.split('/').next().unwrap() };
        let list = if member == "tools" { Rig::tools() } else { json!([]) };
        rig.answer(A, &asked["id"], json!({member: list}));
    }
    assert!(rig.relay.is_ready_at(B));
    rig.relay.handover(B, rig.now).unwrap();
    assert!(rig.client_reads().is_empty(), "the lists do not differ");
}

#[test]
fn a_request_that_never_reached_its_twin_goes_to_the_next() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let line = rig.twin_reads_raw(A).remove(0);
    rig.relay.twin_input_closed(A, rig.now);
    rig.relay.twin_returned(A, line.as_bytes(), rig.now);
    assert!(rig.client_reads().is_empty(), "it waits");
    rig.die(A);
    rig.swap(B, &full(), &Rig::tools());
    let again = rig.twin_reads(B);
    assert_eq!(methods(&again), ["tools/call"]);
    rig.answer(B, &again[0]["id"], json!({"content": []}));
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
    // One that was answered, or is another's, is not begun again.
    rig.relay.twin_returned(A, line.as_bytes(), rig.now);
    rig.relay.twin_returned(B, line.as_bytes(), rig.now);
    assert!(rig.twin_reads(B).is_empty());
}

#[test]
fn a_lost_answer_is_an_error_once_and_ends_a_probe() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let number = rig.twin_reads(A)[0]["id"].as_u64().unwrap();
    assert!(rig.relay.has_open(A, number) && !rig.relay.has_open(B, number));
    assert_eq!(rig.relay.client_id(number).as_deref(), Some("1"));
    let lost = fault(Code::ProtocolBroken, "the connection broke");
    rig.relay.twin_lost(A, number, &lost, rig.now);
    rig.relay.twin_lost(A, number, &lost, rig.now);
    assert_eq!(answers(&rig.client_reads()), [(1, "error")]);
    assert!(!rig.relay.has_open(A, number));
    rig.relay.attach(B);
    rig.relay.probe(B, false, rig.now);
    let number = rig.twin_reads(B)[0]["id"].as_u64().unwrap();
    rig.events();
    rig.relay.twin_lost(B, number, &lost, rig.now);
    assert!(matches!(&rig.events()[..], [RelayEvent::NotReady(twin, _)] if *twin == B));
}

#[test]
fn a_saved_session_goes_on_at_another_front() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let before = rig.relay.revision();
    rig.ask(1, "logging/setLevel", json!({"level": "debug"}));
    rig.ask(2, "resources/subscribe", json!({"uri": "file:///a"}));
    for asked in rig.twin_reads(A) {
        rig.answer(A, &asked["id"], json!({}));
    }
    assert!(rig.relay.revision() > before);
    let saved = rig.relay.saved().unwrap();
    let written: SavedSession = serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
    assert_eq!(written, saved);
    assert_eq!(saved.level.as_deref(), Some("\"debug\""));
    assert_eq!(saved.uris, ["\"file:///a\""]);

    let mut rig = resumed(&saved);
    assert!(rig.relay.is_open() && rig.relay.has_subscriptions());
    rig.call(7);
    rig.relay.attach(C);
    rig.relay.probe(C, false, rig.now);
    let asked = rig.twin_reads(C);
    assert_eq!(methods(&asked), ["initialize"]);
    assert_eq!(asked[0]["params"]["protocolVersion"], saved.version);
    rig.answer(C, &asked[0]["id"], json!({"protocolVersion": saved.version, "capabilities": full()}));
    for asked in rig.twin_reads(C).iter().filter(|message| message.get("id").is_some()) {
        let member = asked["method"].as_str().unwrap().split('/').next().unwrap().to_owned();
        let member =
            if asked["method"] == "resources/templates/list" { "resourceTemplates".to_owned() } else { member };
        rig.answer(C, &asked["id"], json!({member: []}));
    }
    rig.relay.prepare(C, rig.now);
    let told = rig.twin_reads(C);
    assert_eq!(methods(&told), ["logging/setLevel", "resources/subscribe"]);
    for asked in told {
        rig.answer(C, &asked["id"], json!({}));
    }
    rig.relay.handover(C, rig.now).unwrap();
    let call = rig.twin_reads(C);
    assert_eq!(methods(&call), ["tools/call"], "what was held is delivered");
    assert!(methods(&rig.client_reads()).contains(&"notifications/resources/updated".to_owned()));
}

#[test]
fn sessions_are_of_one_kind_where_version_and_abilities_are_equal() {
    let one = saved();
    let other = SavedSession { params: one.params.replace("\"name\"", "\"title\""), ..one.clone() };
    assert_eq!(one.kind(), other.kind());
    assert_ne!(one.kind(), SavedSession { version: "2024-11-05".to_owned(), ..one }.kind());
}

#[test]
fn a_twin_that_forgot_the_session_is_told_all_of_it_again() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask(1, "resources/subscribe", json!({"uri": "file:///a"}));
    let asked = rig.twin_reads(A);
    rig.answer(A, &asked[0]["id"], json!({}));
    rig.relay.twin_forgot(A, rig.now);
    assert_eq!(methods(&rig.twin_reads(A)), ["resources/subscribe"]);
}

#[test]
fn among_many_clients_nobody_chooses_the_handshake_for_all() {
    let mut rig = Rig::new();
    rig.relay = Relay::for_many(&Options::defaults(Transport::Http), 8);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    let ask = |id: i64, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": meta}});
    rig.client(&ask(1, "server/discover"));
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    let asked = rig.twin_reads(A);
    let result: Value = json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}});
    rig.answer(A, &asked[0]["id"], result);
    rig.relay.handover(A, rig.now).unwrap();
    rig.client_reads();
    rig.client(&ask(2, "initialize"));
    let passed = rig.twin_reads(A);
    assert!(
        methods(&passed).contains(&"initialize".to_owned()),
        "the server itself says what it thinks of it: {passed:?}"
    );
    let id = passed.iter().find(|message| message["method"] == "initialize").unwrap()["id"].clone();
    rig.refuse(A, &id, -32601);
    assert_eq!(answers(&rig.client_reads()), [(2, "error")]);
    rig.client(&ask(3, "tools/list"));
    assert_eq!(methods(&rig.twin_reads(A)).last().map(String::as_str), Some("tools/list"));
}

#[test]
fn a_progress_token_names_the_open_request_that_it_came_with() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let params = |token: Value| json!({"name": "t", "_meta": {"progressToken": token}});
    rig.client(&json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": params(json!("p"))}));
    rig.client(&json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params(json!(1))}));
    let id = |rig: &Rig, token: &str| rig.relay.id_of_token(token);
    assert_eq!((id(&rig, "\"p\""), id(&rig, "1")), (Some("\"a\"".to_owned()), Some("5".to_owned())));
    assert_eq!((id(&rig, "\"1\""), id(&rig, "p")), (None, None));
    let sent = rig.twin_reads(A);
    rig.answer(A, &sent[0]["id"], json!({}));
    assert_eq!((id(&rig, "\"p\""), id(&rig, "1")), (None, Some("5".to_owned())));
}

/// What the server answered before answers an opening for which there is no process, and no other word is waited for.
#[test]
fn where_nothing_is_worth_waiting_for_an_opening_is_answered_at_once() {
    let opened = |rig: &mut Rig| {
        rig.events().into_iter().find_map(|event| match event {
            RelayEvent::Opened(last) => Some(last),
            _ => None,
        })
    };
    let mut first = Rig::new();
    first.initialize();
    first.relay.attach(A);
    first.relay.probe(A, false, first.now);
    let asked = first.twin_reads(A);
    first.answer(A, &asked[0]["id"], Rig::welcome(&full()));
    let last = opened(&mut first).unwrap();
    assert_eq!(first.relay.asked(), Some(last.asked.as_str()));

    let gone = fault(Code::CodeGone, "the files hold other code");
    for known in [Some(last), None] {
        let mut rig = Rig::new();
        rig.relay.set_last_good(known.clone());
        rig.initialize();
        rig.relay.attach(A);
        rig.relay.probe(A, false, rig.now);
        rig.relay.twin_gone(A, &gone, rig.now);
        assert!(rig.client_reads().is_empty(), "a later twin may answer it");
        rig.relay.refuse_at_once(gone.clone(), rig.now);
        let answered = rig.client_reads();
        assert_eq!(answered[0]["result"].is_object(), known.is_some(), "{answered:?}");
        assert_eq!(rig.relay.is_open(), known.is_some());
        rig.ask(9, "tools/list", json!({}));
        assert_eq!(rig.client_reads()[0]["error"]["data"]["code"], "twin::rollback::code_gone");
        if known.is_some() {
            // It is opened by replay at the next twin that serves.
            rig.swap(B, &full(), &Rig::tools());
            rig.ask(10, "tools/list", json!({}));
            assert_eq!(methods(&rig.twin_reads(B)), ["tools/list"]);
        }
    }
}
