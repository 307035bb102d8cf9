//! What is asked of the machine: its clients' configurations, its ports, and the fronts that run, with what they wrote down.

use crate::done::{Done, thrown};
use mcp_twin_core::port;
use mcp_twin_runtime::embedded::binding::{self, Trouble, blocking, text};
use mcp_twin_runtime::logs as said;
use pyo3::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of mcp-twin.
#[pyfunction]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The hash by which a server's ports are found.
#[pyfunction]
pub fn hash_code(name: &str) -> u32 {
    port::hash_code(name)
}

/// The ports that the twins of a server of this name get, where nothing is in their way.
#[pyfunction]
pub fn assign_ports(name: &str) -> (u16, u16) {
    port::assign_ports(name)
}

/// The script that a command runs when it is started in `cwd`, if it runs one.
#[pyfunction]
pub fn extract_script_path(command: &str, args: Vec<String>, cwd: PathBuf) -> PyResult<Option<String>> {
    binding::script_path(command, &args, Some(cwd)).map_err(|trouble| thrown(&trouble))
}

/// The servers that clients start by a command on this machine, seen from a project, as JSON.
#[pyfunction]
pub fn detect_servers(py: Python<'_>, project: Option<PathBuf>) -> PyResult<String> {
    py.detach(|| text(&binding::detected(project)?)).map_err(|trouble| thrown(&trouble))
}

/// What starts the server of this name that a client has configured: its command without mcp-twin, folder and variables.
#[pyfunction]
pub fn starts(name: String, project: Option<PathBuf>, done: Py<PyAny>) -> PyResult<()> {
    Done::new(done).with(blocking(move || text(&binding::starts(&name, project)?)))
}

/// The fronts that run, or those of one server, as JSON.
#[pyfunction]
pub fn running(server: Option<String>, directory: Option<PathBuf>, done: Py<PyAny>) -> PyResult<()> {
    Done::new(done).with(blocking(move || text(&binding::running(server.as_deref(), directory)?)))
}

/// Asks a front of the machine, as `running` gave it.
#[pyfunction]
pub fn ask_other(front: String, ask: String, seconds: f64, done: Py<PyAny>) -> PyResult<()> {
    let deadline = Duration::try_from_secs_f64(seconds).map_err(|error| thrown(&Trouble::usage(error.to_string())))?;
    Done::new(done).with(blocking(move || binding::ask_other(&front, &ask, deadline)))
}

/// The last that happened to the servers of this name, the oldest first, as JSON.
#[pyfunction]
pub fn history(server: String, last: usize, directory: Option<PathBuf>, done: Py<PyAny>) -> PyResult<()> {
    Done::new(done).with(blocking(move || text(&binding::history(&server, last, directory)?)))
}

/// The last lines of the logs in a folder, the oldest first.
#[pyfunction]
pub fn logs(folder: PathBuf, last: usize, done: Py<PyAny>) -> PyResult<()> {
    Done::new(done).with(blocking(move || Ok(said::tail(Path::new(&folder), last))))
}
