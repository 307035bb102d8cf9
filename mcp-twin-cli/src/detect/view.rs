//! From an inventory to what is shown: one server for all entries that come to the same, also where one of them goes through
//! mcp-twin and another does not.

use super::document::{Detected, DetectedFile, DetectedServer, Place, Problem};
use mcp_twin_core::detect::launch::Launch;
use mcp_twin_core::detect::{Inventory, Machine, Scope, Server, Transport};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The document of an inventory; of entries only those in one of these scopes, if there are any.
pub(crate) fn document(inventory: &Inventory, machine: &Machine<'_>, scopes: &[Scope]) -> Detected {
    let wanted = |scope: Scope| scopes.is_empty() || scopes.contains(&scope);
    let mut known: Vec<(Identity, DetectedServer)> = Vec::new();
    for (source, server) in entries(inventory).filter(|(source, _)| wanted(source.scope)) {
        let launch = server.original_launch(machine);
        let identity = Identity::of(server, launch.as_ref());
        let place = Place {
            client: source.client.id().to_owned(),
            client_name: source.client.name().to_owned(),
            scope: source.scope.to_string(),
            file: text(&source.path),
            name: server.name.clone(),
            enabled: server.enabled,
            hidden: server.hidden,
            twinned: server.runs_mcp_twin(),
            flags: server.all_flags(),
        };
        let counts = server.enabled && !server.hidden;
        match known.iter_mut().find(|(other, _)| *other == identity) {
            Some((_, found)) => {
                found.enabled |= counts;
                found.places.push(place);
            }
            None => known.push((identity, described(server, launch.as_ref(), counts, place))),
        }
    }
    let files = inventory.files.iter().filter(|file| wanted(file.source.scope));
    let files = files.map(|file| DetectedFile {
        client: file.source.client.id().to_owned(),
        scope: file.source.scope.to_string(),
        path: text(&file.source.path),
        syntax: format!("{:?}", file.source.syntax).to_lowercase(),
        servers: file.parsed.servers.len(),
        legacy: file.source.legacy,
    });
    Detected {
        command: "detect",
        exit: 0,
        project: machine.project.map(text),
        servers: known.into_iter().map(|(_, server)| server).collect(),
        files: files.collect(),
        problems: problems(inventory, wanted),
    }
}

/// The files that give no servers, each once with all that read it.
pub(crate) fn problems(inventory: &Inventory, wanted: impl Fn(Scope) -> bool) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for file in inventory.files.iter().filter(|file| wanted(file.source.scope)) {
        let Some(error) = &file.parsed.error else { continue };
        let path = text(&file.source.path);
        let client = file.source.client.name().to_owned();
        let position = error.position();
        let problem = Problem {
            path,
            clients: vec![client.clone()],
            code: error.code().to_owned(),
            message: error.to_string(),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
        };
        let same = |known: &&mut Problem| known.path == problem.path && known.message == problem.message;
        match problems.iter_mut().find(same) {
            Some(known) if known.clients.contains(&client) => {}
            Some(known) => known.clients.push(client),
            None => problems.push(problem),
        }
    }
    problems
}

/// Each entry with its file.
fn entries(inventory: &Inventory) -> impl Iterator<Item = (&mcp_twin_core::detect::Source, &Server)> {
    inventory.files.iter().flat_map(|file| file.parsed.servers.iter().map(|server| (&file.source, server)))
}

fn described(server: &Server, launch: Option<&Launch>, counts: bool, place: Place) -> DetectedServer {
    let twin = match launch {
        Some(launch) if !server.flags.contains(&mcp_twin_core::detect::EntryFlag::PluginOwned) => {
            launch.twin.to_string()
        }
        _ => server.twin(),
    };
    DetectedServer {
        name: server.name.clone(),
        enabled: counts,
        transport: match server.transport {
            Transport::Stdio => "stdio",
            Transport::Http => "http",
            Transport::Sse => "sse",
            Transport::Ws => "ws",
        },
        argv: server.shown_original(),
        url: server.url.clone(),
        cwd: launch.and_then(|launch| launch.cwd.as_deref()).or(server.cwd.as_deref()).map(text),
        env: server.env_names.clone(),
        headers: server.header_names.clone(),
        launcher: launch.map(|launch| launch.kind.to_string()),
        script: launch.and_then(|launch| launch.script.as_deref()).map(text),
        package: launch.and_then(|launch| launch.package.clone()),
        watch: launch.map(|launch| launch.watch.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        twin,
        reason: launch.and_then(|launch| launch.reason.clone()),
        places: vec![place],
    }
}

/// What makes two entries the same server.
#[derive(PartialEq, Eq)]
struct Identity {
    command: Vec<String>,
    cwd: Option<PathBuf>,
    names: BTreeSet<String>,
    url: Option<String>,
    /// An entry that runs mcp-twin and names no command is only like itself.
    only: Option<Vec<String>>,
}

impl Identity {
    fn of(server: &Server, launch: Option<&Launch>) -> Self {
        let command = server.original().to_vec();
        let names = if server.is_stdio() { &server.env_names } else { &server.header_names };
        Self {
            only: (command.is_empty() && server.url.is_none()).then(|| server.argv.clone()),
            command,
            cwd: launch.and_then(|launch| launch.cwd.clone()),
            names: names.iter().cloned().collect(),
            url: server.url.clone(),
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
