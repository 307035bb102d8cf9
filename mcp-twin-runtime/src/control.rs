//! The front's end of the control protocol: JSON lines over a local socket, one [`Answer::Accepted`] at once for whatever
//! takes time, then the answer.
//!
//! Knows nothing of what is asked: a handler answers. Runs within one task of the caller's runtime, so that it starts no
//! thread and costs nothing while nobody asks.

use crate::files::FileError;
use crate::fronts::FrontSeat;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::traits::tokio::Listener as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use mcp_twin_core::control::{Answer, Ask, Response, VERSION};
use mcp_twin_core::{Code, Fault};
use serde::Deserialize;
use serde_json::Value;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

/// How many commands may be connected at once; more wait to be accepted.
const CONNECTIONS: usize = 32;

/// The longest request, in bytes.
const LONGEST: u64 = 64 << 10;

/// How long a connection may stay open without asking anything, or without taking its answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a front cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The socket cannot be bound.
    #[error("cannot open the control socket {}: {source}", .socket.display())]
    Bind {
        /// Its path.
        socket: std::path::PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The address cannot be posted, so that no command finds it.
    #[error(transparent)]
    Post(#[from] FileError),
}

/// The control socket of a front.
pub struct Server {
    listener: Listener,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the socket of a front, for its user only, and posts its address. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub fn bind(seat: &FrontSeat) -> Result<Self, ServerError> {
        let socket = &seat.address().socket;
        let bound = || -> io::Result<Listener> {
            let name = socket.as_path().to_fs_name::<GenericFilePath>()?;
            let listener = ListenerOptions::new().name(name).create_tokio()?;
            // Its folder is closed to others already; this is for who copies the folder's content elsewhere.
            #[cfg(unix)]
            std::fs::set_permissions(socket, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            Ok(listener)
        };
        let listener = bound().map_err(|source| ServerError::Bind { socket: socket.clone(), source })?;
        seat.post()?;
        Ok(Self { listener })
    }

    /// Answers commands until it is dropped. Each is given to `handler` once its sender was told that it is accepted; its
    /// future is finished even if the asking command goes away after that.
    pub async fn serve<H, F>(self, handler: H)
    where
        H: Fn(Ask) -> F,
        F: Future<Output = Answer>,
    {
        let handler = &handler;
        let mut connections = FuturesUnordered::new();
        let mut pause = Duration::ZERO;
        loop {
            let room = connections.len() < CONNECTIONS;
            tokio::select! {
                accepted = accept(&self.listener, pause), if room => match accepted {
                    Ok(stream) => {
                        pause = Duration::ZERO;
                        connections.push(connection(stream, handler));
                    }
                    // Out of descriptors, say: no reason to spin.
                    Err(_) => pause = (pause * 2).clamp(Duration::from_millis(50), Duration::from_secs(5)),
                },
                Some(()) = connections.next(), if !connections.is_empty() => {}
            }
        }
    }
}

async fn accept(listener: &Listener, pause: Duration) -> io::Result<Stream> {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    listener.accept().await
}

/// One command: a line, its answer, the next line.
async fn connection<H, F>(stream: Stream, handler: &H)
where
    H: Fn(Ask) -> F,
    F: Future<Output = Answer>,
{
    let mut reader = BufReader::with_capacity(1024, &stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        // One byte more than allowed tells a line that is too long.
        let mut bounded = (&mut reader).take(LONGEST + 1);
        match tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => return,
        }
        let too_long = line.len() as u64 > LONGEST;
        let (id, asked) = if too_long { (0, Err(too_large())) } else { parse(&line) };
        let answer = match asked {
            Ok(ask) => {
                // A front that stood still finds commands here whose senders have given up and said so: they must not be
                // carried out now. What is not accepted is not begun; once it is begun, a command that goes away is no
                // reason to stop half-way.
                if !matches!(ask, Ask::Status) && send(&stream, id, Answer::Accepted).await.is_err() {
                    return;
                }
                handler(ask).await
            }
            Err(fault) => Answer::Error(fault),
        };
        if send(&stream, id, answer).await.is_err() || too_long {
            return;
        }
    }
}

async fn send(mut stream: &Stream, id: u64, answer: Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Response { v: VERSION, id, answer })?;
    line.push(b'\n');
    let write = async {
        stream.write_all(&line).await?;
        stream.flush().await
    };
    tokio::time::timeout(PATIENCE, write).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// A request as far as any release can read it.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    id: u64,
    ask: Value,
}

fn parse(line: &[u8]) -> (u64, Result<Ask, Fault>) {
    let envelope: Envelope = match serde_json::from_slice(line) {
        Ok(envelope) => envelope,
        Err(error) => return (0, Err(Fault::new(Code::Host, format!("the request cannot be read: {error}")))),
    };
    let known = Ask::deserialize(&envelope.ask).or_else(|error| {
        // A newer release may have given fields to what had none.
        match envelope.ask.as_object().filter(|object| object.len() == 1).and_then(|object| object.keys().next()) {
            Some(name) => Ask::deserialize(&Value::String(name.clone())).map_err(|_| error),
            None => Err(error),
        }
    });
    (envelope.id, known.map_err(|_| unknown(&envelope.ask)))
}

fn unknown(ask: &Value) -> Fault {
    let name = match ask {
        Value::Object(object) => object.keys().next().cloned().unwrap_or_default(),
        Value::String(name) => name.clone(),
        other => other.to_string(),
    };
    let name: String = name.chars().take(40).collect();
    let release = env!("CARGO_PKG_VERSION");
    Fault::new(Code::Host, format!("the front is of release {release} and does not know '{name}'"))
        .with_help("reconnect the server in the client: its new front is of the installed release")
}

fn too_large() -> Fault {
    Fault::new(Code::TooLarge, format!("the request is longer than {} KiB", LONGEST >> 10))
}

#[cfg(test)]
mod tests;
