//! Known mistakes, each of which one rule of the machine prevents. Tests make them on purpose, to see that the model finds
//! them; outside of tests none can be made.

use super::Swap;

/// A rule left out, or broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mistake {
    /// A rollback goes on though its target has died.
    StaleTarget,
    /// Files that were changed and changed back while the twin booted count as unchanged.
    TouchIgnored,
    /// A saved change that joins a `reload` is not promoted.
    NoJoin,
    /// An operation that begins ends the bake.
    IntentEndsBake,
    /// The twin that is left becomes prev though it never finished its bake.
    UnbakedPrev,
    /// Spawns do not count the live twins.
    NoLiveBound,
    /// A restarted front does not look at the files.
    NoCompare,
    /// A rollback leaves the operation alone, and what the watcher has pending.
    RollbackKeepsOp,
    /// What was rolled back is not remembered.
    NoRejected,
    /// Under manual, anything is started while nothing serves.
    ManualStarts,
    /// The approval of a `swap` carries over to other files.
    ApprovalCarries,
    /// A change starts a stopped server.
    ChangeStartsStopped,
    /// STOPPED is not written.
    StopUnwritten,
    /// A record that could not be written is not written later.
    NoRewrite,
    /// A start is refused because the record cannot be written.
    StartNeedsWrite,
    /// Files that are the active's again do not end the operation.
    NoRevert,
    /// An operation goes on though its source serves again.
    UselessGoesOn,
    /// What was rolled back is not started even if nothing serves.
    RejectedStaysDown,
    /// A restarted front leaves what its record does not know.
    NoSweep,
    /// The old twin ends before the new one has the route.
    KillFirst,
    /// The route moves before the record does.
    RouteFirst,
    /// The route is taken to have moved though the new twin had died.
    NoRecheck,
    /// A probe that is overdue has passed.
    LateMeansReady,
    /// The files are not looked at a second time.
    NoRehash,
    /// A newer change does not end the operation for an older one.
    NoDrop,
    /// Edited files are started under the name of the code that served.
    RespawnEdited,
    /// An unapproved standby takes over when the serving twin dies.
    UnapprovedTakesOver,
    /// A breaking change is promoted though the policy is to wait.
    BreakingIgnored,
    /// Handoff: the new twin starts before the old one is gone.
    TwoCopies,
    /// Another strategy is taken over by a machine that runs.
    StrategyTaken,
    /// New code takes over though nobody tried it.
    NotExamined,
    /// A warm twin stays though nobody wants one any more.
    UnwantedWarm,
}

impl Swap {
    /// Whether this mistake is to be made.
    #[cfg(test)]
    pub(super) fn mistake(&self, mistake: Mistake) -> bool {
        self.policy.mistakes.contains(&mistake)
    }

    /// None is made.
    #[cfg(not(test))]
    pub(super) const fn mistake(&self, _mistake: Mistake) -> bool {
        false
    }
}
