//! The steps of a recording, one after the other, at a server that runs.

use super::compare::Ignored;
use super::recording::{Recording, Step};
use super::report::{Kind, Result as Outcome};
use mcp_twin_runtime::embedded::{ClientPipe, ClientReceiver, ClientSender};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// JSON-RPC: there is no such method.
const METHOD_NOT_FOUND: i32 = -32601;
/// So many lines that are no messages are kept.
const JUNK: usize = 5;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Each answer that was to come, in the order in which they came in the recording; and what nobody had asked before.
    pub(crate) results: Vec<Outcome>,
    /// Lines of the server that are no messages.
    pub(crate) junk: Vec<String>,
    /// The server closed its output before everything was played.
    pub(crate) ended: bool,
    /// How it ended then.
    pub(crate) exit: Option<String>,
    /// The last of its stderr then.
    pub(crate) stderr: String,
}

/// Plays a recording to a server.
pub(crate) async fn play(pipe: ClientPipe, recording: &Recording, ignored: &Ignored, limit: Duration) -> Played {
    let (sender, receiver) = pipe.split();
    let mut course =
        Course { sender, receiver, answers: BTreeMap::new(), replies: replies(recording), played: Played::default() };
    let mut open: BTreeMap<&str, (&str, Option<String>)> = BTreeMap::new();
    for step in &recording.steps {
        if course.played.ended {
            break;
        }
        match step {
            Step::Client { line, id, method } => {
                if let Some(id) = id {
                    open.insert(id, (method, named(line)));
                }
                course.say(line.clone()).await;
            }
            Step::Answer { id, answer } => {
                let Some((method, name)) = open.remove(id.as_str()) else { continue };
                let got = course.answer(id, limit).await;
                let outcome = Outcome { id: id.clone(), method: method.to_owned(), name, ..Outcome::default() };
                let outcome = match got {
                    Some(got) => {
                        let (differences, count) = ignored.differences(method, answer, &got);
                        let kind = if count == 0 { Kind::Same } else { Kind::Differs };
                        Outcome { kind, differences, count, ..outcome }
                    }
                    None => Outcome { kind: Kind::Missing, ..outcome },
                };
                course.played.results.push(outcome);
            }
            // These are answered when the server asks.
            Step::Reply { .. } | Step::Asked { .. } => {}
        }
    }
    course.played
}

/// The tool, prompt or resource that a request is about.
fn named(line: &str) -> Option<String> {
    let message: Value = serde_json::from_str(line).ok()?;
    let params = &message["params"];
    params["name"].as_str().or(params["uri"].as_str()).map(str::to_owned)
}

/// What the client answered to the server, by method, in order.
fn replies(recording: &Recording) -> BTreeMap<String, VecDeque<(Value, Value)>> {
    let mut asked: BTreeMap<&str, (&str, &Value)> = BTreeMap::new();
    let mut replies: BTreeMap<String, VecDeque<(Value, Value)>> = BTreeMap::new();
    for step in &recording.steps {
        match step {
            Step::Asked { id, method, params } => drop(asked.insert(id, (method, params))),
            Step::Reply { id, answer } => {
                if let Some((method, params)) = asked.remove(id.as_str()) {
                    replies.entry(method.to_owned()).or_default().push_back((params.clone(), answer.clone()));
                }
            }
            _ => {}
        }
    }
    replies
}

struct Course {
    sender: ClientSender,
    receiver: ClientReceiver,
    /// Answers that came before they were waited for.
    answers: BTreeMap<String, Value>,
    /// What is to be answered to the server: the question's params, and the answer.
    replies: BTreeMap<String, VecDeque<(Value, Value)>>,
    played: Played,
}

impl Course {
    async fn say(&mut self, line: String) {
        // A server that is gone is noticed by what it does not answer.
        let _ = self.sender.send(line.into_bytes()).await;
    }

    /// The answer to this request; none if it does not come in time, or the server ends.
    async fn answer(&mut self, id: &str, limit: Duration) -> Option<Value> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(answer) = self.answers.remove(id) {
                return Some(answer);
            }
            match timeout_at(deadline, self.receiver.recv()).await {
                Ok(Some(line)) => self.hear(&line).await,
                Ok(None) => {
                    self.played.ended = true;
                    return None;
                }
                Err(_) => return None,
            }
        }
    }

    async fn hear(&mut self, line: &[u8]) {
        let Ok(message) = serde_json::from_slice::<Value>(line) else {
            if self.played.junk.len() < JUNK {
                self.played.junk.push(String::from_utf8_lossy(line).into_owned());
            }
            return;
        };
        let Some(id) = message.get("id").cloned() else { return };
        match message["method"].as_str() {
            Some(method) => {
                let reply = self.reply(method, &message["params"], id);
                self.say(reply.to_string()).await;
            }
            None => drop(self.answers.insert(id.to_string(), message)),
        }
    }

    /// What the client answered to this question in the recording: the same one, else the next of its method.
    fn reply(&mut self, method: &str, params: &Value, id: Value) -> Value {
        let recorded = self.replies.get_mut(method).and_then(|replies| {
            let same = replies.iter().position(|(of, _)| of == params).unwrap_or_default();
            replies.remove(same)
        });
        let Some((_, mut answer)) = recorded else {
            if method != "ping" {
                let outcome =
                    Outcome { id: id.to_string(), method: method.to_owned(), kind: Kind::Asked, ..Outcome::default() };
                self.played.results.push(outcome);
                let error = json!({"code": METHOD_NOT_FOUND, "message": "the recording has no answer to this"});
                return json!({"jsonrpc": "2.0", "id": id, "error": error});
            }
            return json!({"jsonrpc": "2.0", "id": id, "result": {}});
        };
        answer["id"] = id;
        answer
    }
}
