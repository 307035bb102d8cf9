//! Pipes, sockets, terminals and files as Unix has them.

use super::CHUNK;
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::unix::{AsyncFd, AsyncFdRegisterError};
use tokio::io::{Interest, Ready};
use tokio::sync::mpsc;

/// What a pipe is made of.
pub type Descriptor = OwnedFd;

/// The front's own standard input.
///
/// # Errors
/// It is not open.
pub fn stdin() -> io::Result<Descriptor> {
    rustix::stdio::stdin().as_fd().try_clone_to_owned()
}

/// The front's own standard output.
///
/// # Errors
/// It is not open.
pub fn stdout() -> io::Result<Descriptor> {
    rustix::stdio::stdout().as_fd().try_clone_to_owned()
}

/// A client that does not read our stderr must not stop us. Only pipes and sockets are made so: other processes share a
/// terminal's or a file's mode.
pub fn nonblocking_stderr() {
    let stderr = rustix::stdio::stderr();
    let kind = fstat(stderr).map(|stat| FileType::from_raw_mode(stat.st_mode));
    if let (Ok(FileType::Fifo | FileType::Socket), Ok(flags)) = (kind, fcntl_getfl(stderr)) {
        let _ = fcntl_setfl(stderr, flags | OFlags::NONBLOCK);
    }
}

/// Best effort: what does not fit is lost here, and is in the log.
pub fn write_stderr(line: &str) {
    let _ = rustix::io::write(rustix::stdio::stderr(), line.as_bytes());
}

/// Something to read from.
#[derive(Debug)]
pub enum Input {
    /// Read when the system says that there is something.
    Ready(AsyncFd<OwnedFd>),
    /// Read by a thread of its own.
    Thread(mpsc::Receiver<Vec<u8>>),
}

impl Input {
    /// Takes over a descriptor. Must be called on a runtime.
    ///
    /// # Errors
    /// The descriptor is not open.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        if rustix::termios::isatty(&fd) {
            return Ok(Self::threaded(fd));
        }
        let flags = fcntl_getfl(&fd)?;
        fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
        match register(fd, Interest::READABLE) {
            Ok(fd) => Ok(Self::Ready(fd)),
            Err(refused) => {
                let (fd, _) = refused.into_parts();
                fcntl_setfl(&fd, flags)?;
                Ok(Self::threaded(fd))
            }
        }
    }

    fn threaded(fd: OwnedFd) -> Self {
        let (tx, rx) = mpsc::channel(4);
        std::thread::spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                match rustix::io::read(&fd, chunk.as_mut_slice()) {
                    Ok(0) => return,
                    Ok(read) => chunk.truncate(read),
                    Err(Errno::INTR) => continue,
                    Err(_) => return,
                }
                if tx.blocking_send(chunk).is_err() {
                    return;
                }
            }
        });
        Self::Thread(rx)
    }

    /// Appends what there is to `buffer` and returns how much that was; 0 at the end. Cancel-safe.
    pub(crate) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Thread(rx) => Ok(rx.recv().await.map_or(0, |chunk| {
                buffer.extend_from_slice(&chunk);
                chunk.len()
            })),
            Self::Ready(fd) => loop {
                let mut guard = fd.readable().await?;
                buffer.reserve(CHUNK);
                let room = buffer.capacity() - buffer.len();
                match rustix::io::read(guard.get_inner(), rustix::buffer::spare_capacity(buffer)) {
                    Ok(read) => {
                        // Less than there was room for: the pipe is empty, and a further read would only say so.
                        if read > 0 && read < room {
                            guard.clear_ready();
                        }
                        return Ok(read);
                    }
                    Err(Errno::AGAIN) => guard.clear_ready(),
                    Err(Errno::INTR) => {}
                    // A socketpair whose other end was closed with unread bytes: as much an end as any.
                    Err(Errno::CONNRESET) => return Ok(0),
                    Err(error) => return Err(error.into()),
                }
            },
        }
    }
}

/// Something to write to.
#[derive(Debug)]
pub enum Output {
    /// Accepts what fits and says when it accepts more.
    Ready(AsyncFd<OwnedFd>),
    /// Always writes everything (a file, a terminal).
    Direct(OwnedFd),
}

impl Output {
    /// Takes over a descriptor. Must be called on a runtime.
    ///
    /// # Errors
    /// The descriptor is not open.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        if rustix::termios::isatty(&fd) {
            return Ok(Self::Direct(fd));
        }
        let flags = fcntl_getfl(&fd)?;
        fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
        match register(fd, Interest::WRITABLE | Interest::ERROR) {
            Ok(fd) => Ok(Self::Ready(fd)),
            Err(refused) => {
                let (fd, _) = refused.into_parts();
                fcntl_setfl(&fd, flags)?;
                Ok(Self::Direct(fd))
            }
        }
    }

    /// Writes what is accepted at this instant.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is; else nobody will ever read it.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let fd = match self {
            Self::Ready(fd) => fd.get_ref().as_fd(),
            Self::Direct(fd) => fd.as_fd(),
        };
        loop {
            match rustix::io::write(fd, bytes) {
                Err(Errno::INTR) => {}
                other => return other.map_err(Into::into),
            }
        }
    }

    /// Runs `write` each time something may be accepted, until it returns true. `write` returns false for `WouldBlock`.
    pub async fn when_writable(&self, mut write: impl FnMut() -> bool) {
        let Self::Ready(fd) = self else {
            write();
            return;
        };
        loop {
            let Ok(mut guard) = fd.writable().await else { return };
            if write() {
                return;
            }
            guard.clear_ready();
        }
    }

    /// Returns when everything that was accepted is out of this process: at once, the system has it.
    pub async fn flushed(&self) {}

    /// Returns when nobody can read what is written here any more.
    pub async fn reader_gone(&self) {
        let Self::Ready(fd) = self else { return std::future::pending().await };
        loop {
            match fd.ready(Interest::ERROR).await {
                Ok(mut guard) => {
                    if guard.ready().is_error() || guard.ready().is_write_closed() {
                        return;
                    }
                    guard.clear_ready_matching(Ready::ERROR);
                }
                Err(_) => return,
            }
        }
    }
}

/// Makes a descriptor say when there is something. Must be called on a runtime.
///
/// # Errors
/// The system cannot tell of such a descriptor; it is given back.
#[allow(unsafe_code)]
pub(crate) fn register(fd: OwnedFd, interest: Interest) -> Result<AsyncFd<OwnedFd>, AsyncFdRegisterError<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, stays open until it is dropped, and always names the same descriptor; the `AsyncFd`
    // owns it from here on and gives it out by shared reference only.
    unsafe { AsyncFd::register_with_interest(fd, interest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_socket_that_was_closed_over_unread_bytes_has_ended() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, theirs) = UnixStream::pair().unwrap();
            rustix::io::write(&ours, b"unread").unwrap();
            rustix::io::write(&theirs, b"last").unwrap();
            let mut input = Input::new(ours.into()).unwrap();
            drop(theirs);
            let mut read = Vec::new();
            // What was written before may be lost with the connection; the end is no error.
            while input.read(&mut read).await.unwrap() > 0 {}
            assert!(b"last".starts_with(&read));
        });
    }
}
