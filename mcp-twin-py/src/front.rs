//! A front of this process, as Python holds it.

use crate::done::{Done, thrown};
use futures_util::FutureExt;
use mcp_twin_runtime::embedded::binding::{self, Begun, Trouble};
use mcp_twin_runtime::embedded::{self, ClientReceiver, ClientSender, EventStream, SendError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
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
        let Begun { front, url, client } = binding::begin(&order).await?;
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
        Done::new(done).with(async move { binding::outcome(front.first().await.ok_or_else(Trouble::gone)?) })
    }

    /// Asks it something, as in the control protocol.
    fn ask(&self, ask: &str, done: Py<PyAny>) -> PyResult<()> {
        let ask = binding::asked(ask).map_err(|trouble| thrown(&trouble))?;
        let front = Arc::clone(&self.front);
        Done::new(done).with(async move { binding::answer(front.ask(ask).await) })
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
            let sender = sender.ok_or_else(Trouble::gone)?;
            sender.send(line).await.map_err(|error| match error {
                SendError::Broken => Trouble::usage("a message must not hold a line break"),
                _ => Trouble::gone(),
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
            let receiver = receiver.as_mut().ok_or_else(Trouble::gone)?;
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
                if let Some(event) = binding::event(&event) {
                    return Ok(Some(event.to_string()));
                }
            }
            Ok(None)
        })
    }
}
