//! What happened to a server: `history/<server>.jsonl`, one line for each operation of any of its fronts, and the
//! numbers of its sources.
//!
//! Lines are only ever added, under a lock. When the file grows large its older part is dropped; the numbers of the
//! sources stand in a file of their own and outlive it.

pub mod numbers;

pub use numbers::{Numbers, generation_of, generation_of_async};

use crate::files::lock::{self, LOCK_WAIT, Lock};
use crate::files::{self, FileError, Flush};
use crate::home::Home;
use crate::servers::ServerKey;
use mcp_twin_core::ids::Source;
use mcp_twin_core::swap::{HistoryEntry, Outcome};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The size at which the older half of the lines is dropped, in bytes.
pub const LARGEST: u64 = 5 << 20;

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// When, as RFC 3339 in UTC.
    pub time: String,
    /// The same in milliseconds since 1970.
    pub ms: i64,
    /// Which front.
    pub front: String,
    /// The file whose change caused it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// What happened.
    pub entry: HistoryEntry,
}

impl HistoryLine {
    /// A line about something that happens now.
    #[must_use]
    pub fn now(front: &str, file: Option<PathBuf>, entry: HistoryEntry) -> Self {
        let now = jiff::Timestamp::now();
        Self { time: format!("{now:.3}"), ms: now.as_millisecond(), front: front.to_owned(), file, entry }
    }
}

/// Adds a line. Blocks up to 1 s for the lock.
///
/// # Errors
/// The lock cannot be had, or the file cannot be written.
pub fn append(home: &Home, server: &ServerKey, line: &HistoryLine) -> Result<(), FileError> {
    let path = home.history_of(server);
    let lock = Lock::take(&lock_of(home, server), LOCK_WAIT)?;
    append_locked(&path, line, LARGEST, &lock)
}

/// Adds a line; other tasks run while it waits for the lock.
///
/// # Errors
/// The lock cannot be had, or the file cannot be written.
pub async fn append_async(home: &Home, server: &ServerKey, line: &HistoryLine) -> Result<(), FileError> {
    let path = home.history_of(server);
    let lock = Lock::take_async(&lock_of(home, server), LOCK_WAIT).await?;
    append_locked(&path, line, LARGEST, &lock)
}

