//! A raw MCP client over stdio on plain threads: no SDK, no retries, nothing that could hide a lost answer.

use crate::inbox::{Books, Id, Inbox, shortened};
use crate::wait::{PATIENCE, until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

/// The protocol version that [`Client::open`] offers.
pub const PROTOCOL: &str = "2025-11-25";

/// One running command that is spoken to over its stdin and stdout. It is killed when this is dropped.
#[derive(Debug)]
pub struct Client {
    child: Mutex<Child>,
    pid: u32,
    inbox: Arc<Inbox>,
    outgoing: mpsc::Sender<Outgoing>,
    reading: Arc<Gate>,
    last: AtomicI64,
}

impl Client {
    /// Starts the command.
    #[must_use]
    pub fn spawn(command: &mut Command) -> Self {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (inbox, reading) = (Arc::new(Inbox::default()), Arc::new(Gate::default()));
        let (outgoing, queue) = mpsc::channel();
        let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // Writing has a thread of its own, so that a full pipe never keeps a test from reading.
        std::thread::spawn(move || {
            for next in queue {
                let open = match (next, &mut stdin) {
                    (Outgoing::Bytes(bytes), Some(pipe)) => pipe.write_all(&bytes).is_ok(),
                    _ => false,
                };
                if !open {
                    stdin = None;
                }
            }
        });
        let (into, gate, replies) = (inbox.clone(), reading.clone(), outgoing.clone());
        std::thread::spawn(move || {
            read_lines(stdout.expect("a pipe"), &gate, &into, &replies);
            into.end();
        });
        let into = inbox.clone();
        std::thread::spawn(move || read_text(stderr.expect("a pipe"), &into));
        let pid = child.id();
        Self { child: Mutex::new(child), pid, inbox, outgoing, reading, last: AtomicI64::new(1000) }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Everything that has arrived.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The books at this moment.
    #[must_use]
    pub fn books(&self) -> Books {
        self.inbox.books()
    }

    /// Sends these bytes as they are.
    pub fn send_bytes(&self, bytes: &[u8]) {
        let _ = self.outgoing.send(Outgoing::Bytes(bytes.to_vec()));
    }

    /// Sends one message.
    pub fn send(&self, message: &Value) {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.send_bytes(&line);
    }

    /// Sends a request with a new id.
    pub fn request(&self, method: &str, params: Value) -> Id {
        let number = json!(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        self.request_as(number, method, params)
    }

    /// Sends a request with this id.
    pub fn request_as(&self, number: Value, method: &str, params: Value) -> Id {
        let id = Id::of(&number);
        self.inbox.expect(id.clone());
        self.send(&json!({"jsonrpc": "2.0", "id": number, "method": method, "params": params}));
        id
    }

    /// Enters an id into the books that the test sends by itself.
    pub fn inbox_expects(&self, number: i64) -> Id {
        let id = Id::of(&json!(number));
        self.inbox.expect(id.clone());
        id
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Waits for an answer; fails the test if it never comes.
    pub fn answer(&self, id: &Id) -> Value {
        self.inbox.answer(id, PATIENCE).unwrap_or_else(|| panic!("no answer to {id}: {}", self.plight()))
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&self, method: &str, params: Value) -> Value {
        self.answer(&self.request(method, params))
    }

    /// `initialize` with these capabilities; gives back its answer.
    pub fn initialize(&self, capabilities: Value) -> Value {
        let info = json!({"name": "mcp-twin-tests", "version": "1"});
        self.ask("initialize", json!({"protocolVersion": PROTOCOL, "capabilities": capabilities, "clientInfo": info}))
    }

    /// The whole opening; gives back the result of `initialize`.
    pub fn open(&self) -> Value {
        let answer = self.initialize(json!({}));
        assert!(answer["result"].is_object(), "initialize was refused: {answer} {}", self.plight());
        self.notify("notifications/initialized", json!({}));
        answer["result"].clone()
    }

    /// Calls a tool without waiting.
    pub fn call(&self, tool: &str, arguments: Value) -> Id {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Calls `work`, which answers after `ms` milliseconds with version, process id and key, without waiting.
    pub fn work(&self, ms: u64, key: &str) -> Id {
        self.call("work", json!({"ms": ms, "key": key}))
    }

    /// Calls a tool and gives back the first text of its result.
    pub fn text(&self, tool: &str, arguments: Value) -> String {
        let answer = self.answer(&self.call(tool, arguments));
        text_of(&answer).unwrap_or_else(|| panic!("`{tool}` did not answer well: {} {}", shown(&answer), self.plight()))
    }

    /// The version of the code that answers now.
    pub fn version(&self) -> String {
        self.text("version", json!({}))
    }

    /// Version and process id of the twin that answers now.
    pub fn whoami(&self) -> (String, u32) {
        let body: Value = serde_json::from_str(&self.text("whoami", json!({}))).expect("whoami answers JSON");
        let pid = body["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a process id");
        (body["version"].as_str().expect("a version").to_owned(), pid)
    }

    /// Calls `version` until it is the one wanted.
    pub fn until_version(&self, wanted: &str) {
        until(&format!("an answer of {wanted}; {}", self.plight()), || (self.version() == wanted).then_some(()));
    }

    /// The names of the tools, in order.
    pub fn tools(&self) -> Vec<String> {
        let answer = self.ask("tools/list", json!({}));
        let tools =
            answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tool list: {}", shown(&answer))).clone();
        tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
    }

    /// How many notifications of this method came.
    #[must_use]
    pub fn notified(&self, method: &str) -> usize {
        self.inbox.notifications().iter().filter(|note| note["method"] == method).count()
    }

    /// Waits until `count` notifications of this method came.
    pub fn until_notified(&self, method: &str, count: usize) {
        let enough =
            |notes: &[Value]| (notes.iter().filter(|note| note["method"] == method).count() >= count).then_some(());
        let came = self.inbox.notification(PATIENCE, enough);
        assert!(came.is_some(), "no {method} number {count}: {}", self.plight());
    }

    /// Stops reading what the command writes, as a client that is busy does.
    pub fn pause_reading(&self) {
        self.reading.shut(true);
    }

    /// Reads again.
    pub fn resume_reading(&self) {
        self.reading.shut(false);
    }

    /// Closes the command's stdin, once everything sent so far is written.
    pub fn end_input(&self) {
        let _ = self.outgoing.send(Outgoing::End);
    }

    /// Waits for the end of the process.
    pub fn exit_status(&self) -> ExitStatus {
        until(&format!("the end of process {}; {}", self.pid, self.plight()), || {
            self.child.lock().expect("no panic while waiting").try_wait().expect("a child of ours")
        })
    }

    /// Ends the input and waits for output and process to end.
    pub fn close(&self) -> ExitStatus {
        self.end_input();
        let status = self.exit_status();
        assert!(self.inbox.ended(PATIENCE), "the output is still open after the end: {}", self.plight());
        status
    }

    /// kill -9, and waits for the end.
    pub fn kill(&self) {
        let _ = self.child.lock().expect("no panic while killing").kill();
        let _ = self.exit_status();
    }

    /// Books and stderr, for the message of a failed assertion.
    #[must_use]
    pub fn plight(&self) -> String {
        let stderr = self.inbox.stderr_text();
        let tail: Vec<&str> = stderr.lines().rev().take(30).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        format!("[{:?}; stderr:\n{}\n]", self.books(), tail.join("\n"))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reading.shut(false);
        self.end_input();
        if let Ok(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A message as text, its beginning only: some are megabytes long.
#[must_use]
pub fn shown(message: &Value) -> String {
    shortened(&message.to_string())
}

/// The first text of a good tools/call answer.
#[must_use]
pub fn text_of(answer: &Value) -> Option<String> {
    let result = answer.get("result")?;
    if result["isError"] == true {
        return None;
    }
    result["content"][0]["text"].as_str().map(str::to_owned)
}

/// All texts of a tools/call answer.
#[must_use]
pub fn texts_of(answer: &Value) -> Vec<String> {
    let content = answer["result"]["content"].as_array().cloned().unwrap_or_default();
    content.iter().filter_map(|item| item["text"].as_str().map(str::to_owned)).collect()
}

/// The JSON in the first text of a good answer of `work`: version, pid, key.
#[must_use]
pub fn body_of(answer: &Value) -> Value {
    let text = text_of(answer).unwrap_or_else(|| panic!("not a good answer: {}", shown(answer)));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {}", shortened(&text)))
}

#[derive(Debug)]
enum Outgoing {
    Bytes(Vec<u8>),
    End,
}

#[derive(Debug, Default)]
struct Gate {
    shut: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn shut(&self, shut: bool) {
        *self.shut.lock().expect("no panic at the gate") = shut;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let shut = self.shut.lock().expect("no panic at the gate");
        drop(self.changed.wait_while(shut, |shut| *shut).expect("no panic at the gate"));
    }
}

fn read_lines(stdout: impl Read, gate: &Gate, inbox: &Inbox, replies: &mpsc::Sender<Outgoing>) {
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        gate.pass();
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if let Some(reply) = inbox.line(&line) {
            let _ = replies.send(Outgoing::Bytes(format!("{reply}\n").into_bytes()));
        }
    }
}

fn read_text(stderr: impl Read, inbox: &Inbox) {
    let mut reader = BufReader::new(stderr);
    let mut piece = Vec::new();
    while reader.read_until(b'\n', &mut piece).is_ok_and(|count| count > 0) {
        inbox.stderr(&String::from_utf8_lossy(&piece));
        piece.clear();
    }
}

/// How long nothing must arrive for a test to believe that nothing will: only for "and no more than that".
pub const QUIET: Duration = Duration::from_millis(300);
