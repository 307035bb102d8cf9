//! Other options for a machine that runs.

use super::Swap;
use super::mistake::Mistake;
use crate::spec::{Options, Standby};
use crate::time::Moment;
use std::sync::Arc;

impl Swap {
    /// Every rule reads the options at the moment in which it needs them, so that the next step goes by the new ones; what has
    /// a deadline keeps it. Not the strategy: twins that overlap would have to end before one copy is the only one, and the
    /// requests of their clients with them.
    pub(super) fn reconfigure(&mut self, options: Options) {
        let taken = self.mistake(Mistake::StrategyTaken);
        let strategy = if taken { options.strategy } else { self.policy.options.strategy };
        self.policy.options = Arc::new(Options { strategy, ..options });
    }

    /// Ends the twin that stands by, or is about to, once nobody wants one any more. Not while the route may be on its way to
    /// it: a warm twin that takes over for a dead one serves already.
    pub(super) fn drop_unwanted_warm(&mut self, now: Moment) -> bool {
        let wanted = self.policy.options.standby == Standby::Warm;
        let spare = self.op().is_some_and(|op| op.spare);
        let warm = self.serving().is_some_and(|serving| serving.warm.is_some());
        if wanted || !(spare || warm) || !self.active_runs() || self.mistake(Mistake::UnwantedWarm) {
            return false;
        }
        self.drop_spare(now);
        self.end_warm(now);
        self.memory.warm_after = None;
        true
    }

    /// The options that count.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.policy.options
    }
}
