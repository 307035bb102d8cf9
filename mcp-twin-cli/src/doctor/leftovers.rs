//! What mcp-twin itself may have left, and what is in its way: its folder, ports, dead fronts, orphans.

use super::finding::{Checked, Finding, quoted};
use super::world::World;
use crate::render::count;
use mcp_twin_runtime::process::Seen;
use std::collections::BTreeMap;

/// The permissions of the state directory.
pub(crate) fn state(world: &World<'_>) -> Checked {
    let found = world.state_wrong.iter().map(|wrong| {
        // It says what to run behind a colon, where there is something.
        match wrong.split_once("; run: ") {
            Some((what, command)) => Finding::new("doctor::home::unsafe", what).run(command),
            None => match wrong.split_once("; ") {
                Some((what, advice)) => Finding::new("doctor::home::unsafe", what).act(advice),
                None => Finding::new("doctor::home::unsafe", wrong),
            },
        }
    });
    Checked { looked_at: format!("the state directory {}", world.short(&world.state)), found: found.collect() }
}

/// Ports that clients know and that another program has.
pub(crate) fn ports(world: &World<'_>) -> Checked {
    let serves = |name: &str| {
        world.running.iter().any(|front| front.serves() && front.server == name)
            || world.living.iter().any(|front| front.rsplit_once('@').is_some_and(|(server, _)| server == name))
    };
    let taken = world.leases.iter().filter(|(name, lease)| !serves(name) && (world.listens)(lease.front));
    let found = taken.map(|(name, lease)| {
        Finding::new(
            "doctor::port::taken",
            format!("port {}, where clients reach `{name}`, is taken by another program", lease.front),
        )
        .run(format!("ss -ltnp 'sport = :{}'", lease.front))
        .act(format!(
            "end that program, or choose another address: mcp-twin start {} --listen 127.0.0.1:PORT",
            quoted(name)
        ))
    });
    Checked { looked_at: count(world.leases.len(), "leased address"), found: found.collect() }
}

/// Dead fronts: their sockets and locks, twins that wait to be taken over, and processes that nobody minds.
pub(crate) fn fronts(world: &World<'_>) -> Checked {
    let mut found = Vec::new();
    for left in &world.left {
        let name = left.server.as_deref().unwrap_or(&left.front);
        if !left.waiting.is_empty() {
            let pids: Vec<String> = left.waiting.iter().map(|pid| format!("PID {pid}")).collect();
            let what = format!("the front of `{name}` is gone, its server runs on without it");
            found.push(
                Finding::new("doctor::front::waiting", what)
                    .about(pids)
                    .run(format!("mcp-twin start {}", quoted(name)))
                    .act("takes it over; `mcp-twin stop` ends it then"),
            );
            continue;
        }
        let files: Vec<String> = left.files.iter().map(|file| quoted(&file.to_string_lossy())).collect();
        found.push(
            Finding::new("doctor::front::stale", format!("a front of `{name}` was killed and left its files"))
                .about(left.files.iter().map(|file| world.short(file)))
                .run(format!("rm {}", files.join(" ")))
                .act("or nothing: the next `mcp-twin run` or `start` sweeps them"),
        );
    }
    found.extend(orphans(world));
    let looked_at = match &world.processes {
        Some(_) => format!("{} and what they started", count(world.living.len(), "running front")),
        None => {
            format!("{} (processes cannot be looked into on this system)", count(world.living.len(), "running front"))
        }
    };
    Checked { looked_at, found }
}

/// Processes that bear the token of a front which is gone.
fn orphans(world: &World<'_>) -> Vec<Finding> {
    let mut fronts: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    let waits = |front: &str| world.left.iter().any(|left| left.front == front && !left.waiting.is_empty());
    for seen in world.processes.iter().flatten() {
        let Some(front) = seen.token.as_deref().and_then(|token| token.split(':').next()) else { continue };
        let ours = seen.home.as_deref() == Some(world.state.as_path());
        if ours && !seen.kept && !waits(front) && !world.living.iter().any(|living| living == front) {
            fronts.entry(front).or_default().push(seen);
        }
    }
    let finding = |(front, processes): (&str, Vec<&Seen>)| {
        let pids: Vec<String> = processes.iter().map(|seen| seen.pid.to_string()).collect();
        let about = processes.iter().map(|seen| format!("PID {}: {}", seen.pid, shown(&seen.command)));
        let what = format!("{} of a front that is gone ({front})", count(processes.len(), "orphaned process"));
        let verb = if processes.len() == 1 { "runs" } else { "run" };
        Finding::new("doctor::process::orphan", format!("{what} still {verb}"))
            .about(about)
            .run(format!("kill {}", pids.join(" ")))
    };
    fronts.into_iter().map(finding).collect()
}

/// A command line of somebody's process: its words may hold secrets, so only its beginning.
pub(crate) fn shown(command: &[String]) -> String {
    let words: Vec<&str> = command.iter().take(2).map(String::as_str).collect();
    let more = if command.len() > 2 { " …" } else { "" };
    format!("{}{more}", words.join(" "))
}
