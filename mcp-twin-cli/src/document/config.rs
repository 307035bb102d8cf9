//! The documents of `mcp-twin config --json`.

use crate::config::{Row, whose};
use crate::exit::Exit;
use mcp_twin_core::config::Origin;
use mcp_twin_core::spec::Transport;
use mcp_twin_runtime::config::{ConfigFault, Places};
use serde::Serialize;
use std::path::PathBuf;

/// `config check`
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) files: Vec<String>,
    pub(crate) mistakes: Vec<Mistake>,
}

/// One mistake.
#[derive(Debug, Serialize)]
pub(crate) struct Mistake {
    pub(crate) file: String,
    /// `config::syntax`, `config::shape`, `config::unknown_key`, `config::value`, `config::unreadable`.
    pub(crate) code: &'static str,
    /// From 1; absent where the file cannot be read at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    /// In characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<usize>,
    pub(crate) message: String,
    /// The key that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nearest: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) excerpt: Option<String>,
}

impl Checked {
    pub(crate) fn new(exit: Exit, files: &[PathBuf], faults: &[ConfigFault]) -> Self {
        let files = files.iter().map(|file| file.display().to_string()).collect();
        Self {
            command: "config check",
            exit: exit.status(),
            files,
            mistakes: faults.iter().flat_map(mistakes).collect(),
        }
    }
}

fn mistakes(fault: &ConfigFault) -> Vec<Mistake> {
    match fault {
        ConfigFault::Wrong { path, errors } => errors
            .iter()
            .map(|error| Mistake {
                file: path.display().to_string(),
                code: error.code(),
                line: Some(error.place.line),
                column: Some(error.place.column),
                message: error.message.clone(),
                nearest: error.nearest,
                excerpt: Some(error.excerpt()),
            })
            .collect(),
        ConfigFault::Unreadable { path, why } => vec![unreadable(path.display().to_string(), why.clone())],
        other => vec![unreadable(String::new(), other.to_string())],
    }
}

fn unreadable(file: String, message: String) -> Mistake {
    Mistake { file, code: "config::unreadable", line: None, column: None, message, nearest: None, excerpt: None }
}

/// `config path`
#[derive(Debug, Serialize)]
pub(crate) struct Paths {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    /// The strongest first.
    pub(crate) files: Vec<File>,
}

/// One file.
#[derive(Debug, Serialize)]
pub(crate) struct File {
    /// `project`, `user`.
    pub(crate) scope: &'static str,
    pub(crate) path: String,
    pub(crate) exists: bool,
}

impl Paths {
    pub(crate) fn new(places: &Places) -> Self {
        let file = |(scope, path): (_, &std::path::Path)| File {
            scope: whose(scope),
            path: path.display().to_string(),
            exists: path.exists(),
        };
        Self { command: "config path", exit: 0, files: places.all().map(file).into() }
    }
}

/// `config show`
#[derive(Debug, Serialize)]
pub(crate) struct Shown<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) server: Option<&'a str>,
    pub(crate) transport: Transport,
    pub(crate) settings: Vec<Setting<'a>>,
}

/// One value, and where it comes from.
#[derive(Debug, Serialize)]
pub(crate) struct Setting<'a> {
    pub(crate) key: &'static str,
    /// Of `env`: the names of the variables.
    pub(crate) value: &'a str,
    /// `project`, `user`, `default`.
    pub(crate) from: &'static str,
    /// File, line and column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<String>,
}

impl<'a> Shown<'a> {
    pub(crate) fn new(server: Option<&'a str>, transport: Transport, rows: &'a [Row]) -> Self {
        let setting = |row: &'a Row| Setting {
            key: row.key,
            value: &row.value,
            from: row.origin.word(),
            place: matches!(row.origin, Origin::File { .. }).then(|| row.origin.to_string()),
        };
        Self { command: "config show", exit: 0, server, transport, settings: rows.iter().map(setting).collect() }
    }
}

/// `config init`
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) file: String,
    /// The server in it, if one was found.
    pub(crate) server: Option<String>,
}
