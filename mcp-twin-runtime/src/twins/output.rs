//! What one twin writes, in a file that outlives the front, and how far that was read.

use crate::logs::{self, LARGEST, StderrTail, stderr_tail::KEPT};
use mcp_twin_core::TwinId;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::yield_now;

/// The extension of such a file. Not `log`: its lines are shown as part of the front's own log.
pub(super) const EXTENSION: &str = "out";
/// The extension of the file that says how far it was read.
const READ: &str = "read";
/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// A line without an end is passed on in parts of this size.
const LONGEST: usize = 64 << 10;

/// Hears of the twins of an HTTP front.
pub trait TwinsListener: Send + Sync {
    /// A twin is called so from now on, such as `A generation 3`; told before its first line.
    fn named(&self, twin: TwinId, name: String);
    /// One line that a twin wrote to its stdout or stderr. Must not ask this twin's output for anything.
    fn said(&self, twin: TwinId, line: &str);
    /// A twin ended by itself.
    fn ended(&self, twin: TwinId) {
        let _ = twin;
    }
    /// One line for the log: what was done, or what is off.
    fn note(&self, text: &str);
}

/// What one twin writes.
pub(super) struct TwinOutput {
    twin: TwinId,
    path: PathBuf,
    listener: Arc<dyn TwinsListener>,
    /// There may be more to read, or it is over.
    pub(super) changed: Notify,
    reading: Mutex<Reading>,
}

struct Reading {
    file: File,
    /// Keeps `offset`, less what is in `rest`, for the next front.
    mark: Option<File>,
    offset: u64,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    /// The last of what was cut off the file.
    before: Vec<u8>,
    over: bool,
}

impl TwinOutput {
    /// The output of a twin that is about to be started, and the file to give it.
    pub(super) fn begin(
        twin: TwinId,
        path: PathBuf,
        listener: &Arc<dyn TwinsListener>,
    ) -> io::Result<(Arc<Self>, File)> {
        // For appending: then it can be cut under the twin, which goes on at its new end.
        let file = logs::open(&path)?;
        Ok((Self::open(twin, path, listener, 0)?, file))
    }

    /// The output of a twin that an earlier front has started, from where that one stopped reading.
    pub(super) fn go_on(twin: TwinId, path: PathBuf, listener: &Arc<dyn TwinsListener>) -> Option<Arc<Self>> {
        let offset = read_mark(&path);
        match Self::open(twin, path, listener, offset) {
            Ok(output) => Some(output),
            Err(error) => {
                listener.note(&format!("what this twin writes cannot be read: {error}"));
                None
            }
        }
    }

    fn open(twin: TwinId, path: PathBuf, listener: &Arc<dyn TwinsListener>, offset: u64) -> io::Result<Arc<Self>> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        // Without it the next front begins anew: some lines are then told twice.
        let mark = private(&path.with_extension(READ)).ok();
        let reading = Reading { file, mark, offset, rest: Vec::new(), before: Vec::new(), over: false };
        let (changed, reading, listener) = (Notify::new(), Mutex::new(reading), Arc::clone(listener));
        Ok(Arc::new(Self { twin, path, listener, changed, reading }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads on whenever there is more, until it is over.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            self.changed.notified().await;
            while self.read_on() {
                yield_now().await;
            }
            if self.lock().over {
                self.read_to_end().await;
                return self.remove();
            }
        }
    }

    /// Reads all that is there now, the last line too if it has no end.
    pub(super) async fn read_to_end(&self) {
        while self.read_on() {
            yield_now().await;
        }
        let mut reading = self.lock();
        let rest = std::mem::take(&mut reading.rest);
        self.say(&rest);
    }

    /// The last 32 KB.
    pub(super) fn tail(&self) -> String {
        let mut reading = self.lock();
        let mut tail = StderrTail::new();
        tail.push(&reading.before);
        tail.push(&last_of(&mut reading.file).unwrap_or_default());
        tail.text()
    }

    /// The twin has ended: its file goes once all of it was read.
    pub(super) fn finish(&self) {
        self.lock().over = true;
        self.changed.notify_one();
    }

    /// The twin was never started.
    pub(super) fn discard(&self) {
        self.remove();
    }

