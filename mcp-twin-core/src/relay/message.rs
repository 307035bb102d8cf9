//! One message as a front over HTTP looks at it: where it belongs, without a word of it being changed.

use super::era;
use super::frame::{self, Frame, Kind, Unreadable};
use std::borrow::Cow;

/// A message, borrowed from its bytes.
#[derive(Debug)]
pub struct Message<'a>(pub(super) Frame<'a>);

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoMessage {
    /// Not JSON; with the reason.
    NotJson(String),
    /// A batch of messages (2025-03-26 only).
    Batch,
    /// JSON, but neither a request nor a notification nor an answer; with the reason.
    Invalid(&'static str),
}

impl<'a> Message<'a> {
    /// Reads the envelope of a message.
    ///
    /// # Errors
    /// Why the bytes are no message.
    pub fn read(bytes: &'a [u8]) -> Result<Self, NoMessage> {
        Self::of(Frame::read(bytes))
    }

    /// Reads the envelope of a line that a [`Relay`](super::Relay) has written, or an [`Edge`](super::Edge), in less time than
    /// [`read`](Self::read) needs to see that it is JSON. Of anything else the answer is of no use.
    ///
    /// # Errors
    /// Why the line is no message: the relay writes the answers to a batch as one.
    pub fn written(line: &'a [u8]) -> Result<Self, NoMessage> {
        Self::of(Frame::written(line))
    }

    fn of(frame: Result<Frame<'a>, Unreadable<'_>>) -> Result<Self, NoMessage> {
        match frame {
            Ok(frame) => Ok(Self(frame)),
            Err(Unreadable::Blank) => Err(NoMessage::NotJson("the message is empty".to_owned())),
            Err(Unreadable::NotJson(why)) => Err(NoMessage::NotJson(why)),
            Err(Unreadable::Batch) => Err(NoMessage::Batch),
            Err(Unreadable::Invalid(_, why)) => Err(NoMessage::Invalid(why)),
        }
    }

    /// The method of a request or a notification.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match &self.0.kind {
            Kind::Request { method, .. } | Kind::Notification { method } => Some(method),
            Kind::Answer { .. } => None,
        }
    }

    /// The id of a request or an answer, as written.
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        match &self.0.kind {
            Kind::Request { id, .. } | Kind::Answer { id } => Some(id),
            Kind::Notification { .. } => None,
        }
    }

    /// Whether it wants an answer.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.0.kind, Kind::Request { .. })
    }

    /// The number that a relay has given a request.
    #[must_use]
    pub fn request_number(&self) -> Option<u64> {
        self.id().filter(|_| self.is_request())?.parse().ok()
    }

    /// Whether it is an answer.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self.0.kind, Kind::Answer { .. })
    }

    /// Whether it is an answer that refuses: a JSON-RPC error.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.is_answer() && self.0.result.is_none()
    }

    /// The code of an answer that refuses.
    #[must_use]
    pub fn error_code(&self) -> Option<i64> {
        frame::member(self.0.error?, "code")?.parse().ok()
    }

    /// The protocol version in the metadata of a request of the modern era.
    #[must_use]
    pub fn version(&self) -> Option<Cow<'a, str>> {
        era::version(self.0.params)
    }

    /// `params.NAME`, if it is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        frame::member(self.0.params?, name).and_then(frame::string)
    }

    /// `params.NAME` as written.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        frame::member(self.0.params?, name)
    }

    /// The id of the `subscriptions/listen` that it belongs to, as written.
    #[must_use]
    pub fn subscription(&self) -> Option<&'a str> {
        era::subscription(self.0.params.or(self.0.result))
    }

    /// The message with another id, as bytes. One without an id stays as it is.
    #[must_use]
    pub fn with_id(&self, id: &str) -> Vec<u8> {
        match self.id() {
            Some(old) => replaced(self.0.text, vec![(old, id)]),
            None => self.0.text.as_bytes().to_vec(),
        }
    }
}

/// `text` in which each slice of it was replaced.
pub(super) fn replaced(text: &str, mut parts: Vec<(&str, &str)>) -> Vec<u8> {
    parts.sort_unstable_by_key(|(old, _)| old.as_ptr().addr());
    let grown: usize = parts.iter().map(|(_, new)| new.len()).sum();
    let mut bytes = Vec::with_capacity(text.len() + grown);
    let mut at = 0;
    for (old, new) in parts {
        let span = frame::span(text, old);
        bytes.extend_from_slice(text.as_bytes().get(at..span.start).unwrap_or_default());
        bytes.extend_from_slice(new.as_bytes());
        at = span.end;
    }
    bytes.extend_from_slice(text.as_bytes().get(at..).unwrap_or_default());
    bytes
}

/// A body as one line: JSON has line ends only between its parts, where a space says the same.
#[must_use]
pub fn one_line(body: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', body).is_some() {
        body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect::<Vec<_>>().into()
    } else {
        body.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_where_it_belongs() {
        let call = Message::read(br#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"t","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#).unwrap();
        assert!(call.is_request() && !call.is_answer());
        assert_eq!((call.id(), call.method()), (Some("\"a\""), Some("tools/call")));
        assert_eq!(call.version().as_deref(), Some("2026-07-28"));
        assert_eq!(call.text("name").as_deref(), Some("t"));
        let refused = Message::read(br#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no"}}"#).unwrap();
        assert!(refused.is_refusal());
        assert_eq!((refused.error_code(), call.error_code()), (Some(-1), None));
        assert_eq!(refused.with_id("\"x\""), br#"{"jsonrpc":"2.0","id":"x","error":{"code":-1,"message":"no"}}"#);
        assert_eq!(Message::read(b"[]").unwrap_err(), NoMessage::Batch);
        assert!(matches!(Message::read(b"{").unwrap_err(), NoMessage::NotJson(_)));
        assert!(matches!(Message::read(b"{}").unwrap_err(), NoMessage::Invalid(_)));
    }

    #[test]
    fn line_ends_between_parts_become_spaces() {
        assert_eq!(&*one_line(b"{\r\n \"a\": 1\n}"), b"{   \"a\": 1 }");
        assert!(matches!(one_line(b"{}"), Cow::Borrowed(_)));
    }
}
