//! Clients' configurations on disk: changed by `mcp_twin_core::wire`, with a journal from which each change is undone.
//!
//! A change goes: read the file that the path leads to; edit the text; write a backup; note the change in the journal;
//! write the new text beside the old one, with its mode and owner; read the old one once more, and only if it is still
//! the same, rename the new one over it. A crash at any moment leaves the old file or the new one, whole, and a journal
//! from which [`undo`] works. Another program's change is never overwritten: the edit is done again on what it wrote.
//! (Between the last look and the rename there is a moment, too short to be met but by chance, which no system closes.)
//!
//! What an entry becomes, and how text is edited, is core's business; where clients keep their files is `detect`'s.

mod error;
mod journal;
mod step;
mod target;

pub use error::WiringError;
pub use journal::Record;

use crate::home::Home;
use journal::{Journal, same_file};
use mcp_twin_core::detect::{Site, Step as At, Syntax};
use mcp_twin_core::wire::{self, Change, Undo, WireError, Wired};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use step::{Step, reached};
use target::{Replaced, Target};

/// How often an edit is done again because another program wrote the file meanwhile.
const TRIES: u32 = 5;

/// What is to be done to a configuration.
#[derive(Clone, Debug)]
pub enum Edit {
    /// An entry goes through mcp-twin.
    Wire {
        /// Where it stands.
        site: Site,
        /// What it becomes.
        change: Change,
    },
    /// An entry is added, such as a shadow (`mcp_twin_core::wire::shadow`).
    Add {
        /// How the file is written.
        syntax: Syntax,
        /// Where the entry shall stand.
        path: Vec<At>,
        /// The entry.
        entry: serde_json::Value,
    },
}

impl Edit {
    fn make(&self, text: &[u8]) -> Result<Wired, WireError> {
        match self {
            Self::Wire { site, change } => wire::wire(text, site, change),
            Self::Add { syntax, path, entry } => wire::insert(text, *syntax, path, entry),
        }
    }

    fn path(&self) -> &[At] {
        match self {
            Self::Wire { site, .. } => &site.path,
            Self::Add { path, .. } => path,
        }
    }
}

/// What a change did.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The id under which it is undone; `None` if the entry went through mcp-twin already and nobody noted how it was
    /// before.
    pub id: Option<String>,
    /// Whether the file was changed; not if it had been before.
    pub changed: bool,
    /// What differs, without secrets; empty if nothing was changed.
    pub diff: String,
}

/// What an undo did.
#[derive(Clone, Debug)]
pub struct Undone {
    /// The file.
    pub file: PathBuf,
    /// Whether the file was changed; not if somebody had undone it before, or the change never reached it.
    pub changed: bool,
    /// Whether it is now byte for byte as it was before the change. Otherwise somebody edited it since, and what they
    /// wrote is still there.
    pub exact: bool,
    /// What differs, without secrets.
    pub diff: String,
}

/// How a change stands today.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// The file is as the change left it.
    Untouched,
    /// The file was edited since; the entry can be restored.
    Edited,
    /// The file is as it was before the change.
    Restored,
    /// It cannot be undone, and why: the entry or the file is gone, or is not ours any more.
    Lost(String),
}

/// What an edit would change, without secrets. Writes nothing.
///
/// # Errors
/// As [`apply`].
pub fn preview(file: &Path, edit: &Edit) -> Result<String, WiringError> {
    let target = Target::open(file)?;
    let wired = edit.make(&target.bytes).map_err(WiringError::text(file))?;
    Ok(wire::diff(&target.bytes, &wired.text, &wired.undo, &file.display().to_string()))
}

/// Changes a configuration, and notes how that is undone. An entry that was changed before stays as it is.
///
/// Where `file` is a link, what it leads to is changed. `client` and `server` are for [`list`].
///
/// # Errors
/// The file cannot be found, read or replaced, its text does not allow the edit, or the state directory cannot be used.
/// Nothing was changed then.
pub fn apply(home: &Home, file: &Path, client: &str, server: &str, edit: &Edit) -> Result<Applied, WiringError> {
    // The command and whoever undoes it may run in different folders.
    let file = &std::path::absolute(file).map_err(WiringError::io("find", file))?;
    let mut journal = Journal::take(home)?;
    let ours = |record: &&Record| record.undo.path() == edit.path() && same_file(&record.file, file);
    // More than one are left where a client brought an older file back in between.
    let known: Vec<Record> = journal.records.iter().filter(ours).cloned().collect();
    for record in known.iter().filter(|record| !record.done || record.undoing) {
        target::sweep(&target::resolve(file)?, &record.id);
    }
    let id = new_id();
    for _ in 0..TRIES {
        let target = Target::open(file)?;
        let wired = match edit.make(&target.bytes) {
            Ok(wired) => wired,
            Err(error @ (WireError::Already { .. } | WireError::Exists { .. })) => {
                let undoable = |record: &&Record| wire::unwire(&target.bytes, &record.undo).is_ok();
                let id = known.iter().rev().find(undoable).map(|record| record.id.clone());
                match (&id, error) {
                    (None, error @ WireError::Exists { .. }) => return Err(WiringError::text(file)(error)),
                    (None, _) => {}
                    // It may have been cut off before this was noted.
                    (Some(id), _) => finish(&mut journal, id, &[])?,
                }
                return Ok(Applied { id, changed: false, diff: String::new() });
            }
            Err(error) => return Err(WiringError::text(file)(error)),
        };
        journal.back_up(&id, &target.bytes)?;
        reached(Step::BackedUp);
        journal.records.retain(|record| record.id != id);
        journal.records.push(Record {
            id: id.clone(),
            file: file.to_owned(),
            client: client.to_owned(),
            server: server.to_owned(),
            at: now(),
            undo: wired.undo.clone(),
            done: false,
            undoing: false,
        });
        journal.save()?;
        reached(Step::Noted);
        match target.replace(&wired.text, &id) {
            Ok(Replaced::Done) => {
                let diff = wire::diff(&target.bytes, &wired.text, &wired.undo, &file.display().to_string());
                finish(&mut journal, &id, &known)?;
                reached(Step::Done);
                return Ok(Applied { id: Some(id), changed: true, diff });
            }
            Ok(Replaced::Changed) => {}
            Err(error) => {
                journal.drop_record(&id)?;
                return Err(error);
            }
        }
    }
    journal.drop_record(&id)?;
    Err(WiringError::Busy { file: file.to_owned(), tries: TRIES })
}

