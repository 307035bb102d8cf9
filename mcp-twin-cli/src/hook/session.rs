//! The begin of a session: which servers of this project run through mcp-twin, and which files the client is to watch.

use super::files;
use crate::act::ask_all;
use crate::render::count;
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::detect::{Client, detect_in};
use mcp_twin_core::spec::slug;
use mcp_twin_runtime::fronts::{self, FrontAddress};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::machine::ThisMachine;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The client whose hooks these are.
const CLIENT: &str = "claude-code";

/// How many files of all servers together the client is asked to watch.
const MOST: usize = 300;

/// A front answers both questions at once, or is hung.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server that is of interest here.
struct Known {
    name: String,
    /// What it runs, or how it stands.
    lines: Vec<String>,
    files: Vec<PathBuf>,
}

/// What is said at the begin of a session in this folder; `None` where nothing of it runs through mcp-twin.
pub(crate) fn start(home: &Home, cwd: &Path) -> Option<Value> {
    let mut running = fronts::running(home);
    running.retain(|front| front.root.starts_with(cwd) || cwd.starts_with(&front.root));
    let mut known = wired(home, cwd, &running);
    known.extend(of_fronts(&running));
    if known.is_empty() {
        return None;
    }
    let mut watch: Vec<&PathBuf> = Vec::new();
    for file in known.iter().flat_map(|server| &server.files) {
        if watch.len() < MOST && !watch.contains(&file) {
            watch.push(file);
        }
    }
    let text = format!(
        "mcp-twin: {} of this project {} through mcp-twin. A save of their files starts the new code beside the old one, \
         checks it and swaps it in; the connection stays, so never restart or reconnect for an edit. \
         What became of an edit is said after it.\n{}\n`mcp-twin status` says what serves; `mcp-twin rollback NAME` goes back.",
        count(known.len(), "server"),
        if known.len() == 1 { "runs" } else { "run" },
        known.iter().flat_map(|server| &server.lines).map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"),
    );
    Some(serde_json::json!({
        "hookSpecificOutput": {
            "hookEventName": "SessionStart",
            "additionalContext": text,
            "watchPaths": watch,
        }
    }))
}

/// The client's own entries that run mcp-twin and whose fronts do not run yet: at the begin of a session its servers are only
/// being started.
fn wired(home: &Home, cwd: &Path, running: &[FrontAddress]) -> Vec<Known> {
    let this = ThisMachine::seen_from(Some(cwd.to_owned()));
    let (Some(this), Some(client)) = (this, Client::named(CLIENT)) else { return Vec::new() };
    let machine = this.machine();
    let inventory = detect_in(&machine, client.sources(&machine));
    let mut known: Vec<Known> = Vec::new();
    let entries = inventory.files.iter().flat_map(|file| &file.parsed.servers);
    for server in entries.filter(|server| server.enabled && !server.hidden && server.runs_mcp_twin()) {
        let runs = running
            .iter()
            .any(|front| front.display.as_deref() == Some(&server.name) || front.server == slug(&server.name).as_str());
        if runs || known.iter().any(|other| other.name == server.name) {
            continue;
        }
        let launch = server.original_launch(&machine);
        let files = launch.as_ref().map(|launch| files::of_launch(home, launch, cwd)).unwrap_or_default();
        let command = shell_words::join(server.shown_original());
        let command = if command.is_empty() { String::new() } else { format!(": `{command}`") };
        let lines =
            vec![format!("`{}`{command}{}", server.name, watched(launch.and_then(|launch| launch.root).as_deref()))];
        known.push(Known { name: server.name.clone(), lines, files });
    }
    known
}

/// The servers whose fronts run, each once.
fn of_fronts(running: &[FrontAddress]) -> Vec<Known> {
    let mut seen = BTreeSet::new();
    let fronts: Vec<FrontAddress> =
        running.iter().filter(|front| seen.insert((&front.server, &front.root))).cloned().collect();
    let statuses = ask_all(&fronts, &Ask::Status, PATIENCE, |_, _| ());
    let named = ask_all(&fronts, &Ask::Files { most: files::MOST }, PATIENCE, |_, _| ());
    let known = fronts.iter().zip(statuses).zip(named).map(|((front, status), named)| {
        let how = match status {
            Ok(Answer::Status(status)) => match (&status.swap.active, &status.swap.degraded) {
                (Some(active), None) => format!("generation {} serves", active.source.generation),
                (Some(active), Some(_)) => {
                    format!("generation {} serves, the newest code does not", active.source.generation)
                }
                // Its servers are only being started when a session begins.
                (None, None) => "nothing serves at this moment".to_owned(),
                (None, Some(_)) => "nothing serves, its code does not start".to_owned(),
            },
            _ => "its front does not answer".to_owned(),
        };
        let files = match named {
            Ok(Answer::Files(files)) => files.into_iter().map(PathBuf::from).collect(),
            _ => Vec::new(),
        };
        let lines = vec![format!("`{}`: {how}{}", front.server, watched(Some(&front.root)))];
        Known { name: front.server.clone(), lines, files }
    });
    known.collect()
}

fn watched(root: Option<&Path>) -> String {
    root.map_or_else(String::new, |root| format!(", in {}", root.display()))
}
