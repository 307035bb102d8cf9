//! One entry of a file, read into a server.

use super::dialect::Dialect;
use super::document::{Document, Node};
use super::expand::Expander;
use super::launch::{Launch, Place, path};
use super::machine::Machine;
use super::server::{EntryFlag, Server, Transport};
use super::site::{Shape, Site, Step};
use super::source::Source;
use super::{Scope, url};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What reads the entries of one file.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) machine: &'a Machine<'a>,
    pub(super) document: &'a Document,
}

/// Why an entry is no server.
pub(super) enum Refusal {
    /// It is something else.
    NoServer,
    /// The client refuses the whole file for it.
    Fatal,
}

impl Reader<'_> {
    /// Reads the entry of this name that stands at `path`.
    pub(super) fn read(&self, name: &str, node: &Node, mut path: Vec<Step>) -> Result<Server, Refusal> {
        let dialect = self.source.dialect;
        if node.map().is_none() || node.member("bundled").and_then(Node::bool) == Some(true) {
            return Err(Refusal::NoServer);
        }
        let mut flags = self.file_flags();
        // Cline's: what says how it is run stands one deeper.
        let inner = match node.member("transport").filter(|inner| inner.map().is_some()) {
            Some(inner) => {
                flags.insert(EntryFlag::NestedTransport);
                path.push(Step::Key("transport".to_owned()));
                inner
            }
            None => node,
        };
        let spelled = ["type", "transport"].iter().find_map(|key| inner.member(key)?.text());
        let said = match spelled {
            Some(text) => Some(Transport::spelled(text).ok_or(Refusal::NoServer)?),
            None => None,
        };
        let command = command(inner, dialect);
        let address = dialect.urls.iter().find_map(|(key, implied)| {
            let text = inner.member(key)?.text().filter(|text| !text.trim().is_empty())?;
            Some((*key, *implied, text))
        });
        if dialect.refuses_both && command.is_some() && address.is_some() {
            return Err(Refusal::Fatal);
        }
        let remote = match (said, &command, address) {
            (_, None, None) => return Err(Refusal::NoServer),
            (_, None, Some(_)) => true,
            (_, Some(_), None) => false,
            (Some(said), ..) => said != Transport::Stdio,
            (None, ..) => dialect.remote_first,
        };
        let mut expander = Expander::new(dialect.forms, self.machine, self.source.plugin.as_deref());
        let mut server = Server {
            name: name.to_owned(),
            client: self.source.client,
            scope: self.source.scope,
            transport: Transport::Stdio,
            enabled: enabled(node) && enabled(inner),
            hidden: false,
            argv: Vec::new(),
            env_names: Vec::new(),
            header_names: Vec::new(),
            url: None,
            cwd: None,
            env_file: None,
            site: Site { syntax: self.source.syntax, path, shape: Shape::Array },
            flags: BTreeSet::new(),
            launch: None,
        };
        match (command, address) {
            (_, Some((key, implied, text))) if remote => {
                server.site.shape = Shape::Url { url: key };
                let full = expander.text(text);
                server.transport = match said {
                    Some(said) if said != Transport::Stdio => said,
                    _ if full.starts_with("ws://") || full.starts_with("wss://") => Transport::Ws,
                    _ => implied,
                };
                if url::is_loopback(&full) {
                    flags.insert(EntryFlag::Loopback);
                }
                server.url = Some(url::shown(&full));
                server.header_names = headers(inner, dialect, &mut expander);
            }
            (Some(command), _) => {
                server.site.shape = command.shape;
                self.stdio(&mut server, inner, &command, &mut expander);
            }
            (None, _) => return Err(Refusal::NoServer),
        }
        if let Some(file) = ["envFile", "env_file"].iter().find_map(|key| inner.member(key)?.text()) {
            let file = expander.text(file);
            let file = path::resolve(self.machine.project_text().as_deref(), &file).unwrap_or(file);
            flags.insert(EntryFlag::EnvFile(file.clone()));
            server.env_file = Some(PathBuf::from(file));
        }
        // VS Code's `dev`, Roo Code's `watchPaths`.
        let dev = node.at(&["dev", "watch"]).is_some_and(|watch| watch.bool() != Some(false));
        let watched = node.member("watchPaths").and_then(Node::list).is_some_and(|paths| !paths.is_empty());
        if dev || watched {
            flags.insert(EntryFlag::ClientWatches);
        }
        flags.extend(expander.unset.into_iter().map(EntryFlag::UnsetVariable));
        flags.extend(expander.inputs.into_iter().map(EntryFlag::NeedsInput));
        server.flags = flags;
        Ok(server)
    }

    fn stdio(&self, server: &mut Server, node: &Node, command: &Command<'_>, expander: &mut Expander<'_>) {
        let dialect = self.source.dialect;
        let argv: Vec<String> = command.words.iter().map(|word| expander.text(word)).collect();
        let own = command.env.or_else(|| node.member(dialect.env)).and_then(Node::map).unwrap_or_default();
        // These values live until the command line is read.
        let mut env = Vec::with_capacity(own.len());
        for (name, value) in own {
            if let Some(value) = value.word() {
                env.push((name.clone(), expander.value(&value)));
            }
            server.env_names.push(name.clone());
        }
        for name in dialect.passed.iter().filter_map(|key| node.member(key)).flat_map(passed) {
            if !server.env_names.iter().any(|known| known == name) {
                server.env_names.push(name.to_owned());
            }
        }
        let base = if self.source.in_project() { self.machine.project_text() } else { None };
        let asked = dialect.cwd.iter().find_map(|key| node.member(key)?.text()).filter(|cwd| !cwd.is_empty());
        let cwd = match asked.map(|cwd| expander.text(cwd)) {
            Some(cwd) => match cwd.strip_prefix("~/") {
                Some(below) => Some(path::join(&self.machine.home_text(), below)),
                None => path::resolve(base.as_deref(), &cwd).filter(|cwd| !cwd.contains("${")),
            },
            None => base,
        };
        server.cwd = cwd.map(PathBuf::from);
        let place = Place {
            cwd: server.cwd.as_deref(),
            home: Some(self.machine.home),
            project: self.machine.project,
            env: &env,
            look: self.machine.look,
        };
        let launch = Launch::read_in(&argv, &place);
        server.argv.clone_from(&launch.command);
        server.launch = Some(launch);
    }

    /// What is true of every entry of the file.
    fn file_flags(&self) -> BTreeSet<EntryFlag> {
        let document = self.document;
        [
            (document.bom, EntryFlag::Bom),
            (document.crlf, EntryFlag::Crlf),
            (!document.duplicates.is_empty(), EntryFlag::DuplicateKey),
            (document.references, EntryFlag::MergeKey),
            (self.source.legacy, EntryFlag::LegacyLocation),
            (self.source.scope == Scope::Plugin, EntryFlag::PluginOwned),
        ]
        .into_iter()
        .filter_map(|(is, flag)| is.then_some(flag))
        .collect()
    }
}

