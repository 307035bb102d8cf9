//! Steps that need no event of their own: what became possible is done.

use super::Swap;
use super::state::{Serving, Stage, State};
use crate::time::Moment;

/// More steps than any one input can make possible.
pub(super) const STEPS: usize = 64;

impl Swap {
    /// Takes every step that is possible now.
    pub(super) fn settle(&mut self, now: Moment) {
        for _ in 0..STEPS {
            if !self.step(now) {
                break;
            }
        }
    }

    /// Whether the route is being moved: nothing may begin, changes and commands wait.
    pub(super) fn in_window(&self) -> bool {
        match &self.state {
            State::Serving(Serving { flip: Some(_), .. }) | State::Stopping(_) => true,
            State::Serving(Serving { op: Some(op), .. }) | State::Starting(op) => op.stage.in_window(),
            State::Serving(_) | State::Down(_) | State::Stopped => false,
        }
    }

    fn step(&mut self, now: Moment) -> bool {
        self.stop_finished(now)
            || self.spawn_where_room(now)
            || (!self.in_window()
                && (self.active_lost(now)
                    || self.take_change(now)
                    || self.take_deferred(now)
                    || self.take_bake_failure(now)
                    || self.promote(now)
                    || self.commit_where_room(now)
                    || self.drop_unwanted_warm(now)
                    || self.start_spare(now)))
    }

    /// An operation that is verified and may be promoted begins its commit.
    fn promote(&mut self, now: Moment) -> bool {
        let verified = self.op().is_some_and(|op| matches!(op.stage, Stage::Verified { .. }));
        if !verified || !self.may_promote() {
            return false;
        }
        self.begin_commit(now);
        true
    }
}
