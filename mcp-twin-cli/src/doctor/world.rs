//! All that the checks ask of the world, handed in: each of them is a function over this.

use mcp_twin_core::detect::{Inventory, Machine, Server, Source, Start};
use mcp_twin_core::port::Lease;
use mcp_twin_runtime::fronts::{FrontAddress, LeftFront};
use mcp_twin_runtime::process::Seen;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file system, as far as programs and times are asked for.
pub(crate) trait Files {
    /// Whether there is a file that may be executed.
    fn runs(&self, path: &Path) -> bool;
    /// When a file was last changed.
    fn changed(&self, path: &Path) -> Option<SystemTime>;
}

/// What the checks look at.
pub(crate) struct World<'a> {
    /// What is configured.
    pub(crate) inventory: &'a Inventory,
    /// The machine that it was read from.
    pub(crate) machine: Machine<'a>,
    /// Programs and times.
    pub(crate) files: &'a dyn Files,
    /// The folders of PATH.
    pub(crate) path: Vec<PathBuf>,
    /// The state directory.
    pub(crate) state: PathBuf,
    /// What is wrong with it.
    pub(crate) state_wrong: Vec<String>,
    /// The fronts that can be asked.
    pub(crate) running: Vec<FrontAddress>,
    /// The ids of all that live.
    pub(crate) living: Vec<String>,
    /// What dead ones left.
    pub(crate) left: Vec<LeftFront>,
    /// The processes of this user; `None` where they cannot be looked into.
    pub(crate) processes: Option<Vec<Seen>>,
    /// The ports of each server.
    pub(crate) leases: Vec<(String, Lease)>,
    /// Whether somebody listens on a port.
    pub(crate) listens: &'a dyn Fn(u16) -> bool,
}

impl World<'_> {
    /// The entries that count: those that a client starts or reaches for.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Source, &Server)> {
        let all = self.inventory.files.iter();
        let all = all.flat_map(|file| file.parsed.servers.iter().map(|server| (&file.source, server)));
        all.filter(|(_, server)| server.enabled && !server.hidden)
    }

    /// What starts an entry, with the values of its variables.
    pub(crate) fn start(&self, source: &Source, server: &Server) -> Option<Start> {
        let bytes = self.machine.look.read(&source.path, mcp_twin_core::detect::LARGEST).ok()??;
        source.start(server, &bytes, &self.machine)
    }

    /// A path as it is shown.
    pub(crate) fn short(&self, path: &Path) -> String {
        crate::render::detect::short(&path.to_string_lossy(), &self.machine.home.to_string_lossy())
    }

    /// An entry as it is shown: its name, its client, its file.
    pub(crate) fn entry(&self, source: &Source, server: &Server) -> String {
        format!("{} ({}, {})", server.name, source.client.name(), self.short(&source.path))
    }
}
