//! What counts where several files and the command line speak of one key: the command line, the project's file, the
//! user's file, the defaults; within one file the server's table before `[defaults]`.

use super::place::{Place, Placed};
use super::table::{ConfigFile, ServerTable, Settings};
use crate::notify::{Address, Given, Target};
use crate::spec::{OPTIONS, Options, ServerName, Transport, slug};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `mcp-twin.toml`, which a team shares.
    Project,
    /// `config.toml` in the state directory.
    User,
}

/// One file that was read.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Whose it is.
    pub scope: Scope,
    /// Its path, absolute.
    pub path: PathBuf,
    /// What it says.
    pub file: ConfigFile,
}

/// The files of one front, the strongest first.
#[derive(Clone, Debug, Default)]
pub struct Layers(Vec<Layer>);

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    CommandLine,
    /// A file.
    File {
        /// Whose.
        scope: Scope,
        /// Its path.
        path: PathBuf,
        /// Where the key stands.
        place: Place,
    },
    /// What the server's own command suggests.
    Launch,
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::File { path, place, .. } => write!(f, "{}:{place}", path.display()),
            Self::Launch => f.write_str("the server's command"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Origin {
    /// In one word: `command_line`, `project`, `user`, `launch`, `default`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::CommandLine => "command_line",
            Self::File { scope: Scope::Project, .. } => "project",
            Self::File { scope: Scope::User, .. } => "user",
            Self::Launch => "launch",
            Self::Default => "default",
        }
    }
}

/// What a command line asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The server's name.
    pub name: Option<ServerName>,
    /// Its name if nobody gives it another one: made of folder and script.
    pub otherwise: Option<ServerName>,
    /// The command and its arguments; empty where the server is only named.
    pub command: Vec<String>,
    /// The folder that mcp-twin was started in.
    pub cwd: PathBuf,
    /// The user's home folder, for `~/`.
    pub home: Option<PathBuf>,
    /// What counts as the server's code.
    pub watch: Vec<String>,
    /// What does not.
    pub ignore: Vec<String>,
    /// The options, and the defaults of those that are not chosen.
    pub options: Options,
    /// The keys of the options that the command line gives.
    pub chosen: Vec<&'static str>,
}

/// What is wanted, all in all.
#[derive(Clone)]
pub struct Wanted {
    /// The server's name, if the command line or a table gives it one.
    pub name: Option<ServerName>,
    /// The command and its arguments; empty if nobody knows them.
    pub command: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Variables that files give the server.
    pub env: Vec<(String, String)>,
    /// How it is spoken to, where a file says so.
    pub transport: Option<Transport>,
    /// Where to listen.
    pub listen: Option<String>,
    /// The path of the endpoint.
    pub path: Option<String>,
    /// The file with the token, absolute.
    pub token_file: Option<PathBuf>,
    /// How many sessions there may be.
    pub max_sessions: Option<u32>,
    /// How long one may lie idle.
    pub session_idle: Option<Duration>,
    /// What counts as its code.
    pub watch: Vec<String>,
    /// What does not.
    pub ignore: Vec<String>,
    /// Its options.
    pub options: Options,
    /// The keys of the options that somebody chose.
    pub chosen: Vec<&'static str>,
    /// Who is told of what happens: those of the project's file, then those of the user's.
    pub notify: Vec<Target>,
    /// Where each value comes from that is no default: options and other keys.
    pub origins: Vec<(&'static str, Origin)>,
}

/// Without the values of variables.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Wanted")
            .field("name", &self.name)
            .field("command", &self.command)
            .field("cwd", &self.cwd)
            .field("env", &names)
            .field("notify", &self.notify)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

impl Layer {
    fn origin(&self, place: Place) -> Origin {
        Origin::File { scope: self.scope, path: self.path.clone(), place }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn table(&self, name: &ServerName) -> Option<&ServerTable> {
        self.file.servers.iter().find(|table| table.server() == name)
    }

    /// A path as it is written in this file.
    fn resolved(&self, text: &str, home: Option<&Path>) -> PathBuf {
        match (text.strip_prefix("~/"), home) {
            (Some(below), Some(home)) => home.join(below),
            _ if text == "." => self.folder().to_owned(),
            _ => self.folder().join(text.strip_prefix("./").unwrap_or(text)),
        }
    }

    /// An argument of `watch` or `ignore`, as seen from the folder that the server runs in. In the user's file it is meant
    /// so already: that file speaks of many projects.
    fn argument(&self, text: &str, cwd: &Path, home: Option<&Path>) -> String {
        let here = self.scope == Scope::User || self.folder() == cwd;
        if here && !text.starts_with("~/") {
            text.to_owned()
        } else {
            self.resolved(text, home).to_string_lossy().into_owned()
        }
    }
}

impl Layers {
    /// Files in any order.
    #[must_use]
    pub fn new(mut layers: Vec<Layer>) -> Self {
        layers.sort_by_key(|layer| layer.scope);
        Self(layers)
    }

