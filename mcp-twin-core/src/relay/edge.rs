//! Requests of many clients in one relay.
//!
//! In the modern era a request over HTTP belongs to no session: its id and its progress token are the client's own, and two
//! clients may choose the same ones. At the edge each request gets a number that stands for both; what comes back gets the
//! client's again. Nothing else is changed.

use super::calls::progress_token;
use super::era;
use super::frame::{self, Frame};
use super::message::{Message, replaced};

/// What one request was called by its client.
#[derive(Clone, Debug)]
pub struct Edge {
    number: String,
    id: Box<str>,
    token: Option<Box<str>>,
}

impl Edge {
    /// Lets a request in under a number that no open request has. `None` if it is no request.
    #[must_use]
    pub fn enter(message: &Message<'_>, number: u64) -> Option<(Self, Vec<u8>)> {
        let id = message.id().filter(|_| message.is_request())?;
        let number = number.to_string();
        let token = progress_token(message.0.params);
        let parts = [Some(id), token].into_iter().flatten().map(|old| (old, number.as_str())).collect();
        let line = replaced(message.0.text, parts);
        Some((Self { id: id.into(), token: token.map(Into::into), number }, line))
    }

    /// The number, as the relay wrote it.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// The id that the client gave, as written.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The cancellation of this request, for the relay.
    #[must_use]
    pub fn cancellation(&self) -> String {
        let number = &self.number;
        format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{number},\
             \"reason\":\"the client closed the stream\"}}}}"
        )
    }

    /// Gives a message of the relay that belongs to this request the client's own id and token.
    #[must_use]
    pub fn leave(&self, message: &Message<'_>) -> Vec<u8> {
        let Frame { text, params, result, .. } = &message.0;
        let mut parts = Vec::new();
        if let Some(id) = message.id().filter(|id| *id == self.number) {
            parts.push((id, &*self.id));
        }
        let tag = era::subscription(*result).or_else(|| era::subscription(*params));
        parts.extend(tag.filter(|tag| *tag == self.number).map(|tag| (tag, &*self.id)));
        let token = params.and_then(|params| frame::member(params, "progressToken"));
        let token = token.filter(|token| *token == self.number);
        parts.extend(token.zip(self.token.as_deref()));
        if message.method() == Some("notifications/cancelled") {
            let named = params.and_then(|params| frame::member(params, "requestId"));
            parts.extend(named.filter(|named| *named == self.number).map(|named| (named, &*self.id)));
        }
        replaced(text, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::era::SUBSCRIPTION;
    use super::*;

    fn edge(line: &str) -> (Edge, String) {
        let (edge, line) = Edge::enter(&Message::read(line.as_bytes()).unwrap(), 77).unwrap();
        (edge, String::from_utf8(line).unwrap())
    }

    fn left(edge: &Edge, line: &str) -> String {
        String::from_utf8(edge.leave(&Message::read(line.as_bytes()).unwrap())).unwrap()
    }

    #[test]
    fn id_and_token_are_one_number_inside_and_the_clients_own_outside() {
        let (edge, line) =
            edge(r#"{"id":"abc","method":"tools/call","params":{"_meta":{"progressToken":"p","x":1e2},"name":"t"}}"#);
        assert_eq!(
            line,
            r#"{"id":77,"method":"tools/call","params":{"_meta":{"progressToken":77,"x":1e2},"name":"t"}}"#
        );
        assert_eq!(
            left(&edge, r#"{"method":"notifications/progress","params":{"progressToken":77,"progress":0.50}}"#),
            r#"{"method":"notifications/progress","params":{"progressToken":"p","progress":0.50}}"#
        );
        assert_eq!(left(&edge, r#"{"id":77,"result":{"id":77}}"#), r#"{"id":"abc","result":{"id":77}}"#);
    }

    #[test]
    fn what_belongs_to_a_listen_names_it_by_the_clients_id() {
        let (edge, _) = edge(r#"{"id":5,"method":"subscriptions/listen","params":{}}"#);
        let tag = |id: &str| {
            format!(r#"{{"method":"notifications/tools/list_changed","params":{{"_meta":{{"{SUBSCRIPTION}":{id}}}}}}}"#)
        };
        assert_eq!(left(&edge, &tag("77")), tag("5"));
        let end = |id: &str| format!(r#"{{"id":{id},"result":{{"_meta":{{"{SUBSCRIPTION}":{id}}}}}}}"#);
        assert_eq!(left(&edge, &end("77")), end("5"));
    }

    #[test]
    fn only_a_request_enters() {
        let no = |line: &str| Edge::enter(&Message::read(line.as_bytes()).unwrap(), 1).is_none();
        assert!(no(r#"{"method":"n"}"#) && no(r#"{"id":1,"result":{}}"#));
    }
}
