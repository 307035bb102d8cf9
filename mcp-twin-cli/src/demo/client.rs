//! A small MCP client on threads: it counts what it sends and what comes back, and never sends anything twice.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A connection to a server or a front.
pub(crate) struct Client {
    lines: SyncSender<String>,
    shared: Arc<(Mutex<Ledger>, Condvar)>,
}

/// The tool that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Answers at once.
    Version,
    /// Answers after a second.
    Slow,
}

/// Everything that was sent and that came.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    next: u64,
    open: BTreeMap<u64, (Instant, Option<Tool>)>,
    /// Calls sent.
    pub(crate) calls: u64,
    /// Calls answered well, in the order of the answers.
    pub(crate) answers: Vec<Answer>,
    /// Calls answered with an error, and with which.
    pub(crate) failed: BTreeMap<u64, String>,
    /// Results of requests that are no calls.
    results: BTreeMap<u64, Result<Value, String>>,
    /// What the front added to an answer for the people behind the client.
    pub(crate) notes: Vec<String>,
    /// How often the client was told that the tools changed.
    pub(crate) list_changes: usize,
    /// Answers that belong to nothing that was sent, and lines that are not JSON.
    pub(crate) strays: Vec<String>,
    /// The connection is over.
    pub(crate) closed: bool,
}

/// A call that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Its request id, which is also the number in the server's journal.
    pub(crate) id: u64,
    /// The tool.
    pub(crate) tool: Tool,
    /// The version of the code that answered.
    pub(crate) version: u32,
    /// When it came.
    pub(crate) at: Instant,
    /// How long it took.
    pub(crate) took: Duration,
}

/// The client waited in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// Ctrl-C.
    Interrupted,
    /// The other side closed the connection.
    Closed,
    /// Nothing came in time.
    Late,
    /// The answer was an error.
    Refused(String),
}

