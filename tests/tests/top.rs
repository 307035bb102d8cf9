//! `mcp-twin top` and `status --watch` on a real terminal, beside real fronts.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Console, Project, Server, process, tools};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

/// New code is started by a key alone, and nothing goes back by itself.
const BY_KEY: &[&str] = &["--no-watch", "--promote", "manual", "--bake", "0s"];

fn command(project: &Project, words: &[&str]) -> Command {
    let program = tools::mcp_twin().display().to_string();
    let words: Vec<String> = std::iter::once(program).chain(words.iter().map(|word| (*word).to_owned())).collect();
    let mut command = project.process(&words);
    command.env_remove("NO_COLOR");
    command
}

fn top(project: &Project) -> Console {
    Console::start(&mut command(project, &["top", "--interval", "200ms"]), 80, 24)
}

/// Ends it by a key, and sees that nothing is left of it.
fn quit(console: Console) {
    console.press("q");
    let left = console.left();
    left.assert_restored();
    assert!(left.status.success() && left.text.trim().is_empty(), "{left:?}");
}

#[test]
fn a_server_of_the_sdk_is_seen_reloaded_swapped_and_rolled_back() {
    let project = Project::new(Server::PythonSdk);
    let client = project.open_with(BY_KEY);
    for _ in 0..20 {
        assert_eq!(client.version(), "v1");
    }
    let console = top(&project);
    console.until_shown(&["shop-server", "● healthy", "1 server, 1 front", "A    serves", "MiB"]);
    // Each key's outcome is said, also that of one that cannot be.
    console.press("b");
    console.until_shown(&["rollback shop-server: failed"]);
    project.save_version("v2");
    console.press("r");
    console.until_shown(&["reload shop-server: verified: generation 2 stands by", "swap waits", "B    standby"]);
    assert_eq!(client.version(), "v1");
    console.press("s");
    console.until_shown(&["swap shop-server: swapped: generation 2 serves in place of 1", "A    previous"]);
    assert_eq!(client.version(), "v2");
    console.press("b");
    console.until_shown(&["rollback shop-server: rolled back: generation 1 serves again", "LAST SWAPS"]);
    assert_eq!(client.version(), "v1");
    quit(console);
    project.finish(&client);
}

#[test]
fn a_broken_save_is_explained_and_its_log_shown() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(BY_KEY);
    let console = top(&project);
    console.until_shown(&["● healthy"]);
    project.save_broken();
    console.press("r");
    console.until_shown(&["reload shop-server: failed", "degraded", "✗"]);
    console.press("l");
    console.until_shown(&["SyntaxError", "Esc back"]);
    console.press("\u{1b}");
    console.until_shown(&["SERVER", "shop-server"]);
    console.press("?");
    console.until_shown(&["roll back to the code before the last swap"]);
    quit(console);
    project.finish(&client);
}

#[test]
fn whoever_ends_it_the_terminal_is_as_before() {
    let project = Project::new(Server::Plain);
    let console = top(&project);
    console.until_shown(&["no server runs behind mcp-twin"]);
    process::terminate(console.pid());
    let left = console.left();
    left.assert_restored();
    assert!(left.status.success(), "{left:?}");

    let console = top(&project);
    console.until_shown(&["no server runs"]);
    // Keys come raw, so Ctrl-C is one of them.
    console.press("\u{3}");
    let left = console.left();
    left.assert_restored();
    assert!(left.status.success(), "{left:?}");
}

#[test]
fn a_front_that_hangs_keeps_nobody_from_the_others() {
    let shop = Project::new(Server::Plain);
    let mail = shop.beside(Server::Plain, "mail");
    let clients = [shop.open(), mail.open()];
    let console = top(&shop);
    console.until_shown(&["mail-server", "shop-server", "2 servers, 2 fronts"]);
    process::pause(clients[1].pid());
    // Its questions are given up after 2 s each; meanwhile keys and the other front are answered as ever.
    console.until_shown(&["✗ no answer", "does not answer"]);
    console.press("j");
    console.until("the other one, chosen", |text| text.lines().any(|line| line.starts_with("▶ shop-server")));
    console.press("r");
    let text = console.until_shown(&["reload shop-server: verified"]);
    assert!(text.contains("no answer"), "{text}");
    process::resume(clients[1].pid());
    console.until("both, healthy", |text| !text.contains("no answer"));
    quit(console);
    for client in &clients {
        assert!(client.close().success());
    }
    shop.nothing_left();
}

