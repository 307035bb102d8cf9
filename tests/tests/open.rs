//! What is open at the very moment of a swap: it stays with the old code until it is done, while new requests go to the new
//! code. Official SDKs on both ends, with a client that is led a word at a time.
//!
//! Most fronts here keep no old twin: what lives after the swap lives because it is owed, and ends when it is not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::led::{Led, Pair};
use mcp_twin_tests::talker::Sdk;
use mcp_twin_tests::{Server, until};
use serde_json::{Value, json};

/// No bake, and no twin kept for a rollback: one that owes nothing ends at once.
const KEEP_NOTHING: &[&str] = &["--bake", "0s", "--keep-old", "0s"];

const URI: &str = "fixture://open";

const PYTHON_LEGACY: Pair = Pair(Server::PythonOpen, Sdk::PythonLegacy, "2025-11-25");
const PYTHON_MODERN: Pair = Pair(Server::PythonOpen, Sdk::PythonAuto, "2026-07-28");
const TYPESCRIPT_2: Pair = Pair(Server::TypeScript2Open, Sdk::TypeScript2Auto, "2026-07-28");
const TYPESCRIPT: Pair = Pair(Server::TypeScriptOpen, Sdk::TypeScript, "2025-11-25");

/// A tool asks the client, which answers after the swap only; meanwhile the new code asks too, and is answered first.
fn question(pair: Pair, tool: &str, method: &str, [first, second]: [&str; 2]) {
    let mut led = Led::over_stdio(pair, KEEP_NOTHING);
    led.tell(&format!("call {tool} old"));
    let _ = led.hear("asked", first);
    led.swap();
    led.tell(&format!("call {tool} new"));
    let _ = led.hear("asked", second);
    led.tell(&format!("answer {second} file:///of-the-new"));
    let new = led.hear("done", "new");
    led.is_new(&new);
    assert_eq!(new["said"], "file:///of-the-new");
    led.tell(&format!("answer {first} file:///of-the-old"));
    let old = led.hear("done", "old");
    led.is_old(&old);
    assert_eq!(old["said"], "file:///of-the-old");
    led.old_ends();
    led.finish(&[(method, 2)]);
}

#[test]
fn a_sampling_request_is_answered_to_the_old_code_python() {
    question(PYTHON_LEGACY, "sample", "sampling/createMessage", ["old", "new"]);
}

#[test]
fn a_sampling_request_is_answered_to_the_old_code_typescript() {
    question(TYPESCRIPT, "sample", "sampling/createMessage", ["old", "new"]);
}

#[test]
fn an_elicitation_is_answered_to_the_old_code_python() {
    question(PYTHON_LEGACY, "ask", "elicitation/create", ["old", "new"]);
}

#[test]
fn an_elicitation_is_answered_to_the_old_code_typescript() {
    question(TYPESCRIPT, "ask", "elicitation/create", ["old", "new"]);
}

#[test]
fn a_question_for_roots_is_answered_to_the_old_code_python() {
    question(PYTHON_LEGACY, "roots", "roots/list", ["roots-1", "roots-2"]);
}

#[test]
fn a_question_for_roots_is_answered_to_the_old_code_typescript() {
    question(TYPESCRIPT, "roots", "roots/list", ["roots-1", "roots-2"]);
}

/// The SDKs give progress to the call whose token it bears; both twins report at a time.
fn progress(pair: Pair) {
    let mut led = Led::over_stdio(pair, KEEP_NOTHING);
    let step = |led: &mut Led, key: &str, step: u64, version: &str| {
        let said = led.hear("progress", key);
        assert_eq!((said["step"].as_f64(), &said["version"]), (Some(step as f64), &json!(version)), "{said}");
    };
    led.tell("call steps old");
    step(&mut led, "old", 1, "v1");
    led.swap();
    led.tell("call steps new");
    step(&mut led, "new", 1, "v2");
    for (key, version) in [("old", "v1"), ("new", "v2")] {
        led.project.open_gate(key);
        step(&mut led, key, 2, version);
        step(&mut led, key, 3, version);
        led.project.open_gate(&format!("{key}-end"));
        let done = led.hear("done", key);
        if key == "old" { led.is_old(&done) } else { led.is_new(&done) }
    }
    led.old_ends();
    led.finish(&[("notifications/progress", 6)]);
}

#[test]
fn a_progress_stream_goes_on_from_the_old_code_python() {
    progress(PYTHON_MODERN);
}

#[test]
fn a_progress_stream_goes_on_from_the_old_code_typescript() {
    progress(TYPESCRIPT);
}

/// The client watches a resource, and a call of the old code will touch it after the swap: of that it must not hear.
fn watched(led: &mut Led, word: &str) {
    let _ = led.ask("call touch", "before");
    let _ = led.hear(word, URI);
    led.tell("call late old");
    led.swap();
    // By the front: what changed between the last word of the old code and the first of the new, nobody else can tell.
    let _ = led.hear(word, URI);
    let read = led.ask("read", URI);
    led.is_new(&read);
    let touched = led.ask("call touch", "after");
    led.is_new(&touched);
    let _ = led.hear(word, URI);
    led.project.open_gate("old");
    let old = led.hear("done", "old");
    led.is_old(&old);
    led.old_ends();
}

fn subscription(pair: Pair) {
    let mut led = Led::over_stdio(pair, KEEP_NOTHING);
    let _ = led.ask("subscribe", URI);
    watched(&mut led, "updated");
    // The new code knows of it, and of its end.
    assert_eq!(led.ask("call touch", "known")["subscribed"], json!([URI]));
    let _ = led.hear("updated", URI);
    let _ = led.ask("unsubscribe", URI);
    assert_eq!(led.ask("call touch", "unknown")["subscribed"], json!([]));
    led.finish(&[("notifications/resources/updated", 4)]);
}

