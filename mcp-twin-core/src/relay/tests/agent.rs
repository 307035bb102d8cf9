//! The front's own tools: at the end of the server's list, answered whatever the server does, and never its business.

use super::rig::{A, B, Rig, answers, fault, full, methods};
use crate::error::Code;
use crate::relay::{AGENT_CALLS, AgentAnswer, AgentAsk, RelayEvent};
use serde_json::{Value, json};
use std::time::Duration;

const OURS: [&str; 6] = ["twin_status", "twin_reload", "twin_swap", "twin_rollback", "twin_logs", "twin_history"];

fn offering() -> Rig {
    let mut rig = Rig::new();
    rig.relay.offer_tools(Some("twin_"), rig.now);
    rig
}

fn open() -> Rig {
    offering().opened(&full(), &Rig::tools())
}

fn call(rig: &mut Rig, id: i64, name: &str) {
    rig.ask(id, "tools/call", json!({"name": name, "arguments": {}}));
}

/// The calls that the front is asked to answer.
fn asked(rig: &mut Rig) -> Vec<(u64, AgentAsk)> {
    let events = rig.events().into_iter();
    events
        .filter_map(|event| if let RelayEvent::Asked(number, ask) = event { Some((number, ask)) } else { None })
        .collect()
}

fn said() -> AgentAnswer {
    let structured = json!({"state": "serving", "healthy": true}).as_object().cloned().unwrap();
    AgentAnswer { text: "fine".to_owned(), structured, ..AgentAnswer::default() }
}

fn names(list: &Value) -> Vec<&str> {
    list["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

/// The names of the list that the client gets, with a server that has these tools.
fn listed(rig: &mut Rig, id: i64, twin: crate::ids::TwinId, tools: &Value) -> Vec<String> {
    rig.ask(id, "tools/list", json!({}));
    rig.serve(twin, &full(), tools);
    let lines = rig.client_reads();
    names(&lines[0]).into_iter().map(str::to_owned).collect()
}

fn taken(rig: &mut Rig) -> Vec<String> {
    let events = rig.events().into_iter();
    events.filter_map(|event| if let RelayEvent::Taken(name) = event { Some(name) } else { None }).collect()
}

#[test]
fn they_stand_behind_the_servers_own_and_everything_else_is_as_it_was() {
    let mut rig = open();
    rig.ask(1, "tools/list", json!({}));
    let id = rig.twin_reads(A)[0]["id"].clone();
    rig.twin_raw(
        A,
        &format!(
            r#"{{"jsonrpc":"2.0", "id":{id}, "result":{{"x":1e2, "tools":[ {{"name" :"t","y":1.0}} ], "z":"é"}}}}"#
        ),
    );
    let line = rig.client_reads_raw().remove(0);
    let (before, rest) =
        line.split_once(r#" {"name" :"t","y":1.0} ,{"name":"twin_status","#).expect("the server's bytes");
    assert_eq!(before, r#"{"jsonrpc":"2.0", "id":1, "result":{"x":1e2, "tools":["#);
    assert!(rest.ends_with(r#"], "z":"é"}}"#), "{rest}");
    assert_eq!(names(&serde_json::from_str(&line).unwrap())[1..], OURS);
    assert_eq!(listed(&mut rig, 2, A, &json!([])), OURS, "an empty list has no comma");
}

#[test]
fn they_come_on_the_last_page_only_and_in_one_order() {
    let mut rig = open();
    for (cursor, next) in [(Value::Null, Some("p2")), (json!("p2"), None)] {
        rig.ask(1, "tools/list", if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) });
        let id = rig.twin_reads(A)[0]["id"].clone();
        let mut page = json!({"tools": [{"name": next.unwrap_or("last")}]});
        if let Some(next) = next {
            page["nextCursor"] = json!(next);
        }
        rig.answer(A, &id, page);
        let list = rig.client_reads().remove(0);
        match next {
            Some(next) => assert_eq!((names(&list), &list["result"]["nextCursor"]), (vec!["p2"], &json!(next))),
            None => assert_eq!(names(&list)[1..], OURS),
        }
    }
}

#[test]
fn a_call_of_ours_is_the_fronts_and_no_twin_hears_of_it() {
    let mut rig = open();
    rig.ask(1, "tools/call", json!({"name": "twin_logs", "arguments": {"lines": 3, "twin": "B"}}));
    let asked = asked(&mut rig);
    let [(number, AgentAsk::Logs { lines: 3, twin: Some('B') })] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(rig.twin_reads(A).is_empty() && rig.client_reads().is_empty());
    assert_eq!(
        (rig.relay.unanswered(), rig.relay.in_flight(), rig.relay.held(), rig.relay.owed(A).calls),
        (1, 0, 0, 0)
    );
    rig.relay.answer_agent(*number, &said(), rig.now);
    assert_eq!(
        rig.client_reads(),
        [json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "fine"}],
            "structuredContent": {"state": "serving", "healthy": true}, "isError": false}})]
    );
    rig.relay.answer_agent(*number, &said(), rig.now);
    assert!(rig.client_reads().is_empty(), "a second answer goes nowhere");
    for other in ["t", "twin_other", "status", "Twin_status"] {
        rig.ask(2, "tools/call", json!({"name": other}));
        let line = rig.twin_reads(A).remove(0);
        assert_eq!(line["params"]["name"], other);
        rig.answer(A, &line["id"], json!({}));
        assert_eq!(answers(&rig.client_reads()), [(2, "result")]);
    }
}

