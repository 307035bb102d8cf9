//! Why an edit was refused. A refusal leaves the text as it was.

use crate::detect::{Step, Syntax};

/// Why a configuration could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The text is not what its syntax asks for.
    #[error("line {line}, column {column}: not valid {}: {what}; correct the file, then try again", name(*.syntax))]
    Invalid {
        /// The syntax.
        syntax: Syntax,
        /// What is wrong, without any of the text.
        what: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// A key stands twice in one object: which of the two counts depends on who reads it.
    #[error(
        "line {line}, column {column}: the key `{key}` stands here a second time; remove one of the two, then try again"
    )]
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of the second, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
    },
    /// There is no entry at this place.
    #[error(
        "there is no entry at `{path}`; it may have been renamed or removed: look for it again with `mcp-twin detect`"
    )]
    Absent {
        /// Where it was looked for.
        path: String,
    },
    /// An entry that was to be added is there.
    #[error("there is an entry at `{path}` already; remove it first, or choose another name")]
    Exists {
        /// Where.
        path: String,
    },
    /// The entry runs mcp-twin already.
    #[error("`{path}` runs through mcp-twin already; there is nothing to change")]
    Already {
        /// Where.
        path: String,
    },
    /// The entry is written in a way that cannot be changed safely.
    #[error("`{path}` cannot be changed safely: {what}")]
    Shape {
        /// Where.
        path: String,
        /// What stands in the way, and what to do.
        what: String,
    },
    /// The entry is no longer one that mcp-twin wrote, so it is not taken back.
    #[error("`{path}` is not as mcp-twin wrote it: {what}; it was left alone: change it by hand, where that is needed")]
    NotOurs {
        /// Where.
        path: String,
        /// What is different.
        what: String,
    },
    /// The text is larger than what is edited.
    #[error(
        "the file has {size} bytes, and no more than {most} are edited; make it smaller, or change the entry by hand"
    )]
    TooLarge {
        /// Its size.
        size: usize,
        /// The most that is edited.
        most: usize,
    },
    /// What the edit would have made does not say what it should. Nothing was changed.
    #[error(
        "the edit of `{path}` would have changed more than it should ({what}), so nothing was written; please report this"
    )]
    Unproven {
        /// Where.
        path: String,
        /// What differs.
        what: String,
    },
}

impl WireError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "wire::invalid",
            Self::DuplicateKey { .. } => "wire::duplicate_key",
            Self::Absent { .. } => "wire::absent",
            Self::Exists { .. } => "wire::exists",
            Self::Already { .. } => "wire::already",
            Self::Shape { .. } => "wire::shape",
            Self::NotOurs { .. } => "wire::not_ours",
            Self::TooLarge { .. } => "wire::too_large",
            Self::Unproven { .. } => "wire::unproven",
        }
    }

    pub(super) fn invalid(syntax: Syntax, what: impl Into<String>, text: &str, at: usize) -> Self {
        let (line, column) = place(text, at);
        Self::Invalid { syntax, what: what.into(), line, column }
    }

    pub(super) fn duplicate(key: &str, text: &str, at: usize) -> Self {
        let (line, column) = place(text, at);
        Self::DuplicateKey { key: key.to_owned(), line, column }
    }

    pub(super) fn shape(path: &[Step], what: impl Into<String>) -> Self {
        Self::Shape { path: shown(path), what: what.into() }
    }

    pub(super) fn not_ours(path: &[Step], what: impl Into<String>) -> Self {
        Self::NotOurs { path: shown(path), what: what.into() }
    }
}

/// A path as people read it.
pub(super) fn shown(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        if !out.is_empty() && matches!(step, Step::Key(_)) {
            out.push('.');
        }
        out.push_str(&step.to_string());
    }
    out
}

/// Line and column of an offset, both from 1, the column in characters.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

fn name(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::Json => "JSON",
        Syntax::Jsonc => "JSON with comments",
        Syntax::Toml => "TOML",
        Syntax::Yaml => "YAML",
    }
}
