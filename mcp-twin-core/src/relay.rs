//! One client session over a changing twin.
//!
//! Sans-io: whole lines come in, bytes to write come out, and the relay knows which of them a pipe has accepted (a request
//! whose newline was not accepted may go to another twin; any other may not).
//!
//! The envelope of each message is read (`frame`), its id is replaced by a number of ours, and every other byte goes on as
//! it came. What the relay writes itself: ids, `requestId`, the `progressToken` of a twin's request, the `protocolVersion`
//! of a replayed `initialize`, the one text item of a failure notice ([`Relay::tell`]), and with tools of the front's own
//! ([`Relay::offer_tools`]) those in the list of tools and the capability that announces them.
//!
//! Choices where the protocol leaves one:
//!
//! - What a client sends before `initialize` goes to the twin that waits for it, as without a front; servers differ in
//!   what they answer then.
//! - `server/discover` goes to the server as the client's opening. One that the server refuses is never sent to another
//!   twin; one that no twin has seen when `initialize` follows is refused and not delivered.
//! - A second `initialize` is refused; one whose first answer was an error may be repeated.
//! - The opening goes to each new twin until one answers it, for without it there is no session; other requests without
//!   effect (`ping`, lists) go to a second twin at most, and everything else to one.
//! - An id that is in use is refused with `"id":null`: under its own id the refusal would pass for the first answer.

mod agent;
mod answers;
mod bake;
mod batch;
mod calls;
mod client;
mod compare;
pub mod diff;
mod drain;
mod edge;
mod era;
mod event;
mod frame;
mod ids;
mod ledger;
mod listens;
mod lists;
mod merge;
mod message;
mod meter;
mod opening;
mod outbox;
mod owners;
mod probe;
mod refusal;
mod route;
mod shared;
mod tool;
mod twin;

pub use agent::{AGENT_CALLS, AgentAnswer, AgentAsk};
pub use bake::is_worse;
pub use edge::Edge;
pub use event::{LastGood, Owed, RelayEvent};
pub use message::{Message, NoMessage, one_line};
pub use meter::Meter;
pub use refusal::{error_line, oversize_line, unreadable_line};
pub use shared::{SavedSession, Vouched};
pub use tool::Called;

use crate::error::Fault;
use crate::ids::TwinId;
use crate::spec::{Options, Strategy};
use crate::time::Moment;
use agent::Agent;
use batch::Batch;
use calls::{Ask, Call};
use diff::ListKind;
use ids::Token;
use ledger::{Ledger, Preparing};
use listens::Listen;
use lists::Lists;
use merge::Merge;
use opening::{Opening, Session};
use outbox::Outbox;
use owners::Owners;
use probe::Errand;
use route::{Held, Route, Timer};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use twin::Twin;

/// More than this waiting for the client makes it a slow one.
const SLOW_CLIENT: usize = 1 << 20;

/// More than this makes it one that should not be read either.
const STUCK_CLIENT: usize = 16 << 20;

/// A line for the log is no longer.
const SAID: usize = 1500;