#[test]
fn arguments_that_make_no_sense_are_answered_at_once() {
    let mut rig = open();
    rig.ask(1, "tools/call", json!({"name": "twin_reload", "arguments": {"promote": 1}}));
    assert_eq!(asked(&mut rig), []);
    let answer = rig.client_reads().remove(0);
    assert_eq!(answer["result"]["isError"], true);
    assert_eq!(answer["result"]["content"][0]["text"], "`promote` must be true or false.");
}

#[test]
fn a_twin_is_drained_and_idle_while_a_call_of_ours_is_open() {
    let mut rig = open();
    call(&mut rig, 1, "twin_reload");
    let number = asked(&mut rig)[0].0;
    rig.relay.await_idle(A, rig.now);
    assert_eq!(rig.events(), [RelayEvent::Idle(A)]);
    rig.relay.handover(A, rig.now).unwrap();
    rig.swap(B, &full(), &Rig::tools());
    rig.events();
    rig.relay.drain(A, rig.now);
    assert_eq!(rig.events(), [RelayEvent::Drained(A)]);
    rig.relay.twin_gone(A, &fault(Code::Crashed, "it ended"), rig.now);
    assert!(answers(&rig.client_reads()).is_empty(), "it is not lost with a twin");
    rig.relay.answer_agent(number, &said(), rig.now);
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
}

#[test]
fn one_that_the_client_cancels_has_no_answer() {
    let mut rig = open();
    call(&mut rig, 1, "twin_reload");
    let number = asked(&mut rig)[0].0;
    rig.cancel(json!(1));
    assert_eq!((rig.relay.unanswered(), rig.twin_reads(A).len()), (0, 0));
    rig.relay.answer_agent(number, &said(), rig.now);
    assert!(rig.client_reads().is_empty());
    call(&mut rig, 1, "twin_status");
    let number = asked(&mut rig)[0].0;
    rig.relay.answer_agent(number, &said(), rig.now);
    assert_eq!(answers(&rig.client_reads()), [(1, "result")]);
}

#[test]
fn the_end_of_the_client_waits_for_them() {
    let mut rig = open();
    call(&mut rig, 1, "twin_status");
    let number = asked(&mut rig)[0].0;
    rig.relay.client_eof(rig.now);
    assert_eq!(rig.events(), []);
    rig.relay.answer_agent(number, &said(), rig.now);
    rig.client_reads();
    assert_eq!(rig.events(), [RelayEvent::Finished]);
}