    /// Whether there are no files.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files, the strongest first.
    pub fn iter(&self) -> impl Iterator<Item = &Layer> {
        self.0.iter()
    }

    /// The servers that a file gives a command, each once.
    pub fn startable(&self) -> impl Iterator<Item = (&Layer, &ServerTable)> {
        let all = self.0.iter().flat_map(|layer| layer.file.servers.iter().map(move |table| (layer, table)));
        all.filter(|(layer, table)| {
            let before = self.0.iter().take_while(|other| other.scope != layer.scope);
            let known = |other: &Layer| other.table(table.server()).is_some_and(|other| other.command.is_some());
            table.command.is_some() && !before.into_iter().any(known)
        })
    }

    /// Whether a table speaks of this server.
    #[must_use]
    pub fn has(&self, name: &ServerName) -> bool {
        self.0.iter().any(|layer| layer.table(name).is_some())
    }

    /// Who is told, with the file of each: all of the project's, then the user's that the project has not. Files that are named
    /// are as seen from the file that names them.
    #[must_use]
    pub fn notify(&self, home: Option<&Path>) -> Vec<(&Layer, Placed<Target>)> {
        let mut all: Vec<(&Layer, Placed<Target>)> = Vec::new();
        for layer in &self.0 {
            for table in &layer.file.notify {
                let mut target = table.target.clone();
                let kept = target.address.iter_mut().filter_map(|address| match address {
                    Address::Kept(given) => Some(given),
                    Address::Url(_) => None,
                });
                for given in kept.chain(&mut target.secret) {
                    if let Given::File(path) = given {
                        *path = layer.resolved(&path.to_string_lossy(), home);
                    }
                }
                let same = |known: &Target| known.kind == target.kind && known.address == target.address;
                // Within one file two tables may choose different events for one target.
                if !all.iter().any(|(other, known)| other.scope != layer.scope && same(&known.value)) {
                    all.push((layer, Placed { value: target, place: table.place }));
                }
            }
        }
        all
    }

    /// The only server that runs this very command.
    fn of_command(&self, command: &[String]) -> Option<ServerName> {
        let mut same =
            self.startable().filter(|(_, table)| table.command.as_ref().is_some_and(|own| own.value == command));
        let first = same.next()?;
        same.next().is_none().then(|| first.1.server().clone())
    }

