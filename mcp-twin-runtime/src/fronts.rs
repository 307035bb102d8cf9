//! The running fronts of this machine, and how to ask one something.
//!
//! A front that lives holds the lock `run/<front>.lock`; where it is reached stands in `run/<front>.json` beside it. A
//! free lock means that the front is gone: the next front sweeps what it left.

pub mod ask;
pub mod left;
pub mod seat;
pub mod socket;
pub mod stale;

pub use ask::{AskError, ask};
pub use left::{LeftFront, left};
pub use seat::{FrontInfo, FrontSeat, SeatError};
pub use stale::{StaleFront, stale};

use crate::files;
use crate::home::Home;
use crate::servers::ServerKey;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Where a running front is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontAddress {
    /// Its id.
    pub front: String,
    /// The server's name.
    pub server: String,
    /// The client's own name for the server, where known.
    #[serde(default)]
    pub display: Option<String>,
    /// The project root.
    pub root: PathBuf,
    /// Its process.
    pub pid: u32,
    /// Its socket: a path on Unix, the name of a pipe on Windows.
    pub socket: PathBuf,
}

impl FrontAddress {
    /// Whether it is one of `serve`: there is one for each server, so it bears that one's key; the others are of a client.
    #[must_use]
    pub fn serves(&self) -> bool {
        ServerKey::parse(&self.front).is_some()
    }
}

/// Every front whose lock is held and that can be asked, ordered by server name and start. What cannot be read counts as
/// not running.
#[must_use]
pub fn running(home: &Home) -> Vec<FrontAddress> {
    let mut fronts: Vec<_> = locks(home, ".lock")
        .chain(locks(home, SERVED))
        .filter(|(_, lock)| matches!(probe(lock), Ok(true)))
        .filter_map(|(front, lock)| Posted::load(&lock.with_file_name(format!("{front}.json"))))
        .collect();
    fronts.sort_by(|a, b| {
        (&a.address.server, a.started_ms, a.address.pid).cmp(&(&b.address.server, b.started_ms, b.address.pid))
    });
    fronts.into_iter().map(|posted| posted.address).collect()
}

/// The ids of all fronts that live, also of those that cannot be asked yet.
#[must_use]
pub fn living(home: &Home) -> Vec<String> {
    let locks = locks(home, ".lock").chain(locks(home, SERVED));
    locks.filter(|(_, lock)| !matches!(probe(lock), Ok(false))).map(|(front, _)| front).collect()
}

/// The beginning of every token of a front's twins (`MCP_TWIN_TOKEN`). It ends with a character that no front id has, so
/// that no front's tokens begin with another's.
#[must_use]
pub fn token_prefix(front: &str) -> String {
    format!("{front}:")
}

/// Seconds since 1970, now.
#[must_use]
pub fn seconds_now() -> i64 {
    seat::now_ms() / 1000
}

/// `run/<front>.json`: what a front says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Posted {
    /// Milliseconds since 1970.
    #[serde(default)]
    started_ms: i64,
    address: FrontAddress,
}

impl Posted {
    fn load(path: &Path) -> Option<Self> {
        files::read(path).ok().flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok())
    }
}

/// How the lock of a front over HTTP ends. Its twins are not swept behind it: they wait to be adopted.
const SERVED: &str = ".served";

/// Every lock file of `run/`: the front's id and the path.
fn locks<'a>(home: &Home, ending: &'a str) -> impl Iterator<Item = (String, PathBuf)> + use<'a> {
    std::fs::read_dir(home.run()).into_iter().flatten().flatten().filter_map(move |entry| {
        let path = entry.path();
        let name = entry.file_name().into_string().ok()?;
        let front = name.strip_suffix(ending).filter(|front| !front.is_empty() && !front.starts_with('.'))?;
        Some((front.to_owned(), path))
    })
}

/// Whether a lock is held. Several may look at once: each looks with a shared lock of its own.
fn probe(lock: &Path) -> std::io::Result<bool> {
    match File::open(lock)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fronts::seat::tests::{home, seat};

    #[test]
    fn running_fronts_are_ordered_by_server_and_start() {
        let (_dir, home) = home();
        assert_eq!(running(&home), []);
        let seats: Vec<_> = ["zoo", "ant", "bee", "ant"].iter().map(|name| seat(&home, name)).collect();
        for (order, seat) in seats.iter().enumerate() {
            // Several can start within one millisecond.
            seat.post_as_started_at(i64::try_from(order).unwrap()).unwrap();
        }
        let found: Vec<_> = running(&home).into_iter().map(|front| front.front).collect();
        let wanted: Vec<_> = [1, 3, 2, 0].iter().map(|&n: &usize| seats[n].front().to_owned()).collect();
        assert_eq!(found, wanted);
        drop(seats);
        assert_eq!(running(&home), []);
    }

    #[test]
    fn what_is_no_front_is_not_listed() {
        let (_dir, home) = home();
        let seat = seat(&home, "a");
        for (name, text) in [("free.lock", ""), ("free.json", "{}"), ("x.sock", ""), (".lock", ""), ("b.json", "{")] {
            std::fs::write(home.run().join(name), text).unwrap();
        }
        assert_eq!(running(&home), [], "a front that has not posted its address cannot be asked");
        seat.post().unwrap();
        assert_eq!(running(&home), [seat.address().clone()]);
        assert_eq!(running(&Home::at("/nonexistent/twin")), []);
    }

    #[test]
    fn no_prefix_of_tokens_begins_with_another() {
        assert!(!token_prefix("a-12").starts_with(&token_prefix("a-1")));
    }
}
