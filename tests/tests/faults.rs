//! Servers that misbehave: whatever they do, the client's calls are answered, and nothing stays behind.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::{body_of, text_of, texts_of};
use mcp_twin_tests::{Client, PATIENCE, Project, Server, process, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const HEALTHY: Server = Server::Fault("");

/// Saves a `v2` with this fault under a healthy `v1`, waits for the refusal, and checks that the old code serves on and a
/// repair is taken. Gives back the reason that `status` showed.
fn refused_save(fault: &str, flags: &[&str]) -> Value {
    let project = Project::new(HEALTHY);
    let client = project.open_with(flags);
    let first = client.whoami();
    let long = client.work(1000, "long");
    project.set("VERSION", "\"v2\"");
    project.set("FAULT", &format!("{fault:?}"));
    let degraded = project.until_status("the refusal of the faulty code", |front| {
        front["degraded"].is_object() && front["standby"].is_null() && front["active"]["pid"] == first.1
    })["degraded"]
        .clone();
    assert_eq!(client.whoami(), first);
    assert_eq!(body_of(&client.answer(&long))["pid"], first.1);
    project.set("FAULT", "\"\"");
    project.save_version("v3");
    client.until_version("v3");
    assert!(project.status()["degraded"].is_null());
    project.finish(&client);
    degraded
}

/// A server that has this fault from the start, opened; then three calls, a repair, and the end.
fn lives_with(fault: &'static str, check: impl FnOnce(&Project, &Client)) {
    let project = Project::new(Server::Fault(fault));
    let client = project.open();
    for n in 0..3 {
        let key = format!("call-{n}");
        assert_eq!(body_of(&client.answer(&client.work(5, &key)))["key"], key.as_str(), "{fault}");
        assert!(project.record().of(&key).is_some());
    }
    check(&project, &client);
    project.set("FAULT", "\"\"");
    project.save_version("v2");
    client.until_version("v2");
    project.finish(&client);
}

#[test]
fn a_syntax_error_never_serves_and_is_told_once() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    project.save_broken();
    let front = project.until_degraded();
    let tail = front["degraded"]["stderr_tail"].as_str().unwrap();
    assert!(tail.contains("SyntaxError"), "{front}");
    let told = client.answer(&client.call("version", json!({})));
    let texts = texts_of(&told);
    assert_eq!(texts.len(), 2, "{told} {}", client.plight());
    assert_eq!(texts[0], "v1", "{told}");
    assert!(texts[1].contains("SyntaxError") && texts[1].contains("mcp-twin status"), "{told}");
    let again = client.answer(&client.call("version", json!({})));
    assert_eq!(texts_of(&again), ["v1"]);
    project.save_version("v2");
    client.until_version("v2");
    project.finish(&client);
}

#[test]
fn no_tell_keeps_the_answers_as_they_are() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--no-tell"]);
    project.save_broken();
    let _ = project.until_degraded();
    assert_eq!(texts_of(&client.answer(&client.call("version", json!({})))), ["v1"]);
    project.finish(&client);
}

#[test]
fn new_code_that_exits_at_once_is_refused() {
    let why = refused_save("exits", &[]);
    assert_eq!(why["code"], "twin::spawn::exited_early", "{why}");
    assert!(why["stderr_tail"].as_str().unwrap().contains("fixture exits at once"), "{why}");
}

#[test]
fn new_code_that_never_answers_is_refused() {
    let why = refused_save("silent", &["--start-timeout", "2s"]);
    assert_eq!(why["code"], "twin::probe::timeout", "{why}");
}

#[test]
fn new_code_that_dies_after_its_opening_is_refused() {
    let why = refused_save("dies_after_opening", &[]);
    assert!(why["stderr_tail"].as_str().unwrap().contains("dies after its opening"), "{why}");
}

#[test]
fn a_server_broken_from_the_start_opens_once_it_is_repaired() {
    let project = Project::new(Server::Fault("exits"));
    let client = project.run(&[]);
    let params =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let opening = client.request("initialize", params);
    until("a first start", || project.noted("started").into_iter().next());
    project.set("FAULT", "\"\"");
    let answer = client.answer(&opening);
    assert!(answer["result"]["serverInfo"].is_object(), "{answer}");
    client.notify("notifications/initialized", json!({}));
    assert_eq!(client.version(), "v1");
    project.finish(&client);
}

