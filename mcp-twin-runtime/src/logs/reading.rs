//! Reading the log files of a server: the last lines, and those that come.

use super::same;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a followed log is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// The last `n` lines of all logs of a folder, ordered by time. What cannot be read is left out.
#[must_use]
pub fn tail(dir: &Path, n: usize) -> Vec<String> {
    let ends = ends(dir);
    last_lines(&ends, n)
}

/// Gives the last `last` lines and then every line that comes, until `on_line` breaks. Blocks; for a foreground command.
/// A folder that is not there yet is waited for.
pub fn follow(dir: &Path, last: usize, mut on_line: impl FnMut(&str) -> ControlFlow<()>) {
    let mut follower = Follower::new(dir, last);
    loop {
        for line in follower.poll() {
            if on_line(&line).is_break() {
                return;
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Where each log has been read to.
struct Follower {
    dir: PathBuf,
    ready: Vec<String>,
    logs: BTreeMap<PathBuf, Position>,
}

struct Position {
    offset: u64,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    /// Kept open: the file can be read to its end after it was put away.
    file: File,
}

impl Follower {
    fn new(dir: &Path, last: usize) -> Self {
        let ends = ends(dir);
        let ready = last_lines(&ends, last);
        let current = ends.into_iter().filter(|(path, _)| is_current(path));
        let logs = current
            .filter_map(|(path, offset)| {
                Some((path.clone(), Position { offset, rest: Vec::new(), file: File::open(path).ok()? }))
            })
            .collect();
        Self { dir: dir.to_owned(), ready, logs }
    }

    /// The lines that came since the last time.
    fn poll(&mut self) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.ready);
        let before = lines.len();
        for (path, _) in ends(&self.dir).into_iter().filter(|(path, _)| is_current(path)) {
            if let Some(position) = self.logs.get_mut(&path) {
                position.read(&mut lines);
                if same(&position.file, &path) {
                    continue;
                }
                // Put away and begun anew.
                position.finish(&mut lines);
            }
            let Ok(file) = File::open(&path) else { continue };
            let mut position = Position { offset: 0, rest: Vec::new(), file };
            position.read(&mut lines);
            self.logs.insert(path, position);
        }
        sort(&mut lines[before..]);
        lines
    }
}

impl Position {
    fn read(&mut self, lines: &mut Vec<String>) {
        let start = self.file.seek(SeekFrom::Start(self.offset));
        let Ok(read) = start.and_then(|_| self.file.read_to_end(&mut self.rest)) else { return };
        self.offset += read as u64;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return };
        let text = String::from_utf8_lossy(&self.rest[..end]);
        lines.extend(text.split('\n').map(ToOwned::to_owned));
        self.rest.drain(..=end);
    }

    fn finish(&mut self, lines: &mut Vec<String>) {
        if !self.rest.is_empty() {
            lines.push(String::from_utf8_lossy(&self.rest).into_owned());
            self.rest.clear();
        }
    }
}

/// Every log file of a folder and how long it is now.
fn ends(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut ends: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .filter_map(|path| Some((path.clone(), std::fs::metadata(path).ok().filter(|meta| meta.is_file())?.len())))
        .collect();
    // Oldest first within one log: `name.4.log` … `name.1.log`, `name.log`.
    ends.sort_by_key(|(path, _)| {
        let (log, number) = name(path);
        (log, std::cmp::Reverse(number))
    });
    ends
}

fn is_current(path: &Path) -> bool {
    name(path).1 == 0
}

/// The log that a file belongs to, and its number: 0 is the current one.
fn name(path: &Path) -> (String, u32) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    match stem.rsplit_once('.').map(|(log, number)| (log, number.parse())) {
        Some((log, Ok(number))) => (log.to_owned(), number),
        _ => (stem.into_owned(), 0),
    }
}

fn last_lines(ends: &[(PathBuf, u64)], n: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut logs: BTreeMap<String, Vec<&(PathBuf, u64)>> = BTreeMap::new();
    for end in ends {
        logs.entry(name(&end.0).0).or_default().push(end);
    }
    for files in logs.values() {
        let mut lines: Vec<String> = Vec::new();
        for (path, size) in files.iter().rev() {
            if lines.len() >= n {
                break;
            }
            let mut older = last_of(path, *size, n - lines.len()).unwrap_or_default();
            older.append(&mut lines);
            lines = older;
        }
        all.append(&mut lines);
    }
    sort(&mut all);
    all.drain(..all.len().saturating_sub(n));
    all
}

