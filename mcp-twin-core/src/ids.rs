//! Names of things that a front counts: twins, generations, sources, operations, slots.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// One running instance of a server; counted up by its front, never used twice within it.
    TwinId(u32)
}
number! {
    /// The number of a source within one server, shared by its fronts: a new source gets the next, a known one keeps its own.
    Generation(u32)
}
number! {
    /// One operation (reload) of a swap machine; stale answers are told by it.
    OpId(u32)
}
number! {
    /// One command given to a swap machine from outside; its [`Outcome`](crate::swap::Outcome) carries it back.
    CommandId(u64)
}
number! {
    /// One write of the record; the answer carries it back.
    PersistSeq(u64)
}

/// Content hash of the watched files of a server, 128 bits; shown and stored as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SourceHash(pub u128);

impl fmt::Display for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceHash({self})")
    }
}

impl From<SourceHash> for String {
    fn from(hash: SourceHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for SourceHash {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

/// What the files of a server are at one moment.
///
/// A server whose files are not known (docker, an installed package, an opaque command) has no hash, and then no two
/// sources are ever the same: every reload counts as newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Hash of the files; `None` if they are not known.
    pub hash: Option<SourceHash>,
    /// The number given to that hash within the server.
    pub generation: Generation,
}

impl Source {
    /// Whether both are certainly the same code. Judged by hash; without one the answer is no.
    #[must_use]
    pub fn same_code(&self, other: &Self) -> bool {
        self.hash.is_some() && self.hash == other.hash
    }
}

/// The two places of a pair, alternating for display and for the two leased ports; a twin beyond those is `Extra`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Slot {
    /// The first slot.
    A,
    /// The second slot.
    B,
    /// A third or later place, while A and B are both taken.
    #[serde(rename = "extra")]
    Extra,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
            Self::Extra => "+",
        })
    }
}

/// What proves that a process is the one that was started: a pid alone may have been reused by a stranger.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process id of the group's leader.
    pub pid: u32,
    /// Process group id (the same number on Unix, where every twin leads its own group).
    pub pgid: u32,
    /// Start time of the process in the system's own unit (clock ticks since boot on Linux); 0 if it could not be read.
    pub start_time: u64,
    /// The boot the process belongs to; empty where the system has no such id.
    pub boot_id: String,
    /// The token in the environment of every process of the twin (`MCP_TWIN_TOKEN`): front id and a nonce.
    pub token: String,
}
