//! Configuration files that no client can read, and variables that are not set.

use super::finding::{Checked, Finding, quoted};
use super::world::World;
use crate::detect::view;
use crate::render::count;
use mcp_twin_core::detect::EntryFlag;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Files that cannot be read or are not valid.
pub(crate) fn files(world: &World<'_>) -> Checked {
    let paths: BTreeSet<&Path> = world.inventory.files.iter().map(|file| file.source.path.as_path()).collect();
    let clients: BTreeSet<&str> = world.inventory.files.iter().map(|file| file.source.client.id()).collect();
    let found = view::problems(world.inventory, |_| true).into_iter().map(|problem| {
        let shown = world.short(Path::new(&problem.path));
        let finding =
            Finding::new("doctor::file::invalid", format!("{shown}: {}", problem.message)).about(problem.clients);
        let file = quoted(&problem.path);
        match (problem.code.as_str(), problem.line) {
            ("detect::parse::unreadable", _) => finding.run(format!("chmod u+r {file}")),
            (_, Some(line)) => finding.run(format!("${{EDITOR:-vi}} +{line} {file}")),
            _ => finding.run(format!("${{EDITOR:-vi}} {file}")),
        }
    });
    let files = count(paths.len(), "configuration file");
    Checked { looked_at: format!("{files} of {}", count(clients.len(), "client")), found: found.collect() }
}

/// Variables that entries refer to and that nobody sets.
pub(crate) fn variables(world: &World<'_>) -> Checked {
    let mut unset: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut looked = 0;
    for (source, server) in world.entries() {
        looked += 1;
        for flag in &server.flags {
            if let EntryFlag::UnsetVariable(name) = flag {
                unset.entry(name).or_default().push(world.entry(source, server));
            }
        }
    }
    let found = unset.into_iter().map(|(name, entries)| {
        Finding::new(
            "doctor::variable::unset",
            format!("${{{name}}} is not set, so its server gets the text `${{{name}}}`"),
        )
        .about(entries)
        .run(format!("export {name}=…"))
        .act("where the client is started from: a shell's profile, or the desktop's; then start the client again")
    });
    Checked { looked_at: format!("variables of {}", count(looked, "entry")), found: found.collect() }
}
