//! The swap state machine: which twin serves, what is being prepared, what is kept, and every step between.
//!
//! It owns every decision about twins and knows no process, file, clock or client: events and time come in, effects go
//! out, in order. An effect that changes the world is preceded by the `Persist` that makes it recoverable, and the
//! machine waits for that write's answer.

pub mod effect;
pub mod event;
pub mod record;

mod begin;
mod change;
mod command;
mod commit;
mod crash;
mod flip;
mod journal;
mod mistake;
#[cfg(test)]
mod model;
mod reconfigure;
mod recover;
mod report;
mod retire;
mod state;
mod step;
mod stop;
mod timers;
mod verify;

pub use effect::{Cause, Effect, HistoryEntry, Notice, Outcome, PhaseName, TwinView};
pub use event::{Command, Event, ExitReport, Kept, ProbeReport};
pub use record::Record;

use crate::error::Fault;
use crate::spec::Options;
use crate::time::Moment;
use serde::{Deserialize, Serialize};
use state::{FAILURES, LIVE_TWINS, Memory, RETIRING, State};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The machine of one pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Swap {
    policy: Policy,
    state: State,
    memory: Memory,
}

/// What is decided outside of the machine. Only the options change in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Policy {
    options: Arc<Options>,
    /// The twins outlive the front, so that a swap which cannot be recorded is refused.
    durable: bool,
    /// There is a build step.
    builds: bool,
    /// Live twins of the pair, those in their stop ladder included (I9).
    live_twins: usize,
    /// Twins that owe answers, beside active, standby and prev.
    retiring: usize,
    /// So many failures of one source in a minute, and only a change or a command tries again.
    failures: usize,
    /// Rules that are broken on purpose.
    #[cfg(test)]
    mistakes: &'static [mistake::Mistake],
}

// All machines that are ever compared share one policy: it tells nothing and is left out of the hash.
impl Hash for Policy {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
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
    /// Who stands by with the active's own source (over HTTP), or is about to.
    #[serde(default)]
    pub warm: Option<TwinView>,
    /// Whether that one is verified.
    #[serde(default)]
    pub warm_ready: bool,
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
    /// How often the route was moved from one twin to another since this front started, back included. A restart after a
    /// crash is none.
    pub swaps: u32,
    /// When the last of them was.
    pub last_swap: Option<Moment>,
}

impl Swap {
    /// A machine that has nothing yet: give it `Command::Start` to begin. Its twins die with the front (stdio): where the
    /// record cannot be written it goes on in memory and says so once.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let policy = Policy {
            options: Arc::new(options),
            durable: false,
            builds: false,
            live_twins: LIVE_TWINS,
            retiring: RETIRING,
            failures: FAILURES,
            #[cfg(test)]
            mistakes: &[],
        };
        Self { policy, state: State::Stopped, memory: Memory::default() }
    }

    /// The same machine for twins that outlive the front (HTTP): a swap that cannot be recorded is refused while another
    /// twin serves.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.policy.durable = true;
        self
    }

    /// The same machine with a build step before each spawn. Under `handoff` there always is one: what can be checked
    /// without running is checked before the old twin is ended.
    #[must_use]
    pub fn building(mut self) -> Self {
        self.policy.builds = true;
        self
    }

    /// One event in. Never fails: what does not fit the state is ignored with a reason.
    pub fn handle(&mut self, event: Event, now: Moment) {
        match event {
            Event::Reconfigured { options } => self.reconfigure(*options),
            Event::Touched => self.touched(),
            Event::Changed { source } => self.changed(source, now),
            Event::Command { id, command, source } => self.command(id, command, source, now),
            Event::Kept { copies } => self.memory.kept = copies,
            Event::Served { sources } => self.memory.served = sources,
            Event::Built { op, source } => self.built(op, source, now),
            Event::BuildFailed { op, fault } => self.build_failed(op, fault, now),
            Event::Spawned { twin, process, port } => self.spawned(twin, process, port, now),
            Event::SpawnFailed { twin, fault } => self.spawn_failed(twin, fault, now),
            Event::Probing { twin } => self.probing(twin, now),
            Event::Healthy { twin, report } => self.healthy(twin, report, now),
            Event::Unhealthy { twin, fault } => self.unhealthy(twin, fault, now),
            Event::Examined { twin } => self.examined(twin, now),
            Event::ExamineFailed { twin, fault } => self.examine_failed(twin, fault, now),
            Event::Hashed { twin, source, touched } => self.hashed(twin, source, touched, now),
            Event::Persisted { seq } => self.persisted(seq, now),
            Event::PersistFailed { seq, why } => self.persist_failed(seq, &why, now),
            Event::Prepared { twin } => self.prepared(twin, now),
            Event::PrepareFailed { twin, fault } => self.prepare_failed(twin, fault, now),
            Event::HandedOver { twin } => self.handed_over(twin, now),
            Event::HandoverRefused { twin, fault } => self.handover_refused(twin, fault, now),
            Event::Drained { twin } => self.drained(twin, now),
            Event::Owes { twin, open_calls, human } => self.owes(twin, open_calls, human),
            Event::Idle { twin } => self.idle(twin, now),
            Event::BakeFailed { twin, fault } => self.bake_failed(twin, fault, now),
            Event::Exited { twin, exit } => self.exited(twin, exit, now),
        }
        self.settle(now);
    }

    /// The time of [`Swap::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Moment) {
        for _ in 0..step::STEPS {
            let Some(timer) = self.due(now) else { break };
            self.fire(timer, now);
        }
    }

    /// The next thing to do, in order; call until `None` after each input.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.memory.effects.pop_front()
    }

    /// When [`Swap::handle_timeout`] is wanted, if at all.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.timers().into_iter().map(|(_, at)| at).min()
    }
}
