//! kill -9 of the front at every change of its record during one reload and swap, over HTTP: right before the change, and
//! right after it. Each time the next front serves the newest code, sessions go on, and nothing is left in the end.

use crate::project;
use mcp_twin_tests::killer::Killer;
use mcp_twin_tests::{HttpClient, Project, Served, process, until};
use serde_json::{Value, json};

/// A reload and swap writes its record at least so often: intent, the twin's process, commit, the end of the bake.
const LEAST: usize = 4;
/// And at most so often; more would be a loop.
const MOST: usize = 60;

fn open(killer: &Killer, project: &Project) -> Served {
    // Bake and keeping end soon: their writes belong to the swap too.
    let flags = ["--watch", ".", "--settle", "0", "--bake", "50ms", "--keep-old", "50ms"];
    let mut command = project.process(&project.serve_command(&flags));
    killer.dress(&mut command);
    Served::front(&mut command)
}

/// The source of the active twin, once nothing is going on: one twin serves, one of the same code waits, and no other process
/// is there.
fn at_rest(project: &Project) -> Option<Value> {
    if project.processes().len() != 3 {
        return None;
    }
    let fronts = project.fronts();
    let [status] = &fronts[..] else { return None };
    let calm = status["baking"] == false
        && ["standby", "previous"].iter().all(|key| status[*key].is_null())
        && status["retiring"] == json!([]);
    (calm && status["warm"]["pid"].is_u64()).then(|| status["active"]["source"].clone())
}

fn killed_at_each_write(when: &str) {
    let killer = Killer::build();
    let project = project(&[]);
    let mut front = open(&killer, &project);
    let session = front.client().session();
    for number in 1..=MOST {
        let before = until("a front at rest", || at_rest(&project));
        let version = format!("v{}", number + 1);
        killer.arm(number, when);
        project.save_version(&version);
        until("a kill, or the end of the swap", || {
            let swapped = || at_rest(&project).is_some_and(|source| source != before);
            (!process::alive(front.pid()) || swapped()).then_some(())
        });
        let writes = killer.disarm();
        if process::alive(front.pid()) {
            assert_eq!(front.modern().version(), version);
            assert!(writes >= LEAST && writes < number, "{writes} writes were seen, the kill was to be at {number}");
            project.finish_http(&front);
            return;
        }
        assert_eq!(writes, number, "killed at another write");
        front.kill();
        assert!(!project.processes().is_empty(), "the twins live on");
        front = open(&killer, &project);
        let client = HttpClient::new(front.url());
        client.set_session(session.as_deref());
        client.until_version(&version);
        assert_eq!(project.fronts().len(), 1, "after a kill {when} write {number}");
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