#[test]
fn colours_can_be_done_without() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let coloured = |no_color: bool| {
        let mut command = command(&project, &["top"]);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let console = Console::start(&mut command, 80, 24);
        console.until_shown(&["● healthy"]);
        console.press("q");
        let left = console.left();
        // A foreground colour: 30 to 38.
        String::from_utf8_lossy(&left.bytes).split("\u{1b}[").any(|part| {
            let codes = part.split('m').next().unwrap_or_default();
            codes.split(';').any(|code| code.parse::<u8>().is_ok_and(|code| (30..=38).contains(&code)))
        })
    };
    assert!(coloured(false));
    assert!(!coloured(true));
    project.finish(&client);
}

#[test]
fn what_is_no_terminal_is_told_what_to_do() {
    let project = Project::new(Server::Plain);
    let report = project.cli(&["top"]).with_status(2);
    assert!(report.stdout.is_empty() && report.stderr.contains("mcp-twin status --watch"), "{report:?}");
    let report = project.cli(&["top", "--json"]).with_status(2);
    let advice = report.values()[0]["error"]["advice"].to_string();
    assert!(advice.contains("status --watch --json"), "{report:?}");
    let dumb = Console::start(command(&project, &["top"]).env("TERM", "dumb"), 80, 24).left();
    dumb.assert_restored();
    assert!(dumb.status.code() == Some(2) && dumb.text.contains("status --watch"), "{dumb:?}");
}

#[test]
fn a_watched_status_changes_in_place() {
    let project = Project::new(Server::PythonSdk);
    let client = project.open();
    let console = Console::start(&mut command(&project, &["status", "--watch", "--interval", "200ms"]), 100, 30);
    console.until_shown(&["MCP Twin Status", "Active:   A generation 1", "q ends it"]);
    project.save_version("v2");
    let text = console.until_shown(&["Active:   B generation 2", "Previous: A generation 1"]);
    assert_eq!(text.matches("MCP Twin Status").count(), 1, "{text}");
    console.press("q");
    let left = console.left();
    left.assert_restored();
    assert!(left.status.success(), "{left:?}");
    project.finish(&client);
}

#[test]
fn a_watched_status_is_a_line_each_time_for_programs() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let mut watch = command(&project, &["status", "--watch", "--interval", "100ms", "--json"]);
    let mut child = watch.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = next();
    let calls = |document: &Value| document["fronts"][0]["figures"]["calls"].as_u64().unwrap();
    assert_eq!((&first["command"], &first["exit"]), (&json!("status"), &json!(0)));
    let _ = client.version();
    let before = calls(&first);
    while calls(&next()) == before {}
    // What ends it at a prompt.
    process::interrupt(child.id());
    let status = mcp_twin_tests::until("its end", || child.try_wait().unwrap());
    assert!(status.success(), "{status}");
    project.finish(&client);
}

#[test]
fn a_watch_waits_for_a_server_but_not_for_a_name_that_is_none() {
    let project = Project::new(Server::Plain);
    let report = project.cli(&["status", "nonesuch", "--watch"]).with_status(2);
    assert!(report.stderr.contains("no server `nonesuch` is known"), "{report:?}");
    let console = Console::start(&mut command(&project, &["status", "--watch", "--interval", "200ms"]), 100, 30);
    console.until_shown(&["no server runs behind mcp-twin"]);
    let client = project.open();
    console.until_shown(&["Active:   A generation 1"]);
    console.press("q");
    console.left().assert_restored();
    project.finish(&client);
}
