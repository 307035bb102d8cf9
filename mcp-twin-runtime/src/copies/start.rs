//! What a process is started from.

use crate::run::Variables;
use std::path::PathBuf;

/// A command, where it runs, and its own variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Its own variables.
    pub env: Variables,
}
