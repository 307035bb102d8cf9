//! What a front is to be, as another language says it.

use super::Trouble;
use crate::embedded::Embedding;
use crate::home::{Home, HomeError};
use crate::run::{RunOrder, Variables};
use crate::serve::ServeOrder;
use mcp_twin_core::spec::{OPTIONS, Options, Transport};
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
pub enum FrontKind {
    /// Its client is in this process, and has it alone.
    Client,
    /// It has an address, and a server that speaks stdio.
    Stdio,
    /// It has an address, and so has its server.
    Http,
}

/// A front to be made: an object of JSON whose keys are these fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontOrder {
    kind: FrontKind,
    /// The command and its arguments.
    command: Vec<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// Variables beside those of this process.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Files and patterns that count as the server's code, beside what its command shows.
    #[serde(default)]
    watch: Vec<String>,
    #[serde(default)]
    ignore: Vec<String>,
    /// Whether a save is followed.
    #[serde(default)]
    watch_files: bool,
    /// Other options of `mcp-twin run`, by their keys.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// The state directory, in place of that of the environment.
    #[serde(default)]
    home: Option<PathBuf>,
    #[serde(default)]
    private: bool,
    /// Of its address.
    #[serde(default = "mcp")]
    path: String,
    #[serde(default)]
    port: Option<u16>,
}

/// Where the endpoint is, if nobody says otherwise.
fn mcp() -> String {
    "/mcp".to_owned()
}

impl FrontOrder {
    /// What was said, if it can be understood.
    ///
    /// # Errors
    /// It cannot.
    pub fn read(json: &str) -> Result<Self, Trouble> {
        let wanted: Self = serde_json::from_str(json).map_err(|error| Trouble::usage(error.to_string()))?;
        if wanted.command.first().is_none_or(String::is_empty) {
            return Err(
                Trouble::usage("there is no command").with_help("say which program starts the server, as `command`")
            );
        }
        Ok(wanted)
    }

    /// What kind of front.
    #[must_use]
    pub fn kind(&self) -> FrontKind {
        self.kind
    }

    /// How it stands to this process.
    #[must_use]
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
        options.watch_files = self.watch_files;
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
            home: state_home(self.home)?,
            name: self.name,
            command: self.command,
            recorded: None,
            watch: self.watch,
            ignore: self.ignore,
            options,
            chosen,
            cwd: cwd.map_err(|error| Trouble::usage(format!("the working directory: {error}")))?,
            env: Variables(self.env.into_iter().collect()),
            config: None,
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
        let (stdio, port) = (self.kind == FrontKind::Stdio, self.port);
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
pub fn state_home(named: Option<PathBuf>) -> Result<Home, Trouble> {
    let wrong = |error: HomeError| Trouble::new("twin::home", error.to_string());
    match named {
        Some(path) => {
            Ok(Home::at(std::path::absolute(path).map_err(|error| Trouble::usage(format!("home: {error}")))?))
        }
        None => Home::from_env(|name| std::env::var_os(name)).map_err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(order: &str) -> String {
        match FrontOrder::read(order).and_then(FrontOrder::serve) {
            Ok(order) => panic!("{order:?}"),
            Err(trouble) => trouble.json(),
        }
    }

    #[test]
    fn what_cannot_be_ordered_is_named() {
        assert!(refused(r#"{"kind":"pigeon","command":["x"]}"#).contains("pigeon"));
        assert!(refused(r#"{"kind":"http","command":[]}"#).contains("there is no command"));
        assert!(refused(r#"{"kind":"http","command":["x"],"wacth":[]}"#).contains("wacth"));
        assert!(refused(r#"{"kind":"http","command":["x"],"path":"mcp","home":"/h"}"#).contains("`mcp` is no path"));
        assert!(refused(r#"{"kind":"http","command":["x"],"options":{"bkae":"1s"},"home":"/h"}"#).contains("bkae"));
    }

    #[test]
    fn files_are_followed_only_where_that_was_said() {
        let order = |more: &str| {
            let json = format!(r#"{{"kind":"stdio","command":["x"],"home":"/h"{more}}}"#);
            FrontOrder::read(&json).and_then(FrontOrder::serve).unwrap()
        };
        let quiet = order("");
        assert!(!quiet.run.options.watch_files && quiet.run.chosen == ["watch_files"]);
        assert_eq!((quiet.path.as_str(), quiet.stdio, quiet.max_sessions, quiet.listen), ("/mcp", true, 32, None));
        assert!(order(r#","watch_files":true"#).run.options.watch_files);
    }
}
