//! The documents of `wire`, `init` and `unwire`.

use super::Error;
use crate::exit::Exit;
use crate::unwire::{Back, Outcome};
use crate::wire::Results;
use crate::wire::choose::How;
use crate::wire::plan::{Aside, Plan};
use crate::wire::reason::Reason;
use mcp_twin_core::detect::{Client, Scope};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::wiring::WiringError;
use serde::Serialize;
use std::path::Path;

/// `wire`, `init`
#[derive(Debug, Serialize)]
pub(crate) struct Wiring<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) dry_run: bool,
    /// The program that entries run.
    pub(crate) program: &'a str,
    pub(crate) changes: Vec<Change<'a>>,
    /// Entries that are left alone.
    pub(crate) left: Vec<Left<'a>>,
    /// Entries that cannot be changed.
    pub(crate) refused: Vec<Refused<'a>>,
    pub(crate) warnings: Vec<String>,
    /// Where files are kept as they were before.
    pub(crate) backups: String,
}

/// An entry that is wired, or would be.
#[derive(Debug, Serialize)]
pub(crate) struct Change<'a> {
    #[serde(flatten)]
    pub(crate) entry: Entry<'a>,
    /// Every client that reads the file.
    pub(crate) readers: Vec<Client>,
    /// `run`, `shadow`, `address`.
    pub(crate) how: &'static str,
    /// `planned`, `wired`, `unchanged`, `failed`.
    pub(crate) outcome: &'static str,
    /// The change in the journal.
    pub(crate) id: Option<&'a str>,
    pub(crate) diff: &'a str,
    /// How the client picks the change up.
    pub(crate) pickup: String,
    pub(crate) notes: &'a [String],
    pub(crate) error: Option<Error>,
}

/// Which entry a part of a document is about.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) server: &'a str,
    pub(crate) client: Client,
    pub(crate) scope: Scope,
    pub(crate) file: String,
}

impl<'a> Entry<'a> {
    fn of<Why>(aside: &'a Aside<Why>) -> Self {
        Self { server: &aside.server, client: aside.client, scope: aside.scope, file: text(&aside.file) }
    }
}

/// An entry that is left alone.
#[derive(Debug, Serialize)]
pub(crate) struct Left<'a> {
    #[serde(flatten)]
    pub(crate) entry: Entry<'a>,
    /// `already`, `moved`, `managed`, `system`, `plugin`, `disabled`, `hidden`, `remote`, `unrecorded`, `other_transport`, `bridge`,
    /// `foreign`, `unsure`, `legacy`, `nothing_to_reload`, `shared`, `values`.
    pub(crate) reason: &'static str,
    pub(crate) why: String,
    pub(crate) hint: Option<String>,
}

impl<'a> From<&'a Aside<Reason>> for Left<'a> {
    fn from(aside: &'a Aside<Reason>) -> Self {
        Self {
            entry: Entry::of(aside),
            reason: aside.why.code(),
            why: aside.why.why(aside.client),
            hint: aside.why.hint(&aside.server),
        }
    }
}

/// An entry that cannot be changed.
#[derive(Debug, Serialize)]
pub(crate) struct Refused<'a> {
    #[serde(flatten)]
    pub(crate) entry: Entry<'a>,
    pub(crate) error: Error,
}

impl<'a> Wiring<'a> {
    /// The document of a plan and what became of it.
    pub(crate) fn of(
        command: &'static str,
        exit: Exit,
        plan: &'a Plan,
        results: &'a Results,
        dry_run: bool,
        home: &Home,
    ) -> Self {
        let changes = plan.changes.iter().enumerate().map(|(at, change)| {
            let result = results.get(at);
            let applied = result.and_then(|result| result.as_ref().ok());
            Change {
                entry: Entry {
                    server: &change.server,
                    client: change.client,
                    scope: change.scope,
                    file: text(&change.file),
                },
                readers: std::iter::once(change.client).chain(change.others.iter().copied()).collect(),
                how: match change.how {
                    How::Run => "run",
                    How::Shadow => "shadow",
                    How::Address(_) => "address",
                },
                outcome: match result {
                    None => "planned",
                    Some(Ok(applied)) if applied.changed => "wired",
                    Some(Ok(_)) => "unchanged",
                    Some(Err(_)) => "failed",
                },
                id: applied.and_then(|applied| applied.id.as_deref()),
                diff: &change.diff,
                pickup: change.client.pickup().to_string(),
                notes: &change.notes,
                error: result.and_then(|result| result.as_ref().err()).map(Error::from),
            }
        });
        let refused =
            plan.refused.iter().map(|aside| Refused { entry: Entry::of(aside), error: Error::from(&aside.why) });
        let unreadable = plan.unreadable.iter().map(|(file, error)| format!("{}: {error}", file.display()));
        Self {
            command,
            exit: exit.status(),
            dry_run,
            program: &plan.program.path,
            changes: changes.collect(),
            left: plan.left.iter().map(Left::from).collect(),
            refused: refused.collect(),
            warnings: plan.program.warning.iter().cloned().chain(unreadable).collect(),
            backups: text(&home.backups()),
        }
    }
}

/// `unwire`
#[derive(Debug, Serialize)]
pub(crate) struct Unwiring<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) dry_run: bool,
    pub(crate) changes: Vec<Undo<'a>>,
}

/// A change that is undone, or would be.
#[derive(Debug, Serialize)]
pub(crate) struct Undo<'a> {
    pub(crate) id: &'a str,
    pub(crate) server: &'a str,
    pub(crate) client: &'a str,
    pub(crate) file: String,
    /// `planned`, `unwired`, `unchanged`, `forgotten`, `failed`.
    pub(crate) outcome: &'static str,
    /// Whether the file is byte for byte as it was; `null` where nothing was tried.
    pub(crate) exact: Option<bool>,
    pub(crate) diff: Option<&'a str>,
    pub(crate) error: Option<Error>,
}

impl<'a> Unwiring<'a> {
    /// The document of what is taken back.
    pub(crate) fn of(exit: Exit, backs: &'a [Back], outcomes: &'a [Outcome], dry_run: bool) -> Self {
        let changes = backs.iter().enumerate().map(|(at, back)| {
            let (outcome, exact, error) = match outcomes.get(at) {
                None => match &back.preview {
                    Ok(_) => ("planned", None, None),
                    Err(error) => ("failed", None, Some(Error::from(error))),
                },
                Some(Outcome::Undone(undone)) => {
                    (if undone.changed { "unwired" } else { "unchanged" }, Some(undone.exact), None)
                }
                Some(Outcome::Forgotten) => ("forgotten", None, None),
                Some(Outcome::Failed(error)) => ("failed", None, Some(Error::from(error))),
            };
            Undo {
                id: &back.record.id,
                server: &back.record.server,
                client: &back.record.client,
                file: text(&back.record.file),
                outcome,
                exact,
                diff: back.preview.as_deref().ok(),
                error,
            }
        });
        Self { command: "unwire", exit: exit.status(), dry_run, changes: changes.collect() }
    }
}

impl From<&WiringError> for Error {
    fn from(error: &WiringError) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string(), advice: Vec::new() }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
