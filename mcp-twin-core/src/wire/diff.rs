//! What an edit changes, as people read it, without what they must not.
//!
//! Nothing of another entry is shown but its keys; of this one no value of `env`, headers and the like; and of arguments
//! and addresses nothing that looks like a secret. A hidden value is `…`.

use super::document;
use super::pen;
use super::tree::{self, Kind, Node};
use super::undo::Undo;
use crate::detect::{Step, Syntax};
use similar::TextDiff;
use std::ops::Range;

/// What is written for what is not shown.
const HIDDEN: &str = "…";

/// What a name says of a value that must not be shown.
const TELLING: &[&str] =
    &["env", "header", "token", "secret", "passw", "key", "auth", "credential", "bearer", "cookie", "input"];

/// The unified diff of two texts around an edit, its undo or both; `file` is how the file is called in its head. Empty if
/// nothing that may be shown differs.
#[must_use]
pub fn diff(before: &[u8], after: &[u8], undo: &Undo, file: &str) -> String {
    let (before, after) = (masked(before, undo), masked(after, undo));
    let (Some(before), Some(after)) = (before, after) else {
        return format!("{file}: not shown, since it cannot be read without its secrets\n");
    };
    TextDiff::from_lines(&before, &after).unified_diff().context_radius(3).header(file, file).to_string()
}

/// A text with everything hidden that must not be shown.
fn masked(text: &[u8], undo: &Undo) -> Option<String> {
    let syntax = undo.syntax();
    let (_, text) = document(text, syntax).ok()?;
    let root = tree::read(text, syntax).ok()?;
    let mut cover = Cover { text, syntax, tokens: Vec::new(), hidden: Vec::new() };
    // In a list the whole list is it: an index may have moved.
    let path = undo.path();
    let entry = path.iter().position(|step| matches!(step, Step::Index(_))).map_or(path.as_slice(), |at| &path[..at]);
    cover.walk(&root, Some(entry));
    cover.comments();
    Some(cover.draw())
}

struct Cover<'a> {
    text: &'a str,
    syntax: Syntax,
    /// Keys and scalars: no comment begins within them.
    tokens: Vec<Range<usize>>,
    /// What is to be hidden, and what is shown in its place.
    hidden: Vec<(Range<usize>, String)>,
}

impl Cover<'_> {
    /// `path` leads from here to the entry; `None` is elsewhere, an empty one within.
    fn walk(&mut self, node: &Node, path: Option<&[Step]>) {
        match &node.kind {
            Kind::Map { members, .. } => {
                for member in members {
                    self.tokens.push(member.key_span.clone());
                    let below = match path {
                        Some([]) if tells(&member.key) => None,
                        Some([]) => Some(&[][..]),
                        Some([Step::Key(next), rest @ ..]) if *next == member.key => Some(rest),
                        _ => None,
                    };
                    self.walk(&member.value, below);
                }
            }
            Kind::List { items, .. } => {
                let mut before = None;
                for item in items {
                    match (path, item.word()) {
                        (Some([]), Some(word)) => {
                            self.tokens.push(item.span.clone());
                            self.show(item, argument(before, word));
                        }
                        (Some([]), None) => self.walk(item, Some(&[])),
                        _ => self.walk(item, None),
                    }
                    before = item.word();
                }
            }
            Kind::Text(text) | Kind::Block(text) => {
                self.tokens.push(node.span.clone());
                let shown = if path == Some(&[]) { line(text) } else { Some(HIDDEN.to_owned()) };
                self.show(node, shown);
            }
            // A number elsewhere may be a code.
            Kind::Other(text) => {
                self.tokens.push(node.span.clone());
                if path != Some(&[]) && text.bytes().filter(u8::is_ascii_digit).count() > 3 {
                    self.hidden.push((node.span.clone(), HIDDEN.to_owned()));
                }
            }
            Kind::Alias(_) => self.tokens.push(node.span.clone()),
        }
    }

    /// Shows something else for a string: in its quotes, and line by line, so that lines keep their numbers.
    fn show(&mut self, node: &Node, shown: Option<String>) {
        let Some(shown) = shown else { return };
        let raw = self.text.get(node.span.clone()).unwrap_or_default();
        if raw.contains('\n') {
            self.hidden.push((node.span.clone(), lines(raw)));
            return;
        }
        let quote =
            raw.chars().next().filter(|first| matches!(first, '"' | '\'')).map(String::from).unwrap_or_default();
        self.hidden.push((node.span.clone(), format!("{quote}{shown}{quote}")));
    }

    /// Hides comments that may be an entry that somebody took out.
    fn comments(&mut self) {
        self.tokens.sort_by_key(|token| (token.start, token.end));
        let (text, syntax) = (self.text, self.syntax);
        let mut at = 0;
        let ends = self.tokens.iter().cloned().chain(std::iter::once(text.len()..text.len()));
        let mut found = Vec::new();
        for token in ends {
            while at < token.start {
                let rest = &text[at..];
                match pen::comment(rest, syntax) {
                    Some(len) => {
                        let comment = &rest[..len];
                        if comment.contains([':', '=']) || comment.split_whitespace().any(random) {
                            found.push((at..at + len, lines(comment)));
                        }
                        at += len;
                    }
                    None => at += rest.chars().next().map_or(1, char::len_utf8),
                }
            }
            at = at.max(token.end);
        }
        self.hidden.extend(found);
    }

    fn draw(mut self) -> String {
        self.hidden.sort_by_key(|(range, _)| range.start);
        let mut out = String::with_capacity(self.text.len());
        let mut at = 0;
        for (range, shown) in self.hidden {
            if range.start >= at {
                out.push_str(self.text.get(at..range.start).unwrap_or_default());
                out.push_str(&shown);
                at = range.end;
            }
        }
        out.push_str(self.text.get(at..).unwrap_or_default());
        out
    }
}

