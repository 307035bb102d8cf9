//! The newest log file of a folder: its last lines, and what is appended to it.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How far a log file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file.
    pub(crate) path: PathBuf,
    /// The first byte that was not read.
    at: u64,
}

/// More of a file is never read for its last lines.
const WINDOW: u64 = 4 << 20;

/// The last `count` lines of the newest file, and where they end. A folder without files has none.
pub(crate) fn last_lines(folder: &Path, count: usize) -> io::Result<(Option<Place>, Vec<String>)> {
    let Some(path) = newest(folder)? else { return Ok((None, Vec::new())) };
    let mut file = File::open(&path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(WINDOW);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(length - from).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // Without the beginning of the file the first line may be half of one.
    let lines: Vec<&str> = text.lines().skip(usize::from(from > 0)).collect();
    let first = lines.len().saturating_sub(count);
    let lines = lines[first..].iter().map(|line| (*line).to_owned()).collect();
    Ok((Some(Place { path, at: from + bytes.len() as u64 }), lines))
}

/// Tells every line that is written from `place` on, over changes of the file, until the process ends.
pub(crate) fn follow(folder: &Path, place: Option<Place>, mut tell: impl FnMut(&str)) -> io::Result<()> {
    let mut reader = Follower { place, partial: Vec::new() };
    loop {
        reader.step(folder, &mut tell)?;
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What `follow` knows between two looks.
struct Follower {
    place: Option<Place>,
    partial: Vec<u8>,
}

impl Follower {
    /// Reads what is new in the file at hand, then in a newer one.
    fn step(&mut self, folder: &Path, tell: &mut impl FnMut(&str)) -> io::Result<()> {
        if let Some(place) = self.place.as_mut().filter(|place| place.path.exists()) {
            Self::read(place, &mut self.partial, tell)?;
        }
        let Some(path) = newest(folder)? else { return Ok(()) };
        if self.place.as_ref().is_none_or(|place| place.path != path) {
            self.partial.clear();
            let place = self.place.insert(Place { path, at: 0 });
            Self::read(place, &mut self.partial, tell)?;
        }
        Ok(())
    }

    fn read(place: &mut Place, partial: &mut Vec<u8>, tell: &mut impl FnMut(&str)) -> io::Result<()> {
        let mut file = File::open(&place.path)?;
        // Shorter than before: it was begun anew under the same name.
        if file.metadata()?.len() < place.at {
            place.at = 0;
            partial.clear();
        }
        file.seek(SeekFrom::Start(place.at))?;
        let mut chunk = vec![0; 64 << 10];
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                return Ok(());
            }
            place.at += read as u64;
            partial.extend_from_slice(&chunk[..read]);
            while let Some(end) = partial.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = partial.drain(..=end).collect();
                tell(String::from_utf8_lossy(&line).trim_end());
            }
            // A line without an end is told in pieces rather than kept without bound.
            if partial.len() > 1 << 20 {
                tell(&String::from_utf8_lossy(partial));
                partial.clear();
            }
        }
    }
}

/// The `*.log` file that was written to last.
fn newest(folder: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let files = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "log"));
    let dated = files.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    Ok(dated.max().map(|(_, path)| path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::time::SystemTime;

    fn write(path: &Path, text: &str, age: u64) {
        let mut file = File::options().create(true).append(true).open(path).expect("opens");
        file.write_all(text.as_bytes()).expect("writes");
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("dated");
    }

    #[test]
    fn the_last_lines_of_the_newest_file() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(last_lines(&folder.path().join("none"), 5).expect("reads"), (None, vec![]));
        assert_eq!(last_lines(folder.path(), 5).expect("reads"), (None, vec![]));
        write(&folder.path().join("a.log"), "old\n", 60);
        write(&folder.path().join("b.log"), "1\n2\n3", 5);
        write(&folder.path().join("c.txt"), "not a log\n", 0);
        let (place, lines) = last_lines(folder.path(), 2).expect("reads");
        assert_eq!(lines, ["2", "3"]);
        assert_eq!(place.map(|place| place.at), Some(5));
    }

    #[test]
    fn following_sees_appends_truncation_and_a_new_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = folder.path().join("a.log");
        write(&first, "before\n", 60);
        let (place, _) = last_lines(folder.path(), 0).expect("reads");
        let (mut reader, mut seen) = (Follower { place, partial: Vec::new() }, Vec::new());
        let step = |reader: &mut Follower, seen: &mut Vec<String>| {
            reader.step(folder.path(), &mut |line: &str| seen.push(line.to_owned())).expect("reads");
        };
        write(&first, "one\ntw", 50);
        step(&mut reader, &mut seen);
        write(&first, "o\n", 40);
        step(&mut reader, &mut seen);
        fs::write(&first, "anew\n").expect("writes");
        step(&mut reader, &mut seen);
        write(&first, "last of a\n", 30);
        write(&folder.path().join("b.log"), "first of b\n", 20);
        step(&mut reader, &mut seen);
        fs::remove_file(&first).expect("goes");
        step(&mut reader, &mut seen);
        assert_eq!(seen, ["one", "two", "anew", "last of a", "first of b"]);
    }
}
