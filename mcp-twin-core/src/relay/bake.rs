//! The trial of a new twin: how many calls it refuses, compared with the one before, and whether its answers are answers.
//!
//! A transport error over stdio is a call whose answer cannot be used: a line that names it and is no message, or an
//! answer to an id that nobody gave the twin. Lines that name no call are what servers print, and say nothing; late and
//! second answers name a call that there was. Each call counts once, and any whole answer begins the row anew.

use super::client::excerpt;
use super::frame::{Beginning, Frame};
use super::{Relay, RelayEvent, ids};
use crate::error::{Code, Fault};
use crate::ids::TwinId;

/// Fewer calls than this say nothing.
const CALLS: u32 = 5;
/// So many calls in a row without an answer that can be used.
const BROKEN: usize = 3;

/// What is counted while a twin is on trial.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// Calls it answered, and how many with an error.
    rate: (u32, u32),
    /// Calls in a row whose answers could not be used.
    broken: Vec<u64>,
}

/// Whether a twin on trial refuses too much: at least half of five or more calls, and twice the rate of the one before.
/// Each pair is the number of calls that were answered, and how many of them with an error.
#[must_use]
pub fn is_worse((calls, bad): (u32, u32), (old_calls, old_bad): (u32, u32)) -> bool {
    let half = u64::from(bad) * 2 >= u64::from(calls);
    let twice = u64::from(bad) * u64::from(old_calls.max(1)) >= 2 * u64::from(old_bad) * u64::from(calls);
    calls >= CALLS && half && twice
}

impl Relay {
    pub(super) fn trial(&mut self, twin: TwinId) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.trial = Some(Trial::default());
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
        trial.broken.clear();
        add(&mut trial.rate);
        let (calls, bad) = trial.rate;
        if is_worse((calls, bad), (old_calls, old_refused)) {
            state.trial = None;
            let message =
                format!("the new server refused {bad} of {calls} calls; the one before {old_refused} of {old_calls}");
            self.event(RelayEvent::BakeFailed(twin, Fault::new(Code::BakeErrors, message)));
        }
    }

    /// A line of a twin that is no message. It counts if it is meant as the answer to an open call.
    pub(super) fn count_unreadable(&mut self, twin: TwinId, line: &[u8]) {
        if !self.on_trial(twin) {
            return;
        }
        let read = Beginning::read(line);
        let named = read.id.filter(|_| read.answer && !read.method).and_then(ids::number);
        if let Some(number) = named.filter(|number| self.open_on(twin).any(|open| open == *number)) {
            self.count_broken(twin, number, line);
        }
    }

    /// An answer to nothing that is open. It counts, for the oldest call that it may have been meant for, if there never
    /// was a request of that id.
    pub(super) fn count_stray(&mut self, twin: TwinId, frame: &Frame<'_>, raw_id: &str) {
        let given = ids::number(raw_id).is_some_and(|number| number <= self.last);
        if given || !self.on_trial(twin) {
            return;
        }
        let state = self.twins.get(&twin);
        let known = state.and_then(|state| state.trial.as_ref()).map(|trial| trial.broken.clone()).unwrap_or_default();
        let meant = self.open_on(twin).find(|open| !known.contains(open));
        if let Some(number) = meant {
            self.count_broken(twin, number, frame.text.as_bytes());
        }
    }

    fn count_broken(&mut self, twin: TwinId, number: u64, line: &[u8]) {
        let Some(trial) = self.twins.get_mut(&twin).and_then(|state| state.trial.as_mut()) else { return };
        if trial.broken.contains(&number) {
            return;
        }
        trial.broken.push(number);
        if trial.broken.len() >= BROKEN
            && let Some(state) = self.twins.get_mut(&twin)
        {
            state.trial = None;
            let message = format!(
                "the new server answered {BROKEN} calls in a row with what is no answer to them; the last: {}",
                excerpt(line)
            );
            self.event(RelayEvent::BakeFailed(twin, Fault::new(Code::BakeErrors, message)));
        }
    }

    fn on_trial(&self, twin: TwinId) -> bool {
        self.twins.get(&twin).is_some_and(|state| state.trial.is_some())
    }

    /// The open calls that count of a twin, the oldest first.
    fn open_on(&self, twin: TwinId) -> impl Iterator<Item = u64> {
        let open = self.calls.iter().filter(move |(_, call)| call.owner() == Some(twin) && call.method.counts());
        open.map(|(number, _)| *number)
    }
}
