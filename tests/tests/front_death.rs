//! kill -9 of the front: no process stays, the state can be read, the next `run` sweeps and serves.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Client, Project, Server, process, until};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// Brings a front to a moment, kills it there, and checks what is left and that the next one serves what is on disk.
fn killed_at(server: Server, flags: &[&str], on_disk: &str, reach: impl FnOnce(&Project, &Client)) {
    let project = Project::new(server);
    let client = project.open_with(flags);
    reach(&project, &client);
    let processes = project.processes();
    assert!(processes.len() >= 2, "a front and a twin at least: {processes:?}");
    client.kill();
    until("the end of all twins", || project.processes().is_empty().then_some(()));
    for file in state_files(&project) {
        let text = fs::read_to_string(&file).unwrap();
        let _: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    project.set("BOOT_SECONDS", "0.0");
    let next = project.open();
    assert_eq!(next.version(), on_disk);
    assert_eq!(project.fronts().len(), 1, "the dead front must not be shown");
    project.save_version("v9");
    next.until_version("v9");
    project.finish(&next);
}

fn state_files(project: &Project) -> Vec<PathBuf> {
    let entries = fs::read_dir(project.home().join("state")).unwrap();
    let files = entries.flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

fn until_stage(project: &Project, stages: &[&str]) {
    let _ = project.until_status(&format!("one of the stages {stages:?}"), |front| {
        front["standby_stage"].as_str().is_some_and(|stage| stages.contains(&stage))
    });
}

#[test]
fn while_it_only_serves() {
    killed_at(Server::Plain, &[], "v1", |_, client| assert_eq!(client.version(), "v1"));
}

#[test]
fn while_its_first_twin_boots() {
    let project = Project::new(Server::Plain);
    project.set("BOOT_SECONDS", "30.0");
    let client = project.run(&[]);
    until("the first twin", || (project.processes().len() >= 2).then_some(()));
    client.kill();
    until("the end of all twins", || project.processes().is_empty().then_some(()));
    project.set("BOOT_SECONDS", "0.0");
    let next = project.open();
    assert_eq!(next.version(), "v1");
    project.finish(&next);
}

#[test]
fn while_a_standby_boots() {
    killed_at(Server::Plain, &[], "v2", |project, _| {
        project.set("BOOT_SECONDS", "30.0");
        project.save_version("v2");
        until_stage(project, &["spawning", "warming"]);
        let _ = project.until_status("its process", |front| front["standby"]["pid"].is_u64());
    });
}

#[test]
fn while_a_verified_standby_waits() {
    killed_at(Server::Plain, &["--promote", "manual"], "v2", |project, _| {
        project.save_version("v2");
        until_stage(project, &["verified"]);
    });
}

#[test]
fn on_trial_after_a_swap() {
    killed_at(Server::Plain, &[], "v2", |project, client| {
        project.save_version("v2");
        client.until_version("v2");
        let _ = project.until_status("a bake", |front| front["baking"] == true);
    });
}

#[test]
fn while_an_old_twin_finishes() {
    killed_at(Server::Plain, &[], "v3", |project, client| {
        let _ = client.work(60_000, "long");
        for version in ["v2", "v3"] {
            project.save_version(version);
            client.until_version(version);
        }
        assert!(project.processes().len() >= 3);
    });
}

#[test]
fn at_some_moment_of_a_swap_whichever_it_is() {
    // No status in between: the kill falls where it falls, some milliseconds further each time.
    for round in 0..8 {
        killed_at(Server::Plain, &[], "v2", |project, client| {
            project.save_version("v2");
            for _ in 0..round * 12 {
                let _ = client.whoami();
            }
        });
    }
}

#[test]
fn with_twins_that_ignore_term_and_daemons() {
    killed_at(Server::Fault("ignores_term"), &[], "v1", |_, _| {});
    let project = Project::new(Server::Fault("daemon"));
    let client = project.open();
    let daemon: u32 = until("the daemon", || project.noted("daemon").first()?.parse().ok());
    client.kill();
    // Nobody is left to end a process in a session of its own: the next front of this state directory does.
    project.set("FAULT", "\"\"");
    let next = project.open();
    assert_eq!(next.version(), "v1");
    process::gone(daemon);
    project.finish(&next);
}

#[test]
fn a_state_file_cut_at_any_byte_is_survived() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    project.save_version("v2");
    client.until_version("v2");
    client.kill();
    until("the end of all twins", || project.processes().is_empty().then_some(()));
    let state = state_files(&project).pop().expect("a state file");
    let front = state.file_stem().unwrap().to_str().unwrap().to_owned();
    let whole = fs::read(&state).unwrap();
    let run = project.home().join("run");
    let named: Vec<_> = project
        .sockets()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "lock" || extension == "json"))
        .collect();
    assert!(!named.is_empty(), "a dead front leaves its lock");
    // One dead front for each cut, so that a single start has to read them all.
    for cut in 0..whole.len() {
        let id = format!("{front}x{cut}");
        fs::write(state.with_file_name(format!("{id}.json")), &whole[..cut]).unwrap();
        for path in &named {
            let name = path.file_name().unwrap().to_str().unwrap().replace(&front, &id);
            fs::copy(path, run.join(name)).unwrap();
        }
    }
    let next = project.open();
    assert_eq!(next.version(), "v2");
    assert_eq!(project.fronts().len(), 1);
    project.save_version("v3");
    next.until_version("v3");
    project.finish(&next);
}

#[test]
fn the_shared_files_cut_at_many_bytes_are_survived() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    project.save_version("v2");
    client.until_version("v2");
    assert!(client.close().success());
    let mut shared = Vec::new();
    for folder in ["", "history"] {
        let entries = fs::read_dir(project.home().join(folder)).into_iter().flatten().flatten();
        shared.extend(entries.map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    assert!(!shared.is_empty(), "no servers.json, no history");
    let whole: Vec<_> = shared.iter().map(|path| fs::read(path).unwrap()).collect();
    for part in 0..6 {
        for (path, bytes) in shared.iter().zip(&whole) {
            fs::write(path, &bytes[..bytes.len() * part / 6]).unwrap();
        }
        let next = project.open();
        assert_eq!(next.text("echo", json!({"text": "there"})), "there");
        project.finish(&next);
    }
}