/// The last `n` lines of the first `size` bytes of a file, read from its end.
fn last_of(path: &Path, size: u64, n: usize) -> io::Result<Vec<String>> {
    const STEP: u64 = 64 << 10;
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    let mut start = size;
    // One line end more than lines: the first of them ends the line before.
    while start > 0 && bytes.iter().filter(|byte| **byte == b'\n').count() <= n {
        let from = start.saturating_sub(STEP);
        let mut part = vec![0; usize::try_from(start - from).unwrap_or_default()];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut part)?;
        part.append(&mut bytes);
        (bytes, start) = (part, from);
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(n)..].iter().map(|line| (*line).to_owned()).collect())
}

/// Orders lines by their time; one without a time stays behind the line before it.
fn sort(lines: &mut [String]) {
    let mut last = Timestamp::MIN;
    let mut keyed: Vec<_> = lines
        .iter_mut()
        .map(|line| {
            let time = line.split(' ').next().and_then(|time| time.parse().ok());
            last = time.unwrap_or(last);
            (last, std::mem::take(line))
        })
        .collect();
    keyed.sort_by_key(|(time, _)| *time);
    for (place, (_, line)) in lines.iter_mut().zip(keyed) {
        *place = line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogFile;
    use std::io::Write;

    fn texts(lines: &[String]) -> Vec<&str> {
        lines.iter().map(|line| line.rsplit_once(' ').map_or(line.as_str(), |(_, text)| text)).collect()
    }

    #[test]
    fn the_last_lines_of_several_logs_are_in_the_order_of_their_times() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        // Across an hour that the clocks repeat: the offset counts.
        write("a.log", "2026-10-25T02:59:00.000+02:00 a1\n2026-10-25T02:00:00.000+01:00 a2\n  more\n");
        write("b.log", "2026-10-25T02:59:30.000+02:00 b1\n2026-10-25T02:00:30.000+01:00 b2\n");
        write("b.log.lock", "");
        assert_eq!(texts(&tail(dir.path(), 10)), ["a1", "b1", "a2", "more", "b2"]);
        assert_eq!(texts(&tail(dir.path(), 2)), ["more", "b2"]);
        assert_eq!(tail(dir.path(), 0), [""; 0]);
        assert_eq!(tail(&dir.path().join("none"), 5), [""; 0]);
    }

    #[test]
    fn older_files_are_read_when_the_newest_is_short() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::with_size(dir.path(), "front", 400);
        for n in 0..50 {
            log.line(&n.to_string());
        }
        let lines = tail(dir.path(), 30);
        let wanted: Vec<_> = (20..50).map(|n| n.to_string()).collect();
        assert_eq!(texts(&lines), wanted);
    }

    #[test]
    fn only_the_end_of_a_large_file_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let text: String = (0..50_000).map(|n| format!("{n}\n")).collect();
        std::fs::write(&path, &text).unwrap();
        for n in [1, 5, 20_000] {
            let lines = last_of(&path, text.len() as u64, n).unwrap();
            assert_eq!((lines.len(), lines[0].as_str()), (n, (50_000 - n).to_string().as_str()));
        }
    }

    #[test]
    fn a_follower_misses_nothing_through_rotations_and_new_logs() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::with_size(dir.path(), "front", 400);
        log.line("before");
        let mut follower = Follower::new(dir.path(), 1);
        assert_eq!(texts(&follower.poll()), ["before"]);
        assert_eq!(follower.poll(), [""; 0]);
        let mut seen = Vec::new();
        for n in 0..100 {
            log.line(&n.to_string());
            if n % 3 == 0 {
                seen.extend(follower.poll());
            }
        }
        seen.extend(follower.poll());
        let wanted: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(texts(&seen), wanted);
        LogFile::open(dir.path(), "other").line("new");
        assert_eq!(texts(&follower.poll()), ["new"]);
    }

    #[test]
    fn a_line_is_given_once_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut follower = Follower::new(dir.path(), 1);
        let mut file = File::create(dir.path().join("a.log")).unwrap();
        file.write_all(b"be").unwrap();
        assert_eq!(follower.poll(), [""; 0]);
        file.write_all(b"gun\nnext").unwrap();
        assert_eq!(follower.poll(), ["begun"]);
    }

    #[test]
    fn following_waits_for_the_folder_and_ends_when_told() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("later");
        let (tell, told) = std::sync::mpsc::channel();
        let follows = folder.clone();
        let thread = std::thread::spawn(move || {
            follow(&follows, 5, |line| {
                tell.send(line.to_owned()).unwrap();
                if line.ends_with("last") { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        });
        let mut log = LogFile::open(&folder, "front");
        log.line("one");
        log.line("last");
        assert!(told.recv().unwrap().ends_with("one"));
        assert!(told.recv().unwrap().ends_with("last"));
        thread.join().unwrap();
    }
}
