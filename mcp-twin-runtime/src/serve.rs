//! `mcp-twin serve` and `mcp-twin start`: the front over HTTP, in the foreground or by itself.

use crate::files;
use crate::home::Home;
use crate::run::RunOrder;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What `mcp-twin serve` was asked to do.
#[derive(Clone, Debug)]
pub struct ServeOrder {
    /// What a stdio front would be asked too.
    pub run: RunOrder,
    /// Where to listen; by default on the port that is leased to the server, on this machine only.
    pub listen: Option<SocketAddr>,
    /// Whether the server speaks stdio.
    pub stdio: bool,
    /// The path of the endpoint, at the front and at the twins.
    pub path: String,
    /// The file that holds the token which clients must have.
    pub token_file: Option<PathBuf>,
    /// How many sessions there may be at once.
    pub max_sessions: usize,
    /// How long one may lie idle before it has to make room.
    pub session_idle: std::time::Duration,
}

/// Why a front over HTTP cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// One of this server runs already.
    #[error("`{server}` is served already")]
    Running {
        /// The server's name.
        server: String,
    },
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An address that others can reach, and no token.
    #[error("{0} can be reached from other machines, so a token is needed")]
    Open(SocketAddr),
    /// The token cannot be read.
    #[error("the token file {path}: {why}")]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The state directory, in which its twins would be found again, cannot be used.
    #[error("{0}")]
    Home(String),
    /// No ports for its twins.
    #[error(transparent)]
    Ports(#[from] mcp_twin_core::port::PortError),
    /// The runtime could not be made.
    #[error("the front cannot begin: {0}")]
    Begin(#[from] io::Error),
}

impl ServeError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Running { server } => Some(format!(
                "`mcp-twin status {server}` shows it; `mcp-twin reload {server}` takes new code; `mcp-twin stop {server}` ends it"
            )),
            Self::Address { source, address } if source.kind() == io::ErrorKind::AddrInUse => Some(format!(
                "another program listens on port {}; end it, or choose another address with --listen",
                address.port()
            )),
            Self::Address { .. } => Some("choose an address of this machine with --listen".to_owned()),
            Self::Open(_) => Some(
                "write one into a file that only you can read, and name it with --token-file; or listen on 127.0.0.1"
                    .to_owned(),
            ),
            Self::Token { .. } => Some("write at least 16 characters into it, on one line".to_owned()),
            _ => None,
        }
    }
}

/// Runs a front over HTTP on this thread until it is ended. `ready` hears its address once it listens.
///
/// # Errors
/// Why it could not begin.
pub fn serve(order: ServeOrder, ready: impl FnOnce(&str)) -> Result<u8, ServeError> {
    let token = admitted(&order)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_stack_size(512 << 10)
        .build()?;
    let status = runtime.block_on(crate::front::serve_http(order, token, ready));
    runtime.shutdown_background();
    status
}

/// The token that clients must have; an address that others can reach needs one.
pub(crate) fn admitted(order: &ServeOrder) -> Result<Option<String>, ServeError> {
    let token = order.token_file.as_deref().map(read_token).transpose()?;
    match order.listen.filter(|address| !address.ip().is_loopback() && token.is_none()) {
        Some(address) => Err(ServeError::Open(address)),
        None => Ok(token),
    }
}

/// The token in a file: its first line.
fn read_token(path: &Path) -> Result<String, ServeError> {
    const LARGEST: u64 = 4096;
    const SHORTEST: usize = 16;
    let wrong = |why: String| ServeError::Token { path: path.to_owned(), why };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    file.take(LARGEST).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.len() < SHORTEST {
        return Err(wrong(format!("its first line holds {} characters, which can be guessed", token.len())));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("a token is made of visible ASCII characters without spaces".to_owned()));
    }
    Ok(token.to_owned())
}

/// Where a front that starts by itself writes what it would write to a terminal.
#[must_use]
pub fn detached_output(home: &Home, name: &str) -> PathBuf {
    home.logs().join(format!("{}.start", crate::servers::harmless(name)))
}

/// The end of what such a front wrote.
#[must_use]
pub fn detached_said(path: &Path) -> String {
    files::read(path).ok().flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_that_cannot_be_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_token(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read("0123456789abcdef\nsecond line\n").unwrap(), "0123456789abcdef");
        assert!(read("short\n").unwrap_err().contains("5 characters"));
        assert!(read("0123456789 abcdef").unwrap_err().contains("without spaces"));
        assert!(read_token(&dir.path().join("none")).is_err());
    }
}
