//! A relay between a scripted client and scripted twins.

use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::relay::{Relay, RelayEvent};
use crate::spec::{Options, Transport};
use crate::swap::ProbeReport;
use crate::time::Moment;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const A: TwinId = TwinId(1);
pub(super) const B: TwinId = TwinId(2);
pub(super) const C: TwinId = TwinId(3);

pub(super) struct Rig {
    pub(super) relay: Relay,
    pub(super) now: Moment,
    pub(super) events: Vec<RelayEvent>,
}

/// Capabilities of most servers in these tests.
pub(super) fn full() -> Value {
    json!({"tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true}, "logging": {}})
}

pub(super) fn fault(code: Code, message: &str) -> Fault {
    Fault::new(code, message)
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::defaults(Transport::Stdio);
        change(&mut options);
        Self { relay: Relay::new(&options), now: Moment::ZERO, events: Vec::new() }
    }

    pub(super) fn client(&mut self, message: &Value) {
        self.client_raw(&message.to_string());
    }

    pub(super) fn client_raw(&mut self, line: &str) {
        self.relay.client_line(line.as_bytes(), self.now);
    }

    pub(super) fn twin(&mut self, twin: TwinId, message: &Value) {
        self.twin_raw(twin, &message.to_string());
    }

    pub(super) fn twin_raw(&mut self, twin: TwinId, line: &str) {
        self.relay.twin_line(twin, line.as_bytes(), self.now);
    }

    /// What the client reads, all of it.
    pub(super) fn client_reads_raw(&mut self) -> Vec<String> {
        let text = String::from_utf8(self.relay.client_output().to_vec()).unwrap();
        self.relay.client_written(text.len());
        text.lines().map(str::to_owned).collect()
    }

    pub(super) fn client_reads(&mut self) -> Vec<Value> {
        self.client_reads_raw().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a twin reads, all of it.
    pub(super) fn twin_reads_raw(&mut self, twin: TwinId) -> Vec<String> {
        let text = String::from_utf8(self.relay.twin_output(twin).to_vec()).unwrap();
        self.relay.twin_written(twin, text.len(), self.now);
        text.lines().map(str::to_owned).collect()
    }

    pub(super) fn twin_reads(&mut self, twin: TwinId) -> Vec<Value> {
        self.twin_reads_raw(twin).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(super) fn events(&mut self) -> Vec<RelayEvent> {
        let events = std::iter::from_fn(|| self.relay.poll_event());
        let (log, events): (Vec<_>, Vec<_>) =
            events.partition(|event| matches!(event, RelayEvent::Log(..) | RelayEvent::Junk(..)));
        self.events.extend(log);
        events
    }

    /// Whether the log says this.
    pub(super) fn logged(&mut self, what: &str) -> bool {
        let pending: Vec<_> = std::iter::from_fn(|| self.relay.poll_event()).collect();
        self.events.extend(pending);
        self.events
            .iter()
            .any(|event| matches!(event, RelayEvent::Log(_, text) | RelayEvent::Junk(_, text) if text.contains(what)))
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.relay.poll_timeout().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.relay.handle_timeout(self.now);
        }
        self.now = until;
    }

    pub(super) fn ask(&mut self, id: i64, method: &str, params: Value) {
        self.client(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
    }

    pub(super) fn call(&mut self, id: i64) {
        self.ask(id, "tools/call", json!({"name": "t", "arguments": {"n": id}}));
    }

    pub(super) fn answer(&mut self, twin: TwinId, id: &Value, result: Value) {
        self.twin(twin, &json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    pub(super) fn refuse(&mut self, twin: TwinId, id: &Value, code: i32) {
        self.twin(twin, &json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "no"}}));
    }

    /// A twin asks the client something.
    pub(super) fn ask_of(&mut self, twin: TwinId, id: Value, method: &str) {
        self.twin(twin, &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}}));
    }

    pub(super) fn note_of(&mut self, twin: TwinId, method: &str) {
        self.twin(twin, &json!({"jsonrpc": "2.0", "method": method, "params": {}}));
    }

    pub(super) fn cancel(&mut self, id: Value) {
        let params = json!({"requestId": id, "reason": "x"});
        self.client(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}));
    }

    pub(super) fn die(&mut self, twin: TwinId) {
        let fault = fault(Code::Crashed, "exited with status 1").with_stderr("Traceback\nValueError: boom\n");
        self.relay.twin_gone(twin, &fault, self.now);
    }

    pub(super) fn initialize(&mut self) {
        self.client(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {"roots": {"listChanged": true}, "sampling": {}},
            "clientInfo": {"name": "test", "version": "1.0"}, "x": 12345678901234567890123_f64}}));
    }

    pub(super) fn initialized(&mut self) {
        self.client(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }

    /// A result of `initialize`.
    pub(super) fn welcome(capabilities: &Value) -> Value {
        json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": {"name": "s", "version": "2"}})
    }

    /// The metadata of a modern request.
    pub(super) fn meta() -> Value {
        json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1.0"},
            "io.modelcontextprotocol/clientCapabilities": {"sampling": {}},
        })
    }

    /// A modern request: these params, and the metadata.
    pub(super) fn modern_ask(&mut self, id: Value, method: &str, mut params: Value) {
        params["_meta"] = Self::meta();
        self.client(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
    }

    /// A result of `server/discover`.
    pub(super) fn discovery(capabilities: &Value) -> Value {
        json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities, "ttlMs": 0,
            "cacheScope": "private", "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "2"}}})
    }

    /// A modern session that is open on A, with the baseline known and nothing on the way.
    pub(super) fn modern() -> Self {
        let mut rig = Self::new();
        rig.relay.attach(A);
        rig.relay.probe(A, false, rig.now);
        rig.modern_ask(json!("d"), "server/discover", json!({}));
        rig.serve(A, &full(), &Self::tools());
        assert_eq!(rig.client_reads()[0]["result"], Self::discovery(&full()));
        rig.relay.prepare(A, rig.now);
        rig.relay.handover(A, rig.now).unwrap();
        rig.pass(Duration::from_secs(1));
        rig.serve(A, &full(), &Self::tools());
        rig.events();
        assert!(rig.client_reads().is_empty());
        rig
    }

    /// Plays a twin that has these tools and no resources: answers every list and everything of the ledger.
    /// What it does not know is returned.
    pub(super) fn serve(&mut self, twin: TwinId, capabilities: &Value, tools: &Value) -> Vec<Value> {
        let mut rest = Vec::new();
        loop {
            let lines = self.twin_reads(twin);
            if lines.is_empty() {
                return rest;
            }
            for line in lines {
                let id = line["id"].clone();
                match line["method"].as_str().unwrap_or_default() {
                    "initialize" => self.answer(twin, &id, Self::welcome(capabilities)),
                    "server/discover" => self.answer(twin, &id, Self::discovery(capabilities)),
                    "subscriptions/listen" => {
                        let granted = &line["params"]["notifications"];
                        self.twin(twin, &json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                            "params": {"notifications": granted, "_meta": {"io.modelcontextprotocol/subscriptionId": id}}}));
                        rest.push(line);
                    }
                    "tools/list" => self.answer(twin, &id, json!({"tools": tools})),
                    "resources/list" => self.answer(twin, &id, json!({"resources": []})),
                    "resources/templates/list" => self.answer(twin, &id, json!({"resourceTemplates": []})),
                    "prompts/list" => self.answer(twin, &id, json!({"prompts": []})),
                    "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
                        self.answer(twin, &id, json!({}));
                        rest.push(line);
                    }
                    _ => rest.push(line),
                }
            }
        }
    }

    /// A session that is open on A, with the baseline known and nothing on the way.
    pub(super) fn open(capabilities: &Value, tools: &Value) -> Self {
        Self::new().opened(capabilities, tools)
    }

    pub(super) fn opened(self, capabilities: &Value, tools: &Value) -> Self {
        let mut rig = self.opened_quietly(capabilities, tools);
        rig.events();
        rig
    }

    /// The same, with what the relay says of it still to be read.
    pub(super) fn opened_quietly(mut self, capabilities: &Value, tools: &Value) -> Self {
        self.relay.attach(A);
        self.relay.probe(A, false, self.now);
        self.initialize();
        self.serve(A, capabilities, tools);
        assert_eq!(self.client_reads().len(), 1);
        self.relay.prepare(A, self.now);
        self.relay.handover(A, self.now).unwrap();
        self.initialized();
        self.pass(Duration::from_secs(1));
        self.serve(A, capabilities, tools);
        assert!(self.client_reads().is_empty());
        self
    }

    pub(super) fn tools() -> Value {
        json!([{"name": "t", "inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}}}])
    }

    /// Attaches and proves a twin.
    pub(super) fn ready(&mut self, twin: TwinId, capabilities: &Value, tools: &Value) -> ProbeReport {
        self.relay.attach(twin);
        self.relay.probe(twin, false, self.now);
        self.serve(twin, capabilities, tools);
        if let Some(active) = self.relay.active() {
            self.serve(active, capabilities, &Self::tools());
        }
        let events = self.events();
        let report = events.iter().find_map(|event| match event {
            RelayEvent::Ready(ready, report) if *ready == twin => Some(report.clone()),
            _ => None,
        });
        report.unwrap_or_else(|| panic!("not ready: {events:?}"))
    }

    /// Proves a twin and moves the route to it.
    pub(super) fn swap(&mut self, twin: TwinId, capabilities: &Value, tools: &Value) {
        self.ready(twin, capabilities, tools);
        self.relay.prepare(twin, self.now);
        self.serve(twin, capabilities, tools);
        assert_eq!(self.events(), [RelayEvent::Prepared(twin)]);
        self.relay.handover(twin, self.now).unwrap();
    }
}

/// Ids of the client's messages that were answered, with `result` or `error`.
pub(super) fn answers(lines: &[Value]) -> Vec<(i64, &'static str)> {
    let kind = |line: &Value| if line.get("error").is_some() { "error" } else { "result" };
    lines
        .iter()
        .filter(|line| line.get("method").is_none())
        .map(|line| (line["id"].as_i64().unwrap_or(-1), kind(line)))
        .collect()
}

/// Methods of the messages that are no answers.
pub(super) fn methods(lines: &[Value]) -> Vec<String> {
    lines.iter().filter_map(|line| line["method"].as_str()).map(str::to_owned).collect()
}