impl Client {
    /// Begins to read. The threads end with the streams.
    pub(crate) fn new(input: impl Write + Send + 'static, output: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Ledger::default()), Condvar::new()));
        let (lines, queue) = sync_channel::<String>(4096);
        std::thread::spawn(move || {
            let mut input = input;
            // Ends when the client is dropped, which closes the stream, or when the reader is gone.
            while let Ok(line) = queue.recv() {
                if input.write_all(line.as_bytes()).and_then(|()| input.flush()).is_err() {
                    return;
                }
            }
        });
        let reader = Arc::clone(&shared);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                lock(&reader.0).take(&line);
                reader.1.notify_all();
            }
            lock(&reader.0).closed = true;
            reader.1.notify_all();
        });
        Self { lines, shared }
    }

    /// Opens the session and lists the tools: their names.
    pub(crate) fn open(&self, patience: Duration, interrupted: impl Fn() -> bool) -> Result<Vec<String>, Waited> {
        let about = json!({"name": "mcp-twin-demo", "version": env!("CARGO_PKG_VERSION")});
        let opening = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": about});
        self.request("initialize", opening, patience, &interrupted)?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        self.tools(patience, interrupted)
    }

    /// The names of the tools.
    pub(crate) fn tools(&self, patience: Duration, interrupted: impl Fn() -> bool) -> Result<Vec<String>, Waited> {
        let listed = self.request("tools/list", json!({}), patience, interrupted)?;
        let names = listed["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Sends one call and does not wait for it. Returns its id.
    pub(crate) fn call(&self, tool: Tool) -> u64 {
        let id = {
            let mut ledger = self.ledger();
            ledger.calls += 1;
            ledger.begin(Some(tool))
        };
        let name = if tool == Tool::Slow { "slow" } else { "version" };
        let params = json!({"name": name, "arguments": {"call": id}});
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}));
        id
    }

    /// What happened so far.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.shared.0)
    }

    /// Waits until `found` finds something. `interrupted` is asked several times a second.
    pub(crate) fn wait<T>(
        &self,
        patience: Duration,
        interrupted: impl Fn() -> bool,
        mut found: impl FnMut(&mut Ledger) -> Option<T>,
    ) -> Result<T, Waited> {
        let deadline = Instant::now() + patience;
        let mut ledger = self.ledger();
        loop {
            if let Some(found) = found(&mut ledger) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if interrupted() {
                return Err(Waited::Interrupted);
            } else if ledger.closed {
                return Err(Waited::Closed);
            } else if left.is_zero() {
                return Err(Waited::Late);
            }
            let pause = left.min(Duration::from_millis(50));
            ledger = self.shared.1.wait_timeout(ledger, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn request(
        &self,
        method: &str,
        params: Value,
        patience: Duration,
        interrupted: impl Fn() -> bool,
    ) -> Result<Value, Waited> {
        let id = self.ledger().begin(None);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        self.wait(patience, interrupted, |ledger| ledger.results.remove(&id))?.map_err(Waited::Refused)
    }

    /// A line that finds no room or no reader is noticed as a call without an answer.
    fn send(&self, message: &Value) {
        let _ = self.lines.try_send(format!("{message}\n"));
    }
}

impl Ledger {
    /// Calls that have no answer yet.
    pub(crate) fn unanswered(&self) -> usize {
        self.open.values().filter(|(_, tool)| tool.is_some()).count()
    }

    /// How a call ended, if it did: the version that answered it, or the error.
    pub(crate) fn end_of(&self, call: u64) -> Option<Result<u32, &str>> {
        let answer = self.answers.iter().rev().find(|answer| answer.id == call);
        answer.map(|answer| Ok(answer.version)).or_else(|| self.failed.get(&call).map(|why| Err(why.as_str())))
    }

    /// The longest that a quick call took.
    pub(crate) fn longest_wait(&self) -> Duration {
        let quick = self.answers.iter().filter(|answer| answer.tool == Tool::Version);
        quick.map(|answer| answer.took).max().unwrap_or_default()
    }

    fn begin(&mut self, tool: Option<Tool>) -> u64 {
        self.next += 1;
        self.open.insert(self.next, (Instant::now(), tool));
        self.next
    }

    fn take(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return self.strays.push(line.to_owned()) };
        if message["method"] == "notifications/tools/list_changed" {
            self.list_changes += 1;
        }
        if message.get("method").is_some() {
            return;
        }
        let known = message["id"].as_u64().and_then(|id| Some((id, self.open.remove(&id)?)));
        let Some((id, (sent, tool))) = known else { return self.strays.push(line.to_owned()) };
        let error = message.get("error").map(|error| error["message"].as_str().unwrap_or("an error").to_owned());
        let Some(tool) = tool else {
            let result = error.map_or_else(|| Ok(message["result"].clone()), Err);
            self.results.insert(id, result);
            return;
        };
        let items = message["result"]["content"].as_array().into_iter().flatten();
        let (mut version, mut said) = (None, Vec::new());
        for text in items.filter_map(|item| item["text"].as_str()) {
            match version_of(text, id) {
                Some(number) => version = Some(number),
                None => said.push(text.to_owned()),
            }
        }
        match version {
            Some(version) if message["result"]["isError"] != true => {
                self.notes.append(&mut said);
                let at = Instant::now();
                self.answers.push(Answer { id, tool, version, at, took: at - sent });
            }
            _ => {
                let why = error.or_else(|| said.pop()).unwrap_or_else(|| "an answer without a version".to_owned());
                self.failed.insert(id, why);
            }
        }
    }
}

/// The version in `v3: call 17`, if it answers call 17.
fn version_of(text: &str, call: u64) -> Option<u32> {
    let (version, rest) = text.strip_prefix('v')?.split_once(": call ")?;
    (rest.parse() == Ok(call)).then_some(())?;
    version.parse().ok()
}

/// A panic of another thread does not make the counts wrong.
fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger_with(tools: &[Option<Tool>]) -> Ledger {
        let mut ledger = Ledger::default();
        for tool in tools {
            ledger.begin(*tool);
        }
        ledger
    }

    #[test]
    fn answers_errors_notes_and_strays_are_told_apart() {
        let mut ledger =
            ledger_with(&[Some(Tool::Version), Some(Tool::Slow), Some(Tool::Version), Some(Tool::Version), None]);
        for line in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"the last save failed"},{"type":"text","text":"v3: call 1"}]}}"#,
            r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"lost"}}"#,
            r#"{"jsonrpc":"2.0","id":3,"result":{"isError":true,"content":[{"type":"text","text":"v3: call 3"}]}}"#,
            r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
            "not json",
        ] {
            ledger.take(line);
        }
        assert_eq!(ledger.answers.iter().map(|answer| (answer.id, answer.version)).collect::<Vec<_>>(), [(1, 3)]);
        assert!(ledger.failed.values().eq(["lost", "an answer without a version"]));
        assert_eq!([1, 2, 4].map(|call| ledger.end_of(call)), [Some(Ok(3)), Some(Err("lost")), None]);
        assert_eq!(ledger.notes, ["the last save failed"]);
        assert_eq!((ledger.strays.len(), ledger.list_changes, ledger.unanswered()), (2, 1, 1));
        assert_eq!(ledger.results.get(&5), Some(&Ok(json!({"tools": []}))));
    }

    #[test]
    fn an_answer_to_another_call_is_no_answer() {
        assert_eq!(version_of("v12: call 7", 7), Some(12));
        for text in ["v12: call 8", "12: call 7", "vx: call 7", "v12 call 7", ""] {
            assert_eq!(version_of(text, 7), None, "{text}");
        }
    }

    #[test]
    fn waiting_ends_with_the_connection_and_with_ctrl_c() {
        let client = Client::new(std::io::sink(), std::io::empty());
        let closed = client.wait(Duration::from_secs(60), || false, |_| None::<()>);
        assert_eq!(closed, Err(Waited::Closed));
        assert_eq!(client.wait(Duration::from_secs(60), || true, |_| None::<()>), Err(Waited::Interrupted));
    }
}
