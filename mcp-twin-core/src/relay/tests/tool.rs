//! Calls of the front's own, beside the client's.

use super::rig::{A, B, Rig, fault, full};
use crate::error::Code;
use crate::relay::{Called, RelayEvent};
use serde_json::json;

fn called(rig: &mut Rig) -> Vec<(u64, Called)> {
    let events = rig.events().into_iter();
    events
        .filter_map(|event| if let RelayEvent::Called(number, called) = event { Some((number, called)) } else { None })
        .collect()
}

#[test]
fn the_client_sees_nothing_of_it() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let number = rig.relay.call_tool(A, "a \"b\"", r#"{"x":1e2}"#).unwrap();
    let lines = rig.twin_reads_raw(A);
    let own = lines.iter().find(|line| line.contains(r#"{"x":1e2}"#)).unwrap();
    let own: serde_json::Value = serde_json::from_str(own).unwrap();
    assert_eq!((&own["id"], &own["params"]["name"]), (&json!(number), &json!("a \"b\"")));
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": number, "result": {"content": []}}));
    assert_eq!(called(&mut rig), [(number, Called::Result(r#"{"content":[]}"#.into()))]);
    let number = rig.relay.call_tool(A, "a", "{}").unwrap();
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": number, "error": {"code": 1, "message": "no"}}));
    assert!(matches!(called(&mut rig).as_slice(), [(_, Called::Error(_))]));
    assert!(rig.client_reads().is_empty());
    assert_eq!(rig.relay.unanswered(), 1);
}

#[test]
fn a_twin_is_not_drained_before_it_has_answered() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let number = rig.relay.call_tool(A, "a", "{}").unwrap();
    rig.swap(B, &full(), &Rig::tools());
    let _ = rig.events();
    rig.relay.drain(A, rig.now);
    assert!(rig.events().is_empty());
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": number, "result": {}}));
    let events = rig.events();
    assert!(matches!(events.as_slice(), [RelayEvent::Called(..), RelayEvent::Drained(A)]), "{events:?}");
}

#[test]
fn one_that_is_given_up_is_cancelled_and_its_late_answer_dropped() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let number = rig.relay.call_tool(A, "a", "{}").unwrap();
    let _ = rig.twin_reads(A);
    rig.relay.await_idle(A, rig.now);
    rig.relay.give_up_tool(number, rig.now);
    assert_eq!(rig.twin_reads(A)[0]["params"]["requestId"], json!(number));
    rig.twin(A, &json!({"jsonrpc": "2.0", "id": number, "result": {}}));
    assert_eq!(called(&mut rig), []);
    assert!(rig.client_reads().is_empty());
}

#[test]
fn it_is_lost_with_its_twin_and_never_sent_to_another() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let number = rig.relay.call_tool(A, "a", "{}").unwrap();
    let _ = rig.twin_reads(A);
    rig.relay.twin_gone(A, &fault(Code::Crashed, "it crashed"), rig.now);
    let lost = called(&mut rig);
    assert!(
        matches!(lost.as_slice(), [(of, Called::Lost(fault))] if *of == number && fault.code == Code::TwinLost),
        "{lost:?}"
    );
    assert_eq!(rig.relay.call_tool(A, "a", "{}").unwrap_err().code, Code::NotOpened);
}

#[test]
fn a_cut_ends_it_too() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let number = rig.relay.call_tool(A, "a", "{}").unwrap();
    let _ = rig.twin_reads(A);
    rig.relay.cut(A, &fault(Code::Stopped, "stopped"), rig.now);
    assert_eq!(rig.twin_reads(A)[0]["method"], "notifications/cancelled");
    assert!(matches!(called(&mut rig).as_slice(), [(of, Called::Lost(_))] if *of == number));
}

#[test]
fn so_many_are_open_at_once_and_no_more() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let open = (0..100).filter(|_| rig.relay.call_tool(A, "a", "{}").is_ok()).count();
    assert_eq!(open, 16);
    assert_eq!(rig.relay.call_tool(A, "a", "{}").unwrap_err().code, Code::Busy);
    let fresh = Rig::new().relay.call_tool(A, "a", "{}").unwrap_err();
    assert_eq!(fresh.code, Code::NotOpened);
}
