//! A raw MCP client over Streamable HTTP: no SDK, no pool of connections, no retries, nothing that could hide a lost answer.
//!
//! Every message takes a connection of its own; [`Wire`] keeps one for those who want to send several over it. Nothing is
//! read before a test asks for it, so that any number of requests can be open without a thread.

mod exchange;

pub use exchange::{Event, Exchange, Head, Next, Wire};

use crate::client::{PROTOCOL, text_of};
use crate::wait::until;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

/// The revision of the modern era.
pub const MODERN: &str = "2026-07-28";

/// Which of the two eras a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// `initialize`, and a session where the server gives one.
    Legacy,
    /// Metadata in each request, mirrored in its headers.
    Modern,
}

/// A client of one endpoint.
#[derive(Debug)]
pub struct HttpClient {
    host: String,
    path: String,
    era: Era,
    headers: Vec<(String, String)>,
    session: Mutex<Session>,
    last: AtomicI64,
}

#[derive(Clone, Debug, Default)]
struct Session {
    id: Option<String>,
    protocol: Option<String>,
}

impl HttpClient {
    /// A legacy client of this URL (`http://127.0.0.1:PORT/mcp`); it has not said anything yet.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("no http URL: {url}"));
        let (host, path) =
            rest.split_once('/').map_or((rest, "/".to_owned()), |(host, path)| (host, format!("/{path}")));
        Self {
            host: host.to_owned(),
            path,
            era: Era::Legacy,
            headers: Vec::new(),
            session: Mutex::default(),
            last: AtomicI64::new(1000),
        }
    }

    /// The same in the modern era, which has no opening.
    #[must_use]
    pub fn modern(url: &str) -> Self {
        Self { era: Era::Modern, ..Self::new(url) }
    }

    /// Sends this header with everything from now on.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where it connects to.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The id of the session, once the server has given one.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        self.lock().id.clone()
    }

    /// Takes another session id, known or not; none with `None`.
    pub fn set_session(&self, id: Option<&str>) {
        self.lock().id = id.map(str::to_owned);
    }

    /// `initialize` with these capabilities; the session and the revision that come of it are used from now on.
    pub fn initialize(&self, capabilities: Value) -> Value {
        let info = json!({"name": "mcp-twin-tests", "version": "1"});
        let params = json!({"protocolVersion": PROTOCOL, "capabilities": capabilities, "clientInfo": info});
        let mut exchange = self.send("initialize", params);
        let answer = exchange.answer();
        let mut session = self.lock();
        session.id = exchange.head().header("mcp-session-id").map(str::to_owned);
        session.protocol = answer["result"]["protocolVersion"].as_str().map(str::to_owned);
        answer
    }

    /// The whole legacy opening; gives back the result of `initialize`. A modern client discovers instead.
    pub fn open(&self) -> Value {
        if self.era == Era::Modern {
            return self.ask("server/discover", json!({}))["result"].clone();
        }
        let answer = self.initialize(json!({}));
        assert!(answer["result"].is_object(), "initialize was refused: {answer}");
        self.notify("notifications/initialized", json!({}));
        answer["result"].clone()
    }

    /// Sends a request with a new id.
    pub fn send(&self, method: &str, params: Value) -> Exchange {
        self.send_as(json!(self.last.fetch_add(1, Ordering::Relaxed) + 1), method, params)
    }

    /// Sends a request with this id.
    pub fn send_as(&self, id: Value, method: &str, params: Value) -> Exchange {
        let message = self.message(Some(id), method, params);
        self.post(&message)
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&self, method: &str, params: Value) -> Value {
        self.send(method, params).answer()
    }

    /// Sends a notification, which is accepted.
    pub fn notify(&self, method: &str, params: Value) {
        let mut exchange = self.post(&self.message(None, method, params));
        let status = exchange.status();
        assert_eq!(status, 202, "{method}: {exchange:?}");
    }

    /// Answers a request of the server; this is accepted.
    pub fn reply(&self, id: &Value, result: Value) {
        let mut exchange = self.post(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
        let status = exchange.status();
        assert_eq!(status, 202, "{exchange:?}");
    }

    /// A message of this client's era, as [`HttpClient::post`] takes it.
    #[must_use]
    pub fn message(&self, id: Option<Value>, method: &str, mut params: Value) -> Value {
        if self.era == Era::Modern {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
            let capabilities = &mut meta["io.modelcontextprotocol/clientCapabilities"];
            if capabilities.is_null() {
                *capabilities = json!({});
            }
        }
        let mut message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        if let Some(id) = id {
            message["id"] = id;
        }
        message
    }

    /// POSTs a message as it is, with the headers that belong to it.
    pub fn post(&self, message: &Value) -> Exchange {
        self.wire().send("POST", &self.path, &self.headers_of(message), message.to_string().as_bytes())
    }

    /// Opens the stream of what the server says by itself.
    pub fn get(&self) -> Exchange {
        self.raw("GET", &[("Accept", "text/event-stream")], b"")
    }

    /// Asks for what came behind this event.
    pub fn resume(&self, last_event: &str) -> Exchange {
        self.raw("GET", &[("Accept", "text/event-stream"), ("Last-Event-ID", last_event)], b"")
    }

    /// Ends the session; gives back the status.
    pub fn delete(&self) -> u16 {
        self.raw("DELETE", &[], b"").status()
    }

    /// Sends what a test likes, with the headers of the session, and of this client, before these.
    pub fn raw(&self, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Exchange {
        let mut all = self.session_headers();
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.wire().send(method, &self.path, &all, body)
    }

    /// A connection to keep.
    #[must_use]
    pub fn wire(&self) -> Wire {
        Wire::connect(&self.host)
    }

    /// POSTs a message over a connection that is kept.
    pub fn post_over(&self, wire: Wire, message: &Value) -> Exchange {
        wire.send("POST", &self.path, &self.headers_of(message), message.to_string().as_bytes())
    }

    /// Calls a tool without waiting.
    pub fn call(&self, tool: &str, arguments: Value) -> Exchange {
        self.send("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Calls `work`, which answers after `ms` milliseconds with version, process id and key, without waiting.
    pub fn work(&self, ms: u64, key: &str) -> Exchange {
        self.call("work", json!({"ms": ms, "key": key}))
    }

    /// Calls a tool and gives back the first text of its result.
    pub fn text(&self, tool: &str, arguments: Value) -> String {
        let answer = self.call(tool, arguments).answer();
        text_of(&answer).unwrap_or_else(|| panic!("`{tool}` did not answer well: {answer}"))
    }

    /// Calls a tool that answers with JSON.
    pub fn body(&self, tool: &str, arguments: Value) -> Value {
        serde_json::from_str(&self.text(tool, arguments)).expect("JSON in the answer")
    }

    /// The version of the code that answers now.
    pub fn version(&self) -> String {
        self.text("version", json!({}))
    }

    /// Calls `version` until it is the one wanted.
    pub fn until_version(&self, wanted: &str) {
        until(&format!("an answer of {wanted}"), || (self.version() == wanted).then_some(()));
    }

    /// The names of the tools, in order.
    pub fn tools(&self) -> Vec<String> {
        let answer = self.ask("tools/list", json!({}));
        let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tool list: {answer}"));
        tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
    }

    fn headers_of(&self, message: &Value) -> Vec<(String, String)> {
        let mut headers = self.session_headers();
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        add("Content-Type", "application/json");
        add("Accept", "application/json, text/event-stream");
        if self.era == Era::Modern {
            add("MCP-Protocol-Version", MODERN);
            let method = message["method"].as_str().unwrap_or_default();
            add("Mcp-Method", method);
            let named = match method {
                "tools/call" | "prompts/get" => &message["params"]["name"],
                "resources/read" => &message["params"]["uri"],
                _ => &Value::Null,
            };
            if let Some(name) = named.as_str() {
                add("Mcp-Name", name);
            }
        }
        headers
    }

    fn session_headers(&self) -> Vec<(String, String)> {
        let session = self.lock().clone();
        let mut headers = self.headers.clone();
        headers.extend(session.id.map(|id| ("Mcp-Session-Id".to_owned(), id)));
        headers.extend(session.protocol.map(|protocol| ("MCP-Protocol-Version".to_owned(), protocol)));
        headers
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Session> {
        self.session.lock().expect("no panic while the session is known")
    }
}
