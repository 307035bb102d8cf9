//! The clients on official SDKs: programs that keep calls in flight while a test swaps the server under them.

use crate::project::Project;
use crate::tools;
use crate::wait::{PATIENCE, until};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc;

/// Which SDK the client is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// Python, opening as it does by default (`server/discover`, then `initialize`).
    PythonAuto,
    /// Python, opening with `initialize`.
    PythonLegacy,
    /// TypeScript.
    TypeScript,
}

/// A running client.
#[derive(Debug)]
pub struct Talker {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Talker {
    /// Starts a client that talks to `command`.
    #[must_use]
    pub fn start(project: &Project, sdk: Sdk, command: &[String]) -> Self {
        let mut words = match sdk {
            Sdk::PythonAuto | Sdk::PythonLegacy => {
                let mode = if sdk == Sdk::PythonAuto { "auto" } else { "legacy" };
                let script = tools::fixture("clients/sdk_client.py").display().to_string();
                vec![tools::sdk_python().display().to_string(), script, "--mode".to_owned(), mode.to_owned()]
            }
            Sdk::TypeScript => {
                let folder = project.home().with_file_name("client");
                fs::create_dir_all(&folder).expect("a folder for the client");
                let script = folder.join("sdk_client.mjs");
                fs::copy(tools::fixture("clients/sdk_client.mjs"), &script).expect("the client");
                #[cfg(unix)]
                std::os::unix::fs::symlink(tools::typescript_modules(), folder.join("node_modules")).expect("a link");
                vec![tools::node().display().to_string(), script.display().to_string()]
            }
        };
        words.push("--".to_owned());
        words.extend(command.iter().cloned());
        let mut process = project.process(&words);
        let mut child = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the client starts");
        let stdout = child.stdout.take().expect("a pipe");
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits until the client prints this line.
    pub fn await_line(&mut self, wanted: &str) {
        if let Some(at) = self.seen.iter().position(|line| line == wanted) {
            self.seen.remove(at);
            return;
        }
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line == wanted => return,
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("the client never said `{wanted}` ({error}); it said {:?}", self.seen),
            }
        }
    }

    /// Tells the client to finish, and gives back its report.
    #[must_use]
    pub fn stop(mut self) -> Value {
        writeln!(self.child.stdin.take().expect("a pipe"), "stop").expect("the client listens");
        let report = loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with('{') => break serde_json::from_str(&line).expect("a report"),
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("the client made no report ({error}); it said {:?}", self.seen),
            }
        };
        let status = until("the end of the client", || self.child.try_wait().expect("a child of ours"));
        assert!(status.success(), "the client ended with {status}");
        report
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fails the test unless each call of the report was answered well, by the twin that ran it, and ran exactly once.
pub fn assert_flawless(project: &Project, report: &Value, versions: &[&str]) {
    let failed = report["failed"].as_array().expect("a list");
    assert!(failed.is_empty(), "{} of {} calls failed, first {}", failed.len(), report["calls"], failed[0]);
    assert_eq!(report["calls"], report["ok"]);
    let seen: HashSet<&str> = report["versions"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(seen, versions.iter().copied().collect());
    let mut runs: HashMap<_, _> = project.record().by_key();
    for answer in report["answers"].as_array().expect("a list") {
        let (key, version, pid) = (answer[0].as_str().expect("a key"), answer[1].as_str(), answer[2].as_u64());
        let run = runs.remove(key).unwrap_or_default();
        assert_eq!(run.len(), 1, "the call {key} ran {} times: {run:?}", run.len());
        assert_eq!(
            (Some(run[0].version.as_str()), Some(run[0].pid)),
            (version, pid),
            "{key} was answered by another twin"
        );
    }
    assert!(runs.is_empty(), "calls ran that nobody made: {:?}", runs.keys());
}
