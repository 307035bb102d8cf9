//! The error answers that the front itself gives: what happened, whether a retry is safe, what to do.

use super::Relay;
use super::calls::Method;
use super::frame::{Beginning, Frame, Unreadable};
use super::ids::ClientId;
use crate::error::{Code, Fault};
use serde_json::{Value, json};

/// JSON-RPC's own codes, used where the client's message is at fault.
pub(super) const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;
pub(super) const METHOD_NOT_FOUND: i32 = -32601;
pub(super) const INVALID_PARAMS: i32 = -32602;

/// The JSON-RPC number of one of our codes. Outside of -32768..-32000, so that it cannot be mistaken for an answer of the
/// server.
pub(super) fn number(code: Code) -> i32 {
    match code {
        Code::TwinLost => -31001,
        Code::Cut => -31002,
        Code::HoldTimeout => -31003,
        Code::Busy => -31004,
        Code::CallTimeout => -31005,
        Code::Down => -31006,
        Code::Stopped => -31007,
        Code::HttpStatus => -31008,
        Code::BadMessage | Code::TooLarge => INVALID_REQUEST,
        Code::CapabilityLost => METHOD_NOT_FOUND,
        // What a server answers to a cursor or a task that it does not know.
        Code::OwnerGone => INVALID_PARAMS,
        _ => -31000,
    }
}

/// An `error` object with this fault.
pub(super) fn object(number: i32, fault: &Fault) -> String {
    let mut data = json!({ "code": fault.code.as_str() });
    if let Some(data) = data.as_object_mut() {
        if let Some(help) = &fault.help {
            data.insert("help".to_owned(), Value::from(help.as_str()));
        }
        if !fault.stderr_tail.is_empty() {
            data.insert("stderr".to_owned(), Value::from(tail(&fault.stderr_tail)));
        }
    }
    json!({ "code": number, "message": fault.message, "data": data }).to_string()
}

/// The answer to a request of the client, by its id as written, with an error of our own.
#[must_use]
pub fn error_line(id: &str, fault: &Fault) -> Vec<u8> {
    line(id, number(fault.code), fault)
}

/// The answer to a line of the client that is no message; `None` if there is nothing to answer. `open` says whether an id
/// is in use, for under such a one the refusal would pass for the answer to an earlier request.
#[must_use]
pub fn unreadable_line(bytes: &[u8], open: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let bad = |message: String| Fault::new(Code::BadMessage, message);
    match Frame::read(bytes) {
        Ok(_) | Err(Unreadable::Blank) => None,
        Err(Unreadable::NotJson(why)) => {
            Some(line("null", PARSE_ERROR, &bad(format!("the message is not JSON: {why}"))))
        }
        Err(Unreadable::Batch) => {
            let message = "only revision 2025-03-26 has batches, and they are not empty; send one message a line";
            Some(error_line("null", &bad(message.to_owned())))
        }
        Err(Unreadable::Invalid(id, why)) => {
            let id = id.filter(|id| !open(id)).unwrap_or("null");
            Some(error_line(id, &bad(format!("the message is not MCP: {why}"))))
        }
    }
}

/// The answer to a line of the client that was too large, of which only the beginning was kept; `None` if it was no request.
#[must_use]
pub fn oversize_line(beginning: &[u8], open: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let beginning = Beginning::read(beginning);
    if beginning.answer {
        return None;
    }
    Some(error_line(beginning.id.filter(|id| !open(id)).unwrap_or("null"), &too_large()))
}

/// A message was too large.
pub(super) fn too_large() -> Fault {
    Fault::new(Code::TooLarge, "the message is larger than `max_message` and was dropped")
        .with_help("send less, or raise `--max-message`")
}

fn line(id: &str, number: i32, fault: &Fault) -> Vec<u8> {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{}}}", object(number, fault)).into_bytes()
}

/// The last 4 KB of the server's stderr: what a person reads in a client's window.
fn tail(stderr: &str) -> &str {
    let mut from = stderr.len().saturating_sub(4096);
    while !stderr.is_char_boundary(from) {
        from += 1;
    }
    stderr.get(from..).unwrap_or_default()
}

/// The message with the telling line of stderr behind it.
fn with_stderr(message: String, fault: &Fault) -> String {
    match fault.first_line() {
        "" => message,
        line => format!("{message}; the server said: {line}"),
    }
}

