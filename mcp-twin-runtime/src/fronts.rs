//! The running fronts of this machine, and how to ask one something.

use crate::home::Home;
use mcp_twin_core::control::{Answer, Ask};
use std::path::PathBuf;
use std::time::Duration;

/// Where a running front is reached.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FrontAddress {
    /// Its id.
    pub front: String,
    /// The server's name.
    pub server: String,
    /// The client's own name for the server, where known.
    pub display: Option<String>,
    /// The project root.
    pub root: PathBuf,
    /// Its process.
    pub pid: u32,
    /// Its socket.
    pub socket: PathBuf,
}

/// Why a front did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It lives but said nothing for 2 s (stopped, or overloaded).
    #[error("the front (pid {pid}) does not answer")]
    Hung {
        /// Its process.
        pid: u32,
    },
    /// It ended meanwhile.
    #[error("the front is gone")]
    Gone,
    /// It answered something that this release does not understand.
    #[error("the front answered something unknown: {0}")]
    Unknown(String),
}

/// Every front whose lock is held, ordered by server name and start.
#[must_use]
pub fn running(_home: &Home) -> Vec<FrontAddress> {
    Vec::new()
}

/// Asks one front and waits: 2 s for the first line, then up to `deadline` for the outcome. Blocking; no runtime needed.
///
/// # Errors
/// See [`AskError`].
pub fn ask(front: &FrontAddress, _ask: &Ask, _deadline: Duration) -> Result<Answer, AskError> {
    Err(AskError::Hung { pid: front.pid })
}
