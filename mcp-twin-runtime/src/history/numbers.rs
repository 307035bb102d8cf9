//! The numbers of a server's sources: `history/<server>.gen.json`, shared by its fronts.
//!
//! A new source gets a number higher than all before, a known one keeps its own. The file is renewed without waiting for
//! the disk (a swap waits for the number); if a power cut spoils it, the numbers are read off the history again.

use super::{lock_of, read};
use crate::files::lock::{LOCK_WAIT, Lock};
use crate::files::{self, FileError, Flush};
use crate::home::Home;
use crate::servers::ServerKey;
use mcp_twin_core::ids::{Generation, Source, SourceHash};
use mcp_twin_core::swap::Outcome;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The schema that this release writes.
const SCHEMA: u32 = 1;

/// How many sources are remembered. One that falls out of this gets a new number when it comes back.
const KNOWN: usize = 1000;

/// The number of a source, given out under the history's lock: blocks up to 1 s for it. Without a hash nothing is known of
/// the source, and it always gets the next number.
///
/// # Errors
/// The lock cannot be had, or the file cannot be written or is of a newer release.
pub fn generation_of(home: &Home, server: &ServerKey, hash: Option<SourceHash>) -> Result<Generation, FileError> {
    let lock = Lock::take(&lock_of(home, server), LOCK_WAIT)?;
    number(home, server, hash, 0, &lock)
}

/// The same for a task: others run while it waits for the lock.
///
/// # Errors
/// The lock cannot be had, or the file cannot be written or is of a newer release.
pub async fn generation_of_async(
    home: &Home,
    server: &ServerKey,
    hash: Option<SourceHash>,
) -> Result<Generation, FileError> {
    let lock = Lock::take_async(&lock_of(home, server), LOCK_WAIT).await?;
    number(home, server, hash, 0, &lock)
}

/// The numbers as one front sees them: it goes on counting in memory while the file cannot be had.
#[derive(Debug)]
pub struct Numbers {
    home: Home,
    server: ServerKey,
    seen: Table,
    off: Option<String>,
}

impl Numbers {
    /// How [`Numbers::off`] begins.
    pub const OFF: &str = "generations are numbered in memory only";

    /// The numbers of a server.
    #[must_use]
    pub fn new(home: &Home, server: &ServerKey) -> Self {
        Self { home: home.clone(), server: server.clone(), seen: Table::default(), off: None }
    }

    /// The number of a source. Never fails; within this front a number is never given to two sources.
    pub async fn of(&mut self, hash: Option<SourceHash>) -> Generation {
        if let Some(known) = hash.and_then(|hash| self.seen.find(hash)) {
            return known;
        }
        let shared = async {
            let lock = Lock::take_async(&lock_of(&self.home, &self.server), LOCK_WAIT).await?;
            number(&self.home, &self.server, hash, self.seen.last, &lock)
        };
        match shared.await {
            Ok(generation) => {
                self.off = None;
                self.seen.note(hash, generation);
                generation
            }
            Err(error) => {
                self.off = Some(format!("{}: {error}", Self::OFF));
                self.seen.next(hash)
            }
        }
    }

    /// The sources that served last, the latest first, by whichever front of the server.
    pub async fn served(&self) -> Vec<Source> {
        let (home, server) = (self.home.clone(), self.server.clone());
        tokio::task::spawn_blocking(move || super::served(&home, &server)).await.unwrap_or_default()
    }

    /// The number of a source that this front has met before.
    #[must_use]
    pub fn known(&self, hash: SourceHash) -> Option<Generation> {
        self.seen.find(hash)
    }

    /// The highest number that was ever given out, as far as can be read.
    #[must_use]
    pub fn highest(&self) -> Generation {
        let table = files::read(&path_of(&self.home, &self.server)).ok().flatten();
        let table: Option<Table> = table.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Generation(self.seen.last.max(table.map_or(0, |table| table.last)))
    }

