//! The hooks of the plugin for Claude Code, on real fronts: what they say about an edit, and that they are never in the way.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Project, Report, Server, process, until};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Starts a hook with its standard input open.
fn begin(project: &Project, event: &str) -> Child {
    let words = [mcp_twin_tests::tools::mcp_twin().display().to_string(), "hook".into(), event.into()];
    let mut command = project.process(&words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts")
}

/// Runs a hook on this input. Its exit status is 0, whatever it is about.
fn run(project: &Project, event: &str, input: &[u8]) -> Report {
    let mut child = begin(project, event);
    // One that has ended already has said what it had to say.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().expect("the command ends");
    let report = Report {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    report.with_status(0)
}

/// What is said after the model has edited a file.
fn edited(project: &Project, file: &Path) -> Option<String> {
    let input = json!({
        "session_id": "1", "cwd": project.root(), "hook_event_name": "PostToolUse", "tool_name": "Edit",
        "tool_input": {"file_path": file, "old_string": "a", "new_string": "b"}, "tool_response": {"filePath": file}
    });
    let report = run(project, "PostToolUse", input.to_string().as_bytes());
    let answer = report.values().pop()?;
    assert_eq!(answer["hookSpecificOutput"]["hookEventName"], "PostToolUse", "{report:?}");
    Some(answer["hookSpecificOutput"]["additionalContext"].as_str().expect("a text").to_owned())
}

fn session(project: &Project) -> Option<Value> {
    let input = json!({"cwd": project.root(), "hook_event_name": "SessionStart", "source": "startup"});
    let mut answer = run(project, "SessionStart", input.to_string().as_bytes()).values().pop()?;
    assert_eq!(answer["hookSpecificOutput"]["hookEventName"], "SessionStart");
    Some(answer["hookSpecificOutput"].take())
}

/// How often this generation was tried, by the history of the only server.
fn tries(project: &Project, generation: u32) -> usize {
    let folder = std::fs::read_dir(project.home().join("history")).unwrap();
    let files = folder.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default());
    let lines: Vec<Value> = files
        .flat_map(|text| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>())
        .collect();
    lines.iter().filter(|line: &&Value| line["entry"]["generation"] == generation).count()
}

#[test]
fn an_edit_is_live_when_the_hook_says_so() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    project.save_version_with_tools("v2", &["shout"]);
    let said = edited(&project, &project.file()).expect("something to say");
    assert_eq!(client.version(), "v2", "{said}");
    for part in ["edit of", "is live in", "generation 2 serves", "tools: added shout"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Once more changes nothing, and says the same.
    let again = edited(&project, &project.file()).expect("something to say");
    assert!(again.contains("generation 2 serves; tools: added shout"), "{again}");
    assert_eq!(project.status()["swaps"], 1);
    until("the history", || (tries(&project, 2) == 1).then_some(()));
    let history = project.cli(&["history"]).with_status(0).stdout;
    let lines: Vec<&str> = history.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("started") && lines[1].contains("swapped"), "{history}");
    assert!(lines[1].contains("generation 2 serves in place of 1; tools: added shout (server.py)"), "{history}");
    let last = project.cli(&["history", "-n", "1", "--json"]).with_status(0).values().remove(0);
    assert_eq!((last["lines"].as_array().unwrap().len(), &last["lines"][0]["entry"]["generation"]), (1, &json!(2)));
    project.finish(&client);
}

#[test]
fn an_edit_is_taken_before_the_quiet_time_is_over() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--watch-quiet", "10m", "--watch-max", "10m"]);
    project.save_version("v2");
    let said = edited(&project, &project.file()).expect("something to say");
    assert!(said.contains("is live in"), "{said}");
    assert_eq!(client.version(), "v2");
    project.finish(&client);
}

#[test]
fn an_edit_that_does_not_start_is_told_with_its_stderr_and_tried_once() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    project.save_broken();
    for _ in 0..3 {
        let said = edited(&project, &project.file()).expect("something to say");
        for part in ["is not live in", "the old code (generation 1) goes on serving", "SyntaxError", "def broken("] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert_eq!(client.version(), "v1");
    let front = project.until_degraded();
    assert_eq!(front["swaps"], 0, "{front}");
    until("the history", || (tries(&project, 2) > 0).then_some(()));
    assert_eq!(tries(&project, 2), 1, "the hook and the watcher are one reload");
    project.save_version("v3");
    let said = edited(&project, &project.file()).expect("something to say");
    assert!(said.contains("is live in"), "{said}");
    assert_eq!(client.version(), "v3");
    project.finish(&client);
}

#[test]
fn under_manual_promotion_the_edit_waits() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--promote", "manual", "--name", "shop"]);
    project.save_version_with_tools("v2", &["shout"]);
    let said = edited(&project, &project.file()).expect("something to say");
    for part in ["not live in `shop` yet", "generation 2 is verified", "added shout", "`mcp-twin swap shop`"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(client.version(), "v1");
    assert_eq!(project.cli(&["swap", "--json"]).with_status(0).outcome(), "swapped");
    assert_eq!(client.version(), "v2");
    project.finish(&client);
}

#[test]
fn a_change_that_breaks_the_client_is_not_approved_by_the_hook() {
    let project = Project::new(Server::Plain);
    project.save_version_with_tools("v1", &["shout"]);
    let client = project.open_with(&["--breaking", "wait"]);
    project.save_version_with_tools("v2", &[]);
    for _ in 0..2 {
        let said = edited(&project, &project.file()).expect("something to say");
        assert!(said.contains("waits for `mcp-twin swap") && said.contains("Breaking change:"), "{said}");
        assert_eq!(client.version(), "v1");
    }
    project.finish(&client);
}

