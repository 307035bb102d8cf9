//! Daemons that a server starts on purpose: spared by name, wherever they stand; everything else ends with its twin.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Client, Project, Server, process, until};

const SERVER: Server = Server::Fault("children");
const KEEP: [&str; 2] = ["--keep-children", "keepme"];

/// The three of this name that a start of the server notes, `starts` times.
fn noted(project: &Project, name: &str, starts: usize) -> Vec<u32> {
    until(&format!("{starts} x 3 {name}"), || {
        let pids: Vec<u32> = project.noted(name).iter().map(|pid| pid.parse().unwrap()).collect();
        (pids.len() == 3 * starts).then_some(pids)
    })
}

fn opened(flags: &[&str]) -> (Project, Client, Vec<u32>, Vec<u32>) {
    let project = Project::new(SERVER);
    let client = project.open_with(flags);
    let (kept, dropped) = (noted(&project, "keepme", 1), noted(&project, "dropme", 1));
    assert!(kept.iter().chain(&dropped).all(|pid| process::alive(*pid)));
    (project, client, kept, dropped)
}

/// They live, and nothing else of this machine does; then they are ended.
fn only(project: &Project, kept: &[u32]) {
    until("the end of all but the kept", || {
        let mut left: Vec<u32> = project.processes().iter().map(|seen| seen.pid).collect();
        left.sort_unstable();
        let mut wanted = kept.to_vec();
        wanted.sort_unstable();
        (left == wanted).then_some(())
    });
    for pid in kept {
        process::kill(*pid);
        process::gone(*pid);
    }
}

#[test]
fn they_outlive_a_stop_and_the_front() {
    let (project, client, kept, dropped) = opened(&KEEP);
    assert_eq!(project.cli(&["stop", "--json"]).with_status(0).outcome(), "stopped");
    dropped.iter().for_each(|pid| process::gone(*pid));
    assert!(kept.iter().all(|pid| process::alive(*pid)));
    assert!(client.close().success());
    only(&project, &kept);
    project.nothing_left();
}

#[test]
fn they_outlive_the_twin_that_a_swap_retired() {
    let (project, client, kept, dropped) = opened(&["--keep-children=other,keepme", "--bake", "0", "--keep-old", "0"]);
    project.set("FAULT", "\"\"");
    project.save_version("v2");
    client.until_version("v2");
    dropped.iter().for_each(|pid| process::gone(*pid));
    assert!(kept.iter().all(|pid| process::alive(*pid)));
    assert!(client.close().success());
    only(&project, &kept);
}

#[test]
fn they_outlive_a_killed_front_and_the_sweep_of_the_next() {
    let (project, client, kept, dropped) = opened(&KEEP);
    client.kill();
    project.set("FAULT", "\"\"");
    // The next front has no such option: the names of the dead one count.
    let next = project.open();
    dropped.iter().for_each(|pid| process::gone(*pid));
    assert!(kept.iter().all(|pid| process::alive(*pid)));
    assert!(next.close().success());
    only(&project, &kept);
    project.nothing_left();
}

#[test]
fn a_crash_of_the_server_spares_them() {
    let (project, client, kept, dropped) = opened(&KEEP);
    let (_, pid) = client.whoami();
    project.set("FAULT", "\"\"");
    process::kill(pid);
    dropped.iter().for_each(|pid| process::gone(*pid));
    client.until_version("v1");
    assert!(kept.iter().all(|pid| process::alive(*pid)));
    assert!(client.close().success());
    only(&project, &kept);
}

#[test]
fn a_server_of_that_name_is_ended_all_the_same() {
    let project = Project::new(Server::Fault("ignores_term"));
    let name = std::fs::canonicalize(&project.command()[0]).ok();
    let name = name.and_then(|path| path.file_name().map(|name| name.to_str().unwrap().to_owned()));
    let names = name.map_or_else(|| "python3".to_owned(), |name| format!("python3,{name}"));
    let client = project.open_with(&["--keep-children", &names]);
    let (_, pid) = client.whoami();
    assert_eq!(project.cli(&["stop", "--json"]).with_status(0).outcome(), "stopped");
    process::gone(pid);
    project.finish(&client);
}

#[test]
fn without_the_option_they_end_with_their_twin() {
    let (project, client, kept, dropped) = opened(&[]);
    assert_eq!(project.cli(&["stop", "--json"]).with_status(0).outcome(), "stopped");
    kept.iter().chain(&dropped).for_each(|pid| process::gone(*pid));
    project.finish(&client);
}
