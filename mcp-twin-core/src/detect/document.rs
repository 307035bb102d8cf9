//! A configuration file as a tree of values, whatever it is written in.
//!
//! The values of variables and headers are in there, so a tree is shown to nobody, and dropped once it was read.

mod json;
mod toml;
mod yaml;

use super::error::ParseError;
use super::site::{Step, Syntax};

/// No file that is longer is read. `~/.claude.json` holds histories and grows to some megabytes.
pub const LARGEST: usize = 16 << 20;

/// TOML and YAML files are written by hand, and their readers take longer.
const LARGEST_BY_HAND: usize = 2 << 20;

/// No tree is deeper.
const DEEPEST: usize = 100;

/// A value.
pub(super) enum Node {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file. Of a key that is there twice the last value, in the place of the first.
    Map(Vec<(String, Node)>),
}

/// A file that was read.
pub(super) struct Document {
    pub(super) root: Node,
    /// It begins with a byte order mark.
    pub(super) bom: bool,
    /// Some lines end in CRLF.
    pub(super) crlf: bool,
    /// Keys that are there twice.
    pub(super) duplicates: Vec<Vec<Step>>,
    /// Anchors, aliases or merge keys of YAML are used.
    pub(super) references: bool,
}

impl Document {
    pub(super) fn read(syntax: Syntax, bytes: &[u8]) -> Result<Self, ParseError> {
        let limit = if matches!(syntax, Syntax::Json | Syntax::Jsonc) { LARGEST } else { LARGEST_BY_HAND };
        if bytes.len() > limit {
            return Err(ParseError::TooLarge { limit });
        }
        let (bom, bytes) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => (true, rest),
            None => (false, bytes),
        };
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let (line, column) = position(&good, good.len());
            ParseError::NotUtf8 { line, column }
        })?;
        let mut document = match syntax {
            Syntax::Json => json::read(text, true)?,
            Syntax::Jsonc => json::read(text, false)?,
            Syntax::Toml => toml::read(text)?,
            Syntax::Yaml => yaml::read(text)?,
        };
        document.bom = bom;
        document.crlf = text.contains("\r\n");
        Ok(document)
    }

    pub(super) fn of(root: Node) -> Self {
        Self { root, bom: false, crlf: false, duplicates: Vec::new(), references: false }
    }
}

impl Node {
    pub(super) fn map(&self) -> Option<&[(String, Node)]> {
        match self {
            Self::Map(members) => Some(members),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Node]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The member of this name, unless it is null.
    pub(super) fn member(&self, key: &str) -> Option<&Self> {
        self.map()?
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, node)| node)
            .filter(|node| !matches!(node, Self::Null))
    }

    pub(super) fn at<S: AsRef<str>>(&self, keys: &[S]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.member(key.as_ref()))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// What a scalar looks like as a word: clients are written in languages that turn numbers into text.
    pub(super) fn word(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// What kind of value it is, for an error.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }

    /// The texts of a list of them; what is no text is passed over.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.list().unwrap_or_default().iter().filter_map(Self::text)
    }
}

/// Line and column, both from 1, of a place in a text.
fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}
