//! A front's own place in the state directory: its id, its lock, its address.

use super::{FrontAddress, Posted, socket};
use crate::files::{self, FileError, Flush};
use crate::home::Home;
use crate::servers::harmless;
use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Why a front has no seat.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeatError {
    /// A file could not be made.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another front of this server has it.
    #[error("a front of this server runs already")]
    Taken,
    /// No place for its socket was found.
    #[error("no place for the control socket: {0}")]
    Socket(#[source] io::Error),
}

/// What a front says of itself when it takes its seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontInfo {
    /// The server's name, a slug.
    pub server: String,
    /// The client's own name for the server, where known.
    pub display: Option<String>,
    /// The project root.
    pub root: PathBuf,
}

/// The place of a running front: its lock is held as long as this lives. Dropping it removes the front's files, its record
/// too, so it must be dropped last. A panic does as [`FrontSeat::leave_to_sweep`].
#[derive(Debug)]
pub struct FrontSeat {
    home: Home,
    address: FrontAddress,
    started_ms: i64,
    lock: PathBuf,
    left: bool,
    _held: File,
}

impl FrontSeat {
    /// Takes a seat: gives the front its id, `<server>-<nonce>`, and locks it. It can be asked once its socket is bound
    /// ([`Server::bind`](crate::control::Server::bind)), which posts the address.
    ///
    /// # Errors
    /// The state directory cannot be written, or no socket can be placed.
    pub fn take(home: &Home, info: FrontInfo) -> Result<Self, SeatError> {
        let (nonce, front, lock, held) = lock_new(home, &info.server)?;
        let temporary = std::env::temp_dir();
        let address = |socket| FrontAddress {
            front: front.clone(),
            server: info.server,
            display: info.display,
            root: info.root,
            pid: std::process::id(),
            socket,
        };
        match socket::place(home, &front, &nonce, &[&temporary, Path::new("/tmp")]) {
            Ok(socket) => {
                let address = address(socket);
                Ok(Self { home: home.clone(), address, started_ms: now_ms(), lock, left: false, _held: held })
            }
            Err(error) => {
                let _ = std::fs::remove_file(lock);
                Err(SeatError::Socket(error))
            }
        }
    }

    /// Takes the one seat of a server over HTTP, whose id stays the same: the twins of a front that died are found again by
    /// it. Its lock is not one that other fronts sweep behind.
    ///
    /// # Errors
    /// The seat is taken, or cannot be made.
    pub fn take_for_server(home: &Home, info: FrontInfo, front: &str) -> Result<Self, SeatError> {
        let lock = home.run().join(format!("{front}{}", super::SERVED));
        let held = lock_of_server(&lock)?;
        let nonce = nonce();
        let temporary = std::env::temp_dir();
        let socket = socket::place(home, front, &nonce, &[&temporary, Path::new("/tmp")]).map_err(SeatError::Socket)?;
        // One that a front before this one left in its place.
        socket::remove(&socket);
        let address = FrontAddress {
            front: front.to_owned(),
            server: info.server,
            display: info.display,
            root: info.root,
            pid: std::process::id(),
            socket,
        };
        Ok(Self { home: home.clone(), address, started_ms: now_ms(), lock, left: false, _held: held })
    }

    /// The front's id, unique on this machine; its twins' tokens begin with [`token_prefix`](super::token_prefix) of it.
    #[must_use]
    pub fn front(&self) -> &str {
        &self.address.front
    }

    /// Where the front is reached.
    #[must_use]
    pub fn address(&self) -> &FrontAddress {
        &self.address
    }

    /// Seconds since 1970 when the seat was taken.
    #[must_use]
    pub fn started(&self) -> i64 {
        self.started_ms / 1000
    }

    /// Lets the command find this front.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn post(&self) -> Result<(), FileError> {
        self.post_as_started_at(self.started_ms)
    }

    /// Gives the seat up while twins may still live: the next front of this home finds the free lock and sweeps them.
    pub fn leave_to_sweep(mut self) {
        self.left = true;
    }

    pub(super) fn post_as_started_at(&self, started_ms: i64) -> Result<(), FileError> {
        let path = self.posted();
        let posted = Posted { started_ms, address: self.address.clone() };
        let bytes = serde_json::to_vec(&posted)
            .map_err(|error| FileError::Unwritable { path: path.clone(), why: error.to_string() })?;
        files::write_atomic(&path, &bytes, Flush::Later)
    }

    fn posted(&self) -> PathBuf {
        self.lock.with_extension("json")
    }
}

