//! One file of one client on one machine: where it is, for whom it counts, and how it is to be read.

use super::client::{Client, Mark, Scope};
use super::dialect::{CLAUDE_PLUGIN, Dialect};
use super::launch::path;
use super::machine::{Machine, Os};
use super::site::{Step, Syntax};
use super::table::{File, Up};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// No pattern is followed to more places than this.
const MOST: usize = 512;

/// A configuration file of a client, there or not.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// Whose file it is. A file may have several readers; it is a source of each.
    pub client: Client,
    /// For whom it counts.
    pub scope: Scope,
    /// Where it is.
    pub path: PathBuf,
    /// How it is written.
    pub syntax: Syntax,
    /// How its place and form are known.
    pub mark: Mark,
    /// The client has left this place.
    pub legacy: bool,
    /// It hides every other file of its client.
    pub exclusive: bool,
    /// Its strength among the files of its client: of two servers of one name that with the smaller rank counts.
    pub rank: usize,
    #[serde(skip)]
    pub(super) keys: Vec<Vec<String>>,
    #[serde(skip)]
    pub(super) dialect: &'static Dialect,
    /// The root of the plugin that owns it.
    #[serde(skip)]
    pub(super) plugin: Option<String>,
}

impl Source {
    /// Whether the file may be rewritten without being told so twice: its form is known at first or second hand, the client
    /// has not left it, and it is the user's own.
    #[must_use]
    pub fn rewritable(&self) -> bool {
        self.mark <= Mark::Source
            && !self.legacy
            && !matches!(self.scope, Scope::Managed | Scope::System | Scope::Plugin)
    }

    /// Where an entry of this name would be added.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Vec<Step> {
        let keys = self.keys.first().into_iter().flatten().map(String::as_str);
        keys.chain([name]).map(|key| Step::Key(key.to_owned())).collect()
    }

    /// Whether relative paths in it are the project's.
    pub(super) fn in_project(&self) -> bool {
        matches!(self.scope, Scope::Project | Scope::Local)
    }

    /// A file that the user names, read as `client` would read a file of this scope. `None` if it has no such files.
    #[must_use]
    pub fn named(client: Client, scope: Scope, file: &Path, machine: &Machine<'_>) -> Option<Self> {
        let extension = path::extension(&file.to_string_lossy());
        let syntax = |row: &File| row.dialect.unwrap_or(client.0.dialect).syntax;
        let fits = |row: &&File| match extension.as_str() {
            "toml" => syntax(row) == Syntax::Toml,
            "yaml" | "yml" => syntax(row) == Syntax::Yaml,
            "json" => matches!(syntax(row), Syntax::Json | Syntax::Jsonc),
            "jsonc" => syntax(row) == Syntax::Jsonc,
            _ => true,
        };
        let of_scope = || client.0.files.iter().enumerate().filter(|(_, row)| row.scope == scope);
        let (rank, row) = of_scope()
            .find(|(_, row)| fits(row) && row.keys.is_none())
            .or_else(|| of_scope().find(|(_, row)| row.keys.is_none()))?;
        Some(Self::of(client, row, file.to_string_lossy().into_owned(), rank, machine))
    }

    /// The file that a plugin's manifest names in the place of servers, if it is one of the plugin's own.
    pub(super) fn elsewhere(&self, file: &str) -> Option<Self> {
        let root = self.plugin.as_deref()?;
        let at = path::join(root, &file.replace("${CLAUDE_PLUGIN_ROOT}", root));
        let own = path::is_within(&at, root) && Path::new(&at) != self.path;
        own.then(|| Self {
            path: PathBuf::from(at),
            dialect: &CLAUDE_PLUGIN,
            syntax: CLAUDE_PLUGIN.syntax,
            ..self.clone()
        })
    }

    fn of(client: Client, row: &File, at: String, rank: usize, machine: &Machine<'_>) -> Self {
        let dialect = row.dialect.unwrap_or(client.0.dialect);
        let keys = row.keys.unwrap_or(dialect.keys);
        let mut keys: Vec<Vec<String>> =
            keys.iter().map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()).collect();
        if row.scope == Scope::Local && client.0.id == "claude-code" {
            // It keys what is local by the repository's root, by the folder outside of one.
            let folders = machine.repository().into_iter().chain(machine.project_text());
            keys = folders.map(|folder| vec!["projects".to_owned(), folder, "mcpServers".to_owned()]).collect();
            keys.dedup();
        }
        let plugin = (row.scope == Scope::Plugin)
            .then(|| {
                let folder = path::parent(&at)?;
                // `plugin.json` lies one folder deeper.
                let own = path::file_name(folder) == ".claude-plugin";
                (if own { path::parent(folder) } else { Some(folder) }).map(str::to_owned)
            })
            .flatten();
        Self {
            client,
            scope: row.scope,
            path: PathBuf::from(at),
            syntax: dialect.syntax,
            mark: row.mark.unwrap_or(client.0.mark),
            legacy: row.legacy,
            exclusive: row.exclusive,
            rank,
            keys,
            dialect,
            plugin,
        }
    }
}

