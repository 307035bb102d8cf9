//! What a relay says to its front.

use super::{AgentAsk, Called};
use crate::error::Fault;
use crate::ids::TwinId;
use crate::swap::ProbeReport;

/// Something that the relay found out and the front should know.
#[derive(Clone, Debug, PartialEq)]
pub enum RelayEvent {
    /// The first byte of the probe (the client's opening, or its replay) goes to this twin.
    Probing(TwinId),
    /// The probe passed.
    Ready(TwinId, ProbeReport),
    /// The probe failed.
    NotReady(TwinId, Fault),
    /// The twin has the ledger.
    Prepared(TwinId),
    /// The twin did not take the ledger, or the opening stayed open.
    PrepareFailed(TwinId, Fault),
    /// A draining twin owes nothing any more.
    Drained(TwinId),
    /// The twin has no open call, and requests are held.
    Idle(TwinId),
    /// The twin on trial refuses too much.
    BakeFailed(TwinId, Fault),
    /// The first accepted opening, to be kept as the last good record of this server.
    Opened(LastGood),
    /// A call of the front's own, by the number that it was given, and how it ended.
    Called(u64, Called),
    /// The client calls one of the front's own tools: to be answered with [`Relay::answer_agent`](super::Relay::answer_agent)
    /// under this number.
    Asked(u64, AgentAsk),
    /// The server has a tool of this name, so the front's own of that name is not there.
    Taken(String),
    /// The client ended its input and everything it asked was answered and written.
    Finished,
    /// A line on a twin's stdout is no MCP message: its beginning. It went no further.
    Junk(TwinId, String),
    /// For the log: which twin, if one, and what.
    Log(Option<TwinId>, String),
}

/// The answer to the opening that a server last gave, used when a client connects while the code is broken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LastGood {
    /// The version that was asked for.
    pub asked: String,
    /// Whether it was asked with `server/discover`, not with `initialize`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub modern: bool,
    /// The `result` of `initialize` or `server/discover`, byte for byte.
    pub result: String,
}

/// What a twin still owes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// Open calls of the client.
    pub calls: usize,
    /// Open requests to the client.
    pub requests: usize,
    /// A task that runs, a fresh `requestState`, or an elicitation by URL that is open.
    pub later: bool,
}
