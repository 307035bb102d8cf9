//! A document as a tree that knows where each of its parts stands in the text. The same for all syntaxes, so that an edit
//! is thought out once.

mod json;
mod toml;
mod yaml;

use super::error::{WireError, shown};
use crate::detect::{Step, Syntax};
use std::ops::Range;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Its bytes. A block collection of YAML and a table of TOML reach from their first to their last part.
    pub span: Range<usize>,
    /// Where its anchor or tag begins; else the beginning of `span`.
    pub outer: usize,
    /// What it is.
    pub kind: Kind,
    /// The number of its anchor; 0 is none. YAML only.
    pub anchor: usize,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// An object, mapping or table.
    Map {
        /// In the order of the text, duplicates included.
        members: Vec<Member>,
        /// Whether it stands between braces.
        flow: bool,
    },
    /// An array or sequence.
    List {
        /// Its elements.
        items: Vec<Node>,
        /// Whether it stands between brackets.
        flow: bool,
    },
    /// A string.
    Text(String),
    /// A string in lines of its own (`|` and `>` of YAML); the span is its content only.
    Block(String),
    /// Any other scalar, as it is written; `null` in every form is `null`.
    Other(String),
    /// An alias for the node with this anchor.
    Alias(usize),
}

/// One member of a map.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Its key, unescaped.
    pub key: String,
    /// The bytes of the key; in TOML of the last part of a dotted key.
    pub key_span: Range<usize>,
    /// Its value.
    pub value: Node,
}

/// What a map says under a key.
#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    /// A member of its own, and its index.
    Own(usize, &'a Member),
    /// A member of a map that is merged into it (`<<`).
    Merged(&'a Node),
    /// Nothing.
    None,
}

/// How deep a document may nest: no reader of ours goes deeper.
const DEEPEST: usize = 512;

/// How many aliases are followed from one to the next.
const HOPS: usize = 16;

/// Reads a document.
pub(super) fn read(text: &str, syntax: Syntax) -> Result<Node, WireError> {
    match syntax {
        Syntax::Json => json::read(text, syntax, true),
        Syntax::Jsonc => json::read(text, syntax, false),
        Syntax::Toml => toml::read(text),
        Syntax::Yaml => yaml::read(text),
    }
}

impl Node {
    fn new(span: Range<usize>, kind: Kind) -> Self {
        Self { outer: span.start, span, kind, anchor: 0 }
    }

    /// Its members, if it is a map.
    pub(super) fn members(&self) -> Option<&[Member]> {
        if let Kind::Map { members, .. } = &self.kind { Some(members) } else { None }
    }

    /// Its string, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Kind::Text(text) | Kind::Block(text) = &self.kind { Some(text) } else { None }
    }

    /// A scalar as the word that it is in an argument list.
    pub(super) fn word(&self) -> Option<&str> {
        if let Kind::Text(text) | Kind::Block(text) | Kind::Other(text) = &self.kind { Some(text) } else { None }
    }

    /// Whether it says that there is nothing.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Other(text) if text == "null")
    }

    /// The member with this key. A key that stands twice was refused before.
    pub(super) fn member(&self, key: &str) -> Option<(usize, &Member)> {
        self.members()?.iter().enumerate().find(|(_, member)| member.key == key)
    }

    /// What a map says under a key, merged maps included.
    pub(super) fn find<'a>(&'a self, key: &str, root: &'a Self) -> Found<'a> {
        match self.member(key) {
            Some((index, member)) => Found::Own(index, member),
            None => self.merged(key, root, HOPS).map_or(Found::None, Found::Merged),
        }
    }

    fn merged<'a>(&'a self, key: &str, root: &'a Self, hops: usize) -> Option<&'a Self> {
        let hops = hops.checked_sub(1)?;
        let (_, merge) = self.member("<<")?;
        let sources = match &merge.value.kind {
            Kind::List { items, .. } => items.as_slice(),
            _ => std::slice::from_ref(&merge.value),
        };
        sources.iter().find_map(|source| {
            let source = source.resolved(root)?;
            source.member(key).map(|(_, member)| &member.value).or_else(|| source.merged(key, root, hops))
        })
    }

    /// The node that it stands for: itself, unless it is an alias.
    pub(super) fn resolved<'a>(&'a self, root: &'a Self) -> Option<&'a Self> {
        let mut node = self;
        for _ in 0..HOPS {
            let Kind::Alias(id) = node.kind else { return Some(node) };
            node = root.anchored(id)?;
        }
        None
    }

    /// Whether anything in it is an alias.
    pub(super) fn has_alias(&self) -> bool {
        match &self.kind {
            Kind::Alias(_) => true,
            Kind::Map { members, .. } => members.iter().any(|member| member.value.has_alias()),
            Kind::List { items, .. } => items.iter().any(Self::has_alias),
            _ => false,
        }
    }

    fn anchored(&self, id: usize) -> Option<&Self> {
        if self.anchor == id {
            return Some(self);
        }
        match &self.kind {
            Kind::Map { members, .. } => members.iter().find_map(|member| member.value.anchored(id)),
            Kind::List { items, .. } => items.iter().find_map(|item| item.anchored(id)),
            _ => None,
        }
    }

    /// The node at the end of a path, and the one above it.
    pub(super) fn at<'a>(&'a self, path: &[Step]) -> Result<(&'a Self, Option<&'a Self>), WireError> {
        let absent = || WireError::Absent { path: shown(path) };
        let (mut node, mut above) = (self, None);
        for step in path {
            let next = match (step, &node.kind) {
                (Step::Key(key), Kind::Map { .. }) => node.member(key).map(|(_, member)| &member.value),
                (Step::Index(index), Kind::List { items, .. }) => items.get(*index),
                (_, Kind::Alias(_)) => {
                    return Err(WireError::shape(
                        path,
                        "it is an alias for another entry; write it out, then try again",
                    ));
                }
                _ => None,
            };
            above = Some(node);
            node = next.ok_or_else(absent)?;
        }
        Ok((node, above))
    }

    /// Refuses keys that stand twice: in each map on the way, and anywhere in the map or list that holds the entry.
    pub(super) fn refuse_duplicates(&self, path: &[Step], text: &str) -> Result<(), WireError> {
        let mut node = self;
        // For Cline's `transport` the entries are two steps above.
        let nested = matches!(path, [_, _, Step::Key(last)] if last == "transport");
        let entries = path.len().saturating_sub(1 + usize::from(nested));
        for (index, step) in path.iter().enumerate() {
            if index == entries {
                return node.unique(text, DEEPEST);
            }
            node.unique(text, 0)?;
            node = match (step, &node.kind) {
                (Step::Key(key), Kind::Map { .. }) => match node.member(key) {
                    Some((_, member)) => &member.value,
                    None => return Ok(()),
                },
                (Step::Index(index), Kind::List { items, .. }) => match items.get(*index) {
                    Some(item) => item,
                    None => return Ok(()),
                },
                _ => return Ok(()),
            };
        }
        node.unique(text, DEEPEST)
    }

    fn unique(&self, text: &str, deep: usize) -> Result<(), WireError> {
        match &self.kind {
            Kind::Map { members, .. } => {
                let mut seen = std::collections::HashSet::new();
                for member in members {
                    // A list of merges may be written as several `<<`, which YAML's readers refuse too.
                    if !seen.insert(member.key.as_str()) {
                        return Err(WireError::duplicate(&member.key, text, member.key_span.start));
                    }
                    if deep > 0 {
                        member.value.unique(text, deep - 1)?;
                    }
                }
            }
            Kind::List { items, .. } if deep > 0 => {
                for item in items {
                    item.unique(text, deep - 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
