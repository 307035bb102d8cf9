//! Clients on the official Python SDK, with a call in flight at each swap.

use crate::{FLAGS, KEEP_NOTHING};
use mcp_twin_tests::led::{Led, Pair};
use mcp_twin_tests::talker::{Sdk, Talker};
use mcp_twin_tests::{Project, Served, Server, tools, until};
use serde_json::json;
use std::collections::BTreeSet;

/// A client on an official SDK, over four swaps with a call in flight at each.
fn four_swaps(sdk: Sdk, protocol: &'static str) {
    let mut led = Led::over_http(Pair(Server::PythonOpen, sdk, protocol), &[FLAGS, KEEP_NOTHING].concat(), &[]);
    for number in 1..=4 {
        let old = format!("old-{number}");
        led.tell(&format!("call late {old}"));
        until(&format!("the call {old}"), || led.project.record().of(&old).map(drop));
        led.swap();
        led.project.open_gate(&old);
        let done = led.hear("done", &old);
        led.is_old(&done);
        led.old_ends();
    }
    led.finish(&[]);
}

#[test]
fn the_example_serves_a_python_client_over_four_swaps() {
    const WORK: &str = r#"def work(report, ms=0, key=None):
    time.sleep(ms / 1000)
    return json.dumps({"version": VERSION, "pid": os.getpid(), "key": key})


TEXT, NUMBER ="#;
    let project = Project::new(Server::Plain);
    let file = project.root().join("stdio-server.py");
    let example = std::fs::read_to_string(tools::root().join("examples/stdio-server.py")).unwrap();
    let row = r#"    "work": (work, "Work for a while", {"ms": NUMBER, "key": TEXT}, []),"#;
    let example = example.replacen("TEXT, NUMBER =", WORK, 1).replacen("TOOLS = {", &format!("TOOLS = {{\n{row}"), 1);
    let save = |version: &str| {
        let before = "VERSION = \"1.0.0\"";
        assert!(example.contains(before) && example.contains("def work") && example.contains(row));
        std::fs::write(&file, example.replacen(before, &format!("VERSION = {version:?}"), 1)).unwrap();
    };
    save("v1");
    let words = [tools::mcp_twin().display().to_string(), "serve".to_owned()].into_iter();
    let flags = [FLAGS, KEEP_NOTHING, &["--listen", "127.0.0.1:0", "--watch", "stdio-server.py", "--"]].concat();
    let words =
        words.chain(flags.into_iter().map(str::to_owned)).chain(["python3".to_owned(), file.display().to_string()]);
    let front = Served::front(&mut project.process(&words.collect::<Vec<_>>()));
    let mut client = Talker::connect(&project, Sdk::PythonLegacy, &["--in-flight", "4"], front.url());
    client.await_line("version v1");
    for version in ["v2", "v3", "v4", "v5"] {
        save(version);
        client.await_line(&format!("version {version}"));
    }
    let report = client.stop();
    assert_eq!(
        (&report["failed"], &report["calls"], &report["list_changed"]),
        (&json!([]), &report["ok"], &json!(0)),
        "{report}"
    );
    let answers = report["answers"].as_array().unwrap();
    let processes: BTreeSet<_> = answers.iter().map(|answer| answer[2].as_u64()).collect();
    assert_eq!(processes.len(), 5, "a process for each version: {report}");
    project.finish_http(&front);
}

#[test]
fn a_legacy_client_on_the_python_sdk_notices_no_swap() {
    four_swaps(Sdk::PythonLegacy, "2025-11-25");
}

#[test]
fn a_modern_client_on_the_python_sdk_notices_no_swap() {
    four_swaps(Sdk::PythonAuto, "2026-07-28");
}

#[test]
fn a_sampling_request_of_the_python_sdk_is_answered_to_the_old_code() {
    let pair = Pair(Server::PythonOpen, Sdk::PythonLegacy, "2025-11-25");
    let mut led = Led::over_http(pair, &[FLAGS, KEEP_NOTHING].concat(), &[]);
    led.tell("call sample old");
    let _ = led.hear("asked", "old");
    led.swap();
    led.tell("call sample new");
    let _ = led.hear("asked", "new");
    for key in ["new", "old"] {
        led.tell(&format!("answer {key} file:///of-{key}"));
        let done = led.hear("done", key);
        assert_eq!(done["said"], format!("file:///of-{key}"));
        if key == "new" { led.is_new(&done) } else { led.is_old(&done) }
    }
    led.old_ends();
    led.finish(&[("sampling/createMessage", 2)]);
}

/// The stream is held all the time. Each process knows of the subscription, and the client is told to read after the swap.
#[test]
fn a_subscription_goes_on_with_the_new_code() {
    const URI: &str = "fixture://open";
    let pair = Pair(Server::PythonOpen, Sdk::PythonLegacy, "2025-11-25");
    let mut led = Led::over_http(pair, &[FLAGS, KEEP_NOTHING].concat(), &[]);
    let _ = led.ask("subscribe", URI);
    led.swap();
    let _ = led.hear("updated", URI);
    let touched = led.ask("call touch", "after");
    led.is_new(&touched);
    assert_eq!(touched["subscribed"], json!([URI]));
    let _ = led.hear("updated", URI);
    assert_eq!(led.cable.as_ref().unwrap().gets(), 1, "the client had to open its stream again");
    led.finish(&[("notifications/resources/updated", 2)]);
}
