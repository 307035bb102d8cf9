//! What a configuration file says, with the place of each key.

use super::place::{Place, Placed};
use crate::notify::Target;
use crate::spec::{OptionInfo, ServerName, Transport};
use std::fmt;
use std::time::Duration;

/// One file.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    /// For every server.
    pub defaults: Settings,
    /// Servers, in the order of the file.
    pub servers: Vec<ServerTable>,
    /// Who is told, in the order of the file.
    pub notify: Vec<NotifyTable>,
}

/// One table of `[[notify]]`.
#[derive(Clone, Debug)]
pub struct NotifyTable {
    /// Where its `kind` stands.
    pub place: Place,
    /// Who; its files are as they are written.
    pub target: Target,
}

/// What may be said of one server, or of all.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Options and their values, as [`crate::spec::Options::set`] reads them; each was read once.
    pub options: Vec<(&'static OptionInfo, Placed<String>)>,
    /// What counts as the server's code.
    pub watch: Option<Placed<Vec<String>>>,
    /// What does not.
    pub ignore: Option<Placed<Vec<String>>>,
}

/// The table of one server.
#[derive(Clone)]
pub struct ServerTable {
    /// The table's name.
    pub key: Placed<ServerName>,
    /// The server's name, where it is another one.
    pub name: Option<Placed<ServerName>>,
    /// The command and its arguments.
    pub command: Option<Placed<Vec<String>>>,
    /// Variables for the server.
    pub env: Vec<(String, Placed<String>)>,
    /// Where it runs, as it is written.
    pub cwd: Option<Placed<String>>,
    /// How it is spoken to.
    pub transport: Option<Placed<Transport>>,
    /// Where to listen, as it is written.
    pub listen: Option<Placed<String>>,
    /// The path of the endpoint.
    pub path: Option<Placed<String>>,
    /// The file with the token, as it is written.
    pub token_file: Option<Placed<String>>,
    /// How many sessions there may be.
    pub max_sessions: Option<Placed<u32>>,
    /// How long one may lie idle.
    pub session_idle: Option<Placed<Duration>>,
    /// Its options.
    pub settings: Settings,
}

/// Without the values of variables.
impl fmt::Debug for ServerTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ServerTable")
            .field("key", &self.key.value.as_str())
            .field("command", &self.command)
            .field("env", &names)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl ServerTable {
    pub(super) fn empty(key: ServerName, place: Place) -> Self {
        Self {
            key: Placed { value: key, place },
            name: None,
            command: None,
            env: Vec::new(),
            cwd: None,
            transport: None,
            listen: None,
            path: None,
            token_file: None,
            max_sessions: None,
            session_idle: None,
            settings: Settings::default(),
        }
    }

    /// The server's name.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        self.name.as_ref().map_or(&self.key.value, |name| &name.value)
    }
}
