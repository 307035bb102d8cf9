//! The sessions of clients on disk, so that they outlive their front: one line for each opening, for each change of what a
//! twin must be told, and for each end.
//!
//! Lines are only ever appended, without waiting for the disk; what is no longer so is dropped when the file is read, and
//! when it has grown far beyond what lives.

use crate::files::{self, Flush};
use mcp_twin_core::relay::SavedSession;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Lines beyond those that live before the file is written anew.
const GROWN: usize = 1000;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    /// A session as it is from now on.
    Open { name: String, session: Box<SavedSession> },
    /// It is over.
    Close { name: String },
}

/// The book of one front's sessions.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    file: Option<File>,
    lines: usize,
    sessions: BTreeMap<String, SavedSession>,
}

impl Book {
    /// Reads what a front before this one wrote. A line that cannot be read is passed over: a crash may have cut the last.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        let bytes = files::read(&path).ok().flatten().unwrap_or_default();
        let mut sessions = BTreeMap::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Entry::Open { name, session }) => drop(sessions.insert(name, *session)),
                Ok(Entry::Close { name }) => drop(sessions.remove(&name)),
                Err(_) => {}
            }
        }
        let mut book = Self { path, file: None, lines: 0, sessions };
        book.rewrite();
        book
    }

    /// The sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> Vec<(String, SavedSession)> {
        self.sessions.iter().map(|(name, session)| (name.clone(), session.clone())).collect()
    }

    /// A session was opened, or is told otherwise from now on.
    pub fn write(&mut self, name: &str, session: SavedSession) {
        self.append(&Entry::Open { name: name.to_owned(), session: Box::new(session.clone()) });
        self.sessions.insert(name.to_owned(), session);
    }

    /// A session is over.
    pub fn strike(&mut self, name: &str) {
        if self.sessions.remove(name).is_some() {
            self.append(&Entry::Close { name: name.to_owned() });
        }
    }

    /// All sessions are over: nothing is left.
    pub fn burn(path: &Path) {
        let _ = std::fs::remove_file(path);
    }

    fn append(&mut self, entry: &Entry) {
        if self.lines > self.sessions.len() * 4 + GROWN {
            self.rewrite();
        }
        let Ok(mut line) = serde_json::to_vec(entry) else { return };
        line.push(b'\n');
        self.lines += 1;
        // What cannot be written is missing after a crash of the front: its clients open new sessions then.
        if self.file.as_mut().is_some_and(|file| file.write_all(&line).is_err()) {
            self.file = None;
        }
    }

    fn rewrite(&mut self) {
        let mut text = Vec::new();
        for (name, session) in &self.sessions {
            let entry = Entry::Open { name: name.clone(), session: Box::new(session.clone()) };
            if let Ok(line) = serde_json::to_vec(&entry) {
                text.extend_from_slice(&line);
                text.push(b'\n');
            }
        }
        self.lines = self.sessions.len();
        self.file = None;
        if files::write_atomic(&self.path, &text, Flush::Later).is_ok() {
            self.file = OpenOptions::new().append(true).open(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(level: &str) -> SavedSession {
        SavedSession { level: Some(level.to_owned()), version: "2025-11-25".to_owned(), ..SavedSession::default() }
    }

    #[test]
    fn sessions_come_back_as_they_were_last_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("book.jsonl");
        let mut book = Book::open(path.clone());
        book.write("a", session("1"));
        book.write("b", session("1"));
        book.write("a", session("2"));
        book.strike("b");
        book.strike("never");
        drop(book);
        // A crash in the middle of a line.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"open\":{\"na").unwrap();
        let mut book = Book::open(path.clone());
        assert_eq!(book.sessions(), [("a".to_owned(), session("2"))]);
        book.write("c", session("3"));
        assert_eq!(Book::open(path).sessions().len(), 2, "the line behind a cut one is whole");
    }

    #[test]
    fn a_book_does_not_grow_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("book.jsonl");
        let mut book = Book::open(path.clone());
        for n in 0..GROWN * 5 {
            book.write("a", session(&n.to_string()));
        }
        assert!(std::fs::read(&path).unwrap().split(|byte| *byte == b'\n').count() < GROWN * 2);
        assert_eq!(Book::open(path).sessions()[0].1, session(&(GROWN * 5 - 1).to_string()));
    }
}
