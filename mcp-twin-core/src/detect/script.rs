//! Detection in its simplest form: name, command, arguments and script of what a machine's clients start.

use super::inventory::{Inventory, detect};
use super::launch::{Look, script_path};
use super::machine::Machine;
use super::server::Server;
use super::source::Source;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A server that a client starts by a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct McpServerConfig {
    /// Its name in the configuration.
    pub name: String,
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The script that it runs, if it runs one.
    pub script_path: Option<PathBuf>,
}

/// The servers that clients start by a command on this machine; each once, however many clients have it, and none that is
/// switched off. [`detect`] tells everything else.
#[must_use]
pub fn detect_mcp_servers(machine: &Machine<'_>) -> Vec<McpServerConfig> {
    counting(&detect(machine))
        .filter_map(|(_, server)| {
            let (command, args) = server.argv.split_first()?;
            Some(McpServerConfig {
                name: server.name.clone(),
                command: command.clone(),
                args: args.to_vec(),
                script_path: server.launch.as_ref().and_then(|launch| launch.script.clone()),
            })
        })
        .collect()
}

/// The servers of [`detect_mcp_servers`], and where each stands: the first entry that a client really uses.
pub fn counting(inventory: &Inventory) -> impl Iterator<Item = (&Source, &Server)> {
    inventory.servers.iter().filter(|group| group.enabled).filter_map(|group| {
        let entries = group.places.iter().filter_map(|place| inventory.entry(*place));
        entries.into_iter().find(|(_, server)| server.enabled && !server.hidden)
    })
}

/// The script that a command runs when it is started in `cwd`, if it runs one.
#[must_use]
pub fn extract_script_path(command: &str, args: &[String], cwd: &Path, look: &dyn Look) -> Option<PathBuf> {
    let argv: Vec<String> = std::iter::once(command.to_owned()).chain(args.iter().cloned()).collect();
    script_path(&argv, cwd, look)
}