/// The history of a server, the oldest line first. Lines that cannot be read (torn by a crash, or of another release) are
/// left out.
///
/// # Errors
/// The file cannot be read.
pub fn read(home: &Home, server: &ServerKey) -> Result<Vec<HistoryLine>, FileError> {
    let bytes = files::read(&home.history_of(server))?.unwrap_or_default();
    Ok(lines(&bytes).filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// How many of the sources that served last are told.
const SERVED: usize = 4;

/// The sources that served last, the latest first, each once. None where the history cannot be read.
#[must_use]
pub fn served(home: &Home, server: &ServerKey) -> Vec<Source> {
    let mut served: Vec<Source> = Vec::new();
    for line in last(home, server, usize::MAX).unwrap_or_default().iter().rev() {
        let took_over = matches!(
            line.entry.outcome,
            Outcome::Started { .. } | Outcome::Swapped { .. } | Outcome::RolledBack { .. }
        );
        let source = numbers::outcome_source(&line.entry.outcome).filter(|source| took_over && source.hash.is_some());
        if let Some(source) = source.filter(|source| !served.contains(source)) {
            served.push(source);
        }
        if served.len() == SERVED {
            break;
        }
    }
    served
}

/// So much of the end of a history is read for its last lines. A line may carry 32 KB of stderr.
const END: u64 = 512 << 10;

/// The last `n` lines of the history of a server at most, the oldest first: those that stand in the end of the file, so that
/// it can be asked for often.
///
/// # Errors
/// The file cannot be read.
pub fn last(home: &Home, server: &ServerKey, n: usize) -> Result<Vec<HistoryLine>, FileError> {
    let path = home.history_of(server);
    let mut end = Vec::new();
    match File::open(&path) {
        Ok(mut file) => {
            let size = file.metadata().map_err(FileError::io("read", &path))?.len();
            let from = file.seek(SeekFrom::Start(size.saturating_sub(END))).map_err(FileError::io("read", &path))?;
            file.take(END).read_to_end(&mut end).map_err(FileError::io("read", &path))?;
            if from > 0 {
                // It begins within a line.
                let whole = end.iter().position(|byte| *byte == b'\n').map_or(end.len(), |at| at + 1);
                end.drain(..whole);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(FileError::io("read", &path)(error)),
    }
    let mut found: Vec<HistoryLine> =
        lines(&end).rev().filter_map(|line| serde_json::from_slice(line).ok()).take(n).collect();
    found.reverse();
    Ok(found)
}

/// Every server of this name that has a history: as many as there are project roots with it.
#[must_use]
pub fn servers(home: &Home, name: &str) -> Vec<ServerKey> {
    let mut found: Vec<_> = std::fs::read_dir(home.history())
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| ServerKey::parse(entry.file_name().to_str()?.strip_suffix(".jsonl")?))
        .filter(|key| key.name() == name)
        .collect();
    found.sort();
    found
}

fn lock_of(home: &Home, server: &ServerKey) -> PathBuf {
    lock::beside(&home.history_of(server))
}

fn lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn append_locked(path: &Path, line: &HistoryLine, largest: u64, _lock: &Lock) -> Result<(), FileError> {
    let mut bytes = serde_json::to_vec(line)
        .map_err(|error| FileError::Unwritable { path: path.to_owned(), why: error.to_string() })?;
    bytes.push(b'\n');
    let size = append_bytes(path, &bytes).map_err(FileError::io("write", path))?;
    if size > largest { compact(path, largest) } else { Ok(()) }
}

fn append_bytes(path: &Path, bytes: &[u8]) -> io::Result<u64> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let size = file.metadata()?.len();
    let mut last = [b'\n'];
    if size > 0 {
        file.seek(SeekFrom::Start(size - 1))?;
        file.read_exact(&mut last)?;
    }
    // A crash tore the last line: what follows must not become part of it.
    let torn = last != [b'\n'];
    if torn {
        file.write_all(b"\n")?;
    }
    file.write_all(bytes)?;
    Ok(size + u64::from(torn) + bytes.len() as u64)
}

/// Keeps the newest lines, half of `largest` at most.
fn compact(path: &Path, largest: u64) -> Result<(), FileError> {
    let bytes = files::read(path)?.unwrap_or_default();
    let keep = usize::try_from(largest / 2).unwrap_or(usize::MAX);
    let from = bytes.len().saturating_sub(keep);
    let start = match bytes[from..].iter().position(|byte| *byte == b'\n') {
        Some(end) if from > 0 => from + end + 1,
        _ => from,
    };
    files::write_atomic(path, &bytes[start..], Flush::Now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fronts::seat::tests::home;
    use crate::store::tests::entry;
    use mcp_twin_core::ids::Generation;

    fn key() -> ServerKey {
        ServerKey::new("notes", Path::new("/p"))
    }

    fn line(generation: u32) -> HistoryLine {
        HistoryLine::now("notes-1", None, entry(generation))
    }

    fn generations(home: &Home) -> Vec<u32> {
        read(home, &key()).unwrap().iter().map(|line| line.entry.generation.0).collect()
    }

    #[test]
    fn the_last_lines_are_those_at_the_end() {
        let (_dir, home) = home();
        assert_eq!(last(&home, &key(), 3).unwrap(), [], "there is no file");
        for generation in 1..=20 {
            let mut line = HistoryLine::now("f", None, entry(generation));
            line.file = Some("x".repeat(40_000).into());
            append(&home, &key(), &line).unwrap();
        }
        let all = read(&home, &key()).unwrap();
        assert_eq!(last(&home, &key(), 3).unwrap(), all[17..]);
        let end = last(&home, &key(), 100).unwrap();
        assert!((10..20).contains(&end.len()), "only the end is read: {}", end.len());
        assert_eq!(end, all[20 - end.len()..]);
    }

    #[test]
    fn lines_come_back_in_order_with_their_time() {
        let (_dir, home) = home();
        assert_eq!(generations(&home), [0; 0]);
        for generation in 1..=3 {
            append(&home, &key(), &line(generation)).unwrap();
        }
        assert_eq!(generations(&home), [1, 2, 3]);
        let first = &read(&home, &key()).unwrap()[0];
        let time: jiff::Timestamp = first.time.parse().unwrap();
        assert_eq!(time.as_millisecond(), first.ms);
    }

    #[test]
    fn a_file_cut_at_any_byte_loses_the_last_line_only() {
        let (_dir, home) = home();
        append(&home, &key(), &line(1)).unwrap();
        append(&home, &key(), &line(2)).unwrap();
        let path = home.history_of(&key());
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            append(&home, &key(), &line(3)).unwrap();
            let mut wanted = vec![3];
            // A line is whole even without its line end.
            if cut >= whole.len() - 1 {
                wanted.insert(0, 2);
            }
            if cut >= first {
                wanted.insert(0, 1);
            }
            assert_eq!(generations(&home), wanted, "cut at {cut}");
        }
    }

    #[test]
    fn what_another_release_wrote_is_left_out_and_stays() {
        let (_dir, home) = home();
        let path = home.history_of(&key());
        std::fs::write(&path, "{\"what\":\"tomorrow\"}\n").unwrap();
        append(&home, &key(), &line(1)).unwrap();
        assert_eq!(generations(&home), [1]);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("{\"what\":\"tomorrow\"}"));
    }

    #[test]
    fn a_large_history_keeps_its_newest_half() {
        let (_dir, home) = home();
        let path = home.history_of(&key());
        let lock = Lock::take(&lock_of(&home, &key()), LOCK_WAIT).unwrap();
        for generation in 1..=100 {
            append_locked(&path, &line(generation), 4000, &lock).unwrap();
            assert!(std::fs::metadata(&path).unwrap().len() <= 4000);
        }
        let kept = generations(&home);
        assert_eq!(kept.last(), Some(&100));
        assert!(kept.len() > 3 && kept.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{kept:?}");
    }

    #[tokio::test]
    async fn a_locked_history_is_given_up() {
        let (_dir, home) = home();
        let _held = Lock::take(&lock_of(&home, &key()), LOCK_WAIT).unwrap();
        assert!(matches!(append_async(&home, &key(), &line(1)).await, Err(FileError::Locked { .. })));
    }

    #[test]
    fn fronts_that_write_at_once_keep_lines_apart() {
        let (_dir, home) = home();
        std::thread::scope(|scope| {
            for front in 0..4 {
                let home = &home;
                scope.spawn(move || {
                    for n in 0..20 {
                        append(home, &key(), &line(front * 100 + n)).unwrap();
                    }
                });
            }
        });
        assert_eq!(generations(&home).len(), 80);
    }

    #[test]
    fn servers_of_one_name_are_found() {
        let (_dir, home) = home();
        let keys = ["/a", "/b"].map(|root| ServerKey::new("notes", Path::new(root)));
        let other = ServerKey::new("notes2", Path::new("/a"));
        for key in keys.iter().chain([&other]) {
            append(&home, key, &line(1)).unwrap();
        }
        let mut wanted = keys.to_vec();
        wanted.sort();
        assert_eq!(servers(&home, "notes"), wanted);
        assert_eq!(Generation(1), read(&home, &other).unwrap()[0].entry.generation);
    }
}
