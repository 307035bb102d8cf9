//! The document of `mcp-twin notify test --json`.

use crate::exit::Exit;
use crate::notify::Row;
use mcp_twin_core::notify::Kind;
use serde::Serialize;

/// `notify test`
#[derive(Debug, Serialize)]
pub(crate) struct Tested {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) targets: Vec<Told>,
}

/// One target.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    /// `webhook`, `slack`, `discord`, `desktop`.
    pub(crate) kind: Kind,
    /// Its host, or where its URL is kept; never the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// File, line and column of its `kind`.
    pub(crate) place: String,
    /// The events that it chose.
    pub(crate) events: Vec<&'static str>,
    pub(crate) arrived: bool,
    /// The HTTP status that it answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// What it answered, or why nothing.
    pub(crate) told: String,
}

impl Tested {
    pub(crate) fn new(exit: Exit, rows: &[Row]) -> Self {
        let told = |row: &Row| Told {
            kind: row.target.kind,
            at: row.target.address.as_ref().map(ToString::to_string),
            place: row.place.clone(),
            events: row.target.events.iter().map(|event| event.word()).collect(),
            arrived: row.tried.arrived,
            status: row.tried.status,
            told: row.tried.told.clone(),
        };
        Self { command: "notify test", exit: exit.status(), targets: rows.iter().map(told).collect() }
    }
}
