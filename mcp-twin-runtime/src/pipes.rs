//! Bytes in and out of file descriptors on one thread: readiness where the system has it, a thread or a blocking write
//! where it has not (a terminal, a regular file, `/dev/null`).
//!
//! A client hands over a pipe (Python), a socketpair (Node) or a terminal; twins have pipes. Nothing in here knows what
//! the bytes mean.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::unix::{AsyncFd, AsyncFdRegisterError};
use tokio::io::{Interest, Ready};
use tokio::sync::mpsc;

/// How much is read at once.
const CHUNK: usize = 32 * 1024;
/// A line buffer that grew beyond this is given back when it is empty.
const KEEP: usize = 4 * CHUNK;
/// How much of a skipped line is kept, to find its id.
const BEGINNING: usize = 4096;

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
    async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
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

#[allow(unsafe_code)]
fn register(fd: OwnedFd, interest: Interest) -> Result<AsyncFd<OwnedFd>, AsyncFdRegisterError<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, stays open until it is dropped, and always names the same descriptor; the `AsyncFd`
    // owns it from here on and gives it out by shared reference only.
    unsafe { AsyncFd::register_with_interest(fd, interest) }
}

/// One line of input, without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line.
    Whole(&'a [u8]),
    /// The beginning of a line that was larger than the maximum and was skipped.
    Oversize(&'a [u8]),
}

/// Cuts input into lines: `\n` or `\r\n`, a byte order mark at the very beginning is dropped, empty lines are passed over,
/// and an unfinished last line counts.
#[derive(Debug)]
pub struct Lines {
    input: Input,
    buffer: Vec<u8>,
    /// Where the next line begins.
    begin: usize,
    /// Up to where there is certainly no line end.
    searched: usize,
    max: usize,
    at_start: bool,
    ended: bool,
    /// Within a line that is too large: its beginning.
    skipping: Option<Vec<u8>>,
    skipped: Vec<u8>,
}

impl Lines {
    /// Lines of at most `max` bytes.
    #[must_use]
    pub fn new(input: Input, max: usize) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            begin: 0,
            searched: 0,
            max,
            at_start: true,
            ended: false,
            skipping: None,
            skipped: Vec::new(),
        }
    }

    /// Reads on; false at the end. Cancel-safe.
    ///
    /// # Errors
    /// Reading failed.
    pub async fn fill(&mut self) -> io::Result<bool> {
        self.make_room();
        if self.ended {
            return Ok(false);
        }
        if self.input.read(&mut self.buffer).await? == 0 {
            self.ended = true;
        }
        if self.at_start && self.buffer.len() >= 3 {
            self.at_start = false;
            if self.buffer.starts_with(b"\xEF\xBB\xBF") {
                (self.begin, self.searched) = (3, 3);
            }
        }
        // At the end there may be one more line without its end.
        Ok(!self.ended || self.begin < self.buffer.len() || self.skipping.is_some())
    }

    /// The next line that is there in full.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        loop {
            let found = memchr::memchr(b'\n', &self.buffer[self.searched..]).map(|at| self.searched + at);
            let (end, next) = match found {
                Some(at) => (at, at + 1),
                None if self.ended && (self.begin < self.buffer.len() || self.skipping.is_some()) => {
                    (self.buffer.len(), self.buffer.len())
                }
                None => {
                    self.searched = self.buffer.len();
                    if self.searched - self.begin > self.max {
                        self.skip();
                    }
                    return None;
                }
            };
            let begin = self.begin;
            (self.begin, self.searched) = (next, next);
            if let Some(beginning) = self.skipping.take() {
                self.skipped = beginning;
                return Some(Line::Oversize(&self.skipped));
            }
            let line = &self.buffer[begin..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() > self.max {
                return Some(Line::Oversize(&self.buffer[begin..begin + BEGINNING.min(end - begin)]));
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                // Borrowed again: the checker does not see that the loop ends here.
                let end = begin + line.len();
                return Some(Line::Whole(&self.buffer[begin..end]));
            }
        }
    }

    fn skip(&mut self) {
        if self.skipping.is_none() {
            let end = self.buffer.len().min(self.begin + BEGINNING);
            self.skipping = Some(self.buffer[self.begin..end].to_vec());
        }
        self.begin = self.buffer.len();
    }

    fn make_room(&mut self) {
        if self.begin == self.buffer.len() {
            self.buffer.clear();
            if self.buffer.capacity() > KEEP {
                self.buffer = Vec::new();
            }
        } else if self.begin > 0 {
            self.buffer.drain(..self.begin);
        }
        self.searched -= self.begin;
        self.begin = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn lines_of(chunks: &[&[u8]], max: usize) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let mut lines = Lines::new(Input::new(ours.into()).unwrap(), max);
            let mut seen = Vec::new();
            let output = Output::new(theirs.into()).unwrap();
            for chunk in chunks {
                assert_eq!(output.try_write(chunk).unwrap(), chunk.len());
                assert!(lines.fill().await.unwrap());
                collect(&mut lines, &mut seen);
            }
            drop(output);
            while lines.fill().await.unwrap() {
                collect(&mut lines, &mut seen);
            }
            seen
        })
    }

    fn collect(lines: &mut Lines, seen: &mut Vec<String>) {
        while let Some(line) = lines.next_line() {
            seen.push(match line {
                Line::Whole(line) => String::from_utf8_lossy(line).into_owned(),
                Line::Oversize(beginning) => format!("oversize {}", beginning.len()),
            });
        }
    }

    #[test]
    fn lines_are_cut_wherever_the_chunks_end() {
        assert_eq!(lines_of(&[b"one\ntw", b"o\r", b"\n\n  \nthree"], 100), ["one", "two", "three"]);
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(lines_of(&[b"\xEF\xBB\xBF{}\n"], 100), ["{}"]);
    }

    #[test]
    fn a_line_over_the_maximum_is_skipped_and_the_next_one_is_whole() {
        let long = vec![b'x'; 9000];
        assert_eq!(lines_of(&[&long, b"xx\nnext\n"], 5000), ["oversize 4096", "next"]);
        assert_eq!(lines_of(&[b"xxxxxxxxxx\nnext\n"], 5), ["oversize 10", "next"]);
        assert_eq!(lines_of(&[&long], 5000), ["oversize 4096"]);
    }

    #[test]
    fn a_big_line_is_read_whole_and_its_memory_is_given_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let mut lines = Lines::new(Input::new(ours.into()).unwrap(), 64 << 20);
            let writer = std::thread::spawn(move || {
                use std::io::Write;
                let mut theirs = theirs;
                theirs.write_all(&vec![b'y'; 10 << 20]).unwrap();
                theirs.write_all(b"\nz\n").unwrap();
            });
            let mut sizes = Vec::new();
            while lines.fill().await.unwrap() {
                while let Some(Line::Whole(line)) = lines.next_line() {
                    sizes.push(line.len());
                }
            }
            writer.join().unwrap();
            assert_eq!(sizes, [10 << 20, 1]);
            assert!(lines.buffer.capacity() <= KEEP);
        });
    }

    #[test]
    fn a_gone_reader_is_noticed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (reader, writer) = rustix::pipe::pipe().unwrap();
            let output = Output::new(writer).unwrap();
            drop(reader);
            output.reader_gone().await;
            assert!(output.try_write(b"x").is_err());
        });
    }
}
