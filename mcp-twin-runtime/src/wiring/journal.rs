//! The journal: `wired.json`, what was wired and how to undo it. Changed under its lock, whole or not at all.

use super::WiringError;
use crate::files::{self, FileError, Flush, Lock, lock};
use crate::home::{self, Home};
use mcp_twin_core::wire::Undo;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The schema that this release writes.
const SCHEMA: u32 = 1;

/// One change of a configuration that can be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it is called in `undo`; also the name of its backup.
    pub id: String,
    /// The configuration, as it was named.
    pub file: PathBuf,
    /// The client that reads it.
    pub client: String,
    /// The server's name.
    pub server: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// How it is undone.
    pub undo: Undo,
    /// Whether the change is known to have reached the file. If not, it was cut off: it may have or not.
    #[serde(default)]
    pub done: bool,
    /// Whether its undo has begun.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undoing: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    schema: u32,
    #[serde(default)]
    wired: Vec<Record>,
}

/// The journal, held: nobody else changes a configuration through this state directory meanwhile.
pub(super) struct Journal {
    home: Home,
    pub records: Vec<Record>,
    _lock: Lock,
}

impl Journal {
    pub(super) fn take(home: &Home) -> Result<Self, WiringError> {
        home::make_private(home.path())?;
        home::check_private(home.path())?;
        home::make_private(&home.backups())?;
        home::check_private(&home.backups())?;
        let path = home.wired();
        let lock = Lock::take(&lock::beside(&path), lock::LOCK_WAIT)?;
        let journal = Self { home: home.clone(), records: read(home)?, _lock: lock };
        journal.tidy();
        Ok(journal)
    }

    pub(super) fn save(&self) -> Result<(), WiringError> {
        let path = self.home.wired();
        let file = File { schema: SCHEMA, wired: self.records.clone() };
        let bytes = serde_json::to_vec_pretty(&file)
            .map_err(|error| FileError::Unwritable { path: path.clone(), why: error.to_string() })?;
        Ok(files::write_atomic(&path, &bytes, Flush::Now)?)
    }

    /// Keeps a file as it was.
    pub(super) fn back_up(&self, id: &str, bytes: &[u8]) -> Result<(), WiringError> {
        Ok(files::write_atomic(&self.backup(id), bytes, Flush::Now)?)
    }

    pub(super) fn backup(&self, id: &str) -> PathBuf {
        self.home.backups().join(id)
    }

    /// Removes the backups of changes that were cut off before they were noted.
    fn tidy(&self) {
        files::tidy(&self.home.backups());
        for entry in std::fs::read_dir(self.home.backups()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let known = self.records.iter().any(|record| name == record.id.as_str());
            let ours =
                name.to_str().is_some_and(|name| name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
            if ours && !known {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Takes a record out, with its backup.
    pub(super) fn drop_record(&mut self, id: &str) -> Result<(), WiringError> {
        self.records.retain(|record| record.id != id);
        self.save()?;
        let _ = std::fs::remove_file(self.backup(id));
        Ok(())
    }

    pub(super) fn find(&self, id: &str) -> Result<&Record, WiringError> {
        self.records.iter().find(|record| record.id == id).ok_or_else(|| WiringError::Unknown(id.to_owned()))
    }
}

/// What the journal holds, in the order in which it was done.
pub(super) fn read(home: &Home) -> Result<Vec<Record>, WiringError> {
    let path = home.wired();
    let Some(bytes) = files::read(&path)? else { return Ok(Vec::new()) };
    let damaged = |error: serde_json::Error| WiringError::Journal {
        path: path.clone(),
        why: error.to_string(),
        backups: home.backups(),
    };
    let schema = |value: &serde_json::Value| value.get("schema").and_then(serde_json::Value::as_u64);
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    // Before its records are read, which a newer release may write in another way.
    if let Some(schema) = schema(&value).and_then(|schema| u32::try_from(schema).ok()).filter(|schema| *schema > SCHEMA)
    {
        return Err(FileError::Newer { path, schema }.into());
    }
    Ok(serde_json::from_value::<File>(value).map_err(damaged)?.wired)
}

/// Whether two paths lead to one file.
pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    one == other || real(one) == real(other)
}
