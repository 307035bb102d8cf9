//! `mcp-twin run`: the stdio front.

use crate::home::Home;
use mcp_twin_core::spec::Options;
use std::path::PathBuf;

/// What `mcp-twin run` was asked to do.
#[derive(Clone, Debug)]
pub struct RunOrder {
    /// The state directory.
    pub home: Home,
    /// `--name`.
    pub name: Option<String>,
    /// The command and its arguments; not empty.
    pub command: Vec<String>,
    /// `--watch`, in order.
    pub watch: Vec<String>,
    /// `--ignore`, in order.
    pub ignore: Vec<String>,
    /// The options.
    pub options: Options,
    /// Where the front runs.
    pub cwd: PathBuf,
}

/// Runs a stdio front on this thread until the client is gone. Returns the exit status.
///
/// # Errors
/// The front could not begin at all (no such folder, no pipes).
pub fn run(_order: RunOrder) -> std::io::Result<u8> {
    Ok(0)
}