#[test]
fn a_subscription_goes_on_with_the_new_code_python() {
    subscription(PYTHON_LEGACY);
}

#[test]
fn a_subscription_goes_on_with_the_new_code_typescript() {
    subscription(TYPESCRIPT);
}

/// The word is what the client says of what it hears on the stream.
fn listen(pair: Pair, word: &str) {
    let mut led = Led::over_stdio(pair, KEEP_NOTHING);
    let opened = led.ask("listen", URI);
    assert_eq!(opened["honored"], json!({"resourceSubscriptions": [URI]}));
    watched(&mut led, word);
    // An end would be said, and is not; a second acknowledgement the SDK would swallow.
    led.finish(&[("notifications/subscriptions/acknowledged", 1), ("notifications/resources/updated", 3)]);
}

#[test]
fn a_listen_goes_on_with_the_new_code_python() {
    listen(PYTHON_MODERN, "event");
}

#[test]
fn a_listen_goes_on_with_the_new_code_typescript_2() {
    listen(TYPESCRIPT_2, "updated");
}

/// A task of each twin; both are asked after where they run.
fn task(led: &mut Led) {
    let old = led.ask("task", "old");
    assert_eq!((&old["status"], &old["version"]), (&json!("working"), &json!("v1")));
    led.swap();
    let new = led.ask("task", "new");
    assert_eq!((&new["status"], &new["version"]), (&json!("working"), &json!("v2")));
    for (key, version) in [("old", "v1"), ("new", "v2")] {
        let found = led.ask("poll", key);
        assert_eq!((&found["status"], &found["version"]), (&json!("working"), &json!(version)));
    }
}

/// Polls until the task has ended.
fn completed(led: &mut Led, key: &str) -> Value {
    led.project.open_gate(key);
    until("the end of the task", || {
        let found = led.ask("poll", key);
        (found["status"] == "completed").then_some(found)
    })
}

#[test]
fn a_task_is_finished_by_the_old_code_typescript() {
    let mut led = Led::over_stdio(TYPESCRIPT, KEEP_NOTHING);
    task(&mut led);
    assert_eq!(led.ask("tasks", "")["keys"], json!(["new", "old"]));
    // Its end is seen before its result is fetched, as clients do it that poll.
    let _ = completed(&mut led, "old");
    let old = led.ask("result", "old");
    led.is_old(&old);
    led.old_ends();
    let _ = completed(&mut led, "new");
    let new = led.ask("result", "new");
    led.is_new(&new);
    led.finish(&[("notifications/tasks/status", 2)]);
}

/// The SDK has the extension's frame only; server and client fill in the extension itself, with what the SDK has for that.
#[test]
fn a_task_of_the_extension_is_finished_by_the_old_code_python() {
    let mut led = Led::over_stdio(PYTHON_MODERN, KEEP_NOTHING);
    task(&mut led);
    for (key, version, process) in [("old", "v1", led.old.pid), ("new", "v2", led.new.pid)] {
        let result = completed(&mut led, key)["result"].clone();
        assert_eq!((&result["version"], &result["pid"]), (&json!(version), &json!(process)), "{result}");
        assert_eq!(led.project.record().of(key).unwrap().pid, u64::from(process));
    }
    led.old_ends();
    led.finish(&[]);
}

/// Both twins would take the cursor. The list is not owed: here the old twin is kept, as it is by default.
fn half_read(pair: Pair) {
    let mut led = Led::over_stdio(pair, &[]);
    let page = |led: &mut Led, cursor: &str, names: Value, version: &str, next: Value| {
        led.tell(&format!("page {cursor}"));
        let page = led.hear("done", cursor);
        assert_eq!((&page["names"], &page["version"], &page["cursor"]), (&names, &json!(version), &next));
    };
    page(&mut led, "", json!(["one", "two"]), "v1", json!("2"));
    led.swap();
    page(&mut led, "2", json!(["three"]), "v1", Value::Null);
    page(&mut led, "", json!(["one", "two"]), "v2", json!("2"));
    page(&mut led, "2", json!(["three"]), "v2", Value::Null);
    led.finish(&[]);
}

#[test]
fn a_half_read_list_is_read_on_from_the_old_code_python() {
    half_read(PYTHON_MODERN);
}

#[test]
fn a_half_read_list_is_read_on_from_the_old_code_typescript() {
    half_read(TYPESCRIPT);
}

/// The server's key for its states is made by each process anew: the new code could not read it.
fn request_state(pair: Pair) {
    let mut led = Led::over_stdio(pair, KEEP_NOTHING);
    led.tell("call state old");
    let _ = led.hear("asked", "old");
    led.swap();
    led.tell("call state new");
    let _ = led.hear("asked", "new");
    for (key, process) in [("new", led.new.pid), ("old", led.old.pid)] {
        led.tell(&format!("answer {key} for-{key}"));
        let done = led.hear("done", key);
        if key == "old" {
            led.is_old(&done)
        } else {
            led.is_new(&done)
        }
        assert_eq!((&done["began"]["pid"], &done["said"]), (&json!(process), &json!(format!("for-{key}"))));
        assert_eq!(led.project.record().of(&format!("{key}-retry")).unwrap().pid, u64::from(process));
    }
    led.old_ends();
    led.finish(&[]);
}

#[test]
fn a_request_state_goes_back_to_the_old_code_python() {
    request_state(PYTHON_MODERN);
}

#[test]
fn a_request_state_goes_back_to_the_old_code_typescript_2() {
    request_state(TYPESCRIPT_2);
}
