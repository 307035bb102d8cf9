//! Log files: one line at a time, with the local time, rotated by size, and never in the way of who writes.

pub mod reading;
pub mod stderr_tail;

pub use reading::{follow, tail};
pub use stderr_tail::StderrTail;

use crate::files::{self, lock};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The size at which a log file is put away, in bytes.
pub const LARGEST: u64 = 5 << 20;

/// How many files of one log are kept, the current one among them.
pub const KEPT: u32 = 5;

/// How many log files of a server are kept: each front writes its own.
pub const FILES: usize = 50;

/// How many bytes the log files of a server may have before the oldest go.
pub const BYTES: u64 = 50 << 20;

/// The longest line, in bytes; the rest of a longer one is cut off.
const LONGEST: usize = 16 << 10;

/// A log that is being written: `<dir>/<name>.log`, older ones `<name>.1.log` to `<name>.4.log`. Several processes may
/// write the same one.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    largest: u64,
    file: Option<File>,
    dropped: u64,
    why: Option<String>,
}

impl LogFile {
    /// The log `name` in `dir`, which is made if it is missing; the oldest files in it are removed beyond [`FILES`] and
    /// [`BYTES`]. Never fails: what cannot be written is counted, see
    /// [`LogFile::dropped`].
    #[must_use]
    pub fn open(dir: &Path, name: &str) -> Self {
        Self::with_size(dir, name, LARGEST)
    }

    fn with_size(dir: &Path, name: &str, largest: u64) -> Self {
        let _ = crate::home::make_private(dir);
        prune(dir, FILES, BYTES);
        Self { path: dir.join(format!("{name}.log")), largest, file: None, dropped: 0, why: None }
    }