/// A twin died with the request.
pub(super) fn lost(method: Method, fault: &Fault) -> Fault {
    let retry = if method.may_repeat() {
        "it can be repeated safely"
    } else {
        "it may have been carried out in part or in full: check before you repeat it"
    };
    let message = format!("the server ended before it answered {} ({}); {retry}", method.describe(), fault.message);
    Fault::new(Code::TwinLost, with_stderr(message, fault))
        .with_help("`mcp-twin status` says more")
        .with_stderr(fault.stderr_tail.clone())
}

/// A twin went with a call of the front's own.
pub(super) fn lost_call(fault: &Fault) -> Fault {
    lost(Method::ToolCall, fault)
}

/// The request had to be cut off.
pub(super) fn cut(method: Method, fault: &Fault) -> Fault {
    let message = format!(
        "{} was cut off because its server process had to be ended ({}); it may have been carried out in part: check before \
         you repeat it",
        method.describe(),
        fault.message
    );
    Fault::new(Code::Cut, message).with_help("`mcp-twin status` says more")
}

/// The hold budget passed.
pub(super) fn held_too_long(seconds: f64, fault: Option<&Fault>) -> Fault {
    let message = format!(
        "no server process was ready within {seconds} s; the request was not delivered and can be repeated safely"
    );
    match fault {
        None => Fault::new(Code::HoldTimeout, message),
        Some(fault) => Fault::new(Code::HoldTimeout, with_stderr(format!("{message} ({})", fault.message), fault))
            .with_stderr(fault.stderr_tail.clone()),
    }
    .with_help("`mcp-twin status` says what it waits for")
}

/// Nothing serves.
pub(super) fn down(fault: &Fault) -> Fault {
    let mut down = fault.clone();
    down.message = with_stderr(
        format!("the server does not run: {}; the request was not delivered and can be repeated safely", fault.message),
        fault,
    );
    down.help.get_or_insert_with(|| "repair it and save; `mcp-twin status` says more".to_owned());
    down
}

/// The opening cannot be answered by any twin.
pub(super) fn no_opening(fault: &Fault) -> Fault {
    let mut down = fault.clone();
    down.message =
        with_stderr(format!("the server cannot be started: {}; repair it, then reconnect", fault.message), fault);
    down.help.get_or_insert_with(|| "`mcp-twin status` says more".to_owned());
    down
}

impl Relay {
    /// Answers a request of the client with an error of our own.
    pub(super) fn answer_error(&mut self, id: &ClientId, fault: &Fault) {
        let error = object(number(fault.code), fault);
        self.answer(id, "error", &error);
    }

    /// Answers a request of the client: `member` is `result` or `error`, `value` raw JSON.
    pub(super) fn answer(&mut self, id: &ClientId, member: &str, value: &str) {
        let mut line = Vec::with_capacity(value.len() + 64);
        line.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
        id.with_bytes(|id| line.extend_from_slice(id));
        line.extend_from_slice(b",\"");
        line.extend_from_slice(member.as_bytes());
        line.extend_from_slice(b"\":");
        line.extend_from_slice(value.as_bytes());
        line.push(b'}');
        match id.batch {
            None => self.client.push_bytes(&line),
            Some(batch) => self.collect(batch, line.into()),
        }
    }

    /// Tells the client of a message that cannot be answered under an id.
    pub(super) fn answer_null(&mut self, number: i32, fault: &Fault) {
        let line = line("null", number, fault);
        match self.reading {
            None => self.client.push_bytes(&line),
            Some(batch) => self.collect_stray(batch, line.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_answered_under_an_id_that_is_free() {
        let answer = |line: Option<Vec<u8>>| {
            let answer: Value = serde_json::from_slice(&line.expect("an answer")).expect("JSON");
            (answer["id"].clone(), answer["error"]["code"].clone())
        };
        let open = |id: &str| id == "1";
        assert_eq!(answer(unreadable_line(b"{", open)), (Value::Null, json!(-32700)));
        assert_eq!(answer(unreadable_line(b"[]", open)), (Value::Null, json!(-32600)));
        assert_eq!(answer(unreadable_line(b"{\"id\":1}", open)), (Value::Null, json!(-32600)));
        assert_eq!(answer(unreadable_line(b"{\"id\":\"a\"}", open)), (json!("a"), json!(-32600)));
        assert_eq!(unreadable_line(b" ", open), None);
        assert_eq!(answer(oversize_line(b"{\"id\":2,\"method\":\"a\",\"params\":", open)), (json!(2), json!(-32600)));
        assert_eq!(oversize_line(b"{\"id\":2,\"result\":{\"a\"", open), None);
    }
}
