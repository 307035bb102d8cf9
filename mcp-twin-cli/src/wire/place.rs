//! Where the user stands, and what is configured there.

use crate::failure::Failure;
use mcp_twin_core::detect::{Inventory, Source, detect_in, sources};
use mcp_twin_runtime::machine::ThisMachine;
use std::path::{Path, PathBuf};

/// What is configured on this machine for one project.
pub(crate) struct Surroundings {
    machine: ThisMachine,
    /// Every file that is or could be there.
    pub(crate) sources: Vec<Source>,
    pub(crate) inventory: Inventory,
}

impl Surroundings {
    /// Looks for the configurations of all clients; `project` is the working directory if nobody names another.
    pub(crate) fn look(project: Option<&Path>) -> Result<Self, Failure> {
        let project = folder(project)?;
        let machine = ThisMachine::seen_from(Some(project)).ok_or_else(|| {
            Failure::configuration("cli::home", "no home directory is known, and so no client's files")
                .advise("try", "set HOME to your home directory")
        })?;
        let sources = sources(&machine.machine());
        let inventory = detect_in(&machine.machine(), sources.clone());
        Ok(Self { machine, sources, inventory })
    }

    /// The user's home folder.
    pub(crate) fn home(&self) -> &Path {
        self.machine.home()
    }
}

fn folder(project: Option<&Path>) -> Result<PathBuf, Failure> {
    let Some(named) = project else {
        return std::env::current_dir().map_err(|error| {
            Failure::configuration("cli::cwd::none", format!("the working directory cannot be read: {error}"))
                .advise("try", "name the project with --project, or run it from a folder that exists")
        });
    };
    match std::fs::canonicalize(named) {
        Ok(path) if path.is_dir() => Ok(path),
        Ok(_) => Err(Failure::usage(format!("--project {} is not a folder", named.display()))),
        Err(error) => Err(Failure::usage(format!("--project {}: {error}", named.display()))),
    }
}
