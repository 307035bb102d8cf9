//! Bytes in and out on one thread: readiness where the system has it, a thread or a blocking write where it has not (a
//! terminal, a regular file, `/dev/null`, every pipe of Windows).
//!
//! A client hands over a pipe (Python), a socketpair (Node) or a terminal; twins have pipes. Nothing in here knows what
//! the bytes mean.

#[cfg_attr(unix, path = "pipes/unix.rs")]
#[cfg_attr(windows, path = "pipes/windows.rs")]
mod system;

#[cfg(target_os = "linux")]
pub(crate) use system::register;
pub use system::{Descriptor, Input, Output, nonblocking_stderr, stdin, stdout, write_stderr};

use std::io;

/// How much is read at once.
const CHUNK: usize = 32 * 1024;
/// A line buffer that grew beyond this is given back when it is empty.
const KEEP: usize = 4 * CHUNK;
/// How much of a skipped line is kept, to find its id.
const BEGINNING: usize = 4096;

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

    fn lines_of(chunks: &[&[u8]], max: usize) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, theirs) = io::pipe().unwrap();
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
            let (ours, theirs) = io::pipe().unwrap();
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
            let (reader, writer) = io::pipe().unwrap();
            let output = Output::new(writer.into()).unwrap();
            drop(reader);
            // Where nothing tells of it by itself, a write does.
            if cfg!(windows) {
                output.try_write(b"x").unwrap();
            }
            output.reader_gone().await;
            assert!(output.try_write(b"x").is_err());
        });
    }

    #[test]
    fn a_full_pipe_takes_more_once_it_is_read_and_nothing_is_lost() {
        use std::io::Read;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut reader, writer) = io::pipe().unwrap();
            let output = Output::new(writer.into()).unwrap();
            let text: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
            let mut sent = 0;
            let mut send = || {
                while sent < text.len() {
                    match output.try_write(&text[sent..]) {
                        Ok(written) => sent += written,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                        Err(error) => panic!("{error}"),
                    }
                }
                true
            };
            assert!(!send(), "so much fits into no pipe");
            let read = std::thread::spawn(move || {
                let mut all = Vec::new();
                reader.read_to_end(&mut all).unwrap();
                all
            });
            output.when_writable(&mut send).await;
            output.flushed().await;
            drop(output);
            assert!(read.join().unwrap() == text);
        });
    }
}