/// One client session.
#[derive(Debug)]
pub struct Relay {
    limits: Limits,
    route: Route,
    opening: Opening,
    session: Session,
    /// The first failure since a twin last proved healthy, and the latest reason.
    failure: Option<(Moment, Fault)>,
    last_good: Option<LastGood>,
    twins: BTreeMap<TwinId, Twin>,
    /// Open requests of the client, by our number. Numbers grow with arrival.
    calls: BTreeMap<u64, Call>,
    /// What is kept of their bytes.
    calls_bytes: usize,
    /// The client's ids of the open requests.
    names: BTreeMap<Token, u64>,
    /// The client's progress tokens of the open requests.
    tokens: BTreeMap<Token, u64>,
    /// Open requests of twins to the client, by our number.
    asks: BTreeMap<u64, Ask>,
    /// Subscriptions of the client (modern), by our number.
    listens: BTreeMap<u64, Listen>,
    /// Where they are open: which one, at which twin, by our number there.
    streams: BTreeMap<u64, (u64, TwinId)>,
    /// What twins handed out and the client may bring back.
    owners: Owners,
    /// Lists of tasks that are being put together, by call.
    merges: BTreeMap<u64, Merge>,
    /// Batches of the client whose answers are being collected.
    batches: BTreeMap<u64, Batch>,
    /// The one that is being read.
    reading: Option<u64>,
    /// Open requests of our own to twins.
    errands: BTreeMap<u64, Errand>,
    /// What waits for a twin, in the order of arrival.
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    client: Outbox,
    /// Our own tools, for the agent behind the client.
    agent: Agent,
    /// The last number given out.
    last: u64,
    timers: BTreeSet<(Moment, Timer)>,
    events: VecDeque<RelayEvent>,
    /// A failure that the client was not told of yet.
    untold: Option<String>,
    ledger: Ledger,
    preparing: Option<Preparing>,
    /// The lists of the twin that serves, or served last.
    known: Lists,
    /// `list_changed` that waits until no older list answer can follow it: tools, prompts, resources.
    owed_changes: [bool; 3],
    /// Lists that the client was told to fetch again and has not.
    stale: [bool; 3],
    /// Lists that the client has asked for at all: of another it has nothing that could be stale.
    listed: [bool; 3],
    /// Answers and refusals of the twin that served before the one on trial.
    rate_before: (u32, u32),
    /// Counts the calls, if somebody wants to know.
    meter: Option<Meter>,
    eof: bool,
    finished: bool,
    /// Counts what a saved session would have to be written anew for.
    revision: u64,
    #[cfg(test)]
    mutant: Option<tests::Mutant>,
}

/// What the relay needs of the options.
#[derive(Debug)]
struct Limits {
    hold: Duration,
    hold_requests: usize,
    hold_bytes: usize,
    call_timeout: Option<Duration>,
    state_ttl: Duration,
    tell: bool,
    /// Subscriptions of the modern era that may be open.
    listens: usize,
    /// Requests of many clients pass through it.
    many: bool,
}

impl Limits {
    fn of(options: &Options) -> Self {
        // Without a second copy beside the first, a swap takes as long as a stop and a start.
        let hold = match options.strategy {
            Strategy::Overlap => options.hold,
            Strategy::Handoff => options.hold.max(options.stop_term + options.stop_kill + options.start_timeout),
        };
        Self {
            hold,
            hold_requests: options.hold_requests,
            hold_bytes: options.hold_bytes,
            call_timeout: options.call_timeout,
            state_ttl: options.state_ttl,
            tell: options.tell,
            listens: listens::LISTENS,
            many: false,
        }
    }
}

