//! A relay that shares its twins with others.
//!
//! Over HTTP one pair of twins serves many sessions, each with a relay of its own. What one of them has found out about a
//! twin need not be asked again, a line that never reached its twin comes back, and a session can be written down, so that
//! it outlives its front.

use super::Message;
use super::calls::Method;
use super::frame::{Frame, Kind};
use super::lists::Lists;
use super::opening::{Opening, Session};
use super::{Relay, ids};
use crate::ids::TwinId;
use crate::spec::Options;
use crate::time::Moment;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The lists of a twin, as a relay that proved it has fetched them.
#[derive(Clone, Debug)]
pub struct Vouched(Lists);

/// A session of the legacy era, so far as its front knows it: what a twin must be told to take it over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSession {
    /// The client's `params` of `initialize`, byte for byte.
    pub params: String,
    /// The version that it asked for.
    pub asked: String,
    /// The version that was agreed on.
    pub version: String,
    /// The capabilities that it was told of.
    pub told: Map<String, Value>,
    /// `clientInfo`: name and version.
    #[serde(default)]
    pub client: Option<(String, String)>,
    /// The log level, as JSON.
    #[serde(default)]
    pub level: Option<String>,
    /// URIs that it is subscribed to, as JSON.
    #[serde(default)]
    pub uris: Vec<String>,
}

impl SavedSession {
    /// What tells sessions apart that a new twin might treat differently: version and the client's capabilities.
    #[must_use]
    pub fn kind(&self) -> (String, String) {
        let capabilities = super::frame::member(&self.params, "capabilities").unwrap_or("{}");
        (self.version.clone(), capabilities.to_owned())
    }
}

impl Relay {
    /// A message of the client's that was read already: as [`Relay::client_line`].
    pub fn client_message(&mut self, message: &Message<'_>, now: Moment) {
        self.client_frame(&message.0, now);
        self.check_finished();
    }

    /// A message of a twin's that was read already: as [`Relay::twin_line`].
    pub fn twin_message(&mut self, twin: TwinId, message: &Message<'_>, now: Moment) {
        if self.twins.contains_key(&twin) {
            self.twin_frame(twin, &message.0, now);
            self.check_finished();
        }
    }

    /// A relay for requests of many clients: its era stays the modern one, and it takes as many subscriptions as there are
    /// clients.
    #[must_use]
    pub fn for_many(options: &Options, listens: usize) -> Self {
        let mut relay = Self::new(options);
        relay.limits.many = true;
        relay.limits.listens = listens;
        relay
    }

    /// A session that was open at another front, or at this one before it was restarted. It has no twin yet.
    #[must_use]
    pub fn resumed(options: &Options, saved: &SavedSession) -> Self {
        let mut relay = Self::new(options);
        relay.opening = Opening::Complete;
        relay.session = Session {
            params: saved.params.as_str().into(),
            asked: saved.asked.clone(),
            version: Some(saved.version.clone()),
            told: saved.told.clone(),
            client: saved.client.clone(),
            ..Session::default()
        };
        relay.ledger.restore(saved.level.as_deref(), &saved.uris);
        relay
    }

    /// The session as it can be resumed; none before its opening was answered, or if it is one of the modern era.
    #[must_use]
    pub fn saved(&self) -> Option<SavedSession> {
        let version = self.session.version.clone().filter(|_| self.is_open() && self.is_legacy())?;
        let (level, uris) = self.ledger.saved();
        Some(SavedSession {
            params: self.session.params.to_string(),
            asked: self.session.asked.clone(),
            version,
            told: self.session.told.clone(),
            client: self.session.client.clone(),
            level,
            uris,
        })
    }

