//! Clients on official SDKs over HTTP, before servers on official SDKs, over twenty swaps each: what is open at a swap stays
//! with the old code, what is held open goes on with the new code, and the client notices no restart.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::led::{Led, Pair, Twin};
use mcp_twin_tests::talker::Sdk;
use mcp_twin_tests::{Http, Server};
use serde_json::{Value, json};

/// No trial, and no twin kept for a rollback or beforehand: one that owes nothing ends at once.
const KEEP_NOTHING: &[&str] = &[
    "--settle",
    "0s",
    "--bake",
    "0s",
    "--keep-old",
    "0s",
    "--standby",
    "on-demand",
    "--breaking",
    "warn",
    "--watch-quiet",
    "20ms",
];

/// So many swaps in each test; 20 by hand (`MCP_TWIN_SDK_SWAPS=20 cargo nextest run -p mcp-twin-tests -E 'binary(http_sdk)'`).
static SWAPS: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
    std::env::var("MCP_TWIN_SDK_SWAPS").ok().and_then(|swaps| swaps.parse().ok()).unwrap_or(4)
});

const URI: &str = "fixture://open";

const PYTHON_LEGACY: Pair = Pair(Server::Http(Http::PythonOpen), Sdk::PythonLegacy, "2025-11-25");
const PYTHON_MODERN: Pair = Pair(Server::Http(Http::PythonOpen), Sdk::PythonAuto, "2026-07-28");
const TYPESCRIPT: Pair = Pair(Server::Http(Http::TypeScriptOpen), Sdk::TypeScript, "2025-11-25");
const TYPESCRIPT_2: Pair = Pair(Server::Http(Http::TypeScript2Open), Sdk::TypeScript2Auto, "2026-07-28");

fn start(pair: Pair) -> Led {
    Led::over_http(pair, KEEP_NOTHING, &[])
}

/// Swaps so often, each time with `begun` in flight, and sees that the call is finished by the old code afterwards.
fn each_swap(led: &mut Led, mut swap: impl FnMut(&mut Led, u32)) {
    for number in 1..=*SWAPS {
        let old = format!("old-{number}");
        led.tell(&format!("call late {old}"));
        begun(led, &old);
        swap(led, number);
        led.project.open_gate(&old);
        let done = led.hear("done", &old);
        led.is_old(&done);
        led.old_ends();
    }
    assert_eq!(led.swaps(), *SWAPS);
}

/// Waits until a call runs.
fn begun(led: &Led, key: &str) {
    mcp_twin_tests::until(&format!("the call {key}"), || led.project.record().of(key).map(drop));
}

/// Swaps, every second time with one tool more; `word` is what the client then hears of the list, and of a resource.
fn hear_of_swap(led: &mut Led, number: u32, listed: &str, updated: &str) {
    if number.is_multiple_of(2) {
        let tools: Vec<String> = (1..=number / 2).map(|tool| format!("extra_{tool}")).collect();
        led.swap_with_tools(&tools.iter().map(String::as_str).collect::<Vec<_>>());
        let _ = led.hear(listed, "tools");
    } else {
        led.swap();
    }
    // By the front: what changed between the last word of the old code and the first of the new, nobody else can tell.
    let _ = led.hear(updated, URI);
    let touched = led.ask("call touch", &format!("touch-{number}"));
    led.is_new(&touched);
    let _ = led.hear(updated, URI);
}

/// One GET, held all the time: lists that differ are told and others are not, and a subscription is known to each twin. The
/// old code touches the resource after each swap, and is not heard.
fn held_stream(pair: Pair) {
    let mut led = start(pair);
    let _ = led.ask("subscribe", URI);
    each_swap(&mut led, |led, number| hear_of_swap(led, number, "changed", "updated"));
    assert_eq!(led.cable.as_ref().unwrap().gets(), 1, "the client had to open its stream again");
    led.finish(&[
        ("notifications/tools/list_changed", *SWAPS as usize / 2),
        ("notifications/resources/updated", 2 * *SWAPS as usize),
    ]);
}

#[test]
fn a_held_stream_and_its_subscription_outlive_the_swaps_python() {
    held_stream(PYTHON_LEGACY);
}

#[test]
fn a_held_stream_and_its_subscription_outlive_the_swaps_typescript() {
    held_stream(TYPESCRIPT);
}