    /// The file that is written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many lines could not be written since the last one that could.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Why the last line could not be written, if so.
    #[must_use]
    pub fn off(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Writes a text, each of its lines with the time. What cannot be written is dropped and counted; the next line that
    /// can is preceded by one that says how many were.
    pub fn line(&mut self, text: &str) {
        // The system's zone, as /etc/localtime has it; UTC where only a name of a zone is given (`TZ`, Windows): reading the
        // database of zones would cost every front's start some milliseconds. The offset is always there.
        let time = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
        let mut lines = String::with_capacity(time.len() + text.len() + 2);
        if self.dropped > 0 {
            let why = self.why.as_deref().unwrap_or_default();
            let _ = writeln!(lines, "{time} mcp-twin: {} lines were not written: {why}", self.dropped);
        }
        let mut count = 0;
        for line in text.lines() {
            let end = line.floor_char_boundary(LONGEST);
            let cut = if end < line.len() { "…" } else { "" };
            let _ = writeln!(lines, "{time} {}{cut}", &line[..end]);
            count += 1;
        }
        match self.append(lines.as_bytes()) {
            Ok(()) => (self.dropped, self.why) = (0, None),
            Err(error) => {
                self.file = None;
                self.dropped += count;
                self.why = Some(error.to_string());
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) if same(&file, &self.path) => file,
            _ => open(&self.path)?,
        };
        let size = file.metadata()?.len();
        if size > 0 && size + bytes.len() as u64 > self.largest && rotate(&self.path, self.largest, bytes.len() as u64)
        {
            file = open(&self.path)?;
        }
        // One write for all lines, at the end wherever that is by now: other processes write here too.
        file.write_all(bytes)?;
        self.file = Some(file);
        Ok(())
    }
}

/// Removes the log files of a folder that were written to longest ago, and what is left of their locks.
fn prune(dir: &Path, files: usize, bytes: u64) {
    let logs = std::fs::read_dir(dir).into_iter().flatten().flatten().filter_map(|entry| {
        let path = entry.path();
        let meta = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let log = path.extension().is_some_and(|extension| extension == "log");
        log.then_some((meta.modified().ok()?, meta.len(), path))
    });
    let mut logs: Vec<_> = logs.collect();
    logs.sort_by(|a, b| b.cmp(a));
    let mut total = 0;
    for (number, (_, size, path)) in logs.into_iter().enumerate() {
        total += size;
        if number >= files || total > bytes {
            let _ = std::fs::remove_file(lock::beside(&path));
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whether an open log is still the one at `path`. If another process has put it away, the one at `path` is another and as
/// good as never has the same size; mistaking the same for another costs one opening.
fn same(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt;
                ours.ino() == there.ino() && ours.dev() == there.dev()
            }
            #[cfg(not(unix))]
            {
                ours.len() == there.len()
            }
        }
        _ => false,
    }
}

/// Opens a file for writing at its end; it is made, for this user only, if it is missing.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Puts a full log away. Another process may be doing the same: then it is left to that one, and this line makes the
/// file a little longer than it should be.
fn rotate(path: &Path, largest: u64, more: u64) -> bool {
    let Ok(_lock) = lock::Lock::take(&lock::beside(path), Duration::ZERO) else { return false };
    let full = std::fs::metadata(path).is_ok_and(|meta| meta.len() + more > largest);
    if full {
        for number in (1..KEPT - 1).rev() {
            let _ = files::rename(&numbered(path, number), &numbered(path, number + 1));
        }
        let _ = files::rename(path, &numbered(path, 1));
    }
    true
}

/// `name.log`, put away as `name.<number>.log`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    path.with_extension(format!("{number}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = entries.filter(|name| name.ends_with(".log")).collect();
        names.sort();
        names
    }

    #[test]
    fn every_line_has_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::open(&dir.path().join("deep"), "front");
        log.line("one\ntwo");
        log.line("three");
        let text = std::fs::read_to_string(log.path()).unwrap();
        for (line, wanted) in text.lines().zip(["one", "two", "three"]) {
            let (time, rest) = line.split_once(' ').unwrap();
            assert_eq!(rest, wanted);
            time.parse::<jiff::Timestamp>().unwrap();
            assert_eq!(time.len(), "2026-11-22T17:51:16.123+00:00".len(), "{time}");
        }
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn full_files_are_put_away_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::with_size(dir.path(), "front", 400);
        for n in 0..200 {
            log.line(&format!("line {n:03}"));
        }
        assert_eq!(names(dir.path()), ["front.1.log", "front.2.log", "front.3.log", "front.4.log", "front.log"]);
        for name in names(dir.path()) {
            assert!(std::fs::metadata(dir.path().join(&name)).unwrap().len() <= 400, "{name}");
        }
        assert!(std::fs::read_to_string(log.path()).unwrap().ends_with("line 199\n"));
    }

    #[test]
    fn a_log_that_another_process_has_just_put_away_is_not_put_away_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("front.log");
        std::fs::write(&path, "begun anew\n").unwrap();
        assert!(rotate(&path, 400, 100));
        assert_eq!(names(dir.path()), ["front.log"]);
        let _busy = lock::Lock::take(&lock::beside(&path), Duration::ZERO).unwrap();
        assert!(!rotate(&path, 10, 100));
        assert_eq!(names(dir.path()), ["front.log"]);
    }

    #[test]
    fn logs_of_fronts_long_gone_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, age: u64| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_len(100).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(age)).unwrap();
        };
        for age in 0..5_u64 {
            write(&format!("f{age}.log"), 100 * age);
        }
        write("other.txt", 9999);
        prune(dir.path(), 4, 1000);
        assert_eq!(names(dir.path()), ["f0.log", "f1.log", "f2.log", "f3.log"]);
        prune(dir.path(), 4, 250);
        assert_eq!(names(dir.path()), ["f0.log", "f1.log"]);
        assert!(dir.path().join("other.txt").exists());
    }

    #[test]
    fn writers_that_share_a_log_lose_no_line() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let dir = dir.path();
                scope.spawn(move || {
                    let mut log = LogFile::with_size(dir, "front", 6000);
                    for n in 0..100 {
                        log.line(&format!("{writer}:{n}"));
                    }
                    assert_eq!(log.dropped(), 0);
                });
            }
        });
        let lines: Vec<_> =
            tail(dir.path(), 1000).iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
        for writer in 0..4 {
            for n in 0..100 {
                assert!(lines.contains(&format!("{writer}:{n}")), "{writer}:{n}");
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_told_later() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("logs");
        std::fs::write(&folder, "in the way").unwrap();
        let mut log = LogFile::open(&folder, "front");
        log.line("one\ntwo");
        log.line("three");
        assert_eq!(log.dropped(), 3);
        assert!(log.off().is_some());
        std::fs::remove_file(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        log.line("four");
        assert_eq!((log.dropped(), log.off()), (0, None));
        let text = std::fs::read_to_string(log.path()).unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
        assert!(lines[0].starts_with("mcp-twin: 3 lines were not written"), "{lines:?}");
        assert_eq!(lines[1..], ["four"]);
    }

    #[test]
    fn a_log_that_was_removed_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::open(dir.path(), "front");
        log.line("one");
        std::fs::remove_file(log.path()).unwrap();
        log.line("two");
        assert!(std::fs::read_to_string(log.path()).unwrap().ends_with("two\n"));
    }

    #[test]
    fn an_endless_line_is_cut_between_characters() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::open(dir.path(), "front");
        log.line(&"ä".repeat(LONGEST));
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert!(text.len() < LONGEST + 60 && text.ends_with("ä…\n"));
    }
}