impl Relay {
    /// A session that has not begun.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            limits: Limits::of(options),
            route: Route::Holding,
            opening: Opening::Waiting,
            session: Session::default(),
            failure: None,
            last_good: None,
            twins: BTreeMap::new(),
            calls: BTreeMap::new(),
            calls_bytes: 0,
            names: BTreeMap::new(),
            tokens: BTreeMap::new(),
            asks: BTreeMap::new(),
            listens: BTreeMap::new(),
            streams: BTreeMap::new(),
            owners: Owners::default(),
            merges: BTreeMap::new(),
            batches: BTreeMap::new(),
            reading: None,
            errands: BTreeMap::new(),
            held: BTreeMap::new(),
            held_bytes: 0,
            client: Outbox::default(),
            agent: Agent::default(),
            last: 0,
            timers: BTreeSet::new(),
            events: VecDeque::new(),
            untold: None,
            ledger: Ledger::default(),
            preparing: None,
            known: Lists::default(),
            owed_changes: [false; 3],
            stale: [false; 3],
            listed: [false; 3],
            rate_before: (0, 0),
            meter: None,
            eof: false,
            finished: false,
            revision: 0,
            #[cfg(test)]
            mutant: None,
        }
    }

    /// From now on these options count. What has a deadline already keeps it.
    pub fn set_options(&mut self, options: &Options) {
        let Limits { listens, many, .. } = self.limits;
        self.limits = Limits { listens, many, ..Limits::of(options) };
    }

    /// What the server last answered to an opening.
    pub fn set_last_good(&mut self, last: Option<LastGood>) {
        self.last_good = last;
    }

    // The client's side.

    /// One line from the client, without its line end.
    pub fn client_line(&mut self, line: &[u8], now: Moment) {
        self.read_client(line, now);
        self.release_agent(now);
        self.check_finished();
    }

    /// The client sent a line larger than `max_message`; it was skipped, this is its beginning.
    pub fn client_oversize(&mut self, beginning: &[u8], now: Moment) {
        self.refuse_oversize_of_client(beginning, now);
        self.check_finished();
    }

    /// The client's input ended. What is held is still delivered; requests to the client are answered with an error.
    pub fn client_eof(&mut self, now: Moment) {
        self.end_of_client(now);
        self.check_finished();
    }

    /// Bytes to write to the client.
    #[must_use]
    pub fn client_output(&self) -> &[u8] {
        self.client.output()
    }

    /// So many of them were written.
    pub fn client_written(&mut self, bytes: usize) {
        self.client.written(bytes, |_| {});
        self.check_finished();
    }

    /// Whether so much waits for a slow client that twins should not be read.
    #[must_use]
    pub fn client_is_slow(&self) -> bool {
        self.client.waiting() > SLOW_CLIENT
    }

    /// Whether so much waits for it that it should not be read either, until it reads. Everything that it asks has an
    /// answer, so that only this bounds what waits.
    #[must_use]
    pub fn client_is_stuck(&self) -> bool {
        self.client.waiting() > STUCK_CLIENT
    }

    /// How many of the client's requests are not answered yet.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.calls.len()
    }

    // The twins' side.

    /// A twin was spawned; its pipes are open.
    pub fn attach(&mut self, twin: TwinId) {
        self.twins.entry(twin).or_default();
    }

    /// One line from a twin, without its line end.
    pub fn twin_line(&mut self, twin: TwinId, line: &[u8], now: Moment) {
        self.read_twin(twin, line, now);
        self.release_agent(now);
        self.check_finished();
    }

    /// A twin sent a line larger than `max_message`; it was skipped, this is its beginning.
    pub fn twin_oversize(&mut self, twin: TwinId, beginning: &[u8], now: Moment) {
        self.refuse_oversize_of_twin(twin, beginning, now);
        self.check_finished();
    }

    /// Bytes to write to a twin.
    #[must_use]
    pub fn twin_output(&self, twin: TwinId) -> &[u8] {
        self.twins.get(&twin).map(|twin| twin.out.output()).unwrap_or_default()
    }

    /// So many of them were accepted by its pipe.
    pub fn twin_written(&mut self, twin: TwinId, bytes: usize, _now: Moment) {
        let calls = &mut self.calls;
        if let Some(state) = self.twins.get_mut(&twin) {
            state.out.written(bytes, |call| {
                if let Some(call) = calls.get_mut(&call) {
                    call.accepted();
                }
            });
        }
    }

    /// Its pipe accepts nothing any more (broken pipe). Its answers may still come.
    pub fn twin_input_closed(&mut self, twin: TwinId, now: Moment) {
        self.input_closed(twin, now);
        self.check_finished();
    }

    /// Its output was read to the end: nothing more can come from it. Open requests are answered with `fault`'s reason.
    pub fn twin_gone(&mut self, twin: TwinId, fault: &Fault, now: Moment) {
        self.gone(twin, fault, now);
        self.release_agent(now);
        self.check_finished();
    }

    // What the swap machine wants.

    /// Prove this twin healthy. Answers: `Probing`, then `Ready` or `NotReady`.
    pub fn probe(&mut self, twin: TwinId, force: bool, now: Moment) {
        self.begin_probe(twin, force, now);
    }

    /// Bring the ledger to this twin. Answer: `Prepared` or `PrepareFailed`.
    pub fn prepare(&mut self, twin: TwinId, now: Moment) {
        self.begin_prepare(twin, now);
    }

    /// Route new requests to this twin, release what is held, tell the client what differs.
    ///
    /// # Errors
    /// The twin is not ready at this instant; the route stays.
    pub fn handover(&mut self, twin: TwinId, now: Moment) -> Result<(), Fault> {
        let done = self.flip(twin, now);
        self.release_agent(now);
        self.check_finished();
        done
    }

    /// Hold new requests: a start is under way.
    pub fn hold(&mut self, _now: Moment) {
        self.leave(Route::Holding);
    }

    /// Answer held and new requests with this reason. Requests that came before the client's opening was answered share
    /// the opening's fate instead.
    pub fn refuse(&mut self, fault: Fault, now: Moment) {
        self.begin_refusal(fault, now);
        self.release_agent(now);
        self.check_finished();
    }

    /// Say when this twin owes nothing any more. Answer: `Drained`.
    pub fn drain(&mut self, twin: TwinId, _now: Moment) {
        self.begin_drain(twin);
    }

    /// Hold requests as soon as this twin has no open call. Answer: `Idle`.
    pub fn await_idle(&mut self, twin: TwinId, now: Moment) {
        self.begin_await_idle(twin, now);
    }

    /// Cancel what is open on this twin and answer it with this reason. If it serves, requests are held from now on.
    pub fn cut(&mut self, twin: TwinId, fault: &Fault, now: Moment) {
        self.cut_off(twin, fault, now);
        self.check_finished();
    }

    /// A trial of this twin begins: count what it refuses.
    pub fn begin_bake(&mut self, twin: TwinId) {
        self.trial(twin);
    }

    /// The trial is over.
    pub fn end_bake(&mut self, twin: TwinId) {
        self.trial_over(twin);
    }

    /// Add this text to the first answer to a tools/call. A later text takes the place of one that was not told yet.
    pub fn tell(&mut self, text: String) {
        if self.limits.tell {
            self.untold = Some(text);
        }
    }

    /// What a twin owes.
    #[must_use]
    pub fn owed(&self, twin: TwinId) -> Owed {
        let later = self.owners.owes(twin);
        self.twins.get(&twin).map(|twin| Owed { calls: twin.calls, requests: twin.asks, later }).unwrap_or_default()
    }

    // For people.

    /// `clientInfo.name` and `.version` of the client's opening.
    #[must_use]
    pub fn client_info(&self) -> Option<(&str, &str)> {
        self.session.client.as_ref().map(|(name, version)| (name.as_str(), version.as_str()))
    }

    /// The protocol version that client and server agreed on.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.session.version.as_deref()
    }

    /// The lists that the client has fetched once, was told to fetch again, and has not.
    #[must_use]
    pub fn stale_lists(&self) -> Vec<ListKind> {
        let stale = |kind: &ListKind| {
            let notice = lists::notice_of(*kind);
            self.stale[notice] && self.listed[notice]
        };
        [ListKind::Tools, ListKind::Prompts, ListKind::Resources].into_iter().filter(stale).collect()
    }

    /// How many of the client's requests a twin has.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.twins.values().map(|twin| twin.calls).sum()
    }

    /// How many of the client's requests wait for a twin.
    #[must_use]
    pub fn held(&self) -> usize {
        self.calls.len() - self.in_flight() - self.agent.open()
    }

    // Out.

    /// The next thing the front should know.
    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    /// When [`Relay::handle_timeout`] is wanted, if at all.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// That time has come.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.expire(now);
        self.release_agent(now);
        self.check_finished();
    }

    // Shared by the parts.

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn event(&mut self, event: RelayEvent) {
        self.events.push_back(event);
    }

    fn log(&mut self, twin: impl Into<Option<TwinId>>, text: impl Into<String>) {
        let mut text = text.into();
        // What it quotes may be of any length.
        if text.len() > SAID {
            text.truncate(text.floor_char_boundary(SAID));
            text.push('…');
        }
        self.events.push_back(RelayEvent::Log(twin.into(), text));
    }

    fn check_finished(&mut self) {
        if self.eof && !self.finished && self.calls.is_empty() && self.client.waiting() == 0 {
            self.finished = true;
            self.event(RelayEvent::Finished);
        }
    }
}

#[cfg(test)]
mod tests;