/// Notes that a change is done, which takes the place of earlier ones of the same entry: it was not wired any more.
fn finish(journal: &mut Journal, id: &str, earlier: &[Record]) -> Result<(), WiringError> {
    journal.records.iter_mut().filter(|record| record.id == id).for_each(|record| {
        (record.done, record.undoing) = (true, false);
    });
    journal.records.retain(|record| !earlier.contains(record));
    journal.save()?;
    for record in earlier {
        let _ = std::fs::remove_file(journal.backup(&record.id));
    }
    Ok(())
}

/// Undoes a change: to the same bytes if nobody edited the file since, else the entry only. Its record goes with it.
///
/// Of several changes of one file the last should be undone first, as [`list`] has them: then each finds the file as it
/// left it.
///
/// # Errors
/// The entry is gone or no longer ours, or the file cannot be read or replaced. The record is kept then; [`forget`] drops
/// it.
pub fn undo(home: &Home, id: &str) -> Result<Undone, WiringError> {
    let mut journal = Journal::take(home)?;
    let record = journal.find(id)?.clone();
    let file = record.file.as_path();
    let nothing = |exact| Undone { file: file.to_owned(), changed: false, exact, diff: String::new() };
    if record.undoing || !record.done {
        target::sweep(&target::resolve(file)?, id);
    }
    for _ in 0..TRIES {
        let target = Target::open(file)?;
        let back = match wire::unwire(&target.bytes, &record.undo) {
            Ok(back) => back,
            // It was cut off, before it reached the file or after it was undone; what stands there is not ours.
            Err(WireError::NotOurs { .. } | WireError::Absent { .. }) if record.undoing || !record.done => {
                journal.drop_record(id)?;
                return Ok(nothing(false));
            }
            Err(error) => return Err(WiringError::text(file)(error)),
        };
        if back.text == target.bytes {
            journal.drop_record(id)?;
            return Ok(nothing(back.exact));
        }
        journal.records.iter_mut().filter(|record| record.id == id).for_each(|record| record.undoing = true);
        journal.save()?;
        reached(Step::Noted);
        if target.replace(&back.text, id)? == Replaced::Done {
            journal.drop_record(id)?;
            reached(Step::Done);
            let diff = wire::diff(&target.bytes, &back.text, &record.undo, &file.display().to_string());
            return Ok(Undone { file: file.to_owned(), changed: true, exact: back.exact, diff });
        }
    }
    Err(WiringError::Busy { file: file.to_owned(), tries: TRIES })
}

/// What was wired and not undone, the last first.
///
/// # Errors
/// The journal cannot be read.
pub fn list(home: &Home) -> Result<Vec<Record>, WiringError> {
    let mut records = journal::read(home)?;
    records.reverse();
    Ok(records)
}

/// How a change stands today. Reads its file, and writes nothing.
#[must_use]
pub fn standing(record: &Record) -> Standing {
    let read = Target::open(&record.file).map(|target| target.bytes);
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => return Standing::Lost(error.to_string()),
    };
    let sha = wire::sha256(&bytes);
    if sha == record.undo.before() {
        return Standing::Restored;
    }
    if sha == record.undo.after() {
        return Standing::Untouched;
    }
    match wire::unwire(&bytes, &record.undo) {
        Ok(_) => Standing::Edited,
        Err(error) => Standing::Lost(error.to_string()),
    }
}

/// Drops the record of a change, and its backup, without touching the configuration.
///
/// # Errors
/// There is no such record, or the journal cannot be written.
pub fn forget(home: &Home, id: &str) -> Result<Record, WiringError> {
    let mut journal = Journal::take(home)?;
    let record = journal.find(id)?.clone();
    if let Ok(path) = target::resolve(&record.file) {
        target::sweep(&path, id);
    }
    journal.drop_record(id)?;
    Ok(record)
}

/// Where the file is kept as it was before a change. It holds whatever secrets the file held; only its user can read it.
#[must_use]
pub fn backup_of(home: &Home, record: &Record) -> PathBuf {
    home.backups().join(&record.id)
}

/// What an undo would change, without secrets. Writes nothing.
///
/// # Errors
/// As [`undo`].
pub fn preview_undo(record: &Record) -> Result<String, WiringError> {
    let target = Target::open(&record.file)?;
    let back = wire::unwire(&target.bytes, &record.undo).map_err(WiringError::text(&record.file))?;
    let undo: &Undo = &record.undo;
    Ok(wire::diff(&target.bytes, &back.text, undo, &record.file.display().to_string()))
}

fn new_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id[..12].to_owned()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
