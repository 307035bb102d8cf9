//! Locks between processes: a file of its own beside what it guards, locked as long as the [`Lock`] lives. The system
//! frees it when the process dies, however it dies.

use super::FileError;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a lock on a shared file is waited for.
pub const LOCK_WAIT: Duration = Duration::from_secs(1);

/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    // Unlocked by closing.
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`, made if missing, and blocks the thread for it up to `wait`.
    ///
    /// # Errors
    /// It is held longer than that, or the file cannot be opened.
    pub fn take(path: &Path, wait: Duration) -> Result<Self, FileError> {
        let file = open(path)?;
        let start = Instant::now();
        loop {
            if attempt(&file, path)? {
                return Ok(Self { _file: file });
            }
            if start.elapsed() >= wait {
                return Err(FileError::Locked { path: path.to_owned(), waited: wait });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The same for a task: while it waits, others run.
    ///
    /// # Errors
    /// It is held longer than that, or the file cannot be opened.
    pub async fn take_async(path: &Path, wait: Duration) -> Result<Self, FileError> {
        let file = open(path)?;
        let start = tokio::time::Instant::now();
        loop {
            if attempt(&file, path)? {
                return Ok(Self { _file: file });
            }
            if start.elapsed() >= wait {
                return Err(FileError::Locked { path: path.to_owned(), waited: wait });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Runs `change` with the lock at `path` held; waits [`LOCK_WAIT`] for it.
///
/// # Errors
/// The lock cannot be had, or `change` failed.
pub fn with_lock<T>(path: &Path, change: impl FnOnce() -> Result<T, FileError>) -> Result<T, FileError> {
    let _lock = Lock::take(path, LOCK_WAIT)?;
    change()
}

/// The lock that guards the file at `path`.
#[must_use]
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    path.with_file_name(name)
}

fn open(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(FileError::io("lock", path))
}

fn attempt(file: &File, path: &Path) -> Result<bool, FileError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(FileError::io("lock", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_waited_for_and_then_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let held = Lock::take(&path, Duration::ZERO).unwrap();
        let wait = Duration::from_millis(30);
        let start = Instant::now();
        let error = Lock::take(&path, wait).unwrap_err();
        assert!(start.elapsed() >= wait);
        assert!(matches!(error, FileError::Locked { .. }), "{error}");
        drop(held);
        Lock::take(&path, Duration::ZERO).unwrap();
    }

    #[test]
    fn threads_that_count_in_one_file_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (file, lock) = (dir.path().join("n"), dir.path().join("n.lock"));
        std::fs::write(&file, "0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = Lock::take(&lock, Duration::from_secs(60)).unwrap();
                        let n: u32 = std::fs::read_to_string(&file).unwrap().parse().unwrap();
                        std::fs::write(&file, (n + 1).to_string()).unwrap();
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "200");
    }

    #[tokio::test]
    async fn a_task_that_waits_lets_others_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let held = Lock::take(&path, Duration::ZERO).unwrap();
        // On one thread: the second future can only free the lock if the first one yields.
        let waits = Lock::take_async(&path, Duration::from_secs(60));
        let frees = async { drop(held) };
        let (taken, ()) = tokio::join!(waits, frees);
        taken.unwrap();
    }
}
