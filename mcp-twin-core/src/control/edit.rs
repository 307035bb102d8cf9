//! What became of an edit, read from the swap machine as it stands.
//!
//! Whoever edits a file wants to know one thing: whether the next call is answered by the new code.

use crate::error::Fault;
use crate::ids::Source;
use crate::relay::diff::ListDiff;
use crate::swap::{Status, TwinView};
use serde::{Deserialize, Serialize};

/// What became of an edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Edit {
    /// The file is none of this server's.
    NotOurs,
    /// The front does not react to saved files (`--no-watch`).
    Unwatched {
        /// Who serves.
        active: Option<TwinView>,
    },
    /// All twins were ended by command, and a save starts none.
    Stopped,
    /// The code that the files hold serves.
    Live {
        /// Who serves.
        active: TwinView,
        /// What the swap to it changed in the lists, where that is known.
        #[serde(default)]
        diff: ListDiff,
        /// Whether it is on trial still.
        #[serde(default)]
        baking: bool,
    },
    /// It is verified, and waits for a word: the policy says so, or it breaks what the client was told.
    Waiting {
        /// Who serves.
        active: Option<TwinView>,
        /// Who waits.
        standby: TwinView,
        /// What it changes in the lists.
        #[serde(default)]
        diff: ListDiff,
    },
    /// It does not serve; the old code goes on, if any did.
    Failed {
        /// Who serves.
        active: Option<TwinView>,
        /// Why.
        fault: Fault,
    },
    /// It is still being prepared.
    Pending {
        /// Who serves.
        active: Option<TwinView>,
    },
}

impl Edit {
    /// What became of the files `source`, by a machine in this state; `None`: it is still at it. A newer source that is being
    /// prepared in their place is waited for too: it holds them.
    #[must_use]
    pub fn of(status: &Status, source: &Source) -> Option<Self> {
        let active = status.active.clone();
        if let Some(active) = active.as_ref().filter(|active| active.source.same_code(source)) {
            let (active, diff) = (active.clone(), ListDiff::default());
            return Some(Self::Live { active, diff, baking: status.baking });
        }
        match (&status.standby, &status.waiting, &status.degraded) {
            _ if status.state == "stopped" => Some(Self::Stopped),
            (Some((standby, _)), Some(report), _) => {
                Some(Self::Waiting { active, standby: standby.clone(), diff: report.diff.clone() })
            }
            (Some(_), None, _) => None,
            (None, _, Some(fault)) => Some(Self::Failed { active, fault: fault.clone() }),
            (None, _, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::ids::{Generation, Slot, SourceHash, TwinId};
    use crate::swap::ProbeReport;

    fn source(generation: u32) -> Source {
        Source { hash: Some(SourceHash(generation.into())), generation: Generation(generation) }
    }

    fn twin(generation: u32) -> TwinView {
        TwinView { twin: TwinId(generation), slot: Slot::A, source: source(generation), pid: None, port: None }
    }

    fn nothing() -> Status {
        Status {
            state: String::new(),
            active: None,
            standby: None,
            warm: None,
            warm_ready: false,
            prev: None,
            retiring: Vec::new(),
            baking: false,
            degraded: None,
            waiting: None,
            swaps: 0,
            last_swap: None,
        }
    }

    fn serving(generation: u32) -> Status {
        Status { state: "serving".to_owned(), active: Some(twin(generation)), ..nothing() }
    }

    #[test]
    fn what_serves_is_live_whatever_else_is_prepared_or_failed() {
        let standby = Some((twin(3), "warming".to_owned()));
        let degraded = Some(Fault::new(Code::ExitedEarly, "it ended"));
        for status in [serving(2), Status { standby, ..serving(2) }, Status { degraded, ..serving(2) }] {
            assert!(matches!(Edit::of(&status, &source(2)), Some(Edit::Live { .. })), "{status:?}");
        }
    }

    #[test]
    fn what_is_prepared_is_waited_for_until_it_waits_itself() {
        let warming = Status { standby: Some((twin(2), "warming".to_owned())), ..serving(1) };
        assert_eq!(Edit::of(&warming, &source(2)), None);
        let failed_before = Status { degraded: Some(Fault::new(Code::ExitedEarly, "it ended")), ..warming.clone() };
        assert_eq!(Edit::of(&failed_before, &source(2)), None, "an older failure says nothing about this code");
        let newer = Status { standby: Some((twin(3), "warming".to_owned())), ..serving(1) };
        assert_eq!(Edit::of(&newer, &source(2)), None);
        let waiting = Status {
            standby: Some((twin(2), "verified".to_owned())),
            waiting: Some(ProbeReport::default()),
            ..serving(1)
        };
        let Some(Edit::Waiting { active: Some(active), standby, .. }) = Edit::of(&waiting, &source(2)) else {
            panic!("it waits")
        };
        assert_eq!((active, standby), (twin(1), twin(2)));
    }

    #[test]
    fn what_failed_says_who_serves_instead() {
        let fault = Fault::new(Code::ExitedEarly, "it ended");
        let degraded = Status { degraded: Some(fault.clone()), ..serving(1) };
        let failed = |active| Some(Edit::Failed { active, fault: fault.clone() });
        assert_eq!(Edit::of(&degraded, &source(2)), failed(Some(twin(1))));
        let down = Status { state: "down".to_owned(), active: None, ..degraded };
        assert_eq!(Edit::of(&down, &source(2)), failed(None));
        let stopped = Status { state: "stopped".to_owned(), ..nothing() };
        assert_eq!(Edit::of(&stopped, &source(2)), Some(Edit::Stopped));
        assert_eq!(Edit::of(&serving(1), &source(2)), None, "the change has not been taken in yet");
    }
}
