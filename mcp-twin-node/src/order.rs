//! What a front is to be, as JavaScript says it.

use crate::trouble::Trouble;
use mcp_twin_core::spec::{Options, Transport};
use mcp_twin_runtime::embedded::Embedding;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::run::{RunOrder, Variables};
use mcp_twin_runtime::serve::ServeOrder;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where the endpoint is, if nobody says otherwise.
const PATH: &str = "/mcp";
/// So many sessions there may be, over HTTP and where each has a process of its own: as with `mcp-twin serve`.
const SESSIONS: (usize, usize) = (1024, 32);
/// How long one may lie idle.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// A front to be made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The command and its arguments.
    command: Vec<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// Variables beside those of this process.
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    watch: Vec<String>,
    #[serde(default)]
    ignore: Vec<String>,
    /// Whether files are watched.
    #[serde(default)]
    watch_files: bool,
    /// Other options, by their keys.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// The state directory, in place of that of the environment.
    #[serde(default)]
    home: Option<PathBuf>,
    #[serde(default)]
    private: bool,
    /// Over HTTP: whether the server speaks stdio.
    #[serde(default)]
    stdio: bool,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    port: Option<u16>,
}

impl Wanted {
    /// What was said, if it can be understood.
    ///
    /// # Errors
    /// It cannot.
    pub fn read(json: &str) -> Result<Self, Trouble> {
        let wanted: Self = serde_json::from_str(json).map_err(|error| usage(error.to_string()))?;
        if wanted.command.first().is_none_or(String::is_empty) {
            return Err(usage("there is no command").with_help("say which program starts the server, as `command`"));
        }
        Ok(wanted)
    }

    /// How it stands to this process.
    pub fn embedding(&self) -> Embedding {
        Embedding { private: self.private }
    }

    /// The order for a front over stdio.
    ///
    /// # Errors
    /// What cannot be ordered so.
    pub fn run(self) -> Result<RunOrder, Trouble> {
        let known =
            |key: &str| mcp_twin_core::spec::OPTIONS.iter().find(|option| option.key == key).map(|option| option.key);
        // Those of one developer's server, over HTTP too: nobody waits 5 s for a twin to settle in a test.
        let mut options = Options::defaults(Transport::Stdio);
        // Who stands on a file does not want its front to follow it by itself, unless that was said.
        options.watch_files = self.watch_files;
        let mut chosen = vec!["watch_files"];
        for (key, value) in &self.options {
            options.set(key, value).map_err(|error| usage(error.to_string()))?;
            chosen.extend(known(key));
        }
        let cwd = match self.cwd {
            Some(cwd) => std::path::absolute(cwd),
            None => std::env::current_dir(),
        };
        Ok(RunOrder {
            home: home(self.home)?,
            name: self.name,
            command: self.command,
            recorded: None,
            watch: self.watch,
            ignore: self.ignore,
            options,
            chosen,
            cwd: cwd.map_err(|error| usage(format!("the working directory: {error}")))?,
            env: Variables(self.env.into_iter().collect()),
            record: None,
        })
    }

    /// The order for a front over HTTP.
    ///
    /// # Errors
    /// What cannot be ordered so.
    pub fn serve(mut self) -> Result<ServeOrder, Trouble> {
        let path = self.path.take().unwrap_or_else(|| PATH.to_owned());
        if !path.starts_with('/') || path.contains(['?', '#', '{', '}', ' ']) {
            return Err(usage(format!("`{path}` is no path: it begins with `/`, such as /mcp")));
        }
        let (stdio, port) = (self.stdio, self.port);
        Ok(ServeOrder {
            run: self.run()?,
            listen: port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            stdio,
            path,
            token_file: None,
            max_sessions: if stdio { SESSIONS.1 } else { SESSIONS.0 },
            session_idle: IDLE,
        })
    }
}

/// The state directory: this one, else that of the environment.
///
/// # Errors
/// There is none.
pub fn home(named: Option<PathBuf>) -> Result<Home, Trouble> {
    let wrong = |error: mcp_twin_runtime::home::HomeError| Trouble::new("node::home", error.to_string());
    match named {
        Some(path) => Ok(Home::at(std::path::absolute(path).map_err(|error| usage(format!("home: {error}")))?)),
        None => Home::from_env(|name| std::env::var_os(name)).map_err(wrong),
    }
}

/// Something was said that cannot be.
pub fn usage(message: impl Into<String>) -> Trouble {
    Trouble::new("node::usage", message)
}
