//! What is asked of the machine: its clients' configurations, its ports, and the fronts that run, with what they wrote down.

use crate::done::Done;
use crate::executor::blocking;
use crate::front::{answer, asked, text};
use crate::order::home;
use crate::trouble::Trouble;
use mcp_twin_core::detect::{Browse as _, Server, Source, counting, detect};
use mcp_twin_core::{detect, port};
use mcp_twin_runtime::fronts::{self, FrontAddress};
use mcp_twin_runtime::history as past;
use mcp_twin_runtime::logs as said;
use mcp_twin_runtime::machine::{Disk, ThisMachine};
use pyo3::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest configuration that is read.
const LARGEST: usize = 16 << 20;

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
pub fn extract_script_path(command: &str, args: Vec<String>, cwd: PathBuf) -> Option<String> {
    detect::extract_script_path(command, &args, &cwd, &Disk).map(|path| path.display().to_string())
}

/// The servers that clients start by a command on this machine, seen from a project, as JSON.
#[pyfunction]
pub fn detect_servers(py: Python<'_>, project: Option<PathBuf>) -> PyResult<String> {
    Ok(py.detach(|| text(&detected(project)?))?)
}

fn detected(project: Option<PathBuf>) -> Result<Vec<Value>, Trouble> {
    let this = machine(project)?;
    let machine = this.machine();
    Ok(counting(&detect(&machine)).filter_map(|(source, server)| found(source, server)).collect())
}

fn found(source: &Source, server: &Server) -> Option<Value> {
    let (command, args) = server.argv.split_first()?;
    Some(json!({
        "name": server.name,
        "command": command,
        "args": args,
        "script_path": server.launch.as_ref().and_then(|launch| launch.script.clone()),
        "cwd": server.cwd,
        "env_names": server.env_names,
        "client": source.client.id(),
        "file": source.path,
        "twinned": server.runs_mcp_twin(),
    }))
}

/// What starts the server of this name that a client has configured: its command without mcp-twin, folder and variables.
#[pyfunction]
pub fn starts(name: String, project: Option<PathBuf>, done: Py<PyAny>) -> PyResult<()> {
    Done::new(done).with(blocking(move || text(&starting(&name, project)?)))
}

fn starting(name: &str, project: Option<PathBuf>) -> Result<Value, Trouble> {
    let this = machine(project.clone())?;
    let machine = this.machine();
    let inventory = detect(&machine);
    let places = inventory.servers.iter().flat_map(|group| &group.places);
    let mut entries: Vec<_> = places
        .filter_map(|place| inventory.entry(*place))
        .filter(|(_, server)| server.name == name && !server.original().is_empty())
        .collect();
    // One that a client starts, before one that is switched off.
    entries.sort_by_key(|(_, server)| !server.enabled || server.hidden);
    let start = entries.first().and_then(|(source, server)| {
        let bytes = Disk.read(&source.path, LARGEST).ok()??;
        source.start(server, &bytes, &machine)
    });
    match start {
        Some(start) => {
            let env: BTreeMap<_, _> = start.env.into_iter().collect();
            Ok(json!({"command": start.command, "cwd": start.cwd, "env": env}))
        }
        None => {
            let known = detected(project).unwrap_or_default();
            let names: Vec<&str> = known.iter().filter_map(|server| server["name"].as_str()).collect();
            let known = if names.is_empty() { "no client has one configured".to_owned() } else { names.join(", ") };
            Err(Trouble::new("python::server::unknown", format!("no server `{name}` is configured"))
                .with_help(format!("known: {known}; or give its command, such as [\"python\", \"server.py\"]")))
        }
    }
}

fn machine(project: Option<PathBuf>) -> Result<ThisMachine, Trouble> {
    let project = project.or_else(|| std::env::current_dir().ok());
    ThisMachine::seen_from(project).ok_or_else(|| {
        Trouble::new("python::home", "the home folder of this user is not known").with_help("set HOME to it")
    })
}

/// The fronts that run, or those of one server, as JSON.
#[pyfunction]
pub fn running(server: Option<String>, directory: Option<PathBuf>, done: Py<PyAny>) -> PyResult<()> {
    Done::new(done).with(blocking(move || {
        let of_it = |front: &FrontAddress| {
            server.as_ref().is_none_or(|name| &front.server == name || front.display.as_ref() == Some(name))
        };
        let fronts: Vec<_> = fronts::running(&home(directory)?).into_iter().filter(of_it).collect();
        text(&fronts)
    }))
}

/// Asks a front of the machine, as `running` gave it.
#[pyfunction]
pub fn ask_other(front: &str, ask: &str, seconds: f64, done: Py<PyAny>) -> PyResult<()> {
    let front: FrontAddress = serde_json::from_str(front).map_err(|error| Trouble::usage(error.to_string()))?;
    let ask = asked(ask)?;
    let deadline = Duration::try_from_secs_f64(seconds).map_err(|error| Trouble::usage(error.to_string()))?;
    Done::new(done).with(blocking(move || answer(fronts::ask(&front, &ask, deadline)?)))
}

/// The last that happened to the servers of this name, the oldest first, as JSON.
#[pyfunction]
pub fn history(server: String, last: usize, directory: Option<PathBuf>, done: Py<PyAny>) -> PyResult<()> {
    Done::new(done).with(blocking(move || {
        let home = home(directory)?;
        let mut lines = Vec::new();
        for key in past::servers(&home, &server) {
            let read = past::read(&home, &key);
            lines.extend(read.map_err(|error| Trouble::new("python::history", error.to_string()))?);
        }
        lines.sort_by_key(|line| line.ms);
        text(&lines.split_off(lines.len().saturating_sub(last)))
    }))
}

/// The last lines of the logs in a folder, the oldest first.
#[pyfunction]
pub fn logs(folder: PathBuf, last: usize, done: Py<PyAny>) -> PyResult<()> {
    Done::new(done).with(blocking(move || Ok(said::tail(Path::new(&folder), last))))
}