#[test]
fn why_a_start_failed_is_seen_while_the_next_one_runs() {
    let project = Project::new(Server::Fault("silent"));
    let client = project.run(&["--start-timeout", "1s"]);
    let params =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let opening = client.request("initialize", params);
    let front = project.until_status("the next start, with the reason of the last one", |front| {
        front["state"] == "starting" && front["degraded"].is_object()
    });
    assert_eq!(front["degraded"]["code"], "twin::probe::timeout", "{front}");
    assert!(front["degraded"]["message"].as_str().unwrap().contains("within 1 s"), "{front}");
    project.set("FAULT", "\"\"");
    assert!(client.answer(&opening)["result"]["serverInfo"].is_object());
    client.notify("notifications/initialized", json!({}));
    assert_eq!(client.version(), "v1");
    let front = project.status();
    assert_eq!((&front["degraded"], &front["swaps"]), (&Value::Null, &json!(0)), "{front}");
    project.finish(&client);
}

#[test]
fn a_server_that_ignores_term_is_ended_all_the_same() {
    lives_with("ignores_term", |project, client| {
        let (_, pid) = client.whoami();
        assert_eq!(project.cli(&["stop", "--json"]).with_status(0).outcome(), "stopped");
        process::gone(pid);
        assert_eq!(project.cli(&["reload", "--json"]).with_status(0).outcome(), "started");
    });
    // And when the client leaves.
    let project = Project::new(Server::Fault("ignores_term"));
    let client = project.open();
    project.finish(&client);
}

#[test]
fn a_daemon_in_its_own_session_goes_with_its_server() {
    let project = Project::new(Server::Fault("daemon"));
    let client = project.open();
    let daemon: u32 = until("the daemon", || project.noted("daemon").first()?.parse().ok());
    assert!(process::alive(daemon));
    assert_eq!(project.cli(&["stop", "--json"]).with_status(0).outcome(), "stopped");
    process::gone(daemon);
    assert_eq!(project.cli(&["reload", "--json"]).with_status(0).outcome(), "started");
    let second: u32 = until("the second daemon", || project.noted("daemon").get(1)?.parse().ok());
    project.finish(&client);
    assert!(!process::alive(second));
}

#[test]
fn a_daemon_that_ends_by_itself_leaves_no_zombie() {
    let project = Project::new(Server::Fault("daemon"));
    let client = project.open();
    let daemon: u32 = until("the daemon", || project.noted("daemon").first()?.parse().ok());
    until("the front takes it over", || (process::parent(daemon) == Some(client.pid())).then_some(()));
    process::kill(daemon);
    until("the daemon to be reaped", || process::state(daemon).is_none().then_some(()));
    assert_eq!(client.whoami().0, "v1");
    project.finish(&client);
}

#[test]
fn a_server_that_closes_its_input_is_replaced() {
    let project = Project::new(Server::Fault("deaf"));
    // On a busy machine the next one takes its time.
    let client = project.open_with(&["--hold", "60s"]);
    let first = client.whoami();
    let second = client.whoami();
    assert_eq!((first.0.as_str(), second.0.as_str()), ("v1", "v1"));
    assert_ne!(first.1, second.1, "the call that the first one did not take");
    project.set("FAULT", "\"\"");
    project.save_version("v2");
    client.until_version("v2");
    project.finish(&client);
}

#[test]
fn junk_on_stdout_never_reaches_the_client() {
    lives_with("junk", |project, client| {
        client.books().assert_clean();
        let warnings = project.status()["warnings"].to_string();
        assert!(warnings.contains("stdout"), "{warnings}");
    });
}

#[test]
fn ten_megabytes_without_a_line_end_do_no_harm() {
    lives_with("huge_line", |_, client| {
        let big = client.answer(&client.call("big", json!({"bytes": 10 << 20})));
        assert_eq!(text_of(&big).unwrap().len(), 10 << 20);
    });
}

#[test]
fn a_flood_on_stderr_blocks_nobody() {
    lives_with("floods_stderr", |project, _| {
        assert!(project.status()["stderr_tail"].as_str().unwrap().contains("flood"));
    });
}

