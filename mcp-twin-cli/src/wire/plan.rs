//! What `wire` is going to do: the choice turned into edits, each tried on the file as it is.

use super::choose::{Choice, How, Known, Wanted, choose};
use super::front;
use super::program::Program;
use super::reason::Reason;
use mcp_twin_core::detect::launch::Flag;
use mcp_twin_core::detect::{Client, EntryFlag, Inventory, ParseError, Scope, Server, Source, Step, Syntax};
use mcp_twin_core::spec::slug;
use mcp_twin_core::wire::{Change as Entry, WireError, shadow};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::wiring::{self, Edit, WiringError};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// One entry that is going to be wired.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) server: String,
    pub(crate) client: Client,
    /// The scope of the file that is changed.
    pub(crate) scope: Scope,
    pub(crate) file: PathBuf,
    /// Other clients that read it.
    pub(crate) others: Vec<Client>,
    pub(crate) how: How,
    pub(crate) edit: Edit,
    /// What would change, without secrets.
    pub(crate) diff: String,
    /// What is worth knowing about it.
    pub(crate) notes: Vec<String>,
}

/// An entry that is left alone, or cannot be changed.
#[derive(Debug)]
pub(crate) struct Aside<Why> {
    pub(crate) server: String,
    pub(crate) client: Client,
    pub(crate) scope: Scope,
    pub(crate) file: PathBuf,
    pub(crate) why: Why,
}

/// What `wire` is going to do.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) program: Program,
    pub(crate) changes: Vec<Change>,
    pub(crate) left: Vec<Aside<Reason>>,
    pub(crate) refused: Vec<Aside<WiringError>>,
    /// Files whose client reads nothing from them.
    pub(crate) unreadable: Vec<(PathBuf, ParseError)>,
}

impl Plan {
    /// Makes the plan. Writes nothing.
    pub(crate) fn make(
        home: &Home,
        inventory: &Inventory,
        sources: &[Source],
        wanted: &Wanted<'_>,
        program: Program,
    ) -> Self {
        let fronts = front::Fronts::new(home);
        let known = Known {
            real: &|path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            exists: &Path::exists,
            front: &|name, path| fronts.address(name, path),
        };
        let mut plan = Self {
            program,
            changes: Vec::new(),
            left: Vec::new(),
            refused: Vec::new(),
            unreadable: unreadable(inventory, wanted),
        };
        for choice in choose(inventory, wanted, &known) {
            plan.add(&choice, sources);
        }
        plan
    }

    /// Whether a name is that of an entry, whatever becomes of it.
    pub(crate) fn knows(&self, name: &str) -> bool {
        let servers = self.changes.iter().map(|change| &change.server);
        let servers = servers.chain(self.left.iter().map(|aside| &aside.server));
        let mut servers = servers.chain(self.refused.iter().map(|aside| &aside.server));
        servers.any(|server| super::choose::names(name, server))
    }

    fn add(&mut self, choice: &Choice<'_>, sources: &[Source]) {
        let (source, server) = (choice.source, choice.server);
        let how = match &choice.verdict {
            Ok(how) => how.clone(),
            Err(reason) => return self.leave(source, server, reason.clone()),
        };
        let name = slug(&server.name).to_string();
        let made = match &how {
            How::Address(url) => Ok((source, in_place(server, Entry::Address { url: url.clone() }))),
            How::Run => self.run(source, server, name).map(|change| (source, in_place(server, change))),
            How::Shadow => self.shadow(source, server, &name, sources),
        };
        let (target, edit) = match made {
            Ok(made) => made,
            Err(Problem::Left(reason)) => return self.leave(source, server, reason),
            Err(Problem::Refused(error)) => return self.refuse(source, server, error),
        };
        match wiring::preview(&target.path, &edit) {
            Ok(diff) => {
                let others = match how {
                    // Only Claude Code reads its local scope.
                    How::Shadow => Vec::new(),
                    _ => choice.readers.iter().copied().filter(|reader| *reader != source.client).collect(),
                };
                self.changes.push(Change {
                    server: server.name.clone(),
                    client: source.client,
                    scope: target.scope,
                    file: target.path.clone(),
                    others,
                    notes: notes(source, server, &how),
                    how,
                    edit,
                    diff,
                });
            }
            Err(WiringError::Text { source: WireError::Already { .. }, .. }) => {
                self.leave(source, server, Reason::Already);
            }
            Err(error) => self.refuse(source, server, error),
        }
    }