    /// What is wanted where the command line asks for this.
    #[must_use]
    pub fn apply(&self, asked: &Asked) -> Wanted {
        let server =
            asked.name.clone().or_else(|| self.of_command(&asked.command).filter(|_| !asked.command.is_empty()));
        let of_file = server.clone().filter(|name| self.has(name));
        let server = server.or_else(|| asked.otherwise.clone().filter(|name| self.has(name)));
        let view = View { layers: &self.0, server: server.as_ref() };
        let mut origins: Vec<(&'static str, Origin)> = Vec::new();
        let mut note = |key, origin: &Origin| origins.push((key, origin.clone()));

        let command = match (asked.command.is_empty(), view.own(|table| table.command.as_ref())) {
            (true, Some((layer, command))) => {
                note("command", &layer.origin(command.place));
                Some((layer, command.value.clone()))
            }
            _ => None,
        };
        let home = asked.home.as_deref();
        let cwd = match (view.own(|table| table.cwd.as_ref()), &command) {
            (Some((layer, cwd)), _) => {
                note("cwd", &layer.origin(cwd.place));
                layer.resolved(&cwd.value, home)
            }
            // A user's file is in no project.
            (None, Some((layer, _))) if layer.scope == Scope::Project => layer.folder().to_owned(),
            (None, _) => asked.cwd.clone(),
        };
        let mut env: Vec<(String, String)> = Vec::new();
        for (layer, table) in view.tables() {
            for (name, value) in &table.env {
                if !env.iter().any(|(known, _)| known == name) {
                    if env.is_empty() {
                        note("env", &layer.origin(value.place));
                    }
                    env.push((name.clone(), value.value.clone()));
                }
            }
        }
        let mut own = |key, origin: Option<Origin>| origin.iter().for_each(|origin| note(key, origin));
        macro_rules! own {
            ($key:ident) => {
                view.own(|table| table.$key.as_ref()).map(|(layer, found)| {
                    own(stringify!($key), Some(layer.origin(found.place)));
                    (layer, found.value.clone())
                })
            };
        }
        let transport = own!(transport).map(|(_, value)| value);
        let listen = own!(listen).map(|(_, value)| value);
        let path = own!(path).map(|(_, value)| value);
        let token_file = own!(token_file).map(|(layer, value)| layer.resolved(&value, home));
        let max_sessions = own!(max_sessions).map(|(_, value)| value);
        let session_idle = own!(session_idle).map(|(_, value)| value);

        let list = |given: &[String], get: fn(&Settings) -> Option<&Placed<Vec<String>>>| {
            if !given.is_empty() {
                return (given.to_vec(), Some(Origin::CommandLine));
            }
            match view.setting(get) {
                Some((layer, found)) => {
                    let arguments = found.value.iter().map(|text| layer.argument(text, &cwd, home));
                    (arguments.collect(), Some(layer.origin(found.place)))
                }
                None => (Vec::new(), None),
            }
        };
        let (watch, watch_from) = list(&asked.watch, |settings| settings.watch.as_ref());
        let (ignore, ignore_from) = list(&asked.ignore, |settings| settings.ignore.as_ref());
        let (mut options, mut chosen) = (asked.options.clone(), asked.chosen.clone());
        for option in OPTIONS {
            if asked.chosen.contains(&option.key) {
                origins.push((option.key, Origin::CommandLine));
                continue;
            }
            let found = view.setting(|settings| {
                settings.options.iter().find(|(known, _)| known.key == option.key).map(|(_, value)| value)
            });
            // It was read once, so it can be read again.
            if let Some((layer, found)) = found
                && options.set(option.key, &found.value).is_ok()
            {
                chosen.push(option.key);
                origins.push((option.key, layer.origin(found.place)));
            }
        }
        // Over HTTP nothing is watched by itself: whoever names files wants them watched.
        if !watch.is_empty() && !chosen.contains(&"watch_files") && !options.watch_files {
            options.watch_files = true;
            origins.extend(watch_from.clone().map(|from| ("watch_files", from)));
        }
        let notify = self.notify(home);
        let notify_from = notify.first().map(|(layer, found)| layer.origin(found.place));
        origins.extend(notify_from.map(|from| ("notify", from)));
        let notify = notify.into_iter().map(|(_, found)| found.value).collect();
        origins.extend(watch_from.map(|from| ("watch", from)));
        origins.extend(ignore_from.map(|from| ("ignore", from)));
        Wanted {
            name: asked.name.clone().or(of_file),
            command: command.map_or_else(|| asked.command.clone(), |(_, command)| command),
            cwd,
            env,
            transport,
            listen,
            path,
            token_file,
            max_sessions,
            session_idle,
            watch,
            ignore,
            options,
            chosen,
            notify,
            origins,
        }
    }
}

impl Asked {
    /// Nothing but a name.
    #[must_use]
    pub fn named(name: &str, cwd: &Path, home: Option<PathBuf>, transport: Transport) -> Self {
        Self {
            name: Some(slug(name)),
            otherwise: None,
            command: Vec::new(),
            cwd: cwd.to_owned(),
            home,
            watch: Vec::new(),
            ignore: Vec::new(),
            options: Options::defaults(transport),
            chosen: Vec::new(),
        }
    }
}

/// The files as one server sees them.
struct View<'a> {
    layers: &'a [Layer],
    server: Option<&'a ServerName>,
}

impl<'a> View<'a> {
    /// The server's tables.
    fn tables(&self) -> impl Iterator<Item = (&'a Layer, &'a ServerTable)> {
        let server = self.server;
        self.layers.iter().filter_map(move |layer| Some((layer, layer.table(server?)?)))
    }

    /// A key that only a server's table has.
    fn own<T>(&self, get: impl Fn(&'a ServerTable) -> Option<&'a Placed<T>>) -> Option<(&'a Layer, &'a Placed<T>)> {
        self.tables().find_map(|(layer, table)| Some((layer, get(table)?)))
    }

    /// A key that every table may have.
    fn setting<T>(&self, get: impl Fn(&'a Settings) -> Option<&'a Placed<T>>) -> Option<(&'a Layer, &'a Placed<T>)> {
        self.layers.iter().find_map(|layer| {
            let table = self.server.and_then(|server| layer.table(server));
            let found = table.and_then(|table| get(&table.settings)).or_else(|| get(&layer.file.defaults))?;
            Some((layer, found))
        })
    }
}
