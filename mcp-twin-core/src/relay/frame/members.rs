//! The members of a raw JSON object, found without parsing what is in them.

use super::key;
use memchr::{memchr, memchr2, memmem};

/// Whether a member `name` can stand somewhere in a raw value: parsing is paid only where it can. An escape may hide a name,
/// and some servers write every `/` with one.
pub(in crate::relay) fn may_name(raw: &str, name: &str) -> bool {
    let raw = raw.as_bytes();
    memmem::find(raw, name.as_bytes()).is_some()
        || memchr(b'\\', raw).and_then(|at| raw.get(at..)).is_some_and(|rest| {
            memmem::find(rest, b"\\u").is_some() || name.contains('/') && memmem::find(rest, b"\\/").is_some()
        })
}

/// The member `name` of a raw JSON object, as written; the last one, should it stand there twice.
pub(in crate::relay) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    each_member(object).filter(|(own, _)| key(own) == name).last().map(|(_, value)| value)
}

/// All members of a raw JSON object, names and values as written, in their order; none of what is not an object.
pub(in crate::relay) fn members(object: &str) -> Vec<(&str, &str)> {
    each_member(object).collect()
}

/// The same, one after the other.
pub(super) fn each_member(object: &str) -> impl Iterator<Item = (&str, &str)> {
    Members::of(object)
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
                    let plain = |byte: &u8| !matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
                    self.at += bytes.get(self.at..)?.iter().take_while(|byte| plain(byte)).count();
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
    const SHORT: usize = 32;
    let short = text.get(..SHORT).unwrap_or(text);
    match short.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
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
        assert!(
            may_name(r#"{"a/b":1}"#, "a/b") && may_name(r#"{"a\/b":1}"#, "a/b") && may_name(r#"{"\u0061":1}"#, "a")
        );
        assert!(!may_name(r#"{"b":"\n"}"#, "a") && !may_name(r#"{"b":"\/"}"#, "a"));
    }
}
