//! A front of this process, as Python holds it.

use crate::done::Done;
use crate::order::{Kind, Wanted};
use crate::trouble::Trouble;
use futures_util::FutureExt;
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::swap::{Notice, Outcome};
use mcp_twin_core::{Code, Fault};
use mcp_twin_runtime::embedded::{self, ClientReceiver, ClientSender, EventStream, FrontEvent, SendError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// So many messages are given to Python at once.
const BATCH: usize = 64;

/// A front. Dropped, it ends by itself, with all of its twins.
#[pyclass(frozen, module = "mcp_twin._native")]
pub struct Front {
    front: Arc<embedded::Front>,
    url: Option<String>,
    /// What its client says, where that is in this process. Gone once the client has ended.
    sender: Mutex<Option<ClientSender>>,
    /// What it hears. One at a time reads.
    receiver: Arc<tokio::sync::Mutex<Option<ClientReceiver>>>,
}

/// The events of a front, from when this was made.
#[pyclass(frozen, module = "mcp_twin._native")]
pub struct Events(Arc<tokio::sync::Mutex<EventStream>>);

/// Messages, as Python's bytes.
struct Lines(Vec<Vec<u8>>);

impl<'py> IntoPyObject<'py> for Lines {
    type Target = pyo3::types::PyList;
    type Output = Bound<'py, Self::Target>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        pyo3::types::PyList::new(py, self.0.iter().map(|line| PyBytes::new(py, line)))
    }
}

/// Makes a front; `done` gets it once it has begun. Its server may still be starting then.
#[pyfunction]
pub fn begin(order: String, done: Py<PyAny>) -> PyResult<()> {
    Done::new(done).with(async move {
        let wanted = Wanted::read(&order)?;
        let embedding = wanted.embedding();
        let (front, url, client) = match wanted.kind {
            Kind::Client => {
                let (front, pipe) = embedded::stdio(wanted.run()?, embedding).await?;
                (front, None, Some(pipe.split()))
            }
            Kind::Stdio | Kind::Http => {
                let (front, url) = embedded::http(wanted.serve()?, embedding).await?;
                (front, Some(url), None)
            }
        };
        let (sender, receiver) = client.unzip();
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        Ok(Front { front: Arc::new(front), url, sender: Mutex::new(sender), receiver })
    })
}

#[pymethods]
impl Front {
    /// Its id, unique on this machine.
    #[getter]
    fn id(&self) -> &str {
        self.front.id()
    }

    /// The server's name, as other commands know it.
    #[getter]
    fn server(&self) -> &str {
        self.front.server()
    }

    /// Where clients reach it, if it has an address.
    #[getter]
    fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Whether it has ended.
    #[getter]
    fn closed(&self) -> bool {
        self.front.is_closed()
    }

    /// Waits for what came of the first start of the server.
    fn first(&self, done: Py<PyAny>) -> PyResult<()> {
        let front = Arc::clone(&self.front);
        Done::new(done).with(async move { outcome(front.first().await.ok_or_else(gone)?) })
    }

    /// Asks it something, as in the control protocol.
    fn ask(&self, ask: &str, done: Py<PyAny>) -> PyResult<()> {
        let (front, ask) = (Arc::clone(&self.front), asked(ask)?);
        Done::new(done).with(async move { answer(front.ask(ask).await) })
    }

    /// Orders its end, and waits for nothing.
    fn end(&self) {
        self.front.end();
    }

    /// Ends it, and answers when it has ended.
    fn close(&self, done: Py<PyAny>) -> PyResult<()> {
        self.front.end();
        let front = Arc::clone(&self.front);
        Done::new(done).with(async move {
            front.close().await;
            Ok(())
        })
    }

    /// What happens from now on.
    fn events(&self) -> Events {
        Events(Arc::new(tokio::sync::Mutex::new(self.front.events())))
    }

    /// Sends a message of its client's, if it can go at once; whether it went. Else `send` is to be used.
    fn send_now(&self, line: &[u8]) -> bool {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().is_some_and(|sender| sender.try_send(line.to_vec()).is_ok())
    }