impl Drop for FrontSeat {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.posted());
        socket::remove(&self.address.socket);
        if !self.left && !std::thread::panicking() {
            let _ = std::fs::remove_file(self.home.record_of(self.front()));
            let _ = std::fs::remove_file(&self.lock);
        }
    }
}

/// The lock of a server's one front. A front that ends removes its file: one that was removed meanwhile is none.
fn lock_of_server(lock: &Path) -> Result<File, SeatError> {
    loop {
        let held = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(lock);
        let held = held.map_err(FileError::io("lock", lock))?;
        match held.try_lock() {
            Ok(()) if lock.exists() => return Ok(held),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SeatError::Taken),
            Err(TryLockError::Error(error)) => return Err(FileError::io("lock", lock)(error).into()),
        }
    }
}

/// A new id whose lock is held from the moment its file has its name: it never looks stale.
fn lock_new(home: &Home, server: &str) -> Result<(String, String, PathBuf, File), FileError> {
    let run = home.run();
    let mut failure = io::ErrorKind::AlreadyExists.into();
    for _ in 0..16 {
        let nonce = nonce();
        let front = format!("{}-{nonce}", harmless(server));
        let lock = run.join(format!("{front}.lock"));
        let (temporary, file) = files::create_beside(&lock)?;
        let taken = || -> io::Result<()> {
            file.try_lock()?;
            if lock.exists() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            files::rename(&temporary, &lock)
        };
        match taken() {
            Ok(()) => return Ok((nonce, front, lock, file)),
            Err(error) => {
                let _ = std::fs::remove_file(&temporary);
                failure = error;
            }
        }
    }
    Err(FileError::io("lock", run)(failure))
}