/// The same in the modern era, where it is the stream of a listen.
fn held_listen(pair: Pair, [listed, updated]: [&str; 2]) {
    let mut led = start(pair);
    let opened = led.ask("follow", URI);
    assert_eq!(opened["honored"], json!({"toolsListChanged": true, "resourceSubscriptions": [URI]}));
    each_swap(&mut led, |led, number| hear_of_swap(led, number, listed, updated));
    led.finish(&[
        ("notifications/subscriptions/acknowledged", 1),
        ("notifications/tools/list_changed", *SWAPS as usize / 2),
        ("notifications/resources/updated", 2 * *SWAPS as usize),
    ]);
}

#[test]
fn a_held_listen_outlives_the_swaps_python() {
    held_listen(PYTHON_MODERN, ["event", "event"]);
}

#[test]
fn a_held_listen_outlives_the_swaps_typescript_2() {
    held_listen(TYPESCRIPT_2, ["changed", "updated"]);
}

/// At each swap two questions of the old code are open, one on the stream of the session and one on that of its call; the
/// new code asks and is answered first.
fn questions(pair: Pair) {
    let mut led = start(pair);
    for number in 1..=*SWAPS {
        let kinds = [("sample", "sampling"), ("ask", "elicitation")];
        for (tool, kind) in kinds {
            let old = format!("{tool}-old-{number}");
            led.tell(&format!("call {tool} {old}"));
            assert_eq!(led.hear("asked", &old)["kind"], kind);
        }
        led.swap();
        for (side, owner) in [("new", led.new.clone()), ("old", led.old.clone())] {
            for (tool, kind) in kinds {
                let key = format!("{tool}-{side}-{number}");
                if side == "new" {
                    led.tell(&format!("call {tool} {key}"));
                    assert_eq!(led.hear("asked", &key)["kind"], kind);
                }
                led.tell(&format!("answer {key} for-{key}"));
                let done = led.hear("done", &key);
                led.is_of(&done, &owner);
                assert_eq!(done["said"], format!("for-{key}"));
            }
        }
        led.old_ends();
    }
    let asked = 2 * *SWAPS as usize;
    led.finish(&[("sampling/createMessage", asked), ("elicitation/create", asked)]);
}

#[test]
fn questions_in_flight_are_answered_to_the_code_that_asked_python() {
    questions(PYTHON_LEGACY);
}

#[test]
fn questions_in_flight_are_answered_to_the_code_that_asked_typescript() {
    questions(TYPESCRIPT);
}

/// All connections are cut before each swap; the client goes on behind the last event that it has. `streams`: in how many
/// rounds its GET comes back too (the Python SDK gives that one up at the second cut).
fn resumed(pair: Pair, streams: u32) {
    let mut led = start(pair);
    let _ = led.ask("subscribe", URI);
    let step = |led: &mut Led, key: &str, step: u64, by: &Twin| {
        let said = led.hear("progress", key);
        assert_eq!((said["step"].as_f64(), &said["version"]), (Some(step as f64), &json!(by.version)), "{said}");
    };
    for number in 1..=*SWAPS {
        let key = format!("steps-{number}");
        led.tell(&format!("call steps {key}"));
        let by = led.new.clone();
        step(&mut led, &key, 1, &by);
        led.cable.as_ref().unwrap().cut();
        led.swap();
        led.project.open_gate(&key);
        step(&mut led, &key, 2, &by);
        step(&mut led, &key, 3, &by);
        led.project.open_gate(&format!("{key}-end"));
        let done = led.hear("done", &key);
        led.is_old(&done);
        if number <= streams {
            let _ = led.hear("updated", URI);
        }
        if number == streams {
            let _ = led.ask("unsubscribe", URI);
        }
        led.old_ends();
    }
    led.finish(&[
        ("notifications/progress", 3 * *SWAPS as usize),
        ("notifications/resources/updated", streams as usize),
    ]);
}

#[test]
fn a_cut_stream_is_resumed_over_each_swap_python() {
    resumed(PYTHON_LEGACY, 1);
}

#[test]
fn a_cut_stream_is_resumed_over_each_swap_typescript() {
    resumed(TYPESCRIPT, *SWAPS);
}

/// A state is brought back to who made it, and a call that is given up is cancelled where it runs: each time after a swap.
fn states_and_cancellations(pair: Pair) {
    let mut led = start(pair);
    for number in 1..=*SWAPS {
        let [state, left] = ["state", "left"].map(|what| format!("{what}-{number}"));
        led.tell(&format!("call state {state}"));
        let _ = led.hear("asked", &state);
        led.tell(&format!("call late {left}"));
        begun(&led, &left);
        led.swap();
        led.tell(&format!("cancel {left}"));
        let cancelled = format!("{left}-cancelled");
        begun(&led, &cancelled);
        assert_eq!(led.project.record().of(&cancelled).unwrap().pid, u64::from(led.old.pid));
        // The state is what the old twin is still there for.
        led.tell(&format!("answer {state} for-{state}"));
        let done = led.hear("done", &state);
        led.is_old(&done);
        assert_eq!((&done["began"]["pid"], &done["said"]), (&json!(led.old.pid), &json!(format!("for-{state}"))));
        led.old_ends();
    }
    led.finish(&[]);
}

