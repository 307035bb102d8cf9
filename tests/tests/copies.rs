//! `rollback --to` after everything that was warm is gone: from copies of the code, which the project's files no longer hold.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::Client;
use mcp_twin_tests::user::holds;
use mcp_twin_tests::wait::until;
use mcp_twin_tests::{Http, Project, Server};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// No trial, and no twin kept for a rollback: what is gone back to must be started.
const COLD: &[&str] = &["--bake", "0", "--keep-old", "0"];

/// The copies of the one server of this project, with the generation of each.
fn copies(project: &Project) -> Vec<(u64, PathBuf)> {
    let servers = fs::read_dir(project.home().join("copies")).into_iter().flatten().flatten();
    let places = servers.flat_map(|server| fs::read_dir(server.path()).into_iter().flatten().flatten());
    let of = |place: PathBuf| {
        let note: Value = serde_json::from_slice(&fs::read(place.join("copy.json")).ok()?).ok()?;
        Some((note["source"]["generation"].as_u64()?, place))
    };
    let mut copies: Vec<_> = places.filter_map(|entry| of(entry.path())).collect();
    copies.sort();
    copies
}

fn generations(project: &Project) -> Vec<u64> {
    copies(project).into_iter().map(|(generation, _)| generation).collect()
}

fn until_kept(project: &Project, generation: u64) -> PathBuf {
    until("the copy", || copies(project).into_iter().find(|(kept, _)| *kept == generation)).1
}

/// A copy is there a moment before the one that it takes the place of goes.
fn until_only(project: &Project, wanted: &[u64]) {
    until("these copies and no others", || (generations(project) == wanted).then_some(()));
}

/// Three versions are served, each kept, the first two by fronts that are gone.
fn third(project: &Project, flags: &[&str]) -> Client {
    let flags = &[COLD, flags].concat();
    let first = project.open_with(flags);
    until_kept(project, 1);
    project.save_version("v2");
    first.until_version("v2");
    until_kept(project, 2);
    assert!(first.close().success());
    project.save_version("v3");
    let client = project.open_with(flags);
    assert_eq!(client.version(), "v3");
    until_kept(project, 3);
    client
}

fn back(project: &Project, to: &[&str]) -> Value {
    let report = project.cli(&[&["rollback", "--json"], to].concat()).with_status(0);
    assert_eq!(report.outcome(), "rolled_back");
    report.outcomes()[0].clone()
}

/// What every server must do: back to the first version, on again with a save; the project's files stay as they are.
fn goes_back_and_on(server: Server) {
    let project = Project::new(server);
    let client = third(&project, &[]);
    let saved = fs::read_to_string(project.file()).unwrap();
    let outcome = back(&project, &["--to", "1"]);
    assert_eq!(outcome["active"]["generation"], 1, "{outcome:#}");
    assert_eq!(client.version(), "v1");
    assert_eq!(fs::read_to_string(project.file()).unwrap(), saved);
    let front = project.status();
    let why = front["degraded"]["message"].as_str().unwrap_or_default();
    assert!(why.contains("instead of generation 3"), "{front:#}");
    // Nothing but a change or a word brings the newest code back.
    project.save();
    assert_eq!(client.version(), "v1");
    project.save_version("v4");
    client.until_version("v4");
    assert_eq!(project.status()["degraded"], Value::Null);
    project.finish(&client);
}

#[test]
fn a_python_server_goes_back_to_a_version_of_an_earlier_front() {
    goes_back_and_on(Server::PythonSdk);
}

#[test]
fn a_typescript_server_goes_back_and_finds_its_packages() {
    goes_back_and_on(Server::TypeScriptSdk2);
}

#[test]
fn after_a_restart_of_everything_a_rollback_knows_what_served_before() {
    let project = Project::new(Server::Plain);
    let client = third(&project, &[]);
    let outcome = back(&project, &[]);
    assert_eq!((outcome["active"]["generation"].as_u64(), client.version().as_str()), (Some(2), "v2"));
    // The next front serves what the files hold, as ever; the history says how it came.
    assert!(client.close().success());
    let client = project.open_with(COLD);
    assert_eq!(client.version(), "v3");
    let history = project.cli(&["history", "--json"]).with_status(0);
    assert!(history.stdout.contains("rolled_back"), "{history:?}");
    project.finish(&client);
}

#[test]
fn over_http_with_twins_on_ports_and_behind_one_url() {
    for (server, flags) in [(Server::Http(Http::Plain), &[][..]), (Server::Plain, &["--stdio"])] {
        let project = Project::new(server);
        let flags = [COLD, &["--settle", "0", "--standby", "on-demand"], flags].concat();
        let front = project.serve(&flags);
        let client = front.client();
        // Its process is there before the files hold other code.
        client.until_version("v1");
        until_kept(&project, 1);
        project.save_version("v2");
        client.until_version("v2");
        until_kept(&project, 2);
        project.finish_http(&front);
        let front = project.serve(&flags);
        let client = front.client();
        assert_eq!(back(&project, &["--to", "1"])["active"]["generation"], 1);
        client.until_version("v1");
        project.save_version("v3");
        client.until_version("v3");
        project.finish_http(&front);
    }
}

