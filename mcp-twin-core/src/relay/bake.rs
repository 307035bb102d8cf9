//! The trial of a new twin: how many calls it refuses, compared with the one before.

use super::{Relay, RelayEvent};
use crate::error::{Code, Fault};
use crate::ids::TwinId;

/// Fewer calls than this say nothing.
const CALLS: u32 = 5;

impl Relay {
    pub(super) fn trial(&mut self, twin: TwinId) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.trial = Some((0, 0));
        }
    }

    pub(super) fn trial_over(&mut self, twin: TwinId) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.trial = None;
        }
    }

    /// A call was answered. A result with `isError` is the tool speaking: it does not count as refused.
    pub(super) fn count(&mut self, twin: TwinId, refused: bool) {
        let (old_calls, old_refused) = self.rate_before;
        let Some(state) = self.twins.get_mut(&twin) else { return };
        let add = |rate: &mut (u32, u32)| *rate = (rate.0.saturating_add(1), rate.1.saturating_add(u32::from(refused)));
        add(&mut state.rate);
        let Some(trial) = &mut state.trial else { return };
        add(trial);
        let (calls, bad) = *trial;
        let half = u64::from(bad) * 2 >= u64::from(calls);
        let twice = u64::from(bad) * u64::from(old_calls.max(1)) >= 2 * u64::from(old_refused) * u64::from(calls);
        if calls >= CALLS && half && twice {
            state.trial = None;
            let message =
                format!("the new server refused {bad} of {calls} calls; the one before {old_refused} of {old_calls}");
            self.event(RelayEvent::BakeFailed(twin, Fault::new(Code::BakeErrors, message)));
        }
    }
}
