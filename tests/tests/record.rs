//! `mcp-twin run --record` and `mcp-twin replay`: what is written, what is left out, and what a replay finds.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::led::{Led, Pair};
use mcp_twin_tests::talker::Sdk;
use mcp_twin_tests::{Client, Project, Report, Server, process};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const FILE: &str = "session.jsonl";
const RECORD: &[&str] = &["--record", FILE, "--bake", "0s"];

/// The lines of the recording: the header, then the entries.
fn recorded(project: &Project) -> Vec<Value> {
    let text = fs::read_to_string(project.root().join(FILE)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn replay(project: &Project, flags: &[&str]) -> Report {
    let command = project.command();
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let report = project.cli(&[&["replay", FILE], flags, &["--"], command.as_slice()].concat());
    project.nothing_left();
    report
}

#[test]
fn a_session_with_a_server_of_the_sdk_is_replayed() {
    let project = Project::new(Server::PythonSdk);
    let client = project.open_with(RECORD);
    assert_eq!(client.text("echo", json!({"text": "hello"})), "hello");
    assert_eq!(client.version(), "v1");
    let _ = client.tools();
    project.finish(&client);
    let lines = recorded(&project);
    assert_eq!((&lines[0]["recording"], &lines[0]["command"][1]), (&json!(1), &json!(project.file())), "{}", lines[0]);
    // The opening may come before the first twin runs.
    assert!(lines[2..].iter().all(|line| line["generation"] == 1 && line["t"].is_u64()), "{lines:?}");
    let said = |who: &str| lines.iter().filter(|line| line["from"] == who).count();
    // `initialize`, `initialized`, two calls of `echo`, one of `version`, one list.
    assert_eq!((said("client"), said("server")), (6, 5), "{lines:?}");
    let mode = fs::metadata(project.root().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let same = replay(&project, &[]).with_status(0);
    assert!(same.stdout.contains("✓ 5 answers as recorded, in "), "{same:?}");
    project.save_version("v2");
    let differs = replay(&project, &["--json"]).with_status(1).values().remove(0);
    assert_eq!((&differs["answers"], &differs["same"]), (&json!(5), &json!(4)), "{differs:#}");
    let result = &differs["different"][0];
    assert_eq!((&result["method"], &result["name"]), (&json!("tools/call"), &json!("version")), "{differs:#}");
    let text = &result["differences"][0];
    assert_eq!(
        (&text["pointer"], &text["recorded"], &text["replayed"]),
        (&json!("/result/content/0/text"), &json!("v1"), &json!("v2"))
    );
    let ignored = ["--ignore", "/result/content/*/text", "--ignore", "tools/call:/result/structuredContent/result"];
    let _ = replay(&project, &ignored).with_status(0);
    let shown = replay(&project, &[]).with_status(1);
    for part in ["✗ tools/call version", "      - \"v1\"", "      + \"v2\"", "✗ 4 of 5 answers as recorded"] {
        assert!(shown.stdout.contains(part), "{part}: {shown:?}");
    }
}

#[test]
fn a_session_of_the_modern_era_is_replayed() {
    let mut led = Led::over_stdio(Pair(Server::PythonOpen, Sdk::PythonAuto, "2026-07-28"), RECORD);
    let _ = led.ask("call whoami", "mine");
    let project = led_over(led);
    let differs = replay(&project, &["--json"]).with_status(1).values().remove(0);
    let places: Vec<&Value> = differs["different"].as_array().unwrap().iter().map(|one| &one["differences"]).collect();
    // Only the number of the process is another one.
    assert_eq!(places.len(), 2, "{differs:#}");
    assert!(places.iter().all(|place| place[0]["pointer"] == "/result/content/0/text"), "{differs:#}");
    let _ = replay(&project, &["--ignore", "/result/content/0/text"]).with_status(0);
}

#[test]
fn what_the_server_asks_is_answered_as_recorded() {
    let mut led = Led::over_stdio(Pair(Server::PythonOpen, Sdk::PythonLegacy, "2025-11-25"), RECORD);
    led.tell("call sample question");
    let _ = led.hear("asked", "question");
    led.tell("answer question forty-two");
    assert_eq!(led.hear("done", "question")["said"], "forty-two");
    let project = led_over(led);
    let report = replay(&project, &["--json"]).with_status(1).values().remove(0);
    let answers = report["different"].to_string();
    assert!(!answers.contains("\"asked\""), "{report:#}");
    // The answer of the recording reached the tool.
    let sample = report["different"].as_array().unwrap().iter().find(|one| one["name"] == "sample").unwrap();
    assert!(sample["differences"][0]["replayed"].as_str().unwrap().contains("forty-two"), "{sample:#}");
    // Without it the server is refused, and that is said.
    let file = project.root().join(FILE);
    let without: Vec<String> = fs::read_to_string(&file)
        .unwrap()
        .lines()
        .filter(|line| !line.contains("\"sampling/createMessage\""))
        .map(str::to_owned)
        .collect();
    fs::write(&file, without.join("\n")).unwrap();
    let report = replay(&project, &["--json"]).with_status(1).values().remove(0);
    assert!(report["different"].to_string().contains(r#""kind":"asked""#), "{report:#}");
}

/// The project of a client that has ended.
fn led_over(led: Led) -> Project {
    let Led { project, talker, .. } = led;
    let _ = talker.stop();
    project.nothing_left();
    project
}

#[test]
fn each_message_has_the_generation_that_served() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(RECORD);
    assert_eq!(client.version(), "v1");
    project.save_version("v2");
    client.until_version("v2");
    project.finish(&client);
    let lines = recorded(&project);
    let answered = |text: &str| {
        let said = move |line: &&Value| line["message"]["result"]["content"][0]["text"] == text;
        lines.iter().filter(said).map(|line| line["generation"].clone()).collect::<Vec<_>>()
    };
    // What the old twin still answers during a swap bears the number of the one that serves by then.
    assert_eq!((answered("v1").first(), answered("v2").last()), (Some(&json!(1)), Some(&json!(2))));
}

#[test]
fn secrets_are_left_out_by_name_and_by_value() {
    let project = Project::new(Server::Plain);
    let mut command =
        project.process(&project.front_command(&[RECORD, &["--redact", "CITY", "--redact", "street"]].concat()));
    let client =
        Client::spawn(command.env("SHOP_TOKEN", "hunter2hunter2").env("CITY", "Lisbon-1").env("MODE", "development"));
    client.open();
    let arguments = json!({
        "text": "hunter2hunter2 in Lisbon-1, development", "api_key": "sk-1234567890", "street": {"name": "Rua Augusta"},
    });
    // What reaches the server is whole.
    assert_eq!(client.text("echo", arguments), "hunter2hunter2 in Lisbon-1, development");
    project.finish(&client);
    let text = fs::read_to_string(project.root().join(FILE)).unwrap();
    for secret in ["hunter2", "Lisbon", "sk-1234567890", "Rua Augusta"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains("*** in ***, development"), "{text}");
    // What was left out is the same as anything: here the server echoes what is written in the recording.
    let _ = replay(&project, &[]).with_status(0);
}

#[test]
fn what_cannot_be_recorded_is_said_and_stops_nobody() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--record", "no/such/folder/session.jsonl"]);
    assert_eq!(client.version(), "v1");
    let front = project.status();
    assert!(front["warnings"].to_string().contains("the session is not recorded: no/such/folder"), "{front}");
    project.finish(&client);
}

#[test]
fn a_recording_of_a_killed_front_can_be_replayed() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(RECORD);
    assert_eq!(client.version(), "v1");
    let file = project.root().join(FILE);
    // It stands in the file a moment later.
    mcp_twin_tests::until("the answer in the file", || {
        fs::read_to_string(&file).unwrap().contains(r#""text":"v1""#).then_some(())
    });
    process::kill(client.pid());
    mcp_twin_tests::until("the end of all processes", || project.processes().is_empty().then_some(()));
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str(r#"{"t":9,"from":"client","genera"#);
    fs::write(&file, text).unwrap();
    let command = project.command();
    let report = project.cli(&["replay", FILE, "--", &command[0], &command[1]]).with_status(0);
    assert!(report.stdout.contains("! the recording lacks 1 message"), "{report:?}");
}

#[test]
fn a_server_that_ends_and_a_file_that_is_none_are_told() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(RECORD);
    assert_eq!(client.version(), "v1");
    project.finish(&client);
    let dead =
        project.cli(&["replay", FILE, "--", "python3", "-c", "import sys; sys.exit('fixture: no')"]).with_status(1);
    for part in ["the server exited with status 1 before everything was replayed", "fixture: no", "✗ 0 of 3 answers"]
    {
        assert!(dead.stdout.contains(part), "{part}: {dead:?}");
    }
    let none = project.cli(&["replay", "server.py", "--", "python3"]).with_status(3);
    assert!(none.stderr.contains("its first line is not that of a recording"), "{none:?}");
    let wrong = project.cli(&["replay", FILE, "--ignore", "result", "--", "python3"]).with_status(2);
    assert!(wrong.stderr.contains("a pointer begins with `/`"), "{wrong:?}");
}
