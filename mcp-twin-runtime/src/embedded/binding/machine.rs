//! What is asked of the machine: its clients' configurations, and the fronts that run, with what they wrote down.

use super::told;
use super::{Trouble, state_home};
use crate::fronts::{self, FrontAddress};
use crate::history::{self as past, HistoryLine};
use crate::machine::{Disk, ThisMachine};
use mcp_twin_core::detect::{self, Browse as _, Server, Source, counting, detect};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// The largest configuration that is read.
const LARGEST: usize = 16 << 20;

/// A server as detection shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Detected {
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

/// The script that a command runs when it is started in `cwd` (else here), if it runs one.
///
/// # Errors
/// There is no working directory.
pub fn script_path(command: &str, args: &[String], cwd: Option<PathBuf>) -> Result<Option<String>, Trouble> {
    let cwd = match cwd {
        Some(cwd) => cwd,
        None => std::env::current_dir().map_err(|error| Trouble::usage(format!("the working directory: {error}")))?,
    };
    Ok(detect::extract_script_path(command, args, &cwd, &Disk).map(|path| path.display().to_string()))
}

/// The servers that clients start by a command on this machine, seen from a project (else from here).
///
/// # Errors
/// The home folder of the user is not known.
pub fn detected(project: Option<PathBuf>) -> Result<Vec<Detected>, Trouble> {
    let this = machine(project)?;
    let machine = this.machine();
    Ok(counting(&detect(&machine)).filter_map(|(source, server)| found(source, server)).collect())
}

fn found(source: &Source, server: &Server) -> Option<Detected> {
    let (command, args) = server.argv.split_first()?;
    Some(Detected {
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
    /// Pairs rather than an object: these names are data, which no binding spells otherwise.
    env: Vec<(String, String)>,
}

/// What starts the server of this name.
///
/// # Errors
/// No client has one, or none that is started by a command.
pub fn starts(name: &str, project: Option<PathBuf>) -> Result<Starts, Trouble> {
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
    let start = entries.first().and_then(|(source, server)| {
        let bytes = Disk.read(&source.path, LARGEST).ok()??;
        source.start(server, &bytes, &machine)
    });
    match start {
        Some(start) => Ok(Starts { command: start.command, cwd: start.cwd, env: start.env.into_iter().collect() }),
        None => {
            let known: Vec<&str> = counting(&inventory).map(|(_, server)| server.name.as_str()).collect();
            let known = if known.is_empty() {
                "no client has one configured".to_owned()
            } else {
                format!("known are {}", known.join(", "))
            };
            Err(Trouble::new("twin::server::unknown", format!("no server `{name}` is configured"))
                .with_help(format!("{known}; or give its command, such as python server.py")))
        }
    }
}

fn machine(project: Option<PathBuf>) -> Result<ThisMachine, Trouble> {
    let project = project.or_else(|| std::env::current_dir().ok());
    ThisMachine::seen_from(project).ok_or_else(|| {
        Trouble::new("twin::home", "the home folder of this user is not known").with_help("set HOME to it")
    })
}

/// The fronts that run, or those of one server. `home` is the state directory, in place of that of the environment.
///
/// # Errors
/// There is no state directory.
pub fn running(server: Option<&str>, home: Option<PathBuf>) -> Result<Vec<FrontAddress>, Trouble> {
    let of_it =
        |front: &FrontAddress| server.is_none_or(|name| front.server == name || front.display.as_deref() == Some(name));
    Ok(fronts::running(&state_home(home)?).into_iter().filter(of_it).collect())
}

/// Asks a front of the machine, given as JSON as [`running`] told of it.
///
/// # Errors
/// It does not answer, not in time, or what was asked for did not come about.
pub fn ask_other(front: &str, ask: &str, deadline: Duration) -> Result<String, Trouble> {
    let front: FrontAddress = serde_json::from_str(front).map_err(|error| Trouble::usage(error.to_string()))?;
    told::answer(fronts::ask(&front, &told::asked(ask)?, deadline)?)
}

/// The last that happened to the servers of this name, the oldest first.
///
/// # Errors
/// It cannot be read.
pub fn history(server: &str, last: usize, home: Option<PathBuf>) -> Result<Vec<HistoryLine>, Trouble> {
    let home = state_home(home)?;
    let mut lines = Vec::new();
    for key in past::servers(&home, server) {
        let read = past::read(&home, &key);
        lines.extend(read.map_err(|error| Trouble::new("twin::history", error.to_string()))?);
    }
    lines.sort_by_key(|line| line.ms);
    Ok(lines.split_off(lines.len().saturating_sub(last)))
}
