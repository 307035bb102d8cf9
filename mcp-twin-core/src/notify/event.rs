//! The events that can be chosen.

use crate::swap::Notice;
use serde::{Deserialize, Serialize};

/// What happened, as far as a target can ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The newest code does not serve; the old code goes on.
    Failed,
    /// The serving twin was left for the previous one.
    RolledBack,
    /// The serving twin died.
    Crashed,
    /// Nothing serves.
    Down,
    /// New code serves.
    Swapped,
    /// A verified standby waits for `mcp-twin swap`.
    Waiting,
    /// Somebody tries whether messages arrive; it cannot be chosen, and always comes.
    Test,
}

impl Event {
    /// Those that can be chosen.
    pub const ALL: [Self; 6] =
        [Self::Failed, Self::RolledBack, Self::Crashed, Self::Down, Self::Swapped, Self::Waiting];

    /// Those that are told where nobody chose: what goes wrong, and what waits for a person.
    pub const DEFAULT: [Self; 5] = [Self::Failed, Self::RolledBack, Self::Crashed, Self::Down, Self::Waiting];

    /// Their words in a configuration file.
    pub const WORDS: [&'static str; 6] = ["failed", "rolled_back", "crashed", "down", "swapped", "waiting"];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Crashed => "crashed",
            Self::Down => "down",
            Self::Swapped => "swapped",
            Self::Waiting => "waiting",
            Self::Test => "test",
        }
    }

    /// The event of this word, if it can be chosen.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.word() == word)
    }

    /// The event of a notice; what concerns the front's own files is none.
    #[must_use]
    pub fn of(notice: &Notice) -> Option<Self> {
        match notice {
            Notice::ReloadFailed { .. } => Some(Self::Failed),
            Notice::RolledBack { .. } => Some(Self::RolledBack),
            Notice::Crashed { .. } => Some(Self::Crashed),
            Notice::Down { .. } => Some(Self::Down),
            Notice::Swapped { .. } => Some(Self::Swapped),
            Notice::Waiting { .. } => Some(Self::Waiting),
            Notice::StateOff { .. } | Notice::StateOn => None,
        }
    }
}
