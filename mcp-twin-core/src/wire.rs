//! Lossless edits of one entry in a client's configuration, and their exact undo.
//!
//! [`wire`] makes the entry at a [`Site`] run its server through mcp-twin, [`insert`] adds one, and [`unwire`] takes either
//! back. An edit splices a few bytes: comments, order, indentation, line ends, a byte order mark and all that is not the
//! command or its arguments stay as they are. Then both texts are read again and compared; what cannot be proved is not
//! returned. Texts go in and come out, nothing is read or written: that is `mcp-twin-runtime`'s `wiring`.
//!
//! ```
//! use mcp_twin_core::detect::{Shape, Site, Step, Syntax};
//! use mcp_twin_core::wire::{Change, unwire, wire};
//!
//! let text = br#"{"mcpServers": {"files": {"command": "node", "args": ["server.js"]}}}"#;
//! let site = Site {
//!     syntax: Syntax::Json,
//!     path: vec![Step::Key("mcpServers".into()), Step::Key("files".into())],
//!     shape: Shape::Words { command: "command" },
//! };
//! let run = Change::Run { program: "/usr/local/bin/mcp-twin".into(), name: "files".into(), words: None };
//! let wired = wire(text, &site, &run)?;
//! assert!(wired.text.ends_with(br#""args": ["run", "--name", "files", "--", "node", "server.js"]}}}"#));
//! assert_eq!(unwire(&wired.text, &wired.undo)?.text, text);
//! # Ok::<(), mcp_twin_core::wire::WireError>(())
//! ```
//!
//! **A shadow.** Where an entry is shared (`.mcp.json`) it can be left alone, and hidden by one of the same name in a
//! closer scope: for Claude Code [`insert`] at `projects.<folder>.mcpServers.<name>` of `~/.claude.json`, with the entry
//! that [`shadow`] makes.

mod diff;
mod edit;
mod entry;
mod erase;
mod error;
mod layout;
mod pen;
mod proof;
mod tree;
mod undo;

pub use diff::diff;
pub use entry::{Shadow, insert, shadow};
pub use error::WireError;
pub use undo::Undo;

use crate::detect::{Shape, Site, Step, Syntax};
use edit::{Plan, Sheet};
use hmac_sha256::Hash;
use tree::{Found, Node};

/// The largest text that is edited.
pub const MOST: usize = 16 << 20;

/// What an entry becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It runs `program run --name name -- `, and then what it ran.
    Run {
        /// The command of mcp-twin: its absolute path.
        program: String,
        /// The server's name.
        name: String,
        /// The words that its command stands for, where it is a whole line and the client itself splits it
        /// (`split-command-string`). `None`: it is one word, blanks and all.
        words: Option<Vec<String>>,
    },
    /// It connects to this address in the place of its own.
    Address {
        /// The address of a front.
        url: String,
    },
}

/// A text after an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wired {
    /// The new text.
    pub text: Vec<u8>,
    /// What it takes to undo it.
    pub undo: Undo,
}

/// A text after the undo of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwired {
    /// The new text.
    pub text: Vec<u8>,
    /// Whether it is the text before the edit, byte for byte. Otherwise somebody changed it since: their changes are in
    /// it.
    pub exact: bool,
}

/// Makes the entry at `site` go through mcp-twin.
///
/// # Errors
/// The text is not valid, holds a key twice, has no such entry, or one that cannot be changed safely or is wired already.
pub fn wire(text: &[u8], site: &Site, change: &Change) -> Result<Wired, WireError> {
    let (_, body) = document(text, site.syntax)?;
    let root = tree::read(body, site.syntax)?;
    root.refuse_duplicates(&site.path, body)?;
    let sheet = Sheet { text: body, syntax: site.syntax, root: &root, path: &site.path };
    let plan = sheet.plan(&site.shape, change)?;
    let label = site.path.iter().rposition(|step| matches!(step, Step::Index(_))).and_then(|at| {
        let (item, _) = root.at(&site.path[..=at]).ok()?;
        undo::name_of(item).map(str::to_owned)
    });
    finish(text, &sheet, plan, label)
}

/// The command of an entry as it is written, nothing in it replaced; `None` where it is a list or an address. Where it
/// holds a whole line, this is what [`Change::Run`]'s words are made of.
///
/// # Errors
/// The text is not valid, or has no such entry.
pub fn command(text: &[u8], site: &Site) -> Result<Option<String>, WireError> {
    let (_, body) = document(text, site.syntax)?;
    let root = tree::read(body, site.syntax)?;
    let (entry, _) = root.at(&site.path)?;
    let held = |node: &Node, key: &str| match node.find(key, &root) {
        Found::Own(_, member) => member.value.resolved(&root).cloned(),
        Found::Merged(node) => node.resolved(&root).cloned(),
        Found::None => None,
    };
    let node = match site.shape {
        Shape::Words { command } => held(entry, command),
        Shape::Program => held(entry, "command").and_then(|command| held(&command, "path")),
        Shape::Array | Shape::Url { .. } => None,
    };
    Ok(node.and_then(|node| node.word().map(str::to_owned)))
}

/// Takes an edit back. A text that is as the edit left it becomes what it was, byte for byte; in any other one only the
/// entry is restored. A text from before the edit stays.
///
/// # Errors
/// The entry is gone, or is no longer what mcp-twin wrote; or the text cannot be edited, as with [`wire`].
pub fn unwire(text: &[u8], undo: &Undo) -> Result<Unwired, WireError> {
    undo.take_back(text)
}

/// The SHA-256 of a text, in hexadecimal digits.
#[must_use]
pub fn sha256(text: &[u8]) -> String {
    Hash::hash(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Carries a plan out and proves it.
fn finish(text: &[u8], sheet: &Sheet<'_>, plan: Plan, label: Option<String>) -> Result<Wired, WireError> {
    let (bom, _) = document(text, sheet.syntax)?;
    let unproven = |what: &str| WireError::Unproven { path: error::shown(sheet.path), what: what.to_owned() };
    let (done, patches) = pen::apply(sheet.text, plan.splices).ok_or_else(|| unproven("its parts overlap"))?;
    match proof::prove(sheet.text, &done, sheet.syntax, &[plan.goal], sheet.path) {
        Err(WireError::Unproven { .. }) if sheet.root.has_alias() => {
            let what = "others use it, or a part of it, through an alias; write it out, then try again";
            return Err(WireError::shape(sheet.path, what));
        }
        proved => proved?,
    }
    if pen::reverse(&done, &patches).as_deref() != Some(sheet.text) {
        return Err(unproven("it could not be undone"));
    }
    let after = [bom, done.as_bytes()].concat();
    let undo = Undo {
        before: sha256(text),
        after: sha256(&after),
        syntax: sheet.syntax.into(),
        path: sheet.path.iter().map(undo::At::from).collect(),
        label,
        patches,
        what: plan.what,
    };
    Ok(Wired { text: after, undo })
}

/// The byte order mark of a text, if any, and the rest of it as a string.
fn document(text: &[u8], syntax: Syntax) -> Result<(&[u8], &str), WireError> {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    if text.len() > MOST {
        return Err(WireError::TooLarge { size: text.len(), most: MOST });
    }
    let (bom, rest) = text.split_at(if text.starts_with(BOM) { BOM.len() } else { 0 });
    let body = std::str::from_utf8(rest).map_err(|error| {
        let good = std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default();
        WireError::invalid(syntax, "it is not in UTF-8", good, good.len())
    })?;
    Ok((bom, body))
}

#[cfg(test)]
mod tests;
