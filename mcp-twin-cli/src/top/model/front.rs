//! One front, as far as the screen knows it: its last word, and what follows of the last two.

use mcp_twin_core::TwinId;
use mcp_twin_core::control::FrontStatus;
use mcp_twin_core::error::Fault;
use mcp_twin_runtime::fronts::FrontAddress;
use std::collections::BTreeMap;

/// Two words that are not so far apart, in milliseconds, say nothing about a rate.
const APART: u64 = 50;

/// A front.
#[derive(Debug)]
pub(crate) struct Front {
    /// Where it is.
    pub(crate) address: FrontAddress,
    /// The last that it said.
    pub(crate) status: Option<FrontStatus>,
    /// Why it says nothing.
    pub(crate) silent: Option<Fault>,
    /// Calls in a second.
    pub(crate) rate: Option<f64>,
    /// What of a processor each twin takes, in per cent.
    pub(crate) cpu: BTreeMap<TwinId, f64>,
}

/// How a front is, the worst last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    /// It was not heard of yet.
    Unknown,
    /// The newest code serves.
    Fine,
    /// It does since a moment.
    Baking,
    /// Verified code waits.
    Waits,
    /// New code is on its way: the stage, or what nothing serves for.
    Busy(String),
    /// Stopped by command.
    Stopped,
    /// The newest code does not serve.
    Degraded,
    /// Nothing serves.
    Down,
    /// The front does not answer.
    Silent,
}

impl Front {
    /// A front that was not heard of yet.
    pub(crate) fn new(address: FrontAddress) -> Self {
        Self { address, status: None, silent: None, rate: None, cpu: BTreeMap::new() }
    }

    /// It has said something, or not.
    pub(crate) fn answered(&mut self, answer: Result<&FrontStatus, Fault>) {
        let status = match answer {
            Ok(status) => status,
            Err(fault) => {
                self.silent = Some(fault);
                (self.rate, self.cpu) = (None, BTreeMap::new());
                return;
            }
        };
        self.silent = None;
        let before = self.status.take();
        let figures = before.as_ref().and_then(|before| Some((before, before.figures?, status.figures?)));
        if let Some((before, old, new)) = figures
            && let Some(time) = new.at_ms.checked_sub(old.at_ms).filter(|time| *time >= APART)
        {
            self.rate = Some(share(new.calls.saturating_sub(old.calls) * 1000, time));
            let taken = status.loads.iter().filter_map(|load| {
                let old = before.loads.iter().find(|old| old.twin == load.twin)?;
                Some((load.twin, share(load.cpu_ms.saturating_sub(old.cpu_ms) * 100, time)))
            });
            self.cpu = taken.collect();
        }
        self.status = Some(status.clone());
    }

    /// How it is.
    pub(crate) fn health(&self) -> Health {
        if self.silent.is_some() {
            return Health::Silent;
        }
        let Some(swap) = self.status.as_ref().map(|status| &status.swap) else { return Health::Unknown };
        let stage = swap.standby.as_ref().map(|(_, stage)| stage.as_str());
        match (swap.state.as_str(), stage) {
            ("down", _) => Health::Down,
            ("stopped", _) => Health::Stopped,
            ("handoff", _) => Health::Busy("handing over".to_owned()),
            ("starting", _) => Health::Busy("starting".to_owned()),
            (_, Some(stage)) if stage != "verified" => Health::Busy(stage.to_owned()),
            _ if swap.degraded.is_some() => Health::Degraded,
            (_, Some(_)) => Health::Waits,
            _ if swap.baking => Health::Baking,
            _ => Health::Fine,
        }
    }

    /// How many sessions it has: over stdio it is one client's.
    pub(crate) fn sessions(&self) -> usize {
        self.status.as_ref().map_or(0, |status| status.sessions.unwrap_or(1))
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

impl Health {
    /// In a word or two, with the sign that goes before it.
    pub(crate) fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Unknown => ("◌", "asked"),
            Self::Fine => ("●", "healthy"),
            Self::Baking => ("●", "on trial"),
            Self::Waits => ("●", "swap waits"),
            Self::Busy(stage) => ("◌", stage),
            Self::Stopped => ("○", "stopped"),
            Self::Degraded => ("●", "degraded"),
            Self::Down => ("●", "down"),
            Self::Silent => ("✗", "no answer"),
        }
    }
}