#[test]
fn a_front_that_does_not_watch_says_that_the_edit_is_not_live() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--no-watch"]);
    project.save_version("v2");
    let said = edited(&project, &project.file()).expect("something to say");
    assert!(said.contains("--no-watch") && said.contains("`mcp-twin swap"), "{said}");
    assert_eq!(client.version(), "v1");
    project.finish(&client);
}

#[test]
fn what_is_no_servers_file_is_passed_over() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    std::fs::write(project.root().join(".gitignore"), "made.py\n").unwrap();
    for name in ["notes.md", "made.py", "node_modules/x.js"] {
        let file = project.root().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "x = 1\n").unwrap();
        assert_eq!(edited(&project, &file), None, "{name}");
    }
    assert_eq!(edited(&project, Path::new("/nowhere/server.py")), None);
    // By another name it is the same file.
    let other = project.home().join("link.py");
    std::os::unix::fs::symlink(project.root(), project.home().join("link")).unwrap();
    std::os::unix::fs::symlink(project.file(), &other).unwrap();
    let by_folder = project.home().join("link").join(project.file().file_name().unwrap());
    assert!(edited(&project, &by_folder).is_some());
    assert_eq!(project.status()["swaps"], 0);
    project.finish(&client);
}

#[test]
fn where_nothing_runs_nothing_is_said() {
    let project = Project::new(Server::Plain);
    assert_eq!(edited(&project, &project.file()), None);
    assert_eq!(session(&project), None);
    assert!(!project.home().exists(), "a hook leaves nothing behind");
    std::fs::write(project.home(), "no folder").unwrap();
    assert_eq!(edited(&project, &project.file()), None);
}

#[test]
fn whatever_comes_in_the_session_goes_on() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    for event in ["PostToolUse", "FileChanged", "SessionStart", "Stop", "", "Überraschung"] {
        for input in [
            &b""[..],
            b"{",
            b"null",
            b"[1,2",
            b"\xff\xfe\x00",
            b"{\"cwd\":\"/nowhere\",\"tool_input\":{\"file_path\":7}}",
        ] {
            let report = run(&project, event, input);
            assert_eq!((report.stdout.as_str(), report.stderr.as_str()), ("", ""), "{event}: {report:?}");
        }
    }
    // More than is read.
    let large = vec![b'x'; 17 << 20];
    assert_eq!(run(&project, "PostToolUse", &large).stdout, "");
    assert_eq!(client.version(), "v1");
    project.finish(&client);
}

#[test]
fn an_input_that_does_not_end_is_given_up() {
    let project = Project::new(Server::Plain);
    let mut child = begin(&project, "PostToolUse");
    let input = child.stdin.take();
    let status = until("the end of the hook", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    drop(input);
}

#[test]
fn a_front_that_stands_still_is_said_where_the_file_may_be_its_own() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    process::pause(client.pid());
    let begin = Instant::now();
    let said = edited(&project, &project.file());
    let elsewhere = edited(&project, Path::new("/nowhere/server.py"));
    process::resume(client.pid());
    let said = said.expect("something to say");
    assert!(said.contains("is not known") && said.contains("does not answer"), "{said}");
    assert_eq!(elsewhere, None);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(client.version(), "v1");
    project.finish(&client);
}

#[test]
fn a_file_changed_elsewhere_is_told_to_the_person() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    project.save_version("v2");
    let input = json!({"cwd": project.root(), "file_path": project.file(), "event": "change"}).to_string();
    let answer = run(&project, "FileChanged", input.as_bytes()).values().pop().expect("something to say");
    assert!(answer["systemMessage"].as_str().unwrap().contains("is live in"), "{answer}");
    assert!(answer["hookSpecificOutput"].is_null(), "this event has no text for the model: {answer}");
    assert_eq!(client.version(), "v2");
    project.finish(&client);
}

#[test]
fn a_session_hears_of_what_runs() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--name", "shop"]);
    let beside = project.beside(Server::Plain, "other");
    assert_eq!(session(&beside), None, "a server of another project");
    let said = session(&project).expect("something to say");
    let text = said["additionalContext"].as_str().unwrap();
    assert!(text.contains("1 server of this project runs") && text.contains("`shop`: generation 1 serves"), "{text}");
    assert_eq!(said["watchPaths"], json!([project.file()]));
    project.finish(&client);
}

#[test]
fn a_session_hears_of_what_is_wired_before_it_runs() {
    let project = Project::new(Server::Plain);
    let mut words = project.front_command(&["--name", "shop"]);
    let plain = project.command();
    let entries = json!({"mcpServers": {
        "shop": {"command": words.remove(0), "args": words},
        "plain": {"command": plain[0], "args": plain[1..]},
    }});
    std::fs::write(project.root().join(".mcp.json"), entries.to_string()).unwrap();
    std::fs::write(project.root().join("part.py"), "").unwrap();
    let said = session(&project).expect("something to say");
    let text = said["additionalContext"].as_str().unwrap();
    assert!(text.contains("`shop`: `") && !text.contains("`plain`"), "{text}");
    assert_eq!(said["watchPaths"], json!([project.file(), project.root().join("part.py")]));
}