/// Makes a program of the source, over the one that may be running.
const BUILD: &str = r#"mkdir -p out && { echo '#!/usr/bin/env python3'; cat server.py; } > out/server && chmod +x out/server
    echo built x >> "$FIXTURE_NOTES""#;

#[test]
fn a_program_that_is_built_runs_from_a_copy_which_the_next_build_leaves_alone() {
    let project = Project::new(Server::Plain);
    let open = || {
        let flags = [COLD, &["--build", BUILD, "--watch", "server.py"]].concat();
        let mut words = project.front_command(&flags);
        let at = words.iter().position(|word| word == "--").unwrap();
        words.truncate(at + 1);
        words.push("out/server".to_owned());
        let client = Client::spawn(&mut project.process(&words));
        client.open();
        client
    };
    let runs = |pid: u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split('\0').find(|word| word.ends_with("/server")).map(str::to_owned)
    };
    let client = open();
    until_kept(&project, 1);
    if cfg!(target_os = "linux") {
        let program = runs(client.whoami().1).unwrap();
        assert!(program.contains("/copies/"), "{program}");
        project.save_version("v2");
        client.until_version("v2");
        assert!(fs::read_to_string(program).unwrap().contains("\"v1\""), "it was built over");
        assert!(fs::read_to_string(project.root().join("out/server")).unwrap().contains("\"v2\""));
    } else {
        project.save_version("v2");
        client.until_version("v2");
    }
    until_kept(&project, 2);
    assert!(client.close().success());
    let client = open();
    assert_eq!(client.version(), "v2");
    let builds = project.noted("built").len();
    assert_eq!(back(&project, &["--to", "1"])["active"]["generation"], 1);
    assert_eq!((client.version().as_str(), project.noted("built").len()), ("v1", builds));
    project.finish(&client);
}

#[test]
fn secrets_are_in_no_copy_and_old_code_runs_with_those_of_today() {
    let project = Project::new(Server::Plain);
    let secrets = project.root().join(".env");
    fs::write(&secrets, "KEY=first-s3cr3t").unwrap();
    let client = third(&project, &[]);
    fs::write(&secrets, "KEY=second-s3cr3t").unwrap();
    until_kept(&project, 4);
    back(&project, &["--to", "1"]);
    assert_eq!(client.version(), "v1");
    let (_, place) = copies(&project).swap_remove(0);
    let seen = fs::read_to_string(place.join("tree").join(".env")).unwrap();
    assert_eq!(seen, "KEY=second-s3cr3t");
    assert!(!holds(&project.home(), "s3cr3t"), "a secret was stored");
    let log = project.cli(&["logs"]).with_status(0).stdout;
    assert!(log.contains("generation 1 runs with the present .env"), "{log}");
    project.finish(&client);
}

#[test]
fn what_cannot_be_gone_back_to_is_said_and_nothing_changes() {
    let project = Project::new(Server::Plain);
    let client = third(&project, &[]);
    let (_, place) = copies(&project).swap_remove(0);
    let file = place.join("tree").join(project.file().file_name().unwrap());
    let told = |wanted: &str| {
        let serving = client.whoami();
        let report = project.cli(&["rollback", "--to", "1", "--json"]).with_status(4);
        let fault = report.outcomes()[0]["fault"].clone();
        assert_eq!(fault["code"], "twin::rollback::code_gone", "{fault:#}");
        assert!(fault["message"].as_str().unwrap().contains(wanted), "{fault:#}");
        assert_eq!(client.whoami(), serving);
    };
    fs::write(&file, "print('no server')").unwrap();
    told("server.py was changed in it");
    fs::remove_dir_all(&place).unwrap();
    told("no copy of it was kept");
    project.finish(&client);
}

#[test]
fn as_many_are_kept_as_was_said_and_those_in_use() {
    let project = Project::new(Server::Plain);
    let flags = &["--keep-copies", "2"];
    let client = third(&project, flags);
    until_only(&project, &[2, 3]);
    back(&project, &["--to", "2"]);
    for number in 4..7 {
        project.save_version(&format!("v{number}"));
        client.until_version(&format!("v{number}"));
        until_kept(&project, number);
    }
    until_only(&project, &[2, 5, 6]);
    project.finish(&client);
    let none = Project::new(Server::Plain);
    let client = none.open_with(&["--keep-copies", "0"]);
    none.save_version("v2");
    client.until_version("v2");
    assert_eq!(copies(&none), []);
    none.finish(&client);
}
