//! A client's session with a server or a front, in either era: for commands that have something to ask.
//!
//! It sends requests under numbers of its own, pairs the answers, pages through lists and answers what it is asked itself:
//! `ping`, and `roots/list` with none; everything else it refuses, for it declares no capability. Answers that belong to
//! nothing are counted. It neither starts nor ends anything.

mod books;
mod lists;

pub use lists::{Listed, Lists};

use crate::embedded::{ClientPipe, ClientReceiver, ClientSender};
use books::Books;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Which of the two ways a session is opened and spoken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Era {
    /// `initialize`: every revision up to 2025-11-25.
    Legacy,
    /// `server/discover`, and metadata on each request: 2026-07-28.
    Modern,
}

impl Era {
    /// Both, the older one first.
    pub const ALL: [Self; 2] = [Self::Legacy, Self::Modern];

    /// The revision that is asked for.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
        }
    }

    /// The method that opens a session.
    #[must_use]
    pub const fn opening(self) -> &'static str {
        match self {
            Self::Legacy => "initialize",
            Self::Modern => "server/discover",
        }
    }

    /// One word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was answered with an error.
    #[error("{message} ({code})")]
    Refused {
        /// JSON-RPC's number.
        code: i64,
        /// What it says.
        message: String,
        /// More, if it says more.
        data: Value,
    },
    /// No answer came in time.
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    Late(Duration),
    /// The other side closed the connection.
    #[error("the connection was closed before the answer came")]
    Closed,
    /// What was answered is not what the protocol says.
    #[error("{0}")]
    Malformed(String),
}

impl RequestError {
    /// Whether the server itself refused it, not a front before it: those name a code of mcp-twin.
    #[must_use]
    pub fn is_servers_own(&self) -> bool {
        matches!(self, Self::Refused { data, .. } if !data["code"].as_str().is_some_and(|code| code.starts_with("twin::")))
    }

    /// The server's stderr, where a front gave it along.
    #[must_use]
    pub fn stderr(&self) -> &str {
        match self {
            Self::Refused { data, .. } => data["stderr"].as_str().unwrap_or_default(),
            _ => "",
        }
    }
}

/// What a server says of itself when it is opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Welcome {
    /// The revision that is spoken from now on.
    pub version: String,
    /// Name and version, where it says them.
    pub server: Option<String>,
    /// What it can do.
    pub capabilities: Map<String, Value>,
}

/// A session. Cheap to clone; with the last one its client's input ends.
#[derive(Clone)]
pub struct Session {
    era: Era,
    about: Value,
    sender: ClientSender,
    books: Arc<Mutex<Books>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("era", &self.era).finish_non_exhaustive()
    }
}

impl Session {
    /// A session over these pipes, not opened yet. It reads on the current runtime until the other side closes, also when
    /// nobody holds it any more. `client` is the name under which it says who it is.
    #[must_use]
    pub fn new(pipe: ClientPipe, era: Era, client: &str) -> Self {
        let (sender, receiver) = pipe.split();
        let books = Arc::new(Mutex::new(Books::default()));
        tokio::spawn(read(receiver, Arc::downgrade(&books), sender.downgrade()));
        let about = json!({"name": client, "version": env!("CARGO_PKG_VERSION")});
        Self { era, about, sender, books }
    }

    /// Its era.
    #[must_use]
    pub fn era(&self) -> Era {
        self.era
    }