    /// Why the last number came from memory, if it did.
    #[must_use]
    pub fn off(&self) -> Option<&str> {
        self.off.as_deref()
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Table {
    #[serde(default)]
    schema: u32,
    /// The highest number given out.
    last: u32,
    /// The known sources, the latest last.
    known: Vec<(SourceHash, Generation)>,
}

impl Table {
    fn find(&self, hash: SourceHash) -> Option<Generation> {
        self.known.iter().rev().find(|(known, _)| *known == hash).map(|(_, generation)| *generation)
    }

    fn next(&mut self, hash: Option<SourceHash>) -> Generation {
        let generation = Generation(self.last.saturating_add(1));
        self.note(hash, generation);
        generation
    }

    fn note(&mut self, hash: Option<SourceHash>, generation: Generation) {
        self.last = self.last.max(generation.0);
        if let Some(hash) = hash {
            self.known.retain(|(known, _)| *known != hash);
            self.known.push((hash, generation));
            let over = self.known.len().saturating_sub(KNOWN);
            self.known.drain(..over);
        }
    }
}

/// Gives out a number; `above`: a new one must be higher than this too.
fn number(
    home: &Home,
    server: &ServerKey,
    hash: Option<SourceHash>,
    above: u32,
    _lock: &Lock,
) -> Result<Generation, FileError> {
    let path = path_of(home, server);
    let mut table = match files::read(&path)?.as_deref().map(serde_json::from_slice::<Table>) {
        Some(Ok(table)) if table.schema > SCHEMA => {
            return Err(FileError::Newer { path, schema: table.schema });
        }
        Some(Ok(table)) => table,
        Some(Err(_)) => {
            let _ = files::set_aside(&path);
            recount(home, server)?
        }
        None => recount(home, server)?,
    };
    if let Some(known) = hash.and_then(|hash| table.find(hash)) {
        return Ok(known);
    }
    table.schema = SCHEMA;
    table.last = table.last.max(above);
    let generation = table.next(hash);
    let bytes = serde_json::to_vec(&table)
        .map_err(|error| FileError::Unwritable { path: path.clone(), why: error.to_string() })?;
    files::write_atomic(&path, &bytes, Flush::Later)?;
    Ok(generation)
}

/// The numbers that the history tells of.
fn recount(home: &Home, server: &ServerKey) -> Result<Table, FileError> {
    let mut table = Table::default();
    for line in read(home, server)? {
        let entry = &line.entry;
        for source in [Some(entry.source), outcome_source(&entry.outcome)].into_iter().flatten() {
            table.note(source.hash, source.generation);
        }
        table.last = table.last.max(entry.generation.0).max(entry.from.map_or(0, |from| from.0));
        if let Outcome::Superseded { by } = entry.outcome {
            table.last = table.last.max(by.0);
        }
    }
    Ok(table)
}

pub(super) fn outcome_source(outcome: &Outcome) -> Option<Source> {
    match outcome {
        Outcome::Started { active }
        | Outcome::Swapped { active, .. }
        | Outcome::NothingNewer { active }
        | Outcome::RolledBack { active, .. } => Some(active.source),
        Outcome::Verified { standby, .. } => Some(standby.source),
        _ => None,
    }
}

fn path_of(home: &Home, server: &ServerKey) -> PathBuf {
    home.history().join(format!("{server}.gen.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fronts::seat::tests::home;
    use crate::history::{HistoryLine, append};
    use crate::store::tests::entry;
    use std::path::Path;

    fn key() -> ServerKey {
        ServerKey::new("notes", Path::new("/p"))
    }

    fn of(home: &Home, hash: u128) -> u32 {
        generation_of(home, &key(), Some(SourceHash(hash))).unwrap().0
    }

    #[test]
    fn a_new_source_gets_the_next_number_and_a_known_one_keeps_its_own() {
        let (_dir, home) = home();
        assert_eq!([of(&home, 7), of(&home, 8), of(&home, 7), of(&home, 9)], [1, 2, 1, 3]);
        assert_eq!(generation_of(&home, &key(), None).unwrap(), Generation(4));
        assert_eq!(generation_of(&home, &key(), None).unwrap(), Generation(5));
        let elsewhere = ServerKey::new("notes", Path::new("/q"));
        assert_eq!(generation_of(&home, &elsewhere, Some(SourceHash(9))).unwrap(), Generation(1));
    }

    #[test]
    fn fronts_that_ask_at_once_agree() {
        let (_dir, home) = home();
        let numbers: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let ask = |_| scope.spawn(|| (0..20).map(|hash| of(&home, hash)).collect());
            let asked: Vec<_> = (0..4).map(ask).collect();
            asked.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(numbers.iter().all(|those| *those == numbers[0]), "{numbers:?}");
        let mut sorted = numbers[0].clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (1..=20).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_survive_a_file_cut_at_any_byte_through_the_history() {
        let (_dir, home) = home();
        for hash in 1..=5 {
            assert_eq!(of(&home, hash), u32::try_from(hash).unwrap());
        }
        append(&home, &key(), &HistoryLine::now("f", None, entry(5))).unwrap();
        let path = path_of(&home, &key());
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(of(&home, 5), 5, "cut at {cut}");
            // The entry of generation 5 names 6 as its successor.
            assert_eq!(of(&home, 99), 7, "cut at {cut}");
        }
    }

    #[test]
    fn numbers_survive_the_history() {
        let (_dir, home) = home();
        assert_eq!([of(&home, 1), of(&home, 2)], [1, 2]);
        assert!(!home.history_of(&key()).exists());
        assert_eq!(of(&home, 3), 3);
    }

    #[test]
    fn only_so_many_sources_are_known_and_numbers_still_rise() {
        let mut table = Table::default();
        for hash in 0..KNOWN as u128 + 10 {
            table.next(Some(SourceHash(hash)));
        }
        assert_eq!(table.known.len(), KNOWN);
        assert_eq!(table.find(SourceHash(0)), None);
        assert_eq!(table.next(Some(SourceHash(0))).0 as usize, KNOWN + 11);
    }

    #[test]
    fn a_newer_file_is_not_touched() {
        let (_dir, home) = home();
        let path = path_of(&home, &key());
        std::fs::write(&path, "{\"schema\":2,\"last\":7,\"known\":[]}").unwrap();
        assert!(matches!(generation_of(&home, &key(), None), Err(FileError::Newer { schema: 2, .. })));
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"schema\":2"));
    }

    #[tokio::test]
    async fn a_front_goes_on_counting_in_memory_and_comes_back() {
        let (_dir, home) = home();
        let mut numbers = Numbers::new(&home, &key());
        let hash = |n| Some(SourceHash(n));
        assert_eq!(numbers.of(hash(1)).await, Generation(1));
        std::fs::rename(home.history(), home.path().join("away")).unwrap();
        assert_eq!(numbers.of(hash(2)).await, Generation(2));
        assert!(numbers.off().unwrap().contains("memory"));
        assert_eq!(numbers.of(hash(1)).await, Generation(1));
        assert_eq!(numbers.of(None).await, Generation(3));
        std::fs::rename(home.path().join("away"), home.history()).unwrap();
        assert_eq!(numbers.highest(), Generation(3));
        assert_eq!(numbers.of(hash(3)).await, Generation(4), "3 was given out already");
        assert_eq!(of(&home, 9), 5);
        assert_eq!(numbers.highest(), Generation(5), "another front's count too");
        assert_eq!(numbers.off(), None);
        assert_eq!(generation_of(&home, &key(), hash(3)).unwrap(), Generation(4));
    }
}
