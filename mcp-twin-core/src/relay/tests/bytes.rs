//! What is passed on is what came; what is not a message is refused or logged.

use super::rig::{A, B, Rig, answers, fault, full, methods};
use crate::error::Code;
use serde_json::json;
use std::time::Duration;

#[test]
fn ids_keep_their_spelling_both_ways() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let ids = ["1", "\"1\"", "1.0", "12345678901234567890123", r#""\u0031x\/""#, "-0", "\"\""];
    for id in ids {
        rig.client_raw(&format!(r#"{{"params":{{"id":{id}}},"id" : {id},"method":"x\/y"}}"#));
    }
    let sent = rig.twin_reads_raw(A);
    for (line, id) in sent.iter().zip(ids) {
        let number: u64 =
            line.split("\"id\" : ").nth(1).and_then(|rest| rest.split(',').next()).unwrap().parse().unwrap();
        assert_eq!(*line, format!(r#"{{"params":{{"id":{id}}},"id" : {number},"method":"x\/y"}}"#));
        rig.twin_raw(A, &format!(r#"{{"result":{{"id":{number}}},"id":{number}}}"#));
        assert_eq!(rig.client_reads_raw(), [format!(r#"{{"result":{{"id":{number}}},"id":{id}}}"#)]);
    }
    assert_eq!(rig.relay.unanswered(), 0);
}

#[test]
fn a_long_string_passes_unchanged_and_memory_goes_back() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let long = "ü\\n\\u00e9\\\"".repeat(200_000);
    rig.client_raw(&format!(r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"s":"{long}"}}}}"#));
    let sent = rig.twin_reads_raw(A);
    assert!(sent[0].contains(&long) && sent[0].len() > 2_000_000);
    let id = rig.relay.last;
    rig.twin_raw(A, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"s":"{long}"}}}}"#));
    assert_eq!(rig.client_reads_raw(), [format!(r#"{{"jsonrpc":"2.0","id":5,"result":{{"s":"{long}"}}}}"#)]);
    assert!(rig.relay.client_output().is_empty());
}

#[test]
fn a_request_in_use_is_refused_a_second_time_without_its_id() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    rig.call(1);
    assert_eq!(rig.twin_reads(A).len(), 1);
    let got = rig.client_reads();
    assert_eq!((&got[0]["id"], &got[0]["error"]["code"]), (&json!(null), &json!(-32600)));
    let id = json!(rig.relay.last);
    rig.answer(A, &id, json!({}));
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
    rig.call(1);
    assert_eq!(rig.twin_reads(A).len(), 1, "free again");
}

#[test]
fn what_the_client_sends_in_error() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    for (line, id, code) in [
        ("{\"id\":1", json!(null), -32700),
        ("hello", json!(null), -32700),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, json!(null), -32600),
        ("12", json!(null), -32600),
        (r#"{"id":null,"method":"x"}"#, json!(null), -32600),
        (r#"{"id":3}"#, json!(3), -32600),
        (r#"{"id":4,"method":7}"#, json!(4), -32600),
        (r#"{"id":1,"id":2,"method":"x"}"#, json!(null), -32600),
    ] {
        rig.client_raw(line);
        let got = rig.client_reads();
        assert_eq!((&got[0]["id"], &got[0]["error"]["code"]), (&id, &json!(code)), "{line}");
        assert_eq!(got[0]["error"]["data"]["code"], "twin::client::bad_message");
    }
    rig.client_raw("");
    rig.client_raw(" \r");
    rig.client_raw(r#"{"id":77,"result":{}}"#);
    assert!(rig.client_reads().is_empty() && rig.twin_reads(A).is_empty());
    assert!(rig.logged("77"));
}

#[test]
fn what_a_twin_sends_in_error_reaches_nobody() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let id = rig.twin_reads(A)[0]["id"].clone();
    for line in [
        "starting up...",
        "{\"half\":",
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#,
        "null",
        r#"{"jsonrpc":"2.0","id":4711,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"1","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#,
        "\u{feff}",
    ] {
        rig.twin_raw(A, line);
        assert!(rig.client_reads().is_empty(), "{line}");
    }
    assert!(rig.logged("starting up") && rig.logged("4711"));
    rig.answer(A, &id, json!({"n": 1}));
    rig.answer(A, &id, json!({"n": 2}));
    let got = rig.client_reads();
    assert_eq!((got.len(), &got[0]["result"]["n"]), (1, &json!(1)));
    assert!(rig.logged("not open"));
}

#[test]
fn only_the_owner_may_answer() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.call(1);
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.swap(B, &full(), &Rig::tools());
    rig.answer(B, &id, json!({}));
    assert!(rig.client_reads().is_empty());
    rig.answer(A, &id, json!({}));
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
}

#[test]
fn messages_that_are_too_large() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.client_oversize(br#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"a":"xxxx"#, rig.now);
    rig.relay.client_oversize(br#"{"method":"tools/call","params":{"a":"xxxx"#, rig.now);
    let got = rig.client_reads();
    assert_eq!((&got[0]["id"], &got[0]["error"]["code"]), (&json!(9), &json!(-32600)));
    assert_eq!(got[0]["error"]["data"]["code"], "twin::message::too_large");
    assert_eq!(got[1]["id"], json!(null));

    rig.call(1);
    rig.call(2);
    let sent = rig.twin_reads(A);
    let begin = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":"xx"#, sent[0]["id"]);
    rig.relay.twin_oversize(A, begin.as_bytes(), rig.now);
    let got = rig.client_reads();
    assert_eq!((&got[0]["id"], &got[0]["error"]["data"]["code"]), (&json!(1), &json!("twin::message::too_large")));
    // The id stands behind the result; only one answer is owed.
    rig.relay.twin_oversize(A, br#"{"result":{"content":"xx"#, rig.now);
    assert_eq!(answers(&rig.client_reads()), [(2, "error")]);
    rig.relay.twin_oversize(A, br#"{"result":{"content":"xx"#, rig.now);
    rig.relay.twin_oversize(A, br#"{"jsonrpc":"2.0","method":"notifications/message","params":{"#, rig.now);
    assert!(rig.client_reads().is_empty());
    rig.relay.twin_oversize(A, br#"{"jsonrpc":"2.0","id":3,"method":"sampling/createMessage","params":{"#, rig.now);
    assert_eq!(rig.twin_reads(A)[0]["id"], 3);
}

#[test]
fn an_answer_of_the_client_that_is_too_large_ends_the_twins_wait() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.ask_of(A, json!("q"), "sampling/createMessage");
    let id = rig.client_reads()[0]["id"].clone();
    rig.relay.client_oversize(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"x":"#).as_bytes(), rig.now);
    let got = rig.twin_reads(A);
    assert_eq!((&got[0]["id"], &got[0]["error"]["data"]["code"]), (&json!("q"), &json!("twin::message::too_large")));
    assert!(rig.client_reads().is_empty());
    assert_eq!(rig.relay.owed(A).requests, 0);
}

#[test]
fn the_notice_is_added_to_one_tool_result_and_nothing_else_changes() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.relay.tell("older".to_owned());
    rig.relay.tell("reload \"failed\"".to_owned());
    rig.ask(1, "resources/read", json!({}));
    rig.call(2);
    rig.call(3);
    rig.call(4);
    let ids: Vec<_> = rig.twin_reads(A).iter().map(|line| line["id"].as_u64().unwrap()).collect();
    let ask = |rig: &mut Rig, at: usize, body: &str| {
        rig.twin_raw(A, &format!(r#"{{"jsonrpc":"2.0",{body},"id":{}}}"#, ids[at]));
        rig.client_reads_raw().remove(0)
    };
    assert_eq!(ask(&mut rig, 0, r#""result":{"content":[1]}"#), r#"{"jsonrpc":"2.0","result":{"content":[1]},"id":1}"#);
    assert_eq!(
        ask(&mut rig, 1, r#""error":{"code":1,"message":"content"}"#),
        r#"{"jsonrpc":"2.0","error":{"code":1,"message":"content"},"id":2}"#
    );
    assert_eq!(
        ask(&mut rig, 2, r#""result":{ "x": [1e2], "content": [{"type":"text","text":"a]"} ] ,"isError":false}"#),
        r#"{"jsonrpc":"2.0","result":{ "x": [1e2], "content": [{"type":"text","text":"a]"} ,{"type":"text","text":"reload \"failed\""}] ,"isError":false},"id":3}"#
    );
    assert_eq!(ask(&mut rig, 3, r#""result":{"content":[]}"#), r#"{"jsonrpc":"2.0","result":{"content":[]},"id":4}"#);
    rig.relay.tell("again".to_owned());
    rig.call(5);
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.twin_raw(A, &format!(r#"{{"id":{id},"result":{{"content":[ ]}}}}"#));
    assert_eq!(rig.client_reads_raw(), [r#"{"id":5,"result":{"content":[ {"type":"text","text":"again"}]}}"#]);
}

#[test]
fn no_notice_where_it_is_switched_off() {
    let mut rig = Rig::with(|options| options.tell = false).opened(&full(), &Rig::tools());
    rig.relay.tell("x".to_owned());
    rig.call(1);
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.answer(A, &id, json!({"content": []}));
    assert_eq!(rig.client_reads()[0]["result"]["content"], json!([]));
}

#[test]
fn progress_passes_only_while_its_request_is_open() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    rig.client_raw(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progress\u0054oken":"p\u0031"}}}"#,
    );
    let id = rig.twin_reads(A)[0]["id"].clone();
    let progress =
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "p1", "progress": 1}});
    rig.twin(A, &progress);
    assert_eq!(rig.client_reads(), std::slice::from_ref(&progress));
    rig.twin(
        A,
        &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}),
    );
    assert!(rig.client_reads().is_empty(), "another token");
    rig.answer(A, &id, json!({}));
    rig.client_reads();
    rig.twin(A, &progress);
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_slow_client_is_noticed() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    let note = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x".repeat(600_000)}});
    rig.twin(A, &note);
    assert!(!rig.relay.client_is_slow());
    rig.twin(A, &note);
    assert!(rig.relay.client_is_slow() && !rig.relay.client_is_stuck());
    rig.client_reads();
    assert!(!rig.relay.client_is_slow());
}

#[test]
fn a_twin_that_does_not_read_is_not_fed_for_ever() {
    let mut rig = Rig::with(|options| options.hold_bytes = 1000).opened(&full(), &Rig::tools());
    for id in 1..50 {
        rig.call(id);
    }
    let busy = rig.client_reads();
    assert!(!busy.is_empty() && busy.iter().all(|line| line["error"]["data"]["code"] == "twin::request::busy"));
    assert!(rig.relay.twin_output(A).len() < 1200);
    rig.client(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}));
    assert!(rig.relay.twin_output(A).ends_with(b"}}\n"), "a cancellation always passes");
    assert_eq!(methods(&rig.twin_reads(A)).last().map(String::as_str), Some("notifications/cancelled"));
}

#[test]
fn a_time_out_is_opt_in_and_reset_by_progress() {
    let mut rig =
        Rig::with(|options| options.call_timeout = Some(Duration::from_secs(2))).opened(&full(), &Rig::tools());
    rig.ask(1, "tools/call", json!({"_meta": {"progressToken": 5}}));
    rig.ask(2, "resources/read", json!({}));
    let sent = rig.twin_reads(A);
    rig.pass(Duration::from_millis(1500));
    rig.twin(
        A,
        &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 5, "progress": 1}}),
    );
    rig.pass(Duration::from_millis(1500));
    assert!(answers(&rig.client_reads()).is_empty());
    rig.pass(Duration::from_millis(600));
    let got = rig.client_reads();
    assert_eq!((&got[0]["id"], &got[0]["error"]["data"]["code"]), (&json!(1), &json!("twin::request::timeout")));
    let cancelled = rig.twin_reads(A);
    assert_eq!(cancelled[0]["params"]["requestId"], sent[0]["id"]);
    rig.answer(A, &sent[0]["id"], json!({}));
    assert!(rig.client_reads().is_empty(), "late");
    assert_eq!(rig.relay.unanswered(), 1);
    assert_eq!(rig.relay.poll_timeout(), None);
}

#[test]
fn every_error_of_ours_is_told_apart_from_the_servers() {
    for code in Code::ALL {
        let number = super::super::refusal::number(*code);
        let own = !(-32768..=-32000).contains(&number);
        let clients_fault = matches!(code, Code::BadMessage | Code::TooLarge | Code::CapabilityLost | Code::OwnerGone);
        assert!(own || clients_fault, "{code}");
    }
    let mut rig = Rig::new();
    rig.relay.refuse(fault(Code::Stopped, "it was stopped"), rig.now);
    rig.call(1);
    assert_eq!(rig.client_reads()[0]["error"]["data"]["code"], "twin::stopped");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    /// Whatever comes, nothing panics and the session goes on.
    #[test]
    fn any_line_is_survived(lines in proptest::collection::vec((0u8..6, line()), 1..20)) {
        let mut rig = Rig::open(&full(), &Rig::tools());
        rig.ready(B, &full(), &Rig::tools());
        for (from, line) in lines {
            match from {
                0 | 1 => rig.relay.client_line(&line, rig.now),
                2 => rig.relay.twin_line(A, &line, rig.now),
                3 => rig.relay.twin_line(B, &line, rig.now),
                4 => rig.relay.client_oversize(&line, rig.now),
                _ => rig.relay.twin_oversize(A, &line, rig.now),
            }
            for text in [rig.relay.client_output(), rig.relay.twin_output(A), rig.relay.twin_output(B)] {
                for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    proptest::prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok());
                }
            }
        }
        rig.client_reads_raw();
        rig.twin_reads_raw(A);
        rig.ask(987_654, "tools/call", json!({}));
        proptest::prop_assert_eq!(rig.twin_reads_raw(A).len(), 1);
    }
}

/// Bytes that look like messages, and bytes that do not.
fn line() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let value = prop_oneof![
        Just("null"),
        Just("1"),
        Just("12"),
        Just("\"1\""),
        Just("\"\\u0041\""),
        Just("{}"),
        Just("[1,{}]"),
        Just("-0.5e3"),
        Just("\"\\ud800\""),
        Just("{\"_meta\":{\"progressToken\":1},\"requestId\":1,\"uri\":\"x\",\"level\":\"info\"}"),
        Just("{\"tools\":[],\"content\":[]}"),
        Just("\"tools/call\""),
        Just("\"tools/list\""),
        Just("\"initialize\""),
        Just("\"ping\""),
        Just("\"roots/list\""),
        Just("\"notifications/cancelled\""),
        Just("\"notifications/progress\""),
        Just("\"notifications/initialized\""),
        Just("\"logging/setLevel\""),
    ];
    let key = prop_oneof![
        Just("id"),
        Just("method"),
        Just("params"),
        Just("result"),
        Just("error"),
        Just("jsonrpc"),
        Just("\\u0069d"),
        Just("x")
    ];
    let object = proptest::collection::vec((key, value), 0..6).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    let cut = (object.clone(), any::<proptest::sample::Index>()).prop_map(|(mut line, at)| {
        line.truncate(at.index(line.len() + 1));
        line
    });
    let bytes = proptest::collection::vec(any::<u8>().prop_filter("a line", |byte| *byte != b'\n'), 0..30);
    prop_oneof![4 => object, 1 => cut, 1 => bytes]
}