#[test]
fn so_many_are_open_at_once() {
    let mut rig = open();
    for id in 0..=i64::try_from(AGENT_CALLS).unwrap() {
        call(&mut rig, id, "twin_status");
    }
    assert_eq!(asked(&mut rig).len(), AGENT_CALLS);
    let refused = rig.client_reads();
    assert_eq!((refused.len(), &refused[0]["error"]["data"]["code"]), (1, &json!("twin::request::busy")));
}

#[test]
fn the_capability_is_told_where_the_server_has_none() {
    for (capabilities, wanted) in [
        (json!({"logging": {}}), json!({"tools": {"listChanged": true}, "logging": {}})),
        (json!({"tools": {}}), json!({"tools": {"listChanged": true}})),
        (json!({"tools": {"listChanged": false}}), json!({"tools": {"listChanged": true}})),
    ] {
        let mut rig = offering();
        rig.relay.attach(A);
        rig.relay.probe(A, false, rig.now);
        rig.initialize();
        rig.serve(A, &capabilities, &json!([]));
        assert_eq!(rig.client_reads()[0]["result"], Rig::welcome(&wanted));
        let kept = rig.events().into_iter().find_map(|event| match event {
            RelayEvent::Opened(last) => Some(last.result),
            _ => None,
        });
        assert_eq!(kept.unwrap(), Rig::welcome(&capabilities).to_string(), "the record is the server's own");
    }
    let mut rig = Rig::new();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.initialize();
    rig.serve(A, &json!({}), &json!([]));
    assert_eq!(rig.client_reads()[0]["result"], Rig::welcome(&json!({})), "nothing is written without them");
}

#[test]
fn a_server_without_tools_is_not_asked_for_them() {
    let mut rig = offering().opened(&json!({"logging": {}}), &json!([]));
    rig.ask(1, "tools/list", json!({}));
    assert!(rig.twin_reads(A).is_empty());
    assert_eq!(names(&rig.client_reads()[0]), OURS);
    // The next one has some: the client is told, and its list is asked for there. It was promised none, so the one after
    // that may lack them again.
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
    assert_eq!(listed(&mut rig, 2, B, &Rig::tools())[..2], ["t", "twin_status"]);
    call(&mut rig, 3, "twin_status");
    assert_eq!(asked(&mut rig).len(), 1);
}

#[test]
fn a_swap_is_compared_without_ours_and_told_by_us() {
    let mut rig = offering().opened(&json!({"tools": {}}), &Rig::tools());
    assert_eq!(listed(&mut rig, 1, A, &Rig::tools()).len(), 7);
    let report = rig.ready(B, &json!({"tools": {}}), &json!([{"name": "t2"}]));
    assert_eq!(
        (report.diff.lists[0].1.added.clone(), report.diff.lists[0].1.removed.clone()),
        (vec!["t2".to_owned()], vec!["t".to_owned()])
    );
    rig.relay.prepare(B, rig.now);
    rig.serve(B, &json!({"tools": {}}), &Rig::tools());
    rig.relay.handover(B, rig.now).unwrap();
    assert_eq!(
        methods(&rig.client_reads()),
        ["notifications/tools/list_changed"],
        "the server itself could not say so"
    );
}

