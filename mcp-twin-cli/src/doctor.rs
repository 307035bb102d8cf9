//! `mcp-twin doctor`: what is wrong on this machine, and what mends it. It changes nothing.

mod clients;
mod commands;
mod files;
pub(crate) mod finding;
mod leftovers;
mod world;

#[cfg(test)]
mod tests;

use crate::args::DoctorArgs;
use crate::detect::machine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::doctor as render;
use crate::screen::Screen;
use finding::{Checked, Finding};
use mcp_twin_core::detect::detect;
use mcp_twin_core::port::Leases;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::{fronts, ports, process};
use serde::Serialize;
use std::path::Path;
use std::time::SystemTime;
use world::{Files, World};

/// The document of `doctor --json`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    command: &'static str,
    exit: u8,
    looked_at: Vec<&'a str>,
    problems: Vec<&'a Finding>,
}

/// Looks at everything. Exit status 1 if anything is wrong.
pub(crate) fn doctor(args: &DoctorArgs, json: bool) -> Result<Exit, Failure> {
    let this = machine(args.project.as_deref())?;
    let machine = this.machine();
    let inventory = detect(&machine);
    // Without a state directory that can be named the rest is looked at all the same.
    let (home, nameless) = match Home::from_env(|name| std::env::var_os(name)) {
        Ok(home) => (home, None),
        Err(error) => (Home::at(this.home().join(".mcp-twin")), Some(error.to_string())),
    };
    let leases: Leases = ports::load(&home).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let world = World {
        inventory: &inventory,
        machine,
        files: &Disk,
        path: std::env::split_paths(&path).collect(),
        state: home.path().to_owned(),
        state_wrong: nameless.into_iter().chain(home.wrong().iter().map(ToString::to_string)).collect(),
        running: fronts::running(&home),
        left: fronts::left(&home),
        // The processes before the fronts: one that starts meanwhile is no orphan.
        processes: process::seen(),
        living: fronts::living(&home),
        leases: leases.iter().map(|(server, lease)| (server.name.to_string(), lease)).collect(),
        listens: &|port| !ports::nobody_listens(port),
    };
    let checked = all(&world);
    let wrong = checked.iter().any(|checked| !checked.found.is_empty());
    let exit = if wrong { Exit::No } else { Exit::Fine };
    if json {
        Screen::json(&Document {
            command: "doctor",
            exit: exit.status(),
            looked_at: checked.iter().map(|checked| checked.looked_at.as_str()).collect(),
            problems: checked.iter().flat_map(|checked| &checked.found).collect(),
        });
    } else {
        Screen::print(&render::doctor(&checked));
    }
    Ok(exit)
}

/// Every check, in the order in which its findings are best mended.
fn all(world: &World<'_>) -> Vec<Checked> {
    vec![
        files::files(world),
        commands::commands(world),
        files::variables(world),
        leftovers::state(world),
        leftovers::ports(world),
        leftovers::fronts(world),
        clients::clients(world),
    ]
}

/// The real file system.
struct Disk;

impl Files for Disk {
    fn runs(&self, path: &Path) -> bool {
        let Ok(meta) = path.metadata() else { return false };
        #[cfg(unix)]
        let allowed = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111 != 0;
        #[cfg(not(unix))]
        let allowed = true;
        meta.is_file() && allowed
    }

    fn changed(&self, path: &Path) -> Option<SystemTime> {
        path.metadata().ok()?.modified().ok()
    }
}
