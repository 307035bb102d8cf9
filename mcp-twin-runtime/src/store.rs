//! The record of a front on disk: `state/<front>.json`, one writer, no lock.
//!
//! Written whole beside the old one and renamed over it, without waiting for the disk: the page cache survives the death
//! of the front, and after a power cut the boot id voids the record. The checksum tells a record that a power cut left in
//! part from one that is whole.

pub mod last_good;

use crate::files::{self, FileError, Flush};
use crate::history::{self, HistoryLine};
use crate::home::Home;
use crate::servers::ServerKey;
use async_trait::async_trait;
use mcp_twin_core::host::StateStore;
use mcp_twin_core::ids::Generation;
use mcp_twin_core::swap::record::SCHEMA;
use mcp_twin_core::swap::{HistoryEntry, Record};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use siphasher::sip::SipHasher13;
use std::collections::VecDeque;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A record and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The front's id.
    pub front: String,
    /// The server's key.
    pub server: String,
    /// The project root.
    pub root: PathBuf,
    /// The record.
    pub record: Record,
}

/// What a record file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// A record.
    Good(Box<Saved>),
    /// A newer release wrote it: it is neither read nor changed.
    Newer {
        /// Its schema.
        schema: u32,
    },
    /// It is no record.
    Damaged {
        /// Where it is now; `None` if it could not be moved.
        set_aside: Option<PathBuf>,
        /// What is wrong.
        why: String,
    },
    /// There is none.
    Missing,
}

/// Reads a record file. A damaged one is set aside, so that the next write does not destroy what it holds.
#[must_use]
pub fn load(path: &Path) -> Loaded {
    let bytes = match files::read(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Loaded::Missing,
        Err(error) => return Loaded::Damaged { set_aside: None, why: error.to_string() },
    };
    match parse(&bytes) {
        Ok(loaded) => loaded,
        Err(why) => Loaded::Damaged { set_aside: files::set_aside(path), why },
    }
}

/// Hears what goes wrong, and with `None` that it is well again.
type Warn = Box<dyn Fn(Option<&str>) + Send + Sync>;

/// Keeps the record of one front and writes its server's history.
pub struct FileStore {
    home: Home,
    path: PathBuf,
    front: String,
    server: ServerKey,
    root: PathBuf,
    newer: Option<u32>,
    warn: Warn,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// Checksum of the record that the file holds.
    written: Option<u64>,
    /// Which file changed, for the latest generations.
    causes: VecDeque<(Generation, PathBuf)>,
    /// The last warning; the same one is not said again.
    warned: Option<String>,
}

/// For how many generations the changed file is remembered.
const CAUSES: usize = 32;

impl FileStore {
    /// How a warning of the history begins.
    pub const HISTORY_OFF: &str = "the history is not written";

    /// The store of the front with this id. `warn` is told, once each, what goes wrong with the history, and with `None`
    /// that it is written again. (What goes wrong with the record is the machine's business.)
    #[must_use]
    pub fn open(
        home: &Home,
        front: &str,
        server: &ServerKey,
        root: &Path,
        warn: impl Fn(Option<&str>) + Send + Sync + 'static,
    ) -> (Self, Loaded) {
        let path = home.record_of(front);
        let loaded = load(&path);
        let newer = if let Loaded::Newer { schema } = loaded { Some(schema) } else { None };
        let store = Self {
            home: home.clone(),
            path,
            front: front.to_owned(),
            server: server.clone(),
            root: root.to_owned(),
            newer,
            warn: Box::new(warn),
            memory: Mutex::default(),
        };
        (store, loaded)
    }

    /// Remembers which file made this generation, for the history.
    pub fn note_cause(&self, generation: Generation, file: impl Into<PathBuf>) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.causes.retain(|(known, _)| *known != generation);
        if memory.causes.len() == CAUSES {
            memory.causes.pop_front();
        }
        memory.causes.push_back((generation, file.into()));
    }

    fn write(&self, record: &Record) -> Result<(), FileError> {
        if let Some(schema) = self.newer {
            return Err(FileError::Newer { path: self.path.clone(), schema });
        }
        let unwritable =
            |error: serde_json::Error| FileError::Unwritable { path: self.path.clone(), why: error.to_string() };
        let json = serde_json::to_string(record).map_err(unwritable)?;
        let sum = checksum(json.as_bytes());
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.written == Some(sum) {
            return Ok(());
        }
        let file = File {
            schema: record.schema,
            crc: format!("{sum:016x}"),
            front: self.front.clone(),
            server: self.server.as_str().to_owned(),
            root: self.root.clone(),
            record: RawValue::from_string(json).map_err(unwritable)?,
        };
        let bytes = serde_json::to_vec(&file).map_err(unwritable)?;
        files::write_atomic(&self.path, &bytes, Flush::Later).or_else(|error| match &error {
            // Somebody removed the state directory under a running front.
            FileError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                self.home.ensure().map_err(|_| error)?;
                files::write_atomic(&self.path, &bytes, Flush::Later)
            }
            _ => Err(error),
        })?;
        memory.written = Some(sum);
        Ok(())
    }
}

#[async_trait]
impl StateStore for FileStore {
    async fn save(&self, record: &Record) -> Result<(), String> {
        self.write(record).map_err(|error| error.to_string())
    }

    async fn history(&self, entry: &HistoryEntry) {
        let file = {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.causes.iter().find(|(known, _)| *known == entry.generation).map(|(_, file)| file.clone())
        };
        let line = HistoryLine::now(&self.front, file, entry.clone());
        let failure = history::append_async(&self.home, &self.server, &line).await.err().map(|error| error.to_string());
        let before = {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut memory.warned, failure.clone())
        };
        match failure {
            Some(why) if before.as_ref() != Some(&why) => (self.warn)(Some(&format!("{}: {why}", Self::HISTORY_OFF))),
            None if before.is_some() => (self.warn)(None),
            _ => {}
        }
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    crc: String,
    front: String,
    server: String,
    root: PathBuf,
    record: Box<RawValue>,
}

/// All that is read of a file of another release.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

fn parse(bytes: &[u8]) -> Result<Loaded, String> {
    let says = |error: serde_json::Error| error.to_string();
    let head: Head = serde_json::from_slice(bytes).map_err(says)?;
    if head.schema > SCHEMA {
        return Ok(Loaded::Newer { schema: head.schema });
    }
    let file: File = serde_json::from_slice(bytes).map_err(says)?;
    if format!("{:016x}", checksum(file.record.get().as_bytes())) != file.crc {
        return Err("the checksum does not match".into());
    }
    let record = serde_json::from_str(file.record.get()).map_err(says)?;
    Ok(Loaded::Good(Box::new(Saved { front: file.front, server: file.server, root: file.root, record })))
}

/// Tells a whole record from a damaged one. Its keys are fixed: every release computes the same.
fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
pub(crate) mod tests;
