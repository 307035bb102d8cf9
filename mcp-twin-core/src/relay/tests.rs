//! Tests of the relay, rule by rule.

mod agent;
mod batch;
mod bytes;
mod death;
mod ending;
mod fidelity;
mod flip;
mod floods;
mod fuzz;
mod hold;
mod ledger;
mod listens;
mod meter;
mod modern;
mod opening;
mod owners;
mod probe;
mod rig;
mod schedule;
mod shared;
mod standby;
mod tasks;
mod tool;

use super::Relay;
use super::calls::Call;
use super::frame::Frame;

/// Rules switched off on purpose: the properties must notice each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// A call that died with its twin is never answered.
    Silent,
    /// A request cancelled while it is written is delivered elsewhere when its owner dies.
    CancelWriting,
    /// A held request that was cancelled stays held.
    CancelHeld,
    /// Every request goes to a second twin.
    ReplayAll,
    /// A list goes to any number of twins.
    Unbounded,
    /// Late answers are passed on.
    ForwardLate,
}

impl Relay {
    /// Whether a cancelled call stays in the ledger.
    pub(super) fn mutate_cancellation(&mut self, number: u64) -> bool {
        let held = self.calls.get(&number).is_some_and(|call| call.owner().is_none());
        match self.mutant {
            Some(Mutant::CancelHeld) => held,
            Some(Mutant::CancelWriting) => !held,
            _ => false,
        }
    }

    pub(super) fn mutate_repeat(&self, call: &Call) -> Option<bool> {
        match self.mutant {
            Some(Mutant::ReplayAll) => Some(true),
            Some(Mutant::Unbounded) => Some(call.method.may_repeat()),
            _ => None,
        }
    }

    pub(super) fn mutate_stray(&mut self, frame: &Frame<'_>, _raw_id: &str) -> bool {
        if self.mutant == Some(Mutant::ForwardLate) {
            self.client.push(frame.text);
        }
        self.mutant == Some(Mutant::ForwardLate)
    }
}
