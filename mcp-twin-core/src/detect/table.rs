//! The table of clients: where each of them keeps its servers, how they are written there and how that is known.
//!
//! A client is one [`Row`]. Its files stand in the order of their strength: of two servers of one name the first counts.
//!
//! Places are written with `~` (home), `{WS}` (the project), `{XC}` (`$XDG_CONFIG_HOME`, else `~/.config`, on every system),
//! `{ED}` (what Electron calls userData: macOS `~/Library/Application Support`, Windows `%APPDATA%`, else `{XC}`), `{AS}`
//! (macOS `~/Library/Application Support`), `{AD}` (`%APPDATA%`), `{LAD}` (`%LOCALAPPDATA%`), `{PD}` (`%ProgramData%`), `{PF}`
//! (`%ProgramW6432%`), `{CODE}` (the user folder of VS Code), `$X` (a variable, without which there is no such place),
//! `${X:-otherwise}`, and `*` for every name in a folder.

mod rows;

pub(super) use rows::ROWS;

use super::client::{Mark, Pickup, Scope};
use super::dialect::{Dialect, Keys};
use super::machine::Os;

/// One client.
pub(super) struct Row {
    /// Its id, never changed once released.
    pub(super) id: &'static str,
    /// Its name for people.
    pub(super) name: &'static str,
    /// What else it is called by.
    pub(super) aliases: &'static [&'static str],
    /// How its files are written, where nothing else is said.
    pub(super) dialect: &'static Dialect,
    /// How that is known, where nothing else is said.
    pub(super) mark: Mark,
    /// How a change reaches it.
    pub(super) pickup: Pickup,
    /// Its files, the strongest first.
    pub(super) files: &'static [File],
}

/// How far up from the project a file is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Up {
    /// Not at all.
    No,
    /// To the root of the repository.
    Repository,
    /// To the root of the file system.
    Root,
}

/// One file of a client.
pub(super) struct File {
    pub(super) scope: Scope,
    /// The place, as the module says.
    pub(super) at: &'static str,
    /// Only there; everywhere if empty.
    pub(super) on: &'static [Os],
    pub(super) up: Up,
    pub(super) dialect: Option<&'static Dialect>,
    /// Where the servers stand, if not where the dialect says.
    pub(super) keys: Option<&'static [Keys]>,
    pub(super) mark: Option<Mark>,
    /// The client has left this place.
    pub(super) legacy: bool,
    /// It hides every other scope.
    pub(super) exclusive: bool,
}

/// A file of a scope, found by the row's dialect.
pub(super) const fn at(scope: Scope, at: &'static str) -> File {
    File { scope, at, on: &[], up: Up::No, dialect: None, keys: None, mark: None, legacy: false, exclusive: false }
}

impl File {
    pub(super) const fn on(self, on: &'static [Os]) -> Self {
        Self { on, ..self }
    }

    pub(super) const fn up(self, up: Up) -> Self {
        Self { up, ..self }
    }

    pub(super) const fn dialect(self, dialect: &'static Dialect) -> Self {
        Self { dialect: Some(dialect), ..self }
    }

    pub(super) const fn keys(self, keys: &'static [Keys]) -> Self {
        Self { keys: Some(keys), ..self }
    }

    pub(super) const fn mark(self, mark: Mark) -> Self {
        Self { mark: Some(mark), ..self }
    }

    pub(super) const fn legacy(self) -> Self {
        Self { legacy: true, ..self }
    }

    pub(super) const fn exclusive(self) -> Self {
        Self { exclusive: true, ..self }
    }
}