    /// The change of an entry that runs a command.
    fn run(&self, source: &Source, server: &Server, name: String) -> Result<Entry, Problem> {
        let split = server.launch.as_ref().is_some_and(|launch| launch.flags.contains(&Flag::SplitCommandString));
        let words = if split {
            let text = read(&source.path)?;
            let refuse = |source_error| refused(&source.path, source_error);
            let line = mcp_twin_core::wire::command(&text, &server.site).map_err(refuse)?;
            let words = line.as_deref().and_then(|line| shell_words::split(line).ok().filter(|_| !line.contains('\\')));
            let what = "its command is a whole line that cannot be taken apart; write the program in `command` and the \
                rest in `args`, then try again";
            Some(words.ok_or_else(|| refuse(WireError::Shape { path: server.name.clone(), what: what.to_owned() }))?)
        } else {
            None
        };
        Ok(Entry::Run { program: self.program.path.clone(), name, words })
    }

    /// The entry of Claude Code's local scope that hides a shared one.
    fn shadow<'a>(
        &self,
        source: &Source,
        server: &Server,
        name: &str,
        sources: &'a [Source],
    ) -> Result<(&'a Source, Edit), Problem> {
        let local = sources.iter().find(|other| other.client == source.client && other.scope == Scope::Local);
        let local = local.ok_or(Problem::Left(Reason::Shared))?;
        let text = read(&source.path)?;
        let entry = entry_at(&text, &server.site.path).ok_or(Problem::Left(Reason::Shared))?;
        let shadow = shadow(&entry, &self.program.path, name).ok_or(Problem::Left(Reason::Shared))?;
        if !shadow.missing.is_empty() {
            return Err(Problem::Left(Reason::Values(shadow.missing)));
        }
        let edit = Edit::Add { syntax: Syntax::Json, path: local.place_of(&server.name), entry: shadow.entry };
        Ok((local, edit))
    }

    fn leave(&mut self, source: &Source, server: &Server, why: Reason) {
        self.left.push(aside(source, server, why));
    }

    fn refuse(&mut self, source: &Source, server: &Server, why: WiringError) {
        self.refused.push(aside(source, server, why));
    }
}

/// Why a choice comes to no edit.
enum Problem {
    Left(Reason),
    Refused(WiringError),
}

fn aside<Why>(source: &Source, server: &Server, why: Why) -> Aside<Why> {
    Aside { server: server.name.clone(), client: source.client, scope: source.scope, file: source.path.clone(), why }
}

fn refused(file: &Path, source: WireError) -> Problem {
    Problem::Refused(WiringError::Text { file: file.to_owned(), source })
}

fn in_place(server: &Server, change: Entry) -> Edit {
    Edit::Wire { site: server.site.clone(), change }
}

fn read(file: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(file)
        .map_err(|source| Problem::Refused(WiringError::Io { doing: "read", path: file.to_owned(), source }))
}

/// The entry at a path of strict JSON.
fn entry_at(text: &[u8], path: &[Step]) -> Option<Value> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let root: Value = serde_json::from_slice(text).ok()?;
    let found = path.iter().try_fold(&root, |node, step| match step {
        Step::Key(key) => node.get(key),
        Step::Index(at) => node.get(at),
    });
    found.cloned()
}

fn notes(source: &Source, server: &Server, how: &How) -> Vec<String> {
    let mut notes = Vec::new();
    let watches = server.flags.contains(&EntryFlag::ClientWatches);
    let itself = server.launch.as_ref().is_some_and(|launch| launch.flags.contains(&Flag::SelfReloading));
    if watches {
        notes.push(format!(
            "{} restarts it at a save by itself: take `dev.watch` or `watchPaths` out of the entry",
            source.client
        ));
    }
    if itself {
        notes.push("its command reloads by itself: leave the watching to mcp-twin, and start it plainly".to_owned());
    }
    if let (How::Run, Some(launch)) = (how, &server.launch)
        && !launch.watchable()
    {
        notes.push("no files of it are known, so nothing reloads it but `mcp-twin reload`".to_owned());
    }
    if *how == How::Shadow {
        notes.push(format!(
            "{} stays as it is: this entry hides the shared one from Claude Code, for you and this project only",
            source.path.display()
        ));
    }
    notes
}

fn unreadable(inventory: &Inventory, wanted: &Wanted<'_>) -> Vec<(PathBuf, ParseError)> {
    let mut found: Vec<(PathBuf, ParseError)> = Vec::new();
    for file in &inventory.files {
        let meant = wanted.client.is_none_or(|client| client == file.source.client)
            && wanted.scope.is_none_or(|scope| scope == file.source.scope);
        if let Some(error) = file.parsed.error.as_ref().filter(|_| meant)
            && !found.iter().any(|(path, _)| *path == file.source.path)
        {
            found.push((file.source.path.clone(), error.clone()));
        }
    }
    found
}
