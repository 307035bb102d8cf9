//! What it takes to start one entry as its client would, values of variables included.
//!
//! Everything else in [`super`] drops those values; this reads them at the moment of the start, for whoever starts the
//! server in the client's place. They are in no [`Debug`] text, and nothing of it can be serialised.

use super::document::{Document, Node};
use super::entry::command;
use super::expand::Expander;
use super::launch::{Launch, Place, path};
use super::machine::Machine;
use super::server::Server;
use super::site::Step;
use super::source::Source;
use std::fmt;
use std::path::PathBuf;

/// What a client starts for an entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Start {
    /// The command and its arguments: what stands behind mcp-twin, if the entry runs that.
    pub command: Vec<String>,
    /// Where the client starts it; `None` if nobody knows.
    pub cwd: Option<PathBuf>,
    /// The variables that the entry sets, in the order of the file.
    pub env: Vec<(String, String)>,
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Start")
            .field("command", &super::shown::words(&self.command))
            .field("cwd", &self.cwd)
            .field("env", &names)
            .finish()
    }
}

impl Source {
    /// What its client starts for `server`, which was read from it: its file is read once more, with the values of its
    /// variables. `None` if the entry has gone since, is remote, or runs mcp-twin with no command of its own.
    #[must_use]
    pub fn start(&self, server: &Server, bytes: &[u8], machine: &Machine<'_>) -> Option<Start> {
        let document = Document::read(self.syntax, bytes).ok()?;
        let node = server.site.path.iter().try_fold(&document.root, |node, step| match step {
            Step::Key(key) => node.member(key),
            Step::Index(at) => node.list()?.get(*at),
        })?;
        let found = command(node, self.dialect)?;
        let mut expander = Expander::new(self.dialect.forms, machine, self.plugin.as_deref()).revealing();
        let words: Vec<String> = found.words.iter().map(|word| expander.text(word)).collect();
        let own = found.env.or_else(|| node.member(self.dialect.env)).and_then(Node::map).unwrap_or_default();
        let env: Vec<(String, String)> =
            own.iter().filter_map(|(name, value)| Some((name.clone(), expander.value(&value.word()?)))).collect();
        let place = Place {
            cwd: server.cwd.as_deref(),
            home: Some(machine.home),
            project: machine.project,
            env: &env,
            look: machine.look,
        };
        let whole = Launch::read_in(&words, &place).command;
        let command = if runs_mcp_twin(&whole).is_some() { carried(&whole)?.to_vec() } else { whole };
        (!command.is_empty()).then(|| Start { command, cwd: server.cwd.clone(), env })
    }
}

impl Server {
    /// The command that the entry runs once mcp-twin is taken off, its secrets left where they come from; empty if there is
    /// none: a remote server, or one that mcp-twin finds by its name.
    #[must_use]
    pub fn original(&self) -> &[String] {
        match runs_mcp_twin(&self.argv) {
            Some(_) => carried(&self.argv).unwrap_or_default(),
            None => &self.argv,
        }
    }

    /// Whether the entry runs mcp-twin.
    #[must_use]
    pub fn runs_mcp_twin(&self) -> bool {
        runs_mcp_twin(&self.argv).is_some()
    }

    /// What the command behind mcp-twin comes to; what [`Server::launch`] says if the entry does not run that.
    #[must_use]
    pub fn original_launch(&self, machine: &Machine<'_>) -> Option<Launch> {
        if !self.runs_mcp_twin() {
            return self.launch.clone();
        }
        let place = Place {
            cwd: self.cwd.as_deref(),
            home: Some(machine.home),
            project: machine.project,
            env: &[],
            look: machine.look,
        };
        let command = self.original();
        (!command.is_empty()).then(|| Launch::read_in(command, &place))
    }

    /// The command line of [`Server::original`] as it may be shown to people.
    #[must_use]
    pub fn shown_original(&self) -> Vec<String> {
        super::shown::words(self.original())
    }
}

/// What follows the word that is mcp-twin, if it is there: the command itself, or behind a wrapper such as `npx` or `env`.
fn runs_mcp_twin(argv: &[String]) -> Option<&[String]> {
    let ours = |word: &String| {
        let name = path::file_name(word).to_ascii_lowercase();
        let name = name.strip_suffix(".exe").or_else(|| name.strip_suffix(".cmd")).unwrap_or(&name);
        // npx takes a version with it.
        name.split_once('@').map_or(name, |(name, _)| name) == "mcp-twin"
    };
    let verb = |rest: &[String]| {
        let verb = rest.iter().find(|word| !word.starts_with('-'));
        verb.is_some_and(|verb| matches!(verb.as_str(), "run" | "serve" | "start"))
    };
    let at = argv.iter().position(ours)?;
    let rest = &argv[at + 1..];
    verb(rest).then_some(rest)
}

/// The command behind `--`, through as many layers of mcp-twin as there are.
fn carried(argv: &[String]) -> Option<&[String]> {
    let mut command = argv;
    while let Some(rest) = runs_mcp_twin(command) {
        let dashes = rest.iter().position(|word| word == "--")?;
        command = &rest[dashes + 1..];
    }
    (!command.is_empty()).then_some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_command_behind_mcp_twin() {
        for (line, expected) in [
            ("mcp-twin run -- python a.py --x -- y", Some("python a.py --x -- y")),
            ("/opt/bin/mcp-twin run --name a --watch src -- node a.js", Some("node a.js")),
            ("npx -y mcp-twin@2 run -- node a.js", Some("node a.js")),
            (r"cmd /c C:\x\MCP-Twin.exe run -- node a.js", Some("node a.js")),
            ("mcp-twin run -- /usr/bin/mcp-twin run --bake 2s -- node a.js", Some("node a.js")),
            ("mcp-twin run a", None),
            ("mcp-twin run --url http://127.0.0.1:8000/mcp", None),
            ("mcp-twin run --", None),
        ] {
            let argv = words(line);
            assert!(runs_mcp_twin(&argv).is_some(), "{line}");
            assert_eq!(carried(&argv).map(|words| words.join(" ")).as_deref(), expected, "{line}");
        }
        for line in ["node mcp-twin", "mcp-twin status", "python mcp-twin/server.py", "x --name mcp-twin"] {
            assert_eq!(runs_mcp_twin(&words(line)), None, "{line}");
        }
    }
}