impl Client {
    /// The files that this client would read on a machine, the strongest first. A file that is named outright is listed
    /// whether it is there or not; what is found in folders above the project, or by a pattern, only if it is.
    #[must_use]
    pub fn sources(self, machine: &Machine<'_>) -> Vec<Source> {
        let mut sources = Vec::new();
        for row in self.0.files.iter().filter(|row| row.on.is_empty() || row.on.contains(&machine.os)) {
            for at in places(row, machine) {
                let rank = sources.len();
                sources.push(Source::of(self, row, at, rank, machine));
            }
        }
        // On the way up from the project the home folder may be met, whose files are the user's.
        let own: Vec<PathBuf> =
            sources.iter().filter(|source| source.scope != Scope::Project).map(|source| source.path.clone()).collect();
        sources.retain(|source| source.scope != Scope::Project || !own.contains(&source.path));
        sources
    }
}

/// The files of all clients on a machine, client by client.
#[must_use]
pub fn sources(machine: &Machine<'_>) -> Vec<Source> {
    Client::all().flat_map(|client| client.sources(machine)).collect()
}

/// Where a row's file would be: nowhere, in one place or in several.
fn places(row: &File, machine: &Machine<'_>) -> Vec<String> {
    let Some(below) = row.at.strip_prefix("{WS}/") else {
        return fill(row.at, machine).map(|at| globbed(&at, machine)).unwrap_or_default();
    };
    let Some(project) = machine.project_text() else { return Vec::new() };
    let top = match row.up {
        Up::No => Some(project.clone()),
        Up::Repository => machine.repository().or_else(|| Some(project.clone())),
        Up::Root => None,
    };
    let mut found = globbed(&path::join(&project, below), machine);
    for folder in path::ancestors(&project) {
        let at = path::join(folder, below);
        if folder != project && machine.exists(&at) {
            found.push(at);
        }
        if top.as_deref() == Some(folder) {
            break;
        }
    }
    found
}

/// A place with its folders and variables filled in; `None` if it does not exist on this machine.
fn fill(at: &str, machine: &Machine<'_>) -> Option<String> {
    let (head, below) = if let Some(rest) = at.strip_prefix("${") {
        let (name, rest) = rest.split_once(":-")?;
        let (otherwise, below) = rest.split_once('}')?;
        (machine.variable(name).or_else(|| fill(otherwise, machine))?, below)
    } else if let Some(rest) = at.strip_prefix('$') {
        let end = rest.find('/').unwrap_or(rest.len());
        (machine.variable(&rest[..end])?, &rest[end..])
    } else if let Some(rest) = at.strip_prefix('{') {
        let (name, below) = rest.split_once('}')?;
        (folder(name, machine)?, below)
    } else if let Some(below) = at.strip_prefix('~') {
        (machine.home_text(), below)
    } else {
        return Some(at.to_owned());
    };
    let head = match head.strip_prefix("~/") {
        Some(rest) => path::join(&machine.home_text(), rest),
        None => head,
    };
    Some(if below.is_empty() { head } else { path::join(&head, below.trim_start_matches('/')) })
}

fn folder(name: &str, machine: &Machine<'_>) -> Option<String> {
    let home = machine.home_text();
    let below_home = |below: &str| Some(path::join(&home, below));
    let xdg = || machine.variable("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let support = || below_home("Library/Application Support");
    let roaming = || machine.variable("APPDATA").or_else(|| below_home("AppData/Roaming"));
    match name {
        "XC" => xdg(),
        "AS" => support(),
        "AD" => roaming(),
        "LAD" => machine.variable("LOCALAPPDATA").or_else(|| below_home("AppData/Local")),
        "PD" => machine.variable("ProgramData").or_else(|| Some(r"C:\ProgramData".to_owned())),
        "PF" => machine.variable("ProgramW6432").or_else(|| Some(r"C:\Program Files".to_owned())),
        "ED" => match machine.os {
            Os::Linux => xdg(),
            Os::Macos => support(),
            Os::Windows => roaming(),
        },
        "CODE" => Some(path::join(&folder("ED", machine)?, "Code/User")),
        _ => None,
    }
}

/// Every place that a pattern stands for; a place without one stands for itself.
fn globbed(at: &str, machine: &Machine<'_>) -> Vec<String> {
    let Some(star) = at.find('*') else { return vec![at.to_owned()] };
    let cut = at[..star].rfind(['/', '\\']).unwrap_or(0);
    let (folder, rest) = (&at[..cut], &at[cut + 1..]);
    let end = rest.find(['/', '\\']).unwrap_or(rest.len());
    let (pattern, below) = (&rest[..end], &rest[end..]);
    let (before, after) = pattern.split_once('*').unwrap_or((pattern, ""));
    let mut found = Vec::new();
    let mut names = machine.look.names(Path::new(folder));
    names.sort_unstable();
    for name in names {
        let fits = name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after);
        // A name that leaves the folder, or would be a pattern again.
        let plain = !name.contains(['/', '*']) && !matches!(name.as_str(), "" | "." | "..");
        if !fits || !plain || found.len() >= MOST {
            continue;
        }
        let here = path::join(folder, &name);
        if below.is_empty() {
            found.push(here);
        } else {
            let deeper = globbed(&path::join(&here, below.trim_start_matches(['/', '\\'])), machine);
            found.extend(deeper.into_iter().filter(|at| machine.exists(at)));
        }
    }
    found.truncate(MOST);
    found
}
