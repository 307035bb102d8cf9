//! What goes wrong around a front over HTTP: its twins, itself, its clients, its neighbours.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "http_faults/crowd.rs"]
mod crowd;
#[path = "http_faults/door.rs"]
mod door;
#[path = "http_faults/each_write.rs"]
mod each_write;
#[path = "http_faults/ends.rs"]
mod ends;
#[path = "http_faults/front_death.rs"]
mod front_death;
#[path = "http_faults/twins.rs"]
mod twins;

use mcp_twin_tests::{Http, Project, Served, Server};
use serde_json::Value;

/// Saves count, and take over without a rest.
const FLAGS: &[&str] = &["--watch", ".", "--settle", "0", "--bake", "1s", "--keep-old", "1s"];

fn project(constants: &[(&str, &str)]) -> Project {
    let project = Project::new(Server::Http(Http::Plain));
    for (constant, value) in constants {
        project.set(constant, value);
    }
    project
}

/// A front whose twins are both up.
fn served(flags: &[&str]) -> (Project, Served) {
    let project = project(&[]);
    let front = project.serve(&[FLAGS, flags].concat());
    let _ = both(&project);
    (project, front)
}

/// The process ids of the active and the warm twin, once there are both.
fn both(project: &Project) -> (u32, u32) {
    let front = project
        .until_status("a warm standby", |front| front["warm"]["pid"].is_u64() && front["active"]["pid"].is_u64());
    (pid(&front["active"]), pid(&front["warm"]))
}

fn pid(twin: &Value) -> u32 {
    twin["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_else(|| panic!("no process: {twin}"))
}
