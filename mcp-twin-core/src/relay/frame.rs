//! The envelope of one message: which kind it is, its id, its method. Everything else stays the bytes that came.

mod members;

use members::each_member;
pub(super) use members::{Name, member, members};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// One message, borrowed from its line.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// The whole message, without line end, byte order mark and outer white space.
    pub(super) text: &'a str,
    /// What it is.
    pub(super) kind: Kind<'a>,
    /// `params`, as written.
    pub(super) params: Option<&'a str>,
    /// `result`, as written.
    pub(super) result: Option<&'a str>,
    /// `error`, as written.
    pub(super) error: Option<&'a str>,
}

/// The three kinds of message. An `id` is the token as written, quotes included.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// Wants an answer.
    Request { id: &'a str, method: Cow<'a, str> },
    /// Wants none.
    Notification { method: Cow<'a, str> },
    /// Is one.
    Answer { id: &'a str },
}

/// Why a line is not a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable<'a> {
    /// Nothing but white space.
    Blank,
    /// Not JSON, or not UTF-8; with the reason.
    NotJson(String),
    /// A JSON array.
    Batch,
    /// JSON, but none of the three kinds; with the id, if a usable one is there.
    Invalid(Option<&'a str>, &'static str),
}

/// The fields of a message that the relay looks at, as written.
#[derive(Default)]
struct Envelope<'a> {
    version: Option<&'a str>,
    id: Option<&'a str>,
    method: Option<&'a str>,
    params: Option<&'a str>,
    result: Option<&'a str>,
    error: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    /// The field of this name, a raw JSON string.
    fn field(&mut self, raw: &str) -> Option<&mut Option<&'a str>> {
        Some(match raw {
            r#""jsonrpc""# => &mut self.version,
            r#""id""# => &mut self.id,
            r#""method""# => &mut self.method,
            r#""params""# => &mut self.params,
            r#""result""# => &mut self.result,
            r#""error""# => &mut self.error,
            _ if raw.contains('\\') => {
                let plain = format!("\"{}\"", key(raw));
                return if plain.contains('\\') { None } else { self.field(&plain) };
            }
            _ => return None,
        })
    }
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Envelope<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(name) = map.next_key::<&'de RawValue>()? {
            let Some(field) = envelope.field(name.get()) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            // `null` is there: an error answer with `"id":null` must not look like a notification.
            if field.replace(map.next_value::<&'de RawValue>()?.get()).is_some() {
                return Err(A::Error::custom("a field stands in it twice"));
            }
        }
        Ok(envelope)
    }
}

