//! What a session has asked and not been answered, and what it answers itself.

use super::{RequestError, Waiting};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::oneshot;

/// So many of what belongs to nothing are kept.
const STRAYS: usize = 5;
/// Longer ones are cut.
const LENGTH: usize = 200;
/// JSON-RPC: there is no such method.
const METHOD_NOT_FOUND: i32 = -32601;

/// The books of one session.
#[derive(Debug, Default)]
pub(super) struct Books {
    next: u64,
    open: BTreeMap<u64, Waiting>,
    /// Given up: their answers may still come.
    late: BTreeSet<u64>,
    strays: Vec<String>,
    stray_count: usize,
    closed: bool,
}

impl Books {
    /// A request begins: its number, and where its answer comes.
    pub(super) fn begin(&mut self) -> (u64, oneshot::Receiver<Result<Value, RequestError>>) {
        self.next += 1;
        let (waiting, answer) = oneshot::channel();
        if !self.closed {
            self.open.insert(self.next, waiting);
        }
        (self.next, answer)
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&mut self, id: u64) {
        if self.open.remove(&id).is_some() {
            self.late.insert(id);
        }
    }

    /// The other side is gone: nothing is answered any more.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.open.clear();
    }

    /// What belongs to nothing.
    pub(super) fn strays(&self) -> (Vec<String>, usize) {
        (self.strays.clone(), self.stray_count)
    }

    /// One line of the other side; gives what is to be said to it.
    pub(super) fn take(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let Ok(message) = serde_json::from_slice::<Value>(line) else {
            self.stray(line);
            return None;
        };
        match (message["method"].as_str(), message.get("id")) {
            (Some(method), Some(id)) => Some(reply(method, id)),
            (Some(_), None) => None,
            (None, _) => {
                self.answered(message, line);
                None
            }
        }
    }

    fn answered(&mut self, mut message: Value, line: &[u8]) {
        let id = message["id"].as_u64();
        let Some(waiting) = id.and_then(|id| self.open.remove(&id)) else {
            if !id.is_some_and(|id| self.late.remove(&id)) {
                self.stray(line);
            }
            return;
        };
        let answer = match (message.get("result").is_some(), message.get("error")) {
            (true, None) => Ok(message["result"].take()),
            (false, Some(error)) => Err(RequestError::Refused {
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or("an error without a message").to_owned(),
                data: error["data"].clone(),
            }),
            _ => Err(RequestError::Malformed("an answer needs either a result or an error".to_owned())),
        };
        // Whoever has given up needs no answer.
        let _ = waiting.send(answer);
    }

    fn stray(&mut self, line: &[u8]) {
        self.stray_count += 1;
        if self.strays.len() < STRAYS {
            let mut text = String::from_utf8_lossy(line).into_owned();
            text.truncate(text.floor_char_boundary(LENGTH));
            self.strays.push(text);
        }
    }
}

/// The answer to a request of the server.
fn reply(method: &str, id: &Value) -> Vec<u8> {
    let answer = match method {
        "ping" => json!({"jsonrpc": "2.0", "id": id, "result": {}}),
        "roots/list" => json!({"jsonrpc": "2.0", "id": id, "result": {"roots": []}}),
        _ => {
            let message = format!("this client declared no capability for {method}");
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": METHOD_NOT_FOUND, "message": message}})
        }
    };
    answer.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_their_requests_and_the_rest_is_counted() {
        let mut books = Books::default();
        let (first, mut one) = books.begin();
        let (second, mut two) = books.begin();
        let (third, _three) = books.begin();
        assert_eq!((first, second), (1, 2));
        books.give_up(third);
        for line in [
            r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no such tool","data":{"a":1}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":3,"result":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/message"}"#,
            "print",
        ] {
            assert_eq!(books.take(line.as_bytes()), None, "{line}");
        }
        assert_eq!(one.try_recv().unwrap(), Ok(json!({"tools": []})));
        let refused = two.try_recv().unwrap().unwrap_err();
        assert_eq!(refused.to_string(), "no such tool (-32602)");
        assert!(refused.is_servers_own());
        let (kept, count) = books.strays();
        assert_eq!((kept.len(), count), (2, 2), "{kept:?}");
        assert_eq!(kept[1], "print");
    }

    #[test]
    fn a_server_that_asks_is_answered() {
        let mut books = Books::default();
        let mut asked = |method: &str| {
            let line = json!({"jsonrpc": "2.0", "id": "a", "method": method}).to_string();
            serde_json::from_slice::<Value>(&books.take(line.as_bytes()).unwrap()).unwrap()
        };
        assert_eq!(asked("ping")["result"], json!({}));
        assert_eq!(asked("roots/list")["result"], json!({"roots": []}));
        assert_eq!(asked("sampling/createMessage")["error"]["code"], json!(-32601));
    }

    #[test]
    fn nothing_waits_for_one_that_is_gone() {
        let mut books = Books::default();
        let (_, mut open) = books.begin();
        books.close();
        let (_, mut later) = books.begin();
        assert!(open.try_recv().is_err() && later.try_recv().is_err());
    }

    #[test]
    fn a_fronts_error_is_told_from_the_servers() {
        let mut books = Books::default();
        let (_, mut answer) = books.begin();
        let error = json!({"code": -31006, "message": "down", "data": {"code": "twin::down", "stderr": "Traceback"}});
        books.take(json!({"jsonrpc": "2.0", "id": 1, "error": error}).to_string().as_bytes());
        let refused = answer.try_recv().unwrap().unwrap_err();
        assert!(!refused.is_servers_own());
        assert_eq!(refused.stderr(), "Traceback");
    }
}
