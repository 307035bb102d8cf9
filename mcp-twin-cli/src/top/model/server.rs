//! A server: all fronts of one name and root, taken together.

use super::front::{Front, Health};
use mcp_twin_runtime::servers::ServerKey;

/// The fronts of one server: at least one.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) fronts: &'a [Front],
}

/// What they have in sum. Of times the slowest front's: they cannot be added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) sessions: usize,
    pub(crate) in_flight: usize,
    pub(crate) held: usize,
    pub(crate) rate: Option<f64>,
    pub(crate) p50_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    pub(crate) tool_errors: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
}

impl<'a> Group<'a> {
    /// The servers of fronts that are ordered by server.
    pub(crate) fn all(fronts: &'a [Front]) -> Vec<Self> {
        let same = |a: &Front, b: &Front| a.address.server == b.address.server && a.address.root == b.address.root;
        fronts.chunk_by(same).map(|fronts| Self { fronts }).collect()
    }

    /// What it is known by.
    pub(crate) fn key(&self) -> ServerKey {
        let first = self.fronts.first().map(|front| &front.address);
        first.map_or_else(|| ServerKey::new("", "".as_ref()), |first| ServerKey::new(&first.server, &first.root))
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'a str {
        self.fronts.first().map_or("", |front| &front.address.server)
    }

    /// Its root.
    pub(crate) fn root(&self) -> String {
        self.fronts.first().map_or_else(String::new, |front| front.address.root.display().to_string())
    }

    /// How the worst of its fronts is.
    pub(crate) fn health(&self) -> Health {
        self.fronts.iter().map(Front::health).max().unwrap_or(Health::Unknown)
    }

    /// `stdio` or `http`.
    pub(crate) fn transport(&self) -> &'a str {
        self.fronts.iter().find_map(|front| front.status.as_ref()).map_or("", |status| &status.transport)
    }

    /// The generations that serve, the newest first.
    pub(crate) fn generations(&self) -> Vec<u32> {
        let active = self.fronts.iter().filter_map(|front| front.status.as_ref()?.swap.active.as_ref());
        let mut found: Vec<u32> = active.map(|active| active.source.generation.0).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        found
    }

    /// All of them together.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for front in self.fronts {
            totals.sessions += front.sessions();
            if let Some(rate) = front.rate {
                totals.rate = Some(totals.rate.unwrap_or_default() + rate);
            }
            let Some(status) = &front.status else { continue };
            totals.in_flight += status.in_flight;
            totals.held += status.held;
            let Some(figures) = status.figures else { continue };
            totals.p50_us = totals.p50_us.max(figures.p50_us);
            totals.p99_us = totals.p99_us.max(figures.p99_us);
            totals.tool_errors += figures.tool_errors;
            totals.refused += figures.refused;
            totals.failed += figures.failed;
        }
        totals
    }
}

impl Totals {
    /// Calls that did not end well, whichever way.
    pub(crate) fn errors(&self) -> u64 {
        self.tool_errors + self.refused + self.failed
    }
}
