//! The strict books of a client: every id is answered exactly once, and whatever else arrives is kept.

use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The id of a request, as JSON text (`7` and `"7"` differ).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// The id in this JSON value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self(value.to_string())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client's books say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Requests sent.
    pub sent: usize,
    /// Requests answered, each once.
    pub answered: usize,
    /// Requests without an answer.
    pub open: Vec<Id>,
    /// Answers to ids that were never sent, or were answered before.
    pub strays: Vec<String>,
    /// Lines that are not a JSON object.
    pub junk: Vec<String>,
}

impl Books {
    /// Fails the test unless every request has exactly one answer and nothing else came.
    pub fn assert_clean(&self) {
        assert!(self.strays.is_empty() && self.junk.is_empty(), "the client was sent what it cannot know: {self:?}");
        assert!(self.open.is_empty(), "requests without an answer: {self:?}");
        assert_eq!(self.sent, self.answered, "{self:?}");
    }
}

/// What has arrived at a client; shared by its threads.
#[derive(Debug, Default)]
pub struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashSet<Id>,
    done: HashSet<Id>,
    answers: HashMap<Id, Value>,
    order: VecDeque<Id>,
    strays: Vec<String>,
    junk: Vec<String>,
    notifications: Vec<Value>,
    requests: Vec<Value>,
    replies: HashMap<String, Value>,
    stderr: String,
    ended: bool,
}

/// How much of the other side's stderr is kept, in bytes.
const STDERR_KEPT: usize = 1 << 20;

impl Inbox {
    /// A request with this id is about to be sent.
    pub fn expect(&self, id: Id) {
        let mut state = self.lock();
        assert!(!state.done.contains(&id) && state.waiting.insert(id), "a test used an id twice");
    }

    /// A line came. Gives back what is to be sent in reply, if the other side asked for something.
    #[must_use]
    pub fn line(&self, line: &[u8]) -> Option<Value> {
        let mut state = self.lock();
        let reply = match serde_json::from_slice::<Value>(line) {
            Ok(message) if message.is_object() => state.message(message),
            _ => {
                state.junk.push(shortened(&String::from_utf8_lossy(line)));
                None
            }
        };
        self.arrived.notify_all();
        reply
    }

    /// Some of the other side's stderr came.
    pub fn stderr(&self, text: &str) {
        let mut state = self.lock();
        state.stderr.push_str(text);
        if state.stderr.len() > STDERR_KEPT {
            let mut cut = state.stderr.len() - STDERR_KEPT / 2;
            while !state.stderr.is_char_boundary(cut) {
                cut += 1;
            }
            state.stderr.drain(..cut);
        }
        self.arrived.notify_all();
    }

    /// Nothing more will come.
    pub fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_all();
    }

    /// From now on requests for `method` are answered with `result`; `null` means: not at all.
    pub fn reply_with(&self, method: &str, result: Value) {
        self.lock().replies.insert(method.to_owned(), result);
    }

    /// Waits for the answer to `id` and takes it; `None` if the output ended or the deadline passed before.
    #[must_use]
    pub fn answer(&self, id: &Id, deadline: Duration) -> Option<Value> {
        let taken = self.wait(deadline, |state| state.answers.remove(id));
        self.lock().order.retain(|other| other != id);
        taken
    }

    /// Waits for any answer not yet taken, the oldest first.
    #[must_use]
    pub fn next_answer(&self, deadline: Duration) -> Option<(Id, Value)> {
        self.wait(deadline, |state| {
            let id = state.order.pop_front()?;
            let answer = state.answers.remove(&id)?;
            Some((id, answer))
        })
    }

    /// Waits until `found` sees what it wants among the notifications.
    #[must_use]
    pub fn notification<T>(&self, deadline: Duration, mut found: impl FnMut(&[Value]) -> Option<T>) -> Option<T> {
        self.wait(deadline, |state| found(&state.notifications))
    }

    /// Waits until `found` sees what it wants among the requests of the other side.
    #[must_use]
    pub fn request<T>(&self, deadline: Duration, mut found: impl FnMut(&[Value]) -> Option<T>) -> Option<T> {
        self.wait(deadline, |state| found(&state.requests))
    }

    /// Waits until the other side's stderr contains `text`.
    #[must_use]
    pub fn stderr_says(&self, deadline: Duration, text: &str) -> bool {
        self.wait(deadline, |state| state.stderr.contains(text).then_some(())).is_some()
    }

    /// Waits for the end of the output.
    #[must_use]
    pub fn ended(&self, deadline: Duration) -> bool {
        self.wait(deadline, |state| state.ended.then_some(())).is_some()
    }

    /// The stderr so far.
    #[must_use]
    pub fn stderr_text(&self) -> String {
        self.lock().stderr.clone()
    }

    /// The notifications so far.
    #[must_use]
    pub fn notifications(&self) -> Vec<Value> {
        self.lock().notifications.clone()
    }

    /// How many requests have no answer at this moment.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The books at this moment.
    #[must_use]
    pub fn books(&self) -> Books {
        let state = self.lock();
        let mut open: Vec<Id> = state.waiting.iter().cloned().collect();
        open.sort();
        Books {
            sent: state.waiting.len() + state.done.len(),
            answered: state.done.len(),
            open,
            strays: state.strays.clone(),
            junk: state.junk.clone(),
        }
    }

    fn wait<T>(&self, deadline: Duration, mut found: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let until = Instant::now() + deadline;
        let mut state = self.lock();
        loop {
            if let Some(it) = found(&mut state) {
                return Some(it);
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.arrived.wait_timeout(state, left).expect("no thread of the client panicked").0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the client panicked")
    }
}

impl State {
    fn message(&mut self, message: Value) -> Option<Value> {
        let id = message.get("id").cloned();
        match (message.get("method").and_then(Value::as_str).map(str::to_owned), id) {
            (Some(_), None) => {
                self.notifications.push(message);
                None
            }
            (Some(method), Some(id)) => {
                self.requests.push(message);
                self.reply(&method, &id)
            }
            (None, id) => {
                self.answered(&Id::of(&id.unwrap_or(Value::Null)), message);
                None
            }
        }
    }

    fn reply(&self, method: &str, id: &Value) -> Option<Value> {
        let result = match self.replies.get(method) {
            Some(Value::Null) => return None,
            Some(result) => result.clone(),
            None if method == "ping" => serde_json::json!({}),
            None => {
                let error = serde_json::json!({"code": -32601, "message": "the test client does not do that"});
                return Some(serde_json::json!({"jsonrpc": "2.0", "id": id, "error": error}));
            }
        };
        Some(serde_json::json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn answered(&mut self, id: &Id, message: Value) {
        if self.waiting.remove(id) {
            self.done.insert(id.clone());
            self.answers.insert(id.clone(), message);
            self.order.push_back(id.clone());
        } else {
            self.strays.push(shortened(&message.to_string()));
        }
    }
}

/// The beginning of a text, for messages of failed tests.
#[must_use]
pub fn shortened(text: &str) -> String {
    text.chars().take(600).collect()
}
