//! Where in a file something stands.

use super::key::KEYS;
use super::read::NOTIFY;
use crate::spec::{OPTIONS, nearest};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// A place in a text: both numbers from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of a byte of `text`; one beyond its end is the end.
    #[must_use]
    pub fn of(text: &str, at: usize) -> Self {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &text[..at];
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[begin..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value and the place of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where its key stands.
    pub place: Place,
}

/// The lines of a text that an error shows: one line, with what is meant underlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    line: String,
    /// In front of the marked part.
    before: usize,
    marked: usize,
}

/// A longer line is cut.
const WIDEST: usize = 100;

impl Excerpt {
    /// The line in which `span` begins. What may be a secret is not shown.
    pub(super) fn of(text: &str, span: &Range<usize>) -> Self {
        let place = Place::of(text, span.start);
        let whole = text.lines().nth(place.line - 1).unwrap_or_default();
        let line = if is_harmless(text, place.line) { whole.to_owned() } else { veiled(whole) };
        // A tab is as wide as the terminal wants, and a control character does worse.
        let line: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let before = (place.column - 1).min(line.len());
        let length =
            text.get(span.clone()).map_or(1, |marked| marked.lines().next().unwrap_or_default().chars().count());
        let marked = length.clamp(1, (line.len() - before).max(1));
        let from = before.saturating_sub(WIDEST / 2).min(line.len().saturating_sub(WIDEST));
        let shown: String = line.iter().skip(from).take(WIDEST).collect();
        Self { line: shown.trim_end().to_owned(), before: before - from, marked: marked.min(WIDEST) }
    }

    /// The two lines, with the line's number in front.
    pub(super) fn text(&self, line: usize) -> String {
        let number = line.to_string();
        let gap = " ".repeat(number.len());
        let (before, marks) = (" ".repeat(self.before), "^".repeat(self.marked));
        format!("  {number} | {}\n  {gap} | {before}{marks}", self.line)
    }
}

/// Whether a line may be shown as it is: a table's name, or one option and its value. In every other one may stand a value
/// of `env`, or an argument that is a secret; what is not valid is judged by what can be told of it.
fn is_harmless(text: &str, number: usize) -> bool {
    let Some(line) = text.lines().nth(number - 1) else { return true };
    let Some((key, value)) = line.split_once('=') else { return line.trim_start().starts_with('[') };
    let key = key.trim().trim_matches(['"', '\'']);
    if below_notify(text, number) {
        // A URL is a secret there, a name may be one that was meant as a value, and where a line's end is missing the next
        // line's value stands in this one.
        let word = |c: char| c.is_alphanumeric() || " \"'[],._-".contains(c);
        return nearest(key, ["kind", "events"]).is_some() && value.chars().all(word);
    }
    let own = KEYS.iter().map(|known| known.key).filter(|key| !matches!(*key, "command" | "args" | "env"));
    let known = nearest(key, own.chain(OPTIONS.iter().map(|option| option.key))).is_some();
    known && !value.contains('=') && !below_env(text, number)
}

/// Whether the table in which this line stands is an `env`, or holds one before it.
fn below_env(text: &str, number: usize) -> bool {
    let mut found = false;
    for line in text.lines().take(number) {
        found &= !line.trim_start().starts_with('[');
        found |= line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).any(|word| word == "env");
    }
    found
}

/// Whether the table in which this line stands is one of those who are told.
fn below_notify(text: &str, number: usize) -> bool {
    let head = text.lines().take(number).filter(|line| line.trim_start().starts_with('[')).last();
    head.is_some_and(|head| head.trim_start().trim_start_matches(['[', ' ']).starts_with(NOTIFY))
}

/// The line with everything hidden behind its first `=`.
fn veiled(line: &str) -> String {
    let hide = |text: &str| text.chars().map(|c| if c.is_alphanumeric() { '*' } else { c }).collect::<String>();
    match line.split_once('=') {
        Some((key, value)) => format!("{key}={}", hide(value)),
        None => hide(line),
    }
}
