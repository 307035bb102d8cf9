//! What a front is to be, as Python says it.

use crate::trouble::Trouble;
use mcp_twin_core::spec::{OPTIONS, Options, Transport};
use mcp_twin_runtime::embedded::Embedding;
use mcp_twin_runtime::home::{Home, HomeError};
use mcp_twin_runtime::run::{RunOrder, Variables};
use mcp_twin_runtime::serve::ServeOrder;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// So many sessions there may be, over HTTP and where each has a process of its own: as with `mcp-twin serve`.
const SESSIONS: (usize, usize) = (1024, 32);
/// How long one may lie idle.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// What kind of front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Its client is in this process, and has it alone.
    Client,
    /// It has an address, and a server that speaks stdio.
    Stdio,
    /// It has an address, and so has its server.
    Http,
}

/// A front to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    pub kind: Kind,
    /// The command and its arguments.
    command: Vec<String>,
    name: Option<String>,
    cwd: Option<PathBuf>,
    /// Variables beside those of this process.
    env: BTreeMap<String, String>,
    watch_files: Vec<String>,
    ignore: Vec<String>,
    /// Whether a save is followed.
    watch: bool,
    /// Other options, by their keys.
    options: BTreeMap<String, String>,
    /// The state directory, in place of that of the environment.
    home: Option<PathBuf>,
    private: bool,
    path: String,
    port: Option<u16>,
}

impl Wanted {
    /// What was said, if it can be understood.
    ///
    /// # Errors
    /// It cannot.
    pub fn read(json: &str) -> Result<Self, Trouble> {
        let wanted: Self = serde_json::from_str(json).map_err(|error| Trouble::usage(error.to_string()))?;
        if wanted.command.first().is_none_or(String::is_empty) {
            return Err(Trouble::usage("there is no command")
                .with_help("say which program starts the server, such as [\"python\", \"server.py\"]"));
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
        let known = |key: &str| OPTIONS.iter().find(|option| option.key == key).map(|option| option.key);
        // Those of one developer's server, over HTTP too: nobody waits 5 s for a twin to settle in a test.
        let mut options = Options::defaults(Transport::Stdio);
        // Who drives a front does not want it to follow files by itself, unless that was said.
        options.watch_files = self.watch;
        let mut chosen = vec!["watch_files"];
        for (key, value) in &self.options {
            options.set(key, value).map_err(|error| Trouble::usage(error.to_string()))?;
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
            watch: self.watch_files,
            ignore: self.ignore,
            options,
            chosen,
            cwd: cwd.map_err(|error| Trouble::usage(format!("the working directory: {error}")))?,
            env: Variables(self.env.into_iter().collect()),
            record: None,
        })
    }

    /// The order for a front over HTTP.
    ///
    /// # Errors
    /// What cannot be ordered so.
    pub fn serve(mut self) -> Result<ServeOrder, Trouble> {
        let path = std::mem::take(&mut self.path);
        if !path.starts_with('/') || path.contains(['?', '#', '{', '}', ' ']) {
            return Err(Trouble::usage(format!("`{path}` is no path: it begins with `/`, such as /mcp")));
        }
        let (stdio, port) = (self.kind == Kind::Stdio, self.port);
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
    let wrong = |error: HomeError| Trouble::new("python::home", error.to_string());
    match named {
        Some(path) => {
            Ok(Home::at(std::path::absolute(path).map_err(|error| Trouble::usage(format!("home: {error}")))?))
        }
        None => Home::from_env(|name| std::env::var_os(name)).map_err(wrong),
    }
}