#[test]
fn second_answers_are_dropped() {
    lives_with("answers_twice", |_, client| client.books().assert_clean());
}

#[test]
fn answers_to_nothing_are_dropped() {
    lives_with("wrong_id", |_, client| client.books().assert_clean());
}

#[test]
fn a_server_that_reads_slowly_loses_nothing() {
    lives_with("slow_reader", |project, client| {
        let text = "e".repeat(50_000);
        let calls: Vec<_> =
            (0..60).map(|n| client.call("echo", json!({"text": text, "key": format!("e{n}")}))).collect();
        for (n, id) in calls.iter().enumerate() {
            let answer = client.answer(id);
            let ran = project.record().of(&format!("e{n}")).is_some();
            match answer["error"]["data"]["code"].as_str() {
                // Too much waited for the server: refused at once, and then never run.
                Some(code) => assert_eq!((code, ran), ("twin::request::busy", false)),
                None => assert_eq!(text_of(&answer).unwrap().len(), text.len()),
            }
        }
    });
}

#[test]
fn a_client_that_reads_slowly_gets_everything_and_costs_little_memory() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    client.pause_reading();
    let calls: Vec<_> = (0..100).map(|_| client.call("big", json!({"bytes": 1 << 20}))).collect();
    project.save_version("v2");
    client.resume_reading();
    for id in &calls {
        assert_eq!(text_of(&client.answer(id)).unwrap().len(), 1 << 20);
    }
    client.until_version("v2");
    let peak = process::status_number(client.pid(), "VmHWM").unwrap();
    assert!(peak < 80_000, "the front kept {peak} KiB of 100 MB that the client did not read");
    project.finish(&client);
}

#[test]
fn a_killed_twin_costs_its_open_call_and_nothing_else() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let (_, pid) = client.whoami();
    let lost = client.work(60_000, "lost");
    until("the call at the twin", || project.record().of("lost"));
    process::kill(pid);
    let answer = client.answer(&lost);
    assert_eq!(answer["error"]["data"]["code"], "twin::request::lost", "{answer}");
    let (version, next) = client.whoami();
    assert_eq!(version, "v1");
    assert_ne!(next, pid);
    assert_eq!(project.record().of("lost").unwrap().pid, u64::from(pid), "the call must not run again");
    let front = project.status();
    assert_eq!((&front["swaps"], &front["stale_lists"]), (&json!(0), &json!([])), "a respawn is no swap: {front}");
    project.finish(&client);
}

#[test]
fn a_server_that_dies_of_a_call_comes_back() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    for _ in 0..3 {
        let answer = client.answer(&client.call("crash", json!({})));
        assert_eq!(answer["error"]["data"]["code"], "twin::request::lost", "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("crashing as asked"), "{answer}");
        assert_eq!(client.version(), "v1");
    }
    project.finish(&client);
}

#[test]
fn a_killed_standby_is_made_again() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--promote", "manual"]);
    let first = client.whoami();
    project.save_version("v2");
    let front = project.until_status("a verified standby", |front| front["standby_stage"] == "verified");
    process::kill(u32::try_from(front["standby"]["pid"].as_u64().unwrap()).unwrap());
    let _ = project.until_status("no standby", |front| front["standby"].is_null());
    assert_eq!(client.whoami(), first);
    assert_eq!(project.cli(&["swap", "--json"]).with_status(0).outcome(), "swapped");
    assert_eq!(client.version(), "v2");
    project.finish(&client);
}

#[test]
fn new_code_that_crashes_on_trial_is_rolled_back() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let first = client.whoami();
    project.save_version("v2");
    client.until_version("v2");
    let lost = client.answer(&client.call("crash", json!({})));
    assert_eq!(lost["error"]["data"]["code"], "twin::request::lost", "{lost}");
    assert_eq!(client.whoami(), first, "the twin that was kept serves again");
    let front = project.until_degraded();
    assert_eq!(front["degraded"]["code"], "twin::bake::crashed", "{front}");
    // The same code is not tried again by itself; other code is.
    project.save_version("v3");
    client.until_version("v3");
    project.finish(&client);
}