    /// Opens it.
    ///
    /// # Errors
    /// The server does not speak this era, or does not answer.
    pub async fn open(&self, limit: Duration) -> Result<Welcome, RequestError> {
        let params = match self.era {
            Era::Legacy => {
                json!({"protocolVersion": self.era.version(), "capabilities": {}, "clientInfo": self.about})
            }
            Era::Modern => json!({}),
        };
        let result = self.request(self.era.opening(), params, limit).await?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let info = match self.era {
            Era::Legacy => &result["serverInfo"],
            Era::Modern => &result["_meta"]["io.modelcontextprotocol/serverInfo"],
        };
        let info = if info.is_null() { &result["serverInfo"] } else { info };
        let server =
            text(&info["name"]).map(|name| match info["version"].as_str().filter(|version| !version.is_empty()) {
                Some(version) => format!("{name} {version}"),
                None => name,
            });
        let version = match self.era {
            Era::Legacy => text(&result["protocolVersion"])
                .ok_or_else(|| RequestError::Malformed("its answer names no protocolVersion".to_owned()))?,
            Era::Modern => {
                let all: Vec<&str> =
                    result["supportedVersions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                if !all.contains(&self.era.version()) {
                    let speaks = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
                    let message =
                        format!("it does not name {} among its supportedVersions: {speaks}", self.era.version());
                    return Err(RequestError::Malformed(message));
                }
                self.era.version().to_owned()
            }
        };
        if self.era == Era::Legacy {
            self.notify("notifications/initialized", json!({})).await;
        }
        let capabilities = result["capabilities"].as_object().cloned().unwrap_or_default();
        Ok(Welcome { version, server, capabilities })
    }

    /// Sends a request and waits for its result. What comes too late is cancelled.
    ///
    /// # Errors
    /// There is no result: see [`RequestError`].
    pub async fn request(&self, method: &str, params: Value, limit: Duration) -> Result<Value, RequestError> {
        let (id, answer) = self.books().begin();
        let params = self.with_metadata(params);
        let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        let asked = async {
            if self.sender.send(line.into_bytes()).await.is_err() {
                return Err(RequestError::Closed);
            }
            answer.await.unwrap_or(Err(RequestError::Closed))
        };
        match timeout(limit, asked).await {
            Ok(answer) => answer,
            Err(_) => {
                self.books().give_up(id);
                if method != "initialize" {
                    let why = json!({"requestId": id, "reason": "it took too long"});
                    self.notify("notifications/cancelled", why).await;
                }
                Err(RequestError::Late(limit))
            }
        }
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// There is no result. A result that says `isError` is one.
    pub async fn call(&self, tool: &str, arguments: &Value, limit: Duration) -> Result<Value, RequestError> {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}), limit).await
    }

    /// Sends a notification, if there is room for it.
    async fn notify(&self, method: &str, params: Value) {
        let line = json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string();
        let _ = self.sender.try_send(line.into_bytes());
    }

    /// Lines that are no messages, and answers to nothing: the first few, and how many there were.
    #[must_use]
    pub fn strays(&self) -> (Vec<String>, usize) {
        self.books().strays()
    }

    fn with_metadata(&self, params: Value) -> Value {
        let mut params = params;
        if self.era == Era::Modern
            && let Some(params) = params.as_object_mut()
        {
            let meta = json!({
                "io.modelcontextprotocol/protocolVersion": self.era.version(),
                "io.modelcontextprotocol/clientInfo": self.about,
                "io.modelcontextprotocol/clientCapabilities": {},
            });
            params.insert("_meta".to_owned(), meta);
        }
        params
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads what the other side says until it closes.
async fn read(
    mut receiver: ClientReceiver,
    books: std::sync::Weak<Mutex<Books>>,
    sender: crate::embedded::WeakClientSender,
) {
    while let Some(line) = receiver.recv().await {
        // Whoever asked may be gone: what still comes is read all the same, so that nobody is held up by it.
        let Some(books) = books.upgrade() else { continue };
        let reply = books.lock().unwrap_or_else(PoisonError::into_inner).take(&line);
        if let (Some(reply), Some(sender)) = (reply, sender.upgrade()) {
            // One that reads nothing asks in vain.
            let _ = sender.try_send(reply);
        }
    }
    if let Some(books) = books.upgrade() {
        books.lock().unwrap_or_else(PoisonError::into_inner).close();
    }
}

/// What waits for the answer to a request.
type Waiting = oneshot::Sender<Result<Value, RequestError>>;
