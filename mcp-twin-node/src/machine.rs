//! What is asked of the machine: its clients' configurations, its ports, and the fronts that run, with what they wrote down.

use crate::order::usage;
use crate::trouble::Trouble;
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::detect::{Browse as _, Server, Source, counting, detect};
use mcp_twin_core::{detect, port};
use mcp_twin_runtime::fronts::{self, FrontAddress};
use mcp_twin_runtime::history::{self, HistoryLine};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::logs;
use mcp_twin_runtime::machine::{Disk, ThisMachine};
use napi::{Error, Result};
use napi_derive::napi;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// The largest configuration that is read.
const LARGEST: usize = 16 << 20;

/// The version of mcp-twin.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The hash by which a server's ports are found.
#[napi]
pub fn hash_code(name: String) -> u32 {
    port::hash_code(&name)
}

/// The ports that the twins of a server of this name get, where nothing is in their way.
#[napi(ts_return_type = "[number, number]")]
pub fn assign_ports(name: String) -> Vec<u16> {
    let (a, b) = port::assign_ports(&name);
    vec![a, b]
}

/// The script that a command runs when it is started in `cwd` (else here), if it runs one.
#[napi]
pub fn extract_script_path(command: String, args: Vec<String>, cwd: Option<String>) -> Result<Option<String>> {
    let cwd = match cwd {
        Some(cwd) => PathBuf::from(cwd),
        None => std::env::current_dir().map_err(|error| thrown(&usage(format!("the working directory: {error}"))))?,
    };
    let found = detect::extract_script_path(&command, &args, &cwd, &Disk);
    Ok(found.map(|path| path.display().to_string()))
}

/// The servers that clients start by a command on this machine, seen from a project (else from here), as JSON.
#[napi(js_name = "detectMcpServers")]
pub fn detect_mcp_servers(project: Option<String>) -> Result<String> {
    detected(project.map(PathBuf::from)).and_then(|found| json(&found)).map_err(|trouble| thrown(&trouble))
}

/// An error that is thrown: its text is the JSON of the trouble.
fn thrown(trouble: &Trouble) -> Error {
    Error::from_reason(trouble.json())
}

/// A server as detection shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    name: String,
    command: String,
    args: Vec<String>,
    script_path: Option<PathBuf>,
    cwd: Option<PathBuf>,
    env_names: Vec<String>,
    client: String,
    file: PathBuf,
    twinned: bool,
}

fn detected(project: Option<PathBuf>) -> std::result::Result<Vec<Config>, Trouble> {
    let this = machine(project)?;
    let machine = this.machine();
    Ok(counting(&detect(&machine)).filter_map(|(source, server)| config(source, server)).collect())
}

fn config(source: &Source, server: &Server) -> Option<Config> {
    let (command, args) = server.argv.split_first()?;
    Some(Config {
        name: server.name.clone(),
        command: command.clone(),
        args: args.to_vec(),
        script_path: server.launch.as_ref().and_then(|launch| launch.script.clone()),
        cwd: server.cwd.clone(),
        env_names: server.env_names.clone(),
        client: source.client.id().to_owned(),
        file: source.path.clone(),
        twinned: server.runs_mcp_twin(),
    })
}

/// What starts the server of this name that a client has configured: its command without mcp-twin, folder and variables.
#[derive(Debug, Serialize)]
pub struct Starts {
    command: Vec<String>,
    cwd: Option<PathBuf>,
    env: std::collections::BTreeMap<String, String>,
}

/// What starts the server of this name.
///
/// # Errors
/// No client has one, or none that is started by a command.
pub fn starts(name: &str, project: Option<PathBuf>) -> std::result::Result<Starts, Trouble> {
    let this = machine(project)?;
    let machine = this.machine();
    let inventory = detect(&machine);
    let places = inventory.servers.iter().flat_map(|group| &group.places);
    let mut entries: Vec<_> = places
        .filter_map(|place| inventory.entry(*place))
        .filter(|(_, server)| server.name == name && !server.original().is_empty())
        .collect();
    // One that a client starts, before one that is switched off.
    entries.sort_by_key(|(_, server)| !server.enabled || server.hidden);
    let found = entries.first().and_then(|(source, server)| {
        let bytes = Disk.read(&source.path, LARGEST).ok()??;
        source.start(server, &bytes, &machine)
    });
    let known = || {
        let names: Vec<String> = detected(None).unwrap_or_default().into_iter().map(|config| config.name).collect();
        if names.is_empty() {
            "no client has one configured".to_owned()
        } else {
            format!("known are {}", names.join(", "))
        }
    };
    match found {
        Some(start) => Ok(Starts { command: start.command, cwd: start.cwd, env: start.env.into_iter().collect() }),
        None => Err(Trouble::new("node::server::unknown", format!("no server `{name}` is configured")).with_help(
            format!("{}; or give its command: start('{name}', {{ command: 'python', args: ['server.py'] }})", known()),
        )),
    }
}

fn machine(project: Option<PathBuf>) -> std::result::Result<ThisMachine, Trouble> {
    let project = project.or_else(|| std::env::current_dir().ok());
    ThisMachine::seen_from(project).ok_or_else(|| {
        Trouble::new("node::home", "the home folder of this user is not known").with_help("set HOME to it")
    })
}

/// The fronts that run, or those of one server.
pub fn running(home: &Home, server: Option<&str>) -> Vec<FrontAddress> {
    let of_it =
        |front: &FrontAddress| server.is_none_or(|name| front.server == name || front.display.as_deref() == Some(name));
    fronts::running(home).into_iter().filter(of_it).collect()
}

/// What one of them answers.
///
/// # Errors
/// It does not, or not in time.
pub fn ask(front: &FrontAddress, ask: &Ask, deadline: Duration) -> std::result::Result<Answer, Trouble> {
    Ok(fronts::ask(front, ask, deadline)?)
}

/// The last that happened to the servers of this name, the oldest first.
///
/// # Errors
/// It cannot be read.
pub fn history(home: &Home, server: &str, last: usize) -> std::result::Result<Vec<HistoryLine>, Trouble> {
    let mut lines = Vec::new();
    for key in history::servers(home, server) {
        let read = history::read(home, &key);
        lines.extend(read.map_err(|error| Trouble::new("node::history", error.to_string()))?);
    }
    lines.sort_by_key(|line| line.ms);
    Ok(lines.split_off(lines.len().saturating_sub(last)))
}

/// The last lines of the logs in a folder, the oldest first.
pub fn logs_in(folder: &std::path::Path, last: usize) -> Vec<String> {
    logs::tail(folder, last)
}

/// As JavaScript reads it.
///
/// # Errors
/// It is a bug.
pub fn json(value: &impl Serialize) -> std::result::Result<String, Trouble> {
    serde_json::to_string(value).map_err(|error| Trouble::new("node::internal", format!("a bug of mcp-twin: {error}")))
}
