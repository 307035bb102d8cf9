//! The members of a raw JSON object, found without parsing what is in them.

use super::key;
use memchr::memmem::{self, Finder};
use memchr::{memchr, memchr2};
use std::cmp::Ordering;
use std::sync::OnceLock;

/// The name of a member that is looked for in many messages: the search for it is made ready once.
#[derive(Debug)]
pub(in crate::relay) struct Name {
    text: &'static str,
    finder: OnceLock<Finder<'static>>,
}

impl Name {
    pub(in crate::relay) const fn new(text: &'static str) -> Self {
        Self { text, finder: OnceLock::new() }
    }

    /// Whether such a member can stand somewhere in a raw value: parsing is paid only where it can. An escape may hide a
    /// name, and some servers write every `/` with one.
    pub(in crate::relay) fn may_be_in(&self, raw: &str) -> bool {
        let raw = raw.as_bytes();
        self.finder.get_or_init(|| Finder::new(self.text)).find(raw).is_some()
            || memchr(b'\\', raw).and_then(|at| raw.get(at..)).is_some_and(|rest| {
                memmem::find(rest, b"\\u").is_some() || self.text.contains('/') && memmem::find(rest, b"\\/").is_some()
            })
    }

    /// The member of this name of a raw JSON object, as written.
    pub(in crate::relay) fn of<'a>(&self, object: &'a str) -> Option<&'a str> {
        member(object, self.text)
    }

    /// The same, looked for only where it can be.
    pub(in crate::relay) fn find<'a>(&self, object: &'a str) -> Option<&'a str> {
        if self.may_be_in(object) { self.of(object) } else { None }
    }
}

/// The member `name` of a raw JSON object, as written; the last one, should it stand there twice.
pub(in crate::relay) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    each_member(object).filter(|(own, _)| is_called(own, name)).last().map(|(_, value)| value)
}

/// Whether a raw JSON string says `name`. What an escape stands for is always shorter than the escape.
fn is_called(raw: &str, name: &str) -> bool {
    let inner = raw.len().saturating_sub(2);
    match inner.cmp(&name.len()) {
        Ordering::Less => false,
        Ordering::Equal => raw.get(1..=inner) == Some(name),
        Ordering::Greater => memchr(b'\\', raw.as_bytes()).is_some() && key(raw) == name,
    }
}

/// All members of a raw JSON object, names and values as written, in their order; none of what is not an object.
pub(in crate::relay) fn members(object: &str) -> Vec<(&str, &str)> {
    each_member(object).collect()
}

/// The same, one after the other.
pub(super) fn each_member(object: &str) -> impl Iterator<Item = (&str, &str)> {
    Members::of(object)
}

/// What begins or ends a part of a value.
const MARKS: [bool; 256] = marks(b"\"{}[]");
/// What ends a string, or stands before what does not end it.
const IN_STRING: [bool; 256] = marks(b"\"\\");

const fn marks(bytes: &[u8]) -> [bool; 256] {
    let mut marks = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        marks[bytes[at] as usize] = true;
        at += 1;
    }
    marks
}

/// Walks over an object that was found to be JSON when its message was read, so that only its structure is looked for: a
/// long string costs one search for its end. Of anything else some members are missing.
struct Members<'a> {
    object: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    fn of(object: &'a str) -> Self {
        let at = if object.starts_with('{') { 1 } else { object.len() };
        Self { object, at }
    }

    /// The next byte that is neither white space nor a mark between members.
    fn skip(&mut self) -> Option<u8> {
        let rest = self.object.as_bytes().get(self.at..)?;
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b':')).count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    /// The value that begins here.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        let bytes = self.object.as_bytes();
        let mut depth = 0_usize;
        loop {
            match bytes.get(self.at)? {
                b'"' => self.at = string_end(bytes, self.at)?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                _ if depth > 0 => {
                    // Numbers, literals, and the marks between members.
                    self.at += bytes.get(self.at..)?.iter().position(|byte| MARKS[usize::from(*byte)])?;
                }
                _ => {
                    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']');
                    self.at = bytes.get(self.at..)?.iter().position(ends).map_or(bytes.len(), |end| self.at + end);
                }
            }
            if depth == 0 {
                return self.object.get(start..self.at);
            }
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip().filter(|byte| *byte == b'"')?;
        let name = self.value()?;
        self.skip()?;
        Some((name, self.value()?))
    }
}

/// Behind the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += mark(bytes.get(at..)?)?;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// Where a quotation mark or an escape is. Most strings are short, and a search that is fast over many bytes begins slowly.
fn mark(text: &[u8]) -> Option<usize> {
    const SHORT: usize = 16;
    let short = text.get(..SHORT).unwrap_or(text);
    match short.iter().position(|byte| IN_STRING[usize::from(*byte)]) {
        None => Some(SHORT + memchr2(b'"', b'\\', text.get(SHORT..)?)?),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_has_none() {
        for text in ["[1]", "1", "", "{", "{\"a", "{\"a\"", "{\"a\":", "{}}", "{]", "{\"a\":\"\\", "null", "\"a\""] {
            assert_eq!(members(text), [], "{text}");
        }
    }

    #[test]
    fn a_name_may_hide_behind_an_escape() {
        static LONG: Name = Name::new("a/b");
        static SHORT: Name = Name::new("a");
        for (name, raw) in [(&LONG, r#"{"a/b":1}"#), (&LONG, r#"{"a\/b":1}"#), (&SHORT, r#"{"\u0061":1}"#)] {
            assert_eq!((name.may_be_in(raw), name.find(raw)), (true, Some("1")), "{raw}");
        }
        assert!(!SHORT.may_be_in(r#"{"b":"\n"}"#) && !SHORT.may_be_in(r#"{"b":"\/"}"#));
    }

    #[test]
    fn a_name_is_told_from_longer_and_shorter_ones() {
        for (raw, called) in [
            (r#""ab""#, true),
            (r#""a""#, false),
            (r#""abc""#, false),
            (r#""\u0061b""#, true),
            (r#""a\u0062""#, true),
            (r#""\u0061c""#, false),
            (r#""a\b""#, false),
            ("\"", false),
            ("", false),
        ] {
            assert_eq!(is_called(raw, "ab"), called, "{raw}");
        }
    }
}
