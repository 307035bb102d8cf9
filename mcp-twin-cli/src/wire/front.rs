//! Where the front of a server over HTTP is reached.

use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::port::Leases;
use mcp_twin_core::spec::{ServerId, ServerName, Transport, slug};
use mcp_twin_runtime::fronts;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::{ports, servers};
use std::time::Duration;

/// A front answers `status` at once or is hung.
const PATIENCE: Duration = Duration::from_secs(2);

/// The fronts over HTTP that ever began.
pub(crate) struct Fronts<'a> {
    home: &'a Home,
}

impl<'a> Fronts<'a> {
    pub(crate) fn new(home: &'a Home) -> Self {
        Self { home }
    }

    /// The address of the front of a server whose endpoint is at `path`: what it says itself if it runs, else its lease.
    pub(crate) fn address(&self, name: &str, path: &str) -> Option<String> {
        let wanted = slug(name);
        let known = servers::load(self.home).unwrap_or_default();
        let entry =
            known.into_iter().find(|entry| entry.transport == Transport::Http && entry.name == wanted.as_str())?;
        let running = fronts::running(self.home);
        let front = running.iter().find(|front| front.server == entry.name && front.root == entry.root);
        if let Some(Ok(Answer::Status(status))) = front.map(|front| fronts::ask(front, &Ask::Status, PATIENCE))
            && let Some(url) = status.url
        {
            return Some(url);
        }
        let leases: Leases = ports::load(self.home).ok()?;
        let lease = leases.held_by(&ServerId::new(ServerName::new(&entry.name).ok()?, &entry.root))?;
        Some(format!("http://127.0.0.1:{}{path}", lease.front))
    }
}
