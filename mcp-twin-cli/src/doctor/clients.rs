//! Clients that hold an old configuration: they run a server directly, whose entry goes through mcp-twin by now.

use super::finding::{Checked, Finding};
use super::leftovers::shown;
use super::world::World;
use crate::render::count;
use std::time::Duration;

/// Starts are known to the second only.
const SURE: Duration = Duration::from_secs(1);

/// Servers that a client started before their entry was changed, as far as that can be known: a process with the very command
/// line that stands behind mcp-twin in an entry, which no front started, and which is older than the file.
pub(crate) fn clients(world: &World<'_>) -> Checked {
    let mut found = Vec::new();
    let mut looked = 0;
    for (source, server) in world.entries().filter(|(_, server)| server.runs_mcp_twin()) {
        looked += 1;
        let changed = world.files.changed(&source.path);
        let Some(start) = world.start(source, server) else { continue };
        for seen in world.processes.iter().flatten() {
            let older = seen.started.zip(changed).is_some_and(|(started, changed)| started + SURE < changed);
            if seen.token.is_some() || !older || !is_started_by(&seen.command, &start.command) {
                continue;
            }
            let parent = world.processes.iter().flatten().find(|other| other.pid == seen.parent);
            let client = parent.map_or_else(
                || format!("PID {}", seen.parent),
                |parent| format!("PID {} ({})", parent.pid, shown(&parent.command[..1])),
            );
            let name = source.client.name();
            let what = format!("`{}` runs without mcp-twin: it was started before its entry was changed", server.name);
            found.push(
                Finding::new("doctor::client::old_configuration", what)
                    .about([world.entry(source, server), format!("PID {}, started by {client}", seen.pid)])
                    .act(format!("for {name}: {}", source.client.pickup())),
            );
        }
    }
    let looked_at = format!("{} through mcp-twin", count(looked, "entry"));
    Checked { looked_at, found }
}

/// Whether a process was started by this command: the same words, but for where the program was found, or what runs it.
fn is_started_by(process: &[String], command: &[String]) -> bool {
    let name = |word: &String| word.rsplit(['/', '\\']).next().unwrap_or(word).to_owned();
    let same = |words: &[String]| {
        words.len() == command.len()
            && words.first().zip(command.first()).is_some_and(|(a, b)| name(a) == name(b))
            && words[1..] == command[1..]
    };
    // A script has its interpreter before it.
    !command.is_empty() && (same(process) || process.len() > 1 && same(&process[1..]))
}
