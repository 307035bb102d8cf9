//! Everything that is configured: the files of all clients, which entry counts where names meet, and which entries are one
//! and the same server.

use super::client::{Client, Scope};
use super::document::LARGEST;
use super::error::ParseError;
use super::machine::Machine;
use super::parse::{Parsed, SwitchedOff, parse};
use super::server::{EntryFlag, Server};
use super::source::{Source, sources};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// A file that is there, as one of its clients reads it.
#[derive(Clone, Debug, Serialize)]
pub struct Configuration {
    /// The file.
    #[serde(flatten)]
    pub source: Source,
    /// What it holds.
    #[serde(flatten)]
    pub parsed: Parsed,
}

/// What is configured on a machine.
#[derive(Clone, Debug, Serialize)]
pub struct Inventory {
    /// The files that are there. One with several readers is there for each of them.
    pub files: Vec<Configuration>,
    /// The servers, each with all places that it is configured in.
    pub servers: Vec<Configured>,
}

/// One server: entries that start the same command in the same folder with the same variables, or lead to the same address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Configured {
    /// The name of its first entry.
    pub name: String,
    /// Whether one of its clients starts it.
    pub enabled: bool,
    /// Where it is configured.
    pub places: Vec<Entry>,
}

/// Where one entry is found in an [`Inventory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The index of its file.
    pub file: usize,
    /// Its index among the servers of the file.
    pub server: usize,
}

impl Inventory {
    /// The file and the server of an entry.
    #[must_use]
    pub fn entry(&self, entry: Entry) -> Option<(&Source, &Server)> {
        let file = self.files.get(entry.file)?;
        Some((&file.source, file.parsed.servers.get(entry.server)?))
    }

    /// The clients that read a file.
    pub fn readers<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = Client> + 'a {
        let mut last: Option<Client> = None;
        self.files.iter().filter(move |file| file.source.path == path).filter_map(move |file| {
            // Its scopes stand one behind the other.
            let client = file.source.client;
            (last.replace(client) != Some(client)).then_some(client)
        })
    }
}

/// Finds and reads what all clients have configured on a machine, for a project if one is given.
#[must_use]
pub fn detect(machine: &Machine<'_>) -> Inventory {
    detect_in(machine, sources(machine))
}

/// The same for files of one's choice, such as those of one client.
#[must_use]
pub fn detect_in(machine: &Machine<'_>, sources: Vec<Source>) -> Inventory {
    let mut files = Vec::new();
    let mut sources = sources.into_iter().peekable();
    while let Some(source) = sources.next() {
        let content = machine.look.read(&source.path, LARGEST);
        // The scopes of one file follow each other often; it is read once for them.
        let more = std::iter::from_fn(|| sources.next_if(|next| next.path == source.path)).collect::<Vec<_>>();
        for source in std::iter::once(source).chain(more) {
            let parsed = match &content {
                Ok(Some(bytes)) => parse(&source, bytes, machine),
                Ok(None) => continue,
                Err(why) => Parsed { error: Some(ParseError::Unreadable { why: why.clone() }), ..Parsed::default() },
            };
            let elsewhere = parsed.elsewhere.as_deref().and_then(|file| source.elsewhere(file));
            files.push(Configuration { source, parsed });
            if let Some(source) = elsewhere
                && let Ok(Some(bytes)) = machine.look.read(&source.path, LARGEST)
            {
                let parsed = parse(&source, &bytes, machine);
                files.push(Configuration { source, parsed });
            }
        }
    }
    settle(&mut files);
    let servers = group(&files);
    Inventory { files, servers }
}

/// Decides between entries of one name: per client, which of them counts, what is hidden, what is switched off elsewhere.
pub fn settle(files: &mut [Configuration]) {
    let clients: Vec<Client> = files.iter().map(|file| file.source.client).fold(Vec::new(), |mut seen, client| {
        if !seen.contains(&client) {
            seen.push(client);
        }
        seen
    });
    for client in clients {
        let mut own: Vec<&mut Configuration> = files.iter_mut().filter(|file| file.source.client == client).collect();
        own.sort_by_key(|file| file.source.rank);
        switch_off(&mut own);
        shadow(&mut own);
    }
}

fn switch_off(files: &mut [&mut Configuration]) {
    let mut off = SwitchedOff::default();
    for file in files.iter() {
        off.any.extend(file.parsed.switched_off.any.iter().cloned());
        off.project.extend(file.parsed.switched_off.project.iter().cloned());
    }
    for file in files {
        let project = file.source.scope == Scope::Project;
        for server in &mut file.parsed.servers {
            if off.any.contains(&server.name) || (project && off.project.contains(&server.name)) {
                server.enabled = false;
            }
        }
    }
}

/// `files` are those of one client, the strongest first.
fn shadow(files: &mut [&mut Configuration]) {
    let alone = files.iter().position(|file| file.source.exclusive && file.parsed.found);
    // Where each name counts, and in which scope it was hidden.
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut shadows: Vec<(usize, String, Scope)> = Vec::new();
    let mut scopes: HashMap<PathBuf, BTreeSet<Scope>> = HashMap::new();
    for (at, file) in files.iter_mut().enumerate() {
        let scope = file.source.scope;
        if file.parsed.found {
            scopes.entry(file.source.path.clone()).or_default().insert(scope);
        }
        let excluded = alone.is_some_and(|alone| alone != at);
        // What plugins bring has names of its own.
        let apart = scope == Scope::Plugin;
        for server in &mut file.parsed.servers {
            if excluded {
                server.hidden = true;
            } else if !apart {
                match first.get(&server.name) {
                    Some(by) => {
                        server.hidden = true;
                        server.flags.insert(EntryFlag::Scope(scope));
                        shadows.push((*by, server.name.clone(), scope));
                    }
                    None => {
                        first.insert(server.name.clone(), at);
                    }
                }
            }
        }
    }
    for (at, name, hidden) in shadows {
        let Some(file) = files.get_mut(at) else { continue };
        let scope = file.source.scope;
        let by = file.parsed.servers.iter_mut().filter(|server| server.name == name && !server.hidden);
        for server in by {
            server.flags.extend([EntryFlag::Scope(scope), EntryFlag::Shadows(hidden)]);
        }
    }
    // In a file that holds several scopes each entry says which one it is of.
    for file in files {
        if scopes.get(&file.source.path).is_some_and(|scopes| scopes.len() > 1) {
            let scope = file.source.scope;
            file.parsed.servers.iter_mut().for_each(|server| {
                server.flags.insert(EntryFlag::Scope(scope));
            });
        }
    }
}

/// What makes two entries the same server.
type Identity<'a> = (&'a [String], Option<&'a Path>, BTreeSet<&'a str>, Option<&'a str>);

fn group(files: &[Configuration]) -> Vec<Configured> {
    let mut groups: Vec<Configured> = Vec::new();
    let mut known: HashMap<Identity<'_>, usize> = HashMap::new();
    for (at, file) in files.iter().enumerate() {
        for (index, server) in file.parsed.servers.iter().enumerate() {
            let cwd = server.launch.as_ref().and_then(|launch| launch.cwd.as_deref());
            let names = if server.is_stdio() { &server.env_names } else { &server.header_names };
            let identity =
                (server.argv.as_slice(), cwd, names.iter().map(String::as_str).collect(), server.url.as_deref());
            let group = *known.entry(identity).or_insert_with(|| {
                groups.push(Configured { name: server.name.clone(), enabled: false, places: Vec::new() });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(group) {
                group.enabled |= server.enabled && !server.hidden;
                group.places.push(Entry { file: at, server: index });
            }
        }
    }
    groups
}
