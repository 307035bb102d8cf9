//! `mcp-twin detect`: every MCP server that the clients of this machine have configured.

pub(crate) mod document;
pub(crate) mod view;

use crate::args::DetectArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::detect as render;
use crate::screen::Screen;
use mcp_twin_core::detect::{Client, Scope, detect_in};
use mcp_twin_core::spec::nearest;
use mcp_twin_runtime::machine::ThisMachine;
use std::path::{Path, PathBuf};

/// The JSON Schema of `detect --json`.
const SCHEMA: &str = include_str!("../schema/detect.json");

/// Shows what is configured. Files that cannot be read are part of that: the exit status is 0 with them too.
pub(crate) fn detect(args: &DetectArgs, json: bool) -> Result<Exit, Failure> {
    if args.schema {
        Screen::print(SCHEMA);
        return Ok(Exit::Fine);
    }
    let clients = args.client.iter().map(|name| client(name)).collect::<Result<Vec<_>, _>>()?;
    let scopes: Vec<Scope> = args.scope.iter().map(|scope| Scope::from(*scope)).collect();
    let this = machine(args.project.as_deref())?;
    let machine = this.machine();
    let sources = Client::all()
        .filter(|client| clients.is_empty() || clients.contains(client))
        .flat_map(|client| client.sources(&machine))
        .collect();
    let found = view::document(&detect_in(&machine, sources), &machine, &scopes);
    if json {
        Screen::json(&found);
    } else {
        let filtered = !clients.is_empty() || !scopes.is_empty();
        Screen::print(&render::detected(&found, &this.home().to_string_lossy(), filtered));
    }
    Ok(Exit::Fine)
}

/// This machine, seen from a project: the one that is named, else the working directory.
pub(crate) fn machine(project: Option<&Path>) -> Result<ThisMachine, Failure> {
    let project = match project {
        Some(folder) => Some(folder_of(folder)?),
        // A folder that is gone is no reason not to look at the user's own files.
        None => std::env::current_dir().ok(),
    };
    ThisMachine::seen_from(project).ok_or_else(|| {
        Failure::configuration("cli::detect::no_home", "the home folder of this user is not known")
            .advise("try", "set HOME to it")
    })
}

fn folder_of(folder: &Path) -> Result<PathBuf, Failure> {
    let wrong = |why: String| Failure::usage(format!("--project {}: {why}", folder.display()));
    // What a process that stands there is told: without `..`, for the folders above it are looked at too.
    #[cfg(unix)]
    let whole = std::fs::canonicalize(folder);
    #[cfg(not(unix))]
    let whole = std::path::absolute(folder);
    let whole = match whole {
        Ok(whole) => whole,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(wrong("there is no such folder".to_owned()));
        }
        Err(error) => return Err(wrong(error.to_string())),
    };
    if whole.is_dir() { Ok(whole) } else { Err(wrong("it is no folder".to_owned())) }
}

fn client(name: &str) -> Result<Client, Failure> {
    Client::named(name).ok_or_else(|| {
        let failure = Failure::usage(format!("no client `{name}` is known"));
        let ids: Vec<&str> = Client::all().map(Client::id).collect();
        let failure = match nearest(name, ids.iter().copied()) {
            Some(nearest) => failure.did_you_mean(format!("mcp-twin detect --client {nearest}")),
            None => failure,
        };
        failure.advise("known", ids.join(", "))
    })
}