#[test]
fn new_code_whose_answers_are_none_is_rolled_back() {
    let project = Project::new(HEALTHY);
    let client = project.open();
    let first = client.whoami();
    project.set("FAULT", "\"broken_answers\"");
    let baking = project.until_status("a bake", |front| front["baking"] == true);
    let lost: Vec<_> = (0..3).map(|n| client.work(0, &format!("lost-{n}"))).collect();
    let front = project.until_degraded();
    assert_eq!(front["degraded"]["code"], "twin::bake::errors", "{front}");
    assert_eq!(client.whoami(), first, "the twin that was kept serves again");
    // True answers may still come, so the calls are the bad twin's until it ends.
    assert!(lost.iter().all(|id| client.books().open.contains(id)));
    process::kill(u32::try_from(baking["active"]["pid"].as_u64().unwrap()).unwrap());
    for id in &lost {
        let answer = client.answer(id);
        assert_eq!(answer["error"]["data"]["code"], "twin::request::lost", "{answer}");
    }
    project.set("FAULT", "\"\"");
    project.save_version("v3");
    client.until_version("v3");
    project.finish(&client);
}

#[test]
fn saves_during_drain_and_bake_are_taken_at_once() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let (_, old) = client.whoami();
    let long = client.work(8000, "long");
    for version in ["v2", "v3", "v4"] {
        project.save_version(version);
        client.until_version(version);
    }
    assert!(client.books().open.contains(&long), "the swaps waited for the call, or cut it");
    let body = body_of(&client.answer(&long));
    assert_eq!((&body["version"], &body["pid"]), (&json!("v1"), &json!(old)));
    project.finish(&client);
}

#[test]
fn a_save_while_the_standby_boots_takes_its_place() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    project.set("BOOT_SECONDS", "30.0");
    project.save_version("v2");
    let _ = project.until_status("a booting standby", |front| front["standby"]["pid"].is_u64());
    project.set("BOOT_SECONDS", "0.0");
    project.save_version("v3");
    client.until_version("v3");
    assert!(project.record().all().iter().all(|run| run.version != "v2"));
    project.finish(&client);
}

#[test]
fn a_server_that_writes_beside_its_code_is_not_reloaded() {
    let project = Project::new(Server::Fault("chatty"));
    let client = project.open();
    let first = client.whoami();
    let written = || std::fs::read_to_string(project.root().join("server.log")).unwrap_or_default().lines().count();
    let before = written();
    until("two seconds of writing", || {
        assert_eq!(client.whoami(), first);
        (written() > before + 150).then_some(())
    });
    let front = project.status();
    assert_eq!((&front["swaps"], &front["standby"]), (&json!(0), &Value::Null), "{front}");
    assert_eq!(project.noted("started"), [first.1.to_string()]);
    project.save_version("v2");
    client.until_version("v2");
    assert_eq!(project.noted("started").len(), 2);
    project.finish(&client);
}

#[test]
fn a_server_that_writes_code_at_every_start_is_served_and_named() {
    let project = Project::new(Server::Fault("generates"));
    let client = project.open();
    let first = client.whoami();
    for version in ["v2", "v3", "v4"] {
        project.save_version(version);
        client.until_version(version);
    }
    assert_ne!(client.whoami(), first);
    let serving = client.whoami();
    // It settles: the start that a save asked for does not ask for the next one for ever.
    let starts = std::cell::Cell::new(0);
    until("an end of the starts", || {
        let before = starts.replace(project.noted("started").len());
        let quiet = client.inbox().next_answer(Duration::from_secs(1)).is_none();
        (quiet && before == project.noted("started").len()).then_some(())
    });
    assert_eq!(client.whoami().0, serving.0);
    let front = project.status();
    assert!(front["warnings"].to_string().contains("generated.py"), "{front}");
    project.finish(&client);
}

#[test]
fn the_client_is_gone_and_so_is_everything_soon() {
    let project = Project::new(Server::Fault("ignores_term"));
    let client = project.open();
    project.save_version("v2");
    client.until_version("v2");
    let begin = Instant::now();
    project.finish(&client);
    // Clients kill the front after 4 s; what is left then would stay for ever. (3.6 s is the promise, 5 s what the ladder
    // of a twin that is stopped while the client stays would take.)
    assert!(begin.elapsed() < Duration::from_millis(4800), "it took {:?}", begin.elapsed());
    assert!(client.inbox().ended(PATIENCE));
}