#[test]
fn a_tool_of_the_servers_own_wins() {
    let own = json!([{"name": "twin_status"}, {"name": "t"}]);
    let mut rig = offering().opened_quietly(&full(), &own);
    assert_eq!(taken(&mut rig), ["twin_status"]);
    assert_eq!(listed(&mut rig, 1, A, &own), [&["twin_status", "t"][..], &OURS[1..]].concat());
    assert!(taken(&mut rig).is_empty(), "it is said once");
    call(&mut rig, 2, "twin_status");
    assert_eq!(rig.twin_reads(A)[0]["params"]["name"], "twin_status");
    call(&mut rig, 3, "twin_logs");
    assert_eq!(asked(&mut rig).len(), 1);
    // After a swap it is ours, and after the next one not.
    rig.swap(B, &full(), &Rig::tools());
    rig.client_reads();
    call(&mut rig, 4, "twin_status");
    assert_eq!(asked(&mut rig).len(), 1);
    rig.relay.attach(super::rig::C);
    rig.relay.probe(super::rig::C, true, rig.now);
    rig.serve(super::rig::C, &full(), &own);
    rig.serve(B, &full(), &Rig::tools());
    rig.relay.prepare(super::rig::C, rig.now);
    rig.serve(super::rig::C, &full(), &own);
    rig.events();
    rig.relay.handover(super::rig::C, rig.now).unwrap();
    assert_eq!(taken(&mut rig), ["twin_status"]);
    call(&mut rig, 5, "twin_status");
    assert_eq!(rig.twin_reads(super::rig::C)[0]["params"]["name"], "twin_status");
}

#[test]
fn a_call_waits_until_it_is_known_whose_it_is() {
    for own in [false, true] {
        let tools = if own { json!([{"name": "twin_status"}]) } else { Rig::tools() };
        let mut rig = offering();
        rig.relay.attach(A);
        rig.relay.probe(A, false, rig.now);
        rig.initialize();
        call(&mut rig, 1, "twin_status");
        assert_eq!(rig.twin_reads(A).len(), 1, "not before the opening is answered");
        rig.answer(A, &json!(1), Rig::welcome(&full()));
        rig.initialized();
        assert!(asked(&mut rig).is_empty());
        rig.relay.prepare(A, rig.now);
        rig.relay.handover(A, rig.now).unwrap();
        let calls = methods(&rig.serve(A, &full(), &tools)).iter().filter(|method| *method == "tools/call").count();
        assert_eq!((calls, asked(&mut rig).len()), (usize::from(own), usize::from(!own)));
        assert_eq!(rig.relay.owed(A).calls, usize::from(own));
    }
}

#[test]
fn a_list_that_does_not_come_is_not_waited_for_for_ever() {
    let mut rig = offering();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.initialize();
    rig.twin_reads(A);
    rig.answer(A, &json!(1), Rig::welcome(&full()));
    rig.initialized();
    rig.relay.prepare(A, rig.now);
    rig.relay.handover(A, rig.now).unwrap();
    rig.events();
    call(&mut rig, 1, "twin_status");
    assert!(asked(&mut rig).is_empty());
    rig.pass(Duration::from_secs(5));
    assert_eq!(asked(&mut rig).len(), 1);
    // A cancelled one is not answered later.
    call(&mut rig, 2, "twin_status");
    rig.cancel(json!(2));
    rig.pass(Duration::from_secs(6));
    assert!(asked(&mut rig).is_empty());
}

#[test]
fn they_answer_while_nothing_serves() {
    let mut rig = open();
    rig.relay.hold(rig.now);
    rig.die(A);
    call(&mut rig, 1, "twin_status");
    assert_eq!(asked(&mut rig).len(), 1, "the server's names are known from before");
    rig.relay.refuse(fault(Code::Down, "it does not start").with_stderr("SyntaxError"), rig.now);
    call(&mut rig, 2, "twin_reload");
    assert_eq!(asked(&mut rig).len(), 1);
    rig.ask(3, "tools/list", json!({}));
    let lines = rig.client_reads();
    assert_eq!(names(&lines[0]), OURS, "a list without the server's is better than none");
    call(&mut rig, 4, "t");
    assert_eq!(answers(&rig.client_reads()), [(4, "error")]);
    // The same code again: the client was given a shorter list, and is told.
    rig.relay.hold(rig.now);
    rig.swap(B, &full(), &Rig::tools());
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
    assert_eq!(listed(&mut rig, 5, B, &Rig::tools()).len(), 7);
    rig.relay.hold(rig.now);
    rig.relay.handover(B, rig.now).unwrap();
    assert!(rig.client_reads().is_empty());
}

