//! What `unwire` shows.

use super::style::{BAD, DIM, GOOD, NAME, harmless, paint};
use super::wire::{diff, entries, short};
use crate::unwire::{Back, Outcome, is_gone};
use mcp_twin_core::detect::Client;
use mcp_twin_runtime::wiring::{Record, WiringError};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// One line for a change: `files  Cursor: ~/.cursor/mcp.json`.
pub(crate) fn label(record: &Record, home: &Path) -> String {
    format!("{}  {}: {}", harmless(&record.server), client(record), short(&record.file, home))
}

fn client(record: &Record) -> String {
    Client::named(&record.client).map_or_else(|| harmless(&record.client), |client| client.name().to_owned())
}

/// Everything that would be taken back.
pub(crate) fn plan(backs: &[Back], home: &Path) -> String {
    let mut text = String::new();
    for back in backs {
        match &back.preview {
            Ok(changes) => {
                let server = paint(NAME, &harmless(&back.record.server)).to_string();
                let _ = writeln!(text, "{server} in {} ({})", short(&back.record.file, home), client(&back.record));
                text += &diff(changes);
                if changes.is_empty() {
                    let _ = writeln!(text, "  {}", paint(DIM, "it is as it was before already"));
                }
                text.push('\n');
            }
            Err(_) => text += &impossible(std::slice::from_ref(back), home),
        }
    }
    text
}

/// What cannot be undone, and what to do.
pub(crate) fn impossible(backs: &[Back], home: &Path) -> String {
    let mut text = String::new();
    for back in backs {
        if let Err(error) = &back.preview {
            text += &wrong(&back.record, error, home);
        }
    }
    text
}

fn wrong(record: &Record, error: &WiringError, home: &Path) -> String {
    let why = error.to_string().replace(&*home.to_string_lossy(), "~");
    let mut text = format!(
        "{} {} ({}) cannot be unwired\n  {}\n",
        paint(BAD, "error:"),
        harmless(&record.server),
        client(record),
        harmless(&why)
    );
    if is_gone(error) {
        let forget = format!("mcp-twin unwire {} --force", harmless(&shell_words::quote(&record.server)));
        let _ = writeln!(text, "  {} {forget}", paint(DIM, "to forget the change and keep the file as it is:"));
    }
    text
}

/// The question before it.
pub(crate) fn question(backs: &[Back], force: bool) -> String {
    let possible: Vec<&Back> = backs.iter().filter(|back| force || back.preview.is_ok()).collect();
    let files: BTreeSet<&Path> = possible.iter().map(|back| back.record.file.as_path()).collect();
    format!("Take back {} in {}?", entries(possible.len()), super::count(files.len(), "file"))
}

/// There is nothing to be taken back.
pub(crate) fn nothing(names: &[String], wired: &[&str]) -> String {
    if wired.is_empty() {
        return "Nothing is wired.\n".to_owned();
    }
    let mut wired: Vec<&str> = wired.to_vec();
    wired.sort_unstable();
    wired.dedup();
    let head = match names {
        [] => "Nothing is wired for this client and scope".to_owned(),
        names => format!("Nothing is wired under {}", names.join(", ")),
    };
    format!("{head}. Wired: {}\n", harmless(&wired.join(", ")))
}

/// What was taken back, and what went wrong.
pub(crate) fn done(backs: &[Back], outcomes: &[Outcome], home: &Path) -> (String, String) {
    let (mut text, mut bad) = (String::new(), String::new());
    let mut clients: Vec<Client> = Vec::new();
    for (back, outcome) in backs.iter().zip(outcomes) {
        let record = &back.record;
        let server = paint(NAME, &harmless(&record.server)).to_string();
        let place = format!("{} ({})", short(&record.file, home), client(record));
        let said = match outcome {
            Outcome::Undone(undone) if !undone.changed => format!("{server} was not wired any more in {place}"),
            Outcome::Undone(undone) => {
                let how = if undone.exact {
                    "the file is byte for byte as it was"
                } else {
                    "only the entry: the file was edited since"
                };
                clients.extend(Client::named(&record.client).filter(|client| !clients.contains(client)));
                format!("{server} is unwired in {place}\n  {}", paint(DIM, how))
            }
            Outcome::Forgotten => format!("{server} is forgotten; {place} stays as it is"),
            Outcome::Failed(error) => {
                bad += &wrong(record, error, home);
                continue;
            }
        };
        let _ = writeln!(text, "{} {said}", paint(GOOD, "✓"));
    }
    if !clients.is_empty() {
        text.push('\n');
    }
    for client in clients {
        let _ = writeln!(text, "{client}: {}", client.pickup());
    }
    (text, bad)
}