    /// Sends a message of its client's, once there is room.
    fn send(&self, line: Vec<u8>, done: Py<PyAny>) -> PyResult<()> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Done::new(done).with(async move {
            let sender = sender.ok_or_else(gone)?;
            sender.send(line).await.map_err(|error| match error {
                SendError::Broken => Trouble::usage("a message must not hold a line break"),
                _ => gone(),
            })
        })
    }

    /// The client has said all: what it is owed is brought first, then the front ends.
    fn end_input(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Waits for messages to the client: all that are there, one at least; nothing once the front has ended.
    fn receive(&self, done: Py<PyAny>) -> PyResult<()> {
        let receiver = Arc::clone(&self.receiver);
        Done::new(done).with(async move {
            let mut receiver = receiver.lock().await;
            let receiver = receiver.as_mut().ok_or_else(gone)?;
            let mut lines: Vec<Vec<u8>> = receiver.recv().await.into_iter().collect();
            while !lines.is_empty()
                && lines.len() < BATCH
                && let Some(Some(line)) = receiver.recv().now_or_never()
            {
                lines.push(line);
            }
            Ok(Lines(lines))
        })
    }
}

#[pymethods]
impl Events {
    /// Waits for the next event, as JSON; nothing once the front has ended.
    fn next(&self, done: Py<PyAny>) -> PyResult<()> {
        let events = Arc::clone(&self.0);
        Done::new(done).with(async move {
            let mut events = events.lock().await;
            while let Some(event) = events.next().await {
                if let Some(event) = event_of(&event) {
                    return Ok(Some(event.to_string()));
                }
            }
            Ok(None)
        })
    }
}

/// What is asked, as Python says it.
///
/// # Errors
/// It is nothing that can be asked.
pub fn asked(ask: &str) -> Result<Ask, Trouble> {
    serde_json::from_str(ask).map_err(|error| Trouble::usage(error.to_string()))
}

/// An answer for Python; what did not work is an error there.
///
/// # Errors
/// It did not work.
pub fn answer(answer: Answer) -> Result<String, Trouble> {
    match answer {
        Answer::Status(status) => text(&*status),
        Answer::Outcome(done) => outcome(done),
        Answer::Edited(edit) => text(&edit),
        Answer::Files(files) => text(&files),
        Answer::Called(answer) => text(&answer),
        Answer::Error(fault) => Err(fault.into()),
        Answer::Accepted => Err(Trouble::bug("an acceptance is no answer")),
    }
}

fn outcome(outcome: Outcome) -> Result<String, Trouble> {
    let changes = match &outcome {
        Outcome::Verified { report, .. } => Some(report.diff.describe()),
        Outcome::Swapped { diff, .. } => Some(diff.describe()),
        _ => None,
    };
    match outcome {
        Outcome::Failed { fault, .. } => Err(fault.into()),
        // The new twin was tried, and left again: what was asked for is not there.
        Outcome::RolledBack { why: Some(fault), .. } => Err(fault.into()),
        done => {
            let mut done = serde_json::to_value(done).map_err(Trouble::bug)?;
            if let (Some(changes), Value::Object(fields)) = (changes, &mut done) {
                fields.insert("changes".to_owned(), changes.into());
            }
            text(&done)
        }
    }
}

/// As Python reads it.
///
/// # Errors
/// It is a bug.
pub fn text(value: &impl Serialize) -> Result<String, Trouble> {
    serde_json::to_string(value).map_err(Trouble::bug)
}

fn gone() -> Trouble {
    Fault::new(Code::Stopped, "the front has ended").into()
}

/// An event as Python hears it.
fn event_of(event: &FrontEvent) -> Option<Value> {
    let trouble = |fault: &Fault| serde_json::to_value(Trouble::from(fault.clone())).unwrap_or_default();
    Some(match event {
        FrontEvent::Notice(notice) => match notice {
            Notice::Swapped { previous: None, active, .. } => json!({"type": "started", "generation": active}),
            Notice::Swapped { previous, active, diff } => {
                json!({"type": "swapped", "previous": previous, "generation": active, "changes": diff.describe(), "breaking": diff.breaking})
            }
            Notice::Waiting { generation, breaking } => {
                json!({"type": "waiting", "generation": generation, "breaking": breaking})
            }
            Notice::ReloadFailed { generation, fault } => {
                json!({"type": "failed", "generation": generation, "error": trouble(fault)})
            }
            Notice::RolledBack { left, active, why } => {
                json!({"type": "rolled_back", "previous": left, "generation": active, "error": why.as_ref().map(trouble)})
            }
            Notice::Crashed { generation, fault } => {
                json!({"type": "crashed", "generation": generation, "error": trouble(fault)})
            }
            Notice::Down { fault } => json!({"type": "down", "error": trouble(fault)}),
            // Said as lines too.
            _ => return None,
        },
        FrontEvent::Said(line) => json!({"type": "log", "line": line}),
        FrontEvent::TwinSaid { twin, line } => json!({"type": "log", "twin": twin, "line": line}),
        FrontEvent::Missed(count) => json!({"type": "missed", "count": count}),
        _ => return None,
    })
}
