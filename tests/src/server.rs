//! The fixture servers: how each is edited and started.

use crate::http::Http;
use crate::tools;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which fixture server a project holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The server on Python's standard library: starts in some hundredths of a second.
    Plain,
    /// The same with a fault, by name (`exits`, `silent`, …); empty: none.
    Fault(&'static str),
    /// The same in both eras, one to a process, with state of its own.
    Pipe,
    /// On the official Python SDK: both eras.
    PythonSdk,
    /// On the official TypeScript SDK, version 1: legacy.
    TypeScriptSdk,
    /// On the official TypeScript SDK, version 2: both eras.
    TypeScriptSdk2,
    /// On rmcp, compiled: both eras.
    Rmcp,
    /// On the official Python SDK, with a tool for each thing that can be open at a swap: both eras.
    PythonOpen,
    /// The same on the official TypeScript SDK, version 1: legacy.
    TypeScriptOpen,
    /// On the official TypeScript SDK, version 2, with what the modern era alone has.
    TypeScript2Open,
    /// `@modelcontextprotocol/server-everything`: legacy. It lies where tools are installed and cannot be edited; the file
    /// of the project is one that it loads first.
    Everything,
    /// One that is spoken to over HTTP.
    Http(Http),
}

/// Where the constants of the compiled server begin; see `tests/src/bin/rmcp_server.rs`.
const MARK: &[u8] = b"fixture constants of rmcp-server:{";

/// How long they are, with the mark.
const CONSTANTS: usize = 256;

impl Server {
    /// The name of the file that a test edits.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Plain | Self::Fault(_) | Self::Pipe | Self::PythonSdk | Self::PythonOpen => "server.py",
            Self::TypeScriptSdk | Self::TypeScriptSdk2 | Self::TypeScriptOpen | Self::TypeScript2Open => "server.mjs",
            Self::Rmcp => "server",
            Self::Everything => "eyes.mjs",
            Self::Http(http) => http.file(),
        }
    }

    /// What belongs into that file, with these values for its constants.
    #[must_use]
    pub fn code(self, constants: &BTreeMap<String, String>) -> Vec<u8> {
        let name = match self {
            Self::Plain => "plain_server.py",
            Self::Fault(_) => "fault_server.py",
            Self::Pipe => "pipe_server.py",
            Self::PythonSdk => "sdk_server.py",
            Self::TypeScriptSdk => "sdk_server.mjs",
            Self::TypeScriptSdk2 => "sdk_server2.mjs",
            Self::PythonOpen => "open_server.py",
            Self::TypeScriptOpen => "open_server.mjs",
            Self::TypeScript2Open => "open_server2.mjs",
            Self::Everything => "everything_eyes.mjs",
            Self::Http(http) => http.source(),
            Self::Rmcp => return compiled(constants),
        };
        let mut code = fs::read_to_string(tools::fixture("servers").join(name)).expect("a fixture server");
        for (constant, value) in constants {
            code = replaced(&code, constant, value);
        }
        code.into_bytes()
    }

    /// The command that runs it; over HTTP with `{port}` for the port.
    #[must_use]
    pub fn command(self, file: &Path) -> Vec<String> {
        let words: Vec<PathBuf> = match self {
            Self::Http(http) => http.command(file),
            Self::Plain | Self::Fault(_) | Self::Pipe => vec!["python3".into(), file.into()],
            Self::PythonSdk | Self::PythonOpen => vec![tools::sdk_python(), file.into()],
            Self::TypeScriptSdk | Self::TypeScriptSdk2 | Self::TypeScriptOpen | Self::TypeScript2Open => {
                vec![tools::node(), file.into()]
            }
            Self::Rmcp => vec![file.into()],
            Self::Everything => vec![tools::node(), "--import".into(), file.into(), tools::everything()],
        };
        words.iter().map(|word| word.display().to_string()).collect()
    }

    /// What a front has to be told to see an edit.
    #[must_use]
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Everything | Self::Http(Http::Everything) => &["--watch", "eyes.mjs"],
            _ => &[],
        }
    }

    /// The `node_modules` folder that has to lie beside the file.
    #[must_use]
    pub fn modules(self) -> Option<PathBuf> {
        match self {
            Self::TypeScriptSdk | Self::TypeScriptOpen => Some(tools::typescript_modules()),
            Self::TypeScriptSdk2 | Self::TypeScript2Open => Some(tools::typescript2_modules()),
            Self::Http(http) => http.modules(),
            _ => None,
        }
    }

    /// Whether the file is an executable, which is never written in place: it runs.
    #[must_use]
    pub fn executable(self) -> bool {
        self == Self::Rmcp
    }

    /// Whether it serves the modern era too.
    #[must_use]
    pub fn modern(self) -> bool {
        match self {
            Self::Http(http) => http.modern(),
            Self::Pipe
            | Self::PythonSdk
            | Self::PythonOpen
            | Self::TypeScriptSdk2
            | Self::TypeScript2Open
            | Self::Rmcp => true,
            _ => false,
        }
    }
}

/// The executable of the compiled server with other constants in it.
fn compiled(constants: &BTreeMap<String, String>) -> Vec<u8> {
    let mut code = fs::read(tools::built("rmcp-server")).expect("the compiled server");
    let begin = code.windows(MARK.len()).position(|window| window == MARK).expect("the mark in the compiled server");
    let values = [("VERSION", json!("v1")), ("EXTRA_TOOLS", json!([]))].map(|(name, otherwise)| {
        let set = constants.get(name).map(|value| serde_json::from_str(value).expect("a constant as JSON"));
        (name.to_owned(), set.unwrap_or(otherwise))
    });
    let mut text = Value::Object(values.into_iter().collect()).to_string().into_bytes();
    text.resize(CONSTANTS + 1 - MARK.len(), b' ');
    let end = begin + CONSTANTS;
    code[begin + MARK.len() - 1..end].copy_from_slice(&text);
    code
}

/// The code with the line `NAME = …` (`const NAME = …;`) changed.
fn replaced(code: &str, constant: &str, value: &str) -> String {
    let mut found = false;
    let lines = code.lines().map(|line| {
        for (before, after) in [("", ""), ("const ", ";")] {
            let head = format!("{before}{constant} = ");
            if line.starts_with(&head) {
                found = true;
                return format!("{head}{value}{after}");
            }
        }
        line.to_owned()
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    assert!(found, "no constant {constant} in the server");
    text
}