#[test]
fn states_and_cancellations_go_to_the_owner_python() {
    states_and_cancellations(PYTHON_MODERN);
}

#[test]
fn states_and_cancellations_go_to_the_owner_typescript_2() {
    states_and_cancellations(TYPESCRIPT_2);
}

/// Each version wants an argument mirrored in another header. The client does as the list told it that it has; the new code
/// refuses that in words that reach the client, which lists again and calls again.
fn mirrored(pair: Pair) {
    let mut led = Led::over_http(pair, KEEP_NOTHING, &[("MIRROR", "\"Region-1\"")]);
    for number in 1..=*SWAPS {
        let names = led.ask("tools", "")["names"].clone();
        assert!(names.as_array().unwrap().contains(&json!("whoami")));
        // The first call of the new code is the one that is refused at first.
        led.swap_by(|project, version| {
            project.set_all(&[("MIRROR", json!(format!("Region-{}", number + 1))), ("VERSION", json!(version))]);
        });
        let runs = led.project.record().all();
        let fresh = format!("fresh-{number}");
        assert_eq!(
            runs.iter().filter(|run| run.key.as_deref() == Some(&*fresh)).count(),
            1,
            "{fresh} did not run once"
        );
        led.old_ends();
    }
    led.finish(&[]);
}

#[test]
fn a_header_that_changes_is_learnt_by_the_client_python() {
    mirrored(PYTHON_MODERN);
}

#[test]
fn a_header_that_changes_is_learnt_by_the_client_typescript_2() {
    mirrored(TYPESCRIPT_2);
}

/// A server without sessions: the front's own session hides that.
fn stateless(pair: Pair, constants: &[(&str, &str)]) {
    let mut led = Led::over_http(pair, KEEP_NOTHING, constants);
    each_swap(&mut led, |led, _| led.swap());
    led.finish(&[]);
}

#[test]
fn a_server_without_sessions_is_swapped_under_a_client_python() {
    stateless(PYTHON_LEGACY, &[("STATELESS", "True")]);
}

#[test]
fn a_server_without_sessions_is_swapped_under_a_client_typescript_2() {
    let Pair(server, ..) = TYPESCRIPT_2;
    stateless(Pair(server, Sdk::TypeScript2Legacy, "2025-11-25"), &[]);
}

/// A server that forgets the session before and after each swap, and says so with this status.
fn forgotten(sdk: Sdk, status: &str) {
    let pair = Pair(Server::Http(Http::Plain), sdk, "2025-11-25");
    let mut led = Led::over_http(pair, KEEP_NOTHING, &[("UNKNOWN_SESSION", status)]);
    for number in 1..=*SWAPS {
        for side in ["before", "after"] {
            let opened = led.project.noted("opened").len();
            let forgot = led.ask("call forget", &format!("forget-{side}-{number}"));
            led.is_new(&forgot);
            let again = led.ask("call whoami", &format!("again-{side}-{number}"));
            led.is_new(&again);
            assert!(led.project.noted("opened").len() > opened, "the session was not opened again");
            if side == "before" {
                led.swap();
                led.old_ends();
            }
        }
    }
    led.finish(&[]);
}

#[test]
fn a_session_that_a_twin_forgets_is_opened_again_unseen_python() {
    forgotten(Sdk::PythonLegacy, "404");
}

#[test]
fn a_session_that_a_twin_forgets_is_opened_again_unseen_typescript() {
    forgotten(Sdk::TypeScript, "400");
}

/// As a front works by default, but for its pauses: a trial, a twin kept for a rollback, and another kept ready.
#[test]
fn swaps_with_a_trial_and_a_warm_standby_are_not_noticed() {
    let mut led = Led::over_http(PYTHON_LEGACY, &["--settle", "0s", "--bake", "1s", "--keep-old", "0s"], &[]);
    for number in 1..=*SWAPS {
        let old = format!("old-{number}");
        led.tell(&format!("call late {old}"));
        begun(&led, &old);
        led.swap();
        led.project.open_gate(&old);
        let done: Value = led.hear("done", &old);
        led.is_old(&done);
    }
    led.finish(&[("notifications/tools/list_changed", 0)]);
}
