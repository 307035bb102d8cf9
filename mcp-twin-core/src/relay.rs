//! One client session over a changing twin.
//!
//! Sans-io: whole lines come in, bytes to write come out, and the relay knows which of them a pipe has accepted (a request
//! whose newline was not accepted may go to another twin; any other may not).

pub mod diff;

use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::spec::Options;
use crate::swap::ProbeReport;
use crate::time::Moment;

/// One client session.
#[derive(Debug)]
pub struct Relay {}

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
    /// The client ended its input and everything it asked was answered and written.
    Finished,
    /// For the log: which twin, if one, and what.
    Log(Option<TwinId>, String),
}

/// The answer to the opening that a server last gave, used when a client connects while the code is broken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LastGood {
    /// The version that was asked for.
    pub asked: String,
    /// The `result` of `initialize`, byte for byte.
    pub result: String,
}

/// What a twin still owes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// Open calls of the client.
    pub calls: usize,
    /// Open requests to the client.
    pub requests: usize,
}

impl Relay {
    /// A session that has not begun.
    #[must_use]
    pub fn new(_options: &Options) -> Self {
        Self {}
    }
    /// What the server last answered to an opening.
    pub fn set_last_good(&mut self, _last: Option<LastGood>) {}

    // The client's side.

    /// One line from the client, without its line end.
    pub fn client_line(&mut self, _line: &[u8], _now: Moment) {}
    /// The client sent a line larger than `max_message`; it was skipped, this is its beginning.
    pub fn client_oversize(&mut self, _beginning: &[u8], _now: Moment) {}
    /// The client's input ended.
    pub fn client_eof(&mut self, _now: Moment) {}
    /// Bytes to write to the client.
    #[must_use]
    pub fn client_output(&self) -> &[u8] {
        &[]
    }
    /// So many of them were written.
    pub fn client_written(&mut self, _bytes: usize) {}
    /// Whether so much waits for a slow client that twins should not be read.
    #[must_use]
    pub fn client_is_slow(&self) -> bool {
        false
    }
    /// How many of the client's requests are not answered yet.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        0
    }

    // The twins' side.

    /// A twin was spawned; its pipes are open.
    pub fn attach(&mut self, _twin: TwinId) {}
    /// One line from a twin, without its line end.
    pub fn twin_line(&mut self, _twin: TwinId, _line: &[u8], _now: Moment) {}
    /// A twin sent a line larger than `max_message`; it was skipped, this is its beginning.
    pub fn twin_oversize(&mut self, _twin: TwinId, _beginning: &[u8], _now: Moment) {}
    /// Bytes to write to a twin.
    #[must_use]
    pub fn twin_output(&self, _twin: TwinId) -> &[u8] {
        &[]
    }
    /// So many of them were accepted by its pipe.
    pub fn twin_written(&mut self, _twin: TwinId, _bytes: usize, _now: Moment) {}
    /// Its pipe accepts nothing any more (broken pipe). Its answers may still come.
    pub fn twin_input_closed(&mut self, _twin: TwinId, _now: Moment) {}
    /// Its output was read to the end: nothing more can come from it. Open requests are answered with `fault`'s reason.
    pub fn twin_gone(&mut self, _twin: TwinId, _fault: &Fault, _now: Moment) {}

    // What the swap machine wants.

    /// Prove this twin healthy. Answers: `Probing`, then `Ready` or `NotReady`.
    pub fn probe(&mut self, _twin: TwinId, _force: bool, _now: Moment) {}
    /// Bring the ledger to this twin. Answer: `Prepared` or `PrepareFailed`.
    pub fn prepare(&mut self, _twin: TwinId, _now: Moment) {}
    /// Route new requests to this twin, release what is held, tell the client what differs.
    ///
    /// # Errors
    /// The twin is not ready at this instant; the route stays.
    pub fn handover(&mut self, _twin: TwinId, _now: Moment) -> Result<(), Fault> {
        Err(Fault::new(Code::Host, "no such twin"))
    }
    /// Hold new requests: a start is under way.
    pub fn hold(&mut self, _now: Moment) {}
    /// Answer held and new requests with this reason.
    pub fn refuse(&mut self, _fault: Fault, _now: Moment) {}
    /// Say when this twin owes nothing any more. Answer: `Drained`.
    pub fn drain(&mut self, _twin: TwinId, _now: Moment) {}
    /// Hold requests as soon as this twin has no open call. Answer: `Idle`.
    pub fn await_idle(&mut self, _twin: TwinId, _now: Moment) {}
    /// Cancel what is open on this twin and answer it with this reason.
    pub fn cut(&mut self, _twin: TwinId, _fault: &Fault, _now: Moment) {}
    /// A trial of this twin begins: count what it refuses.
    pub fn begin_bake(&mut self, _twin: TwinId) {}
    /// The trial is over.
    pub fn end_bake(&mut self, _twin: TwinId) {}
    /// Add this text to the first answer to a tools/call.
    pub fn tell(&mut self, _text: String) {}
    /// What a twin owes.
    #[must_use]
    pub fn owed(&self, _twin: TwinId) -> Owed {
        Owed::default()
    }

    // Out.

    /// The next thing the front should know.
    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        None
    }
    /// When [`Relay::handle_timeout`] is wanted, if at all.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Moment> {
        None
    }
    /// That time has come.
    pub fn handle_timeout(&mut self, _now: Moment) {}
}
