//! Other options for a machine that runs.

use super::Swap;
use crate::spec::{Options, Standby};
use crate::time::Moment;
use std::sync::Arc;

impl Swap {
    /// Every rule reads the options at the moment in which it needs them, so that the next step goes by the new ones; what has
    /// a deadline keeps it. Not the strategy: twins that overlap would have to end before one copy is the only one, and the
    /// requests of their clients with them.
    pub(super) fn reconfigure(&mut self, options: Options, now: Moment) {
        let strategy = self.policy.options.strategy;
        self.policy.options = Arc::new(Options { strategy, ..options });
        if self.policy.options.standby == Standby::OnDemand {
            self.drop_spare(now);
            self.end_warm(now);
            self.memory.warm_after = None;
        }
    }

    /// The options that count.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.policy.options
    }
}
