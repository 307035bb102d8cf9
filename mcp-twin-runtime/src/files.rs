//! Files that a crash, a full disk or a second process must not spoil: whole or not at all, changed under a lock.

pub mod lock;

pub use lock::{LOCK_WAIT, Lock};

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// What went wrong with a file of the state directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Another process holds the lock.
    #[error("{} was locked by another process for {} s; try again", .path.display(), .waited.as_secs_f32())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// What the system said.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// `read`, `write`, `lock`, …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer release wrote it: it is not touched.
    #[error("{} was written by a newer release (schema {schema}); upgrade mcp-twin", .path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        schema: u32,
    },
    /// What should be written cannot be said in JSON.
    #[error("cannot write {}: {why}", .path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl FileError {
    /// What the system said while `doing` something to `path`.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}

/// Whether a write returns before the disk has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It does: the file survives the death of every process, but not a power cut.
    Later,
    /// It waits for the disk.
    Now,
}

/// Writes a file so that a reader, and a crash, meets either the old content or the new one: a temporary file in the
/// same folder, for this user only (0600), renamed over it. The folder must be there.
///
/// # Errors
/// What the system said; the old content is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8], flush: Flush) -> Result<(), FileError> {
    let (temporary, mut file) = create_beside(path)?;
    let written = file.write_all(bytes).and_then(|()| if flush == Flush::Now { file.sync_all() } else { Ok(()) });
    drop(file);
    written.and_then(|()| rename(&temporary, path)).map_err(|source| {
        let _ = fs::remove_file(&temporary);
        FileError::Io { doing: "write", path: path.to_owned(), source }
    })?;
    if flush == Flush::Now {
        sync_folder(path);
    }
    Ok(())
}

/// The content of a file; `None` if there is none.
///
/// # Errors
/// What the system said.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io("read", path)(error)),
    }
}

/// Renames a damaged file to `<file>.damaged`, over an earlier one. `None`: that did not work either.
#[must_use]
pub fn set_aside(path: &Path) -> Option<PathBuf> {
    let mut name = path.file_name()?.to_owned();
    name.push(".damaged");
    let aside = path.with_file_name(name);
    rename(path, &aside).ok().map(|()| aside)
}

/// Removes what crashes left in a folder: temporary files of an hour ago, damaged files of a month ago.
pub fn tidy(folder: &Path) {
    let old = |path: &Path, age: Duration| {
        let modified = fs::symlink_metadata(path).and_then(|meta| meta.modified());
        modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|since| since > age))
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let temporary = name.starts_with('.') && name.ends_with(".tmp");
        if temporary && old(&path, Duration::from_secs(3600))
            || name.ends_with(".damaged") && old(&path, Duration::from_secs(30 * 24 * 3600))
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes what a crash left of writes to `path`. Nobody may be writing it.
pub(crate) fn remove_temporaries(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let prefix = format!(".{}.", name.to_string_lossy());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(".tmp") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A new file for this user only, open for writing. Fails if it is there.
pub(crate) fn create_private(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A new temporary file beside `path`: hidden, named after it, its process and a counter.
pub(crate) fn create_beside(path: &Path) -> Result<(PathBuf, fs::File), FileError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Processes of two containers may share the folder and have the same pid: the next number is tried then.
    for _ in 0..100 {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{:x}-{number:x}.tmp", std::process::id()));
        match create_private(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(FileError::io("write", path)(error)),
        }
    }
    Err(FileError::io("write", path)(io::ErrorKind::AlreadyExists.into()))
}

/// Renames, over a file that is there. On Windows a reader or a virus scanner may hold it for a moment.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let mut left = if cfg!(windows) { 20 } else { 0 };
    loop {
        match fs::rename(from, to) {
            Err(error) if left > 0 && error.kind() == io::ErrorKind::PermissionDenied => {
                left -= 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) {
    // Best effort: the content is on the disk already, only the rename may be lost.
    if let Some(folder) = path.parent().and_then(|folder| fs::File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_write_takes_the_place_of_the_old_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, b"one", Flush::Now).unwrap();
        write_atomic(&path, b"two", Flush::Later).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(names(dir.path()), ["a.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_atomic(&path, b"one", Flush::Later).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "").unwrap();
        let error = write_atomic(&path, b"one", Flush::Later).unwrap_err();
        assert!(matches!(&error, FileError::Io { doing: "write", .. }), "{error}");
        assert_eq!(names(dir.path()), ["taken"]);
        assert!(matches!(write_atomic(&dir.path().join("no/a"), b"", Flush::Later), Err(FileError::Io { .. })));
    }

    #[test]
    fn a_damaged_file_is_set_aside_over_an_earlier_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        for content in ["first", "second"] {
            fs::write(&path, content).unwrap();
            let aside = set_aside(&path).unwrap();
            assert_eq!(fs::read_to_string(aside).unwrap(), content);
        }
        assert_eq!(names(dir.path()), ["a.json.damaged"]);
        assert_eq!(set_aside(&path), None);
    }

    #[test]
    fn what_a_crash_left_of_one_file_can_be_removed() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.json", ".a.json.1-0.tmp", ".a.json.2-f.tmp", ".ab.json.1-0.tmp"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        remove_temporaries(&dir.path().join("a.json"));
        assert_eq!(names(dir.path()), [".ab.json.1-0.tmp", "a.json"]);
    }

    #[test]
    fn tidying_takes_only_what_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let age = |name: &str, hours: u64| {
            let file = fs::File::create(dir.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
        };
        for (name, hours) in [(".a.1-0.tmp", 2), (".b.1-0.tmp", 0), ("a.json", 9999), ("x.damaged", 9999)] {
            age(name, hours);
        }
        age("y.damaged", 2);
        tidy(dir.path());
        assert_eq!(names(dir.path()), [".b.1-0.tmp", "a.json", "y.damaged"]);
    }
}
