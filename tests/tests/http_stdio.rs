//! A server over stdio behind a front over HTTP: a process for each session, one for all requests of the modern era, and
//! what becomes of them at a swap, at a broken save, at a rollback and at a death.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::body_of;
use mcp_twin_tests::{HttpClient, Project, Served, Server, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Saves count and take over without a rest; the old twin is kept for nothing.
const FLAGS: &[&str] =
    &["--stdio", "--settle", "0s", "--bake", "0s", "--keep-old", "0s", "--breaking", "warn", "--watch-quiet", "20ms"];

/// The same, where the old twin is kept for a rollback.
const KEEP: &[&str] = &["--keep-old", "5m"];

/// A front over a server that is edited.
struct Behind {
    project: Project,
    front: Served,
    swaps: usize,
}

impl Behind {
    fn start(flags: &[&str], constants: &[(&str, Value)]) -> Self {
        let project = Project::new(Server::Pipe);
        project.set_all(constants);
        let front = project.serve(&[FLAGS, flags].concat());
        // What is saved from now on is a change.
        project.until_status("a server", |front| front["active"].is_object());
        Self { project, front, swaps: 0 }
    }

    /// Saves the next version and waits until it serves.
    fn swap(&mut self) {
        self.swaps += 1;
        self.project.save_version(&format!("v{}", self.swaps + 1));
        self.project.until_status("a swap", |front| front["swaps"] == self.swaps);
    }

    /// Waits until a call runs.
    fn begun(&self, key: &str) {
        until(&format!("the call {key}"), || self.project.record().of(key).map(drop));
    }

    /// Processes of the server.
    fn servers(&self) -> BTreeSet<u32> {
        let of_server = self.project.processes().into_iter().filter(|seen| seen.command.contains("server.py"));
        of_server.filter(|seen| !seen.command.contains("mcp-twin")).map(|seen| seen.pid).collect()
    }

    fn finish(&self) {
        self.project.finish_http(&self.front);
    }
}

/// Process, version and count of the process that answers.
fn count(client: &HttpClient) -> (u64, String, u64) {
    let body = client.body("count", json!({}));
    (body["pid"].as_u64().unwrap(), body["version"].as_str().unwrap().to_owned(), body["count"].as_u64().unwrap())
}

#[test]
fn each_session_has_a_process_and_state_of_its_own() {
    let behind = Behind::start(&[], &[]);
    let (one, two) = (behind.front.client(), behind.front.client());
    let (first, second) = (count(&one), count(&two));
    assert_ne!(first.0, second.0);
    assert_eq!((first.2, second.2), (1, 1));
    assert_eq!((count(&one), count(&one)), ((first.0, "v1".to_owned(), 2), (first.0, "v1".to_owned(), 3)));
    assert_eq!(count(&two), (second.0, "v1".to_owned(), 2));
    // Those of the two sessions, and the one that carries the modern era.
    assert_eq!(behind.servers().len(), 3);
    let status = behind.project.status();
    assert_eq!(
        (&status["transport"], &status["stdio_twins"], &status["sessions"]),
        (&json!("http"), &json!(true), &json!(2))
    );
    behind.finish();
}

#[test]
fn a_swap_in_the_middle_of_calls_loses_none_and_runs_none_twice() {
    for eras in [json!(["legacy"]), json!(["legacy", "modern"])] {
        let mut behind = Behind::start(&[], &[("ERAS", eras)]);
        let clients = [behind.front.client(), behind.front.client()];
        for round in 1..=3 {
            let before: Vec<u64> = clients.iter().map(|client| count(client).0).collect();
            let keys: Vec<String> = (0..clients.len()).map(|of| format!("old-{round}-{of}")).collect();
            let mut open: Vec<_> = clients.iter().zip(&keys).map(|(client, key)| client.work(1500, key)).collect();
            keys.iter().for_each(|key| behind.begun(key));
            behind.swap();
            for (client, old) in clients.iter().zip(&before) {
                let (pid, version, counted) = count(client);
                assert_eq!((version, counted), (format!("v{}", round + 1), 1));
                assert_ne!(pid, *old);
            }
            for ((exchange, key), old) in open.iter_mut().zip(&keys).zip(&before) {
                let body = body_of(&exchange.answer());
                assert_eq!((&body["pid"], &body["version"]), (&json!(old), &json!(format!("v{round}"))), "{body}");
                assert_eq!(behind.project.record().of(key).unwrap().pid, *old);
            }
        }
        // The old processes owe nothing any more.
        until("the end of the old processes", || (behind.servers().len() == 3).then_some(()));
        behind.finish();
    }
}