/// Hides each line of a text but the blanks it begins with, and the mark of a comment.
fn lines(raw: &str) -> String {
    let one = |line: &str| {
        let body = line.trim_start();
        let mark = ["//", "/*", "#"].into_iter().find(|mark| body.starts_with(mark));
        let before = &line[..line.len() - body.len()];
        match (mark, body.trim_end()) {
            (_, "") => line.to_owned(),
            (Some(mark), _) => format!("{before}{mark} {HIDDEN}"),
            (None, _) => format!("{before}{HIDDEN}"),
        }
    };
    raw.split('\n').map(|line| one(line.strip_suffix('\r').unwrap_or(line))).collect::<Vec<_>>().join("\n")
}

fn tells(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|telling| name.contains(telling))
}

/// What is shown of a string that may be a whole line; `None` is itself.
fn line(text: &str) -> Option<String> {
    let mut before = None;
    let mut hides = false;
    for word in text.split_whitespace() {
        hides |= argument(before, word).is_some();
        before = Some(word);
    }
    match (hides, before == Some(text)) {
        (false, _) => None,
        (true, true) => argument(None, text),
        (true, false) => Some(HIDDEN.to_owned()),
    }
}

/// What is shown of an argument; `None` is itself.
fn argument(before: Option<&str>, word: &str) -> Option<String> {
    let option = |word: &&str| word.starts_with('-') && !word.contains('=');
    if before.filter(option).is_some_and(|option| tells(option) && option != "--env-file" || option == "-H") {
        // `--env NAME` and `--env NAME=value`: the name may be shown.
        return match word.split_once('=') {
            Some((name, _)) if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
                Some(format!("{name}={HIDDEN}"))
            }
            _ => Some(HIDDEN.to_owned()),
        };
    }
    if let Some((name, _)) = word.split_once('=') {
        let variable = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if variable || name.starts_with('-') && tells(name) {
            return Some(format!("{name}={HIDDEN}"));
        }
    }
    if let Some((scheme, rest)) = word.split_once("://") {
        let (rest, query) = rest.split_once(['?', '#']).map_or((rest, ""), |(rest, _)| (rest, "?…"));
        let (host, path) =
            rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
        let host = host.rsplit_once('@').map_or_else(|| host.to_owned(), |(_, host)| format!("{HIDDEN}@{host}"));
        let path = path.split('/').map(|part| if random(part) { HIDDEN } else { part }).collect::<Vec<_>>().join("/");
        let shown = format!("{scheme}://{host}{path}{query}");
        return (shown != word).then_some(shown);
    }
    (random(word) || word.contains("Bearer ")).then(|| HIDDEN.to_owned())
}

/// Whether a word looks like a token: long, without the marks of a path, of letters and digits.
fn random(word: &str) -> bool {
    const BEGINNINGS: &[&str] = &["sk-", "sk_", "pk_", "ghp_", "gho_", "github_pat_", "xox", "glpat-", "AKIA", "eyJ"];
    let known = BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)) && word.len() > 8;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'=');
    let digits = word.bytes().any(|byte| byte.is_ascii_digit());
    let letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    known || word.len() >= 24 && word.bytes().all(plain) && digits && letters
}
