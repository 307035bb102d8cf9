//! What fronts that are gone have left, looked at only: nothing is taken, ended or removed.

use super::stale::outlived;
use super::{Posted, SERVED, locks, probe};
use crate::home::Home;
use crate::process::prove;
use crate::servers::ServerKey;
use crate::store::{self, Loaded};
use std::path::PathBuf;

/// A front that is gone without having cleaned up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftFront {
    /// Its id.
    pub front: String,
    /// The server's name, as far as it is known.
    pub server: Option<String>,
    /// Twins of it that live and wait to be taken over by the next front of their server. Only a front over HTTP has such.
    pub waiting: Vec<u32>,
    /// What lies in the state directory of it.
    pub files: Vec<PathBuf>,
}

/// Every front whose lock is free.
#[must_use]
pub fn left(home: &Home) -> Vec<LeftFront> {
    let free = locks(home, ".lock").chain(locks(home, SERVED)).filter(|(_, lock)| matches!(probe(lock), Ok(false)));
    let mut found: Vec<LeftFront> = free
        .map(|(front, lock)| {
            let posted = Posted::load(&lock.with_file_name(format!("{front}.json"))).map(|posted| posted.address);
            let record = home.record_of(&front);
            let loaded = store::load(&record);
            let served = ServerKey::parse(&front).is_some();
            let waiting = match &loaded {
                Loaded::Good(saved) if served && outlived(&loaded) => {
                    let twins = saved.record.twins.iter().filter_map(|twin| twin.process.as_ref());
                    twins.filter(|process| prove(process)).map(|process| process.pid).collect()
                }
                _ => Vec::new(),
            };
            let beside = |ending: &str| lock.with_file_name(format!("{front}{ending}"));
            let socket = posted.as_ref().map_or_else(|| beside(".sock"), |address| address.socket.clone());
            let files = [lock.clone(), beside(".json"), socket, record];
            let files = files.into_iter().filter(|file| file.symlink_metadata().is_ok()).collect();
            let named = ServerKey::parse(&front).map(|key| key.name().to_owned());
            let server = posted.map(|address| address.server).or(named);
            LeftFront { front, server, waiting, files }
        })
        .collect();
    found.sort_by(|a, b| a.front.cmp(&b.front));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fronts::seat::tests::{home, seat};

    #[test]
    fn only_what_nobody_holds_is_left() {
        let (_dir, home) = home();
        let seat = seat(&home, "a");
        seat.post().unwrap();
        for name in ["gone-1.lock", "gone-1.json", "gone-1.sock"] {
            std::fs::write(home.run().join(name), "").unwrap();
        }
        let found = left(&home);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].front.as_str(), found[0].files.len()), ("gone-1", 3));
        assert_eq!(left(&home), found, "a look takes nothing away");
        assert_eq!(left(&Home::at("/nonexistent/twin")), []);
    }
}