    /// Grows whenever [`Relay::saved`] has something new.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether the client's opening was answered with a result.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.opening, Opening::Answered | Opening::Complete)
    }

    /// Whether the client is subscribed to anything.
    #[must_use]
    pub fn has_subscriptions(&self) -> bool {
        !self.ledger.saved().1.is_empty() || !self.listens.is_empty()
    }

    /// The twin that new requests go to.
    #[must_use]
    pub fn serving(&self) -> Option<TwinId> {
        self.active()
    }

    /// Whether a twin has accepted the session and can take it over at any moment.
    #[must_use]
    pub fn is_ready_at(&self, twin: TwinId) -> bool {
        self.twins.get(&twin).is_some_and(|state| matches!(state.stage, super::probe::Stage::Ready))
    }

    /// Whether a request of this number is still to be answered by a twin, be it the client's or our own.
    #[must_use]
    pub fn has_open(&self, twin: TwinId, number: u64) -> bool {
        self.calls.get(&number).is_some_and(|call| call.owner() == Some(twin))
            || self.errands.get(&number).is_some_and(|errand| errand.twin == twin)
            || self.streams.get(&number).is_some_and(|(_, at)| *at == twin)
    }

    /// Whether this is our number of a subscription at a twin: a request that is answered only when it is over.
    #[must_use]
    pub fn is_listen(&self, number: u64) -> bool {
        self.streams.contains_key(&number)
    }

    /// The protocol version that was agreed on with a twin, once it has accepted the session.
    #[must_use]
    pub fn version_at(&self, twin: TwinId) -> Option<&str> {
        let accepted =
            self.twins.get(&twin).is_some_and(|state| state.initialized || self.session.opener == Some(twin));
        self.version().filter(|_| accepted && self.is_legacy())
    }

    /// The lists of a twin that this relay has proved.
    #[must_use]
    pub fn vouch(&self, twin: TwinId) -> Option<Vouched> {
        self.twins.get(&twin).map(|state| Vouched(state.lists.clone()))
    }

    /// [`Relay::attach`] for a twin whose lists another relay has fetched: this one does not ask for them.
    pub fn attach_vouched(&mut self, twin: TwinId, vouched: &Vouched) {
        self.twins.entry(twin).or_default().lists = vouched.0.clone();
    }

    /// What another relay has fetched meanwhile of the lists of a twin that this one has: it need not ask for them.
    pub fn learn_lists(&mut self, twin: TwinId, vouched: &Vouched) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.lists.learn(&vouched.0);
        }
    }

    /// The client's id of an open request, as the client wrote it, given our number for it.
    #[must_use]
    pub fn client_id(&self, number: u64) -> Option<String> {
        let call = self.calls.get(&number);
        let id = call.map(|call| &call.id).or_else(|| {
            let (listen, _) = self.streams.get(&number)?;
            self.listens.get(listen).map(super::listens::Listen::id)
        });
        id.map(|id| id.with_bytes(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    /// Whether the next line of [`Relay::twin_output`] is a request of the client's that opens nothing: our number of it.
    #[must_use]
    pub fn leading_call(&self, twin: TwinId) -> Option<u64> {
        let number = self.twins.get(&twin)?.out.leading()?;
        self.calls.get(&number).is_some_and(|call| call.method != Method::Initialize).then_some(number)
    }

    /// Whether the next line of [`Relay::client_output`] is a twin's answer to a request: our number of that.
    #[must_use]
    pub fn leading_answer(&self) -> Option<u64> {
        self.client.leading()
    }

    /// The client's id of the open request that reports its progress under this token, both as the client wrote them.
    #[must_use]
    pub fn id_of_token(&self, token: &str) -> Option<String> {
        self.client_id(*self.tokens.get(&super::ids::Token::read(token))?)
    }

    /// The version that the client asked for in its opening, once it has sent that.
    #[must_use]
    pub fn asked(&self) -> Option<&str> {
        Some(self.session.asked.as_str()).filter(|asked| !asked.is_empty())
    }

    /// [`Relay::refuse`] where nothing is worth waiting for, though other twins may serve: an opening that waits is answered
    /// at once too, from the last good record or with the reason.
    pub fn refuse_at_once(&mut self, fault: crate::Fault, now: Moment) {
        self.begin_refusal(fault, now);
        self.opening_expired(now);
        self.refuse_held(now);
        self.check_finished();
    }

    /// A line that was taken from [`Relay::twin_output`] and of which it is certain that the twin never saw it (the
    /// connection was refused). A request looks for its way again; everything else is dropped.
    pub fn twin_returned(&mut self, twin: TwinId, line: &[u8], now: Moment) {
        if let Ok(frame) = Frame::read(line)
            && let Kind::Request { id, .. } = frame.kind
            && let Some(number) = ids::number(id)
            && let Some(method) =
                self.calls.get(&number).filter(|call| call.owner() == Some(twin)).map(|call| call.method)
        {
            self.unassign(method, twin);
            self.reroute(number, line.into(), now);
        }
        self.check_finished();
    }

    /// An answer of a twin to the call `number` will never come, for this reason; the twin lives on.
    pub fn twin_lost(&mut self, twin: TwinId, number: u64, fault: &crate::Fault, now: Moment) {
        if self.calls.get(&number).is_some_and(|call| call.owner() == Some(twin)) && !self.is_opening(number) {
            self.lose(number, fault, now);
        } else {
            let error = super::refusal::object(super::refusal::number(fault.code), fault);
            let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{number},\"error\":{error}}}");
            self.read_twin(twin, line.as_bytes(), now);
        }
        self.check_finished();
    }

    /// A twin has forgotten the session and was opened anew: what it was told of it before counts no more.
    pub fn twin_forgot(&mut self, twin: TwinId, now: Moment) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.ledger = super::ledger::Ledger::default();
            self.sync_ledger(twin, now);
        }
        self.check_finished();
    }
}