    fn remove(&self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.path.with_extension(READ));
    }

    /// Reads one chunk, and passes on its lines; false if there was nothing more.
    fn read_on(&self) -> bool {
        let mut reading = self.lock();
        let lines = match reading.next() {
            Ok(Some(lines)) => lines,
            Ok(None) | Err(_) => return false,
        };
        // Within the lock, so that the lines of two readers do not mix.
        self.say(&lines);
        true
    }

    fn say(&self, lines: &[u8]) {
        let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
        if lines.is_empty() {
            return;
        }
        for line in lines.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.listener.said(self.twin, &String::from_utf8_lossy(line));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// The whole lines of the next chunk (or none yet); `None` if nothing more is there.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.file.metadata()?.len() < self.offset {
            // Somebody else has cut it.
            self.offset = 0;
        }
        self.file.seek(SeekFrom::Start(self.offset))?;
        let mut chunk = vec![0; CHUNK];
        let read = self.file.read(&mut chunk)?;
        if read == 0 {
            if self.offset > LARGEST {
                self.cut()?;
            }
            return Ok(None);
        }
        self.offset += read as u64;
        self.rest.extend_from_slice(&chunk[..read]);
        let whole = match self.rest.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.rest.len() >= LONGEST => self.rest.len(),
            None => 0,
        };
        let lines = self.rest.drain(..whole).collect();
        self.keep_mark();
        Ok(Some(lines))
    }

    /// Begins the file anew. What was written since the last look is lost with the rest: a line at most, as a rule.
    fn cut(&mut self) -> io::Result<()> {
        self.before = last_of(&mut self.file)?;
        self.file.set_len(0)?;
        self.offset = 0;
        self.keep_mark();
        Ok(())
    }

    fn keep_mark(&mut self) {
        let told = self.offset.saturating_sub(self.rest.len() as u64);
        if let Some(mark) = &mut self.mark {
            // Best effort: the page cache survives the death of this process.
            let _ = mark.seek(SeekFrom::Start(0)).and_then(|_| mark.write_all(&told.to_le_bytes()));
        }
    }
}

/// Passes on what twins wrote that ended while no front lived, and removes their files; those of `living` twins stay.
pub(super) fn read_out(logs: &Path, front: &str, living: &[PathBuf], listener: &Arc<dyn TwinsListener>) {
    let prefix = format!("{front}.");
    let ours = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
    for path in fs::read_dir(logs).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if !ours(&path) || path.extension().is_none_or(|extension| extension != EXTENSION) || living.contains(&path) {
            continue;
        }
        let words = File::open(&path).and_then(|mut file| unread(&mut file, read_mark(&path)));
        if let Some(words) = words.ok().filter(|words| !words.is_empty()) {
            listener.note(&format!("a twin that ended while no front ran had written:\n{words}"));
        }
        let _ = fs::remove_file(path.with_extension(READ));
        let _ = fs::remove_file(path);
    }
}

/// Removes what the twins of a front wrote that is gone.
pub(crate) fn remove_output(logs: &Path, front: &str) {
    let prefix = format!("{front}.");
    for entry in fs::read_dir(logs).into_iter().flatten().flatten() {
        let path = entry.path();
        let written = path.extension().is_some_and(|extension| extension == EXTENSION || extension == READ);
        if written && entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = fs::remove_file(path);
        }
    }
}

/// What nobody has read yet, at most the last 32 KB.
fn unread(file: &mut File, mark: u64) -> io::Result<String> {
    let len = file.metadata()?.len();
    let mark = if mark > len { 0 } else { mark };
    let mut tail = StderrTail::new();
    tail.push(&read_from(file, mark.max(len.saturating_sub(KEPT as u64 + 1)))?);
    Ok(tail.text().trim_end().to_owned())
}

/// The last bytes of a file, one more than are kept if there are more: so the tail knows that it was cut.
fn last_of(file: &mut File) -> io::Result<Vec<u8>> {
    let start = file.metadata()?.len().saturating_sub(KEPT as u64 + 1);
    read_from(file, start)
}

fn read_from(file: &mut File, start: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    // Bounded: the twin may go on writing.
    file.take(KEPT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_mark(path: &Path) -> u64 {
    let bytes = fs::read(path.with_extension(READ)).ok();
    bytes.and_then(|bytes| Some(u64::from_le_bytes(bytes.first_chunk()?.to_owned()))).unwrap_or_default()
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
