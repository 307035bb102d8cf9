//! The end of a twin's work: drain, idleness, cut.

use super::calls::Place;
use super::route::Route;
use super::{Relay, RelayEvent, refusal};
use crate::error::Fault;
use crate::ids::TwinId;
use crate::time::Moment;

/// Why a call is cancelled whose twin has to go.
pub(super) const CUT: &str = "the server process is about to be ended";

impl Relay {
    pub(super) fn begin_drain(&mut self, twin: TwinId) {
        match self.twins.get_mut(&twin) {
            Some(state) => {
                state.draining = true;
                self.check_drained(twin);
            }
            // It is gone and owes nothing.
            None => self.event(RelayEvent::Drained(twin)),
        }
    }

    pub(super) fn check_drained(&mut self, twin: TwinId) {
        if let Some(state) = self.twins.get_mut(&twin)
            && state.draining
            && state.calls == 0
            && state.asks == 0
            && state.tools == 0
            && !self.owners.owes(twin)
        {
            state.draining = false;
            self.event(RelayEvent::Drained(twin));
        }
    }

    pub(super) fn begin_await_idle(&mut self, twin: TwinId, now: Moment) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.idle_wanted = true;
            self.check_idle(twin, now);
        } else {
            self.route_away(twin);
            self.event(RelayEvent::Idle(twin));
        }
    }

    pub(super) fn check_idle(&mut self, twin: TwinId, _now: Moment) {
        if let Some(state) = self.twins.get_mut(&twin)
            && state.idle_wanted
            && state.calls == 0
            && state.tools == 0
        {
            state.idle_wanted = false;
            self.route_away(twin);
            self.event(RelayEvent::Idle(twin));
        }
    }

    fn route_away(&mut self, twin: TwinId) {
        if self.active() == Some(twin) {
            self.leave(Route::Holding);
        }
    }

    pub(super) fn cut_off(&mut self, twin: TwinId, fault: &Fault, now: Moment) {
        self.route_away(twin);
        let Some(state) = self.twins.get_mut(&twin) else { return };
        // Of these not one byte was written: another twin can have them.
        let unbegun = state.out.take_unbegun();
        for (number, line) in unbegun {
            if self.calls.get(&number).is_some_and(|call| call.place == Place::Writing(twin)) {
                if let Some(method) = self.calls.get(&number).map(|call| call.method) {
                    self.unassign(method, twin);
                }
                self.reroute(number, line, now);
            }
        }
        let open: Vec<u64> =
            self.calls.iter().filter(|(_, call)| call.owner() == Some(twin)).map(|(number, _)| *number).collect();
        for number in open {
            let Some(call) = self.calls.get(&number) else { continue };
            if self.is_opening(number) {
                // The next twin gets it.
                continue;
            }
            let cut = refusal::cut(call.method, fault);
            self.cancel_at(twin, number, CUT);
            self.fail(number, &cut, now);
        }
        self.cut_tools(twin, fault);
        self.cancel_asks(twin, "the server process that asked is about to be ended");
        self.check_drained(twin);
        self.check_idle(twin, now);
    }
}
