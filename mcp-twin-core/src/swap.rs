//! The swap state machine: which twin serves, what is being prepared, what is kept, and every step between.

pub mod effect;
pub mod event;
pub mod record;

pub use effect::{Cause, Effect, HistoryEntry, Notice, Outcome, PhaseName, TwinView};
pub use event::{Command, Event, ExitReport, ProbeReport};
pub use record::Record;

use crate::error::Fault;
use crate::spec::Options;
use crate::time::Moment;
use serde::{Deserialize, Serialize};

/// The machine of one pair.
#[derive(Clone, Debug)]
pub struct Swap {
    _options: Options,
}

/// The machine as shown to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The name of the state: `stopped`, `starting`, `serving`, `handoff`, `down`.
    pub state: String,
    /// Who serves.
    pub active: Option<TwinView>,
    /// Who is being prepared or waits, and the stage: `building`, `spawning`, `warming`, `verified`, `committing`.
    pub standby: Option<(TwinView, String)>,
    /// Who is kept for rollback.
    pub prev: Option<TwinView>,
    /// Who still owes answers.
    pub retiring: Vec<TwinView>,
    /// Whether the active twin is on trial.
    pub baking: bool,
    /// Why the newest code does not serve, or why nothing does.
    pub degraded: Option<Fault>,
    /// What the verified standby would change, if one waits.
    pub waiting: Option<ProbeReport>,
    /// Commits since this front started.
    pub swaps: u32,
    /// When the last commit was.
    pub last_swap: Option<Moment>,
}

impl Swap {
    /// A machine that has nothing yet: give it `Command::Start` to begin.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { _options: options }
    }
    /// One event in. Never fails: what does not fit the state is ignored with a reason.
    pub fn handle(&mut self, _event: Event, _now: Moment) {}
    /// The time of [`Swap::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, _now: Moment) {}
    /// The next thing to do, in order; call until `None` after each input.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        None
    }
    /// When [`Swap::handle_timeout`] is wanted, if at all.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Moment> {
        None
    }
    /// The machine as shown to people.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            state: String::new(),
            active: None,
            standby: None,
            prev: None,
            retiring: vec![],
            baking: false,
            degraded: None,
            waiting: None,
            swaps: 0,
            last_swap: None,
        }
    }
}
