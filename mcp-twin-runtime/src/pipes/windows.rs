//! Pipes, consoles and files as Windows has them: an anonymous pipe knows no readiness there, so each direction has a
//! thread of its own, behind a bounded queue.

use super::CHUNK;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use tokio::sync::{mpsc, watch};

/// How many chunks may wait between a thread and the relay.
const QUEUE: usize = 4;

/// What a pipe is made of.
pub type Descriptor = OwnedHandle;

/// The front's own standard input.
///
/// # Errors
/// It is not open.
pub fn stdin() -> io::Result<Descriptor> {
    io::stdin().as_handle().try_clone_to_owned()
}

/// The front's own standard output.
///
/// # Errors
/// It is not open.
pub fn stdout() -> io::Result<Descriptor> {
    io::stdout().as_handle().try_clone_to_owned()
}

/// A client that does not read our stderr must not stop us: [`write_stderr`] sees to it.
pub fn nonblocking_stderr() {}

/// Best effort: what does not fit is lost here, and is in the log.
pub fn write_stderr(line: &str) {
    static STDERR: OnceLock<Option<Output>> = OnceLock::new();
    let open = || Output::new(io::stderr().as_handle().try_clone_to_owned().ok()?).ok();
    if let Some(stderr) = STDERR.get_or_init(open) {
        let _ = stderr.try_write(line.as_bytes());
    }
}

/// Something to read from.
#[derive(Debug)]
pub struct Input(mpsc::Receiver<Vec<u8>>);

impl Input {
    /// Takes over a handle.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new(handle: Descriptor) -> io::Result<Self> {
        let mut file = File::from(handle);
        let (tx, rx) = mpsc::channel(QUEUE);
        let read = move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                match file.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(read) => chunk.truncate(read),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    // A pipe whose other end is gone: as much an end as any.
                    Err(_) => return,
                }
                if tx.blocking_send(chunk).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("read".to_owned()).spawn(read)?;
        Ok(Self(rx))
    }

    /// Appends what there is to `buffer` and returns how much that was; 0 at the end. Cancel-safe.
    pub(crate) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        Ok(self.0.recv().await.map_or(0, |chunk| {
            buffer.extend_from_slice(&chunk);
            chunk.len()
        }))
    }
}

/// Something to write to. What is accepted here may still wait in a short queue, so to the relay it was sent: it is never
/// sent to another twin.
#[derive(Debug)]
pub struct Output {
    queue: SyncSender<Vec<u8>>,
    accepted: AtomicUsize,
    /// How many chunks were written. Closed once nothing can be written any more.
    written: watch::Receiver<usize>,
}

impl Output {
    /// Takes over a handle. It is closed when this is dropped and what was accepted is written.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new(handle: Descriptor) -> io::Result<Self> {
        let mut file = File::from(handle);
        let (queue, chunks) = sync_channel::<Vec<u8>>(QUEUE);
        let (progress, written) = watch::channel(0);
        let write = move || {
            for chunk in chunks {
                if file.write_all(&chunk).is_err() {
                    return;
                }
                progress.send_modify(|written| *written += 1);
            }
        };
        std::thread::Builder::new().name("write".to_owned()).spawn(write)?;
        Ok(Self { queue, accepted: AtomicUsize::new(0), written })
    }

    /// Writes what is accepted at this instant.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is; else nobody will ever read it.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = &bytes[..bytes.len().min(CHUNK)];
        match self.queue.try_send(chunk.to_vec()) {
            Ok(()) => {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                Ok(chunk.len())
            }
            Err(TrySendError::Full(_)) => Err(ErrorKind::WouldBlock.into()),
            Err(TrySendError::Disconnected(_)) => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    /// Runs `write` each time something may be accepted, until it returns true. `write` returns false for `WouldBlock`.
    pub async fn when_writable(&self, mut write: impl FnMut() -> bool) {
        let mut written = self.written.clone();
        loop {
            // What is written from here on is a change, so that none is missed between the try and the wait.
            written.mark_unchanged();
            if write() {
                return;
            }
            if written.changed().await.is_err() {
                // Nobody reads any more: the writer is to hear it.
                write();
                return;
            }
        }
    }

    /// Returns when everything that was accepted is out of this process, or never will be.
    pub async fn flushed(&self) {
        let accepted = self.accepted.load(Ordering::Relaxed);
        let _ = self.written.clone().wait_for(|written| *written >= accepted).await;
    }

    /// Returns when nobody can read what is written here any more. Here that is known only once something was written.
    pub async fn reader_gone(&self) {
        let mut written = self.written.clone();
        while written.changed().await.is_ok() {}
    }
}