/// A command as it stands in an entry.
pub(super) struct Command<'a> {
    pub(super) words: Vec<String>,
    pub(super) env: Option<&'a Node>,
    shape: Shape,
}

pub(super) fn command<'a>(node: &'a Node, dialect: &Dialect) -> Option<Command<'a>> {
    let words = |node: Option<&Node>| -> Vec<String> {
        node.and_then(Node::list).unwrap_or_default().iter().filter_map(Node::word).collect()
    };
    let key = dialect.command;
    let found = match node.member(key)? {
        Node::Text(program) => {
            let words = std::iter::once(program.clone()).chain(words(node.member("args"))).collect();
            Command { words, env: None, shape: Shape::Words { command: key } }
        }
        list @ Node::List(_) => {
            let words = words(Some(list)).into_iter().chain(words(node.member("args"))).collect();
            Command { words, env: None, shape: Shape::Array }
        }
        program @ Node::Map(_) => {
            let first = program.member("path")?.text()?.to_owned();
            let words = std::iter::once(first).chain(words(program.member("args"))).collect();
            Command { words, env: program.member("env"), shape: Shape::Program }
        }
        Node::Null | Node::Bool(_) | Node::Number(_) => return None,
    };
    found.words.first().is_some_and(|word| !word.trim().is_empty()).then_some(found)
}

/// Names in a list of them, or of objects with a `name`.
fn passed(node: &Node) -> Vec<&str> {
    node.list()
        .unwrap_or_default()
        .iter()
        .filter_map(|item| item.text().or_else(|| item.member("name").and_then(Node::text)))
        .collect()
}

fn headers(node: &Node, dialect: &Dialect, expander: &mut Expander<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, value) in dialect.headers.iter().filter_map(|keys| node.at(keys)?.map()).flatten() {
        if let Some(value) = value.word() {
            // For what it refers to; the value itself is dropped.
            expander.text(&value);
        }
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.clone());
        }
    }
    // Codex makes this one by itself.
    if node.member("bearer_token_env_var").is_some()
        && !names.iter().any(|name| name.eq_ignore_ascii_case("authorization"))
    {
        names.push("Authorization".to_owned());
    }
    names
}

fn enabled(node: &Node) -> bool {
    node.member("disabled").and_then(Node::bool) != Some(true)
        && node.member("enabled").and_then(Node::bool) != Some(false)
}
