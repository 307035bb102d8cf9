//! What configuration files make of a command line.

use crate::failure::Failure;
use crate::named::Named;
use mcp_twin_core::config::{Asked, Layers, Wanted};
use mcp_twin_core::spec::{Options, slug};
use mcp_twin_runtime::config::{Config, ConfigFault, Places};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::run::{RunOrder, Variables};
use std::path::{Path, PathBuf};

/// The files that count in a folder.
pub(crate) struct Configured {
    pub(crate) places: Places,
    pub(crate) layers: Layers,
}

/// What a command line says, its server's command found if it only named one.
pub(crate) struct Given {
    /// The server's name.
    pub(crate) name: Option<String>,
    /// The command; empty where a file has it.
    pub(crate) command: Vec<String>,
    /// The command as it may be written down.
    pub(crate) recorded: Option<Vec<String>>,
    /// Where the command was found, or mcp-twin was started.
    pub(crate) cwd: PathBuf,
    /// Variables of its entry.
    pub(crate) env: Variables,
    pub(crate) watch: Vec<String>,
    pub(crate) ignore: Vec<String>,
    pub(crate) options: Options,
    /// The keys of the options that were given.
    pub(crate) chosen: Vec<&'static str>,
    /// Other keys that were given.
    pub(crate) keys: Vec<&'static str>,
}

impl Given {
    /// This server with these options, `chosen` among them; nothing else is said.
    pub(crate) fn of(named: Named, options: Options, chosen: Vec<&'static str>) -> Self {
        let Named { name, command, recorded, cwd, env, .. } = named;
        Self {
            name: Some(name).filter(|name| !name.is_empty()),
            command,
            recorded,
            cwd,
            env,
            watch: Vec::new(),
            ignore: Vec::new(),
            options,
            chosen,
            keys: Vec::new(),
        }
    }
}

impl Configured {
    /// What counts in this folder.
    pub(crate) fn seen_from(here: &Path, home: &Home) -> Result<Self, Failure> {
        let places = Places::seen_from(here, home);
        let layers = places.read().map_err(|faults| wrong(&faults))?;
        Ok(Self { places, layers })
    }

    /// Whether a file has the command of this server.
    pub(crate) fn starts(&self, name: &str) -> bool {
        let wanted = slug(name);
        self.layers.startable().any(|(_, table)| *table.server() == wanted)
    }

    /// Names and commands of the servers that files have.
    pub(crate) fn offers(&self) -> Vec<(String, Vec<String>)> {
        let command = |table: &mcp_twin_core::config::ServerTable| {
            table.command.as_ref().map(|command| command.value.clone()).unwrap_or_default()
        };
        self.layers.startable().map(|(_, table)| (table.server().to_string(), command(table))).collect()
    }

    /// The order, and what is wanted beside it.
    pub(crate) fn order(self, home: &Home, given: Given) -> (RunOrder, Wanted) {
        let asked = Asked {
            name: given.name.as_deref().map(slug),
            otherwise: None,
            command: given.command.clone(),
            cwd: given.cwd.clone(),
            home: user_home(),
            watch: given.watch.clone(),
            ignore: given.ignore.clone(),
            options: given.options.clone(),
            chosen: given.chosen.clone(),
        };
        let config = Config { given: given.keys, ..Config::new(self.places, asked, given.env.clone()) };
        let wanted = config.wanted(&self.layers);
        let order = RunOrder {
            home: home.clone(),
            name: given.name,
            command: given.command,
            recorded: given.recorded,
            watch: given.watch,
            ignore: given.ignore,
            options: given.options,
            chosen: given.chosen,
            cwd: given.cwd,
            env: given.env,
            config: None,
            record: None,
        };
        (config.order(order, &wanted), wanted)
    }
}

/// The user's home folder, for `~/`.
pub(crate) fn user_home() -> Option<PathBuf> {
    std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE")).map(PathBuf::from)
}

/// Files that cannot be used.
pub(crate) fn wrong(faults: &[ConfigFault]) -> Failure {
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Failure::configuration("config::invalid", texts.join("\n")).advise("what may stand there", "mcp-twin config schema")
}
