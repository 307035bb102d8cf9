//! How a front ends, and what it meets when it begins.

use crate::{FLAGS, both, project, served};
use mcp_twin_tests::client::body_of;
use mcp_twin_tests::{Http, HttpClient, PATIENCE, Project, Server, process, until};
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// Files of the state directory that belong to one run: locks, sockets, records, sessions, what twins write.
fn of_one_run(project: &Project) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![project.home()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    let kept = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // What outlives each run, by intent.
        ["servers.json", "ports.json"].contains(&name.as_str())
            || [".log", ".last_good.json", ".json.lock"].iter().any(|end| name.ends_with(end))
            || path.parent().unwrap().ends_with("history")
            || path.starts_with(project.home().join("copies"))
    };
    found.retain(|path| !kept(path));
    found
}

#[test]
fn stop_leaves_no_process_no_socket_and_no_file() {
    let (project, front) = served(&[]);
    let (legacy, modern) = (front.client(), front.modern());
    let mut stream = legacy.get();
    assert_eq!(stream.status(), 200);
    assert_eq!(modern.version(), "v1");
    let mut open = legacy.work(60_000, "open");
    until("the call at the twin", || project.record().of("open"));
    assert_eq!(project.cli(&["stop", "--json"]).with_status(0).outcome(), "stopped");
    assert!(front.exit_status().success());
    let answer = open.answer_within(PATIENCE).unwrap();
    assert!(answer["error"]["message"].is_string(), "{answer}");
    project.nothing_left();
    assert_eq!(of_one_run(&project), Vec::<PathBuf>::new());
}

#[test]
fn at_term_what_is_in_flight_finishes_and_nothing_new_begins() {
    let (project, front) = served(&[]);
    let (legacy, modern) = (front.client(), front.modern());
    let mut calls = [legacy.work(1500, "legacy"), modern.work(1500, "modern")];
    until("both calls at the twin", || {
        (project.record().of("legacy").is_some() && project.record().of("modern").is_some()).then_some(())
    });
    process::terminate(front.pid());
    until("the end of listening", || std::net::TcpStream::connect(legacy.host()).is_err().then_some(()));
    for (call, key) in calls.iter_mut().zip(["legacy", "modern"]) {
        assert_eq!(body_of(&call.answer())["key"], key);
    }
    assert!(front.exit_status().success());
    project.nothing_left();
    assert_eq!(of_one_run(&project), Vec::<PathBuf>::new());
}

#[test]
fn at_term_a_call_that_does_not_end_is_answered_in_the_end() {
    let (project, front) = served(&["--drain", "300ms"]);
    let client = front.client();
    let mut open = client.work(60_000, "open");
    until("the call at the twin", || project.record().of("open"));
    process::terminate(front.pid());
    let answer = open.answer_within(PATIENCE).unwrap();
    assert!(answer["error"]["message"].as_str().unwrap().contains("ended"), "{answer}");
    assert!(front.exit_status().success());
    project.nothing_left();
}

fn start(project: &Project, flags: &[&str]) -> mcp_twin_tests::Report {
    let mut words = vec!["start", "shop", "--json", "--listen", "127.0.0.1:0", "--settle", "0"];
    words.extend(flags);
    words.push("--");
    let command = project.command();
    words.extend(command.iter().map(String::as_str));
    project.cli(&words)
}

#[test]
fn a_second_start_shows_the_first() {
    let project = project(&[]);
    let first = start(&project, &[]).with_status(0).values().remove(0);
    let url = first["front"]["url"].as_str().unwrap().to_owned();
    let client = HttpClient::new(&url);
    client.open();
    let again = start(&project, &[]).with_status(0).values().remove(0);
    assert_eq!(again["front"]["pid"], first["front"]["pid"], "{again}");
    assert_eq!(again["front"]["url"], url.as_str());
    let serve = project.serve_command(&["--name", "shop"]);
    let words: Vec<&str> = serve[1..].iter().map(String::as_str).collect();
    let refused = project.cli(&words);
    assert!(refused.status != 0 && refused.stderr.contains("served already"), "{refused:?}");
    assert_eq!(client.version(), "v1");
    assert_eq!(project.cli(&["stop", "--json"]).with_status(0).outcome(), "stopped");
    project.nothing_left();
    // It is known by its name now.
    let again = project.cli(&["start", "shop", "--json", "--listen", "127.0.0.1:0", "--settle", "0"]).with_status(0);
    let client = HttpClient::new(again.values()[0]["front"]["url"].as_str().unwrap());
    client.open();
    assert_eq!(client.version(), "v1");
    let _ = project.cli(&["stop"]).with_status(0);
    project.nothing_left();
    assert_eq!(of_one_run(&project), Vec::<PathBuf>::new());
}

#[test]
fn a_busy_address_is_said_with_what_to_do() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let project = project(&[]);
    let serve = project.serve_command(&["--listen", &address]);
    let words: Vec<&str> = serve[1..].iter().map(String::as_str).collect();
    let refused = project.cli(&words);
    assert_eq!(refused.status, 3, "{refused:?}");
    for wanted in [&address, "another program listens on port", "--listen"] {
        assert!(refused.stderr.contains(wanted), "{wanted}: {refused:?}");
    }
    project.nothing_left();
    assert_eq!(of_one_run(&project), Vec::<PathBuf>::new());
}

#[test]
fn two_servers_of_one_name_in_two_projects_live_side_by_side() {
    let one = project(&[]);
    let two = one.beside(Server::Http(Http::Plain), "other/shop");
    two.save_version("v7");
    let flags = [FLAGS, &["--name", "api"]].concat();
    let (first, second) = (one.serve(&flags), two.serve(&flags));
    let clients = (first.client(), second.client());
    assert_eq!((clients.0.version(), clients.1.version()), ("v1".to_owned(), "v7".to_owned()));
    let fronts = one.fronts();
    assert_eq!(fronts.len(), 2);
    assert_ne!(fronts[0]["front"], fronts[1]["front"]);
    two.save_version("v8");
    clients.1.until_version("v8");
    assert_eq!(clients.0.version(), "v1");
    assert!(first.terminate().success());
    assert_eq!(clients.1.version(), "v8");
    one.finish_http(&second);
}

#[test]
fn a_restart_is_on_the_same_ports() {
    // A name of its own: servers of other tests, on machines of their own, want the ports of theirs.
    let name = format!("ports-{}", std::process::id());
    let flags = [FLAGS, &["--name", &name]].concat();
    let project = project(&[]);
    let front = project.serve(&flags);
    let ports = |project: &Project| {
        let _ = both(project);
        let status = project.status();
        let mut ports = [status["active"]["port"].as_u64().unwrap(), status["warm"]["port"].as_u64().unwrap()];
        ports.sort_unstable();
        ports
    };
    let before = ports(&project);
    assert_eq!(front.client().text("echo", json!({"text": "x"})), "x");
    project.finish_http(&front);
    let front = project.serve(&flags);
    assert_eq!(ports(&project), before);
    project.finish_http(&front);
}