#[test]
fn a_held_list_that_nobody_answers_has_ours() {
    let mut rig = open();
    rig.relay.hold(rig.now);
    rig.die(A);
    rig.ask(1, "tools/list", json!({}));
    rig.ask(2, "tools/list", json!({"cursor": "p2"}));
    rig.pass(Duration::from_secs(6));
    let lines = rig.client_reads();
    assert_eq!(answers(&lines), [(1, "result"), (2, "error")]);
    assert_eq!(names(&lines[0]), OURS);
}

#[test]
fn a_session_of_the_last_good_record_has_them() {
    let mut rig = offering();
    rig.relay.set_last_good(Some(crate::relay::LastGood {
        asked: "2025-11-25".to_owned(),
        modern: false,
        result: Rig::welcome(&json!({"logging": {}})).to_string(),
    }));
    rig.relay.refuse(fault(Code::Down, "it does not start"), rig.now);
    rig.initialize();
    rig.pass(Duration::from_secs(26));
    assert_eq!(rig.client_reads()[0]["result"]["capabilities"], json!({"tools": {"listChanged": true}, "logging": {}}));
    rig.initialized();
    call(&mut rig, 1, "twin_reload");
    assert_eq!(asked(&mut rig).len(), 1);
}

#[test]
fn they_come_and_go_with_the_configuration() {
    let mut rig = Rig::open(&full(), &Rig::tools());
    assert_eq!(listed(&mut rig, 1, A, &Rig::tools()), ["t"]);
    rig.relay.offer_tools(Some("twin_"), rig.now);
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
    assert_eq!(listed(&mut rig, 2, A, &Rig::tools()).len(), 7);
    rig.relay.offer_tools(Some("twin_"), rig.now);
    assert!(rig.client_reads().is_empty());
    rig.relay.offer_tools(Some("my."), rig.now);
    rig.client_reads();
    assert_eq!(listed(&mut rig, 3, A, &Rig::tools())[1], "my.status");
    rig.relay.offer_tools(None, rig.now);
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"]);
    assert_eq!(listed(&mut rig, 4, A, &Rig::tools()), ["t"]);
    call(&mut rig, 5, "my.status");
    assert_eq!(rig.twin_reads(A).len(), 1, "it is the server's to refuse");
    let mut rig = Rig::open(&json!({"tools": {}}), &Rig::tools());
    rig.relay.offer_tools(Some("twin_"), rig.now);
    assert!(rig.client_reads().is_empty(), "it was told that the list never changes");
    assert!(rig.logged("connects anew"));
}

#[test]
fn a_modern_client_is_answered_in_its_own_way() {
    let mut rig = offering();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.modern_ask(json!("d"), "server/discover", json!({}));
    rig.serve(A, &json!({"logging": {}}), &json!([]));
    let found = rig.client_reads().remove(0);
    assert_eq!(found["result"], Rig::discovery(&json!({"tools": {"listChanged": true}, "logging": {}})));
    rig.relay.prepare(A, rig.now);
    rig.relay.handover(A, rig.now).unwrap();
    rig.events();
    rig.modern_ask(json!("e"), "server/discover", json!({}));
    rig.serve(A, &json!({}), &json!([]));
    assert_eq!(rig.client_reads()[0]["result"]["capabilities"], json!({"tools": {"listChanged": true}}));
    rig.modern_ask(json!("l"), "tools/list", json!({}));
    let list = rig.client_reads().remove(0);
    assert_eq!(names(&list), OURS);
    let result = &list["result"];
    assert_eq!(
        (&result["resultType"], &result["ttlMs"], &result["cacheScope"]),
        (&json!("complete"), &json!(0), &json!("private"))
    );
    rig.modern_ask(json!("c"), "tools/call", json!({"name": "twin_status"}));
    let number = asked(&mut rig)[0].0;
    rig.relay.answer_agent(number, &said(), rig.now);
    assert_eq!(rig.client_reads()[0]["result"]["resultType"], "complete");
}

