//! Why a front cannot be put into a process.

use crate::serve::ServeError;
use std::io;

/// Why a front cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The system gave no thread, no pipes, or no runtime.
    #[error("the front cannot begin: {0}")]
    Begin(#[from] io::Error),
    /// There is no place for a state directory of its own.
    #[error("there is no temporary folder for the front's state: {0}")]
    Private(#[source] io::Error),
    /// Over HTTP: why.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Its thread ended before it could say anything.
    #[error("the front ended while it began; this is a bug of mcp-twin")]
    Ended,
}

impl EmbedError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Private(_) => Some("set TMPDIR to a folder that you can write".to_owned()),
            Self::Serve(error) => error.help(),
            Self::Begin(_) | Self::Ended => None,
        }
    }
}