/// 8 hexadecimal digits that differ at every call, in every process.
pub(crate) fn nonce() -> String {
    let hash = RandomState::new().hash_one((std::process::id(), now_ms()));
    format!("{:08x}", hash >> 32)
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fronts::{self, StaleFront, running, stale};
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, Command, Stdio};

    pub(crate) fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        home.ensure().unwrap();
        (dir, home)
    }

    pub(crate) fn info(server: &str) -> FrontInfo {
        FrontInfo { server: server.into(), display: Some("Mine".into()), root: "/project".into() }
    }

    pub(crate) fn seat(home: &Home, server: &str) -> FrontSeat {
        FrontSeat::take(home, info(server)).unwrap()
    }

    fn files(home: &Home) -> usize {
        [home.run(), home.state()].iter().map(|folder| std::fs::read_dir(folder).unwrap().count()).sum()
    }

    #[test]
    fn a_seat_is_found_while_it_lives_and_leaves_nothing() {
        let (_dir, home) = home();
        let seat = seat(&home, "notes");
        assert!(seat.front().starts_with("notes-"));
        seat.post().unwrap();
        std::fs::write(home.record_of(seat.front()), "{}").unwrap();
        assert_eq!(running(&home), [seat.address().clone()]);
        assert!(stale(&home).is_empty());
        drop(seat);
        assert_eq!(files(&home), 0);
    }

    #[test]
    fn a_panic_leaves_the_lock_and_the_record_to_the_sweep() {
        let (_dir, home) = home();
        let place = home.clone();
        let thread = std::thread::spawn(move || {
            let seat = seat(&place, "notes");
            seat.post().unwrap();
            std::fs::write(place.record_of(seat.front()), "{}").unwrap();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(thread.join().is_err());
        assert_eq!(running(&home), []);
        let left = stale(&home);
        assert_eq!(left.len(), 1);
        left.into_iter().for_each(|front| front.clear());
        assert_eq!(files(&home), 1, "only the record that could not be read is kept aside");
    }

    #[test]
    fn a_seat_that_is_left_is_stale_at_once() {
        let (_dir, home) = home();
        let seat = seat(&home, "notes");
        seat.post().unwrap();
        let front = seat.front().to_owned();
        seat.leave_to_sweep();
        assert_eq!(running(&home), []);
        let left: Vec<_> = stale(&home).into_iter().map(|front| front.front().to_owned()).collect();
        assert_eq!(left, [front]);
        stale(&home).into_iter().for_each(|front| front.clear());
        assert_eq!(files(&home), 0);
    }

    #[tokio::test]
    async fn a_front_whose_twins_outlive_it_is_nobody_elses_to_sweep() {
        use mcp_twin_core::host::StateStore;
        let (_dir, home) = home();
        let key = crate::servers::ServerKey::new("notes", Path::new("/project"));
        let mut record = crate::store::tests::record(1);
        record.twins[0].port = Some(8100);
        let served = FrontSeat::take_for_server(&home, info("notes"), key.as_str()).unwrap();
        let bound = seat(&home, "notes");
        served.post().unwrap();
        bound.post().unwrap();
        let mut fronts = Vec::new();
        for seat in [served, bound] {
            let front = seat.front().to_owned();
            let (store, _) = crate::store::FileStore::open(&home, &front, &key, Path::new("/project"), |_| {});
            store.save(&record).await.unwrap();
            // One that is killed leaves its address too.
            let posted = (seat.posted(), std::fs::read(seat.posted()).unwrap());
            seat.leave_to_sweep();
            std::fs::write(posted.0, posted.1).unwrap();
            fronts.push(front);
        }
        let logs = home.logs_of(&key);
        std::fs::create_dir_all(&logs).unwrap();
        let written = ["out", "log"].map(|ending| logs.join(format!("{}.0.1.{ending}", fronts[1])));
        written.iter().for_each(|path| std::fs::write(path, "").unwrap());
        // One in the process of others has twins with ports too, which do not outlive it.
        let left = stale(&home);
        assert_eq!(left.iter().map(StaleFront::front).collect::<Vec<_>>(), [&fronts[1]]);
        left.into_iter().for_each(StaleFront::clear);
        assert!(home.record_of(&fronts[0]).exists() && !home.record_of(&fronts[1]).exists());
        assert_eq!(written.map(|path| path.exists()), [false, true], "the log stays");
    }

    #[test]
    fn without_a_writable_home_the_reason_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let error = FrontSeat::take(&Home::at(dir.path().join("none")), info("a")).unwrap_err();
        assert!(error.to_string().contains("run"), "{error}");
    }

    #[test]
    fn a_name_that_is_no_slug_stays_in_the_folder() {
        let (_dir, home) = home();
        for name in ["../up", ".hidden", ""] {
            let seat = seat(&home, name);
            seat.post().unwrap();
            assert_eq!(running(&home), [seat.address().clone()], "{name}");
        }
    }

    #[test]
    fn ids_differ() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| nonce()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 8));
    }

    /// The other process of the tests below: takes a seat and holds it until its stdin ends.
    #[test]
    #[ignore = "run by other tests as their child"]
    fn child_holds_a_seat() {
        let home = Home::at(std::env::var_os("TWIN_TEST_HOME").unwrap());
        let seat = seat(&home, "child");
        seat.post().unwrap();
        // In the place of a bound socket; a pipe leaves no file.
        if cfg!(unix) {
            std::fs::write(&seat.address().socket, "").unwrap();
        }
        println!("\nready");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }

    pub(crate) fn child(home: &Home) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "fronts::seat::tests::child_holds_a_seat", "--ignored", "--nocapture"])
            .env("TWIN_TEST_HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "ready"));
        child
    }

    #[test]
    fn another_process_is_seen_and_a_killed_one_is_stale() {
        let (_dir, home) = home();
        let mut other = child(&home);
        let found = running(&home);
        assert_eq!((found.len(), found[0].pid), (1, other.id()));
        assert!(stale(&home).is_empty());
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(running(&home), []);
        let left = stale(&home);
        assert_eq!(left[0].front(), found[0].front);
        assert_eq!(left[0].token_prefix(), fronts::token_prefix(&found[0].front));
        assert!(stale(&home).is_empty(), "one that is being swept is not given to a second one");
        left.into_iter().for_each(|front| front.clear());
        assert_eq!(files(&home), 0);
    }

    #[cfg(unix)]
    #[test]
    fn the_socket_of_a_killed_front_is_removed_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("h".repeat(120)));
        home.ensure().unwrap();
        let mut other = child(&home);
        let socket = running(&home)[0].socket.clone();
        assert!(socket.exists() && !socket.starts_with(home.path()), "{socket:?}");
        other.kill().unwrap();
        other.wait().unwrap();
        stale(&home).into_iter().for_each(|front| front.clear());
        assert!(!socket.exists());
        std::fs::remove_dir(socket.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_process_that_ends_by_itself_cleans_up() {
        let (_dir, home) = home();
        let mut other = child(&home);
        drop(other.stdin.take());
        assert!(other.wait().unwrap().success());
        assert_eq!(files(&home), 0);
    }
}