impl<'a> Frame<'a> {
    /// Reads the envelope of a line.
    pub(super) fn read(line: &'a [u8]) -> Result<Self, Unreadable<'a>> {
        let text = std::str::from_utf8(line).map_err(|error| Unreadable::NotJson(error.to_string()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii();
        // A derived struct would also read an array, field by field: the first byte decides.
        match text.as_bytes().first() {
            None => return Err(Unreadable::Blank),
            Some(b'[') => {
                return match serde_json::from_str::<IgnoredAny>(text) {
                    Ok(_) => Err(Unreadable::Batch),
                    Err(error) => Err(Unreadable::NotJson(error.to_string())),
                };
            }
            Some(b'{') => {}
            Some(_) => {
                return match serde_json::from_str::<IgnoredAny>(text) {
                    Ok(_) => Err(Unreadable::Invalid(None, "not a JSON object")),
                    Err(error) => Err(Unreadable::NotJson(error.to_string())),
                };
            }
        }
        let envelope: Envelope<'a> = match serde_json::from_str(text) {
            Ok(envelope) => envelope,
            Err(error) if error.is_data() => return Err(Unreadable::Invalid(None, "a field stands in it twice")),
            Err(error) => return Err(Unreadable::NotJson(error.to_string())),
        };
        Self::of(text, envelope)
    }

    /// The same for a line that a relay has written: it is known to be JSON, in which no field stands twice.
    pub(super) fn written(line: &'a [u8]) -> Result<Self, Unreadable<'a>> {
        let text = std::str::from_utf8(line).map_err(|error| Unreadable::NotJson(error.to_string()))?.trim_ascii();
        if !text.starts_with('{') {
            return Self::read(line);
        }
        let mut envelope = Envelope::default();
        for (name, value) in each_member(text) {
            if let Some(field) = envelope.field(name) {
                *field = Some(value);
            }
        }
        Self::of(text, envelope)
    }

    fn of(text: &'a str, envelope: Envelope<'a>) -> Result<Self, Unreadable<'a>> {
        let id = envelope.id;
        let usable = id.filter(|id| is_id(id));
        let kind = match (envelope.method, id) {
            (Some(method), id) => {
                if !method.starts_with('"') {
                    return Err(Unreadable::Invalid(usable, "`method` is not a string"));
                }
                let method = key(method);
                match (id, usable) {
                    (None, _) => Kind::Notification { method },
                    (Some(_), Some(id)) => Kind::Request { id, method },
                    (Some(_), None) => return Err(Unreadable::Invalid(None, "`id` is neither a string nor a number")),
                }
            }
            (None, Some(id)) if envelope.result.is_some() || envelope.error.is_some() => Kind::Answer { id },
            (None, _) => return Err(Unreadable::Invalid(usable, "neither a request nor a notification nor an answer")),
        };
        Ok(Self { text, kind, params: envelope.params, result: envelope.result, error: envelope.error })
    }

    /// Where `part`, a slice of this message, stands in it.
    pub(super) fn span(&self, part: &str) -> Range<usize> {
        span(self.text, part)
    }
}

/// Where `part`, a slice of `whole`, stands in it.
pub(super) fn span(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start + part.len()
}

/// The text of a JSON string, borrowed where it has no escapes.
pub(super) fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// What a raw JSON string says, to compare it with names. One that is no text (half a surrogate pair) is none of them: it
/// stays as it was written, quotes included.
pub(super) fn key(raw: &str) -> Cow<'_, str> {
    string(raw).unwrap_or(Cow::Borrowed(raw))
}

/// Whether a raw value may be an id: a string or a number.
pub(super) fn is_id(raw: &str) -> bool {
    matches!(raw.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9'))
}

/// The elements of a raw JSON array, as written; none of what is not an array.
pub(super) fn elements(array: &str) -> Vec<&str> {
    let elements: Result<Vec<&RawValue>, _> = serde_json::from_str(array);
    elements.map(|elements| elements.into_iter().map(RawValue::get).collect()).unwrap_or_default()
}

/// What can be known of a message whose end is missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Beginning<'a> {
    /// The id, if it stands in the beginning.
    pub(super) id: Option<&'a str>,
    /// Whether a method stands there.
    pub(super) method: bool,
    /// Whether a result or an error begins there.
    pub(super) answer: bool,
}

impl<'a> Beginning<'a> {
    /// Reads as far as the bytes go.
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default(),
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii_start();
        let mut beginning = Self::default();
        if text.starts_with('{') {
            let mut reader = serde_json::Deserializer::from_str(text);
            // It fails where the bytes end; what was seen until then is kept.
            let _ = Cut { beginning: &mut beginning }.deserialize(&mut reader);
            // At the very end an id may be cut itself.
            beginning.id = beginning.id.filter(|id| span(text, id).end < text.len());
        }
        beginning
    }
}

struct Cut<'f, 'a> {
    beginning: &'f mut Beginning<'a>,
}

