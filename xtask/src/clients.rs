//! `cargo xtask clients`: real clients, each in a throwaway home, on a server that is configured plainly, by hand behind
//! mcp-twin, wired by `mcp-twin wire`, and unwired again: after `unwire` its file is what it was.
//!
//! Whether a client is connected, and to which tools, the client says itself; whether it reached the server through a
//! front, the server says. Nothing here asks for an account or a model. The plugin of Claude Code is tried there, too.

mod client;
mod plugin;
mod round;
mod says;
mod stage;

use crate::exec::{Result, build, fail, option};
use crate::setup;
use client::{CLIENTS, Client};
use round::Rounds;

/// Installs the clients, runs each through its rounds, and prints what came of it. `--only CLIENT,…` takes some;
/// `--allow-missing` lets a client pass that cannot be installed; `--keep` leaves the throwaway homes.
pub(crate) fn run(arguments: &[String]) -> Result {
    let chosen = chosen(option(arguments, "--only")?)?;
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let (allow_missing, keep) = (flag("--allow-missing"), flag("--keep"));
    if !cfg!(unix) {
        return fail("the clients are run on Linux and macOS only: elsewhere nothing ends what they leave");
    }
    setup::node_alone()?;
    build()?;

    let mut rows = Vec::new();
    let mut plugin = None;
    for client in chosen {
        eprintln!("clients: {} ({})", client.name, client.pin);
        let row = match client.install() {
            Ok(()) => Row::Ran(Rounds::of(client, keep)),
            Err(why) => Row::Skipped(why.to_string()),
        };
        if matches!(row, Row::Ran(_)) && client.name == plugin::CLIENT {
            plugin = Some(plugin::check(client, keep));
        }
        rows.push((client, row));
    }
    print(&rows);
    match plugin {
        Some(Ok(took)) => {
            println!("\nthe plugin: validated, installed, its command and hooks run in {:.1} s", took.as_secs_f32())
        }
        Some(Err(why)) => return fail(format!("the plugin for Claude Code: {why}")),
        None => {}
    }
    verdict(&rows, allow_missing)
}

/// Installs all clients that can be installed here. What becomes of the others is said by [`run`].
pub(crate) fn fetch() {
    if cfg!(unix) {
        CLIENTS.iter().for_each(|client| drop(client.install()));
    }
}

/// What became of one client.
enum Row {
    Ran(Rounds),
    Skipped(String),
}

fn chosen(only: Option<&str>) -> Result<Vec<&'static Client>> {
    let Some(only) = only else { return Ok(CLIENTS.iter().collect()) };
    let find = |name: &str| match CLIENTS.iter().find(|client| client.name == name) {
        Some(client) => Ok(client),
        None => {
            let names: Vec<&str> = CLIENTS.iter().map(|client| client.name).collect();
            fail(format!("`--only {name}`: there are {}", names.join(", ")))
        }
    };
    only.split(',').map(find).collect()
}

fn print(rows: &[(&Client, Row)]) {
    print!("{:<15}{:<10}", "client", "version");
    for column in round::COLUMNS {
        print!("{column:<11}");
    }
    println!("seconds");
    for (client, row) in rows {
        print!("{:<15}{:<10}", client.name, client.version());
        match row {
            Row::Skipped(_) => println!("skipped"),
            Row::Ran(rounds) => {
                for cell in rounds.cells() {
                    print!("{cell:<11}");
                }
                println!("{:.1}", rounds.took.as_secs_f32());
            }
        }
    }
    for (client, row) in rows {
        match row {
            Row::Skipped(why) => println!("\n{} could not be installed: {}", client.name, why.trim_end()),
            Row::Ran(rounds) => {
                for (column, why) in rounds.failures() {
                    println!("\n{}, {column}: {}", client.name, why.trim_end());
                }
            }
        }
    }
}

fn verdict(rows: &[(&Client, Row)], allow_missing: bool) -> Result {
    let failed = rows.iter().filter(|(_, row)| matches!(row, Row::Ran(rounds) if rounds.failures().count() > 0));
    let skipped = rows.iter().filter(|(_, row)| matches!(row, Row::Skipped(_)));
    let names = |rows: Vec<&(&Client, Row)>| rows.iter().map(|(client, _)| client.name).collect::<Vec<_>>().join(", ");
    let (failed, skipped) = (names(failed.collect()), names(skipped.collect()));
    if !failed.is_empty() {
        return fail(format!("failed: {failed}"));
    }
    if !skipped.is_empty() && !allow_missing {
        return fail(format!("not installed: {skipped}; with --allow-missing the others are enough"));
    }
    Ok(())
}