#[test]
fn a_modern_client_need_not_ask_first() {
    let mut rig = offering();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.modern_ask(json!("l"), "tools/list", json!({}));
    let line = rig.twin_reads(A).remove(0);
    rig.answer(
        A,
        &line["id"],
        json!({"resultType": "complete", "tools": [{"name": "t"}], "ttlMs": 7, "cacheScope": "public"}),
    );
    let list = rig.client_reads().remove(0);
    assert_eq!(names(&list)[1..], OURS);
    assert_eq!((&list["result"]["ttlMs"], &list["result"]["cacheScope"]), (&json!(7), &json!("public")));
    // A server of that era that has no tools refuses the list; the client gets ours.
    let mut rig = offering();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.modern_ask(json!("l"), "tools/list", json!({}));
    let line = rig.twin_reads(A).remove(0);
    rig.refuse(A, &line["id"], -32601);
    let list = rig.client_reads().remove(0);
    assert_eq!((names(&list), &list["result"]["resultType"]), (OURS.to_vec(), &json!("complete")));
}

#[test]
fn a_failure_that_the_agent_was_told_of_is_not_told_again() {
    for tells in [false, true] {
        let mut rig = open();
        rig.relay.tell("it failed".to_owned());
        call(&mut rig, 1, "twin_reload");
        let number = asked(&mut rig)[0].0;
        rig.relay.answer_agent(number, &AgentAnswer { tells, ..said() }, rig.now);
        assert_eq!(rig.client_reads()[0]["result"]["content"].as_array().unwrap().len(), 1);
        rig.call(2);
        let id = rig.twin_reads(A)[0]["id"].clone();
        rig.answer(A, &id, json!({"content": []}));
        let content = rig.client_reads()[0]["result"]["content"].as_array().unwrap().len();
        assert_eq!(content, usize::from(!tells));
    }
}

#[test]
fn a_modern_client_that_listens_is_told_though_the_server_cannot() {
    let mut rig = offering();
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.modern_ask(json!("d"), "server/discover", json!({}));
    rig.serve(A, &json!({"tools": {}}), &Rig::tools());
    rig.relay.prepare(A, rig.now);
    rig.relay.handover(A, rig.now).unwrap();
    rig.client_reads();
    for (id, granted, wanted) in [
        ("l1", r#"{}"#, r#"{"toolsListChanged":true}"#),
        ("l2", r#"{ "promptsListChanged":true}"#, r#"{"toolsListChanged":true, "promptsListChanged":true}"#),
        ("l3", r#"{"toolsListChanged":false}"#, r#"{"toolsListChanged":true}"#),
    ] {
        rig.modern_ask(json!(id), "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
        let number = rig.twin_reads(A).pop().unwrap()["id"].clone();
        rig.twin_raw(A, &format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{granted},"_meta":{{"io.modelcontextprotocol/subscriptionId":{number}}}}}}}"#
        ));
        let line = rig.client_reads_raw().remove(0);
        assert!(line.contains(&format!(r#""notifications":{wanted},"_meta""#)) && line.contains(id), "{line}");
    }
    rig.modern_ask(json!("l4"), "subscriptions/listen", json!({"notifications": {"promptsListChanged": true}}));
    let number = rig.twin_reads(A).pop().unwrap()["id"].clone();
    rig.twin(
        A,
        &json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
        "params": {"notifications": {}, "_meta": {"io.modelcontextprotocol/subscriptionId": number}}}),
    );
    assert_eq!(rig.client_reads()[0]["params"]["notifications"], json!({}), "it did not ask for that");
    rig.swap(B, &json!({"tools": {}}), &json!([{"name": "t2"}]));
    assert_eq!(methods(&rig.client_reads()), ["notifications/tools/list_changed"; 3]);
}
