//! How words are written into a text: quotes, lists, lines, and the splices that put them there.

use super::tree::Node;
use crate::detect::Syntax;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// Bytes that take the place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub at: Range<usize>,
    pub text: String,
}

impl Splice {
    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self { at: at..at, text: text.into() }
    }

    pub(super) fn replace(at: Range<usize>, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }

    pub(super) fn remove(at: Range<usize>) -> Self {
        Self { at, text: String::new() }
    }
}

/// What takes one splice back: `len` bytes at `at` of the text after it are `was` again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Patch {
    pub at: usize,
    pub len: usize,
    pub was: String,
}

impl fmt::Debug for Patch {
    // An address may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {} were {} others", self.len, self.at, self.was.len())
    }
}

/// Applies splices that do not overlap. Those at one place stay in their order. `None`: they do not fit.
pub(super) fn apply(text: &str, mut splices: Vec<Splice>) -> Option<(String, Vec<Patch>)> {
    splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let mut out = String::with_capacity(text.len() + 256);
    let mut patches = Vec::new();
    let mut done = 0;
    for Splice { at, text: new } in splices {
        out.push_str(text.get(done..at.start)?);
        let was = text.get(at.clone())?.to_owned();
        patches.push(Patch { at: out.len(), len: new.len(), was });
        out.push_str(&new);
        done = at.end;
    }
    out.push_str(text.get(done..)?);
    Some((out, patches))
}

/// Takes splices back. `None`: this is not the text they made.
pub(super) fn reverse(text: &str, patches: &[Patch]) -> Option<String> {
    let splices = patches.iter().map(|patch| {
        let end = patch.at.checked_add(patch.len)?;
        Some(Splice::replace(patch.at..end, patch.was.clone()))
    });
    apply(text, splices.collect::<Option<_>>()?).map(|(text, _)| text)
}

/// How a string is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    /// `"…"`.
    Double,
    /// `'…'`, where the string allows it.
    Single,
    /// Not at all, where the string allows it. YAML only.
    Plain,
}

impl Quote {
    /// As the value that stands at `span`.
    pub(super) fn like(text: &str, node: &Node, syntax: Syntax) -> Self {
        match (text.as_bytes().get(node.span.start), syntax) {
            (_, Syntax::Json | Syntax::Jsonc) => Self::Double,
            (Some(b'\''), _) => Self::Single,
            (Some(b'"'), _) => Self::Double,
            (_, Syntax::Toml) => Self::Double,
            (_, Syntax::Yaml) => Self::Plain,
        }
    }

    /// Writes a string.
    pub(super) fn write(self, word: &str, syntax: Syntax) -> String {
        match (self, syntax) {
            (_, Syntax::Json | Syntax::Jsonc) => double(word),
            (Self::Single, Syntax::Toml) if !word.contains(|c: char| c == '\'' || c.is_control()) => {
                format!("'{word}'")
            }
            (Self::Single, Syntax::Yaml) if !word.contains(|c: char| c.is_control() || odd(c)) => {
                format!("'{}'", word.replace('\'', "''"))
            }
            (Self::Plain, Syntax::Yaml) if is_plain(word) => word.to_owned(),
            _ => double(word),
        }
    }
}

/// A string in double quotes, valid in all syntaxes: what JSON escapes, and what TOML and YAML want escaped besides.
pub(super) fn double(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 2);
    out.push('"');
    for c in word.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || odd(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters that YAML breaks lines at, or does not print.
fn odd(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether YAML reads this word without quotes as this string, wherever it stands.
fn is_plain(word: &str) -> bool {
    let mut chars = word.chars();
    let first = chars.next();
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '@' | '+' | '=');
    let dashes = word.starts_with("--") && !word.starts_with("---");
    let starts = first.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '_')) || dashes;
    let other = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    starts && word.chars().all(known) && !other.contains(&word.to_ascii_lowercase().as_str())
}

/// The line end of the text around `at`: that of its line, else of the line before, else a newline.
pub(super) fn newline(text: &str, at: usize) -> &'static str {
    let after = text.get(at..).and_then(|rest| rest.find('\n')).map(|found| at + found);
    let before = || text.get(..at).and_then(|before| before.rfind('\n'));
    match after.or_else(before) {
        Some(found) if found > 0 && text.as_bytes()[found - 1] == b'\r' => "\r\n",
        _ => "\n",
    }
}

/// Where the line of `at` begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// Where the line after that of `at` begins; `None` if `at` is in the last one.
pub(super) fn next_line(text: &str, at: usize) -> Option<usize> {
    text.get(at..).and_then(|rest| rest.find('\n')).map(|found| at + found + 1)
}

/// The blanks that the line of `at` begins with.
pub(super) fn indent(text: &str, at: usize) -> &str {
    let line = text.get(line_start(text, at)..).unwrap_or_default();
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Whether `at` is the first thing in its line.
pub(super) fn leads(text: &str, at: usize) -> bool {
    text.get(line_start(text, at)..at).is_some_and(|before| before.bytes().all(|byte| matches!(byte, b' ' | b'\t')))
}

/// Where what is no comment and no blank goes on, from `at`. A comment that does not end goes on at the end.
pub(super) fn skip(text: &str, mut at: usize, syntax: Syntax) -> usize {
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        at += rest.len() - trimmed.len();
        match comment(trimmed, syntax) {
            Some(len) => at += len,
            None => return at,
        }
    }
}

/// The length of the comment that a text begins with, without its line end.
pub(super) fn comment(text: &str, syntax: Syntax) -> Option<usize> {
    let line = |text: &str| text.find('\n').unwrap_or(text.len());
    match syntax {
        Syntax::Json => None,
        Syntax::Jsonc if text.starts_with("//") => Some(line(text)),
        Syntax::Jsonc if text.starts_with("/*") => Some(text.find("*/").map_or(text.len(), |end| end + 2)),
        Syntax::Toml | Syntax::Yaml if text.starts_with('#') => Some(line(text)),
        _ => None,
    }
}

/// The newline that ends the line of `at`, if nothing but blanks and comments of one line stands before it, and no more
/// than `until`.
pub(super) fn rest_is_trivia(text: &str, at: usize, until: usize, syntax: Syntax) -> Option<usize> {
    let mut at = at;
    loop {
        let rest = text.get(at..until)?;
        let trimmed = rest.trim_start_matches([' ', '\t', '\r']);
        at += rest.len() - trimmed.len();
        if trimmed.starts_with('\n') {
            return Some(at);
        }
        let len = comment(trimmed, syntax)?;
        if trimmed.get(..len)?.contains('\n') {
            return None;
        }
        at += len;
    }
}