impl<'de> DeserializeSeed<'de> for Cut<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Cut<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<&'de RawValue>()? {
            match &*key(name.get()) {
                "id" => self.beginning.id = Some(map.next_value::<&'de RawValue>()?.get()).filter(|id| is_id(id)),
                "method" => {
                    self.beginning.method = true;
                    map.next_value::<IgnoredAny>()?;
                }
                "result" | "error" => {
                    self.beginning.answer = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Frame<'_>, Unreadable<'_>> {
        Frame::read(line.as_bytes())
    }

    #[test]
    fn kinds_are_told_apart() {
        assert!(matches!(read(r#"{"id":1,"method":"a"}"#).unwrap().kind, Kind::Request { id: "1", .. }));
        assert!(matches!(read(r#"{"method":"a"}"#).unwrap().kind, Kind::Notification { .. }));
        assert!(matches!(read(r#"{"id":"x","result":{}}"#).unwrap().kind, Kind::Answer { id: "\"x\"" }));
    }

    #[test]
    fn a_batch_is_not_read_field_by_field() {
        assert_eq!(read(r#"[1,"m",{},null,null]"#).unwrap_err(), Unreadable::Batch);
        assert!(matches!(read("[1,").unwrap_err(), Unreadable::NotJson(_)));
    }

    #[test]
    fn a_null_id_is_not_a_missing_id() {
        assert!(matches!(read(r#"{"id":null,"error":{}}"#).unwrap().kind, Kind::Answer { id: "null" }));
        assert!(matches!(read(r#"{"id":null,"method":"a"}"#).unwrap_err(), Unreadable::Invalid(None, _)));
    }

    #[test]
    fn escaped_names_are_understood() {
        let frame = read(r#"{"\u0069d":7,"meth\u006fd":"tools\/call"}"#).unwrap();
        assert!(matches!(frame.kind, Kind::Request { id: "7", method } if method == "tools/call"));
    }

    #[test]
    fn bom_and_carriage_return_are_tolerated() {
        let frame = read("\u{feff}{\"method\":\"a\"}\r").unwrap();
        assert_eq!(frame.text, "{\"method\":\"a\"}");
        assert_eq!(read("\r").unwrap_err(), Unreadable::Blank);
    }

    #[test]
    fn a_doubled_field_is_refused() {
        for twice in ["jsonrpc", "id", "method", "params", "result", "error"] {
            let line = format!(r#"{{"id":1,"method":"a","x":1,"x":2,"{twice}":null,"{twice}":null}}"#);
            assert!(matches!(read(&line).unwrap_err(), Unreadable::Invalid(..)), "{twice}");
        }
        assert!(read(r#"{"id":1,"\u0069d":2,"method":"a"}"#).is_err(), "by another name");
    }

    #[test]
    fn half_a_surrogate_pair_is_nobodys_name_and_hides_nothing() {
        let frame = read(r#"{"\ud800":1,"id":1,"method":"\udc00x","params":{"\ud800":0,"a":2}}"#).unwrap();
        assert!(matches!(&frame.kind, Kind::Request { id: "1", method } if method == r#""\udc00x""#));
        assert_eq!(member(frame.params.unwrap(), "a"), Some("2"));
        assert_eq!(members(r#"{"\ud800" : 0}"#), [(r#""\ud800""#, "0")]);
        assert!(matches!(read("{\"a\tb\":1,\"method\":\"x\"}").unwrap_err(), Unreadable::NotJson(_)));
    }

    #[test]
    fn spans_point_into_the_message() {
        let frame = read(r#"{"id": 12 ,"method":"a","params":{"x":[1]}}"#).unwrap();
        let Kind::Request { id, .. } = &frame.kind else { panic!() };
        assert_eq!(&frame.text[frame.span(id)], "12");
        assert_eq!(&frame.text[frame.span(frame.params.unwrap())], r#"{"x":[1]}"#);
    }

    #[test]
    fn members_are_found_as_written() {
        assert_eq!(member(r#"{"a":{"b":1},"\u0062": 1e2 }"#, "b"), Some("1e2"));
        assert_eq!(member("[1]", "b"), None);
        assert_eq!(member(r#"{"a":1}"#, "b"), None);
    }

    #[test]
    fn a_cut_message_gives_what_it_has() {
        let found = Beginning::read(br#"{"jsonrpc":"2.0","id":"k","method":"tools/call","params":{"a":"bb"#);
        assert_eq!(found, Beginning { id: Some("\"k\""), method: true, answer: false });
        let found = Beginning::read(b"{\"result\":{\"a\":\"b\xc3");
        assert_eq!(found, Beginning { id: None, method: false, answer: true });
        assert_eq!(Beginning::read(b"[{"), Beginning::default());
        assert_eq!(Beginning::read(b"{\"id\":12"), Beginning::default());
    }

    #[test]
    fn deep_nesting_does_not_overflow() {
        let deep = format!(r#"{{"method":"a","params":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
        assert!(matches!(read(&deep).unwrap().kind, Kind::Notification { .. }));
    }
}
