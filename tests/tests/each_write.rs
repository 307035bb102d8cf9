//! kill -9 of the front at every change of its record during one reload and swap: right before the change, and right
//! after it. A library before the C library of the front does the killing, so there is no window in between.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::killer::Killer;
use mcp_twin_tests::{Client, Project, Server, process, until};
use serde_json::{Value, json};
use std::fs;

/// A reload and swap writes its record at least so often: intent, the twin's process, commit, the end of the bake.
const LEAST: usize = 4;
/// And at most so often; more would be a loop.
const MOST: usize = 40;

fn open(killer: &Killer, project: &Project) -> Client {
    // Bake and keeping end soon: their writes belong to the swap too.
    let words = project.front_command(&["--bake", "50ms", "--keep-old", "50ms"]);
    let mut command = project.process(&words);
    killer.dress(&mut command);
    let client = Client::spawn(&mut command);
    client.open();
    let _ = client.text("echo", json!({"text": ""}));
    client
}

/// Whether the swap of this front is over to its last write.
fn is_over(project: &Project, front: u32) -> bool {
    // The old twin is reaped: what the front wrote about that comes before its answer to what is asked from now on.
    if project.processes().len() != 2 {
        return false;
    }
    let fronts = project.fronts();
    let [status] = &fronts[..] else { return false };
    let at_rest = ["standby", "previous"].iter().all(|key| status[*key].is_null()) && status["baking"] == false;
    status["front_pid"] == front && status["swaps"] == 1 && status["retiring"] == json!([]) && at_rest
}

/// Every record can be read; a temporary file that was not renamed is none.
fn assert_readable(project: &Project) {
    for entry in fs::read_dir(project.home().join("state")).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).unwrap();
            let _: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

fn killed_at_each_write(when: &str) {
    let killer = Killer::build();
    let project = Project::new(Server::Plain);
    let mut client = open(&killer, &project);
    for number in 1..=MOST {
        let version = format!("v{}", number + 1);
        killer.arm(number, when);
        project.save_version(&version);
        until("a kill, or the end of the swap", || {
            (!process::alive(client.pid()) || is_over(&project, client.pid())).then_some(())
        });
        let writes = killer.disarm();
        if process::alive(client.pid()) {
            assert_eq!(client.version(), version);
            assert!(writes >= LEAST && writes < number, "{writes} writes were seen, the kill was to be at {number}");
            project.finish(&client);
            return;
        }
        assert_eq!(writes, number, "killed at another write");
        let _ = client.exit_status();
        until("the end of all twins", || project.processes().is_empty().then_some(()));
        assert_readable(&project);
        client = open(&killer, &project);
        assert_eq!(client.version(), version, "after a kill {when} write {number}");
        assert_eq!(project.fronts().len(), 1, "the dead front must not be shown");
    }
    panic!("a swap wrote its record more than {MOST} times");
}

#[test]
fn killed_right_before_each_write_of_a_swap() {
    killed_at_each_write("before");
}

#[test]
fn killed_right_after_each_write_of_a_swap() {
    killed_at_each_write("after");
}
