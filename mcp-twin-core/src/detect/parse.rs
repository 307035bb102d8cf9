//! One file, read as its client reads it.

use super::client::Scope;
use super::document::{Document, Node};
use super::entry::{Reader, Refusal};
use super::error::ParseError;
use super::machine::Machine;
use super::server::Server;
use super::site::Step;
use super::source::Source;
use serde::Serialize;

/// What one file of one client holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parsed {
    /// Where its servers stand, such as `mcpServers`; empty if the file is the map of servers itself.
    pub servers_key: String,
    /// Whether that is there at all.
    pub found: bool,
    /// The servers, in the order of the file.
    pub servers: Vec<Server>,
    /// Entries that are no server.
    pub skipped: Vec<String>,
    /// Why the client gets no servers from it.
    pub error: Option<ParseError>,
    /// It begins with a byte order mark.
    pub bom: bool,
    /// Some of its lines end in CRLF.
    pub crlf: bool,
    /// Keys that are there twice, such as `mcpServers.a`. An editor must not touch such a file.
    pub duplicate_keys: Vec<String>,
    /// YAML's anchors or merge keys are used.
    pub merge_keys: bool,
    /// Servers of the project's own files that the user has switched off in this one.
    #[serde(skip)]
    pub(super) switched_off: SwitchedOff,
    /// The file that a plugin names in the place of servers.
    #[serde(skip)]
    pub(super) elsewhere: Option<String>,
}

/// Names that one file switches off in others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SwitchedOff {
    /// Whatever file they stand in.
    pub(super) any: Vec<String>,
    /// Only those of `.mcp.json`.
    pub(super) project: Vec<String>,
}

/// Reads a file of a client. Whatever is in it, there is an answer; what is wrong with it stands in [`Parsed::error`].
///
/// The values of variables and headers are dropped before this returns.
#[must_use]
pub fn parse(source: &Source, bytes: &[u8], machine: &Machine<'_>) -> Parsed {
    let wanted = source.keys.first().map(|keys| keys.join(".")).unwrap_or_default();
    match Document::read(source.syntax, bytes) {
        Ok(document) => read(source, &document, machine, wanted),
        Err(error) => Parsed { servers_key: wanted, error: Some(error), ..Parsed::default() },
    }
}

fn read(source: &Source, document: &Document, machine: &Machine<'_>, wanted: String) -> Parsed {
    let shown = |path: &Vec<Step>| path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
    let mut parsed = Parsed {
        servers_key: wanted,
        bom: document.bom,
        crlf: document.crlf,
        duplicate_keys: document.duplicates.iter().map(shown).collect(),
        merge_keys: document.references,
        switched_off: switched_off(source, &document.root, machine),
        ..Parsed::default()
    };
    let Some((path, servers)) = container(source, &document.root) else { return parsed };
    parsed.servers_key = path.join(".");
    let steps: Vec<Step> = path.into_iter().map(Step::Key).collect();
    let reader = Reader { source, machine, document };
    let entries: Vec<(String, Step, &Node)> = match servers {
        Node::Map(members) => {
            members.iter().map(|(name, node)| (name.clone(), Step::Key(name.clone()), node)).collect()
        }
        Node::List(items) if source.dialect.list => items
            .iter()
            .enumerate()
            .map(|(at, node)| {
                let name = node.member("name").and_then(Node::word).unwrap_or_else(|| format!("[{at}]"));
                (name, Step::Index(at), node)
            })
            .collect(),
        // A plugin may keep them in another file.
        Node::Text(file) if source.scope == Scope::Plugin => {
            parsed.elsewhere = Some(file.clone());
            return parsed;
        }
        other => {
            parsed.error = Some(ParseError::WrongShape { key: parsed.servers_key.clone(), found: other.kind() });
            return parsed;
        }
    };
    parsed.found = true;
    for (name, step, node) in entries {
        let path = steps.iter().cloned().chain([step]).collect();
        match reader.read(&name, node, path) {
            Ok(server) => parsed.servers.push(server),
            Err(Refusal::NoServer) => parsed.skipped.push(name),
            Err(Refusal::Fatal) => {
                parsed.servers.clear();
                parsed.error = Some(ParseError::Refused { server: name });
                return parsed;
            }
        }
    }
    let off = &parsed.switched_off;
    let allowed = document.root.at(&["mcp", "allowed"]);
    let excluded = document.root.at(&["mcp", "excluded"]);
    for server in &mut parsed.servers {
        let lists = |node: Option<&Node>| node.is_some_and(|node| node.texts().any(|name| name == server.name));
        // Gemini CLI's.
        let shut = lists(excluded) || (allowed.and_then(Node::list).is_some() && !lists(allowed));
        if shut || off.any.contains(&server.name) {
            server.enabled = false;
        }
    }
    parsed
}

/// The node that holds the servers and the way to it.
fn container<'a>(source: &Source, root: &'a Node) -> Option<(Vec<String>, &'a Node)> {
    // opencode may have a server that is called `servers`.
    let is_entry = |node: &Node| {
        ["command", "url", "type"].iter().any(|key| node.member(key).is_some_and(|node| node.map().is_none()))
    };
    let mut places: Vec<&Vec<String>> = source.keys.iter().collect();
    places.sort_by_key(|keys| std::cmp::Reverse(keys.len()));
    let found = places.into_iter().find_map(|keys| {
        Some((keys.clone(), root.at(keys)?)).filter(|(keys, node)| keys.len() == 1 || !is_entry(node))
    });
    if found.is_some() || !source.dialect.flat {
        return found;
    }
    // Without a wrapper: every member looks like an entry, and there is one.
    let bare = root.map().is_some_and(|members| {
        !members.is_empty()
            && members.iter().all(|(_, node)| {
                ["command", "url", "httpUrl", "serverUrl", "transport"].iter().any(|key| node.member(key).is_some())
            })
    });
    bare.then(|| (Vec::new(), root))
}

/// What `~/.claude.json` says of the servers of this project.
fn switched_off(source: &Source, root: &Node, machine: &Machine<'_>) -> SwitchedOff {
    let mut off = SwitchedOff::default();
    if source.client.id() != "claude-code" || !matches!(source.scope, Scope::User | Scope::Local) {
        return off;
    }
    for folder in machine.repository().into_iter().chain(machine.project_text()) {
        let names = |key: &str| -> Vec<String> {
            let list = root.at(&["projects", folder.as_str(), key]);
            list.map(|list| list.texts().map(str::to_owned).collect()).unwrap_or_default()
        };
        off.any.extend(names("disabledMcpServers"));
        off.project.extend(names("disabledMcpjsonServers"));
    }
    off
}
